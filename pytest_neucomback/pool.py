"""Where candidates are judged and timed: threads of this process, or xdist workers behind channels.

Jobs and answers are plain values. A job whose worker dies goes to another one, once; the second time it is answered
with ``unjudged``, so that one poisonous candidate cannot take down worker after worker.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import multiprocessing
import os
import pickle
import queue
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from .errors import ConfigError, HarnessError, NeucombackError
from .types import Judgement, Outcome, Timing, Verdict

if TYPE_CHECKING:
    from .judge import Judge
    from .tasks import Task

ATTEMPTS = 2


@dataclass(frozen=True)
class JudgeJob:
    """Judge one candidate."""

    task: str
    arch: str
    assembly: str
    regressions: tuple[str, ...]
    timeout_s: float | None


@dataclass(frozen=True)
class TimeJob:
    """Time one correct candidate."""

    task: str
    arch: str
    assembly: str
    against: str | None = None
    """Another correct candidate instead of the reference."""


Job = JudgeJob | TimeJob
Answer = Judgement | Timing


class WorkerLost(NeucombackError):
    """The process that had the job is gone."""


def do_job(job: Job, judge: Judge, tasks: dict[str, Task]) -> Answer:
    """Do a job in this process. Never raises for a candidate's or the harness's fault."""
    if isinstance(job, JudgeJob):
        try:
            return judge.judge(
                tasks[job.task], job.arch, job.assembly, regressions=job.regressions, timeout_s=job.timeout_s
            )
        except ConfigError as error:
            return unjudged(str(error))
        except Exception:  # a bug of ours must not pass for a model's mistake, nor end the worker
            return unjudged(f"internal error while judging: {traceback.format_exc(limit=-3)}")
    try:
        return judge.time(tasks[job.task], job.arch, job.assembly, against=job.against)
    except HarnessError as error:
        return Timing(True, None, None, None, None, None, note=f"not timed: {error}")
    except Exception:
        return Timing(True, None, None, None, None, None, note=f"not timed: {traceback.format_exc(limit=-3)}")


def unjudged(detail: str) -> Judgement:
    """The answer to a job that could not be done."""
    return Judgement(Verdict(Outcome.UNJUDGED, detail.splitlines()[0][:300], detail), None, 0.0)


class Worker(Protocol):
    """One place that does jobs, one at a time."""

    def submit(self, job: Job, answered: Callable[[Answer | WorkerLost], None]) -> None:
        """Start a job; ``answered`` is called once, from any thread."""


class ThreadWorker:
    """A thread of this process."""

    def __init__(self, judge: Judge, tasks: dict[str, Task]) -> None:
        self._judge, self._tasks = judge, tasks
        self._jobs: queue.SimpleQueue[tuple[Job, Callable[[Any], None]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="neucomback-judge", daemon=True).start()

    def submit(self, job: Job, answered: Callable[[Answer | WorkerLost], None]) -> None:
        self._jobs.put((job, answered))

    def stop(self) -> None:
        """Let the thread end after its current job."""
        self._jobs.put(None)

    def _work(self) -> None:
        # the candidate's own processes run elsewhere; niceness stays as it is, timing depends on it
        while (entry := self._jobs.get()) is not None:
            job, answered = entry
            answered(do_job(job, self._judge, self._tasks))


class ChannelWorker:
    """An xdist worker, reached through an execnet channel; ``send`` ships one message to it."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._waiting: dict[int, Callable[[Answer | WorkerLost], None]] = {}
        self._lock = threading.Lock()
        self._next = 0
        self._lost = False

    def submit(self, job: Job, answered: Callable[[Answer | WorkerLost], None]) -> None:
        with self._lock:
            number, self._next = self._next, self._next + 1
            lost = self._lost
            if not lost:
                self._waiting[number] = answered
        if lost:
            answered(WorkerLost("the worker is gone"))
            return
        try:
            self._send(pickle.dumps(("job", number, job)))
        except OSError:
            self.lost()

    def answer(self, number: int, answer: Answer) -> None:
        """The worker's answer has arrived."""
        with self._lock:
            answered = self._waiting.pop(number, None)
        if answered:
            answered(answer)

    def lost(self) -> None:
        """The channel closed: everything it had is handed back."""
        with self._lock:
            self._lost = True
            waiting, self._waiting = list(self._waiting.values()), {}
        for answered in waiting:
            answered(WorkerLost("the worker is gone"))


class JudgePool:
    """Hands jobs to workers, in order; lives in the engine's event loop."""

    def __init__(self) -> None:
        self._jobs: asyncio.Queue[tuple[Job, asyncio.Future[Answer], int]] = asyncio.Queue()
        self._servers: set[asyncio.Task[None]] = set()
        self.busy = 0
        """Jobs being done."""

    @property
    def waiting(self) -> int:
        """Jobs that no worker has taken yet."""
        return self._jobs.qsize()

    def add(self, worker: Worker) -> None:
        """Let a worker take part; call in the event loop."""
        server = asyncio.ensure_future(self._serve(worker))
        self._servers.add(server)
        server.add_done_callback(self._servers.discard)

    async def run(self, job: Job) -> Answer:
        """Do a job; waits for a free worker."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        await self._jobs.put((job, future, 1))
        return await future

    async def _serve(self, worker: Worker) -> None:
        loop = asyncio.get_running_loop()
        while True:
            job, future, attempt = await self._jobs.get()
            if future.cancelled():
                continue
            answered: asyncio.Future[Answer | WorkerLost] = loop.create_future()

            def settle(answer: Answer | WorkerLost, into: asyncio.Future[Answer | WorkerLost] = answered) -> None:
                def settle_here() -> None:
                    if not into.done():
                        into.set_result(answer)

                loop.call_soon_threadsafe(settle_here)

            self.busy += 1
            try:
                worker.submit(job, settle)
                answer = await answered
            finally:
                self.busy -= 1
            if isinstance(answer, WorkerLost):
                if attempt < ATTEMPTS:
                    await self._jobs.put((job, future, attempt + 1))
                elif not future.done():
                    future.set_result(_given_up(job))
                return
            if not future.done():
                future.set_result(answer)


def _given_up(job: Job) -> Answer:
    if isinstance(job, JudgeJob):
        return unjudged(f"the judging process died {ATTEMPTS} times on this candidate")
    return Timing(True, None, None, None, None, None, note=f"the timing process died {ATTEMPTS} times")


def local_workers(judge: Judge, tasks: dict[str, Task]) -> list[ThreadWorker]:
    """As many judging threads as this machine has processors for us."""
    return [ThreadWorker(judge, tasks) for _ in range(len(os.sched_getaffinity(0)))]


class ProcessWorkers:
    """Judging processes of this machine, for work that has no xdist workers. A context manager."""

    def __init__(self, count: int, start: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        """``start(*arguments)`` makes the judge of a new process and hands it to ``serve_here``."""
        self.workers = [_ProcessWorker(start, arguments) for _ in range(count)]

    def __enter__(self) -> ProcessWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.stop()


_HERE: list[tuple[Judge, dict[str, Task]]] = []


def serve_here(judge: Judge, tasks: dict[str, Task]) -> None:
    """Let this process do jobs with a judge."""
    _HERE[:] = [(judge, tasks)]


def _do_here(job: Job) -> Answer:
    judge, tasks = _HERE[0]
    return do_job(job, judge, tasks)


class _ProcessWorker:
    """One judging process; another takes its place when it dies, so that no job waits for workers that are gone."""

    def __init__(self, start: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self._start, self._arguments = start, arguments
        self._stopped = False
        self._executor = self._process()

    def _process(self) -> concurrent.futures.Executor:
        return concurrent.futures.ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn"), initializer=self._start, initargs=self._arguments
        )

    def submit(self, job: Job, answered: Callable[[Answer | WorkerLost], None]) -> None:
        self._try(job, answered, 1)

    def stop(self) -> None:
        """Let the process end after its current job."""
        self._stopped = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _try(self, job: Job, answered: Callable[[Answer | WorkerLost], None], attempt: int) -> None:
        try:
            future = self._executor.submit(_do_here, job)
        except RuntimeError:  # shut down, or the process died between two jobs
            self._again(job, answered, attempt)
            return

        def settle(done: concurrent.futures.Future[Answer]) -> None:
            if done.cancelled() or done.exception():
                self._again(job, answered, attempt)
            else:
                answered(done.result())

        future.add_done_callback(settle)

    def _again(self, job: Job, answered: Callable[[Answer | WorkerLost], None], attempt: int) -> None:
        if self._stopped:
            answered(WorkerLost("the judging processes are gone"))
            return
        self._executor.shutdown(wait=False)
        self._executor = self._process()
        if attempt < ATTEMPTS:
            self._try(job, answered, attempt + 1)
        else:
            answered(_given_up(job))
