/* See trampoline_x86_64.S for what this does. x16 and x17 carry nothing at a call (AAPCS64 6.1.1). */
#define CTL(field) 0x08000000+NC_OFF_##field
#define FLAGS 248
#define VECTORS 256

    .arch_extension sve

    .macro address reg, value
    movz \reg, #((\value) & 0xffff)
    movk \reg, #(((\value) >> 16) & 0xffff), lsl #16
    .endm
    .macro near reg, symbol
    adrp \reg, \symbol
    add \reg, \reg, :lo12:\symbol
    .endm
    .macro word reg, symbol
    adrp x16, \symbol
    ldr \reg, [x16, :lo12:\symbol]
    .endm

    .bss
    .balign 16
nc_saved:   .skip 256
    .globl nc_target, nc_image, nc_checked, nc_depth
nc_target:  .skip 8
nc_checked: .skip 4
nc_depth:   .skip 4
nc_returns: .skip 64
    .balign 16
nc_image:   .skip 256+512
    .skip 4096
nc_side_top:

    .text
    .globl nc_call, nc_unwind, nc_empty, nc_on_stack, nc_outside, _start
nc_call:
    near x16, nc_saved
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
    word w17, nc_checked
    cbz w17, 1f
    near x16, nc_image
    stp x0, x1, [x16]
    stp x2, x3, [x16, #16]
    stp x4, x5, [x16, #32]
    stp x6, x7, [x16, #48]
    str x8, [x16, #64]
    add x17, x16, #VECTORS
    stp q0, q1, [x17]
    stp q2, q3, [x17, #32]
    stp q4, q5, [x17, #64]
    stp q6, q7, [x17, #96]
    mov x0, sp
    near x17, nc_side_top
    mov sp, x17
    bl nc_prepare
    near x17, nc_saved
    ldr x17, [x17, #96]
    mov sp, x17
    near x16, nc_image
    add x17, x16, #VECTORS
    ldp q0, q1, [x17]
    ldp q2, q3, [x17, #32]
    ldp q4, q5, [x17, #64]
    ldp q6, q7, [x17, #96]
    ldp q8, q9, [x17, #128]
    ldp q10, q11, [x17, #160]
    ldp q12, q13, [x17, #192]
    ldp q14, q15, [x17, #224]
    bl nc_scratch_vectors
    ldr x17, [x16, #FLAGS]
    msr nzcv, x17
    ldp x0, x1, [x16]
    ldp x2, x3, [x16, #16]
    ldp x4, x5, [x16, #32]
    ldp x6, x7, [x16, #48]
    ldp x8, x9, [x16, #64]
    ldp x10, x11, [x16, #80]
    ldp x12, x13, [x16, #96]
    ldp x14, x15, [x16, #112]
    ldp x18, x19, [x16, #144]
    ldp x20, x21, [x16, #160]
    ldp x22, x23, [x16, #176]
    ldp x24, x25, [x16, #192]
    ldp x26, x27, [x16, #208]
    ldp x28, x29, [x16, #224]
    adr x30, nc_return
    adrp x17, nc_target
    ldr x17, [x17, :lo12:nc_target]
    ldr x16, [x16, #128]
    br x17

1:  address x16, CTL(junk)
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
    adr x30, nc_return
    word x16, nc_target
    br x16

/* Registers 16 to 31, whole, and the predicates where there are some. Keeps x16. */
nc_scratch_vectors:
    add x17, x16, #VECTORS+256
    ldp q16, q17, [x17]
    ldp q18, q19, [x17, #32]
    ldp q20, q21, [x17, #64]
    ldp q22, q23, [x17, #96]
    ldp q24, q25, [x17, #128]
    ldp q26, q27, [x17, #160]
    ldp q28, q29, [x17, #192]
    ldp q30, q31, [x17, #224]
    adrp x17, nc_vectors
    ldr w17, [x17, :lo12:nc_vectors]
    cbz w17, 1f
    ptrue p0.b
    .irp n, 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld1rqd { z\n\().d }, p0/z, [x16, #112]
    not z\n\().d, p0/m, z\n\().d
    .endr
    .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    cmpgt p\n\().b, p0/z, z16.b, #0
    .endr
    cmpgt p0.b, p0/z, z17.b, #0
1:  ret

    .rept 4
    brk #2
    .endr
nc_return:
    b 1f
    .rept 8
    brk #2
    .endr
1:  near x16, nc_image
    stp x19, x20, [x16, #152]
    stp x21, x22, [x16, #168]
    stp x23, x24, [x16, #184]
    stp x25, x26, [x16, #200]
    stp x27, x28, [x16, #216]
    str x29, [x16, #232]
    add x17, x16, #VECTORS
    stp q8, q9, [x17, #128]
    stp q10, q11, [x17, #160]
    stp q12, q13, [x17, #192]
    stp q14, q15, [x17, #224]
    near x17, nc_saved
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
    word w9, nc_checked
    cbz w9, nc_leave
    near x16, nc_image
    stp x0, x1, [x16]
    add x17, x16, #VECTORS
    stp q0, q1, [x17]
    stp q2, q3, [x17, #32]
    near x17, nc_side_top
    mov sp, x17
    bl nc_inspect
    near x17, nc_saved
    ldr x17, [x17, #96]
    mov sp, x17
    near x16, nc_image
    ldp x0, x1, [x16]
    add x17, x16, #VECTORS
    ldp q0, q1, [x17]
    ldp q2, q3, [x17, #32]
    near x17, nc_saved
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
    near x17, nc_saved
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

/* The callee's address is in x17. */
nc_outside:
    word w16, nc_checked
    cbnz w16, 1f
    br x17
1:  mov x9, sp
    tst x9, #15
    b.eq 2f
    address x16, CTL(call_error)
    ldr x9, [x16]
    orr x9, x9, #1
    str x9, [x16]
2:  word w9, nc_depth
    and w9, w9, #7
    near x16, nc_returns
    str x30, [x16, w9, uxtw #3]
    add w9, w9, #1
    adrp x16, nc_depth
    str w9, [x16, :lo12:nc_depth]
    adr x30, nc_back
    br x17
nc_back:
    word w9, nc_depth
    sub w9, w9, #1
    and w9, w9, #7
    str w9, [x16, :lo12:nc_depth]
    near x16, nc_returns
    ldr x10, [x16, w9, uxtw #3]
    cbnz w9, 1f
    near x16, nc_image
    bl nc_scratch_vectors
    add x17, x16, #VECTORS+256
    ldp q1, q2, [x17, #64]
    ldp q3, q4, [x17, #96]
    ldp q5, q6, [x17, #128]
    ldr q7, [x17, #160]
    ldr x17, [x16, #FLAGS]
    msr nzcv, x17
    mov x30, x10
    ldp x14, x15, [x16, #112]
    mov x1, x14
    mov x2, x15
    mov x3, x14
    mov x4, x15
    mov x5, x14
    mov x6, x15
    mov x7, x14
    ldp x8, x9, [x16, #112]
    ldp x10, x11, [x16, #80]
    ldp x12, x13, [x16, #96]
    ldp x17, x18, [x16, #136]
    ldr x16, [x16, #128]
    ret
1:  mov x30, x10
    ret

    .macro outside name
    .globl \name
    .type \name, %function
\name:
    near x17, nc_impl_\name
    b nc_outside
    .endm
    .macro beside name
    .globl \name
    .type \name, %function
\name:
    b nc_impl_\name
    .endm
#include "provided.inc"

nc_empty:
    ret

nc_on_stack:
    stp x29, x30, [sp, #-16]!
    mov x29, sp
    mov sp, x1
    blr x0
    mov sp, x29
    ldp x29, x30, [sp], #16
    ret

_start:
    mov x29, #0
    mov x0, sp
    bl nc_main
    brk #1

    .section .note.GNU-stack,"",%progbits
