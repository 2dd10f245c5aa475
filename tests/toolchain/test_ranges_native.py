"""Abstract values against concrete ones: random programs run natively, with and without mutations that were proved."""

from __future__ import annotations

import ctypes
import platform
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_neucomback.equivalence import MachineCode
from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.mutants import Mutant, draw_mutants, proposals, without_comment
from pytest_neucomback.proofs import _returned
from pytest_neucomback.ranges import WIDTHS, Analysis, same_in_every_state
from pytest_neucomback.tasks import Task
from pytest_neucomback.toolchain import Toolchain
from pytest_neucomback.types import Outcome

NAMES = {
    "rax": ("al", "ax", "eax", "rax"), "rcx": ("cl", "cx", "ecx", "rcx"), "rdx": ("dl", "dx", "edx", "rdx"),
    "rsi": ("sil", "si", "esi", "rsi"), "r8": ("r8b", "r8w", "r8d", "r8"), "r9": ("r9b", "r9w", "r9d", "r9"),
    "rbx": ("bl", "bx", "ebx", "rbx"),
}  # fmt: skip
USED = tuple(NAMES)
SUFFIX = {8: "b", 16: "w", 32: "l", 64: "q"}
CONDITIONS = ("e", "ne", "l", "le", "g", "ge", "b", "be", "a", "ae", "s", "ns", "o", "no")
BUFFER = 64
MASK = (1 << 64) - 1


class Programs:
    """Random bodies of functions over a few registers and a buffer."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.labels = rng, 0

    def reg(self, width: int) -> str:
        return f"%{NAMES[self.rng.choice(USED)][WIDTHS.index(width)]}"

    def width(self) -> int:
        return self.rng.choice((8, 16, 32, 32, 32, 64, 64))

    def number(self, width: int) -> str:
        rng = self.rng
        bits = min(width, 32) - 1
        value = rng.choice((0, 1, 2, 3, 7, 8, 15, 16, 63, 100, 127, 128, 255, 256, 1 << rng.randrange(31), -1, -2, -64))
        if rng.random() < 0.2:
            value = rng.getrandbits(bits)
        limit = 1 << bits
        return f"${value if -limit <= value < limit else value % limit}"

    def place(self) -> str:
        return f"{'buf' if not (o := self.rng.randrange(0, BUFFER - 8, 2)) else f'buf+{o}'}(%rip)"

    def source(self, width: int) -> str:
        kind = self.rng.random()
        return self.reg(width) if kind < 0.55 else self.number(width) if kind < 0.9 else self.place()

    def instruction(self) -> list[str]:
        rng, w = self.rng, self.width()
        s = SUFFIX[w]
        kind = rng.randrange(22)
        if kind < 5:
            op = rng.choice(("add", "sub", "and", "and", "or", "xor"))
            return [f"{op}{s} {self.source(w)}, {self.reg(w)}"]
        if kind < 7:
            return [f"mov{s} {self.source(w)}, {self.reg(w)}"]
        if kind < 9:
            a, b = sorted(rng.sample(WIDTHS, 2))
            if a == 32:
                return [f"movslq {self.reg(32)}, {self.reg(64)}"]
            source = rng.choice((self.reg(a), self.place()))
            return [f"mov{rng.choice('zs')}{SUFFIX[a]}{SUFFIX[b]} {source}, {self.reg(b)}"]
        if kind < 11:
            count = rng.choice((f"${rng.randrange(w)}", f"${rng.randrange(1, 5)}", "%cl"))
            return [f"{rng.choice(('shl', 'shr', 'sar'))}{s} {count}, {self.reg(w)}"]
        if kind == 11:
            return [f"{rng.choice(('inc', 'dec', 'neg', 'not'))}{s} {self.reg(w)}"]
        if kind < 14:
            w = rng.choice((32, 64))
            scale = rng.choice((1, 2, 4, 8))
            return [f"lea{SUFFIX[w]} {rng.randrange(-4, 5)}({self.reg(64)},{self.reg(64)},{scale}), {self.reg(w)}"]
        if kind == 14:
            w = rng.choice((32, 64))
            return [f"imul{SUFFIX[w]} {self.number(w)}, {self.reg(w)}, {self.reg(w)}"] if rng.random() < 0.5 else [
                f"imul{SUFFIX[w]} {self.reg(w)}, {self.reg(w)}"
            ]  # fmt: skip
        if kind == 15:
            return [f"mov{s} {self.reg(w)}, {self.place()}"]
        if kind == 16:
            return [self.compare(), f"set{rng.choice(CONDITIONS)} {self.reg(8)}"]
        if kind == 17:
            w = rng.choice((32, 64))
            return [self.compare(), f"cmov{rng.choice(CONDITIONS)}{SUFFIX[w]} {self.reg(w)}, {self.reg(w)}"]
        if kind == 18:
            w = rng.choice((32, 64))
            by = f"%{NAMES['rcx'][WIDTHS.index(w)]}"
            return [f"or{SUFFIX[w]} $1, {by}", "xorl %edx, %edx", f"div{SUFFIX[w]} {by}"]
        if kind == 19:
            return [rng.choice(("cltq", "cwtl", "cltd", "cqto"))]
        if kind == 20:
            return [f"{rng.choice(('add', 'and', 'or', 'inc'))}{s} {self.reg(w)}, {self.place()}".replace("inc", "add")]
        return [f"btl ${rng.randrange(32)}, {self.reg(32)}", f"setb {self.reg(8)}"]

    def compare(self) -> str:
        w = self.width()
        return f"{self.rng.choice(('cmp', 'cmp', 'test'))}{SUFFIX[w]} {self.source(w)}, {self.reg(w)}"

    def block(self, depth: int) -> Iterator[str]:
        rng = self.rng
        for _ in range(rng.randrange(2, 7)):
            kind = rng.random()
            if depth and kind < 0.22:
                self.labels += 1
                label = f".L{self.labels}"
                yield self.compare()
                yield f"j{rng.choice(CONDITIONS)} {label}"
                yield from self.block(depth - 1)
                if rng.random() < 0.5:
                    yield f"jmp {label}e"
                    yield f"{label}:"
                    yield from self.block(depth - 1)
                    yield f"{label}e:"
                else:
                    yield f"{label}:"
            elif depth == 2 and kind < 0.35:
                yield from self.loop()
            else:
                yield from self.instruction()

    def loop(self) -> Iterator[str]:
        """A counted loop; the counter is a register that bodies only read."""
        rng = self.rng
        self.labels += 1
        label, turns, step = f".L{self.labels}", rng.randrange(1, 12), rng.choice((1, 2, 3, 4))
        style = rng.randrange(4)
        start = turns if style in (0, 3) else 0
        yield f"movl ${start}, %r10d"
        yield f"{label}:"
        if rng.random() < 0.6:
            yield f"mov{rng.choice(('l %r10d, %eax', 'q %r10, %rsi', 'l %r10d, %r8d'))}"
        yield from self.block(1)
        if style == 0:
            yield "decl %r10d"
            yield f"jne {label}"
        elif style == 1:
            yield f"addq ${step}, %r10"
            yield f"cmpq ${step * turns}, %r10"
            yield f"j{rng.choice(('ne', 'l', 'b'))} {label}"
        elif style == 2:
            yield f"addl ${step}, %r10d"
            yield f"cmpl ${step * turns + rng.randrange(step)}, %r10d"
            yield f"j{rng.choice(('le', 'be', 'b', 'l'))} {label}"
        else:
            yield "leal -1(%r10), %r11d"
            yield "cmpl $1, %r10d"
            yield "movl %r11d, %r10d"
            yield f"ja {label}"

    def body(self) -> list[str]:
        self.labels = 0
        return [*self.block(2), "ret"]


def function(name: str, body: list[str], *, traced: bool = False) -> list[str]:
    """A function with labels of its own; traced, it writes place and registers before each instruction."""
    lines = [f"{name}:"]
    place = 0
    for text in body:
        renamed = re.sub(r"\.L(\w+)", rf".L{name}_\1", text)
        if not text.endswith(":"):
            if traced:
                lines.append(f"movq ${place}, (%r13)")
                lines += [f"movq %{r}, {8 + 8 * i}(%r13)" for i, r in enumerate(USED)]
                lines.append("leaq 64(%r13), %r13")
            place += 1
        lines.append(renamed)
    return lines


CALLER = """\
    .text
    .globl run, address
address:
    leaq buf(%rip), %rax
    ret
run:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    movq %rdi, %r12
    movq %rsi, %r13
    movq %rdx, %rbp
    movq 0(%r12), %rax
    movq 8(%r12), %rcx
    movq 16(%r12), %rdx
    movq 24(%r12), %rsi
    movq 32(%r12), %r8
    movq 40(%r12), %r9
    movq 48(%r12), %rbx
    callq *%rbp
    movq %rax, 0(%r12)
    movq %rbx, 48(%r12)
    movq %r13, %rax
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
    .local buf
    .comm buf,64,8
"""


class Library:
    """Functions assembled and loaded."""

    def __init__(self, folder: Path, functions: dict[str, list[str]]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            text, owner = CALLER, {}
            number = text.count("\n")
            for name, lines in functions.items():
                whole = [".text", f".globl {name}", *lines]
                for line in whole:
                    number += 1
                    owner[number] = name
                    text += line + "\n"
            (folder / "p.s").write_text(text)
            ended = subprocess.run(["as", "-o", "p.o", "p.s"], cwd=folder, capture_output=True, text=True, check=False)
            bad = {owner[int(n)] for n in re.findall(r"^p\.s:(\d+): Error", ended.stderr, re.M)}
            if not bad:
                assert ended.returncode == 0, ended.stderr
                break
            functions = {n: f for n, f in functions.items() if n not in bad}
        subprocess.run(["ld", "-shared", "-o", "p.so", "p.o"], cwd=folder, check=True, capture_output=True)
        self.names = set(functions)
        self._library = ctypes.CDLL(str(folder / "p.so"))
        self._run = self._library.run
        self._run.restype = ctypes.c_uint64
        address = self._library.address
        address.restype = ctypes.c_uint64
        self._buffer = address()

    def run(self, name: str, values: list[int], data: bytes) -> tuple[int, int, bytes, list[tuple[int, ...]]]:
        """Results in %rax and %rbx, the buffer, and the trace."""
        ctypes.memmove(self._buffer, data, BUFFER)
        registers = (ctypes.c_uint64 * 7)(*values)
        start = ctypes.addressof(TRACE)
        end = self._run(registers, TRACE, ctypes.cast(getattr(self._library, name), ctypes.c_void_p))
        trace = [tuple(TRACE[at : at + 8]) for at in range(0, (end - start) // 8, 8)]
        return registers[0], registers[6], ctypes.string_at(self._buffer, BUFFER), trace


TRACE = (ctypes.c_uint64 * (1 << 16))()


def drawn_value(rng: random.Random) -> int:
    width = rng.choice((8, 16, 32, 64))
    near = rng.choice((0, 1 << (width - 1), 1 << width, 1 << rng.randrange(64)))
    value = rng.choice((near + rng.randrange(-3, 4), rng.getrandbits(width), rng.getrandbits(64), rng.getrandbits(4)))
    return value & MASK


def assert_inside(analysis: Analysis, record: tuple[int, ...], text: str) -> None:
    """The concrete registers are among those that the abstract state before an instruction allows."""
    state = analysis.states[record[0]]
    assert state is not None, f"reached, but not by the analysis: {text}"
    known: dict[tuple[int, int], int] = {}
    for register, number in zip(USED, record[1:], strict=True):
        word = state.registers[register]
        for at, width in enumerate(WIDTHS):
            v, n = word.vals[at], number & (1 << width) - 1
            signed = n - (1 << width) if n >> (width - 1) else n
            fits = v.lo <= n <= v.hi and v.slo <= signed <= v.shi and not n & v.zeros and n & v.ones == v.ones
            assert fits, f"%{register} is {n:#x}, not in {v} ({width} bits) before: {text}"
            name, offset = word.names[at]
            base = (n - offset) & (1 << width) - 1
            assert name or base == 0, f"%{register} is {n:#x}, not {offset:#x}: {text}"
            assert known.setdefault((name, width), base) == base, f"relation of %{register} broken: {text}"


def differential(folder: Path, seed: int, *, programs: int, inputs: int, most: int = 40) -> tuple[int, int]:
    """Check random programs; how many values and how many proved mutants were looked at."""
    rng = random.Random(seed)
    functions: dict[str, list[str]] = {}
    analyses: dict[str, tuple[Analysis, list[str]]] = {}
    proved: dict[str, tuple[str, int, str]] = {}
    for number in range(programs):
        body = Programs(rng).body()
        name = f"f{number}"
        text = "\n".join([".globl f", "f:", *body]) + "\n"
        analyses[name] = Analysis(text), body
        functions[name] = function(name, body, traced=True)
        returned = {"rax": rng.choice((0xFF, 0xFFFF, 0xFFFFFFFF, MASK))}
        changes = list(proposals(text, "x86_64"))
        rng.shuffle(changes)
        lines, count = text.splitlines(), 0
        for line, new, kind in changes[:400]:
            mutant = Mutant(kind, line, without_comment(lines[line - 1], "x86_64"), new, "")
            reason = same_in_every_state(text, mutant, returned)
            if reason and count < most:
                mutated = [*body]
                mutated[line - 3] = new if not reason.startswith("no path") else "ud2"
                if "r10" in new and "r10" not in lines[line - 1]:
                    continue  # the loop might not end, should the proof be wrong
                count += 1
                label = f"{name}_m{count}"
                functions[label] = function(label, mutated)
                proved[label] = name, returned["rax"], f"{lines[line - 1]} => {new} ({reason}) of\n" + "\n".join(body)
    library = Library(folder, functions)
    seen = 0
    for _ in range(inputs):
        results = {}
        values, data = [drawn_value(rng) for _ in USED], rng.randbytes(BUFFER)
        for name, (analysis, body) in analyses.items():
            *results[name], trace = library.run(name, values, data)
            for record in trace:
                seen += 1
                assert_inside(analysis, record, f"{analysis.program.code[record[0]]} of\n" + "\n".join(body))
        for label, (name, mask, what) in proved.items():
            if label in library.names:
                rax, rbx, memory, _ = library.run(label, values, data)
                first = results[name]
                assert (rax & mask, rbx, memory) == (first[0] & mask, first[1], first[2]), what
    return seen, len(library.names & proved.keys())


@pytest.fixture
def host(tmp_path: Path) -> Path:
    if platform.machine() != "x86_64" or not (shutil.which("as") and shutil.which("ld")):
        pytest.skip("needs an x86_64 host with binutils")
    return tmp_path


@pytest.mark.parametrize("seed", range(3))
def test_random_programs(host: Path, seed: int) -> None:
    seen, mutants = differential(host, seed, programs=12, inputs=40)
    assert seen > 1000
    assert mutants > 20


CLAMP_C = """\
#include <stdint.h>
struct port { uint8_t mode; uint16_t level; int32_t sum; };
int32_t clamp(struct port *p, uint32_t step)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < 12; i++) {
        uint32_t part = (p->level >> i) & 15u;
        if (part > 9)
            part = 9;
        sum += (int32_t)(part * ((step + i) & 63u));
    }
    p->mode = 1;
    p->sum = sum > 400 ? 400 : sum;
    p->mode = (uint8_t)(step & 3u);
    return p->sum;
}
"""


@pytest.mark.slow
def test_what_is_proved_is_accepted(native: Toolchain, make_task: Callable[[str, str, str], Task]) -> None:
    task = make_task("clamp", CLAMP_C, "observe: [p, result]\ninputs:\n  p: {length: 1}\n")
    judge = Judge(JudgeSettings(3, 100, simplify=False), {"x86_64": native})
    returned = _returned(native.plan(task))
    found = 0
    for level in ("O1", "O3"):
        text = native.compile_source("clang", level, task.c_path)
        with MachineCode(native) as machine_code:
            mutants = draw_mutants(text, "x86_64", count=150, seed="1", machine_code=machine_code)
        for mutant in mutants:
            if reason := same_in_every_state(text, mutant, returned):
                found += 1
                verdict = judge.judge(task, "x86_64", mutant.assembly).verdict
                assert verdict == Outcome.CORRECT, f"{mutant.original} => {mutant.replaced}: {reason}"
    assert found > 5
