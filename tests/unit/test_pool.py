"""Judging jobs and the workers that do them."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
from collections.abc import Callable
from typing import Any, cast

from pytest_neucomback.errors import ConfigError, HarnessError
from pytest_neucomback.judge import Judge
from pytest_neucomback.pool import (
    Answer,
    ChannelWorker,
    Job,
    JudgeJob,
    JudgePool,
    ProcessWorkers,
    ThreadWorker,
    TimeJob,
    WorkerLost,
    do_job,
    serve_here,
)
from pytest_neucomback.tasks import Task
from pytest_neucomback.types import Judgement, Outcome, Timing, Verdict

CORRECT = Judgement(Verdict(Outcome.CORRECT), 4, 0.1)
TIMED = Timing(True, 1.0, 1.0, 1.0, (1.0, 1.0), "tied")


def job(number: int = 0) -> JudgeJob:
    return JudgeJob("task", "x86_64", f"assembly {number}", (), None)


class InstantWorker:
    """Answers at once, or dies on the jobs it is told to."""

    def __init__(self, dies_on: Callable[[Job], bool] = lambda job: False) -> None:
        self.done: list[Job] = []
        self._dies_on = dies_on

    def submit(self, job: Job, answered: Callable[[Answer | WorkerLost], None]) -> None:
        self.done.append(job)
        answered(WorkerLost("gone") if self._dies_on(job) else CORRECT)


def run(jobs: list[Job], *workers: InstantWorker) -> list[Answer]:
    """The answers of a pool with these workers."""

    async def main() -> list[Answer]:
        pool = JudgePool()
        for worker in workers:
            pool.add(worker)
        answers = await asyncio.wait_for(asyncio.gather(*(pool.run(job) for job in jobs)), 10)
        assert (pool.busy, pool.waiting) == (0, 0)
        return list(answers)

    return asyncio.run(main())


def test_jobs_are_shared_out() -> None:
    """Every job is done once, by one of the workers."""
    workers = InstantWorker(), InstantWorker()
    jobs: list[Job] = [job(i) for i in range(10)]
    assert run(jobs, *workers) == [CORRECT] * 10
    assert sorted(cast("JudgeJob", j).assembly for w in workers for j in w.done) == sorted(
        cast("JudgeJob", j).assembly for j in jobs
    )


def test_a_job_whose_worker_is_lost_goes_to_another() -> None:
    """The item does not notice."""
    dying, living = InstantWorker(lambda _: True), InstantWorker()
    assert run([job(i) for i in range(4)], dying, living) == [CORRECT] * 4
    assert len(dying.done) == 1, "a lost worker gets nothing more"
    assert dying.done[0] in living.done


def test_a_job_that_loses_two_workers_is_unjudged() -> None:
    """A poisonous candidate does not take down worker after worker; the rest of the jobs go on."""

    def poisoned(job: Job) -> bool:
        return job.assembly == "assembly 1"

    workers = [InstantWorker(poisoned) for _ in range(3)]
    answers = run([job(0), job(1), job(2)], *workers)
    assert [cast("Judgement", a).verdict.outcome.value for a in answers] == ["correct", "unjudged", "correct"]
    assert "died 2 times" in cast("Judgement", answers[1]).verdict.detail
    assert sum(poisoned(j) for w in workers for j in w.done) == 2


def test_a_timing_that_loses_two_workers_says_so() -> None:
    """There is no time then, and a note instead of an error."""
    workers = [InstantWorker(lambda _: True) for _ in range(2)]
    (answer,) = run([TimeJob("task", "x86_64", "assembly")], *workers)
    assert isinstance(answer, Timing)
    assert answer.speedup is None
    assert "died 2 times" in answer.note


def test_a_job_whose_item_was_cancelled_is_not_done() -> None:
    """Nobody waits for it any more."""

    async def main() -> None:
        pool, worker = JudgePool(), InstantWorker()
        abandoned = asyncio.ensure_future(pool.run(job(0)))
        await asyncio.sleep(0)
        abandoned.cancel()
        pool.add(worker)
        await pool.run(job(1))
        assert worker.done == [job(1)]

    asyncio.run(main())


def test_a_channel_worker_hands_back_what_it_had_when_it_is_lost() -> None:
    """Jobs under way and jobs that come later are all answered with WorkerLost."""
    answers: list[Any] = []
    worker = ChannelWorker(lambda message: None)
    worker.submit(job(), answers.append)
    worker.lost()
    worker.submit(job(), answers.append)
    worker.answer(0, CORRECT)  # too late to count
    assert [type(a) for a in answers] == [WorkerLost, WorkerLost]


def test_a_channel_that_refuses_a_message_counts_as_lost() -> None:
    """Sending to a dead worker fails with OSError."""

    def closed(message: bytes) -> None:
        raise OSError("closed")

    answers: list[Any] = []
    ChannelWorker(closed).submit(job(), answers.append)
    assert [type(a) for a in answers] == [WorkerLost]


def test_a_channel_worker_matches_answers_to_jobs() -> None:
    """Answers may come in any order."""
    sent: list[bytes] = []
    worker = ChannelWorker(sent.append)
    got: dict[str, Any] = {}
    worker.submit(job(1), lambda a: got.update(first=a))
    worker.submit(job(2), lambda a: got.update(second=a))
    numbers = {pickle.loads(m)[2].assembly: pickle.loads(m)[1] for m in sent}
    other = Judgement(Verdict(Outcome.CRASHED), 1, 0.1)
    worker.answer(numbers["assembly 2"], other)
    worker.answer(numbers["assembly 1"], CORRECT)
    assert got == {"first": CORRECT, "second": other}


class FakeJudge:
    """Raises what it is given."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def judge(self, *_: Any, **__: Any) -> Judgement:
        if self._error:
            raise self._error
        return CORRECT

    def time(self, *_: Any, **__: Any) -> Timing:
        if self._error:
            raise self._error
        return TIMED


TASKS = cast("dict[str, Task]", {"task": None})


def test_a_thread_worker_does_jobs_in_order_and_survives_errors() -> None:
    """An error of ours makes the job `unjudged` and leaves the thread alive."""
    judge = cast("Judge", FakeJudge(ZeroDivisionError("bug")))
    worker = ThreadWorker(judge, TASKS)
    answers: list[Any] = []
    done = threading.Event()
    worker.submit(job(1), answers.append)
    worker.submit(job(2), lambda a: (answers.append(a), done.set()))
    assert done.wait(10)
    worker.stop()
    assert [a.verdict.outcome for a in answers] == [Outcome.UNJUDGED] * 2
    assert "ZeroDivisionError" in answers[0].verdict.diagnostic
    assert "internal error" in answers[0].verdict.detail


def test_an_unusable_task_makes_the_item_unjudged_in_its_own_words() -> None:
    """ConfigError found while judging is passed on without a traceback."""
    answer = do_job(job(), cast("Judge", FakeJudge(ConfigError("x.yaml: no such global"))), TASKS)
    assert isinstance(answer, Judgement)
    assert answer.verdict == "unjudged"
    assert answer.verdict.diagnostic == "x.yaml: no such global"


def test_a_failed_timing_costs_the_time_not_the_verdict() -> None:
    """Whatever goes wrong, the answer is a timing without figures and with the reason."""
    for error in (HarnessError("the reference crashed"), ZeroDivisionError("bug")):
        answer = do_job(TimeJob("task", "x86_64", "assembly"), cast("Judge", FakeJudge(error)), TASKS)
        assert isinstance(answer, Timing)
        assert answer.speedup is None
        assert str(error) in answer.note


# --- processes of our own ---------------------------------------------------------------------------------------------


class MortalJudge:
    """Takes its process down with it on some candidates."""

    def judge(self, task: Any, arch: str, assembly: str, **_: Any) -> Judgement:
        if assembly == "assembly 666":
            os._exit(1)
        return CORRECT


def start_mortal(word: str) -> None:
    """In the new process."""
    assert word == "word"
    serve_here(cast(Judge, MortalJudge()), {"task": cast(Task, None)})


def test_a_judging_process_that_dies_is_replaced() -> None:
    """A poisonous candidate is answered with unjudged, whoever waits behind it is judged all the same."""

    async def main() -> list[Answer]:
        pool = JudgePool()
        with ProcessWorkers(1, start_mortal, ("word",)) as processes:
            for worker in processes.workers:
                pool.add(worker)
            jobs = [job(1), job(666), job(2), job(3)]
            return list(await asyncio.wait_for(asyncio.gather(*(pool.run(j) for j in jobs)), 60))

    answers = cast(list[Judgement], asyncio.run(main()))
    assert [a.verdict.outcome for a in answers] == [
        Outcome.CORRECT, Outcome.UNJUDGED, Outcome.CORRECT, Outcome.CORRECT,
    ]  # fmt: skip
    assert "died 2 times" in answers[1].verdict.detail
