"""The models that can be named without saying where they are: ``registry.yaml`` and the user's own file."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError

MODELS_FILE = "neucomback.models.yaml"
"""The user's own file, looked for in the working directory unless another is named."""

_BUILT_IN = Path(__file__).with_name("registry.yaml")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Names stand in item ids and before commas, so they hold no blank, comma, colon, slash or bracket."""


@dataclass(frozen=True)
class ModelSpec:
    """One model at one OpenAI-compatible endpoint, as data."""

    name: str
    """What users write after ``--nc-model``."""
    base_url: str
    """The endpoint up to, not including, ``/chat/completions``."""
    model_id: str
    """What the endpoint calls the model."""
    key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; may stay unset for endpoints on this machine."""
    provider: str = ""
    """The provider entry it was built from, for listings."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """Request fields sent as they are: ``temperature``, ``top_p``, ``reasoning_effort``, …"""
    max_tokens: int | None = None
    """Limit of a reply in tokens, reasoning included; None sends none."""
    max_tokens_param: str = "max_tokens"
    """The request field of that limit: ``max_tokens`` or ``max_completion_tokens``."""
    stream: bool = False
    """Ask for the reply in pieces, so that a long reply can be told from a hung connection."""
    timeout_s: float = 1800.0
    """Limit of one reply, in seconds."""
    idle_timeout_s: float | None = None
    """Limit of silence within a reply, in seconds; None leaves it to the environment and the default."""
    usd_per_mtok_in: float | None = None
    """Price of a million prompt tokens; None when unknown."""
    usd_per_mtok_out: float | None = None
    """Price of a million completion tokens, reasoning included; None when unknown."""
    price_as_of: str | None = None
    """ISO date on which the price was looked up."""
    notes: str = ""
    """What to know before using it; quoted in errors about a missing model."""

    @property
    def price(self) -> tuple[float, float] | None:
        """US dollars per million tokens, in and out; None unless both are known."""
        if self.usd_per_mtok_in is None or self.usd_per_mtok_out is None:
            return None
        return self.usd_per_mtok_in, self.usd_per_mtok_out


def registry_with(given: Path | None, root: Path) -> dict[str, ModelSpec]:
    """``load_registry`` with the file that a user gave, else with ``root``'s own if there is one.

    Raises ConfigError, as ``load_registry`` does, and when the given file is not there.
    """
    own = given or root / MODELS_FILE
    if given and not own.is_file():
        raise ConfigError(f"--nc-models-file={own}: no such file")
    return load_registry(own if own.is_file() else None)


def load_registry(extra: Path | None = None) -> dict[str, ModelSpec]:
    """All known models by name, in the order of the files.

    Entries of ``extra`` override those of the same name key by key. Raises ``ConfigError`` naming file, entry, key and
    what is known for anything that does not fit.
    """
    providers: dict[str, dict[str, Any]] = {}
    entries: dict[str, dict[str, Any]] = {}
    origins: dict[str, Path] = {}
    for path in [_BUILT_IN] + ([extra] if extra is not None else []):
        data = _read(path)
        for name, values in data["providers"].items():
            checked = _checked(values, _PROVIDER_KEYS, f"{path}: provider {name!r}")
            providers[name] = providers.get(name, {}) | checked
        for name, values in data["models"].items():
            where = f"{path}: model {name!r}"
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ConfigError(f"{where}: names are made of letters, digits, '.', '_' and '-'. Rename it.")
            entries[name] = entries.get(name, {}) | _checked(values, _MODEL_KEYS, where)
            origins[name] = path
    return {name: _spec(name, entry, providers, origins[name]) for name, entry in entries.items()}


def unknown_model_message(name: str, registry: Mapping[str, ModelSpec]) -> str:
    """One line about a name that is not in ``registry``: close matches, and where to look."""
    # A case-insensitive comparison finds "DeepSeek-R1", a prefix one finds "gpt" and "claude-opus".
    by_lower = {known.lower(): known for known in registry}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    close += [known for known in by_lower if known.startswith(name.lower()) and known not in close][: 3 - len(close)]
    hint = f"Did you mean {' or '.join(by_lower[match] for match in close)}? " if close else ""
    return (
        f"unknown model {name!r}. {hint}`neucomback models` lists the names; "
        f"openai:MODEL_ID asks for any model at OPENAI_BASE_URL."
    )


def _is_url(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"https?://[^\s/]+\S*", value))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")


def _is_price(value: object) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e6)


_PROVIDER_KEYS: dict[str, tuple[str, Any]] = {
    "base_url": ("an http(s) URL", _is_url),
    "key_env": ("the name of an environment variable", lambda v: _is_text(v) and bool(re.fullmatch(r"\w+", v))),
    "sampling": ("a mapping", lambda v: isinstance(v, dict) and all(isinstance(key, str) for key in v)),
    "max_tokens": (
        "a positive whole number or null",
        lambda v: v is None or (isinstance(v, int) and not isinstance(v, bool) and v > 0),
    ),
    "max_tokens_param": (
        "max_tokens or max_completion_tokens",
        lambda v: v in ("max_tokens", "max_completion_tokens"),
    ),
    "stream": ("true or false", lambda v: isinstance(v, bool)),
    "timeout_s": ("a positive number of seconds", _is_positive),
    "idle_timeout_s": ("a positive number of seconds or null", lambda v: v is None or _is_positive(v)),
    "notes": ("text", lambda v: isinstance(v, str)),
}
_MODEL_KEYS: dict[str, tuple[str, Any]] = {
    "provider": ("the name of a provider", _is_text),
    "model_id": ("text", _is_text),
    **_PROVIDER_KEYS,
    "usd_per_mtok_in": ("a number of US dollars or null", _is_price),
    "usd_per_mtok_out": ("a number of US dollars or null", _is_price),
    "price_as_of": ("a date", lambda v: v is None or isinstance(v, (str, datetime.date))),
}
"""For each key: what it takes, in words, and whether a value is that."""


def _read(path: Path) -> dict[str, dict[Any, Any]]:
    """The two sections of a registry file, empty where missing."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. Create it, or drop the setting that names it.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from error
    data = {} if data is None else data
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected the sections models: and providers:. Put the entries under models:.")
    for section in data:
        if section not in ("models", "providers"):
            raise ConfigError(f"{path}: unknown section {section!r}. Known: models, providers.")
    sections = {name: data.get(name) or {} for name in ("models", "providers")}
    for name, section in sections.items():
        if not isinstance(section, dict):
            raise ConfigError(f"{path}: {name}: expected a mapping from names to entries.")
    return sections


def _checked(values: object, keys: Mapping[str, tuple[str, Any]], where: str) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected a mapping. Known keys: {', '.join(keys)}.")
    for key, value in values.items():
        if key not in keys:
            close = difflib.get_close_matches(str(key), keys, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise ConfigError(f"{where}: unknown key {key!r}{hint}. Known keys: {', '.join(keys)}.")
        wanted, fits = keys[key]
        if not fits(value):
            raise ConfigError(f"{where}: {key}: expected {wanted}, not {value!r}. Known keys: {', '.join(keys)}.")
    return dict(values)


def _spec(name: str, entry: Mapping[str, Any], providers: Mapping[str, Mapping[str, Any]], path: Path) -> ModelSpec:
    where = f"{path}: model {name!r}"
    provider = entry.get("provider", "")
    if provider and provider not in providers:
        raise ConfigError(f"{where}: provider: unknown provider {provider!r}. Known: {', '.join(providers)}.")
    values = {**providers.get(provider, {}), **entry}
    for key in ("base_url", "model_id"):
        if key not in values:
            raise ConfigError(f"{where}: {key} is missing. Known keys: {', '.join(_MODEL_KEYS)}.")
    if values.get("price_as_of") is not None:
        values["price_as_of"] = str(values["price_as_of"])  # YAML reads a bare date as a date
    return ModelSpec(name=name, **values)
