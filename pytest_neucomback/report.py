"""Records and summaries to text for a terminal: the closing table, the progress line, a failing item's story.

Figures come from ``metrics`` as they are; this module only chooses words and widths.
"""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_neucomback.metrics import Summary, format_acc, format_acc_perf
from pytest_neucomback.types import Outcome, Record, Usage

NONE = "—"
"""Stands where a figure does not exist."""

_GAP = "  "
_MIN_NAME_WIDTH = 10
_SEPARATOR = " · "
_STATIC = "static cycles"
_SAME = ("1.00\N{MULTIPLICATION SIGN}",)
_MINOR_RANK = 5
"""Columns of this rank and above are worth less than a line of shared names above the table."""

_MEANINGS: dict[str, str] = {
    Outcome.CORRECT: "every vector gave what the golden build gives",
    Outcome.WRONG_OUTPUT: "it ran, but something it computed differs from the golden build",
    Outcome.ABI_VIOLATION: "it ran, but broke the calling convention",
    Outcome.CRASHED: "a signal ended it",
    Outcome.TIMED_OUT: "it did not end in the time allowed",
    Outcome.FORBIDDEN: "it asked for something the sandbox, symbol or ISA policy refuses",
    Outcome.BUILD_FAILED: "no assembler or linker accepted it",
    Outcome.NO_CANDIDATE: "the reply holds no assembly",
    Outcome.UNJUDGED: "not the candidate's fault and not counted; the same command tries it again",
}


@dataclass(frozen=True)
class _Column:
    title: str
    cell: Callable[[Summary], str]
    rank: int = 0
    """Columns of the highest rank are the first to go when the terminal is narrow; 0 stays."""
    left: bool = False
    no_news: tuple[str, ...] = ()
    """A column of nothing but such cells is left out."""


def summary_table(summaries: Sequence[Summary], *, width: int | None, imported: bool = False) -> list[str]:
    """The table that closes a session: heading, rule, a line per summary, footnotes.

    ``width`` is the terminal's, in columns; None means unlimited. A narrow one loses columns, least important first;
    on the way, names all rows share move into one line above the table, and at last long names are cut. Figures never
    are. ``imported`` says that no task is one of ours, whose figures must not be compared with published
    ones.
    """
    if not summaries:
        return ["neucomback: no item was evaluated."]
    columns = [column for column in _columns(summaries) if column.rank == 0 or _has_figures(column, summaries)]
    lines: list[str] = []
    if width is not None:
        columns = _fitting(columns, summaries, width, least_rank=_MINOR_RANK)
        if _width(columns, summaries) > width:
            shared = _shared_names(columns, summaries)
            columns = [column for column in columns if column.title not in shared]
            lines += _wrapped(_SEPARATOR.join(f"{title} {name}" for title, name in shared.items()), width)
        columns = _fitting(columns, summaries, width, least_rank=1)
    lines += _table(columns, summaries, width)
    notes = _footnotes(summaries, {column.title for column in columns}, imported=imported)
    lines += [line for note in notes for line in _wrapped(note, width)]
    return lines


def verdict_line(summaries: Iterable[Summary]) -> str:
    """What went wrong how often, all rows together: ``wrong_output 3 · crashed 1``; empty when nothing did."""
    counts: Counter[str] = Counter()
    for summary in summaries:
        counts.update(summary.verdicts)
    return _SEPARATOR.join(
        f"{word.value} {counts[word.value]}" for word in Outcome if word is not Outcome.CORRECT and counts[word.value]
    )


def progress_line(
    done: int,
    total: int,
    correct: int,
    judged: int,
    usage: Usage,
    cost_usd: float | None,
    elapsed_s: float,
    in_flight: int,
    waiting: int,
    *,
    faster: int | None = None,
) -> str:
    """One line on how far the run is.

    ``done`` of ``total`` items have ended, ``judged`` of them with a verdict; ``in_flight`` requests are with a
    model and ``waiting`` ones wait for their turn. ``faster`` is None where nothing is timed, ``cost_usd`` where no
    price is known. The time left assumes that items end as fast as the ``done`` ones did in ``elapsed_s`` seconds.
    """
    parts = [f"neucomback {done}/{total}", f"{correct} correct"]
    if faster is not None:
        parts.append(f"{faster} faster")
    if done > judged:
        parts.append(f"{done - judged} unjudged")
    parts.append(f"{human_count(usage.tokens_in)} tokens in, {human_count(usage.tokens_out)} out")
    if cost_usd is not None:
        parts.append(human_cost(cost_usd))
    if in_flight or waiting:
        parts.append(f"{in_flight} in flight" + (f", {waiting} waiting" if waiting else ""))
    if 0 < done < total:
        parts.append(f"ETA {human_duration(elapsed_s / done * (total - done))}")
    return _SEPARATOR.join(parts)


def failure_text(record: Record, *, transcript_path: str | None, candidate_path: str | None, samples: int = 1) -> str:
    """What a person needs to know of an item that is not correct: what happened, how it came, where to look.

    ``samples`` is ``--nc-samples``, which decides the item's name. Control characters, which assemblers quote from
    the candidate, are shown as escapes so that a candidate cannot write to the terminal.
    """
    detail, diagnostic = printable(record.detail).strip(), printable(record.diagnostic).strip("\n")
    # The verdict comes first: this is the line that pytest's short summary and JUnit viewers show.
    lines = [f"{record.verdict}: {detail or _MEANINGS.get(record.verdict, 'an unknown verdict')}"]
    if diagnostic == detail:
        diagnostic = ""
    if diagnostic:
        lines += ["", textwrap.indent(diagnostic, "  "), ""]
    lines.append(_trajectory(record))
    if candidate_path:
        lines.append(f"candidate:  {candidate_path}")
    if transcript_path:
        lines.append(f"transcript: {transcript_path}")
    if candidate_path and record.verdict not in (Outcome.CORRECT, Outcome.UNJUDGED, Outcome.FORBIDDEN):
        lines.append(f"reproduce:  neucomback repro '{record.key.item_id(samples)}'")
    return "\n".join(lines)


def human_count(number: int) -> str:
    """``999``, ``12.3k``, ``1.2M``: a count in at most five characters below a billion."""
    for factor, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        # Half a tenth of the unit below it rounds up: 999 950 is 1.0M, not 1000.0k.
        if number >= factor - factor // 20_000:
            return f"{number / factor:.1f}{letter}"
    return str(number)


def human_cost(cost_usd: float) -> str:
    """Dollars and cents; a cost that would round to nothing says so."""
    return "<$0.01" if 0 < cost_usd < 0.005 else f"${cost_usd:,.2f}"


def human_duration(seconds: float) -> str:
    """``45s``, ``2m10s``, ``1h05m``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    return f"{minutes // 60}h{minutes % 60:02}m"


def shown(path: Path) -> str:
    """A path relative to where the user stands, when that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)


def printable(text: str) -> str:
    """``text`` with control characters other than newline and tab as escapes (``\\x1b``)."""
    return "".join(
        char if char in "\n\t" or char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _columns(summaries: Sequence[Summary]) -> list[_Column]:
    columns = [
        _Column("model", lambda summary: printable(summary.model), left=True),
        _Column("arch", lambda summary: summary.arch, left=True),
        _Column("prompt", lambda summary: printable(summary.prompt), left=True),
        _Column("level", _level, left=True),
        _Column("ACC", format_acc),
        _Column("95% interval", _interval, rank=1),
        _Column("ACC+Perf", format_acc_perf),
        _Column("first → debugged", _first_and_debugged, rank=5),
        _Column("debug rounds", lambda summary: _number(summary.mean_debug_rounds), rank=6),
        _Column("speed-up", lambda summary: _number(summary.median_speedup, "\N{MULTIPLICATION SIGN}"), rank=2),
        _Column("geometric mean", _geomean, rank=8),
        _Column("no slower", _no_slower, rank=8),
        _Column("instructions", lambda summary: _number(summary.instruction_ratio, "\N{MULTIPLICATION SIGN}"), rank=3),
        _Column("stack", lambda summary: _cost_ratio(summary, "stack_bytes"), rank=9, no_news=_SAME),
        _Column(_STATIC, lambda summary: _cost_ratio(summary, "static_cycles"), rank=9, no_news=_SAME),
        _Column("memory", lambda summary: _cost_ratio(summary, "peak_bytes"), rank=10, no_news=_SAME),
        _Column("energy", lambda summary: _cost_ratio(summary, "energy_uj"), rank=6, no_news=_SAME),
        _Column("tokens in/out", _tokens, rank=7),
        _Column("cost", _cost, rank=4),
    ]
    largest = max((max(summary.pass_at_k) for summary in summaries if summary.pass_at_k), default=0)
    if largest > 1:
        columns.insert(6, _Column(f"pass@{largest}", lambda summary: _pass_at(summary, largest), rank=3))
    return columns


def _has_figures(column: _Column, summaries: Iterable[Summary]) -> bool:
    return any(column.cell(summary) not in (NONE, "0/0", *column.no_news) for summary in summaries)


def _fitting(columns: Sequence[_Column], summaries: Sequence[Summary], width: int, *, least_rank: int) -> list[_Column]:
    """``columns`` without as many of ``least_rank`` and above, highest first, as ``width`` asks for."""
    kept = list(columns)
    for column in sorted(columns, key=lambda column: column.rank, reverse=True):
        if column.rank >= least_rank and _width(kept, summaries) > width:
            kept.remove(column)
    return kept


def _shared_names(columns: Iterable[_Column], summaries: Sequence[Summary]) -> dict[str, str]:
    """Names that are the same in every row, by column title; the model stays, so that a row has a name."""
    cells = {
        column.title: {column.cell(summary) for summary in summaries}
        for column in columns
        if column.left and column.title != "model"
    }
    return {title: names.pop() for title, names in cells.items() if len(names) == 1}


def _column_width(column: _Column, summaries: Iterable[Summary]) -> int:
    return max(len(column.title), *(len(column.cell(summary)) for summary in summaries))


def _width(columns: Sequence[_Column], summaries: Sequence[Summary]) -> int:
    return sum(_column_width(column, summaries) for column in columns) + len(_GAP) * (len(columns) - 1)


def _table(columns: Sequence[_Column], summaries: Sequence[Summary], width: int | None) -> list[str]:
    widths = {column.title: _column_width(column, summaries) for column in columns}
    excess = 0 if width is None else _width(columns, summaries) - width
    for title in ("prompt", "model"):
        if title in widths and excess > 0:
            cut = max(0, min(excess, widths[title] - _MIN_NAME_WIDTH))
            widths[title] -= cut
            excess -= cut

    def line(cells: Iterable[str]) -> str:
        fitted = (
            _cut(cell, widths[column.title]).ljust(widths[column.title])
            if column.left
            else cell.rjust(widths[column.title])
            for column, cell in zip(columns, cells, strict=True)
        )
        return _GAP.join(fitted).rstrip()

    rule = _GAP.join("─" * widths[column.title] for column in columns)
    rows = [line(column.cell(summary) for column in columns) for summary in summaries]
    return [line(column.title for column in columns), rule, *rows]


def _cut(name: str, width: int) -> str:
    """The end of a model's or prompt's name tells more than its beginning (``…/prompts/mine.md``)."""
    return name if len(name) <= width else "…" + name[len(name) - width + 1 :]


def _footnotes(summaries: Sequence[Summary], shown: Container[str], *, imported: bool) -> list[str]:
    """``shown`` are the titles of the columns that the table has."""
    notes: list[str] = []
    if any(summary.unjudged for summary in summaries):
        notes.append("Incomplete: run the same command again; it retries only what is unjudged.")
    for state, why in (
        ("emulated", "emulated here, and an emulated time is never compared"),
        ("off", "not timed natively (off for the level, --nc-no-time, or not this machine's arch)"),
    ):
        rows = [summary for summary in summaries if summary.judged and summary.perf_state == state]
        names = list(dict.fromkeys(f"{summary.arch} {summary.level}" for summary in rows))
        if names:
            notes.append(f"{NONE} ACC+Perf of {', '.join(names)}: {why}.")
    free = {r.task for s in summaries for r in s.records if r.input_free and (r.timing or {}).get("outcome")}
    if free:
        notes.append(
            f"{', '.join(sorted(free))}: without inputs, so either side may be a constant; in ACC+Perf as any "
            "other, left out of speed-ups."
        )
    costs = [(r.timing or {}).get("costs") or {} for summary in summaries for r in summary.records]
    analysed = [c["static_cpu"] for c in costs if c.get("static_cpu")]
    if analysed and _STATIC in shown:
        notes.append(
            f"{_STATIC.capitalize()}: what llvm-mca expects of {', '.join(sorted(set(analysed)))}, for the "
            f"{_counted(len(analysed), 'item')} whose code is one loop; no measurement."
        )
    if any(summary.unpriced and summary.cost_usd is not None for summary in summaries):
        notes.append("≥ Cost: some replies have no known price.")
    undefined = {r.task: r.discarded_vectors for summary in summaries for r in summary.records if r.discarded_vectors}
    if undefined:
        notes.append(
            f"{sum(undefined.values())} inputs of {_counted(len(undefined), 'task')} were discarded and others drawn: "
            "the C is undefined on them."
        )
    most = max(summary.samples for summary in summaries)
    if most > 1:
        notes.append(f"ACC is pass@1: the mean over tasks of {most} samples; the interval counts tasks.")
    if not imported:
        notes.append(
            "Not comparable with published figures: ours is one pass per call, on loops that are not the "
            "imported release."
        )
    return notes


def _wrapped(text: str, width: int | None) -> list[str]:
    if width is None or len(text) <= width:
        return [text]
    return textwrap.wrap(text, max(width, 20), subsequent_indent="  ", break_long_words=False)


def _level(summary: Summary) -> str:
    return summary.level if summary.split == "all" else f"{summary.level}/{summary.split}"


def _interval(summary: Summary) -> str:
    if summary.acc_ci is None or summary.unjudged:
        return NONE
    low, high = summary.acc_ci
    return f"{low * 100:.1f}\N{EN DASH}{high * 100:.1f}%"


def _first_and_debugged(summary: Summary) -> str:
    if summary.acc_first is None or summary.acc_initial is None or summary.unjudged:
        return NONE
    return f"{summary.acc_first:.1%} → {summary.acc_initial:.1%}"


def _pass_at(summary: Summary, k: int) -> str:
    share = (summary.pass_at_k or {}).get(k)
    return NONE if share is None or summary.unjudged else f"{share:.1%}"


def _number(value: float | None, unit: str = "") -> str:
    return NONE if value is None else f"{value:.2f}{unit}"


def _cost_ratio(summary: Summary, name: str) -> str:
    """Candidates to references."""
    return _number(summary.cost_ratios.get(name), "\N{MULTIPLICATION SIGN}")


def _geomean(summary: Summary) -> str:
    if summary.geomean_speedup is None:
        return NONE
    interval = "" if summary.geomean_ci is None else " ({:.2f} to {:.2f})".format(*summary.geomean_ci)
    return f"{summary.geomean_speedup:.2f}\N{MULTIPLICATION SIGN}{interval}"


def _no_slower(summary: Summary) -> str:
    return NONE if summary.no_slower is None else f"{summary.no_slower}/{summary.perf_judged}"


def _tokens(summary: Summary) -> str:
    return f"{human_count(summary.tokens_in)}/{human_count(summary.tokens_out)}"


def _cost(summary: Summary) -> str:
    if summary.cost_usd is None:
        return NONE
    return ("≥" if summary.unpriced else "") + human_cost(summary.cost_usd)


def _trajectory(record: Record) -> str:
    """How the item came to its verdict, in rounds."""
    parts = [f"first reply: {record.first_verdict}", f"{_counted(record.debug_rounds, 'self-debug round')}"]
    if record.opt_rounds:
        parts.append(f"then: {record.initial_verdict}")
        parts.append(_counted(record.opt_rounds, "optimisation round"))
    return "rounds:     " + ", ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
