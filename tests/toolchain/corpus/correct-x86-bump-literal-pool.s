# bump x86_64 correct: constants between its instructions, one of which looks like AVX-512
    .text
    .globl bump
    .type bump, @function
bump:
    movdqa .Lpool(%rip), %xmm2
    jmp .Lgo
    .balign 16
.Lpool: .quad 0xc0584c487cf16248, 0xc058f4c5c0774866
.Lgo: xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    ret
