# bump x86_64 forbidden: installs a handler for SIGSEGV to survive its own faults
    .text
    .globl bump
    .type bump, @function
bump:
    movl %edi, saved(%rip)
    movq $11, %rdi
    movq $action, %rsi
    movq $0, %rdx
    movq $8, %r10
    movl $13, %eax
    syscall
    movl saved(%rip), %edi
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
    .local saved
    .comm saved, 4, 4
    .data
    .balign 8
action: .quad bump, 0x04000000, bump, 0
