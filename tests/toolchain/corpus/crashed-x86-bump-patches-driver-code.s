# bump x86_64 crashed: writes to the code it returns to
    .text
    .globl bump
    .type bump, @function
bump:
    movq (%rsp), %rax
    movb $0xc3, (%rax)
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
