"""What becomes an item, and what stops a run before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluation import Project, correct, error_lines

MODEL = "--nc-model=compiler:gcc-O2"


def collected(project: Project, *args: str) -> list[str]:
    """The bracketed ids of a --collect-only run."""
    result = project.run("--collect-only", "-q", *args)
    assert result.ret == 0, result.outlines
    return [line.partition("[")[2].removesuffix("]") for line in result.outlines if "test_task[" in line]


# --- items -----------------------------------------------------------------------------------------------------------


def test_items_are_task_times_model_times_arch_times_prompt(project: Project) -> None:
    """Ids are TASK-MODEL-ARCH-PROMPT; tasks are sorted by level and name, the rest is as given."""
    ids = collected(project, "--nc-model=compiler:gcc-O2,compiler:clang-O1", "--nc-arch=x86_64,riscv64")
    assert ids == [
        f"{task}-{model}-{arch}-baseline"
        for task in ("triple", "bump", "negate")
        for model in ("compiler:gcc-O2", "compiler:clang-O1")
        for arch in ("x86_64", "riscv64")
    ]


def test_samples_have_a_number_of_their_own(project: Project) -> None:
    """With --nc-samples=2 ids end in -k1 and -k2; without it they have no ending."""
    ids = collected(project, MODEL, "--nc-samples=2", "--nc-level=midi")
    assert ids == ["triple-compiler:gcc-O2-x86_64-baseline-k1", "triple-compiler:gcc-O2-x86_64-baseline-k2"]


@pytest.mark.parametrize(
    ("args", "tasks"),
    [
        (["--nc-level=midi"], ["triple"]),
        (["--nc-level=mini,midi"], ["triple", "bump", "negate"]),
        (["--nc-split=test"], ["triple", "bump"]),
        (["--nc-level=mini", "--nc-split=train,valid"], ["negate"]),
        (["-k", "bump or triple"], ["triple", "bump"]),
        (["-m", "neucomback and not slow"], ["triple", "bump", "negate"]),
    ],
)
def test_tasks_are_chosen_by_level_split_and_name(project: Project, args: list[str], tasks: list[str]) -> None:
    """--nc-level and --nc-split intersect; -k and -m work as everywhere."""
    assert [i.partition("-")[0] for i in collected(project, MODEL, *args)] == tasks


def test_suites_add_up_and_tasks_of_one_name_are_told_apart(project: Project) -> None:
    """Two suites with a task of the same name: both run, under FOLDER/NAME; bundled ones are named from anywhere."""
    project.add_task("bump", suite="other")
    ids = collected(
        project, MODEL, "--nc-suite=suite", "--nc-suite=other", "--nc-suite=bundled:l2", "--nc-level=mini,l2"
    )
    tasks = [i.partition("-compiler")[0] for i in ids]
    assert {"suite/bump", "other/bump", "negate", "s000"} <= set(tasks)
    assert len(tasks) == 151 + 3


def test_the_bundled_suites_are_complete(project: Project) -> None:
    """151 loops; without --nc-suite everything bundled is collected, wherever the user stands."""
    assert len(collected(project, MODEL, "--nc-suite=bundled:l2")) == 151
    assert len(collected(project, MODEL, "--nc-suite=bundled")) >= 151


def test_without_a_model_items_are_skipped_and_say_how_to_choose(project: Project) -> None:
    """One skipped item, whose reason names the option and a choice that needs no key."""
    project.pytester.makepyfile("from pytest_neucomback.items import test_task")
    result = project.run("-rs")
    result.assert_outcomes(skipped=1)
    assert "--nc-model=compiler:gcc-O2" in result.stdout.str()
    assert not (project.path / "reports").exists()


@pytest.mark.parametrize("more", [[], ["-n2"]], ids=["serial", "xdist"])
def test_collecting_starts_nothing(project: Project, more: list[str]) -> None:
    """--collect-only makes no report, opens no endpoint, needs no key and builds nothing."""
    result = project.run("--nc-model=deepseek-r1", "--collect-only", "-q", "--nc-cache=fresh", *more)
    assert result.ret == 0
    assert [p.name for p in project.path.iterdir() if p.name in ("reports", "report", "fresh")] == []


# --- refusals --------------------------------------------------------------------------------------------------------


REFUSALS = {
    "unknown model": (["--nc-model=gpt-4p"], "unknown model 'gpt-4p'. Did you mean gpt-4"),
    "unknown kind": (["--nc-model=gguf:x"], "unknown kind of model"),
    "unknown compiler": (["--nc-model=compiler:gcc-O9"], "no such compiler. Known: compiler:clang-O0"),
    "missing key": (["--nc-model=openai:gpt-4o"], "OPENAI_API_KEY is not set. Set it: export OPENAI_API_KEY="),
    "missing answers": (["--nc-model=files:nowhere"], "nowhere does not exist. Make it"),
    "missing report": (["--nc-model=replay:nowhere"], "is not a folder. Name a report folder"),
    "unknown arch": ([MODEL, "--nc-arch=riscv"], "unknown architecture. Did you mean riscv64?"),
    "unknown level": ([MODEL, "--nc-level=minj"], "--nc-level=minj: no task has this level. Known: midi, mini."),
    "unknown split": ([MODEL, "--nc-split=tset"], "--nc-split=tset: unknown split. Known: train, valid, test."),
    "nothing left": ([MODEL, "--nc-level=midi", "--nc-split=train"], "no task is left after"),
    "unknown prompt": ([MODEL, "--nc-prompt=basline"], "--nc-prompt=basline: no such prompt. Known: baseline"),
    "no learned prompt": ([MODEL, "--nc-prompt=learned"], "no learned prompt is stored for x86_64/mi"),
    "unknown bundled level": (
        [MODEL, "--nc-suite=bundled:l9"],
        "--nc-suite=bundled:l9: no such level. Known: bundled:l",
    ),
    "unknown suite": ([MODEL, "--nc-suite=nowhere"], "nowhere is not a folder"),
    "unknown march": ([MODEL, "--nc-march=x86-64-v9"], "--nc-march=x86-64-v9"),
    "report is a file": ([MODEL, "--nc-report=suite/bump.c"], "Choose another --nc-report"),
    "cache is a file": ([MODEL, "--nc-cache=suite/bump.c"], "--nc-cache"),
    "models file": ([MODEL, "--nc-models-file=nowhere.yaml"], "nowhere.yaml: no such file"),
}


def refused_in_one_line(project: Project, says: str, *args: str) -> None:
    result = project.run(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = error_lines(result)
    assert len(lines) == 1, lines
    assert lines[0].startswith("ERROR: ")
    assert says in lines[0]
    assert not (project.path / "reports").exists(), "nothing was begun"


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_work_is_refused_in_one_line(project: Project, case: str) -> None:
    """Before any work, with exit status 4: a single line that names the culprit and the way out."""
    args, says = REFUSALS[case]
    refused_in_one_line(project, says, *args)


def test_a_refusal_is_said_once_under_xdist(project: Project) -> None:
    """Not once per worker."""
    refused_in_one_line(project, "no such prompt", MODEL, "--nc-prompt=basline", "-n2")


def test_an_empty_suite_is_refused(project: Project) -> None:
    """A folder without tasks is a mistake, not zero items."""
    (project.path / "empty").mkdir()
    refused_in_one_line(project, "no task (NAME.c with NAME.yaml) in", MODEL, "--nc-suite=empty")


@pytest.mark.parametrize(
    ("c", "yaml", "says"),
    [
        (None, "function: bump\nlevel: mini\nsplit: test\nobserv: [a]\n", "bump.yaml: unknown key 'observ'"),
        (None, "function: bump\nlevel: [mini\n", "bump.yaml:3: not valid YAML"),
        (None, "function: bump\nlevel: mini\n", "bump.yaml: split is missing"),
        (None, "function: bumb\nlevel: mini\nsplit: test\n", "bumb"),
        (None, "function: bump\nlevel: mini\nsplit: test\ninputs: {q: {fill: 1}}\n", "inputs names 'q'"),
        ("void bump(int s) { retrun; }", "", "bump.c:1: use of undeclared identifier 'retrun'"),
        ("int a[4];\nvoid bump(int s) { a[0] = s; }", "", "bump.c"),
        ("#include <stdio.h>\nvoid bump(int s) { puts(0); }", "", "bump.c:1: "),
    ],
    ids=["key", "yaml", "missing key", "function", "input", "c", "definition", "header"],
)
def test_a_malformed_task_is_refused(project: Project, c: str | None, yaml: str, says: str) -> None:
    """The line names the file, and the line in it where there is one."""
    project.add_task("bump", c=c, yaml=yaml)
    refused_in_one_line(project, says, MODEL)


def test_a_task_without_its_c_is_refused(project: Project) -> None:
    """And the other way round."""
    (project.path / "suite" / "bump.c").unlink()
    refused_in_one_line(project, "bump.c is missing beside it", MODEL)
    project.add_task("bump")
    (project.path / "suite" / "bump.yaml").unlink()
    refused_in_one_line(project, "bump.yaml is missing beside it", MODEL)


# --- the user's own --------------------------------------------------------------------------------------------------


def test_a_task_of_ones_own_takes_two_files(project: Project) -> None:
    """A new folder with one task is evaluated by naming it; nothing else is needed."""
    project.add_task("mine", suite="own", c="int mine(int x) { return x > 0 ? x : -x; }", yaml="""\
function: mine
level: sums
split: test
""")  # fmt: skip
    result = project.run("--nc-model=compiler:clang-O1", "--nc-suite=own", "--nc-report=report")
    result.assert_outcomes(passed=1)
    (item,) = project.results()["items"]
    assert (item["task"], item["suite"], item["level"], item["verdict"]) == ("mine", "own", "sums", "correct")


def test_a_prompt_of_ones_own_is_a_file(project: Project) -> None:
    """Its path is its name in ids and results."""
    prompt = "parent: baseline\ncorrectness_rules: [Mind the gap.]\n"
    Path(project.path / "mine.yaml").write_text(prompt)
    model = project.answers("answers", bump=correct("bump"))
    result = project.run(f"--nc-model={model}", "--nc-prompt=baseline,mine.yaml", "-k", "bump", "--nc-report=report")
    result.assert_outcomes(passed=2)
    items = project.results()["items"]
    assert sorted(i["prompt"] for i in items) == ["baseline", "mine.yaml"]
    said = [project.transcript(i)["rounds"][0]["messages"][-1]["content"] for i in items]
    assert sorted("- Mind the gap." in text for text in said) == [False, True]
