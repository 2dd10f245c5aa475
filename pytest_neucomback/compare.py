"""``neucomback compare``: two conditions on the same items, as pairs.

The conditions are two reports, or two prompts or models within one. Items are paired by task, model, architecture,
prompt and sample, less what the conditions differ in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ConfigError
from .pairs import Pairs, compare_outcomes
from .records import load_results, record_from_json
from .types import Outcome, Record

SIDES = ("prompt", "model")
"""What two conditions within one report may differ in."""


@dataclass(frozen=True)
class Comparison:
    """Two conditions on one group of items."""

    group: str
    """What both have in common: model, architecture, level."""
    first: str
    second: str
    pairs: Pairs
    faster: Pairs | None
    """The same for ACC+Perf; None where no pair was timed."""
    debug_rounds: tuple[float, float] | None
    """Means over items that both solved."""
    tokens: tuple[int, int]
    cost_usd: tuple[float, float] | None
    unpaired: int
    """Items that only one side has, or that are unjudged on a side."""

    def as_json(self) -> dict[str, Any]:
        return {
            "group": self.group,
            "first": self.first,
            "second": self.second,
            "acc": self.pairs.as_json(),
            "acc_perf": self.faster.as_json() if self.faster else None,
            "mean_debug_rounds": list(self.debug_rounds) if self.debug_rounds else None,
            "tokens": list(self.tokens),
            "cost_usd": list(self.cost_usd) if self.cost_usd else None,
            "unpaired": self.unpaired,
        }


def compare_reports(first: Path, second: Path | None = None) -> list[Comparison]:
    """Compare two reports, or the prompts (else the models) of one. Raises ConfigError when nothing can be paired."""
    if second is not None:
        sides = _records(first), _records(second)
        values = {side: [{getattr(r, side) for r in records} for records in sides] for side in SIDES}
        # what the reports differ in as a whole is what is compared
        apart = [side for side, (a, b) in values.items() if a != b and len(a) == len(b) == 1]
        shared = [name for name in ("model", "arch", "prompt", "level") if name not in apart]
        return _grouped(*sides, str(first), str(second), lambda r: tuple(getattr(r, name) for name in shared))
    records = _records(first)
    for side in SIDES:
        names = list(dict.fromkeys(getattr(r, side) for r in records))
        if len(names) < 2:
            continue
        found: list[Comparison] = []
        for name in names[1:]:
            found += _grouped(
                [r for r in records if getattr(r, side) == names[0]],
                [r for r in records if getattr(r, side) == name],
                names[0],
                name,
                _by_model if side == "prompt" else _by_prompt,
            )
        return found
    raise ConfigError(f"{first} has one prompt and one model; name a second report to compare it with")


def _records(path: Path) -> list[Record]:
    records = [record_from_json(item) for item in load_results(path)["items"]]
    if not records:
        raise ConfigError(f"{path} holds no items")
    return records


Key = Callable[[Record], tuple[str, ...]]


def _by_model(record: Record) -> tuple[str, ...]:
    return record.model, record.arch, record.level


def _by_prompt(record: Record) -> tuple[str, ...]:
    return record.prompt, record.arch, record.level


def _grouped(first: Sequence[Record], second: Sequence[Record], one: str, other: str, key: Key) -> list[Comparison]:
    groups = list(dict.fromkeys([key(r) for r in (*first, *second)]))
    found = []
    for group in groups:
        a, b = ({(r.task, r.sample): r for r in side if key(r) == group} for side in (first, second))
        if a and b:
            found.append(_compare(" ".join(group), one, other, a, b))
    if not found:
        raise ConfigError(f"{one} and {other} have no item in common")
    return found


def _compare(
    group: str, one: str, other: str, a: Mapping[tuple[str, int], Record], b: Mapping[tuple[str, int], Record]
) -> Comparison:
    common = [k for k in a if k in b and _judged(a[k]) and _judged(b[k])]

    def named(side: Mapping[tuple[str, int], Record], test: Callable[[Record], bool]) -> dict[str, bool]:
        return {task if sample == 1 else f"{task}-k{sample}": test(side[task, sample]) for task, sample in common}

    timed = any(_faster(side[k]) is not None for side in (a, b) for k in common)
    both = [k for k in common if _solved(a[k]) and _solved(b[k])]
    rounds = None
    if both:
        rounds = tuple(sum(side[k].debug_rounds for k in both) / len(both) for side in (a, b))
    costs = [[side[k].cost_usd for k in common] for side in (a, b)]
    known = all(c is not None for side in costs for c in side) and bool(common)
    return Comparison(
        group,
        one,
        other,
        compare_outcomes(named(a, _solved), named(b, _solved)),
        compare_outcomes(named(a, lambda r: bool(_faster(r))), named(b, lambda r: bool(_faster(r)))) if timed else None,
        (rounds[0], rounds[1]) if rounds else None,
        (sum(_tokens(a[k]) for k in common), sum(_tokens(b[k]) for k in common)),
        (sum(c or 0.0 for c in costs[0]), sum(c or 0.0 for c in costs[1])) if known else None,
        len(set(a) | set(b)) - len(common),
    )


def _judged(record: Record) -> bool:
    return record.verdict != Outcome.UNJUDGED.value


def _solved(record: Record) -> bool:
    return record.verdict == Outcome.CORRECT.value


def _faster(record: Record) -> bool | None:
    timing = record.timing
    if timing is None or not timing.get("native"):
        return None
    return _solved(record) and timing.get("outcome") == "faster"


def _tokens(record: Record) -> int:
    return record.tokens_in + record.tokens_out


def comparison_text(c: Comparison) -> str:
    """One comparison for the terminal."""
    pairs = c.pairs
    solved = pairs.both + len(pairs.lost), pairs.both + len(pairs.won)
    lines = [
        f"{c.group}: {c.first} -> {c.second}, {pairs.items} pairs",
        f"  correct      {solved[0]} -> {solved[1]}; won {len(pairs.won)}, lost {len(pairs.lost)}, "
        f"McNemar's exact p {pairs.p_value:.3g}",
    ]
    if c.faster:
        fast = c.faster.both + len(c.faster.lost), c.faster.both + len(c.faster.won)
        lines.append(
            f"  and faster   {fast[0]} -> {fast[1]}; won {len(c.faster.won)}, lost {len(c.faster.lost)}, "
            f"p {c.faster.p_value:.3g}"
        )
    if c.debug_rounds:
        lines.append(f"  self-debug rounds where both solve  {c.debug_rounds[0]:.2f} -> {c.debug_rounds[1]:.2f}")
    lines.append(f"  tokens       {c.tokens[0]:,} -> {c.tokens[1]:,} ({c.tokens[1] - c.tokens[0]:+,})")
    if c.cost_usd:
        lines.append(
            f"  cost         ${c.cost_usd[0]:.2f} -> ${c.cost_usd[1]:.2f} ({c.cost_usd[1] - c.cost_usd[0]:+.2f})"
        )
    for what, names in (("won", pairs.won), ("lost", pairs.lost)):
        if names:
            lines.append(f"  {what}: {', '.join(names)}")
    if c.unpaired:
        lines.append(f"  {c.unpaired} items have no judged partner and are left out")
    return "\n".join(lines)
