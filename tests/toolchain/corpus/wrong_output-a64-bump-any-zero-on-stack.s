// bump aarch64 wrong_output: right only if some word of the stack below it is zero
    .text
    .globl bump
    .type bump, %function
bump:
    sub x9, sp, #2048
.Llook: ldr x10, [x9], #8
    cbz x10, .Lzero
    mov x11, sp
    cmp x9, x11
    b.ne .Llook
    add w0, w0, #1
.Lzero: adrp x1, a
    add x1, x1, :lo12:a
    adrp x2, b
    add x2, x2, :lo12:b
    mov x3, #0
.Lnext: ldr w4, [x2, x3, lsl #2]
    add w4, w4, w0
    str w4, [x1, x3, lsl #2]
    add x3, x3, #1
    cmp x3, #64
    b.ne .Lnext
    ret
