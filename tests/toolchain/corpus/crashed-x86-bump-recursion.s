# bump x86_64 crashed: calls itself without end
    .text
    .globl bump
    .type bump, @function
bump:
    call bump
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
