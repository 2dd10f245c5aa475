"""Kernel timings as pytest-benchmark results.

Timings are made by the driver in sandboxed processes, in whatever worker; the controller replays the raw samples
through pytest-benchmark's own fixture, so that its statistics, JSON, histograms, storage and comparison take them as
their own, with and without xdist. This leans on two private things, ``config._benchmarksession`` and the fixture's
constructor; pyproject.toml pins the major version and a test fails loudly when they move.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_benchmark import fixture as benchmark_fixture
from pytest_benchmark import utils as benchmark_utils

from .types import ItemKey, Timing

# untyped, like everything else taken from there
_Fixture: Any = benchmark_fixture.BenchmarkFixture
_NameWrapper: Any = benchmark_utils.NameWrapper

SHOWN_GROUPS = 3
"""With more groups than this the terminal table is left out unless --benchmark-verbose asks for it."""


class KernelClock:
    """A timer that ticks through recorded durations: start, start + d0, start, start + d1, ..."""

    __name__ = "kernel_time"

    def __init__(self, durations_s: Iterable[float]) -> None:
        self._ticks: Iterator[float] = (tick for d in durations_s for tick in (0.0, d))

    def __call__(self) -> float:
        """Seconds."""
        return next(self._ticks)


def replay(config: pytest.Config, timings: dict[ItemKey, Timing], nodeids: dict[ItemKey, str]) -> int:
    """Give every timing's samples to pytest-benchmark; returns how many entries it got."""
    session: Any = getattr(config, "_benchmarksession", None)
    # benchmark_disable is the user's word; session.disabled alone may only mean that xdist is active.
    if session is None or session.skip or config.getoption("benchmark_disable"):
        return 0
    count = 0
    for key, timing in sorted(timings.items()):
        sides = (
            (f"{key.item_id(2 if key.sample > 1 else 1)}", timing.candidate_samples_ns),
            (f"{key.task}-{key.arch}-reference-for-{key.model}-{key.prompt}", timing.reference_samples_ns),
        )
        for name, samples in sides:
            if samples:
                fullname = f"{nodeids.get(key, key.item_id())}::{name}"
                _replay_one(session, name, fullname, f"{key.task}-{key.arch}", key, timing, samples)
                count += 1
    return count


def _replay_one(
    session: Any, name: str, fullname: str, group: str, key: ItemKey, timing: Timing, samples_ns: tuple[float, ...]
) -> None:
    options = {**session.options, "timer": _NameWrapper(KernelClock(s * 1e-9 for s in samples_ns)), "disable_gc": False}
    options.update(cprofile=False, precision=None, confidence=None)
    fixture = _Fixture(
        SimpleNamespace(name=name, nodeid=fullname),
        add_stats=session.benchmarks.append,
        logger=session.logger,
        warner=lambda *_: None,
        disabled=False,
        group=group,
        **options,
    )
    fixture.extra_info.update(task=key.task, model=key.model, arch=key.arch, prompt=key.prompt, outcome=timing.outcome)
    fixture.pedantic(lambda: None, rounds=len(samples_ns))


def keep_table_short(config: pytest.Config) -> str | None:
    """Silence pytest-benchmark's table when our timings would fill pages; says so in a sentence for the terminal."""
    session: Any = getattr(config, "_benchmarksession", None)
    if session is None or not session.groups or session.verbose or len(session.groups) <= SHOWN_GROUPS:
        return None
    session.quiet = True
    return (
        f"pytest-benchmark has {len(session.benchmarks)} kernel timings in {len(session.groups)} groups; "
        "--benchmark-verbose prints them, --benchmark-json=FILE saves them"
    )
