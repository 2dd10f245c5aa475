"""From assembly to verdict: build, run the two stages of vectors, compare. One ``Judge`` per process.

Golden results are kept for the tasks judged last, so that several models on one task pay for them once.
"""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from elftools.dwarf.lineprogram import LineProgram
from elftools.elf.elffile import ELFFile

from . import oracle
from .errors import HarnessError, JudgingTimeout
from .inputs import Vector, draw, fixed_count, fresh_specs
from .locks import machine_lock
from .oracle import FloatRule, Snapshot
from .runner import CallResult, Guest
from .tasks import Task
from .timing import TimingSettings, measure
from .toolchain import Build, BuildFailure, Plan, Toolchain, new_work_folder
from .types import Judgement, Outcome, Timing, Verdict

GOLDEN_BUDGET_S = 2.0
"""Golden time for all vectors of a task and arch; each stage gets half."""
MIN_FIXED_VECTORS, MIN_FRESH_VECTORS = 2, 1
GOLDEN_LIMIT_S = 120.0
LIMIT_FACTOR, LIMIT_FLOOR_S = 10.0, 3.0
"""A candidate's call may take this many times the golden call's wall time, plus the floor (a busy machine)."""
BOOK_BYTES = 384 << 20
"""Golden results kept per process."""


@dataclass(frozen=True)
class JudgeSettings:
    """What a verdict depends on besides task and candidate."""

    seed: int
    fresh_vectors: int
    fp: str = "exact"
    sandbox: bool = True
    reference: str = "clang-O3"
    timing: TimingSettings = field(default_factory=TimingSettings)


@dataclass(frozen=True)
class _Expected:
    vector: Vector
    snapshot: Snapshot
    golden_s: float

    def size_bytes(self) -> int:
        # inputs and outputs of the same objects
        return 2 * sum(o.size for o in self.snapshot.objects.values())


class _GoldenBook:
    """Expected results of one task on one arch, made on demand by the golden build."""

    def __init__(self, plan: Plan, build: Build, emulator: str | None, sandbox: bool) -> None:
        self.plan, self._build, self._emulator, self._sandbox = plan, build, emulator, sandbox
        self._known: dict[str, _Expected] = {}
        self.bytes = 0
        self.lock = threading.Lock()

    def expected(
        self, specs: Sequence[str], *, budget_s: float, at_least: int, deadline: float | None
    ) -> list[_Expected]:
        """Results for the first of ``specs`` that fit into ``budget_s`` of golden time, at least ``at_least``."""
        with self.lock:
            answers: list[_Expected] = []
            spent = 0.0
            guest: Guest | None = None
            try:
                for spec in specs:
                    if len(answers) >= at_least and spent >= budget_s:
                        break
                    if spec not in self._known:
                        if guest is None:
                            guest = Guest(
                                self._build, emulator=self._emulator, sandbox=self._sandbox, cpu_s=10 * GOLDEN_LIMIT_S
                            ).__enter__()
                        self._known[spec] = self._run(guest, spec, deadline)
                        self.bytes += self._known[spec].size_bytes()
                    answers.append(self._known[spec])
                    spent += answers[-1].golden_s
            finally:
                if guest is not None:
                    guest.__exit__(None, None, None)
            return answers

    def _run(self, guest: Guest, spec: str, deadline: float | None) -> _Expected:
        vector = draw(self.plan, spec)
        guest.load(vector)
        limit = GOLDEN_LIMIT_S if deadline is None else max(0.01, min(GOLDEN_LIMIT_S, deadline - time.monotonic()))
        result = guest.call(limit)
        if result.status == "timeout" and limit < GOLDEN_LIMIT_S:
            raise JudgingTimeout(f"the golden build of {self.plan.task.id} was still running")
        if result.status != "done":
            what = f"signal {guest.control.signal}" if result.status == "fault" else result.status
            raise HarnessError(
                f"the golden build of {self.plan.task.yaml_path} ended with {what} on {vector.label} ({spec}); "
                "its inputs or its C are wrong"
            )
        problems = [] if guest.control.unwound else oracle.abi_problems(self.plan, guest.control, vector)
        if problems:
            raise HarnessError(f"the golden build of {self.plan.task.id} broke the ABI: {problems[0]}")
        return _Expected(vector, oracle.take_snapshot(guest), result.wall_s)


class Judge:
    """Judges and times candidates. Thread-safe."""

    def __init__(self, settings: JudgeSettings, toolchains: dict[str, Toolchain]) -> None:
        rule = FloatRule.parse(settings.fp)
        assert rule is not None, "options checked it"
        self.settings, self.toolchains, self._rule = settings, toolchains, rule
        self._books: OrderedDict[tuple[str, str, str], _GoldenBook] = OrderedDict()
        self._lock = threading.Lock()

    def judge(
        self, task: Task, arch: str, assembly: str, *, regressions: Sequence[str] = (), timeout_s: float | None = None
    ) -> Judgement:
        """The verdict on a candidate.

        ``regressions`` are vectors of earlier runs on which this very candidate failed; they are tried again.
        ``timeout_s`` bounds the whole judging, in seconds; past it the verdict is ``unjudged``. Never raises for what
        a candidate does; ConfigError for a task that cannot be used.
        """
        start = time.monotonic()
        deadline = None if not timeout_s else start + timeout_s
        folder = new_work_folder()
        try:
            with machine_lock.shared():
                verdict, code_bytes = self._judge(task, arch, assembly, regressions, deadline, folder)
        except JudgingTimeout as error:
            detail = f"judging took longer than --timeout={timeout_s:g} s: {error}"
            verdict, code_bytes = Verdict(Outcome.UNJUDGED, detail), None
        except HarnessError as error:
            verdict, code_bytes = Verdict(Outcome.UNJUDGED, str(error)), None
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return Judgement(verdict, code_bytes, time.monotonic() - start)

    def _judge(
        self, task: Task, arch: str, assembly: str, regressions: Sequence[str], deadline: float | None, folder: Path
    ) -> tuple[Verdict, int | None]:
        toolchain = self.toolchains[arch]
        left = None if deadline is None else max(deadline - time.monotonic(), 0.1)
        build = toolchain.build_candidate(task, assembly, folder, timeout_s=left)
        if deadline is not None and time.monotonic() >= deadline:
            raise JudgingTimeout("the candidate was being built")
        if isinstance(build, BuildFailure):
            outcome = Outcome.FORBIDDEN if build.forbidden else Outcome.BUILD_FAILED
            return Verdict(outcome, build.diagnostic.splitlines()[0][:300], build.diagnostic), None
        book = self._book(task, arch)
        count = fixed_count(build.plan)
        fixed = [f"fixed:{i}" for i in range(count)]
        stages = [
            (fixed, GOLDEN_BUDGET_S / 2, MIN_FIXED_VECTORS),
            (list(regressions), float("inf"), 0),
            (fresh_specs(self.settings.seed, self.settings.fresh_vectors), GOLDEN_BUDGET_S / 2, MIN_FRESH_VECTORS),
        ]
        ran = {"fixed": 0, "fresh": 0}
        golden_s = 0.0
        with Guest(build, emulator=toolchain.emulator, sandbox=self.settings.sandbox, cpu_s=600) as guest:
            for specs, budget, at_least in stages:
                for expected in book.expected(
                    specs, budget_s=budget, at_least=min(at_least, len(specs)), deadline=deadline
                ):
                    failure = self._try(build, guest, expected, assembly, deadline)
                    stage = expected.vector.spec.partition(":")[0]
                    ran[stage] += 1
                    golden_s += expected.golden_s
                    if failure:
                        return _with_counts(failure, ran, golden_s, expected.vector.spec), build.code_bytes
        return _with_counts(Verdict(Outcome.CORRECT), ran, golden_s, ""), build.code_bytes

    def _try(
        self, build: Build, guest: Guest, expected: _Expected, assembly: str, deadline: float | None
    ) -> Verdict | None:
        limit = LIMIT_FACTOR * expected.golden_s + LIMIT_FLOOR_S
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise JudgingTimeout("not all vectors had run")
            limit = min(limit, left)
        guest.load(expected.vector)
        result = guest.call(limit)
        if result.status == "timeout" and deadline is not None and time.monotonic() >= deadline:
            raise JudgingTimeout("the candidate was still running")
        if result.status == "done":
            return oracle.compare(build.plan, expected.vector, expected.snapshot, guest, self._rule)
        return _ended(build, guest, expected, result, assembly, limit)

    def _book(self, task: Task, arch: str) -> _GoldenBook:
        with self._lock:
            key = (task.id, task.digest(), arch)
            if key not in self._books:
                toolchain = self.toolchains[arch]
                build = toolchain.golden(task)
                self._books[key] = _GoldenBook(build.plan, build, toolchain.emulator, self.settings.sandbox)
            self._books.move_to_end(key)
            while len(self._books) > 1 and sum(b.bytes for b in self._books.values()) > BOOK_BYTES:
                self._books.popitem(last=False)
            return self._books[key]

    def time(self, task: Task, arch: str, assembly: str) -> Timing:
        """Candidate against reference, alone on the machine. Raises HarnessError when the machinery fails."""
        toolchain = self.toolchains[arch]
        if toolchain.emulator is not None:
            return Timing(False, None, None, None, None, None, note=f"{arch} is emulated here; its time says nothing")
        folder = new_work_folder()
        try:
            # Held once around everything: a thread that waits for the machine must not hold what judging threads need.
            with machine_lock.shared():
                build = toolchain.build_candidate(task, assembly, folder)
                if isinstance(build, BuildFailure):
                    raise HarnessError(f"a correct candidate did not build again: {build.diagnostic}")
                reference = toolchain.reference(task, self.settings.reference)
                book = self._book(task, arch)
                timed, other = book.expected(["fixed:0", "fixed:1"], budget_s=1, at_least=2, deadline=None)
            vector, plan = timed.vector, build.plan
            mocks = any(e.get("kind") == "mock" for e in task.externals.values())

            def still_right(guest: Guest) -> bool:
                # What the last timed call left behind first (mocks have counted all calls and cannot be compared),
                # then other inputs than the timed ones: who learned those by heart has not computed anything.
                if not mocks and oracle.compare(plan, vector, timed.snapshot, guest, self._rule):
                    return False
                guest.load(other.vector)
                result = guest.call(LIMIT_FACTOR * other.golden_s + LIMIT_FLOOR_S)
                return result.status == "done" and not oracle.compare(
                    plan, other.vector, other.snapshot, guest, self._rule
                )

            with machine_lock.exclusive():
                return measure(
                    build,
                    reference,
                    vector,
                    sandbox=self.settings.sandbox,
                    settings=self.settings.timing,
                    check=still_right,
                )
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _with_counts(verdict: Verdict, ran: dict[str, int], golden_s: float, spec: str) -> Verdict:
    return Verdict(
        verdict.outcome,
        verdict.detail,
        verdict.diagnostic,
        fixed_vectors=ran["fixed"],
        fresh_vectors=ran["fresh"],
        failing_vector=spec if spec.startswith("fresh") else "",
        golden_s=golden_s,
    )


def _ended(
    build: Build, guest: Guest, expected: _Expected, result: CallResult, assembly: str, limit_s: float
) -> Verdict:
    """The verdict on a call that did not return."""
    vector = expected.vector
    if result.status == "timeout":
        detail = f"still running after {limit_s:.1f} s; the golden build took {expected.golden_s:.2g} s"
        # the text for the model names no measured time: it has to be the same each run
        text = f"With input {vector.label}:\n  the function did not return within the time limit (endless loop?)"
        return Verdict(Outcome.TIMED_OUT, detail, text)
    if result.status == "fault":
        pc_name = _pc_name(build.plan)
        pc = guest.control.fault_regs[build.plan.arch.crash_registers.index(pc_name)]
        if guest.control.signal == signal.SIGSYS or (guest.control.signal == signal.SIGTRAP and pc_name == "%rip"):
            pc -= 1  # these leave the program counter behind the instruction
        line, inside = _line_of(build, pc)
        return oracle.fault_verdict(
            build.plan, guest.control, vector, line=line, assembly=assembly, in_candidate=inside
        )
    status = result.exit_status or 0
    if status == 128 + 31 or status == -31:
        return Verdict(Outcome.FORBIDDEN, "made a system call", f"With input {vector.label}:\n  made a system call")
    if status > 128 or status < 0:
        number = status - 128 if status > 128 else -status
        detail = f"the process died of signal {number}"
        return Verdict(Outcome.CRASHED, detail, f"With input {vector.label}:\n  {detail}")
    detail = f"ended the process (exit status {status}) instead of returning"
    return Verdict(Outcome.FORBIDDEN, detail, f"With input {vector.label}:\n  {detail}")


def _pc_name(plan: Plan) -> str:
    return "%rip" if "%rip" in plan.arch.crash_registers else "pc"


def _line_of(build: Build, pc: int) -> tuple[int | None, bool]:
    """Line of the candidate's assembly at an address, from the assembler's line table; and whether it is its code.

    A candidate with line directives of its own (``.loc``) names lines of some other file; those are no use here.
    """
    with build.path.open("rb") as stream:
        elf = ELFFile(stream)
        if not elf.has_dwarf_info():
            return None, False
        for unit in elf.get_dwarf_info().iter_CUs():
            program = elf.get_dwarf_info().line_program_for_CU(unit)
            if program is None:
                continue
            before = None
            for entry in program.get_entries():
                state = entry.state
                if state is None:
                    continue
                if before is not None and before.address <= pc < state.address:
                    return (before.line if _is_candidate(program, before.file) else None), True
                before = None if state.end_sequence else state
    return None, False


def _is_candidate(program: LineProgram, file: int) -> bool:
    # Entries count from 0 since DWARF 5, from 1 before.
    files = program["file_entry"]
    index = file if program["version"] >= 5 else file - 1
    return 0 <= index < len(files) and Path(files[index].name.decode(errors="replace")).name == "candidate.s"
