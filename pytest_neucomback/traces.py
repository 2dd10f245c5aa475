"""Proofs over the integer part of x86-64 code whose path depends on no data.

Most loops of a benchmark run over constant bounds: their counters and addresses are the same in every call. This
module executes just those instructions, with everything that comes from memory or vector registers unknown, once for
each combination of integer and pointer arguments that the task allows. When no branch ever depends on an unknown, the
traces it finds are those of all calls, so a mutated instruction that gives the same values each time it comes up in
them is equivalent.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .mutants import Instruction, Mutant, parse, without_comment, x86_register

MAX_STEPS = 1_000_000
"""Longer traces, all combinations of arguments together, are given up."""
MAX_COMBINATIONS = 64

Value = int | None
"""None: depends on something unknown."""
_NEGATED = {"ne": "e", "ae": "b", "a": "be", "ge": "l", "g": "le", "ns": "s", "no": "o"}
_CONDITIONS = frozenset({*_NEGATED, *_NEGATED.values()})
_BITS = {"b": 8, "w": 16, "l": 32, "q": 64}
_READS_FLAGS = re.compile(r"(j(?!mp)|set|cmov|adc|sbb|rc[lr]|pushf|lahf)\w*")
_SETS_FLAGS = re.compile(r"(add|sub|cmp|test|and|or|xor|neg)[bwlq]|u?comis[sd]")
_SILENT = re.compile(r"(mov|lea|not|xchg|push|pop|cltq|cwtl|cqto|cltd|nop|v?[a-z]+(ps|pd|ss|sd)$|p[a-z]+)\w*")


class _GiveUpError(Exception):
    """The trace cannot be known."""


@dataclass
class _State:
    registers: dict[str, int]
    """Known ones only."""
    halves: dict[str, int] = field(default_factory=dict)
    """Lower 32 bits of registers whose upper ones are not known."""
    flags: tuple[bool, bool, bool, bool] | None = None
    """Carry, zero, sign, overflow."""

    def copy(self) -> _State:
        return _State(dict(self.registers), dict(self.halves), self.flags)

    def forget(self, register: str) -> None:
        self.registers.pop(register, None)
        self.halves.pop(register, None)


@dataclass(frozen=True)
class Argument:
    """An integer or pointer argument in a register, with all values that it can have."""

    register: str
    values: tuple[int, ...]
    whole: bool
    """Whether the upper half of the register is defined as well."""


def same_in_every_call(
    assembly: str, mutant: Mutant, symbols: Mapping[str, int], arguments: Sequence[Argument] = ()
) -> str | None:
    """Why the mutant is equivalent, or None. ``symbols`` are the addresses of globals."""
    original, replaced = parse(mutant.original, "x86_64"), parse(mutant.replaced, "x86_64")
    if original is None or not original.operands or not _integer_only(original):
        return None
    if replaced is not None and not _integer_only(replaced):
        return None
    if math.prod(len(a.values) for a in arguments) > MAX_COMBINATIONS:
        arguments = ()
    trace = _Trace(assembly, symbols)
    met = count = 0
    try:
        for values in itertools.product(*(a.values for a in arguments)):
            state = _State({})
            for argument, value in zip(arguments, values, strict=True):
                place = state.registers if argument.whole else state.halves
                place[argument.register] = value & (1 << (64 if argument.whole else 32)) - 1
            same = trace.executions(state, mutant.line, original, replaced)
            if same is None:
                return None
            met, count = met + same, count + 1
    except _GiveUpError:
        return None
    calls = f"for each of the {count} combinations of arguments" if count > 1 else "the path depends on no input"
    return f"{calls}; in all {met} executions it gives the same" if met else None


def _integer_only(instruction: Instruction) -> bool:
    operands = instruction.operands
    if instruction.mnemonic.startswith(("call", "ret", "push", "pop", "div", "idiv")):
        return False
    memory = any("(" in o or not re.match(r"[%$.]", o) for o in operands)
    if memory and not instruction.mnemonic.startswith("lea"):
        return False
    return not any(re.match(r"%[xyz]?mm|%st", o) for o in operands)


class _Trace:
    def __init__(self, assembly: str, symbols: Mapping[str, int]) -> None:
        self.symbols, self.steps = symbols, 0
        lines = assembly.splitlines()
        self.code = [(n, i) for n, text in enumerate(lines, 1) if (i := parse(text, "x86_64"))]
        self.labels: dict[str, int] = {}
        at = 0
        for number, text in enumerate(lines, 1):
            bare = without_comment(text, "x86_64")
            if bare.endswith(":"):
                self.labels[bare[:-1]] = at
            elif at < len(self.code) and self.code[at][0] == number:
                at += 1

    def executions(self, state: _State, line: int, original: Instruction, replaced: Instruction | None) -> int | None:
        """How often a line comes up from an initial state; None when original and replacement once differ."""
        at = met = 0
        flags_matter = not self._flags_dead(line)
        while at < len(self.code):
            self.steps += 1
            if self.steps > MAX_STEPS:
                raise _GiveUpError
            number, instruction = self.code[at]
            name = instruction.mnemonic
            if name in ("ret", "retq"):
                return met
            if number == line:
                met += 1
                if not self._same(state, original, replaced, flags_matter):
                    return None
            if name == "jmp":
                at = self._target(instruction)
            elif name.startswith("j"):
                at = self._target(instruction) if self._taken(name[1:], state) else at + 1
            else:
                self._execute(instruction, state)
                at += 1
        raise _GiveUpError

    def _target(self, instruction: Instruction) -> int:
        if instruction.operands[0] not in self.labels:
            raise _GiveUpError
        return self.labels[instruction.operands[0]]

    def _taken(self, condition: str, state: _State) -> bool:
        if state.flags is None or condition not in _CONDITIONS:
            raise _GiveUpError
        return _holds(condition, state.flags)

    def _same(self, state: _State, original: Instruction, replaced: Instruction | None, flags_matter: bool) -> bool:
        if original.mnemonic.startswith("j"):
            return replaced is not None and self._taken(original.mnemonic[1:], state) == self._taken(
                replaced.mnemonic[1:], state
            )
        before, after = state.copy(), state.copy()
        self._execute(original, before)
        if replaced is not None:
            self._execute(replaced, after)
        written = {r for i in (original, replaced) if i for r in self._written(i)}
        if (
            before.registers != after.registers
            or before.halves != after.halves
            or not written <= before.registers.keys()
        ):
            return False
        return not flags_matter or (before.flags is not None and before.flags == after.flags)

    def _flags_dead(self, line: int) -> bool:
        """Whether, right behind a line, flags are overwritten before anything could read them."""
        at = next(i for i, (n, _) in enumerate(self.code) if n == line) + 1
        for _, instruction in self.code[at:]:
            name = instruction.mnemonic
            if name in ("ret", "retq"):
                return True
            if _READS_FLAGS.match(name) or name == "jmp":
                return False
            if _SETS_FLAGS.fullmatch(name):
                return True
            if not _SILENT.match(name) and not re.match(r"(inc|dec|shl|shr|sar|imul)\w*", name):
                return False
        return False

    def _written(self, instruction: Instruction) -> list[str]:
        if re.match(r"(cmp|test)[bwlq]|u?comis", instruction.mnemonic) or not instruction.operands:
            return []
        place = x86_register(instruction.operands[-1])
        return [place[0]] if place else []

    # --- one instruction ----------------------------------------------------------------------------------------

    def _execute(self, instruction: Instruction, state: _State) -> None:
        name, ops = instruction.mnemonic, instruction.operands
        if name.startswith(("call", "syscall", "loop", "rep", "xchg", "std", "cld")):
            raise _GiveUpError
        place = x86_register(ops[-1]) if ops else None
        if name.startswith("set") and place:
            known = state.flags is not None and name[3:] in _CONDITIONS
            self._put(state, ops[-1], int(self._taken(name[3:], state)) if known else None, 8)
            return
        if match := re.fullmatch(r"cmov(\w+?)([lq])", name):
            if state.flags is None or match[1] not in _CONDITIONS:
                self._forget(state, instruction)
                return
            bits = _BITS[match[2]]
            source = ops[0] if self._taken(match[1], state) else ops[1]
            self._put(state, ops[1], self._get(state, source, bits), bits)
            return
        if match := re.fullmatch(r"(movz|movs)([bwl])([lq])", name):
            value = self._get(state, ops[0], _BITS[match[2]])
            if value is not None and match[1] == "movs":
                value = _signed(value, _BITS[match[2]])
            self._put(state, ops[1], value, _BITS[match[3]])
            return
        if name == "cltq":
            value = self._get(state, "%eax", 32)
            self._put(state, "%rax", None if value is None else _signed(value, 32), 64)
            return
        match = re.fullmatch(r"(mov|movabs|lea|add|sub|cmp|test|and|or|xor|inc|dec|neg|not|shl|shr|sar|imul)([bwlq])",
                             name)  # fmt: skip
        if match is None:
            self._forget(state, instruction)
            return
        self._integer(match[1], _BITS[match[2]], ops, state)

    def _forget(self, state: _State, instruction: Instruction) -> None:
        """An instruction that is not modelled: nothing is known of what it may have written."""
        name = instruction.mnemonic
        if not instruction.operands and not re.match(r"nop|ud2", name):
            raise _GiveUpError  # cqto, leave and their like write registers that they do not name
        vector = any(re.match(r"%[xyz]mm", o) for o in instruction.operands)
        if name.startswith(("push", "pop")) or vector or re.match(r"nop|ud2", name):
            for operand in instruction.operands:
                if place := x86_register(operand):
                    if name.startswith("push"):
                        continue
                    state.forget(place[0])
            if re.match(r"u?comis|ptest", name):
                state.flags = None
            return
        state.flags = None
        for operand in instruction.operands:
            if place := x86_register(operand):
                state.forget(place[0])
        if len(instruction.operands) == 1:  # mul, div and their like
            state.forget("rax")
            state.forget("rdx")

    def _integer(self, stem: str, bits: int, ops: Sequence[str], state: _State) -> None:
        mask = (1 << bits) - 1
        if stem in ("mov", "movabs"):
            self._put(state, ops[1], self._get(state, ops[0], bits), bits)
            return
        if stem == "lea":
            self._put(state, ops[1], self._address(state, ops[0]), bits)
            return
        if stem == "xor" and ops[0] == ops[1]:
            self._put(state, ops[1], 0, bits)
            state.flags = (False, True, False, False)
            return
        if stem == "not":
            value = self._get(state, ops[0], bits)
            self._put(state, ops[0], None if value is None else ~value & mask, bits)
            return
        if stem == "imul" and len(ops) == 1:
            raise _GiveUpError
        target = ops[-1]
        b = self._get(state, ops[1] if len(ops) == 3 else target, bits)
        a: Value = 1 if len(ops) == 1 else self._get(state, ops[0], bits)
        if a is None or b is None:
            if stem not in ("cmp", "test"):
                self._put(state, target, None, bits)
            state.flags = None
            return
        carry = state.flags[0] if state.flags is not None else None
        result, flags = _arithmetic(stem, bits, a, b, carry)
        if stem not in ("cmp", "test"):
            self._put(state, target, result, bits)
        state.flags = flags

    def _get(self, state: _State, operand: str, bits: int) -> Value:
        if operand.startswith("$"):
            value = self._number(operand[1:])
            return None if value is None else value & (1 << bits) - 1
        place = x86_register(operand)
        if place is None or place[1] == 9:
            return None
        known = state.registers.get(place[0])
        if known is None and bits <= 32:
            known = state.halves.get(place[0])
        return None if known is None else known & (1 << bits) - 1

    def _number(self, text: str) -> Value:
        total = 0
        for sign, part in re.findall(r"([+-]?)\s*([\w.$]+)", text):
            value = self.symbols.get(part)
            if value is None:
                if not re.fullmatch(r"0x[0-9a-fA-F]+|\d+", part):
                    return None
                value = int(part, 0)
            total += -value if sign == "-" else value
        return total

    def _address(self, state: _State, operand: str) -> Value:
        match = re.fullmatch(r"([^()]*)\((%\w+)?(?:,(%\w+)(?:,(\d))?)?\)", operand)
        if match is None:
            return self._number(operand)
        total = self._number(match[1]) if match[1] else 0
        if total is None:
            return None
        if match[2] == "%rip":
            return total
        for register, scale in ((match[2], 1), (match[3], int(match[4] or 1))):
            if register:
                value = self._get(state, register, 64)
                if value is None:
                    return None
                total += value * scale
        return total & (1 << 64) - 1

    def _put(self, state: _State, operand: str, value: Value, bits: int) -> None:
        place = x86_register(operand)
        if place is None:
            return  # memory is unknown anyway
        old = state.registers.get(place[0])
        if bits < 32:
            if old is None or value is None or place[1] == 9:
                state.forget(place[0])
                return
            mask = (1 << bits) - 1
            value = (old & ~mask) | (value & mask)
        if value is None:
            state.forget(place[0])
        else:
            state.halves.pop(place[0], None)
            state.registers[place[0]] = value & ((1 << 64) - 1 if bits != 32 else 0xFFFFFFFF)


def _holds(condition: str, flags: tuple[bool, bool, bool, bool]) -> bool:
    if condition in _NEGATED:
        return not _holds(_NEGATED[condition], flags)
    carry, zero, sign, overflow = flags
    return {
        "e": zero,
        "b": carry,
        "be": carry or zero,
        "l": sign != overflow,
        "le": zero or sign != overflow,
        "s": sign,
        "o": overflow,
    }[condition]


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def _arithmetic(
    stem: str, bits: int, a: int, b: int, carry: bool | None
) -> tuple[int, tuple[bool, bool, bool, bool] | None]:
    """Result and flags of ``b OP a``; no flags where they are not modelled or depend on an unknown carry."""
    mask, top = (1 << bits) - 1, 1 << (bits - 1)
    if stem in ("add", "inc"):
        result = (b + a) & mask
        c: bool | None = carry if stem == "inc" else b + a > mask
        o = bool(~(a ^ b) & (a ^ result) & top)
    elif stem in ("sub", "cmp", "dec"):
        result = (b - a) & mask
        c = carry if stem == "dec" else b < a
        o = bool((a ^ b) & (b ^ result) & top)
    elif stem == "neg":
        result, c = -b & mask, b != 0
        o = b == top
    elif stem in ("and", "test", "or", "xor"):
        result = b & a if stem in ("and", "test") else b | a if stem == "or" else b ^ a
        c = o = False
    else:
        shift = a & (63 if bits == 64 else 31)
        if stem == "shl":
            result = b << shift & mask
        elif stem == "shr":
            result = b >> shift
        elif stem == "sar":
            result = _signed(b, bits) >> shift & mask
        else:
            result = _signed(a, bits) * _signed(b, bits) & mask
        return result, None
    if c is None:
        # the carry that inc and dec leave alone; a branch on it alone would be a branch on an unknown
        return result, None
    return result, (c, not result, bool(result & top), o)
