"""The reply cache: what was paid for once is not paid for again.

A reply is kept under the sha256 of everything that decides it: the model's identity, the messages, the sample. Beside
it lies the feedback its candidate got, so that a later run, with other fresh vectors, asks the next question in the
same words and finds that reply, too. One JSON file each, replaced as a whole, so that runs may share the folder.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .atomic import replace_file
from .errors import NeucombackError
from .types import Message, Reply, Usage


@dataclass(frozen=True)
class Feedback:
    """What was said about a candidate, and the vector that showed it."""

    outcome: str
    diagnostic: str
    failing_vector: str = ""
    """``fresh:SEED:INDEX`` when only a fresh vector found the fault; it is tried again when the reply comes back."""


def request_key(identity: Mapping[str, Any], messages: Sequence[Message], sample: int) -> str:
    """sha256 over all that decides a reply."""
    whole = json.dumps([identity, list(messages), sample], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(whole.encode()).hexdigest()


class ReplyCache:
    """Replies and feedback in a folder; with ``enabled=False`` it neither reads nor writes."""

    def __init__(self, folder: Path, *, enabled: bool = True) -> None:
        self.folder, self.enabled = folder, enabled

    def reply(self, key: str) -> Reply | None:
        """The stored reply, marked as cached, or None."""
        data = self._read("replies", key)
        if data is None:
            return None
        try:
            usage = Usage(**data.pop("usage"))
            return dataclasses.replace(Reply(**data, usage=usage), cached=True)
        except (TypeError, KeyError):
            return None

    def keep_reply(self, key: str, reply: Reply) -> None:
        """Store a reply. Raises NeucombackError when the disk does not take it."""
        self._write("replies", key, dataclasses.asdict(reply))

    def feedback(self, key: str, context: str) -> Feedback | None:
        """What was said of the candidate of reply ``key`` under ``context`` (task version, judge settings)."""
        data = self._read("feedback", _mixed(key, context))
        try:
            return Feedback(**data) if data is not None else None
        except TypeError:
            return None

    def keep_feedback(self, key: str, context: str, feedback: Feedback) -> None:
        """Store feedback. Raises NeucombackError when the disk does not take it."""
        self._write("feedback", _mixed(key, context), dataclasses.asdict(feedback))

    def _path(self, kind: str, key: str) -> Path:
        return self.folder / kind / key[:2] / f"{key}.json"

    def _read(self, kind: str, key: str) -> dict[str, Any] | None:
        if not self.enabled:
            return None
        try:
            data = json.loads(self._path(kind, key).read_text())
        except (OSError, ValueError):
            return None  # absent, or torn by a full disk: asked again
        return data if isinstance(data, dict) else None

    def _write(self, kind: str, key: str, data: dict[str, Any]) -> None:
        if not self.enabled:
            return
        path = self._path(kind, key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, json.dumps(data).encode(), private=True)
        except OSError as error:
            raise NeucombackError(
                f"the reply cache cannot write {path} ({error.strerror}); free some space, or choose another --nc-cache"
            ) from error


def _mixed(key: str, context: str) -> str:
    return hashlib.sha256(f"{key}\0{context}".encode()).hexdigest()
