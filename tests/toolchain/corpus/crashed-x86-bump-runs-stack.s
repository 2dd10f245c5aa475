# bump x86_64 crashed: jumps to code on the stack
    .text
    .globl bump
    .type bump, @function
bump:
    movb $0xc3, -64(%rsp)
    leaq -64(%rsp), %rax
    call *%rax
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
