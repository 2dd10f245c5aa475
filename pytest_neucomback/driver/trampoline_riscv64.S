/* See trampoline_x86_64.S for what this does. t0-t6 carry nothing at a call. */
#define CTL(field) 0x08000000+NC_OFF_##field
#define VECTORS 256

    .bss
    .balign 16
nc_saved:   .skip 256
    .globl nc_target, nc_image, nc_checked, nc_depth
nc_target:  .skip 8
nc_checked: .skip 4
nc_depth:   .skip 4
nc_returns: .skip 64
    .balign 16
nc_image:   .skip 512
    .skip 4096
nc_side_top:

    .text
    .globl nc_call, nc_unwind, nc_empty, nc_on_stack, nc_outside, _start
    .macro integers op, base
    \op s0, 0(\base)
    \op s1, 8(\base)
    \op s2, 16(\base)
    \op s3, 24(\base)
    \op s4, 32(\base)
    \op s5, 40(\base)
    \op s6, 48(\base)
    \op s7, 56(\base)
    \op s8, 64(\base)
    \op s9, 72(\base)
    \op s10, 80(\base)
    \op s11, 88(\base)
    .endm
    .macro floats op, base
    \op fs0, 96(\base)
    \op fs1, 104(\base)
    \op fs2, 112(\base)
    \op fs3, 120(\base)
    \op fs4, 128(\base)
    \op fs5, 136(\base)
    \op fs6, 144(\base)
    \op fs7, 152(\base)
    \op fs8, 160(\base)
    \op fs9, 168(\base)
    \op fs10, 176(\base)
    \op fs11, 184(\base)
    .endm
    /* In the image a register stands at its number. */
    .macro arguments op, fop, base
    .irp n, 10,11,12,13,14,15,16,17
    \op x\n, 8*\n(\base)
    \fop f\n, VECTORS+8*\n(\base)
    .endr
    .endm
    .macro preserved op, fop, base
    .irp n, 8,9,18,19,20,21,22,23,24,25,26,27
    \op x\n, 8*\n(\base)
    \fop f\n, VECTORS+8*\n(\base)
    .endr
    .endm
    .macro scratch_floats base
    .irp n, 0,1,2,3,4,5,6,7,28,29,30,31
    fld f\n, VECTORS+8*\n(\base)
    .endr
    .endm
    /* Not relaxed against gp, which may be the candidate's. */
    .macro plain reg, symbol
    .option push
    .option norelax
    la \reg, \symbol
    .option pop
    .endm

nc_call:
    la t0, nc_saved
    integers sd, t0
    floats fsd, t0
    sd ra, 192(t0)
    sd sp, 200(t0)
    csrr t1, frm
    sd t1, 208(t0)
    sd gp, 216(t0)
    sd tp, 224(t0)
    lw t1, nc_checked
    beqz t1, 1f
    la t0, nc_image
    arguments sd, fsd, t0
    mv a0, sp
    la sp, nc_side_top
    call nc_prepare
    la t0, nc_saved
    ld sp, 200(t0)
    la t0, nc_image
    arguments ld, fld, t0
    preserved ld, fld, t0
    scratch_floats t0
    ld t1, 8*6(t0)
    ld t2, 8*7(t0)
    ld t4, 8*29(t0)
    ld t5, 8*30(t0)
    ld t6, 8*31(t0)
    la ra, nc_return
    ld t3, nc_target
    ld t0, 8*5(t0)
    jr t3

1:  li t0, CTL(junk)
    integers ld, t0
    floats fld, t0
    la ra, nc_return
    ld t3, nc_target
    jr t3

    .option push
    .option norvc
    .rept 4
    ebreak
    .endr
nc_return:
    j 1f
    .rept 8
    ebreak
    .endr
    .option pop
1:  plain t0, nc_image
    preserved sd, fsd, t0
    plain t3, nc_saved
    /* gp and tp get no junk of their own; the image holds by how much they differ from what they were. */
    ld t4, 216(t3)
    xor t4, t4, gp
    sd t4, 8*3(t0)
    ld t4, 224(t3)
    xor t4, t4, tp
    sd t4, 8*4(t0)
    ld gp, 216(t3)
    ld tp, 224(t3)
    ld t2, 200(t3)
    sub t4, sp, t2
    li t1, CTL(sp_error)
    sd t4, 0(t1)
    mv sp, t2
    csrr t2, frm
    ld t4, 208(t3)
    sub t2, t2, t4
    snez t2, t2
    slli t2, t2, 1
    li t1, CTL(flag_error)
    sd t2, 0(t1)
    csrw frm, t4
    lw t1, nc_checked
    beqz t1, nc_leave
    sd a0, 8*10(t0)
    sd a1, 8*11(t0)
    fsd fa0, VECTORS+8*10(t0)
    fsd fa1, VECTORS+8*11(t0)
    la sp, nc_side_top
    call nc_inspect
    la t0, nc_saved
    ld sp, 200(t0)
    la t0, nc_image
    ld a0, 8*10(t0)
    ld a1, 8*11(t0)
    fld fa0, VECTORS+8*10(t0)
    fld fa1, VECTORS+8*11(t0)
    la t3, nc_saved
nc_leave:
    integers ld, t3
    floats fld, t3
    ld ra, 192(t3)
    ret

nc_unwind:
    plain t3, nc_saved
    ld gp, 216(t3)
    ld tp, 224(t3)
    ld sp, 200(t3)
    ld t4, 208(t3)
    csrw frm, t4
    li t1, CTL(unwound)
    li t2, 1
    sd t2, 0(t1)
    li a0, 0
    fmv.d.x fa0, zero
    j nc_leave

/* The callee's address is in t1. */
nc_outside:
    plain t0, nc_checked
    lw t2, 0(t0)
    bnez t2, 1f
    jr t1
1:  andi t2, sp, 15
    beqz t2, 2f
    li t3, CTL(call_error)
    ld t2, 0(t3)
    ori t2, t2, 1
    sd t2, 0(t3)
2:  lw t2, 4(t0)
    andi t2, t2, 7
    slli t3, t2, 3
    add t3, t3, t0
    sd ra, 8(t3)
    addi t2, t2, 1
    sw t2, 4(t0)
    plain ra, nc_back
    jr t1
nc_back:
    plain t0, nc_checked
    lw t2, 4(t0)
    addi t2, t2, -1
    andi t2, t2, 7
    sw t2, 4(t0)
    slli t3, t2, 3
    add t3, t3, t0
    ld ra, 8(t3)
    bnez t2, 1f
    plain t0, nc_image
    scratch_floats t0
    .irp n, 1,2,3,4,5,6,7
    fld fa\n, VECTORS+8*28(t0)
    .endr
    ld t1, 8*6(t0)
    ld t2, 8*7(t0)
    ld t3, 8*28(t0)
    ld t4, 8*29(t0)
    ld t5, 8*30(t0)
    ld t6, 8*31(t0)
    ld a1, 8*28(t0)
    ld a2, 8*29(t0)
    ld a3, 8*30(t0)
    ld a4, 8*31(t0)
    ld a5, 8*28(t0)
    ld a6, 8*29(t0)
    ld a7, 8*30(t0)
    ld t0, 8*5(t0)
1:  ret

    .macro outside name
    .globl \name
    .type \name, @function
\name:
    plain t1, nc_impl_\name
    j nc_outside
    .endm
    .macro beside name
    .globl \name
    .type \name, @function
\name:
    tail nc_impl_\name
    .endm
#include "provided.inc"

nc_empty:
    ret

nc_on_stack:
    addi sp, sp, -16
    sd ra, 8(sp)
    sd s0, 0(sp)
    mv s0, sp
    mv sp, a1
    jalr a0
    mv sp, s0
    ld ra, 8(sp)
    ld s0, 0(sp)
    addi sp, sp, 16
    ret

_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    mv s0, zero
    mv a0, sp
    andi sp, sp, -16
    call nc_main
    ebreak

/* Without a section that can be written and holds something, ld makes code and data one segment. */
    .section .sdata,"aw",%progbits
    .word 1

    .section .note.GNU-stack,"",%progbits
