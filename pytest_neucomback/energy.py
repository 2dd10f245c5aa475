"""Energy of a call, by the processor's own counters (RAPL), where the machine has some and lets us read them.

The counters cover whole packages and are renewed about once a millisecond, so a single call is lost in them. A batch of
calls that lasts EACH_NS is measured against one of as many that only restore the inputs; the difference is what the
calls took, with the idle power of the package meanwhile in it. Linux's powercap interface, documented in the kernel's
Documentation/power/powercap/powercap.rst.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import HarnessError

if TYPE_CHECKING:
    from .runner import Guest

POWERCAP = Path("/sys/class/powercap")
EACH_NS = 100e6
"""About as long as a batch should be."""
ROUNDS = 5
_LIMIT_S = 120.0


class Packages:
    """The energy counters of all processor packages."""

    def __init__(self, zones: Sequence[Path]) -> None:
        self._zones = [(z / "energy_uj", int((z / "max_energy_range_uj").read_text())) for z in zones]

    @classmethod
    def here(cls) -> Packages | None:
        """This machine's; None where there are none, or where this user may not read them."""
        try:
            zones = [
                z for z in sorted(POWERCAP.glob("*-rapl:*")) if (z / "name").read_text().strip().startswith("package")
            ]
            found = cls(zones)
            found.read()
        except (OSError, ValueError):
            return None
        return found if zones else None

    def read(self) -> tuple[int, ...]:
        """Microjoule of each package, since some point in time."""
        return tuple(int(path.read_text()) for path, _ in self._zones)

    def spent(self, before: Sequence[int], after: Sequence[int]) -> int:
        """Microjoule between two readings; counters begin again at their range."""
        ranges = [top for _, top in self._zones]
        return sum((b - a) % (top + 1) for a, b, top in zip(before, after, ranges, strict=True))


def per_call(guests: Sequence[Guest], packages: Packages, *, digests_agree: bool = True) -> tuple[float, ...]:
    """Microjoule per call of each program, on the inputs that are loaded; medians of ROUNDS batches each.

    All make the same calls. Raises HarnessError when a batch does not end well, or when they leave different results.
    """
    wall_ns = max(guest.time(reps=8, limit_s=_LIMIT_S, seed=1).wall_ns for guest in guests)
    reps = max(1, min(int(EACH_NS / wall_ns), 1_000_000))
    found: list[list[float]] = [[] for _ in guests]
    order = list(range(len(guests)))
    for number in range(ROUNDS):
        random.shuffle(order)
        digests = set()
        for side in order:
            used = {}
            for empty in random.sample((False, True), 2):
                before = packages.read()
                batch = guests[side].time(reps=reps, limit_s=_LIMIT_S, seed=number + 2, empty=empty)
                used[empty] = packages.spent(before, packages.read())
                digests |= set() if empty else {batch.digest}
            found[side].append((used[False] - used[True]) / reps)
        if digests_agree and len(digests) > 1:
            raise HarnessError("the candidate gave other results while its energy was measured")
    return tuple(statistics.median(values) for values in found)
