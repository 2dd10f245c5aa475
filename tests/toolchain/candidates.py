"""Hand-written candidates for one small task on every architecture, right but for what a test puts into them."""

from __future__ import annotations

import re
from typing import NamedTuple

BUMP_C = """\
#define N 64
extern int a[N], b[N];
void bump(int s)
{
    for (int i = 0; i < N; i++)
        a[i] = b[i] + s;
}
"""
BUMP_YAML = "observe: [a]\ninputs:\n  s: {values: [3, -5, 0]}\n"

_LOOPS = {
    "x86_64": """\
    .text
    .globl bump
    .type bump, @function
bump:
{before}
    xorl %eax, %eax
1:  movl b(,%rax,4), %ecx
    {add}
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq ${count}, %rax
    jne 1b
{after}
    ret
{extra}
""",
    "aarch64": """\
    .text
    .globl bump
    .type bump, %function
bump:
{before}
    adrp x1, a
    add x1, x1, :lo12:a
    adrp x2, b
    add x2, x2, :lo12:b
    mov x3, #0
1:  ldr w4, [x2, x3, lsl #2]
    {add}
    str w4, [x1, x3, lsl #2]
    add x3, x3, #1
    cmp x3, #{count}
    b.ne 1b
{after}
    ret
{extra}
""",
    "riscv64": """\
    .text
    .globl bump
    .type bump, @function
bump:
{before}
    la a1, a
    la a2, b
    li a3, {count}
1:  lw a4, 0(a2)
    {add}
    sw a4, 0(a1)
    addi a1, a1, 4
    addi a2, a2, 4
    addi a3, a3, -1
    bnez a3, 1b
{after}
    ret
{extra}
""",
}
_ADD = {"x86_64": "addl %edi, %ecx", "aarch64": "add w4, w4, w0", "riscv64": "addw a4, a4, a0"}


def candidate(
    arch: str, *, before: str = "", after: str = "", extra: str = "", count: int = 64, add: str | None = None
) -> str:
    """A right answer to ``bump``, with instructions before and after its loop and text behind the function."""
    add = _ADD[arch] if add is None else add
    return _LOOPS[arch].format(before=before, after=after, extra=extra, count=count, add=add)


class Snippets(NamedTuple):
    """Instructions of one architecture, to be put into ``candidate``."""

    zero_outputs: str
    """A whole body that stores 0 to every element of a."""
    store_a: str
    """Stores the int 12345 to a + {0} bytes."""
    read_null: str
    illegal: str
    clobber: tuple[str, str]
    """Changes a preserved integer register, and its name."""
    clobber_float: tuple[str, str]
    """Changes a preserved floating-point register or the rounding mode, and what the verdict names."""
    shift_stack: str
    """Returns from the function with the stack pointer 16 too low."""
    endless: str
    call: str
    """Calls the symbol {0}."""
    system_call: str
    """System call number {0} with the arguments {1}, {2}, {3}, {4}; the result stays in the result register."""
    exit_if_allowed: str
    """Ends the process with status 77 when the last system call's result is not an error."""
    nop: str


SNIPPETS = {
    "x86_64": Snippets(
        zero_outputs=(
            "    xorl %eax, %eax\n2:  movl $0, a(,%rax,4)\n    incq %rax\n    cmpq $64, %rax\n    jne 2b\n    ret"
        ),
        store_a="    movl $12345, a+({0})",
        read_null="    xorl %eax, %eax\n    movl (%rax), %eax",
        illegal="    ud2",
        clobber=("    movl $1, %ebx", "%rbx"),
        clobber_float=(
            "    subq $8, %rsp\n    stmxcsr (%rsp)\n    orl $0x6000, (%rsp)\n    ldmxcsr (%rsp)\n    addq $8, %rsp",
            "rounding",
        ),
        shift_stack="    popq %rcx\n    subq $16, %rsp\n    jmpq *%rcx",
        endless="3:  jmp 3b",
        call="    call {0}",
        system_call=(
            "    pushq %rdi\n    movl ${0}, %eax\n    movq ${1}, %rdi\n    movq ${2}, %rsi\n    movq ${3}, %rdx\n"
            "    movq ${4}, %r10\n    xorl %r8d, %r8d\n    xorl %r9d, %r9d\n    syscall\n    popq %rdi"
        ),
        exit_if_allowed=("    testq %rax, %rax\n    js 4f\n    movl $231, %eax\n    movl $77, %edi\n    syscall\n4:"),
        nop="nop",
    ),
    "aarch64": Snippets(
        zero_outputs=(
            "    adrp x1, a\n    add x1, x1, :lo12:a\n    mov x3, #64\n2:  str wzr, [x1], #4\n    subs x3, x3, #1\n"
            "    b.ne 2b\n    ret"
        ),
        store_a="    adrp x1, a+({0})\n    add x1, x1, :lo12:a+({0})\n    mov w2, #12345\n    str w2, [x1]",
        read_null="    mov x1, #0\n    ldr w1, [x1]",
        illegal="    .inst 0x00000000",
        clobber=("    mov x19, #1", "x19"),
        clobber_float=("    fmov d8, #1.0", "d8"),
        shift_stack="    sub sp, sp, #16\n    ret",
        endless="3:  b 3b",
        call="    str x30, [sp, #-16]!\n    bl {0}\n    ldr x30, [sp], #16",
        system_call=(
            "    mov x9, x0\n    mov x8, #{0}\n    ldr x0, ={1}\n    ldr x1, ={2}\n    ldr x2, ={3}\n    ldr x3, ={4}\n"
            "    mov x4, #0\n    mov x5, #0\n    svc #0\n    mov x10, x0\n    mov x0, x9"
        ),
        exit_if_allowed="    tbnz x10, #63, 4f\n    mov x8, #94\n    mov x0, #77\n    svc #0\n4:",
        nop="nop",
    ),
    "riscv64": Snippets(
        zero_outputs=(
            "    la a1, a\n    li a3, 64\n2:  sw zero, 0(a1)\n"
            "    addi a1, a1, 4\n    addi a3, a3, -1\n    bnez a3, 2b\n    ret"
        ),
        store_a="    la a1, a+({0})\n    li a2, 12345\n    sw a2, 0(a1)",
        read_null="    li a1, 0\n    lw a1, 0(a1)",
        illegal="    .4byte 0",
        clobber=("    li s1, 1", "s1"),
        clobber_float=("    fmv.d.x fs0, zero", "fs0"),
        shift_stack="    addi sp, sp, -16\n    ret",
        endless="3:  j 3b",
        call="    addi sp, sp, -16\n    sd ra, 8(sp)\n    call {0}\n    ld ra, 8(sp)\n    addi sp, sp, 16",
        system_call=(
            "    mv t1, a0\n    li a7, {0}\n    la a0, {1}\n"
            "    la a1, {2}\n    la a2, {3}\n    la a3, {4}\n    li a4, 0\n"
            "    li a5, 0\n    ecall\n    mv t2, a0\n    mv a0, t1"
        ),
        exit_if_allowed="    bltz t2, 4f\n    li a7, 94\n    li a0, 77\n    ecall\n4:",
        nop="nop",
    ),
}
NUMBERS = {
    "x86_64": {
        "getpid": 39, "open": 257, "fork": 57, "clone": 56, "execve": 59, "socket": 41, "ptrace": 101, "kill": 62,
        "ftruncate": 77, "write": 1, "mmap": 9, "exit": 60, "exit_group": 231, "prctl": 157, "unlinkat": 263,
    },
}  # fmt: skip
_GENERIC = {
    "getpid": 172, "open": 56, "fork": 220, "clone": 220, "execve": 221, "socket": 198, "ptrace": 117, "kill": 129,
    "ftruncate": 46, "write": 64, "mmap": 222, "exit": 93, "exit_group": 94, "prctl": 167, "unlinkat": 35,
}  # fmt: skip
NUMBERS["aarch64"] = NUMBERS["riscv64"] = _GENERIC


def system_call(arch: str, name: str, *arguments: int | str) -> str:
    """Instructions that make a system call, arguments padded with 0; numbers or symbols."""
    padded = [*arguments, 0, 0, 0, 0][:4]
    text = SNIPPETS[arch].system_call.format(NUMBERS[arch][name], *padded)
    if arch != "riscv64":
        return text
    # there `la` loads the addresses of symbols and `li` loads numbers
    return re.sub(r"\bla (\w+), (-?\d+)$", r"li \1, \2", text, flags=re.MULTILINE)
