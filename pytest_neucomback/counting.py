"""How many instructions a candidate executes: exact, the same on every machine, and free of noise.

The program runs under qemu-user with a plugin (``driver/count_plugin.c``) that counts what is executed inside the
task's own code. Driver, glue, runtime and mocks lie elsewhere and count nothing, though the calls that lead there do:
who leaves the work to ``memcpy`` is not charged for it. Which code is the task's is read from a linker's map, so the
program is linked once more from its object file.

A profile tells them apart by line of the candidate's assembly. For it the plugin also counts how often each translated
block is executed and says where the block's instructions begin; the assembler's line table does the rest.

A number of instructions is no time: it says nothing of caches, of dependences and of what an instruction costs. Nor is
it a proof: qemu is no boundary, and a candidate that attacks it can change the number.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from .errors import HarnessError, ProfileTooLarge
from .inputs import Vector
from .lines import LineTable
from .locks import machine_lock
from .runner import CallResult, Guest, sealed_memory
from .sandbox import EmulatorPlugin
from .toolchain import Build, Toolchain, new_work_folder

CALL_LIMIT_S = 120.0
"""For one call under the emulator; honest ones need some hundredths."""
_CPU_S = 3600.0
_READY = 0x324E554F43434E
_PAGE = 4096
MAX_RANGES = 64
"""As many as the plugin takes."""
MAX_BLOCKS = 1 << 14
"""Entries of a profile's table: translated stretches of the task's code, seldom more than some hundred."""
_SIZES_PER_BLOCK = 64
"""Instructions that a profile has room for are so many times as many as its blocks."""

_MAPPED = re.compile(
    # GNU ld: name, address, size and file; a long name, which a candidate chooses, has a line of its own before them.
    r"^(?:.*\s)?0x(?P<at>[0-9a-f]+)\s+0x(?P<size>[0-9a-f]+)\s+task-code\.o$"
    # lld: address, load address, size, alignment and, further in, file and section.
    r"|^\s*(?P<lld_at>[0-9a-f]+)\s+[0-9a-f]+\s+(?P<lld_size>[0-9a-f]+)\s+[0-9]+\s+task-code\.o:\(",
    re.MULTILINE,
)


class _Page(ctypes.Structure):
    """``struct nc_count``."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("ready", "executed", "blocks", "overflow"))


_BLOCK = np.dtype([("start", "u8"), ("executed", "u8"), ("first", "u4"), ("instructions", "u4")])
"""``struct nc_block``."""


@dataclass(frozen=True)
class Stretch:
    """Instructions that follow one another and are executed equally often."""

    executed: int
    """Times, each of them."""
    instructions: int
    code: bytes


@dataclass(frozen=True)
class Profile:
    """Where the instructions come from that a program executes."""

    instructions: int
    """All of them, as ``count_instructions`` counts."""
    lines: Mapping[int | None, int]
    """Executed instructions by line of the candidate's assembly, from 1, in order of lines; those without a line, which
    are all of a trusted build, come last under None. Lines without any are left out; the sum is ``instructions``."""
    stretches: tuple[Stretch, ...] = field(default=(), repr=False, compare=False)
    """The code that was executed, in order of addresses."""

    def hottest(self, most: int) -> tuple[tuple[int, int], ...]:
        """At most so many lines and their instructions, most instructions first."""
        known = [(line, executed) for line, executed in self.lines.items() if line is not None]
        return tuple(sorted(known, key=lambda item: (-item[1], item[0]))[:most])


class _Counter:
    """Memory that the plugin counts in, with a table of so many blocks; a context manager."""

    def __init__(self, max_blocks: int = 0) -> None:
        self.max_blocks = max_blocks
        self._size = _PAGE + max_blocks * (_BLOCK.itemsize + _SIZES_PER_BLOCK)

    def __enter__(self) -> _Counter:
        self.fd, self._map = sealed_memory("nc-count", self._size)
        self._page = _Page.from_buffer(self._map)
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

    @property
    def overflow(self) -> bool:
        """Whether the table was too small for all code that was translated."""
        return bool(self._page.overflow)

    def executed_at(self) -> dict[int, tuple[int, int]]:
        """How often the instruction at each address was executed since the program started, and its size in bytes.

        Raises HarnessError for a table that no plugin writes: the guest's memory is where qemu's is.
        """
        used = int(self._page.blocks)
        table = np.frombuffer(self._map, _BLOCK, self.max_blocks, offset=_PAGE)[: min(used, self.max_blocks)].copy()
        at = _PAGE + self.max_blocks * _BLOCK.itemsize
        sizes = np.frombuffer(self._map, np.uint8, self.max_blocks * _SIZES_PER_BLOCK, offset=at)
        if used > self.max_blocks or int(table["instructions"].sum(dtype=np.uint64)) > len(sizes):
            raise HarnessError("the profile's table makes no sense")
        found: dict[int, tuple[int, int]] = {}
        for start, executed, first, instructions in table.tolist():
            if not executed:
                continue  # translated and never come to
            address = start
            # A block that was translated twice has two entries.
            for size in sizes[first : first + instructions].tolist():
                found[address] = found.get(address, (0, 0))[0] + executed, size
                address += size
        return found


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
    with _counting(build, toolchain) as (guest, counter):
        return sum(_count_call(guest, counter, vector, toolchain) for vector in vectors)


def profile(
    build: Build,
    vectors: Sequence[Vector],
    *,
    arch: str,
    cache: Path,
    sandbox: bool = True,
    march: str | None = None,
) -> Profile:
    """Like ``count_instructions``, with the instructions told apart by line of the candidate's assembly.

    Raises ProfileTooLarge, besides what ``count_instructions`` raises, when more code is executed than the table takes.
    """
    toolchain = _toolchain(arch, march or build.march or None, cache.resolve(), sandbox)
    with _counting(build, toolchain, MAX_BLOCKS) as (guest, counter):
        total = sum(_count_call(guest, counter, vector, toolchain) for vector in vectors)
        if counter.overflow:
            raise ProfileTooLarge(
                f"no profile of {build.plan.task.id}: it runs through more than {counter.max_blocks} blocks of code or "
                f"{counter.max_blocks * _SIZES_PER_BLOCK} instructions"
            )
        executed = counter.executed_at()
        table = LineTable.of(guest.build.path)
        stretches = _stretches(executed, guest.build.path)
    in_blocks = sum(times for times, _ in executed.values())
    if in_blocks != total:
        raise HarnessError(
            f"no profile of {build.plan.task.id}: {total} instructions were executed, {in_blocks} in its blocks"
        )
    lines = Counter[int | None]()
    for address, (times, _) in executed.items():
        lines[table.at(address)[0]] += times
    return Profile(total, dict(sorted(lines.items(), key=lambda item: (item[0] is None, item[0] or 0))), stretches)


def _stretches(executed: Mapping[int, tuple[int, int]], program: Path) -> tuple[Stretch, ...]:
    """What was executed as often as its neighbour, with the program's bytes."""
    bounds: list[list[int]] = []
    for address, (times, size) in sorted(executed.items()):
        if bounds and bounds[-1][1] == address and bounds[-1][2] == times:
            bounds[-1][1] += size
            bounds[-1][3] += 1
        else:
            bounds.append([address, address + size, times, 1])
    with program.open("rb") as stream:
        segments = [(s["p_vaddr"], s.data()) for s in ELFFile(stream).iter_segments("PT_LOAD")]
    found = []
    for start, end, times, instructions in bounds:
        code = next((data[start - at : end - at] for at, data in segments if at <= start < at + len(data)), b"")
        found.append(Stretch(times, instructions, code))
    return tuple(found)


@contextlib.contextmanager
def _counting(build: Build, toolchain: Toolchain, max_blocks: int = 0) -> Iterator[tuple[Guest, _Counter]]:
    """A process of the program, linked anew, and what counts its instructions."""
    emulator = toolchain.plugin_emulator
    folder = new_work_folder()
    try:
        with machine_lock.shared(), _Counter(max_blocks) as counter:
            linked, linker_map = toolchain.mapped(build, folder)
            ranges = code_ranges(linked, linker_map)
            arguments = [part for start, end in ranges for part in (f"from={start:#x}", f"to={end:#x}")]
            if max_blocks:
                arguments.append(f"blocks={max_blocks}")
            plugin = EmulatorPlugin(toolchain.count_plugin(), (*arguments, *toolchain.arch.plugin_flags), counter.fd)
            with Guest(linked, emulator=emulator, sandbox=toolchain.sandbox, cpu_s=_CPU_S, plugin=plugin) as guest:
                if not counter.ready:
                    raise HarnessError(f"{Path(emulator[0]).name} did not load the plugin that counts")
                yield guest, counter
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _toolchain(arch: str, march: str | None, cache: Path, sandbox: bool) -> Toolchain:
    return Toolchain(arch, march=march, cache=cache, sandbox=sandbox)


def _count_call(guest: Guest, counter: _Counter, vector: Vector, toolchain: Toolchain) -> int:
    guest.load(vector)
    before = counter.executed
    result = guest.call(CALL_LIMIT_S)
    executed = counter.executed - before
    task = guest.plan.task.id
    if result.status != "done":
        raise HarnessError(
            f"instructions of {task} cannot be counted on {vector.label}: "
            f"{_ending(guest, result, toolchain.plugin_emulator[0])}"
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
