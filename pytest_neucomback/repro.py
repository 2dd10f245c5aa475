"""``neucomback repro ITEM``: a folder that shows a candidate's fault anywhere, without this package.

It holds the candidate, the task's C as the golden build, the smallest failing input, a small C program that calls both
and compares, a Makefile and a gdb script. The fault is looked for again, so that the folder holds the very input that
the diagnostic speaks of.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .arches import Arch, host_arch, load_arches
from .errors import ConfigError
from .glue import argument_slots
from .inputs import Vector
from .judge import LIMIT_FACTOR, LIMIT_FLOOR_S, Failure, Judge, JudgeSettings
from .layout import MOCK_RETURNS, STUBS_ADDR
from .mocks import mock_sources, mocks
from .oracle import FloatRule, scalars
from .records import RECORDS_FILE, RUN_FILE, file_stem, load_results, record_from_json
from .signature import CType
from .tasks import Task, load_suites
from .toolchain import Plan, Toolchain
from .types import Outcome, Record

STANDALONE = Path(__file__).with_name("standalone")
RUNNABLE = (Outcome.WRONG_OUTPUT, Outcome.ABI_VIOLATION, Outcome.CRASHED, Outcome.TIMED_OUT)
MAX_NAMED = 12
_DRIVER = Path(__file__).with_name("driver")
_PURE_FROM = "/* ---- pure functions:"


@dataclass(frozen=True)
class Request:
    """What is to be reproduced, with the settings it was judged with."""

    item: str
    """Its name, for people."""
    task: Task
    arch: str
    assembly: str
    march: str | None = None
    seed: int = 0
    inputs: int = 32
    fp: str = "exact"
    regressions: tuple[str, ...] = ()
    verdict: str = ""
    """What the report says."""


# --- which item -----------------------------------------------------------------------------------------------------


def find_report(root: Path) -> Path:
    """The newest report below ``root``. Raises ConfigError when there is none."""
    found = [p.parent for p in root.glob(f"*/{RUN_FILE}") if (p.parent / RECORDS_FILE).exists()]
    if not found:
        raise ConfigError(
            f"no report in {root}/. Name one with --report, or a candidate's file with --task and --arch."
        )
    return max(found, key=lambda p: ((p / RECORDS_FILE).stat().st_mtime, p.name))


def request_from_report(text: str, report: Path, *, suites: Sequence[str] = ()) -> Request:
    """The item of a report that ``text`` names: its id, a part of it that no other item has, or its candidate's file.

    Where several match, the only one that is not correct is meant. Raises ConfigError, listing the matches.
    """
    results = load_results(report)
    run = results["run"]
    command: Mapping[str, Any] = run.get("command", {})
    samples = int(command.get("samples", 1) or 1)
    records = [record_from_json(item) for item in results["items"]]
    record = _choose(text, records, samples, report)
    item = record.key.item_id(samples)
    if record.verdict == Outcome.CORRECT:
        raise ConfigError(f"{item} was judged correct: there is no fault to reproduce")
    if not record.candidate_file or not (report / record.candidate_file).is_file():
        raise ConfigError(f"{item} ({record.verdict}) left no assembly in {report}: there is nothing to run")
    tasks = {t.id: t for t in load_suites(list(suites) or list(command.get("suites") or ()))}
    if record.task not in tasks:
        raise ConfigError(f"task {record.task} is in none of the suites; name its folder with --suite")
    return Request(
        item,
        tasks[record.task],
        record.arch,
        (report / record.candidate_file).read_text(encoding="utf-8", errors="replace"),
        command.get("march"),
        record.seed,
        int(command.get("inputs", 32)),
        str(command.get("fp", "exact")),
        _failing_vectors(report, record),
        record.verdict,
    )


def _choose(text: str, records: Sequence[Record], samples: int, report: Path) -> Record:
    names = {record.key.item_id(samples): record for record in records}
    wanted = text.strip().removeprefix("[").removesuffix("]")
    if "[" in wanted:  # a node id as pytest prints it
        wanted = wanted.partition("[")[2].removesuffix("]")
    if wanted in names:
        return names[wanted]
    path = Path(text)
    for record in records:
        if record.candidate_file and path.suffix == ".s" and path.stem == file_stem(record.key, samples):
            return record
    found = [name for name in names if wanted in name]
    wrong = [name for name in found if names[name].verdict != Outcome.CORRECT]
    if len(found) == 1 or len(wrong) == 1:
        return names[(wrong or found)[0]]
    if not found:
        known = _listed([n for n in names if names[n].verdict != Outcome.CORRECT])
        raise ConfigError(f"no item of {report} matches {text!r}. Not correct are: {known or 'none'}.")
    raise ConfigError(
        f"{text!r} is part of {len(found)} items of {report}: {_listed(wrong or found)}. Write more of it."
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def _failing_vectors(report: Path, record: Record) -> tuple[str, ...]:
    """Fresh vectors that the transcript names as failing."""
    try:
        rounds = json.loads((report / str(record.transcript_file)).read_bytes())["rounds"]
        found = [r["verdict"]["failing_vector"] for r in rounds if r.get("verdict")]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return tuple(dict.fromkeys(v for v in found if v))


def request_from_file(path: Path, *, task: str | None, arch: str | None, suites: Sequence[str] = ()) -> Request:
    """A candidate's file that belongs to no report. Raises ConfigError when task or arch cannot be told."""
    parts = path.name.split(".")  # TASK.ARCH.s, as --nc-model=files:DIR reads them
    name = task or parts[0]
    tasks = {t.id: t for t in load_suites(list(suites))}
    if name not in tasks:
        raise ConfigError(
            f"{path}: which task is it for? No task is called {name!r}; say --task NAME (and --suite DIR)."
        )
    chosen = arch or (parts[1] if len(parts) == 3 and parts[1] in load_arches() else host_arch())
    if chosen not in load_arches():
        raise ConfigError(f"--arch={chosen}: unknown architecture. Known: {', '.join(load_arches())}.")
    try:
        assembly = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    return Request(path.name, tasks[name], str(chosen), assembly)


# --- the folder -----------------------------------------------------------------------------------------------------


def reproduce(request: Request, out: Path, *, cache: Path, sandbox: bool = True) -> Failure:
    """Judge the candidate again and write the folder. Raises ConfigError when there is nothing to show."""
    toolchain = Toolchain(request.arch, march=request.march, cache=cache, sandbox=sandbox)
    settings = JudgeSettings(request.seed, request.inputs, request.fp, sandbox)
    failure = Judge(settings, {request.arch: toolchain}).failure(
        request.task, request.arch, request.assembly, regressions=request.regressions
    )
    outcome = failure.verdict.outcome
    if outcome is Outcome.CORRECT:
        was = f" (the report says {request.verdict})" if request.verdict else ""
        raise ConfigError(f"{request.item} is correct when it is judged now{was}: there is no fault to reproduce")
    if outcome not in (*RUNNABLE, Outcome.BUILD_FAILED):
        raise ConfigError(
            f"{request.item} is {failure.verdict}; it may not be run outside the sandbox, and the verdict says it all"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if not (out / "candidate.s").is_file() or not (out / "Makefile").is_file():
            raise ConfigError(f"{out} exists and is no folder of an earlier `neucomback repro`. Choose another --out.")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "candidate.s").write_text(request.assembly, encoding="utf-8", errors="replace")
    plan = toolchain.plan(request.task)
    files = _build_files(plan, toolchain) if failure.vector is None else _run_files(plan, toolchain, request, failure)
    for name, text in files.items():
        (out / name).write_text(text)
    if failure.vector is not None:
        shutil.copyfile(STANDALONE / "main.c", out / "main.c")
        shutil.copyfile(_DRIVER / "nc_mock.h", out / "nc_mock.h")
        shutil.copyfile(STANDALONE / f"trampoline_{request.arch}.S", out / "trampoline.S")
        shutil.copyfile(request.task.c_path, out / "golden.c")
        (out / "input").mkdir()
        for placed in plan.objects:
            (out / "input" / f"{placed.name}.bin").write_bytes(failure.vector.objects[placed.name].tobytes())
    (out / "README.txt").write_text(_readme(request, failure, plan.arch))
    return failure


def _run_files(plan: Plan, toolchain: Toolchain, request: Request, failure: Failure) -> dict[str, str]:
    assert failure.vector is not None
    files = {
        "case.h": _case_header(plan, failure.vector, request.fp, failure.golden_s),
        "call.c": _call_source(plan),
        "Makefile": _makefile(plan, toolchain),
        "debug.gdb": _gdb_script(plan),
    }
    if any(e.get("kind") == "pure" for e in plan.task.externals.values()):
        runtime = (_DRIVER / "runtime.c").read_text()
        types = "typedef unsigned int u32;\ntypedef long i64;\ntypedef unsigned long u64;\n\n"
        files["pure.c"] = types + runtime[runtime.index(_PURE_FROM) :]
    return files


def _c_string(text: str) -> str:
    escaped = "".join(c if 32 <= ord(c) < 127 and c not in '"\\?' else f"\\{ord(c) & 0xFF:03o}" for c in text)
    return f'"{escaped}"'


def _dims(type_: CType) -> list[int]:
    dims = []
    while type_.kind == "array" and type_.element is not None:
        dims.append(type_.count)
        type_ = type_.element
    return dims


def _object_rows(name: str, type_: CType, size: int) -> tuple[str, list[str]]:
    """C for the parts of an element, and the fields of ``struct object`` behind its place."""
    leaf = type_.leaf()
    parts = scalars(leaf)
    rows = ", ".join(
        f"{{{_c_string(p.path)}, {p.offset}, '{'p' if p.points_to else p.dtype.kind}', {p.dtype.itemsize}, "
        f"{p.mask or 0}, {p.points_to.size if p.points_to else 0}}}"
        for p in parts
    )
    dims = _dims(type_)
    fields = [
        str(size), str(leaf.size or 1), f"parts_of_{name}", str(len(parts)), str(len(dims)),
        "{" + ", ".join(map(str, dims or [0])) + "}",
    ]  # fmt: skip
    return f"static const struct part parts_of_{name}[] = {{{rows or '{0}'}}};", fields


def _case_header(plan: Plan, vector: Vector, fp: str, golden_s: float) -> str:
    rule = FloatRule.parse(fp) or FloatRule()
    limit = math.ceil(LIMIT_FACTOR * golden_s + LIMIT_FLOOR_S)
    parts, objects = [], []
    base = vector.bases
    for placed in plan.objects:
        row, fields = _object_rows(placed.name, plan.element(placed.name), placed.size)
        parts.append(row)
        place = [_c_string(placed.name), hex(placed.addr), hex(placed.map_addr), hex(placed.map_size)]
        objects.append("    {" + ", ".join([*place, *fields, str(base.get(placed.name, 0))]) + "},")
    returns = plan.signature.returns
    row, fields = _object_rows("result", returns, returns.size)
    used = len(argument_slots(plan.signature)) and max(
        slot + -(-p.type.size // 8)
        for p, slot in zip(plan.signature.params, argument_slots(plan.signature), strict=True)
    )
    names = dict(zip(argument_slots(plan.signature), plan.signature.params, strict=True))
    arguments = [
        f"    {vector.args[i]:#x},{f' /* {names[i].name} */' if i in names else ''}" for i in range(max(used, 1))
    ]
    return "\n".join(
        [
            "/* What this program is about: one input of one task. */",
            f"#define TASK {_c_string(plan.task.name)}",
            f"#define INPUT_LABEL {_c_string(' '.join(vector.label.split()))}",
            f"#define ULPS {rule.ulps}ul /* results this many units in the last place off are right */",
            f"#define LIMIT_S {limit}u /* the candidate may take so long */",
            f"#define N_OBJECTS {len(plan.objects)}",
            "",
            "struct part { /* one number in an element */",
            "    const char *path;",
            "    unsigned offset;",
            "    char kind; /* f, i, u; p for a pointer */",
            "    unsigned width;",
            "    unsigned mask; /* of a byte that a bit-field fills in part, else 0 */",
            "    unsigned pointee; /* bytes that a pointer points to; 1 for text */",
            "};",
            "struct object {",
            "    const char *name;",
            "    uint64_t address, map, map_size, size, stride;",
            "    const struct part *parts;",
            "    int n_parts, n_dims;",
            "    uint64_t dims[8];",
            "    uint64_t base; /* the element that the pointer points to */",
            "};",
            *parts,
            row,
            "static const struct object objects[] = {",
            *objects,
            *([] if objects else ["    {0},"]),
            "};",
            'static const struct object result_object = {"result", 0, 0, 0, ' + ", ".join(fields) + "};",
            "static const uint64_t arguments[] = { /* 8 bytes each; a struct takes as many as it needs */",
            *arguments,
            "};",
            "static const uint64_t junk[33] = {",
            *[f"    {word:#x}," for word in vector.junk[:33]],
            "};",
            f"static const char *const preserved[] = {{{', '.join(_c_string(n) for n in plan.arch.preserved)}, 0}};",
            "static const char *const mock_names[] = {"
            f"{''.join(_c_string(m.name) + ', ' for m in mocks(plan.task, plan.signature))}0}};",
            *_answers(vector),
            "",
        ]
    )


def _answers(vector: Vector) -> list[str]:
    """C for what the mocks answer: tables of a mock script."""
    script = vector.mock_script
    returns = [", ".join(f"{w:#x}ul" for w in words) for words in script.returns]
    images = [(len(parts[0]) if parts else 0, len(parts), b"".join(parts)) for parts in script.fills]
    data = [", ".join(str(b) for b in raw) or "0" for _, _, raw in images]
    return [
        f"#define N_MOCKS {len(returns)}",
        f"static const struct {{ unsigned count; uint64_t words[{MOCK_RETURNS}]; }} mock_returns[N_MOCKS + 1] = {{",
        *[f"    {{{len(words)}, {{{text}}}}}," for words, text in zip(script.returns, returns, strict=True)],
        "    {0},",
        "};",
        *[f"static const unsigned char mock_data_{n}[] = {{{text}}};" for n, text in enumerate(data)],
        f"#define N_FILLS {len(images)}",
        "static const struct { unsigned stride, count; const unsigned char *data; } mock_fills[N_FILLS + 1] = {",
        *[f"    {{{stride}, {count}, mock_data_{n}}}," for n, (stride, count, _) in enumerate(images)],
        "    {0},",
        "};",
    ]


def _spelling(type_: CType) -> str:
    """A type with the same ABI, spelled without the task's typedefs where that is possible."""
    if type_.kind == "pointer":
        return "void *"
    if type_.kind == "int" and type_.spelling != "_Bool":
        return ("signed " if type_.signed else "unsigned ") + {1: "char", 2: "short", 4: "int", 8: "long"}[type_.size]
    return type_.spelling.removeprefix("const ")


def _call_source(plan: Plan) -> str:
    signature, arch = plan.signature, plan.arch
    types, values = [], []
    for parameter, slot in zip(signature.params, argument_slots(signature), strict=True):
        # As a whole register, so that the bits above a narrow integer hold what they held when it was judged.
        narrow = parameter.type.kind == "int" and parameter.type.size < 8 and arch.undefined_arg_bits < 64
        spelled = "unsigned long" if narrow else _spelling(parameter.type)
        types.append(spelled)
        values.append(f"*(const {spelled.rstrip()} *)(a + {slot})" if "*" not in spelled else f"(void *)a[{slot}]")
    returns = _spelling(signature.returns)
    call = f"(({returns} (*)({', '.join(types) or 'void'}))trampoline)({', '.join(values)})"
    if returns != "void":
        call = f"*({returns} *)result = {call}"
    names = {g.name for g in signature.globals}
    places = [f'__asm__(".globl {o.name}\\n.set {o.name}, {o.addr:#x}");' for o in plan.objects if o.name in names]
    return "\n".join(
        [
            "/* The task's types, where its globals lie, how it is called, and the functions it calls. */",
            f'#line 1 "{plan.task.c_path.name}"',
            signature.prototype_source,
            '#line 1 "call.c"',
            *places,
            "extern void trampoline(void);",
            '#include "nc_mock.h"',
            "",
            "void call_task(const unsigned long *a, void *result)",
            "{",
            "    (void)a; (void)result;",
            f"    {call};",
            "}",
            *_mocks(plan),
            "",
        ]
    )


def _mocks(plan: Plan) -> Iterable[str]:
    """Mocks behind stubs at the addresses that pointers to them have."""
    for mock, definition in mock_sources(plan.task, plan.signature, prefix="mock_"):
        yield ""
        yield mock.stub(plan.arch.jump.format(target=f"mock_{mock.name}"))
        yield from definition


def _assembling(plan: Plan, toolchain: Toolchain) -> list[str]:
    """Makefile lines: which programs, natively and elsewhere."""
    arch = plan.arch
    march = arch.as_march.format(march=toolchain.march) if arch.as_march else ""
    prefix = f"{arch.triple}-"
    return [
        f"NATIVE := $(filter $(shell uname -m),{' '.join(arch.machines)})",
        "first = $(firstword $(foreach p,$(1),$(shell command -v $(p))))",
        "ifneq ($(NATIVE),)",
        "PREFIX =",
        "else",
        f"PREFIX = {prefix}",
        "endif",
        f"AS = $(PREFIX)as {' '.join([*arch.as_flags, march]).strip()}",
        "CLANG = $(call first,clang-19 clang)",
        f"CLANG_AS = $(CLANG) --target={arch.triple} {' '.join(arch.clang_flags)} -march={toolchain.march} -c "
        "-x assembler",
    ]


def _makefile(plan: Plan, toolchain: Toolchain) -> str:
    arch, function = plan.arch, plan.task.function
    pure = " pure.o" if any(e.get("kind") == "pure" for e in plan.task.externals.values()) else ""
    emulators = " ".join(arch.emulator)
    flags = " ".join(arch.emulator_options(toolchain.march))
    cflags = "-g -std=gnu11 -ffp-contract=off -fno-pie -fno-stack-protector"
    return "\n".join(
        [
            "# make        builds and runs: shows the fault. Exit status 0 only when the candidate is right.",
            "# make gdb    the same in a debugger, stopped at the candidate's first instruction",
            "# make clean",
            "",
            *_assembling(plan, toolchain),
            "ifneq ($(NATIVE),)",
            "CC = gcc",
            "RUN =",
            "STATIC =",
            "GDB = gdb -q -x debug.gdb ./repro",
            "else",
            "CC = $(PREFIX)gcc",
            f"EMULATOR = $(call first,{emulators})",
            f"RUN = $(EMULATOR) {flags}".rstrip(),
            "STATIC = -static",
            "PORT = 12345",
            "# plain gdb knows the host's architecture only",
            "MULTIARCH = $(call first,gdb-multiarch)",
            "GDB = $(if $(MULTIARCH),$(RUN) -g $(PORT) ./repro --no-limit & $(MULTIARCH) -q "
            "-ex 'target remote :$(PORT)' -x debug.gdb ./repro,@echo 'this needs gdb-multiarch'; false)",
            "endif",
            f"CFLAGS = {cflags}",
            "# The candidate was written by a stranger. With bubblewrap it can change nothing and reach nobody.",
            "BWRAP = bwrap --ro-bind / / --dev /dev --proc /proc --unshare-all --die-with-parent",
            "SANDBOX := $(shell $(BWRAP) true 2>/dev/null && echo '$(BWRAP)')",
            "",
            ".PHONY: run gdb clean",
            "run: repro",
            "\t@$(SANDBOX) $(RUN) ./repro >output.txt 2>&1; status=$$?; cat output.txt; \\",
            "\tpc=$$(sed -n 's/^program counter //p' output.txt); \\",
            '\t[ -z "$$pc" ] || line=$$($(PREFIX)addr2line -e repro $$pc \\',
            "\t    | sed -n 's/.*candidate\\.s:\\([0-9]*\\).*/\\1/p'); \\",
            '\t[ -z "$$line" ] || { printf \'candidate.s:%s: \' $$line; sed -n "$${line}p" candidate.s; }; \\',
            "\texit $$status",
            "",
            "gdb: repro",
            "\t$(GDB)",
            "",
            f"repro: main.o call.o golden.o candidate.o trampoline.o{pure}",
            f"\t$(CC) -g -no-pie $(STATIC) -z noexecstack -Wl,--section-start=.nc_stubs={STUBS_ADDR:#x} -o $@ $^",
            "",
            "# Both functions get names of their own.",
            "golden.o: golden.c",
            f"\t$(CC) $(CFLAGS) -O0 -w -D{function}=golden -c -o $@ $<",
            "",
            "candidate.o: candidate.s",
            "\t$(AS) -g -o candidate.raw.o $< || $(CLANG_AS) -g -o candidate.raw.o $<",
            f"\t$(PREFIX)objcopy --redefine-sym {function}=candidate candidate.raw.o $@",
            "",
            "main.o: main.c case.h",
            "\t$(CC) $(CFLAGS) -O1 -c -o $@ $<",
            "",
            "call.o: call.c",
            "\t$(CC) $(CFLAGS) -O1 -w -fno-builtin -c -o $@ $<",
            "",
            *(["pure.o: pure.c", "\t$(CC) $(CFLAGS) -O2 -w -fno-builtin -c -o $@ $<", ""] if pure else []),
            "trampoline.o: trampoline.S",
            "\t$(CC) -c -o $@ $<",
            "",
            "clean:",
            "\trm -f repro *.o output.txt",
            "",
        ]
    )


def _build_files(plan: Plan, toolchain: Toolchain) -> dict[str, str]:
    """For a candidate that no assembler or linker accepts."""
    return {
        "Makefile": "\n".join(
            [
                "# make    assembles: shows the errors",
                "",
                *_assembling(plan, toolchain),
                "",
                "candidate.o: candidate.s",
                "\t$(AS) -g -o $@ $<",
                "",
                "clang:",
                "\t$(CLANG_AS) -g -o candidate.o candidate.s",
                "",
                "clean:",
                "\trm -f candidate.o",
                "",
            ]
        )
    }


def _gdb_script(plan: Plan) -> str:
    start = "run --no-limit" if plan.arch.native else "continue"
    return (
        "# Stops where the candidate begins; `continue` goes on to the fault, `stepi` one instruction.\n"
        "set pagination off\n"
        "set confirm off\n"
        "set disassemble-next-line on\n"
        "break candidate\n"
        f"{start}\n"
        "x/8i $pc\ninfo registers\necho \\nNow: continue (to the fault), stepi, x/i $pc, info registers\\n\n"
    )


def _readme(request: Request, failure: Failure, arch: Arch) -> str:
    verdict = failure.verdict
    what = "assembles it and shows the errors" if failure.vector is None else "builds, runs and shows the fault"
    packages = sorted(
        {"make", *(["gcc"] if arch.native else [p for n in ("gcc", "emulator", "tools") for p in arch.packages[n]])}
    )
    cross = f"libc6-dev-{arch.name.replace('x86_64', 'amd64').replace('aarch64', 'arm64')}-cross"
    lines = [
        f"{request.item}: {verdict.outcome.value}",
        "",
        *(["  " + verdict.detail, ""] if verdict.detail not in verdict.diagnostic else []),
        *("  " + line for line in verdict.diagnostic.splitlines()),
        "",
        f"    make        {what}",
    ]
    if failure.vector is not None:
        lines += [
            f"    make gdb    the same in a debugger{'' if arch.native else ' (gdb-multiarch)'}",
            "",
            "make ends with status 0 only when the candidate is right on this input: mend candidate.s, try again.",
            "",
            "candidate.s      what was judged",
            "golden.c         the task; built with -O0 it gives the expected results",
            "input/, case.h   the smallest failing input that was found; objects, arguments, expected properties",
            "main.c, call.c, trampoline.S",
            "                 call both on the same objects, at the addresses used in judging, between unmapped pages",
            "debug.gdb        for make gdb",
            "",
            "A model wrote candidate.s. The Makefile runs it under bubblewrap where that works, else directly.",
            "Registers and stack that a function may not rely on hold other junk here than when it was judged, so a",
            "candidate that reads them may fail in another way.",
        ]
    else:
        lines += ["", "candidate.s      what was judged"]
    needs = " ".join(packages + ([] if arch.native else [cross]))
    lines += ["", f"On Debian this needs: apt-get install {needs}", ""]
    return "\n".join(lines)


def default_out(request: Request) -> Path:
    """``repro-ITEM`` in the current folder."""
    safe = "".join(c if c.isalnum() or c in "._+-" else "_" for c in request.item)
    return Path(f"repro-{safe[:120]}")
