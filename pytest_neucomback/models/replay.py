"""``replay:DIR``: the replies of an earlier report once more, without network."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, ModelUnavailable
from ..types import ModelRequest, Reply, Usage
from .protocol import NoMoreReplies

SCHEMA = 1
"""The version of the transcript files this reads."""

_Item = tuple[str, str, int]
"""Task, arch, sample."""


class ReplayModel:
    """Serves the Nth recorded reply of (task, arch, sample) for turn N.

    The replies are marked ``cached``: they carry their recorded price and cost nothing now.
    """

    cacheable = False

    def __init__(self, directory: Path, model: str | None = None, name: str | None = None) -> None:
        """Read all transcripts in ``directory``/transcripts, or in ``directory`` itself.

        ``model`` picks one where several are recorded. Raises ``ConfigError`` when the folder holds no transcripts, an
        unreadable one, several models and no choice, or two transcripts (of different prompts) for the same item.
        """
        self.name = name or f"replay:{directory}" + (f"#{model}" if model else "")
        folder = directory / "transcripts" if (directory / "transcripts").is_dir() else directory
        if not folder.is_dir():
            raise ConfigError(f"{self.name}: {directory} is not a folder. Name a report folder that has transcripts/.")
        files = [(path, _read(path)) for path in sorted(folder.glob("*.json"))]
        transcripts = [(path, transcript) for path, transcript in files if transcript is not None]
        if not transcripts:
            raise ConfigError(
                f"{self.name}: no transcripts in {folder}. Name a report folder that has transcripts/*.json."
            )
        self._folder = folder
        self._model = self._choose(model, sorted({transcript["model"] for _, transcript in transcripts}))
        self._replies = self._by_item(
            [(path, transcript) for path, transcript in transcripts if transcript["model"] == self._model]
        )

    def identity(self) -> dict[str, Any]:
        return {"kind": "replay", "directory": str(self._folder), "model": self._model}

    async def complete(self, request: ModelRequest) -> Reply:
        """The recorded reply; raises ``NoMoreReplies`` after the last, ``ModelUnavailable`` for an unrecorded item."""
        replies = self._replies.get((request.task, request.arch, request.sample))
        if replies is None:
            raise ModelUnavailable(
                f"{self.name}: {self._folder} has no transcript of {request.task} on {request.arch}, "
                f"sample {request.sample}. Choose tasks and arches that the earlier run had."
            )
        if request.turn > len(replies):
            raise NoMoreReplies(f"{self.name}: {len(replies)} replies are recorded for {request.task}")
        return replies[request.turn - 1]

    async def aclose(self) -> None:
        """Nothing to release."""

    def _choose(self, model: str | None, recorded: list[str]) -> str:
        if model in recorded:
            return model
        choices = ", ".join(f"{self.name.split('#')[0]}#{known}" for known in recorded)
        if model is not None:
            raise ConfigError(f"{self.name}: no transcripts of {model!r} in {self._folder}. Choose from {choices}.")
        if len(recorded) > 1:
            raise ConfigError(
                f"{self.name}: {self._folder} holds transcripts of several models. Choose from {choices}."
            )
        return recorded[0]

    def _by_item(self, transcripts: list[tuple[Path, dict[str, Any]]]) -> dict[_Item, list[Reply]]:
        by_item: dict[_Item, list[tuple[Path, dict[str, Any]]]] = defaultdict(list)
        for path, transcript in transcripts:
            by_item[transcript["task"], transcript["arch"], transcript["sample"]].append((path, transcript))
        for (task, arch, sample), several in by_item.items():
            if len(several) > 1:
                # A request does not say which prompt it comes from, so there is no telling which one is meant.
                prompts = ", ".join(sorted({transcript["prompt"] for _, transcript in several}))
                files = " and ".join(path.name for path, _ in several[:2])
                raise ConfigError(
                    f"{self.name}: {files} both answer {task} on {arch}, sample {sample} (prompts: {prompts}). "
                    "Copy the transcripts of one prompt into a folder of their own and name that."
                )
        return {item: _replies(*several[0]) for item, several in by_item.items()}


def _read(path: Path) -> dict[str, Any] | None:
    """One transcript; None for a JSON file that is something else, such as results.json."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a readable transcript ({error}). Remove it, or restore it.") from error
    if not isinstance(data, dict) or "rounds" not in data:
        return None
    if data.get("schema") != SCHEMA:
        raise ConfigError(
            f"{path}: transcript schema {data.get('schema')!r}, and this version reads {SCHEMA}. "
            "Replay it with the version of pytest-neucomback that wrote it."
        )
    for key, kind in (("task", str), ("model", str), ("arch", str), ("prompt", str), ("sample", int), ("rounds", list)):
        if not isinstance(data.get(key), kind):
            raise ConfigError(f"{path}: {key!r} is missing or no {kind.__name__}. Remove the file, or restore it.")
    return data


def _replies(path: Path, transcript: Mapping[str, Any]) -> list[Reply]:
    try:
        # A turn without a reply is one that the endpoint never answered; the conversation went on without it.
        return [_reply(entry["reply"]) for entry in transcript["rounds"] if entry.get("reply") is not None]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{path}: a reply is damaged ({error!r}). Remove the file, or restore it.") from error


def _reply(data: Mapping[str, Any]) -> Reply:
    usage = data.get("usage") or {}
    cost = data.get("cost_usd")
    return Reply(
        text=str(data["text"]),
        reasoning=str(data.get("reasoning") or ""),
        finish_reason=str(data.get("finish_reason") or "stop"),
        usage=Usage(
            int(usage.get("tokens_in") or 0),
            int(usage.get("tokens_out") or 0),
            int(usage.get("tokens_reasoning") or 0),
        ),
        cost_usd=None if cost is None else float(cost),
        model_id=str(data.get("model_id") or ""),
        latency_s=float(data.get("latency_s") or 0.0),
        cached=True,
    )
