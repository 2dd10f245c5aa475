# bump x86_64 abi_violation: changes rbx
    .text
    .globl bump
    .type bump, @function
bump:
    movq $1, %rbx
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
