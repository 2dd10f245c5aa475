"""Learning a prompt from self-debug trajectories: the paper's method (section 4.2) and what goes beyond it.

Control flow over what it is given: a ``Bench`` that runs trials and asks the teacher, and a ledger that keeps every
step. It knows neither pytest, networks nor processes, and never sees a task of the test split.
docs/prompt-learning.md describes the method.
"""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
import itertools
import random
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .ledger import Ledger, step_name
from .pairs import Pairs, compare_outcomes
from .prompts import Prompt, Rule
from .teacher import (
    FRAGMENTS,
    TOPICS,
    Change,
    Decision,
    Fragment,
    Insight,
    TeacherPrompt,
    apply_changes,
    changes_between,
    read_decisions,
    read_insights,
    read_rules,
    show_changes,
    show_insights,
    show_rules,
    show_trajectory,
)
from .types import Message

PATIENCE_EPOCHS = 2
"""Epochs without a better valid score after which ``stop`` ends learning."""
ALIKE = 0.85
"""Two rules whose words agree to this degree (difflib's ratio) say the same."""
LEAKED_WORDS = 6
"""So many words in a row that stand in a task's source as well are its text."""
_ORDINARY = frozenset(range(130)) | {255, 256, 512, 1024, 2048, 4096, 65535, 65536}
"""Numbers that any program has."""


@dataclass(frozen=True)
class LearnSettings:
    """What decides the course of learning, besides tasks, models and prompts."""

    epochs: int = 3
    batch: int = 5
    seed: int = 0
    opt_rounds: int = 0
    extensions: frozenset[str] = frozenset()
    rules_chars: int = 6000


@dataclass(frozen=True)
class Trial:
    """One task under one prompt."""

    task: str
    outcome: str
    first_outcome: str
    debug_rounds: int
    faster: bool | None
    """Whether the final candidate beat the reference; None where no time was taken."""
    rounds: tuple[Mapping[str, Any], ...]
    """kind, outcome, diagnostic, assembly or None, reply, measured."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float | None = None

    @property
    def solved(self) -> bool:
        return self.outcome == "correct"

    def erred(self) -> bool:
        """Whether a round before the first correct candidate went wrong."""
        return self.first_outcome != "correct"


@dataclass(frozen=True)
class Answer:
    """The teacher's reply."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float | None = None


class Bench(Protocol):
    """Where trials are run and the teacher is asked."""

    async def trial(self, task: str, prompt: Prompt, *, opt_rounds: int) -> Trial:
        """Run one. Raises ModelUnavailable when the student does not answer, BudgetSpent when it may not be asked."""

    async def teach(self, messages: tuple[Message, ...]) -> Answer:
        """Ask the teacher. Raises as ``trial`` does."""

    def trial_key(self, task: str, prompt: Prompt, *, opt_rounds: int) -> object:
        """All that decides a trial, as JSON."""

    def teacher_key(self) -> object:
        """All that decides an answer of the teacher besides the messages, as JSON."""

    def source(self, task: str) -> str:
        """What a task's text is, for the leakage check: its C and its IR."""


@dataclass(frozen=True)
class Score:
    """A prompt on a set of tasks."""

    tasks: int
    correct: int
    faster: int | None
    mean_debug_rounds: float | None
    """Of solved tasks."""
    solved: tuple[str, ...]

    def key(self) -> tuple[float, float, float]:
        """Larger is better: ACC, then ACC+Perf, then fewer self-debug rounds."""
        return self.correct, self.faster or 0, -(self.mean_debug_rounds or 0.0)

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"solved": list(self.solved)}


@dataclass
class Batch:
    """What happened in one batch, for the report."""

    epoch: int
    number: int
    tasks: list[str]
    outcomes: dict[str, str] = field(default_factory=dict)
    insights: list[Insight] = field(default_factory=list)
    changes: list[tuple[Change, Decision]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Rules that an extension kept out, each with the reason."""
    gate: str = ""


@dataclass
class Epoch:
    """One pass over the train split. Epoch 0 is the prompt that learning began with."""

    number: int
    score: Score
    prompt: Prompt
    tried: int = 0
    """Tasks of the train split that were tried."""


@dataclass
class Learned:
    """What learning came to."""

    winner: Epoch
    epochs: list[Epoch]
    batches: list[Batch]
    stopped: str = ""
    """Why it ended before the last epoch, or nothing."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float | None = None


@dataclass
class Standing:
    """How far learning is, for the progress line."""

    epoch: int = 0
    epochs: int = 0
    batch: int = 0
    batches: int = 0
    doing: str = "baseline on valid"
    best: Score | None = None
    steps_done: int = 0
    steps_total: int = 0
    """Trials of a whole run, as far as it can be told."""


class Learner:
    """One run of the paper's method for one model, architecture and level."""

    def __init__(
        self,
        bench: Bench,
        ledger: Ledger,
        teacher: TeacherPrompt,
        settings: LearnSettings,
        *,
        base: Prompt,
        train: Sequence[str],
        valid: Sequence[str],
        noted: Callable[[Standing], None] = lambda _: None,
    ) -> None:
        self.bench, self.ledger, self.teacher, self.settings = bench, ledger, teacher, settings
        self.base, self.train, self.valid = numbered(base), tuple(sorted(train)), tuple(sorted(valid))
        self.standing = Standing(epochs=settings.epochs)
        self._noted = noted
        self._next_id = 1 + max((int(r.id[1:]) for r in self.base.rules), default=0)
        self._spent: dict[str, tuple[int, int, float | None]] = {}
        """By step, so that one that comes up again, such as a score of an unchanged prompt, counts once."""
        self._last: dict[str, tuple[int, bool]] = {}
        """By task: the epoch it was last tried in, and whether it was solved at once."""

    def _has(self, extension: str) -> bool:
        return extension in self.settings.extensions

    async def run(self) -> Learned:
        """All epochs. Raises BudgetSpent and ModelUnavailable; what was done stays in the ledger."""
        prompt = self.base
        per_epoch = len(self.train) * (2 if self._has("gate") else 1) + len(self.valid)
        self.standing.steps_total = len(self.valid) + per_epoch * self.settings.epochs
        self._tell()
        epochs = [Epoch(0, await self.score(prompt, self.valid), prompt)]
        self.standing.best = epochs[0].score
        batches: list[Batch] = []
        stopped = ""
        for number in range(1, self.settings.epochs + 1):
            before = prompt
            tasks = self._order(number)
            chunks = [tasks[i : i + self.settings.batch] for i in range(0, len(tasks), self.settings.batch)]
            for place, chunk in enumerate(chunks, 1):
                self._tell(epoch=number, batches=len(chunks), batch=place, doing="trials")
                batch = Batch(number, place, chunk)
                prompt = await self._batch(prompt, batch)
                batches.append(batch)
            self._tell(epoch=number, doing="scoring on valid")
            epochs.append(Epoch(number, await self.score(prompt, self.valid), prompt, len(tasks)))
            best = max(epochs, key=lambda e: e.score.key())
            self.standing.best = best.score
            if self._has("stop") and number < self.settings.epochs:
                if prompt.digest() == before.digest():
                    stopped = f"epoch {number} changed nothing"
                    break
                if number - best.number >= PATIENCE_EPOCHS:
                    stopped = f"no better valid score since epoch {best.number}"
                    break
        return self._ended(epochs, batches, stopped)

    def _ended(self, epochs: list[Epoch], batches: list[Batch], stopped: str) -> Learned:
        """The result, with what all steps took."""
        # max keeps the first of equals: the earlier prompt has fewer rules
        winner = max(epochs, key=lambda e: e.score.key())
        spent = list(self._spent.values())
        costs = [c for _, _, c in spent]
        return Learned(
            winner,
            epochs,
            batches,
            stopped,
            sum(s[0] for s in spent),
            sum(s[1] for s in spent),
            sum(c for c in costs if c is not None) if costs and None not in costs else None,
        )

    def _tell(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self.standing, name, value)
        self._noted(self.standing)

    def _order(self, epoch: int) -> list[str]:
        """This epoch's tasks: a seeded shuffle, with ``difficulty`` without those that were easy just now."""
        tasks = list(self.train)
        random.Random(f"{self.settings.seed} epoch {epoch}").shuffle(tasks)
        if not self._has("difficulty"):
            return tasks
        return [t for t in tasks if self._last.get(t) != (epoch - 1, True)]

    # --- trials ---------------------------------------------------------------------------------------------------

    async def trials(self, prompt: Prompt, tasks: Sequence[str], *, opt_rounds: int) -> list[Trial]:
        """Trials side by side, in the order of ``tasks``."""
        return await together([self._trial(t, prompt, opt_rounds) for t in tasks])

    async def _trial(self, task: str, prompt: Prompt, opt_rounds: int) -> Trial:
        key = self.bench.trial_key(task, prompt, opt_rounds=opt_rounds)

        async def work() -> dict[str, Any]:
            return dataclasses.asdict(await self.bench.trial(task, prompt, opt_rounds=opt_rounds))

        data = await self.ledger.step("trial", key, work)
        trial = Trial(**{**data, "rounds": tuple(data["rounds"])})
        self._spent[step_name("trial", key)] = trial.tokens_in, trial.tokens_out, trial.cost_usd
        self.standing.steps_done += 1
        self._tell()
        return trial

    async def score(self, prompt: Prompt, tasks: Sequence[str]) -> Score:
        """A prompt on a set of tasks."""
        return score_of(await self.trials(prompt, tasks, opt_rounds=self.settings.opt_rounds))

    # --- a batch --------------------------------------------------------------------------------------------------

    async def _batch(self, prompt: Prompt, batch: Batch) -> Prompt:
        trials = await self.trials(prompt, batch.tasks, opt_rounds=self.settings.opt_rounds)
        batch.outcomes = {t.task: t.outcome for t in trials}
        for trial in trials:
            self._last[trial.task] = (batch.epoch, not trial.erred())
        self._tell(doing="extracting insights")
        insights = {f: await self._insights(self._stories(trials, f), f) for f in FRAGMENTS}
        tried = prompt
        for fragment, found in insights.items():
            batch.insights += found
            if not found:
                continue
            if self._has("gate") and prompt.digest() != tried.digest():
                # what the new rules for correctness did must not count for or against those for speed
                tried = prompt
                trials = await self.trials(prompt, batch.tasks, opt_rounds=self.settings.opt_rounds)
            self._tell(doing=f"merging rules for {TOPICS[fragment]}")
            prompt = await self._evolve(prompt, fragment, found, batch, trials)
        return prompt

    def _stories(self, trials: Sequence[Trial], fragment: Fragment) -> list[dict[str, str]]:
        """What the teacher is to see of trials for a fragment: by task, what its template takes."""
        stories = []
        for trial in trials:
            speed = next((i for i, r in enumerate(trial.rounds) if r["kind"] == "optimise"), len(trial.rounds))
            if fragment == "correctness" and trial.erred() and (trial.solved or self._has("failed")):
                ending = "solved" if trial.solved else "not solved"
                shown = show_trajectory(trial.rounds[:speed])
                stories.append({"task": trial.task, "trajectory": shown, "ending": ending})
            elif fragment == "performance" and trial.solved and speed < len(trial.rounds):
                # from the correct candidate that was to be made faster
                shown = show_trajectory(trial.rounds[max(speed - 1, 0) :])
                stories.append({"task": trial.task, "trajectory": shown})
        return stories

    async def _insights(self, stories: Sequence[Mapping[str, str]], fragment: Fragment) -> list[Insight]:
        template = "extract_speed" if fragment == "performance" else "extract"

        async def one(story: Mapping[str, str]) -> list[Insight]:
            shown = {name: text for name, text in story.items() if name != "task"}
            answer = await self._asked("extract", self.teacher.ask(template, **shown))
            return read_insights(answer, story["task"], fragment)

        return [insight for found in await together([one(s) for s in stories]) for insight in found]

    async def _asked(self, kind: str, messages: tuple[Message, ...]) -> str:
        async def work() -> dict[str, Any]:
            return dataclasses.asdict(await self.bench.teach(messages))

        key = [self.bench.teacher_key(), list(messages)]
        answer = Answer(**await self.ledger.step(kind, key, work))
        self._spent[step_name(kind, key)] = answer.tokens_in, answer.tokens_out, answer.cost_usd
        return answer.text

    async def _evolve(
        self, prompt: Prompt, fragment: Fragment, insights: Sequence[Insight], batch: Batch, trials: Sequence[Trial]
    ) -> Prompt:
        """The prompt after merge, review, and what the extensions say."""
        rules = list(rules_of(prompt, fragment))
        topic = TOPICS[fragment]
        proposed = await self._merged(rules, fragment, insights, batch)
        if proposed is None:
            return prompt
        changes = changes_between(rules, proposed)
        if not changes:
            return prompt
        review = self.teacher.ask("review", topic=topic, rules=show_rules(rules), changes=show_changes(changes))
        decisions = read_decisions(await self._asked("review", review), len(changes))
        batch.changes += list(zip(changes, decisions, strict=True))
        applied = [n for n, decision in enumerate(decisions) if decision.apply]

        def fitting(chosen: Collection[int]) -> tuple[list[Rule], list[Rule]]:
            """The rules after some of the changes, and those that the budget leaves out."""
            new = apply_changes(rules, changes, [Decision(n in chosen) for n in range(len(changes))])
            return self._shortened(new) if self._has("budget") else (new, [])

        kept = dict.fromkeys(applied, (0, 0))
        if self._has("gate"):
            self._tell(doing="gate")
            kept = await self._gated(
                lambda chosen: _with_rules(prompt, fragment, fitting(chosen)[0]), applied, fragment, batch, trials
            )
        new, beyond = fitting(kept)
        self._note_beyond(beyond, batch)
        told = {rule.id: counts for n, counts in kept.items() if (rule := changes[n].new) is not None}
        counted = [
            dataclasses.replace(r, helped=r.helped + told[r.id][0], harmed=r.harmed + told[r.id][1])
            if r.id in told else r
            for r in new
        ]  # fmt: skip
        return _with_rules(prompt, fragment, counted)

    async def _merged(
        self, rules: Sequence[Rule], fragment: Fragment, insights: Sequence[Insight], batch: Batch
    ) -> list[Rule] | None:
        """A fragment's rules as the teacher wants them after these insights; None when its answer is of no use."""
        merge = self.teacher.ask(
            "merge", topic=TOPICS[fragment], rules=show_rules(rules), insights=show_insights(insights)
        )
        proposed = read_rules(await self._asked("merge", merge), rules, insights, fragment, first_id=self._next_id)
        if proposed is None:
            batch.refused.append("the merge answer has no whole block of rules")
            return None
        proposed = self._filtered(proposed, rules, batch)
        self._next_id = max([self._next_id, *(int(r.id[1:]) + 1 for r in proposed)])
        return proposed

    def _filtered(self, proposed: Sequence[Rule], rules: Sequence[Rule], batch: Batch) -> list[Rule]:
        """Without rules that leak or repeat."""
        old = {rule.id: rule for rule in rules}
        kept: list[Rule] = []
        for rule in sorted(proposed, key=lambda r: r.id not in old):  # of twins the one that has been there stays
            same = rule.id in old and old[rule.id].text == rule.text
            if not same and self._has("leak") and (why := self._leak(rule.text)):
                batch.refused.append(f"{rule.text}: {why}")
                if rule.id in old:
                    kept.append(old[rule.id])
                continue
            twin = next((k for k in kept if alike(k.text, rule.text)), None) if self._has("dedupe") else None
            if twin is not None:
                batch.refused.append(f"{rule.text}: says what {twin.id} says")
                continue
            kept.append(rule)
        return kept

    def _leak(self, text: str) -> str | None:
        for task in (*self.train, *self.valid):
            if why := leak(text, task, self.bench.source(task)):
                return why
        return None

    def _shortened(self, rules: Sequence[Rule]) -> tuple[list[Rule], list[Rule]]:
        """What fits into the budget, and what does not: the least useful go first, of equals the newest."""
        kept, beyond = list(rules), list[Rule]()
        while kept and sum(len(r.text) + 3 for r in kept) > self.settings.rules_chars:
            worst = min(kept, key=lambda r: (r.helped - r.harmed, -int(r.id[1:])))
            beyond.append(worst)
            kept.remove(worst)
        return kept, beyond

    def _note_beyond(self, rules: Sequence[Rule], batch: Batch) -> None:
        budget = f"beyond the budget of {self.settings.rules_chars} characters"
        batch.refused += [f"{rule.text}: {budget}" for rule in rules]

    async def _gated(
        self,
        after: Callable[[Collection[int]], Prompt],
        applied: Sequence[int],
        fragment: Fragment,
        batch: Batch,
        trials: Sequence[Trial],
    ) -> dict[int, tuple[int, int]]:
        """Of the changes those that do not lose on the tasks that they came from, with tasks won and lost.

        ``after`` makes the prompt after some of the changes. With ``split``, changes that lose together are tried in
        halves, each on top of what was kept before, down to single ones (the idea of delta debugging: Zeller and
        Hildebrandt, 2002), so that one bad rule takes no good one with it.
        """
        opt_rounds = self.settings.opt_rounds if fragment == "performance" else 0
        kept: dict[int, tuple[int, int]] = {}
        said: list[str] = []
        groups = [list(applied)]
        while groups:
            group = groups.pop()
            before, tried = after(kept), after([*kept, *group])
            if tried.digest() == before.digest():
                kept |= dict.fromkeys(group, (0, 0))
                continue
            again = await self.trials(tried, batch.tasks, opt_rounds=opt_rounds)
            pairs = compare_trials(trials, again)
            won, lost = len(pairs.won), len(pairs.lost)
            both = [(a, b) for a, b in zip(trials, again, strict=True) if a.solved and b.solved]
            rounds = sum(b.debug_rounds - a.debug_rounds for a, b in both)
            faster = sum((b.faster or 0) - (a.faster or 0) for a, b in both) if fragment == "performance" else 0
            keep = (won - lost, faster, -rounds) >= (0, 0, 0)
            split = not keep and self._has("split") and len(group) > 1
            word = "kept" if keep else "split" if split else "dropped"
            part = f" {len(group)} of {len(applied)}" if len(group) < len(applied) else ""
            speed = f", faster {faster:+d}" if fragment == "performance" else ""
            said.append(f"{word}{part}: won {won}, lost {lost}{speed}, self-debug rounds {rounds:+d}")
            if keep:
                kept |= dict.fromkeys(group, (won, lost))
                trials = again
            elif split:
                middle = len(group) // 2
                groups += [group[middle:], group[:middle]]
        told = "; ".join(said)
        batch.gate = f"{batch.gate}; for speed: {told}" if batch.gate and told else batch.gate or told
        return kept


async def together(work: Sequence[Any]) -> list[Any]:
    """Results in order. When one fails the others are seen to their end first, so that what was paid for is kept."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return list(results)


def compare_trials(before: Sequence[Trial], after: Sequence[Trial]) -> Pairs:
    """Which tasks are won and lost from one prompt to another."""
    return compare_outcomes({t.task: t.solved for t in before}, {t.task: t.solved for t in after})


def score_of(trials: Sequence[Trial]) -> Score:
    """The score of a set of trials."""
    solved = [t for t in trials if t.solved]
    timed = [t.faster for t in trials if t.faster is not None]
    rounds = [t.debug_rounds for t in solved]
    return Score(
        tasks=len(trials),
        correct=len(solved),
        faster=sum(timed) if timed else None,
        mean_debug_rounds=sum(rounds) / len(rounds) if rounds else None,
        solved=tuple(t.task for t in solved),
    )


def rules_of(prompt: Prompt, fragment: Fragment) -> tuple[Rule, ...]:
    return prompt.correctness_rules if fragment == "correctness" else prompt.performance_rules


def _with_rules(prompt: Prompt, fragment: Fragment, rules: Sequence[Rule]) -> Prompt:
    if fragment == "correctness":
        return dataclasses.replace(prompt, correctness_rules=tuple(rules))
    return dataclasses.replace(prompt, performance_rules=tuple(rules))


def alike(one: str, other: str) -> bool:
    """Whether two rules say the same, by their words in order; none do that differ in a register, number or `not`."""
    a, b = (
        [w for word in re.findall(r"[\w%$.]+", t.lower()) if (w := word.rstrip(".")) not in ("the", "a", "an", "")]
        for t in (one, other)
    )
    telling = re.compile(r".*[%$.\d].*|[re]?[abcd]x|[re]?[sd]i|[re]?[sb]p|not?|never|n?or|without")
    if {w for w in a if telling.fullmatch(w)} != {w for w in b if telling.fullmatch(w)}:
        return False
    return difflib.SequenceMatcher(None, a, b, autojunk=False).ratio() >= ALIKE


def leak(rule: str, task: str, source: str) -> str | None:
    """Why a rule gives a task away: its name, a number of it that few programs have, or a stretch of its text."""
    functions = re.findall(r"(?m)^define\b[^@\n]*@([\w$]+)\(", source)
    for name in dict.fromkeys((task.rpartition("/")[2], *functions)):
        # a name that may be a word, such as `add`, is meant only where it is written as code
        marked = rf"(?:[`'\"@]{re.escape(name)}(?!\w)|(?<![\w.]){re.escape(name)}\()"
        plain = rf"(?<![\w.]){re.escape(name)}(?!\w)"
        if re.search(marked if name.isalpha() else plain, rule):
            return f"names the task {task}"
    for number in re.findall(r"(?<![\w.%])(\d{3,})(?!\w|\.\d)", rule):
        # %123, !123 and #123 are LLVM's own numbering
        if int(number) not in _ORDINARY and re.search(rf"(?<![\w%!#.]){number}(?!\d)", source):
            return f"holds {number}, a constant of {task}"
    words, text = re.findall(r"\S+", rule), " ".join(source.split())
    for at in range(len(words) - LEAKED_WORDS + 1):
        if " ".join(words[at : at + LEAKED_WORDS]) in text:
            return f"holds text of {task}"
    return None


def numbered(prompt: Prompt) -> Prompt:
    """The prompt with an id of the form R3 for each rule: hand-written ones have none, and the teacher needs them."""
    taken = {r.id for r in prompt.rules if re.fullmatch(r"R\d+", r.id)}
    free = (f"R{n}" for n in itertools.count(1) if f"R{n}" not in taken)
    seen = set[str]()

    def with_ids(rules: Sequence[Rule]) -> tuple[Rule, ...]:
        named = []
        for rule in rules:
            name = rule.id if rule.id in taken and rule.id not in seen else next(free)
            seen.add(name)
            named.append(dataclasses.replace(rule, id=name))
        return tuple(named)

    return dataclasses.replace(
        prompt,
        correctness_rules=with_ids(prompt.correctness_rules),
        performance_rules=with_ids(prompt.performance_rules),
    )
