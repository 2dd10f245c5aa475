"""Flags and ini keys, read into settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_neucomback.arches import host_arch
from pytest_neucomback.options import FLAGS, LEARN_EXTENSIONS, OPTIONS, Settings, read_settings

GOLDEN_HELP = Path(__file__).with_name("neucomback_help.txt")

Read = Callable[..., Settings]


@pytest.fixture
def read(pytester: pytest.Pytester) -> Read:
    """The settings of a command line and the lines of an ini file."""

    def read(*args: str, ini: str = "") -> Settings:
        pytester.makeini(f"[pytest]\n{ini}\n")
        return read_settings(pytester.parseconfig(*args))

    return read


# --- where a value comes from ----------------------------------------------------------------------------------------


def test_defaults_are_those_of_the_contract(read: Read, pytester: pytest.Pytester) -> None:
    """Nothing given: every default as documented."""
    settings = read()
    assert settings == Settings(
        models=(),
        arches=(host_arch() or "x86_64",),
        prompts=("baseline",),
        levels=(),
        splits=(),
        suites=(),
        source="ir-O3",
        debug_rounds=None,
        opt_rounds=0,
        samples=1,
        march=None,
        fp="exact",
        inputs=32,
        seed=None,
        time=None,
        timing="paired",
        min_effect=0.01,
        reference="clang-O3",
        show_reference=False,
        concurrency=16,
        cache=pytester.path / ".neucomback",
        use_cache=True,
        report=None,
        fail_under=None,
        sandbox=True,
        models_file=None,
    )
    assert [settings.debug_rounds_for(level) for level in ("l1", "l2", "mine")] == [1, 2, 2]
    assert [settings.timed(level) for level in ("l1", "l2", "mine")] == [False, True, True]


EXAMPLES = {
    "model": ("gpt-4o, o1", "models", ("gpt-4o", "o1")),
    "arch": ("riscv64,aarch64", "arches", ("riscv64", "aarch64")),
    "prompt": ("learned,baseline", "prompts", ("learned", "baseline")),
    "level": ("l1,mine", "levels", ("l1", "mine")),
    "split": ("test", "splits", ("test",)),
    "source": ("ir-O0", "source", "ir-O0"),
    "debug-rounds": ("0", "debug_rounds", 0),
    "opt-rounds": ("3", "opt_rounds", 3),
    "samples": ("5", "samples", 5),
    "march": ("x86-64-v3", "march", "x86-64-v3"),
    "fp": ("ulp:4", "fp", "ulp:4"),
    "inputs": ("7", "inputs", 7),
    "seed": ("0", "seed", 0),
    "timing": ("paper", "timing", "paper"),
    "min-effect": ("0", "min_effect", 0.0),
    "reference": ("gcc-O2", "reference", "gcc-O2"),
    "concurrency": ("1", "concurrency", 1),
    "fail-under": ("acc:0.45", "fail_under", "acc:0.45"),
    "budget-usd": ("2.5", "budget_usd", 2.5),
    "budget-tokens": ("1000", "budget_tokens", 1000),
    "learn-model": ("o1", "learn_model", "o1"),
    "learn-optimizer": ("gepa", "learn_optimizer", "gepa"),
    "learn-epochs": ("7", "learn_epochs", 7),
    "learn-batch": ("9", "learn_batch", 9),
    "learn-train": ("20", "learn_train", 20),
    "learn-valid": ("20", "learn_valid", 20),
    "learn-extensions": ("stop,gate", "learn_extensions", ("gate", "stop")),
    "learn-rules-chars": ("900", "learn_rules_chars", 900),
}
"""Per option a text, the field of Settings it goes to, and the value there."""


@pytest.mark.parametrize("option", EXAMPLES)
def test_a_value_comes_from_the_flag_or_the_ini_file(option: str, read: Read) -> None:
    """Both take the same words."""
    text, field, value = EXAMPLES[option]
    key = "nc_" + option.replace("-", "_")
    assert getattr(read(f"--nc-{option}={text}"), field) == value
    assert getattr(read(ini=f"{key} = {text}"), field) == value


@pytest.mark.parametrize(
    ("flag", "ini", "field", "value"),
    [
        ("--nc-samples=2", "nc_samples = 9", "samples", 2),
        ("--nc-debug-rounds=0", "nc_debug_rounds = 4", "debug_rounds", 0),
        ("--nc-seed=random", "nc_seed = 4", "seed", None),
        ("--nc-suite=mine", "nc_suite =\n  yours\n  theirs", "suites", ("mine",)),
        ("--nc-no-time", "nc_time = true", "time", False),
        ("--nc-time", "nc_time = off", "time", True),
        ("--nc-model=o1", "nc_model = gpt-4o", "models", ("o1",)),
    ],
)
def test_a_flag_beats_the_ini_file(flag: str, ini: str, field: str, value: object, read: Read) -> None:
    """Flag, then ini, then default."""
    assert getattr(read(flag, ini=ini), field) == value
    assert getattr(read(ini=ini), field) != value


def test_the_ini_file_may_ask_for_random_or_silence_a_default(read: Read) -> None:
    """`random` is a value like any other; an empty entry means the default."""
    assert read(ini="nc_seed = random").seed is None
    assert read(ini="nc_prompt =").prompts == ("baseline",)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("show-reference", "show_reference", True),
        ("no-cache", "use_cache", False),
        ("unsafe-no-sandbox", "sandbox", False),
        ("learn-prompt", "learn_prompt", True),
        ("learn-test", "learn_test", True),
    ],
)
def test_switches_have_an_ini_key_too(name: str, field: str, value: bool, read: Read) -> None:
    """--nc-X and nc_x = true do the same."""
    assert name in dict(FLAGS)
    assert getattr(read(f"--nc-{name}"), field) is value
    assert getattr(read(ini=f"nc_{name.replace('-', '_')} = true"), field) is value
    assert getattr(read(ini=f"nc_{name.replace('-', '_')} = false"), field) is not value


def test_extensions_of_learning(read: Read) -> None:
    """All by default, none for the published method, else those that are named, in an order of their own."""
    assert read().learn_extensions == read("--nc-learn-extensions=all").learn_extensions == LEARN_EXTENSIONS
    assert read("--nc-learn-extensions=none").learn_extensions == ()
    assert read(ini="nc_learn_extensions = none").learn_extensions == ()
    assert read("--nc-learn-extensions=none").as_command() != read().as_command()


def test_suites_add_up_and_names_are_taken_once(read: Read) -> None:
    """--nc-suite is repeatable, an ini key has one per line; a name given twice counts once."""
    assert read("--nc-suite=a", "--nc-suite=b").suites == ("a", "b")
    assert read(ini="nc_suite =\n  a b\n  c").suites == ("a b", "c")
    assert read("--nc-model=o1,gpt-4o,o1").models == ("o1", "gpt-4o")


def test_folders_are_resolved_where_they_were_named(read: Read, pytester: pytest.Pytester) -> None:
    """The cache belongs to the project, the report to where the user stands."""
    (pytester.path / "below").mkdir()
    pytester.chdir()
    settings = read("--nc-cache=c", "--nc-report=r", "--nc-models-file=m.yaml")
    assert settings.cache == pytester.path / "c"
    assert settings.report == pytester.path / "r"
    assert settings.models_file == pytester.path / "m.yaml"


def test_what_makes_two_commands_the_same_run(read: Read) -> None:
    """Where results and cache lie and how many requests fly does not; everything else does."""
    base = read().as_command()
    for same in ("--nc-cache=c", "--nc-no-cache", "--nc-report=r", "--nc-concurrency=3", "--nc-fail-under=acc:0.5",
                 "--nc-budget-usd=3", "--nc-budget-tokens=5"):  # fmt: skip
        assert read(same).as_command() == base, same
    for option, (text, *_) in EXAMPLES.items():
        if option not in ("concurrency", "fail-under", "budget-usd", "budget-tokens"):
            assert read(f"--nc-{option}={text}").as_command() != base, option


# --- bad values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "text", "says"),
    [
        ("model", "", "expected model strings"),
        ("model", ",", "expected model strings"),
        ("arch", "", "expected architecture names"),
        ("arch", "arm64", "unknown architecture"),
        ("arch", "x86_64,x86-64", "unknown architecture. Did you mean x86_64? Known: x86_64, aarch64, riscv64."),
        ("prompt", "", "expected prompt names or paths"),
        ("level", "", "expected level names"),
        ("split", "", "expected train, valid or test"),
        ("source", "O3", "expected ir-O0, ir-O1, ir-O2, ir-O3 or c"),
        ("debug-rounds", "-1", "expected a whole number from 0"),
        ("debug-rounds", "many", "expected a whole number from 0"),
        ("opt-rounds", "1.5", "expected a whole number from 0"),
        ("samples", "0", "expected a whole number from 1"),
        ("fp", "ulp", "expected exact or ulp:N"),
        ("fp", "ulp:-1", "expected exact or ulp:N"),
        ("fp", "ulp:\N{SUPERSCRIPT TWO}", "expected exact or ulp:N"),
        ("inputs", "0", "expected a whole number from 1"),
        ("seed", "4294967296", "expected a whole number below 2^32, or random"),
        ("seed", "-1", "expected a whole number below 2^32, or random"),
        ("timing", "fast", "expected paired or paper"),
        ("min-effect", "1", "expected a fraction from 0 to below 1"),
        ("min-effect", "nan", "expected a fraction from 0 to below 1"),
        ("min-effect", "1%", "expected a fraction from 0 to below 1"),
        ("reference", "clang", "expected COMPILER-LEVEL such as clang-O3 or gcc-O2"),
        ("reference", "icc-O2", "expected COMPILER-LEVEL such as clang-O3 or gcc-O2"),
        ("concurrency", "0", "expected a whole number from 1"),
        ("budget-usd", "0", "expected an amount above 0"),
        ("budget-usd", "inf", "expected an amount above 0"),
        ("budget-usd", "nan", "expected an amount above 0"),
        ("budget-usd", "5$", "expected an amount above 0"),
        ("budget-tokens", "0", "expected a whole number from 1"),
        ("budget-tokens", "1e6", "expected a whole number from 1"),
        ("learn-model", "", "expected a model string"),
        ("learn-optimizer", "dspy", "expected paper or gepa"),
        ("learn-epochs", "0", "expected a whole number from 1"),
        ("learn-batch", "0", "expected a whole number from 1"),
        ("learn-train", "0", "expected a whole number from 1"),
        ("learn-extensions", "", "expected all, none, or some of gate,"),
        ("learn-extensions", "gate,speed", "expected all, none, or some of gate,"),
        ("learn-extensions", "none,gate", "expected all, none, or some of gate,"),
        ("learn-rules-chars", "10", "expected a whole number from 200"),
        ("fail-under", "0.5", "acc:0.45"),
        ("fail-under", "speed:1", "acc:0.45"),
        ("fail-under", "acc:2", "acc"),
        ("cache", "", "expected a folder"),
        ("report", "", "expected a folder"),
        ("models-file", "", "expected a YAML file"),
        ("suite", "", "expected a folder of tasks"),
        ("march", "", "expected an ISA level"),
    ],
)
def test_a_bad_value_is_refused_in_one_line(option: str, text: str, says: str, read: Read) -> None:
    """The line quotes the flag as it was typed and says what it takes; the ini key is quoted in its own words."""
    with pytest.raises(pytest.UsageError) as caught:
        read(f"--nc-{option}={text}")
    message = str(caught.value)
    assert f"--nc-{option}" in message
    assert says in message
    assert "\n" not in message
    if text.strip(","):
        with pytest.raises(pytest.UsageError) as caught:
            read(ini=f"nc_{option.replace('-', '_')} = {text}")
        assert option.replace("-", "_") in str(caught.value).replace("-", "_")
        assert says in str(caught.value)


def test_a_bad_tristate_in_the_ini_file_is_refused(read: Read) -> None:
    """nc_time takes true and false in the usual spellings."""
    assert read(ini="nc_time = Yes").time is True
    assert read(ini="nc_time = 0").time is False
    with pytest.raises(pytest.UsageError, match="nc_time = maybe: expected true or false"):
        read(ini="nc_time = maybe")


# --- help ------------------------------------------------------------------------------------------------------------


def test_help_is_as_pinned(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pytest --help` on our options, word for word; a change of the text is a change of this file."""
    monkeypatch.setenv("COLUMNS", "100")
    output = pytester.runpytest_subprocess("--help").outlines
    start = next(i for i, line in enumerate(output) if line.startswith("neural compilation"))
    end = next(i for i in range(start + 1, len(output)) if output[i] and not output[i].startswith(" "))
    shown = "\n".join(output[start:end]).strip() + "\n"
    assert shown == GOLDEN_HELP.read_text()


def test_help_tells_of_every_option_and_ini_key(pytester: pytest.Pytester) -> None:
    """Nothing is hidden, and every option says its default or that it is off."""
    shown = pytester.runpytest_subprocess("--help").stdout.str()
    for name in [o.name for o in OPTIONS] + [name for name, _ in FLAGS]:
        assert f"--nc-{name}" in shown
        assert f"nc_{name.replace('-', '_')} (" in shown
    for option in OPTIONS:
        assert "Default: " in option.help or option.name in ("model", "suite", "fail-under")
