"""The machine-wide reader-writer lock."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from pytest_neucomback.locks import MachineLock

SOON = 10.0
A_WHILE = 0.15


@pytest.fixture
def lock(tmp_path: Path) -> MachineLock:
    return MachineLock(tmp_path)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


def hold(lock: MachineLock, mode: str, inside: threading.Event, leave: threading.Event) -> None:
    with lock.shared() if mode == "shared" else lock.exclusive():
        inside.set()
        assert leave.wait(SOON)


def test_shared_holders_are_together(lock: MachineLock, pool: ThreadPoolExecutor) -> None:
    """Two threads hold the lock shared at the same time."""
    insides, leave = [threading.Event(), threading.Event()], threading.Event()
    jobs = [pool.submit(hold, lock, "shared", inside, leave) for inside in insides]
    try:
        assert all(inside.wait(SOON) for inside in insides)
    finally:
        leave.set()
    for job in jobs:
        job.result(SOON)


@pytest.mark.parametrize(("first", "second"), [("shared", "exclusive"), ("exclusive", "shared"), ("exclusive",) * 2])
def test_exclusive_holder_is_alone(lock: MachineLock, pool: ThreadPoolExecutor, first: str, second: str) -> None:
    """Whoever is exclusive waits for all others, and all others wait for it."""
    in_first, in_second, leave, done = (threading.Event() for _ in range(4))
    done.set()
    one = pool.submit(hold, lock, first, in_first, leave)
    assert in_first.wait(SOON)
    two = pool.submit(hold, lock, second, in_second, done)
    assert not in_second.wait(A_WHILE)
    leave.set()
    assert in_second.wait(SOON)
    one.result(SOON)
    two.result(SOON)


def test_waiting_for_exclusive_holds_up_newcomers(lock: MachineLock, pool: ThreadPoolExecutor) -> None:
    """A stream of shared holders cannot starve one that waits to be alone."""
    in_first, in_timer, in_late, leave, done = (threading.Event() for _ in range(5))
    done.set()
    pool.submit(hold, lock, "shared", in_first, leave)
    assert in_first.wait(SOON)
    pool.submit(hold, lock, "exclusive", in_timer, done)
    time.sleep(A_WHILE)
    late = pool.submit(hold, lock, "shared", in_late, done)
    assert not in_late.wait(A_WHILE)
    assert not in_timer.is_set()
    leave.set()
    assert in_timer.wait(SOON)
    late.result(SOON)


def test_reentrant_within_a_thread(lock: MachineLock) -> None:
    """A holder may ask again for what it has, and is free again only when it has left the outermost."""
    with lock.shared(), lock.shared():
        pass
    with lock.exclusive(), lock.shared(), lock.exclusive():
        pass
    with lock.shared():
        pass


def test_upgrade_is_refused(lock: MachineLock) -> None:
    """Asking to be alone while holding it shared would wait for oneself for ever."""
    with lock.shared(), pytest.raises(RuntimeError, match="while holding it shared"), lock.exclusive():
        pass
    with lock.exclusive():
        pass


def test_exception_gives_it_back(lock: MachineLock, pool: ThreadPoolExecutor) -> None:
    """An exception inside leaves the lock free for others."""
    with pytest.raises(ZeroDivisionError), lock.exclusive():
        raise ZeroDivisionError
    inside, leave = threading.Event(), threading.Event()
    leave.set()
    pool.submit(hold, lock, "exclusive", inside, leave).result(SOON)


def _other_process(folder: Path, inside: Event) -> None:
    with MachineLock(folder).exclusive():
        inside.set()
        time.sleep(SOON)


def test_other_processes_count(lock: MachineLock, tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    """The lock holds between processes, and a process that dies gives it back."""
    context = multiprocessing.get_context("spawn")
    inside = context.Event()
    process = context.Process(target=_other_process, args=(tmp_path, inside))
    process.start()
    try:
        assert inside.wait(SOON)
        mine, done = threading.Event(), threading.Event()
        done.set()
        job = pool.submit(hold, lock, "shared", mine, done)
        assert not mine.wait(A_WHILE)
        process.kill()
        assert mine.wait(SOON)
        job.result(SOON)
    finally:
        process.kill()
        process.join(SOON)


def test_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    """A symbolic link planted under the lock's name does not lead the lock to another file."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "pytest-neucomback.lock").symlink_to(victim)
    with pytest.raises(OSError), MachineLock(tmp_path).shared():
        pass
    assert victim.read_text() == "mine"
