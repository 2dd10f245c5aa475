"""Instructions beyond the ISA level of a run. Reads object files and bytes, runs nothing.

x86-64 runs on the host's own processor, which knows more than the level does, so the object file is looked through:
capstone disassembles what control flow reaches from the function's symbols and from the assembler's line table (which
names instructions and never data), so that jump tables and literal pools between the instructions cause no alarm.
What an instruction needs follows from its prefix (VEX, EVEX, XOP) and its name; what the level has is asked of clang.
Bytes that neither symbols nor lines lead to are left to an emulator with a processor of that level, if there is one.

The other architectures run on such an emulator anyway; here it is only decided what the bytes at an illegal
instruction mean. Of these, what an assembler refuses at the level and takes without it is named by the toolchain.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import capstone
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from .lines import names_candidate

_CHUNK_BYTES = 512
"""Disassembled at a time where control flow enters code that has not been read yet."""
_LONGEST = 15
MAX_CODE_BYTES = 256 << 10
"""More code than this takes too long to read; it is left to the emulator."""
_PADDING = ("nop", "int3", "xchg ax, ax", "add byte ptr [rax], al")
_ENDS = frozenset({"ret", "retf", "jmp", "ljmp", "ud2", "ud0", "ud1", "hlt", "int3", "iretq", "notrack jmp"})
_R_X86_64_64 = 1
_SHT_SYMTAB, _SHT_RELA, _SHT_NOBITS = 2, 4, 8
_STT_FUNC, _STB_GLOBAL = 2, 1
_CLANG_NAMES = {
    "__SSE3__": "SSE3", "__SSSE3__": "SSSE3", "__SSE4_1__": "SSE4.1", "__SSE4_2__": "SSE4.2", "__SSE4A__": "SSE4a",
    "__POPCNT__": "POPCNT", "__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16": "CX16", "__LAHF_SAHF__": "LAHF", "__AVX__": "AVX",
    "__AVX2__": "AVX2", "__FMA__": "FMA", "__FMA4__": "FMA4", "__XOP__": "XOP", "__F16C__": "F16C", "__BMI__": "BMI",
    "__BMI2__": "BMI2", "__TBM__": "TBM", "__LZCNT__": "LZCNT", "__MOVBE__": "MOVBE", "__AES__": "AES",
    "__VAES__": "VAES", "__PCLMUL__": "PCLMUL", "__VPCLMULQDQ__": "VPCLMUL", "__SHA__": "SHA", "__GFNI__": "GFNI",
    "__RDRND__": "RDRAND", "__RDSEED__": "RDSEED", "__ADX__": "ADX", "__FSGSBASE__": "FSGSBASE", "__RTM__": "RTM",
    "__XSAVE__": "XSAVE", "__CLFLUSHOPT__": "CLFLUSHOPT", "__CLWB__": "CLWB", "__MOVDIRI__": "MOVDIR",
    "__RDPID__": "RDPID", "__3dNOW__": "3DNow", "__AVXVNNI__": "AVX-VNNI", "__AVX512F__": "AVX-512",
    "__AVX512BW__": "AVX-512BW", "__AVX512DQ__": "AVX-512DQ", "__AVX512VL__": "AVX-512VL", "__AVX512CD__": "AVX-512CD",
    "__AVX512VBMI__": "AVX-512VBMI", "__AVX512VBMI2__": "AVX-512VBMI2", "__AVX512VNNI__": "AVX-512VNNI",
    "__AVX512BITALG__": "AVX-512BITALG", "__AVX512VPOPCNTDQ__": "AVX-512VPOPCNTDQ", "__AVX512IFMA__": "AVX-512IFMA",
    "__AVX512BF16__": "AVX-512BF16", "__AVX512FP16__": "AVX-512FP16",
}  # fmt: skip


@dataclass(frozen=True)
class Beyond:
    """An instruction that the level does not have."""

    instruction: str
    """Its name, with operands where they are known."""
    feature: str
    """What it belongs to, as people call it (``AVX2``)."""
    line: int | None
    """Of the candidate's assembly, from 1."""


@dataclass(frozen=True)
class Unread:
    """Code sections hold bytes that neither control flow nor the line table explains."""


def features_of(macros: str) -> frozenset[str]:
    """What clang's predefined macros say the level has."""
    defined = set(re.findall(r"(?m)^#define (\w+) 1$", macros))
    return frozenset(feature for name, feature in _CLANG_NAMES.items() if name in defined)


# --- x86-64: what an instruction needs ---------------------------------------------------------------------------

_BY_NAME = {
    "SSE3": "addsubpd addsubps haddpd haddps hsubpd hsubps lddqu movddup movshdup movsldup fisttp",
    "SSSE3": "pabsb pabsw pabsd palignr phaddw phaddd phaddsw phsubw phsubd phsubsw pmaddubsw pmulhrsw pshufb psignb "
    "psignw psignd",
    "SSE4.1": "blendpd blendps blendvpd blendvps dppd dpps extractps insertps movntdqa mpsadbw packusdw pblendvb "
    "pblendw pcmpeqq pextrb pextrd pextrq phminposuw pinsrb pinsrd pinsrq pmaxsb pmaxsd pmaxud pmaxuw pminsb pminsd "
    "pminud pminuw pmovsxbw pmovsxbd pmovsxbq pmovsxwd pmovsxwq pmovsxdq pmovzxbw pmovzxbd pmovzxbq pmovzxwd pmovzxwq "
    "pmovzxdq pmuldq pmulld ptest roundpd roundps roundsd roundss",
    "SSE4.2": "pcmpgtq pcmpestri pcmpestrm pcmpistri pcmpistrm crc32",
    "SSE4a": "extrq insertq movntsd movntss",
    "POPCNT": "popcnt",
    "CX16": "cmpxchg16b",
    "LAHF": "lahf sahf",
    "LZCNT": "lzcnt",
    "MOVBE": "movbe",
    "AES": "aesenc aesenclast aesdec aesdeclast aesimc aeskeygenassist",
    "PCLMUL": "pclmulqdq pclmullqlqdq pclmulhqlqdq pclmullqhqdq pclmulhqhqdq",
    "SHA": "sha1rnds4 sha1nexte sha1msg1 sha1msg2 sha256rnds2 sha256msg1 sha256msg2",
    "GFNI": "gf2p8mulb gf2p8affineqb gf2p8affineinvqb",
    "RDRAND": "rdrand",
    "RDSEED": "rdseed",
    "ADX": "adcx adox",
    "FSGSBASE": "rdfsbase rdgsbase wrfsbase wrgsbase",
    "RTM": "xbegin xend xabort xtest",
    "XSAVE": "xgetbv xsave xsave64 xrstor xrstor64 xsaveopt xsaveopt64 xsavec xsavec64",
    "CLFLUSHOPT": "clflushopt",
    "CLWB": "clwb",
    "MOVDIR": "movdiri movdir64b",
    "RDPID": "rdpid",
    "3DNow": "femms pavgusb pf2id pf2iw pfacc pfadd pfcmpeq pfcmpge pfcmpgt pfmax pfmin pfmul pfnacc pfpnacc pfrcp "
    "pfrcpit1 pfrcpit2 pfrsqit1 pfrsqrt pfsub pfsubr pi2fd pi2fw pmulhrw pswapd",
}
_LEGACY = {name: feature for feature, names in _BY_NAME.items() for name in names.split()}
_VEX = {
    **dict.fromkeys(["andn", "bextr", "blsi", "blsmsk", "blsr", "tzcnt"], "BMI"),
    **dict.fromkeys(["bzhi", "mulx", "pdep", "pext", "rorx", "sarx", "shlx", "shrx"], "BMI2"),
    **dict.fromkeys(["vcvtph2ps", "vcvtps2ph"], "F16C"),
    **dict.fromkeys(["vpdpbusd", "vpdpbusds", "vpdpwssd", "vpdpwssds"], "AVX-VNNI"),
    **dict.fromkeys(["vgf2p8mulb", "vgf2p8affineqb", "vgf2p8affineinvqb"], "GFNI"),
}
_AVX2 = (
    "vbroadcasti128 vextracti128 vinserti128 vperm2i128 vpermd vpermps vpermq vpermpd vpblendd vpmaskmovd vpmaskmovq "
    "vpsllvd vpsllvq vpsrlvd vpsrlvq vpsravd vpbroadcastb vpbroadcastw vpbroadcastd vpbroadcastq vgatherdps "
    "vgatherdpd vgatherqps vgatherqpd vpgatherdd vpgatherdq vpgatherqd vpgatherqq"
)
_AVX2_NAMES = frozenset(_AVX2.split())
_EVEX = (
    (re.compile(r"vperm[it]2b|vpermb|vpmultishiftqb"), "AVX-512VBMI"),
    (re.compile(r"vpcompress[bw]|vpexpand[bw]|vpsh[lr]d"), "AVX-512VBMI2"),
    (re.compile(r"vpdp"), "AVX-512VNNI"),
    (re.compile(r"vpopcnt[bw]|vpshufbitqmb"), "AVX-512BITALG"),
    (re.compile(r"vpopcnt[dq]"), "AVX-512VPOPCNTDQ"),
    (re.compile(r"vpmadd52"), "AVX-512IFMA"),
    (re.compile(r"vcvtne|vdpbf16"), "AVX-512BF16"),
    (re.compile(r"vgf2p8"), "GFNI"),
    (re.compile(r"vaes"), "VAES"),
    (re.compile(r"vpclmul"), "VPCLMUL"),
)


def _opcode_at(code: bytes) -> int:
    """Where legacy prefixes and REX end."""
    at = 0
    while at < len(code) - 1 and (code[at] in b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3"):
        at += 1
    if at < len(code) - 1 and code[at] & 0xF0 == 0x40:
        at += 1
    return at


def needed(code: bytes, name: str, operands: str) -> str | None:
    """The feature an x86-64 instruction belongs to; None for the baseline. ``name`` is empty when it has none."""
    at = _opcode_at(code)
    lead = code[at]
    if lead == 0x62:
        return next((feature for pattern, feature in _EVEX if pattern.match(name)), "AVX-512")
    if lead == 0x8F and len(code) > at + 1 and code[at + 1] & 0x1F >= 8:
        return "XOP" if name.startswith("v") else "TBM"
    if lead in (0xC4, 0xC5):
        return _vex(name, operands)
    if name == "tzcnt":
        return None  # `rep bsf`, which compilers write at every level
    if name == "pextrw" and b"\x0f\x3a" in code:
        return "SSE4.1"
    return _LEGACY.get(name)


def _vex(name: str, operands: str) -> str:
    if name in _VEX:
        return _VEX[name]
    if name.startswith("k"):
        return "AVX-512"
    if re.match(r"vfn?m(add|sub|addsub|subadd)(132|213|231)", name):
        return "FMA"
    if re.match(r"vfn?m(add|sub)", name):
        return "FMA4"
    wide = "ymm" in operands
    if name.startswith("vaes"):
        return "VAES" if wide else "AES"
    if name.startswith("vpclmul"):
        return "VPCLMUL" if wide else "PCLMUL"
    if name in _AVX2_NAMES or (name.startswith("vbroadcasts") and "ptr" not in operands):
        return "AVX2"
    if wide and (
        (name.startswith("vp") and not re.match(r"vptest|vpermilp|vperm2f128", name))
        or name in ("vmpsadbw", "vmovntdqa")
    ):
        return "AVX2"
    return "AVX"


# --- x86-64: what is code ------------------------------------------------------------------------------------------

_Place = tuple[int, int]
"""Section number and offset."""
_Decoded = tuple[int, str, str]
"""Size, name, operands."""


class _Section(NamedTuple):
    """A section header (ELF-64, little-endian)."""

    name: int
    type: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry_size: int


class _Symbol(NamedTuple):
    name: int
    info: int
    other: int
    section: int
    value: int
    size: int


class _Object:
    """The code of one object file, read from where control flow leads.

    Headers, symbols and relocations are unpacked here: pyelftools, which the policy and the line table are read with,
    takes longer over them than everything else in this module together.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._data = path.read_bytes()
        start, entry, count = *struct.unpack_from("<Q", self._data, 40), *struct.unpack_from("<HH", self._data, 58)
        if entry != 64:
            raise ValueError("not an object file of 64 bits")
        self.sections = [_Section(*struct.unpack_from("<IIQQQQIIQQ", self._data, start + 64 * i)) for i in range(count)]
        self.symbols: list[_Symbol] = []
        self._relocations: dict[int, list[tuple[int, int, int]]] = {}
        self.code: dict[int, bytes] = {}
        for number, section in enumerate(self.sections):
            if section.type == _SHT_SYMTAB:
                self.symbols = [_Symbol(*fields) for fields in struct.iter_unpack("<IBBHQQ", self._bytes(section))]
            elif section.type == _SHT_RELA:
                fields = struct.iter_unpack("<QQq", self._bytes(section))
                self._relocations.setdefault(section.info, []).extend(fields)
            elif section.type != _SHT_NOBITS and section.flags & SH_FLAGS.SHF_EXECINSTR:
                self.code[number] = self._bytes(section)
        self.targets = {number: self._branch_targets(number) for number in self.code}
        self.decoded: dict[int, dict[int, _Decoded]] = {number: {} for number in self.code}
        self.reached: dict[int, dict[int, int]] = {number: {} for number in self.code}
        self.beyond: list[tuple[_Place, str, str]] = []
        # One for each object: threads judge at the same time, and an engine is not made for two of them.
        self._engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)

    def _bytes(self, section: _Section) -> bytes:
        return self._data[section.offset : section.offset + section.size]

    def _branch_targets(self, number: int) -> dict[int, _Place | None]:
        """What the fields that the linker fills in point to; None when that is no code of this object."""
        found: dict[int, _Place | None] = {}
        for offset, info, addend in self._relocations.get(number, ()):
            symbol = self.symbols[info >> 32]
            found[offset] = (symbol.section, symbol.value + addend + 4) if symbol.section in self.code else None
        return found

    def functions(self) -> list[_Place]:
        return [
            (s.section, s.value)
            for s in self.symbols
            if s.section in self.code and (s.info & 15 == _STT_FUNC or s.info >> 4 == _STB_GLOBAL)
        ]

    def follow(self, roots: list[_Place], features: frozenset[str]) -> None:
        """Read everything that control flow reaches from the roots."""
        work = list(roots)
        while work:
            number, at = work.pop()
            code, reached = self.code[number], self.reached[number]
            while 0 <= at < len(code) and at not in reached:
                found = self._decode(number, at)
                if found is None:
                    reached[at] = 1
                    if code[_opcode_at(code[at : at + _LONGEST]) + at] in (0x62, 0xC4, 0xC5):
                        self._note((number, at), "an unknown vector instruction", "AVX or later", features)
                    break
                size, name, operands = found
                reached[at] = size
                feature = needed(code[at : at + size], name, operands)
                if feature:
                    self._note((number, at), f"{name} {operands}".strip(), feature, features)
                if name[0] == "j" or name.startswith(("call", "loop", "xbegin")):
                    field = next((o for o in range(at + 1, at + size) if o in self.targets[number]), None)
                    target = None if field is None else self.targets[number][field]
                    if field is None and operands[:1].isdigit():
                        target = number, int(operands, 0)
                    if target is not None:
                        work.append(target)
                if name in _ENDS or name.removeprefix("bnd ").removeprefix("notrack ") in _ENDS:
                    break
                at += size

    def _note(self, place: _Place, text: str, feature: str, features: frozenset[str]) -> None:
        if feature not in features:
            self.beyond.append((place, text, feature))

    def _decode(self, number: int, at: int) -> _Decoded | None:
        known = self.decoded[number]
        if at not in known:
            for address, size, name, operands in self._engine.disasm_lite(
                self.code[number][at : at + _CHUNK_BYTES], at
            ):
                if address in known:
                    break
                known[address] = (size, name, operands)
        return known.get(at)

    def gaps(self) -> bool:
        """Whether bytes are left that are neither reached nor padding."""
        for number, code in self.code.items():
            at = 0
            for start, size in sorted(self.reached[number].items()):
                if start > at and not self._padding(code[at:start]):
                    return True
                at = max(at, start + size)
            if at < len(code) and not self._padding(code[at:]):
                return True
        return False

    def _padding(self, code: bytes) -> bool:
        if not code.strip(b"\0") or not code.strip(b"\x90") or not code.strip(b"\xcc"):
            return True
        read = 0
        for _, size, name, operands in self._engine.disasm_lite(code, 0):
            if not f"{name} {operands}".strip().removeprefix("data16 ").startswith(_PADDING):
                return False
            read += size
        return read == len(code)

    def lines(self) -> list[tuple[_Place, int | None]]:
        """Places at which the assembler put instructions, with their lines.

        Sequences of the line table start with an address that the linker fills in; in order these relocations give
        the sections.
        """
        try:
            with self._path.open("rb") as stream:
                elf = ELFFile(stream)
                if not elf.has_dwarf_info():
                    return []
                number = elf.get_section_index(".debug_line")
                starts = [
                    self.symbols[info >> 32].section
                    for _, info, _ in self._relocations.get(number or 0, ())
                    if info & 0xFFFFFFFF == _R_X86_64_64
                ]
                return list(self._entries(elf.get_dwarf_info(), starts))
        except Exception:
            return []  # a candidate may bring a line table of its own, and that may lead its reader anywhere

    def _entries(self, dwarf: DWARFInfo, starts: list[int]) -> Iterator[tuple[_Place, int | None]]:
        sequence = 0
        for unit in dwarf.iter_CUs():
            program = dwarf.line_program_for_CU(unit)
            if program is None:
                continue
            for entry in program.get_entries():
                state = entry.state
                if state is None:
                    continue
                if state.end_sequence:
                    sequence += 1
                elif sequence < len(starts) and starts[sequence] in self.code:
                    own = names_candidate(program, state.file)
                    yield (starts[sequence], state.address), state.line if own else None


def check_x86(path: Path, features: frozenset[str]) -> Beyond | Unread | None:
    """The first instruction in an object file that needs more than ``features``; ``Unread`` when not all was read."""
    try:
        code = _Object(path)
    except (ValueError, IndexError, struct.error):
        return Unread()
    if not 0 < sum(map(len, code.code.values())) <= MAX_CODE_BYTES:
        return Unread()
    code.follow(code.functions(), features)
    gaps = code.gaps()
    lines = code.lines() if gaps or code.beyond else []
    if gaps:
        code.follow([place for place, _ in lines], features)
        gaps = code.gaps()
    if code.beyond:
        place, text, feature = min(code.beyond)
        before = [(where, line) for where, line in lines if where <= place and where[0] == place[0]]
        return Beyond(text, feature, max(before, key=lambda item: item[0])[1] if before else None)
    return Unread() if gaps else None


# --- the other architectures ---------------------------------------------------------------------------------------


def beyond_at(machine: str, code: bytes) -> str | None:
    """What an illegal instruction would be at another level; None when it is no instruction at any.

    ``machine`` is the ELF machine, ``code`` the bytes at the program counter.
    """
    if machine == "EM_AARCH64" and len(code) >= 4:
        engine = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN)
        for _, _, name, operands in engine.disasm_lite(code[:4], 0):
            return None if name in ("udf", "brk", "hlt", "hvc", "smc", "svc") else f"{name} {operands}".strip()
        # capstone does not know all of SVE; its encodings are a field of their own
        return "an SVE instruction" if code[3] >> 1 & 0xF == 0b0010 else None
    if machine == "EM_X86_64":
        for _, size, name, operands in capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64).disasm_lite(code, 0):
            feature = needed(code[:size], name, operands)
            return f"{name} {operands}".strip() if feature else None
        return "an AVX or AVX-512 instruction" if code and code[_opcode_at(code)] in (0x62, 0xC4, 0xC5) else None
    if machine == "EM_RISCV" and len(code) >= 4:
        word = int.from_bytes(code[:4], "little")
        return _RISCV_OPCODES.get(word & 0x7F) if word & 3 == 3 and word >> 7 else None
    return None


_RISCV_OPCODES = {
    0x57: "a vector instruction",
    0x07: "a vector load",
    0x27: "a vector store",
    0x53: "a floating-point instruction",
    0x2F: "an atomic instruction",
    **dict.fromkeys((0x13, 0x1B, 0x33, 0x3B), "a bit manipulation instruction"),
}
_RAISES = re.compile(
    r"(?m)^[^#\n/]*?\.(?:arch|arch_extension|cpu|attribute|option)\b[ \t]*(?:(?:arch|5)\b[ \t]*,?)?[ \t]*(.*)$"
)


def without_levels(assembly: str, march: str) -> str | None:
    """The assembly without the directives that ask for another level; None when it has none.

    They are turned into comments, so lines keep their numbers.
    """
    changed = False

    def strip(match: re.Match[str]) -> str:
        nonlocal changed
        text = match[0]
        if ".option" in text and not re.search(r"\.option[ \t]+arch\b", text):
            return text
        if ".attribute" in text and not re.search(r"\.attribute[ \t]+(?:arch|5)\b", text):
            return text
        if _within(match[1], march):
            return text
        changed = True
        return re.sub(r"\.(arch|arch_extension|cpu|attribute|option)\b.*", "", text)

    stripped = _RAISES.sub(strip, assembly)
    return stripped if changed else None


_RISCV_GC = "i m a f d c g zicsr zifencei zmmul zaamo zalrsc zca zcd"
_RISCV_BASE = frozenset(_RISCV_GC.split())


def _within(argument: str, march: str) -> bool:
    """Whether a directive's argument asks for no more than the level."""
    wanted = argument.split("//")[0].split("#")[0].strip().strip('"')
    if wanted == march:
        return True
    if wanted.startswith("rv64"):
        return _riscv_extensions(wanted) <= _riscv_extensions(march) | _RISCV_BASE
    return False


def _riscv_extensions(text: str) -> frozenset[str]:
    singles, *others = re.sub(r"\d+p\d+", "", text.removeprefix("rv64")).split("_")
    return frozenset(e for e in (*singles, *others) if e)
