"""How alike two tasks are once names and numbers are gone: near-duplicates measure the same thing twice.

LLVM IR is cut into instructions without names, numbers and alignment; runs of SHINGLE instructions are compared as sets
(Broder, "On the resemblance and containment of documents", 1997). Runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations

SHINGLE = 4
TOO_ALIKE = 0.5
"""Share of common shingles from which on two tasks count as near-duplicates. Of the bundled tasks, functions that share
nothing but the language have below 0.2."""

_DROPPED = re.compile(
    r"!\w+(?: ?![\w.]+)*|, align \d+|#\d+|\b(?:nsw|nuw|noundef|nonnull|disjoint|inbounds|dso_local|tail)\b"
)
_NAMES = re.compile(r'[%@](?:"[^"]*"|[\w.$-]+)')
_NUMBERS = re.compile(r"-?\b(?:0x[0-9A-Fa-f]+|\d+(?:\.\d+(?:e[+-]?\d+)?)?)\b")


def instructions(ir: str) -> list[str]:
    """The instructions of all functions, without names and numbers."""
    lines, inside = [], False
    for raw in ir.splitlines():
        line = raw.strip()
        if line.startswith("define "):
            inside = True
        elif line == "}":
            inside = False
        elif inside and line and not line.startswith((";", "!")) and not re.match(r"[\w.]+:", line):
            line = _NAMES.sub("%", _DROPPED.sub("", line.split(" ;")[0]))
            line = re.sub(r"\bi(\d+)\b", r"int\1_", line)  # a type's width is no number
            line = re.sub(r"int(\d+)_", lambda m: "i" + "abcdefghij"[len(m[1])] + m[1].translate(_LETTERS), line)
            lines.append(" ".join(_NUMBERS.sub("N", line).split()))
    return lines


_LETTERS = str.maketrans("0123456789", "abcdefghij")


def shingles(ir: str) -> frozenset[tuple[str, ...]]:
    """All runs of SHINGLE instructions."""
    found = instructions(ir)
    return frozenset(tuple(found[i : i + SHINGLE]) for i in range(max(1, len(found) - SHINGLE + 1)))


def resemblance(a: frozenset[tuple[str, ...]], b: frozenset[tuple[str, ...]]) -> float:
    """Share of common shingles, 0 to 1."""
    return len(a & b) / len(a | b) if a | b else 1.0


def alike(irs: Mapping[str, str], *, names: Sequence[str] | None = None) -> list[tuple[float, str, str]]:
    """Pairs of tasks by resemblance, most alike first; with ``names`` only pairs with one of them."""
    sets = {name: shingles(ir) for name, ir in irs.items()}
    wanted = set(sets if names is None else names)
    pairs = [(resemblance(sets[a], sets[b]), a, b) for a, b in combinations(sorted(sets), 2) if wanted & {a, b}]
    return sorted(pairs, key=lambda p: (-p[0], p[1], p[2]))
