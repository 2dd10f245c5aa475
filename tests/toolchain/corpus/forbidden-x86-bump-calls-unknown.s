# bump x86_64 forbidden: calls a function of a C library that is not there
    .text
    .globl bump
    .type bump, @function
bump:
    pushq %rdi
    call getenv
    popq %rdi
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
