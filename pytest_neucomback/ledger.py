"""Checkpoints of prompt learning: every finished step in a file of its own, named by all that went into it.

A run that was killed finds what it had done and goes on from there; a step whose input has changed is another step.
Files are replaced as a whole, so a full disk or a kill leaves the old ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from .atomic import replace_file
from .errors import NeucombackError


class Ledger:
    """Finished steps in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken_over = 0
        """Steps that were read instead of done."""
        self.done = 0

    async def step(self, kind: str, key: object, work: Callable[[], Awaitable[Any]]) -> Any:
        """The step's result: from the folder, or from ``work``, whose result (plain JSON) is kept.

        ``key`` is everything that decides the result. Raises NeucombackError when the disk does not take it.
        """
        path = self._path(kind, key)
        found = _read(path)
        if found is not None:
            self.taken_over += 1
            return found
        result = await work()
        self._write(path, {"kind": kind, "key": key, "result": result})
        self.done += 1
        # as it will be read again, so that an interrupted run cannot differ from an unbroken one
        return json.loads(json.dumps(result))

    def _path(self, kind: str, key: object) -> Path:
        return self.folder / f"{step_name(kind, key)}.json"

    def _write(self, path: Path, data: dict[str, Any]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(path, json.dumps(data).encode(), private=True)
        except OSError as error:
            raise NeucombackError(
                f"{path} cannot be written ({error.strerror}); free some space, then run the same command again"
            ) from error


def step_name(kind: str, key: object) -> str:
    """A step's name: its kind and a digest of all that went into it."""
    text = json.dumps([kind, key], sort_keys=True, ensure_ascii=True)
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())["result"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
