"""Compilers, assemblers and linkers: from a task's C to IR, golden and reference builds, from a candidate to a Build.

What depends on trusted input only (IR, golden, reference, driver) is kept under the cache folder, keyed by everything
that went into it, tool versions included. Candidates are assembled and linked in the sandbox.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import glue, isa, layout
from .arches import Arch, load_arches
from .errors import ConfigError, HarnessError, ToolMissing
from .locks import machine_lock
from .policy import Incomplete, ObjectFacts, check_object
from .sandbox import TOOL_FILE_BYTES, ToolResult, find_program, need_program, run_tool, takes_plugins
from .signature import CType, Signature, read_signature, used_bits, visible_bits
from .tasks import Task

DRIVER = Path(__file__).with_name("driver")
CLANG = ("clang-19", "clang")
CLANG_PACKAGE = "clang-19"
OPT_LEVELS = ("O0", "O1", "O2", "O3", "Os", "Oz")
_COMMON = (
    "-std=gnu11", "-w", "-ffp-contract=off", "-fno-pie", "-fno-stack-protector", "-fno-asynchronous-unwind-tables",
    "-fno-unwind-tables", "-nostdinc",
)  # fmt: skip
_SUFFIXES = (
    "-D__INT64_C_SUFFIX__=L", "-D__UINT64_C_SUFFIX__=UL", "-D__UINT32_C_SUFFIX__=U", "-D__INTMAX_C_SUFFIX__=L",
    "-D__UINTMAX_C_SUFFIX__=UL",
)  # fmt: skip
_SANITIZE = (
    "-fsanitize=undefined,bounds,local-bounds,float-cast-overflow", "-fno-sanitize=function", "-fsanitize-trap=all",
)  # fmt: skip
MAX_ERRORS_SHOWN = 8
TEXT_ADDR = 0x480000
"""About where code begins in programs that are linked for timing; on a page of its own in all of them."""
ASSEMBLE_TIMEOUT_S = 20.0
"""For assembling and linking one candidate; honest ones need some hundredths."""


@dataclass(frozen=True)
class Plan:
    """A task on one architecture: its signature and where its objects lie."""

    task: Task
    arch: Arch
    signature: Signature
    objects: tuple[layout.Placed, ...]
    """Globals and the objects behind pointer parameters, by name."""
    memory_bytes: int
    """Of the memory that holds the objects, timing images included."""

    def object(self, name: str) -> layout.Placed:
        return next(o for o in self.objects if o.name == name)

    def element(self, name: str) -> CType:
        """Type of a global or further object, or of what a pointer parameter points to."""
        for variable in (*self.signature.globals, *self.signature.memory):
            if variable.name == name:
                return variable.type
        pointed = next(p.type.element for p in self.signature.params if p.name == name)
        assert pointed is not None
        return pointed

    @functools.cached_property
    def digestible(self) -> bool:
        """Whether equal results have equal bits, a NaN aside, so that a digest tells all that a call has left.

        Not so with pointers, which may lead to constants, and with records that hold some or floating-point numbers.
        """
        if self.signature.returns.kind not in ("void", "int", "float"):
            return False
        restricted = {p.name for p in self.signature.params if p.type.restrict}
        mask_bytes = 0
        for placed in self.objects:
            leaf = self.element(placed.name).leaf()
            if leaf.kind == "record":
                mask_bytes += leaf.size
                if placed.name in restricted or used_bits(leaf) != visible_bits(leaf):
                    return False
            elif leaf.kind == "pointer":
                return False
        return mask_bytes <= layout.MASK_BYTES

    @functools.cached_property
    def varied(self) -> bool:
        """Whether timing can make the inputs of each call of a batch different: some are floating-point numbers."""
        leaves = (self.element(placed.name).leaf() for placed in self.objects)
        return any(leaf.kind == "float" and leaf.size in (4, 8) for leaf in leaves)

    @functools.cached_property
    def callable(self) -> frozenset[str]:
        """Functions a candidate may call."""
        return glue.callable_names(self.task)


@dataclass(frozen=True)
class Build:
    """A linked program, ready to run."""

    path: Path
    object_path: Path
    """The object file of the task's code."""
    plan: Plan
    code_bytes: int
    march: str = ""
    unread_code: bool = False
    """Whether code sections hold bytes that may be data or code, so that the ISA level is not certain."""


@dataclass(frozen=True)
class Placement:
    """Where a program's code lies: what is fast by a lucky address is slow at another."""

    offset: int
    """Where in a page the task's code begins, in bytes."""
    harness_first: bool
    """Whether the harness comes before it."""


@dataclass(frozen=True)
class BuildFailure:
    """Why a candidate did not build; ``forbidden`` when it built but may not run."""

    diagnostic: str
    forbidden: bool = False


@functools.cache
def tool_version(path: str) -> str:
    """First line of ``PROGRAM --version``."""
    result = run_tool([path, "--version"], cwd=Path("/"))
    return result.output.splitlines()[0].strip() if result.output else "unknown"


@functools.cache
def clang_resource_dir(clang: str) -> Path:
    """Folder of clang's own headers."""
    return Path(run_tool([clang, "-print-resource-dir"], cwd=Path("/")).output.strip())


@functools.cache
def _digest_of_driver() -> str:
    return hashlib.sha256(b"".join(p.read_bytes() for p in sorted(DRIVER.iterdir()) if p.is_file())).hexdigest()


class Toolchain:
    """The tools for one architecture at one ISA level. Thread-safe.

    Raises ToolMissing from the constructor when a tool that every run needs is not installed.
    """

    def __init__(self, arch: str, *, march: str | None = None, cache: Path, sandbox: bool = True) -> None:
        self.arch = load_arches()[arch]
        self.march = march or self.arch.march
        self.cache = cache.resolve()  # programs are run in other folders
        self.sandbox = sandbox
        tools = self.arch.packages["tools"][0]
        self.clang = need_program(CLANG, CLANG_PACKAGE)
        self.assembler = need_program(self.arch.as_, tools)
        self.linker = need_program(self.arch.ld, tools)
        self.objcopy = need_program(self.arch.objcopy, tools)
        self._plans: dict[tuple[str, str], Plan] = {}
        self._once: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    @functools.cached_property
    def emulator(self) -> tuple[str, ...]:
        """Path and flags of the emulator; empty on the arch's own host. Raises ToolMissing."""
        if self.arch.native:
            return ()
        program = need_program(self.arch.emulator, self.arch.packages["emulator"][0])
        return (program, *self.arch.emulator_options(self.march))

    @functools.cached_property
    def level_emulator(self) -> tuple[str, ...]:
        """An emulator whose processor has just the ISA level; empty when there is none."""
        program = find_program(self.arch.emulator)
        known = program and self.march in self.arch.emulator_flags
        return (program, *self.arch.emulator_options(self.march)) if program and known else ()

    @functools.cached_property
    def plugin_emulator(self) -> tuple[str, ...]:
        """Path and flags of an emulator that takes plugins, also for the arch's own host. Raises ToolMissing."""
        package = self.arch.packages["plugin_emulator"][0]
        program = need_program(self.arch.plugin_emulator, package)
        if not takes_plugins(program):
            raise ToolMissing(
                f"{program} was built without plugins. Debian 12 and Ubuntu 24.04 have one with them: "
                f"apt-get install {package}"
            )
        return (program, *self.arch.emulator_options(self.march))

    def check_march(self) -> None:
        """Raise ConfigError when clang does not know the ISA level."""
        probe = [*self.compiler_command("clang", "O0"), "-x", "c", "-c", "-o", "/dev/null", "/dev/null"]
        result = run_tool(probe, cwd=Path("/"))
        if result.status:
            known = ", ".join(self.arch.marches)
            raise ConfigError(
                f"--nc-march={self.march}: clang does not know this ISA level for {self.arch.name}. "
                f"Examples: {known}; one level serves all architectures of a run."
            )

    # --- compiling trusted C ----------------------------------------------------------------------------------

    def compiler_command(self, compiler: str, opt: str) -> list[str]:
        """Program and flags that compile C for this arch and level; ``compiler`` is clang or gcc."""
        include = ["-isystem", str(clang_resource_dir(self.clang) / "include")]
        if compiler == "clang":
            own = [self.clang, f"--target={self.arch.triple}", "-fno-addrsig", *self.arch.clang_flags]
        elif compiler == "gcc":
            own = [need_program(self.arch.gcc, self.arch.packages["gcc"][0]), *self.arch.gcc_flags]
            # clang's headers serve gcc as well (gcc's own want a libc), once gcc has a further folder to look for
            # "next" headers in, two of clang's questions are answered, and UINT64_C and its like know their suffixes.
            include += ["-idirafter", str(DRIVER), "-D__has_feature(x)=0", "-D__building_module(x)=0", *_SUFFIXES]
        else:
            raise ConfigError(f"unknown compiler {compiler!r}. Known: clang, gcc.")
        return [*own, f"-{opt}", f"-march={self.march}", *_COMMON, *include]

    def compile_source(self, compiler: str, opt: str, source: Path) -> str:
        """Assembly text of a task's C. Raises HarnessError with the compiler's words."""
        # Run beside the source under its bare name: paths of this machine stay out of what models read.
        command = [*self.compiler_command(compiler, opt), "-S", "-o", "-", source.name]
        return self._checked(command, source.parent, f"{compiler} -{opt} on {source}")

    def emit_ir(self, task: Task, opt: str) -> str:
        """LLVM IR of a task at -O0 … -O3, as text."""
        key = self._key(task, "ir", opt)

        def make(folder: Path) -> None:
            command = [*self.compiler_command("clang", opt), "-S", "-emit-llvm", "-o", "-", task.c_path.name]
            (folder / "ir.ll").write_text(self._checked(command, task.c_path.parent, f"IR of {task.c_path}"))

        return (self._cached(key, make) / "ir.ll").read_text()

    def _checked(self, command: Sequence[str], cwd: Path, what: str) -> str:
        result = run_tool(command, cwd=cwd, keep=TOOL_FILE_BYTES)
        if result.status:
            program = Path(command[0]).name
            raise HarnessError(f"{what} failed ({program}, status {result.status}): {result.output[:2000]}")
        return result.output

    # --- plans and trusted builds -----------------------------------------------------------------------------

    def plan(self, task: Task) -> Plan:
        """Signature and memory layout of a task. Raises ConfigError for a task that cannot be used."""
        key = (task.id, task.digest())
        if key not in self._plans:
            signature = read_signature(
                task.c_path,
                task.function,
                triple=self.arch.triple,
                resource_dir=clang_resource_dir(self.clang),
                memory=task.memory,
            )
            self._plans[key] = make_plan(task, self.arch, signature)
        return self._plans[key]

    def golden(self, task: Task) -> Build:
        """clang -O0: what decides."""
        return self._trusted(task, "clang", "O0", "golden")

    def reference(self, task: Task, name: str = "clang-O3") -> Build:
        """What is timed against, ``clang-O3`` or another COMPILER-LEVEL."""
        compiler, _, opt = name.partition("-")
        return self._trusted(task, compiler, opt, f"reference-{name}")

    def reference_assembly(self, task: Task, name: str) -> str:
        """What COMPILER-LEVEL makes of a task, as text."""
        compiler, _, opt = name.partition("-")
        return self.compile_source(compiler, opt, task.c_path)

    def reference_command(self, name: str) -> str:
        """How COMPILER-LEVEL is called, without folders of this machine. Raises ToolMissing."""
        compiler, _, opt = name.partition("-")
        program, *flags = self.compiler_command(compiler, opt)
        return shlex.join([Path(program).name, *flags[: flags.index("-isystem")]])

    def best_reference_path(self, task: Task) -> Path:
        """Where it is kept which reference is the fastest for a task, with these tools on this processor."""
        return self.cache / "best-reference" / self._key(task, "best", self._tool_digest, _host_cpu())

    def instrumented(self, task: Task, *, signed_char: bool) -> Build:
        """A build that traps where the C is undefined; ``signed_char`` as on the arch the task is judged for."""
        return self._trusted(
            task, "clang", "O1", "instrumented", (f"-f{'' if signed_char else 'un'}signed-char", *_SANITIZE)
        )

    def covered(self, task: Task) -> Build:
        """A build that counts what its code reaches (``branches.py``)."""
        flags = ("-fprofile-instr-generate", "-fcoverage-mapping", "-mllvm", "-enable-name-compression=false")
        return self._trusted(task, "clang", "O0", "covered", flags, checked=False)

    def _trusted(
        self, task: Task, compiler: str, opt: str, label: str, extra: Sequence[str] = (), *, checked: bool = True
    ) -> Build:
        plan = self.plan(task)
        harness = self._harness(plan)
        key = self._key(task, label, harness.parent.name, self._tool_digest, *extra)

        def make(folder: Path) -> None:
            command = [
                *self.compiler_command(compiler, opt),
                *extra,
                "-c",
                "-o",
                str(folder / "task.o"),
                task.c_path.name,
            ]
            self._checked(command, task.c_path.parent, f"{label} build of {task.c_path}")
            link = self._link_command("task.o", str(harness), output="program")
            self._checked(link, folder, f"linking the {label} build of {task.c_path}")
            code_bytes = 0
            if checked:
                facts = self._facts(plan, folder / "task.o")
                if isinstance(facts, str):
                    raise ConfigError(f"{task.c_path}: {facts}")
                code_bytes = facts.code_bytes
            (folder / "facts.json").write_text(json.dumps({"code_bytes": code_bytes}))

        folder = self._cached(key, make)
        code_bytes = json.loads((folder / "facts.json").read_text())["code_bytes"]
        return Build(folder / "program", folder / "task.o", plan, code_bytes)

    def _facts(self, plan: Plan, path: Path) -> ObjectFacts | str:
        sizes = {g.name: g.type.size for g in plan.signature.globals}
        return check_object(path, function=plan.task.function, globals_=sizes, callable_=plan.callable)

    def _harness(self, plan: Plan) -> Path:
        """Driver, glue and runtime linked into one object with nothing global but what a candidate may see."""
        source = glue.glue_source(plan.task, plan.signature, self.arch) + glue.addresses(plan.signature, plan.objects)
        key = self._key(plan.task, "harness", source, _digest_of_driver(), self._tool_digest)

        def make(folder: Path) -> None:
            (folder / "glue.c").write_text(source)
            base = [
                self.clang, f"--target={self.arch.triple}", *self.arch.clang_flags, f"-march={self.arch.march}",
                "-std=gnu11", "-fno-pie", "-ffreestanding", "-fno-builtin", "-fno-stack-protector", "-w",
                "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-ffp-contract=off", "-fno-addrsig",
                "-nostdinc", f"-I{clang_resource_dir(self.clang) / 'include'}", f"-I{DRIVER}",
            ]  # fmt: skip
            self._checked([*base, "-O1", "-c", "glue.c", "-o", "glue.o"], folder, f"glue of {plan.task.c_path}")
            core = [str(p) for p in sorted(self._core().glob("*.o"))]
            link = [self.linker, *self.arch.ld_flags, "-r", "-o", "linked.o", *core, "glue.o"]
            self._checked(link, folder, "linking the driver")
            hide = [self.objcopy, "--wildcard", "--localize-symbol=nc_*", "linked.o", "harness.o"]
            self._checked(hide, folder, "hiding the driver's names")

        return self._cached(key, make) / "harness.o"

    def _core(self) -> Path:
        """The parts of the driver that no task changes."""
        key = hashlib.sha256(
            "\0".join(["core", self.arch.name, _digest_of_driver(), self._tool_digest]).encode()
        ).hexdigest()

        def make(folder: Path) -> None:
            base = [
                self.clang, f"--target={self.arch.triple}", *self.arch.clang_flags, f"-march={self.arch.march}",
                "-std=gnu11", "-fno-pie", "-ffreestanding", "-fno-builtin", "-fno-stack-protector", "-Wall", "-Werror",
                "-Wno-unused-function", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-ffp-contract=off",
                "-fno-addrsig", "-O2", f"-I{folder}", f"-I{DRIVER}", *layout.offset_defines(),
            ]  # fmt: skip
            shutil.copyfile(DRIVER / f"arch_{self.arch.name}.h", folder / "nc_arch.h")
            for source in ("driver.c", "runtime.c", f"trampoline_{self.arch.name}.S"):
                # Callers reach the runtime through stubs of the trampoline's, which take its names.
                names = [f"-D{n}=nc_impl_{n}" for n in sorted(glue.PROVIDED) if source == "runtime.c"]
                command = [*base, *names, "-c", str(DRIVER / source), "-o", str(folder / f"{Path(source).stem}.o")]
                self._checked(command, folder, f"driver source {source}")

        return self._cached(key, make)

    def _link_command(self, *parts: str, output: str) -> list[str]:
        return [
            self.linker, *self.arch.ld_flags, "-static", "-nostdlib", "-e", "_start", "-z", "noexecstack",
            "-z", "relro", f"--section-start=.nc_stubs={layout.STUBS_ADDR:#x}", "--build-id=none", "-o", output,
            *parts,
        ]  # fmt: skip

    def placed(self, build: Build, folder: Path, name: str, places: Sequence[Placement]) -> list[Build]:
        """The program of ``build`` linked anew from its object file, once for each place, in the sandbox.

        ``folder`` is a work folder in which a candidate of the task was built; files there begin with ``name``. Raises
        HarnessError when a link fails.
        """
        object_ = folder / f"{name}.o"
        if not object_.exists():
            shutil.copyfile(build.object_path, object_)
        first = len(list(folder.glob(f"{name}-*")))
        outputs = [f"{name}-{first + number}" for number in range(len(places))]
        commands = []
        for place, output in zip(places, outputs, strict=True):
            # The task's code gets a section of its own, so that it begins just there after the harness, too.
            script = folder / f"place-{output}.ld"
            where = f"ALIGN(4096) + {place.offset}" if place.harness_first else f"{TEXT_ADDR + place.offset:#x}"
            side = "AFTER" if place.harness_first else "BEFORE"
            section = f".nc_code {where} : {{ {object_.name}(.text .text.*) }}"
            script.write_text(f"SECTIONS {{ {section} }} INSERT {side} .text;\n")
            link = self._link_command(object_.name, "harness.o", output=output)
            commands.append(shlex.join([*link, "-T", script.name]))
        result = run_tool(
            ["true"], cwd=folder, confined=True, sandbox=self.sandbox, devices=False, script=" && ".join(commands)
        )
        if result.status:
            raise HarnessError(f"linking {object_.name} at other addresses failed: {result.output[:500]}")
        return [replace(build, path=folder / output) for output in outputs]

    def count_plugin(self) -> Path:
        """The emulator plugin that counts instructions (``counting.py``), compiled for this host."""
        source = DRIVER / "count_plugin.c"
        parts = ["count_plugin", source.read_text(), tool_version(self.clang), platform.machine()]

        def make(folder: Path) -> None:
            # It finds libc in the emulator: neither headers nor libraries of the host's are needed.
            command = [
                self.clang, "-std=gnu11", "-O2", "-Wall", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden",
                "-fno-stack-protector", "-nostdlib", "-nostdinc", "-isystem",
                str(clang_resource_dir(self.clang) / "include"), "-o", "count_plugin.so", str(source),
            ]  # fmt: skip
            self._checked(command, folder, f"compiling {source.name}")

        return self._cached(hashlib.sha256("\0".join(parts).encode()).hexdigest(), make) / "count_plugin.so"

    def mapped(self, build: Build, folder: Path) -> tuple[Build, str]:
        """The program of ``build`` linked anew in ``folder``, in the sandbox, and the linker's map of it.

        In the map the object file of the task's code is called task-code.o. Raises HarnessError when the link fails.
        """
        try:
            shutil.copyfile(build.object_path, folder / "task-code.o")
        except OSError as error:
            raise HarnessError(f"the object file of {build.path} cannot be read: {error.strerror}") from error
        shutil.copyfile(self._harness(build.plan), folder / "mapped-harness.o")
        link = self._link_command("task-code.o", "mapped-harness.o", output="mapped")
        result = run_tool([*link, "-Map=mapped.map"], cwd=folder, confined=True, sandbox=self.sandbox, devices=False)
        if result.status:
            raise HarnessError(f"linking {build.object_path.name} with a map failed: {result.output[:500]}")
        return replace(build, path=folder / "mapped"), (folder / "mapped.map").read_text(errors="replace")

    def check_task(self, task: Task) -> None:
        """Raise ConfigError unless the task's C and YAML fit each other. Compiles and runs nothing of it."""
        from .inputs import draw  # it needs Plan, which is defined here

        plan = self.plan(task)
        glue.glue_source(task, plan.signature, self.arch)
        draw(plan, "fixed:0")

    # --- candidates --------------------------------------------------------------------------------------------

    def build_candidate(
        self, task: Task, assembly: str, folder: Path, *, timeout_s: float | None = None
    ) -> Build | BuildFailure:
        """Assemble and link a candidate in ``folder``, in the sandbox. GNU as is tried first, then clang.

        ``timeout_s`` bounds each of the two tries below what ASSEMBLE_TIMEOUT_S allows.
        """
        plan = self.plan(task)
        harness = folder / "harness.o"
        if not harness.exists():
            shutil.copyfile(self._harness(plan), harness)
        (folder / "candidate.s").write_text(assembly, encoding="utf-8", errors="replace")
        march = [self.arch.as_march.format(march=self.march)] if self.arch.as_march else []
        link = self._link_command("candidate.o", "harness.o", output="candidate")
        gnu = [self.assembler, *self.arch.as_flags, *march, "-g", "-o", "candidate.o", "candidate.s"]
        limit = ASSEMBLE_TIMEOUT_S if timeout_s is None else min(timeout_s, ASSEMBLE_TIMEOUT_S)
        first = self._assemble(gnu, link, folder, limit)
        if first.status == 3:
            clang = [
                self.clang, f"--target={self.arch.triple}", *self.arch.clang_flags, f"-march={self.march}", "-c", "-g",
                "-x", "assembler", "-o", "candidate.o", "candidate.s",
            ]  # fmt: skip
            second = self._assemble(clang, link, folder, limit)
            if second.status == 3:
                if text := self._beyond_level(assembly, first.output, gnu, link, folder, limit):
                    return BuildFailure(text, forbidden=True)
                return BuildFailure(_best_errors(assembly, first.output, second.output))
            first = second
        if first.status not in (0, 4):
            return BuildFailure(f"assembling failed: {first.output[:500] or f'status {first.status}'}")
        facts = self._facts(plan, folder / "candidate.o")
        if isinstance(facts, str):
            return BuildFailure(facts, forbidden=not isinstance(facts, Incomplete))
        if first.status == 4:
            return BuildFailure(_link_errors(first.output))
        unread = False
        if self.isa_features is not None:
            found = isa.check_x86(folder / "candidate.o", self.isa_features)
            if isinstance(found, isa.Beyond):
                return BuildFailure(beyond_text(found, self.march, assembly), forbidden=True)
            unread = found is not None
        elif found_line := self._raised(assembly, gnu, link, folder, limit):
            return BuildFailure(found_line, forbidden=True)
        return Build(folder / "candidate", folder / "candidate.o", plan, facts.code_bytes, self.march, unread)

    @functools.cached_property
    def isa_features(self) -> frozenset[str] | None:
        """What the ISA level has, where candidates run on a processor that has more; None elsewhere.

        Other processors' emulators have what the level has (``emulator_flags``), and ``native`` leaves nothing out.
        """
        if self.arch.elf_machine != "EM_X86_64" or self.march == "native":
            return None
        command = [*self.compiler_command("clang", "O0"), "-x", "c", "-dM", "-E", "/dev/null"]
        return isa.features_of(self._checked(command, Path("/"), f"features of {self.march}"))

    def _raised(self, assembly: str, gnu: list[str], link: list[str], folder: Path, limit: float) -> str | None:
        """Words about an instruction that the assembler takes only because the candidate asked for a higher level."""
        stripped = isa.without_levels(assembly, self.march)
        if stripped is None:
            return None
        (folder / "candidate").rename(folder / "kept")
        try:
            (folder / "candidate.s").write_text(stripped, encoding="utf-8", errors="replace")
            again = self._assemble(gnu, link, folder, limit)
        finally:
            (folder / "candidate.s").write_text(assembly, encoding="utf-8", errors="replace")
            (folder / "kept").replace(folder / "candidate")
        if again.status != 3 or not (errors := _errors(again.output)):
            return None
        line = errors[0][0]
        return beyond_text(isa.Beyond("", "", line), self.march, assembly)

    def _beyond_level(
        self, assembly: str, output: str, gnu: list[str], link: list[str], folder: Path, limit: float
    ) -> str | None:
        """Words about an instruction that the assembler refuses at this level and takes at the highest."""
        errors = _errors(output)
        if not self.arch.as_everything or not errors:
            return None
        march = self.arch.as_march.format(march=self.march) if self.arch.as_march else None
        highest = [self.arch.as_everything if part == march else part for part in gnu]
        again = self._assemble(highest, link, folder, limit)
        if again.status == 3 and {line for line, _ in errors} <= {line for line, _ in _errors(again.output)}:
            return None
        refused = {line for line, _ in _errors(again.output)} if again.status == 3 else set()
        line = next(line for line, _ in errors if line not in refused)
        return beyond_text(isa.Beyond("", "", line), self.march, assembly)

    def _assemble(self, assemble: list[str], link: list[str], folder: Path, timeout_s: float) -> ToolResult:
        # One sandbox for both programs. Status 3: the assembler refused; 4: the linker did.
        quoted = " ".join("'" + part.replace("'", "'\\''") + "'" for part in link)
        for name in ("candidate.o", "candidate"):
            (folder / name).unlink(missing_ok=True)
        script = f'"$@" || exit 3; {quoted} || exit 4'
        gnu = assemble[0] == self.assembler
        return run_tool(
            assemble,
            cwd=folder,
            confined=True,
            sandbox=self.sandbox,
            timeout_s=timeout_s,
            devices=not gnu,
            script=script,
        )

    # --- cache ---------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _tool_digest(self) -> str:
        """Versions of everything that shapes a trusted build."""
        tools = [self.clang, self.assembler, self.linker, self.objcopy]
        if gcc := find_program(self.arch.gcc):
            tools.append(gcc)
        return hashlib.sha256("\0".join(f"{Path(t).name} {tool_version(t)}" for t in tools).encode()).hexdigest()

    def _key(self, task: Task, *parts: str) -> str:
        everything = [task.digest(), task.function, self.arch.name, self.march, tool_version(self.clang), *parts]
        if self.march == "native":
            everything.append(_host_cpu())
        return hashlib.sha256("\0".join([*everything, *_COMMON]).encode()).hexdigest()

    def _cached(self, key: str, make: Callable[[Path], None]) -> Path:
        """The folder of this key, made once; two processes making it at the same time is harmless."""
        final = self.cache / "build" / key[:2] / key
        if final.is_dir():
            return final
        with self._guard:
            once = self._once.setdefault(key, threading.Lock())
        # The machine first: who made something and waited for the machine would block judging threads that hold it
        # and wait for the very same thing.
        with machine_lock.shared(), once:
            if final.is_dir():
                return final
            final.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix="new-", dir=final.parent))
            try:
                make(temporary)
                try:
                    temporary.rename(final)
                except OSError:
                    if not final.is_dir():
                        raise
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
            return final


@functools.cache
def _host_cpu() -> str:
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else platform.processor()
    lines = re.findall(r"(?m)^(?:flags|Features|isa|model name).*$", info)[:2]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def make_plan(task: Task, arch: Arch, signature: Signature) -> Plan:
    """Place the task's objects. Raises ConfigError when the YAML names something the C does not have."""
    known = {v.name for v in (*signature.params, *signature.globals, *signature.memory)}
    counts = Counter(v.name for v in (*signature.params, *signature.globals, *signature.memory))
    if twice := [n for n, count in counts.items() if count > 1]:
        raise ConfigError(f"{task.c_path}: {twice[0]} names both a parameter and another object; rename one")
    for source, names in (("inputs", task.inputs), *((f"cases[{i}]", c) for i, c in enumerate(task.cases))):
        for name in names:
            if name not in known and not (name == "name" and source != "inputs"):
                raise ConfigError(
                    f"{task.yaml_path}: {source} names {name!r}, which is neither a parameter nor a global of "
                    f"{task.c_path.name}. Known: {', '.join(sorted(known)) or 'none'}."
                )
    for name in task.observe:
        if name != "result" and name not in known:
            raise ConfigError(f"{task.yaml_path}: observe names {name!r}, unknown in {task.c_path.name}")
        if name == "result" and signature.returns.kind == "void":
            raise ConfigError(f"{task.yaml_path}: observe names `result`, but {task.function} returns nothing")
    globals_ = [(g.name, g.type.size, max(g.type.align, g.type.leaf().align)) for g in signature.globals]
    placed, offset = layout.place(globals_, base=layout.GLOBALS_ADDR, offset=0)
    own = []
    for parameter in signature.params:
        if parameter.type.kind == "pointer" and not _entry(task, parameter.name).get("into"):
            element = parameter.type.element
            if (element is None or element.size == 0) and task.draw:
                continue  # a pointer to something opaque: `draw` says what it points to
            if element is None or element.size == 0:
                raise ConfigError(
                    f"{task.c_path}: parameter {parameter.name} is a {parameter.type.spelling}; "
                    "the harness needs a pointed-to type of known size"
                )
            length = _entry(task, parameter.name).get("length", 64)
            if not isinstance(length, int) or length < 1:
                raise ConfigError(f"{task.yaml_path}: inputs.{parameter.name}.length must be a positive number")
            own.append((parameter.name, element.size * length, element.align))
    own += [(m.name, m.type.size, max(m.type.align, m.type.leaf().align)) for m in signature.memory]
    objects, offset = layout.place(own, base=layout.OBJECTS_ADDR, offset=offset)
    if len(placed) + len(objects) > layout.MAX_REGIONS:
        raise ConfigError(
            f"{task.c_path}: more than {layout.MAX_REGIONS} globals, pointer parameters and objects of memory"
        )
    return Plan(task, arch, signature, (*placed, *objects), offset)


def _entry(task: Task, name: str) -> dict[str, object]:
    """The layout-relevant keys of an input: from `inputs`, or from the first case that has them."""
    for source in (task.inputs, *task.cases):
        entry = source.get(name)
        if isinstance(entry, dict) and ("length" in entry or "into" in entry):
            return entry
    entry = task.inputs.get(name, {})
    return entry if isinstance(entry, dict) else {}


def _best_errors(assembly: str, gnu: str, clang: str) -> str:
    """Assembler messages with the lines they speak of; of the two assemblers, the one with fewer complaints."""
    lines = assembly.splitlines()
    best: list[tuple[int, str]] | None = None
    for output, pattern in (
        (gnu, r"(?m)^candidate\.s:(\d+): (?:Error|Fatal error): (.*)$"),
        (clang, r"(?m)^candidate\.s:(\d+):\d+: error: (.*)$"),
    ):
        found = [(int(n), message) for n, message in re.findall(pattern, output)]
        if found and (best is None or len(found) < len(best)):
            best = found
    if best is None:
        return f"the assembler said: {gnu.strip()[:1000]}"
    shown = [
        f"line {n}: {message}\n    {lines[n - 1].strip()[:160] if 0 < n <= len(lines) else ''}"
        for n, message in best[:MAX_ERRORS_SHOWN]
    ]
    if len(best) > MAX_ERRORS_SHOWN:
        shown.append(f"... and {len(best) - MAX_ERRORS_SHOWN} more")
    return "\n".join(shown)


def _errors(output: str) -> list[tuple[int, str]]:
    """Lines and messages of GNU as."""
    found = re.findall(r"(?m)^candidate\.s:(\d+): (?:Error|Fatal error): (.*)$", output)
    return [(int(line), message) for line, message in found]


def beyond_text(found: isa.Beyond, march: str, assembly: str) -> str:
    """Words about an instruction that the ISA level does not have."""
    lines = assembly.splitlines()
    known = found.line is not None and 0 < found.line <= len(lines)
    where = f"line {found.line}: {lines[found.line - 1].strip()[:160]}" if known and found.line else found.instruction
    belongs = f" ({found.feature})" if found.feature else ""
    return (
        f"{where}: this instruction{belongs} is beyond the ISA level {march}\n"
        f"Only instructions that --nc-march={march} has may be used."
    )


def _link_errors(output: str) -> str:
    wanted = [line.split(": ", 1)[-1] for line in output.splitlines() if line.strip()]
    return "the linker refused it: " + "; ".join(dict.fromkeys(wanted[:4]))[:800]


def check_tools(arches: Sequence[str], *, cache: Path, march: str | None, sandbox: bool) -> dict[str, Toolchain]:
    """Toolchains by arch, checked to be complete. Raises ToolMissing, naming everything missing at once."""
    found, missing = {}, []
    for arch in arches:
        try:
            toolchain = Toolchain(arch, march=march, cache=cache, sandbox=sandbox)
            _ = toolchain.emulator
            if march:
                toolchain.check_march()
            found[arch] = toolchain
        except ToolMissing as error:
            missing.append(f"{arch}: {error}")
    if missing:
        raise ToolMissing("; ".join(missing))
    return found


_WORK_PREFIX = "neucomback-"
_WORK_LOCK = "in-use"
_STALE_S = 3600.0


def new_work_folder() -> Path:
    """A private folder for one candidate's files, in memory where the machine has /dev/shm."""
    return Path(tempfile.mkdtemp(dir=_work_home(os.getpid())))


@functools.cache
def _work_home(pid: int) -> Path:
    """The folder of this process, which holds a lock in it as long as it lives; removed when it ends well.

    A lock and not the process id says whether it lives: containers may share /dev/shm and count processes apart.
    """
    home = Path(tempfile.mkdtemp(prefix=f"{_WORK_PREFIX}{pid}-", dir=_work_base()))
    lock = os.open(home / _WORK_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return home


def _work_base() -> str:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()


def sweep_work_folders() -> None:
    """Remove what killed runs left: folders that nobody holds and that are not just being made."""
    for home in Path(_work_base()).glob(f"{_WORK_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - home.stat().st_mtime < _STALE_S:
                continue
            lock = os.open(home / _WORK_LOCK, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(home, ignore_errors=True)
            finally:
                os.close(lock)
