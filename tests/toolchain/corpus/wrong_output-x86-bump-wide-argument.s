# bump x86_64 wrong_output: takes the upper half of an int argument to be its sign
    .text
    .globl bump
    .type bump, @function
bump:
    sarq $32, %rdi
    negl %edi
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    subl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
