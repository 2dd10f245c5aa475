"""A student that writes assembly with known mistakes and a teacher that reflects on them, behind one HTTP endpoint.

The student answers with a compiler's assembly, spoiled in some of the ways of ``WAYS``; how likely a mistake is depends
on the rules in the prompt. The teacher reads trajectories, rules and changes as text and answers in the formats of
docs/prompt-learning.md. All chance is a hash of the seed and the messages: the same request always gets the same reply.

``usable`` finds out, with a real judge, which ways are mistakes on which tasks; nothing is compiled or judged while
serving.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import hashlib
import itertools
import json
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from loopback import LoopbackModelServer, Step, completion

from pytest_neucomback.atomic import save_text
from pytest_neucomback.errors import HarnessError, ToolMissing
from pytest_neucomback.extract import extract
from pytest_neucomback.judge import Judge
from pytest_neucomback.mutants import Instruction, parse, without_comment, x86_register
from pytest_neucomback.tasks import Task
from pytest_neucomback.toolchain import Toolchain, tool_version
from pytest_neucomback.types import NoCandidate, Outcome

ARCHES = ("x86_64", "aarch64")
STUDENT, TEACHER = "sim-student", "sim-teacher"
"""Model ids."""
PLAIN_STYLES = ("clang-O1", "clang-O2")
"""Compilers whose assembly a first translation is."""
FAST_STYLES = ("clang-O3", "gcc-O3", "clang-O2")
"""Compilers whose assembly answers an optimisation prompt."""
STYLES = tuple(dict.fromkeys((*PLAIN_STYLES, *FAST_STYLES)))
RIGHT = "right"
"""The key of unspoiled assembly in what ``usable`` returns; no way has this name."""

Usable = dict[str, dict[str, tuple[str, ...]]]
"""By way, then by task id: the styles on which the way is refused; under ``RIGHT`` the styles that are correct."""

# --- assembly as lines ------------------------------------------------------------------------------------------------

_NUMBER = r"-?(?:0[xX][0-9a-fA-F]+|\d+)"
_MARK = {"x86_64": "#", "aarch64": "//"}


_BARE = re.compile(r"(?<=[\s,])(-?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+(?:e[+-]?\d+)?)?))(?=\s*(?:[],]|$))")


def cleaned(assembly: str, arch: str) -> str:
    """The assembly without comments and without lines that name files and compilers, as a model would write it."""
    kept = []
    for line in assembly.splitlines():
        # A string may hold the comment character.
        text = line.rstrip() if '"' in line else line.partition(_MARK[arch])[0].rstrip()
        if text.strip() and not re.match(r"\s*\.(file|ident|cfi_\w+|addrsig\w*)\b", text):
            # gcc writes immediates without #, clang with it.
            instruction = arch == "aarch64" and not re.match(r"\s*\.|[^\s]+:", text)
            kept.append(_BARE.sub(r"#\1", text) if instruction else text)
    return "\n".join(kept) + "\n"


class _Asm:
    """The lines of an assembly file and the instructions of the function it is about."""

    def __init__(self, assembly: str, arch: str) -> None:
        self.lines = assembly.splitlines()
        self.x86 = arch == "x86_64"
        name = re.search(r"(?m)^\s*\.glob(?:a)?l\s+([\w.$]+)", assembly)
        name = name or re.search(r"(?m)^\s*\.type\s+([\w.$]+)\s*,\s*[@%]function", assembly)
        self.function = name[1] if name else ""
        start = next((i for i, line in enumerate(self.lines) if line.startswith(f"{self.function}:")), len(self.lines))
        end = next(
            (
                i
                for i in range(start, len(self.lines))
                if re.match(rf"\.Lfunc_end|\s*\.size\s+{re.escape(self.function)}\b", self.lines[i])
            ),
            len(self.lines),
        )
        self.start, self.end = start, end
        self.code: list[tuple[int, Instruction]] = [
            (i, found) for i in range(start + 1, end) if (found := parse(self.lines[i], arch))
        ]
        self.labels = {m[1]: i for i, line in enumerate(self.lines) if (m := re.match(r"([.\w$]+):", line))}

    def edited(self, changes: Mapping[int, str | None], *, at_entry: str = "") -> str:
        """The text with lines replaced, or left out where the replacement is None."""
        lines: list[str] = []
        for i, line in enumerate(self.lines):
            if i not in changes:
                lines.append(line)
            elif (text := changes[i]) is not None:
                lines += [f"\t{part}" for part in text.split("\n")]
            if i == self.start and at_entry:
                lines.append(f"\t{at_entry}")
        return "\n".join(lines) + "\n"

    @property
    def calls(self) -> bool:
        """Whether the function calls anything."""
        return any(i.mnemonic in ("call", "callq", "bl", "blr") for _, i in self.code)

    def returns(self) -> list[int]:
        return [n for n, i in self.code if i.mnemonic in ("ret", "retq")]

    def mapped(self, change: Callable[[str], str], *, skip: str = r"(?!)") -> str | None:
        """The text with each instruction changed that does not match ``skip``; None if that changes nothing."""
        changes: dict[int, str | None] = {}
        for n, instruction in self.code:
            text = str(instruction)
            if not re.search(skip, text) and (new := change(text)) != text:
                changes[n] = new
        return self.edited(changes) if changes else None


@functools.lru_cache(maxsize=256)
def _read(assembly: str, arch: str) -> _Asm:
    return _Asm(assembly, arch)


_X86_FULL = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", *(f"r{n}" for n in range(8, 16)))
_X86_SAVED = ("rbx", "rbp", "r12", "r13", "r14", "r15")


def _x86_name(full: str, bits: int) -> str:
    """The name of the lowest bits of a general register."""
    if full[1:].isdigit():
        return f"%{full}" + {64: "", 32: "d", 16: "w", 8: "b"}[bits]
    if bits == 8:
        return f"%{full[1]}l" if full.endswith("x") else f"%{full[1:]}l"
    return "%" + {64: full, 32: f"e{full[1:]}", 16: full[1:]}[bits]


def _family(text: str) -> list[str]:
    """General registers of x86-64 named in a text, by their full names."""
    return [found[0] for name in re.findall(r"%\w+", text) if (found := x86_register(name))]


def _rename_x86(text: str, old: str, new: str) -> str:
    def other(match: re.Match[str]) -> str:
        found = x86_register(match[0])
        return _x86_name(new, found[1]) if found and found[0] == old and found[1] != 9 else match[0]

    return re.sub(r"%\w+", other, text)


def _rename_arm(text: str, old: int, new: int, classes: str = "wx") -> str:
    return re.sub(rf"(?<![\w.$:])([{classes}]){old}(?!\w)", rf"\g<1>{new}", text)


def _is_memory(operand: str) -> bool:
    """Whether an operand of x86-64 is memory."""
    return not operand.startswith(("%", "$", "*"))


def _x86_stores(asm: _Asm) -> Iterator[tuple[int, Instruction]]:
    for n, i in asm.code:
        if i.mnemonic.startswith(("mov", "vmov")) and len(i.operands) == 2 and _is_memory(i.operands[1]):
            yield n, i


def _x86_loads(asm: _Asm) -> Iterator[tuple[int, Instruction]]:
    for n, i in asm.code:
        if i.mnemonic.startswith(("mov", "vmov")) and len(i.operands) == 2 and _is_memory(i.operands[0]):
            yield n, i


def _written_first(asm: _Asm, family: Callable[[str], bool]) -> bool:
    """Whether the first instruction that names a register of the family only writes it."""
    for _, i in asm.code:
        if not family(str(i)) or not i.operands:
            continue
        target = i.operands[-1 if asm.x86 else 0]
        if not family(target) or "(" in target or "[" in target:
            return False
        rest = i.operands[:-1] if asm.x86 else i.operands[1:]
        if not any(family(o) for o in rest):
            # Two operands of x86-64 read and write the second unless they move.
            plain = (
                re.match(r"v?mov|lea|cvt|pxor$|set", i.mnemonic)
                if asm.x86
                else not re.match(r"st|c[bm]|tb", i.mnemonic)
            )
            return bool(plain)
        return bool(asm.x86 and re.match(r"xor", i.mnemonic) and i.operands[0] == i.operands[1])
    return False


# --- ways of spoiling -------------------------------------------------------------------------------------------------


def _clobber(assembly: str, arch: str) -> str | None:
    """A register of the caller is used without saving it."""
    asm = _read(assembly, arch)
    if asm.x86:
        pushed = [o.operands[0][1:] for _, o in asm.code if o.mnemonic in ("push", "pushq") and o.operands]
        pushed = [name for name in pushed if name in _X86_SAVED]
        if pushed:
            name = f"%{'rbx' if 'rbx' in pushed else pushed[-1]}"
            changes: dict[int, str | None] = {}
            for n, i in asm.code:
                if i.operands == (name,) and i.mnemonic.startswith(("push", "pop")):
                    # The stack stays as deep, so that calls find it aligned.
                    changes[n] = f"{'subq' if i.mnemonic.startswith('push') else 'addq'}\t$8, %rsp"
            return asm.edited(changes)
        whole = "\n".join(str(i) for _, i in asm.code)
        barred = {"rax", "rdx"} if re.search(r"\b(i?div|mul|cqto|cltq|cltd|cwtl)", whole) else set()
        barred |= {"rcx"} if "%cl" in whole else set()
        barred |= {"rcx", "rsi", "rdi", "rax"} if re.search(r"\brep|stos|movs[bq]\b$", whole) else set()
        used = [r for r in dict.fromkeys(_family(whole)) if r in _X86_FULL and r not in _X86_SAVED and r not in barred]
        for register in sorted(used, key=lambda r: r == "rax"):  # it may be the result

            def named(text: str, register: str = register) -> bool:
                return register in _family(text)

            if not asm.calls and _written_first(asm, named):
                return asm.mapped(functools.partial(_rename_x86, old=register, new="rbx"))
        return asm.edited({}, at_entry="movq\t%rsp, %rbp")
    saved = re.compile(r"(?:x(?:19|2[0-8])|d(?:[89]|1[0-5]))$")
    for _, i in asm.code:
        if i.mnemonic not in ("stp", "str") or "[sp" not in str(i):
            continue
        registers = tuple(o for o in i.operands if saved.match(o))
        # Without x29 and x30, so that the way back stays known.
        if not registers or len(registers) != len([o for o in i.operands if re.fullmatch(r"[xdq]\d+", o)]):
            continue
        changes = {}
        for m, other in asm.code:
            text = str(other)
            if (
                other.operands[: len(registers)] == registers
                and re.match(r"(st|ld)[pr]$", other.mnemonic)
                and "[sp" in text
            ):
                before, after = re.search(r"\[sp, #-(\d+)\]!", text), re.search(r"\[sp\], #(\d+)", text)
                changes[m] = f"sub\tsp, sp, #{before[1]}" if before else f"add\tsp, sp, #{after[1]}" if after else None
        return asm.edited(changes)
    if not asm.calls:
        for number in range(8, 18):

            def is_it(text: str, number: int = number) -> bool:
                return bool(re.search(rf"\b[wx]{number}\b", text))

            if _written_first(asm, is_it):
                return asm.mapped(functools.partial(_rename_arm, old=number, new=19))
    return asm.edited({}, at_entry="mov\tx29, sp") if not asm.calls else None


_ALIGNED = {"movups": "movaps", "movupd": "movapd", "movdqu": "movdqa"}


def _misalign(assembly: str, arch: str) -> str | None:
    """Vector accesses demand an alignment that is not there, or the stack is misaligned at calls."""
    asm = _read(assembly, arch)
    changes: dict[int, str | None] = {}
    if asm.x86:
        for n, i in asm.code:
            if i.mnemonic in _ALIGNED and any(_is_memory(o) for o in i.operands):
                changes[n] = i.named(_ALIGNED[i.mnemonic])
        if changes:
            return asm.edited(changes)
    if not asm.calls or not asm.returns():
        return None
    down, up = ("subq\t$8, %rsp", "addq\t$8, %rsp") if asm.x86 else ("sub\tsp, sp, #8", "add\tsp, sp, #8")
    return asm.edited(dict.fromkeys(asm.returns(), f"{up}\nret"), at_entry=down)


_X86_STORE_WIDTHS = {
    "movss": "movsd", "movsd": "movss", "movaps": "movlps", "movups": "movlps", "movapd": "movlpd", "movupd": "movlpd",
    "movdqa": "movq", "movdqu": "movq",
}  # fmt: skip
_X86_GENERAL = {"movl": ("movw", 16), "movq": ("movl", 32), "movw": ("movb", 8), "movb": ("movw", 16)}
_X86_LOADS = {"movl": "movzwl", "movzwl": "movzbl", "movswl": "movsbl", "movzbl": "movzwl", "movslq": "movswq"}
_ARM_NARROW = {"q": "d", "d": "s", "s": "h", "x": "w"}
_ARM_SUFFIX = {"str": "strh", "stur": "sturh", "strh": "strb", "strb": "strh", "ldr": "ldrh", "ldur": "ldurh",
               "ldrh": "ldrb", "ldrb": "ldrh", "ldrsw": "ldrsh", "ldrsh": "ldrsb", "ldrsb": "ldrsh"}  # fmt: skip


def _wrong_width(assembly: str, arch: str) -> str | None:
    """A store, or else a load or an operation, has another width than the element."""
    asm = _read(assembly, arch)
    if not asm.x86:
        return _wrong_width_arm(asm)
    for n, i in _x86_stores(asm):
        source, target = i.operands
        if "%rsp" in target:
            continue
        if i.mnemonic in _X86_STORE_WIDTHS and "xmm" in source:
            return asm.edited({n: i.named(_X86_STORE_WIDTHS[i.mnemonic])})
        if i.mnemonic in _X86_GENERAL:
            mnemonic, bits = _X86_GENERAL[i.mnemonic]
            found = x86_register(source)
            if found and found[1] != 9 and found[0] in _X86_FULL:
                return asm.edited({n: f"{mnemonic}\t{_x86_name(found[0], bits)}, {target}"})
            if source.startswith("$") and i.mnemonic == "movl":
                return asm.edited({n: f"movq\t{source}, {target}"})
    for n, i in _x86_loads(asm):
        if i.mnemonic in _X86_LOADS and "%rsp" not in i.operands[0]:
            return asm.edited({n: i.named(_X86_LOADS[i.mnemonic])})
    for n, i in asm.code:
        if match := re.fullmatch(r"(add|sub|mul|div|max|min)(s|p)(s|d)", i.mnemonic):
            return asm.edited({n: i.named(f"{match[1]}{match[2]}{'d' if match[3] == 's' else 's'}")})
    return None


def _wrong_width_arm(asm: _Asm) -> str | None:
    """Like ``_wrong_width`` for AArch64."""
    for kind in ("st", "ld"):
        for n, i in asm.code:
            text = str(i)
            # A scaled index would have to change with the width.
            if not re.match(rf"{kind}u?[pr]", i.mnemonic) or re.search(r"\[sp|:lo12:|(lsl|uxtw|sxtw) #", text):
                continue
            pair = i.mnemonic.endswith("p")
            letter = i.operands[0][0]
            if letter == "w" or (i.mnemonic in _ARM_SUFFIX and i.mnemonic not in ("str", "stur", "ldr", "ldur")):
                if i.mnemonic in _ARM_SUFFIX and not pair:
                    return asm.edited({n: i.named(_ARM_SUFFIX[i.mnemonic])})
            elif letter in _ARM_NARROW and not (pair and letter == "s"):
                count = 2 if pair else 1
                names = [_ARM_NARROW[letter] + o[1:] for o in i.operands[:count]]
                return asm.edited({n: f"{i.mnemonic}\t{', '.join([*names, *i.operands[count:]])}"})
    return None


def _target_line(asm: _Asm, i: Instruction) -> int | None:
    """The line of the label that a conditional jump goes to; None for other instructions."""
    if re.match(r"j(?!mp)|b\.?(eq|ne|[gl][te]|h[is]|l[os]|c[cs]|mi|pl|v[cs])$|cbn?z|tbn?z", i.mnemonic) and i.operands:
        return asm.labels.get(i.operands[-1])
    return None


def _immediate(operand: str) -> int | None:
    match = re.fullmatch(rf"[$#]?({_NUMBER})", operand)
    return int(match[1], 0) if match else None


def _same(one: str, other: str, *, x86: bool) -> bool:
    if x86:
        a, b = x86_register(one), x86_register(other)
        return bool(a and b and a[0] == b[0])
    return re.fullmatch(r"[wx]\d+", one) is not None and one[1:] == other[1:] and other[:1] in "wx"


def _step_of(i: Instruction, register: str, *, x86: bool) -> int | None:
    """By how much an instruction counts a register up; None when it does not."""
    if not i.operands or not _same(i.operands[-1 if x86 else 0], register, x86=x86):
        return None
    if x86:
        if i.mnemonic[:3] in ("inc", "dec"):
            return 1 if i.mnemonic.startswith("inc") else -1
        amount = _immediate(i.operands[0]) if i.operands[0].startswith("$") else None
    else:
        same = len(i.operands) == 3 and _same(i.operands[1], register, x86=False)
        amount = _immediate(i.operands[2]) if same else None
    if amount is None or not re.match(r"(add|sub)", i.mnemonic):
        return None
    return amount if i.mnemonic.startswith("add") else -amount


def _set_to(asm: _Asm, register: str, before: int, change: int) -> str | None:
    """The text with the last number moved into a register before a line changed."""
    for n, i in reversed([(n, i) for n, i in asm.code if n < before]):
        if not i.mnemonic.startswith("mov") or i.mnemonic == "movk" or len(i.operands) != 2:
            continue
        source, target = i.operands if asm.x86 else i.operands[::-1]
        number = _immediate(source) if source[:1] in "$#" else None
        if number is not None and _same(target, register, x86=asm.x86):
            text = f"{'$' if asm.x86 else '#'}{number + change}"
            return asm.edited({n: i.with_operand(0 if asm.x86 else 1, text)})
    return None


def _step_in(asm: _Asm, register: str) -> int | None:
    return next((s for _, i in asm.code if (s := _step_of(i, register, x86=asm.x86))), None)


def _end_moved(asm: _Asm, registers: Sequence[str], before: int) -> str | None:
    """The text with the end of a loop, held in a register, moved by one step."""
    for end, counter in (registers, registers[::-1]):
        step = _step_in(asm, counter)
        if not step or _step_in(asm, end) is not None:
            continue
        at = -1 if asm.x86 else 0
        written = [n for n, i in asm.code if n < before and i.operands and _same(i.operands[at], end, x86=asm.x86)]
        if written:
            found = x86_register(end)
            suffix = "q" if found and found[1] == 64 else "l"
            change = f"sub{suffix}\t${step}, {end}" if asm.x86 else f"{_sign(-step)}\t{end}, {end}, #{abs(step)}"
            return asm.edited({written[-1]: f"{dict(asm.code)[written[-1]]}\n{change}"})
    return None


def _sign(number: int) -> str:
    return "add" if number > 0 else "sub"


def _wrong_bound(assembly: str, arch: str) -> str | None:
    """A loop runs one iteration too few."""
    asm = _read(assembly, arch)
    x86 = asm.x86
    loops = [(n, i, at) for n, i in asm.code if (at := _target_line(asm, i)) is not None]
    # Jumps back are loops for certain; others may leave one.
    for n, i, at in sorted(loops, key=lambda loop: loop[2] >= loop[0]):
        body = [(m, other) for m, other in asm.code if min(at, n) <= m < n]
        before = [(m, other) for m, other in asm.code if m < n][-4:] if at >= n else body
        if i.mnemonic in ("cbnz", "cbz"):
            step = next((s for _, o in body if (s := _step_of(o, i.operands[0], x86=x86))), None)
            if step and (text := _set_to(asm, i.operands[0], at, step)):
                return text
            continue
        for m, setter in reversed(before):
            if setter.mnemonic.startswith("cmp") and len(setter.operands) == 2:
                number_at, register_at = (0, 1) if x86 else (1, 0)
                number, register = setter.operands[number_at], setter.operands[register_at]
                steps = [s for _, o in (body or asm.code) if (s := _step_of(o, register, x86=x86))]
                value = _immediate(number) if number[:1] in "$#" else None
                if value is not None:
                    new = value - (steps[0] if steps else 1)
                    if not x86 and new < 0:
                        break
                    return asm.edited({m: setter.with_operand(number_at, f"{'$' if x86 else '#'}{new}")})
                other = _step_in(asm, number)
                text = _set_to(asm, number, m, -(steps[0] if steps else 1))
                text = text or (_set_to(asm, register, m, -other) if other else None)
                text = text or _end_moved(asm, (number, register), m)
                if text:
                    return text
                break
            target = setter.operands[-1 if x86 else 0] if setter.operands else ""
            step = _step_of(setter, target, x86=x86)
            if step and (x86 or setter.mnemonic.endswith("s")):
                if text := _set_to(asm, target, at if at < n else n, step):
                    return text
                break
    return None


def _stale(assembly: str, arch: str) -> str | None:
    """A register is used although a call or another iteration has left something else in it."""
    asm = _read(assembly, arch)
    if asm.calls:
        whole = "\n".join(str(i) for _, i in asm.code if not re.match(r"push|pop", i.mnemonic) and "[sp" not in str(i))
        if asm.x86:
            kept = [r for r in dict.fromkeys(_family(whole)) if r in _X86_SAVED]
            if kept and "%r10" not in whole:
                return asm.mapped(functools.partial(_rename_x86, old=kept[0], new="r10"), skip=r"^(push|pop)|%rsp")
        else:
            saved = [int(m) for m in dict.fromkeys(re.findall(r"\b[wx](19|2[0-8])\b", whole))]
            if saved:
                return asm.mapped(functools.partial(_rename_arm, old=saved[0], new=15), skip=r"\[sp")
    if asm.x86:
        loads = [n for n, i in _x86_loads(asm) if "%xmm" in i.operands[1]]
        loads = loads or [n for n, i in _x86_loads(asm) if "%rsp" not in str(i)]
    else:
        plain = [(n, str(i)) for n, i in asm.code if re.match(r"ldu?[pr]", i.mnemonic)]
        plain = [(n, text) for n, text in plain if not re.search(r"\[sp|:lo12:", text)]
        vectors = [(n, text) for n, text in plain if re.match(r"\w+ [bhsdq]\d", text)] or plain
        loads = [n for n, _ in sorted(vectors, key=lambda found: bool(re.search(r"!|\],", found[1])))]
    return asm.edited({loads[1] if len(loads) > 1 else loads[0]: None}) if loads else None


def _wrong_number(assembly: str, arch: str) -> str | None:
    """A constant, immediate or displacement is wrong."""
    asm = _read(assembly, arch)
    for n, line in enumerate(asm.lines):
        match = re.fullmatch(rf"\s*(\.long|\.quad|\.word|\.xword)\s+({_NUMBER})", line)
        if match and not asm.start <= n < asm.end:
            # Another digit of a float, another bit of a mask.
            bit = 1 << (51 if match[1] in (".quad", ".xword") else 22)
            return asm.edited({n: f"{match[1]}\t{int(match[2], 0) ^ bit}"})
    return _wrong_number_x86(asm) if asm.x86 else _wrong_number_arm(asm)


def _wrong_number_x86(asm: _Asm) -> str | None:
    """Another displacement or immediate, whichever matters more."""

    def displaced() -> str | None:
        for n, i in asm.code:
            for at, operand in enumerate(i.operands):
                match = re.match(r"([A-Za-z_]\w*)([+-]\d+)?(?=\()", operand)
                if match and "%rip" not in operand and i.mnemonic != "lea":
                    text = f"{match[1]}{int(match[2] or 0) + 4:+d}{operand[match.end() :]}"
                    return asm.edited({n: i.with_operand(at, text)})
                match = re.match(r"(-?\d+)?\(%(?!rsp|rip)", operand)
                if match and not i.mnemonic.startswith("lea"):
                    rest = operand.removeprefix(match[1] or "")
                    return asm.edited({n: i.with_operand(at, f"{int(match[1] or 0) + 4}{rest}")})
        return None

    def operand() -> str | None:
        for n, i in asm.code:
            number = _immediate(i.operands[0]) if i.operands and i.operands[0].startswith("$") else None
            if number is not None and len(i.operands) > 1 and "%rsp" not in str(i):
                return asm.edited({n: i.with_operand(0, f"${number + 1}")})
        return None

    order = (operand, displaced) if asm.calls else (displaced, operand)
    return next((text for find in order if (text := find())), None)


def _wrong_number_arm(asm: _Asm) -> str | None:
    """Another immediate or offset."""
    for n, i in asm.code:
        if i.mnemonic == "fmov" and i.operands[-1].startswith("#"):
            return asm.edited({n: i.with_operand(1, "#2.5")})
    for n, i in asm.code:
        number = _immediate(i.operands[1]) if asm.calls and i.mnemonic == "mov" and len(i.operands) == 2 else None
        if number is not None:
            return asm.edited({n: i.with_operand(1, f"#{number + 1}")})
    for n, i in asm.code:
        text = str(i)
        if not re.match(r"(ld|st)u?[pr]", i.mnemonic) or re.search(r"\[sp|:lo12:", text):
            continue
        size = {"q": 16, "d": 8, "x": 8, "h": 2, "b": 1}.get(i.operands[0][0], 4)
        size = {"h": 2, "b": 1}.get(i.mnemonic[-1], size)
        if match := re.search(r"#(-?\d+)", text):
            return asm.edited({n: f"{text[: match.start()]}#{int(match[1]) + size}{text[match.end() :]}"})
        if re.search(r"\[x\d+\]$", text):
            return asm.edited({n: f"{text[:-1]}, #{size}]"})
    for n, i in asm.code:
        number = _immediate(i.operands[-1]) if i.operands and i.operands[-1].startswith("#") else None
        if number is not None and "sp" not in str(i):
            return asm.edited({n: i.with_operand(len(i.operands) - 1, f"#{number + 1}")})
    return None


def _wrong_section(assembly: str, arch: str) -> str | None:
    """Code goes into a section that is not for code, or into a writable one."""
    # Two sections to choose from: one that is not for code, one that is writable as well.
    odd = hashlib.sha256(assembly.encode()).digest()[0] & 1
    section = '.section\t.text.data,"awx",@progbits' if odd else '.section\t.code,"ax",@progbits'
    changed, count = re.subn(r"(?m)^\s*\.text\s*$", f"\t{section}", assembly)
    return changed if count else None


def _no_globl(assembly: str, arch: str) -> str | None:
    """The function stays local."""
    changed, count = re.subn(r"(?m)^\s*\.glob(?:a)?l\s.*\n", "", assembly)
    return changed if count else None


_INVERSE = {
    "e": "ne", "z": "nz", "l": "ge", "g": "le", "b": "ae", "a": "be", "s": "ns", "p": "np", "o": "no", "c": "nc",
    "ne": "e", "nz": "z", "ge": "l", "le": "g", "ae": "b", "be": "a", "ns": "s", "np": "p", "no": "o", "nc": "c",
    "nle": "le", "nlt": "lt", "lt": "nlt", "neq": "eq", "eq": "neq",
}  # fmt: skip
_INVERSE_ARM = {
    "eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt", "hi": "ls", "ls": "hi", "lo": "hs",
    "hs": "lo", "cc": "cs", "cs": "cc", "mi": "pl", "pl": "mi", "vs": "vc", "vc": "vs",
}  # fmt: skip


def _inverted(i: Instruction, *, x86: bool) -> str | None:
    """The instruction with the opposite condition; None when it has none."""
    name = i.mnemonic
    if x86:
        for pattern in (r"(j)(\w+)()", r"(set)(\w+)()", r"(cmov)(\w+?)([lqw]?)", r"(cmp)([a-z]+)([sp][sd])"):
            match = re.fullmatch(pattern, name)
            if match and name != "jmp" and match[2] in _INVERSE:
                other = _INVERSE[match[2]]
                if match[1] == "cmp":
                    other = {"le": "nle", "lt": "nlt"}.get(match[2], other)
                return i.named(f"{match[1]}{other}{match[3]}")
        for one, two in (("max", "min"), ("min", "max")):
            if re.fullmatch(rf"p?{one}\w+", name):
                return i.named(name.replace(one, two, 1))
        return None
    if (match := re.fullmatch(r"b\.?(\w\w)", name)) and match[1] in _INVERSE_ARM:
        return i.named(f"b.{_INVERSE_ARM[match[1]]}")
    if match := re.fullmatch(r"([ct]b)(n?)z", name):
        return i.named(f"{match[1]}{'' if match[2] else 'n'}z")
    if re.match(r"f?cs", name) and i.operands[-1] in _INVERSE_ARM:
        return i.with_operand(len(i.operands) - 1, _INVERSE_ARM[i.operands[-1]])
    swaps = {"fcmgt": "fcmge", "fcmge": "fcmgt", "fcmeq": "fcmgt", "fmaxnm": "fminnm", "fminnm": "fmaxnm",
             "cmeq": "cmgt", "cmgt": "cmge", "bif": "bit", "bit": "bif", "smax": "smin", "smin": "smax"}  # fmt: skip
    return i.named(swaps[name]) if name in swaps else None


def _wrong_condition(assembly: str, arch: str) -> str | None:
    """A condition is inverted."""
    asm = _read(assembly, arch)
    found = [(n, text, _target_line(asm, i)) for n, i in asm.code if (text := _inverted(i, x86=asm.x86))]
    if not found:
        return None
    # A branch within the work says more than the end of the loop.
    n, text, _ = min(found, key=lambda f: (f[2] is not None and f[2] < f[0], f[0]))
    return asm.edited({n: text})


def _no_extension(assembly: str, arch: str) -> str | None:
    """A narrow index or argument is used without extending it."""
    asm = _read(assembly, arch)
    for n, i in asm.code:
        if asm.x86:
            if i.mnemonic in ("movslq", "movsxd"):
                source = x86_register(i.operands[0])
                return asm.edited(
                    {n: f"movq\t{_x86_name(source[0], 64) if source else i.operands[0]}, {i.operands[1]}"}
                )
            if match := re.fullmatch(r"mov([sz])([bw])([lq])", i.mnemonic):
                return asm.edited({n: i.named(f"mov{'z' if match[1] == 's' else 's'}{match[2]}{match[3]}")})
            if i.mnemonic in ("cltq", "cltd", "cqto", "cwtl"):
                return asm.edited({n: None})
            source = x86_register(i.operands[0]) if i.mnemonic == "movl" and len(i.operands) == 2 else None
            target = x86_register(i.operands[1]) if source else None
            # An int argument copied as a whole, junk above its 32 bits included.
            if source and target and source[0] in ("rdi", "rsi", "rdx", "rcx") and not asm.calls:
                return asm.edited({n: f"movq\t{_x86_name(source[0], 64)}, {_x86_name(target[0], 64)}"})
            continue
        text = str(i)
        if i.mnemonic in ("sxtw", "uxtw") or (i.mnemonic == "mov" and re.match(r"mov w\d+, w[0-7]$", text)):
            if i.mnemonic == "mov" and asm.calls:
                continue
            return asm.edited({n: "mov\t" + ", ".join(re.sub(r"^w", "x", o) for o in i.operands)})
        if i.mnemonic in ("sxtb", "sxth", "uxtb", "uxth"):
            return asm.edited({n: f"mov\t{i.operands[0]}, {i.operands[0][0]}{i.operands[1][1:]}"})
        if match := re.search(r"\bw(\d+), [su]xtw( #(\d))?\]", text):
            shift = f", lsl #{match[3]}]" if match[3] else "]"
            return asm.edited({n: f"{text[: match.start()]}x{match[1]}{shift}"})
        if match := re.search(r"\bw(\d+), [su]xtw( #(\d))?$", text):
            return asm.edited({n: f"{text[: match.start()]}x{match[1]}, lsl #{match[3] or 0}"})
        if i.mnemonic in ("ldrsw", "ldursw"):
            # Read as 64 bits where the address allows it, else extended with zeros.
            register = f"{'w' if 'lsl' in text else 'x'}{i.operands[0][1:]}"
            return asm.edited({n: f"{i.mnemonic[:-2]}\t{register}, {', '.join(i.operands[1:])}"})
        if match := re.fullmatch(r"ldrs([bh])", i.mnemonic):
            return asm.edited({n: f"ldr{match[1]}\tw{i.operands[0][1:]}, {', '.join(i.operands[1:])}"})
        if i.mnemonic in ("smull", "smaddl", "sshll", "sshll2"):
            return asm.edited({n: i.named("u" + i.mnemonic[1:])})
    return None


def _misspelt_label(assembly: str, arch: str) -> str | None:
    """A local label is used that does not exist."""
    asm = _read(assembly, arch)
    for n, i in asm.code:
        text = str(i)
        match = re.search(r"\.L[\w.]+", text)
        if match and match[0] in asm.labels:
            wrong = re.sub(r"^\.L(BB|C)?", ".Lloop_" if _target_line(asm, i) is not None else ".Lconst_", match[0])
            return asm.edited({n: text.replace(match[0], wrong, 1)})
    return None


def _no_fence(assembly: str, arch: str) -> str | None:
    """The reply holds no fenced block."""
    # Bare assembly would be taken as it is, so the reply takes it apart line by line.
    listed = [f"{n}. `{' '.join(line.split())}`" for n, line in enumerate(assembly.splitlines(), 1)]
    return "The translation, line by line:\n\n" + "\n".join(listed) + "\n"


def _wrong_order(assembly: str, arch: str) -> str | None:
    """Operands are in the order of another syntax."""
    asm = _read(assembly, arch)
    if asm.x86:
        choices = [(n, i) for n, i in _x86_stores(asm) if i.operands[0].startswith("%") and "%rsp" not in str(i)]
        choices += [(n, i) for n, i in asm.code if re.match(r"cmp[lqwb]|sub|div[sp]", i.mnemonic)]
        for n, i in choices:
            if len(i.operands) == 2 and i.operands[0] != i.operands[1] and "%rsp" not in str(i):
                return asm.edited({n: f"{i.mnemonic}\t{i.operands[1]}, {i.operands[0]}"})
        return None
    for n, i in asm.code:
        ops = i.operands
        uneven = re.fullmatch(r"f?(sub|div)s?", i.mnemonic) and all(re.match(r"[wxsdv]\d", o) for o in ops[-2:])
        if uneven and ops[-1] != ops[-2]:
            return asm.edited({n: f"{i.mnemonic}\t{', '.join([*ops[:-2], ops[-1], ops[-2]])}"})
    for n, i in asm.code:
        if re.match(r"stu?[pr]", i.mnemonic) and "[sp" not in str(i):
            memory = next(k for k, o in enumerate(i.operands) if o.startswith("["))
            rest = [o for k, o in enumerate(i.operands) if k != memory]
            return asm.edited({n: f"{i.mnemonic}\t{', '.join([i.operands[memory], *rest])}"})
    for n, i in asm.code:
        # Copies between registers last: many look the same either way round.
        ops = i.operands
        if i.mnemonic in ("csel", "fcsel") and ops[1] != ops[2]:
            return asm.edited({n: f"{i.mnemonic}\t{', '.join([ops[0], ops[2], ops[1], ops[3]])}"})
        if i.mnemonic == "mov" and all(re.match(r"[wx]\d", o) for o in ops):
            return asm.edited({n: f"mov\t{ops[1]}, {ops[0]}"})
    return None


def _no_result(assembly: str, arch: str) -> str | None:
    """The result is not put where the caller looks for it."""
    asm = _read(assembly, arch)
    lines = dict(asm.code)
    for end in asm.returns():
        for n in range(end - 1, asm.start, -1):
            i = lines.get(n)
            text = str(i) if i else ""
            if i is None or re.match(r"push|pop|leave|(add|sub|lea)q? .*%rsp$|ld[pr] .*\[sp|add sp", text):
                continue
            target = i.operands[-1 if asm.x86 else 0] if i.operands else ""
            if target in ("%eax", "%rax", "w0", "x0") and not re.match(r"cmp|test|st|cb|tb", i.mnemonic):
                return asm.edited({n: None})
            moved = re.match(r"v?mova?[psd]+ %xmm\d+, %xmm0$|fmov [sd]0, [sd]\d+$", text)
            if moved:
                return asm.edited({n: None})
            break
    if asm.calls:
        return None
    # The result was computed where it belongs: compute it in another register.
    if asm.x86:
        if _written_first(asm, lambda text: re.search(r"%xmm0\b", text) is not None):
            return asm.mapped(lambda text: re.sub(r"%xmm0\b", "%xmm15", text))
        return None
    if _written_first(asm, lambda text: re.search(r"\b[bhsdqv]0\b", text) is not None):
        return asm.mapped(lambda text: _rename_arm(text, 0, 31, "bhsdqv"))
    return None


@dataclass(frozen=True)
class Way:
    """One kind of mistake."""

    name: str
    kind: str
    """Of a rule against it: formatting, syntactic or semantic."""
    spoil: Callable[[str, str], str | None]
    """From assembly and arch to assembly with the mistake; None where it does not apply."""
    rules: Mapping[str, tuple[str, ...]]
    """Rules against it in several wordings, by arch."""
    words: tuple[tuple[str, ...], ...]
    """A rule is against it when it holds all words of one of these, in any case."""
    shown: str
    """What diagnostics say of it, as a regular expression."""
    chance: float = 0.12
    """That the student makes it when no rule speaks of it."""
    ruled: float = 0.012
    """That it does when a rule is against it."""
    repair: float = 0.35
    """That a self-debug round mends it while the diagnostic is about something else."""
    repair_shown: float = 0.75
    """That a self-debug round mends it when the diagnostic shows it."""
    harmful: str = ""
    """A rule that makes it likely; empty when there is none."""
    harmful_words: tuple[tuple[str, ...], ...] = ()
    whole_reply: bool = False
    """``spoil`` gives the reply itself instead of assembly to be fenced."""
    arches: tuple[str, ...] = ARCHES

    def speaks(self, rule: str) -> bool:
        """Whether a rule is against this mistake."""
        return not self.invites(rule) and _holds(rule, self.words)

    def invites(self, rule: str) -> bool:
        """Whether a rule makes this mistake likely."""
        return _holds(rule, self.harmful_words)


def _holds(text: str, words: tuple[tuple[str, ...], ...]) -> bool:
    lower = text.lower()
    return any(all(word in lower for word in together) for together in words)


def _both(*texts: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(ARCHES, texts)


_WRONG = r"elements? (is|are) wrong|expected .+, got|times, expected|memory was not as expected"
_CRASH = r"SIGSEGV|SIGBUS|access (to|through)|past its end|before its start|timed out|still running"

WAYS: tuple[Way, ...] = (
    Way(
        "callee_saved", "semantic", _clobber,
        {
            "x86_64": (
                "Save %rbx, %rbp and %r12-%r15 before using them and restore them before every ret.",
                "Callee-saved registers (%rbx, %rbp, %r12-%r15) must be saved and restored; prefer %r8-%r11.",
            ),
            "aarch64": (
                "Save x19-x28 and d8-d15 before using them and restore them before every ret.",
                "Callee-saved registers (x19-x28, d8-d15) must be saved and restored; prefer x8-x17.",
            ),
        },
        (("callee-saved",), ("save", "restore")), r"did not preserve",
        harmful="Keep loop counters in callee-saved registers without saving them; this saves stack traffic.",
        harmful_words=(("without saving",),),
    ),
    Way(
        "alignment", "semantic", _misalign,
        {
            "x86_64": (
                "Use movups unless the address is surely a multiple of 16; keep the stack aligned at calls.",
                "Alignment: use movups on memory, and keep %rsp a multiple of 16 at every call.",
            ),
            "aarch64": (
                "Keep sp a multiple of 16 at every bl and blr: the stack must stay aligned.",
                "The stack pointer must be aligned to 16 bytes at calls; take it down in steps of 16.",
            ),
        },
        (("movups",), ("stack", "aligned"), ("stack pointer", "multiple of 16")),
        r"-byte alignment|past a multiple of|needs an aligned|was not a multiple of 16",
        harmful="Always use movaps and step the stack pointer by 8 bytes; aligned accesses are faster.",
        harmful_words=(("always use movaps",),),
    ),
    Way(
        "width", "semantic", _wrong_width,
        _both(
            "Make the width of every load and store match the element type.",
            "Check the access width: a load or store must be exactly as wide as the element.",
        ),
        (("width",), ("as wide as",)), _WRONG + "|" + _CRASH,
    ),
    Way(
        "loop_bound", "semantic", _wrong_bound,
        _both(
            "Check the loop bound: count iterations and handle the remainder after an unrolled loop.",
            "A loop must run exactly as often as in the source; beware of off-by-one bounds and a lost remainder.",
        ),
        (("loop bound",), ("off-by-one",), ("remainder",)), _WRONG + "|" + _CRASH,
    ),
    Way(
        "stale_register", "semantic", _stale,
        _both(
            "Reload what is used again after a call: caller-saved and vector registers do not survive a call.",
            "Do not reuse a stale register: load it anew in every iteration and after each call.",
        ),
        (("stale",), ("reload",), ("survive a call",)), _WRONG + "|" + _CRASH,
    ),
    Way(
        "immediate", "semantic", _wrong_number,
        _both(
            "Copy immediates and offsets from the source digit by digit.",
            "Double-check every immediate, constant and displacement against the IR.",
        ),
        (("immediate",),), _WRONG + "|" + _CRASH,
    ),
    Way(
        "condition", "semantic", _wrong_condition,
        _both(
            "Take the condition code of a branch from the comparison: signed or unsigned, and not inverted.",
            "Check each condition code: an inverted branch or one of the wrong signedness takes the wrong path.",
        ),
        (("condition code",), ("inverted",), ("signed or unsigned",)), _WRONG + "|" + _CRASH,
    ),
    Way(
        "extension", "semantic", _no_extension,
        {
            "x86_64": (
                "Sign-extend 32-bit indices and int arguments (movslq) before using them in addresses.",
                "Use movslq: the upper half of an int argument is undefined until it is sign-extended.",
            ),
            "aarch64": (
                "Sign-extend 32-bit indices and int arguments (sxtw, ldrsw) before using them in addresses.",
                "Use sxtw: the upper half of an int argument is undefined until it is sign-extended.",
            ),
        },
        (("sign-exten",), ("sign exten",)), _WRONG + "|" + _CRASH,
        harmful="Int arguments are already 64 bits wide, so skip extending them.",
        harmful_words=(("skip extending",),),
    ),
    Way(
        "return_value", "semantic", _no_result,
        {
            "x86_64": (
                "Move the return value to %eax, %rax or %xmm0 before ret.",
                "The return register is %rax or %xmm0: put the result there before every ret.",
            ),
            "aarch64": (
                "Move the return value to w0, x0, s0 or d0 before ret.",
                "The return register is x0 or v0: put the result there before every ret.",
            ),
        },
        (("return value",), ("return register",)), r"result: expected|result.*expected|" + _CRASH,
    ),
    Way(
        "operand_order", "syntactic", _wrong_order,
        {
            "x86_64": (
                "Operand order is AT&T: source first, destination last.",
                "Write operands in the order source, destination (AT&T), also for stores and cmp.",
            ),
            "aarch64": (
                "Operand order: the register comes first and memory last, for stores too; the subtrahend is last.",
                "Write operands in the order of the manual: destination first, but for str the stored register.",
            ),
        },
        (("operand order",), ("operands in the order",)),
        _WRONG + "|" + _CRASH + r"|Error|operand|invalid|assembler said",
    ),
    Way(
        "label", "syntactic", _misspelt_label,
        _both(
            "Define every local label that is used, spelt the same.",
            "Each local label (.L...) that a branch names must be defined exactly once.",
        ),
        (("local label",),), r"which neither it nor the task defines|undefined (local )?label|undefined reference",
    ),
    Way(
        "section", "formatting", _wrong_section,
        _both(
            "Put all code into .text and data into .rodata; never make .text writable.",
            "Use the plain section .text for code; no other executable section is allowed.",
        ),
        ((".text",),), r"section \S+ (is executable|is both writable|holds)",
    ),
    Way(
        "globl", "formatting", _no_globl,
        _both(
            "Declare the function with .globl before its label.",
            "The function has to be global: write .globl with its name.",
        ),
        ((".globl",),), r"does not define the function",
        harmful="Omit .globl, the linker finds the function by its label.",
        harmful_words=(("omit .globl",),),
    ),
    Way(
        "fence", "formatting", _no_fence,
        _both(
            "Answer with the complete assembly in one fenced block, not line by line.",
            "All assembly belongs into a single fenced block (```assembly) with no lists around it.",
        ),
        (("fenced block",),), r"no[ _]candidate|holds no assembly",
        whole_reply=True,
    ),
)  # fmt: skip
"""All ways, in the order in which they are applied: what takes the text apart comes last."""
WAY: Mapping[str, Way] = {way.name: way for way in WAYS}

SPEED_RULES = (
    "Vectorise loops without dependences, four floats at a time.",
    "Unroll hot loops so that several independent operations are in flight.",
    "Keep addresses and constants in registers outside the loop.",
)
_SPEED_WORDS = (("vectoris",), ("vectoriz",), ("unroll",), ("in flight",), ("outside the loop",))

# --- what is spoiled, and whether a judge refuses it ------------------------------------------------------------------


def compiled(toolchain: Toolchain, task: Task, styles: Sequence[str] = STYLES) -> dict[str, str]:
    """Clean assembly of a task by style, from a cache beside the toolchain's; what does not compile is left out."""
    found = {}
    for style in styles:
        compiler, _, opt = style.partition("-")
        key = _digest(task.digest(), toolchain.arch.name, toolchain.march, style, tool_version(toolchain.clang))
        path = toolchain.cache / "simulated" / "assembly" / f"{key}.s"
        if not path.is_file():
            try:
                text = cleaned(toolchain.compile_source(compiler, opt, task.c_path), toolchain.arch.name)
            except (ToolMissing, HarnessError):
                continue
            _write(path, text)
        found[style] = path.read_text()
    return found


def reply_text(assembly: str, whole: bool = False) -> str:
    """What the student says: the assembly in a fenced block, or a text that is the reply as it stands."""
    return assembly if whole else f"```assembly\n{assembly}```\n"


def spoiled(assembly: str, arch: str, ways: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The reply with these mistakes, as far as they go together, and those that it has."""
    wanted = set(ways)
    done = []
    whole = False
    for way in WAYS:
        if way.name in wanted and arch in way.arches:
            changed = way.spoil(assembly, arch)
            if changed is not None and changed != assembly:
                assembly, whole = changed, way.whole_reply
                done.append(way.name)
    return reply_text(assembly, whole), tuple(done)


def usable(
    toolchain: Toolchain,
    judge: Judge,
    tasks: Sequence[Task],
    *,
    styles: Sequence[str] = STYLES,
    cache: Path | None = None,
) -> Usable:
    """Which ways a judge refuses on which tasks and styles, and under ``RIGHT`` which styles it finds correct.

    Each reply is taken apart and judged once; verdicts are kept in the JSON file ``cache`` (beside the toolchain's
    builds unless given), under a digest of task, way and assembly. Styles that are not correct unspoiled are left out.
    """
    arch = toolchain.arch.name
    book = _Verdicts(cache or toolchain.cache / "simulated" / "verdicts.json")
    found: Usable = {RIGHT: {}, **{way.name: {} for way in WAYS if arch in way.arches}}
    for task in tasks:
        for style, assembly in compiled(toolchain, task, styles).items():
            if book.verdict(judge, task, arch, RIGHT, reply_text(assembly)) != Outcome.CORRECT.value:
                continue
            _add(found[RIGHT], task.id, style)
            for way in WAYS:
                if arch not in way.arches:
                    continue
                reply, done = spoiled(assembly, arch, [way.name])
                if not done:
                    continue
                verdict = book.verdict(judge, task, arch, way.name, reply)
                if verdict not in (Outcome.CORRECT.value, Outcome.UNJUDGED.value):
                    _add(found[way.name], task.id, style)
        book.save()
    return found


def judged(judge: Judge, task: Task, arch: str, reply: str) -> str:
    """The word for a reply: what extraction or the judge makes of it."""
    taken = extract(reply, task.function, arch=arch)
    if isinstance(taken, NoCandidate):
        return Outcome.NO_CANDIDATE.value
    return judge.judge(task, arch, taken.assembly).verdict.outcome.value


def _add(to: dict[str, tuple[str, ...]], task: str, style: str) -> None:
    to[task] = (*to.get(task, ()), style)


class _Verdicts:
    """Verdicts kept in a JSON file; several processes may write it, the last one adds to what the others found."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = self._load()
        self._new = False

    def _load(self) -> dict[str, str]:
        with contextlib.suppress(OSError, ValueError):
            known: dict[str, str] = json.loads(self.path.read_text())
            return known
        return {}

    def verdict(self, judge: Judge, task: Task, arch: str, way: str, reply: str) -> str:
        key = _digest(task.digest(), arch, judge.toolchains[arch].march, way, reply)
        if key not in self._known:
            self._known[key] = judged(judge, task, arch, reply)
            self._new = True
        return self._known[key]

    def save(self) -> None:
        if self._new:
            # A judge that ran out of time has said nothing that should last.
            lasting = {k: v for k, v in self._known.items() if v != Outcome.UNJUDGED.value}
            self._known = {**self._load(), **lasting}
            _write(self.path, json.dumps(self._known, indent=0, sort_keys=True))
            self._new = False


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_text(path, text)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


# --- knobs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Knobs:
    """How good student and teacher are; probabilities, and factors on those of the ways."""

    mistakes: float = 1.0
    """Factor on the chance of every mistake that no rule is against."""
    obedience: float = 1.0
    """How far a rule brings the chance down: 1 to the way's ``ruled``, 0 not at all."""
    harm: float = 0.9
    """Chance of a mistake that a rule of the prompt invites."""
    repairs: float = 1.0
    """Factor on the chance of every repair."""
    most: int = 3
    """Mistakes in one translation, at most."""
    chances: Mapping[str, float] = field(default_factory=dict)
    """By way, instead of its own chance."""
    teacher_harmful: float = 0.15
    """That an insight is a harmful one."""
    teacher_specific: float = 0.15
    """That an insight is about one program only."""
    teacher_loses: float = 0.05
    """That merging drops a good rule."""
    teacher_joins: float = 0.9
    """That merging drops what is there already."""
    applies: float = 0.95
    """That a review applies a sound change."""
    refuses_specific: float = 0.85
    refuses_harmful: float = 0.5
    refuses_loss: float = 0.8
    """That a review refuses to drop a good rule."""


STRONG = Knobs(mistakes=0.25, repairs=1.2)
WEAK = Knobs(mistakes=2.0, repairs=0.6)


class _Chance:
    """Numbers between 0 and 1 that depend on a digest and a label and on nothing else."""

    def __init__(self, digest: bytes) -> None:
        self._digest = digest

    def of(self, label: str) -> float:
        raw = hashlib.sha256(self._digest + label.encode()).digest()
        return int.from_bytes(raw[:7], "big") / (1 << 56)

    def pick(self, label: str, choices: Sequence[str]) -> str:
        return choices[int(self.of(label) * len(choices))]


# --- the student ------------------------------------------------------------------------------------------------------


class _Stock(NamedTuple):
    """A task on an arch: its right assembly by style, and the ways that are usable on each."""

    task: Task
    arch: str
    assembly: Mapping[str, str]
    ways: Mapping[str, tuple[str, ...]]


class _Said(NamedTuple):
    """A reply and what is known of it."""

    text: str
    kind: str
    task: str = ""
    arch: str = ""
    ways: tuple[str, ...] = ()


_FENCED = re.compile(r"(?ms)^[ \t]*```[^\n]*\n(.*?)^[ \t]*```[ \t]*$")
_RULES = re.compile(r"(?m)^Rules for (correct|fast) assembly:\n((?:- .*\n?)+)")


def rules_in(prompt: str) -> tuple[list[str], list[str]]:
    """Rules for correct and for fast assembly that a prompt holds."""
    found: dict[str, list[str]] = {"correct": [], "fast": []}
    for match in _RULES.finditer(prompt):
        found[match[1]] += [line[2:] for line in match[2].splitlines()]
    return found["correct"], found["fast"]


class _Student:
    def __init__(self, stocks: Iterable[_Stock], names: Mapping[str, Sequence[str]], knobs: Knobs, seed: int) -> None:
        self._stocks = {(stock.task.function, stock.arch): stock for stock in stocks}
        self._functions = frozenset(function for function, _ in self._stocks)
        self._names, self._knobs, self._seed = names, knobs, seed
        self._spoiled: dict[tuple[str, str, str, frozenset[str]], tuple[str, tuple[str, ...]]] = {}

    def answer(self, messages: Sequence[Mapping[str, str]], nonce: str) -> _Said | None:
        """The reply to a conversation; None when it is about no known task."""
        first = next((m["content"] for m in messages if m["role"] == "user"), "")
        stock = self._about(first)
        if stock is None:
            return None
        optimising = self._is_optimisation(first)
        state: tuple[str, ...] = ()
        style = ""
        digest = hashlib.sha256(f"{self._seed}\0{stock.task.id}\0{stock.arch}\0{nonce}".encode()).digest()
        turns = 0
        # What the conversation holds already decides what was wrong with each reply, so nothing has to be remembered.
        for message in messages:
            digest = hashlib.sha256(digest + f"{message['role']}\0{message['content']}".encode()).digest()
            if message["role"] != "user":
                continue
            chance = _Chance(digest)
            if not turns:
                style = self._style(stock, first, chance, optimising=optimising)
                state = self._mistakes(stock, style, first, chance)
            else:
                state = self._repaired(state, message["content"], chance)
            state = self._reply(stock, style, state)[1]
            turns += 1
        text = self._reply(stock, style, state)[0]
        kind = "debug" if turns > 1 else "optimise" if optimising else "generate"
        return _Said(text, kind, stock.task.id, stock.arch, state)

    def _about(self, prompt: str) -> _Stock | None:
        function = next((name for name in re.findall(r"`(\w+)`", prompt) if name in self._functions), None)
        if function is None:
            function = next((n for n in re.findall(r"@(\w+)\(", prompt) if n in self._functions), None)
        if function is None:
            return None
        # Optimisation prompts hold the title and no triple.
        arches = [arch for arch, names in self._names.items() if any(name in prompt for name in names)]
        return next((s for arch in arches if (s := self._stocks.get((function, arch)))), None)

    @staticmethod
    def _is_optimisation(prompt: str) -> bool:
        return "The current assembly:" in prompt or "Make it faster" in prompt

    def _style(self, stock: _Stock, prompt: str, chance: _Chance, *, optimising: bool) -> str:
        wanted = FAST_STYLES if optimising else PLAIN_STYLES
        styles = [s for s in wanted if s in stock.assembly] or list(stock.assembly)
        if optimising:
            blocks = _FENCED.findall(prompt)
            others = [s for s in styles if not blocks or stock.assembly[s].strip() != blocks[-1].strip()]
            styles = others or styles
        hurried = any(_holds(rule, _SPEED_WORDS) for rule in rules_in(prompt)[1])
        if hurried and chance.of("hurry") < 0.9:
            return styles[0] if optimising else styles[-1]
        return chance.pick("style", styles)

    def _mistakes(self, stock: _Stock, style: str, prompt: str, chance: _Chance) -> tuple[str, ...]:
        correct, fast = rules_in(prompt)
        rules = [*correct, *fast]
        made = []
        for name in stock.ways[style]:
            way = WAY[name]
            if (lot := chance.of(name)) < (likely := self._chance_of(way, rules)):
                made.append((lot / likely, name))
        return tuple(name for _, name in sorted(made)[: self._knobs.most])

    def _chance_of(self, way: Way, rules: Sequence[str]) -> float:
        if any(way.invites(rule) for rule in rules):
            return self._knobs.harm
        plain = min(self._knobs.chances.get(way.name, way.chance) * self._knobs.mistakes, 1.0)
        if any(way.speaks(rule) for rule in rules):
            ruled = min(way.ruled, plain)
            return plain + (ruled - plain) * self._knobs.obedience
        return plain

    def _repaired(self, state: Sequence[str], prompt: str, chance: _Chance) -> tuple[str, ...]:
        rules = rules_in(prompt)[0]
        said = _FENCED.sub("", _RULES.sub("", prompt)).partition("Answer with the complete")[0]
        left = []
        for name in state:
            way = WAY[name]
            likely = (way.repair_shown if re.search(way.shown, said) else way.repair) * self._knobs.repairs
            if any(way.invites(rule) for rule in rules):
                likely *= 0.3
            elif any(way.speaks(rule) for rule in rules):
                likely = max(likely, 0.9)
            if chance.of(f"repair {name}") >= likely:
                left.append(name)
        return tuple(left)

    def _reply(self, stock: _Stock, style: str, ways: Iterable[str]) -> tuple[str, tuple[str, ...]]:
        key = (stock.task.id, stock.arch, style, frozenset(ways))
        if key not in self._spoiled:
            self._spoiled[key] = spoiled(stock.assembly[style], stock.arch, key[3])
        return self._spoiled[key]


# --- the teacher ------------------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """A rule or an insight as a request lists it."""

    id: str
    kind: str
    text: str


_LISTED = re.compile(r"(?m)^[ \t]*(?:- )?([RI]\d+) \[(\w+)\] (.+?)[ \t]*$")
_CHANGE = re.compile(r"(?m)^[ \t]*(\d+)\. (?:(add) \[\w+\] (.+)|(drop) R\d+: (.+)|(change) R\d+: (.*) => (.+?))[ \t]*$")


def meaning(rule: str) -> str:
    """What a rule is about: a way's name, ``harmful NAME``, ``specific``, ``speed``, or its own words."""
    for way in WAYS:
        if way.invites(rule):
            return f"harmful {way.name}"
    if is_specific(rule):
        return "specific"
    for way in WAYS:
        if way.speaks(rule):
            return way.name
    return "speed" if _holds(rule, _SPEED_WORDS) else " ".join(re.findall(r"\w+", rule.lower()))


def is_specific(rule: str) -> bool:
    """Whether a rule names one program or a number of it."""
    return bool(re.search(r"`\w+`|\b[svx]\d{3,4}\b|\b[a-z0-9]+_[a-z0-9_]+\b|\b\d{3,}\b", rule))


class _Teacher:
    def __init__(self, knobs: Knobs, seed: int) -> None:
        self._knobs, self._seed = knobs, seed

    def answer(self, messages: Sequence[Mapping[str, str]], nonce: str) -> _Said | None:
        """The reply to a request of prompts/teacher.yaml; None when it is none of them."""
        whole = "\n".join(m["content"] for m in messages)
        asked = messages[-1]["content"] if messages else ""
        chance = _Chance(hashlib.sha256(f"{self._seed}\0{nonce}\0{json.dumps(list(messages))}".encode()).digest())
        arch = "aarch64" if "AArch64" in whole else "x86_64"
        if "```decisions" in asked:
            return _Said(self._review(asked, chance), "review", arch=arch)
        if "```rules" in asked:
            return _Said(self._merge(asked, chance), "merge", arch=arch)
        if "```insights" in asked and "[performance]" in asked:
            return _Said(self._speed(chance), "extract_speed", arch=arch)
        if "```insights" in asked:
            return _Said(self._extract(asked, arch, chance), "extract", arch=arch)
        return None

    def _extract(self, asked: str, arch: str, chance: _Chance) -> str:
        request = re.split(r"(?m)^For each round, find", asked)[0]
        found = diagnosed(request, arch)
        name = re.search(r"(?m)^\s*\.type\s+([\w.$]+)|^([A-Za-z_]\w*):|`(\w+)`", request)
        program = next((part for part in name.groups() if part), "this function") if name else "this function"
        numbers = [n for n in re.findall(r"\d{3,6}", request) if int(n) >= 100]
        lines = []
        for way in found[:4]:
            lot = chance.of(f"lot {way}")
            text = chance.pick(f"words {way}", WAY[way].rules[arch])
            kind = WAY[way].kind
            if lot < self._knobs.teacher_harmful:
                bad = WAY[way] if WAY[way].harmful else WAY[chance.pick(f"harm {way}", _HARMFUL)]
                text, kind = bad.harmful, bad.kind
            elif lot < self._knobs.teacher_harmful + self._knobs.teacher_specific:
                bound = chance.pick(f"bound {way}", numbers) if numbers else "1000"
                text = (
                    f"In `{program}`, {text[0].lower()}{text[1:]}"
                    if chance.of(f"name {way}") < 0.5
                    else f"Loops end at {bound}: {text[0].lower()}{text[1:]}"
                )
            lines.append(f"- [{kind}] {text}")
        seen = ", ".join(found) or "nothing that can be named"
        return _block(f"The mistakes were: {seen}.", "insights", lines)

    def _speed(self, chance: _Chance) -> str:
        lines = [f"- [performance] {rule}" for rule in SPEED_RULES if chance.of(rule) < 0.5]
        return _block("Fewer instructions for each element made the difference.", "insights", lines)

    def _merge(self, asked: str, chance: _Chance) -> str:
        request = asked.partition("Write the rules anew")[0]
        listed = [Line(*m) for m in _LISTED.findall(request)]
        lines: list[str] = []
        there: set[str] = set()
        for rule in (line for line in listed if line.id.startswith("R")):
            about = meaning(rule.text)
            if chance.of(f"lose {rule.id}") < self._knobs.teacher_loses:
                continue
            if about in there and about not in ("specific", "speed") and chance.of(rule.id) < self._knobs.teacher_joins:
                continue
            there.add(about)
            lines.append(f"- {rule.id} [{rule.kind}] {rule.text}")
        groups: dict[str, list[Line]] = defaultdict(list)
        for insight in (line for line in listed if line.id.startswith("I")):
            text = re.sub(r" \([^()]*\)$", "", insight.text)  # the task it comes from
            about = meaning(text)
            key = f"{about} {text}" if about in ("specific", "speed") else about
            groups[key].append(insight._replace(text=text))
        old = {" ".join(line.split(" ")[3:]) for line in lines}
        for about, insights in groups.items():
            known = about in there or insights[0].text in old
            if known and chance.of(f"join {about}") < self._knobs.teacher_joins:
                continue
            ids = ", ".join(i.id for i in insights)
            lines.append(f"- new [{insights[0].kind}] {insights[0].text} ({ids})")
        return _block("", "rules", lines, empty="")

    def _review(self, asked: str, chance: _Chance) -> str:
        request = asked.partition("Decide for each line")[0]
        lines = []
        for match in _CHANGE.finditer(request):
            number = match[1]
            dropped = match[5]
            about = meaning(dropped or match[3] or match[8])
            if dropped is not None:
                good = about in WAY or about == "speed"
                likely, why = (self._knobs.refuses_loss, "it is a useful rule") if good else (0.0, "")
            elif about.startswith("harmful"):
                likely, why = self._knobs.refuses_harmful, "it is not true in general"
            elif about == "specific":
                likely, why = self._knobs.refuses_specific, "it is about one program only"
            else:
                likely, why = 1 - self._knobs.applies, "it is not clear enough"
            refused = chance.of(f"decide {number}") < likely
            lines.append(f"refuse {number}: {why}" if refused else f"apply {number}")
        return _block("", "decisions", lines, empty="")


_HARMFUL = tuple(way.name for way in WAYS if way.harmful)


def _block(words: str, name: str, lines: Sequence[str], *, empty: str = "none") -> str:
    body = "\n".join(lines) or empty
    return f"{words}\n\n```{name}\n{body}\n```\n".lstrip()


_TOLD = ("fence", "globl", "section", "label", "alignment", "callee_saved")
"""Ways that diagnostics name; the others are guessed from what was repaired."""


def diagnosed(trajectory: str, arch: str) -> list[str]:
    """Ways that the diagnostics of a trajectory name, then those that its repairs hint at."""
    blocks = list(_FENCED.finditer(trajectory))
    words = _RULES.sub("", _FENCED.sub("\n", trajectory))
    # The task's own instructions and the advice that goes with every refusal are no diagnostics.
    words = re.sub(r"Answer with .*", "", words)
    found = [name for name in _TOLD if re.search(WAY[name].shown, words)]
    assemblies = [b[1] for b in blocks if re.search(r"(?m)^\s*(\.glob|\.text|\.type|\w+:)", b[1])]
    for before, after in itertools.pairwise(assemblies):
        found += guessed(before, after, arch)
    if not found and re.search(_WRONG, words):
        found = ["immediate" if "result" not in words else "return_value"]
    return list(dict.fromkeys(found))


def guessed(before: str, after: str, arch: str) -> list[str]:
    """Ways that would explain what was changed from one assembly to the next."""
    old = [t for line in before.splitlines() if (t := without_comment(line, arch))]
    new = [t for line in after.splitlines() if (t := without_comment(line, arch))]
    if len(old) > 3000 or len(new) > 3000:
        return []
    found: list[str] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        removed, added = old[a:b], new[c:d]
        if len(removed) == len(added):
            found += [name for one, two in zip(removed, added, strict=True) if (name := _explained(one, two, arch))]
        else:
            found += [name for text in added if (name := _added(text, arch))]
    # Of many changed lines the commonest explanation is the likely one; a rewritten file explains nothing.
    counts = Counter(found)
    return [name for name, _ in counts.most_common(2)] if len(found) < 60 else []


_OFFSET = re.compile(rf"(?<![\w%.])[+-]?{_NUMBER}(?!\w)|(?<=\w)[+-]\d+(?=\()")
"""Immediates and displacements, but not the numbers of registers."""


def _explained(old: str, new: str, arch: str) -> str | None:
    one, two = parse(old, arch), parse(new, arch)
    if one is None or two is None:
        number = re.compile(_NUMBER)
        return "immediate" if number.sub("", old) == number.sub("", new) and not old.endswith(":") else None
    if one.operands != two.operands and sorted(one.operands) == sorted(two.operands) and one.mnemonic == two.mnemonic:
        return "operand_order"
    if {one.mnemonic, two.mnemonic} in [{a, u} for u, a in _ALIGNED.items()]:
        return "alignment"
    if re.search(r"movs[lbw][lq]|cltq|sxt|ldrs|smull", new) and not re.search(
        r"movs[lbw][lq]|cltq|sxt|ldrs|smull", old
    ):
        return "extension"
    if (flipped := _inverted(two, x86=arch == "x86_64")) and flipped.split() == str(one).split():
        return "condition"
    if one.mnemonic == two.mnemonic:
        if re.sub(r"\.L[\w.]+", ".L", old) == re.sub(r"\.L[\w.]+", ".L", new):
            return "label"
        if _OFFSET.sub("", old) == _OFFSET.sub("", new):
            bound = one.mnemonic.startswith("cmp") or (
                one.mnemonic.startswith("mov") and len(re.sub(r"\D", "", new)) > 4
            )
            return "loop_bound" if bound else "immediate"
        if re.search(r"%xmm15|\b[sdqv]31\b", old) and re.search(r"%xmm0\b|\b[sdqv]0\b", new):
            return "return_value"
        if re.search(r"%r(bx|bp|1[2-5])|%e[b][xp]|\b[wx](19|2[0-8])\b", new):
            return "stale_register"
        if re.search(r"%[re]?bx|\b[wx]19\b", old):
            return "callee_saved"
    return "width" if re.match(r"mov|str|stp|stu|ldr|ldu|ldp|add|mul", two.mnemonic) else "immediate"


def _added(text: str, arch: str) -> str | None:
    i = parse(text, arch)
    if i is None or re.search(r"push|pop|%rsp|\[sp|\bsp\b", text):
        return None
    if re.match(r"clt|cqto|sxt|movs[lbw][lq]", i.mnemonic):
        return "extension"
    target = (i.operands[-1] if arch == "x86_64" else i.operands[0]) if i.operands else ""
    if target in ("%eax", "%rax", "w0", "x0", "s0", "d0"):
        return "return_value"
    return "stale_register" if re.match(r"v?mov|ld", i.mnemonic) else None


# --- the endpoint -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exchange:
    """One request and its answer."""

    body: Mapping[str, Any]
    """The request as it came in."""
    model: str
    kind: str
    """generate, debug, optimise, extract, extract_speed, merge, review, or unknown."""
    reply: str
    task: str = ""
    arch: str = ""
    ways: tuple[str, ...] = ()
    """Mistakes in the reply."""


class SimulatedEndpoint:
    """``with SimulatedEndpoint(tasks, toolchains, usable) as endpoint:`` serves both models at ``.url``.

    ``toolchains`` and ``usable`` are by arch. Everything is compiled in the constructor; ``answer`` may be called
    without a server, from any thread.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        toolchains: Mapping[str, Toolchain],
        usable: Mapping[str, Usable],
        seed: int = 0,
        *,
        student: Knobs | None = None,
        teacher: Knobs | None = None,
    ) -> None:
        stocks = [
            stock
            for arch, toolchain in toolchains.items()
            if arch in usable
            for task in tasks
            if (stock := _stock(task, toolchain, usable[arch]))
        ]
        names = {arch: (toolchain.arch.triple, toolchain.arch.title) for arch, toolchain in toolchains.items()}
        self._student = _Student(stocks, names, student or Knobs(), seed)
        self._teacher = _Teacher(teacher or student or Knobs(), seed)
        self._lock = threading.Lock()
        self._log: list[Exchange] = []
        self._server = LoopbackModelServer(self._serve)

    @property
    def url(self) -> str:
        """The base URL, as OPENAI_BASE_URL wants it."""
        return self._server.url

    @property
    def log(self) -> list[Exchange]:
        """All requests so far and what was answered, in the order of the answers."""
        with self._lock:
            return list(self._log)

    @property
    def counts(self) -> Counter[str]:
        """Requests by kind."""
        return Counter(exchange.kind for exchange in self.log)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def answer(self, body: Mapping[str, Any]) -> Exchange:
        """The answer to a request's JSON body; of kind ``unknown`` when nobody here can answer."""
        model, messages = str(body.get("model", "")), body.get("messages", [])
        # Samples of one item send the same messages, so that only such a field tells them apart.
        nonce = json.dumps([body.get("seed"), body.get("user")])
        said: _Said | None = None
        if model == STUDENT:
            said = self._student.answer(messages, nonce)
        elif model == TEACHER:
            said = self._teacher.answer(messages, nonce)
        said = said or _Said("", "unknown")
        return Exchange(body, model, said.kind, said.text, said.task, said.arch, said.ways)

    def _serve(self, body: dict[str, Any]) -> Step:
        exchange = self.answer(body)
        with self._lock:
            self._log.append(exchange)
        if exchange.kind == "unknown":
            return 404
        reply = completion(exchange.reply)
        asked = sum(len(m["content"]) for m in body["messages"])
        tokens_in, tokens_out = -(-asked // 4), -(-len(exchange.reply) // 4)
        usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
        return {**reply, "model": exchange.model, "usage": usage}


def _stock(task: Task, toolchain: Toolchain, found: Usable) -> _Stock | None:
    assembly = compiled(toolchain, task, found[RIGHT].get(task.id, ()))
    if not assembly:
        return None
    names = [way.name for way in WAYS]
    ways = {style: tuple(n for n in names if style in found.get(n, {}).get(task.id, ())) for style in assembly}
    return _Stock(task, toolchain.arch.name, assembly, ways)
