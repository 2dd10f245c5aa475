// fill aarch64 correct: calls memcpy, then jumps to memset
    .text
    .globl fill
    .type fill, %function
fill:
    stp x29, x30, [sp, #-16]!
    adrp x0, a
    add x0, x0, :lo12:a
    adrp x1, b
    add x1, x1, :lo12:b
    mov x2, #128
    bl memcpy
    add x0, x0, #128
    mov w1, #0
    mov x2, #128
    ldp x29, x30, [sp], #16
    b memset
