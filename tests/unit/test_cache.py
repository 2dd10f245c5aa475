"""The reply cache on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_neucomback.cache import Feedback, ReplyCache, request_key
from pytest_neucomback.errors import NeucombackError
from pytest_neucomback.types import Message, Reply, Usage

REPLY = Reply(
    "mov \N{GREEK SMALL LETTER MU}", "thoughts", "length", Usage(1, 2, 3), cost_usd=0.25, model_id="m", latency_s=1.5
)
MESSAGES: tuple[Message, ...] = ({"role": "user", "content": "translate"},)
KEY = request_key({"model": "m"}, MESSAGES, 1)


@pytest.fixture
def cache(tmp_path: Path) -> ReplyCache:
    return ReplyCache(tmp_path)


def test_a_reply_comes_back_whole_and_marked(cache: ReplyCache, tmp_path: Path) -> None:
    """Text, usage and price as they were, `cached` set; another process finds it, too."""
    assert cache.reply(KEY) is None
    cache.keep_reply(KEY, REPLY)
    again = ReplyCache(tmp_path).reply(KEY)
    assert again is not None
    assert again.cached
    assert (again.text, again.usage, again.cost_usd, again.finish_reason) == (
        REPLY.text,
        REPLY.usage,
        REPLY.cost_usd,
        "length",
    )


def test_the_key_is_all_that_decides_a_reply() -> None:
    """Identity, messages, sample: each makes another key; the order of an identity's entries does not."""
    others = [
        request_key({"model": "other"}, MESSAGES, 1),
        request_key({"model": "m"}, ({"role": "user", "content": "translate!"},), 1),
        request_key({"model": "m"}, ({"role": "system", "content": "translate"},), 1),
        request_key({"model": "m"}, MESSAGES * 2, 1),
        request_key({"model": "m"}, MESSAGES, 2),
    ]
    assert len({KEY, *others}) == 6
    assert request_key({"a": 1, "b": 2}, MESSAGES, 1) == request_key({"b": 2, "a": 1}, MESSAGES, 1)


def test_a_lone_surrogate_in_a_reply_is_kept(cache: ReplyCache) -> None:
    """Endpoints send such things; paying twice for them would be worse."""
    cache.keep_reply(request_key({}, ({"role": "user", "content": "\ud800"},), 1), Reply("\ud800"))
    kept = cache.reply(request_key({}, ({"role": "user", "content": "\ud800"},), 1))
    assert kept is not None
    assert kept.text == "\ud800"


def test_feedback_belongs_to_a_reply_and_a_context(cache: ReplyCache) -> None:
    """The same reply judged under other settings has other feedback."""
    said = Feedback("crashed", "at line 3", "fresh:1:2")
    cache.keep_feedback(KEY, "context", said)
    assert cache.feedback(KEY, "context") == said
    assert cache.feedback(KEY, "other") is None
    assert cache.feedback("0" * 64, "context") is None


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"text": 1}', '{"usage": {"apples": 1}, "text": ""}', '{"usage": null}', "\x00"]
)
def test_a_damaged_file_counts_as_absent(content: str, cache: ReplyCache, tmp_path: Path) -> None:
    """A kill or a full disk costs one request, not the run."""
    cache.keep_reply(KEY, REPLY)
    (file,) = tmp_path.rglob("*.json")
    file.write_text(content)
    assert cache.reply(KEY) is None
    cache.keep_reply(KEY, REPLY)
    assert cache.reply(KEY) is not None


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"outcome": "x", "diagnostic": "y", "more": 1}'])
def test_damaged_feedback_counts_as_absent(content: str, cache: ReplyCache, tmp_path: Path) -> None:
    """As with replies."""
    cache.keep_feedback(KEY, "context", Feedback("crashed", "x"))
    (file,) = tmp_path.rglob("*.json")
    file.write_text(content)
    assert cache.feedback(KEY, "context") is None


def test_undecodable_bytes_count_as_absent(cache: ReplyCache, tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are as damaged as anything."""
    cache.keep_reply(KEY, REPLY)
    (file,) = tmp_path.rglob("*.json")
    file.write_bytes(b"\xff\xfe{}")
    assert cache.reply(KEY) is None


def test_switched_off_it_neither_reads_nor_writes(tmp_path: Path) -> None:
    """--nc-no-cache."""
    ReplyCache(tmp_path / "on").keep_reply(KEY, REPLY)
    assert ReplyCache(tmp_path / "on", enabled=False).reply(KEY) is None
    ReplyCache(tmp_path / "off", enabled=False).keep_reply(KEY, REPLY)
    assert not (tmp_path / "off").exists()


def test_files_appear_whole(cache: ReplyCache, tmp_path: Path) -> None:
    """Nothing temporary stays behind, and every file is valid JSON."""
    for i in range(20):
        cache.keep_reply(request_key({}, MESSAGES, i), REPLY)
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) == 20
    loaded: list[Any] = [json.loads(p.read_text()) for p in files]
    assert all(d["text"] == REPLY.text for d in loaded)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """With the way out."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NeucombackError, match=r"cannot write .*file/replies.*choose another --nc-cache"):
        ReplyCache(tmp_path / "file").keep_reply(KEY, REPLY)
