"""One pytest session with models: the controller that owns the engine, and the client that items talk to.

Without xdist both are in one process. With xdist the controller keeps a channel to every worker: workers tell which
items they hold, get judging jobs, and wait for results; nothing but values crosses.
"""

from __future__ import annotations

import concurrent.futures
import pickle
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .engine import Engine, ItemResult, Request
from .errors import HarnessError
from .judge import Judge, JudgeSettings
from .options import Settings
from .pool import Answer, ChannelWorker, ThreadWorker, do_job, local_workers, unjudged
from .tasks import Task
from .timing import TimingSettings
from .toolchain import Toolchain
from .types import ItemKey


def judge_settings(settings: Settings, seed: int) -> JudgeSettings:
    """What judging needs of the settings."""
    return JudgeSettings(
        seed=seed,
        fresh_vectors=settings.inputs,
        fp=settings.fp,
        sandbox=settings.sandbox,
        reference=settings.reference,
        timing=TimingSettings(
            "paper" if settings.timing == "paper" else "paired", settings.min_effect, settings.energy
        ),
    )


class Client(Protocol):
    """What an item's fixtures talk to."""

    def announce(self, requests: Sequence[Request]) -> None:
        """These items will be asked for: start on them."""

    def result(self, request: Request) -> ItemResult:
        """Wait for an item. Raises HarnessError when the run broke down."""


class LocalClient:
    """The engine is in this process."""

    def __init__(self, engine: Engine, judge: Judge, tasks: dict[str, Task]) -> None:
        self._engine = engine
        self._workers: list[ThreadWorker] = []
        self._judge, self._tasks = judge, tasks

    def announce(self, requests: Sequence[Request]) -> None:
        if not self._workers:
            self._workers = local_workers(self._judge, self._tasks)
            for worker in self._workers:
                self._engine.add_worker(worker)
        self._engine.submit(requests)

    def result(self, request: Request) -> ItemResult:
        self.announce([request])
        (future,) = self._engine.submit([request])
        return wait(future)


def wait(future: concurrent.futures.Future[ItemResult]) -> ItemResult:
    """The future's result; errors of the engine surface as HarnessError."""
    while True:
        try:
            # a bounded wait lets the main thread notice Ctrl-C everywhere
            return future.result(timeout=1.0)
        except concurrent.futures.TimeoutError:
            if future.done():  # the result itself is a time-out error
                raise
        except concurrent.futures.CancelledError:
            raise HarnessError("the run is being stopped") from None
        except Exception as error:  # the controller tells the whole story once, at the end
            raise HarnessError(f"the run broke down ({type(error).__name__})") from None


class WorkerClient:
    """The engine is in the controller, at the other end of a channel; this process judges for it."""

    def __init__(
        self, channel: Any, settings: Settings, seed: int, tasks: dict[str, Task], toolchains: dict[str, Toolchain]
    ) -> None:
        self._channel, self._tasks = channel, tasks
        self._judge = Judge(judge_settings(settings, seed), toolchains)
        self._results: dict[ItemKey, concurrent.futures.Future[ItemResult]] = {}
        self._lock = threading.Lock()
        self._worker = ThreadWorker(self._judge, tasks)
        channel.setcallback(self._received, endmarker=None)

    def announce(self, requests: Sequence[Request]) -> None:
        self._channel.send(pickle.dumps(("announce", list(requests))))

    def result(self, request: Request) -> ItemResult:
        with self._lock:
            future = self._results.setdefault(request.key, concurrent.futures.Future())
        if not future.done():
            self._channel.send(pickle.dumps(("want", request)))
        return wait(future)

    def _received(self, raw: bytes | None) -> None:
        """Runs in execnet's receiver thread: must not block."""
        if raw is None:
            with self._lock:
                for future in self._results.values():
                    if not future.done():
                        future.set_exception(HarnessError("the controller is gone"))
            return
        kind, *rest = pickle.loads(raw)
        if kind == "job":
            number, job = rest
            self._worker.submit(job, lambda answer: self._channel.send(pickle.dumps(("answer", number, answer))))
        elif kind == "result":
            key, result = rest
            with self._lock:
                future = self._results.setdefault(key, concurrent.futures.Future())
            if not future.done():
                if isinstance(result, str):
                    future.set_exception(HarnessError(result))
                else:
                    future.set_result(result)


@dataclass
class ControllerEnd:
    """The controller's end of one worker's channel."""

    engine: Engine
    channel: Any

    def __post_init__(self) -> None:
        self.worker = ChannelWorker(self.channel.send)
        self.channel.setcallback(self._received, endmarker=None)
        self.engine.add_worker(self.worker)

    def _received(self, raw: bytes | None) -> None:
        """Runs in execnet's receiver thread: must not block."""
        if raw is None:
            self.worker.lost()
            return
        kind, *rest = pickle.loads(raw)
        if kind == "answer":
            number, answer = rest
            self.worker.answer(number, answer)
        elif kind == "announce":
            self.engine.submit(rest[0])
        elif kind == "want":
            request: Request = rest[0]
            (future,) = self.engine.submit([request])
            future.add_done_callback(lambda done: self._deliver(request.key, done))

    def _deliver(self, key: ItemKey, done: concurrent.futures.Future[ItemResult]) -> None:
        if done.cancelled():
            payload: ItemResult | str = "the run is being stopped"
        elif error := done.exception():
            payload = f"{type(error).__name__}: {error}"
        else:
            payload = done.result()
        try:
            self.channel.send(pickle.dumps(("result", key, payload)))
        except OSError:
            self.worker.lost()


__all__ = ["Answer", "Client", "ControllerEnd", "LocalClient", "WorkerClient", "do_job", "judge_settings", "unjudged"]
