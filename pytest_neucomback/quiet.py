"""When and where a machine is quiet: told by a short piece of work that always takes the same time undisturbed.

What disturbs a measurement on a shared machine is mostly what cannot be seen: another virtual machine on the other
thread of the same core comes and goes, and slows different code down by different factors. So a ratio of two programs
means something only where neither was disturbed. The probe tells, and knows nothing of the two. A neighbour that has
come stays for some 50 milliseconds up to seconds: too long to wait for in place, and rarely on every core at once, so a
measurement moves away from it, or sleeps.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Sequence

PROBED = 8
"""Processors that are tried at most."""
SLOWER = 1.2
"""Up to this many times the fastest probe counts as undisturbed: the clock rate varies by a tenth, and a neighbour on
the same core makes it half as long again at least."""
REMEMBERED_S = 600.0
"""For so long the fastest probe is the measure of others; then clock rates may have changed for good."""
FIRST_S = 0.2
"""A process probes for so long before its first measurement, to have such a measure."""
PAUSE_S = 0.002
"""Between two looks at the processors where none is quiet."""
_TEXT, _TABLE, _TIMES = bytes(range(256)) * 16, bytes(range(255, -1, -1)), 4
"""The piece of work: a table looked up for each byte of a text, so many times. It is compiled code in all interpreters,
keeps a core so busy that a second thread on it shows, and has no modes of its own; loops of an interpreter have some,
by up to a half. The text is short, so that a probe counts even when other data has taken its place in the cache."""

_fastest: list[tuple[float, int]] = []
"""Probes faster than all that came later, with their times."""


def probe_ns() -> int:
    """Nanoseconds that the piece of work takes here and now, some 10 microseconds undisturbed."""
    start = time.perf_counter_ns()
    for _ in range(_TIMES):
        _TEXT.translate(_TABLE)
    took = time.perf_counter_ns() - start
    now = start / 1e9
    while _fastest and _fastest[-1][1] >= took:
        _fastest.pop()
    _fastest.append((now, took))
    while _fastest[0][0] < now - REMEMBERED_S:
        del _fastest[0]
    return took


def limit_ns() -> float:
    """What a probe may take that counts as undisturbed; 0 before the first."""
    return SLOWER * _fastest[0][1] if _fastest else 0.0


def disturbance_ns() -> int:
    """Of two probes the faster, or the first if that is undisturbed: an interrupt or a cold cache slows one down, and
    means nothing."""
    took = probe_ns()
    return took if took <= limit_ns() else min(took, probe_ns())


class QuietPlace:
    """Keeps this thread and processes of its choice together on one processor, and away from neighbours.

    Entered once for each launch of a measurement. Processes that are started meanwhile are on the processor from the
    beginning; those that are to move with this thread are named to ``together``. Where the system allows no choice,
    everything runs where it likes, and ``pinned`` is False.
    """

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        """Time that may still be spent waiting."""
        self.pinned = True
        self._allowed: set[int] = set()
        self._here: int | None = None
        self._others: Sequence[int] = ()

    def __enter__(self) -> QuietPlace:
        self._allowed, self._others = os.sched_getaffinity(0), ()
        try:
            if not _fastest:
                self._first_look()
            self.quiet_moment()
        except OSError:
            self.pinned = False
            self.__exit__()
        return self

    def __exit__(self, *_: object) -> None:
        self._here = None
        _keep_to(0, self._allowed)

    def together(self, pids: Sequence[int]) -> None:
        """Processes that move with this thread from now on."""
        self._others = pids

    def quiet_moment(self) -> int:
        """Wait for a quiet moment, here or elsewhere, as long as patience lasts; the last probe, in nanoseconds."""
        if not self.pinned:
            return disturbance_ns()
        before = self._here
        start = time.monotonic()
        took = self._look()
        while min(took.values()) > limit_ns() and self.patience_s > 0:
            time.sleep(PAUSE_S)
            now = time.monotonic()
            self.patience_s, start = self.patience_s - (now - start), now
            if self.patience_s > 0:
                took = self._look()
        best = min(took, key=took.__getitem__)
        self._move(best)
        if best != before:
            for pid in self._others:
                _keep_to(pid, {best})
        return took[best]

    def _look(self) -> dict[int, int]:
        """Probes by processor, up to the first that is undisturbed."""
        took: dict[int, int] = {}
        for processor in self._choice():
            self._move(processor)
            took[processor] = disturbance_ns()
            if took[processor] <= limit_ns():
                break
        return took

    def _choice(self) -> list[int]:
        """Where to look: first here, which is the only place when it is too late to wait."""
        here = [] if self._here is None else [self._here]
        if here and self.patience_s <= 0:
            return here
        others = sorted(self._allowed.difference(here))
        return [*here, *random.sample(others, min(PROBED, len(others)))]

    def _move(self, processor: int) -> None:
        if processor != self._here:
            os.sched_setaffinity(0, {processor})
            self._here = processor

    def _first_look(self) -> None:
        end = time.monotonic() + FIRST_S
        while time.monotonic() < end:
            for processor in self._choice():
                self._move(processor)
                probe_ns()


def _keep_to(pid: int, processors: set[int]) -> None:
    with contextlib.suppress(OSError):
        os.sched_setaffinity(pid, processors)
