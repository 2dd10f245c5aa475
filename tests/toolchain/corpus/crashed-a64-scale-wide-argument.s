// scale aarch64 crashed: uses all 64 bits of an int argument as a count
    .text
    .globl scale
    .type scale, %function
scale:
    cbz x2, .Ldone
.Lnext: ldr s1, [x1], #4
    fmul s1, s1, s0
    str s1, [x0], #4
    subs x2, x2, #1
    b.ne .Lnext
.Ldone: ret
