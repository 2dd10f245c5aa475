"""What a verdict costs: CPU milliseconds on Level 2, all processes included, and where they go.

    python benchmarks/verdict_cost.py [--arch x86_64,aarch64] [--tasks N] [--seed N] [--json FILE]

Each task is judged on the output of three compiler settings by one judge. The first candidate of a task also pays for
drawing inputs and for the golden results; the later ones find those known and are what the goal is about (median at
most 20 ms on x86_64, 40 ms on aarch64 under qemu, with sandbox, fixed vectors and 32 fresh ones).

CPU time of children only reaches a parent's books when they are waited for, and what bubblewrap leaves behind when it
is killed never is. So this process adopts orphans (PR_SET_CHILD_SUBREAPER) and waits for them before it reads the
books. A sandboxed process's time is counted when it ends; of it, `launch` is what an idle one of the same program
costs, `run` is the rest.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_neucomback import judge as judge_module
from pytest_neucomback import oracle
from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.runner import Guest
from pytest_neucomback.tasks import Task, load_suites
from pytest_neucomback.toolchain import Toolchain

CANDIDATES = (("clang", "O1"), ("gcc", "O2"), ("clang", "O3"))
GOALS_MS = {"x86_64": 20.0, "aarch64": 40.0}
PHASES = ("assemble, link, check", "launch", "draw inputs", "golden", "load inputs", "run", "compare", "rest")
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make processes whose parent dies our children. Raises OSError where the kernel cannot."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def reap(patience_s: float = 0.02) -> None:
    """Wait for orphans that are about to end."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            time.sleep(0.0005)


def children_ms() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (used.ru_utime + used.ru_stime)


def own_ms() -> float:
    return 1000 * time.process_time()


class Books:
    """CPU milliseconds by phase; a phase inside another one is taken out of the outer one."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    @contextlib.contextmanager
    def phase(self, name: str, *, wait: bool = False) -> Iterator[None]:
        start = own_ms() + children_ms()
        self._inner.append(0.0)
        try:
            yield
        finally:
            if wait:
                reap()
            took = own_ms() + children_ms() - start
            self.spent[name] += took - self._inner.pop()
            self._inner[-1] += took

    def wrap(self, owner: Any, attribute: str, name: str, *, wait: bool = False) -> None:
        inner: Callable[..., Any] = getattr(owner, attribute)

        def timed(*arguments: Any, **keywords: Any) -> Any:
            with self.phase(name, wait=wait):
                return inner(*arguments, **keywords)

        setattr(owner, attribute, timed)


def instrument(books: Books) -> None:
    """Put clocks around the steps of a verdict."""
    books.wrap(Toolchain, "build_candidate", "assemble, link, check", wait=True)
    books.wrap(Guest, "__enter__", "launch")
    books.wrap(Guest, "__exit__", "run", wait=True)
    books.wrap(Guest, "load", "load inputs")
    books.wrap(Guest, "call", "run")
    books.wrap(judge_module, "draw", "draw inputs")
    books.wrap(oracle, "compare", "compare")
    books.wrap(oracle, "take_snapshot", "golden")


def idle_ms(judge: Judge, task: Task, arch: str, times: int = 15) -> float:
    """What a sandboxed process costs that is started and ended without a call."""
    toolchain = judge.toolchains[arch]
    build = toolchain.golden(task)
    costs = []
    for _ in range(times):
        reap()
        start = own_ms() + children_ms()
        with Guest(build, emulator=toolchain.emulator, sandbox=True, cpu_s=60):
            pass
        reap()
        costs.append(own_ms() + children_ms() - start)
    return statistics.median(costs)


def measure(arch: str, tasks: Sequence[Task], seed: int, cache: Path) -> dict[str, Any]:
    """Costs of all verdicts, in milliseconds."""
    toolchain = Toolchain(arch, cache=cache)
    judge = Judge(JudgeSettings(seed, 32), {arch: toolchain})
    texts = {t.id: [toolchain.compile_source(*c, t.c_path) for c in CANDIDATES] for t in tasks}
    for task in tasks:  # trusted builds are made once per machine, not per run
        judge.judge(task, arch, texts[task.id][0])
    idle = idle_ms(judge, tasks[0], arch)
    judge = Judge(JudgeSettings(seed, 32), {arch: toolchain})
    books = Books()
    originals = [(Toolchain, "build_candidate"), (Guest, "__enter__"), (Guest, "__exit__"), (Guest, "load"),
                 (Guest, "call"), (judge_module, "draw"), (oracle, "compare"), (oracle, "take_snapshot")]  # fmt: skip
    saved = [(owner, name, getattr(owner, name)) for owner, name in originals]
    instrument(books)
    first, later = [], []
    try:
        for number, task in enumerate(tasks):
            for text in texts[task.id]:
                books.spent.clear()
                reap()
                start = own_ms() + children_ms()
                found = judge.judge(task, arch, text)
                reap()
                total = own_ms() + children_ms() - start
                if found.verdict != "correct":  # a failure costs more: it is looked at closely
                    print(f"left out: {task.id} on {arch}: {found.verdict}", file=sys.stderr)
                    continue
                row = {**books.spent, "total": total}
                # Most of a process's start is only seen when it ends.
                moved = min(max(idle - row.get("launch", 0.0), 0.0), row.get("run", 0.0))
                row["launch"], row["run"] = row.get("launch", 0.0) + moved, row.get("run", 0.0) - moved
                row["rest"] = total - sum(v for k, v in row.items() if k not in ("total", "rest"))
                (later if text is not texts[task.id][0] else first).append(row)
            if sys.stderr.isatty():
                print(f"\r{arch}: {number + 1}/{len(tasks)} tasks", end="", file=sys.stderr)
    finally:
        for owner, name, value in saved:
            setattr(owner, name, value)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return {"arch": arch, "tasks": len(tasks), "idle": idle, "first": first, "later": later}


def quantile(rows: Sequence[dict[str, float]], key: str, share: float) -> float:
    values = sorted(row.get(key, 0.0) for row in rows)
    return values[min(len(values) - 1, round(share * (len(values) - 1)))]


def table(result: dict[str, Any]) -> str:
    """Median and 90th percentile by phase."""
    arch, first, later = result["arch"], result["first"], result["later"]
    lines = [
        f"{arch}: CPU ms a verdict, {result['tasks']} tasks, {len(first)} first and {len(later)} later candidates",
        f"{'':24}{'later candidates':>20}{'first candidate':>20}",
        f"{'':24}{'median':>10}{'p90':>10}{'median':>10}{'p90':>10}",
    ]
    for name in (*PHASES, "total"):
        cells = [quantile(rows, name, share) for rows in (later, first) for share in (0.5, 0.9)]
        if any(cell >= 0.05 for cell in cells):
            lines.append(f"{name:24}" + "".join(f"{cell:10.1f}" for cell in cells))
    if goal := GOALS_MS.get(arch):
        median = quantile(later, "total", 0.5)
        lines.append(f"goal {goal:.0f} ms: {'met' if median <= goal else 'missed'}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU milliseconds a verdict on Level 2.")
    parser.add_argument("--arch", default="x86_64,aarch64")
    parser.add_argument("--tasks", type=int, default=0, help="only so many, spread over the suite; default: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="where trusted builds are kept; default: a new folder")
    parser.add_argument("--json", type=Path, help="write every verdict's figures here")
    arguments = parser.parse_args()
    adopt_orphans()
    tasks = load_suites(["bundled:l2"])
    if 0 < arguments.tasks < len(tasks):
        tasks = [tasks[i * len(tasks) // arguments.tasks] for i in range(arguments.tasks)]
    with contextlib.ExitStack() as stack:
        cache = arguments.cache or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        results = [measure(arch, tasks, arguments.seed, cache) for arch in arguments.arch.split(",")]
    print("\n\n".join(table(result) for result in results))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
