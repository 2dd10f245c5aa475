# bump x86_64 wrong_output: expects eax to be 0 on entry
    .text
    .globl bump
    .type bump, @function
bump:
    
    andl $63, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
