"""The workflow of one item: generate, self-debug, optimise (the paper's section 4).

Pure control flow over three awaitables it is given: ``ask`` a model, ``judge`` a candidate, ``time`` a correct one.
It knows neither networks nor processes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from .cache import Feedback
from .extract import extract
from .models.protocol import NoMoreReplies
from .prompts import Conversation
from .types import Candidate, Judgement, Message, NoCandidate, Outcome, Reply, Timing, Usage, Verdict

RoundKind = Literal["generate", "debug", "optimise"]


@dataclass(frozen=True)
class Round:
    """One request, its reply, and what became of it."""

    turn: int
    kind: RoundKind
    messages: tuple[Message, ...]
    reply: Reply
    candidate: Candidate | None
    verdict: Verdict
    code_bytes: int | None = None
    judge_s: float = 0.0
    discarded_vectors: int = 0
    feedback: Feedback | None = None
    """What the model would be told about it; None for a correct candidate."""
    timing: Timing | None = None


@dataclass
class Trajectory:
    """All rounds of one item; ``final`` is the round whose candidate counts."""

    rounds: list[Round] = field(default_factory=list)
    first: Verdict | None = None
    initial: Verdict | None = None
    initial_timing: Timing | None = None
    final: Round | None = None
    debug_rounds: int = 0
    opt_rounds: int = 0

    def usage(self) -> Usage:
        """Tokens of all rounds, cached replies included: what the item costs, not what this run paid."""
        total = Usage()
        for r in self.rounds:
            total += r.reply.usage
        return total

    def cost_usd(self) -> float | None:
        """Price of all rounds; None when the price of any is unknown."""
        costs = [r.reply.cost_usd for r in self.rounds]
        return sum(c for c in costs if c is not None) if costs and None not in costs else None


class Ask(Protocol):
    """Asks the model."""

    def __call__(self, messages: tuple[Message, ...], turn: int) -> Awaitable[tuple[Reply, str]]:
        """The reply and the key it is cached under. Raises ModelUnavailable or NoMoreReplies."""


class JudgeReply(Protocol):
    """Judges a candidate taken from a reply."""

    def __call__(self, reply_key: str, assembly: str) -> Awaitable[tuple[Judgement, Feedback | None]]:
        """The judgement, and the feedback to give when it is not correct."""


class Time(Protocol):
    """Times a correct candidate against the reference, or against another correct candidate."""

    def __call__(self, assembly: str, against: str | None = None) -> Awaitable[Timing | None]: ...


@dataclass(frozen=True)
class Limits:
    """How many rounds an item gets."""

    debug_rounds: int
    opt_rounds: int


@dataclass(frozen=True)
class Steps:
    """What the workflow needs from outside."""

    ask: Ask
    judge: JudgeReply
    time: Time
    """Times a correct candidate; None where no time is wanted."""
    measurement: Callable[[str, Timing, str], str]
    """What an optimisation prompt says about the timing of some assembly; given the key of its reply so that the words
    stay the same."""
    reference: Callable[[], Awaitable[str]]
    """The reference's assembly for optimisation prompts, or an empty string."""
    note: Callable[[Trajectory], None]
    """Called after every round, so that nothing is lost when the run ends early."""


async def run_item(conversation: Conversation, function: str, arch: str, *, limits: Limits, steps: Steps) -> Trajectory:
    """All rounds of one item. Raises ModelUnavailable when a model stops answering; what was noted so far stands."""
    trajectory = Trajectory()
    workflow = _Workflow(conversation, function, arch, limits, steps, trajectory)
    best = await workflow.generate("generate", conversation.opening())
    if best is None:
        # not even a first reply: an empty one says so in the nine words
        reply = Reply("")
        verdict = Verdict(Outcome.NO_CANDIDATE, "the model gave no reply")
        best = Round(1, "generate", conversation.opening(), reply, None, verdict)
        trajectory.rounds.append(best)
        trajectory.first = verdict
    trajectory.initial = best.verdict
    trajectory.final = best
    if best.verdict.outcome is not Outcome.CORRECT:
        steps.note(trajectory)
        return trajectory
    best, timing = await workflow.timed(best)
    trajectory.initial_timing, trajectory.final = timing, best
    steps.note(trajectory)
    for _ in range(limits.opt_rounds):
        if timing is None or not timing.native or timing.speedup is None:
            break  # without a clock nobody can say which of two correct candidates is better
        assert best.candidate is not None
        assembly = best.candidate.assembly
        measurement = steps.measurement(workflow.keys[best.turn], timing, assembly)
        messages = conversation.optimise(assembly, measurement, await steps.reference())
        attempt = await workflow.generate("optimise", messages)
        if attempt is None:
            break
        if attempt.verdict.outcome is Outcome.CORRECT:
            attempt, new = await workflow.timed(attempt)
            if new and new.speedup and new.speedup > timing.speedup and await workflow.is_faster(attempt, best):
                best, timing = attempt, new
                trajectory.final = best
        steps.note(trajectory)
    return trajectory


class _Workflow:
    """Generation with its self-debug rounds, first and in every optimisation."""

    def __init__(
        self, conversation: Conversation, function: str, arch: str, limits: Limits, steps: Steps, trajectory: Trajectory
    ) -> None:
        self.conversation, self.function, self.arch = conversation, function, arch
        self.limits, self.steps, self.trajectory = limits, steps, trajectory
        self.keys: dict[int, str] = {}
        self._judged: dict[str, tuple[Judgement, Feedback | None]] = {}

    async def generate(self, kind: RoundKind, messages: tuple[Message, ...]) -> Round | None:
        """One generation and its repairs; the last round, or None when the model had nothing to say at all."""
        last: Round | None = None
        for repair in range(self.limits.debug_rounds + 1):
            try:
                current = await self._round("debug" if repair else kind, messages)
            except NoMoreReplies:
                break
            last = current
            if kind == "generate":
                self.trajectory.debug_rounds = repair
            elif not repair:
                self.trajectory.opt_rounds += 1
            if current.verdict.outcome in (Outcome.CORRECT, Outcome.UNJUDGED):
                break
            assert current.feedback is not None
            messages = self.conversation.debug(
                messages, _said(current), current.feedback.outcome, current.feedback.diagnostic
            )
        return last

    async def _round(self, kind: RoundKind, messages: tuple[Message, ...]) -> Round:
        turn = len(self.trajectory.rounds) + 1
        reply, key = await self.steps.ask(messages, turn)
        self.keys[turn] = key
        taken = extract(reply.text, self.function, arch=self.arch, finish_reason=reply.finish_reason)
        if isinstance(taken, NoCandidate):
            verdict = Verdict(Outcome.NO_CANDIDATE, taken.reason, taken.reason)
            current = Round(turn, kind, messages, reply, None, verdict)
            current = dataclasses.replace(current, feedback=Feedback(verdict.outcome.value, taken.reason))
        else:
            if taken.assembly not in self._judged:
                self._judged[taken.assembly] = await self.steps.judge(key, taken.assembly)
            judgement, feedback = self._judged[taken.assembly]
            current = Round(
                turn,
                kind,
                messages,
                reply,
                taken,
                judgement.verdict,
                judgement.code_bytes,
                judgement.judge_s,
                judgement.discarded_vectors,
                feedback,
            )
        self.trajectory.rounds.append(current)
        if self.trajectory.first is None:
            self.trajectory.first = current.verdict
        self.steps.note(self.trajectory)
        return current

    async def timed(self, current: Round) -> tuple[Round, Timing | None]:
        """The round with its timing filled in."""
        assert current.candidate is not None
        timing = await self.steps.time(current.candidate.assembly)
        if timing is None:
            return current, None
        done = dataclasses.replace(current, timing=timing)
        self.trajectory.rounds[current.turn - 1] = done
        return done, timing

    async def is_faster(self, one: Round, other: Round) -> bool:
        """Whether a candidate is faster than another by the test that decides against the reference."""
        assert one.candidate is not None
        assert other.candidate is not None
        if one.candidate.assembly == other.candidate.assembly:
            return False
        direct = await self.steps.time(one.candidate.assembly, other.candidate.assembly)
        return direct is not None and direct.outcome == "faster"


def _said(current: Round) -> str:
    """The reply as it goes back into the conversation: the assembly alone where there is some.

    Prose and stray blocks of a reply cost tokens in every later round and tell the model nothing new.
    """
    if current.candidate is None:
        return current.reply.text[:4000]
    return f"```assembly\n{current.candidate.assembly.rstrip()}\n```"


def transcript_rounds(trajectory: Trajectory) -> list[dict[str, Any]]:
    """The ``rounds`` of a transcript file."""
    return [
        {
            "turn": r.turn,
            "kind": r.kind,
            "messages": list(r.messages),
            "reply": dataclasses.asdict(r.reply),
            "notes": list(r.candidate.notes) if r.candidate else [],
            "verdict": {
                "outcome": r.verdict.outcome.value,
                "detail": r.verdict.detail,
                "diagnostic": r.verdict.diagnostic,
                "fixed_vectors": r.verdict.fixed_vectors,
                "fresh_vectors": r.verdict.fresh_vectors,
                "failing_vector": r.verdict.failing_vector,
            },
            "feedback": r.feedback.diagnostic if r.feedback else None,
            "timing": r.timing.as_json() if r.timing else None,
        }
        for r in trajectory.rounds
    ]
