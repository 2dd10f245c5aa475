# bump x86_64 abi_violation: takes memory above its return address for its own
    .text
    .globl bump
    .type bump, @function
bump:
    movq %rdi, 8(%rsp)
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl 8(%rsp), %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
