"""Records and summaries to text."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from pytest_neucomback.metrics import summarise
from pytest_neucomback.report import (
    failure_text,
    human_cost,
    human_count,
    human_duration,
    progress_line,
    summary_table,
    verdict_line,
)
from pytest_neucomback.types import Record, Usage

PLAIN = Record(
    task="s000", suite="l2", source="ir-O3", seed=1, level="l2", split="test", model="deepseek-r1", arch="x86_64",
    prompt="baseline", sample=1, verdict="correct", detail="", first_verdict="correct", initial_verdict="correct",
    debug_rounds=0, opt_rounds=0, tokens_in=40_000, tokens_out=10_000, cost_usd=0.21, timing=None, code_bytes=10,
    candidate_file=None, transcript_file=None, timed=True,
)  # fmt: skip
FASTER = {"native": True, "outcome": "faster", "speedup": 1.34}
EMULATED = {"native": False, "outcome": None, "speedup": None}


def records(**changes: Any) -> list[Record]:
    """Seven correct and faster, three wrong after two self-debug rounds."""
    right = [replace(PLAIN, task=f"t{n}", timing=FASTER, first_verdict="crashed", debug_rounds=1) for n in range(7)]
    words: dict[str, Any] = {
        "verdict": "wrong_output",
        "first_verdict": "wrong_output",
        "initial_verdict": "wrong_output",
    }
    wrong = [replace(PLAIN, task=f"t{n}", debug_rounds=2, **words) for n in range(7, 10)]
    return [replace(record, **changes) for record in right + wrong]


def columns_of(rule: str) -> list[tuple[int, int]]:
    """Where the columns over a rule begin and end."""
    return [match.span() for match in re.finditer("─+", rule)]


def test_wide_table_has_every_figure_aligned() -> None:
    """Columns of contract figures, each row as wide as the rule."""
    lines = summary_table(summarise(records()), width=None)
    heading, rule, row = lines[:3]
    assert [heading[start:end].strip() for start, end in columns_of(rule)] == [
        "model", "arch", "prompt", "level", "ACC", "95% interval", "ACC+Perf", "first → debugged", "debug rounds",
        "speed-up", "geometric mean", "no slower", "tokens in/out", "cost",
    ]  # fmt: skip
    assert [row[start:end].strip() for start, end in columns_of(rule)] == [
        "deepseek-r1", "x86_64", "baseline", "l2/test", "70.0% (7/10)", "39.7\N{EN DASH}89.2%", "70.0% (7/10)",
        "0.0% → 70.0%", "1.00", "1.34\N{MULTIPLICATION SIGN}",
        "1.34\N{MULTIPLICATION SIGN} (1.34 to 1.34)", "7/10", "400.0k/100.0k", "$2.10",
    ]  # fmt: skip
    assert len(row) == len(heading) == len(rule)


@pytest.mark.parametrize("width", [78, 80, 100, 120, 140, 200])
def test_table_fits_the_terminal(width: int) -> None:
    """Columns go before lines wrap, and ACC stays."""
    both = summarise(records() + records(arch="aarch64", timing=EMULATED))
    lines = summary_table(both, width=width)
    assert max(map(len, lines)) <= width
    assert sum("70.0% (7/10)" in line for line in lines) == 2


def test_less_important_columns_go_first() -> None:
    """Token counts go before the interval does, and shared names move up before it goes."""
    heading = summary_table(summarise(records()), width=100)[0]
    assert "tokens" not in heading
    assert "95% interval" in heading
    lines = summary_table(summarise(records()), width=75)
    assert lines[0] == "arch x86_64 · prompt baseline · level l2/test"
    assert lines[1].split()[0] == "model"
    assert "95% interval" in lines[1]


def test_very_narrow_table_says_shared_names_once() -> None:
    """What all rows share moves above the table; long names keep their end."""
    rows = summarise(records(model="openai:a-very-long-organisation/model-7b") + records(model="gpt-4o"))
    lines = summary_table(rows, width=50)
    assert lines[0] == "arch x86_64 · prompt baseline · level l2/test"
    assert any(line.startswith("…") and "model-7b" in line for line in lines)
    assert max(map(len, lines)) <= 50


def test_emulated_row_has_a_dash_and_the_reason() -> None:
    """Empty, with a footnote why."""
    lines = summary_table(summarise(records(arch="aarch64", timing=EMULATED)), width=None)
    assert "—" in lines[2]
    assert "— ACC+Perf of aarch64 l2: emulated here, and an emulated time is never compared." in lines


def test_untimed_row_has_a_dash_and_the_reason() -> None:
    """The other reason."""
    lines = summary_table(summarise(records(timing=None, timed=False)), width=None)
    assert any(line.startswith("— ACC+Perf of x86_64 l2: not timed natively") for line in lines)


def test_incomplete_row_shows_counts_and_no_percentage() -> None:
    """Until nothing is unjudged there is no ACC to print."""
    unjudged = replace(PLAIN, task="t99", verdict="unjudged")
    lines = summary_table(summarise([*records(), unjudged]), width=None)
    assert "7/10, 1 unjudged, incomplete" in lines[2]
    assert "%" not in lines[2]
    assert any(line.startswith("Incomplete: run the same command again") for line in lines)


def test_comparability_is_said_unless_the_suite_is_an_import() -> None:
    """Nobody should put our figures beside the paper's by accident."""
    rows = summarise(records())
    assert any("Not comparable with published figures" in line for line in summary_table(rows, width=None))
    assert not any("published" in line for line in summary_table(rows, width=None, imported=True))


def test_partly_unknown_cost_is_a_lower_bound() -> None:
    """The sign says there was more."""
    lines = summary_table(summarise([*records(), replace(PLAIN, task="t98", cost_usd=None)]), width=None)
    assert "≥$2.10" in lines[2]
    assert "≥ Cost: some replies have no known price." in lines


def test_figures_nobody_has_take_no_column() -> None:
    """A compiler posing as a model has no tokens and no cost."""
    free = records(tokens_in=0, tokens_out=0, cost_usd=None)
    heading = summary_table(summarise(free), width=None)[0]
    assert "tokens" not in heading
    assert "cost" not in heading


def test_costs_without_a_clock_have_columns_where_they_differ() -> None:
    """The analysed processor is named; a ratio of 1.00 is no news."""
    ours = {"stack_bytes": 24, "static_cycles": 30.0, "static_cpu": "neoverse-v1", "peak_bytes": 1000}
    theirs = {"stack_bytes": 16, "static_cycles": 20.0, "static_cpu": "neoverse-v1", "peak_bytes": 1000}
    costly = EMULATED | {"costs": ours, "reference_costs": theirs}
    lines = summary_table(summarise(records(arch="aarch64", timing=costly)), width=None)
    assert "stack" in lines[0]
    assert "static cycles" in lines[0]
    assert "memory" not in lines[0]
    assert lines[2].count("1.50\N{MULTIPLICATION SIGN}") == 2
    (note,) = [line for line in lines if line.startswith("Static cycles: ")]
    assert note.startswith("Static cycles: what llvm-mca expects of neoverse-v1, for the ")


def test_samples_bring_pass_at_k() -> None:
    """A column for the largest k, and what ACC means then."""
    twice = records() + records(sample=2, verdict="correct")
    lines = summary_table(summarise(twice), width=None)
    assert "pass@2" in lines[0]
    assert "100.0%" in lines[2]
    assert any("pass@1: the mean over tasks of 2 samples" in line for line in lines)


def test_empty_table_says_so() -> None:
    """No heading over nothing."""
    assert summary_table([], width=80) == ["neucomback: no item was evaluated."]


def test_verdicts_are_counted_in_the_contracts_order() -> None:
    """What went wrong, not what went right."""
    rows = [*records(), replace(PLAIN, task="a", verdict="unjudged"), replace(PLAIN, task="b", verdict="crashed")]
    assert verdict_line(summarise(rows)) == "wrong_output 3 · crashed 1 · unjudged 1"
    assert verdict_line([]) == ""


def test_progress_line() -> None:
    """The example everyone sees."""
    line = progress_line(37, 151, 30, 37, Usage(12_345, 40_096), 0.42, 42.2, 4, 0)
    assert line == "neucomback 37/151 · 30 correct · 12.3k tokens in, 40.1k out · $0.42 · 4 in flight · ETA 2m10s"


def test_progress_line_with_everything_and_with_nothing() -> None:
    """Parts that say nothing are left out."""
    full = progress_line(10, 20, 5, 8, Usage(1, 2), None, 60.0, 16, 3, faster=2)
    assert full == (
        "neucomback 10/20 · 5 correct · 2 faster · 2 unjudged · 1 tokens in, 2 out"
        " · 16 in flight, 3 waiting · ETA 1m00s"
    )
    assert progress_line(0, 5, 0, 0, Usage(), 0.0, 0.0, 0, 0) == (
        "neucomback 0/5 · 0 correct · 0 tokens in, 0 out · $0.00"
    )


def test_failure_tells_the_story_without_a_traceback() -> None:
    """Verdict, cause, rounds, and where to look."""
    record = replace(
        records()[-1],
        detail="a[3] is 7, expected 8",
        diagnostic="smallest failing input: n = 4\na[3]: expected 8, got 7",
    )
    text = failure_text(record, transcript_path="reports/r/transcripts/t9.json", candidate_path="reports/r/t9.s")
    assert text.splitlines() == [
        "wrong_output: a[3] is 7, expected 8",
        "",
        "  smallest failing input: n = 4",
        "  a[3]: expected 8, got 7",
        "",
        "rounds:     first reply: wrong_output, 2 self-debug rounds",
        "candidate:  reports/r/t9.s",
        "transcript: reports/r/transcripts/t9.json",
        "reproduce:  neucomback repro 't9-deepseek-r1-x86_64-baseline'",
    ]


def test_failure_does_not_repeat_itself() -> None:
    """A diagnostic that says no more than the detail is left out, and nothing is offered that does not exist."""
    record = replace(PLAIN, verdict="no_candidate", detail="no block", diagnostic="no block")
    text = failure_text(record, transcript_path=None, candidate_path=None)
    assert text.count("no block") == 1


def test_failure_does_not_let_a_candidate_write_to_the_terminal() -> None:
    """Assemblers quote the candidate's lines, escape sequences included."""
    record = replace(PLAIN, verdict="build_failed", diagnostic="line 1: \x1b[2Jmov\r\x07\tok \u202e")
    text = failure_text(record, transcript_path=None, candidate_path=None)
    assert r"line 1: \x1b[2Jmov\r\x07" in text
    assert "\tok \\u202e" in text


def test_unjudged_failure_is_not_blamed_on_the_candidate() -> None:
    """It says why, and offers nothing to reproduce."""
    text = failure_text(
        replace(PLAIN, verdict="unjudged", sample=2, detail="endpoint down"),
        transcript_path=None,
        candidate_path="c.s",
        samples=3,
    )
    assert text.startswith("unjudged: endpoint down")
    assert "reproduce" not in text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (12_345, "12.3k"),
        (999_949, "999.9k"),
        (999_950, "1.0M"),
        (2**31, "2.1G"),
    ],
)
def test_counts_for_people(number: int, text: str) -> None:
    """Never 1000.0k."""
    assert human_count(number) == text


@pytest.mark.parametrize(
    ("cost", "text"), [(0, "$0.00"), (0.001, "<$0.01"), (0.005, "$0.01"), (0.42, "$0.42"), (1234.5, "$1,234.50")]
)
def test_costs_for_people(cost: float, text: str) -> None:
    """Something spent never reads as nothing."""
    assert human_cost(cost) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (130, "2m10s"), (3900, "1h05m")]
)
def test_durations_for_people(seconds: float, text: str) -> None:
    """Rounded before it is split."""
    assert human_duration(seconds) == text


def test_tasks_without_inputs_are_reported_apart() -> None:
    """They are named below the table, and only where something was timed."""
    free = [replace(PLAIN, task="folded", timing=FASTER, input_free=True)]
    lines = summary_table(summarise(records() + free), width=None)
    assert any(line.startswith("folded: without inputs") and "left out of speed-ups" in line for line in lines)
    untimed = summary_table(summarise([replace(PLAIN, task="folded", timing=EMULATED, input_free=True)]), width=None)
    assert not any("without inputs" in line for line in untimed)
