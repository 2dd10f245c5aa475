"""What the intervals of timing promise, checked without a clock."""

from __future__ import annotations

import math
import os
import random
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from pytest_neucomback import quiet, timing
from pytest_neucomback.quiet import QuietPlace
from pytest_neucomback.timing import (
    CODE_ALIGNMENT,
    ENOUGH_PAIRS,
    HONEST_SHARE,
    HONEST_SLACK_NS,
    LINE_BYTES,
    LOOKS,
    PER_STRATUM,
    QUIET_PAIRS,
    STRATA,
    TRIMMED_FROM,
    WAKE_NS,
    T,
    _Draw,
    _enough,
    _Launch,
    _Pair,
    _Seen,
    faster_half,
    futile,
    interval,
    median_error,
    outcome,
)


@pytest.mark.parametrize("freedom", T)
def test_quantiles_leave_out_what_they_promise(freedom: int) -> None:
    """The tails of Student's density beyond the tabled points, integrated numerically, hold 0.25 %."""
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    steps = 20_000
    width = T[freedom] / steps
    inside = sum((1 + ((i + 0.5) * width) ** 2 / freedom) ** (-(freedom + 1) / 2) for i in range(steps)) * width * scale
    assert 1 - 2 * inside == pytest.approx(0.01 / len(LOOKS), abs=5e-6)


def test_there_is_a_quantile_for_the_fewest_launches() -> None:
    assert min(T) == STRATA * (PER_STRATUM - 1)
    assert LOOKS[0] >= STRATA * PER_STRATUM
    assert sorted(LOOKS) == list(LOOKS)


def strata(values: Sequence[float]) -> list[list[float]]:
    """Launches that took the strata in turn."""
    return [list(values[s::STRATA]) for s in range(STRATA)]


def sequential(draw: Callable[[int], float]) -> str:
    """A measurement as ``measure`` makes it, on launches drawn for a stratum each."""
    ratios: list[float] = []
    for number in LOOKS:
        ratios += [draw(i % STRATA) for i in range(len(ratios), number)]
        if found := outcome(strata(ratios), 0.01, more=number < LOOKS[-1]):
            return found
    return "tied"


@pytest.mark.parametrize("spread", [0.002, 0.01, 0.05])
def test_the_same_code_is_rarely_called_faster(spread: float) -> None:
    """However noisy launches are, a false answer in either direction comes in well below 1 % of measurements."""
    rng = random.Random(1)
    outcomes = Counter(sequential(lambda _: rng.gauss(0, spread)) for _ in range(2000))
    assert outcomes["faster"] <= 16
    assert outcomes["slower"] <= 16


def test_real_differences_are_found_and_small_ones_are_ties() -> None:
    """With half a per cent of noise between launches, 3 % is found and 0.2 % is a tie at the first look."""
    rng = random.Random(2)
    assert Counter(sequential(lambda _: rng.gauss(-0.03, 0.005)) for _ in range(300))["slower"] >= 297
    assert Counter(sequential(lambda _: rng.gauss(0.002, 0.001)) for _ in range(300))["tied"] == 300


def test_places_that_suit_one_side_are_averaged_and_no_noise() -> None:
    """Where the place decides between 40 % faster and 40 % slower, equal code is equal and 3 % are found."""
    rng = random.Random(5)
    places = [0.4, -0.4, 0.1, -0.1]
    assert Counter(sequential(lambda s: rng.gauss(places[s], 0.003)) for _ in range(300))["tied"] == 300
    assert Counter(sequential(lambda s: rng.gauss(places[s] - 0.03, 0.003)) for _ in range(300))["slower"] == 300


def test_the_interval_is_that_of_a_stratified_sample() -> None:
    """By the textbook's formulas: mean of the means; pooled variance; strata of unequal numbers."""
    values = [[0.1, 0.3], [0.0, 0.2, 0.4], [1.0, 1.2], [-0.1, 0.1]]
    low, centre, high = interval(values)
    assert centre == pytest.approx((0.2 + 0.2 + 1.1 + 0.0) / 4)
    pooled = (0.02 + 0.08 + 0.02 + 0.02) / (1 + 2 + 1 + 1)
    half = T[5] * math.sqrt(pooled * (1 / 2 + 1 / 3 + 1 / 2 + 1 / 2)) / 4
    assert (centre - low, high - centre) == (pytest.approx(half), pytest.approx(half))


def test_an_effect_below_the_smallest_is_no_win() -> None:
    """A certain difference of half a per cent is a tie: the effect has to be worth something too."""
    ratios = [0.005 + 1e-5 * i for i in range(LOOKS[0])]
    assert outcome(strata(ratios), 0.01) == "tied"
    assert outcome(strata(ratios), 0.004) == "faster"
    assert outcome(strata([-r for r in ratios]), 0.004) == "slower"


def test_an_effect_near_the_smallest_is_measured_longest() -> None:
    """What is above 0 for sure and near the smallest effect is not clear while there is more to come."""
    ratios = strata([0.011 + 0.004 * (i // STRATA % 2) for i in range(LOOKS[0])])
    assert 0 < interval(ratios)[0] < math.log1p(0.01)
    assert outcome(ratios, 0.01) == "faster"
    assert outcome(ratios, 0.01, more=True) is None
    assert outcome([[-v for v in s] for s in ratios], 0.01, more=True) is None


def test_what_will_not_become_clear_is_ended() -> None:
    """An interval that stays wide around no difference; not one that may still leave it out, or become a tie."""
    rng = random.Random(15)
    shape = [[rng.gauss(0, 1) for _ in range(TRIMMED_FROM)] for _ in range(STRATA)]
    low, centre, high = interval(shape)

    def scaled(half: float, at: float) -> bool:
        return futile([[(v - centre) * half * 2 / (high - low) + at for v in values] for values in shape], 0.01)

    assert scaled(0.1, 0.0)
    assert scaled(0.1, -0.01)
    assert not scaled(0.1, 0.05)
    assert not scaled(0.1, -0.05)
    assert not scaled(0.03, 0.0)
    # Spoiled launches do not end it: with more launches they are trimmed.
    assert not futile(strata([0.5, -0.3, *[0.02] * (LOOKS[0] - 2)]), 0.01)


def test_curtailing_loses_few_answers() -> None:
    """Of noisy loops with a real difference that the last look would find."""
    rng = random.Random(16)
    lost = found = 0
    for _ in range(1000):
        strata = [[rng.gauss(0.06, 0.08) for _ in range(LOOKS[-1] // STRATA)] for _ in range(STRATA)]
        if outcome(strata, 0.01) == "faster":
            found += 1
            lost += any(futile([values[: n // STRATA] for values in strata], 0.01) for n in LOOKS[:-1])
    assert found > 300
    assert lost < 0.05 * found


def test_waiting_ends_where_there_is_no_hope(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without patience, or when not a single launch was undisturbed."""
    monkeypatch.setattr(timing, "limit_ns", lambda: 1100.0)
    seen = _Seen()
    seen.launches += [launch([(10.0, 10.0)] * 9, [1500] * 9)] * 12
    assert seen.hopeless()
    seen.launches += [launch([(10.0, 10.0)] * 9, [1000] * 9)]
    assert not seen.hopeless()
    seen.quiet_place.patience_s = 0
    assert seen.hopeless()


def test_spoiled_launches_do_not_spoil_the_answer() -> None:
    """Four of 32 launches that are off by half neither hide a real difference nor make one up."""
    rng = random.Random(3)
    quiet = [rng.gauss(0, 0.001) for _ in range(LOOKS[-1] - 4)]
    assert outcome(strata([*quiet, 0.4, 0.5, 0.4, 0.5]), 0.01) == "tied"
    assert outcome(strata([*(r - 0.03 for r in quiet), 0.4, 0.5, 0.4, 0.5]), 0.01) == "slower"


def test_the_same_code_with_wild_launches_is_rarely_called_faster() -> None:
    """A fifth of launches with ten times the noise keeps false answers below 1 %."""
    rng = random.Random(4)

    def wild(_: int) -> float:
        return rng.gauss(0, 0.1 if rng.random() < 0.2 else 0.01)

    outcomes = Counter(sequential(wild) for _ in range(2000))
    assert outcomes["faster"] <= 16
    assert outcomes["slower"] <= 16


class Neighbours:
    """Stands in for probes: which processors are disturbed, and for how many probes from now on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, busy: dict[int, int]) -> None:
        self.busy = busy
        self.probes = 0
        monkeypatch.setattr(quiet, "probe_ns", self.probe)
        monkeypatch.setattr(quiet, "limit_ns", lambda: 110.0)
        monkeypatch.setattr(quiet, "_fastest", [(0.0, 100)])

    def probe(self) -> int:
        self.probes += 1
        (here,) = os.sched_getaffinity(0)
        self.busy[here] = self.busy.get(here, 0) - 1
        return 100 if self.busy[here] < 0 else 200 + here


needs_two = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor")


@needs_two
def test_launches_keep_to_a_quiet_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """This thread and what it starts; afterwards it may run on all again."""
    allowed = os.sched_getaffinity(0)
    quiet_one = max(allowed)
    Neighbours(monkeypatch, dict.fromkeys(allowed - {quiet_one}, 10000))
    command = [sys.executable, "-c", "import os; print(*os.sched_getaffinity(0))"]
    with QuietPlace(1.0) as place:
        assert place.pinned
        assert os.sched_getaffinity(0) == {quiet_one}
        assert subprocess.check_output(command, text=True).split() == [str(quiet_one)]
    assert os.sched_getaffinity(0) == allowed
    assert place.patience_s == 1.0


@needs_two
def test_launches_move_away_from_a_neighbour_with_all_their_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = os.sched_getaffinity(0)
    neighbours = Neighbours(monkeypatch, {})
    with QuietPlace(1.0) as place, subprocess.Popen(["sleep", "60"]) as companion:
        (before,) = os.sched_getaffinity(0)
        place.together([companion.pid])
        assert place.quiet_moment() == 100
        assert os.sched_getaffinity(companion.pid) == {before}
        neighbours.busy = {before: 10_000}
        assert place.quiet_moment() == 100
        assert before not in os.sched_getaffinity(0)
        assert os.sched_getaffinity(companion.pid) == os.sched_getaffinity(0)
        companion.kill()
    assert os.sched_getaffinity(0) == allowed


def test_neighbours_everywhere_are_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the measurement goes on where it is least disturbed, and does not look elsewhere for each pair."""
    allowed = os.sched_getaffinity(0)
    neighbours = Neighbours(monkeypatch, dict.fromkeys(allowed, 40))
    place = QuietPlace(10.0)
    with place:
        assert 9 < place.patience_s < 10
    neighbours.busy = dict.fromkeys(allowed, 10_000)
    place.patience_s = 0.02
    with place:
        assert place.patience_s <= 0
        neighbours.probes = 0
        assert place.quiet_moment() == 200 + min(allowed) or len(allowed) > quiet.PROBED
        assert neighbours.probes == 2
    assert os.sched_getaffinity(0) == allowed


def test_launches_run_anywhere_where_the_system_allows_no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is no error."""

    def refused(pid: int, processors: object) -> None:
        raise PermissionError

    allowed = os.sched_getaffinity(0)
    monkeypatch.setattr(os, "sched_setaffinity", refused)
    with QuietPlace(0.01) as place:
        assert not place.pinned
        assert os.sched_getaffinity(0) == allowed
        assert place.quiet_moment() > 0


def launch(
    kernels: list[tuple[float, float]],
    probes: list[int],
    stratum: int = 0,
    beyond: list[tuple[float, float]] | None = None,
    reps: int = 100,
    number: int = 0,
) -> _Launch:
    pairs = zip(kernels, beyond or [(0.0, 0.0)] * len(kernels), probes, strict=True)
    return _Launch(stratum, number, tuple(_Pair(*pair) for pair in pairs), reps, idle=-1.0)


def test_only_what_was_measured_between_quick_probes_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A neighbour that slows the candidate down more than the reference says nothing of the two."""
    monkeypatch.setattr(timing, "limit_ns", lambda: 1100.0)
    seen = _Seen()
    for number in range(STRATA * PER_STRATUM):
        assert seen.quiet() == []
        pairs = [(10.0, 10.2)] * QUIET_PAIRS + [(18.0, 12.0)] * 30
        seen.launches.append(launch(pairs, [1050] * QUIET_PAIRS + [1900] * 30, number % STRATA))
    assert seen.ratios() == [[pytest.approx(math.log(1.02))] * PER_STRATUM] * STRATA
    count = STRATA * PER_STRATUM * QUIET_PAIRS
    assert seen.samples() == ([10.0] * count, [10.2] * count)
    assert "quiet" not in seen.note(0.05, None)


def test_a_machine_that_is_never_quiet_is_measured_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """All pairs of all launches, and a note that says so."""
    monkeypatch.setattr(timing, "limit_ns", lambda: 1100.0)
    seen = _Seen()
    seen.launches += [launch([(10.0, 10.0)] * 9, [1500] * 9, i % STRATA) for i in range(12)]
    seen.launches += [launch([(10.0, 10.0)] * 9, [1000] * 9, i % STRATA) for i in range(STRATA * PER_STRATUM - 1)]
    assert seen.quiet() == []
    assert list(map(len, seen.ratios())) == [5, 5, 5, 4]
    assert seen.note(0.01, None).startswith("the machine was never quiet for long")


def test_places_that_were_disturbed_are_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next launches go where the fewest count; among equals, by chance."""
    monkeypatch.setattr(timing, "limit_ns", lambda: 1100.0)
    seen = _Seen()
    rng = random.Random(6)
    assert sorted(seen.wanting(8, rng)) == [(stratum, number) for stratum in range(STRATA) for number in range(2)]
    assert len({tuple(seen.wanting(4, rng)) for _ in range(50)}) > 10
    seen.launches += [
        launch([(10.0, 10.0)] * 9, [1500 if i == 2 else 1000] * 9, i % STRATA, number=i // STRATA) for i in range(8)
    ]
    assert seen.wanting(1, rng) == [(2, 0)]
    assert sorted(seen.wanting(5, rng)) == [(0, 2), (1, 2), (2, 0), (2, 2), (3, 2)]


def test_launches_of_the_same_seed_are_the_same() -> None:
    """Place, stack and all that follows; those of another seed, place in a line or number are others."""

    def drawn(seed: str, stratum: int, number: int) -> tuple[object, ...]:
        draw = _Draw(seed, stratum, number)
        assert draw.placement.offset % LINE_BYTES == CODE_ALIGNMENT * stratum
        return draw.placement, draw.stack_shift, draw.rng.getrandbits(64)

    assert drawn("1 s000", 2, 3) == drawn("1 s000", 2, 3)
    assert (
        len({drawn(*which) for which in [("1 s000", 2, 3), ("2 s000", 2, 3), ("1 s111", 2, 3), ("1 s000", 2, 4)]}) == 4
    )
    places = {_Draw("1 s000", 1, number).placement for number in range(200)}
    assert len(places) > 90


def test_slow_calls_of_a_batch_do_not_count() -> None:
    """Up to half of them: an interrupt, and the first calls after waking up."""
    assert faster_half([7.0]) == 7.0
    assert faster_half([900.0, 7.0]) == 7.0
    assert faster_half([900.0, 7.0, 9.0]) == 8.0
    assert faster_half([20.0, 22.0, 500.0, 20.0, 22.0, 800.0, 90.0, 21.0]) == pytest.approx(20.75)


def test_what_the_parent_does_not_believe_is_no_gain() -> None:
    """A launch's ratio has a ceiling; and the parent has a ratio of its own, unless calls are too short for it."""
    honest = launch([(1e4, 2e4)] * 9, [1] * 9, beyond=[(5e4, 5e4)] * 9)
    assert honest.hidden < 0
    assert honest.ratio == honest.parents_ratio == pytest.approx(math.log(2))
    liar = launch([(1e4, 2e4)] * 9, [1] * 9, beyond=[(6e4, 5e4)] * 9)
    assert liar.hidden == pytest.approx(2e4 * HONEST_SHARE - HONEST_SLACK_NS - WAKE_NS / 100 - 1e4)
    assert liar.ratio == pytest.approx(math.log(2e4 / (1e4 + liar.hidden)))
    assert liar.parents_ratio == 0
    short = launch([(10.0, 20.0)] * 9, [1] * 9, beyond=[(30.0, 0.0)] * 9)
    assert short.hidden < 0
    assert short.ratio == short.parents_ratio == pytest.approx(math.log(2))


def test_restoring_that_varies_makes_no_liars() -> None:
    """What the parent sees beyond a short call is mostly restoring; its noise is neither a lie nor a place to hide."""
    rng = random.Random(11)

    def told(lie: float) -> list[_Launch]:
        kernels = [[(500.0, 500.0)] * 41] * 200
        beyond = [[(rng.gauss(2e4, 2e3) + lie, rng.gauss(2e4, 2e3)) for _ in range(41)] for _ in kernels]
        return [launch(k, [1] * 41, beyond=b) for k, b in zip(kernels, beyond, strict=True)]

    assert sum(one.hidden > 0 for one in told(0.0)) <= 2
    assert sum(one.hidden > 0 for one in told(5e3)) >= 190
    assert statistics.fmean(one.ratio for one in told(0.0)) == pytest.approx(0, abs=0.01)
    # A candidate that varies itself gains no doubt: the reference's noise is the measure.
    beyond = [(2e4 + 5e3 * (i % 2), 2e4) for i in range(41)]
    assert launch([(500.0, 500.0)] * 41, [1] * 41, beyond=[*beyond[1:], beyond[1]]).hidden > 0


def test_a_launch_ends_when_its_median_is_steady() -> None:
    """After some pairs, and more where they spread; in a hurry with the fewest that count, however they spread."""
    rng = random.Random(12)
    assert not _enough([0.01] * (ENOUGH_PAIRS - 1), hurried=False)
    assert _enough([0.01] * ENOUGH_PAIRS, hurried=False)
    wild = [rng.gauss(0, 0.03) for _ in range(400)]
    assert not _enough(wild[:20], hurried=False)
    assert _enough(wild, hurried=False)
    assert not _enough(wild[: QUIET_PAIRS - 1], hurried=True)
    assert _enough(wild[:QUIET_PAIRS], hurried=True)


def test_the_error_of_a_median() -> None:
    """As it spreads over many samples of normal noise."""
    rng = random.Random(13)
    samples = [[rng.gauss(0, 1) for _ in range(31)] for _ in range(4000)]
    spread = statistics.stdev(statistics.median(sample) for sample in samples)
    assert statistics.fmean(median_error(sample) for sample in samples) == pytest.approx(spread, rel=0.05)


def test_the_fastest_probe_is_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measure of a quiet moment is the fastest of the last minutes."""
    clock = iter(t * 1_000_000_000 for t in (0, 5e-8, 1, 1 + 9e-8, 2, 2 + 7e-8, 601, 601 + 8e-8, 603, 603 + 9e-8))
    monkeypatch.setattr(quiet, "_fastest", [])
    monkeypatch.setattr(quiet.time, "perf_counter_ns", lambda: round(next(clock)))
    monkeypatch.setattr(quiet, "SLOWER", 1.0)
    seen = [(quiet.probe_ns(), quiet.limit_ns()) for _ in range(5)]
    assert seen == [(50, 50), (90, 50), (70, 50), (80, 70), (90, 80)]


def test_a_timer_in_one_probe_is_no_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow probe is made again; the faster of two counts."""
    monkeypatch.setattr(quiet, "limit_ns", lambda: 110.0)
    probes = iter([100, 150, 105, 150, 160])
    monkeypatch.setattr(quiet, "probe_ns", lambda: next(probes))
    assert [quiet.disturbance_ns() for _ in range(3)] == [100, 105, 150]
