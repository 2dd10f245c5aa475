# bump riscv64 march=rv64gcv correct: the vector extension where the level has it
    .text
    .globl bump
    .type bump, @function
bump:
    la a1, a
    la a2, b
    li a3, 64
.Lnext: vsetvli t0, a3, e32, m4, ta, ma
    vle32.v v4, (a2)
    vadd.vx v4, v4, a0
    vse32.v v4, (a1)
    slli t1, t0, 2
    add a1, a1, t1
    add a2, a2, t1
    sub a3, a3, t0
    bnez a3, .Lnext
    ret
