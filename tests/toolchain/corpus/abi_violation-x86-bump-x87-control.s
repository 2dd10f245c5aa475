# bump x86_64 abi_violation: returns with another x87 precision
    .text
    .globl bump
    .type bump, @function
bump:
    fnstcw -8(%rsp)
    andw $0xfcff, -8(%rsp)
    fldcw -8(%rsp)
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
