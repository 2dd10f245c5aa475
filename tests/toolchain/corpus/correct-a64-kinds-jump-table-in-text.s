// kinds aarch64 correct: a table of distances behind an indirect branch
    .text
    .globl kinds
    .type kinds, %function
kinds:
    adrp x1, text
    add x1, x1, :lo12:text
    adrp x2, counts
    add x2, x2, :lo12:counts
    mov w3, #64
.Lnext: ldrb w4, [x1], #1
    and w4, w4, #3
    adr x5, .Ltable
    ldrsw x6, [x5, w4, uxtw #2]
    add x5, x5, x6
    br x5
.Ltable: .word .L0-.Ltable, .L1-.Ltable, .L2-.Ltable, .L3-.Ltable
.L0: ldr w7, [x2]
    add w7, w7, #1
    str w7, [x2]
    b .Ljoin
.L1: ldr w7, [x2, #4]
    add w7, w7, #3
    str w7, [x2, #4]
    b .Ljoin
.L2: ldr w7, [x2, #8]
    sub w7, w7, #1
    str w7, [x2, #8]
    b .Ljoin
.L3: ldr w7, [x2, #12]
    mov w8, #5
    eor w7, w7, w8
    str w7, [x2, #12]
.Ljoin: subs w3, w3, #1
    b.ne .Lnext
    ret
