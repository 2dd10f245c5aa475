// bump aarch64 forbidden: raises the level itself and uses SVE
    .text
    .globl bump
    .type bump, %function
bump:
    .arch armv8.2-a+sve
    adrp x1, a
    add x1, x1, :lo12:a
    adrp x2, b
    add x2, x2, :lo12:b
    mov z0.s, w0
    mov x3, #0
    mov x4, #64
    whilelo p0.s, x3, x4
.Lnext: ld1w { z1.s }, p0/z, [x2, x3, lsl #2]
    add z1.s, z1.s, z0.s
    st1w { z1.s }, p0, [x1, x3, lsl #2]
    incw x3
    whilelo p0.s, x3, x4
    b.first .Lnext
    ret
