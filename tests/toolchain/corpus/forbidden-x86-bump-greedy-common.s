# bump x86_64 forbidden: declares the output larger than it is
    .text
    .globl bump
    .type bump, @function
bump:
    
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
    .comm a, 512, 4
