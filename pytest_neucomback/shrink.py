"""Looks for a simpler input on which a candidate is wrong in the same way, so that a diagnostic can quote small values.

Values are only ever replaced by rounder ones from the range that the object's own values span, so an input stays what
the task could have drawn. Which inputs are tried depends on nothing but what the candidate did on earlier ones: the
same candidate gets the same words each time.
"""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .inputs import Bytes, Vector, element_name
from .oracle import number_text, scalars
from .toolchain import Plan

MAX_TRIALS = 64
EXCEPTIONS = 3
"""Elements that differ from all others and are named one by one."""
_ROUND = (0, 1, -1, 2, -2, 0.5, -0.5, 3, 4, 8, 16, 64, 100, -100, 0.25, 10, 1000)
"""Simple values, simplest first."""

Trial = Callable[[Vector], "tuple[int, ...] | None"]
"""Whether the candidate is wrong in the same way on an input: where (flat element numbers), or None when it is not."""

_Values = npt.NDArray[Any]


def complexity(plan: Plan, vector: Vector) -> tuple[int, int]:
    """How hard an input is on the eye: elements that are no small round number, then elements that are not 0."""
    if vector.weight is not None:
        return vector.weight, 0
    odd = nonzero = 0
    for name in _numeric(plan, vector):
        values = _values(plan, name, vector.objects[name])
        nonzero += int(np.count_nonzero(values))
        if values.dtype.kind == "f":
            with np.errstate(all="ignore"):
                quarters = values * 4
                odd += int(np.count_nonzero((quarters != np.rint(quarters)) | (np.abs(quarters) > 64)))
        else:
            odd += int(np.count_nonzero((values > 100) | (values < -100 if values.dtype.kind == "i" else False)))
    return odd, nonzero


def simplify(
    plan: Plan, vector: Vector, fails: Trial, *, wrong: Sequence[int] = (), trials: int = MAX_TRIALS
) -> Vector:
    """The simplest input found within ``trials`` tries; ``vector`` itself when none is simpler.

    ``wrong`` are elements that are wrong on ``vector``; the input at the same places is likely to matter.
    """
    return _Search(plan, vector, fails, tuple(wrong), trials).run()


class _Search:
    def __init__(self, plan: Plan, vector: Vector, fails: Trial, wrong: tuple[int, ...], trials: int) -> None:
        self.plan, self.original, self.best, self.fails, self.left = plan, vector, vector, fails, trials
        self.wrong = wrong
        self.names = list(_numeric(plan, vector))
        self.simple = {n: simple_values(_values(plan, n, vector.objects[n])) for n in self.names}

    def run(self) -> Vector:
        everything = {n: self._constant(n, self.simple[n][0]) for n in self.names if self.simple[n]}
        if not everything or self._try(everything):
            return self._described()
        for name in self.names:
            for value in self.simple[name][:2]:
                if self._try({name: self._constant(name, value)}):
                    break
        for name in self.names:
            if self.simple[name] and not self._is_constant(name):
                self._narrow(name)
        for name in self.names:
            if self.simple[name] and not self._is_constant(name):
                self._round(name)
        return self._described()

    def _try(self, changes: dict[str, Bytes]) -> bool:
        changed = {n: b for n, b in changes.items() if not np.array_equal(b, self.best.objects[n])}
        if not changed or self.left <= 0:
            return False
        self.left -= 1
        objects = {**self.best.objects, **changed}
        candidate = dataclasses.replace(self.best, spec="simpler", objects=objects)
        places = self.fails(candidate)
        if places is None:
            return False
        self.best, self.wrong = candidate, places or self.wrong
        return True

    def _current(self, name: str) -> _Values:
        return _values(self.plan, name, self.best.objects[name])

    def _constant(self, name: str, value: float) -> Bytes:
        values = np.full_like(self._current(name), value)
        return values.view(np.uint8)

    def _is_constant(self, name: str) -> bool:
        values = self._current(name)
        return bool((values == values[0]).all())

    def _kept(self, name: str, start: int, stop: int) -> Bytes:
        """The object with a simple value everywhere but in one stretch."""
        values = np.full_like(self._current(name), self.simple[name][0])
        values[start:stop] = self._current(name)[start:stop]
        return values.view(np.uint8)

    def _narrow(self, name: str) -> None:
        """Leave as few elements as possible different from the simple value."""
        size = self._current(name).size
        for index in self.wrong[:1]:
            for reach in (0, 1, 8):
                if self._try({name: self._kept(name, max(0, index - reach), min(size, index + reach + 1))}):
                    return
        start, stop = 0, size
        while stop - start > 1:
            middle = (start + stop) // 2
            if self._try({name: self._kept(name, start, middle)}):
                stop = middle
            elif self._try({name: self._kept(name, middle, stop)}):
                start = middle
            else:
                return

    def _round(self, name: str) -> None:
        values = self._current(name)
        if values.dtype.kind != "f" or values.size > 1 << 20:
            return
        with np.errstate(all="ignore"):
            rounded = np.where(np.isfinite(values), np.rint(values * 2) / 2, values).astype(values.dtype)
        self._try({name: rounded.view(np.uint8)})

    def _described(self) -> Vector:
        if self.best is self.original:
            return self.original
        return dataclasses.replace(
            self.best, label=f"{self.original.label}, made simpler: {describe(self.plan, self.best)}"
        )


def describe(plan: Plan, vector: Vector) -> str:
    """What the objects of an input hold, in words: ``a, c all 0; b all 0 but b[5] = 1``."""
    same: dict[str, list[str]] = {}
    parts = []
    for name in _numeric(plan, vector):
        type_ = plan.element(name)
        values = _values(plan, name, vector.objects[name])
        bits = values.view(np.dtype(f"u{values.dtype.itemsize}"))
        kinds, counts = np.unique(bits, return_counts=True)
        common = kinds[counts.argmax()]
        others = np.flatnonzero(bits != common)
        text = number_text(np.array([common]).view(values.dtype)[0])
        if not others.size:
            same.setdefault(text, []).append(name)
        elif others.size <= EXCEPTIONS:
            named = ", ".join(f"{element_name(name, type_, int(i))} = {number_text(values[i])}" for i in others)
            parts.append(f"{name} all {text} but {named}")
        else:
            parts.append(f"{name} as drawn")
    constant = [f"{', '.join(names)} all {text}" for text, names in same.items()]
    return "\n    ".join(textwrap.wrap("; ".join([*constant, *parts]), 110))


def simple_values(values: _Values) -> list[float]:
    """Round numbers in the range that the values span, simplest first."""
    numbers = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not numbers.size:
        return []
    low, high = float(numbers.min()), float(numbers.max())
    slack = (high - low) / 64 if values.dtype.kind == "f" else 0  # [-1, 1) is as good as [-1, 1]
    whole = values.dtype.kind != "f"
    return [v for v in _ROUND if low - slack <= v <= high + slack and not (whole and v != int(v))]


def _numeric(plan: Plan, vector: Vector) -> Iterator[str]:
    for placed in plan.objects:
        leaf = plan.element(placed.name).leaf()
        if leaf.kind in ("int", "float") and vector.objects[placed.name].size:
            yield placed.name


def _values(plan: Plan, name: str, data: Bytes) -> _Values:
    return data.view(scalars(plan.element(name).leaf())[0].dtype)
