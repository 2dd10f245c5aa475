# bump x86_64 abi_violation: returns with another rounding mode
    .text
    .globl bump
    .type bump, @function
bump:
    stmxcsr -8(%rsp)
    orl $0x2000, -8(%rsp)
    ldmxcsr -8(%rsp)
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
