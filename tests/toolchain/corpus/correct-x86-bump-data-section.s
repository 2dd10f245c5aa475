# bump x86_64 correct: constants in .rodata, scratch in .bss, a variable in .data
    .text
    .globl bump
    .type bump, @function
bump:
    movl %edi, scratch(%rip)
    movl one(%rip), %edx
    addl %edx, counter(%rip)
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl scratch(%rip), %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
    .section .rodata
one: .long 1
    .data
counter: .long 5
    .bss
scratch: .zero 64
