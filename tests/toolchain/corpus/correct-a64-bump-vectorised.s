// bump aarch64 correct: NEON by hand with post-indexed pairs
    .text
    .globl bump
    .type bump, %function
bump:
    adrp x1, a
    add x1, x1, :lo12:a
    adrp x2, b
    add x2, x2, :lo12:b
    dup v0.4s, w0
    mov w3, #8
.Lnext: ldp q1, q2, [x2], #32
    add v1.4s, v1.4s, v0.4s
    add v2.4s, v2.4s, v0.4s
    stp q1, q2, [x1], #32
    subs w3, w3, #1
    b.ne .Lnext
    ret
