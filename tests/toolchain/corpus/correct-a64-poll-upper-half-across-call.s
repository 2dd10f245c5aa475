// poll aarch64 correct: keeps s in the low half of v8, which it saves
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
    str d8, [sp, #40]
    fmov s8, w21
    bl ask
    fmov w21, s8
    ldr d8, [sp, #40]
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
