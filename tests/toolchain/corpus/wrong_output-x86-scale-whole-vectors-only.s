# scale x86_64 wrong_output: leaves out what does not fill a vector
    .text
    .globl scale
    .type scale, @function
scale:
    shufps $0, %xmm0, %xmm0
    shrl $2, %edx
    jz .Ldone
.Lnext: movups (%rsi), %xmm1
    mulps %xmm0, %xmm1
    movups %xmm1, (%rdi)
    addq $16, %rsi
    addq $16, %rdi
    decl %edx
    jne .Lnext
.Ldone: ret
