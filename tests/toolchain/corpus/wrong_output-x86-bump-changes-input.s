# bump x86_64 wrong_output: uses the input array as scratch
    .text
    .globl bump
    .type bump, @function
bump:
    
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, b(,%rax,4)
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
