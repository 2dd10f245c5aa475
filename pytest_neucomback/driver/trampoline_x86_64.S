/* Calls the candidate the way a hostile but conforming caller would.
 *
 * nc_call is entered by an ordinary C call with the task's arguments. It swaps the return address for nc_return and
 * jumps to the candidate, so that stack arguments and struct returns stay where the ABI wants them. In a checked call
 * the argument registers go into nc_image, nc_prepare (driver.c) puts junk into everything else there, and all
 * registers are loaded from it; on return they are stored there again and nc_inspect looks at them. A timed call
 * skips both and gives junk to a few registers only. Offsets into struct nc_control and struct nc_image are given by
 * the build (NC_OFF_*) and by arch_x86_64.h.
 */
#define CTL(field) 0x08000000+NC_OFF_##field
#define GPR(n) nc_image+8*n
#define FLAGS nc_image+128
#define VEC(n) nc_image+192+64*n
#define MASK(n) nc_image+192+2048+8*n

    .bss
    .balign 64
nc_saved:   .skip 128
nc_al:      .skip 8
    .globl nc_target, nc_image, nc_checked, nc_depth, nc_al
nc_target:  .skip 8
nc_checked: .skip 4
nc_depth:   .skip 4
nc_returns: .skip 64
    .balign 64
nc_image:   .skip 192+2048+64
    .skip 4096
nc_side_top:

    .text
    .globl nc_call, nc_unwind, nc_empty, nc_on_stack, nc_outside, _start

/* Registers 1 to 15 (0 may hold a result) and all beyond them; \from is the first. */
    .macro vectors from
    cmpl $1, nc_vectors
    jl 91f
    je 92f
    .irp n, 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    vmovups VEC(\n), %zmm\n
    .endr
    .irp n, 1,2,3,4,5,6,7
    kmovw MASK(\n), %k\n
    .endr
    .if \from == 0
    vmovups VEC(0), %zmm0
    .endif
    .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vmovups VEC(\n), %zmm\n
    .endr
    jmp 93f
92: .if \from == 0
    vmovups VEC(0), %ymm0
    .endif
    .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vmovups VEC(\n), %ymm\n
    .endr
    jmp 93f
91: .if \from == 0
    movups VEC(0), %xmm0
    .endif
    .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movups VEC(\n), %xmm\n
    .endr
93:
    .endm

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
    cmpl $0, nc_checked
    je 1f
    movq %rcx, GPR(1)
    movq %rdx, GPR(2)
    movq %rsi, GPR(5)
    movq %rdi, GPR(6)
    movq %r8, GPR(7)
    movq %r9, GPR(8)
    .irp n, 0,1,2,3,4,5,6,7
    movups %xmm\n, VEC(\n)
    .endr
    movq %rsp, %rdi
    movq $nc_side_top, %rsp         /* what it leaves behind is no junk */
    call nc_prepare
    movq nc_saved+56, %rsp
    vectors 0
    pushq FLAGS
    popfq
    movq GPR(0), %rax
    movq GPR(1), %rcx
    movq GPR(2), %rdx
    movq GPR(3), %rbx
    movq GPR(4), %rbp
    movq GPR(5), %rsi
    movq GPR(6), %rdi
    movq GPR(7), %r8
    movq GPR(8), %r9
    movq GPR(9), %r10
    movq GPR(10), %r11
    movq GPR(11), %r12
    movq GPR(12), %r13
    movq GPR(13), %r14
    movq GPR(14), %r15
    pushq $nc_return
    jmpq *nc_target

1:  movq CTL(junk), %rbx
    movq CTL(junk)+8, %rbp
    movq CTL(junk)+16, %r12
    movq CTL(junk)+24, %r13
    movq CTL(junk)+32, %r14
    movq CTL(junk)+40, %r15
    pushq $nc_return
    jmpq *nc_target

/* Whoever returns a few bytes beside the return address traps: the distance, and with it the first byte behind the
 * opcode, is that of int3. */
    .skip 16, 0xcc
nc_return:
    .byte 0xe9
    .4byte 0xcc
    .skip 0xcc, 0xcc
    movq %rbx, GPR(3)
    movq %rbp, GPR(4)
    movq %r12, GPR(11)
    movq %r13, GPR(12)
    movq %r14, GPR(13)
    movq %r15, GPR(14)
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
    cmpl $0, nc_vectors
    je 3f
    vmovups %xmm0, VEC(0)
    vmovups %xmm1, VEC(1)
    vzeroupper
    vmovups VEC(0), %xmm0
    vmovups VEC(1), %xmm1
3:  cmpl $0, nc_checked
    je nc_leave
    cmpl $0, nc_x87_result
    jne 4f
    fnstenv nc_saved+88
    cmpw $-1, nc_saved+96           /* the tag word: all ones when the stack is empty */
    je 5f
    orq $4, CTL(flag_error)
    fninit
5:  fldcw nc_saved+76               /* fnstenv has masked all exceptions */
4:  movq %rax, GPR(0)
    movq %rdx, GPR(2)
    movups %xmm0, VEC(0)
    movups %xmm1, VEC(1)
    movq $nc_side_top, %rsp
    call nc_inspect
    movq nc_saved+56, %rsp
    movq GPR(0), %rax
    movq GPR(2), %rdx
    movups VEC(0), %xmm0
    movups VEC(1), %xmm1
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
    fninit
    ldmxcsr nc_saved+72
    fldcw nc_saved+76
    cmpl $0, nc_vectors
    je 1f
    vzeroupper
1:  xorl %eax, %eax
    pxor %xmm0, %xmm0
    jmp nc_leave

/* Every call out of the candidate comes through here, the callee's address in r11. The stack is looked at before it,
 * and whatever a callee may change is changed after it. */
nc_outside:
    cmpl $0, nc_checked
    jne 1f
    jmpq *%r11
1:  movl %eax, nc_al                /* how many vector registers a variadic call uses */
    movl %esp, %eax
    andl $15, %eax
    cmpl $8, %eax
    je 2f
    orq $1, CTL(call_error)
2:  pushfq
    popq %rax
    testl $0x400, %eax
    jz 3f
    orq $2, CTL(call_error)
    cld
3:  movl nc_depth, %eax
    andl $7, %eax
    popq nc_returns(,%rax,8)
    incl %eax
    movl %eax, nc_depth
    movl nc_al, %eax
    pushq $nc_back
    jmpq *%r11
nc_back:
    movl nc_depth, %ecx
    decl %ecx
    andl $7, %ecx
    movl %ecx, nc_depth
    pushq nc_returns(,%rcx,8)
    cmpl $0, nc_depth
    jne 1f                          /* called by a mock and not by the candidate */
    vectors 1
    movq GPR(1), %rcx
    movq GPR(10), %rdx
    movq GPR(9), %rsi
    movq GPR(1), %rdi
    movq GPR(10), %r8
    movq GPR(9), %r9
    movq GPR(10), %r10
    movq GPR(9), %r11
    pushq FLAGS
    popfq
1:  retq

    .macro outside name
    .globl \name
    .type \name, @function
\name:
    movq $nc_impl_\name, %r11
    jmp nc_outside
    .endm
    .macro beside name
    .globl \name
    .type \name, @function
\name:
    jmp nc_impl_\name
    .endm
#include "provided.inc"

nc_empty:
    retq

/* nc_on_stack(function, top): calls function() on another stack. */
nc_on_stack:
    pushq %rbx
    movq %rsp, %rbx
    movq %rsi, %rsp
    callq *%rdi
    movq %rbx, %rsp
    popq %rbx
    retq

_start:
    xorl %ebp, %ebp
    movq %rsp, %rdi
    andq $-16, %rsp
    call nc_main
    ud2

    .section .note.GNU-stack,"",@progbits
