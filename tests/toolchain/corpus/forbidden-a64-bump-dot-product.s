// bump aarch64 forbidden: raises the level for an instruction of armv8.2
    .text
    .globl bump
    .type bump, %function
bump:
    .arch_extension dotprod
    sdot v1.4s, v2.16b, v3.16b
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
