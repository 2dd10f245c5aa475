# bump x86_64 correct: MMX with emms at the end
    .text
    .globl bump
    .type bump, @function
bump:
    movd %edi, %mm0
    punpckldq %mm0, %mm0
    xorl %eax, %eax
.Lnext: movq b(,%rax,4), %mm1
    paddd %mm0, %mm1
    movq %mm1, a(,%rax,4)
    addq $2, %rax
    cmpq $64, %rax
    jne .Lnext
    emms
    ret
