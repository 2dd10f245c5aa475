"""Input vectors: what a task's YAML says, drawn.

A vector is named by a string that draws it again: ``fixed:INDEX`` (the same on every machine and run) or
``fresh:SEED:INDEX``. The fixed stage goes through cases, fills, listed scalar values and planting places in turn, then
through the random vectors stored with the task (``stored:NUMBER`` by themselves); fresh vectors pick each at random.
Random numbers come from numpy's PCG64, keyed by task, stage, seed and index.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arches import Arch
from .entries import FILL_KEYS, PLACES, is_number
from .errors import ConfigError
from .glue import argument_slots
from .layout import MAX_ARGS, MOCK_RETURNS
from .signature import CType
from .toolchain import Plan

Bytes = npt.NDArray[np.uint8]

DEFAULT_FLOAT_FILLS: tuple[Mapping[str, Any], ...] = (
    {"uniform": [-1, 1]},
    {"values": [-1, -0.5, 0, 0.5, 1]},
    {"extremes": "finite"},
    {"extremes": "all"},
)
FILL_LABELS = ("uniform fill", "grid fill", "finite extremes", "extremes with NaN and infinities")
FRESH_WEIGHTS = (7, 5, 2, 2)
"""How often each of them is picked in fresh vectors: extremes drown what an ordinary fill would show."""
EXTREME_SHARE = 0.25
"""Part of the elements that are extreme in such a fill; the others are uniform."""
MIN_FIXED, MAX_FIXED = 4, 24
STORED_SEED = 0
"""Of the random vectors that a task's ``vectors`` name by number."""
NULL_EVERY = 5
"""A nullable pointer is null in one vector out of this many; no divisor of the places' number, so both vary."""


@dataclass(frozen=True)
class Vector:
    """One set of inputs for one call."""

    spec: str
    label: str
    """For people: case and scalar arguments."""
    objects: Mapping[str, Bytes]
    """Initial bytes of every placed object."""
    args: tuple[int, ...]
    """The 64-bit argument slots."""
    junk: tuple[int, ...]
    """For preserved and scratch registers, 64 words."""
    mock_returns: tuple[int, ...]


def fixed_count(plan: Plan) -> int:
    """How many vectors the fixed stage has, the task's stored ones included."""
    return _ordinary_fixed(plan) + len(plan.task.vectors)


def _ordinary_fixed(plan: Plan) -> int:
    cases = plan.task.cases or ({},)
    turns = _default_fills(plan)
    for case in cases:
        for entry in {**plan.task.inputs, **case}.values():
            if isinstance(entry, dict):
                turns = max(turns, _turns(entry))
    return min(MAX_FIXED, max(MIN_FIXED, len(cases) * turns))


def _default_fills(plan: Plan) -> int:
    """How many of the default fills a task gets: extremes make NaN, whose bits differ between right compilers, and
    what a mock sees of memory is compared bit for bit."""
    mocks = any(e.get("kind") == "mock" for e in plan.task.externals.values())
    return 2 if mocks else len(DEFAULT_FLOAT_FILLS)


def _turns(entry: Mapping[str, Any]) -> int:
    plants = entry.get("plant", [])
    places = len(PLACES) if any(p.get("at", "any") == "any" for p in plants) else 1
    values = entry.get("values", ())
    # the first vector takes `call` instead of the first listed value, which then has its turn at the end
    listed = len(values) + (bool(values) and "call" in entry and entry["call"] != values[0])
    return max(
        places,
        listed,
        len(entry.get("fills", ())),
        NULL_EVERY if entry.get("nullable") else 1,
        _turns(entry["offset"]) if "offset" in entry else 1,
    )


def draw(plan: Plan, spec: str) -> Vector:
    """The vector of this name. Raises ConfigError when an entry does not fit its type."""
    stage, *numbers = spec.split(":")
    if stage == "fixed":
        index, seed = int(numbers[0]), 0
        stored = index - _ordinary_fixed(plan)
        if 0 <= stored < len(plan.task.vectors):
            return _Drawing(plan, spec, False, STORED_SEED, plan.task.vectors[stored]).vector()
        index -= len(plan.task.vectors) if stored > 0 else 0
    elif stage == "stored":
        seed, index = STORED_SEED, int(numbers[0])
    elif stage == "fresh":
        seed, index = int(numbers[0]), int(numbers[1])
    elif stage == "timed":  # sizes and choices of the first fixed vector, other numbers
        seed, index = 1000 * int(numbers[0]) + int(numbers[1]) + 1, 0
    else:
        raise ConfigError(f"unknown vector {spec!r}")
    return _Drawing(plan, spec, stage in ("fixed", "timed"), seed, index).vector()


class _Drawing:
    """The state while one vector is drawn."""

    def __init__(self, plan: Plan, spec: str, fixed: bool, seed: int, index: int) -> None:
        self.plan, self.spec, self.fixed, self.index = plan, spec, fixed, index
        entropy = [zlib.crc32(plan.task.name.encode()), int(fixed), seed, index]
        self.rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
        cases = plan.task.cases or ({},)
        which = index % len(cases) if fixed else int(self.rng.integers(len(cases)))
        self.turn = index // len(cases)
        self.case = cases[which]
        self.entries: dict[str, Any] = {**plan.task.inputs, **{k: v for k, v in self.case.items() if k != "name"}}
        # A little later with every case, so that a planting place does not always meet the same fill.
        fills = _default_fills(plan)
        self.default = (self.turn + which) % fills
        if not fixed:
            weights = FRESH_WEIGHTS[:fills]
            pick = int(self.rng.integers(sum(weights)))
            self.default = next(i for i in range(fills) if pick < sum(weights[: i + 1]))
        self.shown: list[str] = []

    def choose(self, n: int) -> int:
        """In turn in the fixed stage, at random in fresh vectors."""
        return self.turn % n if self.fixed else int(self.rng.integers(n))

    def vector(self) -> Vector:
        objects: dict[str, Bytes] = {}
        leaves: dict[str, tuple[CType, int]] = {}
        for variable in self.plan.signature.globals:
            leaf = variable.type.leaf()
            leaves[variable.name] = (leaf, variable.type.size // max(leaf.size, 1))
        for variable in self.plan.signature.params:
            if variable.type.kind == "pointer" and any(o.name == variable.name for o in self.plan.objects):
                element = variable.type.element
                assert element is not None
                leaf = element.leaf()
                leaves[variable.name] = (leaf, self.plan.object(variable.name).size // leaf.size)
        for name, (leaf, count) in leaves.items():
            objects[name] = self._fill(name, leaf, count, self.entries.get(name, {}))
        for name, (leaf, count) in leaves.items():
            for plant in self.entries.get(name, {}).get("plant", ()):
                self._plant(name, leaf, count, plant, objects, leaves)
        args = self._arguments(objects)
        junk = self.rng.integers(0, 1 << 63, size=64, dtype=np.uint64)
        returns = self._mock_returns()
        label = str(self.case.get("name", "")) or FILL_LABELS[self.default]
        if self.shown:
            label += f" ({', '.join(self.shown)})"
        return Vector(self.spec, label, objects, tuple(args), tuple(int(j) for j in junk), returns)

    # --- memory -------------------------------------------------------------------------------------------------

    def _fill(self, name: str, leaf: CType, count: int, entry: Mapping[str, Any]) -> Bytes:
        if leaf.kind == "record":
            return self._records(name, leaf, count)
        where = f"{self.plan.task.yaml_path}: inputs.{name}"
        if leaf.kind not in ("int", "float"):
            raise ConfigError(f"{where}: values of type {leaf.spelling} cannot be drawn yet")
        values = self._values(where, leaf, count, entry)
        return _encode(values, leaf)

    def _values(self, where: str, leaf: CType, count: int, entry: Mapping[str, Any]) -> npt.NDArray[Any]:
        if "fills" in entry:
            fills = entry["fills"]
            return self._values(where, leaf, count, fills[self.choose(len(fills))])
        if "uniform" in entry:
            if leaf.kind != "float":
                raise ConfigError(f"{where}: uniform is for floating point; use range for {leaf.spelling}")
            low, high = entry["uniform"]
            dtype = np.float32 if leaf.size == 4 else np.float64
            return self.rng.random(count, dtype=dtype) * dtype(high - low) + dtype(low)
        if "values" in entry:
            choices = np.array(entry["values"], dtype=np.float64 if leaf.kind == "float" else object)
            if leaf.kind == "int":
                choices = np.array([_wrap(int(v), leaf) for v in entry["values"]], dtype=_dtype(leaf))
            return choices[self.rng.integers(0, len(choices), size=count)]
        if "range" in entry:
            low, high = entry["range"]
            lowest, highest = (0, (1 << 64) - 1) if low >= 0 else (-(1 << 63), (1 << 63) - 1)
            if low < lowest or high > highest:
                raise ConfigError(f"{where}: range [{low}, {high}] does not fit {leaf.spelling}")
            kind = np.dtype(np.uint64 if high >> 63 > 0 else np.int64)
            return self.rng.integers(low, high, size=count, endpoint=True, dtype=kind)
        if "permutation" in entry:
            k = entry["permutation"]
            blocks = [self.rng.permutation(min(k, count - i)) for i in range(0, count, k)]
            return np.concatenate(blocks)
        if "fill" in entry:
            return np.full(count, entry["fill"])
        if "extremes" in entry:
            return self._extremes(where, leaf, count, entry["extremes"])
        if leaf.kind == "float":
            return self._values(where, leaf, count, DEFAULT_FLOAT_FILLS[self.default])
        low, high = (-100, 100) if leaf.signed else (0, 200)
        if leaf.spelling == "_Bool":
            high = 1
        limit = (1 << (8 * leaf.size - leaf.signed)) - 1
        return self.rng.integers(low, min(high, limit), size=count, endpoint=True)

    def _extremes(self, where: str, leaf: CType, count: int, which: str) -> npt.NDArray[Any]:
        """Mostly uniform in [-1, 1), strewn with the ends of the type's range."""
        if leaf.kind != "float":
            raise ConfigError(f"{where}: extremes is for floating point; list the values of {leaf.spelling}")
        dtype: type[Any] = np.float32 if leaf.size == 4 else np.float64
        limits = np.finfo(dtype)
        ends = [0.0, limits.smallest_subnormal, limits.tiny, limits.eps, 1.0, 1.0 / limits.eps, limits.max]
        if which == "all":
            ends = [0.0, limits.smallest_subnormal, limits.max, np.inf, np.nan]
        values = self.rng.random(count, dtype=dtype) * dtype(2) - dtype(1)
        extreme = np.array([*ends, *(-e for e in ends)], dtype=dtype)[self.rng.integers(0, 2 * len(ends), size=count)]
        chosen = self.rng.random(count, dtype=np.float32) < EXTREME_SHARE
        return np.where(chosen, extreme, values)

    def _records(self, name: str, leaf: CType, count: int) -> Bytes:
        image = np.zeros((count, leaf.size), dtype=np.uint8)
        for member in leaf.fields:
            inner = member.type.leaf()
            if member.width_bits is not None or inner.kind not in ("int", "float", "record"):
                raise ConfigError(
                    f"{self.plan.task.yaml_path}: {name}.{member.name}: members of type {member.type.spelling} "
                    "cannot be drawn yet"
                )
            start, per_record = member.offset_bits // 8, member.type.size // inner.size
            values = self._fill(f"{name}.{member.name}", inner, count * per_record, {})
            image[:, start : start + member.type.size] = values.reshape(count, member.type.size)
        return image.reshape(-1)

    def _plant(
        self,
        name: str,
        leaf: CType,
        count: int,
        plant: Mapping[str, Any],
        objects: dict[str, Bytes],
        leaves: Mapping[str, tuple[CType, int]],
    ) -> None:
        at = plant.get("at", "any")
        if at == "any":
            at = PLACES[self.choose(len(PLACES))]
        if at == "nowhere":
            return
        view = objects[name].view(_dtype(leaf))
        for _ in range(plant.get("count", 1)):
            if at == "inner":
                where = int(self.rng.integers(1, max(2, count - 1)))
            else:
                where = {"first": 0, "last": count - 1}.get(at, at)
            if not 0 <= where < count:
                raise ConfigError(
                    f"{self.plan.task.yaml_path}: inputs.{name}: plant at {where}, beyond {count} elements"
                )
            if "equal" in plant:
                other = plant["equal"]
                if other not in objects or leaves[other][1] <= where:
                    raise ConfigError(f"{self.plan.task.yaml_path}: inputs.{name}: plant equal to unknown {other!r}")
                view[where] = objects[other].view(_dtype(leaves[other][0]))[where]
            else:
                value = plant["value"]
                if isinstance(value, list):
                    value = value[int(self.rng.integers(len(value)))]
                view[where] = value if leaf.kind == "float" else _wrap(int(value), leaf)

    # --- arguments ----------------------------------------------------------------------------------------------

    def _arguments(self, objects: Mapping[str, Bytes]) -> list[int]:
        words = [int(w) for w in self.rng.integers(0, 1 << 63, size=MAX_ARGS, dtype=np.uint64)]
        signature = self.plan.signature
        for number, (variable, slot) in enumerate(zip(signature.params, argument_slots(signature), strict=True)):
            type_, entry = variable.type, self.entries.get(variable.name, {})
            where = f"{self.plan.task.yaml_path}: inputs.{variable.name}"
            if type_.kind == "pointer":
                words[slot] = self._pointer(where, variable.name, type_, entry, objects)
            elif type_.kind == "record":
                data = self._records(variable.name, type_, 1).tobytes()
                data += bytes(-len(data) % 8)
                words[slot : slot + len(data) // 8] = struct.unpack(f"<{len(data) // 8}Q", data)
            else:
                value = self._scalar(where, type_, entry, number)
                shown = f"{value:.9g}" if type_.kind == "float" else f"{value}"
                self.shown.append(f"{variable.name} = {shown}")
                words[slot] = encode_argument(value, type_, self.plan.arch, words[slot])
        return words

    def _scalar(self, where: str, type_: CType, entry: Mapping[str, Any], number: int) -> int | float:
        value: Any
        if self.fixed and self.index == 0 and "call" in entry:
            value = entry["call"]
        elif "values" in entry:
            choices = entry["values"]
            # Later parameters run through their lists a little slower, so that pairs of values vary.
            turn = (self.turn + (self.turn // len(choices)) * number) % len(choices)
            value = choices[turn if self.fixed else int(self.rng.integers(len(choices)))]
        elif "call" in entry and not any(k in entry for k in FILL_KEYS):
            value = entry["call"]
        else:
            value = self._values(where, type_, 1, entry)[0]
        if type_.kind == "float":
            return float(np.float32(value) if type_.size == 4 else value)
        return _wrap(int(value), type_)

    def _pointer(
        self, where: str, name: str, type_: CType, entry: Mapping[str, Any], objects: Mapping[str, Bytes]
    ) -> int:
        if entry.get("nullable") and self.choose(NULL_EVERY) == NULL_EVERY - 1:
            self.shown.append(f"{name} = null")
            return 0
        if "into" not in entry:
            return self.plan.object(name).addr
        target = entry["into"]
        if target not in objects:
            raise ConfigError(f"{where}: into names {target!r}, which is no global of the task")
        index_type = CType("int", "long", 8, 8, signed=True)
        index = int(self._scalar(f"{where}.offset", index_type, entry.get("offset", {"fill": 0}), 0))
        element = type_.element.size if type_.element else 1
        placed = self.plan.object(target)
        if not 0 <= index * element < placed.size:
            raise ConfigError(f"{where}: offset {index} is outside {target}")
        self.shown.append(f"{name} = {target} + {index}")
        return placed.addr + index * element

    def _mock_returns(self) -> tuple[int, ...]:
        entries = [e for e in self.plan.task.externals.values() if e.get("kind") == "mock"]
        given: Any = next((e["returns"] for e in entries if "returns" in e), None)
        if is_number(given):
            return (int(given) & (1 << 64) - 1,) * MOCK_RETURNS
        if isinstance(given, dict) and "values" in given:
            picks = self.rng.integers(0, len(given["values"]), size=MOCK_RETURNS)
            return tuple(int(given["values"][p]) & (1 << 64) - 1 for p in picks)
        return tuple(int(v) for v in self.rng.integers(0, 1 << 31, size=MOCK_RETURNS, dtype=np.uint64))


def _wrap(value: int, type_: CType) -> int:
    bits = 8 * type_.size
    value &= (1 << bits) - 1
    return value - (1 << bits) if type_.signed and value >> (bits - 1) else value


def _dtype(leaf: CType) -> np.dtype[Any]:
    letter = "f" if leaf.kind == "float" else "i" if leaf.signed else "u"
    return np.dtype(f"<{letter}{leaf.size}")


def _encode(values: npt.NDArray[Any], leaf: CType) -> Bytes:
    return np.ascontiguousarray(values.astype(_dtype(leaf))).view(np.uint8)


def encode_argument(value: float, type_: CType, arch: Arch, junk: int) -> int:
    """A scalar as the 64 bits a caller may put into the register: bits the arch leaves undefined come from ``junk``."""
    if type_.kind == "float":
        bits = 8 * type_.size
        raw = int.from_bytes(struct.pack("<f" if type_.size == 4 else "<d", value), "little")
        return raw | (junk >> bits << bits if bits < 64 else 0)
    defined = min(64, max(8 * type_.size, arch.undefined_arg_bits))
    mask = (1 << defined) - 1
    return (int(value) & mask) | (junk & ~mask & (1 << 64) - 1)


def element_name(name: str, type_: CType, index: int) -> str:
    """``aa[3][5]`` for flat element ``index`` of an object; pointers and plain arrays have one subscript."""
    dims: list[int] = []
    while type_.kind == "array" and type_.element is not None:
        dims.append(type_.count)
        type_ = type_.element
    if not dims:
        return f"{name}[{index}]"
    subscripts = []
    for size in reversed(dims[1:]):
        subscripts.append(index % size)
        index //= size
    return name + "".join(f"[{i}]" for i in (index, *reversed(subscripts)))


def seeds_from(text: str, *, fallback: int) -> int:
    """``--nc-seed``: a number, or ``random`` for ``fallback``. Raises ConfigError."""
    if text == "random":
        return fallback
    try:
        value = int(text, 0)
    except ValueError:
        raise ConfigError(f"--nc-seed={text}: expected a whole number or `random`") from None
    if not 0 <= value < 1 << 63 or math.isnan(value):
        raise ConfigError(f"--nc-seed={text}: expected a number from 0 to 2^63 - 1")
    return value


def fresh_specs(seed: int, count: int) -> Sequence[str]:
    """Names of the fresh vectors of a run."""
    return [f"fresh:{seed}:{i}" for i in range(count)]
