# bump x86_64 march=x86-64-v3 forbidden: uses AVX-512 at x86-64-v3
    .text
    .globl bump
    .type bump, @function
bump:
    vpxord %zmm16, %zmm16, %zmm16
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
