# many x86_64 abi_violation: stores one word behind its stack arguments
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
    addq %rcx, %rax
    movq 16(%rsp), %rcx
    leaq (%rax,%rcx,8), %rax
    imulq $9, 24(%rsp), %rcx
    addq %rcx, %rax
    imulq $10, 32(%rsp), %rcx
    addq %rcx, %rax
    movq %rax, 40(%rsp)
    ret
