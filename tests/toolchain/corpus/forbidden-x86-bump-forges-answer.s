# bump x86_64 forbidden: writes the byte that ends a call to every descriptor it may find
    .text
    .globl bump
    .type bump, @function
bump:
    movl %edi, saved(%rip)
    movl $2, %r8d
.Lfd: incl %r8d
    movl %r8d, %edi
    leaq byte(%rip), %rsi
    movl $1, %edx
    movl $1, %eax
    syscall
    cmpl $200, %r8d
    jne .Lfd
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
    .section .rodata
byte: .ascii "D"
