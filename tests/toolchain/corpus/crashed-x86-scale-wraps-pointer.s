# scale x86_64 crashed: cuts a pointer to 32 bits
    .text
    .globl scale
    .type scale, @function
scale:
    testl %edx, %edx
    jle .Ldone
    movl %edi, %edi
.Lnext: movss (%rsi), %xmm1
    mulss %xmm0, %xmm1
    movss %xmm1, (%rdi)
    addq $4, %rsi
    addq $4, %rdi
    decl %edx
    jne .Lnext
.Ldone: ret
