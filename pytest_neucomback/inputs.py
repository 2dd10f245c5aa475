"""Input vectors: what a task's YAML says, drawn. (What its own code draws becomes bytes in ``draws.py``.)

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
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from . import draws
from .arches import Arch
from .draws import MockScript
from .entries import FILL_KEYS, PLACES
from .errors import ConfigError
from .glue import argument_slots
from .layout import MAX_ARGS
from .mocks import mocks
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
    mock_script: MockScript = field(default_factory=MockScript)
    bases: Mapping[str, int] = field(default_factory=dict)
    """Element of an object that the pointer to it points to, where that is not the first."""
    weight: int | None = None
    """How much there is to read in values drawn by the task's code; None for others."""


def fixed_count(plan: Plan) -> int:
    """How many vectors the fixed stage has, the task's stored ones included."""
    return _ordinary_fixed(plan) + len(plan.task.vectors)


def _ordinary_fixed(plan: Plan) -> int:
    if plan.task.draw:
        return len(plan.task.edges) + draws.PLAIN_FIXED
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
        index -= len(plan.task.vectors) if stored >= 0 else 0
    elif stage == "stored":
        seed, index = STORED_SEED, int(numbers[0])
    elif stage == "fresh":
        seed, index = int(numbers[0]), int(numbers[1])
    elif stage == "timed":  # sizes and choices of the first fixed vector, other numbers
        seed, index = 1000 * int(numbers[0]) + int(numbers[1]) + 1, 0
    else:
        raise ConfigError(f"unknown vector {spec!r}")
    return _Drawing(plan, spec, stage in ("fixed", "timed"), seed, index).vector()


def draw_with(plan: Plan, spec: str, words: draws.Rng, edge: str) -> Vector:
    """A vector of a task with code of its own, from random numbers and a situation that the caller chose."""
    drawing = _Drawing(plan, spec, False, words.bits(62), 0)
    drawing.words, drawing.edge = words, edge
    return drawing.vector()


class _Drawing:
    """The state while one vector is drawn."""

    def __init__(self, plan: Plan, spec: str, fixed: bool, seed: int, index: int) -> None:
        self.plan, self.spec, self.fixed, self.index = plan, spec, fixed, index
        entropy = [zlib.crc32(plan.task.name.encode()), int(fixed), seed, index]
        seeds = np.random.SeedSequence(entropy)
        self.rng = np.random.Generator(np.random.PCG64(seeds))
        low, high = (int(w) for w in seeds.generate_state(2, np.uint64))
        self.words = draws.Rng(low << 64 | high)
        """For the task's own code."""
        self.edge: str | None = None
        """The situation asked for; None until it is chosen."""
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
        values = self._values_of_task()
        elements = {name: (type_.leaf(), self.plan.object(name).size) for name, type_ in self._object_types().items()}
        leaves = {name: (leaf, size // max(leaf.size, 1)) for name, (leaf, size) in elements.items()}
        places = self._places(values)
        functions = {m.name: m.address for m in mocks(self.plan.task, self.plan.signature)}
        encoder = draws.Encoder(f"{self.plan.task.yaml_path}: draw", self.words, places, functions)
        objects: dict[str, Bytes] = {}
        for name, (leaf, count) in leaves.items():
            if self.plan.task.draw and (name in values or not self._declared(name)):
                objects[name] = self._encoded(encoder, name, values, places[name])
            else:
                objects[name] = self._fill(name, leaf, count, self.entries.get(name, {}))
        for name, (leaf, count) in leaves.items():
            for plant in self.entries.get(name, {}).get("plant", ()):
                self._plant(name, leaf, count, plant, objects, leaves)
        args = self._arguments(objects, values, encoder, places)
        junk = self.rng.integers(0, 1 << 63, size=64, dtype=np.uint64)
        script = draws.mock_script(self.plan.task, self.plan.signature, values, self.words, encoder)
        bases = {
            name: (place.addr - self.plan.object(name).addr) // place.element.size
            for name, place in places.items()
            if place.addr != self.plan.object(name).addr
        }
        weight = draws.weight(values) if self.plan.task.draw else None
        return Vector(
            self.spec, self._label(values), objects, tuple(args), tuple(int(j) for j in junk), script, bases, weight
        )

    def _label(self, values: draws.Values) -> str:
        if self.plan.task.draw:
            return f"{self.edge or 'at random'} ({draws.shown(values)})"
        label = str(self.case.get("name", "")) or FILL_LABELS[self.default]
        return f"{label} ({', '.join(self.shown)})" if self.shown else label

    # --- values of the task's own code --------------------------------------------------------------------------

    def _values_of_task(self) -> draws.Values:
        task = self.plan.task
        if not task.draw:
            return {}
        if self.edge is None:
            self.edge = self._choose_edge()
        values = draws.draw_values(task, self.words, self.edge)
        signature = self.plan.signature
        known = [v.name for v in (*signature.params, *signature.globals, *signature.memory)]
        known += [m.name for m in mocks(task, signature)]
        for name in values:
            if name not in known:
                raise ConfigError(
                    f"{task.yaml_path}: draw gives a value for {name!r}, which is no parameter, global, object of "
                    f"memory or mock. Known: {', '.join(known)}."
                )
        return values

    def _choose_edge(self) -> str:
        edges = self.plan.task.edges
        if self.fixed:
            return edges[self.index] if self.spec.startswith("fixed:") and self.index < len(edges) else ""
        return self.words.pick(edges) if edges and self.words.chance(draws.EDGE_SHARE) else ""

    def _object_types(self) -> dict[str, CType]:
        return {o.name: self.plan.element(o.name) for o in self.plan.objects}

    def _declared(self, name: str) -> bool:
        return any(key in self.entries.get(name, {}) for key in FILL_KEYS)

    def _places(self, values: draws.Values) -> dict[str, draws.Place]:
        """Where element 0 of every object is: what a pointer parameter is given ends where its object ends."""
        places = {}
        pointers = {p.name for p in self.plan.signature.params}
        for placed in self.plan.objects:
            type_ = self.plan.element(placed.name)
            element = type_.element if type_.kind == "array" and placed.name not in pointers else type_
            assert element is not None
            capacity = placed.size // max(element.size, 1)
            count = capacity
            if placed.name in pointers and placed.name in values:
                given = values[placed.name]
                if given is not None and not isinstance(given, draws.Ref):
                    is_list = isinstance(given, list | tuple | bytes | bytearray | str)
                    count = len(given) + isinstance(given, str) if is_list else 1
                    if count > capacity:
                        raise ConfigError(
                            f"{self.plan.task.yaml_path}: draw gives {count} elements for {placed.name}, which has "
                            f"room for {capacity}; raise `inputs: {{{placed.name}: {{length: ...}}}}`"
                        )
            places[placed.name] = draws.Place(placed.addr + (capacity - count) * element.size, element, count)
        return places

    def _encoded(self, encoder: draws.Encoder, name: str, values: draws.Values, place: draws.Place) -> Bytes:
        placed, type_ = self.plan.object(name), self.plan.element(name)
        given = values.get(name)
        if any(p.name == name for p in self.plan.signature.params):
            if name not in values or given is None or isinstance(given, draws.Ref):
                data = b"".join(encoder.random(type_) for _ in range(place.count))
            else:
                data = encoder.elements(place.element, given, name)
            # what lies before belongs to nobody; any bytes will do
            data = self.rng.bytes(placed.size - len(data)) + data
        else:
            data = encoder.encode(type_, given, name) if name in values else encoder.random(type_)
        return np.frombuffer(data, dtype=np.uint8)

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

    def _arguments(
        self,
        objects: Mapping[str, Bytes],
        values: draws.Values,
        encoder: draws.Encoder,
        places: Mapping[str, draws.Place],
    ) -> list[int]:
        words = [int(w) for w in self.rng.integers(0, 1 << 63, size=MAX_ARGS, dtype=np.uint64)]
        signature = self.plan.signature
        for number, (variable, slot) in enumerate(zip(signature.params, argument_slots(signature), strict=True)):
            type_, entry = variable.type, self.entries.get(variable.name, {})
            where = f"{self.plan.task.yaml_path}: inputs.{variable.name}"
            given = values.get(variable.name)
            if self.plan.task.draw and (variable.name in values or not self._declared(variable.name)):
                if type_.kind == "pointer":
                    if (given is None and variable.name in values) or isinstance(given, draws.Ref):
                        words[slot] = int.from_bytes(encoder.encode(type_, given, variable.name), "little")
                    else:
                        words[slot] = places[variable.name].addr if variable.name in places else 0
                    continue
                chosen = variable.name in values
                data = encoder.encode(type_, given, variable.name) if chosen else encoder.random(type_)
                if type_.kind == "record":
                    data += bytes(-len(data) % 8)
                    words[slot : slot + len(data) // 8] = struct.unpack(f"<{len(data) // 8}Q", data)
                elif type_.kind == "float":
                    words[slot] = encode_argument(
                        struct.unpack("<f" if type_.size == 4 else "<d", data)[0], type_, self.plan.arch, words[slot]
                    )
                else:
                    whole = int.from_bytes(data, "little", signed=type_.signed)
                    words[slot] = encode_argument(whole, type_, self.plan.arch, words[slot])
                continue
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
