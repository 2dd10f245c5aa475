# bump x86_64 forbidden: writes an AVX instruction as bytes
    .text
    .globl bump
    .type bump, @function
bump:
    .byte 0xc5, 0xfc, 0x57, 0xc0
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
