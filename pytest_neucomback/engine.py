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
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .desk import Desk, Ticket
from .errors import ModelUnavailable, NeucombackError
from .models import Model
from .options import Settings
from .pool import Worker
from .prompts import Prompt
from .records import RunFolder
from .rounds import Trajectory, transcript_rounds
from .tasks import Task
from .toolchain import Toolchain
from .types import ItemKey, Outcome, Record, Timing, Verdict


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
        self.desk = Desk(settings, tasks=tasks, models=models, toolchains=toolchains)
        self.progress = self.desk.progress
        self.records: dict[ItemKey, Record] = {}
        self.timings: dict[ItemKey, Timing] = {}
        self.failure: BaseException | None = None
        """What stopped the engine, if something did: a full disk, a bug."""
        self._finished = folder.finished_records
        self._results: dict[ItemKey, concurrent.futures.Future[ItemResult]] = {}
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._workers = 0
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
            self.desk.pool.add(worker)

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
        # Few more items than can be waiting for a reply or a judge are under way, so that they end in order.
        self._window = _Window(self.settings.concurrency)
        self._running: set[asyncio.Task[None]] = set()
        async with self.desk.open():
            self._ready.set()
            await self._stopping.wait()
            for running in list(self._running):
                running.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

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
        started = Ticket(key, task, self.models[key.model], request.timeout_s)
        try:
            trajectory = await self.desk.trial(
                started,
                self._prompts(key, task.level),
                opt_rounds=self.settings.opt_rounds,
                note=functools.partial(self._note, started),
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

    def _note(self, item: Ticket, trajectory: Trajectory) -> None:
        item.trajectory = trajectory
        if trajectory.rounds and item.model.cacheable:
            # after every paid round: a killed run shows what it had
            self._write_transcript(item, trajectory)

    def _write_transcript(self, item: Ticket, trajectory: Trajectory) -> str:
        key = item.key
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

    async def _ended(self, item: Ticket, trajectory: Trajectory, verdict: Verdict) -> ItemResult:
        """Put the item on disk, then let its test have it."""
        key, task = item.key, item.task
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
