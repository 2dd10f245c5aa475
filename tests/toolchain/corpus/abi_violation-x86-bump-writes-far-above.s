# bump x86_64 abi_violation: writes to its caller's frame further up
    .text
    .globl bump
    .type bump, @function
bump:
    movl $0, 48(%rsp)
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
