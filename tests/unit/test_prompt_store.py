"""Learned prompts on disk: stored, found, compared, exported."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pytest_neucomback.cli import main
from pytest_neucomback.errors import ConfigError, NeucombackError
from pytest_neucomback.prompt_store import diff, export_yaml, find, prompt_yaml, store, stored, versions
from pytest_neucomback.prompts import Prompt, Rule, load_prompt, read_prompt

WHERE = "x86_64/l2/openai:some-model"
HOSTILE = (
    "plain",
    "${source} $$ {{x}} $",
    "- yes: [no] # comment",
    "'quoted' \"twice\" `code` \\n",
    "emoji 🙂 and é, line\u2028separator, nul-free \x07 bell",
    "*alias &anchor !tag %directive @at",
    " leading and trailing ",
    "null",
    "1.0",
    "x" * 400,
)


def text(*rules: str, fast: tuple[str, ...] = (), **provenance: object) -> str:
    base = load_prompt("baseline", model="", arch="", level="", project=Path("/nonexistent"))
    prompt = dataclasses.replace(
        base,
        correctness_rules=tuple(Rule(r, "semantic", ("s1", "s2"), f"R{n}", n, 1) for n, r in enumerate(rules, 1)),
        performance_rules=tuple(Rule(r, "performance", (), f"R{n}") for n, r in enumerate(fast, 50)),
    )
    return prompt_yaml(prompt, name="learned", description="A test's.", parent="baseline", provenance=provenance)


def read(path: Path, project: Path) -> Prompt:
    return read_prompt(path, label="x", project=project)


def test_a_stored_prompt_reads_back(tmp_path: Path) -> None:
    """Rules come back to the letter with all that belongs to them, templates are the parent's."""
    path = store(WHERE, text(*HOSTILE, fast=HOSTILE[:3], model="m", history=[{"epoch": 0}]), tmp_path)
    assert path == tmp_path / "prompts" / "learned" / "x86_64" / "l2" / "openai_some-model.yaml"
    prompt = load_prompt("learned", model="openai:some-model", arch="x86_64", level="l2", project=tmp_path)
    assert [r.text for r in prompt.correctness_rules] == list(HOSTILE)
    assert prompt.correctness_rules[2] == Rule(HOSTILE[2], "semantic", ("s1", "s2"), "R3", 3, 1)
    assert [r.id for r in prompt.performance_rules] == ["R50", "R51", "R52"]
    assert prompt.templates == load_prompt("baseline", model="", arch="", level="", project=tmp_path).templates
    assert prompt.provenance == {"model": "m", "history": [{"epoch": 0}]}


def test_rules_reach_the_model_as_they_are(tmp_path: Path) -> None:
    """No rule is taken for a template."""
    prompt = read(store(WHERE, text(*HOSTILE), tmp_path), tmp_path)
    shown = prompt.rules_text(performance=True)
    assert all(f"- {rule}\n" in shown for rule in HOSTILE)


def test_the_same_rule_in_the_other_list_is_another_prompt(tmp_path: Path) -> None:
    """The digest tells rules for correctness from rules for speed, for they are shown in other places."""
    one, other = (read(store(f"a/b/{n}", t, tmp_path), tmp_path) for n, t in enumerate([text("A"), text(fast=("A",))]))
    assert one.digest() != other.digest()


def test_the_old_winner_is_kept(tmp_path: Path) -> None:
    """A new winner moves the old one to history, numbered; the same text again changes nothing."""
    for rule in ("one", "two", "two", "three"):
        path = store(WHERE, text(rule), tmp_path)
    found = versions(find(WHERE, tmp_path), tmp_path)
    assert [v.prompt.correctness_rules[0].text for v in found] == ["one", "two", "three"]
    assert [v.where for v in found] == [f"{WHERE} #1", f"{WHERE} #2", WHERE]
    assert sorted(p.name for p in path.parent.rglob("*")) == [
        "history",
        "openai_some-model-1.yaml",
        "openai_some-model-2.yaml",
        "openai_some-model.yaml",
    ]


def test_more_than_nine_versions_stay_in_order(tmp_path: Path) -> None:
    """They are numbers and not texts."""
    for n in range(12):
        store(WHERE, text(f"rule {n}"), tmp_path)
    rules = [v.prompt.correctness_rules[0].text for v in versions(find(WHERE, tmp_path), tmp_path)]
    assert rules == [f"rule {n}" for n in range(12)]


def test_models_whose_names_end_in_numbers_are_kept_apart(tmp_path: Path) -> None:
    """The first version of `gpt-5-1` is none of `gpt-5`."""
    for model, rules in (("gpt-5", "ab"), ("gpt-5-1", "xyz")):
        for rule in rules:
            store(f"x86_64/l2/{model}", text(rule), tmp_path)
    found = {m: versions(find(f"x86_64/l2/{m}", tmp_path), tmp_path) for m in ("gpt-5", "gpt-5-1")}
    assert {m: "".join(v.prompt.correctness_rules[0].text for v in vs) for m, vs in found.items()} == {
        "gpt-5": "ab",
        "gpt-5-1": "xyz",
    }
    store("x86_64/l2/gpt-5", text("c"), tmp_path)
    assert len(versions(find("x86_64/l2/gpt-5", tmp_path), tmp_path)) == 3


def test_a_kill_between_the_two_moves_loses_nothing(tmp_path: Path) -> None:
    """With the old one moved and the new one not there, the next store brings it."""
    path = store(WHERE, text("old"), tmp_path)
    (path.parent / "history").mkdir()
    path.rename(path.parent / "history" / "openai_some-model-1.yaml")
    path.with_suffix(".new").write_text("half a fi")
    store(WHERE, text("new"), tmp_path)
    assert [v.prompt.correctness_rules[0].text for v in versions(find(WHERE, tmp_path), tmp_path)] == ["old", "new"]


def test_a_disk_that_does_not_take_it_is_named(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "prompts").write_text("no folder")
    with pytest.raises(NeucombackError, match=r"openai_some-model\.yaml cannot be written"):
        store(WHERE, text("a"), tmp_path)


def test_what_is_stored_is_listed(tmp_path: Path) -> None:
    """The newest of each, no history."""
    assert list(stored(tmp_path)) == []
    for where in ("x86_64/l2/a", "x86_64/l2/a", "aarch64/l1/b"):
        store(where, text(f"rule {len(list(stored(tmp_path)))}"), tmp_path)
    assert [s.where for s in stored(tmp_path)] == ["aarch64/l1/b", "x86_64/l2/a"]


@pytest.mark.parametrize("name", [WHERE, "x86_64/l2/openai_some-model", "some-model", "openai:some", "l2/openai:some"])
def test_a_prompt_is_found_by_a_part_of_its_name(name: str, tmp_path: Path) -> None:
    """As users write the model, or as the file is called."""
    path = store(WHERE, text("a"), tmp_path)
    store("aarch64/l2/other", text("b"), tmp_path)
    assert find(name, tmp_path).path == path


def test_an_earlier_version_has_a_name(tmp_path: Path) -> None:
    """As history prints it, by a part of the model's name too."""
    for rule in ("one", "two"):
        store(WHERE, text(rule), tmp_path)
    for name in (f"{WHERE} #1", "some-model#1"):
        assert find(name, tmp_path).prompt.correctness_rules[0].text == "one"
    with pytest.raises(ConfigError, match=r"no earlier version x86_64/l2/openai_some-model #7"):
        find("some-model #7", tmp_path)


def test_an_ambiguous_or_unknown_name_lists_what_there_is(tmp_path: Path) -> None:
    """All that match, else all."""
    with pytest.raises(ConfigError, match=r"no learned prompt 'x'\. Stored: none yet; pytest --nc-learn-prompt"):
        find("x", tmp_path)
    for where in ("x86_64/l2/a1", "x86_64/l2/a2", "aarch64/l2/b"):
        store(where, text("r"), tmp_path)
    with pytest.raises(ConfigError, match=r"Stored: x86_64/l2/a1, x86_64/l2/a2\.$"):
        find("x86", tmp_path)
    with pytest.raises(ConfigError, match=r"Stored: aarch64/l2/b, x86_64/l2/a1, x86_64/l2/a2\.$"):
        find("riscv64", tmp_path)


def test_rules_are_compared_line_by_line(tmp_path: Path) -> None:
    """Added and dropped rules with their kinds; the same rules are said to be the same."""
    one = find(store("x86_64/l2/a", text("Stays.", "Goes."), tmp_path).as_posix(), tmp_path)
    other = find(store("x86_64/l2/b", text("Stays.", fast=("Comes.",)), tmp_path).as_posix(), tmp_path)
    lines = diff(one, other).splitlines()
    assert "-  [semantic] Goes." in lines
    assert "+  [performance] Comes." in lines
    assert not any(line[1:].startswith("-  [semantic] Stays.") for line in lines)
    assert diff(one, one) == "the rules are the same\n"


def test_an_exported_prompt_stands_alone(tmp_path: Path) -> None:
    """Elsewhere, without parent or project, it is the same prompt to a model."""
    path = store(WHERE, text(*HOSTILE, fast=("Fast.",), model="m"), tmp_path / "here")
    found = find("some-model", tmp_path / "here")
    away = tmp_path / "away.yaml"
    away.write_text(export_yaml(found), encoding="utf-8")
    exported, original = read(away, tmp_path / "nowhere"), read(path, tmp_path / "here")
    assert exported.digest() == original.digest()
    assert exported.correctness_rules == original.correctness_rules
    assert exported.provenance == original.provenance
    assert "parent" not in away.read_text().splitlines()[2]


# --- the commands -----------------------------------------------------------------------------------------------------


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """list, show, history, diff and export, each on what is stored."""
    project = ["--project", str(tmp_path)]
    assert main(["prompts", "list", *project]) == 0
    assert "no learned prompt is stored" in capsys.readouterr().out
    score = {"tasks": 8, "correct": 5, "mean_debug_rounds": 0.5}
    history = [
        {"epoch": 0, "tasks": 8, "correct": 4, "mean_debug_rounds": None, "rules": 0},
        {"epoch": 1, **score, "rules": 1},
    ]
    store(WHERE, text("Old rule."), tmp_path)
    path = store(WHERE, text("A rule.", valid_score=score, history=history, seed=7), tmp_path)
    main(["prompts", "list", *project])
    assert capsys.readouterr().out == f"x86_64/l2/openai_some-model  1 rules, valid 5/8  {path}\n"
    main(["prompts", "show", "some-model", *project])
    out = capsys.readouterr().out
    assert "  [semantic] A rule.\n" in out
    assert "performance: no rules" in out
    assert "seed: 7" in out
    main(["prompts", "history", "some-model", *project])
    out = capsys.readouterr().out
    assert out.index("#1") < out.index("epoch 0: 4/8 on valid, 0 rules\n")
    assert "  epoch 1: 5/8 on valid, None rules, 0.50" not in out
    assert "  epoch 1: 5/8 on valid, 1 rules, 0.50 self-debug rounds\n" in out
    main(["prompts", "diff", "some-model#1", "some-model", *project])
    out = capsys.readouterr().out
    assert "-  [semantic] Old rule." in out
    assert "+  [semantic] A rule." in out
    main(["prompts", "export", "some-model", "--out", str(tmp_path / "out.yaml"), *project])
    assert read(tmp_path / "out.yaml", tmp_path).correctness_rules[0].text == "A rule."
    main(["prompts", "export", "some-model", *project])
    assert capsys.readouterr().out == (tmp_path / "out.yaml").read_text()


def test_a_wrong_name_is_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As with every command, and so is a place that cannot be written."""
    assert main(["prompts", "show", "nothing", "--project", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("neucomback: no learned prompt 'nothing'.")
    store(WHERE, text("A rule."), tmp_path)
    target = str(tmp_path / "no" / "folder.yaml")
    assert main(["prompts", "export", "some-model", "--out", target, "--project", str(tmp_path)]) == 2
    assert "folder.yaml cannot be written (No such file or directory)" in capsys.readouterr().err
