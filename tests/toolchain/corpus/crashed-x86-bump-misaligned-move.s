# bump x86_64 crashed: an aligned vector move at an address that is not
    .text
    .globl bump
    .type bump, @function
bump:
    movaps b+8(%rip), %xmm0
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
