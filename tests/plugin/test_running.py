"""A run from start to end: outcomes, exit status, what is printed and written, with and without xdist."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from evaluation import Project, correct, endless, no_op


def mixed(project: Project) -> str:
    """A model that is right on one task, wrong on another, silent on the third."""
    return f"--nc-model={project.answers('mixed', bump=correct('bump'), negate=no_op('negate'), triple='Sorry.')}"


# --- outcomes and exit status ----------------------------------------------------------------------------------------


def test_wrong_candidates_fail_and_say_what_a_person_needs(project: Project) -> None:
    """Verdict, first wrong element, rounds, files; no traceback; FAILED in the short summary."""
    result = project.run(mixed(project), "--nc-report=report")
    assert result.ret == 1
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "no_candidate: *",
            "wrong_output: 256 of 256 elements of a are wrong, first a[[]0[]]: expected *",
            "rounds: *first reply: wrong_output, 0 self-debug rounds",
            "candidate: *",
            "transcript: *",
            "FAILED *::test_task[[]negate-files:mixed-x86_64-baseline[]]*",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert not re.search(r"\.py:\d", result.stdout.str())
    assert project.verdicts() == {"bump": "correct", "negate": "wrong_output", "triple": "no_candidate"}


def test_fail_under_lets_the_aggregate_decide(project: Project) -> None:
    """Wrong candidates are then xfailed; the exit status follows the figure, and a line says which one was missed."""
    model = mixed(project)
    good = project.run(model, "--nc-fail-under=acc:0.33")
    assert good.ret == 0
    good.assert_outcomes(passed=1, xfailed=2)
    bad = project.run(model, "--nc-fail-under=acc:0.34")
    assert bad.ret == 1
    assert "--nc-fail-under=acc:0.34: files:mixed on x86_64 with prompt baseline reached 0.33" in bad.stdout.str()


def test_fail_under_is_not_met_by_a_run_without_items(project: Project) -> None:
    """A gate that saw nothing must not open."""
    assert project.run(mixed(project), "--nc-fail-under=acc:0", "-k", "nothing").ret != 0


@pytest.mark.parametrize("more", [[], ["-n1"]], ids=["serial", "xdist"])
def test_a_timeout_bounds_judging_and_blames_nobody(project: Project, more: list[str]) -> None:
    """--timeout ends a candidate that loops: `unjudged`, exit status 1; the process goes on with the other items."""
    right = {task: correct(task) for task in ("negate", "triple")}
    model = project.answers("loops", bump=endless("bump"), **right)
    result = project.run(f"--nc-model={model}", "--timeout=1.5", "--nc-report=report", *more)
    assert result.ret == 1
    assert project.verdicts() == {"bump": "unjudged", "negate": "correct", "triple": "correct"}
    output = result.stdout.str()
    assert "2 passed, 1 unjudged" in output
    assert "--timeout=1.5 s" in output
    assert "crashed" not in output
    assert "Traceback" not in output


def test_a_candidate_that_loops_is_timed_out_without_any_timeout(project: Project) -> None:
    """The oracle has limits of its own; that verdict is the candidate's."""
    model = project.answers("loops", bump=endless("bump"))
    project.run(f"--nc-model={model}", "-k", "bump", "--nc-report=report").assert_outcomes(failed=1)
    assert project.verdicts() == {"bump": "timed_out"}


def test_exitfirst_stops_and_the_run_can_go_on(project: Project) -> None:
    """-x ends after the first wrong item; the same command takes the run up in the same folder."""
    args = (mixed(project), "-x", "--nc-report=report")
    project.run(*args).assert_outcomes(failed=1)
    assert json.loads((project.path / "report" / "run.json").read_text())["finished"] is False
    project.run(*args)
    assert len({r["task"] for r in project.records()}) == len(project.records())


def test_last_failed_runs_what_was_wrong(project: Project) -> None:
    """--lf after fixing nothing: the wrong items again, and only those."""
    project.pytester.makepyfile("from pytest_neucomback.items import test_task")
    cache = ["-o", "cache_dir=pc", "-p", "cacheprovider"]
    model = mixed(project)
    project.run(model, *cache).assert_outcomes(passed=1, failed=2)
    again = project.run(model, "--lf", *cache)
    again.assert_outcomes(failed=2)


def test_node_ids_name_single_items(project: Project) -> None:
    """As printed, from a module of one's own."""
    project.pytester.makepyfile("from pytest_neucomback.items import test_task")
    node = "test_node_ids_name_single_items.py::test_task[bump-files:mixed-x86_64-baseline]"
    project.run(mixed(project), node).assert_outcomes(passed=1)


def test_no_time_means_no_time(project: Project) -> None:
    """--nc-no-time: no timing in the results, no ACC+Perf, no benchmark entries."""
    model = project.answers("right", bump=correct("bump"))
    project.run(f"--nc-model={model}", "-k", "bump", "--nc-report=report", "--benchmark-json=b.json")
    results = project.results()
    assert results["items"][0]["timing"] is None
    assert results["summary"][0]["acc_perf"] is None
    assert not (project.path / "b.json").exists() or not (project.path / "b.json").read_text()


# --- what is printed -------------------------------------------------------------------------------------------------


def test_verbose_output_has_a_line_per_item(project: Project) -> None:
    """-v as everywhere."""
    output = project.run(mixed(project), "-v").stdout
    output.fnmatch_lines(["*[[]bump-files:mixed-x86_64-baseline[]] PASSED*", "*[[]negate-*[]] FAILED*"])


def test_quiet_output_is_short(project: Project) -> None:
    """-q of a run without faults: the table, where the results are, the count."""
    model = project.answers("right", bump=correct("bump"))
    lines = project.run(f"--nc-model={model}", "-k", "bump", "-q").outlines
    assert len([line for line in lines if line]) <= 14
    assert all(len(line) <= 120 for line in lines), "COLUMNS is 120"
    assert "1 passed, 2 deselected" in lines[-1]


def test_the_summary_quotes_a_model_that_tries_to_paint_the_terminal_safely(project: Project) -> None:
    """Escape sequences of a candidate reach the terminal as text."""
    model = project.answers("evil", bump="```assembly\n.globl bump\nbump:\n  \x1b[31mevil\x07\n```\n")
    result = project.run(f"--nc-model={model}", "-k", "bump")
    result.assert_outcomes(failed=1)
    assert "\x1b[31m" not in result.stdout.str()
    assert "\x07" not in result.stdout.str()


def test_an_emulated_arch_is_announced_and_has_no_times(project: Project) -> None:
    """Correctness only, said once at the top; ACC+Perf stays empty."""
    result = project.run(
        "--nc-model=compiler:gcc-O2", "--nc-arch=riscv64", "--nc-time", "-k", "bump", "--nc-report=report"
    )
    result.assert_outcomes(passed=1)
    assert result.stdout.str().count("riscv64 is emulated here") == 1
    (summary,) = project.results()["summary"]
    assert (summary["acc"], summary["acc_perf"]) == (1.0, None)


@pytest.mark.parametrize("more", [[], ["-n1"]], ids=["serial", "xdist"])
def test_a_breakdown_of_the_engine_is_told_once(project: Project, more: list[str]) -> None:
    """An error nobody foresaw: its traceback once, at the end; the items are unjudged, and the exit status is not 0."""
    project.pytester.makeconftest("def pytest_neucomback_record(record, config): raise ZeroDivisionError('a bug')")
    result = project.run("--nc-model=compiler:gcc-O2", *more)
    assert result.ret == 1
    output = result.stdout.str()
    assert "3 unjudged" in output
    assert output.count("ZeroDivisionError: a bug") == 1
    assert "the run broke down" in output


# --- what is written -------------------------------------------------------------------------------------------------


def test_junit_carries_the_record(project: Project) -> None:
    """Each test case has the item's figures as properties; a wrong one is a failure, not an error."""
    project.run(mixed(project), "--junitxml=junit.xml", "--nc-report=report")
    cases = ET.parse(project.path / "junit.xml").getroot().findall(".//testcase")
    by_verdict = {}
    for case in cases:
        properties = {p.get("name"): p.get("value") for p in case.findall("properties/property")}
        by_verdict[properties["nc_verdict"]] = (case, properties)
    assert set(by_verdict) == {"correct", "wrong_output", "no_candidate"}
    case, properties = by_verdict["wrong_output"]
    assert case.find("failure") is not None
    assert case.find("error") is None
    assert properties["nc_model"] == "files:mixed"
    assert properties["nc_seed"] == "1"
    assert (project.path / "report" / str(properties["nc_transcript"])).is_file()


def comparable(project: Project, report: str) -> list[dict[str, Any]]:
    """Records without what depends on the clock, in order."""
    records = [{k: v for k, v in r.items() if k not in ("judge_s",)} for r in project.records(report)]
    return sorted(records, key=lambda r: (r["task"], r["model"]))


def test_xdist_gives_what_a_serial_run_gives(project: Project) -> None:
    """The same records, summary and transcripts with -n 2, and each item asked of the model once."""
    models = f"{mixed(project)},compiler:gcc-O2"
    serial = project.run(models, "--nc-report=serial")
    parallel = project.run(models, "--nc-report=parallel", "-n2")
    assert serial.ret == parallel.ret == 1
    assert serial.parseoutcomes() == parallel.parseoutcomes()
    assert comparable(project, "serial") == comparable(project, "parallel")
    one, two = project.results("serial"), project.results("parallel")
    assert one["summary"] == two["summary"]
    assert [i["task"] for i in one["items"]] == [i["task"] for i in two["items"]]
    for folder in ("transcripts", "candidates"):
        names = [sorted(p.name for p in (project.path / r / folder).iterdir()) for r in ("serial", "parallel")]
        assert names[0] == names[1]


# --- timing and pytest-benchmark -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["-n2"]], ids=["serial", "xdist"])
def test_timings_go_to_pytest_benchmark(project: Project, more: list[str]) -> None:
    """Candidate and reference of each timed item are entries of --benchmark-json, beside a user's own benchmark."""
    project.pytester.makepyfile(
        """
        from pytest_neucomback.items import test_task

        def test_of_the_users_own(benchmark):
            benchmark(sum, range(100))
        """
    )
    model = project.answers("right", bump=correct("bump", passes=3))
    result = project.run(
        f"--nc-model={model}", "-k", "bump or own", "--nc-time", "--benchmark-json=b.json", "--nc-report=report", *more
    )
    result.assert_outcomes(passed=2)
    (item,) = project.results()["items"]
    timing = item["timing"]
    assert timing["native"] is True
    assert timing["outcome"] == "slower"
    assert timing["speedup_ci"][0] <= timing["speedup"] <= timing["speedup_ci"][1] < 1
    entries = {b["name"]: b for b in json.loads((project.path / "b.json").read_text())["benchmarks"]}
    expected = {"bump-files:right-x86_64-baseline", "bump-x86_64-reference-for-files:right-baseline"}
    # pytest-benchmark itself does not measure under xdist
    assert set(entries) == expected | (set() if more else {"test_of_the_users_own"})
    candidate = entries["bump-files:right-x86_64-baseline"]
    assert candidate["group"] == "bump-x86_64"
    assert candidate["extra_info"]["model"] == "files:right"
    assert 0.5 < candidate["stats"]["median"] * 1e9 / timing["candidate_ns"] < 2
