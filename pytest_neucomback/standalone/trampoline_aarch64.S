/* trampoline: entered by an ordinary C call with the task's arguments. It puts known junk into the registers that a
 * function has to preserve, sets the return address and branches to state.target, so that arguments on the stack stay
 * where they belong. On return it notes what the registers hold. x9 to x17 carry no argument. */
#define SEEN 256
#define STACK_ERROR 512
#define FLAGS 520
#define SCRATCH 528
#define TARGET 536

    .bss
    .balign 16
saved:  .skip 208

    .text
    .globl trampoline
    .type trampoline, %function
    .macro general instruction, base, from
    \instruction x19, x20, [\base, \from]
    \instruction x21, x22, [\base, \from + 16]
    \instruction x23, x24, [\base, \from + 32]
    \instruction x25, x26, [\base, \from + 48]
    \instruction x27, x28, [\base, \from + 64]
    .endm
    .macro vectors instruction, base, from
    \instruction d8, d9, [\base, \from]
    \instruction d10, d11, [\base, \from + 16]
    \instruction d12, d13, [\base, \from + 32]
    \instruction d14, d15, [\base, \from + 48]
    .endm
trampoline:
    adrp x9, saved
    add x9, x9, :lo12:saved
    general stp, x9, 0
    stp x29, x30, [x9, 80]
    vectors stp, x9, 96
    mov x10, sp
    mrs x11, fpcr
    stp x10, x11, [x9, 160]
    adrp x9, state
    add x9, x9, :lo12:state
    general ldp, x9, 0
    ldr x29, [x9, 80]
    ldp d8, d9, [x9, 88]
    ldp d10, d11, [x9, 104]
    ldp d12, d13, [x9, 120]
    ldp d14, d15, [x9, 136]
    ldr x10, [x9, SCRATCH]
    fmov d16, x10
    fmov d17, x10
    fmov d30, x10
    fmov d31, x10
    mov x11, x10
    mov x12, x10
    mov x13, x10
    mov x14, x10
    mov x15, x10
    mov x16, x10
    adr x30, 1f
    ldr x17, [x9, TARGET]
    mov x9, x10
    br x17
1:  adrp x9, state
    add x9, x9, :lo12:state
    add x10, x9, SEEN
    general stp, x10, 0
    str x29, [x10, 80]
    stp d8, d9, [x10, 88]
    stp d10, d11, [x10, 104]
    stp d12, d13, [x10, 120]
    stp d14, d15, [x10, 136]
    adrp x10, saved
    add x10, x10, :lo12:saved
    ldp x11, x12, [x10, 160]
    mov x13, sp
    sub x13, x13, x11
    str x13, [x9, STACK_ERROR]
    mov sp, x11
    mrs x13, fpcr
    cmp x13, x12
    cset x13, ne
    lsl x13, x13, 1
    str x13, [x9, FLAGS]
    msr fpcr, x12
    general ldp, x10, 0
    ldp x29, x30, [x10, 80]
    vectors ldp, x10, 96
    ret

    .section .note.GNU-stack,"",%progbits
