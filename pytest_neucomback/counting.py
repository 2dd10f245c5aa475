"""How many instructions a candidate executes: exact, the same on every machine, and free of noise.

The program runs under qemu-user with a plugin (``driver/count_plugin.c``) that counts what is executed inside the
task's own code. Driver, glue, runtime and mocks lie elsewhere and count nothing, though the calls that lead there do:
who leaves the work to ``memcpy`` is not charged for it. Which code is the task's is read from a linker's map, so the
program is linked once more from its object file.

A number of instructions is no time: it says nothing of caches, of dependences and of what an instruction costs. Nor is
it a proof: qemu is no boundary, and a candidate that attacks it can change the number.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import mmap
import os
import re
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from .errors import HarnessError
from .inputs import Vector
from .locks import machine_lock
from .runner import CallResult, Guest
from .sandbox import EmulatorPlugin
from .toolchain import Build, Toolchain, new_work_folder

CALL_LIMIT_S = 120.0
"""For one call under the emulator; honest ones need some hundredths."""
_CPU_S = 3600.0
_READY = 0x314E554F43434E
_PAGE = 4096
MAX_RANGES = 64
"""As many as the plugin takes."""

_MAPPED = re.compile(
    # GNU ld: name, address, size and file; a long name, which a candidate chooses, has a line of its own before them.
    r"^(?:.*\s)?0x(?P<at>[0-9a-f]+)\s+0x(?P<size>[0-9a-f]+)\s+task-code\.o$"
    # lld: address, load address, size, alignment and, further in, file and section.
    r"|^\s*(?P<lld_at>[0-9a-f]+)\s+[0-9a-f]+\s+(?P<lld_size>[0-9a-f]+)\s+[0-9]+\s+task-code\.o:\(",
    re.MULTILINE,
)


class _Page(ctypes.Structure):
    """``struct nc_count``."""

    _fields_ = (("ready", ctypes.c_uint64), ("executed", ctypes.c_uint64))


class _Counter:
    """Memory that the plugin counts in; a context manager."""

    def __enter__(self) -> _Counter:
        self.fd = os.memfd_create("nc-count", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, _PAGE)
        # Who shrank the file would kill the parent with SIGBUS at its next look.
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        self._page = _Page.from_buffer(mmap.mmap(self.fd, _PAGE))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.fd)

    @property
    def ready(self) -> bool:
        """Whether the plugin has been loaded."""
        return int(self._page.ready) == _READY

    @property
    def executed(self) -> int:
        """Instructions since the program started."""
        return int(self._page.executed)


def count_instructions(
    build: Build,
    vectors: Sequence[Vector],
    *,
    arch: str,
    cache: Path,
    sandbox: bool = True,
    march: str | None = None,
) -> int:
    """Instructions of the task's own code that one call for each of ``vectors`` executes, all calls together.

    An instruction counts each time it is executed; one of x86 that repeats itself (``rep movsb``) counts once.
    ``cache`` keeps the compiled plugin. The emulated processor is one of the build's ISA level; trusted builds do not
    know theirs, so ``march`` names it where it is not the arch's default (the length of vectors depends on it, and with
    it the number).

    Raises ToolMissing, with the command that installs it, where no emulator with plugins is; HarnessError when a call
    does not return, among others because the emulator lacks an instruction (AVX-512), and when the machinery fails.
    """
    toolchain = _toolchain(arch, march or build.march or None, cache.resolve(), sandbox)
    emulator = toolchain.plugin_emulator
    folder = new_work_folder()
    try:
        with machine_lock.shared(), _Counter() as counter:
            linked, linker_map = toolchain.mapped(build, folder)
            ranges = code_ranges(linked, linker_map)
            bounds = [part for start, end in ranges for part in (f"from={start:#x}", f"to={end:#x}")]
            plugin = EmulatorPlugin(toolchain.count_plugin(), (*bounds, *toolchain.arch.plugin_flags), counter.fd)
            with Guest(linked, emulator=emulator, sandbox=sandbox, cpu_s=_CPU_S, plugin=plugin) as guest:
                if not counter.ready:
                    raise HarnessError(f"{Path(emulator[0]).name} did not load the plugin that counts")
                return sum(_count_call(guest, counter, vector, emulator[0]) for vector in vectors)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _toolchain(arch: str, march: str | None, cache: Path, sandbox: bool) -> Toolchain:
    return Toolchain(arch, march=march, cache=cache, sandbox=sandbox)


def _count_call(guest: Guest, counter: _Counter, vector: Vector, emulator: str) -> int:
    guest.load(vector)
    before = counter.executed
    result = guest.call(CALL_LIMIT_S)
    executed = counter.executed - before
    task = guest.plan.task.id
    if result.status != "done":
        raise HarnessError(
            f"instructions of {task} cannot be counted on {vector.label}: {_ending(guest, result, emulator)}"
        )
    if executed <= 0:
        # A call that returns has executed something, if only its return.
        raise HarnessError(f"instructions of {task} cannot be counted: {executed} were seen in a call that returned")
    return executed


def _ending(guest: Guest, result: CallResult, emulator: str) -> str:
    """Why a call did not return, in words."""
    if result.status == "timeout":
        return f"the call was still running after {CALL_LIMIT_S:g} s"
    if result.status == "exited":
        return f"the program ended by itself (status {result.exit_status}) {result.message}".strip()
    if guest.control.signal == signal.SIGILL:
        return (
            f"{Path(emulator).name} does not have one of its instructions: no qemu executes AVX-512, and others are "
            "beyond the ISA level that it was told"
        )
    return f"the call ended with signal {guest.control.signal}"


def code_ranges(build: Build, linker_map: str) -> list[tuple[int, int]]:
    """Addresses of the task's own code in a program: (first, behind the last) of each stretch, in order.

    Raises HarnessError when the map does not say where the task's function is.
    """
    found = []
    for match in _MAPPED.finditer(linker_map):
        start = int(match["at"] or match["lld_at"], 16)
        found.append((start, start + int(match["size"] or match["lld_size"], 16)))
    with build.path.open("rb") as stream:
        elf = ELFFile(stream)
        executable = [
            (segment["p_vaddr"], segment["p_vaddr"] + segment["p_memsz"])
            for segment in elf.iter_segments("PT_LOAD")
            if segment["p_flags"] & P_FLAGS.PF_X
        ]
        table = elf.get_section_by_name(".symtab")
        named = table.get_symbol_by_name(build.plan.task.function) if isinstance(table, SymbolTableSection) else None
    # Data of the object file's lies in other segments; what describes it (debug information) has no address.
    code = [(a, b) for a, b in found if a < b and any(low <= a and b <= high for low, high in executable)]
    ranges: list[tuple[int, int]] = []
    for start, end in sorted(code):
        if ranges and start <= ranges[-1][1]:
            ranges[-1] = ranges[-1][0], max(end, ranges[-1][1])
        else:
            ranges.append((start, end))
    entries = [s["st_value"] for s in named or () if s["st_info"]["bind"] == "STB_GLOBAL"]
    if not any(start <= entry < end for start, end in ranges for entry in entries) or len(ranges) > MAX_RANGES:
        raise HarnessError(f"the linker's map does not say where the code of {build.plan.task.id} is")
    return ranges
