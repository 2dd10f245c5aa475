# tell x86_64 abi_violation: leaves in %al of a variadic call what was there, and that is no number of vector registers
    .text
    .globl tell
    .type tell, @function
tell:
    pushq %rbx
    movl %edi, %ebx
    movl %edi, %esi
    movl $.Lformat, %edi
    movl $255, %eax
    call trace
    addl %ebx, %eax
    popq %rbx
    ret
    .section .rodata
.Lformat: .asciz "%d %f"
