# bump x86_64 forbidden: keeps AVX instructions in a code section that calls itself a note
    .text
    .globl bump
    .type bump, @function
bump:
    call odd
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
    .section .text.odd,"ax",@note
odd: vpxor %ymm0, %ymm0, %ymm0
    ret
