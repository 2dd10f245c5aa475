"""Proofs that a mutant computes what the original computes, by data flow over the assembly of x86-64.

Three kinds of argument: that of ``traces.py``, for counters and addresses, that of ``ranges.py``, for the values of
general registers and for stores that are overwritten, and one for the vector registers: a mutated instruction is
harmless when every 32-bit lane in which its result differs from the original's is dead, that is, overwritten before
anything reads it. Instructions are modelled as expressions per lane; what is not modelled reads everything and
overwrites nothing, so a proof never rests on an instruction that this module does not know.

A load that is made wider may read bytes past its element. Reading is not observable in itself; where it would leave
the object's pages it faults, on every run, because these addresses do not depend on the lanes in question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import ranges, traces
from .mutants import Instruction, Mutant, parse, without_comment
from .signature import Variable
from .toolchain import Plan

Expression = tuple[object, ...]
"""``("lane", register, i)``, ``("memory", operand, byte)``, ``("zero",)`` or an operation over such."""
Lane = tuple[str, int]
_ZERO: Expression = ("zero",)
_LANES = range(4)
_REGISTER = re.compile(r"%[xy]mm(\d+)")
_OPERATIONS = "add|sub|mul|div|max|min|sqrt|cmp[a-z]+"
_BITWISE = {"andps": "and", "andpd": "and", "pand": "and", "orps": "or", "orpd": "or", "por": "or", "xorps": "xor",
            "xorpd": "xor", "pxor": "xor", "andnps": "andn", "andnpd": "andn", "pandn": "andn"}  # fmt: skip
_COPIES = ("movaps", "movups", "movapd", "movupd", "movdqa", "movdqu")
_PER_LANE = ("paddd", "psubd", "pslld", "psrld", "psrad", "pcmpeqd", "pcmpgtd", "cvtdq2ps", "cvttps2dq", "pmulld")


@dataclass(frozen=True)
class Effect:
    """What an instruction does to vector registers."""

    written: Mapping[Lane, Expression]
    observed: tuple[Expression, ...] = ()
    """What it stores, compares or hands to general registers, with where it goes."""


def prove(assembly: str, mutant: Mutant, plan: Plan) -> str | None:
    """Why the mutant of ``assembly`` is equivalent for a task, or None when no proof was found."""
    if plan.arch.name != "x86_64":
        return None
    returns = plan.signature.returns
    # a struct may come back in two vector registers
    result_bytes = None if returns.kind == "record" else returns.size if returns.kind == "float" else 0
    symbols = {o.name: o.addr for o in plan.objects if o.addr < 1 << 31}
    return (
        dead_lanes(assembly, mutant, result_bytes=result_bytes)
        or traces.same_in_every_call(assembly, mutant, symbols, _arguments(plan))
        or ranges.same_in_every_state(assembly, mutant, _returned(plan))
    )


def _returned(plan: Plan) -> dict[str, int]:
    """Bits of general registers that a caller of the task's function looks at (psABI 3.2.3)."""
    returns = plan.signature.returns
    whole = (1 << 64) - 1
    if returns.kind == "float" or returns.size == 0:
        return {}
    if returns.kind in ("int", "pointer") and returns.size <= 8:
        # callers may rely on narrow results being extended to 32 bits
        return {"rax": whole if returns.size == 8 else 0xFFFFFFFF}
    return {"rax": whole, "rdx": whole}


def _arguments(plan: Plan) -> list[traces.Argument]:
    """Integer and pointer arguments in registers (psABI 3.2.3) whose values the task lists, or which never vary."""
    if plan.task.draw:
        return []  # code draws them: any value may come
    free = ["rdi", "rsi", "rdx", "rcx", "r8", "r9"]
    known = []
    for variable in plan.signature.params:
        if variable.type.kind == "record" or plan.signature.returns.kind == "record":
            return []  # passed, or shifted by a hidden pointer, by rules of their own
        if variable.type.kind == "float" or not free:
            continue
        register = free.pop(0)
        pointer = variable.type.kind == "pointer"
        values: set[int] = set()
        for case in plan.task.cases or ({},):
            entry = {**plan.task.inputs, **case}.get(variable.name, {})
            listed = _addresses(plan, variable, entry) if pointer else _listed(entry)
            if listed is None:
                break
            values |= listed
        else:
            known.append(traces.Argument(register, tuple(sorted(values)), pointer or variable.type.size == 8))
    return known


def _listed(entry: Mapping[str, Any]) -> set[int] | None:
    """Values of an integer, where the task lists them."""
    if "values" not in entry or "fills" in entry:
        return None
    return {int(v) for v in (*entry["values"], *([entry["call"]] if "call" in entry else []))}


def _addresses(plan: Plan, variable: Variable, entry: Mapping[str, Any]) -> set[int] | None:
    if entry.get("nullable") or variable.type.element is None:
        return None
    if "into" not in entry:
        return {o.addr for o in plan.objects if o.name == variable.name} or None
    offsets = _listed(entry.get("offset", {"values": [0]}))
    base, step = plan.object(entry["into"]).addr, variable.type.element.size
    return None if offsets is None else {base + step * o for o in offsets}


def dead_lanes(assembly: str, mutant: Mutant, *, result_bytes: int | None) -> str | None:
    """A proof that what the mutant changes ends in dead lanes of vector registers.

    ``result_bytes`` is the size of a floating-point result, 0 when there is none, None when it may be anywhere.
    """
    arch = "x86_64"
    lines = assembly.splitlines()
    code = [(n, i) for n, text in enumerate(lines, 1) if (i := parse(text, arch))]
    if any(re.search(r"%[yz]mm", o) for _, i in code for o in i.operands):
        return None
    live_after = _liveness(lines, code, result_bytes)
    if mutant.kind == "constant":
        return _dead_constant(lines, dict(code), mutant, live_after)
    original = parse(mutant.original, arch)
    if original is None or mutant.line not in live_after:
        return None
    before = effect(original)
    replaced = parse(mutant.replaced, arch)
    after = Effect({}) if replaced is None else effect(replaced)
    if before is None or after is None or before.observed != after.observed:
        return None
    differing = [
        lane
        for lane in sorted({*before.written, *after.written})
        if before.written.get(lane, ("lane", *lane)) != after.written.get(lane, ("lane", *lane))
    ]
    if any(lane in live_after[mutant.line] for lane in differing):
        return None
    return f"the results differ only in {_named(differing)}, which nothing reads before overwriting it"


def _named(lanes: list[Lane]) -> str:
    by_register: dict[str, list[str]] = {}
    for register, lane in lanes:
        by_register.setdefault(register, []).append(str(lane))
    if not by_register:
        return "no lane"
    return ", ".join(f"{'lane' if len(n) == 1 else 'lanes'} {', '.join(n)} of {r}" for r, n in by_register.items())


def _dead_constant(
    lines: list[str], code: Mapping[int, Instruction], mutant: Mutant, live_after: Mapping[int, frozenset[Lane]]
) -> str | None:
    place = _constant_place(lines, mutant.line)
    if place is None:
        return None
    label, at = place
    used = False
    for number, instruction in code.items():
        if not any(re.search(rf"{re.escape(label)}(?![\w$])", o) for o in instruction.operands):
            continue
        operand = instruction.operands[0]
        model = effect(instruction)
        if operand != f"{label}(%rip)" or model is None or model.observed:
            return None
        used = True
        for lane, expression in model.written.items():
            if lane in live_after[number] and ("memory", operand, at // 4 * 4) in _leaves(expression):
                return None
    return f"bytes {at} to {at + 3} of {label} reach only lanes that nothing reads" if used else None


def _constant_place(lines: list[str], number: int) -> tuple[str, int] | None:
    """The label of a constant in memory and the byte, for a directive on a line; None for other directives."""
    sizes = {".long": 4, ".quad": 8, ".short": 2, ".byte": 1}
    if without_comment(lines[number - 1], "x86_64").split()[0] != ".long":
        return None
    at = 0
    for text in reversed(lines[: number - 1]):
        words = without_comment(text, "x86_64").split()
        if words and words[0].endswith(":"):
            return words[0][:-1], at
        if not words:
            continue
        if words[0] not in sizes:
            return None
        at += sizes[words[0]]
    return None


def _leaves(expression: Expression) -> Iterator[Expression]:
    if expression and expression[0] in ("lane", "memory"):
        yield expression
    else:
        for part in expression:
            if isinstance(part, tuple):
                yield from _leaves(part)


def effect(instruction: Instruction) -> Effect | None:
    """The model of an instruction; None for one that touches vector registers in a way not modelled."""
    ops = instruction.operands
    if not any(_REGISTER.search(o) for o in ops):
        return None
    name = instruction.mnemonic
    imm = 0
    if len(ops) == 3 and re.fullmatch(r"\$-?\d+", ops[0]):
        imm, ops = int(ops[0][1:]) & 0xFF, ops[1:]
    elif len(ops) == 3:
        return None
    if len(ops) != 2:
        return None
    source, target = ops
    if not _REGISTER.fullmatch(target):
        return _store(name, source, target)
    a, b = [_lane_of(source, i) for i in _LANES], [_lane_of(target, i) for i in _LANES]
    memory = not source.startswith("%")
    result = _moved(name, a, b, memory) or _computed(name, a, b, source == target) or _shuffled(name, imm, a, b)
    if result is not None:
        return Effect({(target, i): e for i, e in enumerate(result)})
    if name in ("ucomiss", "comiss"):
        return Effect({}, ((name, a[0], b[0]),))
    if name in ("ucomisd", "comisd"):
        return Effect({}, ((name, a[0], a[1], b[0], b[1]),))
    return None


def _lane_of(operand: str, lane: int) -> Expression:
    return ("lane", operand, lane) if _REGISTER.fullmatch(operand) else ("memory", operand, 4 * lane)


def _store(name: str, source: str, target: str) -> Effect | None:
    if not _REGISTER.fullmatch(source) or target.startswith("%"):
        return None
    lanes = {"movss": (0,), "movsd": (0, 1), "movlps": (0, 1), "movlpd": (0, 1), "movhps": (2, 3), "movhpd": (2, 3)}
    if name not in lanes and name not in _COPIES:
        return None
    stored = [_lane_of(source, i) for i in lanes.get(name, tuple(_LANES))]
    return Effect({}, (("store", target, *stored),))


def _moved(name: str, a: list[Expression], b: list[Expression], memory: bool) -> list[Expression] | None:
    rest = [_ZERO] * 4 if memory else b
    moves = {
        "movss": [a[0], *rest[1:]],
        "movsd": [a[0], a[1], *rest[2:]],
        **dict.fromkeys(_COPIES, a),
    }
    halves = ("movlps", "movlpd"), ("movhps", "movhpd")
    if memory and name in halves[0]:
        return [a[0], a[1], b[2], b[3]]
    if memory and name in halves[1]:
        return [b[0], b[1], a[0], a[1]]
    if not memory and name == "movlhps":
        return [b[0], b[1], a[0], a[1]]
    if not memory and name == "movhlps":
        return [a[2], a[3], b[2], b[3]]
    return moves.get(name)


def _computed(name: str, a: list[Expression], b: list[Expression], same: bool) -> list[Expression] | None:
    if match := re.fullmatch(rf"({_OPERATIONS})(ss|ps|sd|pd)", name):
        single, packed = match[2][1] == "s", match[2][0] == "p"
        if single:
            ones = [_binary(f"{match[1]}32", b[i], a[i]) for i in _LANES]
            return ones if packed else [ones[0], *b[1:]]
        halves = [(f"{match[1]}64", b[i], b[i + 1], a[i], a[i + 1]) for i in (0, 2)]
        doubles = [(*halves[i // 2], i % 2) for i in _LANES]
        return [*doubles] if packed else [doubles[0], doubles[1], b[2], b[3]]
    if name in _BITWISE:
        if same and _BITWISE[name] == "xor":
            return [_ZERO] * 4
        return [(_BITWISE[name], b[i], a[i]) for i in _LANES]
    if name in _PER_LANE:
        return [(name, b[i], a[i]) for i in _LANES]
    if name == "cvtss2sd":
        return [("double", a[0], 0), ("double", a[0], 1), b[2], b[3]]
    if name == "cvtsd2ss":
        return [("single", a[0], a[1]), *b[1:]]
    if name in ("cvtsi2ss", "cvtsi2ssl", "cvtsi2ssq"):
        return [(name, a[0]), *b[1:]]
    if name in ("cvtsi2sd", "cvtsi2sdl", "cvtsi2sdq"):
        return [(name, a[0], 0), (name, a[0], 1), b[2], b[3]]
    return None


def _binary(operation: str, left: Expression, right: Expression) -> Expression:
    return (operation, right) if operation.startswith("sqrt") else (operation, left, right)


def _shuffled(name: str, imm: int, a: list[Expression], b: list[Expression]) -> list[Expression] | None:
    picks = [imm >> 2 * i & 3 for i in _LANES]
    return {
        "shufps": [b[picks[0]], b[picks[1]], a[picks[2]], a[picks[3]]],
        "pshufd": [a[p] for p in picks],
        "unpcklps": [b[0], a[0], b[1], a[1]],
        "punpckldq": [b[0], a[0], b[1], a[1]],
        "unpckhps": [b[2], a[2], b[3], a[3]],
        "punpckhdq": [b[2], a[2], b[3], a[3]],
        "unpcklpd": [b[0], b[1], a[0], a[1]],
        "punpcklqdq": [b[0], b[1], a[0], a[1]],
        "unpckhpd": [b[2], b[3], a[2], a[3]],
        "punpckhqdq": [b[2], b[3], a[2], a[3]],
    }.get(name)


# --- liveness -------------------------------------------------------------------------------------------------------

_ALL = frozenset((f"%xmm{r}", lane) for r in range(16) for lane in _LANES)


def _liveness(
    lines: list[str], code: list[tuple[int, Instruction]], result_bytes: int | None
) -> dict[int, frozenset[Lane]]:
    """By line: the lanes that may still be read after it."""
    place = {number: at for at, (number, _) in enumerate(code)}
    labels: dict[str, int] = {}
    for number, text in enumerate(lines, 1):
        bare = without_comment(text, "x86_64")
        if bare.endswith(":"):
            following = [n for n in place if n > number]
            labels[bare[:-1]] = place[min(following)] if following else len(code)
    # a helper may return what the task's function does not
    alone = sum("@function" in text for text in lines) <= 1
    at_return = _ALL
    if alone and result_bytes is not None:
        at_return = frozenset(("%xmm0", lane) for lane in range(-(-result_bytes // 4)))
    live_in: list[frozenset[Lane]] = [frozenset()] * (len(code) + 1)
    live_out: list[frozenset[Lane]] = [frozenset()] * len(code)
    changed = True
    while changed:
        changed = False
        for at in range(len(code) - 1, -1, -1):
            instruction = code[at][1]
            out = _after(instruction, at, labels, live_in, at_return)
            now = _before(instruction, out)
            if out != live_out[at] or now != live_in[at]:
                live_out[at], live_in[at], changed = out, now, True
    return {number: live_out[at] for at, (number, _) in enumerate(code)}


def _after(
    instruction: Instruction,
    at: int,
    labels: Mapping[str, int],
    live_in: list[frozenset[Lane]],
    at_return: frozenset[Lane],
) -> frozenset[Lane]:
    name = instruction.mnemonic
    if name in ("ret", "retq"):
        return at_return
    if not name.startswith("j"):
        return live_in[at + 1]
    target = labels.get(instruction.operands[0])
    there = _ALL if target is None else live_in[target]
    return there if name == "jmp" else there | live_in[at + 1]


def _before(instruction: Instruction, out: frozenset[Lane]) -> frozenset[Lane]:
    if instruction.mnemonic.startswith(("call", "syscall")):
        return _ALL
    if not any(_REGISTER.search(o) for o in instruction.operands):
        return out
    model = effect(instruction)
    if model is None:
        registers = {o for o in instruction.operands if _REGISTER.fullmatch(o)}
        return out | frozenset((r, lane) for r in registers for lane in _LANES)
    read = [e for lane, expression in model.written.items() if lane in out for e in _leaves(expression)]
    read += [e for expression in model.observed for e in _leaves(expression)]
    lanes = frozenset((str(e[1]), int(str(e[2]))) for e in read if e[0] == "lane")
    return (out - frozenset(model.written)) | lanes
