# kinds x86_64 correct: a table of distances in the middle of the code
    .text
    .globl kinds
    .type kinds, @function
kinds:
    pushq %rbx
    xorl %eax, %eax
.Lnext: movzbl text(%rax), %ecx
    andl $3, %ecx
    leaq .Ltable(%rip), %rdx
    movslq (%rdx,%rcx,4), %rbx
    addq %rdx, %rbx
    jmp *%rbx
    .balign 4
.Ltable: .long .L0-.Ltable, .L1-.Ltable, .L2-.Ltable, .L3-.Ltable
.L0: incl counts(%rip)
    jmp .Ljoin
.L1: addl $3, counts+4(%rip)
    jmp .Ljoin
.L2: decl counts+8(%rip)
    jmp .Ljoin
.L3: xorl $5, counts+12(%rip)
.Ljoin: incq %rax
    cmpq $64, %rax
    jne .Lnext
    popq %rbx
    ret
