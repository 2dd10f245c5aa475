"""How alike tasks are."""

from __future__ import annotations

from pytest_neucomback.similarity import TOO_ALIKE, alike, instructions, resemblance, shingles

IR = """\
; ModuleID = 'x.c'
define dso_local i32 @{name}(i32 noundef %0, ptr nocapture %1) local_unnamed_addr #0 {{
  %3 = getelementptr inbounds i32, ptr %1, i64 {offset}
  %4 = load i32, ptr %3, align 4, !tbaa !5
  %5 = {op} nsw i32 %4, {constant}
  store i32 %5, ptr %1, align 4
  %6 = icmp slt i32 %5, %0
  br i1 %6, label %7, label %8
7:
  ret i32 %5
8:
  ret i32 {constant}
}}
attributes #0 = {{ nounwind }}
"""


def ir(name: str = "f", op: str = "add", constant: int = 7, offset: int = 1) -> str:
    return IR.format(name=name, op=op, constant=constant, offset=offset)


def test_names_and_numbers_do_not_count() -> None:
    """The same code under another name and with other constants is the same."""
    assert resemblance(shingles(ir()), shingles(ir("g", constant=1000, offset=5))) == 1.0


def test_operations_and_types_count() -> None:
    """Another operation or width is another instruction."""
    assert resemblance(shingles(ir()), shingles(ir(op="mul"))) < 0.7
    wide = ir().replace("i32", "i64")
    assert resemblance(shingles(ir()), shingles(wide)) < 0.3


def test_only_instructions_of_functions_are_looked_at() -> None:
    """Labels, attributes, comments and metadata are not code."""
    found = instructions(ir())
    assert len(found) == 8
    assert found[2] == "% = add int" + found[2].split("int")[-1] if "int" in found[2] else found[2]
    assert not any("align" in line or "!" in line for line in found)


def test_pairs_are_sorted_and_restricted() -> None:
    """The most alike come first; with names only pairs with one of them."""
    irs = {"a": ir(), "b": ir("g"), "c": ir(op="mul")}
    pairs = alike(irs)
    assert next(p[1:] for p in pairs) == ("a", "b")
    assert pairs[0][0] >= TOO_ALIKE
    assert {p[1:] for p in alike(irs, names=["c"])} == {("a", "c"), ("b", "c")}
