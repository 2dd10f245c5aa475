"""The bundled tasks as the data set they claim to be."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from pytest_neucomback.dataset_card import IR_BINS, card
from pytest_neucomback.errors import ToolMissing
from pytest_neucomback.judge import Judge
from pytest_neucomback.similarity import alike
from pytest_neucomback.suite_check import check
from pytest_neucomback.tasks import Task
from pytest_neucomback.toolchain import Toolchain

STRUCTS = {"struct", "union", "nested-struct", "packed-struct", "struct-by-value", "struct-return"}
SAMPLED = 6


@pytest.fixture(scope="module")
def level1(bundled: dict[str, Task]) -> list[Task]:
    return [t for t in bundled.values() if t.level == "l1"]


def test_level_1_has_the_size_and_spread_it_claims(level1: list[Task]) -> None:
    """200 functions, 120/40/40, at least 20 fields of at most 20, and enough of what makes compilation hard."""
    assert Counter(t.split for t in level1) == {"train": 120, "valid": 40, "test": 40}
    fields = Counter(t.category for t in level1)
    assert len(fields) >= 20
    assert max(fields.values()) <= 20
    assert all(len({t.split for t in level1 if t.category == field}) >= 2 for field in fields)
    assert sum(bool(t.externals) for t in level1) >= 60
    assert sum(bool({"float", "double"} & set(t.features)) for t in level1) >= 30
    assert sum(bool(STRUCTS & set(t.features)) for t in level1) >= 40
    assert sum("int64" in t.features for t in level1) >= 25


def test_level_1_is_long_enough_and_has_no_near_duplicates(level1: list[Task], toolchain_of) -> None:  # type: ignore[no-untyped-def]
    """-O3 IR of at least 60 lines each and 100 in the middle; no two functions share half of their code."""
    toolchain: Toolchain = toolchain_of("x86_64")
    text, complaints = card(toolchain, level1)
    assert not complaints
    assert "## L1" in text
    lengths = sorted(len(toolchain.emit_ir(t, "O3").splitlines()) for t in level1)
    assert lengths[0] >= IR_BINS[1]
    assert lengths[len(lengths) // 2] >= 100
    twin = toolchain.emit_ir(level1[0], "O3").replace(level1[0].function, "other")
    assert alike({"one": toolchain.emit_ir(level1[0], "O3"), "two": twin})[0][0] == 1.0


def test_a_sample_has_nothing_to_mend(level1: list[Task], native: Toolchain) -> None:
    """Every branch of a sampled task is reached, no drawn input is undefined, no compiler warns."""
    sample = random.Random("bundled").sample(level1, SAMPLED)
    try:
        findings = check([t.yaml_path for t in sample], cache=native.cache, search=False, jobs=1)
    except ToolMissing as error:
        pytest.skip(str(error))
    assert {f.task: f.problems for f in findings if f.problems} == {}


@pytest.mark.parametrize("compiler", ["clang-O3", "gcc-O2"])
def test_compilers_agree_on_a_sample(level1: list[Task], toolchain: Toolchain, judge: Judge, compiler: str) -> None:
    """Optimising compilers are right on every architecture; a wrong refusal would blame a model."""
    name, _, level = compiler.partition("-")
    wrong = {}
    for task in random.Random(f"agree {compiler} {toolchain.arch.name}").sample(level1, SAMPLED):
        found = judge.judge(task, toolchain.arch.name, toolchain.compile_source(name, level, task.c_path))
        if found.verdict != "correct" or found.discarded_vectors:
            wrong[task.id] = str(found.verdict)
    assert wrong == {}
