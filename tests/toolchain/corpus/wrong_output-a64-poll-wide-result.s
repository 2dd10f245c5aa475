// poll aarch64 wrong_output: takes the upper half of an int that a call returned for zero
    .text
    .globl poll
    .type poll, %function
poll:
    stp x29, x30, [sp, #-32]!
    stp x19, x20, [sp, #16]
    mov w19, w0
    adrp x20, v
    add x20, x20, :lo12:v
    add x29, x20, #64
.Lnext: ldr w0, [x20]
    bl ask
    lsr x1, x0, #32
    add w0, w0, w1
    add w0, w0, w19
    ldr w1, [x20]
    add w0, w0, w1
    str w0, [x20], #4
    cmp x20, x29
    b.ne .Lnext
    ldp x19, x20, [sp, #16]
    ldp x29, x30, [sp], #32
    ret
