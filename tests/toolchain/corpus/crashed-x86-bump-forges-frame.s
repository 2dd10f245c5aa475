# bump x86_64 crashed: drops its return address and returns to what it finds further up
    .text
    .globl bump
    .type bump, @function
bump:
    
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    addq $8, %rsp
    ret
