# bump x86_64 crashed: writes to its own code
    .text
    .globl bump
    .type bump, @function
bump:
    movb $0xc3, bump(%rip)
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
