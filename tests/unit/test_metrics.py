"""Records to figures."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from plain_record import PLAIN

from pytest_neucomback.errors import ConfigError
from pytest_neucomback.metrics import (
    Summary,
    fail_under_message,
    format_acc,
    format_acc_perf,
    overall,
    parse_fail_under,
    pass_at_k,
    summarise,
    wilson_interval,
)
from pytest_neucomback.types import Record

CONTRACT_KEYS = [
    "model", "arch", "prompt", "level", "split", "tasks", "judged", "correct", "acc", "acc_ci", "faster", "acc_perf",
    "acc_perf_ci", "acc_first", "acc_initial", "acc_perf_initial", "mean_debug_rounds", "tokens_in", "tokens_out",
    "cost_usd", "median_speedup",
]  # fmt: skip


def right(number: int, **changes: Any) -> Record:
    return replace(PLAIN, task=f"t{number:03}", **changes)


def wrong(number: int, verdict: str = "wrong_output", **changes: Any) -> Record:
    words: dict[str, Any] = {"verdict": verdict, "first_verdict": verdict, "initial_verdict": verdict}
    return replace(PLAIN, task=f"t{number:03}", **(words | changes))


def timing(outcome: str, speedup: float, *, native: bool = True) -> dict[str, Any]:
    return {"native": native, "outcome": outcome if native else None, "speedup": speedup if native else None}


def only(records: list[Record]) -> Summary:
    (summary,) = summarise(records)
    return summary


def paper_records() -> list[Record]:
    """69 of 151 correct, 33 of them faster: DeepSeek-R1 in table 1 of the paper."""
    fast = [right(n, timed=True, timing=timing("faster", 1.5)) for n in range(33)]
    slow = [right(n, timed=True, timing=timing("slower", 0.5)) for n in range(33, 69)]
    return fast + slow + [wrong(n, timed=True) for n in range(69, 151)]


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_agrees_with_published_examples(successes: int, trials: int, low: float, high: float) -> None:
    """The four cases of Newcombe (1998), table I, method 3."""
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("successes", "trials"), [(1, 2), (69, 151), (3, 151), (150, 151), (11, 25), (19.5, 40)])
def test_wilson_bounds_are_shares_the_data_just_do_not_reject(successes: float, trials: int) -> None:
    """Bisection for the shares whose score test has |z| = 1.96, without the closed formula."""

    def distance(share: float) -> float:
        return abs(successes / trials - share) / math.sqrt(share * (1 - share) / trials)

    def boundary(inside: float, outside: float) -> float:
        for _ in range(200):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if distance(middle) < 1.959963984540054 else (inside, middle)
        return inside

    share = successes / trials
    expected = boundary(share, 1e-15), boundary(share, 1 - 1e-15)
    assert wilson_interval(successes, trials) == pytest.approx(expected, abs=1e-9)


def test_wilson_ends_are_exact() -> None:
    """Nothing correct starts at 0 and everything correct ends at 1, without rounding dust."""
    assert wilson_interval(0, 151)[0] == 0.0
    assert wilson_interval(151, 151)[1] == 1.0


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_share(successes: int, trials: int) -> None:
    """No trials, or more successes than trials, is a caller's mistake."""
    with pytest.raises(ValueError, match="no interval"):
        wilson_interval(successes, trials)


@pytest.mark.parametrize(
    ("samples", "correct", "k"), [(5, 2, 1), (5, 2, 3), (5, 0, 5), (6, 6, 2), (6, 1, 6), (4, 3, 2)]
)
def test_pass_at_k_is_the_share_of_draws_that_hold_a_correct_one(samples: int, correct: int, k: int) -> None:
    """Every way to draw k of the samples, counted."""
    draws = list(itertools.combinations([True] * correct + [False] * (samples - correct), k))
    assert float(pass_at_k(samples, correct, k)) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_the_papers_figures() -> None:
    """69/151 and 33/151 give 45.7 % and 21.85 %, and the intervals the paper leaves out."""
    summary = only(paper_records())
    assert (summary.tasks, summary.judged, summary.correct, summary.faster) == (151, 151, 69, 33)
    assert summary.acc == 69 / 151
    assert summary.acc_perf == 33 / 151
    assert summary.acc_ci == pytest.approx((0.3796, 0.5365), abs=1e-4)
    assert summary.acc_perf_ci == pytest.approx((0.1601, 0.2909), abs=1e-4)
    assert format_acc(summary) == "45.7% (69/151)"
    assert format_acc_perf(summary) == "21.9% (33/151)"


def test_unjudged_items_leave_the_figure_but_not_the_page() -> None:
    """They are out of ACC, in the tokens, and named beside the counts."""
    records = paper_records()
    records[-3:] = [wrong(n, "unjudged", timed=True) for n in range(148, 151)]
    summary = only(records)
    assert (summary.tasks, summary.judged, summary.unjudged) == (151, 148, 3)
    assert summary.acc == 69 / 148
    assert summary.tokens_in == 151 * 100
    assert format_acc(summary) == "69/148, 3 unjudged, incomplete"
    assert format_acc_perf(summary) == "33/148, incomplete"


def test_nothing_judged_gives_no_figure() -> None:
    """None, not 0: a dead endpoint is no evidence against a model."""
    summary = only([wrong(1, "unjudged", timed=True, tokens_in=0, tokens_out=0, cost_usd=None)])
    assert summary.judged == 0
    for figure in ("acc", "acc_ci", "acc_perf", "acc_perf_ci", "acc_first", "acc_initial", "mean_debug_rounds"):
        assert getattr(summary, figure) is None
    assert format_acc(summary) == "0/0, 1 unjudged, incomplete"


def test_json_has_the_contracts_keys_first_and_survives_json() -> None:
    """Users' scripts read these names."""
    row = only(paper_records()).as_json()
    assert list(row)[: len(CONTRACT_KEYS)] == CONTRACT_KEYS
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert row["verdicts"] == {"correct": 69, "wrong_output": 82}
    assert "pass_at_k" not in row


def test_groups_are_model_arch_prompt_level_and_sorted() -> None:
    """One row each, whatever order items ended in."""
    records = [right(1, model=model, level=level) for model in "ba" for level in ("l2", "l1")]
    assert [(s.model, s.level) for s in summarise(records)] == [("a", "l1"), ("a", "l2"), ("b", "l1"), ("b", "l2")]
    assert summarise([]) == []


def test_split_is_named_only_when_shared() -> None:
    """A row over two splits says all."""
    assert only([right(1), right(2)]).split == "test"
    assert only([right(1), right(2, split="train")]).split == "all"


def test_emulated_group_has_no_acc_perf() -> None:
    """An emulated time is never compared, so the column is empty, not zero."""
    summary = only([right(1, arch="aarch64", timing=timing("faster", 9.0, native=False)), wrong(2, arch="aarch64")])
    assert (summary.faster, summary.acc_perf, summary.acc_perf_ci, summary.acc_perf_initial) == (None,) * 4
    assert summary.median_speedup is None
    assert summary.perf_state == "emulated"
    assert format_acc_perf(summary) == "—"


def test_untimed_group_has_no_acc_perf() -> None:
    """With --nc-no-time too."""
    summary = only([right(1), wrong(2)])
    assert summary.acc_perf is None
    assert summary.perf_state == "off"


def test_timed_group_without_a_correct_candidate_has_acc_perf_zero() -> None:
    """There was nothing to time, and nothing faster."""
    assert only([wrong(1, timed=True), wrong(2, timed=True)]).acc_perf == 0.0


def test_faster_needs_a_correct_final_verdict() -> None:
    """A time left over from elsewhere never makes a wrong candidate count."""
    summary = only([right(1, timed=True, timing=timing("tied", 1.0)), wrong(2, timing=timing("faster", 2.0))])
    assert (summary.faster, summary.acc_perf, summary.median_speedup) == (0, 0.0, 1.0)


def test_input_free_tasks_count_but_give_no_speedup() -> None:
    """Constant results may be folded, so their speed-up says nothing about the others."""
    records = [
        right(1, timed=True, timing=timing("faster", 2.0)),
        right(2, timed=True, timing=timing("faster", 8.0)),
        right(3, timed=True, timing=timing("faster", 1000.0), input_free=True),
    ]
    summary = only(records)
    assert (summary.acc, summary.acc_perf, summary.faster) == (1.0, 1.0, 3)
    assert summary.median_speedup == 5.0
    assert summary.geomean_speedup == pytest.approx(4.0)


def test_first_initial_and_final_stand_apart() -> None:
    """First reply, after self-debug, after optimisation: table 3 needs all three."""
    fast, slow = timing("faster", 2.0), timing("slower", 0.5)
    records = [
        right(1, timed=True, timing=fast, initial_timing=slow, opt_rounds=2),
        right(2, timed=True, timing=fast, first_verdict="crashed", debug_rounds=2),
        wrong(3, timed=True, debug_rounds=2),
        right(4, timed=True, timing=slow, initial_timing=slow, opt_rounds=1, debug_rounds=1, first_verdict="crashed"),
    ]
    summary = only(records)
    assert (summary.acc_first, summary.acc_initial, summary.acc) == (0.25, 0.75, 0.75)
    assert (summary.acc_perf_initial, summary.acc_perf) == (0.25, 0.5)
    assert summary.mean_debug_rounds == 1.0


def test_mean_debug_rounds_is_over_solved_items_only() -> None:
    """A task that used up its rounds in vain would only show the limit."""
    assert only([wrong(1, debug_rounds=2)]).mean_debug_rounds is None


def test_cost_is_the_known_part_and_says_so() -> None:
    """None only when nothing is known; unpriced counts what is missing; tokens of nobody need no price."""
    assert only([right(1), right(2)]).cost_usd == 1.0
    partly = only([right(1), right(2, cost_usd=None)])
    assert (partly.cost_usd, partly.unpriced) == (0.5, 1)
    free = only([right(1, cost_usd=None, tokens_in=0, tokens_out=0)])
    assert (free.cost_usd, free.unpriced) == (None, 0)


def test_samples_are_averaged_within_tasks_first() -> None:
    """pass@1 weighs tasks alike although one has fewer judged samples; the interval counts tasks."""
    records = [
        right(1, sample=1), right(1, sample=2), wrong(1, sample=3), wrong(1, sample=4),
        right(2, sample=1), wrong(2, "unjudged", sample=2), wrong(2, "unjudged", sample=3), right(2, sample=4),
    ]  # fmt: skip
    summary = only(records)
    assert (summary.tasks, summary.judged, summary.correct, summary.unjudged) == (2, 6, 4, 2)
    assert summary.acc == 0.75
    assert summary.acc_ci == wilson_interval(1.5, 2)
    assert summary.pass_at_k == pytest.approx({1: 0.75, 2: (5 / 6 + 1) / 2})
    assert summary.as_json()["pass_at_k"].keys() == {"1", "2"}


def test_overall_pools_from_the_records() -> None:
    """Medians cannot be pooled from medians; ACC+Perf is over the rows that were timed."""
    records = [
        right(1, timed=True, timing=timing("faster", 2.0)),
        right(2, timed=True, timing=timing("faster", 3.0)),
        right(3, timed=True, timing=timing("slower", 0.5)),
        wrong(1, level="l1"),
        right(2, level="l1"),
    ]
    pooled = overall(summarise(records))
    assert pooled is not None
    assert (pooled.level, pooled.model, pooled.tasks) == ("all", "m", 5)
    assert pooled.acc == 0.8
    assert (pooled.faster, pooled.perf_judged, pooled.median_speedup) == (2, 3, 2.0)
    assert pooled.acc_perf == pytest.approx(2 / 3)
    assert overall([]) is None


def test_fail_under_is_parsed() -> None:
    """One metric or several."""
    assert parse_fail_under("acc:0.45") == (("acc", 0.45),)
    assert parse_fail_under("acc:1, acc_perf:.2") == (("acc", 1.0), ("acc_perf", 0.2))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0.45", "'0.45' is not METRIC:SHARE. Write it like --nc-fail-under=acc:0.45"),
        ("speed:0.4", "unknown metric 'speed'. Known: acc, acc_perf."),
        ("acc:45", "'45' is not a share from 0 to 1 (0.45 stands for 45 %)."),
        ("acc:nan", "'nan' is not a share"),
        ("acc:-1", "'-1' is not a share"),
        ("acc:0.4,acc:0.5", "'acc' is given twice."),
        ("acc:0.4,", "'' is not METRIC:SHARE"),
    ],
)
def test_fail_under_errors_show_the_way(text: str, said: str) -> None:
    """The message quotes what was written and how to write it."""
    with pytest.raises(ConfigError) as caught:
        parse_fail_under(text)
    assert said in str(caught.value)
    assert f"--nc-fail-under={text}:" in str(caught.value)


def test_fail_under_holds_at_the_bound_exactly() -> None:
    """9 of 20 is 0.45, whatever floating point thinks, also when samples are averaged."""
    records = [right(n) for n in range(9)] + [wrong(n) for n in range(9, 20)]
    assert fail_under_message(summarise(records), parse_fail_under("acc:0.45")) is None
    several = [replace(record, sample=sample) for record in records for sample in (1, 2, 3)]
    assert fail_under_message(summarise(several), parse_fail_under("acc:0.45")) is None


def test_fail_under_says_who_missed_what_by_how_much() -> None:
    """Every model x arch x prompt must reach it: a good model does not hide a bad one."""
    records = [right(n, model="good") for n in range(10)] + [wrong(n, model="bad") for n in range(10)]
    message = fail_under_message(summarise(records), [("acc", 0.45)])
    assert message == "--nc-fail-under=acc:0.45: bad on x86_64 with prompt baseline reached 0, 0.0% (0/10)."


def test_fail_under_pools_levels() -> None:
    """The levels of one model make one figure."""
    records = [wrong(1, level="l1"), right(1), right(2)]
    assert fail_under_message(summarise(records), [("acc", 0.6)]) is None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (list, "no item was evaluated"),
        (lambda: [wrong(1, "unjudged")], "nothing was judged"),
        (lambda: [right(1, timing=timing("", 0, native=False))], "emulated"),
        (lambda: [right(1)], "Add --nc-time"),
    ],
)
def test_fail_under_does_not_open_on_no_figure(make: Callable[[], list[Record]], said: str) -> None:
    """A gate that saw nothing stays shut and says why."""
    message = fail_under_message(summarise(make()), [("acc_perf", 0.1)])
    assert message is not None
    assert said in message


def timed(number: int, low: float, speedup: float, outcome: str) -> Record:
    interval = [low, speedup * speedup / low]
    return right(number, timed=True, timing={**FAST, "speedup": speedup, "speedup_ci": interval, "outcome": outcome})


FAST = {"native": True, "outcome": "faster", "speedup": 1.5}


def test_shares_by_speed_count_what_is_sure() -> None:
    """fast_p goes by the lower end of the interval, over all judged items; ties are no slower."""
    records = [
        timed(1, 1.3, 1.6, "faster"), timed(2, 0.97, 1.02, "tied"), timed(3, 0.5, 0.6, "slower"),
        right(4, verdict="wrong_output", timed=True),
    ]  # fmt: skip
    summary = only(records)
    assert summary.no_slower == 2
    assert summary.fast_p == {0.5: 0.5, 0.8: 0.5, 1.0: 0.25, 1.05: 0.25, 1.1: 0.25, 1.2: 0.25, 1.5: 0.0, 2.0: 0.0}
    assert summary.as_json()["fast_p"]["1.2"] == 0.25


def test_geometric_mean_has_an_interval() -> None:
    """By hand: logarithms ln 2 and ln 0.5 have mean 0 and standard deviation ln 2 * sqrt 2."""
    summary = only([timed(1, 1.9, 2.0, "faster"), timed(2, 0.4, 0.5, "slower")])
    assert summary.geomean_speedup == pytest.approx(1)
    assert summary.geomean_ci is not None
    half = 1.959964 * math.log(2)
    assert summary.geomean_ci == pytest.approx((math.exp(-half), math.exp(half)), rel=1e-6)
    assert only([timed(1, 1.9, 2.0, "faster")]).geomean_ci is None
    untimed = only([right(1)])
    assert (untimed.no_slower, untimed.fast_p, untimed.geomean_ci) == (None, None, None)


def test_costs_are_compared_with_the_references() -> None:
    """Stacks by their sums, cycles by the geometric mean, each over the correct items that have both sides."""

    def costs(ours: dict[str, float], theirs: dict[str, float]) -> dict[str, Any]:
        return timing("tied", 1.0) | {"costs": ours, "reference_costs": theirs}

    records = [
        right(1, timing=costs({"stack_bytes": 8, "static_cycles": 20.0}, {"stack_bytes": 8, "static_cycles": 10.0})),
        right(2, timing=costs({"stack_bytes": 40, "static_cycles": 80.0}, {"stack_bytes": 0, "static_cycles": 10.0})),
        right(3, timing=costs({"stack_bytes": 0, "energy_uj": 1.0}, {"stack_bytes": 24, "energy_uj": None})),
        right(4, timing=costs({"stack_bytes": 999}, {"stack_bytes": 1}), input_free=True),
        wrong(5, timing=costs({"stack_bytes": 999}, {"stack_bytes": 1})),
        right(6, timing=timing("tied", 1.0)),
    ]
    summary = only(records)
    assert summary.cost_ratios == {"stack_bytes": 48 / 32, "static_cycles": pytest.approx(4.0)}
    assert summary.as_json()["cost_ratios"] == summary.cost_ratios
    assert only([right(1)]).cost_ratios == {}
