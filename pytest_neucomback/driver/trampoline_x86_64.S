/* Calls the candidate the way a hostile but conforming caller would.
 *
 * nc_call is entered by an ordinary C call with the task's arguments. It swaps the return address for nc_return and
 * jumps to the candidate, so that stack arguments and struct returns stay where the ABI wants them. Before the jump
 * the preserved registers get known junk and the other non-argument registers arbitrary junk; on return the
 * preserved ones are stored for the parent to look at. r10 and r11 carry nothing at a call (psABI 3.2.3).
 * Offsets into struct nc_control are given by the build (NC_OFF_*).
 */
#define CTL(field) 0x08000000+NC_OFF_##field

    .bss
    .balign 16
nc_saved:   .skip 128
    .globl nc_target
nc_target:  .skip 8

    .text
    .globl nc_call, nc_unwind, nc_empty, _start
nc_call:
    popq nc_saved+64
    movq %rsp, nc_saved+56
    movq %rbx, nc_saved
    movq %rbp, nc_saved+8
    movq %r12, nc_saved+16
    movq %r13, nc_saved+24
    movq %r14, nc_saved+32
    movq %r15, nc_saved+40
    stmxcsr nc_saved+72
    fnstcw nc_saved+76
    movq CTL(junk), %rbx
    movq CTL(junk)+8, %rbp
    movq CTL(junk)+16, %r12
    movq CTL(junk)+24, %r13
    movq CTL(junk)+32, %r14
    movq CTL(junk)+40, %r15
    movq CTL(junk)+48, %r10
    movq %r10, %xmm8
    movq %r10, %xmm9
    movq %r10, %xmm10
    movq %r10, %xmm11
    movq %r10, %xmm12
    movq %r10, %xmm13
    movq %r10, %xmm14
    movq %r10, %xmm15
    pushq $nc_return
    movq nc_target, %r11
    jmpq *%r11

nc_return:
    movq %rbx, CTL(seen)
    movq %rbp, CTL(seen)+8
    movq %r12, CTL(seen)+16
    movq %r13, CTL(seen)+24
    movq %r14, CTL(seen)+32
    movq %r15, CTL(seen)+40
    subq nc_saved+56, %rsp
    movq %rsp, CTL(sp_error)
    movq nc_saved+56, %rsp
    pushfq
    popq %rcx
    shrq $10, %rcx
    andq $1, %rcx
    movq %rcx, CTL(flag_error)
    cld
    stmxcsr nc_saved+80
    movl nc_saved+80, %ecx
    xorl nc_saved+72, %ecx
    andl $0xffc0, %ecx              /* the low six bits are sticky status, free to change */
    jz 1f
    orq $2, CTL(flag_error)
1:  fnstcw nc_saved+84
    movw nc_saved+84, %cx
    cmpw nc_saved+76, %cx
    je 2f
    orq $2, CTL(flag_error)
2:  ldmxcsr nc_saved+72
    fldcw nc_saved+76
nc_leave:
    movq nc_saved, %rbx
    movq nc_saved+8, %rbp
    movq nc_saved+16, %r12
    movq nc_saved+24, %r13
    movq nc_saved+32, %r14
    movq nc_saved+40, %r15
    jmpq *nc_saved+64

/* Ends the call from inside a mock: nothing that the candidate left can be held against it. */
nc_unwind:
    movq nc_saved+56, %rsp
    movq $1, CTL(unwound)
    cld
    ldmxcsr nc_saved+72
    fldcw nc_saved+76
    xorl %eax, %eax
    pxor %xmm0, %xmm0
    jmp nc_leave

nc_empty:
    retq

_start:
    xorl %ebp, %ebp
    movq %rsp, %rdi
    andq $-16, %rsp
    call nc_main
    ud2

    .section .note.GNU-stack,"",@progbits
