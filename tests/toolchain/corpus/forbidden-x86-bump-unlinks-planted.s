# bump x86_64 forbidden: deletes a file of the host
    .text
    .globl bump
    .type bump, @function
bump:
    movl %edi, saved(%rip)
    movq $path, %rdi
    movl $87, %eax
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
    .section .rodata
path: .string "/tmp/neucomback-planted"
