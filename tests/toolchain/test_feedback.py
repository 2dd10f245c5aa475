"""What is said of a failure: causes of crashes, simple failing inputs, tolerance; short and the same each time."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from candidates import candidate

from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.tasks import Task
from pytest_neucomback.toolchain import Toolchain

MakeTask = Callable[[str, str, str], Task]

CRASHES = {
    "x86_64": {
        "    movl $a+8, %edx\n    movaps %xmm0, -4(%rdx)": "-4(%rdx) = a+4 is 4 past a multiple of 16",
        "    addps a+4(%rip), %xmm2": "addps needs 16-byte alignment; a+4(%rip) is 4 past a multiple of 16",
        "    movaps .LC0(%rip), %xmm0\n    .section .rodata\n    .balign 16\n    .byte 0\n.LC0: .quad 1\n    .text": (
            "put .balign 16 before the constant"
        ),
        "    xorl %ecx, %ecx\n    divl %ecx": "division by zero: %ecx = 0",
        "    movl $1, %ecx\n    movl $7, %edx\n    idivl %ecx": "the quotient does not fit its register",
        "    xorl %ebx, %ebx\n    call *%rbx": "line 6: call *%rbx: the call went to address 0",
        "    pushq $0\n    ret": "a return: the return went to address 0",
        "    subq $8, %rsp\n    movq $77, (%rsp)\n    ret": "the return went to a null pointer",
        "1:  pushq %rax\n    call 1b": "stack overflow",
        "    movl $64, %eax\n    movl b(,%rax,4), %ecx": "access to b+256, past its end",
    },
    "aarch64": {
        "    mov x9, #0\n    blr x9": "line 6: blr x9: the call went to address 0",
        "    mov x30, #0\n    ret": "the return went to address 0",
        "1:  stp x0, x1, [sp, #-16]!\n    bl 1b": "stack overflow",
        "    adrp x1, b+256\n    ldr w2, [x1, :lo12:b+256]": "access to b+256, past its end",
    },
    "riscv64": {
        "    li a1, 0\n    jalr a1": "line 6: jalr a1: the call went to address 0",
        "    li ra, 0\n    ret": "the return went to address 0",
        "    la a1, b\n    lw a2, 256(a1)": "access to b+256, past its end",
    },
}


@pytest.mark.parametrize(("crash_arch", "text"), [(a, t) for a, texts in CRASHES.items() for t in texts])
def test_crashes_are_explained(
    crash_arch: str, text: str, toolchain_of: Callable[[str], Toolchain], bump: Task
) -> None:
    """The diagnostic says what usually causes this, twice in the same words, without a raw address."""
    judges = [Judge(JudgeSettings(seed, 4), {crash_arch: toolchain_of(crash_arch)}) for seed in (1, 2)]
    one, two = (judge.judge(bump, crash_arch, candidate(crash_arch, before=text)).verdict for judge in judges)
    assert one == "crashed"
    assert CRASHES[crash_arch][text] in one.detail
    assert one.diagnostic == two.diagnostic
    assert not re.search(r"0x[0-9a-f]{6,}|\d{9,}", one.diagnostic)


def test_parts_of_registers_are_shown(native_judge: Judge, bump: Task) -> None:
    """%ecx is looked up as the lower half of %rcx."""
    text = candidate(
        "x86_64", before="    movl $-3, %r9d\n    movl $a, %esi\n    movslq %r9d, %rax\n    movl 4096(%rsi,%rax), %r9d"
    )
    verdict = native_judge.judge(bump, "x86_64", text).verdict
    assert "registers: %rsi = a+0, %rax = -3, %r9d = -3" in verdict.diagnostic


MATTERS = """\
extern float a[5000], b[5000];
void lift(void)
{
    for (int i = 0; i < 5000; i++)
        a[i] = b[i] > 0.25f ? b[i] : a[i];
}
"""


def test_simplest_input_is_quoted(
    toolchain: Toolchain, arch: str, judge: Judge, make_task: MakeTask, tmp_path: Path
) -> None:
    """A fault that needs one value is shown with that value, everything else being 0."""
    task = make_task("lift", MATTERS, "observe: [a]\n")
    (tmp_path / "lift.c").write_text(MATTERS.replace("i < 5000", "i < 4999"))
    text = toolchain.compile_source("clang", "O1", tmp_path / "lift.c")
    verdict = judge.judge(task, arch, text).verdict
    assert verdict == "wrong_output"
    assert verdict.detail == "1 of 5000 elements of a are wrong, first a[4999]: expected 0.5, got 0" or re.search(
        r"a\[4999\]: expected (0\.5|1), got 0", verdict.detail
    )
    assert "a all 0" in verdict.diagnostic
    assert re.search(r"b all (0\.5|1|0 but b\[4999\] = (0\.5|1))", verdict.diagnostic)
    again = Judge(JudgeSettings(99, 3), {arch: toolchain}).judge(task, arch, text).verdict
    assert again.diagnostic == verdict.diagnostic


def test_who_wants_no_explanation_gets_the_input_as_drawn(native: Toolchain, bump: Task) -> None:
    """Without simplification the verdict is the same and the input is the vector's."""
    judge = Judge(JudgeSettings(7, 4, simplify=False), {"x86_64": native})
    verdict = judge.judge(bump, "x86_64", candidate("x86_64", count=63)).verdict
    assert verdict == "wrong_output"
    assert "made simpler" not in verdict.diagnostic


def test_many_wrong_objects_make_no_long_text(native: Toolchain, native_judge: Judge, make_task: MakeTask) -> None:
    """Twenty wrong arrays are summed up."""
    names = [f"g{i}" for i in range(20)]
    c = f"extern int {', '.join(f'{n}[30]' for n in names)};\nvoid all(void)\n{{\n    for (int i = 0; i < 30; i++) {{\n"
    c += "".join(f"        {n}[i] = i + {k};\n" for k, n in enumerate(names)) + "    }\n}\n"
    task = make_task("all", c, f"observe: [{', '.join(names)}]\n")
    verdict = native_judge.judge(task, "x86_64", "    .globl all\nall:\n    ret\n").verdict
    assert verdict == "wrong_output"
    assert len(verdict.diagnostic.splitlines()) <= 40
    assert "wrong as well: g6, " in verdict.diagnostic


def test_forgotten_store_in_a_struct_is_named(native: Toolchain, native_judge: Judge, make_task: MakeTask) -> None:
    """Members of structs are compared and named one by one."""
    c = (
        "struct p { double w; short n; };\nextern struct p t[9];\n"
        "void up(void)\n{\n    for (int i = 0; i < 9; i++)\n        t[i].n++;\n}\n"
    )
    task = make_task("up", c, "observe: [t]\n")
    text = native.compile_source("clang", "O1", task.c_path)
    assert native_judge.judge(task, "x86_64", text).verdict == "correct"
    verdict = native_judge.judge(task, "x86_64", "    .globl up\nup:\n    ret\n").verdict
    assert re.fullmatch(r"9 of 9 elements of t are wrong, first t\[0\]\.n: expected -?\d+, got -?\d+", verdict.detail)


# --- floating point ------------------------------------------------------------------------------------------------

DOT_BODY = "float t = 0;\n    for (int i = 0; i < 400; i++) t += x[i] * y[i];\n    return t;"


def _dot(body: str) -> str:
    return f"extern float x[400], y[400];\nfloat dot(void)\n{{\n    {body}\n}}\n"


@pytest.fixture
def verdicts(toolchain: Toolchain, arch: str, make_task: MakeTask, tmp_path: Path) -> Callable[[str, str], object]:
    task = make_task(
        "dot", _dot(DOT_BODY), "observe: [result]\ninputs:\n  x: {uniform: [1, 2]}\n  y: {uniform: [1, 2]}\n"
    )

    def judge(c: str, fp: str) -> object:
        (tmp_path / "dot.c").write_text(c)
        text = toolchain.compile_source("clang", "O1", tmp_path / "dot.c")
        return Judge(JudgeSettings(7, 8, fp=fp), {arch: toolchain}).judge(task, arch, text).verdict

    return judge


def test_reassociated_sum(verdicts: Callable[[str, str], object]) -> None:
    """Another order of additions is wrong, says so with the distance, and is right within a tolerance."""
    two = _dot(
        "float s = 0, t = 0;\n    for (int i = 0; i < 400; i += 2)\n"
        "        s += x[i] * y[i], t += x[i + 1] * y[i + 1];\n    return s + t;"
    )
    exact = verdicts(two, "exact")
    assert exact == "wrong_output"
    found = re.fullmatch(r"reassociated: max (\d+) ulp", exact.detail)  # type: ignore[attr-defined]
    assert found
    assert verdicts(two, "ulp:1000") == "correct"
    assert verdicts(two, "ulp:1") == "wrong_output"


def test_real_faults_are_not_called_reassociated(verdicts: Callable[[str, str], object]) -> None:
    """A forgotten element is far off, and no tolerance of a few units forgives it."""
    short = _dot("float t = 0;\n    for (int i = 0; i < 399; i++) t += x[i] * y[i];\n    return t;")
    for fp in ("exact", "ulp:64"):
        verdict = verdicts(short, fp)
        assert verdict == "wrong_output"
        assert "reassociated" not in str(verdict)
