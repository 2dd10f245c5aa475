"""Vectors: drawn again the same, complete in the fixed stage, encoded as the ABI has it."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pytest_neucomback.arches import load_arches
from pytest_neucomback.errors import ConfigError
from pytest_neucomback.inputs import draw, element_name, encode_argument, fixed_count, fresh_specs, seeds_from
from pytest_neucomback.layout import MAX_ARGS
from pytest_neucomback.signature import CType, read_signature
from pytest_neucomback.tasks import load_suites, load_task
from pytest_neucomback.toolchain import Plan, make_plan

MakePlan = Callable[..., Plan]
INT = CType("int", "int", 4, 4, signed=True)
UINT = CType("int", "unsigned int", 4, 4)
CHAR = CType("int", "signed char", 1, 1, signed=True)
LONG = CType("int", "long", 8, 8, signed=True)
FLOAT = CType("float", "float", 4, 4, signed=True)
DOUBLE = CType("float", "double", 8, 8, signed=True)
JUNK = 0xDEADBEEFCAFEF00D


@pytest.fixture
def plan_of(tmp_path: Path) -> MakePlan:
    """The plan of a task `f` from C and the rest of its YAML."""

    def make(c: str, yaml: str = "", arch: str = "x86_64") -> Plan:
        (tmp_path / "f.c").write_text(c)
        (tmp_path / "f.yaml").write_text(f"function: f\nlevel: l1\nsplit: test\n{yaml}")
        task, row = load_task(tmp_path / "f.yaml"), load_arches()[arch]
        return make_plan(task, row, read_signature(task.c_path, "f", triple=row.triple, resource_dir=tmp_path))

    return make


def fixed(plan: Plan) -> list[str]:
    return [f"fixed:{i}" for i in range(fixed_count(plan))]


def array(plan: Plan, spec: str, name: str, dtype: str) -> np.ndarray:
    return draw(plan, spec).objects[name].view(dtype)


@pytest.mark.parametrize("spec", ["fixed:0", "fixed:3", "fresh:5:0", "fresh:5:7"])
def test_a_name_draws_the_same_again(plan_of: MakePlan, spec: str) -> None:
    """A vector's name alone gives it back, bit for bit."""
    plan = plan_of("extern float a[100]; extern short g; int f(int n, double x, unsigned char *p) { return 0; }")
    one, two = draw(plan, spec), draw(plan, spec)
    assert (one.args, one.junk, one.mock_script, one.label) == (two.args, two.junk, two.mock_script, two.label)
    assert {k: v.tobytes() for k, v in one.objects.items()} == {k: v.tobytes() for k, v in two.objects.items()}
    assert (len(one.args), len(one.junk)) == (MAX_ARGS, 64)


def test_seeds_and_indices_differ(plan_of: MakePlan) -> None:
    """Other seeds, indices and stages give other values."""
    plan = plan_of("extern float a[100]; void f(void) {}")
    drawn = [
        array(plan, s, "a", "<f4").tobytes() for s in ("fixed:0", "fixed:2", "fresh:0:0", "fresh:1:0", "fresh:0:2")
    ]
    assert len(set(drawn)) == len(drawn)
    assert fresh_specs(9, 2) == ["fresh:9:0", "fresh:9:1"]


def test_arches_get_the_same_values(plan_of: MakePlan) -> None:
    """One name means the same inputs on every architecture."""
    c = "extern double a[30]; int f(int n) { return n; }"
    one, two = (draw(plan_of(c, arch=a), "fresh:3:1") for a in ("x86_64", "riscv64"))
    assert one.objects["a"].tobytes() == two.objects["a"].tobytes()
    assert one.label == two.label


def test_defaults(plan_of: MakePlan) -> None:
    """Without entries: two float fills in turn, small integers, and 64 elements behind a pointer."""
    plan = plan_of("extern float a[500]; extern int i[500]; extern unsigned char u[500]; void f(double *p) {}")
    assert plan.object("p").size == 64 * 8
    first, second = array(plan, "fixed:0", "a", "<f4"), array(plan, "fixed:1", "a", "<f4")
    assert first.min() >= -1
    assert first.max() < 1
    assert len(set(first)) > 400
    assert set(second) == {-1, -0.5, 0, 0.5, 1}
    assert set(array(plan, "fixed:0", "i", "<i4")) <= set(range(-100, 101))
    assert set(array(plan, "fixed:0", "u", "<u1")) <= set(range(201))


def test_entries(plan_of: MakePlan) -> None:
    """Each kind of entry fills as docs/tasks.md says."""
    plan = plan_of(
        "extern int p[10], r[200], v[50], k[4]; extern unsigned long w[64]; extern float x[64]; void f(void) {}",
        "inputs:\n  p: {permutation: 4}\n  r: {range: [-3, 3]}\n  v: {values: [7, -2147483648, 4294967295]}\n"
        "  k: {fill: -9}\n  w: {range: [0, 18446744073709551615]}\n  x: {uniform: [5, 6]}\n",
    )
    p = array(plan, "fixed:0", "p", "<i4")
    assert [sorted(p[:4]), sorted(p[4:8]), sorted(p[8:])] == [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1]]
    assert set(array(plan, "fixed:0", "r", "<i4")) == set(range(-3, 4))
    assert set(array(plan, "fixed:0", "v", "<i4")) == {7, -(1 << 31), -1}
    assert set(array(plan, "fixed:0", "k", "<i4")) == {-9}
    assert array(plan, "fixed:0", "w", "<u8").max() > 1 << 63
    x = array(plan, "fixed:0", "x", "<f4")
    assert ((x >= 5) & (x <= 6)).all()


def test_every_scalar_value_comes_up(plan_of: MakePlan) -> None:
    """All listed values of a scalar appear in the fixed stage, `call` first even when it is not listed."""
    plan = plan_of("int f(int n) { return n; }", "inputs:\n  n: {call: 99, values: [1, 2, 3, 4, 5, 6]}\n")
    seen = [draw(plan, s).args[0] & 0xFFFFFFFF for s in fixed(plan)]
    assert seen[0] == 99
    assert set(seen) == {99, 1, 2, 3, 4, 5, 6}


def test_every_case_meets_every_default_fill(plan_of: MakePlan) -> None:
    """Cases take turns, each with both default fills, and replace entries of the same name."""
    plan = plan_of(
        "extern float a[9]; extern int k[2]; void f(void) {}",
        "inputs:\n  k: {fill: 1}\ncases:\n  - name: one\n  - name: two\n    k: {fill: 2}\n  - name: three\n",
    )
    seen = defaultdict(set)
    for spec in fixed(plan):
        vector = draw(plan, spec)
        grid = set(vector.objects["a"].view("<f4")) <= {-1, -0.5, 0, 0.5, 1}
        seen[vector.label, int(vector.objects["k"].view("<i4")[0])].add(grid)
    assert seen == {("one", 1): {False, True}, ("two", 2): {False, True}, ("three", 1): {False, True}}


def test_extremes(plan_of: MakePlan) -> None:
    """Both kinds have zeros of both signs, denormals and the largest numbers; only one has NaN and infinities."""
    c = "extern float a[4096], b[4096]; void f(void) { a[0] = b[0]; }"
    plan = plan_of(c, "inputs: {a: {extremes: finite}, b: {extremes: all}}")
    finite, all_ = array(plan, "fresh:3:1", "a", "<f4"), array(plan, "fresh:3:1", "b", "<f4")
    assert np.isfinite(finite).all()
    assert np.isnan(all_).any()
    assert np.isinf(all_).any()
    for values in (finite, all_):
        assert set(np.signbit(values[values == 0])) == {False, True}
        with np.errstate(invalid="ignore"):
            assert ((np.abs(values) > 0) & (np.abs(values) < np.finfo(np.float32).tiny)).any()
            assert (np.abs(values) == np.finfo(np.float32).max).any()
            assert 0.5 < (np.abs(values) < 1).mean() < 0.95


def test_stored_vectors_end_the_fixed_stage(plan_of: MakePlan) -> None:
    """A stored vector is a random one by its number; past it the ordinary fixed vectors go on."""
    c = "extern float a[8]; void f(int n) { a[0] = n; }"
    bare = plan_of(c, "inputs: {n: {values: [1, 2, 3]}}")
    plan = plan_of(c, "inputs: {n: {values: [1, 2, 3]}}\nvectors: [65, 4]")
    count = fixed_count(bare)
    assert fixed_count(plan) == count + 2
    for index, number in ((count, 65), (count + 1, 4)):
        stored, drawn = draw(plan, f"fixed:{index}"), draw(bare, f"stored:{number}")
        assert stored.spec == f"fixed:{index}"
        assert stored.args == drawn.args
        assert stored.objects["a"].tobytes() == drawn.objects["a"].tobytes()
    for before, after in ((0, 0), (count - 1, count - 1), (count, count + 2), (count + 1, count + 3)):
        assert draw(plan, f"fixed:{after}").args == draw(bare, f"fixed:{before}").args


def test_every_place_comes_up(plan_of: MakePlan) -> None:
    """`at: any` plants at the first, last and an inner element and nowhere, in every case."""
    plan = plan_of(
        "extern int a[20]; void f(void) {}",
        "cases:\n  - name: x\n    a: {fill: 0, plant: [{value: 5}]}\n"
        "  - name: y\n    a: {fill: 1, plant: [{value: 5}]}\n",
    )
    seen = defaultdict(set)
    for spec in fixed(plan):
        vector = draw(plan, spec)
        where = np.flatnonzero(vector.objects["a"].view("<i4") == 5)
        seen[vector.label].add("nowhere" if not where.size else {0: "first", 19: "last"}.get(int(where[0]), "inner"))
    assert seen == {name: {"first", "last", "inner", "nowhere"} for name in ("x", "y")}


def test_plants(plan_of: MakePlan) -> None:
    """Plants copy from other arrays, come in counts, and later ones win."""
    plan = plan_of(
        "extern int a[8], b[8]; void f(void) {}",
        "inputs:\n  a: {fill: 0, plant: [{equal: b, at: 3}, {value: 4, at: last}, {value: 6, at: last}]}\n"
        "  b: {fill: 2, plant: [{value: [8, 9], at: inner, count: 40}]}\n",
    )
    a, b = array(plan, "fixed:0", "a", "<i4"), array(plan, "fixed:0", "b", "<i4")
    assert (a[3], a[7]) == (2, 6)
    assert set(b[1:7]) == {8, 9}
    assert (b[0], b[7]) == (2, 2)


def test_pointer_into_a_global_and_null(plan_of: MakePlan) -> None:
    """A pointer may point into a global at listed offsets, and be null in some vectors of the fixed stage."""
    plan = plan_of(
        "extern short flat[100]; void f(short *p, short *q) {}",
        "inputs:\n  p: {into: flat, offset: {call: 64, values: [64, 1, 0]}}\n  q: {nullable: true}\n",
    )
    base = plan.object("flat").addr
    vectors = [draw(plan, s) for s in fixed(plan)]
    slots = [(v.args[0] - base, v.args[2]) for v in vectors]
    assert {p for p, _ in slots} == {128, 2, 0}
    assert {q for _, q in slots} == {0, plan.object("q").addr}
    assert any("q = null" in v.label for v in vectors)


def test_structs(plan_of: MakePlan) -> None:
    """Structs are filled member by member with zeros between, in memory and by value."""
    c = "struct s { char tag; double d; }; extern struct s g[3]; double f(struct s v) { return v.d; }"
    vector = draw(plan_of(c), "fixed:0")
    records = vector.objects["g"].reshape(3, 16)
    assert not records[:, 1:8].any()
    assert (np.abs(records[:, 8:].copy().view("<f8")) <= 1).all()
    assert vector.args[0] >> 8 == 0


@pytest.mark.parametrize(
    ("c", "yaml", "words"),
    [
        ("void f(int n) {}", "inputs: {m: {fill: 1}}", ["inputs names 'm'", "Known: n"]),
        ("void f(int n) {}", "cases: [{n: {fill: 1}}, {k: {fill: 1}}]", ["cases[1] names 'k'"]),
        ("void f(int n) {}", "observe: [a]", ["observe names 'a'"]),
        ("void f(int n) {}", "observe: [result]", ["observe names `result`", "returns nothing"]),
        ("void f(void *p) {}", "", ["parameter p is a void *"]),
        ("extern int a[3]; void f(void) {}", "inputs: {a: {uniform: [0, 1]}}", ["inputs.a", "use range for int"]),
        ("extern int a[3]; void f(void) {}", "inputs: {a: {range: [0, 99999999999999999999]}}", ["inputs.a", "range"]),
        ("extern int a[3]; void f(void) {}", "inputs: {a: {plant: [{value: 1, at: 3}]}}", ["inputs.a", "beyond 3"]),
        ("extern int a[3]; void f(void) {}", "inputs: {a: {plant: [{equal: b, at: 0}]}}", ["inputs.a", "unknown 'b'"]),
        ("void f(int *p) {}", "inputs: {p: {into: g}}", ["inputs.p", "into names 'g'"]),
        (
            "extern int g[4]; void f(int *p) {}",
            "inputs: {p: {into: g, offset: {fill: 4}}}",
            ["inputs.p", "offset 4 is outside g"],
        ),
        ("extern int *a[3]; void f(void) {}", "", ["inputs.a", "cannot be drawn yet"]),
        ("struct s { int b : 3; }; extern struct s g; void f(void) {}", "", ["g.b", "cannot be drawn yet"]),
    ],
)
def test_entries_that_do_not_fit(plan_of: MakePlan, c: str, yaml: str, words: list[str]) -> None:
    """An entry that does not fit the C is a ConfigError naming the file and the entry."""
    with pytest.raises(ConfigError) as caught:
        draw(plan_of(c, yaml), "fixed:0")
    for word in words:
        assert word in str(caught.value)


def test_bundled_tasks_can_be_drawn() -> None:
    """For every bundled task: all cases appear in the fixed stage and a fresh vector can be drawn."""
    row = load_arches()["x86_64"]
    headers = next(Path("/usr/lib").glob("llvm-*/lib/clang/*"), Path("/"))
    for task in load_suites([]):
        signature = read_signature(
            task.c_path, task.function, triple=row.triple, resource_dir=headers, memory=task.memory
        )
        plan = make_plan(task, row, signature)
        count = fixed_count(plan)
        assert count >= len(task.cases)
        assert draw(plan, f"fixed:{count - 1}").objects.keys() == {o.name for o in plan.objects}
        draw(plan, "fresh:1:0")


@pytest.mark.parametrize(
    ("arch", "type_", "value", "expected"),
    [
        ("x86_64", INT, -2, (JUNK & ~0xFFFFFFFF) | 0xFFFFFFFE),
        ("x86_64", CHAR, -2, (JUNK & ~0xFFFFFFFF) | 0xFFFFFFFE),
        ("x86_64", LONG, -2, (1 << 64) - 2),
        ("aarch64", INT, 5, (JUNK & ~0xFFFFFFFF) | 5),
        ("aarch64", CHAR, -2, (JUNK & ~0xFF) | 0xFE),
        ("riscv64", INT, -2, (1 << 64) - 2),
        ("riscv64", CHAR, 5, 5),
        ("x86_64", FLOAT, 1.5, (JUNK & ~0xFFFFFFFF) | 0x3FC00000),
        ("aarch64", DOUBLE, -0.0, 1 << 63),
    ],
)
def test_encoded_arguments(arch: str, type_: CType, value: float, expected: int) -> None:
    """Bits that the arch leaves undefined are junk; all others are the value, extended as callers do."""
    assert encode_argument(value, type_, load_arches()[arch], JUNK) == expected


def test_encoded_nan_keeps_its_bits() -> None:
    """A NaN's payload survives."""
    value = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000123))[0]
    assert encode_argument(value, DOUBLE, load_arches()["x86_64"], JUNK) == 0x7FF8000000000123


def test_element_names() -> None:
    """Flat indices become C subscripts."""
    row = CType("array", "int[7]", 28, 4, element=INT, count=7)
    grid = CType("array", "int[5][7]", 140, 4, element=row, count=5)
    cube = CType("array", "int[2][5][7]", 280, 4, element=grid, count=2)
    assert element_name("p", INT, 9) == "p[9]"
    assert element_name("a", row, 6) == "a[6]"
    assert element_name("aa", grid, 3 * 7 + 5) == "aa[3][5]"
    assert element_name("c", cube, 35 + 2 * 7 + 1) == "c[1][2][1]"


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("0x10", 16), ("random", 77), (str((1 << 63) - 1), (1 << 63) - 1)]
)
def test_seed_option(text: str, value: int) -> None:
    """--nc-seed takes numbers and `random`."""
    assert seeds_from(text, fallback=77) == value


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", str(1 << 63)])
def test_bad_seed(text: str) -> None:
    """Other seeds are refused, quoting the option."""
    with pytest.raises(ConfigError, match="--nc-seed="):
        seeds_from(text, fallback=0)
