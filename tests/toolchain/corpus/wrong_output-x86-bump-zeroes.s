# bump x86_64 wrong_output: clears the outputs
    .text
    .globl bump
    .type bump, @function
bump:
    xorl %eax, %eax
.Lnext: movl $0, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    ret
