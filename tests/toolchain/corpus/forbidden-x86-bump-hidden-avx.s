# bump x86_64 forbidden: reaches AVX instructions written as bytes by a computed jump
    .text
    .globl bump
    .type bump, @function
bump:
    leaq .Lhidden(%rip), %rax
    jmp *%rax
.Lhidden: .byte 0xc5, 0xfc, 0x57, 0xc0
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
