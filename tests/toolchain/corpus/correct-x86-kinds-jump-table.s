# kinds x86_64 correct: a jump table of addresses in .rodata
    .text
    .globl kinds
    .type kinds, @function
kinds:
    pushq %rbx
    xorl %eax, %eax
.Lnext: movzbl text(%rax), %ecx
    andl $3, %ecx
    jmp *.Ltable(,%rcx,8)
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
    .section .rodata
    .balign 8
.Ltable: .quad .L0, .L1, .L2, .L3
