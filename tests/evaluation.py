"""A user's project with a suite of tiny tasks, and the assembly, right and wrong, that the tests answer with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ARCH = "x86_64"
"""The answers below are written in its assembly; other hosts emulate it."""

TASKS = {
    "bump": ("void bump(int s) { for (int i = 0; i < N; i++) a[i] = b[i] + s; }", "mini", "test"),
    "negate": ("void negate(void) { for (int i = 0; i < N; i++) a[i] = -b[i]; }", "mini", "train"),
    "triple": ("void triple(void) { for (int i = 0; i < N; i++) a[i] = b[i] * 3; }", "midi", "test"),
}
"""Per task its C function, level and split; all work on two arrays of 256 ints."""

_STEPS = {"bump": "addl %edi, %ecx", "negate": "negl %ecx", "triple": "imull $3, %ecx, %ecx"}


def correct(task: str, *, passes: int = 1) -> str:
    """Assembly that is right; with more passes it does all its work again and is slower."""
    return f"""\
    .text
    .globl {task}
{task}:
    movl ${passes}, %edx
1:  xorl %eax, %eax
2:  movl b(,%rax,4), %ecx
    {_STEPS[task]}
    movl %ecx, a(,%rax,4)
    incq %rax
    cmpq $256, %rax
    jne 2b
    decl %edx
    jne 1b
    ret
"""


def no_op(task: str) -> str:
    """Assembly that changes nothing."""
    return f"    .globl {task}\n{task}:\n    ret\n"


def endless(task: str) -> str:
    """Assembly that never returns."""
    return f"    .globl {task}\n{task}:\n    jmp {task}\n"


def fenced(assembly: str) -> str:
    """The reply of a well-behaved model."""
    return f"```assembly\n{assembly}```\n"


def task_of(body: dict[str, Any]) -> str:
    """Which task a request to a model's endpoint is about."""
    text = json.dumps(body["messages"])
    return next(task for task in TASKS if f"`{task}`" in text)


class Project:
    """A folder with ``suite/``; ``run`` runs pytest there as a user would, in a process of its own."""

    def __init__(self, pytester: pytest.Pytester, build_cache: Path) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.cache = self.path / "cache"
        self.cache.mkdir()
        (self.cache / "build").symlink_to(build_cache, target_is_directory=True)
        for name in TASKS:
            self.add_task(name)
        pytester.makeini("[pytest]\n")

    def add_task(self, name: str, *, suite: str = "suite", c: str | None = None, yaml: str = "") -> Path:
        """Write one of ``TASKS``, or other C with a YAML of the same function, level and split."""
        code, level, split = TASKS.get(name, ("", "mini", "test"))
        folder = self.path / suite
        folder.mkdir(exist_ok=True)
        head = "#define N 256\nextern int a[N], b[N];\n"
        (folder / f"{name}.c").write_text(c if c is not None else f"{head}{code}\n")
        path = folder / f"{name}.yaml"
        path.write_text(yaml or f"function: {name}\nlevel: {level}\nsplit: {split}\nobserve: [a]\n")
        return path

    def answers(self, folder: str, **texts: str) -> str:
        """A folder of answers for ``files:``; keys are TASK, TASK_2 for the second round; returns the model string."""
        directory = self.path / folder
        directory.mkdir(exist_ok=True)
        for name, text in texts.items():
            task, _, turn = name.partition("_")
            ending = ".md" if "```" in text or not text.startswith("    .") else ".s"
            (directory / f"{task}.{ARCH}{f'.{turn}' if turn else ''}{ending}").write_text(text)
        return f"files:{folder}"

    def arguments(self, *args: str) -> list[str]:
        """``args`` behind what every run of the tests has: suite, arch, cache, no time, a fixed seed."""
        common = [f"--nc-arch={ARCH}", f"--nc-cache={self.cache}", "--nc-seed=1", "-p", "no:cacheprovider"]
        if not any(a.startswith("--nc-suite") for a in args):
            common.append("--nc-suite=suite")
        if "--nc-time" not in args:
            common.append("--nc-no-time")
        if any(a in ("--lf", "--last-failed") for a in args):
            common = [a for a in common if a not in ("-p", "no:cacheprovider")]
        return [*common, *args]

    def run(self, *args: str) -> pytest.RunResult:
        """Run pytest to its end."""
        return self.pytester.runpytest_subprocess(*self.arguments(*args), timeout=120)

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start pytest, its output in ``output.txt``, to be killed or interrupted."""
        with (self.path / "output.txt").open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "pytest", *self.arguments(*args)],
                cwd=self.path, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip

    def results(self, report: str = "report") -> dict[str, Any]:
        """results.json of a report."""
        found: dict[str, Any] = json.loads((self.path / report / "results.json").read_text())
        return found

    def records(self, report: str = "report") -> list[dict[str, Any]]:
        """results.jsonl of a report."""
        return [json.loads(line) for line in (self.path / report / "results.jsonl").read_text().splitlines()]

    def verdicts(self, report: str = "report") -> dict[str, str]:
        """Verdicts by task."""
        return {item["task"]: item["verdict"] for item in self.results(report)["items"]}

    def transcript(self, item: dict[str, Any], report: str = "report") -> dict[str, Any]:
        """The transcript of an item of results.json."""
        found: dict[str, Any] = json.loads((self.path / report / item["transcript_file"]).read_text())
        return found


def error_lines(result: pytest.RunResult) -> list[str]:
    """What a run that was refused said, on either stream."""
    return [line for line in (*result.outlines, *result.errlines) if line.strip()]
