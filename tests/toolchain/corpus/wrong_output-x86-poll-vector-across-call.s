# poll x86_64 wrong_output: keeps a value in xmm9 across calls
    .text
    .globl poll
    .type poll, @function
poll:
    pushq %rbx
    movd %edi, %xmm9
    xorl %ebx, %ebx
.Lnext: movl v(,%rbx,4), %edi
    call ask
    movd %xmm9, %ecx
    addl %ecx, %eax
    addl %eax, v(,%rbx,4)
    incq %rbx
    cmpq $16, %rbx
    jne .Lnext
    popq %rbx
    ret
