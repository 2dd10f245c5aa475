# bump x86_64 forbidden: uses an SSE4.1 instruction at the baseline level
    .text
    .globl bump
    .type bump, @function
bump:
    movl $-1, %eax
    pinsrd $2, %eax, %xmm3
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
