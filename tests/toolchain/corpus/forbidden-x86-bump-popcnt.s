# bump x86_64 forbidden: uses popcnt at the baseline level
    .text
    .globl bump
    .type bump, @function
bump:
    popcntl %edi, %eax
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
