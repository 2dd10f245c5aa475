"""What ``neucomback doctor`` finds out: which tools are here, which are missing, and what mends it.

A section is a function from ``Scope`` to checks; ``SECTIONS`` lists them in the order of the report, and a further
kind of check is a further entry. Nothing here prints.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clang import cindex
from packaging.requirements import Requirement

from . import throughput
from .arches import Arch, host_arch, load_arches
from .errors import ConfigError, NeucombackError, SandboxUnavailable
from .sandbox import check_sandbox, find_program, qemu_filter, run_tool, takes_plugins
from .toolchain import CLANG, CLANG_PACKAGE, Toolchain, tool_version

DISTRIBUTION = "pytest-neucomback"
CACHE = Path(".neucomback")
MIN_DISK_BYTES = 1 << 30
MIN_MEMORY_BYTES = 1 << 30
_APT_LISTS = Path("/var/lib/apt/lists")


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    name: str
    ok: bool
    found: str
    """What is there, with its version, or what is wrong."""
    needed_for: str
    fix: str = ""
    """What mends it, empty when nothing has to be done."""
    section: str = ""
    """The key of ``SECTIONS``, filled in by ``diagnose``."""
    arch: str | None = None
    """The architecture it matters for; None: for all."""
    required: bool = True
    """Without it nothing can be judged (on ``arch``); otherwise only what ``needed_for`` says is lost."""
    packages: tuple[str, ...] = ()
    """Debian packages that mend it."""


@dataclass(frozen=True)
class Scope:
    """What a diagnosis looks at."""

    arches: tuple[str, ...]
    """The architectures in the order of the report."""
    wanted: tuple[str, ...]
    """Those of them that must be usable for a good exit status."""
    cache: Path = CACHE


@dataclass(frozen=True)
class Diagnosis:
    """All checks, and what follows from them."""

    scope: Scope
    checks: tuple[Check, ...]

    def obstacles(self, arch: str) -> list[Check]:
        """What keeps candidates for an architecture from being judged."""
        return [c for c in self.checks if c.required and not c.ok and c.arch in (None, arch)]

    @property
    def ready(self) -> bool:
        """Whether every wanted architecture can be judged."""
        return bool(self.scope.wanted) and not any(self.obstacles(arch) for arch in self.scope.wanted)

    @property
    def missing_packages(self) -> list[str]:
        """Debian packages for everything missing, optional things included."""
        return list(dict.fromkeys(p for c in self.checks if not c.ok for p in c.packages))

    @property
    def install_command(self) -> str | None:
        """The one command that installs everything missing; None when no package would help."""
        if not self.missing_packages:
            return None
        install = f"{_sudo()}apt-get install -y {' '.join(self.missing_packages)}"
        # Container images come without package lists.
        return install if any(_APT_LISTS.glob("*_Packages*")) else f"{_sudo()}apt-get update && {install}"


def make_scope(arches: Sequence[str] | None = None, *, cache: Path = CACHE) -> Scope:
    """All architectures with the host's wanted, or just the named ones, all wanted. Raises ConfigError."""
    known = load_arches()
    if arches is not None:
        for arch in arches:
            if arch not in known:
                raise ConfigError(f"unknown architecture {arch!r}. Known: {', '.join(known)}.")
        if not arches:
            raise ConfigError(f"no architecture named. Known: {', '.join(known)}.")
        named = tuple(dict.fromkeys(arches))
        return Scope(named, named, cache)
    host = host_arch()
    return Scope(tuple(sorted(known, key=lambda name: name != host)), (host,) if host else (), cache)


def diagnose(scope: Scope) -> Diagnosis:
    """Look at everything; takes about a second. Raises nothing: what cannot be looked at is a failed check."""
    checks = (replace(check, section=name) for name, section in SECTIONS.items() for check in section(scope))
    return Diagnosis(scope, tuple(checks))


# --- tools ----------------------------------------------------------------------------------------------------------


def _tools(scope: Scope) -> Iterator[Check]:
    yield _program("clang", CLANG, "all of every run: IR, golden and reference builds", [CLANG_PACKAGE])
    needed_for = "static throughput of code for emulated architectures"
    yield _program("llvm-mca", throughput.TOOLS[1], needed_for, [throughput.PACKAGE], required=False)
    for name in scope.arches:
        arch = load_arches()[name]
        binutils = {"as": arch.as_, "ld": arch.ld, "objcopy": arch.objcopy}
        for title, names in binutils.items():
            yield _program(f"{name} {title}", names, f"building for {name}", _packages(arch, "tools"), arch=name)
        if not arch.native:
            packages = _packages(arch, "emulator")
            yield _program(f"{name} emulator", arch.emulator, f"running {name} here", packages, arch=name)
        yield _counting(arch)
        gcc, needed_for = _packages(arch, "gcc"), f"compiler:gcc-… as a model for {name}"
        yield _program(f"{name} gcc", arch.gcc, needed_for, gcc, arch=name, required=False)
        if all(find_program(names) for names in (CLANG, *binutils.values())):
            yield _chain(arch)


def _packages(arch: Arch, kind: str) -> list[str]:
    """Debian packages of an architecture's tools; the host's own go by other names than foreign ones."""
    x86 = arch.name == "x86_64"  # the table's names are those of an x86-64 host
    if "emulator" in kind or arch.native == x86:
        return list(arch.packages[kind])
    prefix = {"tools": "binutils", "gcc": "gcc"}[kind]
    return [prefix if arch.native else f"{prefix}-x86-64-linux-gnu"]


def _program(
    name: str,
    programs: Sequence[str],
    needed_for: str,
    packages: Sequence[str],
    *,
    arch: str | None = None,
    required: bool = True,
) -> Check:
    found = find_program(programs)
    if found is None:
        text, fix = f"not found: {' or '.join(programs)}", f"install the Debian package {' '.join(packages)}"
    else:
        try:
            return Check(
                name, True, f"{tool_version(found)} ({Path(found).name})", needed_for, arch=arch, required=required
            )
        except NeucombackError as error:
            text, fix = f"does not start: {error}", f"reinstall the Debian package {' '.join(packages)}"
    return Check(name, False, text, needed_for, fix, arch=arch, required=required, packages=tuple(packages))


def _counting(arch: Arch) -> Check:
    """Whether there is an emulator with plugins; a program of its name may be a static build without them."""
    packages = _packages(arch, "plugin_emulator")
    name, needed_for = f"{arch.name} counting", f"counting the instructions that code for {arch.name} executes"
    check = _program(name, arch.plugin_emulator, needed_for, packages, arch=arch.name, required=False)
    found = find_program(arch.plugin_emulator)
    if not check.ok or found is None or takes_plugins(found):
        return check
    fix = f"Debian 12 and Ubuntu 24.04 have one with plugins in the package {' '.join(packages)}"
    return replace(check, ok=False, found=f"{found} was built without plugins", fix=fix)


def _chain(arch: Arch) -> Check:
    """Whether the tools fit together: an ``as`` may be there and be another architecture's."""
    problem = None
    try:
        with tempfile.TemporaryDirectory(prefix="neucomback-") as name:
            problem = _first_failure(arch, Path(name))
    except (NeucombackError, OSError) as error:
        problem = str(error)
    packages = _packages(arch, "tools")
    return Check(
        f"{arch.name} tools fit", problem is None, problem or "a function was compiled, assembled and linked",
        f"building for {arch.name}", f"install {CLANG_PACKAGE} {' '.join(packages)}, or mend PATH" if problem else "",
        arch=arch.name, packages=(CLANG_PACKAGE, *packages),
    )  # fmt: skip


def _first_failure(arch: Arch, folder: Path) -> str | None:
    (folder / "probe.c").write_text("int probe(const int *a, int i) { return a[i] + 1; }\n")
    toolchain = Toolchain(arch.name, cache=folder)
    march = [arch.as_march.format(march=arch.march)] if arch.as_march else []
    for command in (
        [*toolchain.compiler_command("clang", "O2"), "-S", "-o", "probe.s", "probe.c"],
        [toolchain.assembler, *arch.as_flags, *march, "-o", "probe.o", "probe.s"],
        [toolchain.linker, *arch.ld_flags, "-static", "-nostdlib", "-e", "probe", "-o", "probe", "probe.o"],
        [toolchain.objcopy, "--localize-symbol=probe", "probe.o", "hidden.o"],
    ):
        result = run_tool(command, cwd=folder)
        if result.status:
            return f"{Path(command[0]).name} fails: {_short(result.output) or f'status {result.status}'}"
    return None


# --- sandbox --------------------------------------------------------------------------------------------------------


def _sandbox(_scope: Scope) -> Iterator[Check]:
    yield _program("prlimit", ["prlimit"], "limits on memory and time", ["util-linux"])
    bwrap = _program("bubblewrap", ["bwrap"], "running candidates", ["bubblewrap"])
    namespaces = _user_namespaces()
    yield bwrap
    if bwrap.ok:
        yield _makes_a_sandbox("see user namespaces" if not namespaces.ok else "do as the message says")
    yield namespaces
    yield _seccomp()


def _makes_a_sandbox(fix: str) -> Check:
    name, needed_for = "sandbox starts", "running candidates"
    try:
        check_sandbox()
    except (SandboxUnavailable, subprocess.SubprocessError, OSError) as error:
        return Check(name, False, str(error), needed_for, fix)
    return Check(name, True, "yes", needed_for)


_USERNS_SETTINGS = {
    "kernel.unprivileged_userns_clone": ("0", "1"),
    "user.max_user_namespaces": ("0", "10000"),
    "kernel.apparmor_restrict_unprivileged_userns": ("1", "0"),
}
"""Settings that can forbid user namespaces: the value that does, and one that does not."""


def _user_namespaces() -> Check:
    # What is decisive is whether bubblewrap works (it may be setuid root), so this one only explains.
    name, needed_for = "user namespaces", "bubblewrap"
    unshare = find_program(["unshare"])
    if unshare is None:
        fix, packages = "install the Debian package util-linux", ("util-linux",)
        return Check(name, False, "cannot tell: no unshare", needed_for, fix, required=False, packages=packages)
    result = run_tool([unshare, "--user", "--map-root-user", "true"], cwd=Path("/"))
    if result.status == 0:
        return Check(name, True, "allowed", needed_for, required=False)
    commands = [
        f"{_sudo()}sysctl {setting}={good}"
        for setting, (bad, good) in _USERNS_SETTINGS.items()
        if _text(Path("/proc/sys", *setting.split("."))).strip() == bad
    ]
    fix = "; ".join(commands) or "in Docker: --security-opt seccomp=unconfined --cap-add SYS_ADMIN"
    return Check(name, False, f"refused: {_short(result.output)}", needed_for, fix, required=False)


def _seccomp() -> Check:
    name, needed_for = "seccomp", "the system call filters of candidates"
    if "kill_process" not in _text(Path("/proc/sys/kernel/seccomp/actions_avail")).split():
        fix = "use a Linux kernel with CONFIG_SECCOMP_FILTER, 4.14 or newer"
        return Check(name, False, "not offered by this kernel", needed_for, fix)
    emulated = "" if qemu_filter() else f"; emulators run without one on {platform.machine()}"
    return Check(name, True, f"filters can be set{emulated}", needed_for)


# --- Python ---------------------------------------------------------------------------------------------------------


def _python(_scope: Scope) -> Iterator[Check]:
    yield Check("python", True, platform.python_version(), "everything")  # pip installs the plugin on no older one
    try:
        own = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        yield Check(
            DISTRIBUTION, False, "not installed", "pytest finding the plugin", "pip install -e . in the checkout"
        )
        return
    yield Check(DISTRIBUTION, True, own.version, "everything")
    for text in own.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield _requirement(requirement)
    yield _libclang()


def _requirement(requirement: Requirement) -> Check:
    try:
        found = importlib.metadata.version(requirement.name)
        if requirement.specifier.contains(found, prereleases=True):
            return Check(requirement.name, True, found, "everything")
        found += f", but {requirement.specifier} is needed"
    except importlib.metadata.PackageNotFoundError:
        found = "not installed"
    return Check(requirement.name, False, found, "everything", f"pip install '{requirement}'")


def _libclang() -> Check:
    name, needed_for = "libclang loads", "reading the tasks' C"
    try:
        cindex.Index.create()  # the library is loaded here, not on import
    except cindex.LibclangError as error:
        return Check(name, False, _short(str(error)), needed_for, "pip install --force-reinstall libclang")
    return Check(name, True, "yes", needed_for)


# --- the machine ----------------------------------------------------------------------------------------------------


def _machine(scope: Scope) -> Iterator[Check]:
    needed_for, host = "native runs and timing", host_arch()
    if host:
        yield Check("host", True, f"{host}, Linux {platform.release()}", needed_for, required=False)
    else:
        found = f"{platform.machine()}, for which there is no row in the table of architectures"
        fix = "name emulated architectures: --arch here, --nc-arch for pytest"
        yield Check("host", False, found, needed_for, fix, required=False)
    yield _cache(scope.cache)
    yield _memory()
    cores = len(os.sched_getaffinity(0))
    yield Check("cores", True, f"{cores} (pytest -n {cores} uses them all)", "workers side by side", required=False)


def _cache(folder: Path) -> Check:
    name, needed_for = "cache folder", "builds and replies kept between runs"
    fix = "go to a folder you may write to, or name one with --nc-cache=DIR"
    # The first run makes the folder. Look at the nearest one that is there, and leave nothing behind.
    present = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=present) as stream:
            stream.write(b"x")
        free = shutil.disk_usage(present).free
    except OSError as error:
        return Check(name, False, f"{folder} cannot be written: {error.strerror}", needed_for, fix)
    if free < MIN_DISK_BYTES:
        return Check(name, False, f"{folder} has only {_gib(free)} free", needed_for, fix, required=False)
    made = "" if present == folder.absolute() else " (the first run makes it)"
    return Check(name, True, f"{folder} can be written{made}, {_gib(free)} free", needed_for)


def _memory() -> Check:
    available = _available_memory()
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = f"{_gib(total)}, {_gib(available)} of it available"
    ok = available >= MIN_MEMORY_BYTES
    fix = "" if ok else "end other programs, or use fewer workers (pytest -n 1)"
    return Check("memory", ok, found, "workers side by side", fix, required=False)


def _available_memory() -> int:
    """Bytes that can be had without swapping, the control group's limit considered."""
    rows = [line.split() for line in _text(Path("/proc/meminfo")).splitlines()]
    amounts = [int(row[1]) * 1024 for row in rows if row[0] == "MemAvailable:"]
    group = Path("/sys/fs/cgroup")
    limit, used = _text(group / "memory.max").strip(), _text(group / "memory.current").strip()
    if limit.isdigit() and used.isdigit():
        amounts.append(max(int(limit) - int(used), 0))
    return min(amounts, default=0)


def _gib(amount: int) -> str:
    return f"{amount / (1 << 30):.1f} GiB"


def _short(text: str) -> str:
    return " ".join(text.split())[:200]


def _sudo() -> str:
    return "" if os.geteuid() == 0 else "sudo "


def _text(path: Path) -> str:
    """Content of a file of the kernel's, empty when it is not there."""
    try:
        return path.read_text()
    except OSError:
        return ""


SECTIONS: Mapping[str, Callable[[Scope], Iterator[Check]]] = {
    "tools": _tools,
    "sandbox": _sandbox,
    "python": _python,
    "machine": _machine,
}
"""What is looked at, in the order of the report."""
