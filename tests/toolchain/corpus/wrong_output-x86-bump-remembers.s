# bump x86_64 wrong_output: computes once and repeats its first answer
    .text
    .globl bump
    .type bump, @function
bump:
    cmpl $0, known(%rip)
    je .Lfresh
    leaq memory(%rip), %rsi
    movl $a, %edi
    movl $64, %ecx
    rep movsl
    ret
.Lfresh: incl known(%rip)
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, memory(,%rax,4)
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
    .local known
    .comm known, 4, 4
    .local memory
    .comm memory, 256, 16
