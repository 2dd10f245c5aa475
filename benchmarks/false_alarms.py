"""A hunt for false alarms: right code by five flag sets of two compilers, judged with many seeds, must be accepted.

    python benchmarks/false_alarms.py --arch x86_64 --seeds 20 [--task s000,s111] [--json FILE]

Every refusal is printed with its diagnostic. Exit status 0 when there is none.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pytest_neucomback.errors import HarnessError
from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.sandbox import TOOL_FILE_BYTES, run_tool
from pytest_neucomback.tasks import Task, load_suites, select
from pytest_neucomback.toolchain import Toolchain, check_tools

FLAG_SETS = (
    ("clang", "O1", ()),
    ("clang", "O2", ("-fno-vectorize", "-fno-slp-vectorize", "-funroll-loops")),
    ("clang", "O3", ("-fno-strict-aliasing", "-fomit-frame-pointer")),
    ("gcc", "O2", ("-fno-tree-vectorize", "-fno-omit-frame-pointer")),
    ("gcc", "O3", ("-funroll-loops",)),
)
"""Compiler, level and further flags; none changes what floating point means."""


def name_of(compiler: str, level: str, flags: tuple[str, ...]) -> str:
    return " ".join([compiler, f"-{level}", *flags])


def compiled(toolchain: Toolchain, task: Task, compiler: str, level: str, flags: tuple[str, ...]) -> str:
    """Assembly of a task. Raises HarnessError with the compiler's words."""
    command = [*toolchain.compiler_command(compiler, level), *flags, "-S", "-o", "-", task.c_path.name]
    result = run_tool(command, cwd=task.c_path.parent, keep=TOOL_FILE_BYTES)
    if result.status:
        raise HarnessError(f"{name_of(compiler, level, flags)} on {task.id}: {result.output[:500]}")
    return result.output


def hunt(task: Task, toolchain: Toolchain, seeds: range) -> tuple[int, list[dict[str, object]]]:
    """How many verdicts were given on a task, and the refusals among them."""
    arch, alarms, verdicts = toolchain.arch.name, list[dict[str, object]](), 0
    candidates = [(name_of(*row), compiled(toolchain, task, *row)) for row in FLAG_SETS]
    for seed in seeds:
        judge = Judge(JudgeSettings(seed, 32, simplify=False), {arch: toolchain})
        for name, assembly in candidates:
            verdict = judge.judge(task, arch, assembly).verdict
            if verdict == "unjudged":
                raise HarnessError(f"{task.id}, {name}, seed {seed}: {verdict.detail}")
            verdicts += 1
            if verdict != "correct":
                alarm = {"task": task.id, "flags": name, "seed": seed, "verdict": str(verdict.outcome)}
                alarms.append({**alarm, "detail": verdict.detail, "diagnostic": verdict.diagnostic})
    return verdicts, alarms


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--arch", default="x86_64")
    parser.add_argument("--level", default="l2")
    parser.add_argument("--task", default="", help="only these, with commas between")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=Path(".neucomback"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    tasks = select(load_suites([]), levels=[arguments.level], splits=())
    wanted = [t for t in arguments.task.split(",") if t]
    tasks = [t for t in tasks if not wanted or t.id in wanted]
    toolchain = check_tools([arguments.arch], cache=arguments.cache, march=None, sandbox=True)[arguments.arch]
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    start, total, alarms = time.monotonic(), 0, list[dict[str, object]]()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = pool.map(lambda task: hunt(task, toolchain, seeds), tasks)
        for number, (task, (verdicts, found)) in enumerate(zip(tasks, results, strict=True), 1):
            total += verdicts
            alarms += found
            print(f"[{number}/{len(tasks)}] {task.id}: {verdicts} verdicts, {len(found)} refusals", flush=True)
            for alarm in found:
                print(f"    {alarm['flags']}, seed {alarm['seed']}: {alarm['verdict']}\n{alarm['diagnostic']}")
    summary = {
        "arch": arguments.arch,
        "tasks": len(tasks),
        "flag_sets": [name_of(*row) for row in FLAG_SETS],
        "seeds": [seeds.start, seeds.stop - 1],
        "verdicts": total,
        "refusals": alarms,
        "seconds": round(time.monotonic() - start, 1),
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(summary, indent=1) + "\n")
    print(f"{total} verdicts, {len(alarms)} refusals, {summary['seconds']} s")
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main())
