"""The options: declared once, read from flag, ini key or default, into ``Settings``.

Flag beats ini beats default. Help gives unit and default. A bad value is a ``pytest.UsageError`` that names the
option and what it takes.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from .arches import host_arch, load_arches
from .energy import POWERCAP, Packages
from .errors import ConfigError

BEST = "best"
"""``--nc-reference`` that stands for the fastest of ``BEST_OF``, for each task."""
BEST_OF = ("clang-O3", "gcc-O3", "clang-O2")
LEARN_EXTENSIONS = ("gate", "split", "failed", "dedupe", "budget", "leak", "difficulty", "stop")
"""What prompt learning does beyond the published method; docs/prompt-learning.md explains each."""


@dataclass(frozen=True)
class Settings:
    """Every setting of a run, resolved and checked."""

    models: tuple[str, ...]
    arches: tuple[str, ...]
    prompts: tuple[str, ...]
    levels: tuple[str, ...]
    splits: tuple[str, ...]
    suites: tuple[str, ...]
    source: str
    debug_rounds: int | None
    """None: 1 for level l1, 2 for every other."""
    opt_rounds: int
    samples: int
    march: str | None
    fp: str
    inputs: int
    seed: int | None
    """None: drawn at random and recorded."""
    time: bool | None
    """None: on for every level but l1."""
    timing: str
    min_effect: float
    reference: str
    show_reference: bool
    concurrency: int
    cache: Path
    use_cache: bool
    report: Path | None
    fail_under: str | None
    sandbox: bool
    models_file: Path | None
    budget_usd: float | None = None
    budget_tokens: int | None = None
    learn_model: str | None = None
    """None: the model that is evaluated."""
    learn_optimizer: str = "paper"
    learn_epochs: int = 3
    learn_batch: int = 5
    learn_train: int | None = None
    learn_valid: int | None = None
    learn_extensions: tuple[str, ...] = LEARN_EXTENSIONS
    learn_rules_chars: int = 6000
    learn_prompt: bool = False
    learn_test: bool = False
    energy: bool = False

    def debug_rounds_for(self, level: str) -> int:
        """Self-debug rounds after each generation or optimisation."""
        if self.debug_rounds is not None:
            return self.debug_rounds
        return 1 if level == "l1" else 2

    @property
    def references(self) -> tuple[str, ...]:
        """The builds that candidates may be timed against."""
        return BEST_OF if self.reference == BEST else (self.reference,)

    def timed(self, level: str) -> bool:
        """Whether items of this level are timed where the host can."""
        return self.time if self.time is not None else level != "l1"

    def as_command(self) -> dict[str, Any]:
        """What makes two commands the same run: everything but where the results and the cache lie."""
        skipped = {
            "report", "cache", "use_cache", "concurrency", "fail_under", "models_file", "budget_usd", "budget_tokens",
        }  # fmt: skip
        return {k: list(v) if isinstance(v, tuple) else v for k, v in self.__dict__.items() if k not in skipped}


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(w.strip() for w in text.split(",") if w.strip()))


def _whole(low: int, high: int | None = None) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if value < low or (high is not None and value > high):
            raise ValueError
        return value

    return parse


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise ValueError
    return value


def _one_of(*known: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in known:
            raise ValueError
        return text

    return parse


def _seed(text: str) -> int | None:
    return None if text == "random" else _whole(0, (1 << 32) - 1)(text)


def _fp(text: str) -> str:
    if text != "exact" and not (text.startswith("ulp:") and text[4:].isascii() and text[4:].isdigit()):
        raise ValueError
    return text


def _amount(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def _extensions(text: str) -> tuple[str, ...]:
    if text in ("all", "none"):
        return LEARN_EXTENSIONS if text == "all" else ()
    names = _words(text)
    if not names or not set(names) <= set(LEARN_EXTENSIONS):
        raise ValueError
    return tuple(name for name in LEARN_EXTENSIONS if name in names)


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError
    return text


def _path(text: str) -> Path:
    return Path(_text(text))


def _reference(text: str) -> str:
    if text == BEST:
        return text
    compiler, _, level = text.partition("-")
    if compiler not in ("clang", "gcc") or level not in ("O0", "O1", "O2", "O3", "Os"):
        raise ValueError
    return text


@dataclass(frozen=True)
class Option:
    """One row: ``--nc-NAME`` and ``nc_NAME``."""

    name: str
    parse: Callable[[str], Any]
    takes: str
    """What a value looks like, for errors."""
    default: str | None
    help: str
    metavar: str = "X"
    repeat: bool = False


OPTIONS = (
    Option("model", _words, "model strings, separated by commas", "", "Models to evaluate, separated by commas: a name of the registry (neucomback models), openai:MODEL_ID, compiler:gcc-O2, files:DIR, replay:DIR. Without it benchmark items are skipped.", "A,B"),
    Option("arch", _words, "architecture names", None, "Target architectures: x86_64, aarch64, riscv64. Default: the host's.", "A,B"),
    Option("prompt", _words, "prompt names or paths", "baseline", "Prompts: baseline, learned, learned:ARCH/LEVEL/MODEL, another name in prompts/, or a file. Default: baseline.", "A,B"),
    Option("level", _words, "level names", "", "Levels of tasks, such as l1,l2. Default: all.", "A,B"),
    Option("split", _words, "train, valid or test", "", "Splits of tasks: train,valid,test. Default: all.", "A,B"),
    Option("suite", _text, "a folder of tasks, or bundled:LEVEL", None, "Folder of tasks to use instead of the bundled ones; repeatable. bundled:l2 names ours.", "PATH", repeat=True),
    Option("source", _one_of("ir-O0", "ir-O1", "ir-O2", "ir-O3", "c"), "ir-O0, ir-O1, ir-O2, ir-O3 or c", "ir-O3", "What the model reads: ir-O0 ... ir-O3, or c. Default: ir-O3.", "KIND"),
    Option("debug-rounds", _whole(0, 100), "a whole number from 0", None, "Self-debug rounds after each generation or optimisation. Default: 1 for l1, 2 for l2.", "N"),
    Option("opt-rounds", _whole(0, 100), "a whole number from 0", "0", "Optimisation rounds, on architectures this host can time. Default: 0.", "T"),
    Option("samples", _whole(1, 1000), "a whole number from 1", "1", "Independent samples per item; ids then end in -kN. Default: 1.", "K"),
    Option("march", _text, "an ISA level", None, "ISA level of IR, reference and candidate, such as x86-64-v3 or rv64gcv. Default: the arch's baseline.", "LEVEL"),
    Option("fp", _fp, "exact or ulp:N", "exact", "Floating-point comparison: exact (bit for bit, any NaN equals any NaN) or ulp:N. Default: exact.", "RULE"),
    Option("inputs", _whole(1, 100_000), "a whole number from 1", "32", "Fresh random vectors per verdict. Default: 32.", "N"),
    Option("seed", _seed, "a whole number below 2^32, or random", "random", "Seed of the fresh vectors; random draws one and records it. Default: random.", "N"),
    Option("timing", _one_of("paired", "paper"), "paired or paper", "paired", "Estimator: paired (interval over launches) or paper (11 runs, mean of the middle 5). Default: paired.", "NAME"),
    Option("min-effect", _fraction, "a fraction from 0 to below 1", "0.01", "Smallest relative effect that is called faster or slower. Default: 0.01.", "X"),
    Option("reference", _reference, "COMPILER-LEVEL such as clang-O3 or gcc-O2, or best", "clang-O3", "What candidates are timed against: COMPILER-LEVEL, or best, for each task the fastest of clang-O3, gcc-O3 and clang-O2. Default: clang-O3.", "NAME"),
    Option("concurrency", _whole(1, 10_000), "a whole number from 1", "16", "Model requests in flight, whole run. Default: 16.", "N"),
    Option("cache", _path, "a folder", ".neucomback", "Folder of the reply and build caches. Default: .neucomback/.", "DIR"),
    Option("report", _path, "a folder", None, "Folder for results.json, results.jsonl and transcripts/. Default: reports/<run id>/.", "DIR"),
    Option("fail-under", _text, "acc:0.45", None, "Fail the run when a figure is below this, such as acc:0.45 or acc_perf:0.2; wrong candidates are then reported, not red.", "FIGURE:X"),
    Option("models-file", _path, "a YAML file", None, "YAML file with models of your own, added to the registry. Default: neucomback.models.yaml if there is one.", "PATH"),
    Option("budget-usd", _amount, "an amount above 0", None, "Stop asking models when this is spent, in US dollars, all workers together. Default: no limit.", "X"),
    Option("budget-tokens", _whole(1), "a whole number from 1", None, "Stop asking models when so many tokens are used, in and out. Default: no limit.", "N"),
    Option("learn-model", _text, "a model string", None, "The teacher, which reads trajectories and writes rules. Default: the model of --nc-model.", "NAME"),
    Option("learn-optimizer", _one_of("paper", "gepa"), "paper or gepa", "paper", "How a prompt is learned: paper (docs/prompt-learning.md) or gepa (needs the package gepa). Default: paper.", "NAME"),
    Option("learn-epochs", _whole(1, 100), "a whole number from 1", "3", "Epochs of prompt learning. Default: 3.", "N"),
    Option("learn-batch", _whole(1, 1000), "a whole number from 1", "5", "Tasks a batch. Default: 5.", "N"),
    Option("learn-train", _whole(1), "a whole number from 1", None, "Learn from so many tasks of the train split, drawn by the seed. Default: all.", "N"),
    Option("learn-valid", _whole(1), "a whole number from 1", None, "Select on so many tasks of the valid split, drawn by the seed. Default: all.", "N"),
    Option("learn-extensions", _extensions, f"all, none, or some of {','.join(LEARN_EXTENSIONS)}", "all", f"What learning does beyond the published method: {','.join(LEARN_EXTENSIONS)}, all or none. Default: all.", "A,B"),
    Option("learn-rules-chars", _whole(200, 1_000_000), "a whole number from 200", "6000", "Longest set of learned rules, in characters. Default: 6000.", "N"),
)  # fmt: skip
FLAGS = (
    (
        "learn-prompt",
        "Learn a prompt for the model on each architecture and level instead of evaluating; stores the winner.",
    ),
    ("learn-test", "After learning, run baseline and winner once on the test split and compare them."),
    ("energy", "Measure the energy of timed code too, where the processor tells it (RAPL)."),
    ("show-reference", "Optimisation prompts may show the reference's assembly."),
    ("no-cache", "Neither read nor write the reply cache."),
    ("unsafe-no-sandbox", "Run candidates without bubblewrap, in containers that forbid it; recorded in the results."),
)


def default_of(name: str) -> Any:
    """What ``--nc-NAME`` is when nobody gives it."""
    option = next(o for o in OPTIONS if o.name == name)
    return None if option.default is None else option.parse(option.default)


def add_options(parser: pytest.Parser) -> None:
    """Declare every flag and ini key."""
    group = parser.getgroup("neucomback", "neural compilation (pytest-neucomback)")
    for option in OPTIONS:
        action = "append" if option.repeat else "store"
        group.addoption(f"--nc-{option.name}", action=action, metavar=option.metavar, default=None, help=option.help)
        kind: Literal["linelist", "string"] = "linelist" if option.repeat else "string"
        parser.addini(_key(option.name), option.help, type=kind, default=None)
    group.addoption(
        "--nc-time",
        action="store_true",
        default=None,
        dest="nc_time",
        help="Time correct candidates against the reference. Default: on for l2, off for l1.",
    )
    group.addoption("--nc-no-time", action="store_false", default=None, dest="nc_time", help="Do not time anything.")
    parser.addini("nc_time", "Time correct candidates: true or false.", type="string", default=None)
    for name, text in FLAGS:
        group.addoption(f"--nc-{name}", action="store_true", default=None, help=text)
        parser.addini(_key(name), text, type="bool", default=False)


def _key(name: str) -> str:
    return "nc_" + name.replace("-", "_")


def read_settings(config: pytest.Config) -> Settings:
    """All settings of this session. Raises pytest.UsageError."""
    values: dict[str, Any] = {}
    for option in OPTIONS:
        values[_key(option.name)] = _value(config, option)
    flags = {
        _key(n): bool(given) if (given := config.getoption(_key(n))) is not None else bool(config.getini(_key(n)))
        for n, _ in FLAGS
    }
    arches = values["nc_arch"] or tuple(a for a in (host_arch(),) if a)
    known = load_arches()
    for arch in arches:
        if arch not in known:
            raise pytest.UsageError(
                f"--nc-arch={arch}: unknown architecture.{_hint(arch, known)} Known: {', '.join(known)}."
            )
    if not arches:
        raise pytest.UsageError("this host's architecture has no row in arches.yaml; name a target with --nc-arch")
    if not values["nc_prompt"]:
        raise pytest.UsageError("--nc-prompt: names no prompt")
    try:
        if values["nc_fail_under"]:
            from .metrics import parse_fail_under

            parse_fail_under(values["nc_fail_under"])
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None
    if flags["nc_energy"] and Packages.here() is None:
        raise pytest.UsageError(
            f"--nc-energy: no energy counter of this processor can be read. Bare machines have them under {POWERCAP}, for "
            "root; virtual ones mostly have none."
        )
    rootpath = config.rootpath
    return Settings(
        models=values["nc_model"],
        arches=arches,
        prompts=values["nc_prompt"],
        levels=values["nc_level"],
        splits=values["nc_split"],
        suites=tuple(values["nc_suite"] or ()),
        source=values["nc_source"],
        debug_rounds=values["nc_debug_rounds"],
        opt_rounds=values["nc_opt_rounds"],
        samples=values["nc_samples"],
        march=values["nc_march"],
        fp=values["nc_fp"],
        inputs=values["nc_inputs"],
        seed=values["nc_seed"],
        time=_tristate(config),
        timing=values["nc_timing"],
        min_effect=values["nc_min_effect"],
        reference=values["nc_reference"],
        show_reference=flags["nc_show_reference"],
        concurrency=values["nc_concurrency"],
        cache=rootpath / values["nc_cache"],
        use_cache=not flags["nc_no_cache"],
        report=config.invocation_params.dir / values["nc_report"] if values["nc_report"] else None,
        fail_under=values["nc_fail_under"],
        sandbox=not flags["nc_unsafe_no_sandbox"],
        models_file=config.invocation_params.dir / values["nc_models_file"] if values["nc_models_file"] else None,
        budget_usd=values["nc_budget_usd"],
        budget_tokens=values["nc_budget_tokens"],
        learn_model=values["nc_learn_model"],
        learn_optimizer=values["nc_learn_optimizer"],
        learn_epochs=values["nc_learn_epochs"],
        learn_batch=values["nc_learn_batch"],
        learn_train=values["nc_learn_train"],
        learn_valid=values["nc_learn_valid"],
        learn_extensions=values["nc_learn_extensions"],
        learn_rules_chars=values["nc_learn_rules_chars"],
        learn_prompt=flags["nc_learn_prompt"],
        learn_test=flags["nc_learn_test"],
        energy=flags["nc_energy"],
    )


def _value(config: pytest.Config, option: Option) -> Any:
    key = _key(option.name)
    flag = config.getoption(key)
    ini = config.getini(key)
    text = flag if flag is not None else ini if ini not in (None, "", []) else option.default
    if text is None:
        return None
    if option.repeat:
        return [_parsed(option, one, given=flag is not None) for one in text]
    return _parsed(option, text, given=flag is not None)


def _parsed(option: Option, text: str, *, given: bool) -> Any:
    """``given``: on the command line."""
    source = f"--nc-{option.name}={text}" if given else f"ini option {_key(option.name)} = {text}"
    try:
        value = option.parse(text)
    except ValueError:
        raise pytest.UsageError(f"{source}: expected {option.takes}") from None
    if value == () and given and text != "none":
        raise pytest.UsageError(f"{source}: expected {option.takes}")
    return value


def _tristate(config: pytest.Config) -> bool | None:
    flag: bool | None = config.getoption("nc_time")
    if flag is not None:
        return flag
    text = config.getini("nc_time")
    if text in (None, ""):
        return None
    if str(text).lower() not in ("true", "false", "1", "0", "on", "off", "yes", "no"):
        raise pytest.UsageError(f"ini option nc_time = {text}: expected true or false")
    return str(text).lower() in ("true", "1", "on", "yes")


def _hint(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""
