"""``files:DIR``: answers that lie on disk, written by hand or fetched by other means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..types import ModelRequest, Reply
from .protocol import NoMoreReplies


class FilesModel:
    """``TASK.ARCH.s`` is served as code, ``TASK.ARCH.md`` as a whole reply; ``TASK.ARCH.2.s`` answers turn 2 …

    Every sample of an item gets the same files.
    """

    cacheable = False

    def __init__(self, directory: Path, name: str | None = None) -> None:
        """Raises ``ConfigError`` unless ``directory`` is one; an empty one is fine."""
        self.name = name or f"files:{directory}"
        if not directory.is_dir():
            what = "is not a folder" if directory.exists() else "does not exist"
            raise ConfigError(
                f"{self.name}: {directory} {what}. Make it and put the answers there as TASK.ARCH.s (assembly) or "
                "TASK.ARCH.md (a whole reply), e.g. s000.x86_64.s."
            )
        self._directory = directory

    def identity(self) -> dict[str, Any]:
        return {"kind": "files", "directory": str(self._directory)}

    async def complete(self, request: ModelRequest) -> Reply:
        """The file for the request's turn.

        Without a file for turn 1 the reply is empty, which is judged as an answer without assembly; without one for a
        later turn it raises ``NoMoreReplies``. Raises ``ConfigError`` when two files answer the same turn.
        """
        path = self._find(request)
        if path is None:
            if request.turn > 1:
                raise NoMoreReplies(f"{self.name}: no file answers turn {request.turn} of {request.task}")
            return Reply(text="", model_id=self.name)
        text = path.read_text(encoding="utf-8", errors="replace")
        return Reply(text=fenced(text) if path.suffix == ".s" else text, model_id=self.name)

    async def aclose(self) -> None:
        """Nothing to release."""

    def _find(self, request: ModelRequest) -> Path | None:
        middles = [f".{request.turn}"] + ([""] if request.turn == 1 else [])
        names = [f"{request.task}.{request.arch}{middle}{ending}" for middle in middles for ending in (".s", ".md")]
        found = [self._directory / name for name in names if (self._directory / name).is_file()]
        if len(found) > 1:
            raise ConfigError(f"{found[0]} and {found[1]} both answer turn {request.turn}. Remove one.")
        return found[0] if found else None


def fenced(assembly: str) -> str:
    """``assembly`` as a fenced block, whatever fences its own comments hold."""
    longest = max((len(run) for run in re.findall(r"`+", assembly)), default=0)
    fence = "`" * max(3, longest + 1)
    end = "" if assembly.endswith("\n") else "\n"
    return f"{fence}asm\n{assembly}{end}{fence}\n"
