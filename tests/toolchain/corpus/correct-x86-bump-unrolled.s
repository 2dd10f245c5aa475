# bump x86_64 correct: the loop unrolled completely by the assembler
    .text
    .globl bump
    .type bump, @function
bump:
    .set i, 0
    .rept 64
    movl b+i(%rip), %eax
    addl %edi, %eax
    movl %eax, a+i(%rip)
    .set i, i+4
    .endr
    ret
