"""What an object file made from a candidate may hold. Reads ELF, runs nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section, Symbol, SymbolTableSection

MAX_ALLOCATED_BYTES = 16 << 20
"""Code, constants and private data of one candidate; more would reach into the harness's addresses."""
MAX_ALIGNMENT = 1 << 16
"""Of a section; more would move the harness's own parts about, or leave no room for them."""
MAX_SYMBOLS = 50_000
"""Each costs the judge some microseconds of reading."""
SYSTEM_CALLS: dict[str, tuple[str, int, int, int]] = {
    "EM_AARCH64": ("svc", 4, 0xD4000001, 0xFFE0001F),
    "EM_RISCV": ("ecall", 2, 0x00000073, 0xFFFFFFFF),
}
"""By ELF machine: the instruction's name, alignment, bits and mask. An emulator's own system calls cannot be told from
its guest's by a filter outside, so these arches are looked through; x86-64, whose instructions start at any byte, is
left to the driver's filter."""
_LOADER_SECTIONS = (".interp", ".dynamic")
"""The linker makes program headers of these, which tell the kernel how to start the program."""
_RELOCATION_HELPERS = frozenset({"_GLOBAL_OFFSET_TABLE_"})


class Incomplete(str):
    """A reason that is no refusal: the function is not there, so nothing could be linked."""

    __slots__ = ()


@dataclass(frozen=True)
class ObjectFacts:
    """What was read from an object file that may be linked."""

    code_bytes: int
    """Size of all executable sections."""


def check_object(
    path: Path, *, function: str, globals_: Mapping[str, int], callable_: Collection[str]
) -> ObjectFacts | str:
    """Facts about the object, or the reason why it may not run, in words a model can act on.

    ``globals_`` are the task's mutable globals with their sizes in bytes, ``callable_`` the functions it may call.
    """
    try:
        with path.open("rb") as stream:
            return _check(ELFFile(stream), function, globals_, callable_)
    except (
        ELFError,
        ValueError,
        LookupError,
        AssertionError,
        AttributeError,
        TypeError,
        OSError,
        MemoryError,
    ) as error:
        # a stranger's file may lead its reader anywhere
        return f"the object file cannot be read: {error}"


def _check(elf: ELFFile, function: str, globals_: Mapping[str, int], callable_: Collection[str]) -> ObjectFacts | str:
    code_bytes = allocated = 0
    # Each pass over sections or symbols parses them anew, and this runs for every candidate.
    sections = list(elf.iter_sections())
    for section in sections:
        flags, name = section["sh_flags"], section.name
        if flags & SH_FLAGS.SHF_ALLOC:
            allocated += section["sh_size"]
            if section["sh_addralign"] > MAX_ALIGNMENT:
                return (
                    f"section {name} is aligned to {section['sh_addralign']} bytes; at most {MAX_ALIGNMENT} are allowed"
                )
            if name in _LOADER_SECTIONS:
                return f"section {name} would change how the program is loaded; remove it"
        if flags & SH_FLAGS.SHF_EXECINSTR:
            if name != ".text" and not name.startswith(".text."):
                return f"section {name} is executable; put all code into .text"
            if flags & SH_FLAGS.SHF_WRITE:
                return f"section {name} is both writable and executable"
            code_bytes += section["sh_size"]
            if allocated <= MAX_ALLOCATED_BYTES and (instruction := _system_call(elf, section)):
                return (
                    f"section {name} holds the system call instruction {instruction}; only plain computation is allowed"
                )
        if flags & SH_FLAGS.SHF_TLS:
            return f"section {name} holds thread-local data, which the task has no use for"
        if name.startswith((".init", ".fini", ".ctors", ".dtors", ".preinit")) and section["sh_size"]:
            return f"section {name} would run code before or after the function; remove it"
    if allocated > MAX_ALLOCATED_BYTES:
        return f"code and data take {allocated} bytes; at most {MAX_ALLOCATED_BYTES} are allowed"
    table = next((s for s in sections if s.name == ".symtab"), None)
    if not isinstance(table, SymbolTableSection):
        return Incomplete(f"it does not define the function {function}: it has no symbols at all")
    if table.num_symbols() > MAX_SYMBOLS:
        return f"it has {table.num_symbols()} symbols; at most {MAX_SYMBOLS} are allowed"
    symbols = list(table.iter_symbols())
    if not any(_is_definition(symbol, function) for symbol in symbols):
        return Incomplete(
            f"it does not define the function {function} as a global symbol; add `.globl {function}` and the label"
        )
    for symbol in symbols:
        name, section = symbol.name, symbol["st_shndx"]
        if symbol["st_info"]["type"] == "STT_GNU_IFUNC" or symbol["st_info"]["type"] == "STT_LOOS":
            return f"{name} is an indirect function (IFUNC); define it as a plain function"
        if symbol["st_info"]["bind"] == "STB_LOCAL" or not name:
            continue
        if section == "SHN_UNDEF":
            if name not in globals_ and name not in callable_ and name not in _RELOCATION_HELPERS and name != function:
                return (
                    f"it refers to {name}, which neither it nor the task defines; local labels start with .L, and the "
                    f"function may only call {', '.join(sorted(callable_))}"
                )
        elif section == "SHN_COMMON":
            if symbol["st_size"] > globals_.get(name, 0):
                return f".comm {name} asks for {symbol['st_size']} bytes; " + (
                    f"the global has {globals_[name]}" if name in globals_ else "the task has no such global"
                )
        elif name == function:
            if section == "SHN_ABS":
                return f"{function} is an absolute symbol, not code"
        elif name in globals_:
            return f"it defines the global {name}, which belongs to the caller; refer to it without defining it"
        else:
            return f"it defines the global symbol {name}; only {function} may be global, make others local"
    return ObjectFacts(code_bytes)


def _is_definition(symbol: Symbol, function: str) -> bool:
    return bool(
        symbol.name == function
        and symbol["st_shndx"] not in ("SHN_UNDEF", "SHN_COMMON")
        and symbol["st_info"]["bind"] != "STB_LOCAL"
        and symbol["st_info"]["type"] in ("STT_FUNC", "STT_NOTYPE", "STT_GNU_IFUNC", "STT_LOOS")
    )


def _system_call(elf: ELFFile, section: Section) -> str | None:
    name, align, bits, mask = SYSTEM_CALLS.get(elf["e_machine"], ("", 4, 0, 0))
    if not mask or section["sh_type"] == "SHT_NOBITS":
        return None
    data = section.data()
    for start in range(0, 4, align):
        if len(data) < start + 4:
            continue
        words = np.frombuffer(data, dtype="<u4", offset=start, count=(len(data) - start) // 4)
        if ((words & np.uint32(mask)) == np.uint32(bits)).any():
            return name
    return None
