"""Candidate against reference in driver-measured kernel time.

Paired: several launches, each with a fresh process for either side, samples interleaved in random order; per launch
the median log-ratio; a trimmed t-interval over launches. Each process has a bias of its own of up to a few per cent,
most of it from where code, stack and memory happen to lie; so launches, not samples, are what the interval is over, and
each launch has both programs linked anew at another address, with the stack begun elsewhere (Mytkowicz et al., ASPLOS
2009; Curtsinger and Berger, ASPLOS 2013). What chance decides in a launch it decides for both sides alike (common
random numbers): the place of code and stack, the physical pages of the objects, which both share, and the processor.
That leaves the mean of the log-ratio what it was, and takes most of the variance out of it.

The interval is looked at after each number of launches of ``LOOKS``, until the answer is clear: the interval leaves 1
out and the effect is large enough, or all of the interval is below the smallest effect. The error that is allowed for
a measurement is divided evenly between the looks (Bonferroni), so that looking often finds nothing by luck.

``paper`` is the protocol of the published release: 11 runs in one process, mean of sorted[3:8], faster when the mean is
smaller.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from .energy import Packages, per_call
from .errors import HarnessError
from .inputs import Vector
from .runner import Batch, Guest, Objects
from .toolchain import Build, Placement
from .types import Costs, Timing

LOOKS: tuple[int, ...] = (5, 8, 12, 16, 24)
"""Launches after which the interval is looked at; the last is the most there are."""
T: dict[int, float] = {4: 10.215, 5: 7.173, 6: 5.893, 7: 5.208, 8: 4.785, 9: 4.501, 10: 4.297, 12: 4.025, 15: 3.787,
                       16: 3.733, 20: 3.579, 24: 3.485}  # fmt: skip
"""Student's t by number of observations for an error of 0.2 %, both sides: a fifth of 1 %, for five looks."""
TRIMMED_FROM, TRIMMED_SHARE = 8, 0.2
"""From so many launches on, this share of them is trimmed at either end."""
SAMPLES_PER_LAUNCH, FEWEST_SAMPLES = 41, 5
SAMPLE_NS = 150_000.0
"""Kernel time a sample aims for."""
LAUNCH_NS = 150e6
"""What samples of a launch may take, restoring of inputs included; slow kernels get fewer."""
MAX_SAMPLE_NS = 2e6
"""What a sample of the slower side may take, likewise, if one call does; both sides make the same calls."""
MAX_REPS = 2000
HONEST_SHARE, HONEST_SLACK_NS, WAKE_NS, PAPER_WAKE_NS = 0.9, 100.0, 4_000.0, 200_000.0
"""A candidate's time per call must be this share of what the parent saw it take, less what a clock may be off per call,
and what waking up may differ by per batch (honest code: a few microseconds either way, on one processor). Under the
published protocol, one call a batch, that is most of it, and with one launch there is no other to tell chance by."""
FRESH_VECTORS = 15
"""Vectors for tasks whose inputs the driver cannot vary; no launch takes more samples."""
IDLE_SLACK_NS = 2e5
"""CPU time of a candidate while it should wait, in a launch, that may be the kernel's bookkeeping. Where both programs
are not on one processor, as under the published protocol, a hypervisor can make it any length."""
EMPTY_BATCHES = 5
BATCH_LIMIT_S = 120.0
PLACES = 256
"""Addresses within a page, 16 bytes apart, where code may begin."""
PROBED = 8
"""Processors that are tried before a launch."""
STOLEN_SHARE = 0.02
"""Of processor time taken by other virtual machines; more is worth a note."""


@dataclass(frozen=True)
class TimingSettings:
    """``--nc-timing`` and ``--nc-min-effect``."""

    estimator: Literal["paired", "paper"] = "paired"
    min_effect: float = 0.01
    """Smallest relative effect that is called faster or slower."""
    energy: bool = False
    """``--nc-energy``: measure that, too."""


class Place(Protocol):
    """Links the candidate's and the reference's programs anew, a pair of builds for each place."""

    def __call__(self, places: Sequence[Placement]) -> list[tuple[Build, Build]]: ...


@dataclass(frozen=True)
class Checks:
    """What a candidate's process must still do while it is timed. Each gives the reason why it is refused, or None."""

    same: Callable[[Guest, Guest, Vector], str | None]
    """Candidate and reference after a batch on the same inputs: did both compute the same?"""
    unseen: Callable[[Guest], str | None]
    """The candidate on inputs that it has not met, after it was timed."""
    digests: bool
    """Whether digests tell all that a call has left, and right programs agree in them; without, no call goes without
    ``same``."""
    varied: bool
    """Whether the driver makes each call's inputs different; without, each sample takes a vector that its process has
    not seen."""


def measure(
    builds: tuple[Build, Build],
    place: Place,
    vectors: Sequence[Vector],
    *,
    sandbox: bool,
    settings: TimingSettings,
    checks: Checks,
    seed: int,
) -> Timing:
    """Time two native builds, candidate and reference; the caller holds the machine.

    Launches take the vectors in turn, or each all of them (``Checks.varied``). The driver's clock runs in the
    candidate's process, so what it says is believed only as far as the parent can see: ticks are converted by the
    reference's process, both sides must have computed the same after every batch, the candidate must not run while it
    is the reference's turn, and the time per call must account for what a batch takes longer than one that calls
    nothing. Raises HarnessError, with what was wrong, when a candidate fails one of these.
    """
    rng = random.Random(seed)
    seen = _Seen()
    paper = settings.estimator == "paper"
    stolen = _stolen()
    for number in (1,) if paper else LOOKS:
        pairs = [builds]
        if not paper:
            pairs = place([_somewhere(rng) for _ in range(number - len(seen.ratios))])
        for pair in pairs:
            first = len(seen.ratios) % len(vectors)
            own = vectors[first : first + 1] if checks.varied or paper else rng.sample(vectors, len(vectors))
            _one_launch(pair, own, seen, sandbox=sandbox, settings=settings, checks=checks, rng=rng)
        if not paper and seen.outcome(settings.min_effect) is not None:
            break
    # A busy machine makes single launches look bad; they have lost what they claim, and are no reason to refuse it all.
    quarter = len(seen.ratios) // 4
    if sorted(seen.idle)[quarter] > 0 and seen.pinned:
        raise HarnessError("the candidate's process went on running while it was the reference's turn")
    if sorted(seen.hidden)[quarter] > 0:
        raise HarnessError(
            f"the candidate's process reports {statistics.median(seen.ours):.0f} ns a call; by the parent's clock it "
            "takes longer"
        )
    if paper:
        return replace(_paper(seen.ours, seen.theirs), costs=seen.costs(0), reference_costs=seen.costs(1))
    low, speedup, high = seen.interval()
    outcome, note = seen.outcome(settings.min_effect), seen.note(settings.min_effect, stolen)
    if outcome == "faster" and seen.doubtful(settings.min_effect):
        outcome, note = "tied", "by the parent's clock the calls are not so much faster as the driver's clock says"
    return Timing(
        native=True,
        candidate_ns=statistics.median(seen.ours),
        reference_ns=statistics.median(seen.theirs),
        speedup=speedup,
        speedup_ci=(low, high),
        outcome=outcome or "tied",
        candidate_samples_ns=tuple(seen.ours),
        reference_samples_ns=tuple(seen.theirs),
        costs=seen.costs(0),
        reference_costs=seen.costs(1),
        launches=len(seen.ratios),
        note=note,
    )


class _Seen:
    """What the launches so far have shown."""

    def __init__(self) -> None:
        self.ratios: list[float] = []
        """Median log-ratio of each launch, reference to candidate."""
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self.hidden: list[float] = []
        """Nanoseconds a call by which each launch's candidate took longer than it says, beyond what is forgiven."""
        self.unseen_gain: list[float] = []
        """By how much each launch's log-ratio is better for the candidate than by the parent's clock."""
        self.idle: list[float] = []
        """CPU nanoseconds each launch's candidate used while it should wait, likewise."""
        self.batch: tuple[int, int] | None = None
        """Samples of a launch and calls of a sample, as the first launch found them right."""
        self.peak_bytes = [0, 0]
        self.energy_uj: tuple[float | None, ...] = ()
        """Of a call of either side; measured in the first launch."""
        self.pinned = True
        """Whether in every launch both programs were on one processor."""
        self.switches = 0
        """How often processes were put aside while they wanted to run."""

    def costs(self, side: int) -> Costs:
        """Of candidate (0) or reference (1)."""
        energy = self.energy_uj[side] if self.energy_uj else None
        return Costs(peak_bytes=self.peak_bytes[side] or None, energy_uj=energy)

    def interval(self) -> tuple[float, float, float]:
        """Lower end, centre and upper end of the speed-up."""
        low, centre, high = self._interval(self.ratios)
        return math.exp(low), math.exp(centre), math.exp(high)

    @staticmethod
    def _interval(values: Sequence[float]) -> tuple[float, float, float]:
        """Lower end, centre and upper end of the mean of one value a launch.

        A trimmed mean with its standard error from the winsorised variance (Tukey and McLaughlin 1963; Yuen 1974): a
        neighbour on the same core that comes or goes in the middle of a launch spoils that launch and not the answer.
        """
        ordered, count = sorted(values), len(values)
        cut = trimmed(count)
        kept = ordered[cut : count - cut]
        winsorised = [kept[0]] * cut + kept + [kept[-1]] * cut
        centre = statistics.fmean(kept)
        error = statistics.stdev(winsorised) / ((1 - 2 * cut / count) * math.sqrt(count))
        half = T[len(kept)] * error
        return centre - half, centre, centre + half

    def doubtful(self, min_effect: float) -> bool:
        """Whether the advantage is surely larger than by the parent's clock: part of it lies outside of the calls."""
        return self._interval(self.unseen_gain)[0] > math.log1p(min_effect)

    def outcome(self, min_effect: float) -> Literal["faster", "tied", "slower"] | None:
        """The answer, or None where more launches may still give another one."""
        low, speedup, high = self.interval()
        if low > 1 and speedup >= 1 + min_effect:
            return "faster"
        if high < 1 and speedup <= 1 / (1 + min_effect):
            return "slower"
        return "tied" if 1 / (1 + min_effect) < low and high < 1 + min_effect else None

    def note(self, min_effect: float, stolen_before: tuple[int, int] | None) -> str:
        """What makes the answer doubtful, and what to do about it; empty when nothing does."""
        if self.outcome(min_effect) is not None:
            return ""
        low, _, high = self.interval()
        words = [f"not clear after {len(self.ratios)} launches, the interval is {low:.3f} to {high:.3f}"]
        now = _stolen()
        if stolen_before and now and now[1] > stolen_before[1]:
            share = (now[0] - stolen_before[0]) / (now[1] - stolen_before[1])
            if share > STOLEN_SHARE:
                words.append(f"other virtual machines took {share:.0%} of the processors")
        if self.switches > len(self.ratios):
            words.append(f"other programs interrupted it {self.switches} times: time on a quieter machine")
        return "; ".join(words)


def trimmed(launches: int) -> int:
    """How many launches are left out at either end."""
    return int(launches * TRIMMED_SHARE) if launches >= TRIMMED_FROM else 0


def _somewhere(rng: random.Random) -> Placement:
    return Placement(16 * rng.randrange(PLACES), rng.random() < 0.5)


def _one_launch(
    pair: tuple[Build, Build],
    vectors: Sequence[Vector],
    seen: _Seen,
    *,
    sandbox: bool,
    settings: TimingSettings,
    checks: Checks,
    rng: random.Random,
) -> None:
    with ExitStack() as stack:
        objects = [stack.enter_context(Objects(pair[0].plan))]
        shift = 0
        if settings.estimator == "paper":
            seen.pinned = False
            objects.append(stack.enter_context(Objects(pair[1].plan)))
        else:
            seen.pinned &= stack.enter_context(on_quietest_processor())
            shift = rng.randrange(PLACES)
        guests = []
        for build in pair:
            guest = stack.enter_context(Guest(build, emulator=(), sandbox=sandbox, cpu_s=600, timed=objects[-1]))
            guest.load(vectors[0])
            guest.stack_shift = shift
            guests.append(guest)
        if seen.batch is None:
            seen.batch = (11, 1) if settings.estimator == "paper" else _calibrate(guests, checks, rng)
        samples, reps = seen.batch
        pairs, walls = _samples(guests, samples, reps, vectors, checks, rng)
        for side, usage in enumerate(guest.usage() for guest in guests):
            seen.switches += usage.switches
            seen.peak_bytes[side] = max(seen.peak_bytes[side], usage.peak_bytes)
        seen.idle.append(guests[0].idle_cpu_ns() - IDLE_SLACK_NS)
        if settings.energy and not seen.energy_uj and (packages := Packages.here()):
            seen.energy_uj = per_call(guests, packages, digests_agree=checks.digests)
        if wrong := checks.unseen(guests[0]):
            raise HarnessError(f"the candidate gave other results after it was timed than before: {wrong}")
    seen.ours += [p[0] for p in pairs]
    seen.theirs += [p[1] for p in pairs]
    ratio = statistics.median(math.log(p[1] / p[0]) for p in pairs)
    kernel, other = (statistics.median(p[side] for p in pairs) for side in (0, 1))
    # Restoring may cost more after a kernel than after nothing; the reference shows by how much.
    took = walls[0] - max(0.0, walls[1] - other)
    wake = (PAPER_WAKE_NS if settings.estimator == "paper" else WAKE_NS) / reps
    least = HONEST_SHARE * took - HONEST_SLACK_NS - wake
    seen.hidden.append(least - kernel)
    # What the parent does not believe is no candidate's gain, not even in a single launch.
    seen.ratios.append(min(ratio, math.log(other / least)) if least > kernel else ratio)
    # Calls that take less than waking up are too short for the parent to say anything.
    seen.unseen_gain.append(ratio - math.log(walls[1] / walls[0]) if min(walls) > wake else 0.0)


def _stolen() -> tuple[int, int] | None:
    """Processor time that other virtual machines have taken since the machine was started, and all of it."""
    try:
        fields = [int(word) for word in Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    return (fields[7], sum(fields)) if len(fields) == 8 else None


@contextmanager
def on_quietest_processor() -> Iterator[bool]:
    """Keep this thread, and the processes that it starts meanwhile, on one processor, the least disturbed just now.

    How much a neighbour takes differs between processors, and comes and goes: so the choice is made anew each time, by
    a short piece of work on up to PROBED of them. Where the system allows no choice, everything runs where it likes,
    and the answer is False.
    """
    allowed = os.sched_getaffinity(0)
    try:
        try:
            took = {p: _probe(p) for p in random.sample(sorted(allowed), min(PROBED, len(allowed)))}
            os.sched_setaffinity(0, {min(took, key=took.__getitem__)})
            pinned = True
        except OSError:
            _set_processors(allowed)
            pinned = False
        yield pinned
    finally:
        _set_processors(allowed)


def _set_processors(allowed: set[int]) -> None:
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, allowed)


def _probe(processor: int) -> float:
    """Seconds that a fixed piece of work takes there, half a millisecond or so."""
    os.sched_setaffinity(0, {processor})
    start = time.perf_counter()
    for _ in range(20):
        sum(range(2000))
    return time.perf_counter() - start


def _samples(
    guests: Sequence[Guest], samples: int, reps: int, vectors: Sequence[Vector], checks: Checks, rng: random.Random
) -> tuple[list[tuple[float, float]], tuple[float, float]]:
    """Samples of both sides in nanoseconds a call, and what the parent saw a call of either take.

    With several vectors each sample has one of its own, and both sides the same.
    """
    pairs: list[tuple[float, float]] = []
    walls: tuple[list[float], list[float]] = ([], [])
    for number in range(samples):
        vector = vectors[number % len(vectors)]
        if number and len(vectors) > 1:
            for guest in guests:
                guest.load(vector)
        seed = rng.randrange(1, 1 << 63)
        order = [0, 1] if rng.random() < 0.5 else [1, 0]
        batches: list[Batch | None] = [None, None]
        for side in order:
            batches[side] = guests[side].time(samples=1, reps=reps, limit_s=BATCH_LIMIT_S, seed=seed)
        one, two = batches
        assert one is not None
        assert two is not None
        if (checks.digests and one.digest != two.digest) or checks.same(guests[0], guests[1], vector):
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
    # Smallest, because other processes can only add to it, and every batch was verified to have done its work. What
    # nothing takes, the reference says for both: a candidate that dawdles there would have that much to hide.
    return pairs, (min(walls[0]) - empty[1], min(walls[1]) - empty[1])


def _calibrate(guests: Sequence[Guest], checks: Checks, rng: random.Random) -> tuple[int, int]:
    """Samples of a launch, and calls per sample, by what the reference takes: its sample should take SAMPLE_NS."""
    candidate, reference = guests

    def timed(guest: Guest, reps: int) -> Batch:
        batches = [
            guest.time(samples=1, reps=reps, limit_s=BATCH_LIMIT_S, seed=rng.randrange(1, 1 << 63)) for _ in range(3)
        ]
        return min(batches, key=lambda batch: batch.wall_ns)

    once = timed(reference, 1)
    kernel_ns = max(once.ticks[0] - once.overhead_ticks, 0.1) * once.ns_per_tick
    reps = 1
    if checks.digests and checks.varied:
        # Of several calls, so that waking up is not taken for restoring.
        wall = timed(reference, max(1, min(16, round(SAMPLE_NS / once.wall_ns)))).wall_ns
        reps = max(1, min(MAX_REPS, round(SAMPLE_NS / kernel_ns), int(MAX_SAMPLE_NS / wall)))
    pair_ns = (timed(reference, reps).wall_ns + timed(candidate, reps).wall_ns) * reps
    return max(FEWEST_SAMPLES, min(SAMPLES_PER_LAUNCH, int(LAUNCH_NS / pair_ns))), reps


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
