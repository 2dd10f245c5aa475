# fill x86_64 wrong_output: expects r8 to survive a call to memset
    .text
    .globl fill
    .type fill, @function
fill:
    movl $7, %r8d
    movl $a+128, %edi
    xorl %esi, %esi
    movl $128, %edx
    subq $8, %rsp
    call memset
    addq $8, %rsp
    subl $7, %r8d
    movslq %r8d, %rax
.Lnext: cmpl $32, %eax
    jae .Ldone
    movl b(,%rax,4), %ecx
    movl %ecx, a(,%rax,4)
    incq %rax
    jmp .Lnext
.Ldone: ret
