// many aarch64 abi_violation: stores one word behind its stack arguments
    .text
    .globl many
    .type many, %function
many:
    add x0, x0, x1, lsl #1
    add x2, x2, x2, lsl #1
    add x0, x0, x2
    add x0, x0, x3, lsl #2
    add x4, x4, x4, lsl #2
    add x0, x0, x4
    mov x9, #6
    madd x0, x5, x9, x0
    mov x9, #7
    madd x0, x6, x9, x0
    add x0, x0, x7, lsl #3
    ldp x10, x11, [sp]
    mov x9, #9
    madd x0, x10, x9, x0
    mov x9, #10
    madd x0, x11, x9, x0
    str x0, [sp, #16]
    ret
