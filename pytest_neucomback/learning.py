"""A pytest session that learns prompts: ``--nc-learn-prompt``.

One item for each model, architecture and level stands in the place of the benchmark's. The learner runs in an event
loop of its own thread over a desk; candidates are judged by threads, or with ``-n`` by as many processes (xdist's
workers take tests, and here is one). Steps are kept in the run's folder: the same command goes on after a kill.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arches import load_arches
from .atomic import save_text
from .desk import Desk, Ticket
from .errors import BudgetSpent, ConfigError, HarnessError, ModelUnavailable
from .judge import Judge, JudgeSettings
from .learn import Answer, Learned, Learner, LearnSettings, Score, Standing, Trial, compare_trials, score_of
from .ledger import Ledger
from .metrics import wilson_interval
from .models import CompilerModel, Model, NoMoreReplies
from .options import Settings
from .pairs import Pairs
from .pool import ProcessWorkers, Worker, local_workers, serve_here
from .prompt_store import prompt_yaml, store
from .prompts import Prompt, load_prompt
from .rounds import Trajectory
from .tasks import SPLITS, Task
from .teacher import load_teacher
from .toolchain import Toolchain
from .types import ItemKey, ModelRequest, Outcome, Timing

if TYPE_CHECKING:
    from .records import RunFolder

PARENT = "baseline"
"""The prompt whose templates a learned one takes."""
TEACHER_TASK = "(teacher)"
"""What stands for the task in requests to the teacher."""


@dataclass(frozen=True)
class Subject:
    """What a prompt is learned for."""

    model: str
    arch: str
    level: str

    @property
    def where(self) -> str:
        """Where its winner is stored."""
        return f"{self.arch}/{self.level}/{self.model}"


@dataclass(frozen=True)
class Splits:
    """Task ids by role; nobody but the closing comparison reads ``test``."""

    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]


def split_tasks(tasks: Mapping[str, Task], level: str, settings: Settings, seed: int) -> Splits:
    """The tasks of a level by split, cut down to what was asked for. Raises ConfigError when a split is empty."""
    by_split = {s: sorted(t.id for t in tasks.values() if t.level == level and t.split == s) for s in SPLITS}
    for split, most in (("train", settings.learn_train), ("valid", settings.learn_valid)):
        if not by_split[split]:
            raise ConfigError(
                f"--nc-learn-prompt: level {level} has no task of the {split} split among those selected; learning "
                "needs train and valid"
            )
        by_split[split] = draw_tasks(by_split[split], split, most, seed)
    if settings.learn_test and not by_split["test"]:
        raise ConfigError(f"--nc-learn-test: level {level} has no task of the test split among those selected")
    return Splits(*(tuple(by_split[s]) for s in SPLITS))


def draw_tasks(ids: Iterable[str], split: str, most: int | None, seed: int) -> list[str]:
    """At most so many tasks of a split, in order; a seed gives the same ones everywhere."""
    found = sorted(ids)
    if most is None or most >= len(found):
        return found
    return sorted(random.Random(f"{seed} {split}").sample(found, most))


def check_learning(settings: Settings, tasks: Mapping[str, Task], project: Path) -> None:
    """Everything that can be wrong before the first request. Raises ConfigError."""
    if settings.learn_optimizer == "gepa":
        from .learn_gepa import check_gepa

        check_gepa()
    for subject in _subjects(settings, tasks):
        split_tasks(tasks, subject.level, settings, 0)
        _base(subject, project)
        load_teacher(load_arches()[subject.arch], project)


def _subjects(settings: Settings, tasks: Mapping[str, Task]) -> list[Subject]:
    levels = sorted({t.level for t in tasks.values()})
    return [Subject(m, a, level) for m in settings.models for a in settings.arches for level in levels]


def _base(subject: Subject, project: Path) -> Prompt:
    return load_prompt(PARENT, model=subject.model, arch=subject.arch, level=subject.level, project=project)


class DeskBench:
    """``learn.Bench`` over a desk."""

    def __init__(self, desk: Desk, subject: Subject, student: Model, teacher: Model, *, seed: int) -> None:
        self._desk, self._subject, self._student, self._teacher, self._seed = desk, subject, student, teacher, seed
        self._sources: dict[str, str] = {}

    def _ticket(self, task: str) -> Ticket:
        key = ItemKey(task, self._subject.model, self._subject.arch, "learning")
        return Ticket(key, self._desk.tasks[task], self._student)

    async def trial(self, task: str, prompt: Prompt, *, opt_rounds: int) -> Trial:
        trajectory = await self._desk.trial(self._ticket(task), prompt, opt_rounds=opt_rounds)
        final = trajectory.final
        assert final is not None
        assert trajectory.first is not None
        if final.verdict.outcome is Outcome.UNJUDGED:
            raise HarnessError(f"{task} could not be judged: {final.verdict.detail}")
        usage = trajectory.usage()
        return Trial(
            task=task,
            outcome=final.verdict.outcome.value,
            first_outcome=trajectory.first.outcome.value,
            debug_rounds=trajectory.debug_rounds,
            faster=_faster(final.timing),
            rounds=tuple(_round_json(trajectory)),
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            cost_usd=trajectory.cost_usd(),
        )

    async def teach(self, messages: tuple[Any, ...]) -> Answer:
        request = ModelRequest(messages, TEACHER_TASK, self._subject.arch, "", "")
        if isinstance(self._teacher, CompilerModel):
            raise ModelUnavailable(f"{self._teacher.name} cannot teach; name a language model with --nc-learn-model")
        try:
            reply, _ = await self._desk.ask(self._teacher, request)
        except NoMoreReplies as error:
            raise ModelUnavailable(f"the teacher does not answer ({error}); name one with --nc-learn-model") from None
        return Answer(reply.text, reply.usage.tokens_in, reply.usage.tokens_out, reply.cost_usd)

    def trial_key(self, task: str, prompt: Prompt, *, opt_rounds: int) -> object:
        settings, entry = self._desk.settings, self._desk.tasks[task]
        return [
            entry.digest(), prompt.digest(), self._student.identity(), self._subject.arch, settings.march or "",
            settings.source, settings.debug_rounds_for(entry.level), opt_rounds, settings.fp, settings.inputs,
            self._seed, settings.timed(entry.level), settings.show_reference,
        ]  # fmt: skip

    def teacher_key(self) -> object:
        return self._teacher.identity()

    def source(self, task: str) -> str:
        if task not in self._sources:
            entry = self._desk.tasks[task]
            ir = self._desk.toolchains[self._subject.arch].emit_ir(entry, "O3")
            self._sources[task] = entry.c_path.read_text(encoding="utf-8", errors="replace") + "\n" + ir
        return self._sources[task]


def _faster(timing: Timing | None) -> bool | None:
    return None if timing is None or not timing.native or timing.outcome is None else timing.outcome == "faster"


def _round_json(trajectory: Trajectory) -> Iterator[dict[str, Any]]:
    for entry in trajectory.rounds:
        timing = entry.timing
        measured = f"speed-up {timing.speedup:.2f}, {timing.outcome}" if timing and timing.speedup else ""
        yield {
            "kind": entry.kind,
            "outcome": entry.verdict.outcome.value,
            "diagnostic": entry.feedback.diagnostic if entry.feedback else "",
            "assembly": entry.candidate.assembly if entry.candidate else None,
            "reply": "" if entry.candidate else entry.reply.text,
            "measured": measured,
        }


@dataclass
class Result:
    """What learning for one subject ended with."""

    subject: Subject
    splits: Splits
    learned: Learned | None = None
    path: Path | None = None
    """Where the winner is stored."""
    error: str = ""
    """Why it ended early; the same command goes on."""
    test: Pairs | None = None
    test_scores: tuple[Score, Score] | None = None
    """Baseline and winner on the test split."""


@dataclass
class LearnRun:
    """All subjects of a session, one after the other, in a thread of its own."""

    settings: Settings
    tasks: Mapping[str, Task]
    models: Mapping[str, Model]
    """Students and the teacher, by name."""
    toolchains: Mapping[str, Toolchain]
    folder: RunFolder
    project: Path
    judge_settings: JudgeSettings
    processes: int = 0
    """Judging processes; 0 for threads of this one."""
    say: Callable[[str], None] = lambda _: None
    results: list[Result] = field(default_factory=list)
    standing: Standing | None = None

    def subjects(self) -> list[Subject]:
        """Each model on each architecture and level."""
        return _subjects(self.settings, self.tasks)

    def run(self, subject: Subject) -> Result:
        """Learn for one subject. Raises NeucombackError for what no later run mends."""
        result: list[Result] = []
        failure: list[BaseException] = []

        def work() -> None:
            try:
                result.append(asyncio.run(self._learn(subject)))
            except BaseException as error:
                failure.append(error)

        thread = threading.Thread(target=work, name="neucomback-learn", daemon=True)
        thread.start()
        while thread.is_alive():  # a bounded wait lets the main thread notice Ctrl-C
            thread.join(timeout=0.5)
        if failure:
            raise failure[0]
        self.results.append(result[0])
        return result[0]

    @contextmanager
    def _judging(self, desk: Desk) -> Iterator[None]:
        with ExitStack() as stack:
            workers: Sequence[Worker]
            if self.processes:
                arguments = (
                    self.judge_settings, dict(self.tasks), self.settings.arches, self.settings.march,
                    self.settings.cache, self.settings.sandbox,
                )  # fmt: skip
                workers = stack.enter_context(ProcessWorkers(self.processes, start_judging, arguments)).workers
            else:
                judge = Judge(self.judge_settings, dict(self.toolchains))
                threads = local_workers(judge, dict(self.tasks))
                for thread in threads:
                    stack.callback(thread.stop)
                workers = threads
            for worker in workers:
                desk.pool.add(worker)
            yield

    async def _learn(self, subject: Subject) -> Result:
        settings, seed = self.settings, self.folder.seed
        splits = split_tasks(self.tasks, subject.level, settings, seed)
        outcome = Result(subject, splits)
        student = self.models[subject.model]
        teacher = self.models[settings.learn_model or subject.model]
        desk = Desk(settings, tasks=self.tasks, models=self.models, toolchains=self.toolchains)
        timed = settings.timed(subject.level) and not self.toolchains[subject.arch].emulator
        started = time.monotonic()
        async with desk.open():
            with self._judging(desk):
                bench = DeskBench(desk, subject, student, teacher, seed=seed)
                learner = _optimizer(settings.learn_optimizer)(
                    bench,
                    Ledger(self.folder.path / "ledger"),
                    load_teacher(load_arches()[subject.arch], self.project),
                    LearnSettings(
                        epochs=settings.learn_epochs,
                        batch=settings.learn_batch,
                        seed=seed,
                        opt_rounds=settings.opt_rounds if timed else 0,
                        extensions=frozenset(settings.learn_extensions),
                        rules_chars=settings.learn_rules_chars,
                    ),
                    base=_base(subject, self.project),
                    train=splits.train,
                    valid=splits.valid,
                    noted=lambda standing: self._progress(subject, standing, desk, started),
                )
                base = learner.base
                try:
                    outcome.learned = await learner.run()
                    outcome.path = store(subject.where, self._winner_text(outcome, base), self.project)
                    self._tell_winner(outcome)
                    if settings.learn_test:
                        await self._compare_on_test(learner, outcome, base)
                except (BudgetSpent, ModelUnavailable, HarnessError) as error:
                    outcome.error = str(error)
        return outcome

    async def _compare_on_test(self, learner: Learner, outcome: Result, base: Prompt) -> None:
        """Baseline and winner, once, on the tasks that nothing has read so far."""
        assert outcome.learned is not None
        opt_rounds = learner.settings.opt_rounds
        winner = outcome.learned.winner.prompt
        before = await learner.trials(base, outcome.splits.test, opt_rounds=opt_rounds)
        after = await learner.trials(winner, outcome.splits.test, opt_rounds=opt_rounds)
        outcome.test_scores = score_of(before), score_of(after)
        outcome.test = compare_trials(before, after)

    # --- telling ----------------------------------------------------------------------------------------------------

    _said: tuple[Subject | None, str] = (None, "")

    def _progress(self, subject: Subject, standing: Standing, desk: Desk, started: float) -> None:
        self.standing = standing
        where = f"epoch {standing.epoch}/{standing.epochs}, batch {standing.batch}/{standing.batches}"
        if not standing.epoch:
            where = "before the first epoch"
        if (subject, where) == self._said:  # a line a batch is enough
            return
        self._said = subject, where
        progress = desk.progress
        best = f", best valid {standing.best.correct}/{standing.best.tasks}" if standing.best else ""
        used = progress.usage.tokens_in + progress.usage.tokens_out
        cost = f", {progress.cost_usd:.2f} USD" if progress.cost_usd is not None else ""
        done, total = standing.steps_done, max(standing.steps_total, 1)
        left = ""
        if done >= 5:
            seconds = (time.monotonic() - started) / done * max(total - done, 0)
            left = f", at most {seconds / 60:.0f} min left" if seconds >= 90 else f", at most {seconds:.0f} s left"
        self.say(f"learn {subject.where}: {where}, {standing.doing}{best}, {used} tokens{cost}{left}")

    def _tell_winner(self, outcome: Result) -> None:
        assert outcome.learned is not None
        first, winner = outcome.learned.epochs[0].score, outcome.learned.winner
        then = "; baseline and winner now run on the test split" if self.settings.learn_test else ""
        self.say(
            f"learn {outcome.subject.where}: epoch {winner.number} wins, valid {first.correct}/{first.tasks} -> "
            f"{winner.score.correct}/{winner.score.tasks}{then}"
        )

    def _winner_text(self, outcome: Result, base: Prompt) -> str:
        """The prompt file. Nothing in it depends on when or how often the run was interrupted."""
        learned, subject, settings = outcome.learned, outcome.subject, self.settings
        assert learned is not None
        winner = learned.winner
        provenance = {
            "model": subject.model,
            "arch": subject.arch,
            "level": subject.level,
            "teacher": settings.learn_model or subject.model,
            "optimizer": settings.learn_optimizer,
            "extensions": list(settings.learn_extensions),
            "seed": self.folder.seed,
            "source": settings.source,
            "train": len(outcome.splits.train),
            "valid": len(outcome.splits.valid),
            "epochs": learned.epochs[-1].number,
            "won_in_epoch": winner.number,
            "parent": {"name": PARENT, "digest": base.digest()[:16]},
            "valid_score": _score_json(winner.score),
            "history": [
                {"epoch": e.number, **_score_json(e.score), "rules": len(e.prompt.rules)} for e in learned.epochs
            ],
            "tokens_in": learned.tokens_in,
            "tokens_out": learned.tokens_out,
        }
        name = f"learned-{subject.arch}-{subject.level}"
        description = (
            f"Learned for {subject.model} on {subject.arch}, {subject.level}: {winner.score.correct} of "
            f"{winner.score.tasks} of the valid split, {learned.epochs[0].score.correct} without its rules."
        )
        return prompt_yaml(winner.prompt, name=name, description=description, parent=PARENT, provenance=provenance)


def _optimizer(name: str) -> type[Learner]:
    """How a prompt is learned. ``check_learning`` has seen to it that gepa is there."""
    if name == "gepa":
        from .learn_gepa import GepaLearner

        return GepaLearner
    return Learner


def _score_json(score: Score) -> dict[str, Any]:
    rounds = score.mean_debug_rounds
    return {
        "tasks": score.tasks,
        "correct": score.correct,
        "faster": score.faster,
        "mean_debug_rounds": None if rounds is None else round(rounds, 4),
    }


def start_judging(
    settings: JudgeSettings,
    tasks: dict[str, Task],
    arches: tuple[str, ...],
    march: str | None,
    cache: Path,
    sandbox: bool,
) -> None:
    """In a judging process: make the judge it serves with."""
    toolchains = {a: Toolchain(a, march=march, cache=cache, sandbox=sandbox) for a in arches}
    serve_here(Judge(settings, toolchains), tasks)


# --- the report's data ------------------------------------------------------------------------------------------------


def outcome_json(outcome: Result) -> dict[str, Any]:
    """Everything of one subject, for learn.json and the page."""
    learned = outcome.learned
    data: dict[str, Any] = {
        "model": outcome.subject.model,
        "arch": outcome.subject.arch,
        "level": outcome.subject.level,
        "splits": dataclasses.asdict(outcome.splits),
        "stored": str(outcome.path) if outcome.path else None,
        "error": outcome.error,
    }
    if learned is None:
        return data
    data |= {
        "winner": learned.winner.number,
        "stopped": learned.stopped,
        "tokens_in": learned.tokens_in,
        "tokens_out": learned.tokens_out,
        "cost_usd": learned.cost_usd,
        "epochs": [
            {
                "epoch": e.number,
                **_score_json(e.score),
                "acc_ci": list(wilson_interval(e.score.correct, e.score.tasks)),
                "tried": e.tried,
                "rules": [dataclasses.asdict(r) for r in e.prompt.rules],
            }
            for e in learned.epochs
        ],
        "batches": [
            {
                "epoch": b.epoch,
                "batch": b.number,
                "outcomes": b.outcomes,
                "insights": [dataclasses.asdict(i) for i in b.insights],
                "changes": [{"change": str(c), "applied": d.apply, "why": d.why} for c, d in b.changes],
                "refused": b.refused,
                "gate": b.gate,
            }
            for b in learned.batches
        ],
    }
    if outcome.test and outcome.test_scores:
        data["test"] = {
            "baseline": _score_json(outcome.test_scores[0]),
            "winner": _score_json(outcome.test_scores[1]),
            **outcome.test.as_json(),
        }
    return data


def write_learn_json(outcomes: Sequence[Result], path: Path) -> None:
    """``learn.json``. Raises NeucombackError when the disk does not take it."""
    save_text(path, json.dumps({"schema": 1, "subjects": [outcome_json(o) for o in outcomes]}, indent=1) + "\n")
