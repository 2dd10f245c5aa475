"""``neucomback tasks card``: what the bundled tasks are, in numbers (docs/dataset-card.md).

Lines, variables and nesting are read from clang's syntax tree and from the -O3 IR; the strength of the oracle from the
JSON that ``neucomback calibrate`` writes.
"""

from __future__ import annotations

import itertools
import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clang.cindex as ci

from .errors import ConfigError
from .similarity import TOO_ALIKE, alike
from .tasks import SPLITS, Task
from .toolchain import Toolchain, clang_resource_dir

IR_BINS = (0, 60, 80, 100, 150, 200, 300, 500, 1_000_000)
C_BINS = (0, 10, 20, 30, 50, 75, 100, 150, 1_000_000)
BAR = 40
"""Characters of the longest bar of a histogram."""
_LOOPS = (ci.CursorKind.FOR_STMT, ci.CursorKind.WHILE_STMT, ci.CursorKind.DO_STMT)
_BRANCHES = (ci.CursorKind.IF_STMT, ci.CursorKind.SWITCH_STMT, ci.CursorKind.CONDITIONAL_OPERATOR)
_SIGNIFICANT: dict[str, Callable[[Task], bool]] = {
    "external calls": lambda t: bool(t.externals),
    "floating point": lambda t: bool({"float", "double"} & set(t.features)),
    "structs or unions": lambda t: bool(
        {"struct", "union", "nested-struct", "packed-struct", "struct-by-value", "struct-return"} & set(t.features)
    ),
    "64-bit arithmetic": lambda t: "int64" in t.features,
    "recursion": lambda t: "recursion" in t.features,
    "volatile registers": lambda t: "volatile" in t.features,
    "function pointers": lambda t: bool({"function-pointer", "callback"} & set(t.features)),
    "variadic calls": lambda t: "varargs-call" in t.features,
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """What one task's C and IR look like."""

    c_lines: int
    """Of the function and its static helpers, without blank lines and comments."""
    ir_lines: int
    """Of the whole -O3 module for x86-64, as a model reads it."""
    variables: int
    """Parameters and locals of all its functions, and the globals and tables they name."""
    branch_depth: int
    """if, switch and ?: inside one another, at most."""
    loop_depth: int
    loops: int


def shape_of(toolchain: Toolchain, task: Task) -> Shape:
    """Measure one task. Raises HarnessError when its C does not compile."""
    ir = toolchain.emit_ir(task, "O3")
    include = f"-isystem{clang_resource_dir(toolchain.clang) / 'include'}"
    arguments = [f"--target={toolchain.arch.triple}", "-std=gnu11", "-nostdinc", include]
    unit = ci.Index.create().parse(str(task.c_path), args=arguments)
    variables: set[str] = set()
    depth, loop_depth, loops, lines = 0, 0, 0, set[int]()
    for cursor in unit.cursor.get_children():
        if not cursor.is_definition() or cursor.kind != ci.CursorKind.FUNCTION_DECL:
            continue
        if cursor.location.file is None or cursor.location.file.name != str(task.c_path):
            continue
        for token in cursor.get_tokens():
            if token.kind != ci.TokenKind.COMMENT:
                lines.add(token.location.line)
        found = _walk(cursor, 0, 0, variables)
        depth, loop_depth, loops = max(depth, found[0]), max(loop_depth, found[1]), loops + found[2]
    return Shape(len(lines), len(ir.splitlines()), len(variables), depth, loop_depth, loops)


def _walk(cursor: Any, branches: int, loops: int, variables: set[str]) -> tuple[int, int, int]:
    """Deepest nesting of branches and of loops below, and how many loops there are."""
    deepest, deepest_loop, count = branches, loops, 0
    if cursor.kind in (ci.CursorKind.VAR_DECL, ci.CursorKind.PARM_DECL):
        variables.add(cursor.get_usr() or f"{cursor.spelling}:{cursor.location.offset}")
    elif cursor.kind == ci.CursorKind.DECL_REF_EXPR and cursor.referenced is not None:
        target = cursor.referenced
        if target.kind == ci.CursorKind.VAR_DECL:
            variables.add(target.get_usr() or f"{target.spelling}:{target.location.offset}")
    children = list(cursor.get_children())
    for number, child in enumerate(children):
        # `else if` is one more arm, not one level deeper
        arm = cursor.kind == ci.CursorKind.IF_STMT and number == 2 and child.kind == ci.CursorKind.IF_STMT
        below = _walk(
            child,
            branches + (child.kind in _BRANCHES and not arm),
            loops + (child.kind in _LOOPS),
            variables,
        )
        deepest, deepest_loop = max(deepest, below[0]), max(deepest_loop, below[1])
        count += below[2] + (child.kind in _LOOPS)
    return deepest, deepest_loop, count


def card(
    toolchain: Toolchain, tasks: Sequence[Task], *, strengths: Iterable[Path] = (), jobs: int = 2
) -> tuple[str, list[str]]:
    """The card as Markdown, and what it finds wrong with the set (near-duplicates).

    Raises ConfigError when a file of ``strengths`` is not what ``neucomback calibrate --json`` writes.
    """
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        shapes = dict(zip((t.id for t in tasks), pool.map(lambda t: shape_of(toolchain, t), tasks), strict=True))
    levels = sorted({t.level for t in tasks})
    by_level = {level: [t for t in tasks if t.level == level] for level in levels}
    strength = _strengths(strengths)
    lines = [
        "# The bundled tasks",
        "",
        "Written by `neucomback tasks card`. Lines of C are those of the function and its static helpers, without",
        "blanks and comments; IR is the whole -O3 module for x86-64 as a model reads it.",
        "",
        *_overview(by_level, shapes),
    ]
    complaints: list[str] = []
    for level, some in by_level.items():
        lines += ["", f"## {level.upper()}", ""]
        lines += _fields(some, shapes)
        if any(t.features for t in some):
            lines += ["", *_features(some)]
        lines += ["", *_histogram("Lines of C", C_BINS, [shapes[t.id].c_lines for t in some])]
        lines += ["", *_histogram("Lines of -O3 IR", IR_BINS, [shapes[t.id].ir_lines for t in some])]
        pairs = alike({t.id: toolchain.emit_ir(t, "O3") for t in some})
        lines += ["", *_likeness(pairs, level)]
        if level == "l1":  # TSVC's loops are variations on a theme by design
            complaints += [
                f"{a} and {b} share {share:.0%} of their code" for share, a, b in pairs if share >= TOO_ALIKE
            ]
    if strength:
        lines += ["", *_strength_table(tasks, strength)]
    return "\n".join([*lines, "", _ORIGIN, ""]), complaints


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(str(c) for c in row) + " |" for row in rows),
    ]


def _spread(values: Sequence[int]) -> str:
    return f"{min(values)} / {statistics.median(values):g} / {max(values)}"


def _overview(by_level: Mapping[str, Sequence[Task]], shapes: Mapping[str, Shape]) -> list[str]:
    def row(name: str, value: Callable[[Sequence[Task]], str]) -> list[str]:
        return [name, *(value(tasks) for tasks in by_level.values())]

    def spread(field: str) -> Callable[[Sequence[Task]], str]:
        return lambda tasks: _spread([getattr(shapes[t.id], field) for t in tasks])

    def mean(field: str) -> Callable[[Sequence[Task]], str]:
        return lambda tasks: f"{statistics.mean(getattr(shapes[t.id], field) for t in tasks):.2f}"

    rows = [
        row("tasks", lambda tasks: str(len(tasks))),
        row("train / valid / test", lambda ts: " / ".join(str(sum(t.split == s for t in ts)) for s in SPLITS)),
        row("fields", lambda tasks: str(len({t.category for t in tasks}))),
        row("lines of C, least / median / most", spread("c_lines")),
        row("lines of -O3 IR", spread("ir_lines")),
        row("variables, mean", mean("variables")),
        row("branches inside one another, mean of the deepest", mean("branch_depth")),
        row("loops inside one another, mean of the deepest", mean("loop_depth")),
        row("loops, mean", mean("loops")),
        row("with calls out", lambda tasks: str(sum(bool(t.externals) for t in tasks))),
    ]
    head = ["", *(level.upper() for level in by_level)]
    return [
        *_table(head, rows),
        "",
        "The published sets have 13.73 (L1) and 26.06 (L2) variables on average, and 69 / 99 / 1139 lines of IR (L1).",
        "There a pass over a TSVC loop is repeated inside the function; here it is one pass, with fewer variables.",
    ]


def _fields(tasks: Sequence[Task], shapes: Mapping[str, Shape]) -> list[str]:
    rows = []
    for field in sorted({t.category for t in tasks}):
        some = [t for t in tasks if t.category == field]
        rows.append(
            [
                field,
                len(some),
                " / ".join(str(sum(t.split == s for t in some)) for s in SPLITS),
                _spread([shapes[t.id].c_lines for t in some]),
                _spread([shapes[t.id].ir_lines for t in some]),
            ]
        )
    return _table(["field", "tasks", "train / valid / test", "lines of C", "lines of IR"], rows)


def _features(tasks: Sequence[Task]) -> list[str]:
    counted = Counter(f for t in tasks for f in t.features)
    rows = [[name, sum(bool(test(t)) for t in tasks)] for name, test in _SIGNIFICANT.items()]
    listed = ", ".join(f"{name} {count}" for name, count in sorted(counted.items(), key=lambda p: (-p[1], p[0])))
    return [*_table(["tasks with", "number"], rows), "", f"Features, as the tasks name them: {listed}."]


def _histogram(title: str, bins: Sequence[int], values: Sequence[int]) -> list[str]:
    counts = [sum(low <= v < high for v in values) for low, high in itertools.pairwise(bins)]
    most = max(counts)
    rows = []
    for (low, high), count in zip(itertools.pairwise(bins), counts, strict=True):
        label = f"{low}-{high - 1}" if high < 1_000_000 else f"{low} and more"
        rows.append(f"{label:>14} {count:4} {'#' * round(BAR * count / most)}".rstrip())
    return [f"{title}:", "", "```", *rows, "```"]


def _likeness(pairs: Sequence[tuple[float, str, str]], level: str) -> list[str]:
    top = "; ".join(f"{a} and {b} {share:.0%}" for share, a, b in pairs[:5])
    above = sum(share >= TOO_ALIKE for share, _, _ in pairs)
    text = (
        f"Near-duplicates (at least {TOO_ALIKE:.0%} of all runs of four IR instructions in common, names and numbers "
        f"aside): {above} of {len(pairs)} pairs. Most alike: {top}."
    )
    return [text + (" Many TSVC loops are variations of one another by design." if level == "l2" and above else "")]


def _strengths(paths: Iterable[Path]) -> dict[tuple[str, str], Mapping[str, Any]]:
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for path in paths:
        try:
            data = json.loads(path.read_text())
            for entry in data["tasks"]:
                found[(entry["task"], entry["arch"])] = entry
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path}: not written by `neucomback calibrate --json` ({error})") from None
    return found


def _strength_table(tasks: Sequence[Task], strength: Mapping[tuple[str, str], Mapping[str, Any]]) -> list[str]:
    arches = sorted({arch for _, arch in strength})
    rows = []
    for task in tasks:
        cells = []
        for arch in arches:
            entry = strength.get((task.id, arch))
            cells.append(f"{entry['killed']} + {entry['equivalent']} of {entry['mutants']}" if entry else "")
        if any(cells):
            rows.append([task.id, task.level, task.category, *cells])
    return [
        "## Strength of the oracle by task",
        "",
        "Mutants killed + shown to be equivalent, of how many were made (`neucomback calibrate`).",
        "",
        *_table(["task", "level", "field", *arches], rows),
    ]


_ORIGIN = """\
## Origin and licence

L1 was written for this suite, function by function, in the manner of embedded products; nothing was taken from
ExeBench or any other collection. L2 follows the mathematical definition of the loops of TSVC (Callahan, Dongarra
and Levine 1988; Maleki et al. 2011); its C was written anew. All of it is under the licence of this repository
(Apache-2.0).

## Contamination

TSVC and what compilers make of it have been public for decades: a model may know the L2 loops by heart, though not in
this form. L1 was first published here in 2026; a model trained on later crawls may have seen it. A suite of one's own
(`--nc-suite`) shows how much that matters. Inputs are drawn anew for each run, so no answer can be learnt, only a
program."""
