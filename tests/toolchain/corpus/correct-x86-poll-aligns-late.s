# poll x86_64 correct: an odd stack pointer, aligned just before each call
    .text
    .globl poll
    .type poll, @function
poll:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    movl %edi, %ebp
    xorl %ebx, %ebx
.Lnext: movl v(,%rbx,4), %edi
    movq %rsp, %r12
    andq $-64, %rsp
    call ask
    movq %r12, %rsp
    addl %ebp, %eax
    addl %eax, v(,%rbx,4)
    incq %rbx
    cmpq $16, %rbx
    jne .Lnext
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
