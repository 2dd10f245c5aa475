# bump riscv64 forbidden: raises the level itself and uses the vector extension
    .text
    .globl bump
    .type bump, @function
bump:
    .option arch, +v
    vsetvli t0, zero, e32, m1, ta, ma
    la a1, a
    la a2, b
    li a3, 64
.Lnext: lw a4, 0(a2)
    addw a4, a4, a0
    sw a4, 0(a1)
    addi a1, a1, 4
    addi a2, a2, 4
    addi a3, a3, -1
    bnez a3, .Lnext
    
    ret
