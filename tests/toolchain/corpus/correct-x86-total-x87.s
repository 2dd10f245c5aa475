# total x86_64 correct: rounds to float after every x87 addition, the stack empty at the end
    .text
    .globl total
    .type total, @function
total:
    movl $0, -4(%rsp)
    xorl %eax, %eax
.Lnext: flds -4(%rsp)
    fadds x(,%rax,4)
    fstps -4(%rsp)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    movss -4(%rsp), %xmm0
    ret
