# bump x86_64 timed_out: never returns
    .text
    .globl bump
    .type bump, @function
bump:
.Lself: jmp .Lself
    xorl %eax, %eax
.Lnext: movl b(,%rax,4), %ecx
    addl %edi, %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $64, %rax
    jne .Lnext
    
    ret
