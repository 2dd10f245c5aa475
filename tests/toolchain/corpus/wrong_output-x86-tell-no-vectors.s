# tell x86_64 wrong_output: says of a variadic call that no vector register is used, though one is
    .text
    .globl tell
    .type tell, @function
tell:
    pushq %rbx
    movl %edi, %ebx
    movl %edi, %esi
    movl $.Lformat, %edi
    xorl %eax, %eax
    call trace
    addl %ebx, %eax
    popq %rbx
    ret
    .section .rodata
.Lformat: .asciz "%d %f"
