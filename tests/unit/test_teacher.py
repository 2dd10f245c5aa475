"""The teacher's templates, what it is shown, and how its answers are read."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pytest_neucomback.arches import load_arches
from pytest_neucomback.errors import ConfigError
from pytest_neucomback.prompts import Rule, bundled_folder
from pytest_neucomback.teacher import (
    MAX_ASSEMBLY_LINES,
    MAX_INSIGHTS,
    MAX_RULE_CHARS,
    TEMPLATES,
    Change,
    Decision,
    Insight,
    apply_changes,
    changes_between,
    load_teacher,
    read_decisions,
    read_insights,
    read_rules,
    show_changes,
    show_insights,
    show_rules,
    show_trajectory,
)

X86 = load_arches()["x86_64"]
R1 = Rule("Align the stack.", "semantic", ("s1",), "R1", 2, 1)
R2 = Rule("Use .text.", "formatting", ("s2",), "R2")
I1, I2 = Insight("semantic", "Mind carry.", "s3"), Insight("syntactic", "Mind suffixes.", "s4")


def block(name: str, *lines: str) -> str:
    return "Let me think.\n\n```{}\n{}\n```\n".format(name, "\n".join(lines))


# --- templates --------------------------------------------------------------------------------------------------------


def own(folder: Path, **changed: object) -> Path:
    """A project's teacher.yaml: the bundled one with keys replaced, or left out (None)."""
    data = yaml.safe_load((bundled_folder() / "teacher.yaml").read_text()) | changed
    path = folder / "prompts" / "teacher.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump({k: v for k, v in data.items() if v is not None}))
    return path


@pytest.mark.parametrize("arch", load_arches())
def test_the_bundled_templates_are_whole(arch: str, tmp_path: Path) -> None:
    """Every request names the architecture, holds what it is about, and leaves no placeholder."""
    teacher = load_teacher(load_arches()[arch], tmp_path)
    for name, names in TEMPLATES.items():
        if name == "system":
            continue
        values = {n: f"<{n}>" for n in names if n not in ("arch_title", "syntax")}
        system, user = teacher.ask(name, **values)
        assert (system["role"], user["role"]) == ("system", "user")
        assert load_arches()[arch].title in system["content"]
        assert all(value in user["content"] for value in values.values())
        assert "${" not in system["content"] + user["content"]


def test_values_are_text_and_not_templates(tmp_path: Path) -> None:
    """Dollars and braces of assembly, rules and diagnostics stay as they are."""
    teacher = load_teacher(X86, tmp_path)
    nasty = "movl $1, %eax  # ${rules} $$ $syntax"
    assert nasty in teacher.ask("extract", trajectory=nasty, ending="solved")[1]["content"]


def test_a_project_brings_its_own_templates(tmp_path: Path) -> None:
    """Its file replaces the bundled one, and is another version."""
    bundled = load_teacher(X86, tmp_path)
    own(tmp_path, system="You coach ${arch_title}, my way.")
    mine = load_teacher(X86, tmp_path)
    assert mine.ask("extract", trajectory="", ending="")[0]["content"].startswith("You coach x86-64")
    assert mine.digest != bundled.digest


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"merge": None}, r"teacher\.yaml: merge is missing; it has to be text"),
        ({"review": ["x"]}, r"teacher\.yaml: review is missing; it has to be text"),
        ({"system": "a $ alone"}, r"teacher\.yaml: system: a lone \$"),
        ({"extract": "${trajectory} ${ending} ${nonsense}"}, r"extract: unknown \$\{nonsense\}\. Known: arch_title,"),
        ({"merge": "${topic} ${insights}"}, r"merge: \$\{rules\} is missing; the teacher would never see it"),
    ],
)
def test_a_bad_template_is_named(changed: dict[str, object], message: str, tmp_path: Path) -> None:
    """The error says file, key and what is wrong."""
    own(tmp_path, **changed)
    with pytest.raises(ConfigError, match=message):
        load_teacher(X86, tmp_path)


@pytest.mark.parametrize("text", ["[", "just text", "\xff"])
def test_a_file_that_is_no_mapping_is_named(text: str, tmp_path: Path) -> None:
    """Broken YAML, or YAML of another shape."""
    own(tmp_path).write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"teacher\.yaml: (not readable as YAML|expected templates)"):
        load_teacher(X86, tmp_path)


# --- what it is shown -------------------------------------------------------------------------------------------------


def test_a_trajectory_in_words() -> None:
    """Each round with its kind, its outcome, its code or reply, what was said and what was measured."""
    rounds = [
        {"kind": "generate", "outcome": "no_candidate", "diagnostic": "empty", "assembly": None, "reply": "Sorry.",
         "measured": ""},
        {"kind": "debug", "outcome": "correct", "diagnostic": "", "assembly": "ret\n", "reply": "", "measured": ""},
        {"kind": "optimise", "outcome": "correct", "diagnostic": "", "assembly": "nop\nret", "reply": "",
         "measured": "speed-up 1.10, faster"},
    ]  # fmt: skip
    assert show_trajectory(rounds) == (
        "Round 1, first attempt: no candidate\n\n```assembly\nSorry.\n```\n\nWhat was said of it:\nempty\n\n"
        "Round 2, repair: correct\n\n```assembly\nret\n```\n\n"
        "Round 3, attempt to speed it up: correct\n\n```assembly\nnop\nret\n```\n\nMeasured: speed-up 1.10, faster"
    )


def test_long_code_is_cut_in_the_middle() -> None:
    """Beginning and end stay, and the cut says how much is gone."""
    code = "\n".join(f"line {n}" for n in range(1000))
    shown = show_trajectory(
        [{"kind": "generate", "outcome": "crashed", "diagnostic": "", "assembly": code, "reply": ""}]
    )
    assert f"... ({1000 - MAX_ASSEMBLY_LINES} lines left out)" in shown
    assert "line 0\n" in shown
    assert "line 999\n" in shown
    assert len(shown.splitlines()) == MAX_ASSEMBLY_LINES + 5


def test_lists_in_words() -> None:
    """Rules, insights and changes, a line each, as docs/prompt-learning.md has them."""
    assert show_rules([R1, R2]) == "R1 [semantic] Align the stack.\nR2 [formatting] Use .text."
    assert show_rules([]) == "(none yet)"
    assert show_insights([I1, I2]) == "I1 [semantic] Mind carry. (s3)\nI2 [syntactic] Mind suffixes. (s4)"
    changes = [Change("add", None, R1), Change("drop", R2, None), Change("change", R1, Rule("Other.", id="R1"))]
    assert show_changes(changes) == (
        "1. add [semantic] Align the stack.\n2. drop R2: Use .text.\n3. change R1: Align the stack. => Other."
    )


# --- blocks -----------------------------------------------------------------------------------------------------------

FOUND = [Insight("semantic", "One.", "s1")]


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (block("insights", "- [semantic] One."), FOUND),
        ("```insights\r\n- [semantic] One.\r\n```", FOUND),
        ("  ```Insights\n  - [semantic] One.\n  ```", FOUND),
        ("``` insights (final)\n* [semantic] One.\n```", FOUND),
        (block("", "- [semantic] One."), FOUND),
        (block("assembly", "- [semantic] Code.") + block("insights", "- [semantic] One."), FOUND),
        (block("insights", "- [semantic] Draft.") + block("insights", "- [semantic] One."), FOUND),
        ("```assembly\nret\n" + block("insights", "- [semantic] One."), FOUND),
        (block("", "- [semantic] Draft.") + block("insights", "- [semantic] One."), FOUND),
        ("```insights\n- [semantic] One.", FOUND),
        (block("insights", "none"), []),
        (block("insights"), []),
        (block("assembly", "- [semantic] One."), []),
        ("- [semantic] One.", []),
        (block("insights", "- semantic: One.", "One.", "- [semantic]", "1. [semantic] One."), []),
        ("", []),
    ],
)
def test_insights_are_read_from_the_last_block_of_their_name(reply: str, found: list[Insight]) -> None:
    """Text around it, other blocks and lines of another shape do not count; a nameless block does as a last resort."""
    assert read_insights(reply, "s1", "correctness") == found


def test_a_rule_may_speak_of_fences() -> None:
    """Backticks within a line neither end a block nor begin one."""
    lines = ("- [formatting] Answer in one block (```assembly) that ends with ```.", "- [semantic] One.")
    assert [i.text for i in read_insights(block("insights", *lines), "s1", "correctness")] == [
        "Answer in one block (```assembly) that ends with ```.",
        "One.",
    ]
    rules = read_rules(
        block("rules", "- R1 [formatting] One ```assembly block.", "- R2 [formatting] Use .text."),
        [R1, R2], [], "correctness", first_id=3,
    )  # fmt: skip
    assert [r.id for r in rules or ()] == ["R1", "R2"]


@pytest.mark.parametrize(
    ("kind", "fragment", "read"),
    [
        ("Syntactic", "correctness", "syntactic"),
        ("odd", "correctness", "semantic"),
        ("odd", "performance", "performance"),
        ("semantic", "performance", "semantic"),
    ],
)
def test_an_unknown_kind_is_the_usual_one(kind: str, fragment: str, read: str) -> None:
    """The four of the paper are known; anything else says nothing."""
    (insight,) = read_insights(block("insights", f"- [{kind}] One."), "s1", fragment)  # type: ignore[arg-type]
    assert insight.kind == read


def test_a_rambling_teacher_is_cut_short() -> None:
    """Insights beyond a number, and characters beyond a length."""
    lines = [f"- [semantic] {n} {'x' * 1000}" for n in range(50)]
    found = read_insights(block("insights", *lines), "s1", "correctness")
    assert len(found) == MAX_INSIGHTS
    assert {len(i.text) for i in found} == {MAX_RULE_CHARS}
    assert found[0].text.endswith("x...")


def test_text_that_no_file_can_hold_is_mended() -> None:
    """Half a surrogate pair becomes a question mark; spaces of all kinds become one."""
    (insight,) = read_insights(block("insights", "- [semantic] a\ud800b \t\u00a0 c"), "s1", "correctness")
    assert insight.text == "a?b c"
    insight.text.encode()


# --- rules ------------------------------------------------------------------------------------------------------------


def test_a_merge_answer() -> None:
    """Rules keep id, counts and sources; new ones get ids and the tasks of the insights they name."""
    reply = block(
        "rules",
        "- R2 [formatting] Use .text.",
        "- r1 [semantic] Align the stack to 16. (I2)",
        "- new [syntactic] Mind both. (I1, I2, I9)",
        "- NEW [semantic] From nowhere.",
    )
    assert read_rules(reply, [R1, R2], [I1, I2], "correctness", first_id=7) == [
        R2,
        Rule("Align the stack to 16.", "semantic", ("s1", "s4"), "R1", 2, 1),
        Rule("Mind both.", "syntactic", ("s3", "s4"), "R7"),
        Rule("From nowhere.", "semantic", (), "R8"),
    ]


def test_what_a_merge_answer_may_not_do() -> None:
    """Unknown ids, second mentions and lines of another shape are left out; no id is given twice."""
    reply = block(
        "rules",
        "- R9 [semantic] Invented.",
        "- R1 [semantic] First.",
        "- R1 [semantic] Second.",
        "R2: Use .text.",
        "new",
    )
    assert read_rules(reply, [R1, R2], [I1], "correctness", first_id=3) == [
        Rule("First.", "semantic", ("s1",), "R1", 2, 1)
    ]


@pytest.mark.parametrize(
    ("line", "text", "sources"),
    [
        ("- new [semantic] Use (%rax) (I1)", "Use (%rax)", ("s3",)),
        ("- new [semantic] Use (%rax)", "Use (%rax)", ()),
        ("- new [semantic] Two. (I1 I2)", "Two.", ("s3", "s4")),
        ("- new [semantic] Twice. (I1, I1)", "Twice.", ("s3",)),
        ("new [semantic] No dash.(I2)", "No dash.", ("s4",)),
        ("- new [semantic] I1 is no source", "I1 is no source", ()),
        ("- new [semantic] (I0)", "(I0)", ()),
    ],
)
def test_where_a_rule_ends_and_its_sources_begin(line: str, text: str, sources: tuple[str, ...]) -> None:
    """Only insights in brackets at the end are sources."""
    (rule,) = read_rules(block("rules", line), [], [I1, I2], "correctness", first_id=1) or []
    assert (rule.text, rule.sources) == (text, sources)


@pytest.mark.parametrize(
    "reply",
    ["", "I cannot.", "```rules\n- R1 [semantic] Align the st", block("assembly", "ret"), block("insights", "x")],
)
def test_without_a_whole_block_nothing_changes(reply: str) -> None:
    """A cut-off block would drop what it did not get to; another block says nothing of the rules."""
    assert read_rules(reply, [R1, R2], [], "correctness", first_id=3) is None


def test_an_empty_block_drops_all_rules() -> None:
    """The review has the last word on that."""
    assert read_rules(block("rules"), [R1], [], "correctness", first_id=3) == []


def test_changes_and_their_decisions() -> None:
    """Drops, then additions and rewordings; only what was decided is done, and order stays."""
    new = [Rule("Align it.", "semantic", ("s1",), "R1"), Rule("Third.", id="R3")]
    changes = changes_between([R1, R2], new)
    assert [str(c) for c in changes] == [
        "drop R2: Use .text.",
        "change R1: Align the stack. => Align it.",
        "add [semantic] Third.",
    ]
    yes, no = Decision(True), Decision(False)
    assert apply_changes([R1, R2], changes, [yes, yes, yes]) == new
    assert apply_changes([R1, R2], changes, [no, no, no]) == [R1, R2]
    assert [r.text for r in apply_changes([R1, R2], changes, [no, yes, no])] == ["Align it.", "Use .text."]
    assert changes_between([R1, R2], [R2, R1]) == []


@pytest.mark.parametrize(
    ("reply", "decided"),
    [
        (block("decisions", "apply 1", "refuse 2: too special"), [(True, ""), (False, "too special")]),
        (block("decisions", "- Apply 1.", "* REFUSE 2"), [(True, ""), (False, "")]),
        (block("decisions", "apply 1: sound", "apply 2 : also"), [(True, "sound"), (True, "also")]),
        (block("decisions", "apply 1", "refuse 1: no"), [(False, "no"), None]),
        (block("decisions", "apply 3", "apply 0", "apply", "apply all", "yes 1"), [None, None]),
        ("apply 1\napply 2", [None, None]),
        ("", [None, None]),
    ],
)
def test_decisions(reply: str, decided: list[tuple[bool, str] | None]) -> None:
    """Line by line, the last word counts; what is not mentioned is refused."""
    unsaid = (False, "the review did not mention it")
    assert [(d.apply, d.why) for d in read_decisions(reply, 2)] == [d or unsaid for d in decided]
