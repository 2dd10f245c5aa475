# bump x86_64 forbidden: uses AVX2 at the baseline level
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
    vzeroupper
    ret
