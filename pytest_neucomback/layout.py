"""Memory shared with a candidate: the control block, and where objects lie.

``Control`` mirrors ``struct nc_control`` of ``driver/nc_driver.h``; the driver reports its own size when it starts
and the runner compares, so the two cannot drift apart unnoticed.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

CONTROL_ADDR = 0x08000000
MAX_REGIONS = 64
MAX_ARGS = 64
MAX_SAMPLES = 4096
MAX_MOCKS = 16
MOCK_RETURNS = 256
MAX_FILLS = 8
MOCK_DATA = 16384
MOCK_LOG = 1024
MASK_BYTES = 4096
PAGE = 4096

GLOBALS_ADDR = 0x10000000
"""Mutable globals: below 2 GiB, so that absolute, PC-relative and GOT addressing all reach them."""
STUBS_ADDR, STUB_BYTES = 0x06000000, 64
"""Stubs of a task's mocks, one behind the other: a pointer to a mock is the same in every build."""
OBJECTS_ADDR = 0x6_0000_0000
"""Objects behind pointer parameters: above 4 GiB, so that a pointer cut to 32 bits shows."""

_u8, _u32, _u64 = ctypes.c_uint8, ctypes.c_uint32, ctypes.c_uint64


class RegionEntry(ctypes.Structure):
    """``struct nc_region``."""

    _fields_ = (("addr", _u64), ("offset", _u64), ("size", _u64), ("data_addr", _u64), ("data_size", _u64),
                ("float_size", _u64), ("stride", _u32), ("mask", _u32), ("opaque", _u64))  # fmt: skip


class Control(ctypes.Structure):
    """``struct nc_control``; its comments explain the fields."""

    _fields_ = (
        ("control_size", _u32),
        ("n_regions", _u32),
        ("seccomp", _u32),
        ("n_preserved", _u32),
        ("limit_memory", _u64),
        ("limit_cpu_s", _u64),
        ("args", _u64 * MAX_ARGS),
        ("ret", _u64 * 16),
        ("junk", _u64 * 64),
        ("seen", _u64 * 64),
        ("sp_error", _u64),
        ("flag_error", _u64),
        ("call_error", _u64),
        ("stack_error", _u64),
        ("stack_fill", _u64),
        ("stack_used", _u64),
        ("signal", _u32),
        ("code", _u32),
        ("fault_addr", _u64),
        ("fault_regs", _u64 * 48),
        ("fault_stack", _u64 * 3),
        ("text_start", _u64),
        ("text_end", _u64),
        ("mock_calls", _u64),
        ("mock_digest", _u64),
        ("mock_log_used", _u64),
        ("mock_used", _u32 * MAX_MOCKS),
        ("mock_return_count", _u32 * MAX_MOCKS),
        ("mock_returns", _u64 * MOCK_RETURNS * MAX_MOCKS),
        ("fill_base", _u32 * MAX_FILLS),
        ("fill_stride", _u32 * MAX_FILLS),
        ("fill_count", _u32 * MAX_FILLS),
        ("mock_log", _u64 * MOCK_LOG),
        ("mock_data", _u8 * MOCK_DATA),
        ("masks", _u8 * MASK_BYTES),
        ("unwound", _u64),
        ("reps", _u64),
        ("restore", _u64),
        ("empty", _u64),
        ("stack_shift", _u64),
        ("seed", _u64),
        ("ret_bytes", _u64),
        ("ret_float_bytes", _u64),
        ("digest", _u64),
        ("overhead_ticks", _u64),
        ("clock_ns", _u64),
        ("clock_ticks", _u64),
        ("samples", _u64 * MAX_SAMPLES),
        ("regions", RegionEntry * MAX_REGIONS),
    )


CONTROL_SIZE = ctypes.sizeof(Control)
CONTROL_PAGES = -(-CONTROL_SIZE // PAGE) * PAGE


def offset_defines() -> list[str]:
    """``-D`` flags that tell the trampolines where the control block's fields are."""
    names = ("junk", "sp_error", "flag_error", "call_error", "unwound")
    return [f"-DNC_OFF_{n}={getattr(Control, n).offset}" for n in names]


@dataclass(frozen=True)
class Placed:
    """One object in the candidate's memory. The pages before and after its own are not mapped."""

    name: str
    addr: int
    """First byte of the object."""
    size: int
    """Bytes of the object."""
    map_addr: int
    map_size: int
    offset: int
    """Of the mapping, in the file of objects."""

    @property
    def lead(self) -> int:
        """Bytes between the start of the mapping and the object; they must stay as they were."""
        return self.addr - self.map_addr


def place(objects: list[tuple[str, int, int]], *, base: int, offset: int) -> tuple[list[Placed], int]:
    """Give each (name, size, alignment), sizes in bytes, pages of its own and a guard page on either side.

    An object ends where its last page ends (as far as its alignment lets it), so one byte too far faults.
    Returns the placed objects and the file offset behind them.
    """
    placed = []
    addr = base
    for name, size, align in objects:
        map_size = max(1, -(-size // PAGE)) * PAGE
        start = (addr + map_size - size) // align * align
        placed.append(Placed(name, start, size, addr, map_size, offset))
        addr += map_size + PAGE
        offset += 2 * map_size  # the second half is the image that timing restores from
    return placed, offset
