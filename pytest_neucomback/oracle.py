"""Decides: what a candidate left behind against what the golden build left behind. Runs nothing.

Everything observable is compared bit for bit: result, every object with the bytes around it, calls to mocks, the
registers and flags a caller relies on. In floating-point objects any NaN equals any NaN.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .inputs import Bytes, Vector, element_name
from .layout import Control, Placed
from .runner import SLACK_BYTE, Guest
from .signature import CType
from .toolchain import Plan
from .types import Outcome, Verdict

REASSOCIATED_ULPS = 64
"""Up to this many units in the last place everywhere, a wrong float result is called reassociated."""
SHOWN_ELEMENTS = 3
_SI_KERNEL = 0x80


@dataclass(frozen=True)
class Snapshot:
    """What one call left behind."""

    objects: Mapping[str, Bytes]
    """Whole mapping of every object."""
    result: bytes
    mock_calls: int
    mock_digest: int
    unwound: bool


def take_snapshot(guest: Guest) -> Snapshot:
    """Copy what the golden build left, to compare candidates with later."""
    return _snapshot(guest, {name: memory.copy() for name, memory in guest.memory.items()})


def _snapshot(guest: Guest, objects: Mapping[str, Bytes]) -> Snapshot:
    control = guest.control
    size = guest.plan.signature.returns.size
    return Snapshot(objects, bytes(control.ret)[:size], control.mock_calls, control.mock_digest, bool(control.unwound))


@dataclass(frozen=True)
class FloatRule:
    """``--nc-fp``: how far floating-point results may be off, in units in the last place."""

    ulps: int = 0

    @classmethod
    def parse(cls, text: str) -> FloatRule | None:
        """``exact`` or ``ulp:N``; None when it is neither."""
        if text == "exact":
            return cls(0)
        match = re.fullmatch(r"ulp:(\d+)", text)
        return cls(int(match[1])) if match else None


@dataclass
class _Difference:
    """Elements of one object that are wrong."""

    name: str
    type: CType
    indices: npt.NDArray[np.int64]
    total: int
    expected: npt.NDArray[np.generic]
    actual: npt.NDArray[np.generic]
    max_ulps: int | None


def compare(plan: Plan, vector: Vector, expected: Snapshot, guest: Guest, rule: FloatRule) -> Verdict | None:
    """The verdict on one call that returned, or None when nothing is wrong with it."""
    actual = _snapshot(guest, guest.memory)
    problems: list[str] = []
    differences = []
    for placed in plan.objects:
        want, have = expected.objects[placed.name], actual.objects[placed.name]
        # mappings are whole pages: comparing as words is one pass of memcmp's speed
        if np.array_equal(want.view(np.uint64), have.view(np.uint64)):
            continue
        if outside := _outside(placed, want, have):
            problems.append(outside)
        if difference := _difference(plan, placed, want, have, rule):
            differences.append(difference)
    result = _result_difference(plan, expected.result, actual.result, rule)
    if result:
        differences.append(result)
    calls = _call_problem(plan, expected, actual)
    abi = [] if actual.unwound else abi_problems(plan, guest.control, vector)
    if not (problems or differences or calls or abi):
        return None
    if not (problems or differences or calls):
        lines = [f"With input {vector.label}:", *(f"  {a}" for a in abi), "All results are right."]
        return Verdict(Outcome.ABI_VIOLATION, abi[0], "\n".join(lines))
    lines = [f"With input {vector.label}:"]
    lines += [f"  {line}" for d in differences for line in _describe(d, plan, vector)]
    lines += [f"  {p}" for p in (*problems, *([calls] if calls else []), *abi)]
    wrong = {d.name for d in differences}
    right = [n for n in _observed(plan) if n not in wrong]
    if right:
        lines.append(f"Right: {', '.join(right)}.")
    detail = _headline(differences, problems, calls)
    return Verdict(Outcome.WRONG_OUTPUT, detail, "\n".join(lines))


def _observed(plan: Plan) -> list[str]:
    return list(plan.task.observe) or [o.name for o in plan.objects]


def _headline(differences: list[_Difference], problems: list[str], calls: str | None) -> str:
    if differences:
        ulps = [d.max_ulps for d in differences]
        if not problems and not calls and all(u is not None and u <= REASSOCIATED_ULPS for u in ulps):
            return f"reassociated: max {max(u for u in ulps if u is not None)} ulp"
        first = differences[0]
        if first.name == "result":
            return f"wrong result: expected {_number(first.expected[0])}, got {_number(first.actual[0])}"
        where = element_name(first.name, first.type, int(first.indices[0]))
        return (
            f"{first.indices.size} of {first.total} elements of {first.name} are wrong, first {where}: "
            f"expected {_number(first.expected[0])}, got {_number(first.actual[0])}"
        )
    return (problems or [calls or "wrong"])[0]


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


def _difference(plan: Plan, placed: Placed, want: Bytes, have: Bytes, rule: FloatRule) -> _Difference | None:
    type_ = next(
        (g.type for g in plan.signature.globals if g.name == placed.name),
        None,
    ) or next(p.type.element for p in plan.signature.params if p.name == placed.name)
    assert type_ is not None
    dtype = _scalar_dtype(type_.leaf())
    span = slice(placed.lead, placed.lead + placed.size)
    return _compare_arrays(placed.name, type_, want[span].view(dtype), have[span].view(dtype), rule)


def _compare_arrays(
    name: str, type_: CType, want: npt.NDArray[np.generic], have: npt.NDArray[np.generic], rule: FloatRule
) -> _Difference | None:
    bits = np.dtype(f"<u{want.dtype.itemsize}")
    wrong = want.view(bits) != have.view(bits)
    ulps = None
    if want.dtype.kind == "f":
        wrong &= ~(np.isnan(want) & np.isnan(have))
        if wrong.any():
            distances = _ulps(want[wrong], have[wrong])
            ulps = int(distances.max())
            if rule.ulps:
                wrong[np.flatnonzero(wrong)[distances <= rule.ulps]] = False
    indices = np.flatnonzero(wrong)
    if not indices.size:
        return None
    shown = indices[:SHOWN_ELEMENTS]
    return _Difference(name, type_, indices, want.size, want[shown].copy(), have[shown].copy(), ulps)


def _ulps(a: npt.NDArray[np.generic], b: npt.NDArray[np.generic]) -> npt.NDArray[np.uint64]:
    """Distance in representable values; the largest number where one side is not finite and the other differs.

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
    return np.where(finite, distance, np.uint64(2**63))


def _result_difference(plan: Plan, want: bytes, have: bytes, rule: FloatRule) -> _Difference | None:
    type_ = plan.signature.returns
    if type_.kind == "void" or want == have:
        return None
    dtype = _scalar_dtype(type_.leaf())
    return _compare_arrays("result", type_, np.frombuffer(want, dtype), np.frombuffer(have, dtype), rule)


def _call_problem(plan: Plan, expected: Snapshot, actual: Snapshot) -> str | None:
    names = ", ".join(n for n, e in plan.task.externals.items() if e.get("kind") == "mock")
    if expected.mock_calls != actual.mock_calls:
        return f"called {names} {actual.mock_calls} times, expected {expected.mock_calls}"
    if expected.unwound != actual.unwound:
        return f"{'returned although it should have called' if expected.unwound else 'ended by calling'} {names}"
    if expected.mock_digest != actual.mock_digest:
        return f"memory or arguments at a call to {names} were not as expected (order of stores around the call?)"
    return None


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
    return problems


def _number(value: np.generic) -> str:
    if value.dtype.kind != "f":
        return str(value)
    if np.isnan(value):
        return "nan"
    return f"{float(value):.9g}" if value.dtype.itemsize == 4 else f"{float(value):.17g}"


def _describe(d: _Difference, plan: Plan, vector: Vector) -> list[str]:
    if d.name == "result":
        lines = [f"result: expected {_number(d.expected[0])}, got {_number(d.actual[0])}"]
    else:
        lines = [
            f"{d.name}: {d.indices.size} of {d.total} elements are wrong "
            f"(from {int(d.indices[0])} to {int(d.indices[-1])})"
        ]
        for index, want, have in zip(d.indices, d.expected, d.actual, strict=False):
            where = element_name(d.name, d.type, int(index))
            lines.append(
                f"  {where}: expected {_number(want)}, got {_number(have)}; "
                f"{_inputs_at(plan, vector, int(index), d.total)}"
            )
    if d.max_ulps is not None and d.max_ulps <= REASSOCIATED_ULPS:
        lines.append(f"  all within {d.max_ulps} ulp: the order or the kind of the floating-point operations differs")
    return lines


def _inputs_at(plan: Plan, vector: Vector, index: int, total: int) -> str:
    """Initial values at the same index in every object of the same length: what a person looks at first."""
    parts = []
    for placed in plan.objects:
        type_ = next((g.type for g in plan.signature.globals if g.name == placed.name), None) or next(
            p.type.element for p in plan.signature.params if p.name == placed.name
        )
        if type_ is None or type_.leaf().kind not in ("int", "float"):
            continue
        values = vector.objects[placed.name].view(_scalar_dtype(type_.leaf()))
        if values.size == total:
            parts.append(f"{element_name(placed.name, type_, index)} = {_number(values[index])}")
    return "before: " + ", ".join(parts[:6]) if parts else "no input at this index"


# --- calls that did not return --------------------------------------------------------------------------------------


def locate(plan: Plan, address: int) -> str | None:
    """An address as ``a+128000`` or ``just past the end of a``; None when it is in no object or guard."""
    for placed in plan.objects:
        if placed.addr <= address < placed.addr + placed.size:
            return f"{placed.name}+{address - placed.addr}"
        if placed.addr + placed.size <= address < placed.map_addr + placed.map_size + 4096:
            return f"{placed.name}+{address - placed.addr}, past its end ({placed.size} bytes)"
        if placed.map_addr - 4096 <= address < placed.addr:
            return f"{placed.name}{address - placed.addr}, before its start"
    return None


def fault_verdict(
    plan: Plan, control: Control, vector: Vector, *, line: int | None, assembly: str, in_candidate: bool
) -> Verdict:
    """A signal. ``line`` is the line of the candidate's assembly that the program counter points to, from 1."""
    try:
        name = signal.Signals(control.signal).name
    except ValueError:
        name = f"signal {control.signal}"
    source = assembly.splitlines()[line - 1].strip() if line and line <= len(assembly.splitlines()) else ""
    where = f"line {line}: {source}" if source else "code outside the function" if not in_candidate else "the function"
    if name == "SIGSYS":
        detail = f"made a system call (number {control.fault_addr}), at {where}"
        return Verdict(
            Outcome.FORBIDDEN, detail, f"With input {vector.label}:\n  {detail}\nOnly plain computation is allowed."
        )
    lines = [f"With input {vector.label}:", f"  {name} at {where}"]
    meaning = {"SIGILL": "illegal instruction: not available at this ISA level, or not code at all",
               "SIGFPE": "integer division by zero or overflow in division",
               "SIGTRAP": "a breakpoint or trap instruction was executed"}.get(name)  # fmt: skip
    place = None
    if name in ("SIGSEGV", "SIGBUS"):
        place = locate(plan, control.fault_addr)
        protection = control.code == _SI_KERNEL  # x86 gives no address then
        if place and not protection:
            meaning = f"access to {place}"
        elif protection:
            place = None
            meaning = (
                "general protection fault: a vector access that needs an aligned address to one that is not, an "
                "address that is none, or a privileged instruction"
            )
        elif control.fault_addr < 4096:
            meaning = "access through a null pointer"
        else:
            meaning = "access to memory that belongs to no object of the task"
    if meaning:
        lines.append(f"  {meaning}")
    if registers := _registers_in(plan, control, source):
        lines.append(f"  registers: {registers}")
    detail = f"{name} at {where}" + (f": {meaning}" if meaning else "")
    return Verdict(Outcome.CRASHED, detail, "\n".join(lines))


def _registers_in(plan: Plan, control: Control, source: str) -> str:
    shown = []
    for i, name in enumerate(plan.arch.crash_registers):
        if name in ("%rip", "pc") or not re.search(rf"(?<![\w%]){re.escape(name)}\b", source):
            continue
        value = control.fault_regs[i]
        signed = value - (1 << 64) if value >> 63 else value
        place = locate(plan, value)
        if place:
            shown.append(f"{name} = {place}")
        elif abs(signed) < 1 << 22:
            shown.append(f"{name} = {signed}")
        else:
            # raw addresses differ from run to run, and feedback has to be the same text each time
            shown.append(f"{name} = (no object's address)")
    return ", ".join(shown)
