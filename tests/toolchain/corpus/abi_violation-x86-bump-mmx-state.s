# bump x86_64 abi_violation: uses MMX and forgets emms
    .text
    .globl bump
    .type bump, @function
bump:
    pxor %mm0, %mm0
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
