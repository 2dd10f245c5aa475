"""When and where a machine is quiet: told by a short piece of work that always takes the same time undisturbed.

What disturbs a measurement on a shared machine is mostly what cannot be seen: another virtual machine on the other
thread of the same core comes and goes within milliseconds, and slows different code down by different factors. So a
ratio of two programs means something only where neither was disturbed. The probe tells, and knows nothing of the two.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

PROBED = 8
"""Processors that are tried at most."""
PROBES = 10
"""Probes on each."""
SLOWER = 1.1
"""Up to this many times the fastest probe counts as undisturbed."""
REMEMBERED_S = 600.0
"""For so long the fastest probe is the measure of others; then clock rates may have changed for good."""
_WORK = 4000

_fastest: list[tuple[float, int]] = []
"""Probes faster than all that came later, with their times."""


def probe_ns() -> int:
    """Nanoseconds that the piece of work takes here and now, some 50 microseconds undisturbed."""
    start = time.perf_counter_ns()
    sum(range(_WORK))
    took = time.perf_counter_ns() - start
    now = start / 1e9
    while _fastest and _fastest[-1][1] >= took:
        _fastest.pop()
    _fastest.append((now, took))
    while _fastest[0][0] < now - REMEMBERED_S:
        del _fastest[0]
    return took


def fastest_ns() -> int:
    """The fastest probe of this process in the last minutes; 0 before the first."""
    return _fastest[0][1] if _fastest else 0


@contextmanager
def on_quietest_processor() -> Iterator[bool]:
    """Keep this thread, and the processes that it starts meanwhile, on one processor, the least disturbed just now.

    How much a neighbour takes differs between processors, and comes and goes: so the choice is made anew each time, by
    probes on up to PROBED of them. Where the system allows no choice, everything runs where it likes, and the answer is
    False.
    """
    allowed = os.sched_getaffinity(0)
    try:
        try:
            took = {p: _on(p) for p in random.sample(sorted(allowed), min(PROBED, len(allowed)))}
            os.sched_setaffinity(0, {min(took, key=took.__getitem__)})
            pinned = True
        except OSError:
            _set_processors(allowed)
            pinned = False
        yield pinned
    finally:
        _set_processors(allowed)


def _on(processor: int) -> int:
    """Nanoseconds that PROBES probes take there."""
    os.sched_setaffinity(0, {processor})
    return sum(probe_ns() for _ in range(PROBES))


def _set_processors(allowed: set[int]) -> None:
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, allowed)
