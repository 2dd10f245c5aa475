"""Two conditions on the same items: what is paired with what, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from plain_record import PLAIN

from pytest_neucomback.cli import main
from pytest_neucomback.compare import Comparison, compare_reports, comparison_text
from pytest_neucomback.errors import ConfigError
from pytest_neucomback.metrics import summarise
from pytest_neucomback.records import results_json
from pytest_neucomback.types import Record

FASTER = {"native": True, "outcome": "faster", "speedup": 1.3}
SLOWER = {"native": True, "outcome": "slower", "speedup": 0.7}
EMULATED = {"native": False, "outcome": None, "speedup": None}

Report = Callable[[str, Sequence[Record]], Path]


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Writes a report of these records."""

    def write(name: str, records: Sequence[Record]) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "results.json").write_text(json.dumps(results_json({"run_id": name}, records, summarise(records))))
        return folder

    return write


def records(solved: str, count: int = 5, **changes: Any) -> list[Record]:
    """Tasks t0, t1 ...; those whose numbers are in ``solved`` are correct."""
    return [
        replace(PLAIN, task=f"t{n}", verdict="correct" if str(n) in solved else "crashed", **changes)
        for n in range(count)
    ]


def outcomes(found: Sequence[Comparison]) -> list[tuple[str, str, str, tuple[str, ...], tuple[str, ...]]]:
    return [(c.group, c.first, c.second, c.pairs.won, c.pairs.lost) for c in found]


def test_two_reports_are_paired_by_item(report: Report) -> None:
    """Same model, arch and prompt: task by task, whatever their order, and what has no partner is counted."""
    first, second = report("one", records("012")), report("two", records("134", 7)[::-1])
    (found,) = compare_reports(first, second)
    assert found.group == "m x86_64 baseline l2"
    assert (found.first, found.second) == (str(first), str(second))
    assert (found.pairs.items, found.pairs.both, found.pairs.neither) == (5, 1, 0)
    assert (found.pairs.won, found.pairs.lost) == (("t3", "t4"), ("t0", "t2"))
    assert found.unpaired == 2


def test_reports_of_two_prompts_or_models_are_compared(report: Report) -> None:
    """What the reports differ in as a whole is the condition, so it does not keep items apart."""
    first = report("one", records("0"))
    prompt = report("two", records("01", prompt="learned"))
    model = report("three", records("02", model="n"))
    assert outcomes(compare_reports(first, prompt)) == [("m x86_64 l2", str(first), str(prompt), ("t1",), ())]
    assert outcomes(compare_reports(first, model)) == [("x86_64 baseline l2", str(first), str(model), ("t2",), ())]
    assert [c.group for c in compare_reports(prompt, model)] == ["x86_64 l2"]


def test_reports_of_several_prompts_pair_like_with_like(report: Report) -> None:
    """With two prompts on a side there is no saying which is meant to be compared with another."""
    both = [*records("0"), *records("01", prompt="learned")]
    first, second = report("one", both), report("two", records("012", prompt="learned"))
    assert [(c.group, c.pairs.won) for c in compare_reports(first, second)] == [("m x86_64 learned l2", ("t2",))]


def test_prompts_of_one_report_are_compared(report: Report) -> None:
    """The first is the one that the others are held against, for each model and arch."""
    found = compare_reports(
        report(
            "one",
            [
                *records("0"), *records("01", prompt="learned"), *records("", prompt="short"),
                *records("0", model="n"), *records("", model="n", prompt="learned"),
            ],
        )
    )  # fmt: skip
    assert outcomes(found) == [
        ("m x86_64 l2", "baseline", "learned", ("t1",), ()),
        ("n x86_64 l2", "baseline", "learned", (), ("t0",)),
        ("m x86_64 l2", "baseline", "short", (), ("t0",)),
    ]


def test_models_of_one_report_are_compared_when_it_has_one_prompt(report: Report) -> None:
    """There is something to compare all the same."""
    found = compare_reports(report("one", [*records("0"), *records("01", model="n")]))
    assert outcomes(found) == [("baseline x86_64 l2", "m", "n", ("t1",), ())]


def test_samples_are_pairs_of_their_own(report: Report) -> None:
    """The second sample is held against the second."""
    first = report("one", [*records("0", 2), *records("", 2, sample=2)])
    second = report("two", [*records("0", 2), *records("1", 2, sample=2)])
    (found,) = compare_reports(first, second)
    assert (found.pairs.items, found.pairs.won) == (4, ("t1-k2",))


def test_unjudged_items_say_nothing(report: Report) -> None:
    """On either side; they are counted as left out."""
    first = report("one", [replace(PLAIN, task="a"), replace(PLAIN, task="b", verdict="unjudged")])
    second = report("two", [replace(PLAIN, task="a", verdict="unjudged"), replace(PLAIN, task="b")])
    (found,) = compare_reports(first, second)
    assert (found.pairs.items, found.unpaired, found.faster, found.debug_rounds) == (0, 2, None, None)
    assert "2 items have no judged partner and are left out" in comparison_text(found)


def test_speed_counts_where_it_was_measured(report: Report) -> None:
    """Correct and faster on a native host; without any time there is no such line."""
    first = report("one", [replace(r, timing=SLOWER) for r in records("01234")])
    second = report("two", [replace(r, timing=FASTER if r.task != "t0" else EMULATED) for r in records("0123")])
    (found,) = compare_reports(first, second)
    assert found.faster is not None
    assert (found.faster.won, found.faster.lost) == (("t1", "t2", "t3"), ())
    assert "and faster   0 -> 3; won 3, lost 0, p 0.25" in comparison_text(found)
    (plain,) = compare_reports(report("three", records("0")), report("four", records("1")))
    assert plain.faster is None
    assert "faster" not in comparison_text(plain)


def test_rounds_tokens_and_cost(report: Report) -> None:
    """Rounds where both solve, tokens of all pairs, cost where all prices are known."""
    first = report("one", [*records("01", 2, debug_rounds=2), replace(PLAIN, task="x", verdict="crashed")])
    second = report("two", [*records("01", 2, debug_rounds=1, tokens_in=50), replace(PLAIN, task="x", debug_rounds=9)])
    (found,) = compare_reports(first, second)
    assert found.debug_rounds == (2.0, 1.0)
    assert found.tokens == (330, 230)
    assert found.cost_usd == (1.5, 1.5)
    unknown = report("three", [replace(r, cost_usd=None) for r in records("0")])
    (other,) = compare_reports(first, unknown)
    assert other.cost_usd is None


def test_a_comparison_as_text(report: Report) -> None:
    """The whole of it, as the terminal shows it."""
    first, second = records("0", cost_usd=None), records("01234", prompt="learned", tokens_in=1100)
    (found,) = compare_reports(report("one", [*first, *second]))
    assert comparison_text(found) == (
        "m x86_64 l2: baseline -> learned, 5 pairs\n"
        "  correct      1 -> 5; won 4, lost 0, McNemar's exact p 0.125\n"
        "  self-debug rounds where both solve  0.00 -> 0.00\n"
        "  tokens       550 -> 5,550 (+5,000)\n"
        "  won: t1, t2, t3, t4"
    )


def test_what_cannot_be_compared_is_said(report: Report, tmp_path: Path) -> None:
    """One condition only, nothing in common, no items, no report."""
    one = report("one", records("0"))
    with pytest.raises(ConfigError, match="has one prompt and one model; name a second report"):
        compare_reports(one)
    with pytest.raises(ConfigError, match="have no item in common"):
        compare_reports(one, report("two", records("0", arch="aarch64")))
    with pytest.raises(ConfigError, match="holds no items"):
        compare_reports(one, report("three", []))
    with pytest.raises(ConfigError, match=r"nowhere is no report"):
        compare_reports(tmp_path / "nowhere")


def test_the_command(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    """Text by default, with a blank line between groups; JSON holds the same."""
    folder = report("one", [*records("0"), *records("01", prompt="learned"), *records("0", prompt="short")])
    assert main(["compare", str(folder)]) == 0
    groups = capsys.readouterr().out.split("\n\n")
    assert [g.splitlines()[0] for g in groups] == [
        "m x86_64 l2: baseline -> learned, 5 pairs",
        "m x86_64 l2: baseline -> short, 5 pairs",
    ]
    assert main(["compare", str(folder), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [(c["second"], c["acc"]["won"], c["acc"]["p_value"]) for c in data] == [
        ("learned", ["t1"], 1.0),
        ("short", [], 1.0),
    ]
    assert data[0]["acc_perf"] is None
    assert main(["compare", str(folder / "none")]) == 2
    assert "is no report" in capsys.readouterr().err
