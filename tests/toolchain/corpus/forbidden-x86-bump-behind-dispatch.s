# bump x86_64 forbidden: asks the processor what it has and uses AVX2 where it may
    .text
    .globl bump
    .type bump, @function
bump:
    movl %edi, %r8d
    movl $7, %eax
    xorl %ecx, %ecx
    movq %rbx, %r9
    cpuid
    movl %ebx, %r10d
    movq %r9, %rbx
    movl %r8d, %edi
    testl $32, %r10d
    jz .Lplain
    vpxor %ymm0, %ymm0, %ymm0
    vzeroupper
.Lplain:
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
