"""How far a timing can be believed: false answers, power, and cost, beside the published protocol.

    python benchmarks/timing.py [--passes 5] [--condition idle|hog] [--tasks N] [--json FILE]

Measured natively on Level 2, all of it by ``Judge.time`` as a run does it:

- A/A: each loop's reference against its own assembly, which is the same code; every ``faster`` or ``slower`` is false.
  With ``--condition hog`` another process keeps a processor busy meanwhile.
- power: the same assembly with real work added at its start (a spin of as many rounds as take 3 % or 5 % of the loop's
  time); it has to be found ``slower`` on loops that are stable, that is, whose A/A interval reaches no further than 1 %
  to either side.
- the published protocol (11 runs, mean of the middle 5, smaller wins) on the same loops.
- cost: CPU and wall seconds of one A/A measurement.

The harness's own machine lock is held while a measurement runs; nothing else should run beside it unless asked for.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import multiprocessing
import os
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from verdict_cost import adopt_orphans, children_ms, own_ms, reap

from pytest_neucomback.arches import host_arch
from pytest_neucomback.errors import HarnessError
from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.tasks import Task, load_suites
from pytest_neucomback.timing import TimingSettings
from pytest_neucomback.timing_check import half_width
from pytest_neucomback.toolchain import Toolchain, check_tools
from pytest_neucomback.types import Timing

STABLE = 0.01
"""Half-width of an A/A interval, relative, up to which a loop counts as stable."""
SPIN_ROUNDS = 200_000
SLOWDOWNS = (0.03, 0.05)


def with_spin(assembly: str, function: str, rounds: int) -> str:
    """The assembly with a loop of so many rounds at the function's start; it changes flags and a scratch register."""
    spin = {
        "x86_64": f"\tmovl ${rounds}, %r11d\n.Lnc_spin:\n\tdecl %r11d\n\tjne .Lnc_spin\n",
        "aarch64": f"\tmov w16, #{rounds & 0xFFFF}\n\tmovk w16, #{rounds >> 16}, lsl #16\n.Lnc_spin:\n"
        "\tsubs w16, w16, #1\n\tb.ne .Lnc_spin\n",
    }[host_arch()]
    return re.sub(rf"(?m)^{re.escape(function)}:.*\n", lambda m: m[0] + spin, assembly, count=1)


@contextlib.contextmanager
def hog(wanted: bool) -> Iterator[None]:
    """A process that computes without end."""
    process = multiprocessing.get_context("spawn").Process(target=_spin, daemon=True) if wanted else None
    if process:
        process.start()
    try:
        yield
    finally:
        if process:
            process.kill()
            process.join()


def _spin() -> None:
    x, parent = 1, os.getppid()
    while os.getppid() == parent:  # a benchmark that was killed leaves no hog behind
        for _ in range(100_000):
            x = x * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1


class Bench:
    """Times loops with judges of different seeds."""

    def __init__(self, toolchain: Toolchain, tasks: Sequence[Task]) -> None:
        self.toolchain, self.arch = toolchain, toolchain.arch.name
        self.tasks = list(tasks)
        self.assembly = {t.id: toolchain.compile_source("clang", "O3", t.c_path) for t in self.tasks}

    def timed(self, task: Task, assembly: str, seed: int, *, paper: bool = False) -> Timing:
        settings = TimingSettings("paper") if paper else TimingSettings()
        return Judge(JudgeSettings(seed, 32, timing=settings, count=not paper), {self.arch: self.toolchain}).time(
            task, self.arch, assembly
        )

    def ns_per_round(self) -> float:
        """Of the spin: what it adds to the smallest loop."""
        task = self.tasks[0]
        spun = self.timed(task, with_spin(self.assembly[task.id], task.function, SPIN_ROUNDS), 1)
        plain = self.timed(task, self.assembly[task.id], 1)
        return (quiet_ns(spun) - quiet_ns(plain)) / SPIN_ROUNDS


def quiet_ns(timing: Timing) -> float:
    """Of the candidate, nanoseconds a call where nothing disturbs it: the tenth percentile of its samples."""
    return sorted(timing.candidate_samples_ns)[len(timing.candidate_samples_ns) // 10]


def used() -> float:
    """CPU seconds of this process and of all that it started and that ended."""
    reap()
    return (own_ms() + children_ms()) / 1000


def a_a(bench: Bench, passes: int, rows: list[dict[str, Any]], refused: list[str], keep: Callable[[], None]) -> None:
    """Fill ``rows``, a measurement each, and ``refused``, what was said of code that was taken for a cheat."""
    for number in range(1, passes + 1):
        for place, task in enumerate(bench.tasks, 1):
            start, cpu = time.monotonic(), used()
            try:
                timing = bench.timed(task, bench.assembly[task.id], 1000 * number)
                wall, cpu = time.monotonic() - start, used() - cpu
            except HarnessError as error:
                refused.append(f"{task.id}, pass {number}: {error}")
                keep()
                continue
            paper = bench.timed(task, bench.assembly[task.id], 1000 * number, paper=True)
            rows.append(
                {
                    "task": task.id, "pass": number, "outcome": timing.outcome, "speedup": timing.speedup,
                    "half_width": half_width(timing), "launches": timing.launches, "note": timing.note,
                    "ns": quiet_ns(timing), "cpu_s": cpu, "wall_s": wall, "paper": paper.outcome,
                    "paper_speedup": paper.speedup,
                }
            )  # fmt: skip
            keep()
            _progress(f"A/A pass {number}/{passes}, {place}/{len(bench.tasks)}")


def power(bench: Bench, ns: dict[str, float], slowdown: float) -> list[dict[str, Any]]:
    per_round = bench.ns_per_round()
    rows: list[dict[str, Any]] = []
    for place, task in enumerate(bench.tasks, 1):
        if task.id not in ns:
            continue
        rounds = max(1, round(slowdown * ns[task.id] / per_round))
        slowed = with_spin(bench.assembly[task.id], task.function, rounds)
        try:
            timing = bench.timed(task, slowed, 7)
            paper = bench.timed(task, slowed, 7, paper=True)
        except HarnessError as error:
            rows.append({"task": task.id, "rounds": rounds, "outcome": str(error), "speedup": None, "paper": ""})
            continue
        rows.append({"task": task.id, "rounds": rounds, "outcome": timing.outcome, "speedup": timing.speedup,
                     "launches": timing.launches, "note": timing.note, "paper": paper.outcome})  # fmt: skip
        _progress(f"{slowdown:.0%} slower, {place}/{len(bench.tasks)}")
    return rows


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def table(result: dict[str, Any]) -> str:
    rows = result["a_a"]
    ours, paper = (Counter(r[k] for r in rows) for k in ("outcome", "paper"))
    by_one = Counter("faster" if r["paper_speedup"] >= 1.01 else "slower" for r in rows
                     if abs(math.log(r["paper_speedup"])) >= math.log(1.01))  # fmt: skip
    stable = stable_tasks(rows)
    lines = [
        f"{result['condition']}, {result['passes']} passes, {len(rows)} measurements of the same code",
        f"{'':34}{'paired':>10}{'published':>12}",
        f"{'called faster':34}{ours['faster']:10}{paper['faster']:12}",
        f"{'called slower':34}{ours['slower']:10}{paper['slower']:12}",
        f"{'at least 1 % faster':34}{ours['faster']:10}{by_one['faster']:12}",
        f"refused: {len(result['refused'])}",
        f"stable loops (interval within 1 %): {len(stable)} of {len({r['task'] for r in rows})}",
        f"median CPU {statistics.median(r['cpu_s'] for r in rows):.2f} s, wall "
        f"{statistics.median(r['wall_s'] for r in rows):.2f} s, launches "
        f"{statistics.median(r['launches'] for r in rows):.0f}, not clear {sum(bool(r['note']) for r in rows)}",
    ]
    for slowdown, found in result["power"].items():
        mine = [r for r in found if r["task"] in stable]
        measured = statistics.median([r["speedup"] for r in mine if r["speedup"]] or [math.nan])
        hits, theirs = (sum(r[k] == "slower" for r in mine) for k in ("outcome", "paper"))
        lines.append(
            f"{float(slowdown):.0%} slower, recognised on stable loops: {hits} of {len(mine)} "
            f"({hits / max(len(mine), 1):.1%}); published protocol {theirs}; median speed-up {measured:.4f}"
        )
    return "\n".join(lines)


def stable_tasks(rows: Sequence[dict[str, Any]]) -> set[str]:
    """Loops whose median A/A half-width is at most STABLE."""
    widths: dict[str, list[float]] = {}
    for row in rows:
        widths.setdefault(row["task"], []).append(row["half_width"])
    return {task for task, found in widths.items() if statistics.median(found) <= STABLE}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--condition", choices=("idle", "hog"), default="idle")
    parser.add_argument("--tasks", type=int, default=0, help="only so many, spread over the suite; default: all")
    parser.add_argument("--no-power", action="store_true")
    parser.add_argument("--cache", type=Path, default=Path(".neucomback"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    adopt_orphans()
    tasks = load_suites(["bundled:l2"])
    if 0 < arguments.tasks < len(tasks):
        tasks = [tasks[i * len(tasks) // arguments.tasks] for i in range(arguments.tasks)]
    arch = host_arch()
    toolchain = check_tools([arch], cache=arguments.cache, march=None, sandbox=True)[arch]
    bench = Bench(toolchain, tasks)
    for task in tasks:  # trusted builds are made once per machine, not per run
        toolchain.reference(task)
    result: dict[str, Any] = {"condition": arguments.condition, "passes": arguments.passes, "power": {}}

    def keep() -> None:
        if arguments.json:
            arguments.json.write_text(json.dumps(result, indent=1) + "\n")

    with hog(arguments.condition == "hog"):
        result["a_a"], result["refused"] = [], []
        a_a(bench, arguments.passes, result["a_a"], result["refused"], keep)
        ns: dict[str, float] = {}
        for row in result["a_a"]:
            ns[row["task"]] = min(row["ns"], ns.get(row["task"], math.inf))
        if not arguments.no_power:
            for slowdown in SLOWDOWNS:
                result["power"][str(slowdown)] = power(bench, ns, slowdown)
                keep()
    print(("\n" if sys.stderr.isatty() else "") + table(result))
    keep()


if __name__ == "__main__":
    main()
