# poll riscv64 correct: relies on an int that a call returns being sign-extended, as the psABI has it
    .text
    .globl poll
    .type poll, @function
poll:
    addi sp, sp, -32
    sd ra, 0(sp)
    sd s0, 8(sp)
    sd s1, 16(sp)
    sd s2, 24(sp)
    mv s0, a0
    la s1, v
    addi s2, s1, 64
.Lnext: lw a0, 0(s1)
    call ask
    sext.w t0, a0
    sub t0, t0, a0
    add a0, a0, t0
    snez t0, t0
    add a0, a0, t0
    add a0, a0, s0
    lw t1, 0(s1)
    addw a0, a0, t1
    sw a0, 0(s1)
    addi s1, s1, 4
    bne s1, s2, .Lnext
    ld ra, 0(sp)
    ld s0, 8(sp)
    ld s1, 16(sp)
    ld s2, 24(sp)
    addi sp, sp, 32
    ret
