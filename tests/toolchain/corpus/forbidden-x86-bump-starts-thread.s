# bump x86_64 forbidden: starts a thread that would go on writing the outputs
    .text
    .globl bump
    .type bump, @function
bump:
    movl %edi, saved(%rip)
    movq $69376, %rdi
    movq $stack+4000, %rsi
    movl $56, %eax
    syscall
    movl saved(%rip), %edi
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
    .local saved
    .comm saved, 4, 4
    .local stack
    .comm stack, 4096, 16
