# bump x86_64 abi_violation: leaves a value on the x87 stack
    .text
    .globl bump
    .type bump, @function
bump:
    fld1
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
