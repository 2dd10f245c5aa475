"""What a candidate and its reference cost beside time: executed instructions, stack, static throughput.

All of it is the same in every run, so references are measured once per process.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from .counting import Profile, count_instructions, profile
from .errors import HarnessError, ProfileTooLarge, ToolMissing
from .inputs import Vector
from .stack import stack_bytes
from .throughput import Estimate, estimate
from .toolchain import Build, Toolchain
from .types import Timing

COUNTED_INSTRUCTIONS = 50_000_000
"""Of the reference; with more, no further vector is counted. An emulator executes some hundred million a second."""
HOT_LINES = 8
"""Lines of a candidate that a timing names, at most."""


@dataclass(frozen=True)
class _Reference:
    stack_bytes: int | None = None
    calls: int = 0
    """Vectors that instructions were counted on, from the first."""
    instructions: int | None = None
    static: Estimate | None = None
    missing: str = ""
    """Why instructions were not counted."""


class CostBook:
    """Measures costs, and keeps those of references. Thread-safe; two threads may measure the same thing."""

    def __init__(self, *, sandbox: bool) -> None:
        self._sandbox = sandbox
        self._references: dict[tuple[str, ...], _Reference] = {}
        self._lock = threading.Lock()

    def added(
        self, timing: Timing, build: Build, reference: Build, vectors: Sequence[Vector], toolchain: Toolchain
    ) -> Timing:
        """The timing with the costs of both sides, one call for each vector, as far as something here can tell.

        What is missing is told in the note where there is no time either. Raises nothing for it.
        """
        key = (str(reference.path), build.plan.task.digest(), toolchain.arch.name)
        with self._lock:
            known = self._references.get(key)
        if known is None:
            known = self._of_reference(reference, vectors, toolchain)
            with self._lock:
                self._references[key] = known
        ours, theirs = timing.costs, replace(timing.reference_costs, stack_bytes=known.stack_bytes)
        missing = known.missing
        try:
            ours = replace(ours, stack_bytes=stack_bytes(build, vectors, toolchain, sandbox=self._sandbox))
            if known.instructions is not None:
                counted = vectors[: known.calls]
                found = self._profile(build, counted, toolchain)
                instructions = found.instructions if found else self._count(build, counted, toolchain)
                timing = replace(timing, instructions=instructions, reference_instructions=known.instructions,
                                 hot_lines=found.hottest(HOT_LINES) if found else ())  # fmt: skip
                static = estimate(found, toolchain) if found and known.static else None
                if static and known.static:
                    ours = replace(ours, static_cycles=static.cycles, static_cpu=static.cpu)
                    theirs = replace(theirs, static_cycles=known.static.cycles, static_cpu=known.static.cpu)
        except (HarnessError, ToolMissing) as error:
            missing = str(error)
        # Where there is a time, a missing count is no loss worth words.
        if missing and not timing.native:
            what = "costs" if timing.instructions else "instructions"
            timing = replace(timing, note=f"{timing.note}; {what} not counted: {missing}")
        return replace(timing, costs=ours, reference_costs=theirs)

    def _of_reference(self, reference: Build, vectors: Sequence[Vector], toolchain: Toolchain) -> _Reference:
        known = _Reference()
        try:
            known = replace(known, stack_bytes=stack_bytes(reference, vectors, toolchain, sandbox=self._sandbox))
            counts: list[int] = []
            while len(counts) < len(vectors) and sum(counts) < COUNTED_INSTRUCTIONS:
                counts.append(self._count(reference, [vectors[len(counts)]], toolchain))
            known = replace(known, calls=len(counts), instructions=sum(counts))
            # An analysis is worth its time where there is no clock.
            if not toolchain.arch.native and (found := self._profile(reference, vectors[: len(counts)], toolchain)):
                known = replace(known, static=estimate(found, toolchain))
        except (HarnessError, ToolMissing) as error:
            known = replace(known, missing="" if known.instructions else str(error))
        return known

    def _count(self, build: Build, vectors: Sequence[Vector], toolchain: Toolchain) -> int:
        return count_instructions(build, vectors, **self._where(toolchain))

    def _profile(self, build: Build, vectors: Sequence[Vector], toolchain: Toolchain) -> Profile | None:
        try:
            return profile(build, vectors, **self._where(toolchain))
        except ProfileTooLarge:
            return None

    def _where(self, toolchain: Toolchain) -> dict[str, Any]:
        return {
            "arch": toolchain.arch.name,
            "cache": toolchain.cache,
            "sandbox": self._sandbox,
            "march": toolchain.march,
        }
