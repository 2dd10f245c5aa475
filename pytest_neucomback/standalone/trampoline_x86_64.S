/* trampoline: entered by an ordinary C call with the task's arguments. It puts known junk into the registers that a
 * function has to preserve, swaps the return address and jumps to state.target, so that arguments on the stack stay
 * where they belong. On return it notes what the registers hold. r10 and r11 carry no argument. */
#define SEEN state+256
#define STACK_ERROR state+512
#define FLAGS state+520
#define SCRATCH state+528
#define TARGET state+536

    .bss
    .balign 16
saved:  .skip 96

    .text
    .globl trampoline
trampoline:
    popq saved+64
    movq %rsp, saved+56
    movq %rbx, saved
    movq %rbp, saved+8
    movq %r12, saved+16
    movq %r13, saved+24
    movq %r14, saved+32
    movq %r15, saved+40
    stmxcsr saved+72
    fnstcw saved+76
    movq state, %rbx
    movq state+8, %rbp
    movq state+16, %r12
    movq state+24, %r13
    movq state+32, %r14
    movq state+40, %r15
    movq SCRATCH, %r10
    movq %r10, %xmm8
    movq %r10, %xmm9
    movq %r10, %xmm10
    movq %r10, %xmm11
    movq %r10, %xmm12
    movq %r10, %xmm13
    movq %r10, %xmm14
    movq %r10, %xmm15
    pushq $1f
    movq TARGET, %r11
    jmpq *%r11
1:  movq %rbx, SEEN
    movq %rbp, SEEN+8
    movq %r12, SEEN+16
    movq %r13, SEEN+24
    movq %r14, SEEN+32
    movq %r15, SEEN+40
    subq saved+56, %rsp
    movq %rsp, STACK_ERROR
    movq saved+56, %rsp
    pushfq
    popq %rcx
    shrq $10, %rcx
    andq $1, %rcx
    movq %rcx, FLAGS
    cld
    stmxcsr saved+80
    movl saved+80, %ecx
    xorl saved+72, %ecx
    andl $0xffc0, %ecx
    jz 2f
    orq $2, FLAGS
2:  fnstcw saved+84
    movw saved+84, %cx
    cmpw saved+76, %cx
    je 3f
    orq $2, FLAGS
3:  ldmxcsr saved+72
    fldcw saved+76
    movq saved, %rbx
    movq saved+8, %rbp
    movq saved+16, %r12
    movq saved+24, %r13
    movq saved+32, %r14
    movq saved+40, %r15
    jmpq *saved+64

    .section .note.GNU-stack,"",@progbits
