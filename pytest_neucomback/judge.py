"""From assembly to verdict: build, run the two stages of vectors, compare. One ``Judge`` per process.

Golden results are kept for the tasks judged last, so that several models on one task pay for them once.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import shutil
import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from . import crashes, isa, oracle, shrink
from .arches import host_arch
from .atomic import save_text
from .costs import CostBook
from .errors import HarnessError, JudgingTimeout, ToolMissing
from .inputs import Vector, draw, fixed_count
from .lines import LineTable
from .locks import machine_lock
from .options import BEST, BEST_OF
from .oracle import Findings, FloatRule, Snapshot
from .runner import CallResult, Guest
from .tasks import Task
from .timing import FRESH_VECTORS, LOOKS, Checks, TimingSettings, measure
from .toolchain import Build, BuildFailure, Placement, Plan, Toolchain, beyond_text, new_work_folder
from .types import Judgement, Outcome, Timing, Verdict
from .undefined import DefinedInputs

GOLDEN_BUDGET_S = 2.0
"""Golden time for all vectors of a task and arch; each stage gets half."""
MIN_FIXED_VECTORS, MIN_FRESH_VECTORS = 2, 1
GOLDEN_LIMIT_S = 120.0
LIMIT_FACTOR, LIMIT_FLOOR_S = 10.0, 3.0
"""A candidate's call may take this many times the golden call's wall time, plus the floor (a busy machine)."""
COUNTED_VECTORS = 4
"""Fixed vectors on which executed instructions are counted, one call for each."""
UNSEEN = 1_000_000
"""Number of the fresh vector that is tried after timing."""
BOOK_BYTES = 384 << 20
"""Golden results kept per process."""
SHRINK_S = 0.3
"""CPU seconds of this process spent on a simpler failing input; a fraction of it is usual."""
SHRINK_TRIALS = ((0.003, shrink.MAX_TRIALS), (0.03, 6))
"""Tries for kernels whose golden call takes up to so many seconds; slower ones are quoted on the input as drawn. The
words of a diagnostic must not depend on how busy the machine is, so it is the fastest of a task's calls that counts,
and tries are counted rather than timed."""
MAX_DISCARDED = 3
"""Inputs drawn for each one wanted, at most, while inputs are discarded because the C is undefined on them."""


@dataclass(frozen=True)
class JudgeSettings:
    """What a verdict depends on besides task and candidate."""

    seed: int
    fresh_vectors: int
    fp: str = "exact"
    sandbox: bool = True
    reference: str = "clang-O3"
    timing: TimingSettings = field(default_factory=TimingSettings)
    simplify: bool = True
    """Look for a simpler failing input; who only wants the word and not the diagnostic saves the time."""
    count: bool = True
    """Whether executed instructions are counted where a candidate is timed."""
    limit_floor_s: float | None = None
    """Instead of LIMIT_FLOOR_S."""


@dataclass(frozen=True)
class Failure:
    """A verdict other than correct, and what it was seen on."""

    verdict: Verdict
    vector: Vector | None
    """None when the candidate did not get to run."""
    golden_s: float = 0.0
    """Seconds the golden build needs on it."""


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

    def __init__(
        self, plan: Plan, build: Build, emulator: Sequence[str], sandbox: bool, defined: DefinedInputs
    ) -> None:
        self.plan, self._build, self._emulator, self._sandbox = plan, build, emulator, sandbox
        self._defined = defined
        self._known: dict[str, _Expected | None] = {}
        self.bytes = 0
        self.lock = threading.Lock()

    def expected(
        self, specs: Sequence[str], *, budget_s: float, at_least: int, deadline: float | None
    ) -> list[_Expected]:
        """Like ``drawn`` for all of ``specs``."""
        return self.drawn(specs, len(specs), budget_s=budget_s, at_least=at_least, deadline=deadline)[0]

    def drawn(
        self, specs: Iterable[str], count: int, *, budget_s: float, at_least: int, deadline: float | None
    ) -> tuple[list[_Expected], int]:
        """Results for the first ``count`` of ``specs`` on which the C is defined, and how many were discarded.

        Stops early when ``budget_s`` of golden time is spent, but not below ``at_least``.
        """
        answers: list[_Expected] = []
        discarded = 0
        spent = 0.0
        with self.lock, self._session() as run:
            for spec in specs:
                if len(answers) >= count or (len(answers) >= at_least and spent >= budget_s):
                    break
                if spec not in self._known:
                    found = self._known[spec] = run(spec, deadline)
                    self.bytes += found.size_bytes() if found else 0
                known = self._known[spec]
                if known is None:
                    discarded += 1
                    continue
                answers.append(known)
                spent += known.golden_s
        if not answers and at_least:
            raise HarnessError(
                f"{self.plan.task.yaml_path}: the C is undefined on all {discarded} inputs drawn "
                f"({self._defined.why or 'it crashes'}); its inputs or its C are wrong"
            )
        return answers, discarded

    def defined(self, specs: Iterable[str], count: int) -> list[Vector]:
        """The first ``count`` of ``specs`` on which the C is defined; the golden build is not run."""
        with self._defined.checking() as is_defined:
            vectors = (vector for spec in specs if is_defined(vector := draw(self.plan, spec)))
            return list(itertools.islice(vectors, count))

    @contextlib.contextmanager
    def trials(self) -> Iterator[Callable[[Vector], _Expected | None]]:
        """A function that gives what the golden build makes of any input, None where it is undefined."""
        with self.golden() as guest, self._defined.checking() as is_defined:

            def run(vector: Vector) -> _Expected | None:
                if not guest.alive or not is_defined(vector):
                    return None
                return self._expected(guest, vector, None)

            yield run

    @contextlib.contextmanager
    def _session(self) -> Iterator[Callable[[str, float | None], _Expected | None]]:
        """A function that draws a vector and runs the golden build on it; processes start when first needed."""
        with contextlib.ExitStack() as stack:
            guest: Guest | None = None
            is_defined: Callable[[Vector], bool] | None = None

            def run(spec: str, deadline: float | None) -> _Expected | None:
                nonlocal guest, is_defined
                if is_defined is None:
                    is_defined = stack.enter_context(self._defined.checking())
                vector = draw(self.plan, spec)
                if not is_defined(vector):
                    return None
                if guest is None or not guest.alive:
                    guest = stack.enter_context(self.golden())
                return self._expected(guest, vector, deadline)

            yield run

    def trials_affordable(self) -> int:
        """How many simpler inputs to try on this task."""
        fastest = min((e.golden_s for s, e in self._known.items() if e and s.startswith("fixed:")), default=1.0)
        return next((trials for limit, trials in SHRINK_TRIALS if fastest <= limit), 0)

    def golden(self) -> Guest:
        """A process of the golden build, to be entered."""
        return Guest(self._build, emulator=self._emulator, sandbox=self._sandbox, cpu_s=10 * GOLDEN_LIMIT_S)

    def _expected(self, guest: Guest, vector: Vector, deadline: float | None) -> _Expected | None:
        guest.load(vector)
        limit = GOLDEN_LIMIT_S if deadline is None else max(0.01, min(GOLDEN_LIMIT_S, deadline - time.monotonic()))
        result = guest.call(limit)
        if result.status == "timeout" and limit < GOLDEN_LIMIT_S:
            raise JudgingTimeout(f"the golden build of {self.plan.task.id} was still running")
        if result.status == "fault" and guest.control.signal != signal.SIGSYS:
            return None  # an address error: undefined as well
        if result.status != "done":
            raise HarnessError(
                f"the golden build of {self.plan.task.yaml_path} ended with {result.status} on {vector.label} "
                f"({vector.spec}); its inputs or its C are wrong"
            )
        problems = [] if guest.control.unwound else oracle.abi_problems(self.plan, guest.control, vector)
        if problems:
            raise HarnessError(f"the golden build of {self.plan.task.id} broke the ABI: {problems[0]}")
        return _Expected(vector, oracle.take_snapshot(guest), result.wall_s)


@dataclass
class _Found:
    """What judging a candidate has come to."""

    verdict: Verdict
    code_bytes: int | None = None
    vector: Vector | None = None
    golden_s: float = 0.0
    discarded: int = 0


class Judge:
    """Judges and times candidates. Thread-safe."""

    def __init__(self, settings: JudgeSettings, toolchains: dict[str, Toolchain]) -> None:
        rule = FloatRule.parse(settings.fp)
        assert rule is not None, "options checked it"
        self.settings, self.toolchains, self._rule = settings, toolchains, rule
        self._books: OrderedDict[tuple[str, str, str], _GoldenBook] = OrderedDict()
        self._lock = threading.Lock()
        self._host_toolchain: list[Toolchain] | None = None
        self._costs = CostBook(sandbox=settings.sandbox)

    def judge(
        self, task: Task, arch: str, assembly: str, *, regressions: Sequence[str] = (), timeout_s: float | None = None
    ) -> Judgement:
        """The verdict on a candidate.

        ``regressions`` are vectors of earlier runs on which this very candidate failed; they are tried again.
        ``timeout_s`` bounds the whole judging, in seconds; past it the verdict is ``unjudged``. Never raises for what
        a candidate does; ConfigError for a task that cannot be used.
        """
        start = time.monotonic()
        found = self._safely(task, arch, assembly, regressions, timeout_s)
        return Judgement(found.verdict, found.code_bytes, time.monotonic() - start, found.discarded)

    def failure(self, task: Task, arch: str, assembly: str, *, regressions: Sequence[str] = ()) -> Failure:
        """Like ``judge``, with the very input that the verdict quotes."""
        found = self._safely(task, arch, assembly, regressions, None)
        return Failure(found.verdict, found.vector, found.golden_s)

    def _safely(
        self, task: Task, arch: str, assembly: str, regressions: Sequence[str], timeout_s: float | None
    ) -> _Found:
        deadline = None if not timeout_s else time.monotonic() + timeout_s
        folder = new_work_folder()
        try:
            with machine_lock.shared():
                return self._judge(task, arch, assembly, regressions, deadline, folder)
        except JudgingTimeout as error:
            detail = f"judging took longer than --timeout={timeout_s:g} s: {error}"
            return _Found(Verdict(Outcome.UNJUDGED, detail))
        except HarnessError as error:
            return _Found(Verdict(Outcome.UNJUDGED, str(error)))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _judge(
        self, task: Task, arch: str, assembly: str, regressions: Sequence[str], deadline: float | None, folder: Path
    ) -> _Found:
        toolchain = self.toolchains[arch]
        left = None if deadline is None else max(deadline - time.monotonic(), 0.1)
        build = toolchain.build_candidate(task, assembly, folder, timeout_s=left)
        if deadline is not None and time.monotonic() >= deadline:
            raise JudgingTimeout("the candidate was being built")
        if isinstance(build, BuildFailure):
            outcome = Outcome.FORBIDDEN if build.forbidden else Outcome.BUILD_FAILED
            return _Found(Verdict(outcome, build.diagnostic.splitlines()[0][:300], build.diagnostic))
        book = self._book(task, arch)
        fixed, fresh = fixed_count(build.plan), self.settings.fresh_vectors
        half = GOLDEN_BUDGET_S / 2
        stages: list[tuple[Sequence[str], int, float, int]] = [
            (_drawn("fixed:", fixed), fixed, half, min(MIN_FIXED_VECTORS, fixed)),
            (regressions, len(regressions), float("inf"), 0),
            (_drawn(f"fresh:{self.settings.seed}:", fresh), fresh, half, min(MIN_FRESH_VECTORS, fresh)),
        ]
        ran = {"fixed": 0, "fresh": 0}
        golden_s, discarded = 0.0, 0
        with Guest(build, emulator=toolchain.emulator, sandbox=self.settings.sandbox, cpu_s=600) as guest:
            for specs, count, budget, at_least in stages:
                vectors, undefined = book.drawn(specs, count, budget_s=budget, at_least=at_least, deadline=deadline)
                discarded += undefined
                for number, expected in enumerate(vectors):
                    failure = self._try(build, guest, expected, assembly, deadline)
                    stage = expected.vector.spec.partition(":")[0]
                    ran[stage] += 1
                    golden_s += expected.golden_s
                    if failure:
                        # Only vectors that are the same in every run may shape what is said.
                        others = vectors[number + 1 :] if stage == "fixed" else []
                        case = _Case(build, guest, book, assembly, expected, deadline)
                        verdict, vector = self._explain(case, failure, others)
                        verdict = _with_counts(verdict, ran, golden_s, expected.vector.spec)
                        return _Found(verdict, build.code_bytes, vector, expected.golden_s, discarded)
            verdict = Verdict(Outcome.CORRECT)
            if build.unread_code:
                verdict = self._hidden_code(build, toolchain, book, assembly, deadline) or verdict
        return _Found(_with_counts(verdict, ran, golden_s, ""), build.code_bytes, discarded=discarded)

    def _hidden_code(
        self, build: Build, toolchain: Toolchain, book: _GoldenBook, assembly: str, deadline: float | None
    ) -> Verdict | None:
        """Bytes between instructions are mostly data; an emulated processor of the ISA level faults when they run."""
        emulator = toolchain.level_emulator
        if not emulator:
            return None
        vectors, _ = book.drawn(_drawn("fixed:", 1), 1, budget_s=float("inf"), at_least=1, deadline=deadline)
        with Guest(build, emulator=emulator, sandbox=self.settings.sandbox, cpu_s=600) as guest:
            found = self._try(build, guest, vectors[0], assembly, deadline) if vectors else None
        return found if isinstance(found, Verdict) and found.outcome is Outcome.FORBIDDEN else None

    @property
    def _limit_floor_s(self) -> float:
        return LIMIT_FLOOR_S if self.settings.limit_floor_s is None else self.settings.limit_floor_s

    def _try(
        self, build: Build, guest: Guest, expected: _Expected, assembly: str, deadline: float | None
    ) -> Findings | Verdict | None:
        limit = LIMIT_FACTOR * expected.golden_s + self._limit_floor_s
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
            found = oracle.compare(build.plan, expected.vector, expected.snapshot, guest, self._rule)
            # Who allows another order of operations cannot ask for the same result where that overflows.
            forgiven = self._rule.ulps and found and found.only_floats
            return None if forgiven and not oracle.ordinary(build.plan, expected.vector) else found
        return _ended(build, guest, expected, result, assembly, limit)

    # --- what is said of a failure ------------------------------------------------------------------------------

    def _explain(self, case: _Case, failure: Findings | Verdict, others: Sequence[_Expected]) -> tuple[Verdict, Vector]:
        """The verdict on the simplest input at hand on which the candidate fails in the same way, and that input."""
        if isinstance(failure, Verdict):
            if self.settings.simplify and failure.outcome is Outcome.CRASHED:
                return self._simpler_crash(case, failure)
            return failure, case.expected.vector
        if failure.outcome is Outcome.WRONG_OUTPUT and self.settings.simplify:
            failure = self._simplest_drawn(case, failure, others)
            # Code that draws inputs knows what may be drawn; nobody else may change them.
            own = bool(case.build.plan.task.draw)
            if failure.reassociated is None and case.guest.alive and case.book.trials_affordable() and not own:
                failure = self._simpler(case, failure)
        return failure.verdict(), failure.vector

    def _simplest_drawn(self, case: _Case, failure: Findings, others: Sequence[_Expected]) -> Findings:
        """Of the fixed vectors that fail like the first one the simplest; all have to agree on `reassociated`."""
        plan = case.build.plan
        ranked = sorted(others, key=lambda e: shrink.complexity(plan, e.vector))
        at_most = shrink.complexity(plan, failure.vector)
        if failure.reassociated is not None:
            ranked = [e for e in ranked if oracle.ordinary(plan, e.vector)]
        for expected in ranked[: case.book.trials_affordable()]:
            if failure.reassociated is None and shrink.complexity(plan, expected.vector) >= at_most:
                break
            found = self._try(case.build, case.guest, expected, case.assembly, case.deadline)
            if isinstance(found, Verdict):
                break
            if found is None or found.outcome is not failure.outcome:
                continue
            if failure.reassociated is None or found.reassociated is None:
                return found
            if found.reassociated > failure.reassociated:
                failure = found
        return failure

    def _simpler(self, case: _Case, failure: Findings) -> Findings:
        best = failure
        give_up = time.thread_time() + SHRINK_S
        kind = bool(failure.differences), bool(failure.problems), bool(failure.calls)
        with case.book.trials() as golden:

            def fails(vector: Vector) -> tuple[int, ...] | None:
                nonlocal best
                if not case.guest.alive or time.thread_time() > give_up:
                    return None
                expected = golden(vector)
                if expected is None:
                    return None
                found = self._try(case.build, case.guest, expected, case.assembly, case.deadline)
                if not isinstance(found, Findings) or found.reassociated is not None:
                    return None
                if (bool(found.differences), bool(found.problems), bool(found.calls)) != kind:
                    return None
                best = found
                return found.places

            trials = case.book.trials_affordable()
            vector = shrink.simplify(case.build.plan, failure.vector, fails, wrong=failure.places, trials=trials)
        return replace(best, vector=vector)

    def _simpler_crash(self, case: _Case, failure: Verdict) -> tuple[Verdict, Vector]:
        """One try with simple values everywhere: a crash that stays the same does not depend on what memory holds."""
        original = case.expected.vector
        if not case.book.trials_affordable() or case.build.plan.task.draw:
            return failure, original
        answer = failure
        toolchain = self.toolchains[case.build.plan.arch.name]
        with case.book.trials() as golden:

            def crashes(vector: Vector) -> tuple[int, ...] | None:
                nonlocal answer
                expected = golden(vector)
                if expected is None:
                    return None
                with Guest(case.build, emulator=toolchain.emulator, sandbox=self.settings.sandbox, cpu_s=600) as guest:
                    found = self._try(case.build, guest, expected, case.assembly, case.deadline)
                if not isinstance(found, Verdict) or found.detail != failure.detail:
                    return None
                answer = found
                return ()

            vector = shrink.simplify(case.build.plan, original, crashes, trials=1)
        if vector is original:
            return failure, original
        text = answer.diagnostic.replace(original.label, vector.label, 1)
        return replace(answer, diagnostic=text), vector

    def _book(self, task: Task, arch: str) -> _GoldenBook:
        with self._lock:
            key = (task.id, task.digest(), arch)
            if key not in self._books:
                toolchain = self.toolchains[arch]
                build = toolchain.golden(task)
                defined = DefinedInputs(build.plan, toolchain, self._host(), sandbox=self.settings.sandbox)
                self._books[key] = _GoldenBook(build.plan, build, toolchain.emulator, self.settings.sandbox, defined)
            self._books.move_to_end(key)
            while len(self._books) > 1 and sum(b.bytes for b in self._books.values()) > BOOK_BYTES:
                self._books.popitem(last=False)
            return self._books[key]

    def _host(self) -> Toolchain | None:
        """A toolchain whose programs this machine runs itself, for looking at the C; None where tools are missing."""
        if self._host_toolchain is None:
            native = [t for t in self.toolchains.values() if t.arch.native]
            name, some = host_arch(), next(iter(self.toolchains.values()))
            with contextlib.suppress(ToolMissing):
                if not native and name:
                    native = [Toolchain(name, cache=some.cache, sandbox=some.sandbox)]
            self._host_toolchain = native[:1]
        return self._host_toolchain[0] if self._host_toolchain else None

    def _with_costs(
        self, toolchain: Toolchain, task: Task, built: Callable[[], Build], reference_name: str, timing: Timing
    ) -> Timing:
        """The timing with what both sides cost without a clock; it stays as it is where nothing can be told."""
        timing = replace(timing, reference=reference_name)
        try:
            build = built()
            # Their number does not depend on the clock, so that two runs count the same calls.
            wanted = min(COUNTED_VECTORS, fixed_count(build.plan))
            vectors = self._book(task, toolchain.arch.name).defined(_drawn("fixed:", wanted), wanted)
            reference = toolchain.reference(task, reference_name)
            return self._costs.added(timing, build, reference, vectors, toolchain)
        except (HarnessError, ToolMissing) as error:
            return timing if timing.native else replace(timing, note=f"{timing.note}; costs not measured: {error}")

    def _best_reference(self, toolchain: Toolchain, task: Task) -> str:
        """The fastest of ``BEST_OF``, each timed against the fastest so far; found once for a machine."""
        path = toolchain.best_reference_path(task)
        if path.exists() and (known := path.read_text()) in BEST_OF:
            return known
        texts = {name: toolchain.reference_assembly(task, name) for name in BEST_OF}
        best = BEST_OF[0]
        for name in BEST_OF[1:]:
            if self.time(task, toolchain.arch.name, texts[name], against=texts[best]).outcome == "faster":
                best = name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_text(path, best)
        return best

    @staticmethod
    def _built_again(toolchain: Toolchain, task: Task, assembly: str, folder: Path) -> Build:
        build = toolchain.build_candidate(task, assembly, folder)
        if isinstance(build, BuildFailure):
            raise HarnessError(f"a correct candidate did not build again: {build.diagnostic}")
        return build

    def time(self, task: Task, arch: str, assembly: str, *, against: str | None = None) -> Timing:
        """Candidate against reference, or another correct candidate, alone on the machine.

        Raises HarnessError when the machinery fails or a candidate does otherwise than when it was judged.
        """
        toolchain = self.toolchains[arch]
        if toolchain.emulator and against is not None:
            raise HarnessError(f"{arch} is emulated here, so no two candidates can be timed")
        name = self.settings.reference if against is None else ""
        if name == BEST:
            # Which is the fastest can only be told where there is a clock.
            name = self._best_reference(toolchain, task) if not toolchain.emulator else BEST_OF[0]
        folder = new_work_folder()
        try:
            built = functools.cache(lambda: self._built_again(toolchain, task, assembly, folder))
            if toolchain.emulator:
                note = f"{arch} is emulated here; its time says nothing"
                timing = Timing(False, None, None, None, None, None, note=note)
            else:
                timing = self._timed(toolchain, task, built, against, name, folder)
            counted = self.settings.count and against is None
            return self._with_costs(toolchain, task, built, name, timing) if counted else timing
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _timed(
        self,
        toolchain: Toolchain,
        task: Task,
        built: Callable[[], Build],
        against: str | None,
        reference_name: str,
        folder: Path,
    ) -> Timing:
        arch = toolchain.arch.name
        # Held once around everything: a thread that waits for the machine must not hold what judging threads need.
        with machine_lock.shared():
            build = built()
            if against is None:
                reference = toolchain.reference(task, reference_name)
            else:
                (folder / "other").mkdir()
                reference = self._built_again(toolchain, task, against, folder / "other")
            book = self._book(task, arch)
            prefix = f"timed:{self.settings.seed}:"
            # Later launches take them again, with other last bits or in other processes.
            most = LOOKS[0] if build.plan.varied else FRESH_VECTORS
            timed, _ = book.drawn(_drawn(prefix, most), most, budget_s=1, at_least=1, deadline=None)
            # Never used for a verdict: those begin at 0, and no run has this many.
            (unseen,), _ = book.drawn(
                [f"fresh:{self.settings.seed}:{UNSEEN + i}" for i in range(1 + MAX_DISCARDED)],
                1, budget_s=1, at_least=1, deadline=None,
            )  # fmt: skip
        plan = build.plan

        def differ(found: Findings | None) -> str | None:
            return found.detail if found and found.outcome is Outcome.WRONG_OUTPUT else None

        def same(candidate: Guest, other: Guest, vector: Vector) -> str | None:
            return differ(oracle.compare(plan, vector, oracle.view(other), candidate, self._rule))

        def right_on_unseen(guest: Guest) -> str | None:
            guest.load(unseen.vector)
            result = guest.call(LIMIT_FACTOR * unseen.golden_s + self._limit_floor_s)
            if result.status != "done":
                return f"a call ended with {result.status}"
            found = oracle.compare(plan, unseen.vector, unseen.snapshot, guest, self._rule)
            return found.detail if found else None

        def place(places: Sequence[Placement]) -> list[tuple[Build, Build]]:
            ours = toolchain.placed(build, folder, "ours", places)
            return list(zip(ours, toolchain.placed(reference, folder, "theirs", places), strict=True))

        with machine_lock.exclusive():
            timing = measure(
                (build, reference),
                place,
                [t.vector for t in timed],
                sandbox=self.settings.sandbox,
                # Between candidates only the outcome counts.
                settings=self.settings.timing if against is None else replace(self.settings.timing, energy=False),
                checks=Checks(same, right_on_unseen, self._rule.ulps == 0 and plan.digestible, plan.varied),
                seed=f"{self.settings.seed} {task.id}",
            )
        return replace(timing, reference=reference_name, working_set_bytes=sum(o.size for o in plan.objects))


@dataclass(frozen=True)
class _Case:
    """A candidate that failed, with what it takes to look closer."""

    build: Build
    guest: Guest
    book: _GoldenBook
    assembly: str
    expected: _Expected
    deadline: float | None


def _drawn(prefix: str, count: int) -> list[str]:
    """Names of vectors in order of drawing, more than ``count`` because some may be discarded."""
    return [f"{prefix}{i}" for i in range(count * (1 + MAX_DISCARDED))]


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
        line, inside = LineTable.of(build.path).at(pc)
        if guest.control.signal == signal.SIGILL and (forbidden := _beyond_level(build, pc, line, assembly)):
            return forbidden
        caller = crashes.Caller() if inside else _caller(build, guest, pc)
        return crashes.fault_verdict(
            build.plan,
            guest.control,
            vector,
            line=line,
            assembly=assembly,
            in_candidate=inside,
            symbol="" if inside else _runtime_function(build, pc),
            caller=caller,
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


def _beyond_level(build: Build, pc: int, line: int | None, assembly: str) -> Verdict | None:
    """The verdict on an illegal instruction that other ISA levels have; None when no level has it."""
    with build.path.open("rb") as stream:
        elf = ELFFile(stream)
        segment = next((s for s in elf.iter_segments("PT_LOAD") if 0 <= pc - s["p_vaddr"] < s["p_filesz"]), None)
        if segment is None or not segment["p_flags"] & P_FLAGS.PF_X:
            return None
        code = segment.data()[pc - segment["p_vaddr"] :][:16]
        instruction = isa.beyond_at(elf["e_machine"], code)
    if instruction is None:
        return None
    text = beyond_text(isa.Beyond(instruction, "", line), build.march, assembly)
    return Verdict(Outcome.FORBIDDEN, text.splitlines()[0][:300], text)


def _pc_name(plan: Plan) -> str:
    return "%rip" if "%rip" in plan.arch.crash_registers else "pc"


def _caller(build: Build, guest: Guest, pc: int) -> crashes.Caller:
    """How the program counter got out of the candidate: by a call, whose return address is known, or by a return."""
    registers = dict(zip(build.plan.arch.crash_registers, guest.control.fault_regs, strict=False))
    if "%rip" in registers:
        left, back, _ = guest.control.fault_stack
    else:
        back = registers.get("x30", registers.get("ra", 0))
        left = back
    line, inside = LineTable.of(build.path).at(back - 1)
    if inside:
        return crashes.Caller("call", line)
    return crashes.Caller("return") if left == pc else crashes.Caller()


def _runtime_function(build: Build, pc: int) -> str:
    """Name of the function of ours that an address lies in; empty when it lies in none."""
    with build.path.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        symbols = table.iter_symbols() if isinstance(table, SymbolTableSection) else ()
        for symbol in symbols:
            if symbol["st_info"]["type"] == "STT_FUNC" and 0 <= pc - symbol["st_value"] < symbol["st_size"]:
                return str(symbol.name) if not symbol.name.startswith("nc_") else "the harness"
    return ""
