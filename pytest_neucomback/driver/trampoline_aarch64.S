/* See trampoline_x86_64.S for what this does. x9-x17 carry nothing at a call (AAPCS64 6.1.1). */
#define CTL(field) 0x08000000+NC_OFF_##field

    .macro address reg, value
    movz \reg, #((\value) & 0xffff)
    movk \reg, #(((\value) >> 16) & 0xffff), lsl #16
    .endm

    .bss
    .balign 16
nc_saved:   .skip 256
    .globl nc_target
nc_target:  .skip 8

    .text
    .globl nc_call, nc_unwind, nc_empty, _start
nc_call:
    adrp x16, nc_saved
    add x16, x16, :lo12:nc_saved
    stp x19, x20, [x16]
    stp x21, x22, [x16, #16]
    stp x23, x24, [x16, #32]
    stp x25, x26, [x16, #48]
    stp x27, x28, [x16, #64]
    stp x29, x30, [x16, #80]
    mov x17, sp
    str x17, [x16, #96]
    mrs x17, fpcr
    str x17, [x16, #104]
    stp d8, d9, [x16, #112]
    stp d10, d11, [x16, #128]
    stp d12, d13, [x16, #144]
    stp d14, d15, [x16, #160]
    address x16, CTL(junk)
    ldp x19, x20, [x16]
    ldp x21, x22, [x16, #16]
    ldp x23, x24, [x16, #32]
    ldp x25, x26, [x16, #48]
    ldp x27, x28, [x16, #64]
    ldr x29, [x16, #80]
    ldp d8, d9, [x16, #88]
    ldp d10, d11, [x16, #104]
    ldp d12, d13, [x16, #120]
    ldr d14, [x16, #136]
    ldr d15, [x16, #144]
    ldr x9, [x16, #152]
    mov x10, x9
    mov x11, x9
    mov x12, x9
    mov x13, x9
    mov x14, x9
    mov x15, x9
    dup v16.2d, x9
    dup v17.2d, x9
    dup v18.2d, x9
    dup v19.2d, x9
    dup v20.2d, x9
    dup v21.2d, x9
    dup v22.2d, x9
    dup v23.2d, x9
    dup v24.2d, x9
    dup v25.2d, x9
    dup v26.2d, x9
    dup v27.2d, x9
    dup v28.2d, x9
    dup v29.2d, x9
    dup v30.2d, x9
    dup v31.2d, x9
    adr x30, nc_return
    adrp x16, nc_target
    ldr x16, [x16, :lo12:nc_target]
    mov x17, x9
    br x16

nc_return:
    address x16, CTL(seen)
    stp x19, x20, [x16]
    stp x21, x22, [x16, #16]
    stp x23, x24, [x16, #32]
    stp x25, x26, [x16, #48]
    stp x27, x28, [x16, #64]
    str x29, [x16, #80]
    stp d8, d9, [x16, #88]
    stp d10, d11, [x16, #104]
    stp d12, d13, [x16, #120]
    str d14, [x16, #136]
    str d15, [x16, #144]
    adrp x17, nc_saved
    add x17, x17, :lo12:nc_saved
    mov x9, sp
    ldr x10, [x17, #96]
    sub x9, x9, x10
    address x16, CTL(sp_error)
    str x9, [x16]
    mov sp, x10
    mrs x9, fpcr
    ldr x10, [x17, #104]
    cmp x9, x10
    cset x9, ne
    lsl x9, x9, #1
    address x16, CTL(flag_error)
    str x9, [x16]
    msr fpcr, x10
nc_leave:
    ldp x19, x20, [x17]
    ldp x21, x22, [x17, #16]
    ldp x23, x24, [x17, #32]
    ldp x25, x26, [x17, #48]
    ldp x27, x28, [x17, #64]
    ldp x29, x30, [x17, #80]
    ldp d8, d9, [x17, #112]
    ldp d10, d11, [x17, #128]
    ldp d12, d13, [x17, #144]
    ldp d14, d15, [x17, #160]
    ret

nc_unwind:
    adrp x17, nc_saved
    add x17, x17, :lo12:nc_saved
    ldr x9, [x17, #96]
    mov sp, x9
    ldr x9, [x17, #104]
    msr fpcr, x9
    address x16, CTL(unwound)
    mov x9, #1
    str x9, [x16]
    mov x0, #0
    movi v0.2d, #0
    b nc_leave

nc_empty:
    ret

_start:
    mov x29, #0
    mov x0, sp
    bl nc_main
    brk #1

    .section .note.GNU-stack,"",%progbits
