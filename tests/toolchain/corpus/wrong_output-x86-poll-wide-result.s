# poll x86_64 wrong_output: takes the upper half of an int that a call returned for zero
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
    call ask
    movl %eax, %ecx
    cmpq %rcx, %rax
    jne .Lskip
    addl %ebp, %eax
    addl %eax, v(,%rbx,4)
.Lskip: incq %rbx
    cmpq $16, %rbx
    jne .Lnext
    addq $8, %rsp
    popq %rbp
    popq %rbx
    ret
