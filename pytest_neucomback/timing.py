"""Candidate against reference in driver-measured kernel time.

Paired: several launches, each with a fresh process for either side, samples interleaved in random order; per launch
the median log-ratio; a t-interval over launches. Each process has a bias of its own of up to a few per cent, so
launches, not samples, are what the interval is over. ``paper`` is the protocol of the published release: 11 runs,
mean of sorted[3:8], faster when the mean is smaller.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from .errors import HarnessError
from .inputs import Vector
from .runner import Guest
from .toolchain import Build
from .types import Timing

LAUNCHES = 8
SAMPLES_PER_LAUNCH = 25
SAMPLE_NS = 150_000.0
"""Kernel time a sample aims for."""
BUDGET_NS = 1.5e9
"""Kernel time of both sides together, all launches; slow kernels get fewer samples, never fewer than 3 a launch."""
MAX_REPS = 2000
BATCH_LIMIT_S = 120.0
_T_99 = {3: 9.925, 4: 5.841, 5: 4.604, 6: 4.032, 7: 3.707, 8: 3.499}
"""Two-sided 99 % points of Student's t by number of launches."""


@dataclass(frozen=True)
class TimingSettings:
    """``--nc-timing`` and ``--nc-min-effect``."""

    estimator: Literal["paired", "paper"] = "paired"
    min_effect: float = 0.01
    """Smallest relative effect that is called faster or slower."""


def measure(
    candidate: Build,
    reference: Build,
    vector: Vector,
    *,
    sandbox: bool,
    settings: TimingSettings,
    check: Callable[[Guest], bool],
) -> Timing:
    """Time two native builds on one vector; the caller holds the machine.

    ``check`` tells whether a candidate's process still computes the right thing after it was timed; if not, the
    HarnessError raised says so.
    """
    rng = random.Random(0x5EED)
    ratios: list[float] = []
    ours: list[float] = []
    theirs: list[float] = []
    launches = LAUNCHES if settings.estimator == "paired" else 1
    for _ in range(launches):
        with ExitStack() as stack:
            guests = [
                stack.enter_context(Guest(b, emulator=None, sandbox=sandbox, restore=True, cpu_s=600))
                for b in (candidate, reference)
            ]
            for guest in guests:
                guest.load(vector)
            samples, reps = _calibrate(guests, settings)
            pairs: list[list[float]] = []
            for _ in range(samples):
                order = [0, 1] if rng.random() < 0.5 else [1, 0]
                times = [0.0, 0.0]
                for side in order:
                    times[side] = guests[side].time(samples=1, reps=reps[side], limit_s=BATCH_LIMIT_S)[0]
                pairs.append(times)
            if not check(guests[0]):
                raise HarnessError("the candidate gave other results after it was timed than before")
            ours += [p[0] for p in pairs]
            theirs += [p[1] for p in pairs]
            ratios.append(statistics.median(math.log(p[1] / p[0]) for p in pairs))
    if settings.estimator == "paper":
        return _paper(ours, theirs)
    centre = statistics.mean(ratios)
    half = _T_99[len(ratios)] * statistics.stdev(ratios) / math.sqrt(len(ratios))
    low, high = math.exp(centre - half), math.exp(centre + half)
    speedup = math.exp(centre)
    outcome: Literal["faster", "tied", "slower"] = "tied"
    if low > 1 and speedup >= 1 + settings.min_effect:
        outcome = "faster"
    elif high < 1 and speedup <= 1 / (1 + settings.min_effect):
        outcome = "slower"
    return Timing(
        native=True,
        candidate_ns=statistics.median(ours),
        reference_ns=statistics.median(theirs),
        speedup=speedup,
        speedup_ci=(low, high),
        outcome=outcome,
        candidate_samples_ns=tuple(ours),
        reference_samples_ns=tuple(theirs),
    )


def _calibrate(guests: list[Guest], settings: TimingSettings) -> tuple[int, list[int]]:
    """Samples, and calls per sample for either side, so that a sample takes about SAMPLE_NS."""
    if settings.estimator == "paper":
        return 11, [1, 1]
    reps, total = [], 0.0
    for guest in guests:
        once = min(guest.time(samples=3, reps=1, limit_s=BATCH_LIMIT_S))
        reps.append(max(1, min(MAX_REPS, round(SAMPLE_NS / once))))
        total += once * reps[-1]
    return int(max(3, min(SAMPLES_PER_LAUNCH, BUDGET_NS / LAUNCHES / total))), reps


def _paper(ours: list[float], theirs: list[float]) -> Timing:
    candidate, reference = (statistics.mean(sorted(t)[3:8]) for t in (ours, theirs))
    return Timing(
        native=True,
        candidate_ns=candidate,
        reference_ns=reference,
        speedup=reference / candidate,
        speedup_ci=None,
        outcome="faster" if candidate < reference else "slower",
        candidate_samples_ns=tuple(ours),
        reference_samples_ns=tuple(theirs),
        note="published protocol: 11 runs, mean of the middle 5, no interval",
    )
