"""Costs without a clock: depth of the stack against a compiler's own figures, static throughput against the source."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_neucomback import energy, stack, throughput, timing
from pytest_neucomback.counting import Profile, Stretch, profile
from pytest_neucomback.energy import Packages, per_call
from pytest_neucomback.errors import ToolMissing
from pytest_neucomback.inputs import draw
from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.runner import Guest, Objects
from pytest_neucomback.stack import stack_bytes
from pytest_neucomback.tasks import Task
from pytest_neucomback.throughput import estimate
from pytest_neucomback.timing import TimingSettings
from pytest_neucomback.toolchain import Build, Toolchain

MakeTask = Callable[[str, str, str], Task]

DEPTH_C = "extern int ping(int x);\nint depth(int n) { return ping(n); }\n"
DEPTH_YAML = "externals: {ping: {kind: mock, returns: {values: [5]}}}\ninputs:\n  n: {values: [500, 1, 7]}\n"
HEAD = "    .text\n    .globl depth\ndepth:\n"
NOTHING = {"x86_64": "    ret\n", "aarch64": "    ret\n", "riscv64": "    ret\n"}
RETURN_ADDRESS = {"x86_64": 8, "aarch64": 0, "riscv64": 0}
RED_ZONE = {"x86_64": 128, "aarch64": 0, "riscv64": 0}
"""Bytes that a function may use without setting them aside; compilers' figures leave them out."""
BELOW = {
    "x86_64": "    subq ${n}, %rsp\n    movq %rdi, (%rsp)\n    addq ${n}, %rsp\n    ret\n",
    "aarch64": "    ldr x9, =({n})\n    sub sp, sp, x9\n    str x0, [sp]\n    add sp, sp, x9\n    ret\n",
    "riscv64": "    li t0, {n}\n    sub sp, sp, t0\n    sd a0, 0(sp)\n    add sp, sp, t0\n    ret\n",
}
"""Writes one word, n bytes below."""


@pytest.fixture(scope="module")
def depth(make_task: MakeTask) -> Task:
    return make_task("depth", DEPTH_C, DEPTH_YAML)


@pytest.fixture
def deepest(toolchain: Toolchain, depth: Task, tmp_path: Path) -> Callable[..., int | None]:
    """Builds assembly for ``depth`` and measures its stack on the given fixed vectors."""

    def run(assembly: str, *fixed: int) -> int | None:
        build = toolchain.build_candidate(depth, assembly, tmp_path)
        assert isinstance(build, Build), build
        return stack_bytes(build, [draw(build.plan, f"fixed:{n}") for n in fixed], toolchain, sandbox=True)

    return run


def test_stack_of_known_depth(deepest: Callable[..., int | None], arch: str) -> None:
    """What was written counts, to the byte (rounded up to words); what was only set aside does not."""
    address = RETURN_ADDRESS[arch]
    assert deepest(HEAD + NOTHING[arch], 0, 1, 2) == address
    for n in (16, 4096, 100_000):
        assert deepest(HEAD + BELOW[arch].format(n=n), 0) == n + address
    untouched = re.sub(r"(?m)^ +(movq %rdi|str x|sd a).*\n", "", BELOW[arch].format(n=800))
    assert deepest(HEAD + untouched, 0) == address


def test_stack_deeper_than_what_is_watched(deepest: Callable[..., int | None], arch: str) -> None:
    """A word in the last place that is watched is seen; what lies below is not."""
    assert deepest(HEAD + BELOW[arch].format(n=1 << 19), 0) == RETURN_ADDRESS[arch]
    text = BELOW[arch].format(n=stack.WATCHED_BYTES - 4096)
    found = deepest(HEAD + text, 0)
    assert found is not None
    assert found == stack.WATCHED_BYTES - 4096 + RETURN_ADDRESS[arch]


def test_stack_against_the_compilers_own_figure(
    toolchain: Toolchain, make_task: MakeTask, arch: str, tmp_path: Path
) -> None:
    """clang -fstack-usage says what a function sets aside; one that fills it all writes as much."""
    body = "    for (int i = 0; i < 3000; i++) {\n        b[i] = (unsigned char)(n + i);\n    }\n"
    c = f"int fill(int n)\n{{\n    volatile unsigned char b[3000];\n{body}    return b[n & 1023];\n}}\n"
    task = make_task("fill", c, "observe: [result]\n")
    build = toolchain.build_candidate(task, toolchain.compile_source("clang", "O2", task.c_path), tmp_path)
    assert isinstance(build, Build), build
    found = stack_bytes(build, [draw(build.plan, "fixed:0")], toolchain, sandbox=True)
    command = [*toolchain.compiler_command("clang", "O2"), "-fstack-usage", "-c", "-o", "fill.o", str(task.c_path)]
    subprocess.run(command, cwd=tmp_path, check=True)
    usage = int((tmp_path / "fill.su").read_text().split()[1])
    assert found is not None
    assert 3000 <= found <= usage + RETURN_ADDRESS[arch] + RED_ZONE[arch]
    assert found >= usage - 32


# --- static throughput ------------------------------------------------------------------------------------------------

LOOPS = {
    "x86_64": "    pxor %xmm0, %xmm0\n1:\n{body}    jnz 1b\n    ret\n",
    "aarch64": "    fmov s0, wzr\n1:\n{body}    b.ne 1b\n    ret\n",
    "riscv64": "    fmv.w.x fa0, zero\n1:\n{body}    bnez a0, 1b\n    ret\n",
}
BODY = {
    "x86_64": "    addss %xmm0, %xmm0\n    mulss %xmm0, %xmm0\n    decl %edi\n",
    "aarch64": "    fadd s0, s0, s0\n    fmul s0, s0, s0\n    subs w0, w0, #1\n",
    "riscv64": "    fadd.s fa0, fa0, fa0\n    fmul.s fa0, fa0, fa0\n    addiw a0, a0, -1\n",
}
JUMP = {"x86_64": "    jnz .\n", "aarch64": "    b.ne .\n", "riscv64": "    bnez a0, .\n"}


def told_by_source(toolchain: Toolchain, text: str) -> float:
    """Cycles per iteration that llvm-mca gives for assembly as it is written."""
    program = shutil.which("llvm-mca-19")
    if program is None:
        pytest.skip("llvm-mca is not installed (Debian package llvm-19)")
    target = [f"--mtriple={toolchain.arch.triple}", f"--mcpu={toolchain.arch.mca_cpu}", "--iterations=100"]
    said = subprocess.run([program, *target, "-"], input=text, capture_output=True, text=True, check=True).stdout
    match = re.search(r"Total Cycles: +(\d+)", said)
    assert match
    return int(match[1]) / 100


def test_throughput_of_a_loop(toolchain: Toolchain, depth: Task, arch: str, tmp_path: Path) -> None:
    """Two dependent operations in a loop: what llvm-mca says of the source, times the iterations."""
    per_iteration = told_by_source(toolchain, BODY[arch] + JUMP[arch])
    build = toolchain.build_candidate(depth, HEAD + LOOPS[arch].format(body=BODY[arch]), tmp_path)
    assert isinstance(build, Build), build
    found = profile(build, [draw(build.plan, "fixed:0")], arch=arch, cache=toolchain.cache)
    assert [(s.executed, s.instructions) for s in found.stretches] == [(1, 1), (500, 4), (1, 1)]
    said = estimate(found, toolchain)
    assert said is not None
    assert said.cpu == toolchain.arch.mca_cpu
    assert said.cycles == pytest.approx(500 * per_iteration * 2002 / 2000)
    assert per_iteration > 4


def test_throughput_where_the_analysis_has_nothing_to_say(
    toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No loop that is nearly everything, code that no model knows, none at all: no figure."""
    two = Profile(20, {}, (Stretch(1, 10, b"\x90" * 10), Stretch(1, 10, b"\x90" * 10)))
    unknown = Profile(100, {}, (Stretch(100, 1, b"\xff" * 8),))
    large = Profile(100, {}, (Stretch(1, 100, b"\x90" * 10_000),))
    for found in (two, unknown, large, Profile(0, {})):
        assert estimate(found, toolchain) is None
    monkeypatch.setattr(throughput, "TOOLS", (("no-such-program",), ("no-such-program",)))
    with pytest.raises(ToolMissing, match="llvm-19"):
        estimate(unknown, toolchain)


def test_costs_of_a_timing(toolchain_of: Callable[[str], Toolchain], make_task: MakeTask) -> None:
    """An emulated candidate and its reference have all costs that need no clock, the same in every run."""
    toolchain = next((t for a in ("aarch64", "riscv64") if not (t := toolchain_of(a)).arch.native), None)
    assert toolchain is not None
    loop = "    for (int i = 0; i < 4000; i++)\n        y[i] = x[i] * 0.5f;\n"
    task = make_task("halve", f"extern float x[4000], y[4000];\nvoid halve(void)\n{{\n{loop}}}\n", "observe: [y]\n")
    text = toolchain.compile_source("clang", "O1", task.c_path)
    name = toolchain.arch.name
    first, second = (Judge(JudgeSettings(7, 4), {name: toolchain}).time(task, name, text) for _ in range(2))
    assert (first.costs, first.reference_costs) == (second.costs, second.reference_costs)
    assert first.costs.static_cpu == first.reference_costs.static_cpu == toolchain.arch.mca_cpu
    assert first.costs.static_cycles is not None
    assert first.reference_costs.static_cycles is not None
    assert first.costs.static_cycles > first.reference_costs.static_cycles > 0
    assert first.costs.stack_bytes is not None
    assert first.as_json()["costs"] == first.costs.as_json()


# --- energy and memory ------------------------------------------------------------------------------------------------


def zone(root: Path, name: str, label: str, energy: int, top: int = 1_000_000) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    for file, text in (("name", label), ("energy_uj", str(energy)), ("max_energy_range_uj", str(top))):
        (folder / file).write_text(f"{text}\n")
    return folder


def test_energy_counters_are_packages_that_begin_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages count, their parts do not; a counter that passed its range lost nothing."""
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    assert Packages.here() is None
    first = zone(tmp_path, "intel-rapl:0", "package-0", 999_990)
    zone(tmp_path, "intel-rapl:0:0", "core", 5)
    zone(tmp_path, "intel-rapl:1", "package-1", 100)
    packages = Packages.here()
    assert packages is not None
    before = packages.read()
    assert before == (999_990, 100)
    (first / "energy_uj").write_text("20\n")
    assert packages.spent(before, packages.read()) == 31
    (first / "energy_uj").unlink()
    assert Packages.here() is None


def test_energy_of_a_call(native: Toolchain, depth: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a constant power of 10 W a call takes 10 microjoule a microsecond, as much as its time says."""
    monkeypatch.setattr(energy, "EACH_NS", 2e7)
    monkeypatch.setattr(Packages, "read", lambda self: (int(time.perf_counter() * 1e7),))
    packages = Packages([zone(tmp_path, "intel-rapl:0", "package-0", 0, 1 << 60)])
    loop = HEAD + "    movl $20000, %eax\n1:  decl %eax\n    jnz 1b\n    ret\n"
    build = native.build_candidate(depth, loop, tmp_path)
    assert isinstance(build, Build), build
    with Objects(build.plan) as objects, Guest(build, emulator=(), sandbox=True, cpu_s=60, timed=objects) as guest:
        guest.load(draw(build.plan, "fixed:0"))
        batch = guest.time(reps=9, limit_s=10)
        call_us = sorted(batch.ticks)[4] * batch.ns_per_tick / 1000
        (found,) = per_call([guest], packages)
    assert 10 * call_us / 5 < found < 10 * call_us * 6  # other programs take their time meanwhile


def test_energy_where_there_is_none(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who asks for it on a machine that tells none is told so, and nothing runs."""
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    result = pytester.runpytest_inprocess("--nc-energy", "--nc-model=compiler:clang-O2", "-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--nc-energy: no energy counter of this processor can be read*"])


def test_memory_and_energy_of_a_timing(
    native: Toolchain, make_task: MakeTask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A timing says what both processes had at most, and what a call takes where that was asked for."""
    monkeypatch.setattr(timing, "LOOKS", (8,))
    monkeypatch.setattr(energy, "EACH_NS", 2e6)
    monkeypatch.setattr(Packages, "read", lambda self: (int(time.perf_counter() * 1e7),))
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    zone(tmp_path, "intel-rapl:0", "package-0", 0, 1 << 60)
    same = make_task("same", "int same(int n) { return n; }\n", "observe: [result]\n")
    loop = "    .globl same\nsame:\n    movl $20000, %eax\n1:  decl %eax\n    jnz 1b\n    movl %edi, %eax\n    ret\n"
    judge = Judge(JudgeSettings(7, 4, timing=TimingSettings(energy=True)), {"x86_64": native})
    found = judge.time(same, "x86_64", loop)
    assert found.costs.energy_uj is not None
    assert found.costs.energy_uj > 0
    assert found.costs.peak_bytes is not None
    assert 1 << 14 < found.costs.peak_bytes < 1 << 28
    assert found.reference_costs.peak_bytes is not None
