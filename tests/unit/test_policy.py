"""What is read from object files that no assembler made."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from pytest_neucomback import policy
from pytest_neucomback.policy import ObjectFacts, check_object

ARGUMENTS = {"function": "f", "globals_": {"a": 64}, "callable_": frozenset({"memset", "ask"})}
EM_X86_64, EM_AARCH64, EM_RISCV = 62, 183, 243
TEXT_FLAGS, DATA_FLAGS = 6, 3


def elf(
    symbols: list[tuple[str, int, int, int, int]],
    *,
    machine: int = EM_X86_64,
    code: bytes = b"\xc3",
    sections: tuple[tuple[str, int, int, int, int], ...] = (),
) -> bytes:
    """A relocatable object: .text with ``code``, more (name, type, flags, size, align) sections, and global symbols
    (name, type, bind, section index, size)."""
    names, strings = b"\0", b"\0"
    table = bytes(24)
    for name, kind, bind, index, size in symbols:
        table += struct.pack("<IBBHQQ", len(strings), bind << 4 | kind, 0, index, 0, size)
        strings += name.encode() + b"\0"
    rows = [("", 0, 0, b"", 0, 0, 0), (".text", 1, TEXT_FLAGS, code, 1, 0, 0)]
    rows += [(n, t, f, b"" if t == 8 else bytes(s), a, 0, s) for n, t, f, s, a in sections]
    rows += [(".symtab", 2, 0, table, 8, len(rows) + 1, 0), (".strtab", 3, 0, strings, 1, 0, 0)]
    body, headers = b"", b""
    shstrtab = b"\0" + b"".join(r[0].encode() + b"\0" for r in rows[1:]) + b".shstrtab\0"
    rows.append((".shstrtab", 3, 0, shstrtab, 1, 0, 0))
    for name, kind, flags, data, align, link, size in rows:
        at = shstrtab.index(b"\0" + name.encode() + b"\0") + 1 if name else 0
        info, entry = (1, 24) if kind == 2 else (0, 0)
        headers += struct.pack(
            "<IIQQQQIIQQ", at, kind, flags, 0, 64 + len(body), size or len(data), link, info, align, entry
        )
        body += data
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack(
        "<HHIQQQIHHHHHH", 1, machine, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, len(rows), len(rows) - 1
    )
    return head + names[:0] + body + headers


FUNCTION = ("f", 2, 1, 1, 1)


def check(tmp_path: Path, data: bytes) -> ObjectFacts | str:
    path = tmp_path / "candidate.o"
    path.write_bytes(data)
    return check_object(path, **ARGUMENTS)


def test_good_object(tmp_path: Path) -> None:
    """A function, references to the task's globals and callables, and a fitting .comm are allowed."""
    symbols = [FUNCTION, ("memset", 0, 1, 0, 0), ("a", 1, 1, 0xFFF2, 64), ("ask", 0, 1, 0, 0)]
    assert check(tmp_path, elf(symbols, code=bytes(10))) == ObjectFacts(10)


@pytest.mark.parametrize(
    ("symbols", "words"),
    [
        ([], "it does not define the function f"),
        ([("f", 1, 1, 1, 1)], "it does not define the function f"),
        ([("f", 2, 1, 0xFFF1, 1)], "absolute symbol"),
        ([("f", 10, 1, 1, 1)], "IFUNC"),
        ([FUNCTION, ("g", 2, 1, 1, 1)], "defines the global symbol g"),
        ([FUNCTION, ("g", 2, 2, 1, 1)], "defines the global symbol g"),
        ([FUNCTION, ("g", 2, 10, 1, 1)], "defines the global symbol g"),
        ([FUNCTION, ("system", 0, 1, 0, 0)], "refers to system"),
        ([FUNCTION, ("system", 0, 2, 0, 0)], "refers to system"),
        ([FUNCTION, ("a", 1, 1, 1, 64)], "belongs to the caller"),
        ([FUNCTION, ("a", 1, 1, 0xFFF1, 0)], "belongs to the caller"),
        ([FUNCTION, ("a", 1, 1, 0xFFF2, 65)], "the global has 64"),
        ([FUNCTION, ("z", 1, 1, 0xFFF2, 4)], "no such global"),
    ],
)
def test_symbols(tmp_path: Path, symbols: list[tuple[str, int, int, int, int]], words: str) -> None:
    """Symbols that would change the program around the function are refused by name, weak ones too."""
    assert words in str(check(tmp_path, elf(symbols)))


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ((".plan", 1, 7, 4, 4), "executable"),
        ((".text.b", 1, 7, 4, 4), "writable and executable"),
        ((".init_array.5", 14, 3, 8, 8), "would run code"),
        ((".tbss", 8, 0x403, 8, 8), "thread-local"),
        ((".interp", 1, 2, 4, 1), "loaded"),
        ((".bss", 8, 3, 1 << 40, 8), "at most 16777216"),
        ((".text.z", 8, 6, 1 << 40, 8), "at most 16777216"),
        ((".bss", 8, 3, 8, 1 << 30), "aligned to 1073741824"),
    ],
)
def test_sections(tmp_path: Path, section: tuple[str, int, int, int, int], words: str) -> None:
    """Sections that run, write or take more than they should are refused, without reading what they only claim."""
    for machine in (EM_X86_64, EM_AARCH64):
        assert words in str(check(tmp_path, elf([FUNCTION], sections=(section,), machine=machine)))


@pytest.mark.parametrize(
    ("machine", "code", "name"),
    [
        (EM_AARCH64, struct.pack("<III", 0xD503201F, 0xD4000001, 0xD65F03C0), "svc"),
        (EM_AARCH64, struct.pack("<I", 0xD4001241), "svc"),
        (EM_RISCV, struct.pack("<HIH", 0x0001, 0x00000073, 0x8082), "ecall"),
        (EM_RISCV, struct.pack("<IH", 0x00000073, 0x8082), "ecall"),
        (EM_AARCH64, struct.pack("<II", 0xD503201F, 0xD65F03C0), None),
        (EM_RISCV, struct.pack("<IH", 0x00100073, 0x8082), None),
        (EM_AARCH64, b"", None),
        (EM_RISCV, b"\x82\x80", None),
        (EM_X86_64, b"\x0f\x05\xc3\x90", None),
    ],
)
def test_system_call_instructions(tmp_path: Path, machine: int, code: bytes, name: str | None) -> None:
    """The system call instruction is found at every place where an instruction can start, on arches run emulated."""
    found = str(check(tmp_path, elf([FUNCTION], machine=machine, code=code)))
    assert (f"system call instruction {name}" in found) if name else ("system call" not in found)


def test_many_symbols(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of symbols is refused before it is read."""
    monkeypatch.setattr(policy, "MAX_SYMBOLS", 50)
    assert "symbols; at most 50" in str(check(tmp_path, elf([FUNCTION] * 60)))


@pytest.mark.parametrize("cut", [0, 1, 16, 63, 64, 100, 300])
def test_broken_files(tmp_path: Path, cut: int) -> None:
    """A file that is no whole ELF object is refused, never an exception."""
    assert isinstance(check(tmp_path, elf([FUNCTION])[:cut]), str)


def test_flipped_bytes_never_raise(tmp_path: Path) -> None:
    """Whatever single byte is wrong, the answer is facts or a reason."""
    good = elf([FUNCTION, ("memset", 0, 1, 0, 0)])
    for at in range(0, len(good), 3):
        data = bytearray(good)
        data[at] ^= 0xFF
        assert isinstance(check(tmp_path, bytes(data)), str | ObjectFacts)


def test_objects_made_by_hand_are_real(tmp_path: Path) -> None:
    """binutils reads the objects of this module as intended."""
    if not (readelf := shutil.which("readelf")):
        pytest.skip("apt-get install binutils")
    (tmp_path / "x.o").write_bytes(elf([FUNCTION, ("g", 2, 1, 1, 1)]))
    said = subprocess.run([readelf, "-sSW", str(tmp_path / "x.o")], capture_output=True, text=True, check=True)
    assert "GLOBAL DEFAULT    1 f" in said.stdout
    assert "Warning" not in said.stderr
