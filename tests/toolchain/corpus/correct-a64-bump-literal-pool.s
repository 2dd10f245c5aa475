// bump aarch64 correct: addresses from literal pools, odd registers
    .text
    .globl bump
    .type bump, %function
bump:
    ldr x16, =a
    ldr x17, =b
    ldr w18, .Lcount
.Lnext: ldr w15, [x17], #4
    add w15, w15, w0
    str w15, [x16], #4
    subs w18, w18, #1
    b.ne .Lnext
    ret
.Lcount: .word 64
    .ltorg
