"""``pytest --nc-learn-prompt`` as a user runs it, against a student and a teacher behind HTTP."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from loopback import Drop, Step
from simulated import TEACHER, WAYS, Exchange, Knobs, SimulatedEndpoint, Usable, usable

from pytest_neucomback.cli import main
from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.tasks import Task, load_suites
from pytest_neucomback.toolchain import Toolchain

SPLITS = {
    "train": ("s000", "s111", "s1112", "s112"),
    "valid": ("s2711", "s4115", "s1221"),
    "test": ("s122", "s221"),
}
"""Tasks of the bundled suite, with splits of our own."""
STYLES = ("clang-O1", "clang-O2")
STUDENT = Knobs(
    chances={**{way.name: 0.0 for way in WAYS}, "globl": 0.8, "section": 0.7, "fence": 0.5}, repairs=0.4,
    teacher_harmful=0.0, teacher_specific=0.0, teacher_loses=0.0, applies=1.0,
)  # fmt: skip
"""It makes few kinds of mistakes, often, and its teacher can name them all, so that learning pays with any luck."""
WHERE = Path("prompts") / "learned" / "x86_64" / "l2" / "openai_sim-student.yaml"
LEARN = (
    "--nc-model=openai:sim-student", "--nc-learn-model=openai:sim-teacher", "--nc-learn-prompt", "--nc-learn-epochs=2",
    "--nc-learn-batch=2", "--nc-learn-test",
)  # fmt: skip


class Endpoint(SimulatedEndpoint):
    """Simulated models that can bring a process down at a request."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._left: int | None = None
        self._victim: subprocess.Popen[bytes] | None = None
        self._counting = threading.Lock()
        self.dead = threading.Event()

    def kill(self, victim: subprocess.Popen[bytes], after: int) -> None:
        """Answer so many more requests, then kill the process as it waits for the next answer."""
        with self._counting:
            self.dead.clear()
            self._victim, self._left = victim, after

    def _serve(self, body: dict[str, Any]) -> Step:
        with self._counting:
            left = self._left
            if left is not None:
                self._left = left - 1
        if left is None or left > 0:
            return super()._serve(body)
        if left == 0 and self._victim is not None:
            # what was answered has arrived and is judged, or is about to be, when the process is killed
            time.sleep(0.7)
            self._victim.send_signal(signal.SIGKILL)
            self._victim.wait()
            with self._counting:
                self._left = None
            self.dead.set()
        else:
            self.dead.wait(30)
        return Drop()


@dataclass
class World:
    """The models, the suite and the caches that all runs of this file share."""

    endpoint: Endpoint
    tasks: list[Task]
    suite: Path
    builds: Path
    base: Path

    def functions(self, split: str) -> re.Pattern[str]:
        """Names of a split's functions."""
        names = [t.function for t in self.tasks if t.name in SPLITS[split]]
        return re.compile(rf"\b(?:{'|'.join(names)})\b")


@dataclass
class Folder:
    """A user's folder with a reply cache of its own; ``log`` is what its runs have asked."""

    world: World
    path: Path
    suite: Path | None = None
    """Instead of the one that all share."""
    first: int = field(init=False)

    def __post_init__(self) -> None:
        self.first = len(self.world.endpoint.log)
        (self.path / "cache").mkdir(parents=True)
        (self.path / "cache" / "build").symlink_to(self.world.builds, target_is_directory=True)
        (self.path / "pytest.ini").write_text("[pytest]\n")

    @property
    def log(self) -> list[Exchange]:
        return self.world.endpoint.log[self.first :]

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run pytest to its end."""
        return subprocess.run(
            self.command(*args), cwd=self.path, env=self.environment(), capture_output=True, text=True, timeout=300
        )

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start pytest, to be killed."""
        with (self.path / "output.txt").open("wb") as output:
            return subprocess.Popen(
                self.command(*args), cwd=self.path, env=self.environment(), stdout=output, stderr=subprocess.STDOUT
            )

    def command(self, *args: str) -> list[str]:
        common = (
            f"--nc-suite={self.suite or self.world.suite}", "--nc-arch=x86_64", "--nc-cache=cache", "--nc-seed=7",
            "--nc-no-time", "--nc-inputs=4", "-p", "no:cacheprovider",
        )  # fmt: skip
        return [sys.executable, "-m", "pytest", *common, *args]

    def environment(self) -> dict[str, str]:
        mine = {"OPENAI_BASE_URL": self.world.endpoint.url, "OPENAI_API_KEY": "none", "COLUMNS": "120"}
        dropped = re.compile(r"PYTEST_|COV_|https?_proxy|all_proxy", re.IGNORECASE)
        return {**{k: v for k, v in os.environ.items() if not dropped.match(k)}, **mine}

    def prompt(self) -> str:
        """The stored winner."""
        return (self.path / WHERE).read_text(encoding="utf-8")

    def learned(self, report: str = "") -> dict[str, Any]:
        """The only subject of the newest learn.json."""
        folder = self.path / report if report else max((self.path / "reports").iterdir())
        (found,) = json.loads((folder / "learn.json").read_text())["subjects"]
        assert isinstance(found, dict)
        return found


def said(log: Sequence[Exchange]) -> list[str]:
    """All that was said in each request."""
    return ["\n".join(m["content"] for m in exchange.body["messages"]) for exchange in log]


def twice(log: Sequence[Exchange]) -> list[str]:
    """Requests that were answered more than once."""
    return [text for text, count in Counter(json.dumps(e.body, sort_keys=True) for e in log).items() if count > 1]


@pytest.fixture(scope="module")
def world(build_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    base = tmp_path_factory.mktemp("learning")
    (base / "cache").mkdir()
    (base / "cache" / "build").symlink_to(build_cache, target_is_directory=True)
    names = {name: split for split, names in SPLITS.items() for name in names}
    tasks = [t for t in load_suites(["bundled:l2"]) if t.name in names]
    assert len(tasks) == len(names)
    suite = base / "suite"
    suite.mkdir()
    for task in tasks:
        (suite / task.c_path.name).write_bytes(task.c_path.read_bytes())
        data = yaml.safe_load(task.yaml_path.read_text()) | {"split": names[task.name]}
        (suite / task.yaml_path.name).write_text(yaml.safe_dump(data))
    toolchain = Toolchain("x86_64", cache=base / "cache")
    judge = Judge(JudgeSettings(1, 4, simplify=False), {"x86_64": toolchain})
    found: Usable = {}
    # the second style where learning takes place; elsewhere it would cost judging and show nothing new
    for some, styles in (("train",), STYLES), (("valid", "test"), STYLES[:1]):
        for way, by_task in usable(
            toolchain, judge, [t for t in tasks if names[t.name] in some], styles=styles
        ).items():
            found.setdefault(way, {}).update(by_task)
    with Endpoint(tasks, {"x86_64": toolchain}, {"x86_64": found}, seed=4, student=STUDENT) as endpoint:
        yield World(endpoint, tasks, suite, build_cache, base)


@dataclass
class Whole:
    """A run that nothing interrupted."""

    folder: Folder
    output: str
    log: list[Exchange]
    learned: Mapping[str, Any]


@pytest.fixture(scope="module")
def whole(world: World) -> Whole:
    folder = Folder(world, world.base / "whole")
    result = folder.run(*LEARN)
    assert result.returncode == 0, result.stdout + result.stderr
    return Whole(folder, result.stdout, folder.log, folder.learned())


def tokens(log: Sequence[Exchange]) -> int:
    """What the endpoint says that these exchanges used."""
    sizes = ((sum(len(m["content"]) for m in e.body["messages"]), len(e.reply)) for e in log)
    return sum(-(-asked // 4) - (-replied // 4) for asked, replied in sizes)


# --- a run and its outcome --------------------------------------------------------------------------------------------


def test_a_winner_is_found_and_stored(whole: Whole) -> None:
    """The winner's rules, scores and history are in the prompt file, the report and the terminal alike."""
    stored, learned = yaml.safe_load(whole.folder.prompt()), whole.learned
    history = stored["provenance"]["history"]
    assert [row["epoch"] for row in history] == [0, 1, 2]
    assert stored["provenance"]["won_in_epoch"] == learned["winner"] > 0
    best = max(history, key=lambda row: (row["correct"], -(row["mean_debug_rounds"] or 0)))
    assert best["epoch"] == learned["winner"]
    assert best["correct"] > history[0]["correct"]
    rules = [r["text"] for r in stored["correctness_rules"]]
    assert [r["text"] for r in learned["epochs"][learned["winner"]]["rules"]] == rules
    assert len({r["id"] for r in stored["correctness_rules"]}) == len(rules) > 0
    assert all(set(r["sources"]) <= set(SPLITS["train"]) for r in stored["correctness_rules"])
    assert learned["stored"] == str(whole.folder.path / WHERE)
    assert f"valid {history[0]['correct']}/3 -> {best['correct']}/3" in whole.output
    (report,) = (whole.folder.path / "reports").iterdir()
    assert "Rules of the winner" in (report / "learn.html").read_text()
    assert json.loads((report / "results.json").read_text())["run"]["finished"] is True
    assert learned["tokens_in"] + learned["tokens_out"] == tokens(
        [e for e, text in zip(whole.log, said(whole.log), strict=True)
         if not whole.folder.world.functions("test").search(text)]
    )  # fmt: skip


def test_the_test_split_is_read_by_nobody_before_the_end(whole: Whole) -> None:
    """Requests about its functions come after all others, and none of them goes to the teacher."""
    test, valid = (whole.folder.world.functions(split) for split in ("test", "valid"))
    texts = said(whole.log)
    about_test = [bool(test.search(text)) for text in texts]
    first = about_test.index(True)
    assert all(about_test[first:])
    assert first > len(texts) // 2
    for exchange, text in zip(whole.log, texts, strict=True):
        assert exchange.model != TEACHER or not (test.search(text) or valid.search(text))
    assert {e.task for e in whole.log[first:]} == set(SPLITS["test"])


def test_nothing_is_asked_twice(whole: Whole) -> None:
    """Gate, epochs and the closing comparison share what they have in common."""
    assert twice(whole.log) == []


def test_progress_is_shown_while_it_learns(whole: Whole) -> None:
    """A line for each batch and one for the winner, though pytest captures what is printed during a test."""
    lines = [line for line in whole.output.splitlines() if line.startswith("learn x86_64/l2/openai:sim-student: ")]
    batches = [f"epoch {b['epoch']}/2, batch {b['batch']}/" for b in whole.learned["batches"]]
    assert len(lines) == 1 + len(batches) + 1
    assert "before the first epoch, baseline on valid" in lines[0]
    for line, place in zip(lines[1:-1], batches, strict=True):
        assert re.search(rf": {place}2?1?, trials, best valid \d/3, \d+ tokens", line), line
    assert re.search(r"tokens, at most \d+ (s|min) left$", lines[-2])
    assert f"epoch {whole.learned['winner']} wins, valid " in lines[-1]
    assert lines[-1].endswith("; baseline and winner now run on the test split")


def test_the_learned_prompt_is_used_and_compared(whole: Whole, capsys: pytest.CaptureFixture[str]) -> None:
    """--nc-prompt=learned asks with the rules, finds the closing comparison's replies in the cache, and comes to the
    same pairs."""
    folder = whole.folder
    before = len(folder.world.endpoint.log)
    result = folder.run("--nc-model=openai:sim-student", "--nc-prompt=baseline,learned", "--nc-split=test",
                        "--nc-report=evaluated")  # fmt: skip
    assert result.returncode in (0, 1), result.stdout + result.stderr
    assert len(folder.world.endpoint.log) == before
    results = json.loads((folder.path / "evaluated" / "results.json").read_text())
    rules = [r["text"] for r in yaml.safe_load(folder.prompt())["correctness_rules"]]
    assert Counter(item["prompt"] for item in results["items"]) == {"baseline": 2, "learned": 2}
    for item in results["items"]:
        rounds = json.loads((folder.path / "evaluated" / item["transcript_file"]).read_text())["rounds"]
        asked = rounds[0]["messages"][-1]["content"]
        assert all((f"- {rule}\n" in asked) is (item["prompt"] == "learned") for rule in rules)
    assert main(["compare", str(folder.path / "evaluated"), "--json"]) == 0
    (comparison,) = json.loads(capsys.readouterr().out)
    assert (comparison["first"], comparison["second"]) == ("baseline", "learned")
    test = whole.learned["test"]
    assert comparison["acc"] == {key: test[key] for key in comparison["acc"]}
    assert main(["compare", str(folder.path / "evaluated")]) == 0
    text = capsys.readouterr().out
    assert f"correct      {test['baseline']['correct']} -> {test['winner']['correct']}; won {len(test['won'])}" in text
    assert main(["compare", str(max((folder.path / "reports").iterdir()))]) == 2
    assert "holds no items" in capsys.readouterr().err


def test_the_commands_show_what_was_learned(whole: Whole, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """list, show, history, diff and export."""
    project = ["--project", str(whole.folder.path)]
    stored = yaml.safe_load(whole.folder.prompt())
    rules, score = stored["correctness_rules"], stored["provenance"]["valid_score"]

    def said_by(*args: str) -> str:
        assert main(["prompts", *args, *project]) == 0
        return capsys.readouterr().out

    path = whole.folder.path / WHERE
    line = f"x86_64/l2/openai_sim-student  {len(rules)} rules, valid {score['correct']}/3  {path}\n"
    assert line in said_by("list")
    shown = said_by("show", "openai:sim-student")
    assert all(f"  [{r['kind']}] {r['text']}\n" in shown for r in rules)
    assert "won_in_epoch" in shown
    history = said_by("history", "sim-student")
    assert history.count("  epoch ") == 3
    out = tmp_path / "plain.yaml"
    said_by("export", "sim-student", "--out", str(out))
    assert "parent" not in yaml.safe_load(out.read_text())
    assert said_by("diff", "sim-student", str(out)) == "the rules are the same\n"
    difference = said_by("diff", "baseline", "x86_64/l2/openai:sim-student")
    assert all(f"+  [{r['kind']}] {r['text']}" in difference.splitlines() for r in rules)


# --- interruption and budget ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on(world: World, whole: Whole, kills: int) -> None:
    """Killed at random requests, it ends with the same file and pays for nothing twice."""
    folder = Folder(world, world.base / f"killed{kills}")
    points = sorted(random.Random(kills).sample(range(1, len(whole.log)), kills))
    for after in (later - sooner for sooner, later in itertools.pairwise([0, *points])):
        before = len(folder.log)
        process = folder.start(*LEARN)
        world.endpoint.kill(process, after)
        assert world.endpoint.dead.wait(120), (folder.path / "output.txt").read_text()
        assert process.returncode == -signal.SIGKILL
        assert len(folder.log) == before + after
        # stored before the test split is tried
        assert not (folder.path / WHERE).exists() or folder.prompt() == whole.folder.prompt()
    result = folder.run(*LEARN)
    assert result.returncode == 0, result.stdout + result.stderr
    assert twice(folder.log) == []
    assert folder.prompt() == whole.folder.prompt()
    assert len(list((folder.path / "reports").iterdir())) == 1
    mine, unbroken = (sorted(json.dumps(e.body, sort_keys=True) for e in log) for log in (folder.log, whole.log))
    assert mine == unbroken


def test_a_budget_stops_it_and_more_goes_on(world: World, whole: Whole) -> None:
    """It stops below the limit, says so in a line and with exit status 1; with more it comes to the same file."""
    folder = Folder(world, world.base / "budget")
    budget = tokens(whole.log) // 2
    stopped = folder.run(*LEARN, f"--nc-budget-tokens={budget}")
    assert stopped.returncode == 1
    used = tokens(folder.log)
    assert 0.6 * budget < used <= budget
    said_so = rf"--nc-budget-tokens={budget}: \d+ tokens are used, and the next request may take \d+; a larger budget"
    assert re.search(said_so, stopped.stdout)
    assert "The same command goes on where this one stopped and pays for nothing twice." in stopped.stdout
    assert "Traceback" not in stopped.stdout
    assert not (folder.path / WHERE).exists()
    assert folder.learned()["error"].startswith(f"--nc-budget-tokens={budget}: ")
    more = folder.run(*LEARN, f"--nc-budget-tokens={3 * budget}")
    assert more.returncode == 0, more.stdout
    assert twice(folder.log) == []
    assert folder.prompt() == whole.folder.prompt()
    assert len(list((folder.path / "reports").iterdir())) == 1


@pytest.mark.slow
def test_processes_judge_the_same(world: World, whole: Whole) -> None:
    """-n 2 gives two judging processes and the same winner."""
    folder = Folder(world, world.base / "processes")
    result = folder.run(*LEARN, "-n", "2")
    assert result.returncode == 0, result.stdout + result.stderr
    assert folder.prompt() == whole.folder.prompt()
    assert twice(folder.log) == []


# --- what is wrong is said before anything is asked -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "splits", "teacher", "message"),
    [
        ([], ("train", "test"), "", "level l2 has no task of the valid split among those selected"),
        ([], ("train", "valid"), "", "--nc-learn-test: level l2 has no task of the test split among those selected"),
        (["--nc-split=train"], (), "", "uses the train and valid splits by itself; leave --nc-split out"),
        ([], (), "system: only this", "teacher.yaml: extract is missing; it has to be text"),
        (["--nc-budget-usd=5"], (), "", "--nc-budget-usd: the price of openai:sim-student is not known"),
    ],
    ids=["valid", "test", "split", "teacher", "price"],
)
def test_errors_come_before_work(
    args: list[str], splits: tuple[str, ...], teacher: str, message: str, world: World, tmp_path: Path
) -> None:
    """One line, exit status 4, no request, no report."""
    suite = tmp_path / "suite"
    suite.mkdir()
    for split in splits:
        for path in world.suite.glob(f"{SPLITS[split][0]}.*"):
            (suite / path.name).write_bytes(path.read_bytes())
    folder = Folder(world, tmp_path / "folder", suite if splits else None)
    if teacher:
        (folder.path / "prompts").mkdir()
        (folder.path / "prompts" / "teacher.yaml").write_text(teacher)
    result = folder.run(*LEARN, *args)
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr + result.stdout
    assert folder.log == []
    assert not (folder.path / "reports").exists()


def test_learning_needs_a_model(world: World, tmp_path: Path) -> None:
    """Without --nc-model items of the benchmark are skipped; a prompt for nobody is a mistake."""
    result = Folder(world, tmp_path / "folder").run("--nc-learn-prompt")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--nc-learn-prompt: learns for the model of --nc-model, which is not given" in result.stderr
