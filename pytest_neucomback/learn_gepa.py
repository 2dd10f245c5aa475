"""Learning a prompt with GEPA: candidates evolve by reflection, parents come from a Pareto front over valid tasks.

The search is that of the package ``gepa``; trials, teacher, splits, ledger and report are those of ``learn.Learner``.
A candidate's components are the two rule fragments as text. docs/prompt-learning.md describes what differs.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib.metadata
import random
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from .errors import ConfigError
from .learn import PATIENCE_EPOCHS, Batch, Epoch, Learned, Learner, Score, Trial, compare_trials, rules_of, score_of
from .prompts import Prompt, Rule
from .teacher import FRAGMENTS, TOPICS, Decision, Fragment, changes_between, show_rules

VERSION = "0.1.4"
"""Of gepa. A killed run is replayed step by step, so another version, with another search, would not go on with it."""
INSTALL = "pip install pytest-neucomback[gepa]"

# Binary fractions: sums of them are exact, so that the order of tasks decides nothing.
ROUND_COST = 1 / 16
"""What a self-debug round takes off a solved task's score."""
MOST_ROUNDS = 4
"""Rounds beyond these cost nothing more: solved late stays far better than not solved."""
FASTER = 1 / 4
"""What of a solved task's score has to be earned by beating the reference, where it was timed."""

Result = TypeVar("Result")


def check_gepa() -> None:
    """Raises ConfigError unless the package is there, in the version that this module is written for."""
    try:
        found = importlib.metadata.version("gepa")
    except importlib.metadata.PackageNotFoundError:
        raise ConfigError(f"--nc-learn-optimizer=gepa: the package gepa is not installed; {INSTALL}") from None
    if found != VERSION:
        raise ConfigError(f"--nc-learn-optimizer=gepa: needs gepa {VERSION}, found {found}; {INSTALL}")


def trial_score(trial: Trial) -> float:
    """Between 0 (not solved) and 1 (solved at once, and faster than the reference where it was timed)."""
    if not trial.solved:
        return 0.0
    score = 1.0 - ROUND_COST * min(trial.debug_rounds, MOST_ROUNDS)
    return score if trial.faster is not False else score - FASTER


class GepaLearner(Learner):
    """``Learner`` with another search.

    gepa is synchronous: it runs in a thread of its own and waits there for trials and the teacher, which run in the
    event loop. While it runs nobody else does, so the two share this object without locks.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._failure: BaseException | None = None
        self._known: dict[tuple[str, str, int], Trial] = {}
        self._rules: dict[tuple[str, str], tuple[Rule, ...]] = {}
        """What a component's text stands for: the text is for gepa, which never changes it itself."""
        self._epochs: list[Epoch] = []
        self._candidates: list[tuple[Score, dict[str, str], int]] = []
        """Those that were tried on valid: score, components, and the epoch they were found in."""
        self._batches: list[Batch] = []
        self._trials: tuple[list[Trial], list[Trial]] = ([], [])
        """Of the batch: with the parent, with the proposal."""
        self._stopped = ""

    async def run(self) -> Learned:
        """The whole search. Raises BudgetSpent and ModelUnavailable; what was done stays in the ledger."""
        self._loop = asyncio.get_running_loop()
        self.standing.steps_total = self.most_trials
        # A pass takes at least as many trials as train has tasks, when all of them are solved at once.
        self.standing.epochs = -(-(self.most_trials - len(self.valid)) // len(self.train))
        done = self._loop.create_future()

        def finish() -> None:
            if not done.done():
                done.set_result(None)

        def work() -> None:
            with contextlib.suppress(BaseException), self._noticed():
                self._search()
            with contextlib.suppress(RuntimeError):  # the loop is gone when the run was interrupted
                self._loop.call_soon_threadsafe(finish)

        # A daemon: Ctrl-C must not wait for the rest of the search, as it would for an executor's thread.
        threading.Thread(target=work, name="neucomback-gepa", daemon=True).start()
        try:
            await done
        except asyncio.CancelledError as error:
            self._failure = error
            raise
        if self._failure is not None:
            raise self._failure
        return self._learned()

    # --- size -----------------------------------------------------------------------------------------------------

    @property
    def most_trials(self) -> int:
        """As many as the paper's method makes without extensions."""
        return self.settings.epochs * len(self.train) + (self.settings.epochs + 1) * len(self.valid)

    @property
    def batch(self) -> int:
        """Tasks of a batch; at most half of a small train split, so that ``most_trials`` has room for a proposal."""
        return min(self.settings.batch, max(1, len(self.train) // 2))

    @property
    def _batches_a_pass(self) -> int:
        return -(-len(self.train) // self.batch)

    # --- between gepa's thread and the loop -----------------------------------------------------------------------

    @contextlib.contextmanager
    def _noticed(self) -> Iterator[None]:
        """Remember the first failure: gepa swallows those of proposers and callbacks, and would go on."""
        try:
            yield
        except BaseException as error:
            self._failure = self._failure or error
            raise

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        """In gepa's thread: the result of work that the loop does. After a failure nothing more is begun."""
        with self._noticed():
            if self._failure is not None:
                work.close()
                raise self._failure
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _search(self) -> None:
        from gepa.api import optimize

        search: Any = optimize  # typed or not, as the optional package is there or not
        search(
            seed_candidate={f: self._text(f, rules_of(self.base, f)) for f in FRAGMENTS},
            trainset=list(self.train),
            valset=list(self.valid),
            adapter=_Adapter(self),
            custom_candidate_proposer=lambda candidate, dataset, _: self._wait(self._reflect(candidate, dataset)),
            batch_sampler=_Sampler(self),
            # both fragments, as far as there are insights: a merge costs little beside the trials of a proposal
            module_selector="all",
            perfect_score=1.0,
            stop_callbacks=self._enough,
            callbacks=[_Listener(self)],
            logger=_Silence(),
            track_best_outputs=False,
            seed=self.settings.seed,
            # No run_dir: gepa would resume from a pickle there, which may be behind the ledger and runs code when it
            # is read. The ledger replays every trial and answer, so the same search comes to where it was.
            run_dir=None,
        )

    def _enough(self, state: Any) -> bool:
        """Before each proposal: close the epochs that are over, and say whether there is room for another one."""
        with self._noticed():
            over = (state.i + 1) // self._batches_a_pass
            while len(self._epochs) <= over:
                self._close_epoch(len(self.train))
            since = over - self._best()[2]
            if self._has("stop") and since >= PATIENCE_EPOCHS:
                self._stopped = f"no better valid score since epoch {self._best()[2]}"
            # a proposal is tried on its batch and, if it wins there, on all of valid
            room = self.most_trials - state.total_num_evals
            return bool(self._stopped) or self._failure is not None or room < 2 * self.batch + len(self.valid)

    # --- candidates -----------------------------------------------------------------------------------------------

    def _text(self, fragment: Fragment, rules: Sequence[Rule]) -> str:
        text = show_rules(rules)
        self._rules.setdefault((fragment, text), tuple(rules))
        return text

    def _prompt(self, candidate: Mapping[str, str]) -> Prompt:
        return dataclasses.replace(
            self.base,
            correctness_rules=self._rules["correctness", candidate["correctness"]],
            performance_rules=self._rules["performance", candidate["performance"]],
        )

    def _best(self) -> tuple[Score, dict[str, str], int]:
        # max keeps the first of equals, as in the paper's method
        return max(self._candidates, key=lambda c: c[0].key())

    def _close_epoch(self, tried: int) -> None:
        """Record the best candidate so far as that of the epoch that ends."""
        score, candidate, _ = self._best()
        self._epochs.append(Epoch(len(self._epochs), score, self._prompt(candidate), tried if self._epochs else 0))

    def _learned(self) -> Learned:
        # the epoch that was cut short, by the number of trials
        if rest := len(self._batches) % self._batches_a_pass:
            self._close_epoch(sum(len(b.tasks) for b in self._batches[-rest:]))
        return self._ended(self._epochs, self._batches, self._stopped)

    async def _trial(self, task: str, prompt: Prompt, opt_rounds: int) -> Trial:
        key = (task, prompt.digest(), opt_rounds)
        if key not in self._known:
            self._known[key] = await super()._trial(task, prompt, opt_rounds)
        return self._known[key]

    # --- reflection -----------------------------------------------------------------------------------------------

    async def _reflect(
        self, candidate: Mapping[str, str], dataset: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> dict[str, str]:
        """New texts of the fragments that the teacher rewrites; empty when there is nothing new to try."""
        batch = self._batches[-1]
        texts: dict[str, str] = {}
        for fragment in FRAGMENTS:
            self._tell(doing="extracting insights")
            found = await self._insights(dataset.get(fragment, ()), fragment)
            batch.insights += found
            if not found:
                continue
            self._tell(doing=f"merging rules for {TOPICS[fragment]}")
            rules = self._rules[fragment, candidate[fragment]]
            proposed = await self._merged(rules, fragment, found, batch)
            if proposed is None:
                continue
            if self._has("budget"):
                proposed, beyond = self._shortened(proposed)
                self._note_beyond(beyond, batch)
            changes = changes_between(rules, proposed)
            # trials decide, so there is no review
            batch.changes += [(change, Decision(True)) for change in changes]
            if changes:
                texts[fragment] = self._text(fragment, proposed)
        if texts and self._is_known(self._prompt({**candidate, **texts}), batch):
            self._refuse(batch, "was tried before")
            return {}
        return texts

    def _is_known(self, prompt: Prompt, batch: Batch) -> bool:
        """Whether a proposal is in the pool already, or has lost on this very batch."""
        rest = (prompt.digest(), self.settings.opt_rounds)
        return (self.valid[0], *rest) in self._known or all((t, *rest) in self._known for t in batch.tasks)

    def _refuse(self, batch: Batch, why: str) -> None:
        batch.gate = f"dropped: {why}"
        batch.changes = [(change, Decision(False, why)) for change, _ in batch.changes]

    # --- what gepa tells ------------------------------------------------------------------------------------------

    def _tried_on_valid(self, candidate: dict[str, str]) -> None:
        """gepa took a candidate into its pool; the first one is what learning began with."""
        found = 0
        if self._candidates:
            batch = self._batches[-1]
            found = batch.epoch
            pairs = compare_trials(*self._trials)
            won, lost = len(pairs.won), len(pairs.lost)
            self._count(candidate, won, lost)
        prompt = self._prompt(candidate)
        # read from memory: gepa has just had them
        score = score_of([self._known[t, prompt.digest(), self.settings.opt_rounds] for t in self.valid])
        if self._candidates:
            batch.gate = f"kept: won {won}, lost {lost} of the batch; {score.correct}/{score.tasks} on valid"
        self._candidates.append((score, candidate, found))
        if not self._epochs:
            self._close_epoch(0)
        self._tell(best=self._best()[0])

    def _count(self, candidate: Mapping[str, str], won: int, lost: int) -> None:
        """As the paper's gate does: rules that came or changed with the proposal get its wins and losses."""
        new = {c.new.id for c, _ in self._batches[-1].changes if c.new is not None}
        for fragment in FRAGMENTS:
            key = (fragment, candidate[fragment])
            self._rules[key] = tuple(
                dataclasses.replace(r, helped=r.helped + won, harmed=r.harmed + lost) if r.id in new else r
                for r in self._rules[key]
            )


class _Adapter:
    """gepa's ``GEPAAdapter``: tasks are named by their ids, trajectories are trials."""

    propose_new_texts = None
    """gepa looks for it here first; ours is the custom proposer."""

    def __init__(self, learner: GepaLearner) -> None:
        self._learner = learner

    def evaluate(self, batch: list[str], candidate: dict[str, str], capture_traces: bool = False) -> Any:
        from gepa.core.adapter import EvaluationBatch

        learner = self._learner
        work = learner.trials(learner._prompt(candidate), batch, opt_rounds=learner.settings.opt_rounds)
        trials = learner._wait(work)
        return EvaluationBatch(
            outputs=[t.outcome for t in trials],
            scores=[trial_score(t) for t in trials],
            trajectories=trials if capture_traces else None,
        )

    def make_reflective_dataset(
        self,
        candidate: dict[str, str],  # noqa: ARG002
        eval_batch: Any,
        components_to_update: list[str],
    ) -> dict[str, list[dict[str, Any]]]:
        with self._learner._noticed():
            trials = eval_batch.trajectories
            return {f: self._learner._stories(trials, f) for f in FRAGMENTS if f in components_to_update}


class _Sampler:
    """Batches of the train split, shuffled for each pass as the paper's method does.

    gepa's own sampler fills its last batch up, so that a task may be in it twice.
    """

    def __init__(self, learner: GepaLearner) -> None:
        self._learner = learner

    def next_minibatch_ids(self, loader: Any, state: Any) -> list[int]:  # noqa: ARG002
        learner = self._learner
        with learner._noticed():
            before, place = divmod(state.i, learner._batches_a_pass)
            tasks = list(learner.train)
            random.Random(f"{learner.settings.seed} epoch {before + 1}").shuffle(tasks)
            chunk = tasks[place * learner.batch : (place + 1) * learner.batch]
            learner._batches.append(Batch(before + 1, place + 1, chunk))
            learner._tell(epoch=before + 1, batch=place + 1, batches=learner._batches_a_pass, doing="trials")
            return [learner.train.index(t) for t in chunk]


class _Listener:
    """gepa's callbacks, as far as the report needs them."""

    def __init__(self, learner: GepaLearner) -> None:
        self._learner = learner

    def on_evaluation_end(self, event: Mapping[str, Any]) -> None:
        """A batch was tried, with the parent or, without an index, with the proposal."""
        learner = self._learner
        with learner._noticed():
            trials = list(event["trajectories"])
            if event["candidate_idx"] is None:
                learner._trials = (learner._trials[0], trials)
            else:
                learner._trials = (trials, [])
                learner._batches[-1].outcomes = {t.task: t.outcome for t in trials}

    def on_candidate_rejected(self, event: Mapping[str, Any]) -> None:
        """The proposal was no better on its batch."""
        with self._learner._noticed():
            scores = f"{event['old_score']:.2f} before, {event['new_score']:.2f} with it"
            self._learner._refuse(self._learner._batches[-1], f"no better on its batch ({scores})")

    def on_valset_evaluated(self, event: Mapping[str, Any]) -> None:
        """A candidate was tried on valid."""
        with self._learner._noticed():
            self._learner._tried_on_valid(dict(event["candidate"]))


class _Silence:
    """gepa's log; ``learn.json`` says the same."""

    def log(self, message: str) -> None:
        """Say nothing."""
