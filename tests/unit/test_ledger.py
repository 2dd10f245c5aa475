"""Checkpoints of prompt learning."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pytest_neucomback.errors import NeucombackError
from pytest_neucomback.ledger import Ledger, step_name


class Work:
    """Counts how often it is done."""

    def __init__(self, result: Any) -> None:
        self.result, self.times = result, 0

    async def __call__(self) -> Any:
        self.times += 1
        return self.result


def step(folder: Path, key: object, work: Work, kind: str = "trial") -> Any:
    return asyncio.run(Ledger(folder).step(kind, key, work))


def test_a_step_is_done_once(tmp_path: Path) -> None:
    """Another ledger over the same folder reads what the first one did; numbers tell which is which."""
    work, folder = Work({"a": 1}), tmp_path / "new" / "ledger"
    first, second = Ledger(folder), Ledger(folder)
    assert asyncio.run(first.step("trial", ["t", 1], work)) == {"a": 1}
    assert asyncio.run(second.step("trial", ["t", 1], work)) == {"a": 1}
    assert work.times == 1
    assert [(x.done, x.taken_over) for x in (first, second)] == [(1, 0), (0, 1)]


def test_the_result_is_as_it_will_be_read(tmp_path: Path) -> None:
    """Tuples are lists the first time, too, so that an interrupted run cannot differ from an unbroken one."""
    work = Work({"rounds": ({"n": 1},), "none": None, "text": "é\ud800\n"})
    expected = {"rounds": [{"n": 1}], "none": None, "text": "é\ud800\n"}
    assert step(tmp_path, "k", work) == step(tmp_path, "k", work) == expected


@pytest.mark.parametrize("other", [["t", 2], ["t", "1"], ["t", 1, None], {"t": 1}])
def test_another_input_is_another_step(other: object, tmp_path: Path) -> None:
    """A key stands for all that went into a step, by value and type."""
    work = Work(1)
    step(tmp_path, ["t", 1], work)
    step(tmp_path, other, work)
    step(tmp_path, ["t", 1], work, kind="extract")
    assert work.times == 3


def test_the_order_of_a_mapping_does_not_matter() -> None:
    """An identity is the same whichever way its fields are listed."""
    assert step_name("trial", {"a": 1, "b": 2}) == step_name("trial", {"b": 2, "a": 1})


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"kind": "trial"}', "\x00\xff"])
def test_a_broken_file_is_done_again(text: str, tmp_path: Path) -> None:
    """What a full disk or a careless editor left behind is replaced."""
    work = Work({"a": 1})
    step(tmp_path, "k", work)
    (path,) = tmp_path.iterdir()
    path.write_bytes(text.encode("latin-1"))
    assert step(tmp_path, "k", work) == {"a": 1}
    assert step(tmp_path, "k", work) == {"a": 1}
    assert work.times == 2


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    """Kind and key stand beside the result, for whoever looks."""
    step(tmp_path, ["t", 1], Work("done"))
    (path,) = tmp_path.iterdir()
    assert json.loads(path.read_text()) == {"kind": "trial", "key": ["t", 1], "result": "done"}
    assert path.name == step_name("trial", ["t", 1]) + ".json"


def test_work_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """The error comes through and the step is done next time."""

    async def fails() -> Any:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(Ledger(tmp_path).step("trial", "k", fails))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_does_not_take_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says which file, why, and that the same command goes on; no half file is left."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(NeucombackError, match=r"trial-\w+\.json cannot be written \(No space left on device\); free"):
        step(tmp_path, "k", Work(1))
    assert list(tmp_path.iterdir()) == []


def test_a_killed_writer_leaves_a_file_that_is_not_read(tmp_path: Path) -> None:
    """A temporary file beside the steps is no step."""
    (tmp_path / ".new-abc").write_text('{"result": 5}')
    assert step(tmp_path, "k", Work(1)) == 1
