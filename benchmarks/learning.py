"""Prompt learning measured: the published method beside each extension and beside GEPA, over several seeds.

    python benchmarks/learning.py --work FOLDER [--arch x86_64] [--seeds 5] [--jobs 2] [--variants 'plain;gate']

Every cell is a whole ``pytest --nc-learn-prompt --nc-learn-test`` in a folder of its own, against a simulated student
and teacher (``tests/simulated.py``) behind HTTP: the student's assembly is a compiler's, spoiled in ways that the judge
refuses, and rules against a way make it rarer. Candidates are really built, run and compared; a verdict on the same
candidate with the same seed is remembered (``verdict_memo.py``). Runs that are there already are not repeated, so an
interrupted benchmark goes on.

Seeds are pooled as the same tasks under other luck: for each test task the mean difference between winner and baseline
over the seeds, then a sign-flip test over tasks (20,000 draws, two-sided), so that a task counts once.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from simulated import PLAIN_STYLES, RIGHT, WAYS, Knobs, SimulatedEndpoint, Usable, usable  # noqa: E402

from pytest_neucomback.judge import Judge, JudgeSettings  # noqa: E402
from pytest_neucomback.learning import draw_tasks  # noqa: E402
from pytest_neucomback.options import LEARN_EXTENSIONS  # noqa: E402
from pytest_neucomback.tasks import Task, load_suites  # noqa: E402
from pytest_neucomback.toolchain import Toolchain  # noqa: E402

VARIANTS: Mapping[str, tuple[str, ...]] = {
    "plain": ("--nc-learn-extensions=none",),
    **{name: (f"--nc-learn-extensions={name}",) for name in LEARN_EXTENSIONS if name != "split"},
    "gate,split": ("--nc-learn-extensions=gate,split",),
    "all": ("--nc-learn-extensions=all",),
    "all but failed": (f"--nc-learn-extensions={','.join(n for n in LEARN_EXTENSIONS if n != 'failed')}",),
    "gepa": ("--nc-learn-optimizer=gepa", "--nc-learn-extensions=all"),
}
STUDENT = Knobs(mistakes=1.8, repairs=0.5, teacher_harmful=0.25, refuses_harmful=0.3, obedience=0.9)
"""About half of its translations stay wrong after self-debug; a quarter of what its teacher says is harmful."""


def chosen_tasks(level: str, counts: Mapping[str, int]) -> list[Task]:
    """So many tasks of each split, the same ones in every run."""
    tasks = {t.id: t for t in load_suites([f"bundled:{level}"])}
    names = [
        name
        for split, count in counts.items()
        for name in draw_tasks([t.id for t in tasks.values() if t.split == split], split, count, 0)
    ]
    return [tasks[name] for name in names]


def copied(tasks: Sequence[Task], suite: Path) -> None:
    suite.mkdir(parents=True, exist_ok=True)
    for task in tasks:
        for path in (task.c_path, task.yaml_path):
            shutil.copyfile(path, suite / path.name)


def run(arch: str, variant: str, seed: int, found: Usable, tasks: Sequence[Task], toolchain: Toolchain, work: Path,
        epochs: int) -> dict[str, Any]:  # fmt: skip
    """One learning run to its end: its subject of learn.json, the rules of the winner, requests and seconds."""
    folder = work / arch / variant.replace(" ", "-") / f"seed{seed}"
    done = folder / "result.json"
    if done.exists():
        return dict(json.loads(done.read_text()))
    (folder / "cache").mkdir(parents=True, exist_ok=True)
    if not (folder / "cache" / "build").exists():
        (folder / "cache" / "build").symlink_to((toolchain.cache / "build").resolve(), target_is_directory=True)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "verdict_memo",
        f"--nc-suite={work / 'suite'}", f"--nc-arch={arch}", "--nc-cache=cache", f"--nc-seed={seed}", "--nc-no-time",
        "--nc-inputs=8", "--nc-model=openai:sim-student", "--nc-learn-model=openai:sim-teacher", "--nc-learn-prompt",
        "--nc-learn-test", f"--nc-learn-epochs={epochs}", "--nc-report=report", *VARIANTS[variant],
    ]  # fmt: skip
    start = time.monotonic()
    with SimulatedEndpoint(tasks, {arch: toolchain}, {arch: found}, seed=seed, student=STUDENT) as endpoint:
        dropped = re.compile(r"PYTEST_|https?_proxy|all_proxy", re.IGNORECASE)
        environment = {k: v for k, v in os.environ.items() if not dropped.match(k)} | {
            "OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": "none", "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}",
            "NEUCOMBACK_VERDICT_MEMO": str(work / "verdicts"),
        }  # fmt: skip
        with (folder / "output.txt").open("w") as output:
            status = subprocess.run(
                command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False
            ).returncode
        requests = len(endpoint.log)
    if status:
        raise SystemExit(f"{arch} {variant} seed {seed} ended with {status}; see {folder / 'output.txt'}")
    (subject,) = json.loads((folder / "report" / "learn.json").read_text())["subjects"]
    (winner,) = [e for e in subject["epochs"] if e["epoch"] == subject["winner"]]
    result = {
        "test": subject["test"],
        "valid": [subject["epochs"][0]["correct"], winner["correct"], winner["tasks"]],
        "rules": [r["text"] for r in winner["rules"]],
        "last_rules": [r["text"] for r in subject["epochs"][-1]["rules"]],
        "requests": requests,
        "tokens": subject["tokens_in"] + subject["tokens_out"],
        "seconds": round(time.monotonic() - start, 1),
    }
    done.write_text(json.dumps(result, indent=1))
    return result


def harmful(rules: Iterable[str], found: Usable) -> int:
    """How many rules invite a mistake that at least a quarter of the tasks can suffer."""
    tasks = len(found[RIGHT])
    common = [way for way in WAYS if 4 * len(found.get(way.name, ())) >= tasks]
    return sum(any(way.invites(rule) for way in common) for rule in rules)


def clustered_p(results: Sequence[Mapping[str, Any]], draws: int = 20_000) -> tuple[float, float, float]:
    """Mean gain in ACC, half its 95 % interval (bootstrap over tasks), and p of the sign-flip test over tasks."""
    gains: dict[str, float] = {}
    for result in results:
        test = result["test"]
        for sign, names in ((1, test["won"]), (-1, test["lost"])):
            for name in names:
                gains[name] = gains.get(name, 0.0) + sign / len(results)
    tasks = results[0]["test"]["items"]
    values = np.array([*gains.values(), *[0.0] * (tasks - len(gains))])
    rng = np.random.default_rng(1)
    flips = rng.choice([-1.0, 1.0], size=(draws, tasks)) @ values / tasks
    samples = rng.choice(values, size=(draws, tasks)).mean(axis=1)
    low, high = np.quantile(samples, [0.025, 0.975])
    mean = float(values.mean())
    return mean, float(high - low) / 2, float((1 + (abs(flips) >= abs(mean) - 1e-12).sum()) / (draws + 1))


def table(arch: str, results: Mapping[str, Sequence[Mapping[str, Any]]], found: Usable) -> str:
    """A markdown table, a row for each variant."""
    lines = [
        "| variant | test ACC, baseline | learned | gain | p | won/lost | rounds, baseline | learned | "
        "harmful, winner | harmful, last | rules | requests | tokens |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for variant, runs in results.items():
        total = sum(r["test"]["items"] for r in runs)
        before = sum(r["test"]["baseline"]["correct"] for r in runs) / total
        after = sum(r["test"]["winner"]["correct"] for r in runs) / total
        gain, half, p = clustered_p(runs)
        won, lost = (sum(len(r["test"][k]) for r in runs) for k in ("won", "lost"))
        rounds = [
            float(np.mean([r["test"][k]["mean_debug_rounds"] or 0.0 for r in runs])) for k in ("baseline", "winner")
        ]
        bad = [sum(harmful(r[k], found) for r in runs) for k in ("rules", "last_rules")]
        mean = {k: float(np.mean([r[k] for r in runs])) for k in ("requests", "tokens")}
        rules = float(np.mean([len(r["rules"]) for r in runs]))
        lines.append(
            f"| {variant} | {before:.1%} | {after:.1%} | {gain:+.1%} ± {half:.1%} | {p:.2g} | {won}/{lost} | "
            f"{rounds[0]:.2f} | {rounds[1]:.2f} | {bad[0]} | {bad[1]} | {rules:.1f} | {mean['requests']:.0f} | "
            f"{mean['tokens'] / 1000:.0f} k |"
        )
    return f"{arch}, {len(next(iter(results.values())))} seeds\n\n" + "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where runs and verdicts are kept")
    parser.add_argument("--arch", default="x86_64")
    parser.add_argument("--level", default="l2")
    parser.add_argument("--variants", default=";".join(VARIANTS), help="with semicolons between; default: all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--train", type=int, default=20)
    parser.add_argument("--valid", type=int, default=12)
    parser.add_argument("--test", type=int, default=25)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=Path(".neucomback"))
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    counts = {"train": arguments.train, "valid": arguments.valid, "test": arguments.test}
    tasks = chosen_tasks(arguments.level, counts)
    copied(tasks, work / "suite")
    toolchain = Toolchain(arguments.arch, cache=arguments.cache)
    judge = Judge(JudgeSettings(1, 8, simplify=False), {arguments.arch: toolchain})
    found = usable(toolchain, judge, tasks, styles=PLAIN_STYLES)
    cells = [(v, s) for s in range(1, arguments.seeds + 1) for v in arguments.variants.split(";")]

    def cell(which: tuple[str, int]) -> dict[str, Any]:
        variant, seed = which
        result = run(arguments.arch, variant, seed, found, tasks, toolchain, work, arguments.epochs)
        test = result["test"]
        print(
            f"{arguments.arch} {variant} seed {seed}: test {test['baseline']['correct']} -> "
            f"{test['winner']['correct']} of {test['items']}, {result['requests']} requests, {result['seconds']} s",
            flush=True,
        )
        return result

    with ThreadPoolExecutor(arguments.jobs) as pool:
        done = dict(zip(cells, pool.map(cell, cells), strict=True))
    by_variant = {v: [done[v, s] for s in range(1, arguments.seeds + 1)] for v in arguments.variants.split(";")}
    print("\n" + table(arguments.arch, by_variant, found))


if __name__ == "__main__":
    main()
