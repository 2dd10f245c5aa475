"""pytest wiring: options, parametrisation, the run's life in controller and workers, output."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import shlex
import sys
import traceback
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import hookspecs
from .errors import ConfigError, NeucombackError, ToolMissing
from .fixtures import (
    nc_arch,
    nc_candidate,
    nc_item,
    nc_model,
    nc_prompt,
    nc_reference,
    nc_runner,
    nc_task,
    nc_toolchain,
)
from .options import Settings, add_options, read_settings
from .types import ItemKey, Outcome, Record

if TYPE_CHECKING:
    from .engine import Engine, ItemResult, Request
    from .judge import Judge
    from .metrics import Summary
    from .models import Model
    from .progress import ProgressLine
    from .prompts import Prompt
    from .records import RunFolder
    from .session import Client
    from .tasks import Task
    from .toolchain import Toolchain

__all__ = [
    "nc_arch",
    "nc_candidate",
    "nc_item",
    "nc_model",
    "nc_prompt",
    "nc_reference",
    "nc_runner",
    "nc_task",
    "nc_toolchain",
]

RUN: pytest.StashKey[Run] = pytest.StashKey()
_NO_MODEL = (
    "no model chosen: add --nc-model=NAME (`neucomback models` lists them), for a try without any key "
    "--nc-model=compiler:gcc-O2"
)
_DIMENSIONS = {
    "task": {"nc_task", "nc_prompt", "nc_runner", "nc_reference", "nc_candidate"},
    "model": {"nc_model", "nc_prompt", "nc_candidate"},
    "arch": {"nc_arch", "nc_prompt", "nc_toolchain", "nc_runner", "nc_reference", "nc_candidate"},
    "prompt": {"nc_prompt", "nc_candidate"},
}
"""Which fixtures make a test run once per task, model, arch, prompt."""


@dataclass
class Run:
    """Everything a session knows of the evaluation, in controller and workers alike."""

    config: pytest.Config
    settings: Settings
    tasks: dict[str, Task] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    toolchains: dict[str, Toolchain] = field(default_factory=dict)
    client: Client | None = None
    seed: int = 0
    _prompts: dict[tuple[str, str, str, str], Prompt] = field(default_factory=dict)
    _judge: Judge | None = None

    def prompt(self, key: ItemKey, level: str) -> Prompt:
        """The prompt of an item. Raises ConfigError."""
        from .prompts import load_prompt

        where = (key.prompt, key.model, key.arch, level)
        if where not in self._prompts:
            self._prompts[where] = load_prompt(
                key.prompt, model=key.model, arch=key.arch, level=level, project=self.config.rootpath
            )
        return self._prompts[where]

    def judge(self) -> Judge:
        """A judge for fixtures of this process."""
        from .judge import Judge
        from .session import judge_settings

        if self._judge is None:
            self._judge = Judge(judge_settings(self.settings, self.seed), self.toolchains)
        return self._judge

    def request(self, key: ItemKey, node: pytest.Item) -> Request:
        """What is asked of the engine for an item."""
        from .engine import Request

        return Request(key, judging_timeout(node))

    def result(self, key: ItemKey, node: pytest.Item) -> ItemResult:
        """Wait for an item's result."""
        assert self.client is not None, "the session has started"
        return self.client.result(self.request(key, node))


# --- options and configuration -----------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare --nc-* and nc_* settings."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Offer our hooks."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Read and check everything that can be checked before work starts."""
    config.addinivalue_line(
        "markers", "neucomback: an item of the benchmark; carried by every test that takes nc_candidate"
    )
    settings = read_settings(config)
    run = Run(config, settings)
    config.stash[RUN] = run
    if not settings.models:
        if settings.learn_prompt:
            raise pytest.UsageError("--nc-learn-prompt: learns for the model of --nc-model, which is not given")
        return
    if config.args_source is pytest.Config.ArgsSource.INVOCATION_DIR and not _has_tests(config):
        # plain `pytest --nc-model=...` in a folder without tests of its own: the benchmark is what is meant
        from .tasks import bundled_folder

        config.args = [str(bundled_folder())]
    try:
        _load(run)
    except NeucombackError as error:
        raise pytest.UsageError(str(error)) from None
    if settings.learn_prompt:
        _learn_instead(run)
    elif not config.option.collectonly:
        if is_worker(config):
            _connect(run)
        else:
            config.pluginmanager.register(Controller(run), "neucomback-controller")


def _learn_instead(run: Run) -> None:
    """Learn prompts: no xdist, whose workers would end with the only test; -n gives judging processes instead."""
    from .learn_plugin import LearnController

    config, settings = run.config, run.settings
    if settings.splits:
        raise pytest.UsageError("--nc-learn-prompt uses the train and valid splits by itself; leave --nc-split out")
    count = getattr(config.option, "numprocesses", None)
    if getattr(config.option, "dist", "no") != "no":
        config.option.dist, config.option.tx = "no", []
    if not config.option.collectonly:
        config.pluginmanager.register(LearnController(run, int(count or 0)), "neucomback-controller")


def _has_tests(config: pytest.Config) -> bool:
    """Whether there is a test module below the folder that pytest was started in."""
    patterns, pruned = config.getini("python_files"), config.getini("norecursedirs")
    for _, folders, files in os.walk(config.invocation_params.dir):
        if any(fnmatch.fnmatch(name, pattern) for name in files for pattern in patterns):
            return True
        folders[:] = [f for f in folders if not any(fnmatch.fnmatch(f, pattern) for pattern in pruned)]
    return False


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is an xdist worker."""
    return hasattr(config, "workerinput")


def _load(run: Run) -> None:
    """Tasks, models, prompts and tools. Raises NeucombackError naming the culprit."""
    from .tasks import load_suites, select

    config, settings = run.config, run.settings
    tasks = select(load_suites(settings.suites), levels=settings.levels, splits=settings.splits)
    config.hook.pytest_neucomback_tasks(tasks=tasks, config=config)
    if not tasks:
        raise pytest.UsageError("no task is left after --nc-level, --nc-split and --nc-suite")
    run.tasks = {t.id: t for t in tasks}
    if config.option.collectonly:
        _check_model_names(run)
        return
    from .sandbox import check_sandbox
    from .toolchain import check_tools

    try:
        settings.cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--nc-cache={settings.cache}: cannot be used ({error.strerror}); name a folder") from None
    if settings.sandbox and not is_worker(config):
        check_sandbox()
    run.toolchains = check_tools(settings.arches, cache=settings.cache, march=settings.march, sandbox=settings.sandbox)
    run.models = _models(run)
    _check_compilers(run)
    levels = sorted({t.level for t in tasks})
    for model in settings.models if not settings.learn_prompt else ():
        for arch in settings.arches:
            for prompt in settings.prompts:
                for level in levels:
                    run.prompt(ItemKey("", model, arch, prompt), level)
    if settings.suites and not is_worker(config):
        for toolchain in run.toolchains.values():
            for task in tasks:
                if task.suite != "bundled":  # the bundled ones are checked by the project's own tests
                    toolchain.check_task(task)


def _check_compilers(run: Run) -> None:
    """The compilers that models or the reference need, for every arch. Raises ToolMissing."""
    from .models import CompilerModel

    needed = {m.compiler for m in run.models.values() if isinstance(m, CompilerModel)}
    for toolchain in run.toolchains.values():
        timed = not toolchain.emulator and any(run.settings.timed(t.level) for t in run.tasks.values())
        references = {n.partition("-")[0] for n in run.settings.references} if timed else set()
        for compiler in sorted(needed | references):
            toolchain.compiler_command(compiler, "O2")


def _check_model_names(run: Run) -> None:
    """Collecting needs no model, but a misspelt name should not wait for the real run."""
    _models(run)


def _models(run: Run) -> dict[str, Model]:
    from .models import ApiModel, resolve_model
    from .models.registry import registry_with

    config, settings = run.config, run.settings
    registry = registry_with(settings.models_file, config.rootpath)

    def compile_source(compiler: str, opt: str, source: Path, arch: str, march: str) -> str:
        del march  # the toolchain was made for it
        return run.toolchains[arch].compile_source(compiler, opt.lstrip("-"), source)

    models: dict[str, Model] = {}
    teacher = (settings.learn_model,) if settings.learn_prompt and settings.learn_model else ()
    for name in dict.fromkeys((*settings.models, *teacher)):
        model = config.hook.pytest_neucomback_model(name=name, config=config)
        if model is None:
            model = resolve_model(
                name,
                registry=registry,
                compile_source=compile_source,
                root=config.invocation_params.dir,
            )
        if isinstance(model, ApiModel) and settings.budget_usd is not None and model.spec.price is None:
            raise ConfigError(
                f"--nc-budget-usd: the price of {name} is not known, so it could never be spent; add usd_per_mtok_in "
                "and usd_per_mtok_out to its entry in neucomback.models.yaml, or use --nc-budget-tokens"
            )
        if isinstance(model, ApiModel) and not config.option.collectonly and (missing := model.missing_key()):
            raise ConfigError(missing)
        models[name] = model
    return models


def _connect(run: Run) -> None:
    """In an xdist worker: talk to the controller's engine."""
    from .session import WorkerClient

    given = run.config.workerinput.get("nc")  # type: ignore[attr-defined]
    if given is None:
        return
    run.seed = run.config.workerinput["nc_seed"]  # type: ignore[attr-defined]
    run.client = WorkerClient(given, run.settings, run.seed, run.tasks, run.toolchains)


# --- items ---------------------------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One item per task, model, arch, prompt and sample, as far as the test's fixtures need them."""
    used = set(metafunc.fixturenames)
    dimensions = {name for name, fixtures in _DIMENSIONS.items() if used & fixtures}
    if "nc_item" not in used or not dimensions:
        return
    run = metafunc.config.stash[RUN]
    settings = run.settings
    if not settings.models:
        skip = pytest.mark.skip(reason=_NO_MODEL)
        metafunc.parametrize("nc_item", [pytest.param(None, id="no-model", marks=skip)], indirect=True)
        return
    # task-major and sorted: every process has to come to the same list, and items of a task share its golden results
    keys = [
        ItemKey(task, model, arch, prompt, sample)
        for task in (run.tasks if "task" in dimensions else [""])
        for model in (settings.models if "model" in dimensions else [""])
        for arch in (settings.arches if "arch" in dimensions else [""])
        for prompt in (settings.prompts if "prompt" in dimensions else [""])
        for sample in range(1, (settings.samples if "nc_candidate" in used else 1) + 1)
    ]
    ids = [k.item_id(settings.samples if "nc_candidate" in used else 1) for k in keys]
    metafunc.parametrize("nc_item", keys, ids=ids, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark our items, before pytest looks at marks, so that -m neucomback selects them."""
    for item in items:
        if "nc_candidate" in getattr(item, "fixturenames", ()):
            item.add_marker("neucomback")


def item_key(item: pytest.Item) -> ItemKey | None:
    """The key of an item that waits for a candidate, else None."""
    callspec = getattr(item, "callspec", None)
    if callspec is None or "nc_candidate" not in getattr(item, "fixturenames", ()):
        return None
    key = callspec.params.get("nc_item")
    return key if isinstance(key, ItemKey) else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the engine which items were selected: all of them start now, whatever order pytest runs them in."""
    run = session.config.stash[RUN]
    if run.client is None or session.config.option.collectonly:
        return
    worker = getattr(session.config, "workerinput", {}).get("workerid")
    if worker in (None, "gw0"):  # every worker has the same list
        keys = [(key, item) for item in session.items if (key := item_key(item))]
        run.client.announce([run.request(key, item) for key, item in keys])


def judging_timeout(item: pytest.Item) -> float | None:
    """``--timeout`` as pytest-timeout would settle it here: marker, option, environment, ini; None if unset."""
    config = item.config
    marker = item.get_closest_marker("timeout")
    given: Any = None
    if marker:
        given = marker.args[0] if marker.args else marker.kwargs.get("timeout")
    if given is None and config.pluginmanager.hasplugin("timeout"):
        given = config.getoption("timeout", None)
        if given is None:
            given = os.environ.get("PYTEST_TIMEOUT") or config.getini("timeout")
    try:
        return float(given) or None if given else None
    except (TypeError, ValueError):
        return None


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool | None:
    """Keep pytest-timeout off items that wait for a model: the time bounds judging (contract)."""
    del settings
    return True if item_key(item) else None


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_timeout_cancel_timer(item: pytest.Item) -> bool | None:
    """The other half of ``pytest_timeout_set_timer``."""
    return True if item_key(item) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Hang the item's key on its report, where xdist carries it to the controller."""
    report = yield
    if key := item_key(item):
        unjudged = call.when == "setup" and report.failed and "unjudged: " in report.longreprtext[:40]
        report.nc = {"key": list(vars(key).values()), "unjudged": unjudged}  # type: ignore[attr-defined]
    return report


def pytest_report_header(config: pytest.Config) -> list[str]:
    """The resolved settings."""
    run = config.stash.get(RUN, None)
    if run is None or not run.settings.models:
        return []
    s = run.settings
    lines = [
        f"neucomback: {len(run.tasks)} tasks x {', '.join(s.models)} x {', '.join(s.arches)} x {', '.join(s.prompts)}"
        f"{f' x {s.samples} samples' if s.samples > 1 else ''}, source {s.source}, fp {s.fp}"
    ]
    from .arches import load_arches

    for arch in s.arches:
        row = load_arches()[arch]
        if note := row.notes.get(s.march or row.march):
            lines.append(f"neucomback: {arch}: {note}")
        if not row.native and s.timed("l2"):
            lines.append(f"neucomback: {arch} is emulated here: correctness only, no times, no ACC+Perf")
    if not s.sandbox:
        lines.append("neucomback: WARNING: candidates run without bubblewrap (--nc-unsafe-no-sandbox)")
    return lines


# --- the controller ------------------------------------------------------------------------------------------------


def run_command(run: Run, *, last_failed: bool) -> dict[str, Any]:
    """What makes two sessions the same run, by which an unfinished one is found again."""
    from .engine import describe_command

    config = run.config
    selection = {
        "args": [os.path.relpath(a, config.rootpath) for a in config.args],
        "keyword": config.option.keyword,
        "marker": config.option.markexpr,
        "last_failed": last_failed,
    }
    return describe_command(run.settings, list(run.tasks.values()), selection)


class Controller:
    """Owns the engine; registered in the process that reports, never in an xdist worker."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.engine: Engine | None = None
        self.folder: RunFolder | None = None
        self.progress: ProgressLine | None = None
        self.summaries: list[Summary] = []
        self.nodeids: dict[ItemKey, str] = {}
        self.fail_under: str | None = None
        self.saved = ""
        self.table_note: str | None = None
        self._ends: list[Any] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Open the run's folder and start the engine, before xdist starts its workers."""
        from .engine import Engine, report_folder
        from .toolchain import sweep_work_folders

        run = self.run
        sweep_work_folders()
        command = run_command(run, last_failed=bool(getattr(session.config.option, "lf", False)))
        try:
            self.folder = report_folder(run.settings, session.config.rootpath, command)
        except NeucombackError as error:
            raise pytest.UsageError(str(error)) from None
        run.seed = self.folder.seed
        hook = session.config.hook

        def on_record(record: Record) -> None:
            hook.pytest_neucomback_record(record=record, config=session.config)

        self.engine = Engine(
            run.settings,
            tasks=run.tasks,
            models=run.models,
            prompts=run.prompt,
            toolchains=run.toolchains,
            folder=self.folder,
            on_record=on_record,
        )
        self.engine.start()
        if getattr(session.config.option, "dist", "no") == "no":
            from .session import LocalClient

            run.client = LocalClient(self.engine, run.judge(), run.tasks)
        reporter = session.config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            from .progress import ProgressLine

            self.progress = ProgressLine(self.engine, reporter)

    @pytest.hookimpl(trylast=True)
    def pytest_report_header(self) -> list[str]:
        """Where results go, whether an earlier run is taken up, and which endpoints are down."""
        from .report import shown

        assert self.folder is not None
        assert self.engine is not None
        earlier = len(self.folder.finished_records)
        taken = f", going on with an unfinished run ({earlier} items are done)" if earlier else ""
        return [
            f"neucomback: results in {shown(self.folder.path)}, seed {self.folder.seed}{taken}",
            *(f"neucomback: {problem}" for problem in self.engine.desk.dead.values()),
        ]

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give an xdist worker its channel and the run's seed."""
        from .session import ControllerEnd

        assert self.engine is not None
        channel = node.gateway.newchannel()
        node.workerinput["nc"] = channel
        node.workerinput["nc_seed"] = self.run.seed
        self._ends.append(ControllerEnd(self.engine, channel))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Items start to run: show how far they are. First, because the first loop that answers ends the round."""
        if self.progress:
            self.progress.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember node ids, for benchmark entries."""
        if nc := getattr(report, "nc", None):
            self.nodeids[ItemKey(*nc["key"])] = report.nodeid
        if self.progress and report.failed:
            self.progress.clear()

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport | pytest.CollectReport, config: pytest.Config
    ) -> tuple[str, str, Any] | None:
        """Unjudged items are a class of their own; the progress line stands in for dots."""
        nc = getattr(report, "nc", None)
        if nc is None:
            return None
        if nc["unjudged"]:
            return "unjudged", "", ("UNJUDGED", {"red": True}) if config.get_verbosity() > 0 else ""
        if config.get_verbosity() <= 0 and getattr(report, "when", "") == "call":
            category = "xfailed" if hasattr(report, "wasxfail") else report.outcome
            return category, "", category.upper()
        return None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, None, None]:
        """Write results, feed pytest-benchmark, settle the exit status; before everybody else's finish."""
        if self.progress:
            self.progress.stop()
        if self.engine is not None:
            self.engine.stop()
            self._finish(session, exitstatus)
        yield

    def _finish(self, session: pytest.Session, exitstatus: int) -> None:
        from . import benchmarks
        from .metrics import fail_under_message, parse_fail_under, summarise
        from .records import results_json
        from .report import shown

        assert self.engine is not None
        assert self.folder is not None
        run = self.run
        order = {task: i for i, task in enumerate(run.tasks)}
        records = sorted(self.engine.records.values(), key=lambda r: (order[r.task], r.key))
        self.summaries = summarise(records)
        benchmarks.replay(session.config, self.engine.timings, self.nodeids)
        if run.settings.fail_under:
            self.fail_under = fail_under_message(self.summaries, parse_fail_under(run.settings.fail_under))
            if self.fail_under and exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        whole = (
            self.engine.failure is None
            and self.engine.progress.done == self.engine.progress.total
            and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
            and all(r.verdict != Outcome.UNJUDGED.value for r in records)
        )
        results = results_json({**run_description(run, self.folder), "finished": whole}, records, self.summaries)
        session.config.hook.pytest_neucomback_summary(results=results, settings=run.settings, config=session.config)
        try:
            self.folder.finish(results, whole)
            self.saved = shown(self.folder.path)
        except NeucombackError as error:
            self.engine.failure = self.engine.failure or error
        self.folder.close()

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """The table."""
        from . import benchmarks
        from .report import summary_table, verdict_line

        self.table_note = benchmarks.keep_table_short(config)
        write = terminalreporter.write_line
        if not self.summaries:
            for line in self._breakdown():
                write(line, red=True)
            return
        terminalreporter.section("neucomback", sep="=")
        own = all(t.suite != "bundled" for t in self.run.tasks.values())
        for line in summary_table(self.summaries, width=terminalreporter._tw.fullwidth, imported=own):
            write(line)
        if line := verdict_line(self.summaries):
            write(line)
        for line in self._unjudged_reasons():
            write(line, red=True)
        for line in self._breakdown():
            write(line, red=True)
        if self.fail_under:
            write(self.fail_under, red=True)
        if self.table_note:
            write(self.table_note)
        if self.saved:
            write(f"results: {self.saved}/results.json")

    def _breakdown(self) -> list[str]:
        """What stopped the engine, told once: in a sentence when it was foreseen, as a traceback when it is a bug."""
        error = self.engine.failure if self.engine else None
        if error is None:
            return []
        if isinstance(error, NeucombackError):
            return [f"the run broke down: {error}"]
        return ["the run broke down:", *"".join(traceback.format_exception(error)).splitlines()]

    def _unjudged_reasons(self) -> Iterable[str]:
        assert self.engine is not None
        reasons: dict[str, int] = {}
        for record in self.engine.records.values():
            if record.verdict == Outcome.UNJUDGED.value:
                reasons[record.detail] = reasons.get(record.detail, 0) + 1
        for reason, count in sorted(reasons.items(), key=lambda r: -r[1])[:5]:
            yield f"unjudged, {count} item{'s' if count > 1 else ''}: {reason}"
        if reasons:
            yield "the same command again tries the unjudged items and pays for nothing twice"


def _cache_bytes() -> dict[str, int]:
    """Sizes of the first processor's data caches, to read ``working_set_bytes`` by, as far as Linux tells them."""
    sizes = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        with contextlib.suppress(OSError, ValueError):
            level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
            if kind != "Instruction":
                sizes[f"L{level}"] = int(size.removesuffix("K")) << 10
    return sizes


def run_description(run: Run, folder: RunFolder) -> dict[str, Any]:
    """``run`` of results.json: versions, host, seed, settings, command line."""
    import importlib.metadata
    import platform

    from .toolchain import tool_version

    packages = ("pytest-neucomback", "pytest", "pytest-xdist", "pytest-benchmark", "openai", "numpy", "libclang")
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    for toolchain in run.toolchains.values():
        versions["clang"] = tool_version(toolchain.clang)
        versions[f"as {toolchain.arch.name}"] = tool_version(toolchain.assembler)
        if toolchain.emulator:
            versions[f"emulator {toolchain.arch.name}"] = tool_version(toolchain.emulator[0])
    references: dict[str, dict[str, str]] = {}
    for arch, toolchain in run.toolchains.items():
        references[arch] = {}
        # Where nothing is timed, the first is counted against.
        for name in run.settings.references[: 1 if toolchain.emulator else None]:
            with contextlib.suppress(ToolMissing):  # an arch without timing needs no gcc
                references[arch][name] = toolchain.reference_command(name)
    return {
        **folder.run,
        "seed": folder.seed,
        "versions": versions,
        "host": {
            "machine": platform.machine(),
            "system": f"{platform.system()} {platform.release()}",
            "processors": os.cpu_count(),
            "caches": _cache_bytes(),
        },
        "references": references,
        "settings": run.settings.as_command(),
        "sandbox": "bubblewrap+seccomp" if run.settings.sandbox else "off (--nc-unsafe-no-sandbox)",
        "command_line": shlex.join([Path(sys.argv[0]).name, *run.config.invocation_params.args]),
    }
