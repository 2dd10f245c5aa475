"""Values of a task's own code become bytes."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_neucomback import draws
from pytest_neucomback.arches import load_arches
from pytest_neucomback.draws import Encoder, Fn, Place, Ref, Rng, shown, weight
from pytest_neucomback.errors import ConfigError
from pytest_neucomback.inputs import Vector, draw, fixed_count
from pytest_neucomback.signature import read_signature
from pytest_neucomback.tasks import load_task
from pytest_neucomback.toolchain import Plan, make_plan

C = """\
typedef unsigned char u8;
enum colour { RED = 3, BLUE = 9 };
struct inner { short s; double d; };
struct item { struct item *next; const char *name; enum colour c; _Bool on; struct inner in[2];
              unsigned lo : 3, mid : 7; union { unsigned word; u8 bytes[4]; } u; int (*handler)(int); };
extern struct item pool_head;
extern int table[4];
extern int on_item(int code);
int f(const u8 *frame, unsigned n, struct item *list, float *out) { return 0; }
"""
YAML = """\
function: f
level: mini
split: test
memory: ["struct item pool[4]", "char text[16]"]
externals: {on_item: {kind: mock}}
"""


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Plan]:
    def plan(body: str, extra: str = "", c: str = C) -> Plan:
        (tmp_path / "f.c").write_text(c)
        indented = "".join(f"  {line}\n" for line in body.splitlines())
        (tmp_path / "f.yaml").write_text(f"{YAML}{extra}draw: |\n{indented}")
        task = load_task(tmp_path / "f.yaml")
        arch = load_arches()["x86_64"]
        signature = read_signature(task.c_path, "f", triple=arch.triple, resource_dir=tmp_path, memory=task.memory)
        return make_plan(task, arch, signature)

    return plan


def element(plan: Plan, vector: Vector, name: str, size: int, index: int = 0) -> bytes:
    return vector.objects[name].tobytes()[index * size : (index + 1) * size]


def test_a_pointer_parameter_ends_where_its_object_ends(make: Callable[..., Plan]) -> None:
    """Five bytes for a pointer of 64: they are the last five, and the argument points to the first of them."""
    plan = make("return {'frame': b'\\x01\\x02\\x03\\x04\\x05', 'n': 5}")
    vector = draw(plan, "fixed:0")
    placed = plan.object("frame")
    assert vector.objects["frame"].tobytes()[-5:] == b"\x01\x02\x03\x04\x05"
    assert vector.args[0] == placed.addr + 59
    assert vector.args[0] + 5 == placed.map_addr + placed.map_size
    assert vector.bases == {"frame": 59}
    assert vector.args[2] & 0xFFFFFFFF == 5


def test_structs_by_member(make: Callable[..., Plan]) -> None:
    """Nested structs, bit-fields, unions, enums, bools, pointers and functions land where the C has them."""
    plan = make(
        "return {'list': [{'next': ref('pool', 2), 'name': ref('text'), 'c': 9, 'on': True, 'lo': 5, 'mid': 100,\n"
        "  'in': [{'s': -2, 'd': 0.5}], 'word': 0x01020304, 'handler': fn('on_item')}], 'text': 'hi',\n"
        "  'frame': None, 'out': [1, 2.5]}",
        c=C.replace("} u;", "};"),
    )
    vector = draw(plan, "fixed:0")
    size = 72
    raw = vector.objects["list"].tobytes()[-size:]
    pool = plan.object("pool")
    assert struct.unpack_from("<QQi?", raw) == (pool.addr + 2 * size, plan.object("text").addr, 9, True)
    assert struct.unpack_from("<h", raw, 24) == (-2,)
    assert struct.unpack_from("<d", raw, 32) == (0.5,)
    bits = int.from_bytes(raw[56:60], "little")
    assert (bits & 7, bits >> 3 & 127) == (5, 100)
    assert struct.unpack_from("<I", raw, 60) == (0x01020304,)
    assert struct.unpack_from("<Q", raw, 64 + 0)[0] == 0x06000000
    assert vector.objects["text"].tobytes()[:3] == b"hi\0"
    assert vector.args[0] == 0
    assert struct.unpack("<2f", vector.objects["out"].tobytes()[-8:]) == (1.0, 2.5)


def test_what_is_left_out_is_random_but_valid(make: Callable[..., Plan]) -> None:
    """Bools are 0 or 1, enums one of their values, pointers null; padding and numbers differ from vector to vector."""
    plan = make("return {}")
    seen: Counter[int] = Counter()
    paddings = set()
    for i in range(60):
        raw = draw(plan, f"fresh:1:{i}").objects["pool_head"].tobytes()
        assert struct.unpack_from("<QQ", raw) == (0, 0)
        seen[struct.unpack_from("<i", raw, 16)[0]] += 1
        assert raw[20] in (0, 1)
        paddings.add(raw[26:32])
    assert set(seen) == {3, 9}
    assert len(paddings) == 60


def test_edges_come_first_and_then_plain_vectors(make: Callable[..., Plan]) -> None:
    """The fixed stage goes through the edges; labels name them; fresh vectors have some."""
    plan = make("return {'n': 1 if edge else 0, 'frame': edge.encode()}", "edges: [empty, full]\n")
    assert fixed_count(plan) == 2 + draws.PLAIN_FIXED
    labels = [draw(plan, f"fixed:{i}").label for i in range(fixed_count(plan))]
    assert labels[0].startswith("empty (")
    assert labels[1].startswith("full (")
    assert all(label.startswith("at random") for label in labels[2:])
    fresh = [draw(plan, f"fresh:3:{i}").label.split(" (")[0] for i in range(200)]
    assert 20 < sum(label != "at random" for label in fresh) < 90


def test_mocks_answer_as_drawn(make: Callable[..., Plan]) -> None:
    """A list is what successive calls return; without one they are seeded."""
    script = draw(make("return {'on_item': [1, -1]}"), "fixed:0").mock_script
    assert script.returns == ((1, (1 << 64) - 1),)
    plan = make("return {}")
    assert draw(plan, "fixed:0").mock_script == draw(plan, "fixed:0").mock_script
    assert draw(plan, "fixed:0").mock_script != draw(plan, "fixed:1").mock_script


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return {'n': [1}", "draw, line 1"),
        ("x = 1\nreturn {'n': x // 0}", "draw, line 2: ZeroDivisionError"),
        ("return 5", "has to return a dict"),
        ("return {'m': 5}", "draw gives a value for 'm'"),
        ("return {'n': 'five'}", "n: 'five' is no value of type unsigned int"),
        ("return {'frame': bytes(65)}", "draw gives 65 elements for frame, which has room for 64"),
        ("return {'out': b'1234'}", "bytes given for elements of type float"),
        ("return {'pool_head': {'nxt': None}}", "has no member 'nxt'"),
        ("return {'pool_head': {'next': 7}}", "is no pointer"),
        ("return {'pool_head': {'next': ref('pol', 0)}}", "no such object"),
        ("return {'pool_head': {'next': ref('pool', 5)}}", "it has 4 elements"),
        ("return {'pool_head': {'handler': fn('off')}}", "no mock has this name"),
        ("return {'table': [1, 2, 3, 4, 5]}", "5 values for int[4]"),
        ("return {'pool_head': {'u': {'word': 1, 'bytes': b''}}}", "is a union"),
        ("return {'n': rng.int(3, 2)}", "the first number is above the second"),
    ],
)
def test_mistakes_are_named(make: Callable[..., Plan], body: str, words: str) -> None:
    """A wrong value names the task, the place and what was expected."""
    with pytest.raises(ConfigError) as caught:
        draw(make(body), "fixed:0")
    assert words in str(caught.value)
    assert "f.yaml" in str(caught.value)


def test_edges_need_code(tmp_path: Path) -> None:
    """`edges` without `draw`, and `draw` beside `cases`, are refused."""
    (tmp_path / "f.c").write_text(C)
    (tmp_path / "f.yaml").write_text(f"{YAML}edges: [a]\n")
    with pytest.raises(ConfigError, match="edges are for `draw`"):
        load_task(tmp_path / "f.yaml")
    (tmp_path / "f.yaml").write_text(f"{YAML}draw: return {{}}\ncases: [{{}}]\n")
    with pytest.raises(ConfigError, match="exclude each other"):
        load_task(tmp_path / "f.yaml")


def test_rng_is_the_same_everywhere() -> None:
    """Known answers of the Mersenne Twister: a vector's name means the same on every machine."""
    rng = Rng(42)
    assert [rng.bits(32) for _ in range(3)] == [2746317213, 478163327, 107420369]
    rng = Rng(1)
    values = [rng.int(-3, 3) for _ in range(700)]
    assert set(values) == set(range(-3, 4))
    assert max(Counter(values).values()) < 150


def test_edgy_stays_in_range_and_hits_the_ends() -> None:
    """All edgy numbers fit their width; the ends and powers of two come up often."""
    rng = Rng(7)
    for bits, signed in ((8, False), (16, True), (32, True), (64, False)):
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        values = [rng.edgy(bits, signed) for _ in range(600)]
        assert all(low <= v <= high for v in values)
        assert {low, high, 0, 1} <= set(values)


def test_shuffles_and_samples() -> None:
    """A shuffle keeps all elements, a sample has no repeats, too large a sample is refused."""
    rng = Rng(3)
    assert sorted(rng.shuffled(range(20))) == list(range(20))
    assert len(set(rng.sample("abcdef", 4))) == 4
    with pytest.raises(ValueError, match="of 2 values"):
        rng.sample([1, 2], 3)


def test_values_are_shown_briefly() -> None:
    """Bytes as hexadecimal or text, long things cut, pointers by name."""
    text = shown({"p": b"\x00\x01", "s": b"hello", "q": ref_of(), "h": Fn("cb"), "z": None, "v": {"a": [1, 2]}})
    assert text == "p = [00 01] (2 bytes), s = 'hello', q = &pool[3], h = cb, z = null, v = {a: [1, 2]}"
    assert len(shown({"a": list(range(1000)), "b": bytes(1000), "c": "x" * 2000})) <= draws.SHOWN_CHARS


def ref_of() -> Ref:
    return Ref("pool", 3)


def test_weight_grows_with_what_there_is_to_read() -> None:
    """An empty message weighs less than a long one."""
    assert weight({"n": 0, "p": b""}) < weight({"n": 1, "p": b"1"}) < weight({"n": 9, "p": bytes(9)})


def test_infinities_and_too_large_numbers_fit_floats() -> None:
    """A double that no float holds becomes an infinity of its sign."""
    from pytest_neucomback.signature import CType

    encoder = Encoder("x", Rng(1), {"o": Place(0, CType("int", "int", 4, 4), 1)}, {})
    assert encoder.encode(CType("float", "float", 4, 4), -1e300, "v") == struct.pack("<f", float("-inf"))
