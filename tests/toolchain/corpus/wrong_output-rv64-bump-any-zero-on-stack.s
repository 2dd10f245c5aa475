# bump riscv64 wrong_output: right only if some word of the stack below it is zero
    .text
    .globl bump
    .type bump, @function
bump:
    addi t0, sp, -2048
.Llook: ld t1, 0(t0)
    beqz t1, .Lzero
    addi t0, t0, 8
    bne t0, sp, .Llook
    addiw a0, a0, 1
.Lzero: la t5, a
    la t6, b
    li a7, 64
.Lnext: lw a6, 0(t6)
    addw a6, a6, a0
    sw a6, 0(t5)
    addi t5, t5, 4
    addi t6, t6, 4
    addi a7, a7, -1
    bnez a7, .Lnext
    ret
