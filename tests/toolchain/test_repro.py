"""`neucomback repro`: folders that show a fault with nothing but make and a compiler."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from candidates import SNIPPETS, candidate

from pytest_neucomback import repro
from pytest_neucomback.cli import main
from pytest_neucomback.errors import ConfigError
from pytest_neucomback.records import file_stem, record_to_json
from pytest_neucomback.sandbox import find_program
from pytest_neucomback.tasks import Task
from pytest_neucomback.toolchain import Toolchain
from pytest_neucomback.types import Record

Make = Callable[[str, Task, str], "Shown"]


@dataclasses.dataclass(frozen=True)
class Shown:
    """What `make` in a folder printed."""

    status: int
    output: str
    folder: Path


@pytest.fixture
def shown(toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Writes the folder, moves it, and runs make there in an environment without this package."""
    if find_program(["make"]) is None or find_program(toolchain.arch.gcc) is None:
        pytest.skip(f"apt-get install make {toolchain.arch.packages['gcc'][0]}")
    monkeypatch.setattr("pytest_neucomback.judge.LIMIT_FLOOR_S", 0.4)
    monkeypatch.setattr("pytest_neucomback.repro.LIMIT_FLOOR_S", 0.4)

    def show(arch: str, task: Task, assembly: str) -> Shown:
        request = repro.Request("an item", task, arch, assembly)
        repro.reproduce(request, tmp_path / "made", cache=toolchain.cache)
        elsewhere = tmp_path / "else where"
        shutil.rmtree(elsewhere, ignore_errors=True)
        shutil.move(tmp_path / "made", elsewhere)
        return run_make(elsewhere)

    return show


def run_make(folder: Path, *arguments: str) -> Shown:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C"}
    done = subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return Shown(done.returncode, done.stdout + done.stderr, folder)


def test_wrong_element_is_shown(shown: Make, arch: str, bump: Task) -> None:
    """A wrong result is printed with what was expected; the mended candidate passes in the same folder."""
    seen = shown(arch, bump, candidate(arch, count=63))
    assert seen.status
    assert "a: 1 of 64 elements are wrong" in seen.output
    assert "a[63]: expected 3, got 0" in seen.output
    (seen.folder / "candidate.s").write_text(candidate(arch))
    mended = run_make(seen.folder)
    assert (mended.status, "the candidate is right on this input" in mended.output) == (0, True)


def test_crash_is_shown_with_its_line(shown: Make, arch: str, bump: Task) -> None:
    """A crash is printed with signal, object and the candidate's line."""
    seen = shown(arch, bump, candidate(arch, count=65))
    assert seen.status
    assert "it touched b+256; b has 256 bytes" in seen.output
    line = next(n for n, text in enumerate(candidate(arch, count=65).splitlines(), 1) if text.startswith("1:"))
    assert f"candidate.s:{line}: 1:" in seen.output


def test_endless_loop_is_shown(shown: Make, arch: str, bump: Task) -> None:
    """A candidate that does not return is stopped, and the line it was in is quoted."""
    seen = shown(arch, bump, candidate(arch, before=SNIPPETS[arch].endless))
    assert seen.status
    assert "the candidate was still running" in seen.output
    assert "candidate.s:5: 3:" in seen.output


@pytest.mark.parametrize("kind", ["clobber", "clobber_float", "shift_stack"])
def test_abi_violation_is_shown(shown: Make, arch: str, bump: Task, kind: str) -> None:
    """Registers, rounding mode and stack pointer are looked at on return."""
    if kind == "shift_stack":
        seen, words = shown(arch, bump, candidate(arch, after=SNIPPETS[arch].shift_stack)), "off by -16 bytes"
    else:
        instructions, words = getattr(SNIPPETS[arch], kind)
        seen = shown(arch, bump, candidate(arch, before=instructions))
    assert seen.status
    assert "calling convention: " in seen.output
    assert words in seen.output


def test_write_outside_is_shown(shown: Make, arch: str, bump: Task) -> None:
    """Bytes around an object are compared too."""
    seen = shown(arch, bump, candidate(arch, after=SNIPPETS[arch].store_a.format(-8)))
    assert seen.status
    assert "a: wrote outside of it, at a-8 bytes" in seen.output


def test_assembler_errors_are_shown(shown: Make, arch: str, bump: Task) -> None:
    """Of a candidate that does not build the folder shows why."""
    seen = shown(arch, bump, candidate(arch, before="    frobnicate"))
    assert seen.status
    assert "candidate.s:5: Error" in seen.output


CHANGES = {
    "s471": ("        s471s();\n", "", "it made 0 calls, expected 32000"),
    "s481": ("d[i] < 0.0f", "d[i] < -9.0f", "it returned, instead of ending in a call"),
    "s451": ("sinf(", "cosf(", "expected"),
    "s315": ("index = i", "index = i + 1", "result: 1 of 1 elements are wrong"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_bundled_tasks(
    shown: Make, arch: str, toolchain: Toolchain, bundled: dict[str, Task], tmp_path: Path, name: str
) -> None:
    """Mocks, calls that do not return, libm functions and results work outside as they do in the oracle."""
    task = bundled[name]
    old, new, words = CHANGES[name]
    source = task.c_path.read_text()
    assert old in source
    for text, right in ((source.replace(old, new), False), (source, True)):
        (tmp_path / f"{name}.c").write_text(text)
        assembly = toolchain.compile_source("clang", "O2", tmp_path / f"{name}.c")
        if not right:
            seen = shown(arch, task, assembly)
            assert seen.status
            assert words in seen.output, seen.output
        else:
            (seen.folder / "candidate.s").write_text(assembly)
            assert run_make(seen.folder).status == 0


@pytest.mark.parametrize("arch", ["x86_64"], indirect=True)
def test_types_of_all_kinds(arch: str, toolchain: Toolchain, shown: Make, make_task: Callable[..., Task]) -> None:
    """Struct arguments and results, narrow integers and doubles get through unharmed."""
    c = (
        "#include <stdint.h>\nstruct pair { double weight; int8_t count; };\nextern double seen[4][8];\n"
        "struct pair blend(struct pair p, int16_t n, const float *x, double k)\n{\n"
        "    for (int i = 0; i < 8; i++)\n        seen[2][i] = x[i] * k + n;\n"
        "    p.count += n;\n    p.weight *= k;\n    return p;\n}\n"
    )
    yaml = "observe: [result, seen]\ninputs:\n  n: {values: [7]}\n  x: {length: 8}\n  k: {values: [2.0]}\n"
    task = make_task("blend", c, yaml)
    right = toolchain.compile_source("clang", "O1", task.c_path)
    wrong = right.replace("mulsd", "addsd").replace("mulpd", "addpd")
    assert wrong != right
    seen = shown(arch, task, wrong)
    assert seen.status
    assert "seen[2][0]: expected" in seen.output
    assert "result.weight: expected" in seen.output
    (seen.folder / "candidate.s").write_text(right)
    assert run_make(seen.folder).status == 0


# --- which item ----------------------------------------------------------------------------------------------------


@pytest.fixture
def report(tmp_path: Path, bump: Task, native: Toolchain) -> Path:
    """A report of four items, three of them not correct."""
    folder = tmp_path / "reports" / "20260101-000000-abcdef"
    (folder / "candidates").mkdir(parents=True)
    lines = []
    for model, verdict, text in (
        ("alpha", "wrong_output", candidate("x86_64", count=63)),
        ("beta", "crashed", candidate("x86_64", count=65)),
        ("beta-2", "correct", candidate("x86_64")),
        ("gamma", "no_candidate", None),
    ):
        record = Record(
            "bump", "mini", "ir-O3", 7, "mini", "test", model, "x86_64", "baseline", 1, verdict, "", verdict, verdict,
            0, 0, 0, 0, None, None, None, None, None,
        )  # fmt: skip
        if text:
            name = f"candidates/{file_stem(record.key)}.s"
            (folder / name).write_text(text)
            record = dataclasses.replace(record, candidate_file=name)
        lines.append(json.dumps(record_to_json(record)))
    (folder / "results.jsonl").write_text("\n".join(lines) + "\n")
    command = {"suites": [str(bump.c_path.parent)], "samples": 1, "march": None, "inputs": 4, "fp": "exact"}
    (folder / "run.json").write_text(json.dumps({"schema": 1, "command": command}))
    return folder


@pytest.mark.parametrize(
    "text", ["bump-alpha-x86_64-baseline", "alpha", "test_it.py::test_task[bump-alpha-x86_64-baseline]"]
)
def test_item_by_id_or_part(report: Path, text: str) -> None:
    """An item is found by its id, a node id, or a part that no other item has."""
    request = repro.request_from_report(text, report)
    assert (request.item, request.arch, request.seed) == ("bump-alpha-x86_64-baseline", "x86_64", 7)


def test_part_of_several_means_the_one_that_is_wrong(report: Path) -> None:
    """Of two items that match, the one that is not correct is meant."""
    assert repro.request_from_report("beta", report).item == "bump-beta-x86_64-baseline"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("delta", "Not correct are: bump-alpha-x86_64-baseline, bump-beta-x86_64-baseline, bump-gamma"),
        ("bump", "part of 4 items"),
        ("beta-2", "judged correct"),
        ("gamma", "left no assembly"),
    ],
)
def test_items_that_cannot_be_shown(report: Path, text: str, words: str) -> None:
    """Nothing, several or nothing to run: the message says which and what to write."""
    with pytest.raises(ConfigError, match=words):
        repro.request_from_report(text, report)


def test_command(
    report: Path, native: Toolchain, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`neucomback repro ITEM` takes the newest report, writes repro-ITEM and says what to do next."""
    if find_program(["make"]) is None:
        pytest.skip("apt-get install make")
    monkeypatch.chdir(report.parent.parent)
    assert main(["repro", "beta", "--cache", str(native.cache)]) == 0
    assert "run `make` there" in capsys.readouterr().out
    folder = Path("repro-bump-beta-x86_64-baseline")
    readme = (folder / "README.txt").read_text()
    assert "bump-beta-x86_64-baseline: crashed" in readme
    assert "b+256, past its end" in readme
    assert str(report) not in "".join(p.read_text(errors="replace") for p in folder.iterdir() if p.is_file())
    assert "it touched b+256" in run_make(folder).output
    # once more into the same folder, but never over something else
    assert main(["repro", "beta", "--cache", str(native.cache)]) == 0
    Path("mine").mkdir()
    Path("mine/thesis.tex").touch()
    assert main(["repro", "beta", "--cache", str(native.cache), "--out", "mine"]) == 2
    assert Path("mine/thesis.tex").exists()


def test_candidate_in_a_file(bump: Task, native: Toolchain, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A candidate of no report is named by its file; its name or --task and --arch say what it is for."""
    (tmp_path / "bump.x86_64.s").write_text(candidate("x86_64", count=63))
    common = ["--suite", str(bump.c_path.parent), "--cache", str(native.cache), "--out", str(tmp_path / "out")]
    assert main(["repro", str(tmp_path / "bump.x86_64.s"), *common]) == 0
    (tmp_path / "mine.s").write_text(candidate("x86_64"))
    assert main(["repro", str(tmp_path / "mine.s"), *common]) == 2
    assert "--task" in capsys.readouterr().err
    assert main(["repro", str(tmp_path / "mine.s"), "--task", "bump", "--arch", "x86_64", *common]) == 2
    assert "is correct when it is judged now" in capsys.readouterr().err


def test_forbidden_is_not_run_outside_the_sandbox(native: Toolchain, bump: Task, tmp_path: Path) -> None:
    """What the policy refuses is not handed out as a program."""
    text = candidate("x86_64", before="    movl $39, %eax\n    syscall")
    with pytest.raises(ConfigError, match="may not be run outside the sandbox"):
        repro.reproduce(repro.Request("x", bump, "x86_64", text), tmp_path / "out", cache=native.cache)
    assert not (tmp_path / "out").exists()
