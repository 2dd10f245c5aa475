"""Verdicts on candidates made by real compilers and by hand, on every architecture."""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from candidates import SNIPPETS, candidate, system_call

from pytest_neucomback import policy
from pytest_neucomback.inputs import draw
from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.sandbox import find_program
from pytest_neucomback.tasks import Task
from pytest_neucomback.toolchain import DRIVER, Toolchain
from pytest_neucomback.types import Verdict

MakeTask = Callable[[str, str, str], Task]
VerdictOn = Callable[[str], Verdict]

KERNELS = {
    "total": (
        "extern float x[500];\nfloat total(void)\n{\n    float t = 0;\n"
        "    for (int i = 0; i < 500; i++)\n        t += x[i];\n    return t;\n}\n",
        "observe: [result]\n",
    ),
    "wave": (
        "extern double u[40][50], v[40][50];\nvoid wave(double k)\n{\n    for (int i = 1; i < 39; i++)\n"
        "        for (int j = 1; j < 49; j++)\n"
        "            v[i][j] = u[i][j] + k * (u[i - 1][j] + u[i + 1][j] + u[i][j - 1] + u[i][j + 1]);\n}\n",
        "observe: [v]\ninputs:\n  k: {values: [0.25, -1.0, 1.0e-300]}\n",
    ),
    "crowd": (
        "#include <stdint.h>\nint64_t crowd(int8_t a, uint8_t b, int16_t c, uint16_t d, int e, unsigned f, int64_t g,\n"
        "              int8_t h, uint16_t i, int j, float k, double l)\n"
        "{\n    return a + 3 * b - 5 * c + 7 * d - 11 * (int64_t)e + 13 * (int64_t)f + g * 17 - h * 19 + i * 23 - j\n"
        "           + (int)(k * 8) + (int)(l * 16);\n}\n",
        "observe: [result]\ninputs:\n  a: {range: [-128, 127]}\n  b: {range: [0, 255]}\n  c: {range: [-32768, 32767]}\n"
        "  e: {values: [-2147483648, 2147483647, -1]}\n  f: {values: [4294967295, 0]}\n  h: {range: [-128, 127]}\n",
    ),
    "pairs": (
        "struct pair { double weight; int count; };\nstruct sums { double weight; long count; };\n"
        "struct sums pairs(const struct pair *p, int n, unsigned char *seen)\n{\n    struct sums s = {0, 0};\n"
        "    for (int i = 0; i < n; i++) {\n        s.weight += p[i].weight * p[i].count;\n"
        "        s.count += p[i].count;\n        seen[i] = p[i].count > 0;\n    }\n    return s;\n}\n",
        "observe: [result, seen]\ninputs:\n  n: {values: [64, 0, 1, 63]}\n",
    ),
    "classes": (
        "extern unsigned char text[256];\nextern unsigned histogram[8];\nvoid classes(void)\n{\n"
        "    for (int i = 0; i < 256; i++)\n        switch (text[i] % 9) {\n        case 0: histogram[3] += 1; break;\n"
        "        case 1: histogram[1] ^= text[i]; break;\n        case 2: histogram[4] -= 7; break;\n"
        "        case 3: histogram[1] += histogram[2]; break;\n"
        "        case 4: histogram[0] |= 0x80000000u >> (i % 32);\n"
        "        case 5: histogram[7]++; break;\n        case 7: histogram[5] *= 3; break;\n"
        "        default: histogram[6] += text[i]; }\n}\n",
        "observe: [histogram]\ninputs:\n  text: {range: [0, 255]}\n",
    ),
    "shift": (
        "struct block { int words[40]; };\nextern struct block ring[4];\nextern int last[40];\nint shift(int by)\n{\n"
        "    struct block first = ring[by & 3];\n    for (int i = 0; i < 3; i++)\n        ring[i] = ring[i + 1];\n"
        "    ring[3] = first;\n    int low = 2147483647;\n    for (int i = 0; i < 40; i++) {\n"
        "        last[i] = first.words[39 - i];\n"
        "        low = last[i] < low ? last[i] : low;\n    }\n    return low;\n}\n",
        "observe: [result, ring, last]\ninputs:\n  by: {values: [0, 1, 2, 3]}\n",
    ),
}
COMPILERS = [("clang", o) for o in ("O0", "O1", "O2", "O3")] + [("gcc", o) for o in ("O1", "O2", "O3")]


@pytest.mark.parametrize(("compiler", "opt"), COMPILERS)
@pytest.mark.parametrize("name", KERNELS)
def test_compilers_are_right(
    name: str, compiler: str, opt: str, arch: str, toolchain: Toolchain, judge: Judge, make_task: MakeTask
) -> None:
    """What clang and gcc make of a task is correct at every level, on every stage's vectors."""
    if compiler == "gcc" and find_program(toolchain.arch.gcc) is None:
        pytest.skip(f"apt-get install {toolchain.arch.packages['gcc'][0]}")
    task = make_task(name, *KERNELS[name])
    found = judge.judge(task, arch, toolchain.compile_source(compiler, opt, task.c_path))
    assert found.verdict == "correct", found.verdict.diagnostic
    assert found.verdict.fixed_vectors >= 4
    assert found.verdict.fresh_vectors == 8
    assert found.code_bytes


def test_handwritten_candidate_is_right(verdict_on: VerdictOn, arch: str) -> None:
    """The candidate that the other tests break is correct before they do."""
    assert verdict_on(candidate(arch)) == "correct"


# --- wrong results -------------------------------------------------------------------------------------------------


def test_returning_at_once_is_wrong(verdict_on: VerdictOn, arch: str) -> None:
    """A candidate that does nothing leaves the outputs as they were, which is wrong."""
    verdict = verdict_on(candidate(arch, before="    ret"))
    assert verdict == "wrong_output"
    assert "64 elements of a are wrong" in verdict.detail


def test_zeroed_outputs_are_wrong(verdict_on: VerdictOn, arch: str) -> None:
    """A candidate that only clears the outputs is wrong in every element."""
    verdict = verdict_on(candidate(arch, before=SNIPPETS[arch].zero_outputs))
    assert verdict == "wrong_output"
    assert "64 of 64" in verdict.detail
    assert "got 0" in verdict.detail


def test_forgotten_operation_is_wrong(verdict_on: VerdictOn, arch: str) -> None:
    """A candidate that copies without adding is caught although one fixed vector adds zero."""
    assert verdict_on(candidate(arch, add=SNIPPETS[arch].nop)) == "wrong_output"


def test_one_wrong_element_is_named(verdict_on: VerdictOn, arch: str) -> None:
    """A single wrong element is found and named with what was expected, what came and what was there before."""
    verdict = verdict_on(candidate(arch, after=SNIPPETS[arch].store_a.format(20)))
    assert verdict == "wrong_output"
    assert re.fullmatch(r"1 of 64 elements of a are wrong, first a\[5\]: expected -?\d+, got 12345", verdict.detail)
    assert re.search(r"a\[5\]: expected -?\d+, got 12345; before: a\[5\] = -?\d+, b\[5\] = -?\d+", verdict.diagnostic)


def test_last_element_left_out_is_wrong(verdict_on: VerdictOn, arch: str) -> None:
    """A loop that stops one element early is wrong in the last element."""
    verdict = verdict_on(candidate(arch, count=63))
    assert verdict == "wrong_output"
    assert "first a[63]" in verdict.detail


def test_one_element_too_many_hits_the_guard_page(verdict_on: VerdictOn, arch: str) -> None:
    """A loop that runs one element too far faults at the end of the object, and the diagnostic says where."""
    verdict = verdict_on(candidate(arch, count=65))
    assert verdict == "crashed"
    assert "b+256, past its end (256 bytes)" in verdict.detail


def test_store_before_an_object_is_wrong(verdict_on: VerdictOn, arch: str) -> None:
    """A store in front of an object, inside its page, is noticed though no element is wrong."""
    verdict = verdict_on(candidate(arch, after=SNIPPETS[arch].store_a.format(-8)))
    assert verdict == "wrong_output"
    assert verdict.detail == "wrote before the start of a (at a-5 bytes)"


def test_store_to_an_input_is_wrong(verdict_on: VerdictOn, arch: str) -> None:
    """A global that the task only reads has to stay as it was."""
    verdict = verdict_on(candidate(arch, after=SNIPPETS[arch].store_a.replace("a+(", "b+(").format(0)))
    assert verdict == "wrong_output"
    assert "elements of b are wrong" in verdict.detail
    assert "Right: a." in verdict.diagnostic


def test_constant_result_is_wrong(native_judge: Judge, make_task: MakeTask) -> None:
    """A constant in place of a computed result is wrong, with both numbers in the detail."""
    task = make_task("total", *KERNELS["total"])
    text = "    .globl total\ntotal:\n    xorps %xmm0, %xmm0\n    ret\n"
    verdict = native_judge.judge(task, "x86_64", text).verdict
    assert verdict == "wrong_output"
    assert re.fullmatch(r"wrong result: expected -?[\d.]+, got 0", verdict.detail)


def test_other_order_of_additions_is_called_reassociated(
    native: Toolchain, native_judge: Judge, make_task: MakeTask, tmp_path: Path
) -> None:
    """A sum in another order is wrong bit for bit, is named as such, and passes under --nc-fp=ulp:N."""
    task = make_task("total", *KERNELS["total"])
    body = "float s = 0, t = 0;\n    for (int i = 0; i < 500; i += 2) s += x[i], t += x[i + 1];\n    return s + t;"
    (tmp_path / "total.c").write_text(f"extern float x[500];\nfloat total(void)\n{{\n    {body}\n}}\n")
    text = native.compile_source("clang", "O1", tmp_path / "total.c")
    verdict = native_judge.judge(task, "x86_64", text).verdict
    assert verdict == "wrong_output"
    assert re.fullmatch(r"reassociated: max \d+ ulp", verdict.detail)
    tolerant = Judge(JudgeSettings(7, 4, fp="ulp:1000000"), {"x86_64": native})
    assert tolerant.judge(task, "x86_64", text).verdict == "correct"


# --- ABI -----------------------------------------------------------------------------------------------------------


def test_clobbered_integer_register_is_named(verdict_on: VerdictOn, arch: str) -> None:
    """A changed callee-saved integer register is an ABI violation that names the register."""
    instructions, name = SNIPPETS[arch].clobber
    verdict = verdict_on(candidate(arch, before=instructions))
    assert verdict == "abi_violation"
    assert name in verdict.detail
    assert "All results are right." in verdict.diagnostic


def test_clobbered_float_state_is_named(verdict_on: VerdictOn, arch: str) -> None:
    """A changed callee-saved floating-point register, or rounding mode where there is none, is an ABI violation."""
    instructions, name = SNIPPETS[arch].clobber_float
    verdict = verdict_on(candidate(arch, before=instructions))
    assert verdict == "abi_violation"
    assert name in verdict.detail


def test_wrong_stack_pointer_is_an_abi_violation(verdict_on: VerdictOn, arch: str) -> None:
    """Returning with the stack pointer off by 16 is reported with the distance."""
    verdict = verdict_on(candidate(arch, after=SNIPPETS[arch].shift_stack))
    assert verdict == "abi_violation"
    assert "off by -16 bytes" in verdict.detail


def test_direction_flag_is_an_abi_violation(native_judge: Judge, bump: Task) -> None:
    """Returning with the direction flag set is reported, and the next vectors are not disturbed by it."""
    verdict = native_judge.judge(bump, "x86_64", candidate("x86_64", after="    std")).verdict
    assert verdict == "abi_violation"
    assert "direction flag" in verdict.detail


def test_upper_bits_of_narrow_arguments_are_junk(native_judge: Judge, bump: Task) -> None:
    """A candidate that uses all 64 bits of an int argument as if they were its own is caught."""
    wide = candidate("x86_64", before="    sarq $1, %rdi\n    addq %rdi, %rdi\n    sarq $32, %rdi\n    negl %edi")
    assert native_judge.judge(bump, "x86_64", wide).verdict == "wrong_output"


# --- calls that do not return --------------------------------------------------------------------------------------


def test_endless_loop_times_out(verdict_on: VerdictOn, arch: str, short_limit: None) -> None:
    """An endless loop is stopped; the text for the model names no measured time."""
    verdict = verdict_on(candidate(arch, before=SNIPPETS[arch].endless))
    assert verdict == "timed_out"
    assert not re.search(r"\d\.\d", verdict.diagnostic)


def test_illegal_instruction_names_its_line(verdict_on: VerdictOn, arch: str) -> None:
    """An instruction that does not exist crashes, and the line is quoted."""
    text = {"riscv64": "    unimp"}.get(arch, SNIPPETS[arch].illegal)
    verdict = verdict_on(candidate(arch, before=text))
    assert verdict == "crashed"
    assert f"SIGILL at line 5: {text.strip()}" in verdict.detail


def test_null_pointer_is_called_one(verdict_on: VerdictOn, arch: str) -> None:
    """A load through address 0 is explained as a null pointer and the register in the line is shown."""
    verdict = verdict_on(candidate(arch, before=SNIPPETS[arch].read_null))
    assert verdict == "crashed"
    assert "line 6" in verdict.detail
    assert "null pointer" in verdict.detail
    assert re.search(r"registers: \S+ = 0", verdict.diagnostic)


def test_misaligned_vector_access_is_no_null_pointer(native_judge: Judge, bump: Task) -> None:
    """x86 gives no address for a misaligned aligned-vector access; the diagnostic explains it as what it is."""
    verdict = native_judge.judge(bump, "x86_64", candidate("x86_64", before="    movaps a+4, %xmm0")).verdict
    assert verdict == "crashed"
    assert "movaps needs 16-byte alignment; a+4 is 4 past a multiple of 16" in verdict.detail
    assert "null pointer" not in verdict.diagnostic


@pytest.mark.parametrize("text", ["    hlt", "    int3", "    xorl %ecx, %ecx\n    divl %ecx", "    jmp *%rbx"])
def test_traps_crash(native_judge: Judge, bump: Task, text: str) -> None:
    """Privileged, breakpoint and dividing-by-zero instructions and wild jumps are crashes, not harness errors."""
    assert native_judge.judge(bump, "x86_64", candidate("x86_64", before=text)).verdict == "crashed"


def test_lost_stack_crashes(native_judge: Judge, bump: Task) -> None:
    """A candidate that loses its stack pointer is reported like any other fault."""
    verdict = native_judge.judge(
        bump, "x86_64", candidate("x86_64", before="    xorl %esp, %esp\n    push %rax")
    ).verdict
    assert verdict == "crashed"
    assert "line 6: push %rax" in verdict.detail


def test_own_line_directives_do_not_mislead(native_judge: Judge, bump: Task) -> None:
    """A candidate with .loc lines of another file gets no line quoted rather than a wrong one."""
    text = '    .file 1 "other.c"\n' + candidate("x86_64", before="    .loc 1 3 0\n    ud2")
    verdict = native_judge.judge(bump, "x86_64", text).verdict
    assert verdict == "crashed"
    assert "SIGILL at the function" in verdict.detail


# --- system calls and object files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["getpid", "exit", "exit_group", "write", "open"])
def test_any_system_call_is_forbidden(verdict_on: VerdictOn, arch: str, name: str) -> None:
    """No candidate may talk to the kernel, not even to end itself."""
    verdict = verdict_on(candidate(arch, before=system_call(arch, name, 1)))
    assert verdict == "forbidden", verdict
    if name == "getpid" and arch == "x86_64":
        assert verdict.detail.endswith("at line 13: syscall")


FORBIDDEN_SECTIONS = {
    '    .section .init_array,"aw"\n    .8byte bump': "would run code",
    '    .section .ctors,"aw"\n    .8byte bump': "would run code",
    '    .section .interp,"a"\n    .string "/lib/evil"': "how the program is loaded",
    '    .section .dynamic,"aw"\n    .8byte 0, 0': "how the program is loaded",
    "    .globl other\nother:\n    nop": "defines the global symbol other",
    "    .globl bump2\n    .set bump2, bump": "defines the global symbol bump2",
    "    .weak _start\n_start:\n    nop": "defines the global symbol _start",
    "    .data\n    .globl a\na:  .zero 256": "belongs to the caller",
    "    .comm a, 257, 4": "the global has 256",
    "    .comm other, 4, 4": "no such global",
    '    .section .hot,"awx"\n    nop': "executable",
    '    .section .text.hot,"awx"\n    nop': "writable and executable",
    '    .section .note.GNU-stack,"x"': "executable",
    '    .section .tdata,"awT"\n    .4byte 1': "thread-local",
    "    .bss\n    .zero 17000000": "at most 16777216",
    "    .data\n    .balign 131072\n    .4byte 1": "aligned to 131072",
}


@pytest.mark.parametrize("text", FORBIDDEN_SECTIONS, ids=lambda t: "-".join(re.findall(r"\w+", t)[:4]))
def test_object_file_policy(verdict_on: VerdictOn, arch: str, text: str) -> None:
    """Constructors, foreign symbols, writable code and the like are refused, with the reason."""
    verdict = verdict_on(candidate(arch, extra=text))
    assert verdict == "forbidden", verdict
    assert FORBIDDEN_SECTIONS[text] in verdict.diagnostic


def test_ifunc_is_forbidden(native_judge: Judge, bump: Task) -> None:
    """An indirect function would run code while the program is linked or started."""
    text = candidate("x86_64").replace("@function", "@gnu_indirect_function")
    verdict = native_judge.judge(bump, "x86_64", text).verdict
    assert verdict == "forbidden"
    assert "IFUNC" in verdict.diagnostic


@pytest.mark.parametrize("name", ["printf", "nc_call", "nc_main", "malloc"])
def test_undefined_symbol_is_forbidden(verdict_on: VerdictOn, arch: str, name: str) -> None:
    """A call to what the task does not offer is refused by name, the harness's own functions included."""
    verdict = verdict_on(candidate(arch, before=SNIPPETS[arch].call.format(name)))
    assert verdict == "forbidden"
    assert f"it refers to {name}" in verdict.diagnostic


def test_literal_pools_and_constants_are_fine(verdict_on: VerdictOn, arch: str) -> None:
    """Read-only data, private data, local functions and a .comm of the task's own global are allowed."""
    text = (
        "    .section .rodata\n    .balign 16\n.Lpool:\n    .4byte 1, 2, 3, 4\n    .data\n    .4byte 5\n    .bss\n"
        '    .zero 64\n    .comm a, 256, 4\n    .section .text.part\nown:\n    nop\n    .ident "hand"\n'
    )
    assert verdict_on(candidate(arch, extra=text)) == "correct"


def test_own_function_may_be_called_again(verdict_on: VerdictOn, arch: str) -> None:
    """A candidate may refer to its own function and call the runtime's memset."""
    call = SNIPPETS[arch].call.format("memset")
    zero = {
        "x86_64": "    movl %edi, %r8d\n    movl $a, %edi\n    xorl %esi, %esi\n    movl $256, %edx\n    pushq %r8\n"
        f"{call}\n    popq %rdi",
        "aarch64": "    str x0, [sp, #-16]!\n    adrp x0, a\n"
        "    add x0, x0, :lo12:a\n    mov w1, #0\n    mov x2, #256\n"
        f"{call}\n    ldr x0, [sp], #16",
        "riscv64": f"    addi sp, sp, -16\n    sd a0, 0(sp)\n    la a0, a\n    li a1, 0\n    li a2, 256\n{call}\n"
        "    ld a0, 0(sp)\n    addi sp, sp, 16",
    }[arch]
    assert verdict_on(candidate(arch, before=zero)) == "correct"


def test_system_call_in_a_constant_is_not_code(verdict_on: VerdictOn, arch: str) -> None:
    """The bits of a system call instruction in .rodata are only a number."""
    words = ", ".join(hex(bits) for _, _, bits, _ in policy.SYSTEM_CALLS.values())
    assert verdict_on(candidate(arch, extra=f"    .section .rodata\n    .4byte {words}")) == "correct"


# --- texts that do not build ---------------------------------------------------------------------------------------


def test_syntax_error_quotes_the_line(verdict_on: VerdictOn, arch: str) -> None:
    """An assembler error gives line number, message and the line itself."""
    verdict = verdict_on(candidate(arch, before="    frobnicate x1, x2"))
    assert verdict == "build_failed"
    assert verdict.diagnostic.startswith("line 5: ")
    assert verdict.diagnostic.endswith("\n    frobnicate x1, x2")


def test_either_assembler_is_enough(verdict_on: VerdictOn, arch: str) -> None:
    """A directive that only clang's assembler knows is no reason to refuse."""
    assert verdict_on(candidate(arch, extra="    .addrsig\n    .addrsig_sym bump")) == "correct"


@pytest.mark.parametrize("text", ["", "\n", "    .text\n", "# nothing\n", "\x00", "é\ud800"])
def test_text_without_the_function_does_not_build(verdict_on: VerdictOn, text: str) -> None:
    """Empty and odd texts give a verdict that says what is missing."""
    verdict = verdict_on(text)
    assert str(verdict).partition(":")[0] in ("forbidden", "build_failed")
    assert verdict.diagnostic


def test_missing_function_says_what_to_add(verdict_on: VerdictOn, arch: str) -> None:
    """A function that is not global is asked for by name."""
    verdict = verdict_on(candidate(arch).replace("    .globl bump\n", ""))
    assert verdict == "build_failed"
    assert ".globl bump" in verdict.diagnostic


# --- texts for the model -------------------------------------------------------------------------------------------

FAILURES = {
    "wrong": {"count": 63},
    "guard": {"count": 65},
    "null": {"before": "read_null"},
    "wild store": {"before": "store_a"},
    "register": {"before": "clobber"},
    "call": {"before": "call"},
}


@pytest.mark.parametrize("kind", FAILURES)
def test_diagnostics_are_the_same_each_time(
    kind: str, arch: str, toolchain: Toolchain, judge: Judge, bump: Task
) -> None:
    """The fixed stage gives the same text under every seed, and no text holds a raw address."""
    change = dict(FAILURES[kind])
    if "before" in change:
        snippet = getattr(SNIPPETS[arch], str(change["before"]))
        change["before"] = snippet[0] if isinstance(snippet, tuple) else snippet.format("memset")
    text = candidate(arch, **change)  # type: ignore[arg-type]
    one = judge.judge(bump, arch, text).verdict
    two = Judge(JudgeSettings(999, 3), {arch: toolchain}).judge(bump, arch, text).verdict
    assert (one.outcome, one.detail, one.diagnostic) == (two.outcome, two.detail, two.diagnostic)
    assert one.failing_vector == ""
    assert one != "correct"
    assert not re.search(r"0x[0-9a-f]{6,}", one.diagnostic + one.detail)


def test_fresh_failure_can_be_found_again(native: Toolchain, make_task: MakeTask, tmp_path: Path) -> None:
    """What only a fresh vector shows is named by seed and index, and found again under another seed."""
    c = "int rare(int n)\n{\n    return n ^ 5;\n}\n"
    task = make_task("rare", c, "observe: [result]\ninputs:\n  n: {range: [0, 1000000000]}\n")
    judge = Judge(JudgeSettings(41, 8), {"x86_64": native})
    plan = native.plan(task)
    value = draw(plan, "fresh:41:3").args[0] & 0xFFFFFFFF
    text = (
        f"    .globl rare\nrare:\n    movl %edi, %eax\n    xorl $5, %eax\n    cmpl ${value}, %edi\n    jne 1f\n"
        "    incl %eax\n1:  ret\n"
    )
    first = judge.judge(task, "x86_64", text).verdict
    assert first == "wrong_output"
    assert first.failing_vector == "fresh:41:3"
    assert (first.fixed_vectors, first.fresh_vectors) == (4, 4)
    other = Judge(JudgeSettings(42, 8), {"x86_64": native})
    assert other.judge(task, "x86_64", text).verdict == "correct"
    again = other.judge(task, "x86_64", text, regressions=[first.failing_vector]).verdict
    assert again == "wrong_output"
    assert again.failing_vector == "fresh:41:3"
    assert again.diagnostic == first.diagnostic


def test_timeout_leaves_the_item_unjudged(native_judge: Judge, bump: Task) -> None:
    """--timeout ends judging with `unjudged`: it is no verdict on the candidate."""
    found = native_judge.judge(bump, "x86_64", candidate("x86_64", before="3:  jmp 3b"), timeout_s=0.5)
    assert found.verdict == "unjudged"
    assert "--timeout=0.5" in found.verdict.detail
    assert found.judge_s < 3


def test_broken_golden_build_is_not_the_candidates_fault(native_judge: Judge, make_task: MakeTask) -> None:
    """A task whose own C crashes on its inputs gives `unjudged` and names the task."""
    c = "extern int a[4];\nint wild(int i)\n{\n    return a[i];\n}\n"
    task = make_task("wild", c, "observe: [result]\ninputs:\n  i: {values: [100000]}\n")
    verdict = native_judge.judge(task, "x86_64", "    .globl wild\nwild:\n    ret\n").verdict
    assert verdict == "unjudged"
    assert "wild.yaml" in verdict.detail


# --- mocks and the runtime -----------------------------------------------------------------------------------------


def test_mock_sees_the_order_of_stores(
    bundled: dict[str, Task], arch: str, toolchain: Toolchain, judge: Judge, tmp_path: Path
) -> None:
    """Stores moved to the other side of a call are wrong although memory is right at the end."""
    task = bundled["s471"]
    source = task.c_path.read_text()
    (tmp_path / "s471.c").write_text(source)
    assert judge.judge(task, arch, toolchain.compile_source("clang", "O2", tmp_path / "s471.c")).verdict == "correct"
    swapped = source.replace(
        "        x[i] = b[i] + d[i] * d[i];\n        s471s();", "        s471s();\n        x[i] = b[i] + d[i] * d[i];"
    )
    assert swapped != source
    (tmp_path / "s471.c").write_text(swapped)
    verdict = judge.judge(task, arch, toolchain.compile_source("clang", "O2", tmp_path / "s471.c")).verdict
    assert verdict == "wrong_output"
    assert "s471s" in verdict.diagnostic
    assert "a store before the call is missing" in verdict.diagnostic


@pytest.mark.parametrize("compiler", ["clang", "gcc"])
def test_constants_of_stdint_have_their_width(toolchain: Toolchain, tmp_path: Path, compiler: str) -> None:
    """UINT64_C and its like are as wide and as signed for gcc, which reads clang's header, as for clang."""
    checks = {"UINT64_C(0)": (8, 0), "INT64_C(0)": (8, 1), "UINT32_C(0)": (4, 0), "UINTMAX_C(0)": (8, 0)}
    lines = ["#include <stdint.h>"]
    for text, (size, signed) in checks.items():
        lines.append(f'_Static_assert(sizeof({text}) == {size} && ({text} - 1 < 0) == {signed}, "{text}");')
    (tmp_path / "u.c").write_text("\n".join([*lines, "void f(void) {}", ""]))
    toolchain.compile_source(compiler, "O1", tmp_path / "u.c")


def test_missing_mock_calls_are_counted(
    bundled: dict[str, Task], toolchain: Toolchain, arch: str, judge: Judge, tmp_path: Path
) -> None:
    """A candidate that leaves the calls out is told how many there should be."""
    task = bundled["s471"]
    (tmp_path / "s471.c").write_text(task.c_path.read_text().replace("        s471s();\n", ""))
    verdict = judge.judge(task, arch, toolchain.compile_source("clang", "O1", tmp_path / "s471.c")).verdict
    assert verdict == "wrong_output"
    assert "called s471s 0 times, expected 32000" in verdict.diagnostic


@pytest.mark.parametrize(("compiler", "opt"), [("clang", "O3"), ("gcc", "O2")])
def test_call_that_does_not_return_is_compared_there(
    bundled: dict[str, Task], arch: str, toolchain: Toolchain, judge: Judge, compiler: str, opt: str
) -> None:
    """s481 may be left through its stop function; state at that moment decides, whatever registers hold."""
    if compiler == "gcc" and find_program(toolchain.arch.gcc) is None:
        pytest.skip(f"apt-get install {toolchain.arch.packages['gcc'][0]}")
    task = bundled["s481"]
    verdict = judge.judge(task, arch, toolchain.compile_source(compiler, opt, task.c_path)).verdict
    assert verdict == "correct", verdict.diagnostic


def test_stop_that_is_ignored_is_wrong(
    bundled: dict[str, Task], arch: str, toolchain: Toolchain, judge: Judge, tmp_path: Path
) -> None:
    """A candidate that goes on where it should have stopped is wrong."""
    task = bundled["s481"]
    (tmp_path / "s481.c").write_text(task.c_path.read_text().replace("if (d[i] < 0.0f)", "if (d[i] < -9.0f)"))
    verdict = judge.judge(task, arch, toolchain.compile_source("clang", "O1", tmp_path / "s481.c")).verdict
    assert verdict == "wrong_output"
    assert "s481_stop" in verdict.diagnostic


@pytest.fixture(scope="module")
def runtime(native: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The runtime's functions in a shared library, under names that libc does not have."""
    folder = tmp_path_factory.mktemp("runtime")
    names = ("memcpy", "memmove", "memset", "memcmp", "bcmp", "strlen", "sinf", "cosf")
    loop = (
        '#include "runtime.c"\n'
        "void many(const float *x, float *s, float *c, long n)\n"
        "{\n    for (long i = 0; i < n; i++)\n        s[i] = sinf(x[i]), c[i] = cosf(x[i]);\n}\n"
    )
    (folder / "many.c").write_text(loop)
    library = folder / "runtime.so"
    subprocess.run(
        [native.clang, "-O2", "-fno-builtin", "-ffreestanding", "-ffp-contract=off", "-fPIC", "-shared", "-nostdlib",
         f"-I{DRIVER}", *(f"-D{n}=nc_{n}" for n in names), "-o", str(library), str(folder / "many.c")],
        check=True,
    )  # fmt: skip
    return ctypes.CDLL(str(library))


def test_sine_and_cosine_are_within_one_ulp(runtime: ctypes.CDLL) -> None:
    """sinf and cosf of the runtime differ from the rounded true value by at most 1 ulp, for every size of argument."""
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 0x7F800000, size=400_000, dtype=np.uint32)
    special = np.float32(
        [0, 1e-45, 1e-38, 0.5, 0.7853981, 0.7853982, 1.5707963, 3.1415927, 4194303.8, 4194304, 3.4028235e38]
    )
    turns = (np.arange(1, 20_000) * (np.pi / 2)).astype(np.float32)
    x = np.concatenate([bits.view(np.float32), special, turns, rng.uniform(-10, 10, 100_000).astype(np.float32)])
    x = np.concatenate([x, -x])
    sine, cosine = np.empty_like(x), np.empty_like(x)
    pointer = ctypes.POINTER(ctypes.c_float)
    runtime.many(
        x.ctypes.data_as(pointer), sine.ctypes.data_as(pointer), cosine.ctypes.data_as(pointer), ctypes.c_long(x.size)
    )
    wide = x.astype(np.float64)
    for ours, true in ((sine, np.sin(wide)), (cosine, np.cos(wide))):
        rounded = true.astype(np.float32)
        off = np.abs(ours.astype(np.float64) - true) / np.spacing(np.abs(rounded)).astype(np.float64)
        assert off.max() <= 1, f"{off.max()} ulp at {x[off.argmax()]!r}"


def test_sine_of_what_is_no_number(runtime: ctypes.CDLL) -> None:
    """Infinities and NaN give NaN; negative zero stays negative zero."""
    for name in ("nc_sinf", "nc_cosf"):
        function = getattr(runtime, name)
        function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
        for value in (np.inf, -np.inf, np.nan):
            assert np.isnan(function(value))
    assert np.signbit(runtime.nc_sinf(-0.0))


@pytest.mark.parametrize("seed", range(3))
def test_memory_functions_agree_with_python(runtime: ctypes.CDLL, seed: int) -> None:
    """memcpy, overlapping memmove, memset, memcmp and strlen do what bytes of Python do."""
    rng = np.random.default_rng(seed)
    for name, result in (("memmove", None), ("memset", None), ("memcmp", ctypes.c_int), ("strlen", ctypes.c_size_t)):
        getattr(runtime, f"nc_{name}").restype = result
    for _ in range(200):
        data = bytearray(rng.integers(0, 4, size=64, dtype=np.uint8).tobytes())
        to, source, n = (int(v) for v in rng.integers(0, 32, size=3))
        buffer = (ctypes.c_char * 64).from_buffer_copy(data)
        base = ctypes.addressof(buffer)
        runtime.nc_memmove(ctypes.c_void_p(base + to), ctypes.c_void_p(base + source), ctypes.c_size_t(n))
        data[to : to + n] = bytes(data[source : source + n])
        assert bytes(buffer) == bytes(data)
        order = runtime.nc_memcmp(ctypes.c_void_p(base), ctypes.c_void_p(base + to), ctypes.c_size_t(n))
        left, right = bytes(data[:n]), bytes(data[to : to + n])
        assert (order > 0) - (order < 0) == (left > right) - (left < right)
        runtime.nc_memset(ctypes.c_void_p(base + source), ctypes.c_int(0x1FF), ctypes.c_size_t(n))
        data[source : source + n] = b"\xff" * n
        buffer[63] = b"\0"
        data[63] = 0
        assert bytes(buffer) == bytes(data)
        assert runtime.nc_strlen(ctypes.c_void_p(base)) == bytes(data).index(0)
