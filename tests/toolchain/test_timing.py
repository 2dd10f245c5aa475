"""Timing on the host: the shape of its answers, and candidates that try to cheat it. No noisy number is asserted."""

from __future__ import annotations

import dataclasses
import random
import re
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pytest_neucomback import timing, timing_check
from pytest_neucomback.errors import HarnessError
from pytest_neucomback.inputs import Bytes, draw
from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.layout import CONTROL_ADDR, PAGE, Control
from pytest_neucomback.runner import Batch, CallResult, Guest, Objects
from pytest_neucomback.tasks import Task
from pytest_neucomback.timing import TimingSettings
from pytest_neucomback.timing_check import check_timing
from pytest_neucomback.toolchain import Build, Placement, Toolchain

MakeTask = Callable[[str, str, str], Task]

SMOOTH_C = """\
#define N 2000
extern float x[N], y[N];
void smooth(void)
{
    for (int i = 1; i < N - 1; i++)
        y[i] = (x[i - 1] + x[i] + x[i + 1]) * 0.25f;
}
"""


@pytest.fixture(scope="module")
def smooth(make_task: MakeTask) -> Task:
    return make_task("smooth", SMOOTH_C, "observe: [y]\n")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer launches and shorter samples than a real run."""
    monkeypatch.setattr(timing, "LOOKS", (8, 12))
    monkeypatch.setattr(timing, "SAMPLES_PER_LAUNCH", 9)
    monkeypatch.setattr(timing, "SAMPLE_NS", 50_000.0)


@pytest.fixture(scope="module")
def honest(native: Toolchain, smooth: Task) -> str:
    return native.compile_source("clang", "O3", smooth.c_path)


def wrapped(assembly: str, before: str) -> str:
    """The same code under another name, behind a function that runs ``before`` and then jumps to it."""
    inner = assembly.replace("smooth", "inner").replace("\t.globl\tinner", "")
    counter = "    .local calls\n    .comm calls, 8, 8\n"
    return f"{inner}\n    .text\n    .globl smooth\nsmooth:\n{before}\n    jmp inner\n{counter}"


def test_kernel_against_itself(native_judge: Judge, smooth: Task, honest: str) -> None:
    """The reference timed against itself gives samples of both sides and an interval around a ratio near 1."""
    result = native_judge.time(smooth, "x86_64", honest)
    assert result.native
    assert result.outcome in ("faster", "tied", "slower")
    assert result.speedup is not None
    assert result.speedup_ci is not None
    assert result.candidate_ns is not None
    low, high = result.speedup_ci
    assert low <= result.speedup <= high
    assert 0.3 < result.speedup < 3
    assert len(result.candidate_samples_ns) == len(result.reference_samples_ns)
    assert 8 * 3 <= len(result.candidate_samples_ns) <= 12 * 9
    assert min(result.candidate_samples_ns) <= result.candidate_ns <= max(result.candidate_samples_ns)
    assert 20 < result.candidate_ns < 1e6
    assert result.working_set_bytes == 2 * 2000 * 4
    assert set(result.as_json()) >= {"native", "candidate_ns", "reference_ns", "speedup", "speedup_ci", "outcome"}


def test_much_slower_candidate_is_slower(native_judge: Judge, smooth: Task, honest: str) -> None:
    """A candidate that wastes ten times the reference's time is slower, with the whole interval below 1."""
    waste = "    movl $20000, %eax\n1:  decl %eax\n    jne 1b"
    result = native_judge.time(smooth, "x86_64", wrapped(honest, waste))
    assert result.outcome == "slower"
    assert result.speedup_ci is not None
    assert result.speedup_ci[1] < 1


def test_much_faster_candidate_is_faster(native: Toolchain, smooth: Task, honest: str) -> None:
    """Optimised code against an unoptimised reference is faster."""
    judge = Judge(JudgeSettings(7, 4, reference="clang-O0"), {"x86_64": native})
    result = judge.time(smooth, "x86_64", honest)
    assert result.outcome == "faster"
    assert result.speedup_ci is not None
    assert result.speedup_ci[0] > 1


@pytest.mark.parametrize(("seen", "outcome"), [(0.2, "tied"), (0.9, "faster")])
def test_a_gain_that_the_parents_clock_does_not_see_is_none(
    seen: float, outcome: str, native: Toolchain, smooth: Task, honest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it has to be there."""
    claimed = timing._Launch.ratio.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(timing._Launch, "parents_ratio", property(lambda launch: seen * claimed(launch)))
    result = Judge(JudgeSettings(7, 4, reference="clang-O0"), {"x86_64": native}).time(smooth, "x86_64", honest)
    assert result.outcome == outcome
    assert ("not half as much by its CPU time" in result.note) == (outcome == "tied")


def test_a_machine_that_is_never_quiet_tells_large_differences_only(
    native_judge: Judge, smooth: Task, honest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What neighbours can make of two programs is no difference, and the note says what it takes to be one."""
    monkeypatch.setattr(timing, "limit_ns", lambda: 1.0)
    little = "    movl $200, %eax\n1:  decl %eax\n    jne 1b"
    waste = "    movl $200000, %eax\n1:  decl %eax\n    jne 1b"
    found = [native_judge.time(smooth, "x86_64", wrapped(honest, spin)) for spin in ("", little, waste)]
    assert [one.outcome for one in found[:2]] == ["tied", "tied"]
    assert found[2].outcome == "slower"
    assert all("never quiet" in one.note for one in found)


def test_published_protocol(native: Toolchain, smooth: Task, honest: str) -> None:
    """--nc-timing=paper takes 11 runs a side, no interval, and says what it did."""
    judge = Judge(JudgeSettings(7, 4, timing=TimingSettings("paper")), {"x86_64": native})
    result = judge.time(smooth, "x86_64", honest)
    assert len(result.candidate_samples_ns) == len(result.reference_samples_ns) == 11
    assert result.candidate_ns == pytest.approx(sum(sorted(result.candidate_samples_ns)[3:8]) / 5)
    assert result.speedup_ci is None
    assert "published protocol" in result.note


def test_emulated_arches_have_no_time(toolchain_of: Callable[[str], Toolchain], smooth: Task) -> None:
    """An emulated candidate gets no number and no outcome."""
    toolchain = next((t for a in ("aarch64", "riscv64") if not (t := toolchain_of(a)).arch.native), None)
    assert toolchain is not None
    result = Judge(JudgeSettings(7, 4), {toolchain.arch.name: toolchain}).time(smooth, toolchain.arch.name, "")
    assert (result.native, result.candidate_ns, result.outcome) == (False, None, None)
    assert "emulated" in result.note


FIELDS = {name: CONTROL_ADDR + getattr(Control, name).offset for name in ("reps", "empty", "seed")}
LAST_CALL_ONLY = (
    f"    cmpq $0, {FIELDS['reps']}\n    je 1f\n    cmpq $0, {FIELDS['empty']}\n    jne 1f\n"
    f"    incq calls\n    movq calls, %rax\n    cmpq %rax, {FIELDS['reps']}\n    je 2f\n    ret\n"
    "2:  movq $0, calls\n1:"
)
"""Works when it is judged, in the last call of a batch, which the parent compares in full, and on unseen inputs."""
CHEATS = {
    "works in the last call of a batch only": LAST_CALL_ONLY,
    "stops working after 120 calls": "    incq calls\n    cmpq $120, calls\n    jbe 1f\n    ret\n1:",
    "works only when it is called for a verdict": (
        f"    cmpq $0, {CONTROL_ADDR + Control.reps.offset}\n    je 1f\n    ret\n1:"
    ),
    "spoils one element late": "    incq calls\n    cmpq $120, calls\n    jbe 1f\n    movl $0, x\n    movl $1, y\n1:",
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_other_results_after_timing_are_refused(cheat: str, native_judge: Judge, smooth: Task, honest: str) -> None:
    """A candidate that is right while it is judged and wrong while or after it is timed gets no time."""
    text = wrapped(honest, CHEATS[cheat])
    assert native_judge.judge(smooth, "x86_64", text).verdict == "correct"
    with pytest.raises(HarnessError, match="other results after it was timed"):
        native_judge.time(smooth, "x86_64", text)


def test_no_call_is_told_what_the_next_ones_get(native_judge: Judge, smooth: Task, honest: str) -> None:
    """Else the first call of a batch could do the work of all. This one does none where it sees the seed."""
    text = wrapped(honest, f"    cmpq $0, {FIELDS['seed']}\n    je 1f\n    ret\n1:")
    assert native_judge.time(smooth, "x86_64", text).native


SUM_C = """\
extern double t[8];
double sum(void)
{
    double s = 0;
    for (int i = 0; i < 8; i++)
        s += t[i];
    return s;
}
"""
COUNT_C = """\
extern unsigned char text[64];
int letters(int from)
{
    int n = 0;
    for (int i = from & 31; i < 64; i++)
        n += text[i] >= 'a' && text[i] <= 'z';
    return n;
}
"""


def test_results_that_are_only_returned_count_in_each_call(
    native_judge: Judge, native: Toolchain, make_task: MakeTask
) -> None:
    """A function without outputs in memory has to give its result in each call of a batch."""
    task = make_task("sum", SUM_C, "observe: [result]\n")
    inner = native.compile_source("clang", "O3", task.c_path).replace("sum", "inner").replace("\t.globl\tinner", "")
    tail = "    .local calls\n    .comm calls, 8, 8\n"
    text = f"{inner}\n    .text\n    .globl sum\nsum:\n{LAST_CALL_ONLY}\n    jmp inner\n{tail}"
    assert native_judge.judge(task, "x86_64", text).verdict == "correct"
    with pytest.raises(HarnessError, match="other results after it was timed"):
        native_judge.time(task, "x86_64", text)


def test_inputs_that_cannot_be_varied_are_new_for_each_sample(
    native_judge: Judge, native: Toolchain, make_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole numbers stay as they were drawn, so each call of a process gets others: a remembered answer is wrong."""
    task = make_task("letters", COUNT_C, "observe: [result]\ninputs:\n  text: {range: [32, 126]}\n")
    plan = native.plan(task)
    assert not plan.varied
    assert plan.digestible
    inner = native.compile_source("clang", "O3", task.c_path).replace("letters", "inner").replace("\t.globl\tinner", "")
    memory = "    .local seen\n    .comm seen, 8, 8\n    .local answer\n    .comm answer, 8, 8\n"
    text = (
        f"{inner}\n    .text\n    .globl letters\nletters:\n    cmpq $0, {FIELDS['reps']}\n    je inner\n"
        "    incq seen\n    cmpq $9, seen\n    jb 1f\n    movl answer, %eax\n    ret\n1:  subq $8, %rsp\n"
        f"    call inner\n    addq $8, %rsp\n    movl %eax, answer\n    ret\n{memory}"
    )
    assert native_judge.judge(task, "x86_64", text).verdict == "correct"
    with pytest.raises(HarnessError, match="other results after it was timed"):
        native_judge.time(task, "x86_64", text)
    seen: list[int] = []
    real = Guest.time
    monkeypatch.setattr(Guest, "time", lambda self, **s: (seen.append(s["reps"]), real(self, **s))[1])
    assert native_judge.time(task, "x86_64", native.compile_source("clang", "O2", task.c_path)).outcome
    assert set(seen) == {1}


def test_outputs_learnt_by_heart_are_refused(native_judge: Judge, native: Toolchain, make_task: MakeTask) -> None:
    """A candidate that repeats its last results without looking at its inputs is found out by other inputs."""
    task = make_task("sum", SUM_C, "observe: [result]\n")
    honest = native.compile_source("clang", "O3", task.c_path)
    inner = honest.replace("sum", "inner").replace("\t.globl\tinner", "")
    text = inner + (
        "\n    .text\n    .globl sum\nsum:\n    incq calls\n"
        "    cmpq $300, calls\n    ja 1f\n    subq $8, %rsp\n    call inner\n"
        "    addq $8, %rsp\n    movsd %xmm0, last\n    ret\n1:  movsd last, %xmm0\n    ret\n"
        "    .local calls\n    .comm calls, 8, 8\n    .local last\n    .comm last, 8, 8\n"
    )
    assert native_judge.judge(task, "x86_64", text).verdict == "correct"
    with pytest.raises(HarnessError, match="other results after it was timed"):
        native_judge.time(task, "x86_64", text)


def test_forged_clock_fields_change_nothing(native_judge: Judge, smooth: Task, honest: str) -> None:
    """Writing to the control block's timing fields does not make a candidate look faster."""
    fields = "\n".join(
        f"    movq ${value}, {CONTROL_ADDR + getattr(Control, name).offset}"
        for name, value in {"overhead_ticks": 1000000, "clock_ns": 1, "clock_ticks": 1000000000, "reps": 1}.items()
    )
    waste = "    movl $20000, %eax\n1:  decl %eax\n    jne 1b\n"
    assert native_judge.time(smooth, "x86_64", wrapped(honest, waste + fields)).outcome == "slower"


def test_crash_while_timed_is_refused(native_judge: Judge, smooth: Task, honest: str) -> None:
    """A candidate that crashes after many calls gives an error that says so, and no time."""
    text = wrapped(honest, "    incq calls\n    cmpq $300, calls\n    jbe 1f\n    ud2\n1:")
    with pytest.raises(HarnessError, match="ended with fault"):
        native_judge.time(smooth, "x86_64", text)


def test_kernels_with_mocks_can_be_timed(native: Toolchain, native_judge: Judge, make_task: MakeTask) -> None:
    """Calls to mocks during timing do not make the check afterwards fail."""
    c = "extern int v[32];\nextern int ask(int);\nvoid poll(void)\n{\n    for (int i = 0; i < 32; i++)\n" \
        "        v[i] += ask(v[i]);\n}\n"  # fmt: skip
    task = make_task("poll", c, "observe: [v]\nexternals:\n  ask: {kind: mock, returns: 3}\n")
    result = native_judge.time(task, "x86_64", native.compile_source("clang", "O2", task.c_path))
    assert result.candidate_ns


def test_folders_are_removed(
    native_judge: Judge, smooth: Task, honest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timing leaves no work folder behind, even when it raises."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setattr("pytest_neucomback.judge.new_work_folder", lambda: folder)
    with pytest.raises(HarnessError, match="did not build again"):
        native_judge.time(smooth, "x86_64", "garbage")
    assert not folder.exists()


# --- what runs in the candidate's process is not to be believed ----------------------------------------------------


def driver_address(native: Toolchain, task: Task, text: str, symbol: str, folder: Path) -> int:
    """Where a variable of the driver lies in the program that a candidate is linked into."""
    build = native.build_candidate(task, text, folder)
    assert isinstance(build, Build)
    with build.path.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        return int(next(s["st_value"] for s in table.iter_symbols() if s.name == symbol))


WASTE = "    movl $20000, %eax\n1:  decl %eax\n    jne 1b\n"


def test_forged_start_of_the_clock_is_noticed(
    native: Toolchain, native_judge: Judge, smooth: Task, honest: str, tmp_path: Path
) -> None:
    """A candidate that moves the start of the driver's clock forward, where the driver keeps it, gets no time.

    The driver's stack pointer, among the registers that the trampoline saves, leads to it.
    """

    def forger(saved: int) -> str:
        # clang keeps the two halves of a time stamp apart; the lower one stands in the driver's frame
        return wrapped(
            honest,
            f"    rdtsc\n    movl %eax, %r10d\n{WASTE}    rdtsc\n    movl %eax, %edi\n    subl %r10d, %edi\n"
            f"    leal -0x4000(%r10), %esi\n    movq {saved:#010x}, %r8\n    leaq 256(%r8), %r9\n"
            "2:  movl (%r8), %edx\n    subl %esi, %edx\n    cmpl $0x4000, %edx\n    jae 3f\n    addl %edi, (%r8)\n"
            "3:  addq $4, %r8\n    cmpq %r9, %r8\n    jb 2b\n",
        )

    address = driver_address(native, smooth, forger(0x500000), "nc_saved", tmp_path)
    text = forger(address)
    assert driver_address(native, smooth, text, "nc_saved", tmp_path) == address
    assert native_judge.judge(smooth, "x86_64", text).verdict == "correct"
    try:
        timing = native_judge.time(smooth, "x86_64", text)
    except HarnessError as error:
        assert re.search("by the kernel's count|the driver says|other results|ended with", str(error))  # noqa: PT017
    else:  # another compiler may keep it elsewhere
        assert timing.outcome == "slower"


MEMORY = """
    .local known
    .comm known, 8, 8
    .local keys
    .comm keys, 8192, 16
    .local answers
    .comm answers, 8192, 16
"""


def test_remembered_answers_do_not_fit(native_judge: Judge, smooth: Task, honest: str) -> None:
    """A candidate that repeats its last answer when a few inputs look the same is wrong: no two calls are the same."""
    look = (
        "    movq x, %rax\n    cmpq %rax, keys\n    jne 1f\n    movq x+7992, %rax\n    cmpq %rax, keys+8\n    jne 1f\n"
        "    movl $y, %edi\n    movl $answers, %esi\n    movl $8000, %ecx\n    rep movsb\n    ret\n"
        "1:  movq x, %rax\n    movq %rax, keys\n    movq x+7992, %rax\n    movq %rax, keys+8\n    subq $8, %rsp\n"
        "    call inner\n    addq $8, %rsp\n    movl $answers, %edi\n    movl $y, %esi\n    movl $8000, %ecx\n"
        "    rep movsb\n    ret\n"
    )
    text = wrapped(honest, look) + MEMORY
    assert native_judge.judge(smooth, "x86_64", text).verdict == "correct"
    with pytest.raises(HarnessError, match="other results after it was timed"):
        native_judge.time(smooth, "x86_64", text)


def test_outputs_that_are_still_there_do_not_count(native_judge: Judge, smooth: Task, honest: str) -> None:
    """A candidate that switches restoring off in the shared memory and returns early finds its outputs gone."""
    fields = "".join(
        f"    movl $0, {CONTROL_ADDR + getattr(Control, name).offset}\n" for name in ("n_regions", "restore", "seed")
    )
    text = wrapped(honest, fields + "    incq calls\n    cmpq $60, calls\n    jbe 1f\n    ret\n1:")
    with pytest.raises(HarnessError, match="other results after it was timed"):
        native_judge.time(smooth, "x86_64", text)


def test_claimed_time_must_fit_the_parents_clock(
    native_judge: Judge, smooth: Task, honest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a batch says that calls took a tenth of what they took, timing ends with an error that says so."""
    real = Guest.time

    def forged(self: Guest, **settings: int | float | bool) -> Batch:
        batch = real(self, **settings)  # type: ignore[arg-type]
        if not self.build.path.name.startswith("ours"):
            return batch
        return dataclasses.replace(batch, ticks=tuple(t / 10 for t in batch.ticks))

    monkeypatch.setattr(Guest, "time", forged)
    with pytest.raises(HarnessError, match="by the kernel's count"):
        native_judge.time(smooth, "x86_64", wrapped(honest, WASTE))


@pytest.mark.parametrize("liars", ["all", "half"])
def test_forged_times_are_nobodys_gain(
    liars: str, native_judge: Judge, smooth: Task, honest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in only some of the launches either."""
    real = Guest.time

    def forged(self: Guest, **settings: int | float | bool) -> Batch:
        batch = real(self, **settings)  # type: ignore[arg-type]
        name = self.build.path.name
        if not name.startswith("ours") or (liars == "half" and int(name.partition("-")[2]) % 2):
            return batch
        return dataclasses.replace(batch, ticks=tuple(t / 10 for t in batch.ticks))

    monkeypatch.setattr(Guest, "time", forged)
    try:
        outcome = native_judge.time(smooth, "x86_64", wrapped(honest, WASTE)).outcome
    except HarnessError as error:
        assert "by the kernel's count" in str(error)  # noqa: PT017
    else:
        assert liars == "half"
        assert outcome != "faster"


def test_forged_clock_is_noticed(native: Toolchain, smooth: Task, honest: str, tmp_path: Path) -> None:
    """A driver's clock that differs from the parent's ends the batch."""
    build = native.build_candidate(smooth, honest, tmp_path)
    assert isinstance(build, Build)
    with Objects(build.plan) as objects, Guest(build, emulator=(), sandbox=True, cpu_s=60, timed=objects) as guest:
        guest.load(draw(build.plan, "fixed:0"))
        assert guest.time(reps=400, limit_s=10).ns_per_tick > 0
        guest.load(draw(build.plan, "fixed:0"))
        real = guest._command_byte

        def slow(byte: bytes, limit_s: float) -> CallResult:
            return dataclasses.replace(real(byte, limit_s), wall_s=30.0)

        guest._command_byte = slow  # type: ignore[method-assign]
        with pytest.raises(HarnessError, match="the driver says"):
            guest.time(reps=400, limit_s=10)


def test_nothing_is_left_for_the_other_side(native: Toolchain, smooth: Task, honest: str, tmp_path: Path) -> None:
    """Two programs share the objects: after a turn they hold the inputs again, and the parent has what was computed."""
    build = native.build_candidate(smooth, honest, tmp_path)
    assert isinstance(build, Build)
    vector = draw(build.plan, "fixed:0")
    with Objects(build.plan) as objects, Guest(build, emulator=(), sandbox=True, cpu_s=60, timed=objects) as guest:
        guest.load(vector)
        inputs = {name: memory.copy() for name, memory in objects.live.items()}
        assert guest.call(10).status == "done"
        assert (guest.memory["y"] != inputs["y"]).any()
        assert (objects.live["y"] == inputs["y"]).all()
        guest.time(reps=3, limit_s=10, seed=5)
        assert (objects.live["y"] == inputs["y"]).all()
        assert guest.idle_cpu_ns() < 1e6


def test_objects_move_to_other_pages(native: Toolchain, smooth: Task, honest: str, tmp_path: Path) -> None:
    """With what they hold, and for programs that have them mapped."""
    build = native.build_candidate(smooth, honest, tmp_path)
    assert isinstance(build, Build)
    with Objects(build.plan) as objects, Guest(build, emulator=(), sandbox=True, cpu_s=60, timed=objects) as guest:
        guest.load(draw(build.plan, "fixed:0"))
        inputs = {name: memory.copy() for name, memory in objects.live.items()}
        rng = random.Random(14)
        digests, frames = set(), set()
        for _ in range(20):
            objects.renew(rng)
            assert all((objects.live[name] == held).all() for name, held in inputs.items())
            digests.add(guest.time(reps=2, limit_s=10, seed=5).digest)
            frames.add(tuple(_frames(objects.live["x"])))
    assert len(digests) == 1
    assert len(frames) > 1 or frames == {(0, 0)}  # only root is told


def _frames(memory: Bytes) -> list[int]:
    """Numbers of the page frames that memory lies in, or zeros."""
    with Path("/proc/self/pagemap").open("rb") as stream:
        stream.seek(memory.ctypes.data // PAGE * 8)
        words = struct.unpack(f"{memory.size // PAGE}Q", stream.read(memory.size // PAGE * 8))
    return [word & (1 << 55) - 1 for word in words]


def test_running_in_the_others_turn_is_noticed(
    native: Toolchain, native_judge: Judge, smooth: Task, honest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A candidate that answers for the driver and goes on running, to slow the reference down or to read from it."""

    def spinner(sealed: int) -> str:
        return wrapped(
            honest,
            f"    movl {sealed + 4:#x}, %edi\n    subq $8, %rsp\n    movb $68, (%rsp)\n    movq %rsp, %rsi\n"
            "    movl $1, %edx\n    movl $1, %eax\n    syscall\n1:  jmp 1b\n",
        )

    address = driver_address(native, smooth, spinner(0x500000), "nc_sealed", tmp_path)
    build = native.build_candidate(smooth, spinner(address), tmp_path)
    assert isinstance(build, Build)
    with Objects(build.plan) as objects, Guest(build, emulator=(), sandbox=True, cpu_s=60, timed=objects) as guest:
        guest.load(draw(build.plan, "fixed:0"))
        assert guest.call(10).status == "done"
        end = time.monotonic() + 20
        while guest.idle_cpu_ns() < 2 * timing.IDLE_SLACK_NS and time.monotonic() < end:
            time.sleep(0.01)
        assert guest.idle_cpu_ns() >= 2 * timing.IDLE_SLACK_NS
    monkeypatch.setattr(Guest, "idle_cpu_ns", lambda self: 2e6 * self.build.path.name.startswith("ours"))
    with pytest.raises(HarnessError, match="went on running while it was the reference's turn"):
        native_judge.time(smooth, "x86_64", honest)


def test_every_launch_has_inputs_of_its_own(native: Toolchain, smooth: Task) -> None:
    """The vectors that launches are timed on differ, and have the sizes and choices of the first fixed one."""
    plan = native.plan(smooth)
    drawn = [draw(plan, f"timed:7:{i}") for i in range(4)] + [draw(plan, "fixed:0"), draw(plan, "timed:8:0")]
    assert len({v.objects["x"].tobytes() for v in drawn}) == len(drawn)
    assert len({v.label for v in drawn}) == 1


# --- where code lies, and other references ---------------------------------------------------------------------------


def test_each_launch_has_its_code_elsewhere(native: Toolchain, smooth: Task, honest: str, tmp_path: Path) -> None:
    """Places decide where in a page the function begins, and whether the harness comes before it."""
    build = native.build_candidate(smooth, honest, tmp_path)
    assert isinstance(build, Build)
    places = [Placement(0, False), Placement(16 * 5, False), Placement(16 * 200, True)]
    placed = native.placed(build, tmp_path, "ours", places) + native.placed(build, tmp_path, "ours", places[:1])
    assert len({b.path for b in placed}) == 4
    at, behind = ([_address(b.path, name) for b in placed] for name in ("smooth", "nc_call"))
    assert (at[1] - at[0]) % 4096 == 80
    assert at[3] == at[0]
    assert [a > b for a, b in zip(at, behind, strict=True)] == [False, False, True, False]


def _address(path: Path, name: str) -> int:
    with path.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        return next((int(s["st_value"]) for s in table.iter_symbols() if s.name == name), 0)


def test_two_candidates_against_each_other(native: Toolchain, native_judge: Judge, smooth: Task, honest: str) -> None:
    """What decides whether an optimisation replaces a candidate is the same test, with the candidate as reference."""
    slow = wrapped(honest, WASTE)
    assert native_judge.time(smooth, "x86_64", honest, against=slow).outcome == "faster"
    assert native_judge.time(smooth, "x86_64", slow, against=honest).outcome == "slower"
    with pytest.raises(HarnessError, match="did not build again"):
        native_judge.time(smooth, "x86_64", honest, against="garbage")


def test_the_best_reference_is_found_once(
    native: Toolchain, smooth: Task, honest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`best` is the fastest of several builds of the task, remembered beside the builds."""
    monkeypatch.setattr("pytest_neucomback.judge.BEST_OF", ("clang-O0", "clang-O3"))
    judge = Judge(JudgeSettings(7, 4, reference="best"), {"x86_64": native})
    path = native.best_reference_path(smooth)
    path.unlink(missing_ok=True)
    assert judge.time(smooth, "x86_64", honest).reference == "clang-O3"
    assert path.read_text() == "clang-O3"
    path.write_text("clang-O0")
    result = judge.time(smooth, "x86_64", honest)
    assert (result.reference, result.outcome) == ("clang-O0", "faster")
    path.unlink()


def test_a_measurement_says_what_it_was_against(native_judge: Judge, smooth: Task, honest: str) -> None:
    result = native_judge.time(smooth, "x86_64", honest)
    assert result.reference == result.as_json()["reference"] == "clang-O3"
    assert result.launches == result.as_json()["launches"] in timing.LOOKS
    if result.instructions is None:
        pytest.skip("nothing here counts instructions")
    assert 0 < len(result.hot_lines) <= 8
    assert sum(executed for _, executed in result.hot_lines) <= result.instructions
    assert any(word in honest.split("\n")[result.hot_lines[0][0] - 1] for word in ("add", "mov", "mul", "cmp"))


def test_doctor_times_the_same_code(native: Toolchain, smooth: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """The A/A test counts its false answers and says what effect it would see."""
    monkeypatch.setattr(timing_check, "LOOPS", 1)
    found = check_timing(native, [smooth], seconds=0.01)
    assert [m.task for m in found.measurements] == [smooth.id]
    assert found.measurements[0].visible >= 0.01
    text = found.text()
    assert "1 measurements of the same code" in text
    assert "called faster" in text
    assert "smallest effect" in text
    assert found.as_json()["measurements"][0]["outcome"] == found.measurements[0].outcome
