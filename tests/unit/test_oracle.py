"""Comparing floats, parsing the tolerance, and naming places in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytest_neucomback.arches import load_arches
from pytest_neucomback.crashes import fault_verdict, locate
from pytest_neucomback.inputs import Vector
from pytest_neucomback.layout import Control, Placed
from pytest_neucomback.oracle import FloatRule, _compare_arrays, _Constants, _ulps, abi_problems, bounded, scalars
from pytest_neucomback.signature import CType, Field, Signature
from pytest_neucomback.tasks import Task
from pytest_neucomback.toolchain import Plan

FLOAT = CType("float", "float", 4, 4, signed=True)
DOUBLE = CType("float", "double", 8, 8, signed=True)
INT = CType("int", "int", 4, 4, signed=True)
SHORT = CType("int", "short", 2, 2, signed=True)


def constants(rule: FloatRule) -> _Constants:
    """For comparisons in which no pointer comes up."""
    return _Constants(Path(), Path(), rule)


@pytest.fixture
def plan(request: pytest.FixtureRequest) -> Plan:
    arch = load_arches()[getattr(request, "param", "x86_64")]
    task = Task("t", "mini", request.path, "t", "l1", "test")
    signature = Signature("t", CType("void", "void", 0, 1), (), (), (), "", frozenset())
    objects = (Placed("a", 0x10000F00, 256, 0x10000000, 4096, 0), Placed("b", 0x10002FF8, 8, 0x10002000, 4096, 8192))
    return Plan(task, arch, signature, objects, 1 << 20)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("start", [0.0, -0.0, 1.0, -1.0, 1e-45, -3e38, 0.9999999, 2.0])
def test_ulps_are_steps_of_nextafter(dtype: type, start: float) -> None:
    """The distance counts how often nextafter has to be taken, across zero and binades; -0 and 0 are one value."""
    x = np.array([start], dtype=dtype)
    y = x.copy()
    for steps in range(40):
        assert _ulps(x, y)[0] == steps
        assert _ulps(y, x)[0] == steps
        y = np.nextafter(y, dtype(np.inf))


def test_ulps_of_what_is_not_finite() -> None:
    """Infinities and NaN are as far away as can be."""
    x = np.float32([np.inf, np.nan, 1.0])
    y = np.float32([3e38, 1.0, -np.inf])
    assert (_ulps(x, y) == 2**63).all()


@pytest.mark.parametrize(("text", "ulps"), [("exact", 0), ("ulp:0", 0), ("ulp:4", 4), ("ulp:1000000", 1000000)])
def test_tolerances(text: str, ulps: int) -> None:
    """--nc-fp takes `exact` and `ulp:N`."""
    assert FloatRule.parse(text) == FloatRule(ulps)


@pytest.mark.parametrize("text", ["", "ulp", "ulp:", "ulp:-1", "ulp:1.5", "EXACT", "ulp:3 "])
def test_unknown_tolerances(text: str) -> None:
    """Anything else is no tolerance."""
    assert FloatRule.parse(text) is None


def test_exact_comparison() -> None:
    """Bit for bit: zeros of either sign differ, any NaN equals any NaN, nothing else is forgiven."""
    quiet, other = np.uint32([0x7FC00000]).view("<f4"), np.uint32([0xFFC12345]).view("<f4")
    want = np.concatenate([np.float32([0.0, 1.0, 2.0]), quiet])
    have = np.concatenate([np.float32([-0.0, 1.0, np.nextafter(np.float32(2), np.float32(3))]), other])
    difference = _compare_arrays("a", FLOAT, want, have, constants(FloatRule()))
    assert difference is not None
    assert (list(difference.indices), difference.total) == ([0, 2], 4)
    assert difference.max_ulps == 1
    assert _compare_arrays("a", FLOAT, want, want, constants(FloatRule())) is None


def test_signs_of_zero_are_no_other_order() -> None:
    """+0 beside -0 is wrong bit for bit, right under a tolerance, and not called reassociated."""
    want, have = np.float64([0.0, 1.0]), np.float64([-0.0, 1.0])
    difference = _compare_arrays("a", DOUBLE, want, have, constants(FloatRule()))
    assert difference is not None
    assert difference.max_ulps == 0
    assert _compare_arrays("a", DOUBLE, want, have, constants(FloatRule(1))) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tolerance_across_zero_and_at_the_ends(dtype: type) -> None:
    """Small numbers of either sign may be near each other; infinity is near nothing, however large the tolerance."""
    type_ = FLOAT if dtype is np.float32 else DOUBLE
    small, largest = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    huge = FloatRule.parse(f"ulp:{10**30}")
    assert huge is not None
    for x, y, rule, near in (
        (small, -small, FloatRule(2), True),
        (small, -small, FloatRule(1), False),
        (largest, np.inf, huge, False),
        (-np.inf, np.inf, huge, False),
        (1.0, np.nan, huge, False),
        (np.nan, -np.nan, FloatRule(), True),
        (-largest, largest, huge, True),
    ):
        found = _compare_arrays("a", type_, np.array([x], dtype), np.array([y], dtype), constants(rule))
        assert (found is None) == near, (x, y, rule)


def test_structs_are_compared_by_member() -> None:
    """Padding holds nothing, NaN members equal each other, bit-fields count by their bits, members are named."""
    bits = Field("flag", CType("int", "unsigned", 4, 4), 96, 3)
    weight, count = (
        Field("w", FLOAT, 0, None),
        Field("n", CType("array", "short[2]", 4, 2, element=SHORT, count=2), 64, None),
    )
    record = CType("record", "struct r", 16, 4, fields=(weight, count, bits))
    assert [s.path for s in scalars(record)] == [".w", ".n[0]", ".n[1]", ".flag (byte 12)"]
    want, have = np.zeros(32, np.uint8), np.zeros(32, np.uint8)
    have[4:8] = 7  # padding
    have[12] = 0xF8  # beside the bit-field
    want[:4], have[:4] = np.float32([np.nan]).view(np.uint8), np.float32([-np.nan]).view(np.uint8)
    assert _compare_arrays("p", record, want, have, constants(FloatRule())) is None
    have[16 + 10] = 5
    have[16 + 12] |= 1
    difference = _compare_arrays("p", record, want, have, constants(FloatRule()))
    assert difference is not None
    assert [name for name, *_ in difference.shown] == ["p[1].n[1]", "p[1].flag (byte 12)"]
    assert (list(difference.indices), difference.total) == ([1], 2)


def test_unions_are_compared_as_bytes() -> None:
    """What a union holds nobody knows, so its bytes have to be the same."""
    union = CType("record", "union u", 4, 4, fields=(Field("f", FLOAT, 0, None), Field("i", INT, 0, None)))
    assert [s.offset for s in scalars(union)] == [0, 1, 2, 3]


def test_diagnostics_are_bounded() -> None:
    """At most 40 lines, none of them endless."""
    text = bounded(["x" * 1000, *("line\nline" for _ in range(50))])
    assert len(text.splitlines()) == 40
    assert max(map(len, text.splitlines())) <= 240
    assert text.splitlines()[-1] == "... and 62 more lines"


def test_tolerant_comparison() -> None:
    """With a tolerance only what is farther off is wrong; integers and NaN are never forgiven."""
    want = np.float32([1.0, 1.0, 1.0])
    near = np.nextafter(np.float32(1), np.float32(2))
    have = np.float32([near, 1.5, np.nan])
    difference = _compare_arrays("a", FLOAT, want, have, constants(FloatRule(1)))
    assert difference is not None
    assert list(difference.indices) == [1, 2]
    assert _compare_arrays("a", FLOAT, want[:1], have[:1], constants(FloatRule(1))) is None
    ints = np.int32([1, 2])
    assert _compare_arrays("a", INT, ints, ints + 1, constants(FloatRule(9))) is not None


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (0x10000F00, "a+0"),
        (0x10000FFF, "a+255"),
        (0x10001000, "a+256, past its end (256 bytes)"),
        (0x10001FFF, "a+4351, past its end (256 bytes)"),
        (0x10000EFF, "a-1, before its start"),
        (0x0FFFF800, "a-5888, before its start"),
        (0x10003000, "b+8, past its end (8 bytes)"),
        (0x20000000, None),
        (0, None),
    ],
)
def test_places(plan: Plan, address: int, words: str | None) -> None:
    """An address is named by the object it lies in or next to."""
    assert locate(plan, address) == words


@pytest.mark.parametrize("plan", ["x86_64", "aarch64", "riscv64"], indirect=True)
def test_changed_registers_are_named(plan: Plan) -> None:
    """Each preserved register has its own place in the control block; the stack pointer's distance is signed."""
    vector = Vector("fixed:0", "", {}, (), tuple(range(100, 164)), ())
    control = Control()
    control.seen[:] = vector.junk
    assert abi_problems(plan, control, vector) == []
    control.seen[0] = control.seen[len(plan.arch.preserved) - 1] = 1
    control.sp_error = (1 << 64) - 8
    control.flag_error = 3
    problems = abi_problems(plan, control, vector)
    assert problems[0] == f"did not preserve {plan.arch.preserved[0]}, {plan.arch.preserved[-1]}: save and restore them"
    assert problems[1] == f"returned with {plan.arch.stack_pointer} off by -8 bytes"
    assert len(problems) == 4


@pytest.mark.parametrize(
    ("number", "code", "address", "words"),
    [
        (11, 1, 0x10001000, ["crashed", "SIGSEGV at line 2: movl (%rbx), %eax", "access to a+256, past its end"]),
        (11, 1, 16, ["crashed", "null pointer"]),
        (11, 0x80, 0, ["crashed", "general protection fault"]),
        (11, 1, 0x7FFF12345678, ["crashed", "belongs to no object"]),
        (4, 1, 0, ["crashed", "SIGILL", "illegal instruction"]),
        (8, 1, 0, ["crashed", "SIGFPE", "division"]),
        (31, 1, 39, ["forbidden", "system call (number 39)"]),
        (77, 1, 0, ["crashed", "signal 77"]),
    ],
)
def test_faults_are_explained(plan: Plan, number: int, code: int, address: int, words: list[str]) -> None:
    """A signal becomes a verdict with the line, what it means and the line's registers, without raw addresses."""
    control = Control(signal=number, code=code, fault_addr=address)
    control.fault_regs[plan.arch.crash_registers.index("%rbx")] = 0x7FFF12345678
    vector = Vector("fixed:0", "grid fill", {}, (), (), ())
    text = "f:\n  movl (%rbx), %eax\n"
    verdict = fault_verdict(plan, control, vector, line=2, assembly=text, in_candidate=True)
    for word in words:
        assert word in f"{verdict} {verdict.diagnostic}"
    assert "7fff12345678" not in verdict.diagnostic.lower()
    if number != 31:
        assert "registers: %rbx = (no object's address)" in verdict.diagnostic
