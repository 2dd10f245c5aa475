"""Simpler inputs: which are tried, when one is taken, and how it is put into words."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_neucomback.arches import load_arches
from pytest_neucomback.inputs import Vector
from pytest_neucomback.layout import place
from pytest_neucomback.shrink import complexity, describe, simple_values, simplify
from pytest_neucomback.signature import CType, Signature, Variable
from pytest_neucomback.tasks import Task
from pytest_neucomback.toolchain import Plan

N = 1000
FLOAT = CType("float", "float", 4, 4, signed=True)
ARRAY = CType("array", "float[1000]", 4 * N, 4, element=FLOAT, count=N)


@pytest.fixture
def plan(request: pytest.FixtureRequest) -> Plan:
    signature = Signature(
        "t", CType("void", "void", 0, 1), (), tuple(Variable(n, ARRAY) for n in "abc"), (), "", frozenset()
    )
    objects, size = place([(n, 4 * N, 4) for n in "abc"], base=0x10000000, offset=0)
    return Plan(
        Task("t", "mini", request.path, "t", "l1", "test"), load_arches()["x86_64"], signature, tuple(objects), size
    )


@pytest.fixture
def vector() -> Vector:
    rng = np.random.default_rng(0)
    objects = {n: rng.uniform(-1, 1, N).astype(np.float32).view(np.uint8) for n in "abc"}
    return Vector("fixed:0", "uniform fill", objects, (), (), ())


def values(vector: Vector, name: str) -> np.ndarray:
    return vector.objects[name].view(np.float32)


def test_input_that_does_not_matter_becomes_zero(plan: Plan, vector: Vector) -> None:
    """A candidate that is always wrong is wrong on zeros, found with one try."""
    tried = []
    simpler = simplify(plan, vector, lambda v: tried.append(v) or (0,))
    assert len(tried) == 1
    assert not any(values(simpler, n).any() for n in "abc")
    assert simpler.label == "uniform fill, made simpler: a, b, c all 0"


@pytest.mark.parametrize("index", [0, 1, 517, N - 1])
def test_one_element_that_matters_is_left(plan: Plan, vector: Vector, index: int) -> None:
    """A fault that needs one element not to be zero ends with that element alone, rounded, wherever it is."""
    tried = []

    def fails(v: Vector) -> tuple[int, ...] | None:
        tried.append(v)
        return (index,) if abs(values(v, "b")[index]) > 0.2 and not values(v, "b").all() else None

    vector.objects["b"].view(np.float32)[index] = -0.71
    vector.objects["b"].view(np.float32)[(index + 7) % N] = 0
    simpler = simplify(plan, vector, fails, wrong=[3])
    assert list(np.flatnonzero(values(simpler, "b"))) == [index]
    assert f"a, c all 0; b all 0 but b[{index}] = -0.5" in simpler.label
    assert len(tried) <= 64


def test_nothing_simpler_leaves_the_input_alone(plan: Plan, vector: Vector) -> None:
    """Where every change makes the fault go away the original is returned, after a bounded number of tries."""
    tried = []
    assert simplify(plan, vector, lambda v: tried.append(v), trials=10) is vector
    assert len(tried) == 10


def test_same_answers_same_input(plan: Plan, vector: Vector) -> None:
    """The search depends on what the candidate did and on nothing else."""

    def fails(v: Vector) -> tuple[int, ...] | None:
        return (5,) if values(v, "a")[5:9].sum() * values(v, "c")[2] > 0 else None

    one, two = (simplify(plan, vector, fails, wrong=[5]) for _ in "ab")
    assert one.label == two.label


def test_values_stay_in_the_range_drawn() -> None:
    """A divisor that is never 0 is not made 0, whole numbers stay whole, NaN has no say."""
    assert simple_values(np.float32([1.2, 2.6, np.nan]))[0] == 2
    assert simple_values(np.int32([-3, 7]))[:4] == [0, 1, -1, 2]
    assert 0.5 not in simple_values(np.int32([-3, 7]))
    assert simple_values(np.float64([np.nan, np.inf])) == []
    assert simple_values(np.uint8([200, 250])) == []


def test_complexity_prefers_round_and_few(plan: Plan, vector: Vector) -> None:
    """Zeros are simpler than a grid, a grid is simpler than random numbers."""
    zeros = Vector("", "", {n: np.zeros(4 * N, np.uint8) for n in "abc"}, (), (), ())
    grid = Vector("", "", {n: np.tile(np.float32([-1, 0.5, 0, 1]), N // 4).view(np.uint8) for n in "abc"}, (), (), ())
    assert complexity(plan, zeros) < complexity(plan, grid) < complexity(plan, vector)


def test_description(plan: Plan, vector: Vector) -> None:
    """Objects are described by what they mostly hold."""
    data = {"a": np.zeros(N, np.float32), "b": np.full(N, 0.5, np.float32), "c": values(vector, "c")}
    data["b"][[3, 9]] = [2, np.nan]
    held = Vector("", "", {n: d.view(np.uint8) for n, d in data.items()}, (), (), ())
    assert describe(plan, held) == "a all 0; b all 0.5 but b[3] = 2, b[9] = nan; c as drawn"
