"""``neucomback prompts ablate``: which rules of a prompt earn their place on the valid split.

From the last rule to the first, each is left out and the tasks are tried again. A rule without which nothing gets
worse stays out while the others are tried: of two that say the same one remains, and what is left at the end has been
tried as it is. Never reads a task of the test split.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .arches import load_arches
from .desk import Desk
from .errors import BudgetSpent, ConfigError
from .judge import Judge
from .learn import Bench, Score, Trial, compare_trials, numbered, score_of, together
from .learning import DeskBench, Subject, draw_tasks
from .models import ApiModel, CompilerModel, Model, resolve_model
from .models.registry import registry_with
from .options import Settings, default_of
from .pool import local_workers
from .prompt_store import Stored, prompt_yaml, without_parent
from .prompts import Prompt, Rule, bundled_folder, read_prompt
from .sandbox import check_sandbox
from .session import judge_settings
from .tasks import Task, load_suites
from .toolchain import Toolchain, check_tools


@dataclass(frozen=True)
class Tried:
    """What became of the tasks without one rule."""

    rule: Rule
    lost: tuple[str, ...]
    """Tasks that are solved only with the rule."""
    won: tuple[str, ...]
    """Tasks that are solved only without it."""
    rounds: int
    """Self-debug rounds more without it, on tasks that are solved either way."""
    faster: int | None
    """Tasks more that beat the reference without it; None where nothing was timed."""

    @property
    def earns(self) -> bool:
        """Whether something gets worse without the rule: tasks solved, then tasks faster, then self-debug rounds."""
        return (len(self.won) - len(self.lost), self.faster or 0, -self.rounds) < (0, 0, 0)

    @property
    def chars(self) -> int:
        """How long the rule is."""
        return len(self.rule.text)

    @property
    def verdict(self) -> str:
        """In words."""
        return "earns its place" if self.earns else "drop"


@dataclass(frozen=True)
class Ablation:
    """What all rules of a prompt came to."""

    before: Score
    """With all rules."""
    after: Score
    """With those that are left."""
    tried: tuple[Tried, ...]
    """In the order in which they were left out."""
    untried: tuple[Rule, ...]
    """Rules for speed, where nothing was timed."""
    prompt: Prompt
    """With the rules that are left."""

    @property
    def dropped(self) -> tuple[Rule, ...]:
        """Rules that do not earn their place."""
        return tuple(t.rule for t in self.tried if not t.earns)


@dataclass(frozen=True)
class Request:
    """What is asked of one run of the command."""

    prompt: Stored
    model: str
    arch: str
    level: str
    suites: tuple[str, ...] = ()
    """Folders of tasks; none for the bundled ones."""
    valid: int | None = None
    """So many tasks of the valid split, drawn by the seed; None for all."""
    opt_rounds: int | None = None
    """Optimisation rounds; None: nothing is timed, and rules for speed are left alone."""
    seed: int = 0
    """Draws tasks and fresh vectors."""
    cache: Path = Path(".neucomback")
    models_file: Path | None = None
    budget_usd: float | None = None
    budget_tokens: int | None = None
    sandbox: bool = True


async def ablate(
    bench: Bench,
    prompt: Prompt,
    tasks: Sequence[str],
    *,
    opt_rounds: int = 0,
    timed: bool = False,
    noted: Callable[[Tried | Score], None] = lambda _: None,
) -> Ablation:
    """Try a prompt without each of its rules. ``noted`` gets the score with all rules, then each rule's result.

    Raises what the bench raises, such as BudgetSpent.
    """
    prompt = numbered(prompt)
    untried = () if timed else prompt.performance_rules

    async def trials(prompt: Prompt) -> list[Trial]:
        return await together([bench.trial(t, prompt, opt_rounds=opt_rounds) for t in tasks])

    kept = await trials(prompt)
    before = score_of(kept)
    noted(before)
    results = []
    for rule in reversed(prompt.correctness_rules if untried else prompt.rules):
        shorter = without(prompt, [rule])
        again = await trials(shorter)
        result = _compare(rule, kept, again)
        results.append(result)
        noted(result)
        if not result.earns:
            prompt, kept = shorter, again
    return Ablation(before, score_of(kept), tuple(results), untried, prompt)


def without(prompt: Prompt, rules: Sequence[Rule]) -> Prompt:
    """The prompt without some of its rules, by their ids."""
    gone = {r.id for r in rules}
    return dataclasses.replace(
        prompt,
        correctness_rules=tuple(r for r in prompt.correctness_rules if r.id not in gone),
        performance_rules=tuple(r for r in prompt.performance_rules if r.id not in gone),
    )


def _compare(rule: Rule, kept: Sequence[Trial], again: Sequence[Trial]) -> Tried:
    pairs = compare_trials(kept, again)
    both = [(a, b) for a, b in zip(kept, again, strict=True) if a.solved and b.solved]
    timed = [(a.faster, b.faster) for a, b in both if a.faster is not None and b.faster is not None]
    return Tried(
        rule,
        lost=pairs.lost,
        won=pairs.won,
        rounds=sum(b.debug_rounds - a.debug_rounds for a, b in both),
        faster=sum(b - a for a, b in timed) if timed else None,
    )


# --- with real models -------------------------------------------------------------------------------------------------


def run(request: Request, noted: Callable[[Tried | Score], None] = lambda _: None) -> Ablation:
    """Try the rules with a model and judging threads of this process.

    Raises NeucombackError: before work starts for what can be known then, BudgetSpent in the midst of it.
    """
    arches = load_arches()
    if request.arch not in arches:
        raise ConfigError(f"--arch={request.arch}: unknown architecture. Known: {', '.join(arches)}.")
    prompt = request.prompt.prompt
    if not prompt.rules:
        raise ConfigError(f"{request.prompt.where}: the prompt has no rules that could be left out")
    tasks = valid_tasks(load_suites(request.suites), request)
    if request.sandbox:
        check_sandbox()
    toolchains = check_tools((request.arch,), cache=request.cache, march=None, sandbox=request.sandbox)
    toolchain = toolchains[request.arch]
    if request.opt_rounds is not None and toolchain.emulator:
        raise ConfigError(f"--opt-rounds: {request.arch} is emulated here, so nothing can be timed; leave it out")
    model = _model(request, toolchain)
    settings = _settings(request)

    async def work() -> Ablation:
        desk = Desk(settings, tasks=tasks, models={request.model: model}, toolchains=toolchains)
        async with desk.open():
            workers = local_workers(Judge(judge_settings(settings, request.seed), dict(toolchains)), dict(tasks))
            try:
                for worker in workers:
                    desk.pool.add(worker)
                subject = Subject(request.model, request.arch, request.level)
                bench = DeskBench(desk, subject, model, model, seed=request.seed)
                return await ablate(
                    bench, prompt, sorted(tasks),
                    opt_rounds=request.opt_rounds or 0, timed=request.opt_rounds is not None, noted=noted,
                )  # fmt: skip
            finally:
                for worker in workers:
                    worker.stop()

    try:
        return asyncio.run(work())
    except BudgetSpent as error:
        raise BudgetSpent(f"{error}. Replies so far are cached: the same command with more of it goes on") from None


def valid_tasks(tasks: Sequence[Task], request: Request) -> dict[str, Task]:
    """The tasks to try on, by id: those of a learning run with the same seed and number."""
    found = {t.id: t for t in tasks if t.level == request.level and t.split == "valid"}
    if not found:
        raise ConfigError(f"--level={request.level}: no task of the valid split there; name a suite that has some")
    return {task: found[task] for task in draw_tasks(found, "valid", request.valid, request.seed)}


def _model(request: Request, toolchain: Toolchain) -> Model:
    def compile_source(compiler: str, opt: str, source: Path, arch: str, march: str) -> str:
        del arch, march  # the toolchain was made for them
        return toolchain.compile_source(compiler, opt.lstrip("-"), source)

    registry = registry_with(request.models_file, Path())
    model = resolve_model(request.model, registry=registry, compile_source=compile_source)
    if isinstance(model, ApiModel) and (missing := model.missing_key()):
        raise ConfigError(missing)
    if isinstance(model, CompilerModel):
        raise ConfigError(f"--model={request.model}: a compiler reads no rules; name a language model")
    return model


def _settings(request: Request) -> Settings:
    """A run's settings with the options' defaults, so that replies of learning are found in the cache."""
    source = request.prompt.prompt.provenance.get("source", default_of("source"))
    return Settings(
        models=(request.model,), arches=(request.arch,), prompts=(request.prompt.where,), levels=(request.level,),
        splits=("valid",), suites=request.suites, source=str(source),
        debug_rounds=default_of("debug-rounds"), opt_rounds=request.opt_rounds or 0, samples=1,
        march=default_of("march"), fp=default_of("fp"), inputs=default_of("inputs"), seed=request.seed,
        time=request.opt_rounds is not None, timing=default_of("timing"), min_effect=default_of("min-effect"),
        reference=default_of("reference"), show_reference=False, concurrency=default_of("concurrency"),
        cache=request.cache, use_cache=True, report=None, fail_under=None,
        sandbox=request.sandbox, models_file=request.models_file, budget_usd=request.budget_usd,
        budget_tokens=request.budget_tokens,
    )  # fmt: skip


# --- the result -------------------------------------------------------------------------------------------------------


def tried_lines(tried: Tried) -> list[str]:
    """One rule for people."""
    facts = [f"lost {len(tried.lost)}", f"won {len(tried.won)}", f"self-debug rounds {tried.rounds:+d}"]
    if tried.faster is not None:
        facts.append(f"faster {tried.faster:+d}")
    lines = [f"{tried.rule.id}: {tried.verdict}", f"  [{tried.rule.kind}] {tried.rule.text}"]
    lines.append(f"  without it: {', '.join(facts)}; {tried.chars} characters")
    lines += [f"  {what}: {', '.join(names)}" for what, names in (("lost", tried.lost), ("won", tried.won)) if names]
    return lines


def closing_lines(ablation: Ablation) -> list[str]:
    """What is left."""
    lines = []
    if ablation.untried:
        count = len(ablation.untried)
        lines.append(f"{count} rules for speed left as they are: nothing is timed without --opt-rounds")
    gone, all_rules = ablation.dropped, (*(t.rule for t in ablation.tried), *ablation.untried)
    chars, total = sum(len(r.text) for r in gone), sum(len(r.text) for r in all_rules)
    lines.append(
        f"{len(all_rules) - len(gone)} of {len(all_rules)} rules left, {total - chars} of {total} characters; "
        f"{ablation.after.correct}/{ablation.after.tasks} correct with them, {ablation.before.correct} with all"
    )
    return lines


def where_to_store(request: Request) -> str:
    """``ARCH/LEVEL/MODEL``: the prompt's own place if it is a learned one, else that of what it was tried on."""
    where = request.prompt.where.partition(" #")[0]
    learned = "learned" in request.prompt.path.parts and where.count("/") >= 2
    return where if learned else f"{request.arch}/{request.level}/{request.model}"


def shortened_yaml(request: Request, ablation: Ablation, project: Path) -> str:
    """The prompt's file without the rules that do not earn their place; everything else in it stays."""
    raw: dict[str, Any] = yaml.safe_load(request.prompt.path.read_text(encoding="utf-8"))
    note = {
        "model": request.model,
        "arch": request.arch,
        "level": request.level,
        "seed": request.seed,
        "tasks": ablation.before.tasks,
        "correct_before": ablation.before.correct,
        "correct_after": ablation.after.correct,
        "dropped": [r.text for r in ablation.dropped],
        "parent_digest": request.prompt.prompt.digest()[:16],
    }
    # rules as the file has them: those written by hand get no ids
    gone, named = {r.id for r in ablation.dropped}, numbered(request.prompt.prompt)

    def kept(rules: Sequence[Rule], names: Sequence[Rule]) -> tuple[Rule, ...]:
        return tuple(rule for rule, name in zip(rules, names, strict=True) if name.id not in gone)

    left = dataclasses.replace(
        request.prompt.prompt,
        correctness_rules=kept(request.prompt.prompt.correctness_rules, named.correctness_rules),
        performance_rules=kept(request.prompt.prompt.performance_rules, named.performance_rules),
    )
    parent = str(raw.get("parent") or "")
    text = prompt_yaml(
        left,
        name=str(raw.get("name") or Path(request.prompt.where).name),
        description=str(raw.get("description") or f"Ablated from {request.prompt.where}."),
        parent=parent,
        provenance={**request.prompt.prompt.provenance, "ablation": note},
    )
    if parent and _same_templates(parent, left.templates, project):
        return text
    return without_parent(text, left.templates)


def _same_templates(parent: str, templates: Mapping[str, str], project: Path) -> bool:
    """Whether the parent, as it is found from where learned prompts are stored, has the prompt's templates."""
    paths = [folder / f"{parent}.yaml" for folder in (project / "prompts", bundled_folder())]
    path = next((p for p in paths if p.is_file()), None)
    return path is not None and read_prompt(path, label=parent, project=project).templates == dict(templates)
