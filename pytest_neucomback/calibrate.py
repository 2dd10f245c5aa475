"""``neucomback calibrate``: how good the oracle is, measured on a suite and an architecture.

Three questions per task: are real compilers accepted, are candidates that are wrong by construction refused, and are
single-point mutants of compiled code killed. Mutants that survive are put through the arguments of
``equivalence.py``; what is left is listed to be looked at.
"""

from __future__ import annotations

import json
import multiprocessing
import platform
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from . import proofs
from .equivalence import Group, MachineCode, OtherVectors, compare_on, mutant_key, reviewed
from .errors import ConfigError, HarnessError
from .faults import GROUPS, faults
from .inputs import draw
from .judge import Judge, JudgeSettings
from .mutants import KINDS, Mutant, draw_mutants
from .oracle import Snapshot
from .tasks import Task, load_suites, select
from .toolchain import Toolchain, check_tools, tool_version
from .types import Outcome, Verdict

COMPILERS = tuple(f"clang-{o}" for o in ("O0", "O1", "O2", "O3")) + tuple(f"gcc-{o}" for o in ("O1", "O2", "O3"))
MUTATED = ("clang-O1", "clang-O3")
SPARE = ("gcc-O1", "clang-O0")
"""Mutated as well where those two are too short for as many mutants as wanted, such as a single call of memcpy."""
FAULTS_FROM = "clang-O1"
PATIENCE_S = 0.5
"""Of a mutant's or fault's call beyond ten times the golden one's: many mutants never end, and none is slow."""
WANTED_RATE = 0.99
OTHER_FACTOR = 100
"""The different generator runs this many times the vectors that a verdict runs."""
SHARE_ON_VECTORS = 0.05
"""Of all mutants, at most this part may count as equivalent by vectors alone."""

OTHER_BUDGET_S = 300.0
"""For all survivors of one compiler's code of a task. Where that is too short they have to be read."""

PROOF, READING, VECTORS = "proof", "reading", "other vectors"


@dataclass(frozen=True)
class Scope:
    """What is measured, and how."""

    arches: tuple[str, ...]
    tasks: tuple[Task, ...]
    mutants: int = 20
    seed: int = 1
    fresh_vectors: int = 32
    jobs: int = 2
    sandbox: bool = True
    search: int = 0
    """Random vectors tried on each mutant that is wrong and was accepted, to find some worth storing."""
    other_factor: int = OTHER_FACTOR


@dataclass(frozen=True)
class Trial:
    """One candidate whose verdict is known beforehand."""

    group: str
    what: str
    outcome: str
    detail: str
    expected: bool
    """Whether the verdict is as it has to be."""
    exempt: bool = False
    """A constant candidate of a task that always has the same result: right, and accepted."""


@dataclass
class Survivor:
    """A mutant that was accepted."""

    key: str
    kind: str
    argument: str | None = None
    """``proof``, ``reading``, ``other vectors``, or None: no argument, or shown to be wrong."""
    reason: str = ""
    found: tuple[int, ...] = ()
    """Numbers of random vectors that kill it, from the search."""


@dataclass
class TaskReport:
    """All of one task on one architecture."""

    task: str
    arch: str
    trials: list[Trial] = field(default_factory=list)
    mutants: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    killed_by_fixed: int = 0
    """Mutants killed by a vector that is the same everywhere."""
    survivors: list[Survivor] = field(default_factory=list)
    vectors: int = 0
    seconds: float = 0.0
    trouble: str = ""
    """Why the task could not be measured."""

    def count(self, argument: str | None) -> int:
        return sum(s.argument == argument for s in self.survivors)

    @property
    def equivalent(self) -> int:
        return len(self.survivors) - self.count(None)


class _Bench:
    """Measures the tasks of one architecture, in one thread."""

    def __init__(self, scope: Scope, arch: str, toolchain: Toolchain) -> None:
        self.scope, self.arch, self.toolchain = scope, arch, toolchain
        settings = JudgeSettings(scope.seed, scope.fresh_vectors, sandbox=scope.sandbox, simplify=False)
        self._patient = Judge(settings, {arch: toolchain})
        """For correct candidates."""
        self._quick = Judge(replace(settings, limit_floor_s=PATIENCE_S), {arch: toolchain})
        """For broken ones, which may never end."""
        self._quick._books = self._patient._books  # golden results are the same, whoever is judged

    def measure(self, task: Task) -> TaskReport:
        report = TaskReport(task.id, self.arch)
        start = time.monotonic()
        try:
            compiled = self._compilers(task, report)
            self._faults(task, report, compiled[FAULTS_FROM])
            self._mutants(task, report, {name: compiled[name] for name in (*MUTATED, *SPARE)})
        except (HarnessError, ConfigError) as error:
            report.trouble = str(error)
        report.seconds = time.monotonic() - start
        return report

    def _verdict(self, task: Task, assembly: str, *, patient: bool = False) -> Verdict:
        judge = self._patient if patient else self._quick
        verdict = judge.judge(task, self.arch, assembly).verdict
        if verdict == Outcome.UNJUDGED:
            raise HarnessError(f"{task.id} on {self.arch}: {verdict.detail}")
        return verdict

    def _compilers(self, task: Task, report: TaskReport) -> dict[str, str]:
        compiled = {}
        for name in COMPILERS:
            compiler, _, opt = name.partition("-")
            compiled[name] = self.toolchain.compile_source(compiler, opt, task.c_path)
            verdict = self._verdict(task, compiled[name], patient=True)
            right = verdict == Outcome.CORRECT
            report.trials.append(Trial("compiler", name, str(verdict.outcome), verdict.detail, right))
            report.vectors = max(report.vectors, verdict.fixed_vectors + verdict.fresh_vectors)
        return compiled

    def _faults(self, task: Task, report: TaskReport, right: str) -> None:
        plan = self.toolchain.plan(task)
        for fault in faults(plan, right, self._golden_snapshot(task)):
            verdict = self._verdict(task, fault.assembly)
            accepted = verdict == Outcome.CORRECT
            exempt = accepted and fault.group == "constant" and task.input_free
            if verdict == Outcome.BUILD_FAILED:
                raise HarnessError(f"{task.id} on {self.arch}: {fault.what}: {verdict.diagnostic[:300]}")
            report.trials.append(
                Trial(fault.group, fault.what, str(verdict.outcome), verdict.detail, exempt or not accepted, exempt)
            )

    def _golden_snapshot(self, task: Task) -> Snapshot:
        book = self._patient._book(task, self.arch)
        return book.expected(["fixed:0"], budget_s=1, at_least=1, deadline=None)[0].snapshot

    def _mutants(self, task: Task, report: TaskReport, compiled: Mapping[str, str]) -> None:
        wanted, seen = self.scope.mutants, set[str]()
        survivors: dict[str, list[Mutant]] = {}
        with MachineCode(self.toolchain) as machine_code:
            drawn: list[tuple[str, Mutant]] = []
            for number, (name, text) in enumerate(compiled.items()):
                share = wanted // 2 if number == 0 else wanted - len(drawn)
                if not share:
                    break
                seed = f"{self.scope.seed} {task.id} {self.arch} {name}"
                found = draw_mutants(text, self.arch, count=share, seed=seed, machine_code=machine_code, seen=seen)
                drawn += [(name, m) for m in found]
        for name, mutant in drawn:
            verdict = self._verdict(task, mutant.assembly)
            report.mutants += 1
            report.kinds[mutant.kind] += 1
            report.outcomes[str(verdict.outcome)] += 1
            if verdict == Outcome.CORRECT:
                survivors.setdefault(name, []).append(mutant)
                continue
            report.killed_by_fixed += verdict.fresh_vectors == 0
            if (key := mutant_key(self.arch, task.id, name, mutant)) in reviewed():
                # A reading that is wrong has to be struck out, or it will hide a weak vector one day.
                report.trials.append(Trial("reading", key, str(verdict.outcome), verdict.detail, expected=False))
        report.survivors += self._explain(task, compiled, survivors, report.vectors)

    def _explain(
        self, task: Task, compiled: Mapping[str, str], survivors: Mapping[str, Sequence[Mutant]], vectors: int
    ) -> list[Survivor]:
        """Arguments for mutants that were accepted, by the compiler whose code they come from."""
        rows: list[Survivor] = []
        open_: dict[str, list[tuple[Survivor, Mutant]]] = {}
        plan = self.toolchain.plan(task)
        for compiler, mutants in survivors.items():
            for mutant in mutants:
                row = Survivor(mutant_key(self.arch, task.id, compiler, mutant), mutant.kind)
                rows.append(row)
                if proof := proofs.prove(compiled[compiler], mutant, plan):
                    row.argument, row.reason = PROOF, proof
                elif row.key in reviewed():
                    row.argument, row.reason = READING, reviewed()[row.key]
                else:
                    open_.setdefault(compiler, []).append((row, mutant))
        if not open_:
            return rows
        groups = [Group(compiled[name], [m for _, m in found]) for name, found in open_.items()]
        numbers = range(self.scope.other_factor * vectors)
        other = map(OtherVectors(plan, self.scope.seed).vector, numbers)
        sandbox = self.scope.sandbox
        fared = compare_on(self.toolchain, task, groups, other, sandbox=sandbox, budget_s=OTHER_BUDGET_S)
        for g, (name, found) in enumerate(open_.items()):
            for i, (row, mutant) in enumerate(found):
                if (g, i) in fared.killed:
                    row.reason = f"wrong, but accepted: {fared.killed[g, i]}"
                    row.found = self._search(task, compiled[name], mutant)
                elif fared.vectors + fared.discarded >= len(numbers) and fared.vectors >= len(numbers) // 2:
                    row.argument = VECTORS
                    row.reason = f"no difference on {fared.vectors} vectors of the other generator"
                else:
                    row.reason = f"only {fared.vectors} of {len(numbers)} vectors could be run"
        return rows

    def _search(self, task: Task, unmutated: str, mutant: Mutant) -> tuple[int, ...]:
        """The first random vector of the task's own that kills a mutant."""
        plan = self.toolchain.plan(task)
        vectors = (draw(plan, f"stored:{i}") for i in range(self.scope.search))
        group = Group(unmutated, [mutant])
        killed = compare_on(self.toolchain, task, [group], vectors, sandbox=self.scope.sandbox).killed
        return tuple(int(text.split(" ")[0].split(":")[1]) for text in killed.values())


# --- the whole ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Calibration:
    """All that was measured."""

    scope: Scope
    versions: Mapping[str, str]
    tasks: tuple[TaskReport, ...]
    seconds: float

    def of(self, arch: str) -> list[TaskReport]:
        return [t for t in self.tasks if t.arch == arch]

    @property
    def good(self) -> bool:
        """Whether every compiler was accepted, every fault refused, and enough mutants killed."""
        return all(_good(_summary(self, arch)) for arch in self.scope.arches)


def make_scope(
    *,
    suites: Sequence[str],
    levels: Sequence[str],
    names: Sequence[str],
    arches: Sequence[str],
    sample: int | None,
    **settings: Any,
) -> Scope:
    """The tasks named, or a sample of them that is the same for the same seed. Raises ConfigError."""
    tasks = select(load_suites(suites), levels=levels, splits=())
    if names:
        known = {t.id: t for t in tasks}
        for name in names:
            if name not in known:
                raise ConfigError(f"--task={name}: no such task among the {len(tasks)} selected")
        tasks = [known[name] for name in names]
    if sample is not None and sample < len(tasks):
        chosen = set(random.Random(settings.get("seed", 1)).sample([t.id for t in tasks], sample))
        tasks = [t for t in tasks if t.id in chosen]
    return Scope(tuple(arches), tuple(tasks), **settings)


def calibrate(scope: Scope, *, cache: Any, progress: Callable[[str], None]) -> Calibration:
    """Measure everything. Raises ToolMissing when a compiler is not installed, ConfigError for unusable tasks."""
    toolchains = check_tools(scope.arches, cache=cache, march=None, sandbox=scope.sandbox)
    start, done = time.monotonic(), 0
    total = len(scope.tasks) * len(scope.arches)
    reports: list[TaskReport] = []
    # Drawing vectors is work for Python, which has one lock a process.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(scope.jobs, spawn, initializer=_start, initargs=(scope, cache)) as pool:
        wanted = [(arch, task) for arch in scope.arches for task in scope.tasks]
        for report in pool.map(_measure, *zip(*wanted, strict=True)):
            reports.append(report)
            done += 1
            progress(_progress_line(report, done, total))
    versions = {"python": platform.python_version()}
    for arch, toolchain in toolchains.items():
        for compiler in ("clang", "gcc"):
            program = toolchain.compiler_command(compiler, "O0")[0]
            versions[f"{arch} {compiler}"] = tool_version(program)
        versions[f"{arch} as"] = tool_version(toolchain.assembler)
    return Calibration(scope, versions, tuple(reports), time.monotonic() - start)


_BENCHES: dict[str, _Bench] = {}


def _start(scope: Scope, cache: Any) -> None:
    toolchains = check_tools(scope.arches, cache=cache, march=None, sandbox=scope.sandbox)
    _BENCHES.update({arch: _Bench(scope, arch, toolchain) for arch, toolchain in toolchains.items()})


def _measure(arch: str, task: Task) -> TaskReport:
    return _BENCHES[arch].measure(task)


def _progress_line(report: TaskReport, done: int, total: int) -> str:
    bad = [f"{t.what}: {t.outcome} {t.detail}" for t in report.trials if not t.expected]
    open_ = [s.key for s in report.survivors if s.argument is None]
    killed = report.mutants - len(report.survivors)
    line = f"[{done}/{total}] {report.arch} {report.task}: {killed}/{report.mutants} killed, {report.seconds:.1f} s"
    return "\n".join(
        [line, *(f"    NOT AS EXPECTED {b}" for b in bad), *(f"    ALIVE {o}" for o in open_),
         *([f"    TROUBLE {report.trouble}"] if report.trouble else [])]
    )  # fmt: skip


def _summary(result: Calibration, arch: str) -> dict[str, Any]:
    tasks = result.of(arch)
    survivors = [s for t in tasks for s in t.survivors]
    mutants = sum(t.mutants for t in tasks)
    killed = mutants - len(survivors)
    counts = Counter(s.argument for s in survivors)
    equivalent = len(survivors) - counts[None]
    trials = [t for task in tasks for t in task.trials]
    compilers = {
        name: sum(t.expected for t in trials if t.group == "compiler" and t.what == name) for name in COMPILERS
    }
    groups = {}
    for group in GROUPS:
        mine = [t for t in trials if t.group == group]
        groups[group] = {
            "candidates": len(mine),
            "accepted": sum(not t.expected for t in mine),
            "exempt": sum(t.exempt for t in mine),
        }
    kinds = {}
    for kind in KINDS:
        alive = [s for s in survivors if s.kind == kind]
        drawn = sum(t.kinds[kind] for t in tasks)
        kinds[kind] = {
            "mutants": drawn,
            "killed": drawn - len(alive),
            "equivalent": sum(s.argument is not None for s in alive),
        }
    return {
        "arch": arch,
        "tasks": len(tasks),
        "not_measured": [t.task for t in tasks if t.trouble],
        "compilers_accepted": compilers,
        "faults": groups,
        "mutants": mutants,
        "fewest_mutants_of_a_task": min((t.mutants for t in tasks), default=0),
        "killed": killed,
        "killed_by_fixed_vectors": sum(t.killed_by_fixed for t in tasks),
        "outcomes": dict(sum((t.outcomes for t in tasks), Counter[str]())),
        "kill_rate_raw": _rate(killed, mutants),
        "equivalent": {
            "total": equivalent,
            PROOF: counts[PROOF],
            READING: counts[READING],
            VECTORS: counts[VECTORS],
        },
        "readings_refuted": sum(t.group == "reading" for t in trials),
        "share_on_other_vectors": _rate(counts[VECTORS], mutants),
        "kill_rate": _rate(killed, mutants - equivalent),
        "alive": counts[None],
        "kinds": kinds,
    }


def _rate(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _good(summary: Mapping[str, Any]) -> bool:
    return (
        not summary["not_measured"]
        and all(n == summary["tasks"] for n in summary["compilers_accepted"].values())
        and not any(g["accepted"] for g in summary["faults"].values())
        and not summary["readings_refuted"]
        and summary["kill_rate"] >= WANTED_RATE
        and summary["share_on_other_vectors"] <= SHARE_ON_VECTORS
    )


def as_json(result: Calibration) -> str:
    """Everything, survivors included."""
    scope = result.scope
    return json.dumps(
        {
            "schema": 1,
            "settings": {
                "arches": list(scope.arches),
                "tasks": [t.id for t in scope.tasks],
                "mutants_per_task": scope.mutants,
                "mutated": list(MUTATED),
                "seed": scope.seed,
                "fresh_vectors": scope.fresh_vectors,
                "other_factor": scope.other_factor,
            },
            "versions": dict(result.versions),
            "seconds": result.seconds,
            "good": result.good,
            "summary": [_summary(result, arch) for arch in scope.arches],
            "unexpected": [
                {"arch": r.arch, "task": r.task, **asdict(t)} for r in result.tasks for t in r.trials if not t.expected
            ],
            "survivors": [{"arch": r.arch, "task": r.task, **asdict(s)} for r in result.tasks for s in r.survivors],
            "tasks": [
                {
                    "task": r.task,
                    "arch": r.arch,
                    "mutants": r.mutants,
                    "killed": r.mutants - len(r.survivors),
                    "equivalent": r.equivalent,
                    "candidates": len(r.trials),
                    "vectors": r.vectors,
                    "seconds": round(r.seconds, 3),
                    "trouble": r.trouble,
                }
                for r in result.tasks
            ],
        },
        indent=1,
    )


def as_text(result: Calibration) -> str:
    """Tables for a terminal."""
    lines: list[str] = []
    for title, header, rows in _tables(result):
        lines += [title, ""]
        cells = [[str(c) for c in row] for row in (header, *rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines += [
            "  " + "  ".join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
            for row in cells
        ]
        lines.append("")
    for title, entries in _lists(result):
        lines += [f"{title}: {len(entries) or 'none'}", *(f"  {e}" for e in entries), ""]
    lines.append(f"{result.seconds:.0f} s; {'as it should be' if result.good else 'NOT as it should be'}")
    return "\n".join(lines)


Table = tuple[str, Sequence[str], Sequence[Sequence[object]]]


def _tables(result: Calibration) -> Iterable[Table]:
    sums = [_summary(result, arch) for arch in result.scope.arches]
    names = [s["arch"] for s in sums]
    yield (
        "Correct compilers accepted (tasks)",
        ["", *names],
        [[c, *(f"{s['compilers_accepted'][c]}/{s['tasks']}" for s in sums)] for c in COMPILERS],
    )
    yield (
        "Wrong candidates accepted (of how many; exempt: constant candidates of tasks without input, which are right)",
        ["", *names],
        [[g, *(_fault_cell(s["faults"][g]) for s in sums)] for g in GROUPS],
    )
    yield (
        f"Single-point mutants of {' and '.join(MUTATED)} code",
        ["", *names],
        [
            ["mutants", *(s["mutants"] for s in sums)],
            ["fewest of a task", *(s["fewest_mutants_of_a_task"] for s in sums)],
            ["killed", *(s["killed"] for s in sums)],
            ["  by fixed vectors", *(s["killed_by_fixed_vectors"] for s in sums)],
            ["kill rate, raw", *(f"{s['kill_rate_raw']:.2%}" for s in sums)],
            ["equivalent by proof", *(s["equivalent"][PROOF] for s in sums)],
            ["equivalent by reading", *(s["equivalent"][READING] for s in sums)],
            ["equivalent by other vectors", *(s["equivalent"][VECTORS] for s in sums)],
            ["  share of all mutants", *(f"{s['share_on_other_vectors']:.2%}" for s in sums)],
            ["alive, unexplained or wrong", *(s["alive"] for s in sums)],
            ["kill rate without equivalents", *(f"{s['kill_rate']:.2%}" for s in sums)],
        ],
    )
    for s in sums:
        yield (
            f"Mutants by kind, {s['arch']}",
            ["", "mutants", "killed", "equivalent", "alive"],
            [
                [k, v["mutants"], v["killed"], v["equivalent"], v["mutants"] - v["killed"] - v["equivalent"]]
                for k, v in s["kinds"].items()
                if v["mutants"]
            ],
        )


def _fault_cell(row: Mapping[str, int]) -> str:
    exempt = f" ({row['exempt']} exempt)" if row["exempt"] else ""
    return f"{row['accepted']} of {row['candidates']}{exempt}"


def _lists(result: Calibration) -> Iterable[tuple[str, list[str]]]:
    yield "Not measured", [f"{r.arch} {r.task}: {r.trouble}" for r in result.tasks if r.trouble]
    yield (
        "Verdicts not as expected",
        [
            f"{r.arch} {r.task}: {t.group}, {t.what}: {t.outcome} {t.detail}".rstrip()
            for r in result.tasks
            for t in r.trials
            if not t.expected
        ],
    )
    for argument, title in (
        (None, "Survivors that are wrong or unexplained"),
        (VECTORS, "Survivors equivalent by other vectors"),
        (READING, "Survivors equivalent by reading"),
        (PROOF, "Survivors equivalent by proof"),
    ):
        yield (
            title,
            [
                f"{s.key}: {s.reason}" + (f" (random vectors that kill it: {list(s.found)})" if s.found else "")
                for r in result.tasks
                for s in r.survivors
                if s.argument == argument
            ],
        )


def as_markdown(result: Calibration, command: str) -> str:
    """The page docs/oracle-strength.md."""
    scope = result.scope
    lines = [
        "# How strong the oracle is",
        "",
        f"Written by `{command}`: {len(scope.tasks)} tasks, {scope.mutants} mutants a task, seed {scope.seed}, "
        f"{scope.fresh_vectors} fresh vectors besides the fixed ones, {result.seconds / 60:.1f} minutes.",
        "",
        "A mutant counts as equivalent only by an argument of its own: a *proof* over the code "
        "(`pytest_neucomback/proofs.py`), a *reading* that is written down "
        "(`pytest_neucomback/reviewed_mutants.yaml`), or no "
        f"difference on {OTHER_FACTOR} times the vectors of a *different generator* "
        f"(`pytest_neucomback/equivalence.py`), which at most {SHARE_ON_VECTORS:.0%} of the mutants may rest on.",
        "",
    ]
    for title, header, rows in _tables(result):
        lines += [f"## {title}", "", f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
        lines += [f"| {' | '.join(str(c).strip() for c in row)} |" for row in rows]
        lines.append("")
    for title, entries in _lists(result):
        lines += [f"## {title}", ""]
        lines += [f"- {_code(e)}" for e in entries] or ["None."]
        lines.append("")
    lines += ["## Versions", "", *(f"- {name}: {version}" for name, version in result.versions.items()), ""]
    return "\n".join(lines)


def _code(entry: str) -> str:
    head, colon, tail = entry.rpartition(": ")
    return f"`{head}`{colon}{tail}" if colon else entry
