"""The engine: one event loop, in a thread of the controller, that holds every conversation of the run.

Items are submitted as soon as they are known and run side by side: while one waits for a model, others are judged.
Requests to endpoints are bounded by --nc-concurrency for the whole run; cache, seed and records belong here alone.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import hashlib
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .arches import load_arches
from .cache import Feedback, ReplyCache, request_key
from .errors import ModelUnavailable, NeucombackError
from .models import ApiModel, Model
from .options import Settings
from .pool import JudgeJob, JudgePool, TimeJob, Worker
from .prompts import Conversation, Prompt, converse
from .records import RunFolder
from .rounds import Limits, Steps, Trajectory, run_item, transcript_rounds
from .tasks import Task
from .toolchain import Toolchain
from .types import ItemKey, Judgement, Message, ModelRequest, Outcome, Record, Reply, Timing, Usage, Verdict

FAILURES_TO_GIVE_UP = 3
"""Items in a row that an endpoint may leave without a reply before the rest of its items are not tried."""


@dataclass(frozen=True)
class ItemResult:
    """What an item ended with, as its test gets to see it."""

    record: Record
    assembly: str | None
    verdict: Verdict
    timing: Timing | None
    report: str
    """Path of the report folder."""


@dataclass(frozen=True)
class Request:
    """An item to be run."""

    key: ItemKey
    timeout_s: float | None = None
    """``--timeout`` of pytest-timeout: bounds the judging of the item, in seconds."""


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
    in_flight: int = 0
    started: float = field(default_factory=time.monotonic)
    notice: str = ""
    """The last thing worth telling, such as a retry."""


class Engine:
    """Runs items. ``start`` once, ``submit`` any time, ``stop`` at the end."""

    def __init__(
        self,
        settings: Settings,
        *,
        tasks: Mapping[str, Task],
        models: Mapping[str, Model],
        prompts: Callable[[ItemKey, str], Prompt],
        toolchains: Mapping[str, Toolchain],
        folder: RunFolder,
        on_record: Callable[[Record], None] = lambda _: None,
    ) -> None:
        """``prompts`` gives the prompt of an item of a level."""
        self.settings, self.tasks, self.models, self._prompts = settings, tasks, models, prompts
        self.toolchains, self.folder, self._on_record = toolchains, folder, on_record
        self.cache = ReplyCache(settings.cache, enabled=settings.use_cache)
        self.progress = Progress()
        self.records: dict[ItemKey, Record] = {}
        self.timings: dict[ItemKey, Timing] = {}
        self.failure: BaseException | None = None
        """What stopped the engine, if something did: a full disk, a bug."""
        self._finished = folder.finished_records
        self._results: dict[ItemKey, concurrent.futures.Future[ItemResult]] = {}
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._workers = 0
        self.dead: dict[str, str] = {}
        """Models that do not answer, with the reason; their items end unjudged at once, cached replies excepted."""
        self._failures: dict[str, int] = {}
        self._thread = threading.Thread(target=self._main, name="neucomback-engine", daemon=True)

    # --- from other threads --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the loop; returns when it takes work."""
        self._thread.start()
        self._ready.wait()

    def add_worker(self, worker: Worker) -> None:
        """Let a worker judge."""

        def add() -> None:
            self._workers += 1
            self._window.grow(8)
            self.pool.add(worker)

        self._loop.call_soon_threadsafe(add)

    def submit(self, requests: Sequence[Request]) -> list[concurrent.futures.Future[ItemResult]]:
        """Run these items, unless they run already; their futures, in order."""
        futures = []
        new = []
        with self._lock:
            for request in requests:
                future = self._results.get(request.key)
                if future is None:
                    future = self._results[request.key] = concurrent.futures.Future()
                    new.append(request)
                futures.append(future)
            self.progress.total += len(new)
        for request in new:
            self._loop.call_soon_threadsafe(self._begin, request)
        return futures

    def stop(self) -> None:
        """Cancel what still runs, close connections, end the loop."""
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout=10)

    # --- the loop ------------------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._fail(error)
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self.pool = JudgePool()
        self._requests = asyncio.Semaphore(self.settings.concurrency)
        # Compilers posing as models, and IR for prompts, are work for this machine's processors.
        processors = len(os.sched_getaffinity(0))
        self._local = asyncio.Semaphore(processors)
        self._executor = concurrent.futures.ThreadPoolExecutor(processors, thread_name_prefix="neucomback-compile")
        # Few more items than can be waiting for a reply or a judge are under way, so that they end in order.
        self._window = _Window(self.settings.concurrency)
        self._running: set[asyncio.Task[None]] = set()
        await self._probe_endpoints()
        self._ready.set()
        await self._stopping.wait()
        for running in list(self._running):
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
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

    def _begin(self, request: Request) -> None:
        running = asyncio.ensure_future(self._run(request))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _run(self, request: Request) -> None:
        key = request.key
        try:
            if record := self._finished.get(key):
                self._settle(key, self._taken_over(record), resumed=True)
                return
            async with self._window:
                result = await self._item(request)
            self._settle(key, result)
        except asyncio.CancelledError:
            self._results[key].cancel()
            raise
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Something of ours broke: every waiting item learns of it."""
        self.failure = self.failure or error
        with self._lock:
            for future in self._results.values():
                if not future.done():
                    future.set_exception(error)

    def _settle(self, key: ItemKey, result: ItemResult, *, resumed: bool = False) -> None:
        record, progress = result.record, self.progress
        self.records[key] = record
        if result.timing:
            self.timings[key] = result.timing
        progress.done += 1
        progress.resumed += resumed
        progress.judged += record.verdict != Outcome.UNJUDGED.value
        progress.correct += record.verdict == Outcome.CORRECT.value
        if record.timing and record.timing.get("native"):
            progress.faster = (progress.faster or 0) + (record.timing.get("outcome") == "faster")
        if not self._results[key].done():
            self._results[key].set_result(result)

    def _taken_over(self, record: Record) -> ItemResult:
        """The result of an item that an earlier part of this run has judged."""
        assembly = None
        if record.candidate_file and (self.folder.path / record.candidate_file).is_file():
            assembly = (self.folder.path / record.candidate_file).read_text()
        verdict = Verdict(
            Outcome(record.verdict), record.detail, record.diagnostic, record.fixed_vectors, record.fresh_vectors
        )
        return ItemResult(record, assembly, verdict, None, str(self.folder.path))

    # --- one item --------------------------------------------------------------------------------------------------

    async def _item(self, request: Request) -> ItemResult:
        key, task = request.key, self.tasks[request.key.task]
        started = _Item(request, task, self.models[key.model])
        try:
            prompt = self._prompts(key, task.level)
            conversation = await self._conversation(key, task, prompt)
            trajectory = await run_item(
                conversation,
                task.function,
                key.arch,
                limits=Limits(self.settings.debug_rounds_for(task.level), self.settings.opt_rounds),
                steps=self._steps(started),
                min_effect=self.settings.min_effect,
            )
            assert trajectory.final is not None
            verdict = trajectory.final.verdict
        except ModelUnavailable as error:
            trajectory = started.trajectory
            verdict = Verdict(Outcome.UNJUDGED, str(error), str(error))
        except NeucombackError as error:
            trajectory = started.trajectory
            verdict = Verdict(Outcome.UNJUDGED, str(error).splitlines()[0], str(error))
        return await self._ended(started, trajectory, verdict)

    async def _conversation(self, key: ItemKey, task: Task, prompt: Prompt) -> Conversation:
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

    def _steps(self, item: _Item) -> Steps:
        return Steps(
            ask=functools.partial(self._ask, item),
            judge=functools.partial(self._judge, item),
            time=functools.partial(self._time, item),
            measurement=functools.partial(self._measurement, item),
            reference=functools.partial(self._reference, item),
            note=functools.partial(self._note, item),
        )

    async def _ask(self, item: _Item, messages: tuple[Message, ...], turn: int) -> tuple[Reply, str]:
        model, key = item.model, item.request.key
        request = ModelRequest(
            messages=messages,
            task=item.task.name,
            arch=key.arch,
            source_path=str(item.task.c_path),
            march=self.toolchains[key.arch].march,
            turn=turn,
            sample=key.sample,
        )
        # What decides a reply of a local model is not in its messages (files change, compilers are updated).
        cache_key = request_key(model.identity(), messages, key.sample)
        if model.cacheable and (cached := self.cache.reply(cache_key)):
            return cached, cache_key
        if key.model in self.dead:
            raise ModelUnavailable(self.dead[key.model])
        async with self._requests if model.cacheable else self._local:
            if key.model in self.dead:
                raise ModelUnavailable(self.dead[key.model])
            self.progress.in_flight += 1
            try:
                reply = await model.complete(request)
            except ModelUnavailable as error:
                # An endpoint that failed one request may dislike that request. One that fails item after item,
                # through all retries, would cost every other item the same wait.
                self._failures[key.model] = self._failures.get(key.model, 0) + 1
                if self._failures[key.model] >= FAILURES_TO_GIVE_UP:
                    self.dead[key.model] = str(error)
                raise
            finally:
                self.progress.in_flight -= 1
        self._failures[key.model] = 0
        item.requests += 1
        self.progress.usage += reply.usage
        if reply.cost_usd is not None:
            self.progress.cost_usd = (self.progress.cost_usd or 0.0) + reply.cost_usd
        if model.cacheable:
            self.cache.keep_reply(cache_key, reply)
        return reply, cache_key

    async def _judge(self, item: _Item, reply_key: str, assembly: str) -> tuple[Judgement, Feedback | None]:
        key = item.request.key
        context = await self._loop.run_in_executor(self._executor, self._feedback_context, item)
        known = self.cache.feedback(reply_key, context) if item.model.cacheable else None
        regressions = (known.failing_vector,) if known and known.failing_vector else ()
        left = item.timeout_left()
        if left is not None and left <= 0:
            text = f"judging took longer than --timeout={item.request.timeout_s:g} s"
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

    def _feedback_context(self, item: _Item) -> str:
        toolchain = self.toolchains[item.request.key.arch]
        parts = [item.task.digest(), toolchain.arch.name, toolchain.march, self.settings.fp]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    async def _time(self, item: _Item, assembly: str) -> Timing | None:
        key = item.request.key
        if not self.settings.timed(item.task.level):
            return None
        if self.toolchains[key.arch].emulator:
            return Timing(False, None, None, None, None, None, note=f"{key.arch} is emulated here: no time")
        answer = await self.pool.run(TimeJob(key.task, key.arch, assembly))
        assert isinstance(answer, Timing)
        return answer

    def _measurement(self, item: _Item, reply_key: str, timing: Timing) -> str:
        """What an optimisation prompt says of a timing; the first wording is kept, so that a re-run finds its reply."""
        context = f"timing {self.settings.reference} {self._feedback_context(item)}"
        if item.model.cacheable and (known := self.cache.feedback(reply_key, context)):
            return known.diagnostic
        assert timing.speedup is not None
        text = (
            f"Measured: {timing.candidate_ns:.3g} ns a call; {self.settings.reference} takes {timing.reference_ns:.3g} "
            f"ns (speed-up {timing.speedup:.2f})."
        )
        if item.model.cacheable:
            self.cache.keep_feedback(reply_key, context, Feedback("timing", text))
        return text

    async def _reference(self, item: _Item) -> str:
        if not self.settings.show_reference:
            return ""
        compiler, _, opt = self.settings.reference.partition("-")
        assembly = await self._loop.run_in_executor(
            self._executor, self.toolchains[item.request.key.arch].compile_source, compiler, opt, item.task.c_path
        )
        return f"For comparison, {self.settings.reference} makes this of it:\n\n```assembly\n{assembly.rstrip()}\n```\n"

    def _note(self, item: _Item, trajectory: Trajectory) -> None:
        item.trajectory = trajectory
        if trajectory.rounds and item.model.cacheable:
            # after every paid round: a killed run shows what it had
            self._write_transcript(item, trajectory)

    def _write_transcript(self, item: _Item, trajectory: Trajectory) -> str:
        key = item.request.key
        transcript = {
            "schema": 1,
            "task": key.task,
            "model": key.model,
            "arch": key.arch,
            "prompt": key.prompt,
            "sample": key.sample,
            "rounds": transcript_rounds(trajectory),
        }
        return self.folder.write_transcript(key, transcript)

    async def _ended(self, item: _Item, trajectory: Trajectory, verdict: Verdict) -> ItemResult:
        """Put the item on disk, then let its test have it."""
        key, task = item.request.key, item.task
        final = trajectory.final
        assembly = final.candidate.assembly if final and final.candidate else None
        timing = final.timing if final else None
        unjudged = Outcome.UNJUDGED.value

        def word(of: Verdict | None) -> str:
            return of.outcome.value if of else unjudged

        record = Record(
            task=key.task,
            suite=task.suite,
            source=self.settings.source,
            seed=self.folder.seed,
            level=task.level,
            split=task.split,
            model=key.model,
            arch=key.arch,
            prompt=key.prompt,
            sample=key.sample,
            verdict=verdict.outcome.value,
            detail=verdict.detail,
            first_verdict=word(trajectory.first),
            initial_verdict=word(trajectory.initial),
            debug_rounds=trajectory.debug_rounds,
            opt_rounds=trajectory.opt_rounds,
            tokens_in=trajectory.usage().tokens_in,
            tokens_out=trajectory.usage().tokens_out,
            cost_usd=trajectory.cost_usd(),
            timing=timing.as_json() if timing else None,
            code_bytes=final.code_bytes if final else None,
            candidate_file=self.folder.write_candidate(key, assembly) if assembly else None,
            transcript_file=self._write_transcript(item, trajectory) if trajectory.rounds else None,
            initial_timing=trajectory.initial_timing.as_json() if trajectory.initial_timing else None,
            diagnostic=verdict.diagnostic,
            input_free=task.input_free,
            timed=self.settings.timed(task.level) and not self.toolchains[key.arch].emulator,
            tokens_reasoning=trajectory.usage().tokens_reasoning,
            requests=item.requests,
            fixed_vectors=verdict.fixed_vectors,
            fresh_vectors=verdict.fresh_vectors,
            judge_s=round(item.judge_s, 4),
            discarded_vectors=final.discarded_vectors if final else 0,
        )
        self.folder.append(record)
        self._on_record(record)
        return ItemResult(record, assembly, verdict, timing, str(self.folder.path))


@dataclass
class _Item:
    """An item while it runs."""

    request: Request
    task: Task
    model: Model
    trajectory: Trajectory = field(default_factory=Trajectory)
    requests: int = 0
    judge_s: float = 0.0

    def timeout_left(self) -> float | None:
        """Seconds of judging left to the item, or None without a limit."""
        return None if not self.request.timeout_s else self.request.timeout_s - self.judge_s


class _Window:
    """A semaphore that can grow: how many items are under way."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiting: deque[asyncio.Future[None]] = deque()

    def grow(self, more: int) -> None:
        self._free += more
        self._wake()

    def _wake(self) -> None:
        while self._free and self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._free -= 1
                waiter.set_result(None)

    async def __aenter__(self) -> None:
        if self._free and not self._waiting:
            self._free -= 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._free += 1
                self._wake()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._free += 1
        self._wake()


def describe_command(settings: Settings, tasks: Sequence[Task], selection: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two commands the same run: settings, tasks with their content, what was selected of them."""
    digest = hashlib.sha256("\0".join(f"{t.id} {t.digest()}" for t in tasks).encode()).hexdigest()
    command: dict[str, Any] = json.loads(json.dumps({**settings.as_command(), "tasks": digest, **selection}))
    return command


def report_folder(settings: Settings, root: Path, command: Mapping[str, Any]) -> RunFolder:
    """The run's folder: a new one, or that of an unfinished run of the same command."""
    return RunFolder.open(settings.report, root / "reports", command, settings.seed, samples=settings.samples)
