"""Decides: what a candidate left behind against what the golden build left behind. Runs nothing.

Everything observable is compared bit for bit: result, every object with the bytes around it, calls to mocks, the
registers and flags a caller relies on. In floating-point objects any NaN equals any NaN; padding inside structs holds
nothing. Calls that did not return are explained in ``crashes``.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .images import BELOW, read_constant, read_text
from .inputs import Bytes, Vector, element_name
from .layout import MOCK_LOG, Control, Placed
from .mocks import Call, describe_call, mocks, read_log
from .runner import SLACK_BYTE, Guest
from .signature import CType, used_bits
from .toolchain import Plan
from .types import Outcome, Verdict

REASSOCIATED_ULPS = 64
"""Up to this many units in the last place everywhere, a wrong float result is called reassociated."""
SHOWN_ELEMENTS = 3
SHOWN_OBJECTS = 6
MAX_LINES = 40
MAX_DETAIL_CHARS = 300
MAX_LINE_CHARS = 240
_NOT_FINITE = np.uint64(1 << 63)
"""The distance of a NaN or an infinity from anything else; further than any two numbers are."""


_memcmp = ctypes.CDLL(None).memcmp
_memcmp.argtypes, _memcmp.restype = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t), ctypes.c_int


@dataclass(frozen=True)
class Snapshot:
    """What one call left behind."""

    objects: Mapping[str, Bytes]
    """Whole mapping of every object."""
    result: bytes
    mock_calls: int
    mock_digest: int
    unwound: bool
    mock_log: tuple[int, ...]
    """What was called with what, as the driver noted it."""
    program: Path
    """The linked build that ran, for what pointers into its constants mean."""


def take_snapshot(guest: Guest) -> Snapshot:
    """Copy what the golden build left, to compare candidates with later."""
    return _snapshot(guest, {name: memory.copy() for name, memory in guest.memory.items()})


def view(guest: Guest) -> Snapshot:
    """What a build has left, without a copy: good until the next call."""
    return _snapshot(guest, guest.memory)


def _snapshot(guest: Guest, objects: Mapping[str, Bytes]) -> Snapshot:
    control = guest.control
    size = guest.plan.signature.returns.size
    log = tuple(control.mock_log[: min(control.mock_log_used, MOCK_LOG)]) if control.mock_calls else ()
    return Snapshot(
        objects,
        bytes(control.ret)[:size],
        control.mock_calls,
        control.mock_digest,
        bool(control.unwound),
        log,
        guest.build.path,
    )


@dataclass(frozen=True)
class FloatRule:
    """``--nc-fp``: how far floating-point results may be off, in units in the last place."""

    ulps: int = 0
    """0 compares bits."""

    @classmethod
    def parse(cls, text: str) -> FloatRule | None:
        """``exact`` or ``ulp:N``; None when it is neither."""
        if text == "exact":
            return cls()
        match = re.fullmatch(r"ulp:(\d+)", text)
        return cls(min(int(match[1]), int(_NOT_FINITE) - 1)) if match else None


@dataclass(frozen=True)
class Scalar:
    """One number inside an element of an object: the element itself, or a member of a struct."""

    path: str
    """``""`` or ``.weight``, behind the element's name."""
    offset: int
    """Bytes from the start of the element."""
    dtype: np.dtype[np.generic]
    mask: int | None = None
    """Of a byte that a bit-field fills in part: the bits that count."""
    points_to: CType | None = None
    """Of a pointer: the type of what it points to."""


_MAX_SCALARS = 256
"""Members told apart in one element; a larger struct is compared byte by byte."""


@functools.lru_cache(maxsize=1024)
def scalars(leaf: CType) -> tuple[Scalar, ...]:
    """What is compared of one element of this type; padding is left out."""
    if leaf.kind != "record":
        return (Scalar("", 0, _scalar_dtype(leaf), points_to=leaf.element),)
    found = list(_members(leaf, "", 0))
    spans = sorted((s.offset, s.offset + s.dtype.itemsize) for s in found if s.mask is None)
    union = any(after[0] < before[1] for before, after in itertools.pairwise(spans))
    if union or not found or len(found) > _MAX_SCALARS:  # what a union holds at the moment, nobody knows
        used = used_bits(leaf)
        return tuple(Scalar(f" byte {i}", i, np.dtype("u1"), mask) for i, mask in enumerate(used) if mask)
    return tuple(found)


def _members(record: CType, path: str, base: int) -> Iterator[Scalar]:
    for member in record.fields:
        name = f"{path}.{member.name}" if member.name else path
        if member.width_bits is not None:
            used = used_bits(CType("record", "", record.size, 1, fields=(member,)))
            yield from (Scalar(f"{name} (byte {i})", base + i, np.dtype("u1"), m) for i, m in enumerate(used) if m)
            continue
        leaf, start = member.type.leaf(), base + member.offset_bits // 8
        for i in range(min(member.type.size // max(leaf.size, 1), _MAX_SCALARS + 1)):
            where = element_name(name, member.type, i) if member.type.kind == "array" else name
            if leaf.kind == "record":
                yield from _members(leaf, where, start + i * leaf.size)
            else:
                yield Scalar(where, start + i * leaf.size, _scalar_dtype(leaf), points_to=leaf.element)


@dataclass(frozen=True)
class _Difference:
    """Elements of one object that are wrong."""

    name: str
    type: CType
    total: int
    """Elements of the object."""
    indices: npt.NDArray[np.int64]
    """Wrong elements."""
    shown: tuple[tuple[str, int, str, str], ...]
    """The first ones: name, element, expected, actual."""
    max_ulps: int | None
    """Largest distance where everything wrong is floating point."""


@dataclass(frozen=True)
class Findings:
    """Everything that is wrong with one call that returned."""

    plan: Plan
    vector: Vector
    differences: tuple[_Difference, ...]
    problems: tuple[str, ...]
    """Bytes around objects that changed."""
    calls: str | None
    """What is wrong with the calls to mocks."""
    abi: tuple[str, ...]

    @property
    def outcome(self) -> Outcome:
        return Outcome.WRONG_OUTPUT if self.differences or self.problems or self.calls else Outcome.ABI_VIOLATION

    @property
    def detail(self) -> str:
        """One line: what is wrong."""
        return self.verdict().detail

    @property
    def reassociated(self) -> int | None:
        """Units in the last place within which every result is, when that is all that is wrong; else None."""
        if self.problems or self.calls or not self.differences:
            return None
        furthest = max(REASSOCIATED_ULPS + 1 if d.max_ulps is None else d.max_ulps for d in self.differences)
        # Distance 0 is +0 beside -0: a wrong sign, not another order of operations.
        return furthest if 0 < furthest <= REASSOCIATED_ULPS else None

    @property
    def only_floats(self) -> bool:
        """Whether floating-point numbers are all that is wrong."""
        return (
            bool(self.differences)
            and not (self.problems or self.calls or self.abi)
            and all(d.max_ulps is not None for d in self.differences)
        )

    @property
    def places(self) -> tuple[int, ...]:
        """Where the first differing object is wrong, as flat element numbers."""
        return tuple(index for _, index, _, _ in self.differences[0].shown) if self.differences else ()

    def verdict(self) -> Verdict:
        """The findings in words."""
        lines = [f"With input {self.vector.label}:"]
        if self.outcome is Outcome.ABI_VIOLATION:
            lines += [*(f"  {a}" for a in self.abi), "All results are right."]
            return Verdict(Outcome.ABI_VIOLATION, _cut(self.abi[0], MAX_DETAIL_CHARS), bounded(lines))
        for difference in self.differences[:SHOWN_OBJECTS]:
            lines += [f"  {line}" for line in _describe(difference, self.plan, self.vector)]
        if len(self.differences) > SHOWN_OBJECTS:
            lines.append(f"  wrong as well: {', '.join(d.name for d in self.differences[SHOWN_OBJECTS:])}")
        lines += [f"  {p}" for p in (*self.problems, *([self.calls] if self.calls else []), *self.abi)]
        wrong = {d.name for d in self.differences}
        right = [n for n in _observed(self.plan) if n not in wrong]
        if right:
            lines.append(f"Right: {', '.join(right)}.")
        return Verdict(Outcome.WRONG_OUTPUT, _cut(self._headline(), MAX_DETAIL_CHARS), bounded(lines))

    def _headline(self) -> str:
        if not self.differences:
            return (*self.problems, self.calls or "wrong")[0]
        if self.reassociated is not None:
            return f"reassociated: max {self.reassociated} ulp"
        first = self.differences[0]
        name, _, expected, actual = first.shown[0]
        if first.name == "result":
            return f"wrong {name}: expected {expected}, got {actual}"
        return (
            f"{first.indices.size} of {first.total} elements of {first.name} are wrong, first {name}: "
            f"expected {expected}, got {actual}"
        )


def compare(plan: Plan, vector: Vector, expected: Snapshot, guest: Guest, rule: FloatRule) -> Findings | None:
    """What is wrong with one call that returned, or None when nothing is."""
    actual = _snapshot(guest, guest.memory)
    problems: list[str] = []
    differences = []
    constants = _Constants(expected.program, actual.program, rule)
    for placed in plan.objects:
        want, have = expected.objects[placed.name], actual.objects[placed.name]
        if _memcmp(want.ctypes.data, have.ctypes.data, want.size) == 0 and not _has_pointers(plan, placed.name):
            continue
        if outside := _outside(placed, want, have):
            problems.append(outside)
        if difference := _difference(plan, placed, want, have, constants, vector.bases.get(placed.name, 0)):
            differences.append(difference)
    returned = not (expected.unwound or actual.unwound)
    if returned and (result := _result_difference(plan, expected.result, actual.result, constants)):
        differences.append(result)
    calls = _call_problem(plan, vector, expected, actual)
    abi = [] if actual.unwound else abi_problems(plan, guest.control, vector)
    if not (problems or differences or calls or abi):
        return None
    return Findings(plan, vector, tuple(differences), tuple(problems), calls, tuple(abi))


def ordinary(plan: Plan, vector: Vector) -> bool:
    """Whether an input's floating-point numbers are such that another order of operations is a matter of rounding.

    With infinities, or numbers whose sums and products overflow or vanish, it is the difference between a number and
    none at all.
    """
    for placed in plan.objects:
        leaf = plan.element(placed.name).leaf()
        if leaf.kind != "float":
            continue
        values = np.abs(vector.objects[placed.name].view(_scalar_dtype(leaf)))
        info = np.finfo(values.dtype)
        low, high = float(info.tiny) ** 0.5, float(info.max) ** 0.5
        if not bool((((values >= low) & (values <= high)) | (values == 0)).all()):
            return False
    return True


def bounded(lines: Sequence[str]) -> str:
    """A diagnostic of at most MAX_LINES lines, none of them endless."""
    split = [_cut(part, MAX_LINE_CHARS) for line in lines for part in line.splitlines()]
    if len(split) > MAX_LINES:
        split = [*split[: MAX_LINES - 1], f"... and {len(split) - MAX_LINES + 1} more lines"]
    return "\n".join(split)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def _observed(plan: Plan) -> list[str]:
    return list(plan.task.observe) or [o.name for o in plan.objects]


def _outside(placed: Placed, want: Bytes, have: Bytes) -> str | None:
    lead = want[: placed.lead] != have[: placed.lead]
    tail = have[placed.lead + placed.size :] != SLACK_BYTE
    if lead.any():
        at = int(np.flatnonzero(lead)[-1]) - placed.lead
        return f"wrote before the start of {placed.name} (at {placed.name}{at:+d} bytes)"
    if tail.any():
        return (
            f"wrote past the end of {placed.name} (at {placed.name}+{placed.size + int(np.flatnonzero(tail)[0])} bytes)"
        )
    return None


def _scalar_dtype(leaf: CType) -> np.dtype[np.generic]:
    if leaf.kind == "float":
        return np.dtype(f"<f{leaf.size}")
    if leaf.kind == "int":
        return np.dtype(f"<{'i' if leaf.signed else 'u'}{leaf.size}")
    return np.dtype("u1") if leaf.kind == "record" else np.dtype("<u8")


@dataclass(frozen=True)
class _Constants:
    """Two programs, and whether pointers into their constants mean the same."""

    golden: Path
    candidate: Path
    rule: FloatRule

    def same(self, x: int, y: int, type_: CType | None, depth: int = 0) -> bool:
        """Whether two pointers mean the same: they are equal, or point to equal strings or elements of a table.

        Equal ones into the programs themselves do not mean the same by being equal.
        """
        if x == y and (x >= BELOW or not x or type_ is None or not type_.size):
            return True
        if type_ is None or not x or not y or depth > 2:
            return False
        leaf = type_.leaf()
        if leaf.kind == "int" and leaf.size == 1:
            # How long it is, is the golden build's word: a candidate may name its tables or not.
            text = read_text(self.golden, x)
            return text is not None and read_constant(self.candidate, y, len(text)) == text
        want, have = read_constant(self.golden, x, type_.size), read_constant(self.candidate, y, type_.size)
        if not type_.size or want is None or have is None:
            return False
        for at in range(0, type_.size, leaf.size):
            for part in scalars(leaf):
                span = slice(at + part.offset, at + part.offset + part.dtype.itemsize)
                a, b = (int.from_bytes(d[span], "little") & (part.mask or -1) for d in (want, have))
                if a != b and not self.same(a, b, part.points_to, depth + 1):
                    return False
        return True


def _has_pointers(plan: Plan, name: str) -> bool:
    return any(part.points_to is not None for part in scalars(plan.element(name).leaf()))


def _difference(
    plan: Plan, placed: Placed, want: Bytes, have: Bytes, constants: _Constants, base: int
) -> _Difference | None:
    span = slice(placed.lead, placed.lead + placed.size)
    return _compare_arrays(placed.name, plan.element(placed.name), want[span], have[span], constants, base)


def _compare_arrays(
    name: str,
    type_: CType,
    want: npt.NDArray[np.generic],
    have: npt.NDArray[np.generic],
    constants: _Constants,
    base: int = 0,
) -> _Difference | None:
    parts, stride = scalars(type_.leaf()), type_.leaf().size
    wants, haves = want.view(np.uint8).reshape(-1, stride), have.view(np.uint8).reshape(-1, stride)
    total = len(wants)
    wrong_elements = np.zeros(total, dtype=bool)
    shown: list[tuple[int, int, str, str]] = []
    ulps: int | None = 0
    for number, part in enumerate(parts):
        columns = slice(part.offset, part.offset + part.dtype.itemsize)
        x = np.ascontiguousarray(wants[:, columns]).view(part.dtype)[:, 0]
        y = np.ascontiguousarray(haves[:, columns]).view(part.dtype)[:, 0]
        wrong, furthest = _wrong(x, y, part, constants.rule)
        if part.points_to is not None:
            for i in np.flatnonzero(wrong | ((x != 0) & (x < BELOW))):
                wrong[i] = not constants.same(int(x[i]), int(y[i]), part.points_to)
        if not wrong.any():
            continue
        ulps = None if ulps is None or furthest is None else max(ulps, furthest)
        wrong_elements |= wrong
        shown += [
            (int(i), number, number_text(x[i]), number_text(y[i])) for i in np.flatnonzero(wrong)[:SHOWN_ELEMENTS]
        ]
    indices = np.flatnonzero(wrong_elements)
    if not indices.size:
        return None
    return _Difference(
        name,
        type_,
        total,
        indices,
        tuple(
            (
                ("result" if name == "result" else element_name(name, type_, index - base)) + parts[number].path,
                index,
                expected,
                actual,
            )
            for index, number, expected, actual in sorted(shown)[:SHOWN_ELEMENTS]
        ),
        ulps,
    )


def _wrong(
    x: npt.NDArray[np.generic], y: npt.NDArray[np.generic], part: Scalar, rule: FloatRule
) -> tuple[npt.NDArray[np.bool_], int | None]:
    """Which elements are wrong, and for floating point how far off the furthest is."""
    bits = np.dtype(f"<u{part.dtype.itemsize}")
    wrong = x.view(bits) != y.view(bits)
    if part.mask is not None:
        wrong = ((x.view(bits) ^ y.view(bits)) & part.mask) != 0
    if part.dtype.kind != "f":
        return wrong, None
    wrong &= ~(np.isnan(x) & np.isnan(y))
    if not wrong.any():
        return wrong, 0
    distances = _ulps(x[wrong], y[wrong])
    if rule.ulps:
        near = distances <= np.uint64(rule.ulps)
        wrong[np.flatnonzero(wrong)[near]] = False
        distances = distances[~near]
    return wrong, int(distances.max(initial=0))


def _ulps(a: npt.NDArray[np.generic], b: npt.NDArray[np.generic]) -> npt.NDArray[np.uint64]:
    """Distance in representable values: 0 between +0 and -0, 2^63 where a side is not finite and the other differs.

    IEEE numbers of one sign are ordered like their bit patterns (IEEE 754-2019, 5.10), so the distance is a difference
    of integers once negative patterns are mirrored.
    """
    width = a.dtype.itemsize
    sign = np.uint64(1) << np.uint64(8 * width - 1)

    def ordered(x: npt.NDArray[np.generic]) -> npt.NDArray[np.uint64]:
        raw = x.view(np.dtype(f"<u{width}")).astype(np.uint64)
        mirrored: npt.NDArray[np.uint64] = np.where(raw & sign, sign - (raw & ~sign), raw + sign)
        return mirrored

    x, y = ordered(a), ordered(b)
    distance = np.where(x > y, x - y, y - x)
    finite = np.isfinite(a) & np.isfinite(b)
    return np.where(finite, np.minimum(distance, _NOT_FINITE - np.uint64(1)), _NOT_FINITE)


def _result_difference(plan: Plan, want: bytes, have: bytes, constants: _Constants) -> _Difference | None:
    type_ = plan.signature.returns
    if type_.kind == "void" or (want == have and type_.kind not in ("pointer", "record")):
        return None
    return _compare_arrays("result", type_, np.frombuffer(want, np.uint8), np.frombuffer(have, np.uint8), constants)


def _call_problem(plan: Plan, vector: Vector, expected: Snapshot, actual: Snapshot) -> str | None:
    """What is wrong with the calls out of the function, in one sentence."""
    same = (expected.mock_calls, expected.unwound, expected.mock_digest) == (
        actual.mock_calls,
        actual.unwound,
        actual.mock_digest,
    )
    if same:
        return None
    known = mocks(plan.task, plan.signature)
    wanted, made = read_log(expected.mock_log), read_log(actual.mock_log)

    def words(call: Call) -> str:
        return describe_call(call, known, place=_Places(plan, vector))

    for number, (want, have) in enumerate(zip(wanted, made, strict=False), 1):
        if (want.number, want.values) != (have.number, have.values):
            return f"call {number} out of the function: expected {words(want)}, got {words(have)}"
        if want.memory != have.memory:
            return (
                f"memory was not as expected when it called {words(want)} (call {number}): a store before the call is "
                "missing, wrong, or comes after it"
            )
    names = ", ".join(m.name for m in known)
    if expected.mock_calls > actual.mock_calls:
        missing = f"; the next would be {words(wanted[len(made)])}" if len(made) < len(wanted) else ""
        return f"called {names} {actual.mock_calls} times, expected {expected.mock_calls}{missing}"
    if expected.mock_calls < actual.mock_calls:
        extra = f"; one too many: {words(made[len(wanted)])}" if len(wanted) < len(made) else ""
        return f"called {names} {actual.mock_calls} times, expected {expected.mock_calls}{extra}"
    if expected.unwound != actual.unwound:
        return f"{'returned although it should have called' if expected.unwound else 'ended by calling'} {names}"
    return f"memory or arguments at a call to {names} were not as expected (order of stores around the call?)"


class _Places(Mapping[int, str]):
    """Names for addresses: ``&pool[3]``."""

    def __init__(self, plan: Plan, vector: Vector) -> None:
        self._plan, self._vector = plan, vector

    def __getitem__(self, address: int) -> str:
        for placed in self._plan.objects:
            if 0 <= address - placed.addr <= placed.size:
                type_ = self._plan.element(placed.name)
                size = max(type_.leaf().size, 1)
                index, rest = divmod(address - placed.addr, size)
                text = "&" + element_name(placed.name, type_, index - self._vector.bases.get(placed.name, 0))
                return f"{text} + {rest} bytes" if rest else text
        for mock in mocks(self._plan.task, self._plan.signature):
            if mock.address == address:
                return mock.name
        raise KeyError(address)

    def __iter__(self) -> Iterator[int]:
        return iter(())

    def __len__(self) -> int:
        return 0


def abi_problems(plan: Plan, control: Control, vector: Vector) -> list[str]:
    """What the candidate did to registers that belong to its caller."""
    arch = plan.arch
    changed = [name for i, name in enumerate(arch.preserved) if control.seen[i] != vector.junk[i]]
    problems = []
    if changed:
        problems.append(
            f"did not preserve {', '.join(changed)}: save and restore {'them' if len(changed) > 1 else 'it'}"
        )
    if control.sp_error:
        error = control.sp_error - (1 << 64) if control.sp_error >> 63 else control.sp_error
        problems.append(f"returned with {arch.stack_pointer} off by {error:+d} bytes")
    if control.flag_error & 1:
        problems.append("returned with the direction flag set (missing cld)")
    if control.flag_error & 2:
        problems.append("changed the floating-point rounding or exception control")
    if control.flag_error & 4:
        problems.append("returned with values on the x87 stack or in MMX state (missing fstp or emms)")
    if control.flag_error & 8:
        problems.append("did not return the address of the result in %rax (the caller passes it in %rdi)")
    if control.call_error & 1:
        problems.append(f"{arch.stack_pointer} was not a multiple of 16 at a call")
    if control.call_error & 4:
        problems.append("called a variadic function with more than 8 in %al (how many vector registers it uses)")
    if control.call_error & 2:
        problems.append("called a function with the direction flag set (missing cld)")
    if control.stack_error:
        problems.append(
            f"wrote to its caller's stack frame, {control.stack_error - 1} bytes above where stack arguments begin"
        )
    return problems


def number_text(value: np.generic) -> str:
    """A number with as many digits as tell it from its neighbours."""
    if value.dtype.kind != "f":
        return str(value)
    if np.isnan(value):
        return "nan"
    return f"{float(value):.9g}" if value.dtype.itemsize == 4 else f"{float(value):.17g}"


def _describe(d: _Difference, plan: Plan, vector: Vector) -> list[str]:
    lines = []
    base = vector.bases.get(d.name, 0)
    if d.name == "result":
        lines += [f"{name}: expected {expected}, got {actual}" for name, _, expected, actual in d.shown]
    else:
        lines.append(
            f"{d.name}: {d.indices.size} of {d.total} elements are wrong "
            f"(from {int(d.indices[0]) - base} to {int(d.indices[-1]) - base})"
        )
        lines += [
            f"  {name}: expected {expected}, got {actual}; {_inputs_at(plan, vector, index, d.total)}"
            for name, index, expected, actual in d.shown
        ]
    if d.max_ulps == 0:
        lines.append("  only the signs of zeros differ")
    elif d.max_ulps is not None and d.max_ulps <= REASSOCIATED_ULPS:
        lines.append(f"  all within {d.max_ulps} ulp: the order or the kind of the floating-point operations differs")
    return lines


def _inputs_at(plan: Plan, vector: Vector, index: int, total: int) -> str:
    """Initial values at the same index in every object of the same length: what a person looks at first."""
    parts = []
    for placed in plan.objects:
        type_ = plan.element(placed.name)
        if type_.leaf().kind not in ("int", "float"):
            continue
        values = vector.objects[placed.name].view(_scalar_dtype(type_.leaf()))
        if values.size == total:
            base = vector.bases.get(placed.name, 0)
            parts.append(f"{element_name(placed.name, type_, index - base)} = {number_text(values[index])}")
    return "before: " + ", ".join(parts[:6]) if parts else "no input at this index"
