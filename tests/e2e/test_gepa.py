"""--nc-learn-optimizer=gepa: the search over a bench that is made up, and one whole run against simulated models."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.metadata
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from evaluation import Project, error_lines
from simulated import SimulatedEndpoint, usable

from pytest_neucomback.arches import load_arches
from pytest_neucomback.errors import BudgetSpent, ConfigError, ModelUnavailable
from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.learn import Answer, Learned, LearnSettings, Trial
from pytest_neucomback.ledger import Ledger
from pytest_neucomback.options import LEARN_EXTENSIONS
from pytest_neucomback.prompts import PLACEHOLDERS, Prompt
from pytest_neucomback.tasks import load_suites
from pytest_neucomback.teacher import load_teacher
from pytest_neucomback.toolchain import Toolchain

pytest.importorskip("gepa")

from pytest_neucomback.learn_gepa import GepaLearner, check_gepa, trial_score

TRAIN = tuple(f"train{i}" for i in range(8))
VALID = tuple(f"valid{i}" for i in range(4))
NEEDS = {task: ("alpha", "beta", "gamma", "alpha")[i % 4] for i, task in enumerate((*TRAIN, *VALID))}
"""The word that a task's prompt has to hold for the student to solve it."""
BASE = Prompt("baseline", dict.fromkeys(PLACEHOLDERS, "${rules}"))


class MadeUpBench:
    """A student that obeys rules, a teacher that reads what is missing; ``left`` bounds what they may be asked."""

    def __init__(self, *, left: int | None = None, useless: bool = False) -> None:
        self.left, self.useless = left, useless
        self.calls: Counter[str] = Counter()
        """By task, or ``extract`` and ``merge``."""

    def _pay(self, what: str) -> None:
        if self.left is not None and sum(self.calls.values()) >= self.left:
            raise BudgetSpent("the budget is spent")
        self.calls[what] += 1

    async def trial(self, task: str, prompt: Prompt, *, opt_rounds: int) -> Trial:
        await asyncio.sleep(0)
        self._pay(f"{task} {prompt.digest()}")
        word = NEEDS[task]
        solved = word in prompt.rules_text(performance=False)
        outcome = "correct" if solved else "wrong"
        said = "" if solved else f"it lacks {word}"
        shown = {"kind": "generate", "outcome": outcome, "diagnostic": said, "assembly": "nop", "reply": ""}
        return Trial(task, outcome, outcome, 0, None, (shown,), tokens_in=10, tokens_out=1)

    async def teach(self, messages: tuple[Any, ...]) -> Answer:
        asked = messages[-1]["content"]
        if "```insights" in asked:
            self._pay("extract")
            word = re.search(r"it lacks (\w+)", asked)
            text = "be good" if self.useless or not word else f"always write {word[1]}"
            return Answer(f"```insights\n- [semantic] {text}\n```", 100, 5)
        self._pay("merge")
        kept = re.findall(r"(?m)^R\d+ \[.*", asked.partition("Write the rules anew")[0])
        new = dict.fromkeys(re.findall(r"(?m)^I\d+ (\[\w+\] .*) \(\w+\)$", asked))
        lines = [f"- {line}" for line in kept] + [f"- new {line} (I1)" for line in new if line not in "\n".join(kept)]
        return Answer("```rules\n" + "\n".join(lines) + "\n```", 200, 10)

    def trial_key(self, task: str, prompt: Prompt, *, opt_rounds: int) -> object:
        return [task, prompt.digest(), opt_rounds]

    def teacher_key(self) -> object:
        return "teacher"

    def source(self, task: str) -> str:
        return ""


def learner(bench: MadeUpBench, folder: Path, **settings: Any) -> GepaLearner:
    given = {"epochs": 4, "batch": 3, "extensions": frozenset(LEARN_EXTENSIONS), **settings}
    teacher = load_teacher(load_arches()["x86_64"], folder)
    return GepaLearner(
        bench, Ledger(folder / "ledger"), teacher, LearnSettings(**given), base=BASE, train=TRAIN, valid=VALID
    )


def learn(bench: MadeUpBench, folder: Path, **settings: Any) -> Learned:
    return asyncio.run(learner(bench, folder, **settings).run())


def test_rules_that_win_are_learned(tmp_path: Path) -> None:
    """The winner holds rules that solve valid tasks which the empty prompt does not, each with where it came from."""
    learned = learn(MadeUpBench(), tmp_path)
    assert learned.epochs[0].score.correct == 0
    assert learned.winner.score.correct == 4
    rules = learned.winner.prompt.correctness_rules
    assert {r.text for r in rules} >= {"always write alpha", "always write beta", "always write gamma"}
    assert all(r.sources and set(r.sources) <= set(TRAIN) and r.helped > 0 for r in rules)
    assert [e.number for e in learned.epochs] == list(range(len(learned.epochs)))
    kept = [b for b in learned.batches if b.gate.startswith("kept")]
    assert kept
    assert all(set(b.outcomes) == set(b.tasks) for b in learned.batches)
    assert all(d.apply for b in kept for _, d in b.changes)


def test_trials_are_bounded_and_paid_once(tmp_path: Path) -> None:
    """No more trials are made than the paper's method makes, none of them twice; tokens are those of the calls."""
    bench = MadeUpBench()
    learned = learn(bench, tmp_path, extensions=frozenset({"failed"}))
    trials = {what: n for what, n in bench.calls.items() if " " in what}
    assert sum(trials.values()) <= 4 * len(TRAIN) + 5 * len(VALID)
    assert set(trials.values()) == {1}
    assert learned.tokens_in == 10 * len(trials) + 100 * bench.calls["extract"] + 200 * bench.calls["merge"]


def test_a_run_that_stops_anywhere_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    """However often the budget stops it, the same ledger leads to the same end, and no call is repeated."""
    whole = MadeUpBench()
    expected = learn(whole, tmp_path / "whole")
    together: Counter[str] = Counter()
    stops = 0
    for _ in range(50):
        bench = MadeUpBench(left=5)
        try:
            got = learn(bench, tmp_path / "pieces")
        except BudgetSpent:
            stops += 1
            continue
        finally:
            together += bench.calls
        break
    assert stops > 3
    assert dataclasses.asdict(got) == dataclasses.asdict(expected)
    assert together == whole.calls


def test_the_seed_decides(tmp_path: Path) -> None:
    """The same seed searches in the same order, another one in another."""
    orders = [
        [b.tasks for b in learn(MadeUpBench(), tmp_path / str(i), seed=seed).batches]
        for i, seed in enumerate((1, 1, 2))
    ]
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("what", ["teach", "trial"])
def test_a_model_that_fails_ends_the_search(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of teacher or student comes out of the learner, though gepa swallows some, and nothing more is asked."""
    bench = MadeUpBench()
    failed: list[str] = []

    async def fail(*args: Any, **named: Any) -> Any:
        failed.append(what)
        raise ModelUnavailable("gone")

    monkeypatch.setattr(bench, what, fail)
    with pytest.raises(ModelUnavailable, match="gone"):
        learn(bench, tmp_path)
    assert 0 < len(failed) <= len(VALID)


def test_a_proposal_that_wins_nothing_is_dropped(tmp_path: Path) -> None:
    """Rules that make nothing better stay out, the report says why, and learning stops early."""
    learned = learn(MadeUpBench(useless=True), tmp_path, epochs=8)
    assert learned.winner.number == 0
    assert learned.winner.prompt.correctness_rules == ()
    assert learned.stopped == "no better valid score since epoch 0"
    assert {b.gate.partition("(")[0] for b in learned.batches} <= {
        "dropped: no better on its batch ", "dropped: was tried before",
    }  # fmt: skip
    assert not any(d.apply for b in learned.batches for _, d in b.changes)


@pytest.mark.parametrize(
    ("outcome", "rounds", "faster", "score"),
    [
        ("wrong", 2, None, 0.0),
        ("correct", 0, None, 1.0),
        ("correct", 0, True, 1.0),
        ("correct", 0, False, 0.75),
        ("correct", 2, None, 0.875),
        ("correct", 90, False, 0.5),
    ],
)
def test_scores(outcome: str, rounds: int, faster: bool | None, score: float) -> None:
    """A solved task counts most; repairs and being slower take a little off."""
    assert trial_score(Trial("t", outcome, outcome, rounds, faster, ())) == score


def test_gepa_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, or with another version of it, the error says what to install."""
    check_gepa()
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0.1")
    with pytest.raises(ConfigError, match=r"found 0\.0\.1; pip install pytest-neucomback\[gepa\]$"):
        check_gepa()

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(ConfigError, match=r"not installed; pip install pytest-neucomback\[gepa\]$"):
        check_gepa()


# --- a whole run ------------------------------------------------------------------------------------------------------

SPLIT = {"s000": "train", "s111": "train", "s1112": "train", "s112": "train", "s2711": "valid", "s4115": "valid"}


@pytest.fixture
def models(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedEndpoint]:
    """Simulated models for a few bundled tasks, which are copied into the project's suite with splits of their own."""
    tasks = [t for t in load_suites(["bundled:l2"]) if t.name in SPLIT]
    toolchain = Toolchain("x86_64", cache=project.cache)
    judge = Judge(JudgeSettings(1, 8, simplify=False), {"x86_64": toolchain})
    found = {"x86_64": usable(toolchain, judge, tasks, styles=("clang-O1",))}
    suite = project.path / "learning"
    suite.mkdir()
    for task in tasks:
        (suite / task.c_path.name).write_bytes(task.c_path.read_bytes())
        data = yaml.safe_load(task.yaml_path.read_text()) | {"split": SPLIT[task.name]}
        (suite / task.yaml_path.name).write_text(yaml.safe_dump(data))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with SimulatedEndpoint(tasks, {"x86_64": toolchain}, found, seed=3) as endpoint:
        monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
        yield endpoint


ARGUMENTS = (
    "--nc-suite=learning", "--nc-model=openai:sim-student", "--nc-learn-model=openai:sim-teacher", "--nc-learn-prompt",
    "--nc-learn-optimizer=gepa", "--nc-learn-epochs=2", "--nc-inputs=4",
)  # fmt: skip


@pytest.mark.slow
def test_a_whole_run(project: Project, models: SimulatedEndpoint) -> None:
    """gepa learns from judged trials of an endpoint, is stopped by a budget, goes on, and stores an ordinary prompt."""
    stopped = project.run(*ARGUMENTS, "--nc-budget-tokens=15000", "--nc-report=report")
    asked = len(models.log)
    assert stopped.ret == 1, stopped.outlines
    assert any("goes on where this one stopped" in line for line in stopped.outlines), stopped.outlines
    result = project.run(*ARGUMENTS, "--nc-report=report")
    assert result.ret == 0, result.outlines
    assert len(models.log) > asked > 0
    bodies = Counter(str(e.body) for e in models.log)
    assert set(bodies.values()) == {1}, "a request was paid for twice"
    assert models.counts["extract"] > 0
    assert models.counts["review"] == 0
    stored = yaml.safe_load((project.path / "prompts/learned/x86_64/l2/openai_sim-student.yaml").read_text())
    assert stored["provenance"]["optimizer"] == "gepa"
    assert stored["provenance"]["history"][0]["epoch"] == 0
    assert (project.path / "report" / "learn.html").is_file()


def test_a_missing_package_is_said_before_work_starts(project: Project) -> None:
    """Without gepa the run is refused in one line."""
    project.pytester.makeconftest(
        "import importlib.metadata\n\n\n"
        "def pytest_configure():\n"
        "    real = importlib.metadata.version\n\n"
        "    def version(name):\n"
        "        if name == 'gepa':\n"
        "            raise importlib.metadata.PackageNotFoundError(name)\n"
        "        return real(name)\n\n"
        "    importlib.metadata.version = version\n"
    )
    project.add_task("one", c="#define N 256\nextern int a[N];\nvoid one(void) { a[0] = 1; }\n",
                     yaml="function: one\nlevel: mini\nsplit: valid\nobserve: [a]\n")  # fmt: skip
    result = project.run("--nc-model=compiler:clang-O1", "--nc-level=mini", *ARGUMENTS[3:])
    assert result.ret != 0
    assert any("pip install pytest-neucomback[gepa]" in line for line in error_lines(result)), error_lines(result)
