"""Rules left out one by one: a student that is made up, and the command with answers on disk and a real judge."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from evaluation import ARCH, Project, correct

from pytest_neucomback.ablate import (
    Ablation,
    Request,
    Tried,
    ablate,
    closing_lines,
    shortened_yaml,
    tried_lines,
    valid_tasks,
    where_to_store,
)
from pytest_neucomback.cli import main
from pytest_neucomback.errors import BudgetSpent, ConfigError
from pytest_neucomback.learn import Trial
from pytest_neucomback.prompt_store import Stored, find, prompt_yaml, store, versions
from pytest_neucomback.prompts import Prompt, Rule, load_prompt
from pytest_neucomback.tasks import load_suites

TASKS = ("one", "two", "three")


class Student:
    """Solves ``one`` with the word `need` in its rules, ``two`` always, ``three`` unless `harm` is in them."""

    def __init__(self, *, left: int = 1000) -> None:
        self.left = left
        self.prompts: list[Prompt] = []

    async def trial(self, task: str, prompt: Prompt, *, opt_rounds: int) -> Trial:
        self.left -= 1
        if self.left < 0:
            raise BudgetSpent("spent")
        self.prompts.append(prompt)
        text = prompt.rules_text(performance=True)
        solved = {"one": "need" in text, "two": True, "three": "harm" not in text}[task]
        outcome = "correct" if solved else "wrong"
        rounds = 0 if "quick" in text else 1
        return Trial(task, outcome, outcome, rounds, "vector" in text if opt_rounds else None, ())

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not needed")


def rules(*texts: str, kind: str = "semantic") -> tuple[Rule, ...]:
    return tuple(Rule(text, kind) for text in texts)


def prompt(correctness: tuple[str, ...], performance: tuple[str, ...] = ()) -> Prompt:
    made = load_prompt("baseline", model="m", arch="x86_64", level="l2", project=Path("/nowhere"))
    return dataclasses.replace(
        made, correctness_rules=rules(*correctness), performance_rules=rules(*performance, kind="performance")
    )


def tried(found: Ablation) -> dict[str, Tried]:
    return {t.rule.text: t for t in found.tried}


def test_rules_are_judged_by_what_happens_without_them() -> None:
    """A rule stays when tasks are lost or take more rounds without it; one that harms or does nothing goes."""
    made = prompt(("you need this", "this does harm", "be quick", "nothing"))
    found = asyncio.run(ablate(Student(), made, TASKS))
    by_text = tried(found)
    assert [t.rule.text for t in found.tried] == ["nothing", "be quick", "this does harm", "you need this"]
    assert by_text["you need this"].lost == ("one",)
    assert by_text["this does harm"].won == ("three",)
    assert by_text["be quick"].rounds > 0
    assert {text: t.verdict for text, t in by_text.items()} == {
        "you need this": "earns its place", "this does harm": "drop", "be quick": "earns its place", "nothing": "drop",
    }  # fmt: skip
    assert [r.text for r in found.prompt.correctness_rules] == ["you need this", "be quick"]
    assert (found.before.correct, found.after.correct) == (2, 3)


def test_of_two_rules_that_say_the_same_one_stays() -> None:
    """A rule that was dropped stays out while the others are tried, so that twins do not both go."""
    found = asyncio.run(ablate(Student(), prompt(("you need this", "you do need this")), TASKS))
    assert [r.text for r in found.prompt.correctness_rules] == ["you need this"]
    assert found.after.correct == found.before.correct == 3


def test_rules_for_speed_need_times() -> None:
    """Rules for speed are left alone where nothing is timed, and judged by who is faster where something is."""
    made = prompt(("you need this",), ("use vectors: vector", "sing"))
    untimed = asyncio.run(ablate(Student(), made, TASKS))
    assert [r.text for r in untimed.untried] == ["use vectors: vector", "sing"]
    assert len(untimed.prompt.performance_rules) == 2
    assert "without --opt-rounds" in closing_lines(untimed)[0]
    timed = asyncio.run(ablate(Student(), made, TASKS, opt_rounds=1, timed=True))
    assert [r.text for r in timed.prompt.performance_rules] == ["use vectors: vector"]
    assert tried(timed)["use vectors: vector"].faster == -3


def test_what_is_told() -> None:
    """Each rule is told with tasks lost and won, its length and the verdict, as soon as it has been tried."""
    told: list[Any] = []
    with pytest.raises(BudgetSpent):
        asyncio.run(ablate(Student(left=7), prompt(("you need this", "nothing", "nor this")), TASKS, noted=told.append))
    score, last = told
    assert score.correct == 3
    assert tried_lines(last)[0] == "R3: drop"
    assert "lost 0, won 0, self-debug rounds +0; 8 characters" in tried_lines(last)[2]


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def learned(tmp_path: Path) -> Stored:
    """A stored prompt with two rules."""
    made = dataclasses.replace(
        prompt(()), correctness_rules=(Rule("you need this", "semantic", ("t",), "R1", 2), *rules("nothing"))
    )
    text = prompt_yaml(
        made, name="learned-x", description="Learned.", parent="baseline", provenance={"model": "m", "seed": 3}
    )
    store("x86_64/l2/m", text, tmp_path)
    return find("x86_64/l2/m", tmp_path)


def test_the_shortened_prompt_is_a_new_version(learned: Stored, tmp_path: Path) -> None:
    """What is stored keeps parent, rules with their origin and provenance, says what was dropped, and has a history."""
    found = asyncio.run(ablate(Student(), learned.prompt, TASKS))
    request = Request(learned, "m", "x86_64", "l2")
    store(where_to_store(request), shortened_yaml(request, found, tmp_path), tmp_path)
    new = find("x86_64/l2/m", tmp_path)
    assert new.prompt.correctness_rules == (Rule("you need this", "semantic", ("t",), "R1", 2),)
    assert new.prompt.provenance["ablation"]["dropped"] == ["nothing"]
    assert new.prompt.provenance["seed"] == 3
    assert yaml.safe_load(new.path.read_text())["parent"] == "baseline"
    assert len(versions(new, tmp_path)) == 2


def test_a_prompt_of_ones_own_is_stored_whole(tmp_path: Path) -> None:
    """A file whose parent is not found from where learned prompts lie is stored with its templates."""
    (tmp_path / "base.yaml").write_text(prompt_yaml_of("Say ${source} ${function} ${rules}"))
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nparent: base\ncorrectness_rules: [you need this, nothing]\n")
    stored = find(str(own), tmp_path)
    request = Request(stored, "openai:m", "x86_64", "l1")
    found = asyncio.run(ablate(Student(), stored.prompt, TASKS))
    assert where_to_store(request) == "x86_64/l1/openai:m"
    path = store(where_to_store(request), shortened_yaml(request, found, tmp_path), tmp_path)
    (tmp_path / "base.yaml").unlink()
    new = find("x86_64/l1/openai:m", tmp_path)
    assert new.path == path
    assert new.prompt.templates == stored.prompt.templates
    assert [r.text for r in new.prompt.correctness_rules] == ["you need this"]


def prompt_yaml_of(initial: str) -> str:
    templates = {
        "system": "x",
        "initial": initial,
        "debug": "${diagnostic} ${rules}",
        "optimise": "${assembly} ${rules}",
    }
    return yaml.safe_dump({"name": "base", **templates})


def test_only_valid_tasks_are_read(learned: Stored) -> None:
    """Tasks are of the level and the valid split, and a number draws the same ones as learning with that seed does."""
    tasks = load_suites(("bundled:l2",))
    every = valid_tasks(tasks, Request(learned, "m", "x86_64", "l2"))
    assert {t.split for t in every.values()} == {"valid"}
    some = valid_tasks(tasks, Request(learned, "m", "x86_64", "l2", valid=3, seed=5))
    assert len(some) == 3
    assert set(some) < set(every)
    with pytest.raises(ConfigError, match="no task of the valid split"):
        valid_tasks(tasks, Request(learned, "m", "x86_64", "l9"))


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def stored(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with one valid task, answers for it, and a prompt with two rules."""
    project.add_task("bump", yaml="function: bump\nlevel: mini\nsplit: valid\nobserve: [a]\n")
    project.answers("answers", bump=correct("bump"))
    made = {"model": "files:answers", "arch": ARCH, "level": "mini", "seed": 1}
    text = prompt_yaml(prompt(("one", "two")), name="x", description="x", parent="baseline", provenance=made)
    store(f"{ARCH}/mini/files:answers", text, project.path)
    monkeypatch.chdir(project.path)
    return project


def test_the_command_with_a_real_judge(stored: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Answers that do not depend on the prompt show every rule to be useless; --write stores a prompt without them."""
    arguments = ["prompts", "ablate", ARCH, "--suite", "suite", "--cache", str(stored.cache), "--write"]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "1/1 correct on valid with all rules" in told
    assert "R2: drop" in told
    assert "0 of 2 rules left, 0 of 6 characters" in told
    new = find(f"{ARCH}/mini/files:answers", stored.path)
    assert new.prompt.correctness_rules == ()
    assert new.prompt.provenance["ablation"]["dropped"] == ["two", "one"]
    assert main(arguments) == 2
    assert "no rules that could be left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--model", "compiler:clang-O1"), "a compiler reads no rules"),
        (("--arch", "vax"), "unknown architecture"),
        (("--level", "l9"), "no task of the valid split"),
        (("--nc-budget-usd", "-1"), "an amount above 0"),
        (("--nc-models-file", "none.yaml"), "no such file"),
    ],
)
def test_unusable_input(stored: Project, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], said: str) -> None:
    """What cannot work is said in one line before work starts."""
    arguments = ["prompts", "ablate", ARCH, "--suite", "suite", "--cache", str(stored.cache), *given]
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
