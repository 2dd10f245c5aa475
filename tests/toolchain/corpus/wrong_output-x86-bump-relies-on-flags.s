# bump x86_64 wrong_output: expects the carry flag to be clear
    .text
    .globl bump
    .type bump, @function
bump:
    adcl $0, %edi
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
