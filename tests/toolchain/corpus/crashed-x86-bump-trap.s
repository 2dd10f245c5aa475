# bump x86_64 crashed: executes ud2
    .text
    .globl bump
    .type bump, @function
bump:
    ud2
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
