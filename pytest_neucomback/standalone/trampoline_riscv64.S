/* trampoline: entered by an ordinary C call with the task's arguments. It puts known junk into the registers that a
 * function has to preserve, sets the return address and jumps to state.target, so that arguments on the stack stay
 * where they belong. On return it notes what the registers hold. t0 to t6 carry no argument. */
#define SEEN 256
#define STACK_ERROR 512
#define FLAGS 520
#define SCRATCH 528
#define TARGET 536

    .bss
    .balign 16
saved:  .skip 256

    .text
    .globl trampoline
    .type trampoline, @function
    .macro general instruction, base, from
    \instruction s0, \from(\base)
    \instruction s1, \from+8(\base)
    \instruction s2, \from+16(\base)
    \instruction s3, \from+24(\base)
    \instruction s4, \from+32(\base)
    \instruction s5, \from+40(\base)
    \instruction s6, \from+48(\base)
    \instruction s7, \from+56(\base)
    \instruction s8, \from+64(\base)
    \instruction s9, \from+72(\base)
    \instruction s10, \from+80(\base)
    \instruction s11, \from+88(\base)
    .endm
    .macro floats instruction, base, from
    \instruction fs0, \from(\base)
    \instruction fs1, \from+8(\base)
    \instruction fs2, \from+16(\base)
    \instruction fs3, \from+24(\base)
    \instruction fs4, \from+32(\base)
    \instruction fs5, \from+40(\base)
    \instruction fs6, \from+48(\base)
    \instruction fs7, \from+56(\base)
    \instruction fs8, \from+64(\base)
    \instruction fs9, \from+72(\base)
    \instruction fs10, \from+80(\base)
    \instruction fs11, \from+88(\base)
    .endm
trampoline:
    la t0, saved
    general sd, t0, 0
    floats fsd, t0, 96
    sd ra, 192(t0)
    sd sp, 200(t0)
    frrm t1
    sd t1, 208(t0)
    sd gp, 216(t0)
    sd tp, 224(t0)
    la t0, state
    general ld, t0, 0
    floats fld, t0, 96
    ld t1, SCRATCH(t0)
    mv t2, t1
    mv t3, t1
    mv t4, t1
    mv t5, t1
    ld t6, TARGET(t0)
    la ra, 1f
    jr t6
1:  la t0, state
    addi t1, t0, SEEN
    general sd, t1, 0
    floats fsd, t1, 96
    la t1, saved
    ld t2, 200(t1)
    sub t3, sp, t2
    sd t3, STACK_ERROR(t0)
    mv sp, t2
    frrm t3
    ld t2, 208(t1)
    sub t4, t3, t2
    snez t4, t4
    slli t4, t4, 1
    sd t4, FLAGS(t0)
    fsrm t2
    ld t2, 216(t1)
    xor t3, gp, t2
    mv gp, t2
    ld t4, 0+192(t0)          /* what gp and tp should hold is whatever they held: junk and seen differ by the change */
    xor t3, t3, t4
    sd t3, SEEN+192(t0)
    ld t2, 224(t1)
    xor t3, tp, t2
    mv tp, t2
    ld t4, 0+200(t0)
    xor t3, t3, t4
    sd t3, SEEN+200(t0)
    general ld, t1, 0
    floats fld, t1, 96
    ld ra, 192(t1)
    ret

    .section .note.GNU-stack,"",@progbits
