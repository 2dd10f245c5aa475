"""``neucomback doctor --timing``: how far timings on this machine can be believed.

The same code is timed against itself under two names (an A/A test), so every ``faster`` and every ``slower`` is false,
and the width of the intervals says how small an effect would be seen.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .judge import Judge, JudgeSettings
from .metrics import wilson_interval
from .tasks import Task
from .timing import STRATA, T, TimingSettings, trimmed
from .toolchain import Toolchain
from .types import Timing

LOOPS = 12
"""Tasks that take turns; further rounds have other seeds."""
_NORMAL_90 = statistics.NormalDist().inv_cdf(0.9)


@dataclass(frozen=True)
class Measurement:
    """One A/A measurement."""

    task: str
    outcome: str
    speedup: float
    half_width: float
    """Of the interval, as a share of the time."""
    visible: float
    """The effect that such a measurement would find with 90 % chance, as a share of the time."""
    launches: int
    wall_s: float
    note: str


@dataclass(frozen=True)
class TimingCheck:
    """What the A/A test found, and what is known of the machine."""

    seconds: float
    measurements: tuple[Measurement, ...]
    machine: tuple[str, ...]
    """In words: what is worth knowing, warnings among it."""

    def as_json(self) -> dict[str, Any]:
        return {
            "seconds": self.seconds,
            "machine": list(self.machine),
            "measurements": [asdict(m) for m in self.measurements],
        }

    def text(self) -> str:
        """For a terminal."""
        count = len(self.measurements)
        outcomes = Counter(m.outcome for m in self.measurements)
        lines = [f"timing: {count} measurements of the same code against itself in {self.seconds:.0f} s"]
        for word in ("faster", "slower"):
            most = wilson_interval(outcomes[word], count)[1]
            lines.append(f"  called {word}: {outcomes[word]} (95 % sure: below {most:.1%} of measurements)")
        widths = sorted(m.half_width for m in self.measurements)
        visible = sorted(m.visible for m in self.measurements)
        lines += [
            f"  interval: {_quantile(widths, 0.5):.2%} to either side in half of them, at most "
            f"{_quantile(widths, 0.9):.2%} in nine of ten",
            f"  smallest effect that is found with 90 % chance: {_quantile(visible, 0.5):.2%} for half of the loops, "
            f"{_quantile(visible, 0.9):.2%} for nine of ten",
            f"  a measurement takes {statistics.median(m.wall_s for m in self.measurements):.2f} s",
        ]
        unclear = sum(bool(m.note) for m in self.measurements)
        if unclear:
            example = next(m for m in self.measurements if m.note)
            lines.append(f"  not clear: {unclear}, for example {example.task}: {example.note}")
        return "\n".join([*lines, *(f"  {line}" for line in self.machine)])


def check_timing(
    toolchain: Toolchain, tasks: Sequence[Task], *, seconds: float, progress: Callable[[int], None] = lambda _: None
) -> TimingCheck:
    """Time references against themselves for about ``seconds``, at least once a task.

    Raises HarnessError when the machinery fails, ToolMissing when there is no compiler.
    """
    arch = toolchain.arch.name
    some = [tasks[i * len(tasks) // LOOPS] for i in range(LOOPS)] if len(tasks) > LOOPS else list(tasks)
    texts = {t.id: toolchain.compile_source("clang", "O3", t.c_path) for t in some}
    for task in some:
        toolchain.reference(task)  # made once per machine, and not what is measured
    measurements: list[Measurement] = []
    start = time.monotonic()
    turn = 0
    while not turn or time.monotonic() - start < seconds:
        turn += 1
        judge = Judge(JudgeSettings(turn, 0, count=False), {arch: toolchain})
        for task in some:
            before = time.monotonic()
            timing = judge.time(task, arch, texts[task.id])
            measurements.append(_measurement(task.id, timing, time.monotonic() - before))
            progress(len(measurements))
            if turn > 1 and time.monotonic() - start >= seconds:
                break
    return TimingCheck(time.monotonic() - start, tuple(measurements), tuple(_machine()))


def half_width(timing: Timing) -> float:
    """Of a timing's interval, as a share of the time."""
    assert timing.speedup_ci is not None
    low, high = timing.speedup_ci
    return math.log(high / low) / 2


def _measurement(task: str, timing: Timing, wall_s: float) -> Measurement:
    assert timing.speedup is not None
    assert timing.outcome is not None
    half = half_width(timing)
    # Found when the lower end clears 1: the estimate is that far above the true effect or less in 9 of 10 cases.
    each = timing.launches // STRATA
    freedom = STRATA * (each - 2 * trimmed(each) - 1)
    visible = max(TimingSettings().min_effect, half * (1 + _NORMAL_90 / T[freedom]))
    return Measurement(task, timing.outcome, timing.speedup, half, visible, timing.launches, wall_s, timing.note)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def _machine() -> list[str]:
    """What else decides how still a machine is, as far as Linux says."""
    found = [f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"]
    cpu = Path("/sys/devices/system/cpu")
    governor = _read(cpu / "cpu0/cpufreq/scaling_governor")
    if governor and governor != "performance":
        found.append(f"frequency governor {governor}: `cpupower frequency-set -g performance` makes times steadier")
    if _read(cpu / "intel_pstate/no_turbo") == "0" or _read(cpu / "cpufreq/boost") == "1":
        found.append("turbo is on: the clock rate depends on what the other cores do")
    if _read(cpu / "smt/active") == "1":
        found.append("hyper-threading is on: a busy sibling slows a measurement down")
    if "hypervisor" in _read(Path("/proc/cpuinfo")):
        found.append("a virtual machine: its neighbours cannot be seen, only the time they take")
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
