# kinds x86_64 correct: multiplies by the size of a case and jumps into the middle
    .text
    .globl kinds
    .type kinds, @function
kinds:
    xorl %eax, %eax
.Lnext: movzbl text(%rax), %ecx
    andl $3, %ecx
    shll $4, %ecx
    leaq .L0(%rip), %rdx
    addq %rcx, %rdx
    jmp *%rdx
    .balign 16
.L0: incl counts(%rip)
    jmp .Ljoin
    .balign 16
    addl $3, counts+4(%rip)
    jmp .Ljoin
    .balign 16
    decl counts+8(%rip)
    jmp .Ljoin
    .balign 16
    xorl $5, counts+12(%rip)
.Ljoin: incq %rax
    cmpq $64, %rax
    jne .Lnext
    ret
