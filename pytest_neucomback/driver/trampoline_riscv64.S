/* See trampoline_x86_64.S for what this does. t0-t6 carry nothing at a call. */
#define CTL(field) 0x08000000+NC_OFF_##field

    .bss
    .balign 16
nc_saved:   .skip 256
    .globl nc_target
nc_target:  .skip 8

    .text
    .globl nc_call, nc_unwind, nc_empty, _start
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
    li t0, CTL(junk)
    integers ld, t0
    floats fld, t0
    ld t1, 208(t0)
    mv t2, t1
    mv t4, t1
    mv t5, t1
    mv t6, t1
    fmv.d.x ft0, t1
    fmv.d.x ft1, t1
    fmv.d.x ft2, t1
    fmv.d.x ft3, t1
    fmv.d.x ft4, t1
    fmv.d.x ft5, t1
    fmv.d.x ft6, t1
    fmv.d.x ft7, t1
    fmv.d.x ft8, t1
    fmv.d.x ft9, t1
    fmv.d.x ft10, t1
    fmv.d.x ft11, t1
    la ra, nc_return
    la t3, nc_target
    ld t3, 0(t3)
    jr t3

nc_return:
    li t0, CTL(seen)
    integers sd, t0
    floats fsd, t0
    .option push
    .option norelax
    la t3, nc_saved
    .option pop
    /* gp and tp have no junk of their own: what is stored is their difference from the junk slot's convention, */
    /* so that an unchanged register reads as the planted value. */
    li t1, CTL(junk)
    ld t2, 192(t1)
    ld t4, 216(t3)
    xor t4, t4, gp
    xor t4, t4, t2
    sd t4, 192(t0)
    ld t2, 200(t1)
    ld t4, 224(t3)
    xor t4, t4, tp
    xor t4, t4, t2
    sd t4, 200(t0)
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
nc_leave:
    integers ld, t3
    floats fld, t3
    ld ra, 192(t3)
    ret

nc_unwind:
    .option push
    .option norelax
    la t3, nc_saved
    .option pop
    ld sp, 200(t3)
    ld gp, 216(t3)
    ld tp, 224(t3)
    ld t4, 208(t3)
    csrw frm, t4
    li t1, CTL(unwound)
    li t2, 1
    sd t2, 0(t1)
    li a0, 0
    fmv.d.x fa0, zero
    j nc_leave

nc_empty:
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

    .section .note.GNU-stack,"",%progbits
