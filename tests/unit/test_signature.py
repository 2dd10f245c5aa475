"""Reading a task's C."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_neucomback.errors import ConfigError
from pytest_neucomback.signature import Signature, read_signature

TRIPLES = ["x86_64-linux-gnu", "aarch64-linux-gnu", "riscv64-linux-gnu"]


def read(tmp_path: Path, c: str, function: str = "f", triple: str = TRIPLES[0]) -> Signature:
    path = tmp_path / "f.c"
    path.write_text(c)
    return read_signature(path, function, triple=triple, resource_dir=tmp_path)


@pytest.mark.parametrize("triple", TRIPLES)
def test_types_have_their_sizes(tmp_path: Path, triple: str) -> None:
    """Integers, floats, pointers, arrays and structs come with the target's size, alignment and signedness."""
    c = (
        "struct s { char tag; double d[2]; };\nenum e { A, B };\n"
        "extern struct s table[3];\nextern unsigned short g[4][5];\n"
        "long f(_Bool b, signed char c, unsigned u, enum e e, float x, struct s s, int (*rows)[8]) { return 0; }\n"
    )
    signature = read(tmp_path, c, triple=triple)
    types = {v.name: v.type for v in (*signature.params, *signature.globals)}
    sizes = {name: (t.kind, t.size, t.align) for name, t in types.items()}
    assert sizes == {
        "b": ("int", 1, 1), "c": ("int", 1, 1), "u": ("int", 4, 4), "e": ("int", 4, 4), "x": ("float", 4, 4),
        "s": ("record", 24, 8), "rows": ("pointer", 8, 8), "table": ("array", 72, 8), "g": ("array", 40, 2),
    }  # fmt: skip
    assert (types["c"].signed, types["u"].signed, types["b"].signed) == (True, False, False)
    assert types["rows"].element is not None
    assert (types["rows"].element.kind, types["rows"].element.count) == ("array", 8)
    assert types["g"].leaf().size == 2
    assert [(m.name, m.offset_bits, m.width_bits) for m in types["s"].fields] == [("tag", 0, None), ("d", 64, None)]
    assert (signature.returns.kind, signature.returns.size) == ("int", 8)


def test_plain_char_follows_the_target(tmp_path: Path) -> None:
    """`char` is signed on x86-64 and unsigned on aarch64 and riscv64."""
    signs = [read(tmp_path, "char f(char c) { return c; }", triple=t).params[0].type.signed for t in TRIPLES]
    assert signs == [True, False, False]


def test_bit_fields_are_told(tmp_path: Path) -> None:
    """Members of bit-fields carry their width."""
    signature = read(tmp_path, "struct s { int a : 3, b : 5; };\nextern struct s g;\nvoid f(void) {}\n")
    assert [(m.offset_bits, m.width_bits) for m in signature.globals[0].type.fields] == [(0, 3), (3, 5)]


def test_externals_and_const_parameters(tmp_path: Path) -> None:
    """Declared functions are externals with their parameters; pointers to const are told apart."""
    c = (
        "extern int ask(int, const float *);\n"
        "extern int printf(const char *, ...);\nstatic int own(void) { return 1; }\n"
        "extern const int table[2];\nstatic const int more[2] = {1, 2};\n"
        "void f(const int *in, int *out) { *out = *in; }\n"
    )
    signature = read(tmp_path, c)
    assert [(e.name, len(e.params), e.variadic) for e in signature.externals] == [
        ("ask", 2, False),
        ("printf", 1, True),
    ]
    assert signature.const_params == {"in"}
    assert signature.globals == ()


def test_prototype_has_no_body(tmp_path: Path) -> None:
    """The glue's source keeps types and declarations and drops the function's body."""
    signature = read(tmp_path, "typedef int t;\nt f(t x)\n{\n    return x + 41;\n}\nextern t g;\n")
    assert "41" not in signature.prototype_source
    assert "t f(t x)\n;" in signature.prototype_source
    assert "extern t g;" in signature.prototype_source


@pytest.mark.parametrize(
    ("c", "words"),
    [
        ("int g;\nvoid f(void) {}", [":1: mutable global 'g'", "Write `extern int ...`"]),
        ("\nstatic int g;\nvoid f(void) {}", [":2: mutable global 'g'", "Make it const"]),
        ("static float g[2] = {1, 2};\nvoid f(void) {}", ["mutable global 'g'", "Make it const"]),
        ("int f(void) { static int n; return n++; }", ["static variable 'n'", "Make it const"]),
        ("void g(void) {}", ["no function 'f'", "defined: g", "correct `function:`"]),
        ("void f(void);", ["no function 'f'", "defined: none"]),
        ("void f(void) { oops }", [":1: ", "oops"]),
        ("#include <no.h>\nvoid f(void) {}", [":1: ", "no.h"]),
        ("void f(long double x) {}", ["'long double' is not supported"]),
        ("extern int g[];\nvoid f(void) {}", ["'int[]' is not supported"]),
        ("_Complex float f(void) { return 0; }", ["is not supported"]),
    ],
)
def test_unusable_c_is_explained(tmp_path: Path, c: str, words: list[str]) -> None:
    """What the harness cannot use is a ConfigError naming file, culprit and mend."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, c)
    for word in (str(tmp_path / "f.c"), *words):
        assert word in str(caught.value)


def test_constant_locals_are_fine(tmp_path: Path) -> None:
    """A function may keep tables of constants."""
    assert read(tmp_path, "int f(int i) { static const int t[2][2] = {{1, 2}, {3, 4}}; return t[i & 1][0]; }").params
