"""Inputs drawn by a task's own code: ``draw`` and ``edges`` of its YAML (docs/tasks.md).

The code returns Python values by name; here they become the bytes of objects and arguments, by the C types. What the
code leaves out is random, and so is what no member covers (padding): nobody may rely on it.
"""

from __future__ import annotations

import builtins
import functools
import math
import random
import struct
import textwrap
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import ConfigError
from .layout import MAX_FILLS, MOCK_DATA, MOCK_RETURNS
from .mocks import fills, mocks
from .signature import CType, Field
from .tasks import Task

T = TypeVar("T")
EDGE_SHARE = 0.25
"""How often a fresh vector asks for one of the task's edges."""
PLAIN_FIXED = 48
"""Vectors of the fixed stage behind the edges."""
DRAWN_RETURNS = 32
"""Return values of a mock that nobody gave any, before they come round again."""
SHOWN_CHARS = 600
_MISSING: Any = object()


class Rng:
    """The random numbers that ``draw`` uses. Mersenne Twister words: a seed gives the same values everywhere."""

    def __init__(self, seed: builtins.int) -> None:
        self._words = random.Random(seed)

    def bits(self, count: builtins.int) -> builtins.int:
        """``count`` random bits."""
        return self._words.getrandbits(count) if count else 0

    def int(self, low: builtins.int, high: builtins.int) -> builtins.int:
        """A whole number from ``low`` to ``high``, both included. Raises ValueError when there is none."""
        low, high = builtins.int(low), builtins.int(high)
        span = high - low + 1
        if span <= 0:
            raise ValueError(f"rng.int({low}, {high}): the first number is above the second")
        size = (span - 1).bit_length()
        while True:
            value = self.bits(size)
            if value < span:
                return low + value

    def float(self, low: builtins.float, high: builtins.float) -> builtins.float:
        """A double, uniform in [low, high)."""
        return low + (high - low) * self._words.random()

    def chance(self, probability: builtins.float) -> bool:
        """True with this probability."""
        return self._words.random() < probability

    def edgy(self, bits: builtins.int, signed: bool = False) -> builtins.int:
        """A number of that width, mostly one where things break."""
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
        kind = self.int(0, 9)
        if kind < 4:
            return self.pick((0, 1, 2, low, low + 1, high, high - 1, -1 if signed else high >> 1))
        if kind < 6:
            power = 1 << self.int(0, bits - 1)
            value = self.pick((power, power - 1, power + 1, -power, -power - 1))
            return value if low <= value <= high else self.int(low, high)
        if kind < 8:
            size = self.int(1, bits - 1) if bits > 1 else 1
            value = self.bits(size)
            return -value if signed and self.bits(1) else value
        return self.int(low, high)

    def pick(self, values: Sequence[T]) -> T:
        """One of them."""
        return values[self.int(0, len(values) - 1)]

    def shuffled(self, values: Sequence[T]) -> list[T]:
        """All of them in random order (Fisher and Yates)."""
        copy = list(values)
        for i in range(len(copy) - 1, 0, -1):
            j = self.int(0, i)
            copy[i], copy[j] = copy[j], copy[i]
        return copy

    def sample(self, values: Sequence[T], count: builtins.int) -> list[T]:
        """``count`` different ones in random order."""
        if count > len(values):
            raise ValueError(f"rng.sample: {count} of {len(values)} values")
        if len(values) <= 4096:
            return self.shuffled(values)[:count]
        chosen: dict[builtins.int, T] = {}  # a range may be far too long for a list
        while len(chosen) < count:
            at = self.int(0, len(values) - 1)
            chosen.setdefault(at, values[at])
        return list(chosen.values())

    def bytes(self, count: builtins.int) -> builtins.bytes:
        """``count`` random bytes."""
        return self.bits(8 * int(count)).to_bytes(int(count), "little")


@dataclass(frozen=True)
class Ref:
    """A pointer to an element of an object; what ``ref()`` gives."""

    name: str
    index: int = 0


@dataclass(frozen=True)
class Fn:
    """A pointer to a mock; what ``fn()`` gives."""

    name: str


@dataclass(frozen=True)
class Place:
    """An object as values see it."""

    addr: int
    """Of element 0, which for a pointer parameter depends on how many elements are drawn."""
    element: CType
    count: int
    """Elements from there to the object's end."""


Values = Mapping[str, Any]


@functools.lru_cache(maxsize=512)
def _compiled(text: str, where: str) -> Callable[..., Any]:
    """The body as a function. Raises ConfigError with the line where it is no Python."""
    source = "def _draw(rng, edge, ref, fn):\n" + textwrap.indent(text, "    ", lambda _: True)
    scope: dict[str, Any] = {"math": math, "struct": struct, "zlib": zlib}
    try:
        exec(compile(source, where, "exec"), scope)
    except SyntaxError as error:
        raise ConfigError(f"{where}, line {(error.lineno or 2) - 1}: {error.msg}") from None
    return scope["_draw"]  # type: ignore[no-any-return]


def draw_values(task: Task, rng: Rng, edge: str) -> Values:
    """What the task's code returns for one vector. Raises ConfigError, naming the line, when it fails."""
    where = f"{task.yaml_path}: draw"
    function = _compiled(task.draw, where)
    try:
        values = function(rng, edge, Ref, Fn)
    except Exception as error:
        line, trace = 0, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == where:
                line = trace.tb_lineno - 1
            trace = trace.tb_next
        situation = f" (edge {edge!r})" if edge else ""
        raise ConfigError(f"{where}, line {line}{situation}: {type(error).__name__}: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: it has to return a dict of values by name, not {type(values).__name__}")
    return values


class Encoder:
    """Turns values into bytes."""

    def __init__(self, where: str, rng: Rng, places: Mapping[str, Place], functions: Mapping[str, int]) -> None:
        self._where, self._rng, self._places, self._functions = where, rng, places, functions

    def encode(self, type_: CType, value: Any, what: str) -> bytes:
        """The value as the type's bytes. Raises ConfigError, naming ``what``, when it does not fit."""
        if type_.kind == "array":
            return self._array(type_, value, what)
        if type_.kind == "record":
            return self._record(type_, value, what)
        if type_.kind == "float":
            return self._float(type_, value, what)
        if type_.kind == "pointer":
            return self._pointer(value, what).to_bytes(8, "little")
        if value is _MISSING:
            return self._any_integer(type_)
        if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
            value = int(value)
        if not isinstance(value, int):
            raise self._error(what, f"{_short(value)} is no value of type {type_.spelling}")
        if type_.is_bool:
            value = int(value != 0)
        return (int(value) & (1 << 8 * type_.size) - 1).to_bytes(type_.size, "little")

    def elements(self, element: CType, values: Any, what: str) -> bytes:
        """A list of values (or bytes, or text with its NUL) as an array of just that length."""
        if isinstance(values, str):
            values = values.encode("latin-1") + b"\0"
        if isinstance(values, bytes | bytearray):
            if element.leaf().size != 1:
                raise self._error(what, f"bytes given for elements of type {element.spelling}")
            return bytes(values)
        if not isinstance(values, list | tuple):
            values = [values]
        return b"".join(self.encode(element, v, f"{what}[{i}]") for i, v in enumerate(values))

    def random(self, type_: CType) -> bytes:
        """Any value of the type."""
        return self.encode(type_, _MISSING, "")

    def _array(self, type_: CType, value: Any, what: str) -> bytes:
        element = type_.element
        assert element is not None
        if value is _MISSING:
            if element.kind == "int" and not element.is_bool and not element.enumerators:
                return self._rng.bytes(type_.size)
            return b"".join(self.random(element) for _ in range(type_.count))
        if isinstance(value, str):
            raw = value.encode("latin-1")
            value = raw + b"\0" if len(raw) < type_.size else raw
        if not isinstance(value, list | tuple | bytes | bytearray):
            raise self._error(what, f"{_short(value)} is no list of {type_.spelling}")
        data = self.elements(element, value, what)
        if len(data) > type_.size:
            raise self._error(what, f"{len(data) // max(element.size, 1)} values for {type_.spelling}")
        missing = (type_.size - len(data)) // max(element.size, 1)
        return data + b"".join(self.random(element) for _ in range(missing))

    def _record(self, type_: CType, value: Any, what: str) -> bytes:
        if value is not _MISSING and not isinstance(value, dict):
            raise self._error(what, f"{_short(value)} is no dict of the members of {type_.spelling}")
        image = bytearray(self._rng.bytes(type_.size))
        given = {} if value is _MISSING else dict(value)
        self._members(type_, given, image, 0, what)
        if given:
            known = ", ".join(_member_names(type_))
            raise self._error(what, f"{type_.spelling} has no member {next(iter(given))!r} (its members: {known})")
        return bytes(image)

    def _members(self, type_: CType, given: dict[str, Any], image: bytearray, base: int, what: str) -> None:
        members = type_.fields
        if type_.is_union:
            chosen = [m for m in members if (m.name in given if m.name else _holds(m.type, given))]
            if len([m for m in chosen if m.name]) > 1:
                raise self._error(what, f"{type_.spelling} is a union; give one of its members")
            # a union that nobody gave a value holds its first member, whatever that is
            members = tuple(chosen) or members[:1]
        for member in members:
            start = base + member.offset_bits // 8
            if not member.name:
                if member.width_bits is None:
                    self._members(member.type, given, image, start, what)
                continue
            value = given.pop(member.name, _MISSING)
            if member.width_bits is not None:
                self._bit_field(member, value, image, base, f"{what}.{member.name}")
            else:
                data = self.encode(member.type, value, f"{what}.{member.name}")
                image[start : start + len(data)] = data

    def _bit_field(self, member: Field, value: Any, image: bytearray, base: int, what: str) -> None:
        width = member.width_bits or 0
        if value is _MISSING:
            value = self._rng.bits(width) if not member.type.enumerators else self._rng.pick(member.type.enumerators)
        if not isinstance(value, int):
            raise self._error(what, f"{_short(value)} is no value of a bit-field")
        first = base * 8 + member.offset_bits
        for bit in range(width):
            at = first + bit
            image[at // 8] = image[at // 8] & ~(1 << at % 8) | (value >> bit & 1) << at % 8

    def _float(self, type_: CType, value: Any, what: str) -> bytes:
        if value is _MISSING:
            value = self._rng.float(-1, 1)
        if not isinstance(value, int | float):
            raise self._error(what, f"{_short(value)} is no number")
        try:
            return struct.pack("<f" if type_.size == 4 else "<d", value)
        except OverflowError:
            return struct.pack("<f" if type_.size == 4 else "<d", math.copysign(math.inf, value))

    def _pointer(self, value: Any, what: str) -> int:
        if value is None or value is _MISSING:
            return 0
        if isinstance(value, Fn):
            if value.name not in self._functions:
                known = ", ".join(self._functions) or "none"
                raise self._error(what, f"fn({value.name!r}): no mock has this name (mocks: {known})")
            return self._functions[value.name]
        if isinstance(value, Ref):
            place = self._places.get(value.name)
            if place is None:
                known = ", ".join(self._places) or "none"
                raise self._error(what, f"ref({value.name!r}): no such object (objects: {known})")
            if not 0 <= value.index <= place.count:
                raise self._error(what, f"ref({value.name!r}, {value.index}): it has {place.count} elements")
            return place.addr + value.index * place.element.size
        raise self._error(what, f"{_short(value)} is no pointer; use None, ref(...) or fn(...)")

    def _any_integer(self, type_: CType) -> bytes:
        if type_.is_bool:
            return bytes([self._rng.bits(1)])
        if type_.enumerators:
            return (self._rng.pick(type_.enumerators) & (1 << 8 * type_.size) - 1).to_bytes(type_.size, "little")
        return self._rng.bytes(type_.size)

    def _error(self, what: str, why: str) -> ConfigError:
        return ConfigError(f"{self._where}: {what}: {why}")


def _member_names(type_: CType) -> list[str]:
    return [n for f in type_.fields for n in ([f.name] if f.name else _member_names(f.type))]


def _holds(type_: CType, given: Mapping[str, Any]) -> bool:
    return any(name in given for name in _member_names(type_))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


# --- mocks ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MockScript:
    """What the mocks of a task answer in one vector."""

    returns: tuple[tuple[int, ...], ...] = ()
    """By mock: 64-bit words that its calls return in turn, then from the start again."""
    fills: tuple[tuple[bytes, ...], ...] = ()
    """By fill: what successive calls write, in turn, then from the start again."""


def mock_script(task: Task, signature: Any, values: Values, rng: Rng, encoder: Encoder) -> MockScript:
    """The answers that ``values`` (of ``draw``) or the YAML's ``returns`` ask for, and random ones where neither does.

    Raises ConfigError for answers that do not fit the mock's C.
    """
    known = mocks(task, signature)
    if not known:
        return MockScript()
    returns = []
    for mock in known:
        given = values.get(mock.name)
        if isinstance(given, dict):
            given = given.get("returns")
        if given is None:
            listed = mock.entry.get("returns")
            if isinstance(listed, dict):
                given = [rng.pick(listed["values"]) for _ in range(DRAWN_RETURNS)]
            elif listed is not None:
                given = [listed]
        type_ = mock.external.returns
        if given is None:
            given = [_any_return(type_, rng) for _ in range(DRAWN_RETURNS)]
        elif not isinstance(given, list | tuple):
            given = [given]
        if len(given) > MOCK_RETURNS:
            raise ConfigError(
                f"{task.yaml_path}: draw gives {mock.name} {len(given)} return values; {MOCK_RETURNS} are possible"
            )
        words = []
        for number, value in enumerate(given):
            if type_.kind == "void":
                words.append(0)
                continue
            data = encoder.encode(type_, value, f"{mock.name}, return {number}")
            words.append(int.from_bytes(data, "little", signed=type_.kind == "int" and type_.signed) & (1 << 64) - 1)
        returns.append(tuple(words) or (0,))
    written = []
    for fill in fills(task, signature):
        given = values.get(fill.mock)
        parts = given.get(fill.parameter) if isinstance(given, dict) else None
        if parts is None:
            parts = [b"" for _ in range(4)]
        images = []
        for number, part in enumerate(parts if isinstance(parts, list | tuple) else [parts]):
            data = encoder.elements(fill.element, part, f"{fill.mock}, {fill.parameter} {number}")[: fill.stride]
            images.append(data + rng.bytes(fill.stride - len(data)))
        written.append(tuple(images))
    if sum(len(b) for images in written for b in images) > MOCK_DATA:
        raise ConfigError(f"{task.yaml_path}: mocks write more than {MOCK_DATA} bytes in one vector")
    assert len(written) <= MAX_FILLS
    return MockScript(tuple(returns), tuple(written))


def _any_return(type_: CType, rng: Rng) -> Any:
    if type_.kind == "float":
        return rng.int(-128, 128)  # any arithmetic on a small whole number gives the same everywhere
    if type_.kind == "pointer":
        return None
    if type_.kind == "int" and type_.enumerators:
        return rng.pick(type_.enumerators)
    return rng.bits(31)


# --- for people -------------------------------------------------------------------------------------------------------


def shown(values: Values) -> str:
    """Drawn values in one line, cut where it gets long."""
    text = ", ".join(f"{name} = {_text(value)}" for name, value in values.items())
    return text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 3] + "..."


def _text(value: Any) -> str:
    if isinstance(value, bytes | bytearray):
        if len(value) >= 2 and all(32 <= b < 127 for b in value):
            return repr(bytes(value).decode())
        head = bytes(value[:24]).hex(" ")
        return f"[{head}{' ...' if len(value) > 24 else ''}] ({len(value)} bytes)"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        inner = ", ".join(_text(v) for v in value[:12])
        return f"[{inner}{', ...' if len(value) > 12 else ''}]"
    if value is None:
        return "null"
    if isinstance(value, Ref):
        return f"&{value.name}[{value.index}]"
    if isinstance(value, Fn):
        return value.name
    if isinstance(value, float):
        return f"{value:.17g}"
    return str(value)


def weight(values: Any) -> int:
    """How much there is to read in drawn values: numbers other than 0, and elements."""
    if isinstance(values, dict):
        return sum(weight(v) for v in values.values())
    if isinstance(values, bytes | bytearray | str):
        return len(values)
    if isinstance(values, list | tuple):
        return sum(1 + weight(v) for v in values)
    return int(bool(values))
