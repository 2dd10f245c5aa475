"""Whole runs without network: answers from files, transcripts played again, compilers; and what results.json holds."""

from __future__ import annotations

from typing import Any

import pytest
from evaluation import ARCH, Project, correct, no_op

RUN_KEYS = {"versions", "host", "seed", "settings", "command_line"}
SUMMARY_KEYS = {
    "model", "arch", "prompt", "level", "split", "tasks", "judged", "correct", "acc", "acc_ci", "faster", "acc_perf",
    "acc_perf_ci", "acc_first", "acc_initial", "acc_perf_initial", "mean_debug_rounds", "tokens_in", "tokens_out",
    "cost_usd", "median_speedup",
}  # fmt: skip
ITEM_KEYS = {
    "task", "suite", "source", "seed", "level", "split", "model", "arch", "prompt", "sample", "verdict", "detail",
    "first_verdict", "initial_verdict", "debug_rounds", "opt_rounds", "tokens_in", "tokens_out", "cost_usd", "timing",
    "code_bytes", "candidate_file", "transcript_file",
}  # fmt: skip
TIMING_KEYS = {
    "native", "candidate_ns", "reference_ns", "speedup", "speedup_ci", "outcome", "instructions",
    "reference_instructions", "hot_lines", "costs", "reference_costs", "working_set_bytes",
}  # fmt: skip
SAMPLE = ("s000", "s111", "s221", "s311", "s421", "s452", "s491", "va", "vdotr", "vif")
"""Loops of every kind: stores, reductions, gathers, conditions, aliases."""


def judgements(project: Project, report: str) -> dict[str, tuple[Any, ...]]:
    keys = ("verdict", "first_verdict", "initial_verdict", "debug_rounds", "opt_rounds", "tokens_in", "tokens_out")
    return {i["task"]: tuple(i[k] for k in keys) for i in project.results(report)["items"]}


@pytest.mark.slow
def test_results_hold_the_keys_of_the_contract(project: Project) -> None:
    """Every key users' scripts depend on, of run, summary, items and timing, with values of the right kind."""
    model = project.answers("mixed", bump=correct("bump"), negate="Sorry.")
    project.run(f"--nc-model={model}", "--nc-level=mini", "--nc-time", "--nc-report=report")
    results = project.results()
    assert set(results) == {"schema", "run", "summary", "items"}
    assert results["schema"] == 1
    assert set(results["run"]) >= RUN_KEYS
    assert results["run"]["finished"] is True
    assert results["run"]["references"][ARCH]["clang-O3"].startswith("clang")
    assert all(size >= 1024 for size in results["run"]["host"]["caches"].values())
    assert " -O3 -march=" in results["run"]["references"][ARCH]["clang-O3"]
    assert all(set(s) >= SUMMARY_KEYS for s in results["summary"])
    assert all(list(i)[: len(ITEM_KEYS)] == [k for k in i if k in ITEM_KEYS] for i in results["items"])
    assert all(set(i) >= ITEM_KEYS for i in results["items"])
    timed, silent = results["items"]
    assert set(timed["timing"]) >= TIMING_KEYS
    assert timed["timing"]["native"] is True
    assert timed["timing"]["outcome"] in ("faster", "tied", "slower")
    assert (silent["timing"], silent["candidate_file"], silent["code_bytes"]) == (None, None, None)
    assert timed["cost_usd"] is None
    assert timed["code_bytes"] > 10
    assert [i["task"] for i in results["items"]] == ["bump", "negate"]
    (summary,) = results["summary"]
    assert (summary["tasks"], summary["judged"], summary["correct"], summary["acc"]) == (2, 2, 1, 0.5)
    low, high = summary["acc_ci"]
    assert 0 <= low < 0.5 < high <= 1


def test_files_answer_round_after_round(project: Project) -> None:
    """TASK.ARCH.s, then TASK.ARCH.2.s; when they run out the last verdict stands."""
    model = project.answers(
        "answers", bump=no_op("bump"), bump_2=correct("bump"), negate="Hm.", negate_2=no_op("negate"), triple="Hm."
    )
    project.run(f"--nc-model={model}", "--nc-report=report").assert_outcomes(passed=1, failed=2)
    assert judgements(project, "report") == {
        "bump": ("correct", "wrong_output", "correct", 1, 0, 0, 0),
        "negate": ("wrong_output", "no_candidate", "wrong_output", 1, 0, 0, 0),
        "triple": ("no_candidate", "no_candidate", "no_candidate", 0, 0, 0, 0),
    }


@pytest.mark.parametrize("more", [[], ["-n2"]], ids=["serial", "xdist"])
def test_a_report_can_be_played_again(project: Project, more: list[str]) -> None:
    """replay:DIR gives the verdicts and rounds of the run that made the report."""
    model = project.answers(
        "answers", bump=no_op("bump"), bump_2=correct("bump"), negate="Hm.", triple=correct("triple")
    )
    project.run(f"--nc-model={model}", "--nc-report=first")
    project.run("--nc-model=replay:first", "--nc-report=second", *more)
    assert judgements(project, "second") == judgements(project, "first")


@pytest.mark.slow
@pytest.mark.parametrize("body", ["", "\txorl %eax, %eax\n\txorps %xmm0, %xmm0\n"], ids=["no-op", "zero"])
def test_assembly_that_does_nothing_is_never_accepted(project: Project, body: str) -> None:
    """On loops of every kind, neither returning at once nor returning zero is correct."""
    answers = project.path / "lazy"
    answers.mkdir()
    for task in SAMPLE:
        (answers / f"{task}.{ARCH}.s").write_text(f"\t.globl {task}\n{task}:\n{body}\tret\n")
    names = " or ".join(f"[{task}-" for task in SAMPLE)
    project.run("--nc-model=files:lazy", "--nc-suite=bundled:l2", "-k", names, "--nc-report=report", "--nc-inputs=4")
    assert project.verdicts() == dict.fromkeys(SAMPLE, "wrong_output")


@pytest.mark.slow
def test_real_compilers_are_always_right(project: Project) -> None:
    """What calibrates the harness: gcc and clang, at three levels, on every arch, without a single fault."""
    models = "compiler:gcc-O2,compiler:clang-O3,compiler:clang-O0"
    result = project.run(f"--nc-model={models}", "--nc-arch=x86_64,aarch64,riscv64", "--nc-report=report", "-n2")
    result.assert_outcomes(passed=27)
    assert all(s["acc"] == 1.0 for s in project.results()["summary"])
