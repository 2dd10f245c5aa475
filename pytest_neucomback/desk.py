"""The desk: what every conversation needs, whoever holds it.

Models behind the reply cache, a limit on requests in flight and the budget of the run; workers that judge and time;
IR for prompts. It lives in one event loop. The engine runs items over it, prompt learning its trials.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from .arches import load_arches
from .cache import Feedback, ReplyCache, request_key
from .errors import BudgetSpent, ModelUnavailable
from .models import ApiModel, Model
from .options import BEST, BEST_OF, Settings
from .pool import JudgeJob, JudgePool, TimeJob
from .prompts import Conversation, Prompt, closed_up, converse
from .rounds import Limits, Steps, Trajectory, run_item
from .tasks import Task
from .toolchain import Toolchain
from .types import ItemKey, Judgement, Message, ModelRequest, Outcome, Reply, Timing, Usage, Verdict

FAILURES_TO_GIVE_UP = 3
"""Items in a row that an endpoint may leave without a reply before the rest of its items are not tried."""
FIRST_REPLY_TOKENS = 2_000
"""What a model's first reply is expected to have; for the budget."""
QUOTED_CHARS = 120
"""Of a line of a candidate's assembly; longer ones are cut."""
TOKENS_PER_CHAR = 1 / 3
"""What a prompt is expected to have, until a denser one has been seen; for the budget."""


@dataclass
class Progress:
    """Counters for the progress line; read from other threads, written in the loop."""

    total: int = 0
    done: int = 0
    judged: int = 0
    correct: int = 0
    faster: int | None = None
    resumed: int = 0
    """Of ``done``: taken over from an earlier part of this run."""
    usage: Usage = field(default_factory=Usage)
    """Tokens of replies that were asked for now; cached ones are left out."""
    cost_usd: float | None = None
    replies: int = 0
    """Replies that were asked for now."""
    in_flight: int = 0
    started: float = field(default_factory=time.monotonic)
    notice: str = ""
    """The last thing worth telling, such as a retry."""


@dataclass
class Ticket:
    """One conversation while it runs."""

    key: ItemKey
    task: Task
    model: Model
    timeout_s: float | None = None
    """Bounds the judging of this conversation, in seconds."""
    trajectory: Trajectory = field(default_factory=Trajectory)
    requests: int = 0
    judge_s: float = 0.0

    def timeout_left(self) -> float | None:
        """Seconds of judging left to the item, or None without a limit."""
        return None if not self.timeout_s else self.timeout_s - self.judge_s


@dataclass
class Largest:
    """The most that a model's replies have used; what is set aside for a request in flight."""

    tokens_out: int = FIRST_REPLY_TOKENS
    tokens_per_char: float = TOKENS_PER_CHAR
    usd: float = 0.0
    replies: int = 0

    def add(self, reply: Reply, chars: int) -> None:
        """Note a reply to a prompt of so many characters."""
        known = self.tokens_out if self.replies else 0
        self.tokens_out = max(known, reply.usage.tokens_out)
        self.tokens_per_char = max(self.tokens_per_char, reply.usage.tokens_in / max(chars, 1))
        self.usd = max(self.usd, reply.cost_usd or 0.0)
        self.replies += 1


class Desk:
    """Serves conversations. Everything but the constructor belongs to one event loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        tasks: Mapping[str, Task],
        models: Mapping[str, Model],
        toolchains: Mapping[str, Toolchain],
    ) -> None:
        self.settings, self.tasks, self.models, self.toolchains = settings, tasks, models, toolchains
        self.cache = ReplyCache(settings.cache, enabled=settings.use_cache)
        self.progress = Progress()
        self.dead: dict[str, str] = {}
        """Models that do not answer, with the reason; their items end unjudged at once, cached replies excepted."""
        self._failures: dict[str, int] = {}
        self._largest: dict[str, Largest] = {}
        self._set_aside = (0.0, 0.0)
        """Tokens and US dollars that requests in flight may take."""

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Take up work: connections, workers' queue, threads for compilers."""
        self._loop = asyncio.get_running_loop()
        self.pool = JudgePool()
        self._requests = asyncio.Semaphore(self.settings.concurrency)
        # Compilers posing as models, and IR for prompts, are work for this machine's processors.
        processors = len(os.sched_getaffinity(0))
        self._landed = asyncio.Event()
        self._local = asyncio.Semaphore(processors)
        self._executor = concurrent.futures.ThreadPoolExecutor(processors, thread_name_prefix="neucomback-compile")
        await self._probe_endpoints()
        try:
            yield
        finally:
            for model in self.models.values():
                try:
                    await asyncio.wait_for(model.aclose(), 5)
                except Exception as error:  # closing is a courtesy
                    self.progress.notice = f"{model.name}: {error}"
            self._executor.shutdown(wait=False, cancel_futures=True)

    async def _probe_endpoints(self) -> None:
        """Learn at once, not after minutes of retries, which endpoints are down; cached replies serve all the same."""
        endpoints = [m for m in self.models.values() if isinstance(m, ApiModel)]
        for model, problem in zip(endpoints, await asyncio.gather(*(m.probe() for m in endpoints)), strict=True):
            if problem:
                self.dead[model.name] = problem

    # --- trials ---------------------------------------------------------------------------------------------------

    async def trial(
        self, ticket: Ticket, prompt: Prompt, *, opt_rounds: int, note: Callable[[Trajectory], None] = lambda _: None
    ) -> Trajectory:
        """All rounds of one task with a prompt. Raises NeucombackError when the model or a tool fails."""
        conversation = await self.conversation(ticket.key, ticket.task, prompt)
        return await run_item(
            conversation,
            ticket.task.function,
            ticket.key.arch,
            limits=Limits(self.settings.debug_rounds_for(ticket.task.level), opt_rounds),
            steps=self._steps(ticket, note),
        )

    async def conversation(self, key: ItemKey, task: Task, prompt: Prompt) -> Conversation:
        """The conversation about a task under a prompt. Raises HarnessError when its C does not compile."""
        source_kind = self.settings.source
        toolchain = self.toolchains[key.arch]
        if source_kind == "c":
            source = task.c_path.read_text()
        else:
            source = await self._loop.run_in_executor(
                self._executor, toolchain.emit_ir, task, source_kind.removeprefix("ir-")
            )
        return converse(
            prompt, task, load_arches()[key.arch], march=toolchain.march, source=source, source_kind=source_kind
        )

    def _steps(self, item: Ticket, note: Callable[[Trajectory], None]) -> Steps:
        return Steps(
            ask=functools.partial(self._ask, item),
            judge=functools.partial(self._judge, item),
            time=functools.partial(self._time, item),
            measurement=functools.partial(self._measurement, item),
            reference=functools.partial(self._reference, item),
            note=note,
        )

    async def _ask(self, item: Ticket, messages: tuple[Message, ...], turn: int) -> tuple[Reply, str]:
        key = item.key
        request = ModelRequest(
            messages=messages,
            task=item.task.name,
            arch=key.arch,
            source_path=str(item.task.c_path),
            march=self.toolchains[key.arch].march,
            turn=turn,
            sample=key.sample,
        )
        reply, cache_key = await self.ask(item.model, request)
        item.requests += not reply.cached
        return reply, cache_key

    async def ask(self, model: Model, request: ModelRequest) -> tuple[Reply, str]:
        """The reply to a request and the key it is cached under.

        Raises ModelUnavailable when there is none to be had, BudgetSpent when it may not be asked for, NoMoreReplies
        when the model rests its case.
        """
        # What decides a reply of a local model is not in its messages (files change, compilers are updated).
        cache_key = request_key(model.identity(), request.messages, request.sample)
        if model.cacheable and (cached := self.cache.reply(cache_key)):
            return cached, cache_key
        self._check_dead(model)
        async with self._requests if model.cacheable else self._local:
            if model.cacheable:
                await self._within_budget(model, request)
            self._check_dead(model)
            tokens, usd = self._may_take(model, request)
            self._set_aside = self._set_aside[0] + tokens, self._set_aside[1] + usd
            self.progress.in_flight += 1
            try:
                reply = await model.complete(request)
            except ModelUnavailable as error:
                # An endpoint that failed one request may dislike that request. One that fails item after item,
                # through all retries, would cost every other item the same wait.
                self._failures[model.name] = self._failures.get(model.name, 0) + 1
                if self._failures[model.name] >= FAILURES_TO_GIVE_UP:
                    self.dead[model.name] = str(error)
                raise
            finally:
                self.progress.in_flight -= 1
                self._set_aside = self._set_aside[0] - tokens, self._set_aside[1] - usd
                landed, self._landed = self._landed, asyncio.Event()
                landed.set()
        self._failures[model.name] = 0
        self.progress.replies += 1
        self.progress.usage += reply.usage
        self._largest.setdefault(model.name, Largest()).add(reply, _chars(request))
        if reply.cost_usd is not None:
            self.progress.cost_usd = (self.progress.cost_usd or 0.0) + reply.cost_usd
        if model.cacheable:
            self.cache.keep_reply(cache_key, reply)
        return reply, cache_key

    def _check_dead(self, model: Model) -> None:
        if model.name in self.dead:
            raise ModelUnavailable(self.dead[model.name])

    async def _within_budget(self, model: Model, request: ModelRequest) -> None:
        """Wait until the budget has room for a request. Raises BudgetSpent when it has none left.

        For each request in flight as much is set aside as the model's largest reply took, so that many at once do not
        overrun the limit together; as long as there are some it is too early to say that nothing is left.
        """
        while spent := self._beyond_budget(*self._may_take(model, request)):
            if not self.progress.in_flight:
                raise BudgetSpent(spent)
            await self._landed.wait()

    def _may_take(self, model: Model, request: ModelRequest) -> tuple[float, float]:
        """Tokens and US dollars that a request may take, by what is known of the model."""
        largest = self._largest.get(model.name, Largest())
        tokens_in = _chars(request) * largest.tokens_per_char
        usd = largest.usd
        if isinstance(model, ApiModel) and not largest.replies:
            spec = model.spec
            usd = (tokens_in * (spec.usd_per_mtok_in or 0) + largest.tokens_out * (spec.usd_per_mtok_out or 0)) / 1e6
        return tokens_in + largest.tokens_out, usd

    def _beyond_budget(self, tokens: float, usd: float) -> str:
        """Why a request that may take so much is too much, or nothing."""
        progress, settings = self.progress, self.settings
        used = progress.usage.tokens_in + progress.usage.tokens_out
        if settings.budget_tokens is not None and used + self._set_aside[0] + tokens > settings.budget_tokens:
            return (
                f"--nc-budget-tokens={settings.budget_tokens}: {used} tokens are used, and the next request may take "
                f"{tokens:.0f}; a larger budget goes on"
            )
        spent = progress.cost_usd or 0.0
        # a thousandth of a cent is no overrun, but sums of floats are off by less
        if settings.budget_usd is not None and spent + self._set_aside[1] + usd > settings.budget_usd + 1e-5:
            return (
                f"--nc-budget-usd={settings.budget_usd:g}: {spent:.4g} USD are spent, and the next request may take "
                f"{usd:.2g}; a larger budget goes on"
            )
        return ""

    async def _judge(self, item: Ticket, reply_key: str, assembly: str) -> tuple[Judgement, Feedback | None]:
        key = item.key
        context = await self._loop.run_in_executor(self._executor, self._feedback_context, item)
        known = self.cache.feedback(reply_key, context) if item.model.cacheable else None
        regressions = (known.failing_vector,) if known and known.failing_vector else ()
        left = item.timeout_left()
        if left is not None and left <= 0:
            text = f"judging took longer than --timeout={item.timeout_s:g} s"
            return Judgement(Verdict(Outcome.UNJUDGED, text, text), None, 0.0), None
        answer = await self.pool.run(JudgeJob(key.task, key.arch, assembly, regressions, left))
        assert isinstance(answer, Judgement)
        item.judge_s += answer.judge_s
        verdict = answer.verdict
        if verdict.outcome in (Outcome.CORRECT, Outcome.UNJUDGED):
            return answer, None
        if known:
            return answer, known
        feedback = Feedback(verdict.outcome.value, verdict.diagnostic, verdict.failing_vector)
        if item.model.cacheable:
            self.cache.keep_feedback(reply_key, context, feedback)
        return answer, feedback

    def _feedback_context(self, item: Ticket) -> str:
        toolchain = self.toolchains[item.key.arch]
        parts = [item.task.digest(), toolchain.arch.name, toolchain.march, self.settings.fp]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    async def _time(self, item: Ticket, assembly: str, against: str | None = None) -> Timing | None:
        key = item.key
        if not self.settings.timed(item.task.level):
            return None
        answer = await self.pool.run(TimeJob(key.task, key.arch, assembly, against))
        assert isinstance(answer, Timing)
        return answer

    def _measurement(self, item: Ticket, reply_key: str, timing: Timing, assembly: str) -> str:
        """What an optimisation prompt says of a timing; the first wording is kept, so that a re-run finds its reply."""
        context = f"timing {self.settings.reference} {self._feedback_context(item)}"
        if item.model.cacheable and (known := self.cache.feedback(reply_key, context)):
            return known.diagnostic
        text = measurement_text(timing, assembly)
        if item.model.cacheable:
            self.cache.keep_feedback(reply_key, context, Feedback("timing", text))
        return text

    async def _reference(self, item: Ticket) -> str:
        if not self.settings.show_reference:
            return ""
        # Which of several is the fastest is only known where there is a clock.
        name = BEST_OF[0] if self.settings.reference == BEST else self.settings.reference
        assembly = await self._loop.run_in_executor(
            self._executor, self.toolchains[item.key.arch].reference_assembly, item.task, name
        )
        return f"For comparison, {name} makes this of it:\n\n```assembly\n{assembly.rstrip()}\n```\n"


def measurement_text(timing: Timing, assembly: str) -> str:
    """What an optimisation prompt says of the timing of a candidate, whose assembly it shows.

    The times come first. Executed instructions and, where ``assembly`` is given, the lines that most of them come from
    follow as far as they are known: at most 8 lines of about 160 characters.
    """
    assert timing.speedup is not None
    interval = ""
    if timing.speedup_ci:
        interval = " (99 % interval {:.3f} to {:.3f})".format(*timing.speedup_ci)
    reference = timing.reference or "the reference"
    parts = [
        f"Measured: {timing.candidate_ns:.3g} ns a call; {reference} takes "
        f"{timing.reference_ns:.3g} ns: speed-up {timing.speedup:.3f}{interval}."
    ]
    if timing.instructions and timing.reference_instructions:
        ratio = timing.instructions / timing.reference_instructions
        parts.append(
            f"Executed instructions on the same inputs, called functions not included: {timing.instructions} by the "
            f"current assembly, {timing.reference_instructions} by {reference}, a ratio of {ratio:.3f}."
        )
        if hot := _hot_lines(timing, assembly):
            parts.append("Lines of the current assembly that most of them come from:\n" + "\n".join(hot))
    return "\n\n".join(parts)


def _hot_lines(timing: Timing, assembly: str) -> list[str]:
    """The hot lines of a timing, quoted."""
    lines = assembly.split("\n")  # as assemblers count them
    assert timing.instructions
    found = []
    for number, executed in timing.hot_lines:
        share = round(100 * executed / timing.instructions)
        # A directive (.line) can number lines as it likes.
        if share < 1 or number > len(lines) or not (quoted := " ".join(lines[number - 1].split())):
            continue
        # Blank lines are closed up where the model reads it.
        shown = closed_up("\n".join(["", *lines[:number]])).count("\n")
        found.append(f"- line {shown}, {share} % of executed instructions: {quoted[:QUOTED_CHARS]}")
    return found


def _chars(request: ModelRequest) -> int:
    return sum(len(message["content"]) for message in request.messages)
