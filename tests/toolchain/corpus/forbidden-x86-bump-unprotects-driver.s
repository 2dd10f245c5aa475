# bump x86_64 forbidden: makes the code it returns to writable to patch it
    .text
    .globl bump
    .type bump, @function
bump:
    movl %edi, saved(%rip)
    movq (%rsp), %rdi
    andq $-4096, %rdi
    movl $4096, %esi
    movl $7, %edx
    movl $10, %eax
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
