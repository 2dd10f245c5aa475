# bump x86_64 march=x86-64-v3 correct: AVX2 where the level has it, upper halves left dirty
    .text
    .globl bump
    .type bump, @function
bump:
    vmovd %edi, %xmm0
    vpbroadcastd %xmm0, %ymm0
    xorl %eax, %eax
.Lnext: vpaddd b(,%rax,4), %ymm0, %ymm1
    vmovdqu %ymm1, a(,%rax,4)
    addq $8, %rax
    cmpq $64, %rax
    jne .Lnext
    ret
