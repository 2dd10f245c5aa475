# bump x86_64 crashed: loads through a null pointer
    .text
    .globl bump
    .type bump, @function
bump:
    xorl %eax, %eax
    movl (%rax), %eax
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
