"""Paired comparison: the same items under two conditions, by McNemar's exact test.

Items that both or neither solve say nothing of which condition is better; among those that only one solves, each side
is as likely as the other when there is no difference, so the p-value is binomial (McNemar 1947; exact form).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pairs:
    """How two conditions compare on the items that both have."""

    items: int
    both: int
    neither: int
    won: tuple[str, ...]
    """Solved by the second only."""
    lost: tuple[str, ...]
    """Solved by the first only."""

    @property
    def p_value(self) -> float:
        """Two-sided exact p of McNemar's test; 1 when no item differs."""
        return mcnemar_exact(len(self.won), len(self.lost))

    def as_json(self) -> dict[str, Any]:
        return {
            "items": self.items,
            "both": self.both,
            "neither": self.neither,
            "won": list(self.won),
            "lost": list(self.lost),
            "p_value": self.p_value,
        }


def compare_outcomes(first: Mapping[str, bool], second: Mapping[str, bool]) -> Pairs:
    """Pair the items that both conditions have, by name."""
    common = [name for name in first if name in second]
    return Pairs(
        items=len(common),
        both=sum(first[n] and second[n] for n in common),
        neither=sum(not first[n] and not second[n] for n in common),
        won=tuple(n for n in common if second[n] and not first[n]),
        lost=tuple(n for n in common if first[n] and not second[n]),
    )


def mcnemar_exact(one: int, other: int) -> float:
    """Two-sided exact p for discordant counts: twice the smaller tail of Binomial(one + other, 1/2), at most 1.

    Raises ValueError for negative counts.
    """
    if one < 0 or other < 0:
        raise ValueError(f"counts cannot be negative: {one}, {other}")
    total, small = one + other, min(one, other)
    tail = sum(math.comb(total, k) for k in range(small + 1))
    return min(1.0, 2 * tail / (1 << total))  # of integers, which no count is too large for
