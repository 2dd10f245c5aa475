"""``neucomback experiment``: a whole table against a simulated student and teacher behind HTTP."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from simulated import RIGHT, STUDENT, SimulatedEndpoint, usable

from pytest_neucomback.arches import load_arches
from pytest_neucomback.experiment_report import NOT_COMPARABLE
from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.tasks import Task, load_suites
from pytest_neucomback.toolchain import Toolchain

SPLITS = {"s112": "train", "s1111": "train", "s121": "valid", "s111": "test", "s000": "test"}
"""Quick loops of the bundled level 2, in a suite that calls them level 1."""

pytestmark = pytest.mark.skipif(not load_arches()["x86_64"].native, reason="needs an x86_64 host")


@pytest.fixture
def folder(tmp_path: Path, build_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder: no tests of its own, a suite of five tasks."""
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / ".neucomback").mkdir()
    (tmp_path / ".neucomback" / "build").symlink_to(build_cache, target_is_directory=True)
    suite = tmp_path / "suite"
    suite.mkdir()
    for task in load_suites(["bundled:l2"]):
        if task.id in SPLITS:
            shutil.copy(task.c_path, suite)
            lines = task.yaml_path.read_text().splitlines()
            lines = [line for line in lines if not line.startswith(("level:", "split:"))]
            text = "\n".join([*lines, "level: l1", f"split: {SPLITS[task.id]}"]) + "\n"
            (suite / task.yaml_path.name).write_text(text)
    return tmp_path


@pytest.fixture
def endpoint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedEndpoint]:
    """The simulated models, as OPENAI_BASE_URL."""
    tasks: list[Task] = load_suites([str(folder / "suite")])
    toolchain = Toolchain("x86_64", cache=folder / ".neucomback")
    judge = Judge(JudgeSettings(1, 4, simplify=False), {"x86_64": toolchain})
    found = usable(toolchain, judge, tasks, styles=("clang-O1",))
    assert set(found[RIGHT]) == set(SPLITS)
    with SimulatedEndpoint(tasks, {"x86_64": toolchain}, {"x86_64": found}) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "unused")
        yield server


def experiment(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Table 2 on the suite, without a teacher of its own."""
    command = [
        sys.executable, "-c", "import sys; from pytest_neucomback.cli import main; sys.exit(main())", "experiment",
        "table2", f"--model=openai:{STUDENT}", "--suite=suite", "--pytest=--nc-learn-model=openai:sim-teacher",
        "--pytest=--nc-inputs=4", *arguments,
    ]  # fmt: skip
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
def test_table_2(folder: Path, endpoint: SimulatedEndpoint) -> None:
    """Baseline, learning, learned and expert run once; our figures stand beside the paper's; then nothing is asked."""
    first = experiment(folder, "--json")
    assert first.returncode == 0, first.stderr
    table: dict[str, Any] = json.loads(first.stdout)
    rows = {row["label"]: row for row in table["rows"]}
    assert [rows[name]["published"] for name in ("baseline", "learned", "expert")] == ["20/40", "32/40", None]
    for row in rows.values():
        (figure,) = row["repeats"]
        assert (figure["total"], figure["complete"]) == (2, True)
        low, high = figure["interval"]
        assert 0 <= low <= figure["value"] <= high <= 1
    assert (table["comparable"], table["unfinished"]) == (False, [])
    assert table["caveats"] == [NOT_COMPARABLE]
    assert [pair["items"] for pair in table["pairs"]] == [2, 2]
    learned = next(folder.glob("reports/experiments/learning/*-r1/learned.yaml"))
    assert "parent: baseline" in learned.read_text()
    results = json.loads(next(folder.glob("reports/experiments/table2/learned-*-r1/results.json")).read_text())
    assert {item["prompt"] for item in results["items"]} == {str(learned.relative_to(folder))}

    paid = len(endpoint.log)
    again = experiment(folder)
    assert again.returncode == 0, again.stderr
    assert len(endpoint.log) == paid
    assert again.stderr.count("finished earlier") == 4
    assert "20/40 (50.0%)" in again.stdout
    assert NOT_COMPARABLE in again.stdout
