"""Candidate against reference in driver-measured kernel time.

Paired: several launches, each with a fresh process for either side, samples interleaved in random order; per launch
the median log-ratio; a t-interval over launches. Each process has a bias of its own of up to a few per cent, most of it
from where code, stack and memory happen to lie; so launches, not samples, are what the interval is over, and each
launch has both programs linked anew at another address, with the stack begun elsewhere (Mytkowicz et al., ASPLOS 2009;
Curtsinger and Berger, ASPLOS 2013). What chance decides in a launch it decides for both sides alike (common random
numbers): the place of code and stack, the physical pages of the objects, which both share, and the processor. That
leaves the mean of the log-ratio what it was, and takes most of the variance out of it. Physical pages decide what meets
in the caches, for different code differently; with others for each pair of samples that averages out within a launch.

Where in a cache line the code begins makes the rest of it: loops run up to 60 % faster in one such place than in the
next. So launches are shared out evenly among these places, and the interval is that of a stratified sample: what
differs between places makes it no wider, and no lucky draw of them moves the centre.

Code is slowed down by neighbours on the same core by a factor of its own, up to two. So a pair counts only where the
machine was quiet right before and after it, which a probe tells that knows nothing of either program (``quiet.py``).
The choice is therefore no choice between the two, as the fastest runs of each would be.

The interval is looked at after each number of launches of ``LOOKS``, until the answer is clear or will not become so:
all of the interval is beyond the smallest effect, or all of it below; at the last look it is enough that it leaves 1
out and its centre is beyond. The error that is allowed for a measurement is divided evenly between the looks
(Bonferroni), so that looking often finds nothing by luck.

``paper`` is the protocol of the published release: 11 runs in one process, mean of sorted[3:8], faster when the mean is
smaller.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from .energy import Packages, per_call
from .errors import HarnessError
from .inputs import Vector
from .quiet import QuietPlace, disturbance_ns, limit_ns
from .runner import Batch, Guest, Objects
from .toolchain import Build, Placement
from .types import Costs, Timing

LOOKS: tuple[int, ...] = (12, 16, 24, 32)
"""Launches after which the interval is looked at; the last is the most there are."""
CODE_ALIGNMENT, LINE_BYTES = 16, 64
"""Code begins at multiples of the one; places in a cache line, of the other, are what launches are shared out among."""
STRATA = LINE_BYTES // CODE_ALIGNMENT
PER_STRATUM = 2
"""Launches that each place needs at least."""
T: dict[int, float] = {
    4: 6.758, 5: 5.604, 6: 4.981, 7: 4.595, 8: 4.334, 9: 4.146, 10: 4.005, 11: 3.895, 12: 3.807,
    13: 3.735, 14: 3.675, 15: 3.624, 16: 3.581, 17: 3.543, 18: 3.51, 19: 3.481, 20: 3.455,
}  # fmt: skip
"""Student's t by degrees of freedom for an error of 0.25 %, both sides: a quarter of 1 %, for four looks."""
FUTILE = 3.0
"""Where the interval after all launches will be so many times as wide as the smallest effect to either side, and the
centre is not even a third of that away from no difference, more of them make nothing clear."""
TRIMMED_FROM = 5
"""From so many launches in a place on, the highest and the lowest are trimmed."""
SAMPLES_PER_LAUNCH, FEWEST_SAMPLES = 41, 5
ENOUGH_PAIRS, QUIET_PAIRS = 9, 3
"""A launch ends early with so many undisturbed pairs at the earliest, and counts with so few; a measurement counts with
PER_STRATUM such launches in each place. Once a launch has used its share of the patience, so few are enough."""
STEADY = 0.005
"""Standard error of the median log-ratio of its undisturbed pairs with which it does."""
DISTURBED = 1.5
"""Neighbours slow one side down by less than this factor more than the other: of 142 loops by two compilers, by 1.43 in
one, by less than 1.33 in all others. Where a machine was never quiet, only what is beyond it is a difference."""
PATIENCE_S = 8.0
"""What a measurement may wait for quiet moments, all its launches together; a launch's share is what each of the first
look's could have."""
SAMPLE_NS = 150_000.0
"""Kernel time a sample aims for."""
LAUNCH_NS = 150e6
"""What samples of a launch may take, restoring of inputs included; slow kernels get fewer."""
MAX_SAMPLE_NS = 1e6
"""What a sample of the slower side may take, likewise, if one call does; both sides make the same calls."""
MAX_REPS = 2000
HONEST_SHARE, HONEST_SLACK_NS, WAKE_NS, DOUBT = 0.9, 100.0, 4_000.0, 3.0
"""A candidate's time per call must be this share of what the parent saw it take, less what a clock may be off per call,
what waking up may differ by per batch (honest code: a few microseconds either way, on one processor), and so many
standard errors of what the parent saw."""
FRESH_VECTORS = 15
"""Vectors for tasks whose inputs the driver cannot vary; no launch takes more samples."""
IDLE_SLACK_NS = 2e5
"""CPU time of a candidate while it should wait, in a launch, that may be the kernel's bookkeeping. Where both programs
are not on one processor, as under the published protocol, a hypervisor can make it any length."""
BATCH_LIMIT_S = 120.0
LINES = 64
"""Cache lines of a page, in any of which code may begin."""
STACK_SHIFTS = 256
"""Places of the stack, 16 bytes apart."""
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
    seed: str,
) -> Timing:
    """Time two native builds, candidate and reference; the caller holds the machine.

    Launches take the vectors in turn, or each all of them (``Checks.varied``). Of the same ``seed`` they are the same
    launches: what is drawn for them does not depend on what the clock says. The driver's clock runs in the
    candidate's process, so what it says is believed only as far as the parent can see: ticks are converted by the
    reference's process, both sides must have computed the same after every batch, the candidate must not run while it
    is the reference's turn, and the time per call must account for what a batch takes longer than the reference's
    beside it. Raises HarnessError, with what was wrong, when a candidate fails one of these.
    """
    rng = random.Random(seed)
    seen = _Seen()
    paper = settings.estimator == "paper"
    stolen = _stolen()
    for number in (1,) if paper else LOOKS:
        wanted = [(0, 0)] if paper else seen.wanting(number - len(seen.launches), rng)
        draws = [_Draw(seed, stratum, which) for stratum, which in wanted]
        pairs = [builds] if paper else place([draw.placement for draw in draws])
        for draw, pair in zip(draws, pairs, strict=True):
            own = [vectors[(draw.stratum + draw.number) % len(vectors)]]
            if not checks.varied and not paper:
                own = draw.rng.sample(vectors, len(vectors))
            _one_launch(pair, draw, own, seen, sandbox=sandbox, settings=settings, checks=checks)
        if paper or (seen.decided(settings.min_effect) if seen.quiet() else seen.hopeless()):
            break
    # A busy machine makes single launches look bad; they have lost what they claim, and are no reason to refuse it all.
    quarter = len(seen.launches) // 4
    if sorted(launch.idle for launch in seen.launches)[quarter] > 0 and not paper and seen.quiet_place.pinned:
        raise HarnessError("the candidate's process went on running while it was the reference's turn")
    ours, theirs = seen.samples()
    if paper:
        return replace(_paper(ours, theirs), costs=seen.costs(0), reference_costs=seen.costs(1))
    if sorted(launch.hidden for launch in seen.launches)[quarter] > 0:
        raise HarnessError(
            f"the candidate's process reports {statistics.median(ours):.0f} ns a call; by the kernel's count of its "
            "CPU time it takes longer"
        )
    ratios = seen.ratios()
    low, centre, high = interval(ratios)
    found, note = outcome(ratios, settings.min_effect), seen.note(settings.min_effect, stolen)
    if found != "tied" and not seen.quiet() and min(abs(low), abs(high)) < math.log(DISTURBED):
        found = "tied"
    if found == "faster" and interval(seen.parents_ratios())[2] < max(math.log1p(settings.min_effect), low / 2):
        found, note = (
            "tied",
            "faster by the driver's clock and not half as much by its CPU time, which what is around the calls is in",
        )
    return Timing(
        native=True,
        candidate_ns=statistics.median(ours),
        reference_ns=statistics.median(theirs),
        speedup=math.exp(centre),
        speedup_ci=(math.exp(low), math.exp(high)),
        outcome=found or "tied",
        candidate_samples_ns=tuple(ours),
        reference_samples_ns=tuple(theirs),
        costs=seen.costs(0),
        reference_costs=seen.costs(1),
        launches=len(seen.launches),
        note=note,
    )


@dataclass(frozen=True)
class _Pair:
    """A sample of candidate and reference, in nanoseconds a call."""

    kernel: tuple[float, float]
    beyond: tuple[float, float]
    """What a call took of CPU time beyond that, by the kernel's count: restoring, and a share of waking up."""
    probe: int
    """The slowest probe beside it."""

    @property
    def ratio(self) -> float:
        """Log-ratio, reference to candidate."""
        return math.log(self.kernel[1] / self.kernel[0])


@dataclass(frozen=True)
class _Launch:
    """What one pair of processes has shown."""

    stratum: int
    """Where in a cache line the code began."""
    number: int
    """Of those there; with the stratum it decides what was drawn."""
    pairs: tuple[_Pair, ...]
    reps: int
    """Calls of a sample."""
    idle: float
    """CPU nanoseconds the candidate used while it should wait, beyond what is forgiven."""

    def undisturbed(self, limit_ns: float) -> _Launch | None:
        """With only the pairs between quick probes; None when they are too few."""
        pairs = tuple(p for p in self.pairs if p.probe <= limit_ns)
        return None if len(pairs) < min(QUIET_PAIRS, len(self.pairs)) else replace(self, pairs=pairs)

    @property
    def kernel(self) -> tuple[float, float]:
        """Nanoseconds a call of candidate and reference."""
        ours, theirs = (statistics.median(p.kernel[side] for p in self.pairs) for side in (0, 1))
        return ours, theirs

    @property
    def hidden(self) -> float:
        """Nanoseconds a call by which the candidate took longer than it says, beyond what is forgiven."""
        ours, slack = self.kernel[0], HONEST_SLACK_NS + WAKE_NS / self.reps + self._doubt
        return HONEST_SHARE * self._took - slack - ours

    @property
    def ratio(self) -> float:
        """Median log-ratio, reference to candidate. What the parent does not believe is no gain."""
        claimed = statistics.median(p.ratio for p in self.pairs)
        ours, theirs = self.kernel
        return min(claimed, math.log(theirs / (ours + self.hidden))) if self.hidden > 0 else claimed

    @property
    def parents_ratio(self) -> float:
        """The log-ratio by CPU time as the parent sees it, or ``ratio`` where calls are too short for that."""
        took, theirs = self._took, self.kernel[1]
        tells = min(took, theirs) > WAKE_NS / self.reps + self._doubt
        return math.log(theirs / took) if tells else self.ratio

    @property
    def _took(self) -> float:
        """Nanoseconds a call of the candidate by its CPU time, less what the reference takes beside it to restore."""
        return self.kernel[0] + statistics.median(p.beyond[0] - p.beyond[1] for p in self.pairs)

    @property
    def _doubt(self) -> float:
        """Nanoseconds a call that ``_took`` may be off, as the reference's own share of it varies."""
        return DOUBT * math.sqrt(2) * median_error([p.beyond[1] for p in self.pairs])


class _Seen:
    """The launches so far."""

    def __init__(self) -> None:
        self.launches: list[_Launch] = []
        self.batch: tuple[int, int] | None = None
        """Samples of a launch and calls of a sample, as the first launch found them right."""
        self.peak_bytes = [0, 0]
        self.energy_uj: tuple[float | None, ...] = ()
        """Of a call of either side; measured in the first launch."""
        self.quiet_place = QuietPlace(PATIENCE_S)
        """Where both programs run. Its patience is for all launches."""
        self.switches = 0
        """How often processes were put aside while they wanted to run."""

    def _undisturbed(self) -> list[_Launch]:
        limit = limit_ns()
        return [part for launch in self.launches if (part := launch.undisturbed(limit))]

    def wanting(self, count: int, rng: random.Random) -> list[tuple[int, int]]:
        """So many more launches, by stratum and number: where the fewest count, the first that does not count yet."""
        counting: dict[int, set[int]] = {stratum: set() for stratum in range(STRATA)}
        for launch in self._undisturbed():
            counting[launch.stratum].add(launch.number)
        found: list[tuple[int, int]] = []
        for _ in range(count):
            stratum = min(rng.sample(range(STRATA), STRATA), key=lambda one: len(counting[one]))
            number = next(n for n in itertools.count() if n not in counting[stratum])
            counting[stratum].add(number)
            found.append((stratum, number))
        return found

    def quiet(self) -> list[_Launch]:
        """The undisturbed part of the launches; empty when that is too little to say anything."""
        found = self._undisturbed()
        counts = Counter(launch.stratum for launch in found)
        return found if min(counts[s] for s in range(STRATA)) >= PER_STRATUM else []

    def hopeless(self) -> bool:
        """Whether it is too late to wait for quiet moments, or they are too short for any launch."""
        return self.quiet_place.patience_s <= 0 or not self._undisturbed()

    def decided(self, min_effect: float) -> bool:
        """Whether more launches are not needed to make the answer clear, or will not do it."""
        ratios = self.ratios()
        return outcome(ratios, min_effect, more=True) is not None or futile(ratios, min_effect)

    def _chosen(self) -> list[_Launch]:
        return self.quiet() or self.launches

    def ratios(self) -> list[list[float]]:
        """Log-ratios by stratum of undisturbed launches, or of all where the machine was never quiet for long."""
        return _by_stratum((launch.stratum, launch.ratio) for launch in self._chosen())

    def parents_ratios(self) -> list[list[float]]:
        """Of the same launches."""
        return _by_stratum((launch.stratum, launch.parents_ratio) for launch in self._chosen())

    def samples(self) -> tuple[list[float], list[float]]:
        """Nanoseconds a call of either side, of the same launches."""
        pairs = [pair.kernel for launch in self._chosen() for pair in launch.pairs]
        return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]

    def costs(self, side: int) -> Costs:
        """Of candidate (0) or reference (1)."""
        energy = self.energy_uj[side] if self.energy_uj else None
        return Costs(peak_bytes=self.peak_bytes[side] or None, energy_uj=energy)

    def note(self, min_effect: float, stolen_before: tuple[int, int] | None) -> str:
        """What makes the answer doubtful, and what to do about it; empty when nothing does."""
        ratios = self.ratios()
        clear = outcome(ratios, min_effect) is not None
        if clear and self.quiet():
            return ""
        words = []
        if not clear:
            low, _, high = map(math.exp, interval(ratios))
            words.append(f"not clear after {len(self.launches)} launches, the interval is {low:.3f} to {high:.3f}")
        if not self.quiet():
            words.append(
                "the machine was never quiet for long: all there was is measured, the disturbed parts too, and only a "
                f"factor of {DISTURBED:g} would be a difference"
            )
        now = _stolen()
        if stolen_before and now and now[1] > stolen_before[1]:
            share = (now[0] - stolen_before[0]) / (now[1] - stolen_before[1])
            if share > STOLEN_SHARE:
                words.append(f"other virtual machines took {share:.0%} of the processors")
        if self.switches > len(self.launches):
            words.append(f"other programs interrupted it {self.switches} times: time on a quieter machine")
        return "; ".join(words)


def interval(strata: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Lower end, centre and upper end of the mean of one value a launch, launches sorted into strata of equal weight.

    The usual interval of a stratified sample, with one variance for all strata (Cochran, Sampling Techniques, 1977,
    chapter 5); in strata of TRIMMED_FROM values means are trimmed and variances winsorised (Tukey and McLaughlin 1963;
    Yuen 1974): a neighbour that comes in the middle of a launch spoils that launch and not the answer.
    """
    means, kept, squares = [], [], 0.0
    for values in strata:
        ordered = sorted(values)
        cut = trimmed(len(ordered))
        inner = ordered[cut : len(ordered) - cut]
        winsorised = [inner[0]] * cut + inner + [inner[-1]] * cut
        means.append(statistics.fmean(inner))
        kept.append(len(inner))
        squares += (len(ordered) - 1) * statistics.variance(winsorised)
    freedom = sum(kept) - len(kept)
    centre = statistics.fmean(means)
    error = math.sqrt(squares / freedom * sum(1 / n for n in kept)) / len(kept)
    half = T[min(freedom, max(T))] * error
    return centre - half, centre, centre + half


def outcome(
    strata: Sequence[Sequence[float]], min_effect: float, *, more: bool = False
) -> Literal["faster", "tied", "slower"] | None:
    """The answer of one log-ratio a launch, or None where it is not clear.

    With ``more`` launches to come a difference has to be of the smallest effect with all of the interval: what is near
    it would else be one thing today and another tomorrow.
    """
    low, centre, high = interval(strata)
    effect = math.log1p(min_effect)
    if low > 0 and (low if more else centre) >= effect:
        return "faster"
    if high < 0 and (high if more else centre) <= -effect:
        return "slower"
    return "tied" if -effect < low and high < effect else None


def futile(strata: Sequence[Sequence[float]], min_effect: float) -> bool:
    """Whether not even the last look is likely to be clear (stochastic curtailment; Lan, Simon and Halperin 1982).

    Not before means are trimmed: until then one spoiled launch makes any interval wide.
    """
    if not trimmed(min(map(len, strata))):
        return False
    low, centre, high = interval(strata)
    last = (high - low) / 2 * math.sqrt(sum(map(len, strata)) / LOOKS[-1])
    return last > FUTILE * math.log1p(min_effect) and abs(centre) < last / FUTILE


def trimmed(launches: int) -> int:
    """How many launches of a stratum are left out at either end."""
    return 1 if launches >= TRIMMED_FROM else 0


def faster_half(ticks: Sequence[float]) -> float:
    """Mean of the faster half: what a call takes that nothing interrupts, with the clock's steps averaged out.

    The others are those that an interrupt fell into, and the first ones after waking up, with caches and predictors
    cold.
    """
    ordered = sorted(ticks)
    return statistics.fmean(ordered[: (len(ordered) + 1) // 2])


def median_error(values: Sequence[float]) -> float:
    """Standard error of the median, as the quartiles tell it (McGill, Tukey and Larsen 1978)."""
    low, _, high = statistics.quantiles(values, n=4)
    return 0.93 * (high - low) / math.sqrt(len(values))


def _by_stratum(values: Iterable[tuple[int, float]]) -> list[list[float]]:
    strata: list[list[float]] = [[] for _ in range(STRATA)]
    for stratum, value in values:
        strata[stratum].append(value)
    return strata


class _Draw:
    """What chance decides in a launch: of the same seed, the same for the same launch of a stratum.

    Two runs are compared at the same places, then, and differ by what they measure and not by what they drew.
    """

    def __init__(self, seed: str, stratum: int, number: int) -> None:
        self.stratum, self.number = stratum, number
        self.rng = random.Random(f"{seed} {stratum} {number}")
        offset = LINE_BYTES * self.rng.randrange(LINES) + CODE_ALIGNMENT * stratum
        self.placement = Placement(offset, self.rng.random() < 0.5)
        self.stack_shift = self.rng.randrange(STACK_SHIFTS)


def _one_launch(
    pair: tuple[Build, Build],
    draw: _Draw,
    vectors: Sequence[Vector],
    seen: _Seen,
    *,
    sandbox: bool,
    settings: TimingSettings,
    checks: Checks,
) -> None:
    paper = settings.estimator == "paper"
    with ExitStack() as stack:
        objects = [stack.enter_context(Objects(pair[0].plan))]
        if paper:
            objects.append(stack.enter_context(Objects(pair[1].plan)))
        else:
            stack.enter_context(seen.quiet_place)
        guests = []
        for build in pair:
            guest = stack.enter_context(Guest(build, emulator=(), sandbox=sandbox, cpu_s=600, timed=objects[-1]))
            guest.load(vectors[0])
            guest.stack_shift = 0 if paper else draw.stack_shift
            guests.append(guest)
        if seen.batch is None:
            seen.batch = (11, 1) if paper else _calibrate(guests, checks, draw.rng)
        samples, reps = seen.batch
        if not paper:
            with suppress(OSError):
                seen.quiet_place.together([guest.own_pid() for guest in guests])
        quiet_place = None if paper else seen.quiet_place
        pairs = _samples(guests, samples, reps, vectors, checks, draw.rng, objects[0], quiet_place)
        for side, usage in enumerate(guest.usage() for guest in guests):
            seen.switches += usage.switches
            seen.peak_bytes[side] = max(seen.peak_bytes[side], usage.peak_bytes)
        idle = guests[0].idle_cpu_ns() - IDLE_SLACK_NS
        if settings.energy and not seen.energy_uj and (packages := Packages.here()):
            seen.energy_uj = per_call(guests, packages, digests_agree=checks.digests)
        if wrong := checks.unseen(guests[0]):
            raise HarnessError(f"the candidate gave other results after it was timed than before: {wrong}")
    seen.launches.append(_Launch(draw.stratum, draw.number, tuple(pairs), reps, idle))


def _stolen() -> tuple[int, int] | None:
    """Processor time that other virtual machines have taken since the machine was started, and all of it."""
    try:
        fields = [int(word) for word in Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    return (fields[7], sum(fields)) if len(fields) == 8 else None


def _samples(
    guests: Sequence[Guest],
    samples: int,
    reps: int,
    vectors: Sequence[Vector],
    checks: Checks,
    rng: random.Random,
    shared: Objects,
    quiet_place: QuietPlace | None,
) -> list[_Pair]:
    """Samples of both sides.

    With several vectors each sample has one of its own, and both sides the same. So have they the physical pages of the
    objects they share. Without ``quiet_place`` nothing is waited for, probed or shared.
    """
    pairs: list[_Pair] = []
    hurry_s = quiet_place.patience_s - PATIENCE_S / LOOKS[0] if quiet_place else 0.0
    for number in range(samples):
        vector = vectors[number % len(vectors)]
        if number and len(vectors) > 1:
            for guest in guests:
                guest.load(vector)
        beside = 0
        if quiet_place:
            shared.renew(rng)
            beside = quiet_place.quiet_moment()
        seed = rng.randrange(1, 1 << 63)
        order = [0, 1] if rng.random() < 0.5 else [1, 0]
        batches: list[Batch | None] = [None, None]
        for side in order:
            batches[side] = guests[side].time(reps=reps, limit_s=BATCH_LIMIT_S, seed=seed)
            if quiet_place:
                beside = max(beside, disturbance_ns())
        one, two = batches
        assert one is not None
        assert two is not None
        if (checks.digests and one.digest != two.digest) or checks.same(guests[0], guests[1], vector):
            raise HarnessError("the candidate gave other results after it was timed than before, on the timed inputs")
        # Clock rate and trampoline are the machine's; the reference's word is as good for both.
        ours, theirs = (
            max(faster_half(batch.ticks) - two.overhead_ticks, 0.1) * two.ns_per_tick for batch in (one, two)
        )
        pairs.append(_Pair((ours, theirs), (one.cpu_ns - ours, two.cpu_ns - theirs), beside))
        limit = limit_ns()
        if quiet_place and _enough(
            [p.ratio for p in pairs if p.probe <= limit], hurried=quiet_place.patience_s < hurry_s
        ):
            break
    return pairs


def _enough(ratios: Sequence[float], *, hurried: bool) -> bool:
    """Whether a launch need not take more undisturbed pairs."""
    if hurried:
        return len(ratios) >= QUIET_PAIRS
    return len(ratios) >= ENOUGH_PAIRS and median_error(ratios) <= STEADY


def _calibrate(guests: Sequence[Guest], checks: Checks, rng: random.Random) -> tuple[int, int]:
    """Samples of a launch, and calls per sample, by what the reference takes: its sample should take SAMPLE_NS."""
    candidate, reference = guests

    def timed(guest: Guest, reps: int) -> Batch:
        batches = [guest.time(reps=reps, limit_s=BATCH_LIMIT_S, seed=rng.randrange(1, 1 << 63)) for _ in range(3)]
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
