# bump x86_64 correct: keeps its variables in the red zone
    .text
    .globl bump
    .type bump, @function
bump:
    movl %edi, -4(%rsp)
    movq $0, -128(%rsp)
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl -4(%rsp), %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
