"""Counting executed instructions: against arithmetic, and against another emulator with another way of counting."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from candidates import SNIPPETS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pytest_neucomback import counting
from pytest_neucomback.counting import Profile, count_instructions, profile
from pytest_neucomback.errors import HarnessError, ProfileTooLarge, ToolMissing
from pytest_neucomback.glue import argument_slots
from pytest_neucomback.inputs import Vector, draw
from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.tasks import Task
from pytest_neucomback.toolchain import Build, Plan, Toolchain

MakeTask = Callable[[str, str, str], Task]
Count = Callable[..., int]
Profiled = Callable[..., Profile]

SPIN_C = """\
extern unsigned char to[5000], from[5000];
extern int ping(int x);
int spin(int n) { return ping(n) + to[0] + from[0]; }
"""
SPIN_YAML = "externals: {ping: {kind: mock, returns: {values: [5]}}}\ninputs:\n  n: {values: [1000, 1, 7]}\n"
CASES = (1000, 1, 7)
"""The arguments of the first three fixed vectors."""

HEAD = "    .text\n    .globl spin\nspin:\n"
LOOPS = {
    "x86_64": "    xorl %eax, %eax\n1:  addl $2, %eax\n    decl %edi\n    jnz 1b\n",
    "aarch64": "    mov w1, #0\n1:  add w1, w1, #2\n    subs w0, w0, #1\n    b.ne 1b\n",
    "riscv64": "    li a1, 0\n1:  addi a1, a1, 2\n    addiw a0, a0, -1\n    bnez a0, 1b\n",
}
"""1 + 3 n instructions for n iterations."""
AWAY = {
    "x86_64": '    .section .text.{0}, "ax"\n{0}:\n    nop\n    jmp {1}\n    ud2\n',
    "aarch64": '    .section .text.{0}, "ax"\n{0}:\n    nop\n    b {1}\n',
    "riscv64": '    .section .text.{0}, "ax"\n{0}:\n    nop\n    j {1}\n',
}
"""Two instructions in a section of their own."""
JUMP = {"x86_64": "    jmp {0}\n", "aarch64": "    b {0}\n", "riscv64": "    j {0}\n"}
COPY = {
    "x86_64": (
        "    subq $8, %rsp\n    movl %edi, %edx\n    leaq to(%rip), %rdi\n    leaq from(%rip), %rsi\n    call {0}\n"
        "    addq $8, %rsp\n    ret\n"
    ),
    "aarch64": (
        "    str x30, [sp, #-16]!\n    mov w2, w0\n    adrp x0, to\n    add x0, x0, :lo12:to\n    adrp x1, from\n"
        "    add x1, x1, :lo12:from\n    bl {0}\n    ldr x30, [sp], #16\n    ret\n"
    ),
    "riscv64": (
        "    .option norelax\n    addi sp, sp, -16\n    sd ra, 8(sp)\n    mv a2, a0\n    la a0, to\n    la a1, from\n"
        "    call {0}\n    ld ra, 8(sp)\n    addi sp, sp, 16\n    ret\n"
    ),
}
COPY_INSTRUCTIONS = {"x86_64": 7, "aarch64": 9, "riscv64": 12}


@pytest.fixture(scope="module")
def spin(make_task: MakeTask) -> Task:
    return make_task("spin", SPIN_C, SPIN_YAML)


@pytest.fixture
def count(toolchain: Toolchain, spin: Task, tmp_path: Path) -> Count:
    """Builds assembly for ``spin`` and counts it on the given fixed vectors; skips where nothing can be counted."""
    try:
        _ = toolchain.plugin_emulator
    except ToolMissing as error:
        pytest.skip(str(error))

    def run(assembly: str, *fixed: int, sandbox: bool = True) -> int:
        build = toolchain.build_candidate(spin, assembly, tmp_path)
        assert isinstance(build, Build), build
        vectors = [draw(build.plan, f"fixed:{number}") for number in fixed]
        return count_instructions(build, vectors, arch=toolchain.arch.name, cache=toolchain.cache, sandbox=sandbox)

    return run


@pytest.fixture
def profiled(toolchain: Toolchain, spin: Task, tmp_path: Path) -> Profiled:
    """Builds assembly for ``spin`` and profiles it on the given fixed vectors, twice, against what is counted."""
    try:
        _ = toolchain.plugin_emulator
    except ToolMissing as error:
        pytest.skip(str(error))

    def run(assembly: str, *fixed: int) -> Profile:
        build = toolchain.build_candidate(spin, assembly, tmp_path)
        assert isinstance(build, Build), build
        vectors = [draw(build.plan, f"fixed:{number}") for number in fixed]
        where = {"arch": toolchain.arch.name, "cache": toolchain.cache}
        found, again = (profile(build, vectors, **where) for _ in range(2))  # type: ignore[arg-type]
        assert found == again
        assert sum(found.lines.values()) == found.instructions
        assert found.instructions == count_instructions(build, vectors, **where)  # type: ignore[arg-type]
        return found

    return run


def arguments(plan: Plan, *fixed: int) -> list[int]:
    return [draw(plan, f"fixed:{number}").args[0] & 0xFFFFFFFF for number in fixed]


# --- numbers known beforehand ---------------------------------------------------------------------------------------


def test_loop(count: Count, arch: str, toolchain: Toolchain, spin: Task) -> None:
    """n iterations of three instructions, one before and the return; the sum over vectors; each time the same."""
    assert arguments(toolchain.plan(spin), 0, 1, 2) == list(CASES)
    loop = HEAD + LOOPS[arch] + "    ret\n"
    assert [count(loop, number) for number in range(3)] == [2 + 3 * n for n in CASES]
    assert count(loop, 0, 1, 2, 0, 1, 2) == 2 * sum(2 + 3 * n for n in CASES)
    assert count(loop) == 0


def test_shortest_function(count: Count) -> None:
    assert count(HEAD + "    ret\n", 0) == 1


def test_without_a_sandbox(count: Count, arch: str) -> None:
    assert count(HEAD + LOOPS[arch] + "    ret\n", 0, sandbox=False) == 3002


def test_code_in_several_sections(count: Count, arch: str) -> None:
    """The linker puts some before and some behind what else there is; all of it is the candidate's."""
    names = ("unlikely.x", "startup.y", "hot.z", "other.w")
    labels = [name.replace(".", "_") for name in names]
    sections = [
        AWAY[arch].replace(".text.{0}", f".text.{name}").format(label, following)
        for name, label, following in zip(names, labels, [*labels[1:], "back"], strict=True)
    ]
    data = '    .section .rodata.q, "a"\n    .quad 1, 2, 3\n'
    text = HEAD + JUMP[arch].format(labels[0]) + "back:\n" + LOOPS[arch] + "    ret\n" + "".join(sections) + data
    assert count(text, 0, 1, 2) == sum(1 + 2 * len(names) + 2 + 3 * n for n in CASES)


@pytest.mark.parametrize("callee", ["memcpy", "ping"])
def test_what_is_called_is_not_counted(count: Count, arch: str, callee: str) -> None:
    """memcpy of the runtime and a mock of the task: the call counts, what runs there does not."""
    text = HEAD + COPY[arch].format(callee)
    assert [count(text, number) for number in range(3)] == [COPY_INSTRUCTIONS[arch]] * 3


def test_repeated_string_instruction_is_one(native: Toolchain, spin: Task, tmp_path: Path) -> None:
    """However often it repeats itself, not at all included, and in a loop each time it is come to."""
    text = HEAD + (
        "    movl $9, %edx\n1:  movl %edi, %ecx\n    leaq to(%rip), %r8\n    xchgq %r8, %rdi\n    xorl %eax, %eax\n"
        "    rep stosb\n    rep movsb\n    repne scasl\n    xchgq %r8, %rdi\n    decl %edx\n    jnz 1b\n"
        "    jmp 3f\n2:  ret\n3:  movl $3, %ecx\n    leaq to(%rip), %rsi\n4:  rep lodsl\n    jmp 2b\n"
    )  # fmt: skip
    build = native.build_candidate(spin, text, tmp_path)
    assert isinstance(build, Build), build
    vectors = [draw(build.plan, f"fixed:{number}") for number in range(3)]
    counts = [count_instructions(build, [v], arch="x86_64", cache=native.cache) for v in vectors]
    assert counts == [1 + 9 * 10 + 1 + 2 + 1 + 1 + 1] * 3


# --- by line ----------------------------------------------------------------------------------------------------------


def test_profile_of_a_loop(profiled: Profiled, arch: str) -> None:
    """Three lines n times, what is before and behind them once a call; the same where the loop is entered again."""
    loop = HEAD + LOOPS[arch] + "    ret\n"
    for number, n in enumerate(CASES):
        assert profiled(loop, number) == Profile(2 + 3 * n, {4: 1, 5: n, 6: n, 7: n, 8: 1})
    n = sum(CASES)
    found = profiled(loop, 0, 1, 2)
    assert found.lines == {4: 3, 5: n, 6: n, 7: n, 8: 3}
    assert found.hottest(2) == ((5, n), (6, n))
    assert found.hottest(8) == ((5, n), (6, n), (7, n), (4, 3), (8, 3))
    assert profiled(loop) == Profile(0, {})


TWO = {"x86_64": "nop; nop", "aarch64": "nop; nop", "riscv64": "li a1, 0x12345"}
"""A line that makes two instructions."""


def test_profile_of_several_sections(profiled: Profiled, arch: str) -> None:
    """Lines of several instructions, empty ones, and code that the linker puts elsewhere."""
    text = HEAD + f"\n    {TWO[arch]}\n" + JUMP[arch].format("away") + "back:\n    ret\n"
    text += AWAY[arch].format("away", "back")
    assert profiled(text, 0, 1) == Profile(12, {5: 4, 6: 2, 8: 2, 11: 2, 12: 2})


@pytest.mark.parametrize("callee", ["memcpy", "ping"])
def test_profile_with_calls(profiled: Profiled, arch: str, callee: str) -> None:
    """The line that calls has the call alone, and every line is executed once a call."""
    found = profiled(HEAD + COPY[arch].format(callee), 0, 1, 2)
    assert found.instructions == 3 * COPY_INSTRUCTIONS[arch]
    # The three that are two instructions each are of riscv64.
    assert sorted(set(found.lines.values())) == ([3, 6] if arch == "riscv64" else [3])


def test_profile_of_what_clang_assembles(profiled: Profiled, arch: str) -> None:
    """Its line table is of another version and has a row for each instruction."""
    text = HEAD + "    .addrsig\n    .addrsig_sym spin\n" + LOOPS[arch] + "    ret\n"
    assert profiled(text, 0).lines == {6: 1, 7: 1000, 8: 1000, 9: 1000, 10: 1}


def test_profile_of_lines_that_are_not_the_candidates(
    profiled: Profiled, arch: str, toolchain: Toolchain, spin: Task
) -> None:
    """Lines of another file, and a build without any: counted all the same."""
    own = HEAD + '    .file 1 "other.c"\n    .loc 1 2\n' + LOOPS[arch] + "    ret\n"
    assert profiled(own, 0) == Profile(3002, {None: 3002})
    assert profiled(own, 0).hottest(8) == ()
    golden = toolchain.golden(spin)
    vectors = [draw(golden.plan, "fixed:0")]
    found = profile(golden, vectors, arch=arch, cache=toolchain.cache)
    assert found.lines == {None: count_instructions(golden, vectors, arch=arch, cache=toolchain.cache)}


@pytest.mark.parametrize("arch", ["x86_64"], scope="session")
def test_profile_with_a_broken_line_table(profiled: Profiled, toolchain: Toolchain, arch: str) -> None:
    """Who writes debug information of his own has no lines, and nothing else comes of it."""
    broken = '    .section .debug_line, "", @progbits\n    .zero 3, 255\n    .section .debug_info\n    .zero 99, 7\n'
    text = HEAD + '    .file 1 "candidate.s"\n    .loc 1 2\n' + LOOPS[arch] + "    ret\n"
    assert profiled(text, 0).lines == {2: 3002}
    assert profiled(text + broken, 0).lines == {None: 3002}


def test_profile_of_repeated_string_instructions(native: Toolchain, spin: Task, tmp_path: Path) -> None:
    """One for each time they are come to, as in the count."""
    text = HEAD + (
        "    movl $9, %edx\n1:  movl $50, %ecx\n    leaq to(%rip), %rdi\n    rep stosb\n    rep stosb\n    decl %edx\n"
        "    jnz 1b\n    ret\n"
    )  # fmt: skip
    build = native.build_candidate(spin, text, tmp_path)
    assert isinstance(build, Build), build
    found = profile(build, [draw(build.plan, "fixed:0")], arch="x86_64", cache=native.cache)
    assert found == Profile(2 + 6 * 9, {4: 1, **dict.fromkeys(range(5, 11), 9), 11: 1})


def test_profile_that_is_too_large(
    count: Count, profiled: Profiled, arch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More blocks, or more instructions in them, than the table takes: an error, and a count all the same."""
    loop = HEAD + LOOPS[arch] + "    ret\n"
    monkeypatch.setattr(counting, "MAX_BLOCKS", 3)
    assert profiled(loop, 0).lines[5] == 1000  # up to the first jump, the loop, the return
    monkeypatch.setattr(counting, "MAX_BLOCKS", 2)
    message = r"^no profile of spin: it runs through more than {} blocks of code or {} instructions$"
    with pytest.raises(ProfileTooLarge, match=message.format(2, 128)):
        profiled(loop, 0)
    assert count(loop, 0) == 3002
    monkeypatch.setattr(counting, "MAX_BLOCKS", 1)
    assert profiled(HEAD + "    nop\n" * 63 + "    ret\n", 0).instructions == 64
    with pytest.raises(ProfileTooLarge, match=message.format(1, 64)):
        profiled(HEAD + "    nop\n" * 64 + "    ret\n", 0)


def test_table_that_the_guest_has_spoiled() -> None:
    """What no plugin writes is refused, however it is wrong."""
    with counting._Counter(4) as counter:
        table = counting.np.frombuffer(counter._map, counting._BLOCK, 4, offset=counting._PAGE)
        counter._page.blocks = 1
        table[0] = (0x1000, 5, 250, 20)
        assert sum(times for times, _ in counter.executed_at().values()) == 5 * 6, "sizes end with the table"
        table[0] = (0x1000, 5, 0, 4 * 64 + 1)
        with pytest.raises(HarnessError, match="makes no sense"):
            counter.executed_at()
        table[0] = (0x1000, 5, 0, 1)
        counter._page.blocks = 5
        with pytest.raises(HarnessError, match="makes no sense"):
            counter.executed_at()


@pytest.mark.parametrize("arch", ["aarch64"], scope="session")
def test_hot_lines_of_a_timing(
    count: Count, toolchain: Toolchain, spin: Task, arch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timing names the hottest lines, the same each time; where they do not fit, it has the count alone."""
    judge = Judge(JudgeSettings(7, 4), {arch: toolchain})
    text = HEAD + "    nop\n" * 9 + LOOPS[arch] + "    ret\n"
    first, second = (judge.time(spin, arch, text) for _ in range(2))
    assert len(first.hot_lines) == 8
    assert [line for line, _ in first.hot_lines] == [14, 15, 16, 4, 5, 6, 7, 8]
    assert first.hot_lines[0][1] > 1000
    assert first.hot_lines == second.hot_lines
    assert first.instructions == second.instructions == 4 * 11 + 3 * first.hot_lines[0][1]
    assert first.as_json()["hot_lines"][0] == [14, first.hot_lines[0][1]]
    monkeypatch.setattr(counting, "MAX_BLOCKS", 1)
    without = judge.time(spin, arch, text)
    assert (without.instructions, without.hot_lines) == (first.instructions, ())


# --- against another emulator ---------------------------------------------------------------------------------------

TASKS = ("s000", "s1113", "s112", "s152", "s162", "s258", "s271", "s332", "s3111", "s353")
"""With branches on data, an early exit, a call within the file, an integer argument, a pointer."""
_RETURN = 0x70_0000_0000
_STACK, _STACK_BYTES = 0x60_0000_0000, 1 << 20
_PAGE = 4096


class Machine(NamedTuple):
    """How Unicorn is told of an architecture."""

    arch: str
    mode: str
    prefix: str
    """Of the names of registers."""
    link: str
    ints: tuple[str, ...]
    floats: tuple[str, ...]
    boxed: bool
    """A float in a wide register has ones above it."""


MACHINES = {
    "aarch64": Machine("UC_ARCH_ARM64", "UC_MODE_ARM", "arm64_const.UC_ARM64_REG_", "X30", ("X0", "X1", "X2"),
                       ("D0",), False),
    "riscv64": Machine("UC_ARCH_RISCV", "UC_MODE_RISCV64", "riscv_const.UC_RISCV_REG_", "X1", ("X10", "X11", "X12"),
                       ("F10",), True),
}  # fmt: skip


def instructions_between(code: bytes, arch: str) -> int:
    """Instructions in a straight piece of code."""
    if arch == "aarch64":
        return len(code) // 4
    at = number = 0
    while at < len(code):
        at += 4 if code[at] & 3 == 3 else 2
        number += 1
    return number


def counted_by_unicorn(build: Build, vector: Vector) -> int:
    """Instructions from the function's entry to its return, without driver or kernel; nothing else may be called."""
    unicorn = pytest.importorskip("unicorn")
    arch = build.plan.arch.name
    machine = MACHINES[arch]
    module, _, prefix = machine.prefix.partition(".")
    names = pytest.importorskip(f"unicorn.{module}").__dict__

    def register(name: str) -> int:
        return int(names[prefix + name])

    emulator = unicorn.Uc(getattr(unicorn, machine.arch), getattr(unicorn, machine.mode))
    with build.path.open("rb") as stream:
        elf = ELFFile(stream)
        mapped: set[int] = set()
        for segment in elf.iter_segments("PT_LOAD"):
            first, last = segment["p_vaddr"] // _PAGE, (segment["p_vaddr"] + segment["p_memsz"] - 1) // _PAGE
            for page in set(range(first, last + 1)) - mapped:
                emulator.mem_map(page * _PAGE, _PAGE)
                mapped.add(page)
            emulator.mem_write(segment["p_vaddr"], segment.data())
        table = elf.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        entry = next(s["st_value"] for s in table.get_symbol_by_name(build.plan.task.function))
    for placed in build.plan.objects:
        emulator.mem_map(placed.map_addr, placed.map_size)
        emulator.mem_write(placed.addr, vector.objects[placed.name].tobytes())
    emulator.mem_map(_STACK, _STACK_BYTES)
    emulator.mem_map(_RETURN, _PAGE)
    emulator.reg_write(register("SP"), _STACK + _STACK_BYTES // 2)
    emulator.reg_write(register(machine.link), _RETURN)
    if arch == "riscv64":
        emulator.reg_write(register("MSTATUS"), emulator.reg_read(register("MSTATUS")) | 3 << 13)  # floats are on
    ints, floats = list(machine.ints), list(machine.floats)
    for parameter, slot in zip(build.plan.signature.params, argument_slots(build.plan.signature), strict=True):
        word = vector.args[slot]
        if parameter.type.kind == "float":
            box = 0xFFFFFFFF << 32 if machine.boxed and parameter.type.size == 4 else 0
            emulator.reg_write(register(floats.pop(0)), word | box)
        else:
            emulator.reg_write(register(ints.pop(0)), word)
    lengths: dict[tuple[int, int], int] = {}
    total = 0

    def block(uc: object, address: int, size: int, _: object) -> None:
        nonlocal total
        if address == _RETURN:
            return
        key = address, size
        if key not in lengths:
            lengths[key] = instructions_between(bytes(emulator.mem_read(address, size)), arch)
        total += lengths[key]

    emulator.hook_add(unicorn.UC_HOOK_BLOCK, block)
    emulator.emu_start(entry, _RETURN)
    return total


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("arch", ["aarch64", "riscv64"], scope="session")
def test_unicorn_agrees(
    toolchain_of: Callable[[str], Toolchain], bundled: dict[str, Task], arch: str, name: str
) -> None:
    """Two builds of a bundled task have the same number under an emulator that knows nothing of the plugin."""
    toolchain = toolchain_of(arch)
    for build in (toolchain.golden(bundled[name]), toolchain.reference(bundled[name])):
        vectors = [draw(build.plan, f"fixed:{number}") for number in (0, 1)]
        other = [counted_by_unicorn(build, vector) for vector in vectors]
        ours = [count_instructions(build, [v], arch=arch, cache=toolchain.cache) for v in vectors]
        assert ours == other
        assert min(ours) > 1


# --- what cannot be counted -----------------------------------------------------------------------------------------


def hide_emulators(monkeypatch: pytest.MonkeyPatch, instead: Callable[[str], str | None]) -> None:
    real = shutil.which

    def which(name: str) -> str | None:
        return instead(name) if name.startswith("qemu-") and not name.endswith("-static") else real(name)

    monkeypatch.setattr("pytest_neucomback.sandbox.shutil.which", which)


@pytest.mark.parametrize("arch", ["aarch64"], scope="session")
def test_emulator_missing(toolchain: Toolchain, spin: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No emulator with plugins: the command that installs it."""
    build = toolchain.golden(spin)
    hide_emulators(monkeypatch, lambda name: None)
    with pytest.raises(ToolMissing, match=r"^qemu-aarch64 is not installed\. Install it: apt-get install qemu-user$"):
        count_instructions(build, [], arch="aarch64", cache=tmp_path)
    static = shutil.which("qemu-aarch64-static")
    if static:
        hide_emulators(monkeypatch, lambda name: static)
        with pytest.raises(ToolMissing, match=r"static was built without plugins\. .*: apt-get install qemu-user$"):
            count_instructions(build, [], arch="aarch64", cache=tmp_path)


def test_fault_and_endless_loop(count: Count, arch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that does not return has no count; the error says how it ended."""
    with pytest.raises(
        HarnessError, match=r"^instructions of spin cannot be counted on .*: the call ended with signal 11"
    ):
        count(HEAD + SNIPPETS[arch].read_null + "\n    ret\n", 0)
    monkeypatch.setattr(counting, "CALL_LIMIT_S", 0.3)
    with pytest.raises(HarnessError, match=r"the call was still running after 0\.3 s$"):
        count(HEAD + SNIPPETS[arch].endless + "\n", 0)


def test_sandbox_of_the_emulator(native: Toolchain, spin: Task, tmp_path: Path) -> None:
    """Beside its libraries it sees no file, and a system call that it has no use for ends it."""
    text = HEAD + (
        "    movl ${call}, %eax\n    movl $-100, %edi\n    leaq 9f(%rip), %rsi\n    xorl %edx, %edx\n    syscall\n"
        "    cmpl $-2, %eax\n    je 1f\n    ud2\n1:  ret\n"
        '    .section .rodata\n9:  .asciz "{path}"\n'
    )  # fmt: skip
    vectors = [draw(native.plan(spin), "fixed:0")]

    def tried(call: int, path: str) -> int:
        build = native.build_candidate(spin, text.format(call=call, path=path), tmp_path)
        assert isinstance(build, Build), build
        return count_instructions(build, vectors, arch="x86_64", cache=native.cache)

    openat, mkdirat = 257, 258
    for path in ("/bin/sh", "/usr/bin/env", "/etc/passwd", "/sys", str(native.clang)):
        assert tried(openat, path) == 8
    with pytest.raises(HarnessError, match=r"the program ended by itself \(status 159\)"):
        tried(mkdirat, "/x")


def test_avx512_is_named(native: Toolchain, spin: Task, tmp_path: Path) -> None:
    """qemu does not execute it."""
    toolchain = Toolchain("x86_64", march="x86-64-v4", cache=native.cache)
    build = toolchain.build_candidate(spin, HEAD + "    vpxorq %zmm0, %zmm0, %zmm0\n    ret\n", tmp_path)
    assert isinstance(build, Build), build
    with pytest.raises(
        HarnessError, match=r"qemu-x86_64 does not have one of its instructions: no qemu executes AVX-512"
    ):
        count_instructions(build, [draw(build.plan, "fixed:0")], arch="x86_64", cache=native.cache)


def test_maps_of_both_linkers() -> None:
    """Names that a candidate chooses change nothing in what is found; data and debug lines have other addresses."""
    gnu = (
        " .text          0x0000000000401000       0x24 task-code.o\n"
        "                0x0000000000401000                spin\n"
        " .text.a long name 0x1 0x2\n                0x0000000000401024        0x8 task-code.o\n"
        "                                         0xc (size before relaxing)\n"
        " .text          0x000000000040102c      0x400 mapped-harness.o\n"
    )
    lld = (
        "             VMA              LMA     Size Align Out     In      Symbol\n"
        "          401000           401000       24     4         task-code.o:(.text)\n"
        "          401000           401000       24     1                 spin\n"
        "          401024           401024        8     4         task-code.o:(.text.a)\n"
        "          40102c           40102c      400    16         mapped-harness.o:(.text)\n"
    )
    for text, sides in ((gnu, ("at", "size")), (lld, ("lld_at", "lld_size"))):
        found: Sequence[tuple[int, int]] = [
            (int(m[sides[0]], 16), int(m[sides[1]], 16)) for m in counting._MAPPED.finditer(text)
        ]
        assert found == [(0x401000, 0x24), (0x401024, 8)]
