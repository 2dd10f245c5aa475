"""What a linked program holds at an address, read from its file: string literals and constant tables.

A pointer into them has another value in every build; what it points to is what can be compared. Runs nothing.
"""

from __future__ import annotations

import functools
from pathlib import Path

from elftools.elf.elffile import ELFFile

MAX_TEXT = 4096
"""Bytes of a string that are compared."""


@functools.lru_cache(maxsize=64)
def _segments_of(path: Path, changed_ns: int) -> tuple[tuple[int, bytes, bool], ...]:
    """Address, contents and whether they may be written; ``changed_ns`` keeps a file's versions apart."""
    del changed_ns
    with path.open("rb") as stream:
        found = ELFFile(stream).iter_segments("PT_LOAD")
        return tuple((s["p_vaddr"], s.data(), bool(s["p_flags"] & 2)) for s in found)


def _segments(path: Path) -> tuple[tuple[int, bytes, bool], ...]:
    return _segments_of(path, path.stat().st_mtime_ns)


def read_constant(path: Path, address: int, size: int) -> bytes | None:
    """``size`` bytes at an address of a program, or None where it has none or they could have changed."""
    for start, data, writable in _segments(path):
        if start <= address and address + size <= start + len(data):
            return None if writable else data[address - start : address - start + size]
    return None


def read_text(path: Path, address: int) -> bytes | None:
    """The string at an address of a program, without its NUL; None where there is none."""
    for start, data, writable in _segments(path):
        if start <= address < start + len(data) and not writable:
            end = data.find(b"\0", address - start)
            return data[address - start : end][:MAX_TEXT] if end >= 0 else None
    return None
