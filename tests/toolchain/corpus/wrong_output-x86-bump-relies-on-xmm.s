# bump x86_64 wrong_output: expects xmm7 to be 0 on entry
    .text
    .globl bump
    .type bump, @function
bump:
    movd %xmm7, %edx
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    addl %edx, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
