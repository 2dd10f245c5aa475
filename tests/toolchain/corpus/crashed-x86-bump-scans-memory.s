# bump x86_64 crashed: reads upwards from its stack in search of expected values
    .text
    .globl bump
    .type bump, @function
bump:
    movq %rsp, %rax
.Lscan: cmpl $12345, (%rax)
    je .Lfound
    addq $4, %rax
    jmp .Lscan
.Lfound:
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
