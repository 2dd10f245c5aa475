"""Single-point mutants of a compiler's assembly: one operand, operator, condition or instruction changed.

A rule looks at one instruction and proposes other texts for its line, each with a kind. Rules that would leave the
meaning alone by the manual (``movaps`` for ``movups``, ``xorq`` for ``xorl`` on one register) are not written down.
Runs nothing: whoever calls hands over a function that assembles.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

KINDS = (
    "condition", "operator", "immediate", "operand swap", "width", "deleted store", "deleted instruction",
    "addressing", "lane", "register", "constant",
)  # fmt: skip

Proposal = tuple[str, str]
"""A kind and the new text of the line."""
MachineCode = Callable[[str], str | None]
"""From assembly to a name of its machine code (a digest), None when it does not assemble."""


@dataclass(frozen=True)
class Mutant:
    """One changed line."""

    kind: str
    line: int
    """Of the assembly, from 1."""
    original: str
    replaced: str
    """Empty when the instruction was deleted."""
    assembly: str
    """The whole text with the line changed."""


@dataclass(frozen=True)
class Instruction:
    """One instruction as written."""

    mnemonic: str
    operands: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.mnemonic} {', '.join(self.operands)}".strip()

    def named(self, mnemonic: str) -> str:
        """The same operands under another mnemonic."""
        return str(replace(self, mnemonic=mnemonic))

    def with_operand(self, index: int, text: str) -> str:
        operands = list(self.operands)
        operands[index] = text
        return str(replace(self, operands=tuple(operands)))


def draw_mutants(
    assembly: str,
    arch: str,
    *,
    count: int,
    seed: str,
    machine_code: MachineCode,
    seen: set[str] | None = None,
) -> list[Mutant]:
    """Up to ``count`` mutants, spread over the kinds; the same for the same seed.

    Only mutants that assemble, and to other machine code than the original's and each other's, are taken; digests in
    ``seen`` count as taken already, and the set grows by those of the result.
    """
    seen = set() if seen is None else seen
    original = machine_code(assembly)
    if original is None:
        raise ValueError("the assembly to mutate does not assemble")
    rng = random.Random(seed)
    by_kind: dict[str, list[tuple[int, str, str]]] = {}
    for proposal in proposals(assembly, arch):
        by_kind.setdefault(proposal[2], []).append((proposal[0], proposal[1], proposal[2]))
    queues: dict[str, list[tuple[int, str, str]]] = {}
    for kind in KINDS:
        if kind in by_kind:
            queues[kind] = by_kind[kind]
            rng.shuffle(queues[kind])
    lines = assembly.splitlines()
    mutants: list[Mutant] = []
    while len(mutants) < count and queues:
        for kind in list(queues):
            while queues[kind]:
                number, text, _ = queues[kind].pop()
                changed = [*lines]
                changed[number - 1] = f"\t{text}"
                whole = "\n".join(changed) + "\n"
                code = machine_code(whole)
                if code is None or code == original or code in seen:
                    continue
                seen.add(code)
                mutants.append(Mutant(kind, number, without_comment(lines[number - 1], arch), text, whole))
                break
            if not queues[kind]:
                del queues[kind]
            if len(mutants) >= count:
                break
    return mutants


def proposals(assembly: str, arch: str) -> Iterator[tuple[int, str, str]]:
    """All single-point changes that the rules know, as (line from 1, new text, kind); not all of them assemble."""
    rules = _RULES[arch]
    lines = assembly.splitlines()
    code = {n: i for n, text in enumerate(lines, 1) if (i := parse(text, arch))}
    registers = rules.registers(code.values())
    for number, instruction in code.items():
        proposed = dict.fromkeys(rules.propose(instruction, registers))
        for kind, text in proposed:
            if text != str(instruction):
                yield number, text, kind
    for number, text in enumerate(lines, 1):
        yield from ((number, new, "constant") for new in _constants(without_comment(text, arch)))


def parse(line: str, arch: str) -> Instruction | None:
    """The instruction on a line, or None for labels, directives and empty lines."""
    text = without_comment(line, arch)
    if not text or text.startswith(".") or text.endswith(":"):
        return None
    mnemonic, _, rest = text.replace("\t", " ").partition(" ")
    return Instruction(mnemonic, tuple(_split(rest)))


def without_comment(line: str, arch: str) -> str:
    """The text of a line that the assembler reads, with single spaces."""
    mark = "//" if arch == "aarch64" else "#"
    return " ".join(line.partition(mark)[0].split())


def _split(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for at, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            yield text[start:at].strip()
            start = at + 1
    if text[start:].strip():
        yield text[start:].strip()


_DATA = re.compile(r"(\.(?:long|quad|word|xword|dword|4byte|8byte|byte|2byte|short|hword|half)) (-?\w+)$")


def _constants(text: str) -> Iterator[str]:
    """Other values for a constant in memory: its last bit and its top bit, the sign of a float."""
    match = _DATA.match(text)
    if not match or not re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)", match[2]):
        return
    number = match[2]
    value = int(number, 8 if re.fullmatch(r"0\d+", number) else 0)
    bits = {".quad": 64, ".xword": 64, ".dword": 64, ".8byte": 64, ".byte": 8}.get(
        match[1], 16 if match[1] in (".2byte", ".short", ".hword", ".half") else 32
    )
    mask = (1 << bits) - 1
    for other in (value ^ 1, value ^ (1 << (bits - 1))):
        yield f"{match[1]} {other & mask:#x}"


# --- what all architectures share -----------------------------------------------------------------------------------


class _Rules:
    """What can be changed in one instruction of an architecture."""

    def registers(self, code: Collection[Instruction]) -> Mapping[str, Sequence[str]]:
        """Registers that occur in a function, by class, in a fixed order."""
        found: dict[str, set[str]] = {}
        for instruction in code:
            for operand in instruction.operands:
                for name in self.names_in(operand):
                    found.setdefault(self.register_class(name), set()).add(name)
        return {kind: sorted(names) for kind, names in found.items()}

    def names_in(self, operand: str) -> list[str]:
        """Replaceable registers in an operand."""
        raise NotImplementedError

    def register_class(self, name: str) -> str:
        """Registers of one class can stand in for each other."""
        raise NotImplementedError

    def propose(self, instruction: Instruction, registers: Mapping[str, Sequence[str]]) -> Iterable[Proposal]:
        """All changes to one instruction."""
        raise NotImplementedError

    def other_registers(
        self, instruction: Instruction, registers: Mapping[str, Sequence[str]], *, skip: str
    ) -> Iterator[Proposal]:
        """Each register of each operand replaced by each other one of its class; ``skip`` matches those left alone."""
        for index, operand in enumerate(instruction.operands):
            for name in dict.fromkeys(self.names_in(operand)):
                if re.fullmatch(skip, name):
                    continue
                for other in registers.get(self.register_class(name), ()):
                    if other != name and not re.fullmatch(skip, other):
                        changed = re.sub(rf"(?<![\w%]){re.escape(name)}\b", other, operand, count=1)
                        yield "register", instruction.with_operand(index, changed)


def _numbers(value: int) -> Iterator[int]:
    """Other immediates: one more, one less, the other sign, twice."""
    yield from dict.fromkeys(v for v in (value + 1, value - 1, -value, 2 * value) if v != value)


def _swapped(operands: Sequence[str], i: int, j: int) -> tuple[str, ...]:
    changed = list(operands)
    changed[i], changed[j] = changed[j], changed[i]
    return tuple(changed)


_NUMBER = r"-?(?:0x[0-9a-fA-F]+|\d+)"


# --- x86-64, AT&T ---------------------------------------------------------------------------------------------------

_LEGACY = {"a": "rax", "b": "rbx", "c": "rcx", "d": "rdx", "si": "rsi", "di": "rdi", "bp": "rbp", "sp": "rsp"}


def _x86_names() -> dict[str, tuple[str, int]]:
    """Every general register's name: which register, and how many bits."""
    names = {}
    for short, full in _LEGACY.items():
        wide = len(short) == 1
        names[full] = (full, 64)
        names[f"e{full[1:]}"] = (full, 32)
        names[full[1:]] = (full, 16)
        names[f"{short}l"] = (full, 8)
        if wide:
            names[f"{short}h"] = (full, 9)  # never a stand-in for a low byte
    for number in range(8, 16):
        for suffix, bits in (("", 64), ("d", 32), ("w", 16), ("b", 8)):
            names[f"r{number}{suffix}"] = (f"r{number}", bits)
    return names


_X86_NAMES = _x86_names()


def x86_register(operand: str) -> tuple[str, int] | None:
    """The 64-bit register that a general register is part of and its bits, 9 for ``%ah`` and its like; or None."""
    return _X86_NAMES.get(operand[1:]) if operand.startswith("%") else None


_X86_BY_SIZE = {(full, bits): name for name, (full, bits) in _X86_NAMES.items()}
_X86_CONDITIONS = {
    "e": ("ne",), "ne": ("e",), "l": ("le", "ge", "b"), "le": ("l", "g", "be"), "g": ("ge", "le", "a"),
    "ge": ("g", "l", "ae"), "b": ("be", "ae", "l"), "be": ("b", "a", "le"), "a": ("ae", "be", "g"),
    "ae": ("a", "b", "ge"), "s": ("ns",), "ns": ("s",), "p": ("np",), "np": ("p",), "o": ("no",), "no": ("o",),
    "c": ("nc",), "nc": ("c",),
}  # fmt: skip
_X86_PREDICATES = {
    "eq": ("neq",), "neq": ("eq",), "lt": ("le", "nlt"), "le": ("lt", "nle"), "nlt": ("nle", "lt"),
    "nle": ("nlt", "le"), "unord": ("ord",), "ord": ("unord",),
}  # fmt: skip
_X86_INTEGER = {
    "add": ("sub",), "sub": ("add",), "inc": ("dec",), "dec": ("inc",), "and": ("or",), "or": ("and",),
    "xor": ("or",), "shl": ("shr",), "shr": ("shl", "sar"), "sar": ("shr", "shl"), "sal": ("shr",), "imul": ("add",),
    "neg": ("not",), "not": ("neg",), "adc": ("sbb", "add"), "sbb": ("adc", "sub"), "div": ("idiv",), "idiv": ("div",),
    "mul": ("imul",), "rol": ("ror",), "ror": ("rol",), "test": ("cmp",),
}  # fmt: skip
_X86_FLOAT = {
    "add": ("sub", "mul"), "sub": ("add",), "mul": ("add", "div"), "div": ("mul",), "max": ("min",), "min": ("max",),
    "sqrt": ("rcp",), "and": ("or", "andn"), "or": ("and", "xor"), "andn": ("and",), "xor": ("or",),
}  # fmt: skip
_X86_PACKED = {
    "padd": ("psub",), "psub": ("padd",), "pand": ("por",), "por": ("pand", "pxor"), "pxor": ("por",),
    "pandn": ("pand",), "pmuludq": ("paddq",), "pmulld": ("paddd",), "pmullw": ("paddw",), "pcmpeq": ("pcmpgt",),
    "pcmpgt": ("pcmpeq",), "psll": ("psrl",), "psrl": ("psll",), "psra": ("psrl",), "pmaxs": ("pmins",),
    "pmins": ("pmaxs",), "pmaxu": ("pminu",), "pminu": ("pmaxu",),
}  # fmt: skip
_X86_LANES = {
    "unpcklps": "unpckhps", "unpckhps": "unpcklps", "unpcklpd": "unpckhpd", "unpckhpd": "unpcklpd",
    "movlhps": "movhlps", "movhlps": "movlhps", "movlps": "movhps", "movhps": "movlps", "movlpd": "movhpd",
    "movhpd": "movlpd",
}  # fmt: skip
_X86_SHUFFLES = ("shufps", "shufpd", "pshufd", "pshuflw", "pshufhw", "pextrw", "pinsrw", "insertps", "palignr",
                 "pshufb", "blendps", "blendpd", "permilps", "perm2f128", "permq", "permpd", "extractf128",
                 "insertf128", "extracti128", "inserti128")  # fmt: skip
_X86_COMMUTES = re.compile(r"v?(add|mul|imul|and|or|xor|max|min|test|pand|por|pxor|padd|pmul|pcmpeq|pmax|pmin|xchg)\w*")
_X86_MEMORY = re.compile(r"(?P<disp>[^()]*)\((?P<base>%\w+)?(?:,(?P<index>%\w+)(?:,(?P<scale>\d))?)?\)")
_X86_STACKED = re.compile(r"push|pop|ret|leave|call|jmp|nop|ud2|endbr")
_X86_STEPS = {"ss": 4, "sd": 8, "ps": 4, "pd": 8, "q": 8, "l": 4, "w": 2, "b": 1}


class _X86(_Rules):
    def names_in(self, operand: str) -> list[str]:
        return re.findall(r"%\w+", operand)

    def register_class(self, name: str) -> str:
        bare = name[1:]
        return f"general{_X86_NAMES[bare][1]}" if bare in _X86_NAMES else re.sub(r"\d+$", "", bare)

    def propose(self, instruction: Instruction, registers: Mapping[str, Sequence[str]]) -> Iterator[Proposal]:
        prefix, base = ("v", instruction.mnemonic[1:]) if instruction.mnemonic[0] == "v" else ("", instruction.mnemonic)
        yield from self._conditions(instruction, prefix, base)
        if _X86_STACKED.match(base) or (base.startswith("j") and len(instruction.operands) == 1):
            return
        yield from self._operators(instruction, prefix, base)
        yield from self._immediates(instruction, base)
        yield from self._swaps(instruction, base)
        yield from self._widths(instruction, prefix, base)
        yield from self._addresses(instruction, base)
        yield from self._lanes(instruction, prefix, base)
        if not (instruction.operands and instruction.operands[-1] == "%rsp"):
            stores = "(" in instruction.operands[-1] if instruction.operands else False
            yield (
                "deleted store"
                if stores and not base.startswith(("cmp", "test", "ucomi"))
                else ("deleted instruction"),
                "",
            )
            yield from self.other_registers(instruction, registers, skip=r"%(rsp|rip|cl)")

    def _conditions(self, instruction: Instruction, prefix: str, base: str) -> Iterator[Proposal]:
        for pattern in (r"(j)(\w+)()", r"(set)(\w+)()", r"(cmov)(\w+?)([lqw])", r"(cmov)(\w+)()"):
            match = re.fullmatch(pattern, base)
            if match and match[2] in _X86_CONDITIONS:
                for other in _X86_CONDITIONS[match[2]]:
                    yield "condition", instruction.named(f"{match[1]}{other}{match[3]}")
                return
        match = re.fullmatch(r"cmp([a-z]+)(ss|sd|ps|pd)", base)
        if match and match[1] in _X86_PREDICATES:
            for other in _X86_PREDICATES[match[1]]:
                yield "condition", instruction.named(f"{prefix}cmp{other}{match[2]}")

    def _operators(self, instruction: Instruction, prefix: str, base: str) -> Iterator[Proposal]:
        ops = instruction.operands
        if match := re.fullmatch(r"([a-z]+)(ss|sd|ps|pd)", base):
            for other in _X86_FLOAT.get(match[1], ()):
                if not (other == "rcp" and match[2][1] == "d"):
                    yield "operator", instruction.named(f"{prefix}{other}{match[2]}")
        for stem, others in _X86_PACKED.items():
            if base.startswith(stem) and len(base) - len(stem) in (0, 1):
                for other in others:
                    yield "operator", instruction.named(prefix + other + base[len(stem) :])
        if match := re.fullmatch(r"([a-z]+)([bwlq])", base):
            for other in _X86_INTEGER.get(match[1], ()):
                if match[1] == "imul" and len(ops) != 2:
                    continue
                yield "operator", instruction.named(f"{other}{match[2]}")

    def _immediates(self, instruction: Instruction, base: str) -> Iterator[Proposal]:
        if base.startswith(_X86_SHUFFLES):
            return
        for index, operand in enumerate(instruction.operands):
            if re.fullmatch(rf"\${_NUMBER}", operand):
                for value in _numbers(int(operand[1:], 0)):
                    yield "immediate", instruction.with_operand(index, f"${value}")

    def _swaps(self, instruction: Instruction, base: str) -> Iterator[Proposal]:
        ops = instruction.operands
        if len(ops) < 2 or _X86_COMMUTES.fullmatch(base) or base.startswith(_X86_SHUFFLES):
            return
        first, second = len(ops) - 2, len(ops) - 1
        if len(ops) == 3:  # AVX: the sources are the first two
            first, second = 0, 1
        kinds = [self.register_class(o) if re.fullmatch(r"%\w+", o) else None for o in (ops[first], ops[second])]
        if kinds[0] and kinds[0] == kinds[1] and ops[first] != ops[second]:
            yield "operand swap", str(replace(instruction, operands=_swapped(ops, first, second)))

    def _widths(self, instruction: Instruction, prefix: str, base: str) -> Iterator[Proposal]:
        ops = instruction.operands
        if match := re.fullmatch(r"(mov|add|sub|mul|div|max|min|sqrt|ucomi|comi|cvtsi2)(ss|sd)(l|q)?", base):
            other = {"ss": "sd", "sd": "ss"}[match[2]]
            yield "width", instruction.named(f"{prefix}{match[1]}{other}{match[3] or ''}")
        if base in ("movslq", "movzbl", "movsbl", "movzwl", "movswl"):
            swap = {"movzbl": "movsbl", "movsbl": "movzbl", "movzwl": "movswl", "movswl": "movzwl"}
            if base in swap:
                yield "width", instruction.named(swap[base])
            elif (narrow := self._resized(ops[1], 32)) is not None:
                yield "width", f"movl {ops[0]}, {narrow}"
        stems = "mov|add|sub|and|or|xor|cmp|test|inc|dec|shl|shr|sar|neg|not|imul|lea|adc|sbb"
        if match := re.fullmatch(rf"({stems})([bwlq])", base):
            if match[1] == "xor" and len(set(ops)) < len(ops):
                return
            to_memory = "(" in ops[-1] or not re.match(r"[%$]", ops[-1])
            for suffix in {"l": "qw", "q": "l", "w": "lb", "b": "w"}[match[2]]:
                if match[1] == "mov" and suffix == "q" and re.match(r"\$(?!-)", ops[0]) and not to_memory:
                    continue  # a positive number is zero-extended either way
                if suffix == "w" and not (match[1] == "mov" and to_memory):
                    continue
                bits = {"b": 8, "w": 16, "l": 32, "q": 64}[suffix]
                changed = [self._resized(o, bits) for o in ops]
                if match[1] in ("shl", "shr", "sar") and ops[0] == "%cl":
                    changed[0] = "%cl"
                if all(c is not None for c in changed):
                    yield "width", f"{match[1]}{suffix} {', '.join(c for c in changed if c is not None)}"

    def _resized(self, operand: str, bits: int) -> str | None:
        if not operand.startswith("%"):
            return operand
        full = _X86_NAMES.get(operand[1:])
        name = _X86_BY_SIZE.get((full[0], bits)) if full else None
        return f"%{name}" if name else None

    def _addresses(self, instruction: Instruction, base: str) -> Iterator[Proposal]:
        step = next((n for suffix, n in _X86_STEPS.items() if base.endswith(suffix)), 4)
        for index, operand in enumerate(instruction.operands):
            if operand[0] in "%$":
                if re.match(r"\$[A-Za-z_.]", operand):
                    for sign in "+-":
                        yield "addressing", instruction.with_operand(index, f"{operand}{sign}4")
                continue
            match = _X86_MEMORY.fullmatch(operand)
            if match is None and not re.match(r"[A-Za-z_.]", operand):
                continue
            rest = operand[len(match["disp"]) :] if match else ""
            disp = match["disp"] if match else operand
            for amount in (f"+{step}", f"-{step}"):
                new = f"{disp}{amount}" if disp else amount.lstrip("+")
                yield "addressing", instruction.with_operand(index, new + rest)
            if match and match["index"]:
                scale = int(match["scale"] or 1)
                for other in (scale * 2, scale // 2):
                    if other in (1, 2, 4, 8):
                        inner = f"({match['base'] or ''},{match['index']},{other})"
                        yield "addressing", instruction.with_operand(index, disp + inner)

    def _lanes(self, instruction: Instruction, prefix: str, base: str) -> Iterator[Proposal]:
        if base in _X86_LANES:
            other = _X86_LANES[base]
            if other in ("movlps", "movhps") or all(o.startswith("%") for o in instruction.operands) or "unp" in other:
                yield "lane", instruction.named(prefix + other)
        if match := re.fullmatch(r"(punpck)([lh])(\w+)", base):
            yield "lane", instruction.named(f"{prefix}{match[1]}{'h' if match[2] == 'l' else 'l'}{match[3]}")
        first = instruction.operands[0] if instruction.operands else ""
        if base.startswith(_X86_SHUFFLES) and re.fullmatch(rf"\${_NUMBER}", first):
            for bit in range(1 if base in ("pextrw", "pinsrw") else 8):
                yield "lane", instruction.with_operand(0, f"${(int(first[1:], 0) & 0xFF) ^ (1 << bit)}")
        if match := re.fullmatch(r"(add|sub|mul|div|max|min|mova|movu|cmp[a-z]+)(ps|pd)", base):
            stem = "mov" if match[1] in ("mova", "movu") else match[1]
            yield "lane", instruction.named(f"{prefix}{stem}{'ss' if match[2] == 'ps' else 'sd'}")
        if match := re.fullmatch(r"(add|sub|mul|div|max|min)(ss|sd)", base):
            yield "lane", instruction.named(f"{prefix}{match[1]}{'ps' if match[2] == 'ss' else 'pd'}")


# --- AArch64 --------------------------------------------------------------------------------------------------------

_A64_CONDITIONS = {
    "eq": ("ne",), "ne": ("eq",), "lt": ("le", "ge", "lo"), "le": ("lt", "gt", "ls"), "gt": ("ge", "le", "hi"),
    "ge": ("gt", "lt", "hs"), "lo": ("ls", "hs", "lt"), "ls": ("lo", "hi", "le"), "hi": ("hs", "ls", "gt"),
    "hs": ("hi", "lo", "ge"), "mi": ("pl", "ls"), "pl": ("mi",), "vs": ("vc",), "vc": ("vs",), "cc": ("cs",),
    "cs": ("cc",),
}  # fmt: skip
_A64_CONDITIONAL = re.compile(r"f?c(sel|sinc|sinv|sneg|set|setm|inc|inv|neg|cmp|cmn|cmpe)")
_A64_OPERATORS = {
    "add": ("sub",), "sub": ("add",), "adds": ("subs",), "subs": ("adds",), "cmp": ("cmn",), "cmn": ("cmp",),
    "and": ("orr",), "orr": ("and", "eor"), "eor": ("orr",), "mul": ("add",), "madd": ("msub",), "msub": ("madd",),
    "lsl": ("lsr",), "lsr": ("lsl", "asr"), "asr": ("lsr", "lsl"), "udiv": ("sdiv",), "sdiv": ("udiv",),
    "fadd": ("fsub", "fmul"), "fsub": ("fadd",), "fmul": ("fadd", "fdiv"), "fdiv": ("fmul",), "fmaxnm": ("fminnm",),
    "fminnm": ("fmaxnm",), "fmax": ("fmin",), "fmin": ("fmax",), "fabs": ("fneg",), "fneg": ("fabs",),
    "fmadd": ("fmsub",), "fmsub": ("fmadd",), "fmla": ("fmls",), "fmls": ("fmla",), "mla": ("mls",), "mls": ("mla",),
    "bsl": ("bit",), "bif": ("bit",), "bit": ("bif",), "scvtf": ("ucvtf",), "ucvtf": ("scvtf",), "bic": ("and",),
    "umull": ("smull",), "smull": ("umull",), "umull2": ("smull2",), "mvn": ("mov",), "ushr": ("sshr",),
    "sshr": ("ushr",), "shl": ("ushr",), "smax": ("smin",), "smin": ("smax",), "umax": ("umin",), "umin": ("umax",),
    "fcvtzs": ("fcvtzu",), "fcvtzu": ("fcvtzs",), "neg": ("mvn",),
}  # fmt: skip
_A64_COMPARES = {
    "fcmgt": ("fcmge",), "fcmge": ("fcmgt",), "fcmlt": ("fcmle",), "fcmle": ("fcmlt",), "fcmeq": ("fcmge",),
    "cmgt": ("cmge",), "cmge": ("cmgt",), "cmhi": ("cmhs",), "cmhs": ("cmhi",), "cmeq": ("cmge",), "cbz": ("cbnz",),
    "cbnz": ("cbz",), "tbz": ("tbnz",), "tbnz": ("tbz",),
}  # fmt: skip
_A64_LANES = {
    "zip1": "zip2", "zip2": "zip1", "uzp1": "uzp2", "uzp2": "uzp1", "trn1": "trn2", "trn2": "trn1", "umull": "umull2",
    "rev64": "rev32",
}  # fmt: skip
_A64_WIDTHS = {"ldrsw": "ldr", "ldpsw": "ldp", "ldrb": "ldrsb", "ldrh": "ldrsh", "ldrsb": "ldrb", "ldrsh": "ldrh",
               "sxtw": "mov", "strb": "strh", "strh": "strb", "sbfiz": "ubfiz", "ubfiz": "sbfiz"}  # fmt: skip
_A64_ORDERED = ("sub", "subs", "fsub", "fdiv", "sdiv", "udiv", "cmp", "fcmp", "csel", "fcsel", "lsl", "lsr", "asr",
                "msub", "fmsub", "mov", "fmov", "bic", "ext", "zip1", "zip2", "uzp1", "uzp2", "stp", "ldp",
                "fcmgt", "fcmge", "bsl", "bif", "bit", "csinc")  # fmt: skip
_A64_STACKED = re.compile(r"ret|bl?r?|nop|brk|hint")


class _A64(_Rules):
    def names_in(self, operand: str) -> list[str]:
        return re.findall(r"(?<![\w:.])(?:[wxbhsdqv]\d+)\b", operand)

    def register_class(self, name: str) -> str:
        return name[0]

    def propose(self, instruction: Instruction, registers: Mapping[str, Sequence[str]]) -> Iterator[Proposal]:
        mnemonic, ops = instruction.mnemonic, instruction.operands
        if mnemonic.startswith("b."):
            for other in _A64_CONDITIONS.get(mnemonic[2:], ()):
                yield "condition", instruction.named(f"b.{other}")
            return
        if _A64_STACKED.fullmatch(mnemonic):
            return
        for other in _A64_COMPARES.get(mnemonic, ()):
            yield "condition", instruction.named(other)
        if _A64_CONDITIONAL.fullmatch(mnemonic) and ops[-1] in _A64_CONDITIONS:
            for other in _A64_CONDITIONS[ops[-1]]:
                yield "condition", instruction.with_operand(len(ops) - 1, other)
        on_stack = any(re.search(r"\b(sp|x29|x30)\b", o) for o in ops)
        for other in () if on_stack else _A64_OPERATORS.get(mnemonic, ()):
            yield "operator", instruction.named(other)
        yield from self._numbers_in(instruction, on_stack)
        yield from self._swaps(instruction)
        yield from self._widths(instruction)
        yield from self._lanes(instruction)
        if not on_stack:
            yield "deleted store" if mnemonic.startswith("st") else "deleted instruction", ""
            yield from self.other_registers(instruction, registers, skip=r"x(29|30)")

    def _numbers_in(self, instruction: Instruction, on_stack: bool) -> Iterator[Proposal]:
        mnemonic, ops = instruction.mnemonic, instruction.operands
        for index, operand in enumerate(ops):
            memory = operand.startswith("[")
            if memory:
                yield from self._addresses(instruction, index)
            elif match := re.fullmatch(r"(:lo12:)?([A-Za-z_.][\w.$]*)([+-]\d+)?", operand):
                if mnemonic in ("add", "ldr", "str") and match[1]:
                    for amount in (4, -4):
                        total = int(match[3] or 0) + amount
                        yield "addressing", instruction.with_operand(index, f":lo12:{match[2]}{total:+d}")
            elif match := re.fullmatch(rf"((?:lsl |lsr |asr |sxtw |uxtw )?)#({_NUMBER})", operand):
                after_memory = any(o.startswith("[") for o in ops[:index])
                if after_memory:
                    size = self._size(instruction)
                    for amount in (size, -size):
                        yield "addressing", instruction.with_operand(index, f"#{int(match[2], 0) + amount}")
                elif mnemonic == "ext":
                    for amount in (4, -4):
                        yield "lane", instruction.with_operand(index, f"#{int(match[2], 0) + amount}")
                elif not on_stack:
                    for value in _numbers(int(match[2], 0)):
                        yield "immediate", instruction.with_operand(index, f"{match[1]}#{value}")
            elif not on_stack and (match := re.fullmatch(r"#(-?\d+\.\d+)", operand)):
                for scaled in (-float(match[1]), 2 * float(match[1])):
                    yield "immediate", instruction.with_operand(index, f"#{scaled:.8f}")

    def _size(self, instruction: Instruction) -> int:
        first = instruction.operands[0].lstrip("{ ")
        return {"x": 8, "d": 8, "q": 16, "v": 16, "b": 1, "h": 2}.get(first[0], 4)

    def _addresses(self, instruction: Instruction, index: int) -> Iterator[Proposal]:
        operand, size = instruction.operands[index], self._size(instruction)
        if match := re.fullmatch(rf"\[(\w+)(?:, #({_NUMBER}))?\](!?)", operand):
            for amount in (size, -size, 4, -4):
                offset = int(match[2] or "0", 0) + amount
                yield "addressing", instruction.with_operand(index, f"[{match[1]}, #{offset}]{match[3]}")
        elif match := re.fullmatch(r"\[(\w+), (\w+)(?:, (lsl|sxtw|uxtw)(?: #(\d))?)?\]", operand):
            base, offset_name, how, shift = match.groups()
            if shift:
                ending = f", {how}" if how in ("sxtw", "uxtw") else ""
                yield "addressing", instruction.with_operand(index, f"[{base}, {offset_name}{ending}]")
            elif how is None:
                log = size.bit_length() - 1
                yield "addressing", instruction.with_operand(index, f"[{base}, {offset_name}, lsl #{log}]")
            if how in ("sxtw", "uxtw"):
                other = "uxtw" if how == "sxtw" else "sxtw"
                tail = f" #{shift}" if shift else ""
                yield "addressing", instruction.with_operand(index, f"[{base}, {offset_name}, {other}{tail}]")
        elif match := re.fullmatch(r"\[(\w+), :lo12:([\w.$]+?)([+-]\d+)?\]", operand):
            for amount in (size, -size):
                total = int(match[3] or 0) + amount
                yield "addressing", instruction.with_operand(index, f"[{match[1]}, :lo12:{match[2]}{total:+d}]")

    def _swaps(self, instruction: Instruction) -> Iterator[Proposal]:
        mnemonic, ops = instruction.mnemonic, instruction.operands
        if mnemonic not in _A64_ORDERED or len(ops) < 2:
            return
        registers = [i for i, o in enumerate(ops) if re.fullmatch(r"[wxsdqvbh]\d+(\.\w+)?", o)]
        pair = registers[:2] if mnemonic in ("cmp", "fcmp", "stp", "ldp", "mov", "fmov") else registers[1:3]
        if len(pair) == 2 and ops[pair[0]] != ops[pair[1]] and ops[pair[0]][0] == ops[pair[1]][0]:
            yield "operand swap", str(replace(instruction, operands=_swapped(ops, pair[0], pair[1])))

    def _widths(self, instruction: Instruction) -> Iterator[Proposal]:
        mnemonic, ops = instruction.mnemonic, instruction.operands
        if mnemonic in _A64_WIDTHS:
            other = _A64_WIDTHS[mnemonic]
            changed = list(ops)
            if mnemonic in ("ldrsw", "ldpsw", "sxtw"):
                changed = [re.sub(r"^x(?=\d)", "w", o) for o in ops]
            yield "width", str(Instruction(other, tuple(changed)))
            return
        letters = {o[0] for o in ops if re.fullmatch(r"[wx](\d+|zr)", o)}
        if letters == {"w"} or letters == {"x"}:
            swap = {"w": "x", "x": "w"}
            changed = [swap[o[0]] + o[1:] if re.fullmatch(r"[wx](\d+|zr)", o) else o for o in ops]
            yield "width", str(replace(instruction, operands=tuple(changed)))
        if mnemonic in ("ldr", "str", "ldur", "stur") and ops[0][0] in "sdq":
            for letter in {"s": "dh", "d": "s", "q": "d"}[ops[0][0]]:
                yield "width", instruction.with_operand(0, letter + ops[0][1:])
        if all(re.fullmatch(r"[sd]\d+", o) for o in ops) and len({o[0] for o in ops}) == 1:
            changed = [("d" if o[0] == "s" else "s") + o[1:] for o in ops]
            yield "width", str(replace(instruction, operands=tuple(changed)))

    def _lanes(self, instruction: Instruction) -> Iterator[Proposal]:
        if instruction.mnemonic in _A64_LANES:
            yield "lane", instruction.named(_A64_LANES[instruction.mnemonic])
        text = str(instruction)
        for wide, narrow in ((".4s", ".2s"), (".16b", ".8b"), (".8h", ".4h")):
            if wide in text and not re.search(r"\.2d", text):
                yield "lane", text.replace(wide, narrow)
        for index, operand in enumerate(instruction.operands):
            if match := re.fullmatch(r"(\{? ?v\d+\.[bhsd] ?\}?)\[(\d+)\]", operand):
                yield "lane", instruction.with_operand(index, f"{match[1]}[{int(match[2]) ^ 1}]")


# --- RISC-V ---------------------------------------------------------------------------------------------------------

_RV_CONDITIONS = {
    "beq": ("bne",), "bne": ("beq",), "blt": ("bge", "ble", "bltu"), "bge": ("blt", "bgt", "bgeu"),
    "bltu": ("bgeu", "bleu", "blt"), "bgeu": ("bltu", "bgtu", "bge"), "beqz": ("bnez",), "bnez": ("beqz",),
    "blez": ("bltz", "bgtz"), "bgtz": ("bgez", "blez"), "bltz": ("blez", "bgez"), "bgez": ("bgtz", "bltz"),
    "flt.s": ("fle.s",), "fle.s": ("flt.s",), "feq.s": ("fle.s",), "flt.d": ("fle.d",), "fle.d": ("flt.d",),
    "feq.d": ("fle.d",), "slt": ("sltu",), "sltu": ("slt",), "slti": ("sltiu",), "sltiu": ("slti",),
    "seqz": ("snez",), "snez": ("seqz",), "sltz": ("sgtz",), "sgtz": ("sltz",),
}  # fmt: skip
_RV_OPERATORS = {
    "add": ("sub",), "sub": ("add",), "addw": ("subw",), "subw": ("addw",), "mul": ("add",), "mulw": ("addw",),
    "and": ("or",), "or": ("and", "xor"), "xor": ("or",), "andi": ("ori",), "ori": ("andi",), "xori": ("ori",),
    "slli": ("srli",), "srli": ("slli", "srai"), "srai": ("srli",), "slliw": ("srliw",), "srliw": ("slliw", "sraiw"),
    "sraiw": ("srliw",), "neg": ("not",), "not": ("neg",), "negw": ("not",), "mulhu": ("mulh",), "mulh": ("mulhu",),
    "fadd": ("fsub", "fmul"), "fsub": ("fadd",), "fmul": ("fadd", "fdiv"), "fdiv": ("fmul",), "fmax": ("fmin",),
    "fmin": ("fmax",), "fmadd": ("fmsub",), "fmsub": ("fmadd",), "fabs": ("fneg",), "fneg": ("fabs",),
    "fsgnjx": ("fsgnj",), "divu": ("div",), "div": ("divu",), "remu": ("rem",), "rem": ("remu",), "divuw": ("divw",),
    "vfadd": ("vfsub", "vfmul"), "vfsub": ("vfadd",), "vfmul": ("vfadd",), "vadd": ("vsub",), "vsub": ("vadd",),
    "vfmax": ("vfmin",), "vfmin": ("vfmax",), "vmul": ("vadd",), "vfdiv": ("vfmul",), "vmflt": ("vmfle",),
    "vmfle": ("vmflt",), "vmfgt": ("vmfge",), "vmfge": ("vmfgt",), "vmand": ("vmor",), "vmor": ("vmand",),
}  # fmt: skip
_RV_WIDTHS = {
    "addiw": ("addi",), "addw": ("add",), "subw": ("sub",), "mulw": ("mul",), "add": ("addw",), "sub": ("subw",),
    "mul": ("mulw",), "slli": ("slliw",), "srli": ("srliw",), "srliw": ("srli",), "lw": ("lwu", "ld"), "lwu": ("lw",),
    "ld": ("lw",), "sw": ("sh", "sd"), "sd": ("sw",), "flw": ("fld",), "fld": ("flw",), "fsw": ("fsd",),
    "fsd": ("fsw",), "lb": ("lbu",), "lbu": ("lb",), "lh": ("lhu",), "lhu": ("lh",), "fmv.s": ("fmv.d",),
    "fcvt.s.w": ("fcvt.s.wu", "fcvt.s.l"), "fcvt.s.wu": ("fcvt.s.w",), "vle32.v": ("vle64.v",), "sb": ("sh",),
    "vse32.v": ("vse64.v",), "fadd.s": ("fadd.d",), "fmul.s": ("fmul.d",), "fsub.s": ("fsub.d",),
}  # fmt: skip
_RV_ORDERED = re.compile(
    r"sub|subw|fsub\.\w|fdiv\.\w|div\w*|rem\w*|sl[tl]u?w?|sr[al]w?|f(lt|le)\.\w|b(lt|ge)u?|mv|fmv\.\w|vfsub\.vv|vsub\.vv"
)
_RV_STACKED = re.compile(r"ret|call|tail|j|jr|jal|jalr|nop|ebreak|unimp")
_RV_STORES = re.compile(r"s[bhwd]|fs[wd]|vs\w*\d+\.v")


class _RV(_Rules):
    def names_in(self, operand: str) -> list[str]:
        return re.findall(r"(?<![\w%.])(?:f?[ast]\d+|v\d+|ft\d+|fs\d+|fa\d+)\b", operand)

    def register_class(self, name: str) -> str:
        return "f" if name[0] == "f" else "v" if name[0] == "v" else "x"

    def propose(self, instruction: Instruction, registers: Mapping[str, Sequence[str]]) -> Iterator[Proposal]:
        mnemonic, ops = instruction.mnemonic, instruction.operands
        for other in _RV_CONDITIONS.get(mnemonic, ()):
            yield "condition", instruction.named(other)
        if _RV_STACKED.fullmatch(mnemonic) or any(re.search(r"\b(sp|ra)\b", o) for o in ops):
            return
        stem, dot, ending = mnemonic.partition(".")
        for other in _RV_OPERATORS.get(stem, ()):
            yield "operator", instruction.named(other + dot + ending)
        if mnemonic == "add" and ops[1] == ops[2]:
            yield "operator", f"mv {ops[0]}, {ops[1]}"
        for index, operand in enumerate(ops):
            if re.fullmatch(_NUMBER, operand):
                for value in _numbers(int(operand, 0)):
                    yield "immediate", instruction.with_operand(index, str(value))
            elif match := re.fullmatch(rf"({_NUMBER})\((\w+)\)", operand):
                size = 8 if mnemonic.endswith("d") else 4
                for amount in (size, -size):
                    yield "addressing", instruction.with_operand(index, f"{int(match[1], 0) + amount}({match[2]})")
            elif match := re.fullmatch(r"(%(?:hi|lo)\()([\w.$]+)([+-]\d+)?(\)(?:\(\w+\))?)", operand):
                amounts = (4, -4) if "lo" in match[1] else (4096, -4096)
                for amount in amounts:
                    total = int(match[3] or 0) + amount
                    changed = f"{match[1]}{match[2]}{total:+d}{match[4]}"
                    yield "addressing", instruction.with_operand(index, changed)
        if match := re.fullmatch(r"sh([123])add", mnemonic):
            yield "addressing", instruction.named(f"sh{int(match[1]) % 3 + 1}add")
        if _RV_ORDERED.fullmatch(mnemonic):
            first, second = (0, 1) if mnemonic.startswith(("b", "mv", "fmv.s", "fmv.d")) else (1, 2)
            if len(ops) > second and ops[first] != ops[second]:
                yield "operand swap", str(replace(instruction, operands=_swapped(ops, first, second)))
        for other in _RV_WIDTHS.get(mnemonic, ()):
            yield "width", instruction.named(other)
        if mnemonic.startswith("b"):
            yield from self.other_registers(instruction, registers, skip="v0")
            return
        yield "deleted store" if _RV_STORES.fullmatch(mnemonic) else "deleted instruction", ""
        yield from self.other_registers(instruction, registers, skip="v0")


_RULES: Mapping[str, _Rules] = {"x86_64": _X86(), "aarch64": _A64(), "riscv64": _RV()}
