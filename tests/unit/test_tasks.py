"""Tasks on disk: what is read, and what each kind of mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_neucomback.errors import ConfigError
from pytest_neucomback.tasks import Task, bundled_folder, load_suite, load_suites, load_task, select

GOOD = "function: f\nlevel: l1\nsplit: train\n"


def write(folder: Path, yaml: str, name: str = "f", c: str | None = "void f(void) {}\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(yaml)
    if c is not None:
        (folder / f"{name}.c").write_text(c)
    return folder / f"{name}.yaml"


def test_fields_are_those_of_the_yaml(tmp_path: Path) -> None:
    """A task holds what its YAML says, lists as tuples, and names its files."""
    text = (
        GOOD + "observe: [a, result]\ncases:\n  - name: plain\n  - a: {fill: 1}\ninput_free: true\nsummary: Does f.\n"
    )
    task = load_task(write(tmp_path, text), suite="mine")
    assert (task.id, task.name, task.suite, task.function) == ("f", "f", "mine", "f")
    assert task.observe == ("a", "result")
    assert task.cases == ({"name": "plain"}, {"a": {"fill": 1}})
    assert task.input_free
    assert task.yaml_path == tmp_path / "f.yaml"


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("function: [", ["f.yaml:", "not valid YAML"]),
        ("function: f\n\tlevel: l1\n", ["f.yaml:2", "not valid YAML"]),
        ("just words", ["function, level, split", "docs/tasks.md"]),
        ("", ["function, level, split"]),
        (GOOD + "inptus: {}", ["unknown key 'inptus'", "Known: function"]),
        (GOOD + "observe: a", ["observe must be a list", "'a'"]),
        (GOOD + "input_free: 1", ["input_free must be a bool"]),
        ("function: f\nlevel: 2\nsplit: train", ["level must be a str", "2"]),
        ("level: l1\nsplit: train", ["function is missing", "add `function: ...`"]),
        ("function: f\nlevel: l1", ["split is missing"]),
        ("function: f\nlevel: l1\nsplit: training", ["split 'training'", "train, valid, test"]),
        (GOOD + "cases: [plain]", ["cases must be a list of input entries"]),
        (GOOD + "inputs: {s: 3}", ["inputs.s", "expected an entry", "3"]),
        (GOOD + "inputs: {s: {valeus: [1]}}", ["inputs.s", "unknown key 'valeus'", "values"]),
        (GOOD + "inputs: {s: {values: []}}", ["inputs.s", "values must be a list of numbers"]),
        (GOOD + "inputs: {s: {values: [1e-40]}}", ["inputs.s", "values must be a list of numbers", "'1e-40'"]),
        (GOOD + "inputs: {s: {uniform: [1, 1]}}", ["uniform must be [low, high]"]),
        (GOOD + "inputs: {s: {range: [3, 2]}}", ["range must be whole numbers [low, high]"]),
        (GOOD + "inputs: {s: {range: [0, 1.5]}}", ["range must be whole numbers"]),
        (GOOD + "inputs: {s: {fill: true}}", ["fill must be a number"]),
        (GOOD + "inputs: {s: {call: x}}", ["call must be a number"]),
        (GOOD + "inputs: {p: {length: 0}}", ["inputs.p", "length must be a whole number above 0"]),
        (GOOD + "inputs: {p: {permutation: 2.5}}", ["permutation must be a whole number above 0"]),
        (GOOD + "inputs: {p: {nullable: maybe}}", ["nullable must be true or false"]),
        (GOOD + "inputs: {p: {into: 3}}", ["into must be the name"]),
        (GOOD + "inputs: {p: {offset: {values: [1]}}}", ["offset needs `into: GLOBAL`"]),
        (GOOD + "inputs: {p: {into: g, offset: 4}}", ["inputs.p.offset", "expected an entry"]),
        (GOOD + "inputs: {s: {fill: 1, range: [0, 1]}}", ["more than one of", "list them under `fills`"]),
        (GOOD + "inputs: {s: {extremes: some}}", ["extremes must be `finite` or `all`"]),
        (GOOD + "vectors: [1, -2]", ["vectors must be a list of numbers"]),
        (GOOD + "inputs: {s: {fills: []}}", ["fills must be a list of entries"]),
        (GOOD + "inputs: {s: {fills: [{fill: 1}, {fil: 2}]}}", ["inputs.s.fills[1]", "unknown key 'fil'"]),
        (GOOD + "inputs: {a: {plant: {value: 1}}}", ["inputs.a", "plant must be a list"]),
        (GOOD + "inputs: {a: {plant: [{value: 1, equal: b}]}}", ["inputs.a.plant[0]", "{value: v, at: PLACE}"]),
        (GOOD + "inputs: {a: {plant: [{at: last}]}}", ["inputs.a.plant[0]"]),
        (GOOD + "inputs: {a: {plant: [{value: 1, at: end}]}}", ["at must be first, last", "'end'"]),
        (GOOD + "inputs: {a: {plant: [{value: 1, at: -1}]}}", ["at must be first, last", "-1"]),
        (GOOD + "inputs: {a: {plant: [{value: x}]}}", ["value must be a number"]),
        (GOOD + "inputs: {a: {plant: [{value: 1, count: 0}]}}", ["count must be a whole number above 0"]),
        (GOOD + "cases: [{name: one}, {s: {values: 3}}]", ["cases[1].s", "values must be a list"]),
        (GOOD + "externals: {g: mock}", ["externals.g", "{kind: mock}", "'mock'"]),
        (GOOD + "externals: {g: {kind: real}}", ["externals.g", "kind must be mock or pure", "'real'"]),
        (GOOD + "externals: {g: {}}", ["externals.g", "kind must be mock or pure"]),
        (GOOD + "externals: {g: {kind: mock, return: 1}}", ["externals.g", "unknown key 'return'", "returns"]),
        (GOOD + "externals: {g: {kind: mock, returns: many}}", ["externals.g", "returns must be a whole number"]),
        (GOOD + "externals: {g: {kind: mock, noreturn: 1}}", ["externals.g", "noreturn must be true or false"]),
    ],
)
def test_mistakes_are_explained(tmp_path: Path, yaml: str, words: list[str]) -> None:
    """A malformed YAML is a ConfigError naming the file, the key and what is expected."""
    with pytest.raises(ConfigError) as caught:
        load_task(write(tmp_path, yaml))
    assert str(tmp_path / "f.yaml") in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "inputs",
    [
        "s: {call: 1.0, values: [1.0, -0.5]}",
        "a: {fills: [{uniform: [0, 1]}, {values: [-0.0, 0.5]}], plant: [{value: [1, 2], at: any}, {equal: b, at: 3}]}",
        "p: {into: flat, offset: {call: 64, values: [64, 1, 0]}}",
        "ip: {permutation: 4}\n  q: {length: 3, nullable: true, range: [5, 5]}",
    ],
)
def test_documented_entries_are_accepted(tmp_path: Path, inputs: str) -> None:
    """What docs/tasks.md shows is accepted."""
    assert load_task(write(tmp_path, f"{GOOD}inputs:\n  {inputs}\n")).inputs


def test_undecodable_file(tmp_path: Path) -> None:
    """A file that is not UTF-8 is named, with what to do."""
    path = write(tmp_path, GOOD)
    path.write_bytes(b"function: f\xff\n")
    with pytest.raises(ConfigError, match=r"f\.yaml: not UTF-8"):
        load_task(path)


def test_missing_halves(tmp_path: Path) -> None:
    """A YAML without its C and a C without its YAML are both named."""
    path = write(tmp_path / "a", GOOD, c=None)
    with pytest.raises(ConfigError, match=r"f\.c is missing beside it"):
        load_task(path)
    with pytest.raises(ConfigError, match=r"f\.c is missing beside it"):
        load_suite(tmp_path / "a", suite="a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "g.c").write_text("void g(void) {}\n")
    with pytest.raises(ConfigError, match=r"g\.c: g\.yaml is missing beside it"):
        load_suite(tmp_path / "b", suite="b")


def test_empty_and_absent_suites(tmp_path: Path) -> None:
    """A suite without tasks and a path that is no folder are refused by name."""
    with pytest.raises(ConfigError, match="no task"):
        load_suite(tmp_path, suite="mine")
    with pytest.raises(ConfigError, match="is not a folder"):
        load_suites([str(tmp_path / "nowhere")])
    with pytest.raises(ConfigError, match=r"no such level. Known: bundled:l1, bundled:l2"):
        load_suites(["bundled:l9"])


def test_other_yaml_files_are_left_alone(tmp_path: Path) -> None:
    """A YAML that is no task may lie in a suite's folder."""
    write(tmp_path, GOOD)
    (tmp_path / "prompts.yaml").write_text("greeting: hello\n")
    assert [t.id for t in load_suite(tmp_path, suite="mine")] == ["f"]


def test_tasks_of_one_name_get_their_folders(tmp_path: Path) -> None:
    """Two suites may share a name; their ids then carry the folder, and true duplicates are refused."""
    for folder in ("one", "two"):
        write(tmp_path / folder, GOOD)
        write(tmp_path / folder, GOOD, name=f"only_{folder}")
    tasks = load_suites([str(tmp_path / "one"), str(tmp_path / "two")])
    assert [t.id for t in tasks] == ["one/f", "only_one", "only_two", "two/f"]
    with pytest.raises(ConfigError, match="another task is also called one/f"):
        load_suites([str(tmp_path / "one"), str(tmp_path / "one")])


def test_digest_follows_both_files(tmp_path: Path) -> None:
    """A task's digest changes with its C and with its YAML, and with nothing else."""
    path = write(tmp_path, GOOD)
    first = load_task(path).digest()
    assert load_task(path).digest() == first
    (tmp_path / "f.c").write_text("void f(void) { }\n")
    second = load_task(path).digest()
    path.write_text(GOOD + "summary: other\n")
    assert len({first, second, load_task(path).digest()}) == 3


def test_selection(tmp_path: Path) -> None:
    """Levels and splits select; unknown ones are refused with what is known."""
    write(tmp_path, GOOD, name="a")
    write(tmp_path, GOOD.replace("train", "test"), name="b")
    write(tmp_path, GOOD.replace("l1", "own"), name="c")
    tasks = load_suite(tmp_path, suite="mine")
    names = [[t.id for t in select(tasks, levels=levels, splits=splits)] for levels, splits in
             (([], []), (["l1"], []), ([], ["test"]), (["own"], ["test"]))]  # fmt: skip
    assert names == [["a", "b", "c"], ["a", "b"], ["b"], []]
    with pytest.raises(ConfigError, match=r"--nc-level=l9.*Known: l1, own"):
        select(tasks, levels=["l9"], splits=[])
    with pytest.raises(ConfigError, match=r"--nc-split=dev.*train, valid, test"):
        select(tasks, levels=[], splits=["dev"])


def test_bundled_tasks_load() -> None:
    """Every bundled task is well-formed, sorted, uniquely named, and says what it is for."""
    tasks: list[Task] = load_suites([])
    assert bundled_folder().is_dir()
    assert len({t.id for t in tasks}) == len(tasks) >= 151
    assert [(t.level, t.id) for t in tasks] == sorted((t.level, t.id) for t in tasks)
    assert all(t.summary and t.provenance and t.category for t in tasks)
