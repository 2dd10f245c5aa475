"""``neucomback experiment``: plans, estimates, what is run again, and the table; and the prompts written by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_neucomback import experiments
from pytest_neucomback.cli import main
from pytest_neucomback.errors import ConfigError, NeucombackError
from pytest_neucomback.experiment_costs import (
    SPLIT_GATES,
    Lengths,
    estimate,
    evaluation_requests,
    learning_requests,
    tokens_of_conversations,
)
from pytest_neucomback.experiment_report import NOT_COMPARABLE, gather, table_text
from pytest_neucomback.experiments import Plan, load_tables, make_choices, make_plan, run
from pytest_neucomback.prompts import load_prompt
from pytest_neucomback.records import RunFolder, results_json
from pytest_neucomback.tasks import bundled_folder, load_suites
from pytest_neucomback.types import Record

MODEL = "compiler:clang-O1"
TABLES = [f"table{n}" for n in range(1, 8)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run experiments in, without keys."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENROUTER_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


# --- the plan --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_a_plan(table: str, capsys: pytest.CaptureFixture[str], build_cache: Path) -> None:
    """--dry-run prints each condition's command, items, requests, tokens and cost, and writes no report."""
    (Path(".neucomback")).mkdir()
    (Path(".neucomback/build")).symlink_to(build_cache, target_is_directory=True)
    assert main(["experiment", table, "--dry-run", "--limit=1"]) == 0
    out = capsys.readouterr().out
    conditions = load_tables()[table].conditions
    evaluated = [c for c in conditions if c.prompt]
    learned = {(c.arch, c.learn) for c in conditions if c.learn}
    assert out.count("   pytest --nc-") == len(evaluated) + len(learned)
    assert out.count("--nc-learn-prompt") == len(learned)
    assert out.count(" requests, about ") == len(evaluated) + len(learned) + 1
    assert "a reply has 6,000 tokens" in out
    assert "OPENROUTER_API_KEY is not set" in out
    assert NOT_COMPARABLE in out
    assert not Path("reports").exists()


def test_a_prompt_is_learned_once_and_before_it_is_used() -> None:
    """Tables 2, 5, 6 and 7 share what is learned; the learned prompt is a file of the learning's report."""
    for table in ("table2", "table5", "table6"):
        steps = make_plan(table, make_choices(models=MODEL)).steps
        learned = [s.folder for s in steps if s.learns]
        assert len(set(learned)) == len(learned)
        for number, step in enumerate(steps):
            if step.source:
                assert step.source in [s.folder for s in steps[:number] if s.learns]
                assert step.given("--nc-prompt", "") == f"{step.source}/learned.yaml"
    of_2, of_5 = ({s.folder for s in make_plan(t, make_choices()).steps if s.learns} for t in ("table2", "table5"))
    assert of_2 < of_5


def test_tasks_of_the_paper() -> None:
    """Without a limit the conditions have as many tasks as the paper says."""
    for table, counts in (("table1", {151}), ("table2", {40}), ("table3", {25}), ("table5", {200, 40})):
        assert {len(s.tasks) for s in make_plan(table, make_choices()).steps if not s.learns} == counts
    (learning,) = make_plan("table7", make_choices()).steps
    assert [sum(t.split == s for t in learning.tasks) for s in ("train", "valid", "test")] == [101, 25, 0]


def test_models_and_arches_of_the_user() -> None:
    """They take the place of the paper's; in a table that compares models, as its conditions."""
    steps = make_plan("table1", make_choices(models=f"{MODEL},deepseek-r1", arches="riscv64")).steps
    assert [(s.model, s.condition.arch) for s in steps] == [(MODEL, "riscv64"), ("deepseek-r1", "riscv64")]
    steps = make_plan("table6", make_choices(models=MODEL, arches="x86_64")).steps
    assert {s.condition.arch for s in steps} == {"x86_64"}
    assert len([s for s in steps if not s.learns]) == 4


def test_repeats_have_seeds_and_replies_of_their_own() -> None:
    """Repeat 2 has another seed, report and reply cache, and learns a prompt of its own."""
    steps = make_plan("table2", make_choices(models=MODEL, repeat=2)).steps
    assert len(steps) == 8
    assert len({s.folder for s in steps}) == 8
    for step in steps:
        assert step.given("--nc-seed", "") == str(step.repeat)
        assert ("--nc-cache=.neucomback/repeats/2" in step.around) == (step.repeat == 2)
        assert step.source is None or step.source.name.endswith(f"-r{step.repeat}")


def test_a_trial_has_folders_of_its_own() -> None:
    """What makes it another experiment is in the report's name, so that no trial hides a real result."""
    ways: list[dict[str, Any]] = [{}, {"limit": 2}, {"splits": "valid"}, {"extra": ("--nc-timing=paper",)}]
    folders = [{s.folder for s in make_plan("table2", make_choices(**way)).steps if not s.learns} for way in ways]
    assert len(set.union(*folders)) == sum(map(len, folders))


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["table8"], "experiment table8: no such table. Known: table1, "),
        (["table2", "--model=deepseek-r7"], "unknown model 'deepseek-r7'. Did you mean deepseek-r1"),
        (["table2", "--arch=arm"], "--arch=arm: unknown architecture. Known: x86_64, aarch64, riscv64."),
        (["table2", "--split=dev"], "--split=dev: unknown split. Known: train, valid, test."),
        (["table2", "--limit=0"], "--limit=0: needs a number above 0"),
        (["table2", "--suite=nowhere"], "suite nowhere: "),
        (["table2"], "deepseek-r1 needs a key for https://openrouter.ai/api/v1, and OPENROUTER_API_KEY is not set"),
    ],
)
def test_errors_come_before_anything_runs(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, status 2, nothing written."""
    assert main(["experiment", *argv]) == 2
    assert capsys.readouterr().err.startswith(f"neucomback: {words}")
    assert not Path("reports").exists()


def test_a_budget_needs_a_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that cannot be kept to is refused instead of ignored."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    plan = make_plan("table2", make_choices(models="openai:x", budget_usd=3.0))
    with pytest.raises(ConfigError, match="the price of openai:x is not known"):
        run(plan, print)


# --- arithmetic ------------------------------------------------------------------------------------------------------


def test_requests() -> None:
    """Each generation and optimisation with all its repairs; valid before the first epoch and after each."""
    assert evaluation_requests(151, debug_rounds=2, opt_rounds=0) == 453
    assert evaluation_requests(25, debug_rounds=2, opt_rounds=2) == 225
    plain = learning_requests(120, 40, epochs=3, batch=5, debug_rounds=1, gates=0)
    assert plain == ((4 * 40 + 3 * 120) * 2, 360, 144)
    assert learning_requests(3, 2, epochs=1, batch=5, debug_rounds=0, gates=1) == (2 * 2 + 2 * 3, 3, 2)


def test_tokens() -> None:
    """A self-debug round repeats what was said before it."""
    lengths = Lengths(opening=300, debug=60, optimise=600, assembly=30)
    assert tokens_of_conversations(1, lengths, debug_rounds=0, opt_rounds=0) == 100
    assert tokens_of_conversations(2, lengths, debug_rounds=2, opt_rounds=0) == 2 * (3 * 300 + (1 + 2) * 90) / 3
    assert tokens_of_conversations(1, lengths, debug_rounds=0, opt_rounds=2) == (300 + 2 * 600) / 3


def test_costs() -> None:
    """Prices are per million tokens; arguments of the user change what is counted; unknown stays unknown."""
    lengths = Lengths(300, 60, 600, 30)
    (step,) = make_plan("table1", make_choices(models=MODEL, limit=10, extra=("--nc-samples=3",))).steps
    cost = estimate(step, lengths, (1.0, 10.0), 1000)
    assert (cost.requests, cost.tokens_out) == (90, 90_000)
    assert cost.cost_usd == pytest.approx((cost.tokens_in + 900_000) / 1e6)
    assert estimate(step, lengths, None, 1000).cost_usd is None
    (plain,) = make_plan("table7", make_choices(models=MODEL)).steps
    (gated,) = make_plan("table7", make_choices(models=MODEL, extra=("--nc-learn-extensions=all",))).steps
    asked = [estimate(s, lengths, None, 1).requests for s in (plain, gated)]
    assert asked[1] - asked[0] == 101 * 3 * SPLIT_GATES * 3


# --- running ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stands in for pytest: writes reports in which every other task is correct, and a learned prompt of one rule."""
    commands: list[list[str]] = []

    def play(arguments: list[str]) -> int:
        commands.append(list(arguments))
        given = dict(a.partition("=")[::2] for a in arguments)
        report = Path(given["--nc-report"])
        command = {"arguments": arguments}
        with RunFolder.open(report, Path("reports"), command, int(given["--nc-seed"])) as opened:
            records: list[Record] = []
            if "--nc-learn-prompt" in given:
                rule = {
                    "text": "Use .L labels.",
                    "kind": "syntactic",
                    "sources": [],
                    "id": "R1",
                    "helped": 0,
                    "harmed": 0,
                }
                subject = {
                    "model": given["--nc-model"], "arch": given["--nc-arch"], "level": given["--nc-level"], "error": "",
                    "stored": None, "winner": 1, "tokens_in": 5, "tokens_out": 6, "cost_usd": None,
                    "epochs": [{"epoch": 1, "rules": [rule]}],
                }  # fmt: skip
                (report / "learn.json").write_text(json.dumps({"schema": 1, "subjects": [subject]}))
            else:
                assert (Path(given["--nc-prompt"]).suffix != ".yaml") or Path(given["--nc-prompt"]).is_file()
                suite = Path(given["--nc-suite"])
                names = sorted(p.stem for p in suite.glob("*.c"))
                records = [_record(name, n % 2 == 0, given) for n, name in enumerate(names)]
            results = results_json({"finished": True}, records, [])
            for record in records:
                opened.append(record)
            opened.finish(results, complete=True)
        return 1

    monkeypatch.setattr(experiments, "_pytest", play)
    return commands


def _record(task: str, correct: bool, given: dict[str, str]) -> Record:
    verdict = "correct" if correct else "wrong_output"
    return Record(
        task=task, suite="s", source="ir-O3", seed=1, level=given["--nc-level"], split=given.get("--nc-split", "test"),
        model=given["--nc-model"], arch=given["--nc-arch"], prompt=given["--nc-prompt"], sample=1, verdict=verdict,
        detail="", first_verdict=verdict, initial_verdict=verdict, debug_rounds=1, opt_rounds=0, tokens_in=10,
        tokens_out=20, cost_usd=1.5, timing=None, code_bytes=None, candidate_file=None, transcript_file=None,
    )  # fmt: skip


def _plan(table: str = "table2", **ways: Any) -> Plan:
    return make_plan(table, make_choices(models=MODEL, **{"limit": 4, **ways}))


def test_finished_steps_are_not_run_again(played: list[list[str]]) -> None:
    """Nor is what another table has learned; a changed argument, task or prompt makes it another step."""
    said: list[str] = []
    assert run(_plan(), said.append) == []
    assert len(played) == 4
    run(_plan(), said.append)
    assert len(played) == 4
    assert sum("finished earlier" in line for line in said) == 4
    run(_plan("table6", arches="x86_64"), said.append)
    assert len(played) == 4 + 5, "level 1 is learned already, level 2 is not"
    run(_plan(extra=("--nc-fp=ulp:1",)), said.append)
    assert len(played) == 9 + 4


def test_a_step_that_was_cut_short_is_run_again(played: list[list[str]]) -> None:
    """Without the mark, which is written last, a report is not believed; with another prompt neither."""
    run(_plan(), print)
    marks = sorted(Path("reports/experiments/table2").glob("*/experiment.json"))
    marks[0].unlink()
    run(_plan(), print)
    assert len(played) == 5
    Path("prompts").mkdir()
    source = bundled_folder().parent / "prompts" / "expert-x86_64.yaml"
    shutil.copy(source, "prompts/expert-x86_64.yaml")
    with Path("prompts/expert-x86_64.yaml").open("a") as stream:
        stream.write("  - text: Be quick.\n    kind: performance\n")
    run(_plan(), print)
    assert len(played) == 6


def test_a_limit_is_a_suite_of_copies(played: list[list[str]]) -> None:
    """The first tasks by name; what an earlier choice left there goes."""
    run(_plan(), print)
    suite = next(Path("reports/experiments/suites").glob("l1-test-*"))
    copied = sorted(p.stem for p in suite.glob("*.c"))
    of_test = sorted(t.id for t in load_suites(["bundled:l1"]) if t.split == "test")
    assert copied == of_test[:4]
    (suite / "left.c").write_text("")
    for mark in Path("reports/experiments/table2").glob("*/experiment.json"):
        mark.unlink()
    run(_plan(), print)
    assert not (suite / "left.c").exists()


def test_the_budget_is_for_all_steps(played: list[list[str]]) -> None:
    """Each run gets what the ones before it left; when it is spent the rest is not run."""
    problems = run(_plan(budget_usd=11.0), print)
    given = [a.partition("=")[2] for c in played for a in c if a.startswith("--nc-budget-usd=")]
    assert [float(g) for g in given] == [11.0, 5.0, 5.0]
    assert [p.text for p in problems] == ["--budget-usd=11 is spent"]


def test_what_pytest_refuses_ends_it(played: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A usage error is no result."""
    monkeypatch.setattr(experiments, "_pytest", lambda arguments: 4)
    with pytest.raises(NeucombackError, match="pytest ended with status 4 on: pytest --nc-model="):
        run(_plan(), print)


def test_conditions_without_their_prompt_are_left_out(played: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """When learning ends early the other conditions run all the same."""
    play = experiments._pytest

    def stopped(arguments: list[str]) -> int:
        status = play(arguments)
        for path in Path().rglob("learn.json"):
            path.write_text(json.dumps({"subjects": [{"error": "the endpoint is down\nmore"}]}))
        return status

    monkeypatch.setattr(experiments, "_pytest", stopped)
    problems = run(_plan(), print)
    assert [p.text for p in problems] == ["the endpoint is down", "its prompt is not learned"]
    assert len(played) == 3


# --- the table -------------------------------------------------------------------------------------------------------


def test_ours_stands_beside_the_published(played: list[list[str]]) -> None:
    """Counts, shares and Wilson intervals; the words on what may not be compared; pairs and costs."""
    run(_plan(), print)
    text = table_text(_plan(), gather(_plan()))
    row = next(line for line in text.splitlines() if line.startswith("learned "))
    for part in ("32/40 (80.0%)", "65.2% to 89.5%", "2/4 (50.0%)", "15.0% to 85.0%"):
        assert part in row
    assert text.count("won 0, lost 0 of 4 tasks") == 2
    assert NOT_COMPARABLE in text.splitlines()
    assert "$6.00" in text


def test_repeats_are_a_mean_and_a_range(played: list[list[str]]) -> None:
    """Over repeats, each a report of its own."""
    run(_plan(repeat=2), print)
    found = gather(_plan(repeat=2))
    assert [len(line.repeats) for line in found.lines] == [2, 2, 2]
    assert "50.0% to 50.0% of 2" in table_text(_plan(repeat=2), found)


def test_rounds_and_kinds(played: list[list[str]]) -> None:
    """Table 6 gives means over solved tasks, table 7 the learned rules by kind."""
    run(_plan("table6", arches="x86_64"), print)
    text = table_text(_plan("table6", arches="x86_64"), gather(_plan("table6", arches="x86_64")))
    row = next(line for line in text.splitlines() if "L2 (max 2), baseline, x86_64" in line)
    assert "1.09" in row
    assert "1.00" in row
    assert "over 2 solved" in row
    assert "1.44" in text, "what was not run still has its published figure"
    run(_plan("table7"), print)
    text = table_text(_plan("table7"), gather(_plan("table7")))
    assert "ours: 0 formatting, 1 syntactic, 0 semantic, 0 performance" in text
    assert "  ours       Use .L labels." in text
    assert "  published  @PLT on external calls" in text


def test_models_that_were_not_run_keep_their_published_figures(played: list[list[str]]) -> None:
    """Table 1 with a model of the user's has six rows."""
    run(_plan("table1"), print)
    found = gather(_plan("table1"))
    acc = {line.label: line for line in found.lines if line.metric == "acc"}
    assert acc["DeepSeek-R1"].published == "69/151"
    assert acc["DeepSeek-R1"].mean is None
    assert acc[MODEL].mean == 0.5
    assert acc[MODEL].published is None


def test_an_imported_suite_may_be_compared(played: list[list[str]]) -> None:
    """Tasks whose provenance says that they were imported are the release's."""
    suite = Path("release")
    suite.mkdir()
    for split in ("train", "valid", "test"):
        (suite / f"{split}.c").write_text(f"int {split}(int x) {{ return x; }}\n")
        text = f"function: {split}\nlevel: l1\nsplit: {split}\nprovenance: Imported from kernel1.\n"
        (suite / f"{split}.yaml").write_text(text)
    assert make_plan("table2", make_choices(models=MODEL, suites=("release",))).imported
    assert not make_plan("table2", make_choices(models=MODEL)).imported


# --- published figures -----------------------------------------------------------------------------------------------


def test_published_figures() -> None:
    """As the paper has them."""
    tables = load_tables()

    def published(table: str, metric: str) -> list[str | None]:
        return [row.published[metric] for row in tables[table].rows if metric in row.published]

    assert published("table1", "acc") == ["3/151", "32/151", "30/151", "22/151", "69/151"]
    assert published("table1", "acc_perf") == ["1/151", "8/151", "8/151", "5/151", "33/151"]
    assert published("table2", "acc") == ["20/40", "32/40", None]
    assert published("table3", "acc_perf_initial") == ["6/25", "10/25", None]
    assert published("table3", "acc_perf") == ["7/25", "14/25", None]
    assert published("table4", "acc") == ["9/25", "18/25", None]
    assert published("table4", "acc_perf") == ["2/25", "7/25", None]
    assert published("table5", "acc") == ["20/40", "32/40", "27/40", "109/200", "149/200"]
    assert published("table6", "mean_debug_rounds") == ["0.90", "0.28", "1.09", "0.25", "1.44", "1.22"]
    for table in tables.values():
        names = {c.name for c in table.conditions}
        assert {row.condition for row in table.rows} <= names
        assert {name for pair in table.pairs for name in pair} <= names


# --- prompts written by hand -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "riscv64"])
def test_expert_is_the_prompt_of_the_architecture(arch: str, folder: Path) -> None:
    """--nc-prompt=expert takes expert-ARCH.yaml; its rules speak of that architecture's registers."""
    prompt = load_prompt("expert", model="m", arch=arch, level="l1", project=folder)
    assert prompt.path is not None
    assert prompt.path.name == f"expert-{arch}.yaml"
    assert prompt.label == "expert"
    assert prompt.templates == load_prompt("baseline", model="m", arch=arch, level="l1", project=folder).templates
    assert 10 <= len(prompt.correctness_rules) <= 15
    assert len(prompt.performance_rules) == 6
    words = {"x86_64": "%rbx", "aarch64": ":lo12:", "riscv64": "sext.w"}
    told = " ".join(r.text for r in prompt.correctness_rules)
    assert [a for a, word in words.items() if word in told] == [arch]


def test_a_name_prefers_the_file_for_all_architectures(folder: Path) -> None:
    """NAME.yaml comes before NAME-ARCH.yaml, wherever they lie; an unknown name lists those that there are."""
    (folder / "prompts").mkdir()
    (folder / "prompts" / "mine-aarch64.yaml").write_text("parent: baseline\ncorrectness_rules: [one]\n")

    def load(label: str, arch: str = "aarch64") -> str:
        found = load_prompt(label, model="m", arch=arch, level="l1", project=folder)
        return found.path.name if found.path else ""

    assert load("mine") == "mine-aarch64.yaml"
    with pytest.raises(ConfigError, match="Known: baseline, expert, "):
        load("mine", "x86_64")
    (folder / "prompts" / "mine.yaml").write_text("parent: baseline\n")
    assert load("mine") == "mine.yaml"
    (folder / "prompts" / "baseline-aarch64.yaml").write_text("parent: baseline\n")
    assert load("baseline") == "baseline.yaml"
