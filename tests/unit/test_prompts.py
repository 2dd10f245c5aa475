"""Prompt files, and the messages made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_neucomback.arches import load_arches
from pytest_neucomback.errors import ConfigError
from pytest_neucomback.prompts import PLACEHOLDERS, Conversation, Prompt, converse, load_prompt, read_prompt
from pytest_neucomback.tasks import Task, load_task

TEMPLATES = {
    "system": "You write ${arch_title}.",
    "initial": "Translate ${source} to ${function}.\n${rules}",
    "debug": "It is ${outcome}: ${diagnostic}\n${rules}",
    "optimise": "Speed up:\n${assembly}\n${measurement}\n${reference}\n${rules}",
}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a prompt file: the templates above, with entries replaced, added, or left out (None)."""

    def write(name: str = "mine", folder: str = ".", **entries: object) -> Path:
        path = tmp_path / folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{k}: {v!r}" for k, v in {**TEMPLATES, **entries}.items() if v is not None]
        path.write_text("\n".join(lines).replace("\\n", "\n\n  "))
        return path

    return write


@pytest.fixture
def read(tmp_path: Path) -> Callable[[Path], Prompt]:
    return lambda path: read_prompt(path, label=path.stem, project=tmp_path)


@pytest.fixture
def task(tmp_path: Path) -> Task:
    (tmp_path / "t.c").write_text("int t(int x) { return x; }\n")
    (tmp_path / "t.yaml").write_text("function: t\nlevel: l1\nsplit: test\nexternals: {pick: {kind: mock}}\n")
    return load_task(tmp_path / "t.yaml")


def talk(
    prompt: Prompt, task: Task, arch: str = "x86_64", source: str = "define i32 @t", kind: str = "ir-O3"
) -> Conversation:
    row = load_arches()[arch]
    return converse(prompt, task, row, march=row.march, source=source, source_kind=kind)


def load(label: str, project: Path, *, model: str = "m", arch: str = "x86_64", level: str = "l1") -> Prompt:
    return load_prompt(label, model=model, arch=arch, level=level, project=project)


# --- the baseline ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "riscv64"])
def test_the_baseline_tells_a_model_all_it_needs(arch: str, task: Task, tmp_path: Path) -> None:
    """Source, target, syntax, the ABI facts of the harness, what may be called, and the form of the answer."""
    row = load_arches()[arch]
    system, user = talk(load("baseline", tmp_path), task, arch).opening()
    assert (system["role"], user["role"]) == ("system", "user")
    assert row.title in system["content"]
    text = user["content"]
    for fact in (row.triple, row.march, row.syntax, row.abi_facts.strip(), "define i32 @t", "`t`", "pick", "memcpy"):
        assert fact in text
    assert "LLVM IR (made with -O3)" in text
    assert "one fenced block" in text
    assert "${" not in text
    assert "\n\n\n" not in text


def test_source_c_is_called_what_it_is(task: Task, tmp_path: Path) -> None:
    """--nc-source=c shows C in a C block."""
    text = talk(load("baseline", tmp_path), task, source="int t(int x);", kind="c").opening()[-1]["content"]
    assert "C function" in text
    assert "```c\nint t(int x);\n```" in text


def test_dollars_in_what_is_filled_in_stay_dollars(task: Task, tmp_path: Path) -> None:
    """Assembly and IR are full of them; neither is taken for a placeholder."""
    conversation = talk(load("baseline", tmp_path), task, source="$x ${rules} $$")
    assert "$x ${rules} $$" in conversation.opening()[-1]["content"]
    assert "movl $1, ${function}" in conversation.optimise("movl $1, ${function}", "", "")[-1]["content"]


def test_an_optimisation_shows_reference_and_measurement_when_there_are_any(task: Task, tmp_path: Path) -> None:
    """It starts a conversation of its own, about the best candidate."""
    conversation = talk(load("baseline", tmp_path), task)
    messages = conversation.optimise("t: ret", "Measured: 3 ns", "clang makes this of it")
    assert [m["role"] for m in messages] == ["system", "user"]
    for part in ("t: ret", "Measured: 3 ns", "clang makes this of it", "define i32 @t"):
        assert part in messages[-1]["content"]
    assert "\n\n\n" not in conversation.optimise("t: ret", "", "")[-1]["content"]


# --- rules and messages ----------------------------------------------------------------------------------------------


@pytest.fixture
def learned(write: Write, read: Callable[[Path], Prompt]) -> Prompt:
    return read(
        write(
            correctness_rules=[
                "Extend before indexing.",
                {"text": "One block.", "kind": "formatting", "sources": ["x"]},
            ],
            performance_rules=["Use vectors."],
        )
    )


def test_rules_stand_in_every_prompt_they_are_for(learned: Prompt, task: Task) -> None:
    """Correctness rules in all three, performance rules where speed is asked for; repairs are about correctness."""
    conversation = talk(learned, task)
    opening, optimise = conversation.opening()[-1]["content"], conversation.optimise("a", "", "")[-1]["content"]
    debug = conversation.debug((), "reply", "crashed", "at line 3")[-1]["content"]
    for text in (opening, optimise, debug):
        assert "- Extend before indexing.\n- One block.\n" in text
    assert "- Use vectors." in opening
    assert "- Use vectors." in optimise
    assert "Use vectors" not in debug


def test_rules_have_a_kind_and_sources(learned: Prompt) -> None:
    """A bare text is a semantic rule, under performance_rules a performance rule."""
    assert [r.kind for r in learned.correctness_rules] == ["semantic", "formatting"]
    assert [r.kind for r in learned.performance_rules] == ["performance"]
    assert learned.correctness_rules[1].sources == ("x",)


def test_a_repair_goes_on_from_all_that_was_said(learned: Prompt, task: Task) -> None:
    """History, the reply, what is wrong with it; an empty reply is named, since endpoints refuse empty messages."""
    conversation = talk(learned, task)
    history = conversation.opening()
    messages = conversation.debug(history, "", "build_failed", "line 3: no such instruction")
    assert messages[:-2] == history
    assert messages[-2] == {"role": "assistant", "content": "(empty reply)"}
    assert "It is build failed: line 3: no such instruction" in messages[-1]["content"]


def test_an_empty_system_template_sends_no_system_message(
    write: Write, read: Callable[[Path], Prompt], task: Task
) -> None:
    """Some models take none."""
    assert [m["role"] for m in talk(read(write(system="")), task).opening()] == ["user"]


def test_the_digest_names_what_a_model_gets_to_see(write: Write, read: Callable[[Path], Prompt]) -> None:
    """Any template or rule changes it, a description does not."""
    base = read(write()).digest()
    assert read(write(description="other")).digest() == base
    for name in PLACEHOLDERS:
        assert read(write(**{name: TEMPLATES[name] + " Please."})).digest() != base
    assert read(write(correctness_rules=["x"])).digest() != base


# --- finding a prompt ------------------------------------------------------------------------------------------------


def test_a_prompt_is_a_name_or_a_path(write: Write, tmp_path: Path) -> None:
    """A name is looked up in the project's prompts/, then among the bundled; the label is what the user typed."""
    path = write("own", "prompts")
    assert load("own", tmp_path).path == path
    assert load(str(path), tmp_path).label == str(path)
    assert load("baseline", tmp_path).label == "baseline"
    write("baseline", "prompts", description="mine goes first")
    assert load("baseline", tmp_path).path == tmp_path / "prompts" / "baseline.yaml"


def test_a_learned_prompt_is_that_of_model_arch_and_level(write: Write, tmp_path: Path) -> None:
    """`learned` follows the item; `learned:ARCH/LEVEL/MODEL` names one; slashes and colons of models are made safe."""
    path = write("openai_org_m", "prompts/learned/x86_64/l1")
    assert load("learned", tmp_path, model="openai:org/m").path == path
    assert load("learned:x86_64/l1/openai:org/m", tmp_path, arch="aarch64", level="l2").path == path
    with pytest.raises(ConfigError, match="no learned prompt is stored for aarch64/l1/m"):
        load("learned", tmp_path, arch="aarch64")


def test_an_unknown_prompt_is_refused_with_what_is_known(tmp_path: Path) -> None:
    """The error names option, value and choices."""
    with pytest.raises(ConfigError, match=r"--nc-prompt=basline: no such prompt\. Known: baseline, .*path of a file"):
        load("basline", tmp_path)


def test_a_child_takes_its_parents_templates(write: Write, read: Callable[[Path], Prompt], tmp_path: Path) -> None:
    """What it has itself wins; rules are its own."""
    write("old", correctness_rules=["an old rule"])
    child = write("new", parent="old", **dict.fromkeys(TEMPLATES), correctness_rules=["a new rule"])
    child.write_text(child.read_text() + "\nsystem: mine")
    prompt = read(child)
    assert prompt.templates == {**TEMPLATES, "system": "mine"}
    assert [r.text for r in prompt.correctness_rules] == ["a new rule"]


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "not readable as YAML"),
        ("just words", "expected a prompt file with keys"),
        ("", "expected a prompt file with keys"),
        ("initail: x", "unknown key 'initail'. Known: .*initial"),
        ("system: x", "initial is missing"),
        ("parent: nowhere", "parent 'nowhere' is not found"),
        ("parent: mine", "parent 'mine' is not found"),
        ("parent: baseline\nprovenance: me", "provenance must be a mapping"),
        ("parent: baseline\nsystem: [1]", "system must be text"),
        ("parent: baseline\nsystem: costs $5", "system: a lone \\$"),
        ("parent: baseline\nsystem: ${sorce}", r"system: unknown \$\{sorce\}. Known: arch_title"),
        ("parent: baseline\ninitial: ${source} ${function}", r"initial: \$\{rules\} is missing"),
        ("parent: baseline\ndebug: ${rules}", r"debug: \$\{diagnostic\} is missing"),
        ("parent: baseline\ncorrectness_rules: x", "correctness_rules must be a list"),
        ("parent: baseline\nperformance_rules: [{kind: semantic}]", "performance_rules must be a list"),
        ("parent: baseline\ncorrectness_rules: [{text: x, kind: odd}]", "kind 'odd' is none of formatting, "),
        ("parent: baseline\ncorrectness_rules: [{text: x, sources: 5}]", "sources must be a list"),
    ],
)
def test_a_malformed_prompt_is_refused_in_one_line(
    text: str, says: str, read: Callable[[Path], Prompt], tmp_path: Path
) -> None:
    """The line names the file, the key, and what is expected."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_parents_that_form_a_loop_are_refused(write: Write, read: Callable[[Path], Prompt]) -> None:
    """Instead of reading forever."""
    write("one", parent="two")
    with pytest.raises(ConfigError, match="parents form a loop"):
        read(write("two", parent="one"))
