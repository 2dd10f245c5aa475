"""The console command ``neucomback``: what is not a test run.

Each subcommand is a function that declares its arguments and one that runs; the work itself is done elsewhere.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .errors import ConfigError, NeucombackError

if TYPE_CHECKING:
    from .doctor import Diagnosis
    from .models.registry import ModelSpec

MODEL_KINDS = {
    "openai:MODEL_ID": "any model at OPENAI_BASE_URL with OPENAI_API_KEY: vLLM, Ollama, llama.cpp, a proxy",
    "compiler:CC-OLEVEL": "a real compiler posing as a model, such as compiler:clang-O1; no network, no cost",
    "files:DIR": "answers on disk: DIR/TASK.ARCH.s is assembly, DIR/TASK.ARCH.md a reply, TASK.ARCH.2.md the next one",
    "replay:DIR": "the transcripts of an earlier report, in order; no network",
}
"""What a model string can be besides a name of the registry."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit status: 2 for an unusable input, else the subcommand's own."""
    arguments = _parser().parse_args(argv)
    try:
        status = int(arguments.run(arguments))
        sys.stdout.flush()
    except NeucombackError as error:
        print(f"neucomback: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader has left (`| head`). Python flushes once more on exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141  # as of a program killed by SIGPIPE
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neucomback",
        description="Companion of the pytest plugin pytest-neucomback. Evaluations themselves are run with pytest.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _declare_doctor(commands)
    _declare_models(commands)
    _declare_repro(commands)
    _declare_calibrate(commands)
    _declare_tasks(commands)
    _declare_prompts(commands)
    _declare_compare(commands)
    _declare_experiment(commands)
    return parser


Commands = Any  # argparse keeps the type of add_subparsers' result to itself


# --- doctor ---------------------------------------------------------------------------------------------------------


def _declare_doctor(commands: Commands) -> None:
    about = "Say which tools are here, which are missing, and the command that installs those."
    parser = commands.add_parser(
        "doctor",
        help="check that everything needed is installed and works",
        description=f"{about} Exit status 0 when the host's architecture (with --arch, every named one) can be judged.",
    )
    parser.add_argument(
        "--arch", metavar="A,B", help="architectures to look at, all needed; default: all, the host's needed"
    )
    parser.add_argument("--timing", action="store_true", help="time the same code against itself: false answers, noise")
    parser.add_argument("--seconds", metavar="S", type=float, default=60.0, help="how long --timing takes; default: 60")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from . import doctor

    if arguments.timing:
        return _doctor_timing(arguments)
    arches = None if arguments.arch is None else [a.strip() for a in arguments.arch.split(",") if a.strip()]
    diagnosis = doctor.diagnose(doctor.make_scope(arches))
    print(_doctor_json(diagnosis) if arguments.json else _doctor_text(diagnosis))
    return 0 if diagnosis.ready else 1


def _doctor_timing(arguments: argparse.Namespace) -> int:
    from .arches import host_arch
    from .doctor import CACHE
    from .tasks import load_suites
    from .timing_check import check_timing
    from .toolchain import check_tools

    arch = host_arch()
    if arch is None or arguments.arch not in (None, arch):
        raise ConfigError(f"--timing: only this machine's own architecture can be timed ({arch or 'not a known one'})")
    if not 0 < arguments.seconds <= 86_400:
        raise ConfigError(f"--seconds={arguments.seconds:g}: it has to be above 0 and at most a day")
    toolchain = check_tools([arch], cache=CACHE, march=None, sandbox=True)[arch]
    shown = sys.stderr.isatty()

    def progress(count: int) -> None:
        if shown:
            print(f"\r{count} measurements", end="", file=sys.stderr, flush=True)

    found = check_timing(toolchain, load_suites(["bundled:l2"]), seconds=arguments.seconds, progress=progress)
    if shown:
        print("\r\033[K", end="", file=sys.stderr)
    print(json.dumps(found.as_json(), indent=2) if arguments.json else found.text())
    return 0


def _doctor_json(diagnosis: Diagnosis) -> str:
    scope = diagnosis.scope
    return json.dumps(
        {
            "ready": diagnosis.ready,
            "arches": {
                arch: {"judged": not (bad := diagnosis.obstacles(arch)), "obstacles": [check.name for check in bad]}
                for arch in scope.arches
            },
            "missing_packages": diagnosis.missing_packages,
            "install": diagnosis.install_command,
            "checks": [asdict(check) for check in diagnosis.checks],
        },
        indent=2,
    )


def _doctor_text(diagnosis: Diagnosis) -> str:
    lines: list[str] = []
    section = None
    width = max(len(check.name) for check in diagnosis.checks)
    for check in diagnosis.checks:
        if check.section != section:
            section = check.section
            lines += ["", section] if lines else [section]
        mark = "ok" if check.ok else "MISSING" if check.required else "absent"
        lines.append(f"  {mark:7}  {check.name:{width}}  {check.found}")
        if not check.ok:
            lines.append(f"  {'':7}  {'':{width}}  needed for {check.needed_for}; to mend: {check.fix}")
    lines.append("")
    for arch in diagnosis.scope.arches:
        bad = diagnosis.obstacles(arch)
        lines.append(f"{arch}: {'can be judged' if not bad else 'cannot be judged: ' + ', '.join(c.name for c in bad)}")
    if diagnosis.install_command:
        lines += ["", "Install everything missing:", f"  {diagnosis.install_command}"]
    return "\n".join(lines)


# --- prompts --------------------------------------------------------------------------------------------------------


def _declare_prompts(commands: Commands) -> None:
    parser = commands.add_parser("prompts", help="learned prompts: list, show, compare, export, shorten")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    root = argparse.ArgumentParser(add_help=False)
    root.add_argument("--project", metavar="DIR", type=Path, default=Path(), help="folder with prompts/; default: here")
    listed = verbs.add_parser("list", parents=[root], help="what is stored, with its scores")
    listed.set_defaults(run=_prompts_list)
    for verb, about in (
        ("show", "rules, provenance and scores of a prompt"),
        ("history", "its scores by epoch, and the versions before it"),
    ):
        one = verbs.add_parser(verb, parents=[root], help=about)
        one.add_argument("prompt", metavar="PROMPT", help="ARCH/LEVEL/MODEL, a part of it, or a prompt's name or file")
        one.set_defaults(run=_prompts_show if verb == "show" else _prompts_history)
    two = verbs.add_parser("diff", parents=[root], help="the rules of two prompts, line by line")
    two.add_argument("first", metavar="PROMPT")
    two.add_argument("second", metavar="PROMPT")
    two.set_defaults(run=_prompts_diff)
    out = verbs.add_parser("export", parents=[root], help="a prompt in one file without parent, for use elsewhere")
    out.add_argument("prompt", metavar="PROMPT")
    out.add_argument("--out", metavar="FILE", type=Path, help="default: standard output")
    out.set_defaults(run=_prompts_export)
    tried = verbs.add_parser(
        "ablate",
        parents=[root],
        help="which of its rules a prompt needs",
        description="Try a prompt on the valid split without each of its rules, from the last to the first; a rule "
        "without which nothing gets worse stays out while the others are tried. Needs about as many trials of each "
        "task as there are rules.",
    )
    tried.add_argument("prompt", metavar="PROMPT", help="ARCH/LEVEL/MODEL, a part of it, or a prompt's name or file")
    tried.add_argument("--model", metavar="M", help="as --nc-model takes it; default: the one it was learned for")
    tried.add_argument("--arch", metavar="A", help="default: the one it was learned for")
    tried.add_argument("--level", metavar="L", help="default: the one it was learned for")
    tried.add_argument("--suite", metavar="DIR", action="append", help="another folder of tasks; repeatable")
    tried.add_argument("--valid", metavar="N", type=_count, help="only N of the valid tasks, drawn by the seed")
    tried.add_argument(
        "--opt-rounds", metavar="T", type=int, choices=range(101),
        help="time candidates, with T optimisation rounds; without it rules for speed are left as they are",
    )  # fmt: skip
    tried.add_argument("--seed", metavar="S", type=int, help="of tasks and inputs; default: that of its learning")
    tried.add_argument("--write", action="store_true", help="store the prompt without the rules that it does not need")
    tried.add_argument("--cache", metavar="DIR", type=Path, default=Path(".neucomback"), help="default: .neucomback")
    tried.add_argument("--nc-budget-usd", metavar="X", type=float, help="stop when this is spent, in US dollars")
    tried.add_argument("--nc-budget-tokens", metavar="N", type=_count, help="stop when so many tokens are used")
    tried.add_argument("--nc-models-file", metavar="PATH", type=Path, help="YAML file with models of your own")
    tried.add_argument("--nc-unsafe-no-sandbox", action="store_true", help="for containers that forbid the sandbox")
    tried.set_defaults(run=_prompts_ablate)


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 is needed")
    return number


def _prompts_ablate(arguments: argparse.Namespace) -> int:
    from . import ablate
    from .learn import Score
    from .prompt_store import find, store

    project = arguments.project.resolve()
    found = find(arguments.prompt, project)
    made = found.prompt.provenance
    chosen = {name: getattr(arguments, name) or made.get(name) for name in ("model", "arch", "level")}
    if missing := [f"--{name}" for name, value in chosen.items() if not value]:
        raise ConfigError(f"{found.where}: does not say what it was learned for; give {', '.join(missing)}")
    if arguments.nc_budget_usd is not None and not 0 < arguments.nc_budget_usd < float("inf"):
        raise ConfigError("--nc-budget-usd: an amount above 0 is needed")
    request = ablate.Request(
        prompt=found,
        model=str(chosen["model"]),
        arch=str(chosen["arch"]),
        level=str(chosen["level"]),
        suites=tuple(arguments.suite or ()),
        valid=arguments.valid,
        opt_rounds=arguments.opt_rounds,
        seed=int(made.get("seed", 0)) if arguments.seed is None else arguments.seed,
        cache=arguments.cache,
        models_file=arguments.nc_models_file,
        budget_usd=arguments.nc_budget_usd,
        budget_tokens=arguments.nc_budget_tokens,
        sandbox=not arguments.nc_unsafe_no_sandbox,
    )

    def noted(news: ablate.Tried | Score) -> None:
        if isinstance(news, Score):
            print(f"{found.where}: {news.correct}/{news.tasks} correct on valid with all rules\n", flush=True)
        else:
            print("\n".join(ablate.tried_lines(news)) + "\n", flush=True)

    ablation = ablate.run(request, noted)
    print("\n".join(ablate.closing_lines(ablation)))
    if arguments.write and not ablation.dropped:
        print("nothing to drop, nothing stored")
    elif arguments.write:
        where = ablate.where_to_store(request)
        print(f"stored as {store(where, ablate.shortened_yaml(request, ablation, project), project)}")
    return 0


def _prompts_list(arguments: argparse.Namespace) -> int:
    from .prompt_store import stored

    found = list(stored(arguments.project.resolve()))
    for entry in found:
        prompt, score = entry.prompt, entry.prompt.provenance.get("valid_score", {})
        rules = len(prompt.rules)
        valid = f"valid {score.get('correct')}/{score.get('tasks')}" if score else "no score"
        print(f"{entry.where}  {rules} rules, {valid}  {entry.path}")
    if not found:
        print("no learned prompt is stored; pytest --nc-learn-prompt --nc-model=... makes one")
    return 0


def _prompts_show(arguments: argparse.Namespace) -> int:
    import yaml

    from .prompt_store import find, rules_text

    entry = find(arguments.prompt, arguments.project.resolve())
    print(f"{entry.where}  {entry.path}\n")
    print(rules_text(entry.prompt), end="")
    if entry.prompt.provenance:
        print("\nprovenance:")
        print(yaml.safe_dump(dict(entry.prompt.provenance), sort_keys=False, width=110), end="")
    return 0


def _prompts_history(arguments: argparse.Namespace) -> int:
    from .prompt_store import find, versions

    project = arguments.project.resolve()
    for entry in versions(find(arguments.prompt, project), project):
        print(f"{entry.where}  {entry.path}")
        for row in entry.prompt.provenance.get("history", []):
            rounds = row.get("mean_debug_rounds")
            told = f", {rounds:.2f} self-debug rounds" if isinstance(rounds, int | float) else ""
            score = f"{row.get('correct')}/{row.get('tasks')} on valid"
            print(f"  epoch {row.get('epoch')}: {score}, {row.get('rules')} rules{told}")
    return 0


def _prompts_diff(arguments: argparse.Namespace) -> int:
    from .prompt_store import diff, find

    project = arguments.project.resolve()
    print(diff(find(arguments.first, project), find(arguments.second, project)), end="")
    return 0


def _prompts_export(arguments: argparse.Namespace) -> int:
    from .prompt_store import export_yaml, find

    text = export_yaml(find(arguments.prompt, arguments.project.resolve()))
    if arguments.out is None:
        print(text, end="")
    else:
        try:
            arguments.out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise NeucombackError(f"{arguments.out} cannot be written ({error.strerror})") from error
    return 0


# --- compare --------------------------------------------------------------------------------------------------------


def _declare_compare(commands: Commands) -> None:
    parser = commands.add_parser(
        "compare",
        help="two reports, or two prompts or models of one, item by item",
        description="Pair the items of two conditions: what the second solves and the first does not, and the reverse, "
        "with McNemar's exact test; self-debug rounds, tokens and cost.",
    )
    parser.add_argument("first", metavar="REPORT", type=Path, help="folder of a report")
    parser.add_argument("second", metavar="REPORT", type=Path, nargs="?", help="another; else the prompts of the first")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_compare)


def _compare(arguments: argparse.Namespace) -> int:
    from .compare import compare_reports, comparison_text

    found = compare_reports(arguments.first, arguments.second)
    if arguments.json:
        print(json.dumps([c.as_json() for c in found], indent=1))
    else:
        print("\n\n".join(comparison_text(c) for c in found))
    return 0


# --- experiment -----------------------------------------------------------------------------------------------------


def _declare_experiment(commands: Commands) -> None:
    from .experiments import REPLY_TOKENS, ROOT

    parser = commands.add_parser(
        "experiment",
        help="run a table of the paper and print its figures beside ours",
        description="Run what a table of the NeuComBack paper needs, each condition as a pytest run of its own under "
        f"{ROOT}/, and print the published figures beside ours. What is finished is not run again. Exit status 1 when "
        "something could not be finished; the same command goes on.",
    )
    parser.add_argument("table", metavar="TABLE", help="table1 ... table7")
    parser.add_argument("--dry-run", action="store_true", help="print commands, requests, tokens and cost; run nothing")
    parser.add_argument("--model", metavar="A,B", help="models instead of the paper's, such as openai:NAME")
    parser.add_argument("--arch", metavar="A,B", help="architectures instead of the paper's")
    parser.add_argument("--suite", metavar="PATH", action="append", help="another folder of tasks; repeatable")
    parser.add_argument("--split", metavar="A,B", help="evaluate on these splits instead of the paper's")
    parser.add_argument(
        "--limit", metavar="N", type=int, help="only the first N tasks by name (of each split), for trials"
    )
    parser.add_argument(
        "--repeat", metavar="N", type=int, default=1, help="repeats, each with seed and replies of its own; default: 1"
    )
    parser.add_argument("--budget-usd", metavar="X", type=float, help="stop when all steps together cost this")
    parser.add_argument("-n", metavar="N", dest="processes", help="judging processes, as of pytest-xdist")
    parser.add_argument(
        "--reply-tokens", metavar="N", type=int, default=REPLY_TOKENS,
        help=f"mean length of a reply that estimates assume; default: {REPLY_TOKENS}",
    )  # fmt: skip
    parser.add_argument(
        "--pytest", metavar="ARG", action="append", default=[],
        help="a further argument of every pytest run, such as --pytest=--nc-timing=paper; repeatable",
    )  # fmt: skip
    parser.add_argument("--nc-models-file", type=Path, metavar="PATH", help="YAML file with models of your own")
    parser.add_argument("--cache", metavar="DIR", type=Path, default=Path(".neucomback"), help="default: .neucomback")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_experiment)


def _experiment(arguments: argparse.Namespace) -> int:
    from . import experiment_costs, experiment_report, experiments

    choices = experiments.make_choices(
        models=arguments.model,
        arches=arguments.arch,
        splits=arguments.split,
        suites=arguments.suite or (),
        limit=arguments.limit,
        repeat=arguments.repeat,
        budget_usd=arguments.budget_usd,
        processes=arguments.processes,
        reply_tokens=arguments.reply_tokens,
        extra=arguments.pytest,
        models_file=arguments.nc_models_file,
        cache=arguments.cache,
    )
    plan = experiments.make_plan(arguments.table, choices)
    if arguments.dry_run:
        costs = experiment_costs.estimates(plan)
        if arguments.json:
            print(json.dumps(experiment_report.plan_json(plan, costs), indent=1))
        else:
            print(experiment_report.plan_text(plan, costs))
        return 0
    problems = experiments.run(plan, lambda line: print(line, file=sys.stderr, flush=True))
    found = experiment_report.gather(plan)
    if arguments.json:
        print(json.dumps(experiment_report.table_json(plan, found, problems), indent=1))
    else:
        print(experiment_report.table_text(plan, found))
    for problem in problems:
        print(f"not finished: {problem.step}: {problem.text}", file=sys.stderr)
    return 1 if problems else 0


# --- tasks ----------------------------------------------------------------------------------------------------------


def _declare_tasks(commands: Commands) -> None:
    parser = commands.add_parser("tasks", help="check the tasks of a suite; write the card of the bundled ones")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    check = verbs.add_parser(
        "check",
        help="what an author wants to know of a task before anybody else runs it",
        description="Look at tasks: warnings of clang and gcc, length of the -O3 IR, inputs on which the C is "
        "undefined, edges that `draw` ignores, branches that the fixed inputs do not reach, near-duplicates. Exit "
        "status 1 when there is something to mend.",
    )
    check.add_argument("name", metavar="NAME", nargs="*", help="tasks, by name or file; default: all")
    check.add_argument("--suite", metavar="PATH", action="append", help="another folder of tasks; repeatable")
    check.add_argument(
        "--store", action="store_true",
        help="search random vectors for the branches that are missed, and add their numbers to the task's `vectors`",
    )  # fmt: skip
    check.add_argument("--jobs", metavar="N", type=int, default=1, help="tasks side by side; default: 1")
    check.add_argument("--cache", metavar="DIR", type=Path, default=Path(".neucomback"), help="default: .neucomback")
    check.set_defaults(run=_tasks_check)

    card = verbs.add_parser(
        "card",
        help="fields, lengths, features, likeness and oracle strength of a suite, as Markdown",
        description="Print docs/dataset-card.md. Exit status 1 when two L1 tasks are near-duplicates.",
    )
    card.add_argument("--suite", metavar="PATH", action="append", help="another folder of tasks; repeatable")
    card.add_argument(
        "--strength", metavar="FILE", type=Path, action="append", help="JSON of neucomback calibrate; repeatable"
    )
    card.add_argument("--jobs", metavar="N", type=int, default=2, help="tasks side by side; default: 2")
    card.add_argument("--cache", metavar="DIR", type=Path, default=Path(".neucomback"), help="default: .neucomback")
    card.set_defaults(run=_tasks_card)


def _tasks_card(arguments: argparse.Namespace) -> int:
    from .dataset_card import card
    from .tasks import load_suites
    from .toolchain import Toolchain

    # The card speaks of IR for x86-64 on every machine.
    toolchain = Toolchain("x86_64", cache=arguments.cache)
    tasks = load_suites(arguments.suite or ())
    text, complaints = card(toolchain, tasks, strengths=arguments.strength or (), jobs=arguments.jobs)
    print(text, end="")
    for complaint in complaints:
        print(f"near-duplicates: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


def _tasks_check(arguments: argparse.Namespace) -> int:
    from . import suite_check

    suites = arguments.suite or ()
    paths = suite_check.find_task_files(arguments.name, suites)
    tty = sys.stderr.isatty()

    def done(finding: suite_check.Finding) -> None:
        if tty:
            print(f"\r\033[K{finding.task}", end="", file=sys.stderr, flush=True)

    findings = suite_check.check(
        paths,
        cache=arguments.cache,
        search=arguments.store,
        jobs=arguments.jobs,
        done=done,
        others=suite_check.find_task_files((), suites),
    )
    if tty:
        print("\r\033[K", end="", file=sys.stderr)
    by_name = {p.stem: p for p in paths}
    for finding in findings:
        if finding.stored:
            suite_check.store_vectors(by_name[finding.task], finding.stored)
        seen = finding.reach
        facts = f"{finding.ir_lines} lines of IR"
        if seen:
            facts += f", {seen.sides} branch outcomes on {seen.vectors} fixed vectors"
            facts += f", {len(seen.excused)} unreachable" if seen.excused else ""
        if finding.stored:
            facts += f"; stored random vectors {', '.join(map(str, finding.stored))}"
        print(f"{'ok  ' if finding.ok else 'MEND'}  {finding.task}: {facts}")
        for problem in finding.problems:
            print(f"      {problem}")
    bad = sum(not f.ok for f in findings)
    print(f"{len(findings)} tasks, {bad} to mend")
    return 1 if bad else 0


# --- calibrate ------------------------------------------------------------------------------------------------------


def _declare_calibrate(commands: Commands) -> None:
    parser = commands.add_parser(
        "calibrate",
        help="measure the oracle: compilers accepted, wrong candidates refused, mutants killed",
        description="Measure the oracle on a suite: real compilers must be accepted, candidates that are wrong by "
        "construction refused, single-point mutants of compiled code killed. Exit status 0 when all compilers are "
        "accepted, no wrong candidate is, and at least 99 % of the mutants that are not equivalent are killed.",
    )
    parser.add_argument("--level", metavar="A,B", help="levels of tasks; default: all of the suite")
    parser.add_argument("--suite", metavar="PATH", action="append", help="another folder of tasks; repeatable")
    parser.add_argument("--arch", metavar="A,B", help="architectures; default: the host's")
    parser.add_argument("--task", metavar="A,B", help="only these tasks")
    parser.add_argument("--sample", metavar="K", type=int, help="only K of the tasks, drawn by the seed")
    parser.add_argument("--mutants", metavar="N", type=int, default=20, help="mutants a task; default: 20")
    parser.add_argument("--seed", metavar="S", type=int, default=1, help="of mutants and fresh vectors; default: 1")
    parser.add_argument("--inputs", metavar="N", type=int, default=32, help="fresh vectors a verdict; default: 32")
    parser.add_argument("--jobs", metavar="N", type=int, help="verdicts side by side; default: one a processor")
    parser.add_argument(
        "--search", metavar="N", type=int, default=0,
        help="on each wrong mutant that was accepted try N random vectors, to find some for the task's `vectors`",
    )  # fmt: skip
    parser.add_argument("--json", metavar="FILE", type=Path, help="write everything as JSON")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write a page such as docs/oracle-strength.md")
    parser.add_argument("--cache", metavar="DIR", type=Path, default=Path(".neucomback"), help="default: .neucomback")
    parser.add_argument("--nc-unsafe-no-sandbox", action="store_true", help="for containers that forbid the sandbox")
    parser.set_defaults(run=_calibrate)


def _calibrate(arguments: argparse.Namespace) -> int:
    from . import calibrate
    from .arches import host_arch
    from .sandbox import check_sandbox

    def listed(text: str | None) -> list[str]:
        return [part.strip() for part in (text or "").split(",") if part.strip()]

    if any(n is not None and n < 1 for n in (arguments.mutants, arguments.inputs, arguments.jobs, arguments.sample)):
        raise ConfigError("--mutants, --inputs, --jobs and --sample need numbers above 0")
    arches = listed(arguments.arch) or [a for a in (host_arch(),) if a]
    sandbox = not arguments.nc_unsafe_no_sandbox
    if sandbox:
        check_sandbox()
    scope = calibrate.make_scope(
        suites=arguments.suite or (),
        levels=listed(arguments.level),
        names=listed(arguments.task),
        arches=arches,
        sample=arguments.sample,
        mutants=arguments.mutants,
        seed=arguments.seed,
        fresh_vectors=arguments.inputs,
        jobs=arguments.jobs or len(os.sched_getaffinity(0)),
        sandbox=sandbox,
        search=arguments.search,
    )
    result = calibrate.calibrate(
        scope, cache=arguments.cache, progress=lambda line: print(line, file=sys.stderr, flush=True)
    )
    print(calibrate.as_text(result))
    if arguments.json:
        arguments.json.write_text(calibrate.as_json(result) + "\n")
    if arguments.markdown:
        names = ("level", "suite", "arch", "task", "sample", "mutants", "seed", "inputs")
        given = [(n, getattr(arguments, n)) for n in names]
        command = "neucomback calibrate" + "".join(f" --{n} {v}" for n, v in given if v and not isinstance(v, list))
        arguments.markdown.write_text(calibrate.as_markdown(result, command))
    return 0 if result.good else 1


# --- models ---------------------------------------------------------------------------------------------------------


def _declare_models(commands: Commands) -> None:
    from .models.registry import MODELS_FILE

    parser = commands.add_parser(
        "models",
        help="list what --nc-model can name",
        description="List the models that --nc-model knows by name, and what else it takes.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--nc-models-file",
        type=Path,
        metavar="PATH",
        help=f"YAML file with models of your own; default: {MODELS_FILE} if there is one",
    )
    parser.set_defaults(run=_models)


def _models(arguments: argparse.Namespace) -> int:
    from .models import load_registry
    from .models.registry import MODELS_FILE

    own = arguments.nc_models_file
    if own is None and Path(MODELS_FILE).exists():
        own = Path(MODELS_FILE)
    rows = [_model_row(spec) for spec in load_registry(own).values()]
    if arguments.json:
        print(
            json.dumps(
                {"models_file": None if own is None else str(own), "models": rows, "kinds": MODEL_KINDS}, indent=2
            )
        )
        return 0
    print("Models by name; prices in US dollars per million tokens, `-` where not known\n")
    header = ("name", "model id", "endpoint", "key variable", "is set", "in", "out", "max tokens")
    print(_table(header, [_model_cells(row) for row in rows], right=(5, 6, 7)))
    print("\nNotes (who is retired when, which weights a host serves): neucomback models --json")
    print("\nOther model strings\n")
    print(_table(None, list(MODEL_KINDS.items())))
    print(f"\nModels of your own: {own if own else f'none; {MODELS_FILE} in this folder adds some'}")
    return 0


def _model_row(spec: ModelSpec) -> dict[str, Any]:
    from .models import ApiModel

    where = urlsplit(spec.base_url)
    return {
        "name": spec.name,
        "model_id": spec.model_id,
        "endpoint": (where.hostname or "") + (f":{where.port}" if where.port else ""),
        "key_env": spec.key_env,
        "key_set": bool(os.environ.get(spec.key_env, "").strip()),
        "usable": ApiModel(spec).missing_key() is None,
        "usd_per_mtok_in": spec.usd_per_mtok_in,
        "usd_per_mtok_out": spec.usd_per_mtok_out,
        "price_as_of": spec.price_as_of,
        "max_tokens": spec.max_tokens,
        "notes": spec.notes,
    }


def _model_cells(row: dict[str, Any]) -> list[str]:
    prices = ("-" if row[key] is None else f"{row[key]:.2f}" for key in ("usd_per_mtok_in", "usd_per_mtok_out"))
    key = "yes" if row["key_set"] else "not needed" if row["usable"] else "no"
    limit = "-" if row["max_tokens"] is None else str(row["max_tokens"])
    return [row["name"], row["model_id"], row["endpoint"], row["key_env"], key, *prices, limit]


def _table(header: Sequence[str] | None, rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns as wide as their widest cell, those in ``right`` flush right."""
    lines = [*([header] if header else []), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


# --- repro ----------------------------------------------------------------------------------------------------------


def _declare_repro(commands: Commands) -> None:
    about = "Write a folder that shows an item's fault anywhere, without this package."
    parser = commands.add_parser(
        "repro",
        help="write a stand-alone folder that shows a candidate's fault",
        description=f"{about} It holds candidate, golden C, smallest failing input, driver, Makefile and gdb script; "
        "`make` in it builds, runs and shows the fault. Needs make and a C compiler there.",
    )
    parser.add_argument(
        "item",
        metavar="ITEM",
        help="id of an item of the report, a part of it that is its alone, or a candidate's .s file",
    )
    parser.add_argument("--report", type=Path, metavar="DIR", help="report folder; default: the newest in reports/")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write; default: repro-ITEM here")
    parser.add_argument("--task", metavar="NAME", help="with a file: the task it is for; default: TASK of TASK.ARCH.s")
    parser.add_argument(
        "--arch", metavar="NAME", help="with a file: its architecture; default: ARCH of it, or the host's"
    )
    parser.add_argument(
        "--suite",
        action="append",
        default=[],
        metavar="DIR",
        help="folder with the task; default: the run's, else ours",
    )
    parser.add_argument("--cache", type=Path, default=Path(".neucomback"), metavar="DIR", help="where builds are kept")
    parser.add_argument("--nc-unsafe-no-sandbox", action="store_true", help="look for the fault without bubblewrap")
    parser.set_defaults(run=_repro)


def _repro(arguments: argparse.Namespace) -> int:
    from . import repro

    path = Path(arguments.item)
    if path.suffix == ".s" and path.is_file() and (arguments.task or arguments.report is None):
        try:
            request = repro.request_from_file(path, task=arguments.task, arch=arguments.arch, suites=arguments.suite)
        except NeucombackError:
            if arguments.task or not (path.parent.parent / "results.jsonl").is_file():
                raise
            request = repro.request_from_report(str(path), path.parent.parent, suites=arguments.suite)
    else:
        report = arguments.report or repro.find_report(Path("reports"))
        request = repro.request_from_report(arguments.item, report, suites=arguments.suite)
    out = arguments.out or repro.default_out(request)
    failure = repro.reproduce(request, out, cache=arguments.cache, sandbox=not arguments.nc_unsafe_no_sandbox)
    print(f"{request.item}: {failure.verdict}")
    print(f"wrote {out}/; run `make` there")
    return 0
