"""Tasks whose own code draws their inputs, and what mocks see: on every architecture, with real compilers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_neucomback.judge import Judge
from pytest_neucomback.tasks import Task
from pytest_neucomback.toolchain import Toolchain
from pytest_neucomback.types import Verdict

MakeTask = Callable[[str, str, str], Task]
Try = Callable[..., Verdict]


@pytest.fixture
def attempt(toolchain: Toolchain, judge: Judge, arch: str, tmp_path_factory: pytest.TempPathFactory) -> Try:
    """Judges the task's C compiled, after replacing text in it.

    The copy stays out of the tasks' folder, which other tests load whole.
    """
    folder = tmp_path_factory.mktemp("changed")

    def run(task: Task, *, compiler: str = "clang-O2", **changes: str) -> Verdict:
        source = task.c_path.read_text()
        for old, new in zip(changes.get("old", "").split("|"), changes.get("new", "").split("|"), strict=True):
            assert old in source
            source = source.replace(old, new)
        copy = folder / task.c_path.name
        copy.write_text(source)
        name, _, level = compiler.partition("-")
        return judge.judge(task, arch, toolchain.compile_source(name, level, copy)).verdict

    return run


SUM_C = """\
#include <stdint.h>
uint32_t total(const uint8_t *p, unsigned n)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum = sum * 31 + p[i];
    return sum;
}
"""


@pytest.fixture
def total(make_task: MakeTask) -> Task:
    return make_task(
        "total",
        SUM_C,
        "edges: [empty]\ndraw: |\n  p = b'' if edge else rng.bytes(rng.int(1, 40))\n  return {'p': p, 'n': len(p)}\n",
    )


def test_reading_behind_the_drawn_elements_faults(total: Task, attempt: Try) -> None:
    """The drawn bytes end at a page that is not there, however many they are: one too many is seen even if unused."""
    assert attempt(total) == "correct"
    assert attempt(total, compiler="gcc-O1") == "correct"
    one_more = "{ uint8_t v = ((volatile const uint8_t *)p)[i]; if (i < n) sum = sum * 31 + v; }"
    verdict = attempt(total, old="i < n;|sum = sum * 31 + p[i];", new=f"i <= n;|{one_more}")
    assert verdict == "crashed"
    assert "p" in verdict.diagnostic


def test_the_simplest_drawn_input_is_quoted(total: Task, attempt: Try) -> None:
    """Of the vectors that fail the one with least to read; nothing that the task's code did not draw."""
    verdict = attempt(total, old="* 31", new="* 33")
    assert verdict == "wrong_output"
    assert "n = " in verdict.diagnostic


TABLE_C = """\
#include <stdint.h>
struct entry { const char *name; int cost; };
static const struct entry menu[3] = { {"tea", 120}, {"water", 0}, {"soup", 450} };
const struct entry *pick(unsigned i, const char **label)
{
    *label = i < 3 ? menu[i].name : "none";
    return i < 3 ? &menu[i] : 0;
}
"""


def test_pointers_into_constants_mean_what_they_point_to(make_task: MakeTask, attempt: Try) -> None:
    """A string or table element of the candidate's own is as good as the golden build's, if it is equal."""
    task = make_task("pick", TABLE_C, "draw: |\n  return {'i': rng.int(0, 4), 'label': [None]}\n")
    for compiler in ("clang-O3", "gcc-O2", "clang-O0"):
        assert attempt(task, compiler=compiler) == "correct"
    assert attempt(task, old='"soup"', new='"soap"') == "wrong_output"
    assert attempt(task, old="450", new="451") == "wrong_output"
    assert attempt(task, old='"none"', new='"nope"') == "wrong_output"
    assert attempt(task, old='"soup"', new='"soups"') == "wrong_output"
    assert attempt(task, old="&menu[i] : 0", new="&menu[(i + 1) % 3] : 0") == "wrong_output"


CALLS_C = """\
#include <stdint.h>
#include <stddef.h>
struct stamp { uint8_t kind; uint32_t at; double level; };
typedef int (*handler)(int);
extern handler HOOKS[2];
extern int on_odd(int), on_even(int);
extern void note(const char *fmt, ...);
extern void send(const struct stamp *s, const uint8_t *data, unsigned n);
extern int fetch(unsigned id, uint8_t *buf, unsigned n);
int serve(unsigned id, double level)
{
    uint8_t buf[16];
    int got = fetch(id, buf, 8 + (id & 3));
    struct stamp s;
    s.kind = (uint8_t)id;
    s.at = id * 7u;
    s.level = level + 0.5;
    send(&s, buf, 4);
    note("id %u level %g name %s: %5d%%, %lld", id, level, id & 1 ? "odd" : "even", got, (long long)id << 33);
    HOOKS[1] = id & 1 ? on_odd : on_even;
    return HOOKS[0] ? HOOKS[0](got) : buf[5];
}
"""
CALLS_YAML = """\
externals:
  on_odd: {kind: mock}
  on_even: {kind: mock}
  note: {kind: mock}
  send: {kind: mock, reads: {s: 1, data: n}}
  fetch: {kind: mock, fills: {buf: [n, 16]}}
draw: |
  return {
      "id": rng.bits(31), "level": rng.float(-9, 9),
      "HOOKS": [rng.pick([None, fn("on_odd"), fn("on_even")]), None],
      "fetch": {"returns": [rng.int(-5, 5)], "buf": [rng.bytes(12)]},
  }
"""


@pytest.fixture
def serve(make_task: MakeTask) -> Task:
    return make_task("serve", CALLS_C, CALLS_YAML)


def test_calls_out_are_compared_with_what_they_point_to(serve: Task, attempt: Try) -> None:
    """Structs on the stack by member, buffers, formats with their arguments, pointers to functions in memory."""
    for compiler in ("clang-O0", "clang-O3", "gcc-O2", "gcc-O1"):
        assert attempt(serve, compiler=compiler) == "correct"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("s.at = id * 7u", "s.at = id * 7u + 1", "send("),
        ("s.kind = (uint8_t)id", "s.kind = 3", "send("),
        ("level + 0.5", "level - 0.5", "send("),
        ("send(&s, buf, 4)", "send(&s, buf + 1, 4)", "send("),
        ("send(&s, buf, 4)", "send(&s, buf, 3)", "send("),
        ("8 + (id & 3)", "8 + (id & 1)", "fetch("),
        ('"odd"', '"add"', "note("),
        ("<< 33", "<< 32", "note("),
        ("level %g", "level %f", "note("),
        ("id, level, id", "id, -level, id", "note("),
        ("? on_odd : on_even;", "? on_even : on_odd;", "HOOKS"),
        ("HOOKS[0](got)", "HOOKS[0](got + 1)", "on_"),
        ("buf[5];", "buf[4];", "result"),
    ],
)
def test_wrong_calls_are_named(serve: Task, attempt: Try, old: str, new: str, words: str) -> None:
    """The first call that differs is quoted with what it should have been."""
    verdict = attempt(serve, old=old, new=new)
    assert verdict == "wrong_output"
    assert words in verdict.diagnostic
    if words.endswith("("):
        assert "expected " in verdict.diagnostic
        assert "got " in verdict.diagnostic


def test_a_variadic_call_has_to_say_how_many_vector_registers_it_uses(
    serve: Task, native: Toolchain, native_judge: Judge
) -> None:
    """%al is 0 although a double is passed: a real printf would not see it."""
    text = native.compile_source("clang", "O2", serve.c_path)
    assert text.count("movb\t$1, %al") == 1
    verdict = native_judge.judge(serve, "x86_64", text.replace("movb\t$1, %al", "xorl\t%eax, %eax")).verdict
    assert verdict == "wrong_output"
    assert "note(" in verdict.diagnostic


SUPPORT_C = """\
#include <stdint.h>
extern float sinf(float), cosf(float), sqrtf(float);
extern double sin(double), cos(double), sqrt(double);
float norm(uint64_t bits, float x, double y, uint64_t *q, uint64_t d)
{
    unsigned __int128 wide = (unsigned __int128)q[1] << 64 | q[0];
    __int128 below = (__int128)wide;
    wide = wide / (d | 1) + wide % (d | 1) + (unsigned __int128)(below / 77 - below % (__int128)(d | 1));
    q[0] = (uint64_t)wide;
    q[1] = (uint64_t)(wide >> 64);
    float s = sinf(x) + cosf(x) + (float)(sin(y) * cos(y));
    return s + sqrtf((float)(bits & 0xffff)) + (float)sqrt((double)(bits >> 32))
        + (float)__builtin_popcountll(bits) + (float)__builtin_clzll(bits | 1)
        + (float)__builtin_ctzll(bits | 1ull << 63);
}
"""


def test_what_compilers_call_is_there(make_task: MakeTask, attempt: Try) -> None:
    """Bit counts, 128-bit division, sincos: whatever a compiler makes of the C links and agrees."""
    yaml = (
        "externals: {%s}\ndraw: |\n  return {'bits': rng.bits(64), 'x': rng.float(-50, 50), 'y': rng.float(-9, 9), "
        "'d': rng.bits(64), 'q': [rng.bits(64), rng.bits(64)]}\n"
    )
    names = ("sinf", "cosf", "sqrtf", "sin", "cos", "sqrt")
    task = make_task("norm", SUPPORT_C, yaml % ", ".join(f"{n}: {{kind: pure}}" for n in names))
    for compiler in ("clang-O0", "clang-O3", "gcc-O2", "gcc-O3"):
        verdict = attempt(task, compiler=compiler)
        assert verdict == "correct", verdict.diagnostic


STRUCTS_C = """\
#include <stdint.h>
struct big { uint64_t w[9]; double d; };
struct big turn(int k, struct big a, uint64_t x, struct big b)
{
    struct big r;
    for (int i = 0; i < 9; i++) {
        a.w[i] += x << (k & 7);
        b.w[8 - i] ^= a.w[i];
        r.w[i] = b.w[8 - i] - a.w[8 - i];
    }
    r.d = a.d * 2 + b.d;
    return r;
}
"""


def test_structs_in_memory_belong_to_the_callee(make_task: MakeTask, attempt: Try) -> None:
    """A returned struct's room and copies passed by reference lie in the caller's frame; writing there is right."""
    task = make_task("turn", STRUCTS_C, "draw: |\n  return {'k': rng.bits(31)}\n")
    for compiler in ("clang-O0", "clang-O3", "gcc-O2", "gcc-O0"):
        verdict = attempt(task, compiler=compiler)
        assert verdict == "correct", verdict.diagnostic
    assert attempt(task, old="r.d = a.d * 2 + b.d", new="r.d = a.d * 2 - b.d") == "wrong_output"


GLYPHS_C = """\
#include <stdint.h>
static const uint8_t font[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const uint16_t widths[4] = {3, 3, 4, 2};
const uint8_t *glyph(unsigned i, unsigned *width)
{
    *width = widths[i & 3];
    return &font[(i & 3) * 3];
}
"""


def test_tables_without_a_nul_end_where_they_end(make_task: MakeTask, attempt: Try) -> None:
    """What lies behind a table of bytes is no part of it, and differs from build to build."""
    task = make_task("glyph", GLYPHS_C, "draw: |\n  return {'i': rng.int(0, 3), 'width': [0]}\n")
    for compiler in ("clang-O0", "clang-O3", "gcc-O2"):
        verdict = attempt(task, compiler=compiler)
        assert verdict == "correct", verdict.diagnostic
    assert attempt(task, old="11, 12}", new="11, 13}") == "wrong_output"


def test_a_struct_in_memory_comes_back_with_its_address(
    make_task: MakeTask, native: Toolchain, native_judge: Judge
) -> None:
    """On x86-64 %rax holds the address of a returned struct; callers may rely on it."""
    task = make_task("turn2", STRUCTS_C.replace("turn(", "turn2("), "draw: |\n  return {'k': rng.bits(31)}\n")
    assembly = native.compile_source("clang", "O1", task.c_path)
    assert native_judge.judge(task, "x86_64", assembly).verdict == "correct"
    verdict = native_judge.judge(task, "x86_64", assembly.replace("\tretq", "\txorl\t%eax, %eax\n\tretq")).verdict
    assert verdict == "abi_violation"
    assert "%rax" in verdict.detail
