"""Paired comparison and McNemar's exact test."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest

from pytest_neucomback.pairs import Pairs, compare_outcomes, mcnemar_exact


def by_counting(one: int, other: int) -> Fraction:
    """The p-value by listing every way in which the discordant items could have fallen."""
    total = one + other
    observed = abs(one - other)
    outcomes = list(itertools.product((0, 1), repeat=total))
    extreme = sum(abs(total - 2 * sum(way)) >= observed for way in outcomes)
    return Fraction(extreme, len(outcomes))


@pytest.mark.parametrize("total", range(13))
def test_mcnemar_agrees_with_counting(total: int) -> None:
    """The two-sided p is the share of all splits that are at least as uneven."""
    for one in range(total + 1):
        assert mcnemar_exact(one, total - one) == pytest.approx(float(by_counting(one, total - one)), rel=1e-12)


@pytest.mark.parametrize(
    ("one", "other", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 0, 0.0625),
        (6, 0, 0.03125),
        (2, 8, 0.109375),
        (1, 9, 0.021484375),
        (10, 10, 1.0),
    ],
)
def test_mcnemar_known_values(one: int, other: int, p: float) -> None:
    """What the binomial table says, whichever side comes first."""
    assert mcnemar_exact(one, other) == mcnemar_exact(other, one) == p


def test_many_items_are_no_trouble() -> None:
    """Thousands of discordant items neither overflow nor vanish in the wrong place."""
    assert mcnemar_exact(3000, 3000) == 1.0
    assert mcnemar_exact(3000, 2900) == pytest.approx(0.1976, abs=0.001)
    assert mcnemar_exact(0, 5000) == 0.0


@pytest.mark.parametrize("counts", [(-1, 2), (2, -1)])
def test_negative_counts_are_refused(counts: tuple[int, int]) -> None:
    """They are a mistake of the caller's."""
    with pytest.raises(ValueError, match="cannot be negative"):
        mcnemar_exact(*counts)


def test_items_are_paired_by_name() -> None:
    """Only what both sides have counts, whatever order they have it in."""
    first = {"a": True, "b": True, "c": False, "d": False, "e": True}
    second = {"d": True, "c": False, "b": False, "a": True, "f": True}
    pairs = compare_outcomes(first, second)
    assert pairs == Pairs(items=4, both=1, neither=1, won=("d",), lost=("b",))
    assert pairs.p_value == 1.0
    assert pairs.as_json() == {"items": 4, "both": 1, "neither": 1, "won": ["d"], "lost": ["b"], "p_value": 1.0}


def test_nothing_in_common_is_no_evidence() -> None:
    """No pair, p of 1."""
    assert compare_outcomes({"a": True}, {"b": True}).p_value == 1.0
    assert compare_outcomes({}, {}) == Pairs(0, 0, 0, (), ())
