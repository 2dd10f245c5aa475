"""Fixtures, usable in a user's own tests (contract). They do the work; the test asserts.

In pytest's words *failed* is the candidate's fault, *error* ours, *skipped* cannot be tried here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .errors import HarnessError
from .types import ItemKey, Outcome, Record, Timing, Verdict

if TYPE_CHECKING:
    from .arches import Arch
    from .judge import Judge
    from .models import Model
    from .prompts import Prompt
    from .runner import Guest
    from .tasks import Task
    from .toolchain import Build, Toolchain
    from .types import Judgement


@dataclass
class CandidateResult:
    """What ``nc_candidate`` gives a test: the model's best assembly and all that is known about it."""

    assembly: str | None
    """None when no reply held any."""
    verdict: Verdict
    """Compares equal to its word: ``nc_candidate.verdict == "correct"``."""
    timing: Timing | None
    record: Record
    report: Path
    """The run's report folder."""
    task: Task
    wrong_is_red: bool
    """False under --nc-fail-under: wrong candidates are reported and the aggregate decides."""
    samples: int
    _runner: Runner = field(repr=False)
    _stack: ExitStack = field(default_factory=ExitStack, repr=False)
    _guest: Any = field(default=None, repr=False)

    @property
    def detail(self) -> str:
        """One line: what is wrong."""
        return self.verdict.detail

    @property
    def diagnostic(self) -> str:
        """What the model was, or would be, told."""
        return self.verdict.diagnostic

    def require_correct(self) -> None:
        """Fail the test, with a report for people and no traceback, unless the verdict is ``correct``."""
        if self.verdict.outcome is Outcome.CORRECT:
            return
        from .report import failure_text, shown

        record = self.record
        text = failure_text(
            record,
            transcript_path=shown(self.report / record.transcript_file) if record.transcript_file else None,
            candidate_path=shown(self.report / record.candidate_file) if record.candidate_file else None,
            samples=self.samples,
        )
        if self.wrong_is_red:
            pytest.fail(text, pytrace=False)
        pytest.xfail(text)

    def run(self) -> None:
        """Call the candidate once in its sandbox, on the task's timing input; ``benchmark(nc_candidate.run)`` works.

        Includes waking the sandboxed process (some 20 microseconds); for kernel time alone use ``timing``. Fails the
        test when there is nothing that runs.
        """
        if self.assembly is None:
            pytest.fail(f"there is no assembly to run ({self.verdict})", pytrace=False)
        if self._guest is None:
            self._guest = self._runner.open(self.assembly, self._stack)
        self._guest.load(self._runner.timing_vector())
        result = self._guest.call(60.0)
        if result.status != "done":
            pytest.fail(f"the candidate did not return ({result.status})", pytrace=False)

    def close(self) -> None:
        """End the sandbox that ``run`` opened."""
        self._stack.close()


@dataclass
class Runner:
    """What ``nc_runner`` gives a test: builds, judges and times assembly of one's own for the item's task and arch."""

    task: Task
    arch: str
    toolchain: Toolchain
    _judge: Judge = field(repr=False)

    def judge(self, assembly: str) -> Judgement:
        """The oracle's judgement on some assembly."""
        return self._judge.judge(self.task, self.arch, assembly)

    def time(self, assembly: str) -> Timing:
        """Against the reference, alone on the machine; without figures on emulated arches. Raises HarnessError."""
        return self._judge.time(self.task, self.arch, assembly)

    def timing_vector(self) -> Any:
        """The input vector that timing uses."""
        from .inputs import draw

        return draw(self.toolchain.plan(self.task), "fixed:0")

    def open(self, assembly: str, stack: ExitStack) -> Guest:
        """A sandboxed process that has the assembly loaded; it ends with ``stack``. Fails the test unless it builds."""
        import shutil

        from .runner import Guest
        from .toolchain import BuildFailure, new_work_folder

        folder = new_work_folder()
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        build = self.toolchain.build_candidate(self.task, assembly, folder)
        if isinstance(build, BuildFailure):
            pytest.fail(build.diagnostic, pytrace=False)
        settings = self._judge.settings
        guest = Guest(build, emulator=self.toolchain.emulator, sandbox=settings.sandbox, cpu_s=600)
        return stack.enter_context(guest)


@pytest.fixture
def nc_item(request: pytest.FixtureRequest) -> ItemKey:
    """Names the item; parametrised by the plugin. Fields that the test has no use for are empty."""
    key: ItemKey = request.param
    return key


def _run(request: pytest.FixtureRequest) -> Any:
    from .plugin import RUN

    return request.config.stash[RUN]


@pytest.fixture
def nc_task(nc_item: ItemKey, request: pytest.FixtureRequest) -> Task:
    """The task: C file, inputs, level, split."""
    task: Task = _run(request).tasks[nc_item.task]
    return task


@pytest.fixture
def nc_model(nc_item: ItemKey, request: pytest.FixtureRequest) -> Model:
    """The model; ``nc_model.name`` is what was typed after --nc-model."""
    model: Model = _run(request).models[nc_item.model]
    return model


@pytest.fixture
def nc_arch(nc_item: ItemKey) -> Arch:
    """The architecture's row: triple, registers, ABI facts."""
    from .arches import load_arches

    return load_arches()[nc_item.arch]


@pytest.fixture
def nc_prompt(nc_item: ItemKey, nc_task: Task, request: pytest.FixtureRequest) -> Prompt:
    """The prompt: templates and learned rules."""
    prompt: Prompt = _run(request).prompt(nc_item, nc_task.level)
    return prompt


@pytest.fixture
def nc_toolchain(nc_item: ItemKey, request: pytest.FixtureRequest) -> Toolchain:
    """Compilers, assembler and linker for the arch."""
    toolchain: Toolchain = _run(request).toolchains[nc_item.arch]
    return toolchain


@pytest.fixture
def nc_runner(nc_item: ItemKey, nc_task: Task, nc_toolchain: Toolchain, request: pytest.FixtureRequest) -> Runner:
    """Judges and times assembly for the item's task and arch."""
    return Runner(nc_task, nc_item.arch, nc_toolchain, _run(request).judge())


@pytest.fixture
def nc_reference(nc_task: Task, nc_toolchain: Toolchain, request: pytest.FixtureRequest) -> Build:
    """The reference build (--nc-reference, clang -O3 unless said otherwise)."""
    return nc_toolchain.reference(nc_task, _run(request).settings.reference)


@pytest.fixture
def nc_candidate(
    nc_item: ItemKey, nc_task: Task, nc_runner: Runner, request: pytest.FixtureRequest
) -> Iterator[CandidateResult]:
    """The model's best assembly after self-debug and optimisation, with its verdict."""
    run = _run(request)
    broken = ""
    try:
        result = run.result(nc_item, request.node)
    except HarnessError as error:
        broken = str(error)
    if broken:  # out here the report is this sentence alone, without the error behind it
        pytest.fail(f"unjudged: {broken}", pytrace=False)
    record: Record = result.record
    for name in ("model", "arch", "prompt", "level", "split", "verdict", "first_verdict", "debug_rounds", "opt_rounds",
                 "tokens_in", "tokens_out", "cost_usd", "seed"):  # fmt: skip
        request.node.user_properties.append((f"nc_{name}", getattr(record, name)))
    if record.timing and record.timing.get("speedup") is not None:
        request.node.user_properties.append(("nc_speedup", round(record.timing["speedup"], 4)))
        request.node.user_properties.append(("nc_timing", record.timing["outcome"]))
    if record.transcript_file:
        request.node.user_properties.append(("nc_transcript", record.transcript_file))
    if result.verdict.outcome is Outcome.UNJUDGED:
        pytest.fail(f"unjudged: {result.verdict.diagnostic or result.verdict.detail}", pytrace=False)
    candidate = CandidateResult(
        assembly=result.assembly,
        verdict=result.verdict,
        timing=result.timing,
        record=record,
        report=Path(result.report),
        task=nc_task,
        wrong_is_red=run.settings.fail_under is None,
        samples=run.settings.samples,
        _runner=nc_runner,
    )
    yield candidate
    candidate.close()
