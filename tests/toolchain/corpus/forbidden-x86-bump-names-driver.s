# bump x86_64 forbidden: refers to a variable of the driver
    .text
    .globl bump
    .type bump, @function
bump:
    movq $0, nc_target
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
