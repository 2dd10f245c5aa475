"""Proofs that a mutant computes what the original computes, from the values that general registers of x86-64 can have.

The original is interpreted over abstract states: for each register and each of its widths the known bits and the
unsigned and the signed interval, and which registers hold the same value up to a constant. Whatever an instruction
that is not modelled may write is forgotten, and so is all memory. A mutated line is harmless when, in every state that
can come up before it, the original and the mutated instruction leave the same in all bits and conditions that are read
later; a store is harmless when its bytes are overwritten before anything can look at them.

Why agreement on what is read later is enough: liveness is computed with the reads of both instructions and the writes
that both make, so the two runs agree on every live bit at every line, as long as they agree behind the mutated one.
The states are those of the original, which such a mutant shares. What is relied on is that compilers' code keeps to
the psABI: a function returns to its caller, preserves what it has to, and nobody looks at the flags behind a call.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .mutants import Instruction, Mutant, parse, without_comment, x86_register

WIDTHS = (8, 16, 32, 64)
_AT = {8: 0, 16: 1, 32: 2, 64: 3}
_BITS = {"b": 8, "w": 16, "l": 32, "q": 64}
_ALL = (1 << 64) - 1
_LOW = 0xFFFFFFFF
GENERAL = (
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
)  # fmt: skip
_PRESERVED = ("rbx", "rbp", "rsp", "r12", "r13", "r14", "r15")
_CLOBBERED = tuple(r for r in GENERAL if r not in _PRESERVED)
_PASSED = ("rdi", "rsi", "rdx", "rcx", "r8", "r9", "rax", "r10")
"""What a call may read: arguments, the number of vector registers of a variadic call, the static chain."""
MAX_LINES = 20_000
_SLOW = 3
"""Visits of a loop's head before its values are widened."""
_HASTY = 40
"""Visits before what still changes is forgotten."""


class GiveUpError(Exception):
    """The code holds something whose control flow is not understood."""


# --- values ---------------------------------------------------------------------------------------------------------


class Val(NamedTuple):
    """A set of integers of some width: those in both intervals with these bits."""

    lo: int
    hi: int
    slo: int
    shi: int
    zeros: int
    ones: int

    @property
    def const(self) -> int | None:
        return self.lo if self.lo == self.hi else None


@functools.lru_cache(1 << 17)
def val(
    width: int,
    lo: int = 0,
    hi: int | None = None,
    slo: int | None = None,
    shi: int | None = None,
    zeros: int = 0,
    ones: int = 0,
) -> Val | None:
    """The value with each part sharpened by the others; None when it is empty."""
    full, half = 1 << width, 1 << (width - 1)
    mask = full - 1
    hi = mask if hi is None else hi
    slo = -half if slo is None else slo
    shi = half - 1 if shi is None else shi
    for _ in range(3):
        lo, hi = max(lo, ones), min(hi, mask & ~zeros)
        if zeros & ones or lo > hi or slo > shi:
            return None
        unknown = mask & ~(zeros | ones)
        step = unknown & -unknown if unknown else full
        lo += (ones - lo) % step
        hi -= (hi - ones) % step
        if lo > hi:
            return None
        if hi < half:
            slo, shi = max(slo, lo), min(shi, hi)
        elif lo >= half:
            slo, shi = max(slo, lo - full), min(shi, hi - full)
        if slo > shi:
            return None
        if slo >= 0:
            lo, hi = max(lo, slo), min(hi, shi)
        elif shi < 0:
            lo, hi = max(lo, slo + full), min(hi, shi + full)
        if lo > hi:
            return None
        low_bits = (lo ^ hi).bit_length()
        prefix = mask >> low_bits << low_bits
        zeros |= ~lo & prefix
        ones |= lo & prefix
        if zeros & ones:
            return None
    return Val(lo, hi, slo, shi, zeros, ones)


def top(width: int) -> Val:
    return _some(val(width))


def constant(width: int, number: int) -> Val:
    number &= (1 << width) - 1
    return _some(val(width, number, number))


def _some(value: Val | None) -> Val:
    if value is None:
        raise GiveUpError
    return value


def meet(width: int, a: Val, b: Val) -> Val | None:
    if a == b:
        return a
    return val(
        width, max(a.lo, b.lo), min(a.hi, b.hi), max(a.slo, b.slo), min(a.shi, b.shi), a.zeros | b.zeros,
        a.ones | b.ones,
    )  # fmt: skip


def join(width: int, a: Val, b: Val) -> Val:
    if a == b:
        return a
    return _some(
        val(
            width, min(a.lo, b.lo), max(a.hi, b.hi), min(a.slo, b.slo), max(a.shi, b.shi), a.zeros & b.zeros,
            a.ones & b.ones,
        )
    )  # fmt: skip


def includes(a: Val, b: Val) -> bool:
    """Whether every integer that ``b`` allows is one that ``a`` allows (each part for itself)."""
    return (
        a.lo <= b.lo
        and b.hi <= a.hi
        and a.slo <= b.slo
        and b.shi <= a.shi
        and not a.zeros & ~b.zeros
        and not a.ones & ~b.ones
    )


def _bounded(width: int, low: int, high: int, *, signed: bool) -> dict[str, int]:
    """Bounds of a number that is cut to a width, where cutting takes the same multiple from all of them."""
    full = 1 << width
    start = -(full >> 1) if signed else 0
    turns = (low - start) // full
    if turns != (high - start) // full:
        return {}
    low, high = low - turns * full, high - turns * full
    return {"slo": low, "shi": high} if signed else {"lo": low, "hi": high}


def v_sum(width: int, a: Val, b: Val, carry: int = 0) -> Val:
    """``a + b + carry``. Known bits as LLVM's KnownBits computes them: from the least and the greatest carries."""
    mask = (1 << width) - 1
    most = (mask & ~a.zeros) + (mask & ~b.zeros) + carry
    least = a.ones + b.ones + carry
    # a bit of a sum is a ^ b ^ carry, and ``~zeros`` is the greatest operand
    carry_zero = ~(most ^ (mask & ~a.zeros) ^ (mask & ~b.zeros))
    carry_one = least ^ a.ones ^ b.ones
    known = (a.zeros | a.ones) & (b.zeros | b.ones) & (carry_zero | carry_one) & mask
    bounds = {
        **_bounded(width, a.lo + b.lo + carry, a.hi + b.hi + carry, signed=False),
        **_bounded(width, a.slo + b.slo + carry, a.shi + b.shi + carry, signed=True),
    }
    return _some(val(width, zeros=~most & known & mask, ones=least & known & mask, **bounds))


def v_not(width: int, a: Val) -> Val:
    mask = (1 << width) - 1
    return Val(mask - a.hi, mask - a.lo, -1 - a.shi, -1 - a.slo, a.ones, a.zeros)


def v_difference(width: int, a: Val, b: Val) -> Val:
    bits = v_sum(width, a, v_not(width, b), 1)
    bounds = {
        **_bounded(width, a.lo - b.hi, a.hi - b.lo, signed=False),
        **_bounded(width, a.slo - b.shi, a.shi - b.slo, signed=True),
    }
    return _some(val(width, zeros=bits.zeros, ones=bits.ones, **bounds))


def v_and(width: int, a: Val, b: Val) -> Val:
    return _some(val(width, 0, min(a.hi, b.hi), zeros=a.zeros | b.zeros, ones=a.ones & b.ones))


def v_or(width: int, a: Val, b: Val) -> Val:
    high = (1 << max(a.hi.bit_length(), b.hi.bit_length())) - 1
    return _some(val(width, max(a.lo, b.lo), high, zeros=a.zeros & b.zeros, ones=a.ones | b.ones))


def v_xor(width: int, a: Val, b: Val) -> Val:
    high = (1 << max(a.hi.bit_length(), b.hi.bit_length())) - 1
    zeros = (a.zeros & b.zeros) | (a.ones & b.ones)
    return _some(val(width, 0, high, zeros=zeros, ones=(a.zeros & b.ones) | (a.ones & b.zeros)))


def v_product(width: int, a: Val, b: Val) -> Val:
    corners = [x * y for x in (a.slo, a.shi) for y in (b.slo, b.shi)]
    even = _trailing(width, a) + _trailing(width, b)
    bounds = {
        **_bounded(width, a.lo * b.lo, a.hi * b.hi, signed=False),
        **_bounded(width, min(corners), max(corners), signed=True),
    }
    return _some(val(width, zeros=(1 << min(even, width)) - 1, **bounds))


def _trailing(width: int, a: Val) -> int:
    """How many low bits are known to be zero."""
    maybe = (1 << width) - 1 & ~a.zeros
    return (maybe & -maybe).bit_length() - 1 if maybe else width


def v_shl(width: int, a: Val, count: int) -> Val:
    mask = (1 << width) - 1
    bounds = {
        **_bounded(width, a.lo << count, a.hi << count, signed=False),
        **_bounded(width, a.slo << count, a.shi << count, signed=True),
    }
    return _some(val(width, zeros=(a.zeros << count | (1 << count) - 1) & mask, ones=a.ones << count & mask, **bounds))


def v_shr(width: int, a: Val, count: int) -> Val:
    mask = (1 << width) - 1
    zeros = a.zeros >> count | (mask & ~(mask >> count))
    return _some(val(width, a.lo >> count, a.hi >> count, zeros=zeros, ones=a.ones >> count))


def v_sar(width: int, a: Val, count: int) -> Val:
    mask, sign = (1 << width) - 1, 1 << (width - 1)
    filled = mask & ~(mask >> count)
    zeros = a.zeros >> count | (filled if a.zeros & sign else 0)
    ones = a.ones >> count | (filled if a.ones & sign else 0)
    return _some(val(width, slo=a.slo >> count, shi=a.shi >> count, zeros=zeros, ones=ones))


def narrowed(a: Val, width: int) -> Val:
    """The low bits."""
    mask = (1 << width) - 1
    bounds = {**_bounded(width, a.lo, a.hi, signed=False), **_bounded(width, a.slo, a.shi, signed=True)}
    if "lo" not in bounds and (a.slo >= 0 or a.shi < 0):
        bounds.update(_bounded(width, a.slo, a.shi, signed=False))
    return _some(val(width, zeros=a.zeros & mask, ones=a.ones & mask, **bounds))


def zero_extended(a: Val, source: int, width: int) -> Val:
    upper = (1 << width) - (1 << source)
    return _some(val(width, a.lo, a.hi, zeros=a.zeros | upper, ones=a.ones))


def sign_extended(a: Val, source: int, width: int) -> Val:
    upper, sign = (1 << width) - (1 << source), 1 << (source - 1)
    zeros = a.zeros & ~sign | (upper | sign if a.zeros & sign else 0)
    ones = a.ones & ~sign | (upper | sign if a.ones & sign else 0)
    return _some(val(width, slo=a.slo, shi=a.shi, zeros=zeros, ones=ones))


# --- registers ------------------------------------------------------------------------------------------------------

Name = tuple[int, int]
"""Which value: a number that stands for an expression, and a constant added to it, modulo the width."""
_ZERO = 0
"""The expression 0, so that constants are names as well."""
_MAX_TERMS = 6


class Word(NamedTuple):
    """What is known of a register, by width."""

    vals: tuple[Val, Val, Val, Val]
    names: tuple[Name, Name, Name, Name]

    def val(self, width: int) -> Val:
        return self.vals[_AT[width]]

    def name(self, width: int) -> Name:
        return self.names[_AT[width]]


_TOPS = tuple(top(w) for w in WIDTHS)


def _word(vals: Sequence[Val], names: Sequence[Name]) -> Word | None:
    """A word whose widths sharpen each other, or None when it is empty."""
    v = list(vals)
    for index in (2, 1, 0):
        low = meet(WIDTHS[index], v[index], narrowed(v[index + 1], WIDTHS[index]))
        if low is None:
            return None
        v[index] = low
    for index in (1, 2, 3):
        width, narrow = WIDTHS[index], WIDTHS[index - 1]
        below, above = v[index - 1], v[index]
        new = val(width, *above[:4], above.zeros | below.zeros, above.ones | below.ones)
        if new is not None and new.hi >> narrow == 0:
            new = meet(width, new, zero_extended(below, narrow, width))
        elif new is not None and new.slo >= -(1 << (narrow - 1)) and new.shi < 1 << (narrow - 1):
            new = meet(width, new, sign_extended(below, narrow, width))
        if new is None:
            return None
        v[index] = new
    return Word((v[0], v[1], v[2], v[3]), (names[0], names[1], names[2], names[3]))


def _sure(word: Word | None) -> Word:
    if word is None:
        raise GiveUpError
    return word


class Names:
    """Numbers for expressions. The same expression over the same numbers has the same number."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[object, ...], int] = {}
        self._linear: dict[int, tuple[tuple[int, int], ...]] = {_ZERO: ()}

    def of(self, *expression: object) -> int:
        return self._numbers.setdefault(expression, len(self._numbers) + 1)

    def opaque(self, *expression: object) -> Name:
        return self.of(*expression), 0

    def linear(self, width: int, parts: Iterable[tuple[Name, int]], offset: int = 0) -> Name:
        """A sum of names times factors, in a form that does not depend on how it came about."""
        mask = (1 << width) - 1
        terms: dict[int, int] = {}
        for (number, added), factor in parts:
            offset += added * factor
            for inner, times in self._linear.get(number, ((number, 1),)):
                terms[inner] = (terms.get(inner, 0) + times * factor) & mask
        sum_ = tuple(sorted((n, f) for n, f in terms.items() if f))
        if not sum_:
            return _ZERO, offset & mask
        if len(sum_) == 1 and sum_[0][1] == 1:
            return sum_[0][0], offset & mask
        number = self.of("linear", width, sum_)
        if len(sum_) <= _MAX_TERMS:
            self._linear[number] = sum_
        return number, offset & mask


class Flags(NamedTuple):
    """What set the flags last: ``kind`` is sub, add, or result (only zero and sign are those of ``result``)."""

    kind: str
    width: int
    left: Word
    right: Word
    result: Word
    carry: bool
    """Whether the carry comes from here as well."""
    masked: tuple[Word, int] | None = None
    """For ``test $mask, register`` the register."""


@dataclass
class State:
    """All that is known at a point of the code."""

    registers: dict[str, Word]
    flags: Flags | None = None

    def copy(self) -> State:
        return State(dict(self.registers), self.flags)


# --- code -----------------------------------------------------------------------------------------------------------

_SYNONYMS = {
    "c": "b", "nc": "ae", "z": "e", "nz": "ne", "na": "be", "nbe": "a", "nae": "b", "nb": "ae", "ng": "le",
    "nge": "l", "nl": "ge", "nle": "g", "pe": "p", "po": "np",
}  # fmt: skip
_NEGATED = {"ne": "e", "ae": "b", "a": "be", "ge": "l", "g": "le", "ns": "s", "no": "o", "np": "p"}
_BASIC = frozenset({*_NEGATED.values()})
_DATA = re.compile(r"\.(long|quad|word|int|short|byte|value|2byte|4byte|8byte|hword|uleb128|sleb128)\b")
_MEMORY = re.compile(r"(?P<disp>[^()]*)\((?P<base>%\w+)?(?:,\s*(?P<index>%\w+)?(?:,\s*(?P<scale>\d))?)?\)")
_HARMLESS = re.compile(r"nop\w*|endbr64|pause|mfence|lfence|sfence|prefetch\w*")
_ENDS = ("ret", "retq", "ud2", "hlt")


def condition(text: str) -> tuple[str, bool] | None:
    """One of the basic conditions, and whether it is to hold; None for other suffixes."""
    text = _SYNONYMS.get(text, text)
    if text in _BASIC:
        return text, True
    return (_NEGATED[text], False) if text in _NEGATED else None


class Memory(NamedTuple):
    """A memory operand taken apart."""

    symbol: str
    disp: int
    base: str | None
    times: str | None
    scale: int


def memory(operand: str) -> Memory | None:
    """None for registers, immediates and what is written in another way."""
    if operand[:1] in "%$*" or not operand:
        return None
    match = _MEMORY.fullmatch(operand)
    text = match["disp"] if match else operand
    symbol, disp = "", 0
    for sign, part in re.findall(r"([+-]?)([^+-]+)", text.replace(" ", "")):
        if re.fullmatch(r"0x[0-9a-fA-F]+|\d+", part):
            disp += (-1 if sign == "-" else 1) * int(part, 0)
        elif symbol or sign == "-" or not re.fullmatch(r"[\w.$@]+", part):
            return None
        else:
            symbol = part
    if match is None:
        return Memory(symbol, disp, None, None, 1)
    base = match["base"] and match["base"][1:]
    index = match["index"] and match["index"][1:]
    for register in (base, index):
        if register and register != "rip" and (x86_register(f"%{register}") or ("", 0))[1] != 64:
            return None
    return Memory(symbol, disp, base, index, int(match["scale"] or 1))


def is_memory(operand: str) -> bool:
    return operand[:1] not in ("%", "$") or ":" in operand


class Program:
    """The instructions of all functions of a file, and where each can go on."""

    def __init__(self, assembly: str) -> None:
        lines = assembly.splitlines()
        if len(lines) > MAX_LINES:
            raise GiveUpError
        self.code: list[Instruction] = []
        self.lines: list[int] = []
        self.labels: dict[str, int] = {}
        self.numbers: set[int] = set()
        gaps: set[int] = set()
        self._global: set[str] = set()
        mentioned: set[str] = set()
        for number, raw in enumerate(lines, 1):
            text = without_comment(raw, "x86_64")
            if not text:
                continue
            if text.endswith(":"):
                if text[:-1] in self.labels or text[:-1].isdigit():
                    raise GiveUpError
                self.labels[text[:-1]] = len(self.code)
                continue
            if text.startswith("."):
                word = text.split()[0]
                if word in (".globl", ".global", ".weak"):
                    self._global |= set(re.split(r"[\s,]+", text)[1:])
                elif word in (".text", ".section", ".data", ".bss", ".previous", ".pushsection", ".popsection"):
                    gaps.add(len(self.code))
                elif word in (".set", ".equ", ".macro", ".include", ".rept", ".incbin", ".org", ".intel_syntax"):
                    raise GiveUpError
                elif _DATA.match(text):
                    gaps.add(len(self.code))
                    mentioned |= set(re.findall(r"[\w.$]+", text)[1:])
                continue
            instruction = parse(raw, "x86_64")
            if instruction is None or not self._plain(instruction, text):
                raise GiveUpError
            self.code.append(instruction)
            self.lines.append(number)
            branch = instruction.mnemonic.startswith(("j", "call"))
            for operand in instruction.operands:
                if not branch or operand.startswith("*"):
                    mentioned |= set(re.findall(r"[A-Za-z_.][\w.$]*", operand))
                for digits in re.findall(r"-?\b(?:0x[0-9a-fA-F]+|\d+)\b", operand):
                    self.numbers.add(int(digits, 0))
        self.gaps = gaps
        inside = {label: at for label, at in self.labels.items() if at < len(self.code)}
        self.taken = {at for label, at in inside.items() if label in mentioned}
        """Places whose address is taken: an indirect jump may lead there."""
        self.starts = {
            at for label, at in inside.items() if label in self._global or (label in mentioned and label[:2] != ".L")
        }
        """Functions that are called from outside or through pointers. No pointer leaves with a local label."""
        self.calls: dict[int, int | None] = {}
        """By place of a call: the function called, where it is one of this file."""
        self.succ: list[tuple[int, ...]] = []
        self.leaves: set[int] = set()
        """Jumps out of the file, or maybe out of it."""
        for at, instruction in enumerate(self.code):
            self.succ.append(self._successors(at, instruction))

    def _plain(self, instruction: Instruction, text: str) -> bool:
        name = instruction.mnemonic
        if ";" in text or name.endswith(":") or not re.fullmatch(r"[a-z][a-z0-9]*", name) or "=" in text:
            return False
        return not re.match(r"(rep\w*|lock|bnd|notrack|data16|cs)$", name) or not any(
            re.match(r"ret|j|call", o) for o in instruction.operands
        )

    def _successors(self, at: int, instruction: Instruction) -> tuple[int, ...]:
        name, ops = instruction.mnemonic, instruction.operands
        if name in _ENDS:
            return ()
        if name in ("jmp", "jmpq"):
            if ops[0].startswith("*"):
                self.leaves.add(at)
                return tuple(sorted(self.taken))
            return self._target(at, ops[0], may_leave=True)
        if name.startswith(("call", "syscall", "sysenter", "int")):
            if not name.startswith("call"):
                raise GiveUpError
            self.calls[at] = self.labels.get(ops[0].removesuffix("@PLT"))
        target: tuple[int, ...] = ()
        if name.startswith(("j", "loop", "xbegin")):
            if condition(name[1:]) is None:
                raise GiveUpError
            target = self._target(at, ops[0], may_leave=True)
        if at + 1 >= len(self.code) or at + 1 in self.gaps:
            raise GiveUpError
        return (at + 1, *target)

    def _target(self, at: int, label: str, *, may_leave: bool) -> tuple[int, ...]:
        label = label.removesuffix("@PLT")
        if label in self.labels:
            place = self.labels[label]
            if place >= len(self.code):
                raise GiveUpError
            return (place,)
        if not re.fullmatch(r"[A-Za-z_][\w$]*", label) or not may_leave:
            raise GiveUpError
        self.leaves.add(at)
        return ()


# --- transfer -------------------------------------------------------------------------------------------------------

_ARITHMETIC = re.compile(r"(add|sub|cmp|test|and|or|xor|inc|dec|neg|not|shl|sal|shr|sar|imul)([bwlq])")
_EXTEND = re.compile(r"mov([zs])([bwl])([wlq])")
_VECTOR = re.compile(r"%[xyz]mm\d")
_WIDER = {"cltq": ("rax", 32, 64), "cwtl": ("rax", 16, 32)}


class Interpreter:
    """Executes instructions on abstract states."""

    def __init__(self) -> None:
        self.names = Names()

    # operands

    def anything(self, *what: object) -> Word:
        names = tuple(self.names.opaque("any", *what, w) for w in WIDTHS)
        return Word((_TOPS[0], _TOPS[1], _TOPS[2], _TOPS[3]), (names[0], names[1], names[2], names[3]))

    def constant(self, number: int) -> Word:
        vals = [constant(w, number) for w in WIDTHS]
        names = [(_ZERO, number & (1 << w) - 1) for w in WIDTHS]
        return Word((vals[0], vals[1], vals[2], vals[3]), (names[0], names[1], names[2], names[3]))

    def address(self, state: State, place: Memory) -> tuple[str, Name, Val]:
        """The symbol, the rest as a name and, without symbol, the value."""
        parts = [(r, f) for r, f in ((place.base, 1), (place.times, place.scale)) if r and r != "rip"]
        name = self.names.linear(64, [(state.registers[r].name(64), f) for r, f in parts], place.disp)
        value = constant(64, place.disp)
        for register, factor in parts:
            value = v_sum(64, value, v_product(64, state.registers[register].val(64), constant(64, factor)))
        symbol = f"{place.symbol}(%rip)" if place.base == "rip" else place.symbol
        return symbol, name, top(64) if symbol else value

    def read(self, state: State, operand: str, line: int) -> Word:
        """An operand; of one in memory, nothing above its width is to be looked at."""
        if operand.startswith("$"):
            text = operand[1:]
            if re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)", text):
                return self.constant(int(text, 0))
            return self.anything("immediate", text)
        if operand.startswith("%") and ":" not in operand:
            place = x86_register(operand)
            if place is None or place[1] == 9:
                return self.anything("operand", operand, line)
            return state.registers[place[0]]
        where = memory(operand)
        if where is None:
            return self.anything("load", operand, line)
        return self.anything("load", *self.address(state, where)[:2], line)

    def write(self, state: State, operand: str, width: int, word: Word) -> None:
        """Write the low bits of a word into a register; a memory operand is ignored."""
        place = x86_register(operand)
        if place is None or ":" in operand:
            return
        register, bits = place
        old = state.registers[register]
        if bits == 9:
            state.registers[register] = self.anything("partial", operand, word.name(8), old.name(64))
            return
        if width == 64:
            state.registers[register] = word
            return
        cut = _AT[width] + 1
        vals, names = list(word.vals[:cut]), list(word.names[:cut])
        if width == 32:
            vals.append(zero_extended(vals[2], 32, 64))
            # the whole word is the same as its lower half when nothing is above that
            names.append(word.name(64) if word.val(64).hi <= _LOW else self.extended("z", 32, 64, names[2]))
        else:
            mask = (1 << width) - 1
            for above in WIDTHS[cut:]:
                before, now = old.val(above), vals[cut - 1]
                vals.append(
                    _some(
                        val(
                            above,
                            before.lo & ~mask | now.lo,
                            before.hi & ~mask | now.hi,
                            zeros=before.zeros & ~mask | now.zeros,
                            ones=before.ones & ~mask | now.ones,
                        )
                    )
                )
                names.append(self.names.opaque("partial", above, width, old.name(above), names[cut - 1]))
        state.registers[register] = _sure(_word(vals, names))

    def extended(self, kind: str, source: int, width: int, name: Name) -> Name:
        if name[0] == _ZERO:
            number = name[1]
            if kind == "s" and number >> (source - 1):
                number += (1 << width) - (1 << source)
            return _ZERO, number
        return self.names.opaque(kind, source, width, name)

    def extend(self, kind: str, source: int, word: Word) -> Word:
        """A word whose upper part comes from zero or sign extension."""
        low = word.val(source)
        if low.hi < 1 << (source - 1):
            kind = "z"
        cut = _AT[source] + 1
        vals, names = list(word.vals[:cut]), list(word.names[:cut])
        for above in WIDTHS[cut:]:
            new = zero_extended(low, source, above) if kind == "z" else sign_extended(low, source, above)
            vals.append(new)
            before = word.val(above)
            same = before.hi >> source == 0 if kind == "z" else _signed_in(before, source)
            names.append(word.name(above) if same else self.extended(kind, source, above, word.name(source)))
        return _sure(_word(vals, names))

    # instructions

    def execute(self, state: State, instruction: Instruction, line: int) -> None:
        """Change the state as an instruction that is no jump does."""
        name, ops = instruction.mnemonic, instruction.operands
        if _HARMLESS.fullmatch(name):
            return
        if name.startswith("call"):
            for register in _CLOBBERED:
                state.registers[register] = self.anything("call", line, register)
            state.flags = None
            return
        if name in ("push", "pushq", "pop", "popq"):
            for register in ("rsp", *((x86_register(ops[0]) or ("rsp", 64))[0:1] if name.startswith("pop") else ())):
                state.registers[register] = self.anything("stack", line, register)
            return
        if match := re.fullmatch(r"set([a-z]+)", name):
            if (wanted := condition(match[1])) and len(ops) == 1:
                outcome = self.decide(state.flags, wanted)
                word = self._bit(outcome, line, str(instruction))
                self.write(state, ops[0], 8, word)
                return
        elif name in _WIDER and not ops:
            register, source, width = _WIDER[name]
            self._put(state, register, width, self.extend("s", source, state.registers[register]))
            return
        elif name in ("cltd", "cqto"):
            width = 32 if name == "cltd" else 64
            value = state.registers["rax"].val(width)
            sign = 0 if value.slo >= 0 else -1 if value.shi < 0 else None
            unknown = self.anything("sign", width, state.registers["rax"].name(width))
            self._put(state, "rdx", width, unknown if sign is None else self.constant(sign))
            return
        elif len(ops) == 2 and (match := _EXTEND.fullmatch(name)) and not _any_vector(ops):
            source, width = _BITS[match[2]], _BITS[match[3]]
            word = self.extend(match[1], source, self.read(state, ops[0], line))
            self.write(state, ops[1], width, word)
            return
        elif len(ops) == 2 and (match := re.fullmatch(r"(mov|movabs|lea)([bwlq])", name)) and not _any_vector(ops):
            width = _BITS[match[2]]
            word = self._lea(state, ops[0], line) if match[1] == "lea" else self.read(state, ops[0], line)
            self.write(state, ops[1], width, word)
            return
        elif (
            len(ops) == 2 and (match := re.fullmatch(r"cmov([a-z]+?)([wlq])", name)) and (wanted := condition(match[1]))
        ) or (len(ops) == 2 and (match := re.fullmatch(r"cmov([a-z]+)()", name)) and (wanted := condition(match[1]))):
            width = _BITS[match[2]] if match[2] else (x86_register(ops[1]) or ("", 64))[1]
            self._cmov(state, instruction, wanted, width, line)
            return
        elif match := _ARITHMETIC.fullmatch(name):
            if self._arithmetic(state, match[1], _BITS[match[2]], ops, line, str(instruction)):
                return
        elif len(ops) == 1 and (match := re.fullmatch(r"(i?div)([lq])", name)):
            self._divide(state, match[1], _BITS[match[2]], ops[0], line)
            return
        elif (match := re.fullmatch(r"(adc|sbb)([bwlq])", name)) and len(ops) == 2:
            width = _BITS[match[2]]
            word = self.anything("carry", line, str(instruction))
            self.write(state, ops[1], width, word)
            result = self.read(state, ops[1], line) if ops[1].startswith("%") else word
            state.flags = Flags("result", width, word, word, result, carry=False)
            return
        elif re.fullmatch(r"(bt|bts|btr|btc)[wlq]", name) and len(ops) == 2:
            if not name.startswith(("btl", "btw", "btq")):
                width = _BITS[name[-1]]
                self.write(state, ops[1], width, self.anything("bit", line, str(instruction)))
            state.flags = None
            return
        elif re.fullmatch(r"(bsf|bsr|tzcnt|lzcnt|popcnt|shld|shrd|bswap|rol|ror|mul)[wlq]", name):
            self._opaque(state, instruction, line)
            return
        elif _any_vector(ops) and not name.startswith(("pcmpe", "pcmpi")) | name.startswith("pcmpeq"):
            if place := x86_register(ops[-1]):
                state.registers[place[0]] = self.anything("vector", line, str(instruction))
            state.flags = None
            return
        self._forget(state, line, str(instruction))

    def _forget(self, state: State, line: int, text: str) -> None:
        """An instruction that is not known: nothing is left."""
        state.flags = None
        for register in GENERAL:
            state.registers[register] = self.anything("unknown", line, register, text)

    def _opaque(self, state: State, instruction: Instruction, line: int) -> None:
        """A known target, an unknown value."""
        name, ops = instruction.mnemonic, instruction.operands
        width = _BITS[name[-1]]
        state.flags = None
        if name.startswith("mul") or len(ops) == 0:
            for register in ("rax", "rdx"):
                self._put(state, register, width, self.anything("multiply", line, register, str(instruction)))
            return
        self.write(state, ops[-1], width, self.anything("computed", line, str(instruction)))

    def _put(self, state: State, register: str, width: int, word: Word) -> None:
        names = {64: f"%{register}", 32: f"%e{register[1:]}", 16: f"%{register[1:]}"}
        self.write(state, names[width], width, word)

    def _bit(self, outcome: bool | None, line: int, text: str) -> Word:
        if outcome is not None:
            return self.constant(int(outcome))
        word = self.anything("bit", line, text)
        return _sure(_word((_some(val(8, 0, 1)), *word.vals[1:]), word.names))

    def _lea(self, state: State, operand: str, line: int) -> Word:
        place = memory(operand)
        if place is None or ":" in operand:
            return self.anything("address", line, operand)
        parts = [(r, f) for r, f in ((place.base, 1), (place.times, place.scale)) if r and r != "rip"]
        if place.symbol or place.base == "rip":
            symbol, name, _ = self.address(state, place)
            return self.anything("address", symbol, name)
        vals, names = [], []
        for width in WIDTHS:
            value = constant(width, place.disp)
            for register, factor in parts:
                value = v_sum(
                    width, value, v_product(width, state.registers[register].val(width), constant(width, factor))
                )
            vals.append(value)
            sum_ = [(state.registers[r].name(width), f) for r, f in parts]
            names.append(self.names.linear(width, sum_, place.disp))
        return _sure(_word(vals, names))

    def _cmov(self, state: State, instruction: Instruction, wanted: tuple[str, bool], width: int, line: int) -> None:
        ops = instruction.operands
        words = []
        for holds, operand in ((True, ops[0]), (False, ops[1])):
            there = self.refined(state, (wanted[0], wanted[1] == holds))
            if there is not None:
                words.append(self.read(there, operand, line))
        if not words:  # nothing can come here at all
            words = [self.anything("cmov", line, str(instruction))]
        if len(words) == 2:
            one, other = words
            opaque = self.anything("cmov", line, str(instruction))
            vals = [join(w, one.val(w), other.val(w)) for w in WIDTHS]
            names = [one.name(w) if one.name(w) == other.name(w) else opaque.name(w) for w in WIDTHS]
            word = _sure(_word(vals, names))
        else:
            word = words[0]
        self.write(state, ops[1], width, word)

    def _divide(self, state: State, name: str, width: int, operand: str, line: int) -> None:
        divisor = self.read(state, operand, line)
        low, high = state.registers["rax"], state.registers["rdx"]
        by, number = divisor.val(width), low.val(width)
        quotient = self.anything("quotient", name, width, low.name(width), high.name(width), divisor.name(width))
        rest = self.anything("rest", name, width, low.name(width), high.name(width), divisor.name(width))
        half = 1 << (width - 1)
        simple = high.val(width).const == 0 and (name == "div" or (number.hi < half and by.hi < half))
        if simple:
            key = (width, low.name(width), divisor.name(width))
            quotient, rest = self.anything("unsigned quotient", *key), self.anything("unsigned rest", *key)
            at_most = number.hi // max(by.lo, 1)
            least = number.lo // by.hi if by.hi else 0
            quotient = self._limited(quotient, width, least, at_most)
            rest = self._limited(rest, width, 0, max(min(number.hi, by.hi - 1), 0))
        self._put(state, "rax", width, quotient)
        self._put(state, "rdx", width, rest)
        state.flags = None

    def _limited(self, word: Word, width: int, low: int, high: int) -> Word:
        vals = list(word.vals)
        vals[_AT[width]] = _some(val(width, low, max(low, high)))
        return _word(vals, word.names) or word

    def _arithmetic(self, state: State, stem: str, width: int, ops: Sequence[str], line: int, text: str) -> bool:
        """False when the form is not known."""
        if stem == "sal":
            stem = "shl"
        if stem == "imul" and len(ops) == 1:
            for register in ("rax", "rdx"):
                self._put(state, register, width, self.anything("multiply", line, register, text))
            state.flags = None
            return True
        if len(ops) == 1 and stem in ("shl", "shr", "sar"):
            ops = ("$1", *ops)
        if len(ops) == 1 and stem not in ("inc", "dec", "neg", "not"):
            return False
        if len(ops) == 3 and stem != "imul":
            return False
        if len(ops) not in (1, 2, 3):
            return False
        target = ops[-1]
        right = self.constant(1) if len(ops) == 1 else self.read(state, ops[0], line)
        left = self.read(state, ops[1] if len(ops) == 3 else target, line)
        if stem in ("shl", "shr", "sar"):
            self._shift(state, stem, width, ops, left, line, text)
            return True
        flags = state.flags
        zero = self.constant(0)
        if stem == "neg":
            left, right = zero, left
        same = len(ops) == 2 and ops[0] == ops[1] and not is_memory(ops[0])
        result = self.computed(stem, width, left, right, same=same)
        if stem not in ("cmp", "test"):
            self.write(state, target, width, result)
        if stem in ("add", "inc"):
            flags = Flags("add", width, left, right, result, carry=stem == "add")
        elif stem in ("sub", "cmp", "neg", "dec"):
            flags = Flags("sub", width, left, right, result, carry=stem != "dec")
        elif stem in ("and", "or", "xor", "test"):
            masked = None
            number = right.val(width).const
            if stem == "test" and number is not None:
                masked = left, number
            flags = Flags("sub", width, result, zero, result, carry=True, masked=masked)
        elif stem == "imul":
            flags = None
        state.flags = flags
        return True

    def computed(self, stem: str, width: int, a: Word, b: Word, *, same: bool = False) -> Word:
        """The result in all widths up to ``width`` and, where it is the same there, above."""
        if same and stem in ("sub", "xor", "cmp"):
            return self.constant(0)
        vals, names = [], []
        for w in WIDTHS:
            value, name = self._computed(stem, w, a.val(w), b.val(w), a.name(w), b.name(w))
            vals.append(value)
            names.append(name)
        if width < 64:
            # above the width only what fits it all is the value of the narrow operation
            cut = _AT[width] + 1
            opaque = self.anything("above", stem, width, a.names, b.names)
            for index in range(cut, 4):
                if vals[index].hi >> width:
                    vals[index], names[index] = _TOPS[index], opaque.names[index]
        return _sure(_word(vals, names))

    def _computed(self, stem: str, w: int, x: Val, y: Val, p: Name, q: Name) -> tuple[Val, Name]:
        names = self.names
        mask = (1 << w) - 1
        if stem in ("add", "inc"):
            return v_sum(w, x, y), names.linear(w, ((p, 1), (q, 1)))
        if stem in ("sub", "cmp", "neg", "dec"):
            return v_difference(w, x, y), names.linear(w, ((p, 1), (q, -1)))
        if stem == "not":
            return v_not(w, x), names.linear(w, ((p, -1),), -1)
        if stem == "imul":
            value = v_product(w, x, y)
            if (number := y.const) is not None:
                return value, names.linear(w, ((p, number),))
            if (number := x.const) is not None:
                return value, names.linear(w, ((q, number),))
            return value, names.opaque("product", w, *sorted((p, q)))
        some_x, some_y = mask & ~x.zeros, mask & ~y.zeros
        if stem in ("and", "test"):
            value = v_and(w, x, y)
            if not some_x & ~y.ones:
                return meet(w, value, x) or value, p
            if not some_y & ~x.ones:
                return meet(w, value, y) or value, q
        elif stem == "or":
            value = v_or(w, x, y)
            if not some_y & ~x.ones:
                return value, p
            if not some_x & ~y.ones:
                return value, q
        else:
            value = v_xor(w, x, y)
            if not some_x:
                return value, q
            if not some_y:
                return value, p
        if stem in ("or", "xor") and not some_x & some_y:
            return value, names.linear(w, ((p, 1), (q, 1)))
        if value.const is not None:
            return value, (_ZERO, value.const)
        return value, names.opaque("and" if stem == "test" else stem, w, *sorted((p, q)))

    def _shift(self, state: State, stem: str, width: int, ops: Sequence[str], word: Word, line: int, text: str) -> None:
        counter = self.constant(int(ops[0][1:], 0)) if ops[0].startswith("$") else self.read(state, "%cl", line)
        limit = 63 if width == 64 else 31
        count = counter.val(8).const
        if count is None:
            result = self._varied(stem, width, word, counter, limit)
            self.write(state, ops[-1], width, result)
            state.flags = None
            return
        count &= limit
        if count == 0:
            if width == 32:
                self.write(state, ops[-1], 32, word)
            return
        if count >= width:  # only for narrow ones
            self.write(state, ops[-1], width, self.anything("shifted", line, text))
            state.flags = None
            return
        result = self.shifted(stem, width, word, count)
        self.write(state, ops[-1], width, result)
        state.flags = Flags("result", width, result, result, result, carry=False)

    def _varied(self, stem: str, width: int, word: Word, counter: Word, limit: int) -> Word:
        """A shift by a count that is not constant."""
        counts = v_and(8, counter.val(8), constant(8, limit))
        value = word.val(width)
        if stem == "sar" and value.slo >= 0:
            stem = "shr"
        name = stem
        opaque = self.anything("varied", name, width, word.name(width), counter.name(8))
        vals = list(_TOPS)
        low, high = counts.lo, min(counts.hi, width - 1)
        if counts.hi >= width and stem != "shr":
            return opaque
        if stem == "shr":
            vals[_AT[width]] = _some(val(width, value.lo >> counts.hi, value.hi >> low))
        elif stem == "sar":
            corners = [v >> c for v in (value.slo, value.shi) for c in (low, high)]
            vals[_AT[width]] = _some(val(width, slo=min(corners), shi=max(corners)))
        else:
            bounds = _bounded(width, value.lo << low, value.hi << high, signed=False)
            if (value.hi << high) >> width:
                bounds = {}
            vals[_AT[width]] = _some(val(width, zeros=(1 << min(low + _trailing(width, value), width)) - 1, **bounds))
        return _word(vals, opaque.names) or opaque

    def shifted(self, stem: str, width: int, word: Word, count: int) -> Word:
        """A shift by a constant below the width."""
        value = word.val(width)
        if stem == "sar" and value.slo >= 0:
            stem = "shr"
        vals: list[Val] = []
        names: list[Name] = []
        if stem == "shl":
            for w in WIDTHS:
                if count >= w:
                    vals.append(constant(w, 0))
                    names.append((_ZERO, 0))
                else:
                    vals.append(v_shl(w, word.val(w), count))
                    names.append(self.names.linear(w, ((word.name(w), 1 << count),)))
        else:
            shift = v_shr if stem == "shr" else v_sar
            for w in WIDTHS:
                wide = word.val(max(w, width))
                fits = w != width and (
                    wide.hi >> min(w, width) == 0 if stem == "shr" else _signed_in(wide, min(w, width))
                )
                if w == width or (fits and count < w):
                    vals.append(shift(w, word.val(w), count))
                    names.append(self.names.opaque(stem, w, word.name(w), count))
                elif w < width:
                    vals.append(narrowed(shift(width, value, count), w))
                    # where no bit of the sign has come down, both kinds of shift are the same
                    kind = "shr" if count + w <= width else stem
                    names.append(self.names.opaque(kind, w, width, word.name(width), count))
                else:
                    vals.append(top(w))
                    names.append(self.names.opaque("above", stem, w, width, word.name(width), count))
        if width < 64:
            for index in range(_AT[width] + 1, 4):
                if vals[index].hi >> width:
                    vals[index] = _TOPS[index]
                    names[index] = self.names.opaque("above", stem, WIDTHS[index], width, word.name(width), count)
        names = [n if v.const is None else (_ZERO, v.const) for v, n in zip(vals, names, strict=True)]
        return _sure(_word(vals, names))

    # conditions

    def decide(self, flags: Flags | None, wanted: tuple[str, bool]) -> bool | None:
        """Whether a condition holds, where that follows."""
        forms = predicate(flags, wanted)
        if (True,) in forms:
            return True
        return False if (False,) in forms else None

    def refined(self, state: State, wanted: tuple[str, bool]) -> State | None:
        """The state in which a condition holds; None when it cannot."""
        flags = state.flags
        if flags is None:
            return state.copy()
        decided = self.decide(flags, wanted)
        if decided is not None:
            return state.copy() if decided else None
        new = state.copy()
        w = flags.width
        left, right, result = flags.left.val(w), flags.right.val(w), flags.result.val(w)
        name, holds = wanted
        changes: list[tuple[Word, int, Val | None]] = []
        zero = constant(w, 0)
        if name == "e":
            changes.append((flags.result, w, meet(w, result, zero) if holds else _without(w, result, 0)))
        elif name == "s":
            half = 1 << (w - 1)
            limits = val(w, slo=-half, shi=-1) if holds else val(w, slo=0, shi=half - 1)
            changes.append((flags.result, w, meet(w, result, _some(limits))))
        if flags.kind == "sub" and (flags.carry or name not in ("b", "be")):
            a, b = _compared(w, name, holds, left, right)
            changes += [(flags.left, w, a), (flags.right, w, b)]
            if name in ("b", "be") and not holds and a is not None and b is not None:
                changes.append((flags.result, w, meet(w, result, _some(val(w, 0, a.hi - b.lo)))))
        if flags.masked and name == "e":
            word, mask = flags.masked
            before = word.val(w)
            mask &= (1 << w) - 1
            if holds:
                changes.append((word, w, val(w, *before[:4], before.zeros | mask, before.ones)))
            elif mask and mask & (mask - 1) == 0:
                changes.append((word, w, val(w, *before[:4], before.zeros, before.ones | mask)))
        for word, width, value in changes:
            if value is None or not self._learn(new, word.name(width), width, value):
                return None
        return new

    def _learn(self, state: State, name: Name, width: int, value: Val) -> bool:
        """Hand on what became known of a value to all registers that hold it; False when that is impossible."""
        number, offset = name
        if number == _ZERO:
            return True
        at = _AT[width]
        for register, word in state.registers.items():
            theirs, added = word.names[at]
            if theirs != number:
                continue
            shifted = v_sum(width, value, constant(width, added - offset)) if added != offset else value
            new = meet(width, word.vals[at], shifted)
            if new is None:
                return False
            if new != word.vals[at]:
                vals = list(word.vals)
                vals[at] = new
                changed = _word(vals, word.names)
                if changed is None:
                    return False
                state.registers[register] = changed
        if state.flags is not None:
            flags = state.flags
            parts = {}
            for part in ("left", "right", "result"):
                word = getattr(flags, part)
                if word.names[at][0] == number:
                    shifted = v_sum(width, value, constant(width, word.names[at][1] - offset))
                    new = meet(width, word.vals[at], shifted)
                    if new is None:
                        return False
                    vals = list(word.vals)
                    vals[at] = new
                    changed = _word(vals, word.names)
                    if changed is None:
                        return False
                    parts[part] = changed
            if parts:
                state.flags = flags._replace(
                    left=parts.get("left", flags.left),
                    right=parts.get("right", flags.right),
                    result=parts.get("result", flags.result),
                )
        return True


def _any_vector(ops: Sequence[str]) -> bool:
    return any(_VECTOR.match(o) for o in ops)


def _signed_in(value: Val, width: int) -> bool:
    return value.slo >= -(1 << (width - 1)) and value.shi < 1 << (width - 1)


def _without(width: int, value: Val, number: int) -> Val | None:
    """The value when it is not a number."""
    full = 1 << width
    signed = number - full if number >> (width - 1) else number
    return val(
        width,
        value.lo + (value.lo == number),
        value.hi - (value.hi == number),
        value.slo + (value.slo == signed),
        value.shi - (value.shi == signed),
        value.zeros,
        value.ones,
    )


def _compared(width: int, name: str, holds: bool, a: Val, b: Val) -> tuple[Val | None, Val | None]:
    """Both operands of a comparison, given its outcome."""
    if name == "e":
        if holds:
            both = meet(width, a, b)
            return both, both
        left = _without(width, a, b.lo) if b.const is not None else a
        right = _without(width, b, a.lo) if a.const is not None else b
        return left, right
    if name in ("b", "be", "l", "le"):
        signed = name[0] == "l"
        strict = (name in ("b", "l")) == holds
        # a < b, a <= b, or the other way round
        small, large = (a, b) if holds else (b, a)
        small_new, large_new = _ordered(width, small, large, signed=signed, strict=strict)
        return (small_new, large_new) if holds else (large_new, small_new)
    return a, b


def _ordered(width: int, a: Val, b: Val, *, signed: bool, strict: bool) -> tuple[Val | None, Val | None]:
    """``a < b`` or, when not strict, ``a <= b``."""
    gap = int(strict)
    if signed:
        return (
            val(width, a.lo, a.hi, a.slo, min(a.shi, b.shi - gap), a.zeros, a.ones),
            val(width, b.lo, b.hi, max(b.slo, a.slo + gap), b.shi, b.zeros, b.ones),
        )
    return (
        val(width, a.lo, min(a.hi, b.hi - gap), a.slo, a.shi, a.zeros, a.ones),
        val(width, max(b.lo, a.lo + gap), b.hi, b.slo, b.shi, b.zeros, b.ones),
    )


# --- conditions as statements about integers ------------------------------------------------------------------------

Form = tuple[object, ...]
"""``(True,)``, ``(False,)``, or whether it is negated, the relation, and what it relates."""


@dataclass(frozen=True)
class Number:
    """An integer: each of ``keys`` names it, up to the constant beside it."""

    low: int
    high: int
    keys: tuple[tuple[Form, int], ...]


def number_of(word: Word, width: int, *, signed: bool) -> Number:
    """The integer that a word of a width stands for, by all names that it has in this width and below."""
    value = word.val(width)
    low, high = (value.slo, value.shi) if signed else (value.lo, value.hi)
    keys: list[tuple[Form, int]] = []
    for w in WIDTHS[: _AT[width] + 1]:
        number, offset = word.name(w)
        for kind in "us":
            start = 0 if kind == "u" else -(1 << (w - 1))
            if not start <= low <= high < start + (1 << w):
                continue
            keys.append(((kind, w, number, offset), 0))
            # without the offset, where taking it away wraps all values around alike
            turns = (low - offset - start) >> w
            if turns == (high - offset - start) >> w:
                keys.append(((kind, w, number, 0), offset + (turns << w)))
    return Number(low, high, tuple(keys))


def _negate(forms: Collection[Form]) -> frozenset[Form]:
    return frozenset((not f[0],) if len(f) == 1 else (not f[0], *f[1:]) for f in forms)


def _less(a: Number, b: Number) -> frozenset[Form]:
    if a.high < b.low:
        return frozenset({(True,)})
    if a.low >= b.high:
        return frozenset({(False,)})
    if b.low == b.high:
        return _below(a, b.low)
    if a.low == a.high:
        return _negate(_below(b, a.low + 1))
    return frozenset((True, "<", x, y, v - u) for x, u in a.keys for y, v in b.keys)


def _below(a: Number, limit: int) -> frozenset[Form]:
    forms: set[Form] = {(True, "<", x, limit - u) for x, u in a.keys}
    if limit == a.low + 1:
        forms |= _is(a, a.low)
    if limit == a.high:
        forms |= _negate(_is(a, a.high))
    return frozenset(forms)


def _is(a: Number, limit: int) -> set[Form]:
    return {(True, "=", x[1], x[2], (limit - u - int(str(x[3]))) % (1 << int(str(x[1])))) for x, u in a.keys}


def _equal(a: Number, b: Number) -> frozenset[Form]:
    if a.high < b.low or b.high < a.low:
        return frozenset({(False,)})
    if a.low == a.high == b.low == b.high:
        return frozenset({(True,)})
    if a.low == a.high:
        a, b = b, a
    if b.low == b.high:
        forms = set(_is(a, b.low))
        if b.low == a.low:
            forms |= {(True, "<", x, b.low + 1 - u) for x, u in a.keys}
        if b.low == a.high:
            forms |= {(False, "<", x, b.low - u) for x, u in a.keys}
        return frozenset(forms)
    forms = set()
    for x, u in a.keys:
        for y, v in b.keys:
            first, second = sorted(((str(x), x, u), (str(y), y, v)))
            forms.add((True, "==", first[1], second[1], second[2] - first[2]))
    return frozenset(forms)


def predicate(flags: Flags | None, wanted: tuple[str, bool]) -> frozenset[Form]:
    """Ways to say what a condition means; two conditions that share one are the same. Empty when not known."""
    name, holds = wanted
    forms = _predicate(flags, name) if flags is not None else frozenset()
    return forms if holds else _negate(forms)


def _predicate(flags: Flags, name: str) -> frozenset[Form]:
    w = flags.width
    zero = Number(0, 0, ())
    signed_result = number_of(flags.result, w, signed=True)
    if name == "s":
        return _less(signed_result, zero)
    if name == "e" and flags.kind != "sub":
        return _equal(number_of(flags.result, w, signed=False), zero)
    if flags.kind == "result" or name == "p":
        return frozenset()
    if name in ("b", "be") and not flags.carry:
        return frozenset()
    left, right = flags.left, flags.right
    half = 1 << (w - 1)
    if flags.kind == "sub":
        unsigned = number_of(left, w, signed=False), number_of(right, w, signed=False)
        signed = number_of(left, w, signed=True), number_of(right, w, signed=True)
        if name == "e":
            return _equal(*unsigned) | _equal(number_of(flags.result, w, signed=False), zero)
        if name == "b":
            return _less(*unsigned)
        if name == "be":
            return _negate(_less(unsigned[1], unsigned[0]))
        if name == "l":
            return _less(*signed)
        if name == "le":
            return _negate(_less(signed[1], signed[0]))
        low, high = signed[0].low - signed[1].high, signed[0].high - signed[1].low
        return frozenset({(False,)}) if -half <= low and high < half else frozenset()
    a, b = left.val(w), right.val(w)
    if name in ("b", "be"):
        if a.hi + b.hi < 1 << w:
            return frozenset({(False,)}) if name == "b" else _equal(number_of(flags.result, w, signed=False), zero)
        if b.const:
            # a sum of 0 has carried, since b is not 0
            return _negate(_below_number(number_of(left, w, signed=False), (1 << w) - b.const))
        return frozenset()
    if -half <= a.slo + b.slo and a.shi + b.shi < half:
        if name == "o":
            return frozenset({(False,)})
        return _less(signed_result, zero) if name == "l" else _less(signed_result, Number(1, 1, ()))
    if name != "o" and b.const is not None:
        return _below_number(number_of(left, w, signed=True), (name == "le") - b.slo)
    return frozenset()


def _below_number(a: Number, limit: int) -> frozenset[Form]:
    return _less(a, Number(limit, limit, ()))


# --- fixpoint -------------------------------------------------------------------------------------------------------


class Analysis:
    """The state before every instruction; raises GiveUpError for code whose control flow is not understood."""

    def __init__(self, assembly: str) -> None:
        self.program = Program(assembly)
        self.interpreter = Interpreter()
        self.liveness: dict[Live, Liveness] = {}
        """Of the code as it is, by what is returned."""
        program = self.program
        self._leaders = self._find_leaders()
        self._entries: dict[int, State] = {}
        self._visits: dict[int, int] = {}
        steps = {n + d for n in program.numbers for d in (-1, 0, 1)} | {0, 1, -1}
        steps |= {s * ((1 << k) - d) for k in range(65) for d in (0, 1) for s in (1, -1)}
        self._thresholds = sorted(steps | {1 << 64})
        self._heads = self._find_heads()
        self._run()
        for _ in range(2):
            self._narrow()
        self.states: list[State | None] = [None] * len(program.code)
        for leader in self._leaders:
            if leader in self._entries:
                for at, state in self._walk(leader):
                    self.states[at] = state.copy()

    def _roots(self) -> set[int]:
        return self.program.starts

    def _find_leaders(self) -> list[int]:
        program = self.program
        leaders = {at for at in program.labels.values() if at < len(program.code)}
        for at, targets in enumerate(program.succ):
            if targets != (at + 1,):
                leaders |= {*targets, at + 1}
        return sorted(at for at in leaders if at < len(program.code))

    def _edges(self, leader: int) -> tuple[int, ...]:
        at, starts = leader, self._starts
        out: list[int] = []
        while True:
            called = self.program.calls.get(at)
            if called is not None:
                out.append(called)
            targets = self.program.succ[at]
            if targets != (at + 1,) or at + 1 in starts:
                return (*out, *targets)
            at += 1

    def _find_heads(self) -> set[int]:
        """Blocks that an edge leads back to, seen from a depth-first walk; and functions that are called."""
        edges = {leader: self._edges(leader) for leader in self._leaders}
        heads = {f for f in self.program.calls.values() if f is not None}
        entering = Counter(target for targets in edges.values() for target in targets)
        self._single = {at for at, count in entering.items() if count == 1} - self._roots()
        """Blocks that one edge leads to."""
        colour: dict[int, int] = {}
        self._order: list[int] = []
        for root in [*sorted(self._roots()), *self._leaders]:
            if root in colour:
                continue
            stack: list[tuple[int, Iterator[int]]] = [(root, iter(edges[root]))]
            colour[root] = 1
            while stack:
                node, rest = stack[-1]
                for target in rest:
                    if colour.get(target) == 1:
                        heads.add(target)
                    elif target not in colour:
                        colour[target] = 1
                        stack.append((target, iter(edges[target])))
                        break
                else:
                    colour[node] = 2
                    self._order.append(node)
                    stack.pop()
        self._order.reverse()
        return heads

    def unknown(self, leader: int) -> State:
        return State({r: self.interpreter.anything("entry", leader, r) for r in GENERAL})

    def _walk(self, leader: int) -> Iterator[tuple[int, State]]:
        """The states of a block, before each instruction; the same object, changed on the way."""
        state = self._entries[leader].copy()
        at, starts = leader, self._starts
        program = self.program
        while True:
            yield at, state
            if program.succ[at] != (at + 1,):
                return
            self.interpreter.execute(state, program.code[at], program.lines[at])
            at += 1
            if at in starts:
                return

    @functools.cached_property
    def _starts(self) -> frozenset[int]:
        return frozenset(self._leaders)

    def _outgoing(self, leader: int) -> Iterator[tuple[int, State]]:
        program = self.program
        last, state = leader, self._entries[leader]
        for at, now in self._walk(leader):
            last, state = at, now
            called = program.calls.get(at)
            if called is not None and called not in self._roots():
                inside = now.copy()  # the return address has been pushed
                inside.registers["rsp"] = self.interpreter.anything("called", at)
                yield called, inside
        name = program.code[last].mnemonic
        targets = program.succ[last]
        if targets == (last + 1,):
            yield last + 1, state
            return
        if name in ("jmp", "jmpq"):
            for target in targets:
                yield target, state.copy()
            return
        if name.startswith("j"):
            wanted = condition(name[1:])
            if wanted is None:
                raise GiveUpError
            if (taken := self.interpreter.refined(state, wanted)) is not None:
                for target in targets[1:]:
                    yield target, taken
            if (past := self.interpreter.refined(state, (wanted[0], not wanted[1]))) is not None:
                yield targets[0], past

    def _run(self) -> None:
        rank = {leader: i for i, leader in enumerate(self._order)}
        waiting = set()
        for root in self._roots():
            self._entries[root] = self.unknown(root)
            waiting.add(root)
        while waiting:
            leader = min(waiting, key=rank.__getitem__)
            waiting.discard(leader)
            for target, state in self._outgoing(leader):
                if self._merge(target, state):
                    waiting.add(target)

    def _merge(self, target: int, state: State) -> bool:
        """Join a state into that at a block's start; whether that changed it."""
        old = self._entries.get(target)
        if target in self._single:
            # the same pass of control: names mean what they meant, and the flags are still there
            self._entries[target] = state.copy()
            return old is None or old != state
        if old is None:
            self._entries[target] = self._renamed(target, state)
            return True
        new = self._joined(target, old, state)
        if _same(old, new):
            return False
        visits = self._visits[target] = self._visits.get(target, 0) + 1
        if (target in self._heads and visits > _SLOW) or visits > 4 * _HASTY:
            new = self._widened(old, new, forget=visits > _HASTY)
        self._entries[target] = new
        return True

    def _renamed(self, target: int, state: State) -> State:
        return self._joined(target, state, state)

    def _joined(self, target: int, one: State, other: State) -> State:
        """What holds in both; registers keep those relations that they have in both, under names of this place."""
        interpreter = self.interpreter
        registers: dict[str, Word] = {}
        names: dict[str, list[Name]] = {r: [] for r in GENERAL}
        for at, width in enumerate(WIDTHS):
            mask = (1 << width) - 1
            groups: dict[tuple[int, int, int], tuple[int, int]] = {}
            for register in GENERAL:
                (a, x), (b, y) = one.registers[register].names[at], other.registers[register].names[at]
                if a == b == _ZERO and x == y:
                    names[register].append((_ZERO, x))
                    continue
                key = a, b, (x - y) & mask
                if key not in groups:
                    groups[key] = interpreter.names.of("join", target, width, register), x
                number, start = groups[key]
                names[register].append((number, (x - start) & mask))
        for register in GENERAL:
            first, second = one.registers[register], other.registers[register]
            vals = [join(w, first.vals[i], second.vals[i]) for i, w in enumerate(WIDTHS)]
            word = _sure(_word(vals, names[register]))
            registers[register] = word
        return State(registers)

    def _widened(self, old: State, new: State, *, forget: bool) -> State:
        registers = {}
        for register in GENERAL:
            before, now = old.registers[register], new.registers[register]
            vals = []
            for i, width in enumerate(WIDTHS):
                a, b = before.vals[i], now.vals[i]
                if includes(a, b):
                    vals.append(b)
                elif forget:
                    vals.append(_TOPS[i])
                else:
                    vals.append(self._wide(width, a, b))
            registers[register] = _word(vals, now.names) or now
        return State(registers)

    def _wide(self, width: int, a: Val, b: Val) -> Val:
        full = 1 << width
        half = full >> 1
        lo, hi, slo, shi = b.lo, b.hi, b.slo, b.shi
        if lo < a.lo:
            lo = max((t for t in self._thresholds if 0 <= t <= lo), default=0)
        if hi > a.hi:
            hi = min((t for t in self._thresholds if hi <= t < full), default=full - 1)
        if slo < a.slo:
            slo = max((t for t in self._thresholds if -half <= t <= slo), default=-half)
        if shi > a.shi:
            shi = min((t for t in self._thresholds if shi <= t < half), default=half - 1)
        return _some(val(width, lo, hi, slo, shi, b.zeros, b.ones))

    def _narrow(self) -> None:
        """Compute each block's first state anew from those before it: still all that can come up, often less."""
        incoming: dict[int, State] = {}
        for leader in self._order:
            if leader not in self._entries:
                continue
            for target, state in self._outgoing(leader):
                before = incoming.get(target)
                if target in self._single:
                    incoming[target] = state.copy()
                elif before is None:
                    incoming[target] = self._renamed(target, state)
                else:
                    incoming[target] = self._joined(target, before, state)
        roots = self._roots()
        self._entries = {
            leader: self.unknown(leader) if leader in roots else incoming[leader]
            for leader in self._entries
            if leader in roots or leader in incoming
        }


def _same(old: State, new: State) -> bool:
    """Whether a joined state says what the old one says; it never says more."""
    for register in GENERAL:
        a, b = old.registers[register], new.registers[register]
        if a.names != b.names or not all(includes(x, y) for x, y in zip(a.vals, b.vals, strict=True)):
            return False
    return old.flags == new.flags


# --- liveness -------------------------------------------------------------------------------------------------------

_EVERY_CONDITION = frozenset(_BASIC)
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Live:
    """What may still be looked at: bits of registers, and conditions on the flags."""

    bits: tuple[int, ...] = (0,) * len(GENERAL)
    conditions: frozenset[str] = _NONE

    def of(self, register: str) -> int:
        return self.bits[_INDEX[register]]

    def __or__(self, other: Live) -> Live:
        if self == other:
            return self
        return Live(
            tuple(a | b for a, b in zip(self.bits, other.bits, strict=True)), self.conditions | other.conditions
        )


_INDEX = {r: i for i, r in enumerate(GENERAL)}
_EVERYTHING = Live((_ALL,) * len(GENERAL), _EVERY_CONDITION)
_EVERY_REGISTER = Live((_ALL,) * len(GENERAL))


def _live(bits: Mapping[str, int]) -> Live:
    return Live(tuple(bits.get(r, 0) for r in GENERAL))


_KEPT = _live(dict.fromkeys(_PRESERVED, _ALL))
_CALLING = _live(dict.fromkeys(_PASSED, _ALL))


class _Before:
    """Liveness before an instruction, made from that behind it."""

    def __init__(self, after: Live) -> None:
        self.bits = list(after.bits)
        self.conditions = set(after.conditions)

    def kill(self, operand: str, width: int) -> int:
        """A register is overwritten: the bits of the operand that are wanted."""
        place = x86_register(operand)
        if place is None:
            return (1 << width) - 1  # memory: all of it
        index, mask = _INDEX[place[0]], (1 << width) - 1
        if place[1] == 9:
            wanted = self.bits[index] >> 8 & 0xFF
            self.bits[index] &= ~0xFF00
            return wanted
        wanted = self.bits[index]
        self.bits[index] &= 0 if width >= 32 else ~mask
        return wanted & mask

    def want(self, operand: str, mask: int) -> None:
        """Bits of an operand are read; registers of an address in full, whatever comes of it."""
        if operand.startswith("$"):
            return
        if is_memory(operand):
            for register in re.findall(r"%(\w+)", operand):
                if place := x86_register(f"%{register}"):
                    self.bits[_INDEX[place[0]]] |= _ALL
            return
        place = x86_register(operand)
        if place:
            self.bits[_INDEX[place[0]]] |= mask << 8 if place[1] == 9 else mask

    def done(self) -> Live:
        return Live(tuple(self.bits), frozenset(self.conditions))


def _up_to(wanted: int) -> int:
    """All bits up to the highest one that is wanted."""
    return (1 << wanted.bit_length()) - 1


def _immediate(operand: str) -> int | None:
    return int(operand[1:], 0) if re.fullmatch(r"\$-?(0x[0-9a-fA-F]+|\d+)", operand) else None


def live_before(instruction: Instruction, after: Live) -> Live:
    """What is live before an instruction that is no jump, call or return."""
    name, ops = instruction.mnemonic, instruction.operands
    if _HARMLESS.fullmatch(name):
        return after
    now = _Before(after)
    count = len(ops)
    if name in ("push", "pushq") and count == 1:
        now.want(ops[0], _ALL)
        now.want("%rsp", _ALL)
        return now.done()
    if name in ("pop", "popq") and count == 1:
        now.kill(ops[0], 64)
        now.want(ops[0] if is_memory(ops[0]) else "%rsp", _ALL)
        now.want("%rsp", _ALL)
        return now.done()
    if (match := re.fullmatch(r"set([a-z]+)", name)) and count == 1 and (wanted := condition(match[1])):
        bits = now.kill(ops[0], 8)
        if is_memory(ops[0]):
            now.want(ops[0], _ALL)
        if bits:
            now.conditions.add(wanted[0])
        return now.done()
    if name in _WIDER and not ops:
        _, source, width = _WIDER[name]
        names = {16: "%ax", 32: "%eax", 64: "%rax"}
        bits = now.kill(names[width], width)
        now.want("%rax", _sources("s", source, bits))
        return now.done()
    if name in ("cltd", "cqto"):
        width = 32 if name == "cltd" else 64
        if now.kill("%rdx" if width == 64 else "%edx", width):
            now.want("%rax", 1 << (width - 1))
        return now.done()
    if count == 2 and not _any_vector(ops):
        if match := _EXTEND.fullmatch(name):
            bits = now.kill(ops[1], _BITS[match[3]])
            now.want(ops[0], _sources(match[1], _BITS[match[2]], bits))
            return now.done()
        if match := re.fullmatch(r"(mov|movabs)([bwlq])", name):
            bits = now.kill(ops[1], _BITS[match[2]])
            if is_memory(ops[1]):
                now.want(ops[1], _ALL)
            now.want(ops[0], bits)
            return now.done()
        if match := re.fullmatch(r"lea([wlq])", name):
            bits = _up_to(now.kill(ops[1], _BITS[match[1]]))
            for register in re.findall(r"%\w+", ops[0]):
                now.want(register, bits)
            return now.done()
        if parts := _conditional_move(instruction):
            (basic, _), width = parts
            bits = now.kill(ops[1], width)
            now.want(ops[0], bits)
            now.want(ops[1], bits)
            if bits:
                now.conditions.add(basic)
            return now.done()
    if (match := _ARITHMETIC.fullmatch(name)) and not (match[1] == "imul" and count == 1):
        return _live_before_arithmetic(match[1], _BITS[match[2]], ops, now)
    if (match := re.fullmatch(r"(i?div|i?mul)([lq])", name)) and count == 1:
        width = _BITS[match[2]]
        mask = (1 << width) - 1
        accumulators = ("%rax", "%rdx") if width == 64 else ("%eax", "%edx")
        for register in accumulators:
            now.kill(register, width)
        now.conditions.clear()
        now.want(accumulators[0], mask)
        if "div" in name:
            now.want(accumulators[1], mask)
        now.want(ops[0], mask)
        return now.done()
    if (match := re.fullmatch(r"(adc|sbb)([bwlq])", name)) and count == 2:
        mask = (1 << _BITS[match[2]]) - 1
        now.kill(ops[1], _BITS[match[2]])
        now.conditions.clear()
        now.conditions.add("b")
        if not (match[1] == "sbb" and ops[0] == ops[1]):
            now.want(ops[0], mask)
            now.want(ops[1], mask)
        return now.done()
    if (match := re.fullmatch(r"bt([wlq])", name)) and count == 2:
        if "be" in now.conditions:
            now.conditions.add("e")
        now.conditions.discard("b")
        for operand in ops:
            now.want(operand, (1 << _BITS[match[1]]) - 1)
        return now.done()
    if _any_vector(ops) and not name.startswith(("pcmpe", "pcmpi")):
        for operand in ops:
            now.want(operand, _ALL)
        if re.match(r"v?u?comis", name):
            now.conditions.clear()
        return now.done()
    if re.fullmatch(r"(bsf|bsr|tzcnt|lzcnt|popcnt|shld|shrd|bswap|rol|ror|bts|btr|btc)[wlq]", name):
        # they may leave some flags and, for a zero, the target as it was
        for operand in ops:
            now.want(operand, _ALL)
        now.want("%rcx", _ALL)
        return now.done()
    return _EVERYTHING


def _conditional_move(instruction: Instruction) -> tuple[tuple[str, bool], int] | None:
    ops = instruction.operands
    if len(ops) != 2:
        return None
    for pattern in (r"cmov([a-z]+?)([wlq])", r"cmov([a-z]+)()"):
        match = re.fullmatch(pattern, instruction.mnemonic)
        if match and (wanted := condition(match[1])):
            return wanted, _BITS[match[2]] if match[2] else (x86_register(ops[1]) or ("", 64))[1]
    return None


def _sources(kind: str, source: int, wanted: int) -> int:
    """Bits of the narrow operand of an extension."""
    upper = wanted >> source
    return wanted & (1 << source) - 1 | (1 << (source - 1) if upper and kind == "s" else 0)


def _live_before_arithmetic(stem: str, width: int, ops: Sequence[str], now: _Before) -> Live:
    mask = (1 << width) - 1
    target, count = ops[-1], len(ops)
    source = ops[0] if count > 1 else "$1"
    if stem in ("shl", "sal", "shr", "sar"):
        return _live_before_shift(stem, width, source, target, now)
    before = set(now.conditions)
    if stem != "not":
        now.conditions.clear()
        if stem in ("inc", "dec") and before & {"b", "be"}:
            now.conditions.add("b")
            before.discard("b")
    compares = stem in ("cmp", "test")
    wanted = 0 if compares else now.kill(target, width)
    if is_memory(target):
        now.want(target, _ALL)
        wanted = 0 if compares else mask
    if before and stem not in ("not", "imul"):
        wanted = mask
    if stem == "imul" and before:
        wanted = mask
    if count == 3:
        now.want(ops[0], _up_to(wanted))
        now.want(ops[1], _up_to(wanted))
        return now.done()
    if count == 2 and ops[0] == ops[1] and stem in ("xor", "sub", "cmp") and not is_memory(target):
        return now.done()
    if stem in ("and", "test", "or", "xor", "not"):
        first = second = wanted
        number = _immediate(source)
        if number is not None and stem in ("and", "test"):
            second &= number
        elif number is not None and stem == "or":
            second &= ~number
        now.want(target, second & mask)
    else:
        first = _up_to(wanted)
        now.want(target, first)
    if count > 1:
        now.want(source, first)
    return now.done()


def _live_before_shift(stem: str, width: int, source: str, target: str, now: _Before) -> Live:
    mask = (1 << width) - 1
    number = _immediate(source)
    limit = 63 if width == 64 else 31
    set_before = bool(now.conditions)
    wanted = now.kill(target, width)
    if is_memory(target):
        now.want(target, _ALL)
    if number is None:
        # a count of zero leaves the flags alone
        if wanted or set_before:
            now.want(source, limit)
            now.want(target, mask)
        return now.done()
    number &= limit
    if number == 0:
        now.want(target, wanted)
        return now.done()
    now.conditions.clear()
    if set_before or number >= width:
        wanted = mask
        now.want(target, mask)
    elif stem in ("shl", "sal"):
        now.want(target, wanted >> number)
    else:
        now.want(target, wanted << number & mask)
        if stem == "sar" and wanted >> (width - 1 - number):
            now.want(target, 1 << (width - 1))
    return now.done()


class Liveness:
    """What is live behind every instruction, when a mutant may stand in one place as well."""

    def __init__(self, program: Program, returned: Live, at: int, replaced: Instruction | None) -> None:
        self._program, self._returned = program, returned
        self._at, self._replaced = at, replaced
        code = program.code
        self._into = [Live()] * len(code)
        self.behind = [Live()] * len(code)
        self._returns = returned | _KEPT
        changed = True
        while changed:
            changed = False
            for place in range(len(code) - 1, -1, -1):
                after = self._after(place)
                before = self._before(place, after)
                if after != self.behind[place] or before != self._into[place]:
                    self.behind[place], self._into[place], changed = after, before, True
                called = program.calls.get(place)
                if called is not None and self._returns | after != self._returns:
                    # what a function leaves in registers may be read behind its call, whatever the ABI says
                    self._returns = Live((self._returns | after).bits)
                    changed = True

    def _after(self, place: int) -> Live:
        program = self._program
        name = program.code[place].mnemonic
        if name in ("ret", "retq"):
            return self._returns
        if name in _ENDS:
            return Live()
        after = Live()
        for target in program.succ[place]:
            after |= self._into[target]
        if place in program.leaves:
            after |= self._returns | _CALLING
            if program.code[place].operands[0].startswith("*"):
                after |= _EVERY_REGISTER
        return after

    def _before(self, place: int, after: Live) -> Live:
        program = self._program
        instruction = program.code[place]
        name = instruction.mnemonic
        if name in _ENDS:
            return after
        if name.startswith("call"):
            operand = instruction.operands[0]
            now = _Before(after)
            now.conditions.clear()
            called = program.calls.get(place)
            if called is None:
                for register in _CLOBBERED:
                    now.bits[_INDEX[register]] = 0
                if operand.startswith("*"):
                    now.want(operand[1:], _ALL)
                return now.done() | _CALLING
            return now.done() | self._into[called]
        if name in ("jmp", "jmpq"):
            if instruction.operands[0].startswith("*"):
                return after | _EVERY_REGISTER
            return after
        if name.startswith("j"):
            return self._with_condition(after, name) | (
                self._with_condition(after, self._replaced.mnemonic)
                if place == self._at and self._replaced is not None
                else after
            )
        before = live_before(instruction, after)
        if place == self._at:
            before |= after if self._replaced is None else live_before(self._replaced, after)
        return before

    def _with_condition(self, after: Live, name: str) -> Live:
        wanted = condition(name[1:])
        if wanted is None:
            return _EVERYTHING
        return Live(after.bits, after.conditions | {wanted[0]})


# --- arguments ------------------------------------------------------------------------------------------------------

_PURE = re.compile(
    r"mov[bwlq]|movabsq|mov[zs][bw][wlq]|mov[zs]lq|movslq|lea[lq]|(add|sub|and|or|xor|cmp|test|not|neg|inc|dec)[bwlq]"
    r"|(shl|sal|shr|sar)[bwlq]|imul[wlq]|cmov[a-z]+|set[a-z]+|cltq|cwtl|cltd|cqto|bt[wlq]|i?div[lq]"
)
"""Instructions whose results are compared."""


@functools.lru_cache(8)
def _analysed(assembly: str) -> Analysis | None:
    try:
        return Analysis(assembly)
    except (GiveUpError, ValueError):  # such as an octal number
        return None


def same_in_every_state(assembly: str, mutant: Mutant, returned: Mapping[str, int]) -> str | None:
    """Why the mutant is equivalent, or None.

    ``returned`` are the bits of registers that the task's caller looks at, besides those that a function preserves.
    """
    analysis = _analysed(assembly)
    if analysis is None or mutant.line not in analysis.program.lines:
        return None
    at = analysis.program.lines.index(mutant.line)
    original = analysis.program.code[at]
    replaced = parse(mutant.replaced, "x86_64")
    if mutant.replaced and (replaced is None or ";" in mutant.replaced):
        return None
    if analysis.states[at] is None:
        return "no path leads here"
    try:
        return _Trial(analysis, at, original, replaced, returned).reason()
    except (GiveUpError, ValueError):  # such as an octal number
        return None


class _Trial:
    """One mutated instruction."""

    def __init__(
        self,
        analysis: Analysis,
        at: int,
        original: Instruction,
        replaced: Instruction | None,
        returned: Mapping[str, int],
    ) -> None:
        self.analysis, self.at, self.original, self.replaced = analysis, at, original, replaced
        self.program, self.interpreter = analysis.program, analysis.interpreter
        state = analysis.states[at]
        if state is None:
            raise GiveUpError
        self.state = state
        # another function of the file may return more than the task's does
        alone = len(self.program.starts) == 1
        self.returned = _live(returned if alone else {"rax": _ALL, "rdx": _ALL})
        self.line = self.program.lines[at]

    def reason(self) -> str | None:
        if self.original.mnemonic.startswith("j"):
            return self._branch()
        if not _PURE.fullmatch(self.original.mnemonic) or _any_vector(self.original.operands):
            # a store may be of any kind that is understood as such
            return self._dead_store()
        if self.replaced is not None and (
            not _PURE.fullmatch(self.replaced.mnemonic) or _any_vector(self.replaced.operands)
        ):
            return None
        return self._same_results() or self._dead_store()

    def _usual_liveness(self) -> Live:
        key = self.returned
        if key not in self.analysis.liveness:
            self.analysis.liveness[key] = Liveness(self.program, self.returned, -1, None)
        return self.analysis.liveness[key].behind[self.at]

    def _liveness(self) -> Live:
        return Liveness(self.program, self.returned, self.at, self.replaced).behind[self.at]

    # branches

    def _branch(self) -> str | None:
        replaced = self.replaced
        if replaced is None or replaced.operands != self.original.operands or not replaced.mnemonic.startswith("j"):
            return None
        one, other = condition(self.original.mnemonic[1:]), condition(replaced.mnemonic[1:])
        if one is None or other is None:
            return None
        if not self._agree(self.state.flags, one, self.state.flags, other):
            return None
        return f"{self._seen()}: both conditions say the same"

    def _agree(self, flags: Flags | None, one: tuple[str, bool], others: Flags | None, other: tuple[str, bool]) -> bool:
        # what the flags were computed from says nothing of a carry that comes from elsewhere
        told = flags is not None and (one[0] in "esp" or (flags.carry and flags.kind != "result"))
        if told and flags == others and one == other:
            return True
        return bool(predicate(flags, one) & predicate(others, other))

    def _seen(self) -> str:
        """What is known of the values involved, in words."""
        flags = self.state.flags
        words = []
        if self.original.mnemonic.startswith(("j", "set", "cmov")) and flags is not None:
            for title, word in (("left", flags.left), ("right", flags.right)):
                words.append(f"{title} {_range(word.val(flags.width), flags.width)}")
            return f"compared are {words[0]} with {words[1]}" if flags.kind == "sub" else f"result of {flags.kind}"
        for operand in dict.fromkeys(
            name for i in (self.original, self.replaced) if i for o in i.operands for name in re.findall(r"%\w+", o)
        ):
            place = x86_register(operand)
            if place and place[1] != 9:
                words.append(f"{operand} is {_range(self.state.registers[place[0]].val(place[1]), place[1])}")
        return ", ".join(words[:3]) or "whatever the registers hold"

    # results

    def _same_results(self) -> str | None:
        original, replaced = self.original, self.replaced
        if not self._memory_agrees():
            return None
        before, after = self.state.copy(), self.state.copy()
        self.interpreter.execute(before, original, self.line)
        if replaced is not None:
            self.interpreter.execute(after, replaced, self.line)
        if replaced is not None and re.match(r"i?div", replaced.mnemonic) and not self._same_division(before, after):
            return None
        # liveness without the mutant, known already, is the least that has to agree
        if not self._results_agree(before, after, self._usual_liveness()):
            return None
        live = self._liveness()
        if not self._results_agree(before, after, live):
            return None
        partial = []
        for register in GENERAL:
            wanted = live.of(register)
            if before.registers[register] == after.registers[register]:
                continue
            if wanted != _ALL:
                partial.append(f"%{register}" if not wanted else f"bits above {wanted.bit_length() - 1} of %{register}")
        dead = f"; nothing reads {' or '.join(partial)} later" if partial else ""
        return f"{self._seen()}: what is read later is the same{dead}"

    def _same_division(self, before: State, after: State) -> bool:
        """A division may trap, so it has to be the very same even where nobody reads what it gives."""
        width = _BITS[self.original.mnemonic[-1]] if re.fullmatch(r"i?div[lq]", self.original.mnemonic) else 0
        return width == _BITS[str(self.replaced).split()[0][-1]] and all(
            before.registers[r].name(width) == after.registers[r].name(width) for r in ("rax", "rdx")
        )

    def _results_agree(self, before: State, after: State, live: Live) -> bool:
        for register in GENERAL:
            one, other, wanted = before.registers[register], after.registers[register], live.of(register)
            if one != other and not (same_bits(one, other, wanted) or self._same_by_choice(register, wanted)):
                return False
        return all(self._agree(before.flags, (basic, True), after.flags, (basic, True)) for basic in live.conditions)

    def _memory_agrees(self) -> bool:
        """Whether both touch the same memory alike, or the mutant less of what is only read."""
        original, replaced = self.original, self.replaced
        theirs = _access(original)
        ours = _access(replaced) if replaced is not None else None
        if theirs is None or (replaced is not None and ours is None):
            return False
        read, wrote = theirs
        read_now, wrote_now = ours if ours is not None else ((), ())
        if len(wrote) != len(wrote_now) or len(read_now) > 1 or len(read) > 1:
            return False
        for operand, width in read_now:
            if not any(self._same_place(operand, o) and width <= w for o, w in read):
                return False
        if wrote:
            (operand, width), (operand_now, width_now) = wrote[0], wrote_now[0]
            if width != width_now or not self._same_place(operand, operand_now):
                return False
            return self._same_stored(width)
        return True

    def _same_place(self, one: str, other: str) -> bool:
        if one == other and ":" not in one:
            return True
        first, second = memory(one), memory(other)
        if first is None or second is None or ":" in one + other:
            return False
        a, b = self.interpreter.address(self.state, first), self.interpreter.address(self.state, second)
        if a[0].removesuffix("(%rip)") != b[0].removesuffix("(%rip)") or a[0] != b[0]:
            return False
        return a[1] == b[1] or (not a[0] and a[2].const is not None and a[2] == b[2])

    def _same_stored(self, width: int) -> bool:
        """Whether both leave the same in memory: computed as if the place were a register."""
        words = []
        for instruction in (self.original, self.replaced):
            if instruction is None:
                return False
            word = self._stored(instruction, width)
            if word is None:
                return False
            words.append(word)
        return same_bits(words[0], words[1], (1 << width) - 1)

    def _stored(self, instruction: Instruction, width: int) -> Word | None:
        name, ops = instruction.mnemonic, instruction.operands
        interpreter, state = self.interpreter, self.state
        if re.fullmatch(r"mov[bwlq]", name):
            return interpreter.read(state, ops[0], self.line)
        if name.startswith("set") and (wanted := condition(name[3:])):
            outcome = interpreter.decide(state.flags, wanted)
            return None if outcome is None else interpreter.constant(int(outcome))
        match = _ARITHMETIC.fullmatch(name)
        if match is None or match[1] in ("cmp", "test") or len(ops) > 2:
            return None
        left = interpreter.read(state, ops[-1], self.line)
        if match[1] in ("shl", "sal", "shr", "sar"):
            count = _immediate(ops[0]) if len(ops) == 2 else 1
            if count is None or not 0 < count < width:
                return None
            return interpreter.shifted("shl" if match[1] == "sal" else match[1], width, left, count)
        right = interpreter.constant(1) if len(ops) == 1 else interpreter.read(state, ops[0], self.line)
        if match[1] == "neg":
            left, right = interpreter.constant(0), left
        return interpreter.computed(match[1], width, left, right)

    def _same_by_choice(self, register: str, wanted: int) -> bool:
        """Two conditional moves whose conditions differ only where both values are the same: a maximum, a minimum."""
        original, replaced, flags = self.original, self.replaced, self.state.flags
        if replaced is None or flags is None or original.operands != replaced.operands:
            return False
        one, other = _conditional_move(original), _conditional_move(replaced)
        target = x86_register(original.operands[-1])
        if one is None or other is None or one[1] != other[1] or target is None or target[0] != register:
            return False
        (first, width), (second, _) = one, other
        if self._agree(flags, first, flags, second):
            return True
        # the two differ in no more than equality
        if {first[0], second[0]} not in ({"b", "be"}, {"l", "le"}) or first[1] != second[1] or flags.kind != "sub":
            return False
        if first[0][0] == "b" and not flags.carry:
            return False
        equal = self.interpreter.refined(self.state, ("e", True))
        if equal is None:
            return True
        if width > flags.width and wanted >> flags.width:
            return False
        source = self.interpreter.read(self.state, original.operands[0], self.line)
        held = self.state.registers[register]
        if is_memory(original.operands[0]):
            return False
        # where left and right are the same, so are source and target if their difference is a multiple of theirs
        w = min(width, flags.width)
        names = self.interpreter.names
        gap = names.linear(w, ((flags.left.name(w), 1), (flags.right.name(w), -1)))
        for sign in (1, -1):
            if names.linear(w, ((source.name(w), 1), (held.name(w), -1))) == names.linear(w, ((gap, sign),)):
                return wanted >> w == 0 or width == w == 32
        there = equal.registers[register].val(width).const
        return there is not None and self._equal_source(equal, original.operands[0], width) == there

    def _equal_source(self, state: State, operand: str, width: int) -> int | None:
        return self.interpreter.read(state, operand, self.line).val(width).const

    # stores

    def _dead_store(self) -> str | None:
        places = []
        for instruction in (self.original, self.replaced):
            if instruction is None:
                continue
            place = _plain_store(instruction)
            if place is None:
                return None
            places.append(place)
        keys = {p[0] for p in places}
        if len(keys) != 1:
            return None
        key = keys.pop()
        pending = frozenset(b for _, start, size in places for b in range(start, start + size))
        if not self._overwritten(key, pending):
            return None
        return f"every path overwrites {self.original.operands[-1]} before anything can read it"

    def _overwritten(self, key: _Key, pending: frozenset[int]) -> bool:
        """Whether all bytes of the store are overwritten on every path from here, before they can be looked at."""
        program = self.program
        stack = [(target, pending) for target in program.succ[self.at]]
        seen = set(stack)
        while stack:
            at, left = stack.pop()
            if at == self.at:
                left |= pending  # stored once more, or not
            else:
                rest = _past(program.code[at], key, left)
                if rest is None or at in program.leaves or (not program.succ[at]):
                    return False
                left = rest
            if not left:
                continue
            for target in program.succ[at]:
                if (target, left) not in seen:
                    seen.add((target, left))
                    stack.append((target, left))
            if len(seen) > 20_000:
                return False
        return True


def _range(value: Val, width: int) -> str:
    if value.const is not None:
        return f"{value.lo:#x}"
    if value.hi < (1 << width) - 1 or value.lo:
        return f"{value.lo:#x} to {value.hi:#x}"
    if value.slo > -(1 << (width - 1)) or value.shi < (1 << (width - 1)) - 1:
        return f"{value.slo} to {value.shi}"
    return "anything"


def same_bits(one: Word, other: Word, wanted: int) -> bool:
    """Whether two words agree in the wanted bits."""
    a, b = one.val(64), other.val(64)
    both = (a.zeros & b.zeros) | (a.ones & b.ones)
    wanted &= ~both
    if not wanted:
        return True
    for width in WIDTHS:
        if wanted >> width:
            continue
        if one.name(width) == other.name(width):
            return True
        x, y = one.val(width), other.val(width)
        if x.const is not None and x.const == y.const:
            return True
        # numbers that fit a narrower width are the same when they are the same there
        for narrow in WIDTHS[: _AT[width]]:
            if one.name(narrow) != other.name(narrow):
                continue
            if x.hi >> narrow == 0 and y.hi >> narrow == 0:
                return True
            if _signed_in(x, narrow) and _signed_in(y, narrow):
                return True
    return False


_Operand = tuple[str, int]
_Key = tuple[str, str | None, str | None, int]
"""A place in memory but for its displacement: symbol, base, index, scale."""


def _access(instruction: Instruction | None) -> tuple[tuple[_Operand, ...], tuple[_Operand, ...]] | None:
    """Memory operands read and written with their widths in bits, of instructions in ``_PURE``."""
    if instruction is None:
        return None
    name, ops = instruction.mnemonic, instruction.operands
    places = [o for o in ops if is_memory(o)]
    if not places or name.startswith("lea"):
        return (), ()
    if len(places) > 1 or any(":" in o for o in ops):
        return None
    place = places[0]
    last = place is ops[-1]
    if name.startswith("set"):
        return (), ((place, 8),)
    if match := _EXTEND.fullmatch(name):
        return ((place, _BITS[match[2]]),), ()
    if parts := _conditional_move(instruction):
        return ((place, parts[1]),), ()
    width = _BITS.get(name[-1])
    if width is None:
        return None
    if name.startswith("bt"):
        # a bit number in a register reaches beyond the operand
        return (((place, width),), ()) if _immediate(ops[0]) is not None else None
    if name.startswith("mov"):
        return ((), ((place, width),)) if last else (((place, width),), ())
    if name.startswith(("cmp", "test", "div", "idiv")) or not last or len(ops) == 3:
        return ((place, width),), ()
    if name.startswith("imul"):
        return ((place, width),), ()
    return ((place, width),), ((place, width),)


_STORE_BYTES = {
    "movb": 1, "movw": 2, "movl": 4, "movq": 8, "movd": 4, "movss": 4, "movsd": 8, "movlps": 8, "movlpd": 8,
    **dict.fromkeys(("movups", "movaps", "movupd", "movapd", "movdqu", "movdqa"), 16),
}  # fmt: skip


def _plain_store(instruction: Instruction) -> tuple[_Key, int, int] | None:
    """Where an instruction that does nothing but store puts how many bytes."""
    ops = instruction.operands
    size = _STORE_BYTES.get(instruction.mnemonic)
    if size is None or len(ops) != 2 or is_memory(ops[0]) or not is_memory(ops[1]) or ":" in ops[1]:
        return None
    if re.match(r"%[yz]mm", ops[0]):
        return None
    place = memory(ops[1])
    if place is None or "%rsp" in ops[1] or "%rbp" in ops[1]:
        return None
    return (place.symbol, place.base, place.times, place.scale), place.disp, size


def _past(instruction: Instruction, key: _Key, pending: frozenset[int]) -> frozenset[int] | None:
    """What is still to be overwritten behind an instruction; None when it might look, or moves the place."""
    name, ops = instruction.mnemonic, instruction.operands
    _, base, index, _ = key
    if name in ("jmp", "jmpq") or name.startswith("j") or _HARMLESS.fullmatch(name):
        return None if ops and ops[0].startswith("*") else pending
    if stored := _plain_store(instruction):
        where, start, size = stored
        return pending - frozenset(range(start, start + size)) if where == key else pending
    places = [o for o in ops if is_memory(o)]
    known = _PURE.fullmatch(name) or (_any_vector(ops) and name in _STORE_BYTES)
    if not known:
        return None
    if not name.startswith("lea"):
        for operand in places:
            place = memory(operand)
            if place is None or ":" in operand:
                return None
            if not _apart(place, _width_of(instruction), key, pending):
                return None
    # registers that the place depends on must keep their values
    written = {"rax", "rdx"} if re.match(r"i?div|cltq|cwtl|cltd|cqto", name) or (
        name.startswith("imul") and len(ops) == 1
    ) else set()  # fmt: skip
    if ops and (target := x86_register(ops[-1])) and not name.startswith(("cmp", "test")):
        written.add(target[0])
    return None if {base, index} & written else pending


def _width_of(instruction: Instruction) -> int:
    """At most as many bytes does the memory operand have."""
    return _STORE_BYTES.get(instruction.mnemonic, 8)


def _apart(place: Memory, size: int, key: _Key, pending: frozenset[int]) -> bool:
    """Whether a memory operand has no byte in common with the pending ones."""
    where = (place.symbol, place.base, place.times, place.scale)
    if where == key:
        return not pending & frozenset(range(place.disp, place.disp + size))
    fixed = place.base in (None, "rip") and place.times is None
    fixed_key = key[1] in (None, "rip") and key[2] is None
    if fixed and fixed_key and place.symbol and key[0]:
        # the same object with another way to write it, or two objects, which do not overlap
        if place.symbol == key[0]:
            return not pending & frozenset(range(place.disp, place.disp + size))
        return True
    return False
