# scale x86_64 march=x86-64-v2 forbidden: uses FMA at x86-64-v2
    .text
    .globl scale
    .type scale, @function
scale:
    vxorps %xmm3, %xmm3, %xmm3
    xorl %eax, %eax
.Lnext: cmpl %edx, %eax
    jge .Ldone
    vmovss (%rsi,%rax,4), %xmm1
    vfmadd213ss %xmm3, %xmm0, %xmm1
    vmovss %xmm1, (%rdi,%rax,4)
    incq %rax
    jmp .Lnext
.Ldone: ret
