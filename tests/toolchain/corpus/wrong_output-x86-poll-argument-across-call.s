# poll x86_64 wrong_output: expects rsi to be as it was after a call
    .text
    .globl poll
    .type poll, @function
poll:
    pushq %rbx
    movl %edi, %esi
    xorl %ebx, %ebx
.Lnext: movl v(,%rbx,4), %edi
    call ask
    addl %esi, %eax
    addl %eax, v(,%rbx,4)
    incq %rbx
    cmpq $16, %rbx
    jne .Lnext
    popq %rbx
    ret
