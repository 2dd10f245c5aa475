"""The pytest side of ``--nc-learn-prompt``: its items, its output, its exit status."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .errors import NeucombackError
from .learning import LearnRun, Result, Subject, check_learning, write_learn_json
from .progress import past_capture
from .records import results_json
from .report import human_cost, human_count, shown

if TYPE_CHECKING:
    from .plugin import Run
    from .records import RunFolder


class LearningStopped(Exception):
    """Learning did not come to its end; the message says why, and that the same command goes on."""


class LearnItem(pytest.Item):
    """Learns for one model, architecture and level."""

    subject: Subject
    controller: LearnController

    def runtest(self) -> None:
        """Learn, and store the winner."""
        result = self.controller.learn(self.subject)
        if result.error:
            raise LearningStopped(
                f"{result.error}\nThe same command goes on where this one stopped and pays for nothing twice."
            )

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any) -> Any:
        """What stopped it, without a traceback when it was foreseen."""
        if isinstance(excinfo.value, LearningStopped | NeucombackError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """How the item is named in reports."""
        return self.path, None, self.name


class Teller:
    """Writes a line while an item runs, past pytest's capture."""

    def __init__(self, reporter: Any) -> None:
        self._reporter = reporter
        self._stream = past_capture(reporter._tw._file)
        self._width = 0
        """How far pytest had come in its line when ours was written: it does not know of ours."""
        if reporter.verbosity <= 0 and hasattr(reporter, "_show_progress_info"):
            reporter._show_progress_info = False  # a percentage of few items, padded for a line that is not there

    def __call__(self, text: str) -> None:
        """Begin a line, also where pytest is amid one."""
        terminal = self._reporter._tw
        terminal.flush()
        if self._reporter.verbosity > 0:
            # left open: pytest begins a line of its own to repeat the item's name, for -2 is no test's place
            begun = self._reporter.currentfspath or terminal.width_of_current_line
            self._reporter.currentfspath = -2
            self._stream.write(("\n" if begun else "") + text)
        else:
            begun = terminal.width_of_current_line != self._width
            self._stream.write(("\n" if begun else "") + text + "\n")
        self._width = terminal.width_of_current_line
        self._stream.flush()


class LearnController:
    """Stands in the place of the benchmark's controller while prompts are learned."""

    def __init__(self, run: Run, processes: int) -> None:
        self.run, self._processes = run, processes
        self.folder: RunFolder | None = None
        self.learning: LearnRun | None = None
        self.broken = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Open the run's folder: a new one, or that of an unfinished run of the same command."""
        from .engine import report_folder
        from .plugin import run_command
        from .session import judge_settings
        from .toolchain import sweep_work_folders

        run = self.run
        sweep_work_folders()
        command = run_command(run, last_failed=False)
        try:
            check_learning(run.settings, run.tasks, session.config.rootpath)
            self.folder = report_folder(run.settings, session.config.rootpath, command)
        except NeucombackError as error:
            raise pytest.UsageError(str(error)) from None
        run.seed = self.folder.seed
        reporter = session.config.pluginmanager.getplugin("terminalreporter")
        self.learning = LearnRun(
            run.settings,
            run.tasks,
            run.models,
            run.toolchains,
            self.folder,
            session.config.rootpath,
            judge_settings(run.settings, self.folder.seed),
            self._processes,
            Teller(reporter) if reporter is not None and reporter.verbosity >= -1 else lambda _: None,
        )

    @pytest.hookimpl(trylast=True)
    def pytest_report_header(self) -> list[str]:
        """Where results go."""
        assert self.folder is not None
        teacher = self.run.settings.learn_model or "the model itself"
        extensions = ", ".join(self.run.settings.learn_extensions) or "none (the published method)"
        return [
            f"neucomback: learning, teacher: {teacher}, extensions: {extensions}",
            f"neucomback: results in {shown(self.folder.path)}, seed {self.folder.seed}",
        ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """One item for each subject, instead of the benchmark's."""
        assert self.learning is not None
        mine: list[pytest.Item] = []
        for subject in self.learning.subjects():
            name = f"learn[{subject.model}-{subject.arch}-{subject.level}]"
            item = LearnItem.from_parent(session, name=name)
            item.subject, item.controller = subject, self
            mine.append(item)
        items[:] = mine

    def learn(self, subject: Subject) -> Result:
        """Learn for one subject. Raises NeucombackError."""
        assert self.learning is not None
        return self.learning.run(subject)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item) -> bool | None:
        """--timeout bounds judging, never learning."""
        return True if isinstance(item, LearnItem) else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> Generator[None, None, None]:
        """Write learn.json, learn.html and results.json."""
        from .learn_page import write_learn_page
        from .plugin import run_description

        if self.folder is not None and self.learning is not None:
            results = self.learning.results
            whole = exitstatus == pytest.ExitCode.OK and all(r.learned and not r.error for r in results)
            try:
                write_learn_json(results, self.folder.path / "learn.json")
                write_learn_page(results, self.folder.path / "learn.html")
                described = {**run_description(self.run, self.folder), "finished": whole}
                self.folder.finish(results_json(described, [], []), whole)
            except NeucombackError as error:
                self.broken = str(error)
            self.folder.close()
        yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """What was learned."""
        if self.learning is None or self.folder is None:
            return
        terminalreporter.section("neucomback: prompt learning", sep="=")
        for result in self.learning.results:
            for line in summary_lines(result):
                terminalreporter.write_line(line)
        if self.broken:
            terminalreporter.write_line(self.broken, red=True)
        terminalreporter.write_line(f"results: {shown(self.folder.path)}/learn.html, learn.json")


def summary_lines(result: Result) -> list[str]:
    """One subject in a few lines."""
    learned = result.learned
    if learned is None:
        return [f"{result.subject.where}: {result.error or 'not learned'}"]
    first, best = learned.epochs[0].score, learned.winner.score
    rules = len(learned.winner.prompt.rules)
    cost = f", {human_cost(learned.cost_usd)}" if learned.cost_usd is not None else ""
    lines = [
        f"{result.subject.where}: valid {first.correct}/{first.tasks} -> {best.correct}/{best.tasks} "
        f"(epoch {learned.winner.number} of {learned.epochs[-1].number}, {rules} rules), "
        f"{human_count(learned.tokens_in)} tokens in, {human_count(learned.tokens_out)} out{cost}",
    ]
    if learned.stopped:
        lines.append(f"  stopped early: {learned.stopped}")
    if result.path:
        lines.append(f"  stored as {shown(result.path)}; --nc-prompt=learned uses it")
    if result.test and result.test_scores:
        a, b = result.test_scores
        lines.append(
            f"  test: {a.correct}/{a.tasks} -> {b.correct}/{b.tasks}; won {len(result.test.won)}, lost "
            f"{len(result.test.lost)}, McNemar's exact p {result.test.p_value:.3g}"
        )
    if result.error:
        lines.append(f"  {result.error}")
    return lines
