"""Models: whatever answers a conversation. ``resolve_model`` turns the user's string into one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import ConfigError
from .api import ApiModel, OnRetry, RetryPolicy, Timeouts, openai_model
from .compiler import CompilerModel, CompileSource
from .files import FilesModel
from .protocol import Model, NoMoreReplies
from .registry import ModelSpec, load_registry, unknown_model_message
from .replay import ReplayModel
from .scripted import ScriptedModel

__all__ = [
    "ApiModel",
    "CompileSource",
    "CompilerModel",
    "FilesModel",
    "Model",
    "ModelSpec",
    "NoMoreReplies",
    "OnRetry",
    "ReplayModel",
    "RetryPolicy",
    "ScriptedModel",
    "Timeouts",
    "load_registry",
    "openai_model",
    "resolve_model",
    "unknown_model_message",
]

_KINDS = "a registry name, openai:MODEL_ID, compiler:CC-OLEVEL, files:DIR or replay:DIR"


def resolve_model(
    text: str,
    *,
    registry: Mapping[str, ModelSpec],
    compile_source: CompileSource,
    root: Path | None = None,
    retry: RetryPolicy | None = None,
    timeouts: Timeouts | None = None,
    on_retry: OnRetry | None = None,
    environ: Mapping[str, str] | None = None,
) -> Model:
    """The model that one entry of ``--nc-model`` names; its ``name`` is ``text``.

    ``compile_source`` serves ``compiler:`` models; relative folders of ``files:`` and ``replay:`` start at ``root``
    (default: the working directory). ``retry``, ``timeouts`` and ``on_retry`` are for endpoints. Raises
    ``ConfigError``, in one line that says what to write instead. No network, and no check for a key: see
    ``ApiModel.missing_key``.
    """
    text = text.strip()
    kind, colon, rest = text.partition(":")
    if not colon:
        if text not in registry:
            raise ConfigError(unknown_model_message(text, registry))
        return ApiModel(registry[text], retry=retry, timeouts=timeouts, on_retry=on_retry, environ=environ)
    if kind == "openai":
        return openai_model(rest, retry=retry, timeouts=timeouts, on_retry=on_retry, environ=environ)
    if kind == "compiler":
        return CompilerModel(text, compile_source)
    if kind in ("files", "replay"):
        # A model's name may hold a '#', a folder's hardly ever: the first one ends the folder.
        folder, _, model = rest.partition("#") if kind == "replay" else (rest, "", "")
        if not folder.strip():
            raise ConfigError(f"{text} names no folder. Write {kind}:DIR.")
        directory = (root or Path()) / Path(folder).expanduser()
        return FilesModel(directory, text) if kind == "files" else ReplayModel(directory, model or None, text)
    if kind == "local":
        raise ConfigError(
            f"{text}: models in a GGUF file are not run in-process by this version. "
            "Serve it (llama-server, Ollama, vLLM), set OPENAI_BASE_URL and write openai:MODEL_ID."
        )
    raise ConfigError(f"unknown kind of model {text!r}. Known: {_KINDS}; `neucomback models` lists the registry names.")
