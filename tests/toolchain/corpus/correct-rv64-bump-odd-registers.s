# bump riscv64 correct: t5, t6 and a link register other than ra
    .text
    .globl bump
    .type bump, @function
bump:
    la t5, a
    la t6, b
    li a7, 64
    jal t0, .Lwork
    ret
.Lwork: lw a6, 0(t6)
    addw a6, a6, a0
    sw a6, 0(t5)
    addi t5, t5, 4
    addi t6, t6, 4
    addi a7, a7, -1
    bnez a7, .Lwork
    jr t0
