"""``neucomback experiment``: the paper's tables, each a list of pytest command lines, with its figures beside ours.

``experiments.yaml`` says what is run. ``make_plan`` turns a table and the user's choices into steps and writes nothing;
``run`` runs what is not finished. What it costs is in ``experiment_costs``, what it came to in ``experiment_report``;
docs/experiments.md describes repeats, folders and budgets.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .arches import load_arches
from .atomic import save_text
from .errors import ConfigError, NeucombackError
from .models import ApiModel, Model, resolve_model
from .models.registry import registry_with
from .prompt_store import prompt_yaml
from .prompts import Prompt, Rule, load_prompt, read_prompt
from .records import load_results
from .tasks import SPLITS, Task, load_suites, select
from .types import Outcome

ROOT = Path("reports/experiments")
"""Where all that experiments make is kept, from the folder they are run in."""
REPLY_TOKENS = 6_000
"""Assumed mean length of a reply, reasoning included; for estimates."""
RULES_CHARS = 6_000
"""Assumed length of a learned prompt's rules as long as it is not learned."""
METRICS = {
    "acc": "ACC",
    "acc_perf": "ACC+Perf",
    "acc_initial": "ACC",
    "acc_perf_initial": "ACC+Perf",
    "mean_debug_rounds": "self-debug rounds",
}
"""Figures that a row can have, and what they are called."""
_DATA = Path(__file__).with_name("experiments.yaml")
_LEARNED_FILE = "learned.yaml"
_MARK = "experiment.json"
"""In a step's folder once the step is finished: what decided its result."""


# --- the tables -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Learning:
    """How a prompt is learned."""

    level: str
    debug_rounds: int


@dataclass(frozen=True)
class Condition:
    """One column or row of a table: what is asked of a model."""

    name: str
    level: str
    splits: tuple[str, ...]
    """Empty: all."""
    arch: str
    debug_rounds: int
    prompt: str | None
    """``baseline``, ``expert``, ``learned``; None when the table looks at the learned prompt only."""
    opt_rounds: int = 0
    learn: Learning | None = None
    model: str | None = None
    """None: the table's or the user's."""
    time: bool = True
    """False: never timed, since the table has no use for it."""


@dataclass(frozen=True)
class Row:
    """Figures of one condition."""

    label: str
    condition: str
    published: Mapping[str, str | None]
    """By name of METRICS, as the paper writes it (``20/40``, ``0.28``); None where it has no such figure."""
    split: str | None = None
    """Look at this split only."""


@dataclass(frozen=True)
class Table:
    """One table of the paper."""

    name: str
    title: str
    setting: str
    models: tuple[str, ...]
    conditions: tuple[Condition, ...]
    rows: tuple[Row, ...]
    pairs: tuple[tuple[str, str], ...] = ()
    """Conditions that are compared task by task."""
    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Published examples of learned rules, by kind."""
    note: str = ""
    learning: Mapping[str, Any] = field(default_factory=dict)
    """Epochs, batch and extensions of learning."""


def load_tables() -> dict[str, Table]:
    """All tables of ``experiments.yaml``."""
    data = yaml.safe_load(_DATA.read_text(encoding="utf-8"))
    return {
        name: Table(
            name=name,
            title=raw["title"],
            setting=raw["setting"],
            models=tuple(data["models"]),
            conditions=tuple(_condition(key, {**raw["all"], **own}) for key, own in raw["conditions"].items()),
            rows=tuple(_row(row) for row in raw["rows"]),
            pairs=tuple((a, b) for a, b in raw.get("pairs", [])),
            kinds={kind: tuple(texts) for kind, texts in raw.get("kinds", {}).items()},
            note=raw.get("note", ""),
            learning=data["learning"],
        )
        for name, raw in data["tables"].items()
    }


def _condition(name: str, raw: Mapping[str, Any]) -> Condition:
    values = {**raw, "splits": tuple(raw["split"]), "learn": Learning(**raw["learn"]) if "learn" in raw else None}
    del values["split"]
    return Condition(name=name, **values)


def _row(raw: Mapping[str, Any]) -> Row:
    given = {key: raw[key] for key in METRICS if key in raw}
    published = {k: f"{v:.2f}" if isinstance(v, float) else v for k, v in given.items()}
    return Row(raw["label"], raw["condition"], published, raw.get("split"))


# --- the plan ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choices:
    """What the user chose."""

    models: tuple[str, ...] = ()
    """Empty: the table's."""
    arches: tuple[str, ...] = ()
    """Empty: the table's."""
    suites: tuple[str, ...] = ()
    splits: tuple[str, ...] | None = None
    """None: the table's."""
    limit: int | None = None
    """Only so many tasks, the first by name; of each split where a prompt is learned."""
    repeat: int = 1
    budget_usd: float | None = None
    processes: str | None = None
    """``-n`` of pytest-xdist."""
    reply_tokens: int = REPLY_TOKENS
    """Assumed mean length of a reply, for estimates."""
    cache: Path = Path(".neucomback")
    models_file: Path | None = None
    extra: tuple[str, ...] = ()
    """Further arguments of every pytest command."""


def make_choices(
    *,
    models: str | None = None,
    arches: str | None = None,
    splits: str | None = None,
    suites: Sequence[str] = (),
    extra: Sequence[str] = (),
    **others: Any,
) -> Choices:
    """Choices from words of a command line; lists are separated by commas. Raises ConfigError."""

    def listed(option: str, text: str | None) -> tuple[str, ...]:
        words = tuple(dict.fromkeys(w.strip() for w in (text or "").split(",") if w.strip()))
        if text is not None and not words:
            raise ConfigError(f"{option}: names nothing; leave it out, or give names separated by commas")
        return words

    for word in (given := listed("--split", splits)):
        if word not in SPLITS:
            raise ConfigError(f"--split={word}: unknown split. Known: {', '.join(SPLITS)}.")
    for name, least in (("limit", 1), ("repeat", 1), ("reply_tokens", 1), ("budget_usd", 0)):
        value = others.get(name)
        if value is not None and not (value >= least and 0 < value < math.inf):
            raise ConfigError(f"--{name.replace('_', '-')}={value}: needs a number above 0")
    return Choices(
        models=listed("--model", models),
        arches=listed("--arch", arches),
        splits=given if splits is not None else None,
        suites=tuple(suites),
        extra=tuple(extra),
        **others,
    )


@dataclass(frozen=True)
class Step:
    """One pytest command: prompt learning, or the evaluation of a condition."""

    condition: Condition
    model: str
    repeat: int
    learns: bool
    tasks: tuple[Task, ...]
    """Those it is about; when it learns, of the train and valid splits."""
    folder: Path
    """Its ``--nc-report``."""
    deciding: tuple[str, ...]
    """Arguments that decide the result."""
    around: tuple[str, ...]
    """Arguments that do not."""
    source: Path | None = None
    """Folder of the step that learns its prompt."""
    suite: Path | None = None
    """Folder of copied tasks, where a limit picks some."""

    @property
    def title(self) -> str:
        """What it is, for people."""
        c = self.condition
        what = f"learn on {c.level}" if self.learns else f"{c.name}: {'+'.join(c.splits) or 'all'} of {c.level}"
        return f"{what}, {self.model}, {c.arch}, repeat {self.repeat}"

    def command(self, more: Sequence[str] = ()) -> list[str]:
        """Arguments of pytest."""
        return [*self.deciding, *self.around, *more]

    def given(self, option: str, default: str) -> str:
        """The value of an option on the command line; the last one counts."""
        values = [a.partition("=")[2] for a in self.deciding if a.startswith(f"{option}=")]
        return values[-1] if values else default

    @property
    def learned(self) -> Path:
        """The winner of a step that learns."""
        return self.folder / _LEARNED_FILE


@dataclass(frozen=True)
class Plan:
    """A table as it will be run."""

    table: Table
    choices: Choices
    steps: tuple[Step, ...]
    """In order; a prompt is learned before it is used."""
    models: Mapping[str, Model]
    imported: bool
    """Whether all tasks are the imported release's."""

    def evaluations(self, condition: str, model: str, arch: str) -> list[Step]:
        """The steps of a condition, a repeat each."""
        return [
            s
            for s in self.steps
            if not s.learns and (s.condition.name, s.model, s.condition.arch) == (condition, model, arch)
        ]

    def missing_keys(self) -> list[str]:
        """A line for each model whose key is not set."""
        return [why for m in self.models.values() if isinstance(m, ApiModel) and (why := m.missing_key())]


def make_plan(name: str, choices: Choices) -> Plan:
    """The steps of a table. Writes nothing and asks nobody.

    Raises ConfigError for an unknown table, model, architecture, split or suite, in the words of the plugin.
    """
    tables = load_tables()
    if name not in tables:
        raise ConfigError(f"experiment {name}: no such table. Known: {', '.join(tables)}.")
    table = tables[name]
    for arch in choices.arches:
        if arch not in load_arches():
            raise ConfigError(f"--arch={arch}: unknown architecture. Known: {', '.join(load_arches())}.")
    tasks = load_suites(choices.suites)
    variants = list(_variants(table, choices))
    registry = registry_with(choices.models_file, Path())
    models = {
        m: resolve_model(m, registry=registry, compile_source=_no_compiler)
        for m in dict.fromkeys(m for _, m in variants)
    }
    steps: dict[Path, Step] = {}
    for repeat in range(1, choices.repeat + 1):
        for condition, model in variants:
            source = None
            if condition.learn:
                step = _learning_step(table, condition, model, repeat, tasks, choices)
                source = steps.setdefault(step.folder, step).folder
            if condition.prompt:
                step = _evaluation_step(table, condition, model, repeat, tasks, choices, source)
                steps.setdefault(step.folder, step)
    used = [t for step in steps.values() for t in step.tasks]
    return Plan(table, choices, tuple(steps.values()), models, bool(used) and all(map(_is_imported, used)))


def _no_compiler(compiler: str, opt: str, source: Path, arch: str, march: str) -> str:
    raise NeucombackError(f"{compiler} {opt} on {source} for {arch} {march} is asked by pytest, not here")


def _is_imported(task: Task) -> bool:
    """Whether a task is of the official release, which an importer writes into its provenance."""
    return task.suite != "bundled" and re.search(r"\bimported\b", task.provenance, re.IGNORECASE) is not None


def _variants(table: Table, choices: Choices) -> Iterator[tuple[Condition, str]]:
    """Conditions with their models, after the user's choices."""
    conditions = list(table.conditions)
    if choices.arches:
        first = [c for c in conditions if c.arch == conditions[0].arch]
        conditions = [
            dataclasses.replace(c, arch=arch)
            for arch in dict.fromkeys(choices.arches)
            for c in ([c for c in conditions if c.arch == arch] or first)
        ]
    if choices.splits is not None:
        conditions = [dataclasses.replace(c, splits=choices.splits) for c in conditions]
    fixed = [c for c in conditions if c.model]
    for condition in conditions:
        if condition.model is None:
            yield from ((condition, m) for m in choices.models or table.models)
        elif not choices.models:
            yield condition, condition.model
    if fixed and choices.models:  # the table compares models: the user's take the place of the paper's
        for arch in dict.fromkeys(c.arch for c in fixed):
            for m in choices.models:
                like = next((c for c in fixed if c.arch == arch and c.model == m), None)
                yield like or dataclasses.replace(fixed[0], arch=arch, name=m, model=m), m


def _select(tasks: Sequence[Task], level: str, splits: Sequence[str], limit: int | None) -> tuple[Task, ...]:
    """Tasks of a level; with a limit the first by name."""
    found = sorted(select(tasks, levels=(level,), splits=splits), key=lambda t: t.id)
    return tuple(found[:limit] if limit else found)


def _learning_step(
    table: Table, condition: Condition, model: str, repeat: int, tasks: Sequence[Task], choices: Choices
) -> Step:
    assert condition.learn
    learn, arch = condition.learn, condition.arch
    chosen: tuple[Task, ...] = ()
    for split in ("train", "valid"):
        part = _select(tasks, learn.level, (split,), choices.limit)
        if not part:
            raise ConfigError(
                f"{table.name} learns a prompt on {learn.level}, and the suite has no task of its {split} split; "
                "learning needs train and valid"
            )
        chosen += part
    suite, where = _suite(f"{learn.level}-train+valid", choices)
    deciding = (
        "--nc-learn-prompt",
        f"--nc-model={model}",
        f"--nc-arch={arch}",
        f"--nc-level={learn.level}",
        *where,
        f"--nc-debug-rounds={learn.debug_rounds}",
        f"--nc-learn-epochs={table.learning['epochs']}",
        f"--nc-learn-batch={table.learning['batch']}",
        # as an ini option, so that --pytest=--nc-learn-extensions=all has the last word
        "-o",
        f"nc_learn_extensions={table.learning['extensions']}",
        f"--nc-seed={repeat}",
        *choices.extra,
    )
    learnt = dataclasses.replace(
        condition,
        name="learning",
        level=learn.level,
        splits=(),
        debug_rounds=learn.debug_rounds,
        opt_rounds=0,
        time=True,
    )
    name = f"{learn.level}-debug{learn.debug_rounds}"
    folder = _folder("learning", name, arch, model, repeat, dataclasses.replace(choices, splits=None))
    around = _around(folder, repeat, choices)
    return Step(learnt, model, repeat, True, chosen, folder, deciding, around, suite=suite)


def _evaluation_step(
    table: Table,
    condition: Condition,
    model: str,
    repeat: int,
    tasks: Sequence[Task],
    choices: Choices,
    source: Path | None,
) -> Step:
    c = condition
    suite, where = _suite(f"{c.level}-{'+'.join(c.splits) or 'all'}", choices)
    prompt = str(source / _LEARNED_FILE) if source else str(c.prompt)
    deciding = (
        f"--nc-model={model}",
        f"--nc-arch={c.arch}",
        f"--nc-prompt={prompt}",
        f"--nc-level={c.level}",
        *([f"--nc-split={','.join(c.splits)}"] if c.splits else []),
        *where,
        f"--nc-debug-rounds={c.debug_rounds}",
        *([f"--nc-opt-rounds={c.opt_rounds}"] if c.opt_rounds else []),
        *([] if c.time else ["--nc-no-time"]),
        f"--nc-seed={repeat}",
        *choices.extra,
    )
    chosen = _select(tasks, c.level, c.splits, choices.limit)
    if not chosen:
        raise ConfigError(f"{table.name}: the suite has no task of {'+'.join(c.splits)} of {c.level}")
    folder = _folder(table.name, c.name, c.arch, model, repeat, choices)
    return Step(c, model, repeat, False, chosen, folder, deciding, _around(folder, repeat, choices), source, suite)


def _folder(group: str, name: str, arch: str, model: str, repeat: int, choices: Choices) -> Path:
    """A report's folder. What makes it another experiment is in its name, so that a trial hides no real result."""
    parts = [name, *([arch] if arch not in name else []), *([model] if model != name else [])]
    parts += ["+".join(choices.splits) or "all"] if choices.splits is not None else []
    parts += [f"limit{choices.limit}"] if choices.limit else []
    if choices.suites or choices.extra:
        parts.append(_digest([*choices.suites, "", *choices.extra])[:6])
    return ROOT / group / f"{re.sub(r'[^A-Za-z0-9._+-]', '_', '-'.join(parts))}-r{repeat}"


def _suite(name: str, choices: Choices) -> tuple[Path | None, list[str]]:
    """The folder to copy a limited choice of tasks to, and the arguments that name the suite."""
    if not choices.limit:
        return None, [f"--nc-suite={suite}" for suite in choices.suites]
    mark = f"-{_digest(choices.suites)[:6]}" if choices.suites else ""
    folder = ROOT / "suites" / f"{name}-limit{choices.limit}{mark}"
    return folder, [f"--nc-suite={folder}"]


def _around(folder: Path, repeat: int, choices: Choices) -> tuple[str, ...]:
    cache = choices.cache if repeat == 1 else choices.cache / "repeats" / str(repeat)
    return (
        f"--nc-report={folder}",
        *([f"--nc-cache={cache}"] if cache != Path(".neucomback") else []),
        *([f"--nc-models-file={choices.models_file}"] if choices.models_file else []),
        *(["-n", choices.processes] if choices.processes else []),
        # wrong candidates are results here, not failures to be shown one by one
        "--nc-fail-under=acc:0",
    )


def _digest(words: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


# --- running ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """Why a step is not finished."""

    step: str
    text: str


def prompt_of(step: Step) -> Prompt:
    """The prompt of a step; for one that is not learned yet, the baseline with rules of the assumed length."""
    c = step.condition
    label = "baseline"
    if not step.learns and not step.source:
        label = str(c.prompt)
    elif step.source and (step.source / _LEARNED_FILE).is_file():
        label = str(step.source / _LEARNED_FILE)
    prompt = load_prompt(label, model=step.model, arch=c.arch, level=c.level, project=Path.cwd())
    if label == "baseline" and (step.learns or step.source):
        return dataclasses.replace(prompt, correctness_rules=(Rule("-" * RULES_CHARS),))
    return prompt


def is_finished(step: Step, plan: Plan) -> bool:
    """Whether an earlier run finished this very step: same command, tasks, prompt and model."""
    folder = step.folder
    if step.learns and not (folder / _LEARNED_FILE).is_file():
        return False
    try:
        mark = json.loads((folder / _MARK).read_text(encoding="utf-8"))
        return bool(mark == _mark(step, plan)) and load_results(folder)["run"].get("finished") is True
    except (OSError, ValueError, NeucombackError):
        return False


def _mark(step: Step, plan: Plan) -> dict[str, Any]:
    model = plan.models[step.model]
    # What a prompt still to be learned will be like decides nothing yet: its step is not finished either.
    prompt = prompt_of(step).digest()
    return {
        "command": list(step.deciding),
        "tasks": _digest([f"{t.id} {t.digest()}" for t in step.tasks]),
        "prompt": prompt,
        "model": json.loads(json.dumps(model.identity())) if isinstance(model, ApiModel) else step.model,
    }


def prices(model: Model) -> tuple[float, float] | None:
    """US dollars per million tokens, in and out; None when not known. What is no endpoint costs nothing."""
    return model.spec.price if isinstance(model, ApiModel) else (0.0, 0.0)


def check_run(plan: Plan) -> None:
    """What can be checked before anything runs. Raises ConfigError."""
    for why in plan.missing_keys():
        raise ConfigError(why)
    if plan.choices.budget_usd is not None:
        for name, model in plan.models.items():
            if prices(model) is None:
                raise ConfigError(
                    f"--budget-usd: the price of {name} is not known, so it cannot be kept to. Add usd_per_mtok_in and "
                    "usd_per_mtok_out in neucomback.models.yaml, or leave --budget-usd out."
                )


def run(plan: Plan, say: Callable[[str], None]) -> list[Problem]:
    """Run what is not finished, in order; what went wrong. Output of pytest goes to standard error.

    Raises ConfigError before anything runs, NeucombackError when pytest refuses a command.
    """
    check_run(plan)
    problems: list[Problem] = []
    for number, step in enumerate(plan.steps, 1):
        place = f"[{number}/{len(plan.steps)}] {step.title}"
        if is_finished(step, plan):
            say(f"{place}: finished earlier, {step.folder}")
            continue
        if step.source and not (step.source / _LEARNED_FILE).is_file():
            problems.append(Problem(step.title, "its prompt is not learned"))
            continue
        more = []
        if plan.choices.budget_usd is not None:
            left = plan.choices.budget_usd - spent_usd(plan)
            if left <= 0:
                problems.append(Problem(step.title, f"--budget-usd={plan.choices.budget_usd:g} is spent"))
                break
            more = [f"--nc-budget-usd={left:.6f}"]
        say(f"{place}: pytest {shlex.join(step.command(more))}")
        problem = _run_step(step, plan, more)
        if problem:
            problems.append(Problem(step.title, problem))
    return problems


def _run_step(step: Step, plan: Plan, more: Sequence[str]) -> str:
    """Run one; why it is not finished, or nothing."""
    try:
        if step.suite:
            _copy_tasks(step.tasks, step.suite)
        if step.repeat > 1:
            _prepare_cache(plan.choices.cache, step.repeat)
    except OSError as error:
        raise NeucombackError(f"{error.filename} cannot be written ({error.strerror})") from error
    status = _pytest(step.command(more))
    if status in (2, 130, -signal.SIGINT):
        raise KeyboardInterrupt
    if status not in (0, 1):
        raise NeucombackError(
            f"pytest ended with status {status} on: pytest {shlex.join(step.command(more))}. Its output is above; run "
            "experiments in a folder without tests of its own, or in the checkout."
        )
    folder = step.folder
    results = load_results(folder)
    if step.learns:
        subject = read_subject(folder)
        if subject.get("error") or "winner" not in subject:
            return str(subject.get("error") or "learning did not come to its end").splitlines()[0]
        save_text(folder / _LEARNED_FILE, _learned_text(subject, step))
    elif not results["items"]:
        raise NeucombackError(
            f"pytest ran no item of the benchmark in {Path.cwd()}: run experiments in a folder without tests of its "
            "own, or in the checkout."
        )
    if not results["run"].get("finished"):
        reasons = [i["detail"] for i in results["items"] if i["verdict"] == Outcome.UNJUDGED.value]
        return f"{len(reasons)} items unjudged: {reasons[0]}" if reasons else "the run did not come to its end"
    save_text(folder / _MARK, json.dumps(_mark(step, plan), indent=1) + "\n")
    return ""


def _pytest(arguments: Sequence[str]) -> int:
    """Run pytest; its output goes to standard error, for standard output is the table's."""
    process = subprocess.Popen([sys.executable, "-m", "pytest", *arguments], stdout=2)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # pytest got it as well and writes what it has; a second one ends it.
            try:
                process.wait(60)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                process.kill()
                process.wait()
            raise


def _copy_tasks(tasks: Sequence[Task], folder: Path) -> None:
    """Make a suite of just these tasks."""
    wanted = {}
    for task in tasks:
        for path in (task.c_path, task.yaml_path):
            wanted[folder / f"{task.id}{path.suffix}"] = path
    folder.mkdir(parents=True, exist_ok=True)
    for left in [p for p in folder.rglob("*") if p.is_file() and p not in wanted]:
        left.unlink()
    for target, origin in wanted.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, target)


def _prepare_cache(cache: Path, repeat: int) -> None:
    """A reply cache of the repeat's own; builds are shared."""
    folder = cache / "repeats" / str(repeat)
    folder.mkdir(parents=True, exist_ok=True)
    (cache / "build").mkdir(exist_ok=True)
    if not (folder / "build").exists():
        (folder / "build").symlink_to(Path("../../build"), target_is_directory=True)


def read_subject(folder: Path) -> dict[str, Any]:
    """What learn.json of a report says of its one subject."""
    try:
        subjects = json.loads((folder / "learn.json").read_text(encoding="utf-8"))["subjects"]
        return dict(subjects[0]) if subjects else {}
    except (OSError, ValueError, KeyError):
        return {}


def learned_rules(subject: Mapping[str, Any]) -> list[Rule]:
    """The rules of the winner."""
    (epoch,) = [e for e in subject["epochs"] if e["epoch"] == subject["winner"]]
    return [Rule(**{**r, "sources": tuple(r["sources"])}) for r in epoch["rules"]]


def _learned_text(subject: Mapping[str, Any], step: Step) -> str:
    """The winner as a prompt file of this report, which no later learning replaces."""
    rules = learned_rules(subject)
    stored = Path(str(subject.get("stored") or ""))
    if stored.is_file():
        winner = read_prompt(stored, label="learned", project=Path.cwd())
        if [r.text for r in winner.rules] == [r.text for r in rules]:
            return stored.read_text(encoding="utf-8")
    # Another learning has stored its own winner there by now; learn.json has the rules all the same.
    fast = tuple(r for r in rules if r.kind == "performance")
    prompt = Prompt("learned", {}, tuple(r for r in rules if r.kind != "performance"), fast)
    where = f"{subject['arch']}/{subject['level']}/{subject['model']}"
    return prompt_yaml(
        prompt,
        name=step.folder.name,
        description=f"Learned for {where}; learn.json beside it says how.",
        parent="baseline",
        provenance={k: subject[k] for k in ("model", "arch", "level", "winner", "tokens_in", "tokens_out")},
    )


def spent_usd(plan: Plan) -> float:
    """What the steps cost so far, cached replies included: an experiment that is run again counts them once more."""
    return sum(_cost_of(s.folder) for s in plan.steps)


def _cost_of(folder: Path) -> float:
    total = 0.0
    try:
        total += sum(i["cost_usd"] or 0.0 for i in load_results(folder)["items"])
    except (ConfigError, KeyError):
        return 0.0
    for path in (folder / "ledger").glob("*.json"):
        try:
            total += json.loads(path.read_text(encoding="utf-8"))["result"].get("cost_usd") or 0.0
        except (OSError, ValueError, KeyError, AttributeError):
            continue
    return total
