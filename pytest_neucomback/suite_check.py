"""``neucomback tasks check``: what a task's author wants to know before anybody else runs it.

C that compilers warn about, IR that is too short, inputs on which the C is undefined, edges that nothing draws,
branches that no input reaches, tasks that say the same thing twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .arches import host_arch
from .branches import Reach, find_vectors, reach
from .errors import ConfigError, NeucombackError
from .inputs import draw
from .sandbox import run_tool
from .similarity import TOO_ALIKE, alike
from .tasks import Task, bundled_folder, load_task
from .toolchain import Toolchain
from .undefined import DefinedInputs

SHORTEST_IR = {"l1": 60}
"""Lines of -O3 IR that a bundled task of the level has at least; the shortest published one has 69."""
TRIED = 200
"""Random vectors drawn besides the fixed ones."""
SEARCHED = 4000
"""Random vectors tried for branches that the fixed ones miss."""
_WARNINGS = ("-Wall", "-Wextra", "-Wno-unused", "-Wno-unknown-warning-option", "-fsyntax-only")


@dataclass
class Finding:
    """All there is to say of one task."""

    task: str
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ir_lines: int = 0
    reach: Reach | None = None
    stored: list[int] = field(default_factory=list)
    """Numbers of random vectors worth storing."""

    @property
    def ok(self) -> bool:
        return not self.problems


def find_task_files(names: Sequence[str], suites: Sequence[str]) -> list[Path]:
    """YAML files of the named tasks (all without names). Raises ConfigError for names that no suite has."""
    folders = [bundled_folder() if s == "bundled" else Path(s).expanduser() for s in suites or ("bundled",)]
    known = {p.stem: p for folder in folders for p in sorted(folder.rglob("*.yaml")) if p.with_suffix(".c").exists()}
    if not names:
        return list(known.values())
    paths = []
    for name in names:
        path = Path(name).with_suffix(".yaml")
        if name in known:
            paths.append(known[name])
        elif path.exists():
            paths.append(path)
        else:
            raise ConfigError(f"no task {name!r} in {', '.join(map(str, folders))}")
    return paths


def check(
    paths: Iterable[Path],
    *,
    cache: Path,
    search: bool,
    jobs: int,
    done: Callable[[Finding], None] = lambda _: None,
    others: Sequence[Path] = (),
) -> list[Finding]:
    """Look at tasks one by one, then at how alike they and ``others`` are.

    Raises ToolMissing when clang or llvm's coverage tools are not installed, ConfigError on hosts that no row of the
    table of architectures describes.
    """
    host = host_arch()
    if host is None:
        raise ConfigError("tasks are checked on one of the architectures of arches.yaml, and this machine is none")
    toolchain = Toolchain(host, cache=cache)
    irs: dict[str, str] = {}

    def one(path: Path) -> Finding:
        finding = Finding(path.stem)
        try:
            task = load_task(path)
            irs[task.name] = toolchain.emit_ir(task, "O3")
            _check_task(toolchain, task, irs[task.name], finding, search=search)
        except NeucombackError as error:
            finding.problems.append(str(error))
        done(finding)
        return finding

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        findings = list(pool.map(one, paths))
    by_name = {f.task: f for f in findings}
    for path in others:
        if path.stem not in irs:
            try:
                irs[path.stem] = toolchain.emit_ir(load_task(path), "O3")
            except NeucombackError:
                continue  # its own check says so
    for share, a, b in alike(irs, names=list(by_name)):
        if share < TOO_ALIKE:
            break
        for name, other in ((a, b), (b, a)):
            if name in by_name:
                by_name[name].problems.append(f"near-duplicate of {other}: {share:.0%} of their code is the same")
    return findings


def _check_task(toolchain: Toolchain, task: Task, ir: str, finding: Finding, *, search: bool) -> None:
    for compiler in ("clang", "gcc"):
        command = [*toolchain.compiler_command(compiler, "O2"), *_WARNINGS, task.c_path.name]
        command = [part for part in command if part != "-w"]
        said = run_tool(command, cwd=task.c_path.parent).output
        if found := re.findall(r"(?m)^.*(?:warning|error): .*$", said):
            finding.problems.append(f"{compiler} warns: {found[0]}")
    finding.ir_lines = len(ir.splitlines())
    if finding.ir_lines < SHORTEST_IR.get(task.level, 0):
        finding.problems.append(f"its -O3 IR has {finding.ir_lines} lines, of {SHORTEST_IR[task.level]} at least")
    for edge in task.edges:
        if not re.search(rf"['\"]{re.escape(edge)}['\"]", task.draw):
            finding.problems.append(f"draw does nothing for the edge {edge!r}")
    plan = toolchain.plan(task)
    defined = DefinedInputs(plan, toolchain, toolchain, sandbox=toolchain.sandbox)
    with defined.checking() as is_defined:
        bad = []
        for number in range(TRIED):
            vector = draw(plan, f"stored:{number}")
            if not is_defined(vector):
                bad.append(f"{defined.why} on {vector.label}")
        if bad:
            finding.problems.append(f"its C is undefined on {len(bad)} of {TRIED} random vectors; first: {bad[0]}")
    finding.reach = seen = reach(toolchain, task)
    if seen.discarded:
        finding.problems.append(f"its C is undefined on {seen.discarded} fixed vectors")
    finding.problems += [f"unreachable: {line!r} is reached, or is no line of the C" for line in seen.idle]
    missed = list(seen.missed)
    if missed and search:
        finding.stored, missed = find_vectors(toolchain, task, most=SEARCHED)
    finding.problems += [str(side) for side in missed]


def store_vectors(path: Path, numbers: Sequence[int]) -> None:
    """Add numbers of random vectors to a task's ``vectors``."""
    text = path.read_text(encoding="utf-8")
    task = load_task(path)
    merged = sorted({*task.vectors, *numbers})
    line = f"vectors: [{', '.join(map(str, merged))}]\n"
    if re.search(r"(?m)^vectors:.*\n", text):
        text = re.sub(r"(?m)^vectors:.*\n", line, text)
    else:
        head, tail = re.split(r"(?m)^(?=provenance:)", text, maxsplit=1) if "\nprovenance:" in text else (text, "")
        text = f"{head}{line}{tail}"
    path.write_text(text, encoding="utf-8")
