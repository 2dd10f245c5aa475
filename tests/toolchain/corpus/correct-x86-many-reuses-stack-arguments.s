# many x86_64 correct: uses the memory of its stack arguments as scratch, returns by a jump
    .text
    .globl many
    .type many, @function
many:
    leaq (%rdi,%rsi,2), %rax
    leaq (%rdx,%rdx,2), %rdx
    addq %rdx, %rax
    leaq (%rax,%rcx,4), %rax
    leaq (%r8,%r8,4), %r8
    addq %r8, %rax
    imulq $6, %r9, %r9
    addq %r9, %rax
    imulq $7, 8(%rsp), %rcx
    movq %rcx, 8(%rsp)
    shlq $3, 16(%rsp)
    imulq $9, 24(%rsp), %rcx
    movq %rcx, 24(%rsp)
    imulq $10, 32(%rsp), %rcx
    movq %rcx, 32(%rsp)
    addq 8(%rsp), %rax
    addq 16(%rsp), %rax
    addq 24(%rsp), %rax
    addq 32(%rsp), %rax
    movq $0, 32(%rsp)
    popq %rcx
    jmp *%rcx
