# poll x86_64 abi_violation: calls with the stack pointer 8 off
    .text
    .globl poll
    .type poll, @function
poll:
    pushq %rbx
    pushq %rbp
    subq $8, %rsp
    movl %edi, %ebp
    xorl %ebx, %ebx
.Lnext: movl v(,%rbx,4), %edi
    subq $8, %rsp
    call ask
    addq $8, %rsp
    addl %ebp, %eax
    addl %eax, v(,%rbx,4)
    incq %rbx
    cmpq $16, %rbx
    jne .Lnext
    addq $8, %rsp
    popq %rbp
    popq %rbx
    ret
