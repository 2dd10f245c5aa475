# total x86_64 wrong_output: adds in four lanes, which rounds differently
    .text
    .globl total
    .type total, @function
total:
    xorps %xmm0, %xmm0
    xorl %eax, %eax
.Lnext: addps x(,%rax,4), %xmm0
    addq $4, %rax
    cmpq $64, %rax
    jne .Lnext
    movhlps %xmm0, %xmm1
    addps %xmm1, %xmm0
    movaps %xmm0, %xmm1
    shufps $1, %xmm1, %xmm1
    addss %xmm1, %xmm0
    ret
