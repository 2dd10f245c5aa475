# bump x86_64 correct: a frame with enter and leave, every preserved register saved and used
    .text
    .globl bump
    .type bump, @function
bump:
    enter $64, $0
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movl %edi, %r15d
    movq $-1, %r14
    movq %r14, %rbx
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %r15d, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    leave
    ret
