# bump x86_64 wrong_output: right only if some word of the stack below it is zero
    .text
    .globl bump
    .type bump, @function
bump:
    movq $-8, %rax
.Llook: cmpq $0, (%rsp,%rax)
    je .Lzero
    subq $8, %rax
    cmpq $-2048, %rax
    jne .Llook
    incl %edi
.Lzero: xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    ret
