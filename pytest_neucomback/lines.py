"""Which line of a candidate's assembly an address comes from, by the table that the assembler writes with ``-g``."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from pathlib import Path

from elftools.dwarf.lineprogram import LineProgram
from elftools.elf.elffile import ELFFile

Span = tuple[int, int, int | None]
"""First address, the one behind the last, and the line from 1; None for a line of some other file."""


class LineTable:
    """The line table of a linked program. The harness has none, so whatever has a line is the task's code.

    A row holds up to the next one. What the assembler gives no row of its own, padding of ``.align`` and instructions
    written as data (``.byte``), has the line of the instruction before it.
    """

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = sorted(spans, key=lambda span: span[:2])
        self._starts = [start for start, _, _ in self._spans]

    @classmethod
    def of(cls, program: Path) -> LineTable:
        """The table of a program; an empty one where it has none that can be read."""
        try:
            with program.open("rb") as stream:
                elf = ELFFile(stream)
                return cls(_spans(elf) if elf.has_dwarf_info() else ())
        except OSError:
            raise
        except Exception:
            return cls(())  # a candidate may bring a line table of its own, and that may lead its reader anywhere

    def at(self, address: int) -> tuple[int | None, bool]:
        """Line from 1 at an address, None where it is not known; and whether it is the task's code.

        A candidate with line directives of its own (``.loc``) names lines of some other file; those are no use here.
        """
        index = bisect.bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._spans[index][1]:
            return None, False
        return self._spans[index][2], True


def names_candidate(program: LineProgram, file: int) -> bool:
    """Whether a file number of a line table is that of the candidate's assembly."""
    # Entries count from 0 since DWARF 5, from 1 before.
    files = program["file_entry"]
    index = file if program["version"] >= 5 else file - 1
    return 0 <= index < len(files) and Path(files[index].name.decode(errors="replace")).name == "candidate.s"


def _spans(elf: ELFFile) -> Iterator[Span]:
    dwarf = elf.get_dwarf_info()
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        before = None
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if before is not None and before.address < state.address:
                # Line 0 is the format's word for none.
                line = before.line if before.line and names_candidate(program, before.file) else None
                yield before.address, state.address, line
            before = None if state.end_sequence else state
