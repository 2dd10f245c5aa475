"""What a linked program holds at an address, read from its file: string literals and constant tables.

A pointer into them has another value in every build; what it points to is what can be compared. Runs nothing.
"""

from __future__ import annotations

import functools
from pathlib import Path

from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from .layout import PAGE, STUBS_ADDR

BELOW = STUBS_ADDR
"""Programs lie below this address, mocks and objects from here on."""
MAX_TEXT = 4096
"""Bytes of a string that are compared."""


@functools.lru_cache(maxsize=64)
def _segments_of(path: Path, changed_ns: int) -> tuple[tuple[int, bytes], ...]:
    """Address and contents of what nobody can write; ``changed_ns`` keeps a file's versions apart."""
    del changed_ns
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        found = [(s["p_vaddr"], s.data()) for s in elf.iter_segments("PT_LOAD") if not s["p_flags"] & P_FLAGS.PF_W]
        for tables in elf.iter_segments("PT_GNU_RELRO"):  # the driver protects whole pages of it
            end = (tables["p_vaddr"] + tables["p_memsz"]) & ~(PAGE - 1)
            found.append((tables["p_vaddr"], tables.data()[: max(0, end - tables["p_vaddr"])]))
        return tuple(found)


def _segments(path: Path) -> tuple[tuple[int, bytes], ...]:
    return _segments_of(path, path.stat().st_mtime_ns)


def read_constant(path: Path, address: int, size: int) -> bytes | None:
    """``size`` bytes at an address of a program, or None where it has none or they could have changed."""
    for start, data in _segments(path):
        if start <= address and address + size <= start + len(data):
            return data[address - start : address - start + size]
    return None


def read_text(path: Path, address: int) -> bytes | None:
    """The string at an address of a program, its NUL included; None where there is none.

    A table of bytes need hold no NUL: where the program names the object, its end ends the text as well.
    """
    for start, data in _segments(path):
        if start <= address < start + len(data):
            limit = _object_end(path, path.stat().st_mtime_ns, address)
            end = data.find(b"\0", address - start, limit - start if limit else None)
            if end < 0 and not limit:
                return None
            return data[address - start : end + 1 if end >= 0 else (limit or 0) - start][:MAX_TEXT]
    return None


@functools.lru_cache(maxsize=1024)
def _object_end(path: Path, changed_ns: int, address: int) -> int | None:
    """Where the named object that an address lies in ends."""
    del changed_ns
    with path.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            return None
        for symbol in table.iter_symbols():
            start, size = symbol["st_value"], symbol["st_size"]
            if symbol["st_info"]["type"] == "STT_OBJECT" and start <= address < start + size:
                return int(start + size)
    return None
