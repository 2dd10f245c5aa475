"""The oracle measured on a few small tasks, with real compilers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_neucomback import calibrate as calibration
from pytest_neucomback.calibrate import Calibration, Scope, as_json, as_markdown, as_text
from pytest_neucomback.cli import main
from pytest_neucomback.equivalence import Group, MachineCode, OtherVectors, compare_on
from pytest_neucomback.errors import ConfigError
from pytest_neucomback.glue import argument_slots
from pytest_neucomback.mutants import draw_mutants
from pytest_neucomback.tasks import Task
from pytest_neucomback.toolchain import Toolchain

PICK_C = """\
extern float out[64];
float pick(const float *in, int n)
{
    float best = in[0];
    for (int i = 0; i < n; i++) {
        out[i] = in[i] - 0.5f;
        if (in[i] > best)
            best = in[i];
    }
    return best;
}
"""
PICK_YAML = "observe: [out, result]\ninputs:\n  n: {values: [64, 1, 0, 7, 33]}\n"


@pytest.fixture(scope="module")
def pick(make_task: Callable[[str, str, str], Task]) -> Task:
    return make_task("pick", PICK_C, PICK_YAML)


@pytest.fixture
def measured(pick: Task, bump: Task, toolchain: Toolchain, arch: str, monkeypatch: pytest.MonkeyPatch) -> Calibration:
    monkeypatch.setattr(calibration, "OTHER_FACTOR", 5)
    toolchain.compiler_command("clang", "O0")
    scope = Scope((arch,), (pick, bump), mutants=6, fresh_vectors=8)
    return calibration.calibrate(scope, cache=toolchain.cache, progress=lambda _: None)


@pytest.mark.slow
def test_two_small_tasks(measured: Calibration, arch: str) -> None:
    result = json.loads(as_json(measured))
    (summary,) = result["summary"]
    assert result["unexpected"] == []
    assert summary["not_measured"] == []
    assert set(summary["compilers_accepted"].values()) == {2}
    assert all(group["accepted"] == 0 < group["candidates"] for group in summary["faults"].values())
    assert summary["mutants"] == 12
    assert summary["killed"] + summary["equivalent"]["total"] + summary["alive"] == 12
    assert summary["alive"] <= 1  # 8 fresh vectors are few
    assert summary["kill_rate"] >= 0.9
    text, page = as_text(measured), as_markdown(measured, "neucomback calibrate")
    assert "kill rate without equivalents" in text
    assert f"| mutants | {summary['mutants']} |" in page
    assert arch in page


def test_machine_code_ignores_what_is_no_code(native: Toolchain) -> None:
    code = "    .text\n    .globl f\nf:\n    movl $1, %eax\n    jmp .La\n.La:\n    ret\n"
    with MachineCode(native) as machine_code:
        one = machine_code(code)
        assert one is not None
        assert machine_code(code.replace(".La", ".Lother").replace("movl", "movl  ")) == one
        assert machine_code(code.replace("$1", "$2")) != one
        assert machine_code(code.replace("call", "").replace("movl $1", "movl $1, 2")) is None
        assert machine_code(code.replace("ret", "jmp g")) != machine_code(code.replace("ret", "jmp h"))


def test_drawn_mutants_assemble_and_differ(native: Toolchain, pick: Task) -> None:
    assembly = native.compile_source("clang", "O1", pick.c_path)
    with MachineCode(native) as machine_code:
        mutants = draw_mutants(assembly, "x86_64", count=15, seed="1", machine_code=machine_code)
        codes = {machine_code(m.assembly) for m in mutants}
    assert len(mutants) == len(codes) == 15
    assert None not in codes


def test_other_vectors_stay_in_the_domain_of_integers(native: Toolchain, pick: Task) -> None:
    other = OtherVectors(native.plan(pick), 3)
    drawn = [other.vector(i) for i in range(30)]
    slot = argument_slots(native.plan(pick).signature)[1]  # of n; an int's upper half is undefined on x86-64
    assert {v.args[slot] & 0xFFFFFFFF for v in drawn} <= {64, 1, 0, 7, 33}
    assert drawn[4].objects["in"].tobytes() == other.vector(4).objects["in"].tobytes()
    assert len({v.objects["in"].tobytes() for v in drawn}) == 30


def test_other_vectors_tell_a_wrong_mutant_from_the_original(native: Toolchain, pick: Task) -> None:
    assembly = native.compile_source("clang", "O1", pick.c_path)
    with MachineCode(native) as machine_code:
        mutants = draw_mutants(assembly, "x86_64", count=10, seed="1", machine_code=machine_code)
    same = replace(mutants[0], assembly=assembly)
    wrong = next(m for m in mutants if m.kind == "deleted store")
    other = OtherVectors(native.plan(pick), 3)
    fared = compare_on(native, pick, [Group(assembly, [same, wrong])], (other.vector(i) for i in range(40)))
    assert set(fared.killed) == {(0, 1)}
    assert fared.vectors == 40


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    def drawn(seed: int) -> list[str]:
        scope = calibration.make_scope(suites=[], levels=["l2"], names=[], arches=["x86_64"], sample=5, seed=seed)
        return [t.id for t in scope.tasks]

    assert drawn(1) == drawn(1)
    assert len(drawn(1)) == 5
    assert drawn(1) != drawn(2)


def test_a_reading_that_a_vector_refutes_is_reported(
    pick: Task, native: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Everything(dict[str, str]):
        def __contains__(self, key: object) -> bool:
            return True

        def __missing__(self, key: str) -> str:
            return "said to be equivalent"

    monkeypatch.setattr(calibration, "reviewed", lambda: Everything())
    scope = Scope(("x86_64",), (pick,), mutants=6, fresh_vectors=8)
    report = calibration._Bench(scope, "x86_64", native).measure(pick)
    refuted = [t for t in report.trials if t.group == "reading"]
    assert len(refuted) == report.mutants - len(report.survivors) > 0
    assert all(t.outcome != "correct" and not t.expected for t in refuted)
    assert not Calibration(scope, {}, (report,), 1.0).good


def test_an_unknown_task_is_named() -> None:
    with pytest.raises(ConfigError, match="--task=nosuch"):
        calibration.make_scope(suites=[], levels=[], names=["nosuch"], arches=["x86_64"], sample=None)


@pytest.mark.slow
def test_command_line(native: Toolchain, pick: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["calibrate", "--suite", str(pick.c_path.parent), "--task", "pick", "--arch", "x86_64"]
    arguments += ["--mutants", "4", "--inputs", "4", "--jobs", "1", "--cache", str(native.cache)]
    status = main([*arguments, "--json", str(tmp_path / "c.json"), "--markdown", str(tmp_path / "c.md")])
    result = json.loads((tmp_path / "c.json").read_text())
    assert status == (0 if result["good"] else 1)
    assert result["settings"]["tasks"] == ["pick"]
    assert "How strong the oracle is" in (tmp_path / "c.md").read_text()
    assert "Correct compilers accepted" in capsys.readouterr().out


def test_command_line_refuses_numbers_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "--mutants", "0"]) == 2
    assert "above 0" in capsys.readouterr().err
