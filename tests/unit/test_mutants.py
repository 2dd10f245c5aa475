"""Mutants of assembly, drawn with a stand-in for the assembler: a line's text is its machine code."""

from __future__ import annotations

import pytest

from pytest_neucomback.mutants import KINDS, Mutant, draw_mutants, parse, proposals
from pytest_neucomback.proofs import dead_lanes
from pytest_neucomback.traces import same_in_every_call

X86 = """\
    .text
    .globl f
f:
    xorl %eax, %eax
.L1:
    movss b(%rax), %xmm1     # a comment, with a comma
    subss %xmm0, %xmm1
    movss %xmm1, a(,%rax,4)
    addq $4, %rax
    cmpq $128, %rax
    jl .L1
    retq
"""
A64 = """\
f:
    adrp x8, a
    add x8, x8, :lo12:a
.L1:
    ldr s1, [x8, #4]        // a comment
    fsub s1, s1, s0
    str s1, [x8], #4
    subs x9, x9, #1
    b.lt .L1
    ret
"""
RV = """\
f:
    lui a0, %hi(a)
    addi a0, a0, %lo(a)
.L1:
    flw fa5, 4(a0)
    fsub.s fa5, fa5, fa0
    fsw fa5, 0(a0)
    addi a1, a1, -1
    blt a1, a2, .L1
    ret
"""


def texts(assembly: str, arch: str, kind: str) -> set[str]:
    return {text for _, text, k in proposals(assembly, arch) if k == kind}


def test_parse_separates_operands_and_comments() -> None:
    instruction = parse("\tmovss a(,%rax,4), %xmm1   # xmm1 = mem[0],zero", "x86_64")
    assert instruction is not None
    assert (instruction.mnemonic, instruction.operands) == ("movss", ("a(,%rax,4)", "%xmm1"))
    assert parse(".L1:", "x86_64") is None
    assert parse("  .p2align 4, 0x90", "x86_64") is None


@pytest.mark.parametrize(
    ("arch", "assembly", "kind", "expected"),
    [
        ("x86_64", X86, "condition", {"jle .L1", "jge .L1", "jb .L1"}),
        ("x86_64", X86, "operator", {"addss %xmm0, %xmm1", "subq $4, %rax", "orl %eax, %eax"}),
        ("x86_64", X86, "immediate", {"addq $5, %rax", "addq $-4, %rax", "cmpq $127, %rax", "cmpq $256, %rax"}),
        ("x86_64", X86, "operand swap", {"subss %xmm1, %xmm0"}),
        ("x86_64", X86, "width", {"movsd b(%rax), %xmm1", "addl $4, %eax"}),
        ("x86_64", X86, "addressing", {"movss b+4(%rax), %xmm1", "movss %xmm1, a(,%rax,8)"}),
        ("x86_64", X86, "register", {"movss b(%rax), %xmm0"}),
        ("x86_64", X86, "lane", {"subps %xmm0, %xmm1"}),
        ("aarch64", A64, "condition", {"b.le .L1", "b.ge .L1", "b.lo .L1"}),
        ("aarch64", A64, "operand swap", {"fsub s1, s0, s1"}),
        ("aarch64", A64, "addressing", {"ldr s1, [x8, #8]", "add x8, x8, :lo12:a+4", "str s1, [x8], #8"}),
        ("aarch64", A64, "width", {"ldr d1, [x8, #4]"}),
        ("riscv64", RV, "condition", {"bge a1, a2, .L1", "bltu a1, a2, .L1"}),
        ("riscv64", RV, "addressing", {"flw fa5, 8(a0)", "addi a0, a0, %lo(a+4)"}),
        ("riscv64", RV, "operator", {"fadd.s fa5, fa5, fa0"}),
    ],
)
def test_rules(arch: str, assembly: str, kind: str, expected: set[str]) -> None:
    assert expected <= texts(assembly, arch, kind)


def test_each_architecture_has_deletions_and_keeps_returns() -> None:
    for arch, assembly in (("x86_64", X86), ("aarch64", A64), ("riscv64", RV)):
        deleted = {(n, k) for n, text, k in proposals(assembly, arch) if not text}
        lines = {assembly.splitlines()[n - 1].strip() for n, _ in deleted}
        assert {"deleted store", "deleted instruction"} == {k for _, k in deleted}
        assert not any(line.startswith("ret") for line in lines)


def test_constants_in_memory_are_mutated() -> None:
    assert texts("    .long 0x3f800000\n", "x86_64", "constant") == {".long 0x3f800001", ".long 0xbf800000"}


def draw(count: int, seed: str = "s") -> list[Mutant]:
    return draw_mutants(X86, "x86_64", count=count, seed=seed, machine_code=lambda text: text)


def test_the_same_seed_draws_the_same_mutants() -> None:
    assert draw(12) == draw(12)
    assert draw(12) != draw(12, "other")


def test_mutants_are_spread_over_kinds_and_differ_in_one_line() -> None:
    mutants = draw(10)
    assert len({m.kind for m in mutants}) >= 8
    assert {m.kind for m in mutants} <= set(KINDS)
    original = X86.splitlines()
    for mutant in mutants:
        changed = [n for n, (a, b) in enumerate(zip(original, mutant.assembly.splitlines(), strict=True), 1) if a != b]
        assert changed == [mutant.line]


def test_mutants_with_known_machine_code_are_left_out() -> None:
    refused = draw_mutants(X86, "x86_64", count=50, seed="s", machine_code=lambda _: "always the same")
    assert refused == []


# --- proofs -----------------------------------------------------------------------------------------------------------


def mutant_of(assembly: str, original: str, replaced: str) -> Mutant:
    line = next(n for n, text in enumerate(assembly.splitlines(), 1) if text.split("#")[0].strip() == original)
    return Mutant("lane", line, original, replaced, "")


@pytest.mark.parametrize(
    ("original", "replaced", "proven"),
    [
        ("subss %xmm0, %xmm1", "subps %xmm0, %xmm1", True),
        ("movss b(%rax), %xmm1", "movsd b(%rax), %xmm1", True),
        ("subss %xmm0, %xmm1", "addss %xmm0, %xmm1", False),
        ("movss %xmm1, a(,%rax,4)", "movsd %xmm1, a(,%rax,4)", False),
        ("subss %xmm0, %xmm1", "", False),
    ],
)
def test_dead_lanes(original: str, replaced: str, proven: bool) -> None:
    assert (dead_lanes(X86, mutant_of(X86, original, replaced), result_bytes=0) is not None) is proven


def test_a_lane_of_the_result_is_alive() -> None:
    code = "f:\n    movss b(%rip), %xmm0\n    ret\n"
    wider = mutant_of(code, "movss b(%rip), %xmm0", "movsd b(%rip), %xmm0")
    assert dead_lanes(code, wider, result_bytes=4)
    assert not dead_lanes(code, wider, result_bytes=8)


@pytest.mark.parametrize(
    ("original", "replaced", "proven"),
    [
        ("addq $4, %rax", "addl $4, %eax", True),
        ("jl .L1", "jb .L1", True),
        ("jl .L1", "jle .L1", False),
        ("addq $4, %rax", "addq $5, %rax", False),
        ("cmpq $128, %rax", "cmpl $128, %eax", True),
        ("xorl %eax, %eax", "", False),
    ],
)
def test_traces(original: str, replaced: str, proven: bool) -> None:
    assert (same_in_every_call(X86, mutant_of(X86, original, replaced), {}) is not None) is proven


def test_no_trace_when_the_path_depends_on_an_argument() -> None:
    code = X86.replace("cmpq $128, %rax", "cmpq %rdi, %rax")
    assert same_in_every_call(code, mutant_of(code, "addq $4, %rax", "addl $4, %eax"), {}) is None


def test_no_trace_through_instructions_that_write_registers_they_do_not_name() -> None:
    code = "f:\n    movl $-8, %eax\n    cltq\n    addq $8, %rax\n    ret\n"
    assert same_in_every_call(code, mutant_of(code, "cltq", ""), {}) is None
    code = code.replace("cltq", "cqto")
    assert same_in_every_call(code, mutant_of(code, "addq $8, %rax", "addl $8, %eax"), {}) is None
