"""Processes: every program this package starts is started here.

Two kinds. ``run_tool`` runs a compiler, assembler or linker to its end; with ``confined=True`` it runs under
bubblewrap and sees system programs, libraries and one working folder, because what it reads was written by a
stranger. ``spawn_guest`` starts a candidate: no file system but its own binary (and the emulator), no network, no
other process in sight, limits on memory and CPU time. The driver adds a seccomp filter of its own on native runs.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from .errors import HarnessError, SandboxUnavailable, ToolMissing
from .locks import machine_lock

TOOL_TIMEOUT_S = 60.0
TOOL_MEMORY_BYTES = 2 << 30
TOOL_FILE_BYTES = 64 << 20
TOOL_OUTPUT_CHARS = 20_000
GUEST_MEMORY_BYTES = 1 << 30
"""Address space of a candidate run natively; an emulator maps more than the guest asks for and gets four times this."""


@dataclass(frozen=True)
class ToolResult:
    """What a tool left behind."""

    status: int
    """Exit status; -N when killed by signal N; 124 on time-out."""
    output: str
    """stdout and stderr together, cut at 20,000 characters."""


def find_program(names: Sequence[str]) -> str | None:
    """Absolute path of the first program found on PATH."""
    return next((found for name in names if (found := shutil.which(name))), None)


def need_program(names: Sequence[str], package: str) -> str:
    """Like ``find_program``; raises ToolMissing with the command that installs it."""
    found = find_program(names)
    if found is None:
        raise ToolMissing(f"{names[0]} is not installed. Install it: apt-get install {package}")
    return found


@functools.cache
def takes_plugins(emulator: str) -> bool:
    """Whether a qemu-user binary was built with plugins; static builds never are."""
    return "-plugin" in run_tool([emulator, "--help"], cwd=Path("/")).output


@functools.cache
def _system_binds() -> tuple[str, ...]:
    """Programs and libraries, read-only; /etc stays out but for the alternatives that name programs."""
    binds: list[str] = []
    for folder in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives"):
        path = Path(folder)
        if path.is_symlink():
            binds += ["--symlink", str(path.readlink()), folder]
        elif path.is_dir():
            binds += ["--ro-bind", folder, folder]
    return tuple(binds)


def _limits(*, memory_bytes: int, cpu_s: float, file_bytes: int) -> list[str]:
    """util-linux prlimit: the limits are in force before the first instruction of what it starts."""
    return [
        need_program(["prlimit"], "util-linux"),
        f"--as={memory_bytes}",
        f"--cpu={int(cpu_s) + 1}",
        f"--fsize={file_bytes}",
        "--core=0",
    ]


_ISOLATE = ("--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv")


def _bwrap() -> str:
    found = find_program(["bwrap"])
    if found is None:
        raise SandboxUnavailable(
            "bubblewrap (bwrap) is not installed, so no candidate may run. Install it: apt-get install bubblewrap"
        )
    return found


@functools.cache
def check_sandbox() -> None:
    """Raise SandboxUnavailable, with what to do, unless bubblewrap works here."""
    probe = [_bwrap(), *_ISOLATE, *_system_binds(), "--", "/usr/bin/true"]
    result = subprocess.run(probe, capture_output=True, text=True, timeout=30, check=False)
    if result.returncode:
        said = result.stderr.strip() or f"exit status {result.returncode}"
        raise SandboxUnavailable(
            f"bubblewrap cannot make a sandbox here ({said}). Allow user namespaces (sysctl "
            "kernel.unprivileged_userns_clone=1; in Docker: --security-opt seccomp=unconfined --cap-add SYS_ADMIN), or "
            "accept the risk with --nc-unsafe-no-sandbox, which the results record."
        )


def run_tool(
    argv: Sequence[str],
    *,
    cwd: Path,
    confined: bool = False,
    sandbox: bool = True,
    timeout_s: float = TOOL_TIMEOUT_S,
    keep: int = TOOL_OUTPUT_CHARS,
    devices: bool = True,
    script: str = 'exec "$@"',
) -> ToolResult:
    """Run a program to its end in ``cwd`` (the only folder it may write when confined).

    Confined, a shell sets limits and runs ``script``, to which ``argv`` is "$@".

    Of its output the first ``keep`` characters are kept; the rest is read and thrown away, for a stranger's assembly
    can make an assembler print without end. Holds the machine's lock shared, so that nothing compiles while something
    is timed. Without ``devices`` a confined program sees no /dev, /proc and /tmp, which cost 1.5 ms to make; GNU as and
    ld need none. Never raises for what the program does; ``HarnessError`` when it cannot be started.
    """
    command = list(argv)
    if confined:
        # By the shell's own means: util-linux prlimit would be one more program to start.
        limits = {"v": TOOL_MEMORY_BYTES >> 10, "t": int(timeout_s) + 1, "f": TOOL_FILE_BYTES >> 9, "c": 0}
        limited = "".join(f"ulimit -{name} {value} && " for name, value in limits.items())
        command = ["/bin/sh", "-c", f"{limited}{{ {script}; }}", "sh", *command]
    if confined and sandbox:
        work = str(cwd)
        made = ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp") if devices else ()
        command = [
            _bwrap(), *_ISOLATE, *_system_binds(), *made, "--bind", work, work, "--chdir", work,
            "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LC_ALL", "C", "--setenv", "TMPDIR", work, "--", *command,
        ]  # fmt: skip
    with machine_lock.shared():
        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "LC_ALL": "C"},
            )
        except OSError as error:
            raise HarnessError(f"cannot start {command[0]}: {error}") from error
        try:
            ended, output = _read_output(process, keep, timeout_s)
        except BaseException:
            _kill_group(process)
            raise
        finally:
            process.wait()
            if process.stdout:
                process.stdout.close()
    return (
        ToolResult(process.returncode, output) if ended else ToolResult(124, f"stopped after {timeout_s:g} s\n{output}")
    )


def _read_output(process: subprocess.Popen[bytes], keep: int, timeout_s: float) -> tuple[bool, str]:
    """Whether the process closed its output in time, and what it wrote; if not in time, it is killed."""
    assert process.stdout is not None
    fd, deadline = process.stdout.fileno(), time.monotonic() + timeout_s
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    chunks: list[bytes] = []
    size = 0
    ended = False
    while (left := deadline - time.monotonic()) > 0:
        if not poll.poll(left * 1000):
            continue
        chunk = os.read(fd, 1 << 16)
        if not chunk:
            ended = True
            break
        if size < 4 * keep:  # a character takes at most four bytes
            chunks.append(chunk)
            size += len(chunk)
    if ended:
        try:
            process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            ended = False
    if not ended:
        _kill_group(process)
    return ended, b"".join(chunks).decode(errors="replace")[:keep]


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


# --- system call filter for emulated guests ---------------------------------------------------------------------

# What qemu-user itself needs to start and run one static program without files. Everything else kills it. execve is
# on the list because bubblewrap installs the filter before it starts qemu; with no other program in sight it leads
# nowhere. prctl, clone and the socket family are absent or cut down: qemu starts one thread of its own.
_QEMU_CALLS = (
    "read", "write", "close", "fstat", "newfstatat", "stat", "lstat", "statx", "poll", "lseek", "mmap", "mprotect",
    "munmap", "brk", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "ioctl", "pread64", "access", "pipe2",
    "sched_yield", "mremap", "madvise", "dup", "getpid", "clone", "clone3", "execve", "exit", "exit_group", "uname",
    "fcntl", "readlink", "readlinkat", "sysinfo", "getuid", "getgid", "geteuid", "getegid", "sigaltstack",
    "arch_prctl", "gettid", "futex", "sched_getaffinity", "set_tid_address", "clock_gettime", "clock_nanosleep",
    "nanosleep", "openat", "open", "set_robust_list", "wait4", "prlimit64", "getrandom", "rseq", "tgkill",
    "restart_syscall", "getrlimit", "faccessat", "mincore", "getcwd", "prctl",
)  # fmt: skip
_X86_64_NUMBERS = dict(  # noqa: C408 - a table of names
    read=0, write=1, open=2, close=3, stat=4, fstat=5, lstat=6, poll=7, lseek=8, mmap=9, mprotect=10, munmap=11, brk=12,
    rt_sigaction=13, rt_sigprocmask=14, rt_sigreturn=15, ioctl=16, pread64=17, access=21, sched_yield=24, mremap=25,
    mincore=27, madvise=28, dup=32, nanosleep=35, getpid=39, clone=56, execve=59, exit=60, wait4=61, uname=63, fcntl=72,
    getcwd=79, readlink=89, getrlimit=97, sysinfo=99, getuid=102, getgid=104, geteuid=107, getegid=108,
    sigaltstack=131, prctl=157, arch_prctl=158, gettid=186, futex=202, sched_getaffinity=204, set_tid_address=218,
    restart_syscall=219, clock_gettime=228, clock_nanosleep=230, exit_group=231, tgkill=234, openat=257, newfstatat=262,
    readlinkat=267, faccessat=269, set_robust_list=273, pipe2=293, prlimit64=302, getrandom=318, statx=332, rseq=334,
    clone3=435,
)  # fmt: skip
# What a library of a dynamically linked qemu (libnuma) tries before main, and does without where there is no such call.
_REFUSED_CALLS = dict(set_mempolicy=238, get_mempolicy=239)  # noqa: C408 - a table of names
_AUDIT_X86_64 = 0xC000003E
_CLONE_THREAD = 0x00010000


def _instruction(code: int, k: int, jt: int = 0, jf: int = 0) -> bytes:
    return struct.pack("<HBBI", code, jt, jf, k)


@functools.cache
def qemu_filter(*, static: bool = True) -> bytes | None:
    """A seccomp program for bubblewrap's --seccomp, or None on hosts whose call numbers are not in the table.

    Unless qemu is ``static``, a few more calls are answered with ENOSYS instead of death; none is allowed.
    """
    if os.uname().machine != "x86_64":
        return None
    load, equal, any_bit, ret = 0x20, 0x15, 0x45, 0x06
    allow, kill, enosys = 0x7FFF0000, 0x80000000, 0x00050000 | 38
    # A new process would outlive its verdict; a new thread is qemu's own affair. clone3 hides its flags behind a
    # pointer, so it is answered with ENOSYS and glibc falls back to clone.
    program = [
        _instruction(load, 4),
        _instruction(equal, _AUDIT_X86_64, 1, 0),
        _instruction(ret, kill),
        _instruction(load, 0),
        _instruction(equal, _X86_64_NUMBERS["clone3"], 0, 1),
        _instruction(ret, enosys),
        _instruction(equal, _X86_64_NUMBERS["clone"], 0, 4),
        _instruction(load, 16),
        _instruction(any_bit, _CLONE_THREAD, 0, 1),
        _instruction(ret, allow),
        _instruction(ret, kill),
    ]
    for name in _QEMU_CALLS:
        if name not in ("clone", "clone3"):
            program += [_instruction(equal, _X86_64_NUMBERS[name], 0, 1), _instruction(ret, allow)]
    for number in () if static else _REFUSED_CALLS.values():
        program += [_instruction(equal, number, 0, 1), _instruction(ret, enosys)]
    program.append(_instruction(ret, kill))
    return b"".join(program)


# --- candidates ---------------------------------------------------------------------------------------------------


@functools.cache
def _is_static(program: str) -> bool:
    with Path(program).open("rb") as stream:
        return all(segment["p_type"] != "PT_INTERP" for segment in ELFFile(stream).iter_segments())


@functools.cache
def _library_binds(program: str) -> tuple[str, ...]:
    """What a dynamically linked program needs to start: its loader and libraries, and where the loader finds them.

    No other program is among them, so that execve leads nowhere.
    """
    with Path(program).open("rb") as stream:
        segments = list(ELFFile(stream).iter_segments("PT_INTERP"))
        loader = segments[0].data().rstrip(b"\0").decode() if segments else ""
    if not loader:
        return ()
    said = run_tool([loader, "--list", program], cwd=Path("/"))
    # "libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x...)"; the loader itself and the vDSO have no arrow
    libraries = re.findall(r"(?m)=> (/\S+) \(0x", said.output)
    if said.status or not libraries:
        raise HarnessError(f"cannot tell which libraries {program} needs: {said.output.strip()[:300]}")
    binds = [part for path in (loader, *libraries) for part in ("--ro-bind", path, path)]
    folders = dict.fromkeys(str(Path(path).parent) for path in libraries)
    return (*binds, "--setenv", "LD_LIBRARY_PATH", ":".join(folders))


@dataclass(frozen=True)
class EmulatorPlugin:
    """A TCG plugin for the emulator of a guest."""

    path: Path
    arguments: tuple[str, ...]
    """NAME=VALUE each."""
    fd: int
    """A descriptor that the emulator inherits for the plugin."""

    def option(self, path: str) -> tuple[str, str]:
        """The emulator's option that loads it from where the emulator sees it."""
        return "-plugin", ",".join((path.replace(",", ",,"), f"fd={self.fd}", *self.arguments))


def spawn_guest(
    binary: Path,
    arguments: Sequence[str],
    *,
    emulator: Sequence[str],
    pass_fds: Sequence[int],
    cpu_s: float,
    sandbox: bool = True,
    plugin: EmulatorPlugin | None = None,
) -> subprocess.Popen[bytes]:
    """Start a candidate with the given arguments and inherited descriptors; the caller ends it with ``end_guest``.

    ``emulator`` is a qemu-user binary with its flags, or nothing to run natively; ``plugin`` is loaded into it.
    ``sandbox=False`` leaves bubblewrap out (--nc-unsafe-no-sandbox); limits and the driver's own filter stay.
    """
    inner = ["/candidate", *arguments]
    fds = [*pass_fds, *([plugin.fd] if plugin else [])]
    filter_fd = None
    if not sandbox:
        loaded = plugin.option(str(plugin.path)) if plugin else ()
        inner = [*emulator, *loaded, str(binary), *arguments]
        command = inner
    else:
        command = [_bwrap(), *_ISOLATE, "--ro-bind", str(binary), "/candidate"]
        if emulator:
            static = _is_static(emulator[0])
            command += ["--ro-bind", emulator[0], "/emulator"]
            command += [] if static else _library_binds(emulator[0])
            if plugin:
                command += ["--ro-bind", str(plugin.path), "/plugin.so"]
            loaded = plugin.option("/plugin.so") if plugin else ()
            inner = ["/emulator", *emulator[1:], *loaded, *inner]
            if program := qemu_filter(static=static):
                filter_fd = os.memfd_create("nc-filter")
                os.write(filter_fd, program)
                os.lseek(filter_fd, 0, os.SEEK_SET)
                command += ["--seccomp", str(filter_fd)]
                fds.append(filter_fd)
        command += ["--remount-ro", "/", "--chdir", "/", "--", *inner]
    if emulator:
        # Natively the driver sets its limits itself, before its first call; one program less to start.
        command = [*_limits(memory_bytes=4 * GUEST_MEMORY_BYTES, cpu_s=cpu_s, file_bytes=0), "--", *command]
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=fds,
            start_new_session=True,
        )
    except OSError as error:
        raise HarnessError(f"cannot start the sandbox: {error}") from error
    finally:
        if filter_fd is not None:
            os.close(filter_fd)


def end_guest(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Kill a guest with everything below it; returns (wait status as subprocess gives it, what it wrote to stderr).

    bubblewrap's --die-with-parent takes the process tree down with its first process.
    """
    _kill_group(process)
    error = b""
    if process.stderr:
        # whoever holds the other end is dead or dying; never wait for it
        os.set_blocking(process.stderr.fileno(), False)
    status = process.wait()
    if process.stderr:
        with contextlib.suppress(OSError):
            error = process.stderr.read(4096) or b""
        process.stderr.close()
    return status, error.decode(errors="replace")


def settle_guest(process: subprocess.Popen[bytes], grace_s: float = 1.0) -> int | None:
    """Wait briefly for a guest that closed its pipes; its exit status, or None when it is still there."""
    try:
        return process.wait(grace_s)
    except subprocess.TimeoutExpired:
        return None
