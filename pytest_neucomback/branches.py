"""Which branches of a task's C its inputs reach, by clang's source-based coverage.

The C is instrumented and linked with the same driver that candidates get, so mocks and memory are the same too. clang's
own profile runtime needs libc, which the driver has not; the counters are read from the process's memory instead and
handed to llvm-profdata in its text format. Runs on the host's own architecture only.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from elftools.elf.elffile import ELFFile

from .errors import ConfigError, HarnessError
from .inputs import Vector, draw, fixed_count
from .runner import Guest
from .sandbox import need_program, run_tool
from .tasks import Task
from .toolchain import Toolchain, new_work_folder
from .undefined import DefinedInputs

COV, PROFDATA = ("llvm-cov-19", "llvm-cov"), ("llvm-profdata-19", "llvm-profdata")
PACKAGE = "llvm-19"
CHUNK = 64
"""Random vectors that are looked at together while searching."""
CALL_LIMIT_S = 20.0
RECORD_BYTES = 64
"""Of __llvm_profile_data since clang 19."""
Counters = npt.NDArray[np.uint64]


@dataclass(frozen=True, order=True)
class Side:
    """One outcome of a condition, or code that is entered."""

    line: int
    column: int
    outcome: bool | None
    """None for code that is entered or not."""
    text: str
    """The source line, without the blanks around it."""

    def __str__(self) -> str:
        what = "is never entered" if self.outcome is None else f"is never {str(self.outcome).lower()}"
        return f"line {self.line}, column {self.column} {what}: {self.text}"


@dataclass(frozen=True)
class Reach:
    """What the inputs of a task reach."""

    sides: int
    """Outcomes of all conditions, and stretches of code."""
    missed: tuple[Side, ...]
    """Never seen and not listed as unreachable."""
    excused: tuple[tuple[Side, str], ...]
    """Never seen, with the reason that the task's YAML gives."""
    idle: tuple[str, ...]
    """Entries of ``unreachable`` that name nothing, or something that is reached."""
    vectors: int
    discarded: int
    """Fixed vectors on which the C is undefined."""


class BranchMeter:
    """Counts on one task. Raises ToolMissing from the constructor when llvm's tools are not installed."""

    def __init__(self, toolchain: Toolchain, task: Task) -> None:
        if toolchain.emulator:
            raise ConfigError(f"branches are counted on the host's own architecture, not on {toolchain.arch.name}")
        self._cov, self._profdata = need_program(COV, PACKAGE), need_program(PROFDATA, PACKAGE)
        self.toolchain, self.task = toolchain, task
        self.build = toolchain.covered(task)
        self._lines = task.c_path.read_text(encoding="utf-8", errors="replace").splitlines()
        with self.build.path.open("rb") as stream:
            self._read_layout(ELFFile(stream))

    def _read_layout(self, elf: Any) -> None:
        counters, data = (elf.get_section_by_name(f"__llvm_prf_{name}") for name in ("cnts", "data"))
        if counters is None or data is None:
            raise HarnessError(f"{self.build.path}: no counters; is this clang without coverage?")
        self._start, self._size = counters["sh_addr"], counters["sh_size"]
        names = {hashlib.md5(n.encode(), usedforsecurity=False).digest()[:8]: n for n in self._names}
        raw, base = data.data(), data["sh_addr"]
        self._functions: list[tuple[str, int, slice]] = []
        # Fields of __llvm_profile_data (compiler-rt, InstrProfData.inc): NameRef, FuncHash, where the counters are from
        # the record on, three more pointers, NumCounters.
        for at in range(0, len(raw), RECORD_BYTES):
            digest, distance = struct.unpack_from("<Qq", raw, at + 8)
            (number,) = struct.unpack_from("<I", raw, at + 48)
            first = (base + at + distance - self._start) // 8
            if raw[at : at + 8] not in names or not 0 <= first <= first + number <= self._size // 8:
                raise HarnessError(f"{self.task.c_path}: this clang's profile records are laid out in another way")
            self._functions.append((names[raw[at : at + 8]], digest, slice(first, first + number)))

    @property
    def _names(self) -> list[str]:
        """Names of all functions as the profile has them: a length, a zero for "not compressed", and the text."""
        with self.build.path.open("rb") as stream:
            section = ELFFile(stream).get_section_by_name("__llvm_prf_names")
            data = section.data() if section is not None else b""
        at, value, shift = 0, 0, 0
        while at < len(data):
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        return data[at + 1 : at + 1 + value].decode().split("\x01")

    @property
    def counters(self) -> int:
        """How many there are."""
        return int(self._size) // 8

    # --- running --------------------------------------------------------------------------------------------------

    @contextmanager
    def running(self) -> Iterator[_Runner]:
        """A process that counts."""
        with Guest(self.build, emulator=(), sandbox=False, cpu_s=600) as guest:
            yield _Runner(guest, self._start, self._size)

    def unseen(self, counters: Counters) -> tuple[list[Side], int]:
        """Sides that these counts do not show, and how many there are in all."""
        folder = new_work_folder()
        try:
            text = ""
            for name, digest, span in self._functions:
                counts = "\n".join(str(int(c)) for c in counters[span])
                text += f"{name}\n{digest}\n{span.stop - span.start}\n{counts}\n\n"
            (folder / "in.proftext").write_text(text)
            self._run([self._profdata, "merge", "in.proftext", "-o", "out.profdata"], folder)
            command = [self._cov, "export", str(self.build.path), "-instr-profile=out.profdata"]
            report = json.loads(self._run(command, folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self._sides(report["data"][0])

    def _run(self, command: Sequence[str], folder: Path) -> str:
        result = run_tool(command, cwd=folder, keep=1 << 24)
        if result.status:
            raise HarnessError(f"{Path(command[0]).name} failed: {result.output[:500]}")
        return result.output

    def _sides(self, report: Any) -> tuple[list[Side], int]:
        seen: dict[tuple[int, int, bool | None], int] = {}

        def note(line: int, column: int, outcome: bool | None, count: int) -> None:
            key = (line, column, outcome)
            seen[key] = max(seen.get(key, 0), count)

        for function in report["functions"]:
            for line, column, _, _, true, false, *_ in function.get("branches", ()):
                note(line, column, True, true)
                note(line, column, False, false)
            for line, column, _, _, count, _, _, kind in function["regions"]:
                if kind == 0:
                    note(line, column, None, count)
        missing = [Side(*key, self._text(key[0])) for key, count in seen.items() if not count]
        # code behind a condition that was never true needs no line of its own
        lines = {(s.line, s.line + 1) for s in missing if s.outcome is not None}
        told = {n for pair in lines for n in pair}
        return sorted(
            (s for s in missing if s.outcome is not None or s.line not in told),
            key=lambda s: (s.line, s.column, str(s.outcome)),
        ), len(seen)

    def _text(self, line: int) -> str:
        return self._lines[line - 1].strip() if 0 < line <= len(self._lines) else ""


@dataclass
class _Runner:
    guest: Guest
    start: int
    size: int

    def counts(self, vector: Vector) -> Counters:
        """What one vector adds. Raises HarnessError when the call does not return."""
        before = self._read()
        self.guest.load(vector)
        result = self.guest.call(CALL_LIMIT_S)
        if result.status != "done":
            raise HarnessError(f"the C ended with {result.status} on {vector.label} ({vector.spec})")
        return self._read() - before

    def _read(self) -> Counters:
        with Path(f"/proc/{self.guest.pid}/mem").open("rb", buffering=0) as memory:
            memory.seek(self.start)
            return np.frombuffer(memory.read(self.size), dtype=np.uint64)


def reach(toolchain: Toolchain, task: Task) -> Reach:
    """What the fixed stage of a task reaches. Raises HarnessError when its C crashes."""
    meter = BranchMeter(toolchain, task)
    plan = meter.build.plan
    specs = [f"fixed:{i}" for i in range(fixed_count(plan))]
    counts = [added for _, added in _run_defined(meter, toolchain, specs)]
    missing, total = meter.unseen(_total(meter, counts))
    entries = [_entry_for(task, side) for side in missing]
    missed = tuple(side for side, number in zip(missing, entries, strict=True) if number is None)
    excused = tuple(
        (side, " ".join(task.unreachable[number]["why"].split()))
        for side, number in zip(missing, entries, strict=True)
        if number is not None
    )
    idle = tuple(e["line"].strip() for n, e in enumerate(task.unreachable) if n not in entries)
    return Reach(total, missed, excused, idle, len(counts), len(specs) - len(counts))


def _entry_for(task: Task, side: Side) -> int | None:
    """Place of the first of the task's ``unreachable`` entries that a side falls under."""
    for number, entry in enumerate(task.unreachable):
        wanted = entry.get("side")
        if entry["line"].strip() == side.text and (wanted is None or side.outcome in (wanted, None)):
            return number
    return None


def find_vectors(toolchain: Toolchain, task: Task, *, most: int) -> tuple[list[int], list[Side]]:
    """Numbers of random vectors that together reach what the fixed stage misses, and what none of ``most`` reaches."""
    meter = BranchMeter(toolchain, task)
    specs = [f"fixed:{i}" for i in range(fixed_count(meter.build.plan))]
    have = _total(meter, (added for _, added in _run_defined(meter, toolchain, specs)))
    missing, _ = meter.unseen(have)
    found: list[int] = []
    for first in range(0, most, CHUNK):
        if not missing:
            break
        numbers = range(first, min(first + CHUNK, most))
        ran = _run_defined(meter, toolchain, [f"stored:{number}" for number in numbers])
        added = {int(spec.partition(":")[2]): counts for spec, counts in ran}
        while missing and added:
            left, _ = meter.unseen(have + _total(meter, added.values()))
            gained = set(missing) - set(left)
            if not gained:
                break
            number = _first_that_helps(meter, have, added, missing)
            found.append(number)
            have = have + added.pop(number)
            missing, _ = meter.unseen(have)
    return sorted(found), [side for side in missing if _entry_for(task, side) is None]


def _first_that_helps(meter: BranchMeter, have: Counters, added: dict[int, Counters], missing: list[Side]) -> int:
    """One of the vectors that shows something missing, by halving."""
    numbers = list(added)
    while len(numbers) > 1:
        half = numbers[: len(numbers) // 2]
        left, _ = meter.unseen(have + _total(meter, (added[n] for n in half)))
        numbers = half if set(missing) - set(left) else numbers[len(numbers) // 2 :]
    return numbers[0]


def _total(meter: BranchMeter, counts: Iterable[Counters]) -> Counters:
    total = np.zeros(meter.counters, dtype=np.uint64)
    for one in counts:
        total = total + one
    return total


def _run_defined(meter: BranchMeter, toolchain: Toolchain, specs: Iterable[str]) -> Iterator[tuple[str, Counters]]:
    """What each vector adds, less those on which the C is undefined."""
    plan = meter.build.plan
    defined = DefinedInputs(plan, toolchain, toolchain, sandbox=toolchain.sandbox)
    with defined.checking() as is_defined, meter.running() as runner:
        for spec in specs:
            vector = draw(plan, spec)
            if is_defined(vector):
                yield spec, runner.counts(vector)
