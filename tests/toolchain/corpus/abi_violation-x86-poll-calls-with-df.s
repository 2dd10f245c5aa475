# poll x86_64 abi_violation: calls with the direction flag set
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
    std
    call ask
    cld
    addl %ebp, %eax
    addl %eax, v(,%rbx,4)
    incq %rbx
    cmpq $16, %rbx
    jne .Lnext
    addq $8, %rsp
    popq %rbp
    popq %rbx
    ret
