# fill x86_64 correct: string instructions, backwards and forwards
    .text
    .globl fill
    .type fill, @function
fill:
    std
    movl $b+124, %esi
    movl $a+124, %edi
    movl $32, %ecx
    rep movsl
    cld
    movl $a+128, %edi
    xorl %eax, %eax
    movl $32, %ecx
    rep stosl
    ret
