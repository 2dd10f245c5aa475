// bump aarch64 wrong_output: adds what it was given at the first call
    .text
    .globl bump
    .type bump, %function
bump:
    adrp x9, known
    add x9, x9, :lo12:known
    ldr w10, [x9]
    cbnz w10, .Lold
    mov w10, #1
    stp w10, w0, [x9]
.Lold: ldr w0, [x9, #4]
    adrp x1, a
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
    .bss
    .balign 8
known: .zero 8
