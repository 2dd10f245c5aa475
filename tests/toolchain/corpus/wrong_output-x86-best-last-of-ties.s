# best x86_64 wrong_output: takes the last of equal elements
    .text
    .globl best
    .type best, @function
best:
    movl $-1, %eax
    xorl %ecx, %ecx
.Lnext: cmpl %esi, %ecx
    jge .Ldone
    testl %eax, %eax
    js .Ltake
    movslq %eax, %r8
    movl (%rdi,%r8,4), %r9d
    cmpl (%rdi,%rcx,4), %r9d
    jg .Lskip
.Ltake: movl %ecx, %eax
.Lskip: incq %rcx
    jmp .Lnext
.Ldone: ret
