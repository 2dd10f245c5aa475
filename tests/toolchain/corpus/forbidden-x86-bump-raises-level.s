# bump x86_64 forbidden: asks the assembler for more with .arch
    .text
    .globl bump
    .type bump, @function
bump:
    .arch haswell
    vpxor %ymm0, %ymm0, %ymm0
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
