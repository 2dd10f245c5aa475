"""Which branches of a task's C its inputs reach, and what `neucomback tasks check` says of a task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_neucomback.branches import find_vectors, reach
from pytest_neucomback.cli import main
from pytest_neucomback.draws import PLAIN_FIXED
from pytest_neucomback.errors import ToolMissing
from pytest_neucomback.tasks import Task, load_task
from pytest_neucomback.toolchain import Toolchain

MakeTask = Callable[[str, str, str], Task]
C = """\
#include <stdint.h>
extern int alarm_line(int code);
static int steep(int v)
{
    return v > 90 && (v & 1) ? 2 : 1;
}
int grade(int v, const uint8_t *p, unsigned n)
{
    int sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += p[i] == 200 ? 5 : steep(v);
    if (v < 0)
        return -1;
    if (v > 100)
        sum = alarm_line(v);
    switch (v & 3) {
    case 0: return sum;
    case 1: return sum * 2;
    case 2: return sum * 3;
    default: return sum * 4;
    }
}
"""
YAML = """\
externals: {alarm_line: {kind: mock, returns: {values: [3, 9]}}}
draw: |
  n = rng.int(1, 4)
  return {"v": rng.int(%s), "p": rng.bytes(n), "n": n}
"""


@pytest.fixture
def meter_task(native: Toolchain, make_task: MakeTask) -> Callable[[str, str], Task]:
    try:
        reach(native, make_task("grade", C, YAML % "0, 200"))
    except ToolMissing as error:
        pytest.skip(str(error))
    return lambda values, extra: make_task("grade", C, YAML % values + extra)


def test_missed_outcomes_are_named(native: Toolchain, meter_task: Callable[[str, str], Task]) -> None:
    """Inputs from 0 to 10 never reach the alarm, the negative ones or the steep part; the byte 200 is not drawn."""
    found = reach(native, meter_task("0, 10", ""))
    missed = [(s.text, s.outcome) for s in found.missed]
    assert ("if (v < 0)", True) in missed
    assert ("if (v > 100)", True) in missed
    assert ("return v > 90 && (v & 1) ? 2 : 1;", True) in missed
    assert ("if (v < 0)", False) not in missed
    assert not any("case" in text for text, _ in missed)
    assert found.vectors == PLAIN_FIXED


def test_everything_reached_is_nothing_missed(native: Toolchain, meter_task: Callable[[str, str], Task]) -> None:
    """Random vectors that reach what the fixed ones miss are found, and stored they close the gap."""
    task = meter_task("-5, 150", "")
    numbers, left = find_vectors(native, task, most=400)
    assert numbers
    assert not left
    stored = meter_task("-5, 150", f"vectors: {numbers}\n")
    assert not reach(native, stored).missed


def test_unreachable_branches_have_reasons(native: Toolchain, meter_task: Callable[[str, str], Task]) -> None:
    """What the YAML excuses is listed with its reason; an excuse for something that is reached is reported."""
    extra = (
        "unreachable:\n"
        "  - {line: 'if (v < 0)', side: true, why: the caller checks}\n"
        "  - {line: 'case 0: return sum;', why: nonsense}\n"
    )
    found = reach(native, meter_task("0, 150", extra))
    assert ("if (v < 0)", "the caller checks") in [(s.text, why) for s, why in found.excused]
    assert found.idle == ("case 0: return sum;",)


def test_the_command_checks_and_stores(
    native: Toolchain, meter_task: Callable[[str, str], Task], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`tasks check` says what to mend; with --store it adds the vectors and says which."""
    task = meter_task("-5, 150", "edges: [ignored]\n")
    folder = tmp_path / "suite"
    folder.mkdir()
    for path in (task.c_path, task.yaml_path):
        (folder / path.name).write_bytes(path.read_bytes())
    arguments = ["tasks", "check", "--suite", str(folder), "--cache", str(native.cache)]
    assert main(arguments) == 1
    said = capsys.readouterr().out
    assert "MEND  grade" in said
    assert "draw does nothing for the edge 'ignored'" in said
    assert "is never true" in said
    (folder / "grade.yaml").write_text((folder / "grade.yaml").read_text().replace("edges: [ignored]\n", ""))
    assert main([*arguments, "--store"]) == 0
    assert "stored random vectors" in capsys.readouterr().out
    assert load_task(folder / "grade.yaml").vectors
    assert main(arguments) == 0
    assert main([*arguments, "nosuch"]) == 2
    assert "no task 'nosuch'" in capsys.readouterr().err
