# tell x86_64 correct: says of a variadic call that all eight vector registers may be used
    .text
    .globl tell
    .type tell, @function
tell:
    pushq %rbx
    movl %edi, %ebx
    movl %edi, %esi
    movl $.Lformat, %edi
    movl $8, %eax
    call trace
    addl %ebx, %eax
    popq %rbx
    ret
    .section .rodata
.Lformat: .asciz "%d %f"
