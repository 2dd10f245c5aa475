# bump x86_64 correct: jumps to a local function in a section of its own
    .text
    .globl bump
    .type bump, @function
bump:
    jmp inner
    .section .text.part,"ax",@progbits
inner: xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    ret
