"""Proofs from value ranges and overwritten stores: small programs, with mutants that are and are not equivalent."""

from __future__ import annotations

import random

import pytest

from pytest_neucomback import ranges
from pytest_neucomback.mutants import Mutant
from pytest_neucomback.ranges import Analysis, GiveUpError, Val, constant, join, meet, same_in_every_state, val

WHOLE = (1 << 64) - 1


def proof(body: str, original: str, replaced: str, *, rax: int = WHOLE) -> str | None:
    """For one line of a function; lines are separated by semicolons here."""
    lines = [".globl f", "f:", *(part.strip() for part in body.split(";")), "ret"]
    line = lines.index(original) + 1
    return same_in_every_state("\n".join(lines) + "\n", Mutant("", line, original, replaced, ""), {"rax": rax})


BYTE = "movzbl (%rdi), %eax"
LOOP = "xorl %eax, %eax; .L:; movb $0, (%rdi,%rax); addq $4, %rax; cmpq $128, %rax; jne .L"
DOWN = "movl $16, %ecx; .L:; addl %ecx, %edx; leal -1(%rcx), %eax; cmpl $1, %ecx; movl %eax, %ecx; ja .L"


@pytest.mark.parametrize(
    ("body", "original", "replaced", "proven"),
    [
        # widths, where the upper half is zero and where it is not
        ("movl (%rdi), %eax; movq %rax, %rcx; movq %rcx, (%rdi)", "movq %rax, %rcx", "movl %eax, %ecx", True),
        ("movq (%rdi), %rax; movq %rax, %rcx; movq %rcx, (%rdi)", "movq %rax, %rcx", "movl %eax, %ecx", False),
        (f"{BYTE}; addq $9, %rax", "addq $9, %rax", "addl $9, %eax", True),
        ("movl (%rdi), %eax; addq $9, %rax", "addq $9, %rax", "addl $9, %eax", False),
        (f"{BYTE}; leaq -16(%rax), %rax", "leaq -16(%rax), %rax", "leal -16(%rax), %eax", False),
        (f"{BYTE}; leaq 16(%rax,%rax,2), %rax", "leaq 16(%rax,%rax,2), %rax", "leal 16(%rax,%rax,2), %eax", True),
        ("movzwl (%rdi), %eax; movslq %eax, %rax", "movslq %eax, %rax", "movl %eax, %eax", True),
        ("movl (%rdi), %eax; movslq %eax, %rax", "movslq %eax, %rax", "movl %eax, %eax", False),
        ("movl (%rdi), %eax; sarl $3, %eax", "sarl $3, %eax", "shrl $3, %eax", False),
        ("movzwl (%rdi), %eax; sarl $3, %eax", "sarl $3, %eax", "shrl $3, %eax", True),
        ("movl (%rdi), %eax; shrl $3, %eax; andl $15, %eax", "shrl $3, %eax", "sarl $3, %eax", True),
        ("movl (%rdi), %eax; shrl $29, %eax; andl $15, %eax", "shrl $29, %eax", "sarl $29, %eax", False),
        ("movl (%rdi), %eax; andl $15, %eax; movzbl %al, %eax", "movzbl %al, %eax", "", True),
        ("movl (%rdi), %eax; andl $-16, %eax; orl $3, %eax", "orl $3, %eax", "addl $3, %eax", True),
        ("movl (%rdi), %eax; andl $-2, %eax; orl $3, %eax", "orl $3, %eax", "addl $3, %eax", False),
        # a load may become narrower, never wider
        ("movl (%rdi), %eax; andl $15, %eax", "movl (%rdi), %eax", "movb (%rdi), %al", True),
        ("movl (%rdi), %eax; movl %eax, %eax", "movl (%rdi), %eax", "movq (%rdi), %rax", False),
        # a dead result, and one that only some path reads
        ("movl $3, %ecx; movl $4, %eax", "movl $3, %ecx", "", True),
        ("movl $3, %ecx; movl $4, %eax; testl %edi, %edi; je .L; addl %ecx, %eax; .L:", "movl $3, %ecx", "", False),
        ("movl $3, %r12d; xorl %eax, %eax", "movl $3, %r12d", "", False),
        ("xorl %eax, %eax; divl %esi; xorl %eax, %eax; xorl %edx, %edx", "divl %esi", "divl %ecx", False),
        ("xorl %edx, %edx; movzbl (%rdi), %eax; movzwl %si, %esi; divl %esi", "divl %esi", "idivl %esi", True),
        ("xorl %edx, %edx; movzbl (%rdi), %eax; divl %esi", "divl %esi", "idivl %esi", False),
        # conditions
        (f"{BYTE}; cmpl $9, %eax; jbe .L; incl %eax; .L:", "jbe .L", "jle .L", True),
        ("movl (%rdi), %eax; cmpl $9, %eax; jbe .L; incl %eax; .L:", "jbe .L", "jle .L", False),
        (f"{BYTE}; testl %eax, %eax; jne .L; incl %eax; .L:", "jne .L", "jg .L", True),
        (f"{BYTE}; cmpl $9, %eax; ja .L; cmpl $9, %eax; je .L; incl %eax; .L:", "je .L", "jae .L", True),
        (f"{BYTE}; cmpl $9, %eax; jbe .L; incl %eax; .L:", "jbe .L", "jb .L", False),
        (f"{BYTE}; cmpq $256, %rax; sete %al", "cmpq $256, %rax", "cmpl $256, %eax", True),
        ("movq (%rdi), %rax; cmpq $7, %rax; sete %al; movzbl %al, %eax", "cmpq $7, %rax", "cmpl $7, %eax", False),
        ("movl %edi, %eax; cmpl %esi, %eax; cmovgl %esi, %eax", "cmovgl %esi, %eax", "cmovgel %esi, %eax", True),
        ("movl %edi, %eax; cmpl %edx, %eax; cmovgl %esi, %eax", "cmovgl %esi, %eax", "cmovgel %esi, %eax", False),
        ("movl %edi, %eax; cmpl $9, %eax; movl $9, %ecx; cmovgl %ecx, %eax", "cmovgl %ecx, %eax", "cmovgel %ecx, %eax",
         True),
        ("cmpl $9, %edi; ja .L; cmpl $12, %edi; jb .L; movl $1, %eax; .L:", "movl $1, %eax", "movl $2, %eax", True),
        # the carry of a shift, and one that inc leaves alone
        ("movl $8, %eax; shrl $5, %eax; setb %al; movzbl %al, %eax", "shrl $5, %eax", "shrl $4, %eax", False),
        ("cmpl %esi, %edi; incl %edi; setb %al; movzbl %al, %eax", "incl %edi", "addl $1, %edi", False),
        ("cmpl %esi, %edi; incl %edi; sete %al; movzbl %al, %eax", "incl %edi", "addl $1, %edi", True),
        # loops
        (LOOP, "addq $4, %rax", "addl $4, %eax", True),
        (LOOP, "jne .L", "jb .L", True),
        (LOOP, "jne .L", "jle .L", False),
        (DOWN, "ja .L", "jg .L", True),
        (DOWN, "cmpl $1, %ecx", "cmpq $1, %rcx", True),
        (DOWN, "ja .L", "jae .L", False),
        # calls
        ("movl (%rdi), %ebx; callq g; movq %rbx, %rax", "movq %rbx, %rax", "movl %ebx, %eax", True),
        ("movl (%rdi), %ecx; callq g; movq %rcx, %rax", "movq %rcx, %rax", "movl %ecx, %eax", False),
        ("movl $1, %esi; callq g", "movl $1, %esi", "", False),
        # an instruction that nobody here knows
        (f"{BYTE}; cpuid; addq $9, %rax", "addq $9, %rax", "addl $9, %eax", False),
        ("movl $3, %ecx; cpuid; xorl %eax, %eax", "movl $3, %ecx", "", False),
    ],
)  # fmt: skip
def test_results_and_conditions(body: str, original: str, replaced: str, proven: bool) -> None:
    assert (proof(body, original, replaced) is not None) is proven


@pytest.mark.parametrize(
    ("body", "original", "replaced", "proven"),
    [
        ("movl %edi, U(%rip); movl %esi, U(%rip)", "movl %edi, U(%rip)", "", True),
        ("movl %edi, U(%rip); movw %si, U(%rip)", "movl %edi, U(%rip)", "", False),
        ("movl %edi, U(%rip); movw %si, U(%rip); movw %si, U+2(%rip)", "movl %edi, U(%rip)", "", True),
        ("movl %edi, U(%rip); movl U(%rip), %eax; movl %esi, U(%rip)", "movl %edi, U(%rip)", "", False),
        ("movl %edi, U(%rip); movl V(%rip), %eax; movl %esi, U(%rip)", "movl %edi, U(%rip)", "", True),
        ("movl %edi, U(%rip); movl U+4(%rip), %eax; movl %esi, U(%rip)", "movl %edi, U(%rip)", "", True),
        ("movl %edi, U(%rip); movl (%rdx), %eax; movl %esi, U(%rip)", "movl %edi, U(%rip)", "", False),
        ("movl %edi, U(%rip); callq g; movl %esi, U(%rip)", "movl %edi, U(%rip)", "", False),
        ("movl %edi, U(%rip); testl %esi, %esi; je .L; movl %esi, U(%rip); .L:", "movl %edi, U(%rip)", "", False),
        ("movb %dl, U(%rip); movl %esi, U(%rip)", "movb %dl, U(%rip)", "movw %dx, U(%rip)", True),
        ("movb %dl, U(%rip); movb %sil, U(%rip)", "movb %dl, U(%rip)", "movw %dx, U(%rip)", False),
        ("movb %dl, 4(%rdi); movb %sil, 4(%rdi)", "movb %dl, 4(%rdi)", "", True),
        ("movb %dl, 4(%rdi); incq %rdi; movb %sil, 4(%rdi)", "movb %dl, 4(%rdi)", "", False),
        ("movl %edx, U(%rip)", "movl %edx, U(%rip)", "", False),
        (".L:; movl %edx, U(%rip); decl %edx; jne .L; movl %esi, U(%rip)", "movl %edx, U(%rip)", "", True),
        (".L:; movl %edx, U(%rip); decl %edx; jne .L", "movl %edx, U(%rip)", "", False),
    ],
)
def test_overwritten_stores(body: str, original: str, replaced: str, proven: bool) -> None:
    assert (proof(body, original, replaced) is not None) is proven


def test_only_what_the_caller_looks_at_has_to_agree() -> None:
    body = ("movl %edi, %eax; addl %esi, %eax", "addl %esi, %eax", "addq %rsi, %rax")
    assert proof(*body, rax=0xFFFFFFFF)
    assert not proof(*body, rax=WHOLE)


def test_a_helper_is_entered_with_what_its_callers_pass() -> None:
    code = """\
    .globl f
f:
    movzbl (%rdi), %edi
    callq helper
    ret
helper:
    movq %rdi, %rax
    ret
"""
    mutant = Mutant("", 7, "movq %rdi, %rax", "movl %edi, %eax", "")
    assert same_in_every_state(code, mutant, {"rax": WHOLE})
    assert not same_in_every_state(code.replace(".globl f", ".globl f, helper"), mutant, {"rax": WHOLE})
    taken = code.replace("movzbl (%rdi), %edi", "movl $helper, %edi")
    assert not same_in_every_state(taken, mutant, {"rax": WHOLE})


def test_jump_tables_lead_to_every_label_in_data() -> None:
    code = """\
    .globl f
f:
    movzbl (%rdi), %eax
    cmpl $1, %eax
    ja .L2
    jmpq *.LT(,%rax,8)
.L1:
    addq $1, %rax
.L2:
    movl $5, %ecx
    ret
    .section .rodata
.LT:
    .quad .L1
    .quad .L2
"""
    assert same_in_every_state(code, Mutant("", 8, "addq $1, %rax", "addl $1, %eax", ""), {"rax": WHOLE})
    assert not same_in_every_state(code, Mutant("", 8, "addq $1, %rax", "", ""), {"rax": WHOLE})


@pytest.mark.parametrize(
    "code",
    ["jmp 1f", "movl $1, %eax; .set a, b", "jmp .Lnowhere", "callq g", "rep ret", "jcxz .L", "movl $1, %eax; .text"],
)
def test_code_that_is_not_understood(code: str) -> None:
    with pytest.raises(GiveUpError):
        Analysis("\n".join([".globl f", "f:", *(c.strip() for c in code.split(";"))]) + "\n")


# --- values ---------------------------------------------------------------------------------------------------------


def members(value: Val | None, width: int = 5) -> set[int]:
    """All integers in a value."""
    if value is None:
        return set()
    full = 1 << width
    signed = {n: n - full if n & full >> 1 else n for n in range(full)}
    return {
        n
        for n in range(full)
        if value.lo <= n <= value.hi
        and value.slo <= signed[n] <= value.shi
        and not n & value.zeros
        and n & value.ones == value.ones
    }


def random_value(rng: random.Random) -> Val:
    while True:
        low, high = sorted(rng.choices(range(32), k=2))
        slow, shigh = sorted(rng.choices(range(-16, 16), k=2))
        known, bits = rng.getrandbits(5) & rng.getrandbits(5), rng.getrandbits(5)
        parts = [{"lo": low, "hi": high}, {"slo": slow, "shi": shigh}, {"zeros": known & ~bits, "ones": known & bits}]
        chosen = {k: v for part in rng.sample(parts, rng.randrange(1, 4)) for k, v in part.items()}
        found = val(5, **chosen)
        if found and members(found):
            return found


def test_sharpening_loses_nothing() -> None:
    for low in range(0, 32, 3):
        for high in range(low, 32, 2):
            for zeros in range(0, 32, 5):
                for slo in range(-16, 16, 5):
                    raw = Val(low, high, slo, 15, zeros, 0)
                    assert members(val(5, *raw)) == members(raw)


@pytest.mark.parametrize(
    ("abstract", "concrete"),
    [
        (ranges.v_sum, lambda a, b: a + b),
        (ranges.v_difference, lambda a, b: a - b),
        (ranges.v_and, lambda a, b: a & b),
        (ranges.v_or, lambda a, b: a | b),
        (ranges.v_xor, lambda a, b: a ^ b),
        (ranges.v_product, lambda a, b: a * b),
    ],
)
def test_operations_on_values(abstract, concrete) -> None:  # type: ignore[no-untyped-def]
    rng = random.Random(1)
    for _ in range(1500):
        a, b = random_value(rng), random_value(rng)
        found = members(abstract(5, a, b))
        assert {concrete(x, y) & 31 for x in members(a) for y in members(b)} <= found, (a, b)


def test_shifts_extensions_and_lattice() -> None:
    rng = random.Random(2)
    for _ in range(1500):
        a, b, count = random_value(rng), random_value(rng), rng.randrange(5)
        assert {x << count & 31 for x in members(a)} <= members(ranges.v_shl(5, a, count))
        assert {x >> count for x in members(a)} <= members(ranges.v_shr(5, a, count))
        assert {(x - 32 if x & 16 else x) >> count & 31 for x in members(a)} <= members(ranges.v_sar(5, a, count))
        assert {x & 7 for x in members(a)} <= members(ranges.narrowed(a, 3), 3)
        assert members(a) | members(b) <= members(join(5, a, b))
        assert members(a) & members(b) <= members(meet(5, a, b))
        assert members(ranges.v_not(5, a)) == {~x & 31 for x in members(a)}
        low = ranges.narrowed(a, 3)
        assert {x & 7 for x in members(a)} <= members(ranges.zero_extended(low, 3, 5))
        signed = {(x & 7) - 8 if x & 4 else x & 7 for x in members(a)}
        assert {x & 31 for x in signed} <= members(ranges.sign_extended(low, 3, 5))
    assert constant(8, -1) == constant(8, 255)
