"""Inputs on which the task's C is undefined are put aside, counted and replaced."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.tasks import Task
from pytest_neucomback.toolchain import Toolchain

MakeTask = Callable[[str, str, str], Task]

TASKS = {
    "twice": ("int twice(int n)\n{\n    return n * 2;\n}\n", "n: {values: [1, 2147483647, 5, -9]}"),
    "third": ("int third(int n)\n{\n    return 1000 / n;\n}\n", "n: {values: [3, 0, 5, 7]}"),
    "shifted": ("int shifted(int n)\n{\n    return 1 << n;\n}\n", "n: {values: [3, 32, 0, 7]}"),
    "cut": ("int cut(float x)\n{\n    return (int)x;\n}\n", "x: {values: [3.5, 3.0e+20, -0.5, 7.0]}"),
    "row": (
        "extern int t[4][8];\nint row(int i, int j)\n{\n    return t[i][j];\n}\n",
        "i: {values: [0, 1, 2]}\n  j: {values: [3, 7, 0, 8]}",
    ),
    "far": ("int far(const int *p, int i)\n{\n    return p[i];\n}\n", "i: {values: [0, 100000, 5]}"),
    "narrow": ("int narrow(signed char c)\n{\n    return 100 / (c + 1);\n}\n", "c: {values: [3, -1, -128, 127]}"),
    "kept": (
        "int kept(int n, unsigned u)\n{\n    return n ^ (int)(u * u);\n}\n",
        "u: {values: [4294967295, 7, 65536]}",
    ),
}


@pytest.mark.parametrize("name", TASKS)
def test_undefined_inputs_are_replaced(
    name: str, arch: str, toolchain: Toolchain, judge: Judge, make_task: MakeTask
) -> None:
    """Optimised code is right although some inputs overflow; as many vectors run as without them."""
    c, inputs = TASKS[name]
    task = make_task(name, c, f"observe: [result]\ninputs:\n  {inputs}\n")
    found = judge.judge(task, arch, toolchain.compile_source("clang", "O3", task.c_path))
    assert found.verdict == "correct", found.verdict.diagnostic
    assert (found.discarded_vectors > 0) == (name != "kept")
    assert found.verdict.fixed_vectors >= 4
    assert found.verdict.fresh_vectors == 8


def test_the_same_inputs_are_discarded_each_time(native: Toolchain, make_task: MakeTask) -> None:
    """A second judge, which reads what the first one noted, gives the same count and verdict."""
    task = make_task("twice", *(TASKS["twice"][0], f"observe: [result]\ninputs:\n  {TASKS['twice'][1]}\n"))
    text = native.compile_source("gcc", "O2", task.c_path)
    counts = {
        Judge(JudgeSettings(3, 8), {"x86_64": native}).judge(task, "x86_64", text).discarded_vectors for _ in "ab"
    }
    assert len(counts) == 1


def test_no_defined_input_at_all(native_judge: Judge, make_task: MakeTask) -> None:
    """A task that is undefined whatever is drawn is unjudged, and the message names its file."""
    task = make_task(
        "wrap", "int wrap(int n)\n{\n    return n + 1;\n}\n", "observe: [result]\ninputs:\n  n: {fill: 2147483647}\n"
    )
    verdict = native_judge.judge(task, "x86_64", "    .globl wrap\nwrap:\n    ret\n").verdict
    assert verdict == "unjudged"
    assert "wrap.yaml: the C is undefined on all" in verdict.detail
