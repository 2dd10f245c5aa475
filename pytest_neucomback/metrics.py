"""Records to figures: ACC, ACC+Perf and what stands beside them.

Pure arithmetic over ``Record`` values; nothing here reads, writes or prints. Two rules run through it:

* *judged* excludes ``unjudged``: a question nobody answered is not a wrong answer. It is counted and shown instead.
* A figure that was not measured is ``None``, never 0: ACC+Perf of an emulated arch is empty, not bad.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from pytest_neucomback.errors import ConfigError
from pytest_neucomback.types import Outcome, Record

Rule = tuple[str, float]
"""A metric of ``FAIL_UNDER_METRICS`` and the least value it may have, from 0 to 1."""

FAIL_UNDER_METRICS = ("acc", "acc_perf")

FAST_P = (0.5, 0.8, 1.0, 1.05, 1.1, 1.2, 1.5, 2.0)
"""Thresholds of ``Summary.fast_p``."""

PerfState = Literal["timed", "emulated", "off"]

_SEVERAL = "all"
"""Stands for a column whose records differ."""


@dataclass(frozen=True)
class Summary:
    """One row of ``summary`` in results.json (contract): a model on an arch with a prompt at a level.

    Shares (``acc``…) run from 0 to 1 and are ``None`` where nothing was measured. Intervals are 95 % Wilson.
    With several samples per item each share is the mean over tasks of the fraction of the task's judged samples,
    so ``acc`` is pass@1; with as many samples judged for every task that is ``correct / judged`` again.
    """

    model: str
    arch: str
    prompt: str
    level: str
    split: str
    """The split all records share, else ``all``."""
    tasks: int
    """Distinct tasks, unjudged ones included."""
    judged: int
    """Items (task x sample) with a verdict other than ``unjudged``."""
    correct: int
    """Judged items whose final verdict is ``correct``."""
    acc: float | None
    acc_ci: tuple[float, float] | None
    faster: int | None
    """Items correct and faster than the reference; None where ``acc_perf`` is."""
    acc_perf: float | None
    """Correct and faster, over judged; None when the group was not timed natively."""
    acc_perf_ci: tuple[float, float] | None
    acc_first: float | None
    """By the verdict on the first reply."""
    acc_initial: float | None
    """After self-debug, before optimisation."""
    acc_perf_initial: float | None
    """As ``acc_perf``, before optimisation."""
    mean_debug_rounds: float | None
    """Self-debug rounds, over judged items the initial generation solved."""
    tokens_in: int
    """Of all records: what an unjudged item spent was spent."""
    tokens_out: int
    cost_usd: float | None
    """Sum of the known costs; None when none is known. A lower bound when ``unpriced`` is above 0."""
    median_speedup: float | None
    """Over correct, natively timed items whose task reads inputs."""
    # Beyond the contract.
    unjudged: int = 0
    verdicts: Mapping[str, int] = field(default_factory=dict)
    """Items by final verdict, words that occur only, in the order of ``Outcome``."""
    geomean_speedup: float | None = None
    """Over the same items as ``median_speedup``."""
    geomean_ci: tuple[float, float] | None = None
    """95 % interval of it over the items, from the spread of their logarithms; None with fewer than two."""
    instruction_ratio: float | None = None
    """Geometric mean of executed instructions, candidate to reference, over correct items that were counted and whose
    task reads inputs. Says nothing of time."""
    cost_ratios: Mapping[str, float] = field(default_factory=dict)
    """Name of a cost to what candidates have of it relative to references (``COSTS`` says how), over correct items that
    have it on both sides and whose task reads inputs; costs that no item has are left out."""
    no_slower: int | None = None
    """Items correct and timed as ``faster`` or ``tied``; None where ``acc_perf`` is."""
    fast_p: Mapping[float, float] | None = None
    """Threshold p to the share of items correct and more than p times as fast as the reference (KernelBench's fast_p,
    Ouyang et al. 2025), by the lower end of each item's interval, so that noise is nobody's gain."""
    unpriced: int = 0
    """Records that spent tokens at an unknown price."""
    pass_at_k: Mapping[int, float] | None = None
    """k to pass@k, for k up to the fewest judged samples of a task; None with one sample per item."""
    samples: int = 1
    """Samples per item."""
    perf_judged: int = 0
    """What ``acc_perf`` is over: judged items of the groups that were timed natively."""
    perf_state: PerfState = "off"
    """``emulated`` or ``off`` says why ``acc_perf`` is None."""
    records: tuple[Record, ...] = field(default=(), repr=False, compare=False)
    """What was summarised, so that rows can be pooled exactly; not part of results.json."""

    def as_json(self) -> dict[str, Any]:
        """The row for results.json: the contract's keys in its order, then the additions."""
        row: dict[str, Any] = {
            "model": self.model,
            "arch": self.arch,
            "prompt": self.prompt,
            "level": self.level,
            "split": self.split,
            "tasks": self.tasks,
            "judged": self.judged,
            "correct": self.correct,
            "acc": self.acc,
            "acc_ci": list(self.acc_ci) if self.acc_ci else None,
            "faster": self.faster,
            "acc_perf": self.acc_perf,
            "acc_perf_ci": list(self.acc_perf_ci) if self.acc_perf_ci else None,
            "acc_first": self.acc_first,
            "acc_initial": self.acc_initial,
            "acc_perf_initial": self.acc_perf_initial,
            "mean_debug_rounds": self.mean_debug_rounds,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "cost_usd": self.cost_usd,
            "median_speedup": self.median_speedup,
            "unjudged": self.unjudged,
            "verdicts": dict(self.verdicts),
            "geomean_speedup": self.geomean_speedup,
            "geomean_ci": list(self.geomean_ci) if self.geomean_ci else None,
            "instruction_ratio": self.instruction_ratio,
            "cost_ratios": dict(self.cost_ratios),
            "no_slower": self.no_slower,
            "fast_p": {f"{p:g}": share for p, share in self.fast_p.items()} if self.fast_p else None,
            "unpriced": self.unpriced,
        }
        if self.pass_at_k is not None:
            row["pass_at_k"] = {str(k): value for k, value in self.pass_at_k.items()}
        return row


COSTS: dict[str, Literal["sums", "ratios"]] = {
    "stack_bytes": "sums", "static_cycles": "ratios", "peak_bytes": "sums", "energy_uj": "ratios",
}  # fmt: skip
"""How the figures of ``Costs`` are summed up: by the ratio of sums, for a leaf function's stack is nothing and no
ratio, or by the geometric mean of ratios."""


def summarise(records: Iterable[Record]) -> list[Summary]:
    """One summary per model x arch x prompt x level, sorted by these names."""
    groups: defaultdict[tuple[str, str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        groups[_group(record)].append(record)
    return [_summary(groups[name]) for name in sorted(groups)]


def overall(summaries: Iterable[Summary]) -> Summary | None:
    """Pool rows of ``summarise`` into one, computed from their records; None when there are none.

    Names that differ between the rows become ``all``. ACC+Perf is over those rows that were timed natively.
    """
    records = [record for summary in summaries for record in summary.records]
    return _summary(records) if records else None


def wilson_interval(successes: float, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Score interval of a binomial share (Wilson 1927), from 0 to 1.

    ``successes`` may be fractional: a mean over ``trials`` values between 0 and 1 varies no more than a share of as
    many yes-or-no answers with the same mean, so the interval is then on the wide side. Raises ``ValueError`` when
    ``trials`` is not positive or ``successes`` lies outside 0..trials.
    """
    if trials <= 0 or not 0 <= successes <= trials:
        raise ValueError(f"no interval for {successes} successes in {trials} trials")
    z = statistics.NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / trials
    denominator = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / denominator
    half_width = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / denominator
    # At the ends the bound is 0 or 1 exactly; rounding would leave 1e-18.
    low = 0.0 if successes == 0 else max(0.0, centre - half_width)
    high = 1.0 if successes == trials else min(1.0, centre + half_width)
    return low, high


def pass_at_k(samples: int, correct: int, k: int) -> Fraction:
    """Chance that at least one of ``k`` samples is correct, estimated without bias (Chen et al. 2021).

    ``samples`` were drawn and ``correct`` of them are right: 1 - C(samples-correct, k) / C(samples, k). Raises
    ``ValueError`` unless 1 <= k <= samples and 0 <= correct <= samples.
    """
    if not 1 <= k <= samples or not 0 <= correct <= samples:
        raise ValueError(f"pass@{k} cannot be estimated from {correct} correct of {samples} samples")
    return 1 - Fraction(math.comb(samples - correct, k), math.comb(samples, k))


def format_acc(summary: Summary) -> str:
    """``45.7% (69/151)``, or ``69/148, 3 unjudged, incomplete``: no percentage until everything is judged."""
    if summary.unjudged:
        return f"{summary.correct}/{summary.judged}, {summary.unjudged} unjudged, incomplete"
    return _share_text(summary.acc, summary.correct, summary.judged)


def format_acc_perf(summary: Summary) -> str:
    """As ``format_acc``, for ACC+Perf; a dash where nothing was timed natively."""
    if summary.acc_perf is None or summary.faster is None:
        return "—"
    if summary.unjudged:
        return f"{summary.faster}/{summary.perf_judged}, incomplete"
    return _share_text(summary.acc_perf, summary.faster, summary.perf_judged)


def parse_fail_under(text: str) -> tuple[Rule, ...]:
    """``acc:0.45`` or ``acc:0.45,acc_perf:0.2`` to rules; raises ``ConfigError`` that shows how to write it."""
    rules: dict[str, float] = {}
    for part in text.split(","):
        metric, colon, number = (piece.strip() for piece in part.partition(":"))
        example = "Write it like --nc-fail-under=acc:0.45 or acc:0.45,acc_perf:0.2."
        if not colon:
            raise ConfigError(f"--nc-fail-under={text}: '{part.strip()}' is not METRIC:SHARE. {example}")
        if metric not in FAIL_UNDER_METRICS:
            known = ", ".join(FAIL_UNDER_METRICS)
            raise ConfigError(f"--nc-fail-under={text}: unknown metric '{metric}'. Known: {known}. {example}")
        if metric in rules:
            raise ConfigError(f"--nc-fail-under={text}: '{metric}' is given twice. Keep one of them.")
        if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", number) or float(number) > 1:
            raise ConfigError(
                f"--nc-fail-under={text}: '{number}' is not a share from 0 to 1 (0.45 stands for 45 %). {example}"
            )
        rules[metric] = float(number)
    return tuple(rules.items())


def fail_under_message(summaries: Sequence[Summary], rules: Iterable[Rule]) -> str | None:
    """Which rules of ``--nc-fail-under`` are broken, one line each; None when all hold.

    A rule is applied to every model x arch x prompt, levels pooled: pooling models would let a good one hide a bad
    one. A figure that does not exist (nothing judged, nothing timed natively) breaks its rule, since a gate that
    saw nothing must not open.
    """
    rows: defaultdict[tuple[str, str, str], list[Summary]] = defaultdict(list)
    for summary in summaries:
        rows[summary.model, summary.arch, summary.prompt].append(summary)
    lines: list[str] = []
    for metric, least in rules:
        if not rows:
            lines.append(f"--nc-fail-under={metric}:{least:g}: no item was evaluated.")
        for (model, arch, prompt), parts in sorted(rows.items()):
            pooled = overall(parts)
            value = getattr(pooled, metric) if pooled else None
            where = f"{model} on {arch} with prompt {prompt}"
            if pooled is None or value is None:
                lines.append(f"--nc-fail-under={metric}:{least:g}: {where} has no {metric}: {_why_none(pooled)}")
            elif value < least:
                counts = format_acc(pooled) if metric == "acc" else format_acc_perf(pooled)
                lines.append(f"--nc-fail-under={metric}:{least:g}: {where} reached {value:.6g}, {counts}.")
    return "\n".join(lines) or None


def _why_none(pooled: Summary | None) -> str:
    """Why a figure does not exist, and what would give one."""
    if pooled is None or not pooled.judged:
        return "nothing was judged. Run the same command again to retry."
    if pooled.perf_state == "emulated":
        return "the arch is emulated here, and emulated times are never compared. Run on such a machine."
    return "nothing was timed. Add --nc-time, on a machine of this arch."


def _share_text(share: float | None, hits: int, total: int) -> str:
    return "—" if share is None else f"{share:.1%} ({hits}/{total})"


def _group(record: Record) -> tuple[str, str, str, str]:
    return record.model, record.arch, record.prompt, record.level


def _summary(records: Sequence[Record]) -> Summary:
    """Summarise records, at least one, of one group or of several pooled."""
    judged = [record for record in records if record.verdict != Outcome.UNJUDGED]
    words = Counter(record.verdict for record in records)
    known_costs = [record.cost_usd for record in records if record.cost_usd is not None]
    perf_judged = _timed_groups(judged, _final_correct, _final_timing)
    initial_perf_judged = _timed_groups(judged, _initial_correct, _initial_timing)
    perf, perf_ci = _share_and_interval(perf_judged, _is_faster)
    acc, acc_ci = _share_and_interval(judged, _final_correct)
    speedups = _speedups(judged)
    solved_rounds = [record.debug_rounds for record in judged if _initial_correct(record)]
    samples = max(record.sample for record in records)
    return Summary(
        model=_shared(record.model for record in records),
        arch=_shared(record.arch for record in records),
        prompt=_shared(record.prompt for record in records),
        level=_shared(record.level for record in records),
        split=_shared(record.split for record in records),
        tasks=len({(*_group(record), record.task) for record in records}),
        judged=len(judged),
        correct=sum(map(_final_correct, judged)),
        acc=acc,
        acc_ci=acc_ci,
        faster=sum(map(_is_faster, perf_judged)) if perf_judged else None,
        acc_perf=perf,
        acc_perf_ci=perf_ci,
        acc_first=_share_and_interval(judged, _first_correct)[0],
        acc_initial=_share_and_interval(judged, _initial_correct)[0],
        acc_perf_initial=_share_and_interval(initial_perf_judged, _is_faster_initially)[0],
        mean_debug_rounds=statistics.fmean(solved_rounds) if solved_rounds else None,
        tokens_in=sum(record.tokens_in for record in records),
        tokens_out=sum(record.tokens_out for record in records),
        cost_usd=math.fsum(known_costs) if known_costs else None,
        median_speedup=statistics.median(speedups) if speedups else None,
        unjudged=len(records) - len(judged),
        verdicts={word.value: words[word.value] for word in Outcome if words[word.value]},
        geomean_speedup=statistics.geometric_mean(speedups) if speedups else None,
        geomean_ci=_geomean_interval(speedups),
        instruction_ratio=statistics.geometric_mean(ratios) if (ratios := _instruction_ratios(judged)) else None,
        cost_ratios=_cost_ratios(judged),
        no_slower=sum(map(_is_no_slower, perf_judged)) if perf_judged else None,
        fast_p=_fast_p(perf_judged),
        unpriced=sum(record.cost_usd is None and record.tokens_in + record.tokens_out > 0 for record in records),
        pass_at_k=_pass_at_each_k(judged) if samples > 1 else None,
        samples=samples,
        perf_judged=len(perf_judged),
        perf_state=_perf_state(judged, timed=bool(perf_judged)),
        records=tuple(records),
    )


def _shared(names: Iterable[str]) -> str:
    distinct = set(names)
    return distinct.pop() if len(distinct) == 1 else _SEVERAL


def _first_correct(record: Record) -> bool:
    return record.first_verdict == Outcome.CORRECT


def _initial_correct(record: Record) -> bool:
    return record.initial_verdict == Outcome.CORRECT


def _final_correct(record: Record) -> bool:
    return record.verdict == Outcome.CORRECT


def _final_timing(record: Record) -> Mapping[str, Any] | None:
    return record.timing


def _initial_timing(record: Record) -> Mapping[str, Any] | None:
    if record.initial_timing is None and record.opt_rounds == 0:
        return record.timing
    return record.initial_timing


def _is_native(timing: Mapping[str, Any] | None) -> bool:
    return timing is not None and bool(timing.get("native"))


def _is_no_slower(record: Record) -> bool:
    timing = record.timing
    return _final_correct(record) and _is_native(timing) and (timing or {}).get("outcome") in ("faster", "tied")


def _fast_p(perf_judged: Sequence[Record]) -> dict[float, float] | None:
    if not perf_judged:
        return None
    # Without an interval, as under the published protocol, the figure itself.
    sure = [(t.get("speedup_ci") or [t["speedup"]])[0] for t in _meaningful_timings(perf_judged)]
    return {p: sum(value > p for value in sure) / len(perf_judged) for p in FAST_P}


def _instruction_ratios(judged: Iterable[Record]) -> list[float]:
    ratios: list[float] = []
    for record in judged:
        counts = [(record.timing or {}).get(name) for name in ("instructions", "reference_instructions")]
        if _final_correct(record) and not record.input_free and all(counts):
            ratios.append(float(counts[0]) / float(counts[1]))  # type: ignore[arg-type]
    return ratios


def _cost_ratios(judged: Iterable[Record]) -> dict[str, float]:
    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in COSTS}
    for record in judged:
        if not _final_correct(record) or record.input_free:
            continue
        ours, theirs = ((record.timing or {}).get(key) or {} for key in ("costs", "reference_costs"))
        for name, found in pairs.items():
            if ours.get(name) is not None and theirs.get(name) is not None:
                found.append((ours[name], theirs[name]))
    ratios: dict[str, float] = {}
    for name, found in pairs.items():
        if COSTS[name] == "sums" and any(their for _, their in found):
            ratios[name] = sum(our for our, _ in found) / sum(their for _, their in found)
        elif COSTS[name] == "ratios" and (each := [our / their for our, their in found if our > 0 and their > 0]):
            ratios[name] = statistics.geometric_mean(each)
    return ratios


def _geomean_interval(speedups: Sequence[float]) -> tuple[float, float] | None:
    if len(speedups) < 2:
        return None
    logs = [math.log(value) for value in speedups]
    half = statistics.NormalDist().inv_cdf(0.975) * statistics.stdev(logs) / math.sqrt(len(logs))
    centre = statistics.fmean(logs)
    return math.exp(centre - half), math.exp(centre + half)


def _beats_reference(timing: Mapping[str, Any] | None) -> bool:
    return timing is not None and _is_native(timing) and timing.get("outcome") == "faster"


def _is_faster(record: Record) -> bool:
    return _final_correct(record) and _beats_reference(record.timing)


def _is_faster_initially(record: Record) -> bool:
    return _initial_correct(record) and _beats_reference(_initial_timing(record))


def _timed_groups(
    judged: Sequence[Record],
    is_correct: Callable[[Record], bool],
    timing_of: Callable[[Record], Mapping[str, Any] | None],
) -> list[Record]:
    """The judged records of those groups ACC+Perf exists for.

    A group has it once a candidate was timed natively. Where none is correct there was nothing to time: the share is
    then 0 if a time was wanted (``Record.timed``) and does not exist otherwise.
    """
    groups: defaultdict[tuple[str, str, str, str], list[Record]] = defaultdict(list)
    for record in judged:
        groups[_group(record)].append(record)
    kept: list[Record] = []
    for group in groups.values():
        native = any(_is_native(timing_of(record)) for record in group)
        none_correct = not any(map(is_correct, group))
        if native or (none_correct and any(record.timed for record in group)):
            kept += group
    return kept


def _perf_state(judged: Iterable[Record], *, timed: bool) -> PerfState:
    if timed:
        return "timed"
    return "emulated" if any(record.timing is not None for record in judged) else "off"


def _hits_by_task(judged: Iterable[Record], hit: Callable[[Record], bool]) -> list[tuple[int, int]]:
    """For each task with a judged sample: (samples that hit, samples judged)."""
    tasks: defaultdict[tuple[str, ...], list[bool]] = defaultdict(list)
    for record in judged:
        tasks[*_group(record), record.task].append(hit(record))
    return [(sum(hits), len(hits)) for hits in tasks.values()]


def _share_and_interval(
    judged: Sequence[Record], hit: Callable[[Record], bool]
) -> tuple[float | None, tuple[float, float] | None]:
    """Mean over tasks of the fraction of samples that hit, and its interval; None for both over nothing.

    The interval counts tasks as trials, not samples: samples of one task resemble each other, and counting each
    would promise more certainty than there is.
    """
    by_task = _hits_by_task(judged, hit)
    if not by_task:
        return None, None
    # Exact, so that 9 of 20 equals the 0.45 a user writes in --nc-fail-under.
    total = sum((Fraction(hits, drawn) for hits, drawn in by_task), Fraction(0))
    return float(total / len(by_task)), wilson_interval(float(total), len(by_task))


def _pass_at_each_k(judged: Sequence[Record]) -> dict[int, float] | None:
    by_task = _hits_by_task(judged, _final_correct)
    if not by_task:
        return None
    # The estimator needs k samples of every task; leaving tasks out for larger k would change what is averaged.
    largest = min(drawn for _, drawn in by_task)
    return {
        k: float(sum((pass_at_k(drawn, hits, k) for hits, drawn in by_task), Fraction(0)) / len(by_task))
        for k in range(1, largest + 1)
    }


def _speedups(judged: Iterable[Record]) -> list[float]:
    return [float(timing["speedup"]) for timing in _meaningful_timings(judged)]


def _meaningful_timings(judged: Iterable[Record]) -> Iterator[Mapping[str, Any]]:
    """Timings whose speed-up means something: a task without inputs may be folded to a constant, by either side."""
    for record in judged:
        timing = record.timing
        if timing is None or not _final_correct(record) or not _is_native(timing) or record.input_free:
            continue
        if (timing.get("speedup") or 0) > 0:
            yield timing
