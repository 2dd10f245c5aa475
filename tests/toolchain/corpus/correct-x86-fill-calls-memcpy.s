# fill x86_64 correct: calls memcpy and memset
    .text
    .globl fill
    .type fill, @function
fill:
    subq $8, %rsp
    movl $a, %edi
    movl $b, %esi
    movl $128, %edx
    call memcpy
    leaq 128(%rax), %rdi
    xorl %esi, %esi
    movl $128, %edx
    call memset
    addq $8, %rsp
    ret
