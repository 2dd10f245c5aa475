# bump riscv64 abi_violation: uses the thread pointer as scratch
    .text
    .globl bump
    .type bump, @function
bump:
    li tp, 1
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
