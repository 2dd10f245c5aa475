// scale aarch64 wrong_output: takes a float argument for a vector of four
    .text
    .globl scale
    .type scale, %function
scale:
    cbz w2, .Ldone
.Lnext: cmp w2, #4
    b.lt .Lone
    ldr q1, [x1], #16
    fmul v1.4s, v1.4s, v0.4s
    str q1, [x0], #16
    subs w2, w2, #4
    b.ne .Lnext
    ret
.Lone: ldr s1, [x1], #4
    fmul s1, s1, s0
    str s1, [x0], #4
    subs w2, w2, #1
    b.ne .Lone
.Ldone: ret
