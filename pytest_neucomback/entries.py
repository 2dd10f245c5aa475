"""The words a task's YAML may use for its inputs and externals (docs/tasks.md), checked without looking at any C."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import ConfigError

PLACES = ("nowhere", "last", "inner", "first")
FILL_KEYS = ("uniform", "range", "values", "permutation", "fill", "extremes", "fills")
ENTRY_KEYS = frozenset({*FILL_KEYS, "call", "length", "into", "offset", "nullable", "plant"})
PLANT_KEYS = frozenset({"value", "equal", "at", "count"})
EXTERNAL_KEYS = ("kind", "noreturn", "returns", "reads", "fills")
EXTERNAL_KINDS = ("mock", "pure")


def check_inputs(where: str, entries: Mapping[Any, Any]) -> None:
    """Check a mapping of input entries by name, as ``inputs`` and each of ``cases`` hold one. Raises ConfigError."""
    for name, entry in entries.items():
        check_entry(f"{where}.{name}", entry)


def check_entry(where: str, entry: Any) -> None:
    """Raise ConfigError, naming ``where``, unless ``entry`` is a well-formed input entry. Needs no C."""
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: expected an entry such as {{uniform: [-1, 1]}}, not {entry!r}")
    for key, value in entry.items():
        if key not in ENTRY_KEYS:
            raise ConfigError(f"{where}: unknown key {key!r}. Known: {', '.join(sorted(ENTRY_KEYS))}.")
        _check_key(where, key, value)
    if sum(key in entry for key in FILL_KEYS) > 1:
        raise ConfigError(f"{where}: more than one of {', '.join(FILL_KEYS)}; list them under `fills`")
    if "offset" in entry and "into" not in entry:
        raise ConfigError(f"{where}: offset needs `into: GLOBAL` beside it")


def _check_key(where: str, key: str, value: Any) -> None:
    if key in ("uniform", "range"):
        number = _is_whole if key == "range" else is_number
        ok = isinstance(value, list) and len(value) == 2 and all(number(v) for v in value)
        if not ok or not (value[0] < value[1] or (key == "range" and value[0] == value[1])):
            kind = "whole numbers " if key == "range" else ""
            raise ConfigError(f"{where}: {key} must be {kind}[low, high] with low < high, not {value!r}")
    elif key == "values":
        if not isinstance(value, list) or not value or not all(is_number(v) for v in value):
            raise ConfigError(f"{where}: values must be a list of numbers, not {value!r}")
    elif key in ("permutation", "length"):
        if not _is_whole(value) or value < 1:
            raise ConfigError(f"{where}: {key} must be a whole number above 0, not {value!r}")
    elif key in ("fill", "call"):
        if not is_number(value):
            raise ConfigError(f"{where}: {key} must be a number, not {value!r}")
    elif key == "extremes":
        if value not in ("finite", "all"):
            raise ConfigError(f"{where}: extremes must be `finite` or `all`, not {value!r}")
    elif key == "into":
        if not isinstance(value, str):
            raise ConfigError(f"{where}: into must be the name of a global array, not {value!r}")
    elif key == "nullable":
        if not isinstance(value, bool):
            raise ConfigError(f"{where}: nullable must be true or false, not {value!r}")
    elif key == "fills":
        if not isinstance(value, list) or not value:
            raise ConfigError(f"{where}: fills must be a list of entries")
        for i, inner in enumerate(value):
            check_entry(f"{where}.fills[{i}]", inner)
    elif key == "offset":
        check_entry(f"{where}.offset", value)
    elif key == "plant":
        if not isinstance(value, list):
            raise ConfigError(f"{where}: plant must be a list such as [{{value: 2, at: any}}], not {value!r}")
        for i, plant in enumerate(value):
            _check_plant(f"{where}.plant[{i}]", plant)


def _check_plant(where: str, plant: Any) -> None:
    if not isinstance(plant, dict) or not set(plant) <= PLANT_KEYS or ("value" in plant) == ("equal" in plant):
        raise ConfigError(f"{where}: expected {{value: v, at: PLACE}} or {{equal: NAME, at: PLACE}}, not {plant!r}")
    at = plant.get("at", "any")
    if not (_is_whole(at) and at >= 0) and at not in ("any", *PLACES):
        raise ConfigError(f"{where}: at must be first, last, inner, nowhere, any or an index, not {at!r}")
    value = plant.get("value", 0)
    if not all(is_number(v) for v in (value if isinstance(value, list) and value else [value])):
        raise ConfigError(f"{where}: value must be a number or a list of numbers, not {value!r}")
    if not _is_whole(count := plant.get("count", 1)) or count < 1:
        raise ConfigError(f"{where}: count must be a whole number above 0, not {count!r}")


def check_external(where: str, entry: Any) -> None:
    """Raise ConfigError, naming ``where``, unless ``entry`` is a well-formed entry of ``externals``."""
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: expected an entry such as {{kind: mock}}, not {entry!r}")
    for key in entry:
        if key not in EXTERNAL_KEYS:
            raise ConfigError(f"{where}: unknown key {key!r}. Known: {', '.join(EXTERNAL_KEYS)}.")
    if entry.get("kind") not in EXTERNAL_KINDS:
        raise ConfigError(f"{where}: kind must be mock or pure, not {entry.get('kind')!r}")
    if not isinstance(entry.get("noreturn", False), bool):
        raise ConfigError(f"{where}: noreturn must be true or false, not {entry['noreturn']!r}")
    returns = entry.get("returns", 0)
    values = returns.get("values") if isinstance(returns, dict) and set(returns) == {"values"} else [returns]
    if not isinstance(values, list) or not values or not all(_is_whole(v) for v in values):
        raise ConfigError(f"{where}: returns must be a whole number or {{values: [...]}} of them, not {returns!r}")

    for parameter, count in _mapping(where, "reads", entry).items():
        if count != "string" and not isinstance(count, str) and not (_is_whole(count) and count > 0):
            raise ConfigError(
                f"{where}: reads.{parameter} must be a number of elements, the parameter that holds it, or `string`, "
                f"not {count!r}"
            )
    for parameter, count in _mapping(where, "fills", entry).items():
        sized = isinstance(count, list) and len(count) == 2 and isinstance(count[0], str)
        most = count[1] if sized else count
        if not _is_whole(most) or most < 1:
            raise ConfigError(
                f"{where}: fills.{parameter} must be a number of elements, or [PARAMETER, MOST] with the parameter "
                f"that holds the number, not {count!r}"
            )


def _mapping(where: str, key: str, entry: Mapping[Any, Any]) -> Mapping[Any, Any]:
    value = entry.get(key, {})
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: {key} must name parameters, as in {{{key}: {{data: 4}}}}, not {value!r}")
    return value


def check_unreachable(where: str, entries: Any) -> None:
    """Raise ConfigError unless ``entries`` lists branches with their reasons."""
    for i, entry in enumerate(entries):
        if (
            not isinstance(entry, dict)
            or not set(entry) <= {"line", "side", "why"}
            or not isinstance(entry.get("line"), str)
            or not isinstance(entry.get("why"), str)
            or not isinstance(entry.get("side", True), bool)
        ):
            raise ConfigError(f"{where}[{i}]: expected {{line: TEXT, side: true or false, why: REASON}}, not {entry!r}")


def is_number(value: Any) -> bool:
    """True for whole and floating-point numbers, not for true and false."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
