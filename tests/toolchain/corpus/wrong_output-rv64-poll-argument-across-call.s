# poll riscv64 wrong_output: keeps s in a5 across calls
    .text
    .globl poll
    .type poll, @function
poll:
    addi sp, sp, -32
    sd ra, 0(sp)
    sd s0, 8(sp)
    sd s1, 16(sp)
    la s0, v
    li s1, 16
    mv a5, a0
.Lnext: lw a0, 0(s0)
    call ask
    lw a1, 0(s0)
    addw a0, a0, a1
    addw a0, a0, a5
    sw a0, 0(s0)
    addi s0, s0, 4
    addi s1, s1, -1
    bnez s1, .Lnext
    ld ra, 0(sp)
    ld s0, 8(sp)
    ld s1, 16(sp)
    addi sp, sp, 32
    ret
