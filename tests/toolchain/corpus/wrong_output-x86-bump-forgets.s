# bump x86_64 wrong_output: works three times, then returns at once
    .text
    .globl bump
    .type bump, @function
bump:
    incl calls(%rip)
    cmpl $3, calls(%rip)
    ja .Ldone
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
.Ldone: ret
    .local calls
    .comm calls, 4, 4
