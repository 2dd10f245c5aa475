// poll aarch64 wrong_output: keeps s in v16 across calls
    .text
    .globl poll
    .type poll, %function
poll:
    stp x29, x30, [sp, #-48]!
    stp x19, x20, [sp, #16]
    str x21, [sp, #32]
    adrp x19, v
    add x19, x19, :lo12:v
    mov w20, #16
    mov w21, w0
.Lnext: ldr w0, [x19]
    fmov s16, w21
    bl ask
    fmov w21, s16
    ldr w1, [x19]
    add w0, w0, w1
    add w0, w0, w21
    str w0, [x19], #4
    subs w20, w20, #1
    b.ne .Lnext
    ldr x21, [sp, #32]
    ldp x19, x20, [sp, #16]
    ldp x29, x30, [sp], #48
    ret
