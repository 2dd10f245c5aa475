"""learn.html: what prompt learning did, as one page without scripts or outside files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from .atomic import save_text
from .learning import Result, outcome_json

WIDTH, HEIGHT, MARGIN = 640, 240, 44

_STYLE = """
:root { --ink: #1d2733; --soft: #5c6b7a; --line: #d8dee6; --good: #1a7f4b; --bad: #b3372f; --mark: #2b62c4; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); } h3 { margin-top: 1.8rem; }
table { border-collapse: collapse; margin: .6rem 0; } td, th { padding: .25rem .7rem; text-align: left; }
th { color: var(--soft); font-weight: 600; } tr { border-bottom: 1px solid var(--line); } td.n { text-align: right; }
.kind { display: inline-block; min-width: 5.6rem; color: var(--soft); font-size: .85rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .soft { color: var(--soft); }
li { margin: .25rem 0; } details { margin: .4rem 0; } summary { cursor: pointer; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
"""


def write_learn_page(results: Sequence[Result], path: Path) -> None:
    """Write the page. Raises NeucombackError when the disk does not take it."""
    body = "".join(_subject(outcome_json(r)) for r in results) or "<p>Nothing was learned.</p>"
    page = (
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8><title>Prompt learning</title>"
        f"<meta name=viewport content='width=device-width'><style>{_STYLE}</style></head>"
        f"<body><h1>Prompt learning</h1>{body}</body></html>\n"
    )
    save_text(path, page)


def _subject(data: Mapping[str, Any]) -> str:
    title = f"<h2>{escape(data['model'])} on {escape(data['arch'])}, {escape(data['level'])}</h2>"
    if data["error"]:
        title += f"<p class=bad>{escape(data['error'])}</p>"
    if "epochs" not in data:
        return title
    parts = [title, _facts(data), _chart(data["epochs"], data["winner"]), _epochs(data["epochs"], data["winner"])]
    if "test" in data:
        parts.append(_test(data["test"]))
    winner = next(e for e in data["epochs"] if e["epoch"] == data["winner"])
    parts.append(_rules(winner["rules"], data["batches"]))
    parts.append("<h3>Batches</h3>")
    parts += [_batch(b) for b in data["batches"]]
    return "".join(parts)


def _facts(data: Mapping[str, Any]) -> str:
    cost = "" if data["cost_usd"] is None else f", ${data['cost_usd']:.2f}"
    stopped = f"<p>Stopped early: {escape(data['stopped'])}.</p>" if data["stopped"] else ""
    stored = f"<p>Stored as <code>{escape(Path(data['stored']).name)}</code>.</p>" if data["stored"] else ""
    splits = data["splits"]
    return (
        f"<p>{len(splits['train'])} tasks to learn from, {len(splits['valid'])} to select on; "
        f"{data['tokens_in']:,} tokens in, {data['tokens_out']:,} out{cost}.</p>{stopped}{stored}"
    )


def _chart(epochs: Sequence[Mapping[str, Any]], winner: int) -> str:
    """ACC on valid by epoch, with 95 % intervals."""
    step = (WIDTH - 2 * MARGIN) / max(len(epochs) - 1, 1)

    def at(share: float) -> float:
        return HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN)

    parts = [f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' width={WIDTH} role=img aria-label='ACC on valid by epoch'>"]
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = at(share)
        parts.append(f"<line x1={MARGIN} x2={WIDTH - MARGIN} y1={y:.1f} y2={y:.1f} stroke='#d8dee6'/>")
        parts.append(f"<text x={MARGIN - 8} y={y + 4:.1f} text-anchor=end>{share:.0%}</text>")
    points = []
    for number, epoch in enumerate(epochs):
        x, y = MARGIN + number * step, at(epoch["correct"] / epoch["tasks"])
        low, high = epoch["acc_ci"]
        colour = "#1a7f4b" if epoch["epoch"] == winner else "#2b62c4"
        parts.append(f"<line x1={x:.1f} x2={x:.1f} y1={at(low):.1f} y2={at(high):.1f} stroke='{colour}' opacity=.35 "
                     "stroke-width=6 stroke-linecap='round'/>")  # fmt: skip
        parts.append(f"<circle cx={x:.1f} cy={y:.1f} r=5 fill='{colour}'><title>{epoch['correct']}/{epoch['tasks']}"
                     "</title></circle>")  # fmt: skip
        parts.append(f"<text x={x:.1f} y={HEIGHT - MARGIN + 22} text-anchor=middle>epoch {epoch['epoch']}</text>")
        points.append(f"{x:.1f},{y:.1f}")
    parts.append(
        f"<polyline points='{' '.join(points)}' fill=none stroke='#2b62c4' stroke-width=1.5 opacity=.6 /></svg>"
    )
    return "".join(parts)


def _epochs(epochs: Sequence[Mapping[str, Any]], winner: int) -> str:
    rows = ""
    for epoch in epochs:
        rounds = "" if epoch["mean_debug_rounds"] is None else f"{epoch['mean_debug_rounds']:.2f}"
        faster = "" if epoch["faster"] is None else str(epoch["faster"])
        low, high = epoch["acc_ci"]
        mark = " <span class=good>winner</span>" if epoch["epoch"] == winner else ""
        rows += (
            f"<tr><td>{epoch['epoch']}{mark}</td><td class=n>{epoch['correct']}/{epoch['tasks']}</td>"
            f"<td class=n>{low:.0%} to {high:.0%}</td><td class=n>{faster}</td><td class=n>{rounds}</td>"
            f"<td class=n>{len(epoch['rules'])}</td><td class=n>{epoch['tried']}</td></tr>"
        )
    titles = ("epoch", "correct on valid", "95 % interval", "faster", "self-debug rounds", "rules", "tasks tried")
    head = f"<tr>{''.join(f'<th>{title}</th>' for title in titles)}</tr>"
    return f"<table>{head}{rows}</table>"


def _test(test: Mapping[str, Any]) -> str:
    a, b = test["baseline"], test["winner"]
    names = {"won": "good", "lost": "bad"}
    lists = "".join(
        f"<p class={colour}>{what}: {escape(', '.join(test[what])) or 'none'}</p>" for what, colour in names.items()
    )
    return (
        f"<h3>Test split</h3><p>{a['correct']}/{a['tasks']} without rules, {b['correct']}/{b['tasks']} with them; "
        f"McNemar's exact p {test['p_value']:.3g}.</p>{lists}"
    )


def _rules(rules: Sequence[Mapping[str, Any]], batches: Sequence[Mapping[str, Any]]) -> str:
    """The winner's rules, each with the insights of the trajectories it rests on."""
    insights: dict[str, list[str]] = {}
    for batch in batches:
        for insight in batch["insights"]:
            insights.setdefault(insight["task"], []).append(insight["text"])
    rows = ""
    for rule in rules:
        counts = f" <span class=good>helped {rule['helped']}</span>" if rule["helped"] else ""
        counts += f" <span class=bad>harmed {rule['harmed']}</span>" if rule["harmed"] else ""
        tree = ""
        for task in rule["sources"]:
            taught = "; ".join(dict.fromkeys(insights.get(task, ["no insight kept"])))
            tree += f"<li><code>{escape(task)}</code>: {escape(taught)}</li>"
        summary = f"<summary class=soft>from {len(rule['sources'])} trajectories</summary>"
        sources = f"<details>{summary}<ul>{tree}</ul></details>"
        rows += (
            f"<li><span class=kind>{escape(rule['kind'])}</span> {escape(rule['text'])}{counts}"
            f"{sources if rule['sources'] else ''}</li>"
        )
    return f"<h3>Rules of the winner</h3><ol>{rows}</ol>" if rows else "<h3>Rules of the winner</h3><p>None.</p>"


def _batch(batch: Mapping[str, Any]) -> str:
    solved = sum(o == "correct" for o in batch["outcomes"].values())
    gate = f", gate {escape(batch['gate'])}" if batch["gate"] else ""
    head = f"epoch {batch['epoch']}, batch {batch['batch']}: {solved}/{len(batch['outcomes'])} solved{gate}"
    parts = ["<ul>"]
    parts += [f"<li><code>{escape(t)}</code> {escape(o.replace('_', ' '))}</li>" for t, o in batch["outcomes"].items()]
    for insight in batch["insights"]:
        parts.append(
            f"<li class=soft>insight from <code>{escape(insight['task'])}</code>: {escape(insight['text'])}</li>"
        )
    for change in batch["changes"]:
        colour, word = ("good", "applied") if change["applied"] else ("bad", "refused")
        why = f" ({escape(change['why'])})" if change["why"] else ""
        parts.append(f"<li class={colour}>{word}: {escape(change['change'])}{why}</li>")
    parts += [f"<li class=bad>kept out: {escape(text)}</li>" for text in batch["refused"]]
    return f"<details><summary>{head}</summary>{''.join(parts)}</ul></details>"
