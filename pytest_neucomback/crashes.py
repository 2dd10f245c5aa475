"""A signal in words a model can act on: line, instruction, the registers in it, and what that usually means.

No text here holds a raw address: objects are named (``a+8``), and of a stack address only its alignment is said, so
the same candidate gets the same text in every run.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from .inputs import Vector
from .layout import Control
from .oracle import bounded
from .toolchain import Plan
from .types import Outcome, Verdict

PAGE = 4096
_STACK_SPAN = 64 << 20
"""Addresses this far below the stack's top are called stack addresses."""
_OVERFLOW_BYTES = 64 << 10
"""A fault this near the stack pointer, in no object, is the stack's end."""
_SI_KERNEL = 0x80
_MAX_REGISTERS = 8
_SMALL = 1 << 22
"""Numbers below are shown; larger ones may be addresses, which differ from run to run."""


@dataclass(frozen=True)
class Caller:
    """How control came to an address outside the candidate, as far as stack and link register tell."""

    kind: str = ""
    """``call``, ``return`` or empty."""
    line: int | None = None
    """Of the call."""


def locate(plan: Plan, address: int) -> str | None:
    """An address as ``a+128000`` or ``just past the end of a``; None when it is in no object or guard."""
    for placed in plan.objects:
        if placed.addr <= address < placed.addr + placed.size:
            return f"{placed.name}+{address - placed.addr}"
        if placed.addr + placed.size <= address < placed.map_addr + placed.map_size + PAGE:
            return f"{placed.name}+{address - placed.addr}, past its end ({placed.size} bytes)"
        if placed.map_addr - PAGE <= address < placed.addr:
            return f"{placed.name}{address - placed.addr}, before its start"
    return None


def fault_verdict(
    plan: Plan,
    control: Control,
    vector: Vector,
    *,
    line: int | None,
    assembly: str,
    in_candidate: bool,
    symbol: str = "",
    caller: Caller | None = None,
) -> Verdict:
    """A signal. ``line`` is the line of the candidate's assembly that the program counter points to, from 1.

    ``symbol`` names the runtime's function that the program counter is in, if any.
    """
    try:
        name = signal.Signals(control.signal).name
    except ValueError:
        name = f"signal {control.signal}"
    came_from = caller or Caller()
    lines = assembly.splitlines()
    quoted = _quote(lines, line)
    state = _State(plan, control, _code(quoted), in_candidate)
    where = f"line {line}: {quoted}" if quoted else "the function" if in_candidate else "code outside the function"
    if not in_candidate and symbol:
        where = symbol
        if came_from.line:
            where += f", called at line {came_from.line}: {_quote(lines, came_from.line)}"
    if name == "SIGSYS":
        detail = f"made a system call (number {control.fault_addr}), at {where}"
        text = [f"With input {vector.label}:", f"  {detail}", "Only plain computation is allowed."]
        return Verdict(Outcome.FORBIDDEN, detail[:300], bounded(text))
    meaning = state.meaning(name)
    if not in_candidate and not symbol and (jumped := _wild_jump(state, name, came_from, lines)):
        where, meaning = jumped
    text = [f"With input {vector.label}:", f"  {name} at {where}"]
    if meaning:
        text.append(f"  {meaning}")
    if registers := state.registers():
        text.append(f"  registers: {registers}")
    detail = f"{name} at {where}" + (f": {meaning}" if meaning else "")
    return Verdict(Outcome.CRASHED, detail[:300], bounded(text))


def _quote(lines: list[str], line: int | None) -> str:
    return " ".join(lines[line - 1].split())[:160] if line and line <= len(lines) else ""


def _code(quoted: str) -> str:
    """The instruction alone: no label before it, no comment behind it."""
    text = re.split(r"(?:^|\s)(?:#|//|/\*)", quoted)[0].split(";")[0]
    return re.sub(r"^(?:[\w.$]+:\s*)+", "", text).strip()


def _wild_jump(state: _State, name: str, caller: Caller, lines: list[str]) -> tuple[str, str] | None:
    """Place and meaning when the program counter itself is what is wrong."""
    pc = state.pc
    if name not in ("SIGSEGV", "SIGBUS", "SIGILL") or (name != "SIGILL" and state.control.fault_addr != pc):
        return None
    target = "address 0" if pc == 0 else "a null pointer" if pc < PAGE else locate(state.plan, pc)
    target = target or ("the stack" if state.on_stack(pc) else "an address that holds no code")
    if caller.kind == "call":
        at = f"line {caller.line}: {_quote(lines, caller.line)}" if caller.line else "a call"
        return at, f"the call went to {target}: what was called is no function"
    if caller.kind == "return":
        returns = [n for n, text in enumerate(lines, 1) if re.match(r"(?:ret[lqw]?|jr\s+ra)\b", _code(text.strip()))]
        at = f"line {returns[0]}: {_quote(lines, returns[0])}" if len(returns) == 1 else "a return"
        return at, (
            f"the return went to {target}: the return address was lost (the stack pointer is not what it was on "
            "entry, or the saved address was overwritten)"
        )
    return "a jump out of the function", f"it went to {target}"


class _State:
    """Registers and memory at the fault, seen from the faulting line."""

    def __init__(self, plan: Plan, control: Control, source: str, in_candidate: bool) -> None:
        self.plan, self.control, self.source, self.in_candidate = plan, control, source, in_candidate
        self.x86 = "%rip" in plan.arch.crash_registers
        self.values = dict(zip(plan.arch.crash_registers, control.fault_regs, strict=False))
        self.pc = self.values["%rip" if self.x86 else "pc"]
        self.sp = self.values[plan.arch.stack_pointer]
        self.mnemonic = source.split()[0].lower() if source else ""

    def on_stack(self, address: int) -> bool:
        top = self.control.fault_stack[2]
        return bool(top) and top - _STACK_SPAN < address < top + PAGE

    # --- meaning --------------------------------------------------------------------------------------------------

    def meaning(self, name: str) -> str:
        """What a signal usually means here; empty for those that say it all."""
        if name == "SIGILL":
            return "illegal instruction: not available at this ISA level, or not code at all"
        if name == "SIGTRAP":
            return "a breakpoint or trap instruction was executed"
        if name == "SIGFPE":
            return self._division()
        if name in ("SIGSEGV", "SIGBUS"):
            return self._memory(name)
        return ""

    def _division(self) -> str:
        divisor = self.source.split()[-1] if self.x86 and re.match(r"i?div", self.mnemonic) else ""
        value = self._register(divisor)
        if value is None:
            return "integer division by zero, or a quotient that does not fit"
        if value == 0:
            return f"integer division by zero: {divisor} = 0"
        high = "sign-extend the dividend with cltd or cqto" if self.mnemonic.startswith("i") else "clear it first"
        return (
            "the quotient does not fit its register: the upper half of the dividend, in %edx or %rdx, is wrong "
            f"({high}), or the smallest number is divided by -1"
        )

    def _memory(self, name: str) -> str:
        control = self.control
        if self.x86 and control.code == _SI_KERNEL:  # x86 gives no address then
            return self._protection()
        address = control.fault_addr
        if place := locate(self.plan, address):
            return f"access to {place}"
        if address < PAGE:
            return "access through a null pointer"
        if abs(address - self.sp) < _OVERFLOW_BYTES and self.on_stack(address):
            return "stack overflow: endless recursion, or a stack pointer moved too far down"
        if name == "SIGBUS":
            return "access to an address that the instruction cannot use (alignment?)"
        return "access to memory that belongs to no object of the task"

    def _protection(self) -> str:
        if match := re.match(r"ret|jmp|call", self.mnemonic):
            hint = " (is the stack pointer what it was on entry?)" if match[0] == "ret" else ""
            return f"general protection fault: {match[0]} to an address that is none{hint}"
        align = _needed_alignment(self.mnemonic, self.source)
        operand = _MEMORY.search(self.source)
        if align and operand:
            need = f"{self.mnemonic} needs {align}-byte alignment"
            address = self._address(operand)
            if address is None:
                return f"{need}; {operand[0]} has less: put .balign {align} before the constant"
            if address % align:
                place = self._value(address)
                same = place.removesuffix("+0") in (operand[0], operand[0].removesuffix("(%rip)"))
                what = operand[0] if same else f"{operand[0]} = {place}"
                return (
                    f"{need}; {what} is {address % align} past a multiple of {align} (memory is aligned to its "
                    "element type only: use an unaligned load or store)"
                )
        return (
            "general protection fault: a vector access that needs an aligned address to one that is not, an "
            "address that is none, or a privileged instruction"
        )

    def _address(self, operand: re.Match[str]) -> int | None:
        """What a memory operand of the line comes to; None when it names what only the linker knows."""
        total = 0
        for part in re.findall(r"[+-]?[^+-]+", operand["disp"] or ""):
            text = part.lstrip("+").strip()
            if re.fullmatch(r"-?(?:0[xX][0-9a-fA-F]+|0|[1-9]\d*)", text):
                total += int(text, 0)
                continue
            found = next((o.addr for o in self.plan.objects if o.name == text), None)
            if found is None:
                return None
            total += found
        for register, scale in ((operand["base"], "1"), (operand["index"], operand["scale"] or "1")):
            if not register or register == "%rip":
                continue
            value = self._register(register)
            if value is None:
                return None
            total += value * int(scale)
        return total & (1 << 64) - 1

    # --- registers -------------------------------------------------------------------------------------------------

    def registers(self) -> str:
        """Those that the line names, with their values: ``%rdi = a+8, %ecx = 0``."""
        names = re.findall(r"%\w+" if self.x86 else r"\b[a-z]\w*\b", self.source)
        if self.x86 and re.match(r"i?div", self.mnemonic):
            names += ["%rdx", "%rax"] if self.mnemonic.endswith("q") else ["%edx", "%eax"]
        shown: dict[str, str] = {}
        for name in names:
            value = self._register(name)
            if value is not None and name not in ("%rip", "pc"):
                shown[name] = f"{name} = {self._value(value)}"
        return ", ".join(list(shown.values())[:_MAX_REGISTERS])

    def _register(self, name: str) -> int | None:
        """Value of a register or a part of one; None when it is none."""
        full, bits = _full_register(name, x86=self.x86, riscv="ra" in self.values)
        return self.values[full] & (1 << bits) - 1 if full in self.values else None

    def _value(self, value: int) -> str:
        if place := locate(self.plan, value):
            return place
        for bits in (64, 32):
            if value < 1 << bits and 0 < (1 << bits) - value < _SMALL:
                return str(value - (1 << bits))
        if value < _SMALL:
            return str(value)
        if self.on_stack(value):
            return f"(stack, {value % 16} past a multiple of 16)"
        return "(no object's address)"


_MEMORY = re.compile(
    r"(?<=[\s,])(?P<disp>[A-Za-z_.0-9-][\w.+-]*)?"
    r"(?:\((?P<base>%\w+)?(?:\s*,\s*(?P<index>%\w+)(?:\s*,\s*(?P<scale>[1248]))?)?\s*\)|(?=\s*(?:,|$)))"
)
"""A memory operand in AT&T syntax: ``a+4(,%rax,4)``, ``-8(%rbp)``, ``.LC0(%rip)``, ``a+4``."""


def _full_register(name: str, *, x86: bool, riscv: bool) -> tuple[str, int]:
    """The 64-bit register a name stands for, as in ``crash_registers``, and how many low bits of it."""
    if riscv:
        if match := re.fullmatch(r"x([12]?\d|3[01])", name):
            return _RISCV_NAMES[int(match[1])], 64
        return {"fp": "s0"}.get(name, name), 64
    if not x86:
        if match := re.fullmatch(r"w(\d\d?)", name):
            return f"x{match[1]}", 32
        return {"wsp": "sp", "fp": "x29", "lr": "x30"}.get(name, name), 64
    if match := re.fullmatch(r"%r(\d\d?)([dwb]?)", name):
        return f"%r{match[1]}", {"": 64, "d": 32, "w": 16, "b": 8}[match[2]]
    if match := re.fullmatch(r"%([re]?)(ax|bx|cx|dx|si|di|bp|sp)", name):
        return f"%r{match[2]}", {"r": 64, "e": 32, "": 16}[match[1]]
    if match := re.fullmatch(r"%([abcd])l", name):
        return f"%r{match[1]}x", 8
    if match := re.fullmatch(r"%(si|di|bp|sp)l", name):
        return f"%r{match[1]}", 8
    return name, 64


_RISCV_NAMES = (
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", *(f"a{n}" for n in range(8)),
    *(f"s{n}" for n in range(2, 12)), "t3", "t4", "t5", "t6",
)  # fmt: skip

_ALIGNED_MOVES = re.compile(r"v?(?:movap[sd]|movdqa(?:32|64)?|movntp[sd]|movntdqa?)$")
_ANY_ADDRESS = re.compile(
    r"(?:movu|movdqu|mov[dq]$|mov[lh]p|lddqu|pmov[sz]x|pinsr|pextr|cvtps2pd|cvtdq2pd|cvtpi|movddup)"
)


def _needed_alignment(mnemonic: str, source: str) -> int:
    """Bytes that the instruction's memory operand has to be aligned to; 0 for none."""
    width = 64 if "%zmm" in source else 32 if "%ymm" in source else 16 if "%xmm" in source else 0
    if _ALIGNED_MOVES.match(mnemonic):
        return width
    # Packed SSE instructions without the v of AVX take aligned memory operands only.
    packed = mnemonic.endswith(("ps", "pd")) or mnemonic.startswith("p")
    return width if width == 16 and packed and not _ANY_ADDRESS.match(mnemonic) else 0
