# bump x86_64 wrong_output: fills the memory shared with the judge and returns
    .text
    .globl bump
    .type bump, @function
bump:
    movl $0x08000000, %edi
    movl $4000, %ecx
    movq $-1, %rax
    rep stosq
    ret
