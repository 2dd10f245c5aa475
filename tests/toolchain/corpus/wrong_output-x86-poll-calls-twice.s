# poll x86_64 wrong_output: asks twice and uses the second answer
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
    movl v(,%rbx,4), %edi
    call ask
    addl %ebp, %eax
    addl %eax, v(,%rbx,4)
    incq %rbx
    cmpq $16, %rbx
    jne .Lnext
    addq $8, %rsp
    popq %rbp
    popq %rbx
    ret
