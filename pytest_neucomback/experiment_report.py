"""An experiment's plan and its table, for the terminal and as JSON: the paper's figures beside ours."""

from __future__ import annotations

import dataclasses
import shlex
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .arches import load_arches
from .errors import ConfigError
from .experiment_costs import Estimate, assumptions, total
from .experiments import METRICS, Plan, Problem, Row, is_finished, learned_rules, read_subject
from .metrics import Summary, overall, summarise, wilson_interval
from .pairs import Pairs, compare_outcomes
from .prompts import RULE_KINDS, Rule
from .records import load_results, record_from_json
from .report import human_cost, human_count
from .types import Outcome, Record

NOT_COMPARABLE = "not comparable: the suite is not the imported release"


# --- ours beside the published ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """One measured figure."""

    value: float
    hits: int | None
    """Of a share: what it counts; None where samples make it a mean."""
    total: int
    """What it is over: items, or solved items for self-debug rounds."""
    interval: tuple[float, float] | None
    """95 % Wilson over tasks; None for self-debug rounds."""
    complete: bool
    """False: items are unjudged, or the step is not finished."""


@dataclass(frozen=True)
class Line:
    """A row's figure, published and ours."""

    label: str
    metric: str
    """Of METRICS."""
    model: str
    arch: str
    published: str | None
    """As the paper writes it."""
    published_interval: tuple[float, float] | None
    """95 % Wilson, which the paper leaves out."""
    repeats: tuple[Figure, ...]
    """Those that there are."""

    @property
    def mean(self) -> float | None:
        """Over repeats."""
        return statistics.fmean(f.value for f in self.repeats) if self.repeats else None

    def as_json(self) -> dict[str, Any]:
        values = [f.value for f in self.repeats]
        ours = {"mean": self.mean, "low": min(values), "high": max(values)} if values else None
        return {
            **{k: getattr(self, k) for k in ("label", "metric", "model", "arch", "published")},
            "published_ci": list(self.published_interval) if self.published_interval else None,
            "ours": ours,
            "repeats": [dataclasses.asdict(f) for f in self.repeats],
        }


@dataclass(frozen=True)
class Gathered:
    """A table with what was measured."""

    lines: tuple[Line, ...]
    pairs: tuple[tuple[str, Pairs], ...]
    """What is compared, and how it went."""
    kinds: Mapping[str, tuple[Rule, ...]]
    """Rules of the learned prompts, by kind."""
    costs: tuple[tuple[str, int, int, float | None], ...]
    """Step, tokens in and out, US dollars."""


def gather(plan: Plan) -> Gathered:
    """Read the reports of a plan's steps, finished or not."""
    reports = {s.folder: _records(s.folder) for s in plan.steps if not s.learns}
    finished = {s.folder: is_finished(s, plan) for s in plan.steps}
    kinds: dict[str, list[Rule]] = {kind: [] for kind in RULE_KINDS}
    if plan.table.kinds:
        for step in plan.steps:
            if step.learns and finished[step.folder]:
                for rule in learned_rules(read_subject(step.folder)):
                    kinds[rule.kind].append(rule)
    return Gathered(
        tuple(_lines(plan, reports, finished)),
        tuple(_pairs(plan, reports)),
        {kind: tuple(rules) for kind, rules in kinds.items()},
        tuple(_costs(plan, reports)),
    )


def _records(folder: Path) -> list[Record]:
    try:
        return [record_from_json(item) for item in load_results(folder)["items"]]
    except (ConfigError, ValueError):
        return []


def _lines(plan: Plan, reports: Mapping[Path, list[Record]], finished: Mapping[Path, bool]) -> Iterator[Line]:
    table, choices = plan.table, plan.choices
    evaluated = dict.fromkeys((s.condition.name, s.model, s.condition.arch) for s in plan.steps if not s.learns)
    original = {c.name: c for c in table.conditions}
    rows = list(table.rows)
    for name, _, _ in evaluated:  # a model of the user's in a table that compares models
        if name not in original and all(r.condition != name for r in rows):
            rows.append(Row(name, name, dict.fromkeys(table.rows[0].published)))
    for row in rows:
        of_row = [(model, arch) for name, model, arch in evaluated if name == row.condition]
        paper = original.get(row.condition)
        for model, arch in of_row or [(paper.model or "" if paper else "", paper.arch if paper else "")]:
            same = paper is not None and paper.arch == arch
            split = row.split if choices.splits is None else None
            several = f", {model}" if len({m for m, _ in of_row}) > 1 else ""
            several_arches = len({c.arch for c in table.conditions}) > 1
            elsewhere = f", {arch}" if several_arches or (paper is not None and not same) else ""
            for metric, published in row.published.items():
                figures = [
                    f
                    for s in plan.evaluations(row.condition, model, arch)
                    if (f := _figure(reports[s.folder], metric, split, finished[s.folder]))
                ]
                told = published if same else None
                yield Line(
                    f"{row.label}{several}{elsewhere}",
                    metric,
                    model,
                    arch,
                    told,
                    _published_interval(told) if told and "/" in told else None,
                    tuple(figures),
                )


def _published_interval(text: str) -> tuple[float, float]:
    hits, _, total = text.partition("/")
    return wilson_interval(int(hits), int(total))


def _figure(records: Sequence[Record], metric: str, split: str | None, finished: bool) -> Figure | None:
    chosen = [r for r in records if split is None or r.split == split]
    summary = overall(summarise(chosen))
    if summary is None or (value := getattr(summary, metric)) is None:
        return None
    complete = finished and not summary.unjudged
    if metric == "mean_debug_rounds":
        solved = sum(r.initial_verdict == Outcome.CORRECT.value for r in chosen)
        return Figure(value, None, solved, None, complete)
    tasks = len({r.task for r in chosen if r.verdict != Outcome.UNJUDGED.value})
    interval = wilson_interval(min(value * tasks, tasks), tasks)
    return Figure(value, _hits(summary, value), summary.judged, interval, complete)


def _hits(summary: Summary, value: float) -> int | None:
    return round(value * summary.judged) if summary.samples == 1 else None


def _pairs(plan: Plan, reports: Mapping[Path, list[Record]]) -> Iterator[tuple[str, Pairs]]:
    """Conditions compared on the tasks that both have judged, a comparison a repeat."""
    evaluated = dict.fromkeys((s.model, s.condition.arch) for s in plan.steps if not s.learns)
    for one, other in plan.table.pairs:
        for model, arch in evaluated:
            steps = zip(plan.evaluations(one, model, arch), plan.evaluations(other, model, arch), strict=True)
            for first, second in steps:
                a, b = (
                    {
                        f"{r.task} {r.sample}": r.verdict == Outcome.CORRECT.value
                        for r in reports[s.folder]
                        if r.verdict != Outcome.UNJUDGED.value
                    }
                    for s in (first, second)
                )
                if a and b:
                    yield f"{one} -> {other}, {model}, {arch}, repeat {first.repeat}", compare_outcomes(a, b)


def _costs(plan: Plan, reports: Mapping[Path, list[Record]]) -> Iterator[tuple[str, int, int, float | None]]:
    for step in plan.steps:
        if step.learns:
            subject = read_subject(step.folder)
            if "winner" in subject:
                yield step.title, subject["tokens_in"], subject["tokens_out"], subject["cost_usd"]
            continue
        summary = overall(summarise(reports[step.folder]))
        if summary:
            known = None if summary.unpriced else summary.cost_usd or 0.0
            yield step.title, summary.tokens_in, summary.tokens_out, known


# --- text and JSON ----------------------------------------------------------------------------------------------------


def plan_text(plan: Plan, costs: Sequence[Estimate]) -> str:
    """The plan for the terminal."""
    lines = _heading(plan)
    for number, (step, cost) in enumerate(zip(plan.steps, costs, strict=True), 1):
        done = " (finished)" if is_finished(step, plan) else ""
        if step.learns:
            train = sum(t.split == "train" for t in step.tasks)
            items = f"{train} tasks to learn from, {len(step.tasks) - train} to select on"
        else:
            samples = int(step.given("--nc-samples", "1"))
            items = f"{len(step.tasks) * samples} items"
        lines += [
            "",
            f"{number}. {step.title}{done}",
            f"   pytest {shlex.join(step.command())}",
            f"   {items}; {_cost_text(cost)}",
        ]
    lines += ["", f"together: {_cost_text(total(costs))}", assumptions(plan.choices)]
    lines += [f"Before it can run: {why}" for why in plan.missing_keys()]
    if plan.choices.budget_usd is not None:
        lines.append(f"Budget: {human_cost(plan.choices.budget_usd)} for all steps together.")
    return "\n".join([*lines, *_caveats(plan)])


def _cost_text(cost: Estimate) -> str:
    price = "cost unknown" if cost.cost_usd is None else human_cost(cost.cost_usd)
    return (
        f"at most {cost.requests:,} requests, about {human_count(cost.tokens_in)} tokens in and "
        f"{human_count(cost.tokens_out)} out, {price}"
    )


def _heading(plan: Plan) -> list[str]:
    table = plan.table
    return [f"{table.name}: {table.title}", f"The paper: {table.setting}.", *([table.note] if table.note else [])]


def _caveats(plan: Plan) -> list[str]:
    lines = [] if plan.imported else [NOT_COMPARABLE]
    choices = plan.choices
    if choices.limit:
        lines.append(f"a trial on the first {choices.limit} tasks by name")
    if choices.splits is not None:
        lines.append(f"ours are of {'+'.join(choices.splits) or 'all splits'}, the published figures of other splits")
    emulated = dict.fromkeys(s.condition.arch for s in plan.steps if not load_arches()[s.condition.arch].native)
    if any("perf" in metric for row in plan.table.rows for metric in row.published):
        lines += [
            f"no ACC+Perf on {arch}: it is emulated here, and emulated times are never compared" for arch in emulated
        ]
    return lines


def table_text(plan: Plan, found: Gathered) -> str:
    """The table for the terminal."""
    several = plan.choices.repeat > 1
    lines = _heading(plan)
    if found.lines:
        spread = f"mean and range of {plan.choices.repeat}" if several else "95 % interval"
        head = ("", "", "published", "95 % interval", "ours", spread)
        rows = [
            (
                line.label,
                METRICS[line.metric],
                _published_text(line),
                _range_text(line.published_interval),
                *_ours_text(line, several=several),
            )
            for line in found.lines
        ]
        lines += ["", *_columns([head, *rows])]
    if plan.table.kinds:
        lines += ["", *_kinds_text(plan, found)]
    if found.pairs:
        lines.append("")
        for what, pairs in found.pairs:
            lines.append(
                f"{what}: won {len(pairs.won)}, lost {len(pairs.lost)} of {pairs.items} tasks, McNemar's exact p "
                f"{pairs.p_value:.3g}"
            )
    if found.costs:
        lines.append("")
        for what, tokens_in, tokens_out, cost in found.costs:
            price = "cost unknown" if cost is None else human_cost(cost)
            lines.append(f"{what}: {human_count(tokens_in)} tokens in, {human_count(tokens_out)} out, {price}")
    return "\n".join([*lines, *([""] if _caveats(plan) else []), *_caveats(plan)])


def _published_text(line: Line) -> str:
    if line.published is None:
        return "—"
    hits, slash, tasks = line.published.partition("/")
    return f"{line.published} ({int(hits) / int(tasks):.1%})" if slash else line.published


def _range_text(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.1%} to {interval[1]:.1%}"


def _ours_text(line: Line, *, several: bool) -> tuple[str, str]:
    if line.mean is None:
        return "—", ""
    rounds = line.metric == "mean_debug_rounds"
    mark = "" if all(f.complete for f in line.repeats) else ", incomplete"
    if several:
        values = [f.value for f in line.repeats]
        runs = f" of {len(values)}" if len(values) > 1 else " of 1 only"
        if rounds:
            return f"{line.mean:.2f}{mark}", f"{min(values):.2f} to {max(values):.2f}{runs}"
        return f"{line.mean:.1%}{mark}", f"{min(values):.1%} to {max(values):.1%}{runs}"
    (figure,) = line.repeats
    if rounds:
        return f"{figure.value:.2f}{mark}", f"over {figure.total} solved"
    count = f"{figure.hits}/{figure.total} " if figure.hits is not None else ""
    return f"{count}({figure.value:.1%}){mark}", _range_text(figure.interval)


def _kinds_text(plan: Plan, found: Gathered) -> list[str]:
    lines = []
    learned = any(found.kinds.values())
    for kind in RULE_KINDS:
        ours = found.kinds[kind]
        if kind in plan.table.kinds or ours:
            lines.append(f"{kind}")
            lines += [f"  published  {text}" for text in plan.table.kinds.get(kind, ())]
            lines += [f"  ours       {rule.text}" for rule in ours] if learned else []
    counts = ", ".join(f"{len(found.kinds[kind])} {kind}" for kind in RULE_KINDS)
    lines.append(f"ours: {counts}" if learned else "ours: no rule is learned yet")
    return lines


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def plan_json(plan: Plan, costs: Sequence[Estimate]) -> dict[str, Any]:
    """The plan as data."""
    return {
        **_head_json(plan),
        "assumptions": assumptions(plan.choices),
        "steps": [
            {
                "title": step.title,
                "learns": step.learns,
                "repeat": step.repeat,
                "command": ["pytest", *step.command()],
                "report": str(step.folder),
                "tasks": len(step.tasks),
                "finished": is_finished(step, plan),
                **dataclasses.asdict(cost),
            }
            for step, cost in zip(plan.steps, costs, strict=True)
        ],
        "total": dataclasses.asdict(total(costs)),
    }


def table_json(plan: Plan, found: Gathered, problems: Sequence[Problem]) -> dict[str, Any]:
    """The table as data."""
    return {
        **_head_json(plan),
        "rows": [line.as_json() for line in found.lines],
        "pairs": [{"compared": what, **pairs.as_json()} for what, pairs in found.pairs],
        "kinds": {
            kind: {"published": list(plan.table.kinds.get(kind, ())), "ours": [r.text for r in rules]}
            for kind, rules in found.kinds.items()
        }
        if plan.table.kinds
        else None,
        "costs": [
            {"step": what, "tokens_in": tokens_in, "tokens_out": tokens_out, "cost_usd": cost}
            for what, tokens_in, tokens_out, cost in found.costs
        ],
        "unfinished": [dataclasses.asdict(p) for p in problems],
        "reports": [str(step.folder) for step in plan.steps],
    }


def _head_json(plan: Plan) -> dict[str, Any]:
    return {
        "table": plan.table.name,
        "title": plan.table.title,
        "setting": plan.table.setting,
        "comparable": plan.imported and not plan.choices.limit and plan.choices.splits is None,
        "caveats": _caveats(plan),
    }
