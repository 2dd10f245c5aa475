"""Runs a Build: one sandboxed process, lock-step through shared memory.

The parent writes a vector into the shared memory, wakes the driver with one byte, waits for one byte, and reads what
the call left behind. The process knows neither what is expected nor how inputs were drawn.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
import random
import select
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np

from . import layout
from .draws import MockScript
from .errors import HarnessError
from .inputs import Bytes, Vector
from .layout import MAX_SAMPLES, Control
from .sandbox import GUEST_MEMORY_BYTES, EmulatorPlugin, end_guest, settle_guest, spawn_guest
from .signature import visible_bits
from .toolchain import Build, Plan

START_TIMEOUT_S = 30.0
CLOCK_SHARE, CLOCK_SLACK_NS = 0.5, 250e6
"""The driver's clock must account for this share of what the parent waited, less pauses of a busy machine."""
SLACK_BYTE = 0xA5
"""What the bytes around an object hold; they must survive."""
_UNSEEN = 0xFFFFFFFF


@dataclass(frozen=True)
class CallResult:
    """How one call ended."""

    status: Literal["done", "fault", "exited", "timeout"]
    wall_s: float
    exit_status: int | None = None
    """Of the process, when it exited by itself; 128 + N for signal N, as bubblewrap reports it."""
    message: str = ""


@dataclass(frozen=True)
class Batch:
    """A timing batch, as the driver reports it, and as the parent saw it from outside."""

    ticks: tuple[float, ...]
    """Of each call, of the last MAX_SAMPLES at most; what the trampoline costs is in them."""
    overhead_ticks: float
    """What the trampoline costs."""
    ns_per_tick: float
    wall_ns: float
    """Per call, from the command to the answer by the parent's clock: restoring and waking up are in it."""
    cpu_ns: float
    """Per call, the CPU time of the process meanwhile by the kernel's count, or ``wall_ns`` where it does not say."""
    digest: int
    """Of what each call left."""


@dataclass(frozen=True)
class Usage:
    """What a process used."""

    switches: int
    """How often it was put aside while it wanted to run, not counting once a command: its answer wakes this process up,
    perhaps on the same processor."""
    peak_bytes: int
    """Most memory it had at a time."""


class Objects:
    """The memory that a plan's objects lie in: a sealed memfd, mapped here.

    Two programs that are timed against each other share it and take turns. With memory of their own, which physical
    pages either got would decide how they meet in the caches, by several per cent.
    """

    def __init__(self, plan: Plan) -> None:
        self.fd, whole = sealed_memory("nc-objects", max(plan.memory_bytes, layout.PAGE))
        view = np.frombuffer(whole, dtype=np.uint8)
        self.live = {p.name: view[p.offset : p.offset + p.map_size] for p in plan.objects}
        """Whole mapping of every object, by name."""
        self.images = {p.name: view[p.offset + p.map_size : p.offset + 2 * p.map_size] for p in plan.objects}
        """What timing restores the objects from."""
        self._memory, self._bytes, self._objects = whole, view, plan.objects
        pages = [page for p in plan.objects for page in range(p.offset, p.offset + p.map_size, layout.PAGE)]
        self._pages = np.array(pages, dtype=np.intp)

    def renew(self, rng: random.Random) -> None:
        """Put the objects into other physical pages, holding what timing restores them from.

        Where the kernel cannot let go of pages that processes have mapped, they keep theirs.
        """
        with contextlib.suppress(OSError):
            for placed in self._objects:
                self._memory.madvise(mmap.MADV_REMOVE, placed.offset, placed.map_size)
        # The kernel hands out again what it got back last, so who asks when decides who gets what.
        self._bytes[np.random.default_rng(rng.getrandbits(64)).permutation(self._pages)] = 0
        for name, live in self.live.items():
            live[:] = self.images[name]

    def __enter__(self) -> Objects:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.fd)  # the mapping is freed with the last array on it


def sealed_memory(name: str, size: int) -> tuple[int, mmap.mmap]:
    """Descriptor and mapping of memory that other processes can be given and none can shrink."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, size)
        # A guest that shrank the file would kill the parent with SIGBUS at its next look.
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return fd, mmap.mmap(fd, size)
    except BaseException:
        os.close(fd)
        raise


class Guest:
    """A running candidate; a context manager. Not thread-safe."""

    def __init__(
        self,
        build: Build,
        *,
        emulator: Sequence[str],
        sandbox: bool,
        cpu_s: float,
        plugin: EmulatorPlugin | None = None,
        timed: Objects | None = None,
    ) -> None:
        self.build = build
        self.plan = build.plan
        self._emulator, self._sandbox, self._cpu_s = emulator, sandbox, cpu_s
        self._plugin = plugin
        self._timed = timed
        self.control: Control
        self.memory: dict[str, Bytes] = {}
        """Whole mapping of every object, by name, as the last call left it. It is live, unless the program is timed on
        objects it shares: then it is a copy, because the other program's turn changes them."""
        self._commands = self._own_pid = 0
        self.stack_shift = 0
        """How many times 16 bytes lower than usual the stack of timed calls begins, below 256."""
        self._masks = 0
        """Bytes of masks in use."""
        self._busy_ns = 0.0
        """Between commands and answers, of a timed program."""
        self.alive = True
        """False once a call has not returned: the process is gone or of no use any more."""

    def __enter__(self) -> Guest:
        fd, self._map = sealed_memory("nc-control", layout.CONTROL_PAGES)
        try:
            with contextlib.nullcontext(self._timed) if self._timed else Objects(self.plan) as self._objects:
                self._fill_control()
                self._start(fd, self._objects.fd)
        finally:
            os.close(fd)
        self._poll = select.poll()
        self._poll.register(self._status, select.POLLIN)
        try:
            self._wait_ready()
            self._started_ns = self._cpu_ns() if self._timed else 0
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _fill_control(self) -> None:
        plan = self.plan
        self.control = Control.from_buffer(self._map)
        self.control.seccomp = int(not self._emulator)
        self.control.limit_memory = 0 if self._emulator else GUEST_MEMORY_BYTES
        self.control.limit_cpu_s = int(self._cpu_s) + 1
        self.control.restore = int(self._timed is not None)
        self.control.n_regions = len(plan.objects)
        returns = plan.signature.returns
        if returns.kind in ("int", "float"):
            self.control.ret_bytes = returns.size
            self.control.ret_float_bytes = returns.size if returns.kind == "float" else 0
        for entry, placed in zip(self.control.regions, plan.objects, strict=False):
            entry.addr, entry.offset, entry.size = placed.map_addr, placed.offset, placed.map_size
            entry.data_addr, entry.data_size = placed.addr, placed.size
            leaf = plan.element(placed.name).leaf()
            entry.float_size = leaf.size if leaf.kind == "float" and leaf.size in (4, 8) else 0
            self._describe(entry, placed.name)
        live = self._objects.live
        self.memory = {name: m.copy() for name, m in live.items()} if self._timed else dict(live)

    def _start(self, control_fd: int, objects_fd: int) -> None:
        command_read, self._command = os.pipe()
        self._status, status_write = os.pipe()
        fds = [control_fd, objects_fd, command_read, status_write]
        try:
            self._process = spawn_guest(
                self.build.path,
                [str(fd) for fd in fds],
                emulator=self._emulator,
                pass_fds=fds,
                cpu_s=self._cpu_s,
                sandbox=self._sandbox,
                plugin=self._plugin,
            )
        except BaseException:
            os.close(self._command)
            os.close(self._status)
            raise
        finally:
            os.close(command_read)
            os.close(status_write)

    def _describe(self, entry: layout.RegionEntry, name: str) -> None:
        """What mocks may look at: no objects that only one pointer reaches, nothing that right programs differ in."""
        leaf = self.plan.element(name).leaf()
        if leaf.kind == "pointer" or any(p.name == name and p.type.restrict for p in self.plan.signature.params):
            entry.stride = _UNSEEN
            entry.opaque = int(leaf.kind in ("pointer", "record"))
            return
        if leaf.kind != "record":
            return
        mask = bytes(visible_bits(leaf))
        if self._masks + len(mask) > layout.MASK_BYTES:
            entry.stride, entry.opaque = _UNSEEN, 1
            return
        entry.stride, entry.mask = len(mask), self._masks
        for at, byte in enumerate(mask):
            self.control.masks[self._masks + at] = byte
        self._masks += len(mask)

    def _wait_ready(self) -> None:
        if self._wait(START_TIMEOUT_S) != b"R" or self.control.control_size != layout.CONTROL_SIZE:
            settled = settle_guest(self._process)
            status, said = end_guest(self._process)
            status = status if settled is None else settled
            raise HarnessError(
                f"the driver did not start (status {status}, control block {self.control.control_size} of "
                f"{layout.CONTROL_SIZE} bytes): {said.strip()[:500]}"
            )

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.returncode is None:
            end_guest(self._process)
        for fd in (self._command, self._status):
            with contextlib.suppress(OSError):
                os.close(fd)
        # numpy and ctypes views keep the mapping alive until they are gone; it is freed with them.
        self.memory = {}
        del self._objects

    @property
    def pid(self) -> int:
        """Of the process started: the candidate's own where there is no sandbox around it, else bubblewrap's."""
        return self._process.pid

    def idle_cpu_ns(self) -> float:
        """CPU time that a timed program has used beyond the time between commands and answers: below zero, unless it
        runs while it should wait. Zero where the kernel does not say.
        """
        used = self._cpu_ns()
        return used - self._started_ns - self._busy_ns if used else 0.0

    def _cpu_ns(self) -> int:
        """CPU time of the candidate's own process so far; 0 where the kernel does not say."""
        with contextlib.suppress(OSError):
            # The number of another process's CPU clock is made as clock_getcpuclockid(3) makes it.
            return time.clock_gettime_ns((~self.own_pid() << 3) | 2)
        return 0

    def own_pid(self) -> int:
        """Of the candidate's own process, the innermost of those that were started. Raises OSError when it is gone."""
        if not self._own_pid:
            pid = self.pid
            if self._sandbox:
                while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                    pid = int(children[-1])
            self._own_pid = pid
        return self._own_pid

    def usage(self) -> Usage:
        """What the candidate's own process has used so far; zeros where the kernel does not say."""
        with contextlib.suppress(OSError, KeyError, ValueError):
            pid = self.own_pid()
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            peak_kb = int(status["VmHWM"].split()[0])
            return Usage(max(0, int(status["nonvoluntary_ctxt_switches"]) - self._commands), peak_kb << 10)
        return Usage(0, 0)

    def load(self, vector: Vector) -> None:
        """Put a vector's inputs in place for the next call."""
        control = self.control
        for placed in self.plan.objects:
            memory, data = self._objects.live[placed.name], vector.objects[placed.name]
            memory[: placed.lead] = SLACK_BYTE
            memory[placed.lead : placed.lead + placed.size] = data
            memory[placed.lead + placed.size :] = SLACK_BYTE
            if self._timed:
                self._objects.images[placed.name][:] = memory
        control.args[:] = vector.args
        control.junk[:] = vector.junk
        self._load_script(vector.mock_script)
        control.mock_calls = control.mock_digest = control.mock_log_used = control.unwound = 0
        ctypes.memset(control.mock_used, 0, ctypes.sizeof(control.mock_used))
        control.flag_error = control.call_error = control.stack_error = 0
        ctypes.memset(control.ret, 0, ctypes.sizeof(control.ret))
        # Who comes back without passing the trampoline has preserved nothing.
        ctypes.memset(control.seen, 0, ctypes.sizeof(control.seen))

    def _load_script(self, script: MockScript) -> None:
        control = self.control
        for number, words in enumerate(script.returns):
            control.mock_return_count[number] = len(words)
            control.mock_returns[number][: len(words)] = words
        base = 0
        for slot, images in enumerate(script.fills):
            stride = len(images[0]) if images else 0
            control.fill_base[slot], control.fill_stride[slot], control.fill_count[slot] = base, stride, len(images)
            data = b"".join(images)
            ctypes.memmove(ctypes.addressof(control.mock_data) + base, data, len(data))
            base += len(data)

    def call(self, limit_s: float) -> CallResult:
        """Call the candidate once on what is loaded; at most ``limit_s`` seconds, then the process is killed."""
        return self._command_byte(b"c", limit_s)

    def time(self, *, reps: int, limit_s: float, seed: int = 0, empty: bool = False) -> Batch:
        """Time ``reps`` calls, each by itself.

        Inputs are restored before every call outside the clock, with the last bit of some numbers changed in a way
        that ``seed`` decides. ``empty`` calls nothing but the trampoline. Raises HarnessError when the batch does not
        end well, or when the driver's clock is not the parent's.
        """
        control = self.control
        control.reps, control.seed, control.empty = reps, seed, int(empty)
        control.stack_shift = self.stack_shift
        cpu_ns = self._cpu_ns()
        result = self._command_byte(b"t", limit_s)
        if result.status != "done":
            raise HarnessError(f"a timing batch ended with {result.status}")
        wall_ns = result.wall_s * 1e9
        cpu_ns = self._cpu_ns() - cpu_ns
        if not control.clock_ticks or not wall_ns * CLOCK_SHARE - CLOCK_SLACK_NS <= control.clock_ns <= wall_ns:
            raise HarnessError(
                f"the driver says that a timing batch took {control.clock_ns} ns; it took {wall_ns:.0f} ns"
            )
        return Batch(
            ticks=tuple(control.samples[: min(reps, MAX_SAMPLES)]),
            overhead_ticks=float(control.overhead_ticks),
            ns_per_tick=control.clock_ns / control.clock_ticks,
            wall_ns=wall_ns / reps,
            cpu_ns=(cpu_ns or wall_ns) / reps,
            digest=control.digest,
        )

    def _command_byte(self, byte: bytes, limit_s: float) -> CallResult:
        start = time.perf_counter()
        self._commands += 1
        try:
            os.write(self._command, byte)
        except BrokenPipeError:
            answer: bytes | None = b""
        else:
            answer = self._wait(limit_s)
        wall = time.perf_counter() - start
        if self._timed:
            self._busy_ns += wall * 1e9
            for name, memory in self.memory.items():
                memory[:] = self._timed.live[name]
                # Whoever has the next turn finds nothing of this one, even if it never calls the driver again.
                self._timed.live[name][:] = self._timed.images[name]
        if answer == b"D":
            return CallResult("done", wall)
        self.alive = False
        if answer == b"F":
            return CallResult("fault", wall)
        if answer is None:
            end_guest(self._process)
            return CallResult("timeout", wall)
        # The pipe closed, or a byte the driver never sends: the process is gone or not to be trusted.
        settled = settle_guest(self._process)
        status, said = end_guest(self._process)
        return CallResult("exited", wall, status if settled is None else settled, said.strip()[:300])

    def _wait(self, limit_s: float) -> bytes | None:
        """One byte of the status pipe; b"" when it closed, None on time-out."""
        if not self._poll.poll(limit_s * 1000):
            return None
        return os.read(self._status, 1)
