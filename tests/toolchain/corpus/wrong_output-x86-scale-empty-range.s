# scale x86_64 wrong_output: runs once although n is 0
    .text
    .globl scale
    .type scale, @function
scale:
    xorl %eax, %eax
.Lnext: movss (%rsi,%rax,4), %xmm1
    mulss %xmm0, %xmm1
    movss %xmm1, (%rdi,%rax,4)
    incl %eax
    cmpl %edx, %eax
    jl .Lnext
    ret
