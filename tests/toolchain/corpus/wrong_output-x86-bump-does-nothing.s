# bump x86_64 wrong_output: returns at once
    .text
    .globl bump
    .type bump, @function
bump:
    ret
