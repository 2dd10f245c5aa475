# bump x86_64 forbidden: asks the kernel through the 32-bit gate
    .text
    .globl bump
    .type bump, @function
bump:
    movl $20, %eax
    int $0x80
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
