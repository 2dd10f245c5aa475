"""A corpus of candidates written to fool the judge, or to be refused unjustly: corpus/VERDICT-ARCH-TASK-NAME.s.

The first line of each file says task, architecture, ISA level unless it is the baseline, verdict and why.
"""

from __future__ import annotations

import os
import re
import resource
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.sandbox import GUEST_MEMORY_BYTES
from pytest_neucomback.tasks import Task, load_task
from pytest_neucomback.toolchain import Toolchain

CORPUS = Path(__file__).with_name("corpus")
HEADER = re.compile(r"(?:#|//) (?P<task>\w+) (?P<arch>\w+)(?: march=(?P<march>\S+))? (?P<verdict>\w+): (?P<why>.+)")
PLANTED = "still here"
PLANTED_PATH = "/tmp/neucomback-planted"
"""What candidates try to reach; a name of its own for each process that runs these tests is put in its place."""


class Entry(NamedTuple):
    path: Path
    task: str
    arch: str
    march: str | None
    verdict: str


def _entries() -> list[Entry]:
    entries = []
    for path in sorted(CORPUS.glob("*.s")):
        match = HEADER.fullmatch(path.read_text().partition("\n")[0])
        assert match, f"{path}: the first line does not say task, arch, verdict and why"
        entries.append(Entry(path, match["task"], match["arch"], match["march"], match["verdict"]))
    return entries


ENTRIES = _entries()


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return {path.stem: load_task(path, suite="corpus") for path in CORPUS.glob("*.yaml")}


@pytest.fixture(scope="module")
def judge_of(toolchain_of: Callable[[str], Toolchain]) -> Callable[[str, str | None], Judge]:
    judges: dict[tuple[str, str | None], Judge] = {}

    def get(arch: str, march: str | None) -> Judge:
        if (arch, march) not in judges:
            plain = toolchain_of(arch)
            toolchain = Toolchain(arch, march=march, cache=plain.cache) if march else plain
            judges[arch, march] = Judge(JudgeSettings(23, 6), {arch: toolchain})
        return judges[arch, march]

    return get


@pytest.fixture(scope="module", autouse=True)
def bystanders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Files in $HOME and /tmp that are as they were when all candidates have run; no process is left of them."""
    home = tmp_path_factory.mktemp("home")
    files = [_planted(), home / "planted", home / ".profile"]
    for file in files:
        file.write_text(PLANTED)
    before = _processes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setattr("pytest_neucomback.judge.LIMIT_FLOOR_S", 0.5)
        yield
    assert [file.read_text() for file in files] == [PLANTED] * len(files)
    files[0].unlink()
    assert sorted(file.name for file in home.iterdir()) == [".profile", "planted"]
    assert not _processes() - before


def _planted() -> Path:
    return Path(f"{PLANTED_PATH}-{os.getpid()}")


def _processes() -> set[str]:
    """Candidates that are running below this process, by process number."""
    found = set()
    parents = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                parents[process.name] = (process / "stat").read_text().rpartition(")")[2].split()[1]
                if b"/candidate" in (process / "cmdline").read_bytes():
                    found.add(process.name)
            except OSError:
                continue
    return {p for p in found if _descends(p, parents)}


def _descends(process: str, parents: dict[str, str]) -> bool:
    me = Path("/proc/self").resolve().name
    while process in parents and process != me:
        process = parents[process]
    return process == me


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.path.stem)
def test_verdict(entry: Entry, tasks: dict[str, Task], judge_of: Callable[[str, str | None], Judge]) -> None:
    """The judge says what the first line of the file says."""
    text = entry.path.read_text().replace(PLANTED_PATH, str(_planted()))
    found = judge_of(entry.arch, entry.march).judge(tasks[entry.task], entry.arch, text)
    assert found.verdict == entry.verdict, found.verdict.diagnostic or found.verdict.detail
    assert found.verdict.diagnostic or entry.verdict == "correct"


def test_memory_stayed_bounded() -> None:
    """No candidate and no tool took more memory than a candidate is allowed."""
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < GUEST_MEMORY_BYTES


def test_corpus_is_large_enough() -> None:
    """At least 60 candidates to refuse over x86_64 and aarch64, 15 to accept; files are named after both."""
    refused = Counter(e.arch for e in ENTRIES if e.verdict != "correct")
    assert refused["x86_64"] + refused["aarch64"] >= 60
    assert sum(e.verdict == "correct" for e in ENTRIES) >= 15
    assert all(e.path.name.startswith(f"{e.verdict}-") and f"-{e.task}-" in e.path.name for e in ENTRIES)
