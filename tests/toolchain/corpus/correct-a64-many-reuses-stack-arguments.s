// many aarch64 correct: uses the memory of its stack arguments as scratch
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
    mul x10, x10, x9
    mov x9, #10
    mul x11, x11, x9
    stp x10, x11, [sp]
    ldr x10, [sp]
    add x0, x0, x10
    ldr x11, [sp, #8]
    add x0, x0, x11
    ret
