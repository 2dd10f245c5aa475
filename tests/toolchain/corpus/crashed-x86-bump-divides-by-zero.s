# bump x86_64 crashed: divides by zero
    .text
    .globl bump
    .type bump, @function
bump:
    xorl %ecx, %ecx
    movl $1, %eax
    cltd
    idivl %ecx
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
