"""What an experiment takes at most, from the IR and the prompts of its tasks and what is assumed of replies."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .arches import load_arches
from .experiments import RULES_CHARS, Choices, Plan, Step, prices, prompt_of
from .options import LEARN_EXTENSIONS
from .prompts import converse
from .types import Outcome

CHARS_PER_TOKEN = 3
"""Assumed; IR and assembly have more tokens to the character than prose."""
DIAGNOSTIC_CHARS = 1_200
"""Assumed length of what is said of a candidate."""
TEACHER_CHARS = 3_000
"""Assumed length of the teacher's instructions and of the insights it merges."""
SPLIT_GATES = 4
"""Assumed tries of a proposal that is taken apart."""
SAMPLED_TASKS = 25
"""So many tasks of a step, spread evenly over the names, stand for all of them in estimates."""


@dataclass(frozen=True)
class Lengths:
    """Mean characters of what a model reads."""

    opening: float
    debug: float
    """What a self-debug round adds, without the reply it comments on."""
    optimise: float
    assembly: float
    """A candidate; the IR's length stands for it."""


@dataclass(frozen=True)
class Estimate:
    """What a step takes at most."""

    requests: int
    tokens_in: int
    tokens_out: int
    cost_usd: float | None
    """None: the price is not known."""


def evaluation_requests(items: int, *, debug_rounds: int, opt_rounds: int) -> int:
    """Requests at most: each generation and each optimisation with all its self-debug rounds."""
    return items * (1 + debug_rounds) * (1 + opt_rounds)


def learning_requests(
    train: int, valid: int, *, epochs: int, batch: int, debug_rounds: int, gates: int
) -> tuple[int, int, int]:
    """Requests at most of (conversations, extractions, merges and reviews).

    Valid is scored before the first epoch and after each; an extraction a trial, a merge and a review a batch.
    ``gates`` is how often a batch is tried again to judge its proposal; with ``split``, which goes on until single
    changes are left, nobody knows beforehand.
    """
    trials = (epochs + 1) * valid + epochs * train * (1 + gates)
    return trials * (1 + debug_rounds), epochs * train, 2 * epochs * math.ceil(train / batch)


def tokens_of_conversations(conversations: int, lengths: Lengths, *, debug_rounds: int, opt_rounds: int) -> int:
    """Prompt tokens at most: a self-debug round repeats all that was said before it."""

    def characters(start: float) -> float:
        rounds = debug_rounds + 1
        return rounds * start + (lengths.assembly + lengths.debug) * rounds * (rounds - 1) / 2

    each = characters(lengths.opening) + opt_rounds * characters(lengths.optimise)
    return round(conversations * each / CHARS_PER_TOKEN)


def estimate(step: Step, lengths: Lengths, price: tuple[float, float] | None, reply_tokens: int) -> Estimate:
    """What a step takes at most, if replies are as long as assumed."""
    debug = int(step.given("--nc-debug-rounds", str(step.condition.debug_rounds)))
    if step.learns:
        train, valid = (sum(t.split == s for t in step.tasks) for s in ("train", "valid"))
        given = step.given("--nc-learn-extensions", step.given("nc_learn_extensions", "all"))
        extensions = LEARN_EXTENSIONS if given == "all" else given.split(",")
        epochs, batch = int(step.given("--nc-learn-epochs", "3")), int(step.given("--nc-learn-batch", "5"))
        asked, extracts, merges = learning_requests(
            train, valid, epochs=epochs, batch=batch, debug_rounds=debug,
            gates=("gate" in extensions) * (SPLIT_GATES if "split" in extensions else 1),
        )  # fmt: skip
        requests = asked + extracts + merges
        tokens_in = tokens_of_conversations(asked // (1 + debug), lengths, debug_rounds=debug, opt_rounds=0)
        story = (1 + debug) * (lengths.assembly + DIAGNOSTIC_CHARS) + TEACHER_CHARS
        tokens_in += round((extracts * story + merges * (RULES_CHARS + TEACHER_CHARS)) / CHARS_PER_TOKEN)
    else:
        items = len(step.tasks) * int(step.given("--nc-samples", "1"))
        # Without a clock nobody can say which of two candidates is faster, so there are no optimisation rounds.
        timed = load_arches()[step.condition.arch].native
        opt = int(step.given("--nc-opt-rounds", "0")) if timed else 0
        requests = evaluation_requests(items, debug_rounds=debug, opt_rounds=opt)
        tokens_in = tokens_of_conversations(items, lengths, debug_rounds=debug, opt_rounds=opt)
    tokens_out = requests * reply_tokens
    cost = None if price is None else (tokens_in * price[0] + tokens_out * price[1]) / 1e6
    return Estimate(requests, tokens_in, tokens_out, cost)


def lengths_of(step: Step, choices: Choices) -> Lengths:
    """Mean lengths over some of a step's tasks, from real IR and the real prompt. Raises NeucombackError."""
    from .toolchain import Toolchain

    toolchain = Toolchain(step.condition.arch, march=step.given("--nc-march", "") or None, cache=choices.cache)
    prompt = prompt_of(step)
    source_kind = step.given("--nc-source", "ir-O3")
    every = max(1, len(step.tasks) // SAMPLED_TASKS)
    rows: list[tuple[int, int, int, int]] = []
    for task in sorted(step.tasks, key=lambda t: t.id)[::every][:SAMPLED_TASKS]:
        if source_kind == "c":
            source = task.c_path.read_text(encoding="utf-8", errors="replace")
        else:
            source = toolchain.emit_ir(task, source_kind.removeprefix("ir-"))
        row = load_arches()[step.condition.arch]
        talk = converse(prompt, task, row, march=toolchain.march, source=source, source_kind=source_kind)
        opening = sum(len(m["content"]) for m in talk.opening())
        debug = len(talk.debug((), "", Outcome.WRONG_OUTPUT.value, "")[-1]["content"]) + DIAGNOSTIC_CHARS
        optimise = sum(len(m["content"]) for m in talk.optimise(source, "", ""))
        rows.append((opening, debug, optimise, len(source)))
    means = [statistics.fmean(column) for column in zip(*rows, strict=True)]
    return Lengths(*means)


def estimates(plan: Plan) -> list[Estimate]:
    """An estimate for each step, in order. Raises NeucombackError when clang is missing."""
    known: dict[tuple[Any, ...], Lengths] = {}
    found = []
    for step in plan.steps:
        c = step.condition
        key = (c.arch, c.level, c.splits, step.learns, "" if step.learns else c.prompt, step.source)
        if key not in known:
            known[key] = lengths_of(step, plan.choices)
        found.append(estimate(step, known[key], prices(plan.models[step.model]), plan.choices.reply_tokens))
    return found


def total(costs: Sequence[Estimate]) -> Estimate:
    """All steps together; the cost is unknown if one is."""
    known = [c.cost_usd for c in costs if c.cost_usd is not None]
    return Estimate(
        sum(c.requests for c in costs),
        sum(c.tokens_in for c in costs),
        sum(c.tokens_out for c in costs),
        sum(known) if len(known) == len(costs) else None,
    )


def assumptions(choices: Choices) -> str:
    """What estimates rest on."""
    return (
        f"Assumed: a reply has {choices.reply_tokens:,} tokens, reasoning included (--reply-tokens); a token is "
        f"{CHARS_PER_TOKEN} characters; a candidate is as long as its IR, a diagnostic {DIAGNOSTIC_CHARS:,}, the "
        f"rules of a prompt not learned yet {RULES_CHARS:,}; all rounds are needed; lengths are means of up to "
        f"{SAMPLED_TASKS} tasks. Cached replies cost nothing."
    )
