# bump x86_64 correct: SSE2 by hand, four elements at a time
    .text
    .globl bump
    .type bump, @function
bump:
    movd %edi, %xmm0
    pshufd $0, %xmm0, %xmm0
    movq $-256, %rax
.Lnext: movdqu b+256(%rax), %xmm1
    paddd %xmm0, %xmm1
    movups %xmm1, a+256(%rax)
    addq $16, %rax
    jne .Lnext
    ret
