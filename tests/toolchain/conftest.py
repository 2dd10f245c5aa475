"""Real compilers, one toolchain and one judge per architecture for the whole session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from candidates import BUMP_C, BUMP_YAML

from pytest_neucomback.errors import SandboxUnavailable, ToolMissing
from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.sandbox import check_sandbox
from pytest_neucomback.tasks import Task, load_suites, load_task
from pytest_neucomback.toolchain import Toolchain
from pytest_neucomback.types import Verdict

ARCHES = ("x86_64", "aarch64", "riscv64")
SEED = 7


@pytest.fixture(scope="session", params=ARCHES)
def arch(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def toolchain_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Toolchain]:
    """The toolchain of an arch; skips the test, naming the package, where a program is missing."""
    cache = tmp_path_factory.mktemp("cache")
    made: dict[str, Toolchain] = {}

    def get(arch: str) -> Toolchain:
        try:
            check_sandbox()
            if arch not in made:
                made[arch] = Toolchain(arch, cache=cache)
            _ = made[arch].emulator
        except (ToolMissing, SandboxUnavailable) as error:
            pytest.skip(str(error))
        return made[arch]

    return get


@pytest.fixture(scope="session")
def toolchain(arch: str, toolchain_of: Callable[[str], Toolchain]) -> Toolchain:
    return toolchain_of(arch)


@pytest.fixture(scope="session")
def judge(toolchain: Toolchain) -> Judge:
    return Judge(JudgeSettings(SEED, 8), {toolchain.arch.name: toolchain})


@pytest.fixture(scope="session")
def native(toolchain_of: Callable[[str], Toolchain]) -> Toolchain:
    """The toolchain of x86_64, on hosts that run it themselves."""
    toolchain = toolchain_of("x86_64")
    if not toolchain.arch.native:
        pytest.skip("needs an x86_64 host")
    return toolchain


@pytest.fixture(scope="session")
def native_judge(native: Toolchain) -> Judge:
    return Judge(JudgeSettings(SEED, 8), {"x86_64": native})


@pytest.fixture(scope="session")
def make_task(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, str], Task]:
    """Writes NAME.c and NAME.yaml (level and split are added) and loads them."""
    root = tmp_path_factory.mktemp("tasks")

    def make(name: str, c: str, yaml: str) -> Task:
        (root / f"{name}.c").write_text(c)
        (root / f"{name}.yaml").write_text(f"function: {name}\nlevel: mini\nsplit: test\n{yaml}")
        return load_task(root / f"{name}.yaml", suite="mini")

    return make


@pytest.fixture(scope="session")
def bump(make_task: Callable[[str, str, str], Task]) -> Task:
    """a[i] = b[i] + s over 64 ints: the task that the hand-written candidates of candidates.py are for."""
    return make_task("bump", BUMP_C, BUMP_YAML)


@pytest.fixture(scope="session")
def bundled() -> dict[str, Task]:
    return {task.id: task for task in load_suites([])}


@pytest.fixture
def verdict_on(bump: Task, arch: str, judge: Judge) -> Callable[[str], Verdict]:
    """Judges a candidate for ``bump``."""
    return lambda assembly: judge.judge(bump, arch, assembly).verdict


@pytest.fixture
def short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Candidates that never end are stopped soon."""
    monkeypatch.setattr("pytest_neucomback.judge.LIMIT_FLOOR_S", 0.4)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder
