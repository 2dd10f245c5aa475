"""What a hostile candidate can reach: nothing. Natively and under qemu, while assembling and while running."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from candidates import SNIPPETS, candidate, system_call
from elftools.elf.elffile import ELFFile

from pytest_neucomback import policy
from pytest_neucomback.inputs import draw
from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.runner import Guest
from pytest_neucomback.sandbox import TOOL_OUTPUT_CHARS, run_tool
from pytest_neucomback.tasks import Task
from pytest_neucomback.toolchain import Build, Toolchain
from pytest_neucomback.types import Verdict

VerdictOn = Callable[[str], Verdict]
ALLOWED = 77
"""Exit status of a candidate whose system call was let through."""
AT_FDCWD, O_RDWR, O_CREAT_WRONLY, SIGCHLD = -100, 2, 0o101, 17


@pytest.fixture
def look_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The object-file policy overlooks system calls, as if a candidate had found a way around it."""
    monkeypatch.setattr(policy, "SYSTEM_CALLS", {})


def attempt(arch: str, name: str, *arguments: int | str, path: str = "") -> str:
    """A candidate that makes a system call, ends with status 77 if it worked, and is right otherwise."""
    before = system_call(arch, name, *arguments) + "\n" + SNIPPETS[arch].exit_if_allowed
    extra = f'    .section .rodata\npath:\n    .string "{path}"\nnumbers:\n    .8byte 3, 1, 0\n'
    return candidate(arch, before=before, extra=extra)


def refused(verdict: Verdict) -> bool:
    """The call was fatal, or it failed and the candidate went on."""
    return (verdict == "forbidden" and f"status {ALLOWED}" not in verdict.detail) or verdict == "correct"


@pytest.mark.parametrize("flags", [O_RDWR, O_CREAT_WRONLY, 0])
@pytest.mark.parametrize("where", ["tmp", "home", "passwd", "proc"])
def test_no_file_can_be_opened(
    where: str, flags: int, arch: str, verdict_on: VerdictOn, look_away: None, tmp_path: Path, home: Path
) -> None:
    """A candidate opens no file of the host, whether to read, write or create, and planted files survive."""
    planted = {"tmp": tmp_path / "planted", "home": home / "planted"}.get(where)
    if planted:
        planted.write_text("still here")
    path = str(planted or {"passwd": "/etc/passwd", "proc": "/proc/1/environ"}[where])
    verdict = verdict_on(attempt(arch, "open", AT_FDCWD, "path", flags, 0o666, path=path))
    assert refused(verdict), verdict
    if planted:
        assert planted.read_text() == "still here"


@pytest.mark.parametrize("path", ["/made", "/candidate", "/emulator"])
def test_nothing_in_sight_can_be_written(path: str, arch: str, verdict_on: VerdictOn, look_away: None) -> None:
    """Not even inside the sandbox can a file be made or opened for writing."""
    verdict = verdict_on(attempt(arch, "open", AT_FDCWD, "path", O_CREAT_WRONLY, 0o666, path=path))
    assert refused(verdict), verdict


CALLS: dict[str, tuple[int | str, ...]] = {
    "clone": (SIGCHLD, 0, 0, 0),
    "socket": (2, 1, 0),
    "ptrace": (0, 0, 0),
    "kill": (-1, 9),
    "ftruncate": (3, 0),
    "execve": ("path", 0, 0),
    "unlinkat": (AT_FDCWD, "path", 0),
}


@pytest.mark.parametrize("name", CALLS)
def test_no_dangerous_call_works(name: str, arch: str, verdict_on: VerdictOn, look_away: None, tmp_path: Path) -> None:
    """No process, network, tracing, signal, resizing of the shared memory, program or deletion."""
    (tmp_path / "planted").write_text("still here")
    path = "/bin/sh" if name == "execve" else str(tmp_path / "planted")
    verdict = verdict_on(attempt(arch, name, *CALLS[name], path=path))
    assert refused(verdict), verdict
    assert (tmp_path / "planted").read_text() == "still here"


def test_attempts_would_show_if_they_worked(arch: str, verdict_on: VerdictOn, look_away: None) -> None:
    """The candidates of this module do end with status 77 after a call that is let through."""
    if arch == "x86_64":
        # natively only the four calls of the driver itself pass; reading the clock is one
        clock = attempt(arch, "getpid").replace("movl $39", "movl $228").replace("movq $0, %rsi", "movq $a, %rsi")
        assert f"status {ALLOWED}" in verdict_on(clock).detail
    else:
        assert f"status {ALLOWED}" in verdict_on(attempt(arch, "getpid")).detail


def test_memory_hog_hits_the_limit(arch: str, verdict_on: VerdictOn, look_away: None) -> None:
    """Mapping memory without end is refused before 8 GiB have been mapped."""
    if arch == "x86_64":
        verdict = verdict_on(attempt(arch, "mmap", 0, 1 << 28, 3, 0x22))
        assert verdict == "forbidden"
        assert f"status {ALLOWED}" not in verdict.detail
        return
    one = system_call(arch, "mmap", 0, 1 << 28, 3, 0x22)
    # 32 maps of 256 MiB; the first that fails jumps to the right answer
    ok = {"aarch64": "    tbnz x10, #63, 5f", "riscv64": "    bltz t2, 5f"}[arch]
    before = f"    .rept 32\n{one}\n{ok}\n    .endr\n" + SNIPPETS[arch].exit_if_allowed + "\n5:"
    if arch == "aarch64":
        before = before.replace("    ldr x1, =268435456", "    mov x1, #268435456")
        before = before.replace("ldr x0, =0", "mov x0, #0").replace("ldr x2, =3", "mov x2, #3")
        before = before.replace("ldr x3, =34", "mov x3, #34")
    # the mapped pages are not touched and the descriptor is ignored for anonymous memory
    verdict = verdict_on(candidate(arch, before=before.replace("mov x4, #0", "mov x4, #-1")))
    assert verdict == "correct", verdict


def test_large_private_data_is_refused(arch: str, verdict_on: VerdictOn) -> None:
    """Private data is bounded, too."""
    assert verdict_on(candidate(arch, extra="    .bss\n    .zero 1000000000")) == "forbidden"


def test_scribbling_over_the_control_block_gains_nothing(arch: str, toolchain: Toolchain, bump: Task) -> None:
    """A candidate that overwrites the shared control block gets a verdict, never an exception or a good one."""
    fill = {
        "x86_64": "    movl $0x08000000, %edi\n    movl $4000, %ecx\n    movq $-1, %rax\n    rep stosq",
        "aarch64": "    mov x1, #0x8000000\n    mov x2, #4000\n    mov x3, #-1\n6:  str x3, [x1], #8\n"
        "    subs x2, x2, #1\n    b.ne 6b",
        "riscv64": "    li a1, 0x8000000\n    li a2, 4000\n    li a3, -1\n6:  sd a3, 0(a1)\n    addi a1, a1, 8\n"
        "    addi a2, a2, -1\n    bnez a2, 6b",
    }[arch]
    judge = Judge(JudgeSettings(7, 2), {arch: toolchain})
    verdict = judge.judge(bump, arch, candidate(arch, before=fill + "\n    ret")).verdict
    assert verdict == "wrong_output", verdict


def _holders(build: Build) -> list[str]:
    """Processes that have the binary mapped, whatever they call it."""
    inode = build.path.stat().st_ino
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                maps = (process / "maps").read_text()
            except OSError:
                continue
            if any(line.split()[4] == str(inode) for line in maps.splitlines()):
                found.append(process.name)
    return found


def test_no_process_is_left(arch: str, toolchain: Toolchain, bump: Task, tmp_path: Path) -> None:
    """After an endless loop was stopped, nothing runs the candidate's binary any more."""
    build = toolchain.build_candidate(bump, candidate(arch, before=SNIPPETS[arch].endless), tmp_path)
    assert isinstance(build, Build)
    with Guest(build, emulator=toolchain.emulator, sandbox=True, cpu_s=60) as guest:
        guest.load(draw(build.plan, "fixed:0"))
        assert _holders(build)
        assert guest.call(0.3).status == "timeout"
    for _ in range(100):
        if not (left := _holders(build)):
            break
        os.sched_yield()
    assert not left


def test_descriptors_are_given_back(native: Toolchain, native_judge: Judge, bump: Task) -> None:
    """Judging leaves no descriptor open, whatever way a candidate ends."""
    texts = [candidate("x86_64"), candidate("x86_64", before="    ud2"), "garbage", candidate("x86_64", count=65)]
    texts.append(candidate("x86_64", before=system_call("x86_64", "exit_group")))
    for text in texts:
        native_judge.judge(bump, "x86_64", text)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for text in texts * 3:
        native_judge.judge(bump, "x86_64", text)
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


def test_unsafe_mode_still_limits_and_filters(
    native: Toolchain, bump: Task, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without bubblewrap the driver's own filter and the limits stay, and right candidates are right."""
    bare = Toolchain("x86_64", cache=native.cache, sandbox=False)
    judge = Judge(JudgeSettings(7, 2, sandbox=False), {"x86_64": bare})
    assert judge.judge(bump, "x86_64", candidate("x86_64")).verdict == "correct"
    assert judge.judge(bump, "x86_64", attempt("x86_64", "socket", 2, 1, 0)).verdict == "forbidden"
    assert judge.judge(bump, "x86_64", candidate("x86_64", before="    ud2")).verdict == "crashed"


# --- assembling ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/hostname", "/etc/shadow", "/var/lib/dpkg/status"])
def test_files_of_the_host_cannot_be_included(verdict_on: VerdictOn, arch: str, path: str) -> None:
    """The assembler sees no file that a candidate names, so none ends up in its data."""
    assert verdict_on(candidate(arch, extra=f'    .section .rodata\n    .incbin "{path}"')) == "build_failed"
    assert verdict_on(candidate(arch, extra=f'    .include "{path}"')) == "build_failed"


def test_planted_files_cannot_be_included(verdict_on: VerdictOn, arch: str, tmp_path: Path, home: Path) -> None:
    """Neither temporary files nor the home folder are in the assembler's sight."""
    for folder in (tmp_path, home):
        (folder / "secret.s").write_text("    nop\n")
        assert verdict_on(candidate(arch, extra=f'    .include "{folder}/secret.s"')) == "build_failed"


BOMBS = {
    "repetition": "    .rept 1000000000\n    nop\n    .endr",
    "fill": "    .fill 10000000000",
    "space": "    .data\n    .skip 10000000000",
    "origin": "    .org 100000000000",
    "recursion": "    .macro m\n    m\n    .endm\n    m",
    "doubling": "    .rept 30000\n    .rept 30000\n    .rept 30000\n    nop\n    .endr\n    .endr\n    .endr",
    "inclusion": '    .include "candidate.s"',
    "printing": f'    .rept 30000\n    .rept 30000\n    .print "{"x" * 200}"\n    .endr\n    .endr',
    "errors": '    .rept 30000\n    .rept 30000\n    .warning "x"\n    .endr\n    .endr',
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_assembler_bombs_fail_in_time(
    bomb: str, native_judge: Judge, bump: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts that make an assembler eat time, memory, disk or print without end are stopped."""
    monkeypatch.setattr("pytest_neucomback.toolchain.ASSEMBLE_TIMEOUT_S", 1.0)
    found = native_judge.judge(bump, "x86_64", candidate("x86_64", extra=BOMBS[bomb]))
    assert found.verdict == "build_failed", found.verdict
    assert found.judge_s < 6
    assert len(found.verdict.diagnostic) < 4000


def test_assembler_bomb_under_a_timeout_is_unjudged(native_judge: Judge, bump: Task) -> None:
    """--timeout covers building as well."""
    text = candidate("x86_64", extra=BOMBS["doubling"])
    found = native_judge.judge(bump, "x86_64", text, timeout_s=0.5)
    assert found.verdict == "unjudged"
    assert found.judge_s < 3


def test_output_of_a_tool_is_cut(tmp_path: Path) -> None:
    """A tool that prints without end is read to its end or stopped, and little of it is kept."""
    result = run_tool(["/bin/sh", "-c", "head -c 50000000 /dev/zero | tr '\\0' x; exit 3"], cwd=tmp_path)
    assert (result.status, len(result.output)) == (3, TOOL_OUTPUT_CHARS)
    whole = run_tool(["/bin/sh", "-c", "head -c 50000 /dev/zero | tr '\\0' x"], cwd=tmp_path, keep=1 << 20)
    assert len(whole.output) == 50_000
    stopped = run_tool(["/bin/sh", "-c", "echo on; sleep 30"], cwd=tmp_path, timeout_s=0.3)
    assert stopped.status == 124
    assert stopped.output == "stopped after 0.3 s\non\n"


def test_tool_that_closes_its_output_is_still_bounded(tmp_path: Path) -> None:
    """A program that closes stdout and sleeps on is stopped at the time-out."""
    assert run_tool(["/bin/sh", "-c", "exec >&- 2>&-; sleep 30"], cwd=tmp_path, timeout_s=0.3).status == 124


# --- several at once -----------------------------------------------------------------------------------------------


def test_judging_in_parallel_threads(arch: str, toolchain: Toolchain, bump: Task, short_limit: None) -> None:
    """One Judge serves several threads, each candidate getting its own verdict."""
    judge = Judge(JudgeSettings(11, 6), {arch: toolchain})
    texts = {
        "correct": candidate(arch),
        "wrong_output": candidate(arch, count=63),
        "crashed": candidate(arch, count=65),
        "timed_out": candidate(arch, before=SNIPPETS[arch].endless),
        "abi_violation": candidate(arch, before=SNIPPETS[arch].clobber[0]),
        "build_failed": candidate(arch, before="    frobnicate"),
    }
    with ThreadPoolExecutor(4) as pool:
        jobs = [(word, pool.submit(judge.judge, bump, arch, text)) for word, text in texts.items() for _ in range(3)]
        assert [(word, str(job.result().verdict.outcome)) for word, job in jobs] == [(word, word) for word, _ in jobs]


def test_no_build_has_memory_that_is_writable_and_executable(bump: Task, toolchain: Toolchain, tmp_path: Path) -> None:
    """Code cannot be patched, neither the candidate's own nor the driver's, on any architecture."""
    assembly = toolchain.compile_source("clang", "O2", bump.c_path)
    build = toolchain.build_candidate(bump, assembly, tmp_path)
    assert isinstance(build, Build)
    for path in (build.path, toolchain.golden(bump).path):
        with path.open("rb") as stream:
            flags = [s["p_flags"] & 3 for s in ELFFile(stream).iter_segments("PT_LOAD")]
        assert 3 not in flags
        assert 1 in flags
