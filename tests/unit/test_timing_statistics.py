"""What the intervals of timing promise, checked without a clock."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
from collections import Counter

import pytest

from pytest_neucomback import timing
from pytest_neucomback.timing import LOOKS, T, _Seen, trimmed


def seen(ratios: list[float]) -> _Seen:
    found = _Seen()
    found.ratios = ratios
    return found


@pytest.mark.parametrize("launches", T)
def test_quantiles_leave_out_what_they_promise(launches: int) -> None:
    """The tails of Student's density beyond the tabled points, integrated numerically, hold 0.2 %."""
    freedom = launches - 1
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    steps = 20_000
    width = T[launches] / steps
    inside = sum((1 + ((i + 0.5) * width) ** 2 / freedom) ** (-(freedom + 1) / 2) for i in range(steps)) * width * scale
    assert 1 - 2 * inside == pytest.approx(0.002, abs=5e-6)


def test_there_is_a_quantile_for_every_look() -> None:
    assert {n - 2 * trimmed(n) for n in LOOKS} <= set(T)
    assert sorted(LOOKS) == list(LOOKS)


def sequential(rng: random.Random, effect: float, spread: float) -> str:
    """A measurement as ``measure`` makes it, on launches drawn from a normal distribution."""
    ratios: list[float] = []
    for number in LOOKS:
        ratios += [rng.gauss(effect, spread) for _ in range(number - len(ratios))]
        if outcome := seen(ratios).outcome(0.01):
            return outcome
    return "tied"


@pytest.mark.parametrize("spread", [0.002, 0.01, 0.05])
def test_the_same_code_is_rarely_called_faster(spread: float) -> None:
    """However noisy launches are, a false answer in either direction comes in well below 1 % of measurements."""
    rng = random.Random(1)
    outcomes = Counter(sequential(rng, 0.0, spread) for _ in range(3000))
    assert outcomes["faster"] <= 24
    assert outcomes["slower"] <= 24


def test_real_differences_are_found_and_small_ones_are_ties() -> None:
    """With half a per cent of noise between launches, 3 % is found and 0.2 % is a tie at the first look."""
    rng = random.Random(2)
    assert Counter(sequential(rng, -0.03, 0.005) for _ in range(300))["slower"] >= 297
    assert Counter(sequential(rng, 0.002, 0.001) for _ in range(300))["tied"] == 300


def test_an_effect_below_the_smallest_is_no_win() -> None:
    """A certain difference of half a per cent is a tie: the effect has to be worth something too."""
    ratios = [0.005 + 1e-5 * i for i in range(5)]
    assert seen(ratios).outcome(0.01) == "tied"
    assert seen(ratios).outcome(0.004) == "faster"
    assert seen([-r for r in ratios]).outcome(0.004) == "slower"


def test_spoiled_launches_do_not_spoil_the_answer() -> None:
    """Two of twelve launches that are off by half neither hide a real difference nor make one up."""
    rng = random.Random(3)
    quiet = [rng.gauss(0, 0.001) for _ in range(10)]
    assert seen([*quiet, 0.4, 0.5]).outcome(0.01) == "tied"
    assert seen([*(r - 0.03 for r in quiet), 0.4, 0.5]).outcome(0.01) == "slower"


def test_the_same_code_with_wild_launches_is_rarely_called_faster() -> None:
    """A fifth of launches with ten times the noise keeps false answers below 1 %."""
    rng = random.Random(4)

    def measured() -> str:
        ratios: list[float] = []
        for number in LOOKS:
            ratios += [rng.gauss(0, 0.1 if rng.random() < 0.2 else 0.01) for _ in range(number - len(ratios))]
            if outcome := seen(ratios).outcome(0.01):
                return outcome
        return "tied"

    outcomes = Counter(measured() for _ in range(3000))
    assert outcomes["faster"] <= 24
    assert outcomes["slower"] <= 24


def test_launches_keep_to_the_processor_that_is_disturbed_least(monkeypatch: pytest.MonkeyPatch) -> None:
    """The quickest of those that were tried, for this thread and what it starts; afterwards all again."""
    allowed = os.sched_getaffinity(0)
    took = {p: 3.0 + p for p in allowed} | {max(allowed): 1.0}
    monkeypatch.setattr(timing, "_probe", took.__getitem__)
    command = [sys.executable, "-c", "import os; print(*os.sched_getaffinity(0))"]
    with timing.on_quietest_processor() as pinned:
        assert pinned
        assert os.sched_getaffinity(0) == {max(allowed)}
        assert subprocess.check_output(command, text=True).split() == [str(max(allowed))]
    assert os.sched_getaffinity(0) == allowed
    monkeypatch.undo()
    assert 0 < timing._probe(min(allowed)) < 1
    os.sched_setaffinity(0, allowed)


def test_launches_run_anywhere_where_the_system_allows_no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is no error."""

    def refused(pid: int, processors: object) -> None:
        raise PermissionError

    allowed = os.sched_getaffinity(0)
    monkeypatch.setattr(os, "sched_setaffinity", refused)
    with timing.on_quietest_processor() as pinned:
        assert not pinned
        assert os.sched_getaffinity(0) == allowed


def test_an_advantage_that_only_the_drivers_clock_sees_is_doubtful() -> None:
    """Surely more than the smallest effect, whatever the spread; what may be chance is none."""
    rng = random.Random(3)
    for shift, expected in ((0.08, True), (0.0, False), (0.005, False)):
        found = seen([0.1] * 24)
        found.unseen_gain = [shift + rng.gauss(0, 0.01) for _ in range(24)]
        assert found.doubtful(0.01) is expected
