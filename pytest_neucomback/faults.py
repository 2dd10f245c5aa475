"""Candidates that are wrong by construction, made around a compiler's right assembly: what an oracle has to refuse.

Some do none of the work (no-op, constant, zeroing), the others do all of it and then one thing more (trashing a
register, writing out of bounds, permuting what was computed). Addresses of objects are those of the plan: a candidate
that hits them so exactly is the worst case. Runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .layout import Placed
from .oracle import Snapshot
from .toolchain import Plan

GROUPS = ("no-op", "constant", "zeroing", "trashing", "out of bounds", "permuting")


@dataclass(frozen=True)
class Fault:
    """One candidate that must not be accepted."""

    group: str
    """One of ``GROUPS``."""
    what: str
    """What it does wrong, for people."""
    assembly: str


def faults(plan: Plan, right: str, replayed: Snapshot) -> Iterator[Fault]:
    """All faulty candidates of a task.

    ``right`` is a compiler's assembly; ``replayed`` is what the golden build left behind on one vector, which the
    ``constant`` candidate writes whatever its input.
    """
    writer = _WRITERS[plan.arch.name](plan, right)
    yield Fault("no-op", "returns at once", writer.alone(""))
    changed = _observed(plan)
    for group, what, value in (("constant", "one", 1.0), ("zeroing", "zero", 0.0)):
        body = "".join(writer.fill(o, _pattern(plan, o, value)) for o in changed)
        yield Fault(group, f"fills everything observed with {what}", writer.alone(body + writer.results(int(value))))
    yield Fault("constant", "writes the right answer of one input whatever the input", writer.replay(changed, replayed))
    yield Fault("zeroing", "computes, then zeroes what it computed", writer.after(
        "".join(writer.fill(o, 0) for o in changed) + writer.results(0)
    ))  # fmt: skip
    for register in plan.arch.preserved:
        yield Fault("trashing", f"changes {register}", writer.after(writer.trash(register)))
    for what, text in writer.modes():
        yield Fault("trashing", what, writer.after(text))
    for placed in changed or plan.objects[:1]:
        yield Fault(
            "out of bounds", f"changes the byte before {placed.name}", writer.after(writer.flip(placed.addr - 1))
        )
        yield Fault(
            "out of bounds",
            f"changes the byte behind {placed.name}",
            writer.after(writer.flip(placed.addr + placed.size)),
        )
    for placed in changed:
        unit = _unit(plan, placed)
        count = placed.size // unit
        if count < 2:
            continue
        pairs = {"first two": (0, 1), "first and last": (0, count - 1), "middle two": (count // 2 - 1, count // 2)}
        for name, (i, j) in pairs.items():
            if _differ(replayed, placed, unit, i, j):
                text = writer.swap(placed.addr + i * unit, placed.addr + j * unit, unit)
                yield Fault("permuting", f"swaps the {name} elements of {placed.name}", writer.after(text))
        if _asymmetric(replayed, placed, unit):
            yield Fault("permuting", f"reverses {placed.name}", writer.after(writer.reverse(placed, unit)))
        if not _all_equal(replayed, placed, unit):
            yield Fault("permuting", f"writes {placed.name} one place on", writer.after(writer.rotate(placed, unit)))


def _observed(plan: Plan) -> list[Placed]:
    """Objects that the function is meant to change."""
    names: list[str] = []
    for name in plan.task.observe or [o.name for o in plan.objects]:
        entry = plan.task.inputs.get(name, {})
        names.append(str(entry.get("into", name)) if isinstance(entry, dict) else name)
    return [o for o in plan.objects if o.name in names and o.name not in plan.signature.const_params]


def _leaf_size(plan: Plan, placed: Placed) -> tuple[str, int]:
    type_ = plan.element(placed.name)
    return type_.leaf().kind, type_.leaf().size


def _unit(plan: Plan, placed: Placed) -> int:
    size = _leaf_size(plan, placed)[1]
    return size if size in (1, 2, 4, 8) else 1


def _pattern(plan: Plan, placed: Placed, value: float) -> int:
    """Eight bytes of elements that all have a value."""
    kind, size = _leaf_size(plan, placed)
    if not value:
        return 0
    if kind == "float":
        return 0x3F800000_3F800000 if size == 4 else 0x3FF00000_00000000
    size = _unit(plan, placed)
    return sum(int(value) << at for at in range(0, 64, 8 * size))


def _data(replayed: Snapshot, placed: Placed) -> bytes:
    return replayed.objects[placed.name][placed.lead : placed.lead + placed.size].tobytes()


def _differ(replayed: Snapshot, placed: Placed, unit: int, i: int, j: int) -> bool:
    data = _data(replayed, placed)
    return data[i * unit : (i + 1) * unit] != data[j * unit : (j + 1) * unit]


def _asymmetric(replayed: Snapshot, placed: Placed, unit: int) -> bool:
    data = _data(replayed, placed)
    return [data[i : i + unit] for i in range(0, len(data), unit)] != [
        data[i : i + unit] for i in range(len(data) - unit, -1, -unit)
    ]


def _all_equal(replayed: Snapshot, placed: Placed, unit: int) -> bool:
    data = _data(replayed, placed)
    return data == data[:unit] * (len(data) // unit)


# --- assembly of each architecture ----------------------------------------------------------------------------------


class _Writer:
    """Writes candidates for one architecture. Bodies use only registers that carry nothing at the end of a call."""

    mark = "@"

    def __init__(self, plan: Plan, right: str) -> None:
        self.plan, self.function = plan, plan.task.function
        self.inner = f"{self.function}_right"
        whole = rf"(?<![\w.$%@]){re.escape(self.function)}(?![\w.$])"
        hidden = re.sub(rf"(?m)^\s*\.(globl|global)\s+{re.escape(self.function)}\s*(?:#.*|//.*)?$", "", right)
        self.right = re.sub(whole, self.inner, hidden)
        self._labels = 0

    def label(self) -> str:
        self._labels += 1
        return f".Lfault{self._labels}"

    def _function(self, body: str) -> str:
        name = self.function
        return (
            f"    .text\n    .globl {name}\n    .p2align 4\n    .type {name}, {self.mark}function\n{name}:\n{body}"
            f"    ret\n    .size {name}, .-{name}\n"
        )

    def alone(self, body: str) -> str:
        """A candidate that does only this."""
        return self._function(body) + f'    .section .note.GNU-stack,"",{self.mark}progbits\n'

    def after(self, body: str) -> str:
        """A candidate that does everything right, then this. Stack arguments stay where the caller put them."""
        slot = f"    .section .bss\n    .p2align 3\n.Lreturn_address:\n    .zero 8\n{self.beside()}"
        return f"{self.right}\n{self._function(self.call_right() + body)}{slot}"

    def replay(self, objects: list[Placed], replayed: Snapshot) -> str:
        """A candidate that copies what was once right over the objects."""
        body, tables = "", "    .section .rodata\n"
        for placed in objects:
            data = _data(replayed, placed)
            label, count = self.label(), len(data) // 4
            words = [f"{int.from_bytes(data[i : i + 4], 'little'):#x}" for i in range(0, count * 4, 4)]
            rows = [f"    .4byte {', '.join(words[i : i + 16])}\n" for i in range(0, count, 16)]
            tables += f"    .p2align 3\n{label}:\n{''.join(rows)}"
            if count:
                body += self.copy(label, placed.addr, count)
            for at in range(count * 4, len(data)):
                body += self.store_byte(placed.addr + at, data[at])
        result = int.from_bytes(replayed.result[:8], "little")
        return self.alone(body + self.results(result, replayed.result)) + tables

    def beside(self) -> str:
        """Data that bodies need."""
        return ""

    def call_right(self) -> str:
        raise NotImplementedError

    def trash(self, register: str) -> str:
        """Change a register."""
        raise NotImplementedError

    def modes(self) -> list[tuple[str, str]]:
        """Changes of flags that belong to the caller, each with what it is."""
        raise NotImplementedError

    def flip(self, address: int) -> str:
        """Invert one byte."""
        raise NotImplementedError

    def store_byte(self, address: int, value: int) -> str:
        raise NotImplementedError

    def fill(self, placed: Placed, pattern: int) -> str:
        """Repeat eight bytes over an object."""
        raise NotImplementedError

    def copy(self, label: str, address: int, words: int) -> str:
        """Copy 32-bit words from a table to an address."""
        raise NotImplementedError

    def results(self, value: int, raw: bytes = b"") -> str:
        """Put a number into all result registers; ``raw`` are the bytes of a result as they were seen."""
        raise NotImplementedError

    def swap(self, first: int, second: int, unit: int) -> str:
        """Exchange two elements of ``unit`` bytes."""
        raise NotImplementedError

    def reverse(self, placed: Placed, unit: int) -> str:
        """Turn an array round."""
        raise NotImplementedError

    def rotate(self, placed: Placed, unit: int) -> str:
        """Move every element one place on, the last to the front."""
        raise NotImplementedError


class _X86(_Writer):
    def call_right(self) -> str:
        return f"    popq .Lreturn_address(%rip)\n    call {self.inner}\n    pushq .Lreturn_address(%rip)\n"  #

    def beside(self) -> str:
        return "    .section .rodata\n    .p2align 2\n.Lrounding:\n    .long 0x7f80\n.Lprecision:\n    .short 0x007f\n"

    def trash(self, register: str) -> str:
        return f"    notq {register}\n"

    def modes(self) -> list[tuple[str, str]]:
        return [
            ("sets the direction flag", "    std\n"),
            ("changes the rounding of SSE", "    ldmxcsr .Lrounding(%rip)\n"),
            ("changes the precision of x87", "    fldcw .Lprecision(%rip)\n"),
        ]

    def flip(self, address: int) -> str:
        return f"    movabsq ${address:#x}, %r11\n    notb (%r11)\n"

    def store_byte(self, address: int, value: int) -> str:
        return f"    movabsq ${address:#x}, %r11\n    movb ${value}, (%r11)\n"

    def fill(self, placed: Placed, pattern: int) -> str:
        loop, wide = self.label(), placed.size // 8
        text = f"    movabsq ${placed.addr:#x}, %r11\n    movabsq ${pattern:#x}, %r10\n"
        if wide:
            text += (
                f"    movl ${wide}, %ecx\n{loop}:\n    movq %r10, (%r11)\n    addq $8, %r11\n    decq %rcx\n"
                f"    jnz {loop}\n"
            )
        for at in range(placed.size % 8):
            text += f"    movb %r10b, {at}(%r11)\n    rorq $8, %r10\n"
        return text

    def copy(self, label: str, address: int, words: int) -> str:
        loop = self.label()
        return (
            f"    leaq {label}(%rip), %r10\n    movabsq ${address:#x}, %r11\n    movl ${words}, %ecx\n{loop}:\n"
            f"    movl (%r10), %r8d\n    movl %r8d, (%r11)\n    addq $4, %r10\n    addq $4, %r11\n    decq %rcx\n"
            f"    jnz {loop}\n"
        )

    def results(self, value: int, raw: bytes = b"") -> str:
        if self.plan.signature.returns.kind == "float" and not raw:
            value = {0: 0, 1: 0x3F800000 if self.plan.signature.returns.size == 4 else 0x3FF0000000000000}[value]
        return f"    movabsq ${value:#x}, %rax\n    movq %rax, %xmm0\n"

    _LOADS: dict[int, tuple[str, str, str]] = {  # noqa: RUF012 - never changed
        1: ("movb", "%r8b", "%r9b"),
        2: ("movw", "%r8w", "%r9w"),
        4: ("movl", "%r8d", "%r9d"),
        8: ("movq", "%r8", "%r9"),
    }

    def swap(self, first: int, second: int, unit: int) -> str:
        move, a, b = self._LOADS[unit]
        return (
            f"    movabsq ${first:#x}, %r10\n    movabsq ${second:#x}, %r11\n    {move} (%r10), {a}\n"
            f"    {move} (%r11), {b}\n    {move} {b}, (%r10)\n    {move} {a}, (%r11)\n"
        )

    def reverse(self, placed: Placed, unit: int) -> str:
        move, a, b = self._LOADS[unit]
        loop = self.label()
        return (
            f"    movabsq ${placed.addr:#x}, %r10\n    movabsq ${placed.addr + placed.size - unit:#x}, %r11\n{loop}:\n"
            f"    {move} (%r10), {a}\n    {move} (%r11), {b}\n    {move} {b}, (%r10)\n    {move} {a}, (%r11)\n"
            f"    addq ${unit}, %r10\n    subq ${unit}, %r11\n    cmpq %r11, %r10\n    jb {loop}\n"
        )

    def rotate(self, placed: Placed, unit: int) -> str:
        move, a, b = self._LOADS[unit]
        loop = self.label()
        return (
            f"    movabsq ${placed.addr:#x}, %r10\n    movabsq ${placed.addr + placed.size - unit:#x}, %r11\n"
            f"    {move} (%r11), {a}\n{loop}:\n    {move} {-unit}(%r11), {b}\n    {move} {b}, (%r11)\n"
            f"    subq ${unit}, %r11\n    cmpq %r11, %r10\n    jb {loop}\n    {move} {a}, (%r10)\n"
        )


class _LoadStore(_Writer):
    """What AArch64 and RISC-V share: a few lines of each, filled into the same loops."""

    loads: dict[int, str]
    stores: dict[int, str]
    counter, here, there, one, other = "", "", "", "", ""

    def address(self, register: str, value: int | str) -> str:
        """Load a number or a symbol's address into a register."""
        raise NotImplementedError

    def load(self, unit: int, register: str, base: str, offset: int = 0) -> str:
        raise NotImplementedError

    def store(self, unit: int, register: str, base: str, offset: int = 0) -> str:
        raise NotImplementedError

    def step(self, register: str, amount: int) -> str:
        raise NotImplementedError

    def again(self, left: str, right: str, label: str) -> str:
        """Jump to a label while the left register is below the right one."""
        raise NotImplementedError

    def flip(self, address: int) -> str:
        return (
            self.address(self.here, address)
            + self.load(1, self.one, self.here)
            + self.trash(self.one)
            + self.store(1, self.one, self.here)
        )

    def store_byte(self, address: int, value: int) -> str:
        return self.address(self.here, address) + self.address(self.one, value) + self.store(1, self.one, self.here)

    def fill(self, placed: Placed, pattern: int) -> str:
        loop, wide = self.label(), placed.size // 8
        text = self.address(self.here, placed.addr) + self.address(self.one, pattern)
        if wide:
            text += self.address(self.there, placed.addr + wide * 8) + f"{loop}:\n"
            text += self.store(8, self.one, self.here) + self.step(self.here, 8)
            text += self.again(self.here, self.there, loop)
        for at in range(placed.size % 8):
            text += self.address(self.one, pattern >> 8 * at & 0xFF) + self.store(1, self.one, self.here, at)
        return text

    def copy(self, label: str, address: int, words: int) -> str:
        loop = self.label()
        return (
            self.address(self.counter, label)
            + self.address(self.here, address)
            + self.address(self.there, address + 4 * words)
            + f"{loop}:\n"
            + self.load(4, self.one, self.counter)
            + self.store(4, self.one, self.here)
            + self.step(self.counter, 4)
            + self.step(self.here, 4)
            + self.again(self.here, self.there, loop)
        )

    def _exchange(self, unit: int) -> str:
        return (
            self.load(unit, self.one, self.here)
            + self.load(unit, self.other, self.there)
            + self.store(unit, self.other, self.here)
            + self.store(unit, self.one, self.there)
        )

    def swap(self, first: int, second: int, unit: int) -> str:
        return self.address(self.here, first) + self.address(self.there, second) + self._exchange(unit)

    def reverse(self, placed: Placed, unit: int) -> str:
        loop = self.label()
        return (
            self.address(self.here, placed.addr)
            + self.address(self.there, placed.addr + placed.size - unit)
            + f"{loop}:\n"
            + self._exchange(unit)
            + self.step(self.here, unit)
            + self.step(self.there, -unit)
            + self.again(self.here, self.there, loop)
        )

    def rotate(self, placed: Placed, unit: int) -> str:
        loop = self.label()
        return (
            self.address(self.here, placed.addr)
            + self.address(self.there, placed.addr + placed.size - unit)
            + self.load(unit, self.one, self.there)
            + f"{loop}:\n"
            + self.load(unit, self.other, self.there, -unit)
            + self.store(unit, self.other, self.there)
            + self.step(self.there, -unit)
            + self.again(self.here, self.there, loop)
            + self.store(unit, self.one, self.here)
        )


class _A64(_LoadStore):
    mark = "%"
    counter, here, there, one, other = "x13", "x9", "x10", "x11", "x12"
    loads = {1: "ldurb", 2: "ldurh", 4: "ldur", 8: "ldur"}  # noqa: RUF012
    stores = {1: "sturb", 2: "sturh", 4: "stur", 8: "stur"}  # noqa: RUF012

    def call_right(self) -> str:
        slot = "    adrp x16, .Lreturn_address\n"
        return (
            f"{slot}    str x30, [x16, :lo12:.Lreturn_address]\n    bl {self.inner}\n"
            f"{slot}    ldr x30, [x16, :lo12:.Lreturn_address]\n"
        )

    def trash(self, register: str) -> str:
        if register.startswith("d"):
            return f"    mvn v{register[1:]}.8b, v{register[1:]}.8b\n"
        return f"    mvn {register}, {register}\n"

    def modes(self) -> list[tuple[str, str]]:
        flip = "    mrs x9, fpcr\n    eor x9, x9, #0x1000000\n    msr fpcr, x9\n"
        return [("changes the rounding of floating point", flip)]

    def address(self, register: str, value: int | str) -> str:
        if isinstance(value, str):
            return f"    adrp {register}, {value}\n    add {register}, {register}, :lo12:{value}\n"
        text = f"    movz {register}, #{value & 0xFFFF:#x}\n"
        for shift in (16, 32, 48):
            if part := value >> shift & 0xFFFF:
                text += f"    movk {register}, #{part:#x}, lsl #{shift}\n"
        return text

    def load(self, unit: int, register: str, base: str, offset: int = 0) -> str:
        name = register if unit == 8 else "w" + register[1:]
        return f"    {self.loads[unit]} {name}, [{base}, #{offset}]\n"

    def store(self, unit: int, register: str, base: str, offset: int = 0) -> str:
        name = register if unit == 8 else "w" + register[1:]
        return f"    {self.stores[unit]} {name}, [{base}, #{offset}]\n"

    def step(self, register: str, amount: int) -> str:
        return f"    {'add' if amount > 0 else 'sub'} {register}, {register}, #{abs(amount)}\n"

    def again(self, left: str, right: str, label: str) -> str:
        return f"    cmp {left}, {right}\n    b.lo {label}\n"

    def results(self, value: int, raw: bytes = b"") -> str:
        returns = self.plan.signature.returns
        if returns.kind == "float" and not raw:
            value = (0x3F800000 if returns.size == 4 else 0x3FF0000000000000) if value else 0
        return self.address("x0", value) + "    fmov d0, x0\n"


class _RV(_LoadStore):
    counter, here, there, one, other = "t4", "t0", "t1", "t2", "t3"
    loads = {1: "lbu", 2: "lhu", 4: "lw", 8: "ld"}  # noqa: RUF012
    stores = {1: "sb", 2: "sh", 4: "sw", 8: "sd"}  # noqa: RUF012

    def call_right(self) -> str:
        slot = "    la t0, .Lreturn_address\n"
        return f"{slot}    sd ra, 0(t0)\n    call {self.inner}\n{slot}    ld ra, 0(t0)\n"

    def trash(self, register: str) -> str:
        if register.startswith("f"):
            return f"    fneg.d {register}, {register}\n"
        return f"    not {register}, {register}\n"

    def modes(self) -> list[tuple[str, str]]:
        flip = "    frrm t0\n    xori t0, t0, 1\n    fsrm t0\n"
        return [("changes the rounding of floating point", flip)]

    def address(self, register: str, value: int | str) -> str:
        return f"    {'la' if isinstance(value, str) else 'li'} {register}, {value}\n"

    def load(self, unit: int, register: str, base: str, offset: int = 0) -> str:
        return f"    {self.loads[unit]} {register}, {offset}({base})\n"

    def store(self, unit: int, register: str, base: str, offset: int = 0) -> str:
        return f"    {self.stores[unit]} {register}, {offset}({base})\n"

    def step(self, register: str, amount: int) -> str:
        return f"    addi {register}, {register}, {amount}\n"

    def again(self, left: str, right: str, label: str) -> str:
        return f"    bltu {left}, {right}, {label}\n"

    def results(self, value: int, raw: bytes = b"") -> str:
        returns = self.plan.signature.returns
        if returns.kind == "float" and not raw:
            value = (0x3F800000 if returns.size == 4 else 0x3FF0000000000000) if value else 0
        move = "fmv.w.x" if returns.size == 4 else "fmv.d.x"
        signed = value - (1 << 64) if value >> 63 else value
        if returns.kind == "int" and returns.size == 4 and value >> 31:
            signed = (value & 0xFFFFFFFF) - (1 << 32)
        return f"    li a0, {signed}\n    {move} fa0, a0\n"


_WRITERS: dict[str, type[_Writer]] = {"x86_64": _X86, "aarch64": _A64, "riscv64": _RV}
