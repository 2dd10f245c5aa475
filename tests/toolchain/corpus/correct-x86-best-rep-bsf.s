# best x86_64 correct: tzcnt written as rep bsf, loop and xchg
    .text
    .globl best
    .type best, @function
best:
    movl $8, %eax
    rep bsfl %eax, %eax
    leal -4(%rax), %eax
    xchgl %esi, %ecx
    movl %ecx, %r10d
    testl %ecx, %ecx
    jle .Ldone
.Lnext: movl %r10d, %edx
    subl %ecx, %edx
    testl %eax, %eax
    js .Ltake
    movl (%rdi,%rdx,4), %r8d
    cmpl (%rdi,%rax,4), %r8d
    jle .Lskip
.Ltake: movl %edx, %eax
.Lskip: loop .Lnext
.Ldone: ret
