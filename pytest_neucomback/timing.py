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
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from .errors import HarnessError
from .inputs import Vector
from .runner import Batch, Guest
from .toolchain import Build
from .types import Timing

LAUNCHES = 8
SAMPLES_PER_LAUNCH = 25
SAMPLE_NS = 150_000.0
"""Kernel time a sample aims for."""
BUDGET_NS = 1.5e9
"""Kernel time of both sides together, all launches; slow kernels get fewer samples, never fewer than 3 a launch."""
MAX_SAMPLE_NS = 3e6
"""What a sample of the slower side may take; both sides make the same calls."""
MAX_REPS = 2000
HONEST_SHARE, HONEST_SLACK_NS, WAKE_NS = 0.5, 100.0, 25_000.0
"""A candidate's time per call must be this share of what the parent saw it take, less what a clock may be off per call,
and what waking up may differ by per batch. Under the published protocol, one call a batch, that is most of it."""
EMPTY_BATCHES = 5
BATCH_LIMIT_S = 120.0
_T_99 = {3: 9.925, 4: 5.841, 5: 4.604, 6: 4.032, 7: 3.707, 8: 3.499}
"""Two-sided 99 % points of Student's t by number of launches."""


@dataclass(frozen=True)
class TimingSettings:
    """``--nc-timing`` and ``--nc-min-effect``."""

    estimator: Literal["paired", "paper"] = "paired"
    min_effect: float = 0.01
    """Smallest relative effect that is called faster or slower."""


@dataclass(frozen=True)
class Checks:
    """What a candidate's process must still do while it is timed. Each gives the reason why it is refused, or None."""

    same: Callable[[Guest, Guest, Vector], str | None]
    """Candidate and reference after a batch on the same inputs: did both compute the same?"""
    unseen: Callable[[Guest], str | None]
    """The candidate on inputs that it has not met, after it was timed."""
    exact: bool
    """Whether results agree to the last bit, so that digests of all calls can be compared."""


def measure(
    candidate: Build,
    reference: Build,
    vectors: Sequence[Vector],
    *,
    sandbox: bool,
    settings: TimingSettings,
    checks: Checks,
    seed: int,
) -> Timing:
    """Time two native builds, a vector for each launch; the caller holds the machine.

    The driver's clock runs in the candidate's process, so what it says is believed only as far as the parent can see:
    ticks are converted by the reference's process, both sides must have computed the same after every batch, and the
    time per call must account for what a batch takes longer than one that calls nothing. Raises HarnessError, with
    what was wrong, when a candidate fails one of these.
    """
    rng = random.Random(seed)
    ratios: list[float] = []
    ours: list[float] = []
    theirs: list[float] = []
    launches = LAUNCHES if settings.estimator == "paired" else 1
    hidden: list[float] = []
    for launch in range(launches):
        vector = vectors[launch % len(vectors)]
        with ExitStack() as stack:
            guests = [
                stack.enter_context(Guest(b, emulator=(), sandbox=sandbox, restore=True, cpu_s=600))
                for b in (candidate, reference)
            ]
            for guest in guests:
                guest.load(vector)
            pairs, walls, reps = _launch(guests, vector, settings, checks, rng)
            if wrong := checks.unseen(guests[0]):
                raise HarnessError(f"the candidate gave other results after it was timed than before: {wrong}")
        ours += [p[0] for p in pairs]
        theirs += [p[1] for p in pairs]
        ratios.append(statistics.median(math.log(p[1] / p[0]) for p in pairs))
        # Restoring may cost more after a kernel than after nothing; the reference shows by how much.
        kernel, other = (statistics.median(p[side] for p in pairs) for side in (0, 1))
        seen = walls[0] - max(0.0, walls[1] - other)
        hidden.append(HONEST_SHARE * seen - HONEST_SLACK_NS - WAKE_NS / reps - kernel)
    # A busy machine makes single launches look hidden; who hides in fewer than these has no interval worth having.
    if sorted(hidden)[launches // 4] > 0:
        raise HarnessError(
            f"the candidate's process reports {statistics.median(ours):.0f} ns a call; by the parent's clock it takes "
            "at least twice as long"
        )
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


def _launch(
    guests: Sequence[Guest], vector: Vector, settings: TimingSettings, checks: Checks, rng: random.Random
) -> tuple[list[tuple[float, float]], tuple[float, float], int]:
    """Samples of both sides in nanoseconds a call, what the parent saw a call of either take, and calls per batch."""
    samples, reps = _calibrate(guests, settings)
    pairs: list[tuple[float, float]] = []
    walls: tuple[list[float], list[float]] = ([], [])
    for _ in range(samples):
        seed = rng.randrange(1, 1 << 63)
        order = [0, 1] if rng.random() < 0.5 else [1, 0]
        batches: list[Batch | None] = [None, None]
        for side in order:
            batches[side] = guests[side].time(samples=1, reps=reps, limit_s=BATCH_LIMIT_S, seed=seed)
        one, two = batches
        assert one is not None
        assert two is not None
        if (checks.exact and one.digest != two.digest) or checks.same(guests[0], guests[1], vector):
            raise HarnessError("the candidate gave other results after it was timed than before, on the timed inputs")
        # Clock rate and trampoline are the machine's; the reference's word is as good for both.
        ours, theirs = (max(batch.ticks[0] - two.overhead_ticks, 0.1) * two.ns_per_tick for batch in (one, two))
        pairs.append((ours, theirs))
        walls[0].append(one.wall_ns)
        walls[1].append(two.wall_ns)
    empty = []
    for guest in guests:
        batches = [
            guest.time(samples=1, reps=reps, limit_s=BATCH_LIMIT_S, seed=rng.randrange(1, 1 << 63), empty=True)
            for _ in range(EMPTY_BATCHES)
        ]
        empty.append(min(b.wall_ns for b in batches if b))
    # Smallest, because other processes can only add to it, and every batch was verified to have done its work.
    return pairs, (min(walls[0]) - empty[0], min(walls[1]) - empty[1]), reps


def _calibrate(guests: Sequence[Guest], settings: TimingSettings) -> tuple[int, int]:
    """Samples, and calls per sample of either side, so that a sample of the faster one takes about SAMPLE_NS."""
    if settings.estimator == "paper":
        return 11, 1
    once = []
    for guest in guests:
        batch = guest.time(samples=3, reps=1, limit_s=BATCH_LIMIT_S)
        once.append(max(min(batch.ticks) - batch.overhead_ticks, 0.1) * batch.ns_per_tick)
    reps = max(1, min(MAX_REPS, round(SAMPLE_NS / min(once))))
    reps = max(1, min(reps, round(MAX_SAMPLE_NS / max(once))))
    total = sum(once) * reps
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
