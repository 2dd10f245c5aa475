"""Whether a mutant that no vector killed is wrong at all: the arguments that it is not.

A mutant the oracle accepts counts as equivalent only by an argument that does not rest on the oracle's own vectors:
a proof over the code (``proofs.py``), a recorded reading (``reviewed_mutants.yaml``), or no difference under the
generator of this module, on many times the vectors. That generator shares nothing with ``inputs.py`` but the domain
of integers (an index has to stay inside its array): its floating-point values are bit patterns, extremes, ties and
ramps that no task asks for.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import hashlib
import math
import shutil
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection

from . import draws, oracle
from .draws import MockScript
from .errors import ConfigError
from .glue import argument_slots
from .inputs import Bytes, Vector, draw_with, encode_argument
from .layout import MAX_ARGS
from .mocks import fills, mocks
from .mutants import Mutant
from .oracle import FloatRule
from .runner import Guest
from .sandbox import run_tool
from .signature import CType
from .tasks import Task
from .toolchain import Build, Plan, Toolchain, new_work_folder

REVIEWED = Path(__file__).with_name("reviewed_mutants.yaml")
Words = npt.NDArray[np.uint64]


# --- machine code ---------------------------------------------------------------------------------------------------


class MachineCode:
    """Names assembly by the machine code it becomes; a context manager. Not thread-safe.

    The digest covers the bytes of every allocated section with its relocations, and neither symbol names of its own,
    debugging data nor the order of sections. The text is a compiler's own but for one line, so it is assembled
    without a sandbox.
    """

    def __init__(self, toolchain: Toolchain) -> None:
        march = [toolchain.arch.as_march.format(march=toolchain.march)] if toolchain.arch.as_march else []
        gnu = [toolchain.assembler, *toolchain.arch.as_flags, *march]
        clang = [
            toolchain.clang, f"--target={toolchain.arch.triple}", *toolchain.arch.clang_flags,
            f"-march={toolchain.march}", "-c", "-x", "assembler",
        ]  # fmt: skip
        self._assemblers = [gnu, clang]

    def __enter__(self) -> MachineCode:
        self._folder = new_work_folder()
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def __call__(self, assembly: str) -> str | None:
        (self._folder / "m.s").write_text(assembly)
        target = self._folder / "m.o"
        for index, command in enumerate(self._assemblers):
            target.unlink(missing_ok=True)
            if run_tool([*command, "-o", "m.o", "m.s"], cwd=self._folder).status == 0:
                # what one assembler accepts is not tried with the other: a mutant is refused sooner than built oddly
                self._assemblers = self._assemblers[index : index + 1]
                return _digest(target)
        return None


def _digest(path: Path) -> str:
    parts = []
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        relocations: dict[int, list[str]] = {}
        for section in elf.iter_sections():
            if isinstance(section, RelocationSection):
                symbols: Any = elf.get_section(section["sh_link"])
                rows = relocations.setdefault(section["sh_info"], [])
                for entry in section.iter_relocations():
                    symbol = symbols.get_symbol(entry["r_info_sym"])
                    where = symbol.name or f"section {symbol['st_shndx']}"
                    rows.append(f"{entry['r_offset']} {entry['r_info_type']} {where} {entry.entry.get('r_addend', 0)}")
        for index, section in enumerate(elf.iter_sections()):
            if section["sh_flags"] & 2 and section["sh_size"]:  # SHF_ALLOC
                data = b"" if section["sh_type"] == "SHT_NOBITS" else section.data()
                parts.append(f"{section.name}\0{data.hex()}\0{relocations.get(index, ())}")
    return hashlib.sha256("\0".join(sorted(parts)).encode()).hexdigest()


# --- readings --------------------------------------------------------------------------------------------------------


@functools.cache
def reviewed(path: Path = REVIEWED) -> Mapping[str, str]:
    """Reasons by mutant, as ``mutant_key`` names them. Raises ConfigError when the file is malformed."""
    groups = yaml.safe_load(path.read_text()) if path.exists() else []
    reasons: dict[str, str] = {}
    for group in groups or []:
        if not isinstance(group, dict) or set(group) != {"reason", "mutants"}:
            raise ConfigError(f"{path}: expected entries with `reason` and `mutants`, not {group!r}")
        for key in group["mutants"]:
            reasons[" ".join(str(key).split())] = " ".join(group["reason"].split())
    return reasons


def mutant_key(arch: str, task: str, compiler: str, mutant: Mutant) -> str:
    """How ``reviewed_mutants.yaml`` names a mutant."""
    replaced = mutant.replaced or "(deleted)"
    return f"{arch} {task} {compiler}:{mutant.line} {mutant.original} => {' '.join(replaced.split())}"


# --- a generator of its own -------------------------------------------------------------------------------------------

STYLES = (
    "bit patterns", "specials", "small integers", "ascending", "descending", "two values", "magnitudes", "near one",
    "mostly equal", "uniform", "same as before",
)  # fmt: skip
_SPECIAL = (
    0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1.0, -1.0, 0.5, 2.0, 1e-45, -1e-45, 1.1754942e-38,
    1.17549435e-38, -1.17549435e-38, 3.4028235e38, -3.4028235e38, 5e-324, 2.2250738585072014e-308,
    1.7976931348623157e308, 1e-20, 1e20, 0.99999994, 1.0000001,
)  # fmt: skip


class _SplitMix:
    """SplitMix64, many words at a time: a counter times the golden ratio, mixed (Steele, Lea and Flood, 2014)."""

    def __init__(self, seed: int) -> None:
        self._state = seed & (1 << 64) - 1

    def words(self, count: int) -> Words:
        gamma = 0x9E3779B97F4A7C15
        z = np.arange(1, count + 1, dtype=np.uint64)
        z *= np.uint64(gamma)
        z += np.uint64(self._state)
        self._state = (self._state + gamma * count) & (1 << 64) - 1
        z ^= z >> np.uint64(30)
        z *= np.uint64(0xBF58476D1CE4E5B9)
        z ^= z >> np.uint64(27)
        z *= np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
        return z

    def below(self, limit: int) -> int:
        return int(self.words(1)[0]) % limit

    def units(self, count: int) -> npt.NDArray[np.float64]:
        """Numbers in [0, 1)."""
        return (self.words(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


_MASK = (1 << 64) - 1


class _OtherRng(draws.Rng):
    """Random numbers for a task's own code, of another source and other shapes: more ends, other odds, uniform widths.

    Only that code knows what its task may be given, so it stays; what it makes of its dice changes.
    """

    def __init__(self, seed: builtins.int) -> None:
        super().__init__(0)
        self._state = seed & _MASK

    def bits(self, count: builtins.int) -> builtins.int:
        value = 0
        for _ in range(-(-count // 64)):
            self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
            z = self._state
            z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & _MASK
            z = ((z ^ z >> 27) * 0x94D049BB133111EB) & _MASK
            value = value << 64 | (z ^ z >> 31)
        return value >> (-count % 64)

    def int(self, low: builtins.int, high: builtins.int) -> builtins.int:
        low, high = builtins.int(low), builtins.int(high)
        if high > low and self.bits(2) == 0:
            return (low, high, low + 1, high - 1)[self.bits(2)]
        return super().int(low, high)

    def float(self, low: builtins.float, high: builtins.float) -> builtins.float:
        unit = self.bits(53) * 2.0**-53
        if self.bits(3) == 0:
            unit = round(unit * 4) / 4
        return min(low + (high - low) * unit, math.nextafter(high, low))

    def chance(self, probability: builtins.float) -> bool:
        if 0 < probability < 1 and self.bits(2) == 0:
            probability = 0.5
        return self.bits(53) * 2.0**-53 < probability

    def edgy(self, bits: builtins.int, signed: bool = False) -> builtins.int:
        return self.bits(bits) - (1 << (bits - 1) if signed else 0) if self.bits(1) else super().edgy(bits, signed)

    def bytes(self, count: builtins.int) -> builtins.bytes:
        style = self.bits(3)
        if style == 0:
            return builtins.bytes([self.bits(8)]) * builtins.int(count)
        if style == 1:
            return builtins.bytes(self.bits(1) * 0xFF for _ in range(count))
        return super().bytes(count)


class OtherVectors:
    """Vectors of a task by number, drawn without ``inputs.draw``."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan, self.seed = plan, seed

    def vector(self, index: int) -> Vector:
        """The same vector for the same plan, seed and index."""
        name = zlib.crc32(self.plan.task.name.encode())
        rng = _SplitMix((name << 32 ^ self.seed << 20 ^ index) * 0x2545F4914F6CDD1D)
        plan = self.plan
        if plan.task.draw:
            words = _OtherRng(int(rng.words(1)[0]))
            edges = plan.task.edges
            edge = words.pick(edges) if edges and words.bits(1) else ""
            return draw_with(plan, f"other:{self.seed}:{index}", words, edge)
        cases = plan.task.cases or ({},)
        entries: dict[str, Any] = {**plan.task.inputs, **cases[rng.below(len(cases))]}
        objects: dict[str, Bytes] = {}
        styles = []
        # every other vector has one style for all, since a single extreme array drowns what the others hold
        common = STYLES[rng.below(len(STYLES) - 1)] if index % 2 else None
        for placed in plan.objects:
            leaf = plan.element(placed.name).leaf()
            style = common or STYLES[rng.below(len(STYLES))]
            styles.append(f"{placed.name}: {style}")
            data = _fill(rng, leaf, placed.size, entries.get(placed.name, {}), style, objects)
            objects[placed.name] = np.ascontiguousarray(data).view(np.uint8)[: placed.size]
        args = [int(w) for w in rng.words(MAX_ARGS)]
        for variable, slot in zip(plan.signature.params, argument_slots(plan.signature), strict=True):
            entry = entries.get(variable.name, {})
            if variable.type.kind == "pointer":
                args[slot] = _pointer(rng, plan, variable.name, variable.type, entry)
            elif variable.type.kind == "record":
                raw = rng.words(-(-variable.type.size // 8))
                args[slot : slot + raw.size] = [int(w) for w in raw]
            else:
                args[slot] = encode_argument(_scalar(rng, variable.type, entry), variable.type, plan.arch, args[slot])
        junk = tuple(int(w) for w in rng.words(64))
        script = _script(rng, plan)
        return Vector(f"other:{self.seed}:{index}", "; ".join(styles), objects, tuple(args), junk, script)


def _script(rng: _SplitMix, plan: Plan) -> MockScript:
    known = mocks(plan.task, plan.signature)
    returns = tuple(tuple(int(w) & 0x7FFFFFFF for w in rng.words(draws.DRAWN_RETURNS)) for _ in known)
    written = tuple(
        tuple(rng.words(-(-f.stride // 8)).tobytes()[: f.stride] for _ in range(4))
        for f in fills(plan.task, plan.signature)
    )
    return MockScript(returns, written)


def _fill(
    rng: _SplitMix, leaf: CType, size: int, entry: Mapping[str, Any], style: str, before: Mapping[str, Bytes]
) -> npt.NDArray[Any]:
    count = size // max(leaf.size, 1)
    if leaf.kind == "float":
        return _floats(rng, count, leaf.size, style, before)
    if leaf.kind == "int":
        return _integers(rng, leaf, count, entry)
    return rng.words(-(-size // 8)).view(np.uint8)[:size]


def _floats(rng: _SplitMix, count: int, size: int, style: str, before: Mapping[str, Bytes]) -> npt.NDArray[Any]:
    dtype: Any = np.float32 if size == 4 else np.float64
    if style == "same as before":
        same = [o for o in before.values() if o.size == count * size]
        if same:
            return same[rng.below(len(same))].copy()
        style = "uniform"
    if style == "bit patterns":
        raw = rng.words(-(-count * size // 8)).view(np.uint8)[: count * size]
        return raw.view(dtype)
    units = rng.units(count)
    with np.errstate(all="ignore"):
        if style == "specials":
            values = np.array(_SPECIAL)[(units * len(_SPECIAL)).astype(np.intp)]
        elif style == "small integers":
            values = np.floor(units * 17) - 8
        elif style in ("ascending", "descending"):
            values = np.cumsum(units) / count * 4 - 2
            values = values[::-1] if style == "descending" else values
        elif style == "two values":
            low, high = rng.units(2) * 8 - 4
            values = np.where(units < 0.5, low, high)
        elif style == "magnitudes":
            spread = 38 if size == 4 else 300
            values = np.where(units < 0.5, -1.0, 1.0) * 10.0 ** (rng.units(count) * 2 * spread - spread)
        elif style == "near one":
            values = np.where(units < 0.5, -1.0, 1.0) * (1 + (rng.units(count) - 0.5) * 2e-3)
        elif style == "mostly equal":
            values = np.where(units < 3 / count, rng.units(count) * 4 - 2, float(rng.units(1)[0]) - 0.5)
        else:
            values = units * 2 - 1
        return values.astype(dtype)


def _domain(entry: Mapping[str, Any], leaf: CType) -> Mapping[str, Any]:
    if any(k in entry for k in ("values", "range", "permutation", "fill", "call")):
        return entry
    if leaf.spelling == "_Bool":
        return {"range": [0, 1]}
    return {"range": [-100, 100] if leaf.signed else [0, 200]}


def _integers(rng: _SplitMix, leaf: CType, count: int, entry: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Integers of the task's own domain; a permutation's are any indices, so repeats come up as well."""
    while "fills" in entry:
        entry = entry["fills"][rng.below(len(entry["fills"]))]
    entry = _domain(entry, leaf)
    dtype = np.dtype(f"<{'i' if leaf.signed else 'u'}{leaf.size}")
    words = rng.words(count)
    if "values" in entry:
        listed = np.array([int(v) for v in entry["values"]], dtype=object)
        return listed[(words % np.uint64(listed.size)).astype(np.intp)].astype(dtype)
    if "permutation" in entry:
        block = int(entry["permutation"])
        order = np.argsort(words[: min(block, count)], kind="stable")
        return np.resize(order, count).astype(dtype)
    low, high = entry["range"] if "range" in entry else [entry.get("fill", entry.get("call"))] * 2
    span = int(high) - int(low) + 1
    return ((words % np.uint64(span)).astype(np.int64) + int(low)).astype(dtype)


def _scalar(rng: _SplitMix, type_: CType, entry: Mapping[str, Any]) -> int | float:
    if type_.kind == "float":
        if "values" in entry and rng.below(2):
            return float(entry["values"][rng.below(len(entry["values"]))])
        style = STYLES[rng.below(len(STYLES) - 1)]
        return float(_floats(rng, 4, type_.size, style, {})[0])
    return int(_integers(rng, type_, 1, entry)[0])


def _pointer(rng: _SplitMix, plan: Plan, name: str, type_: CType, entry: Mapping[str, Any]) -> int:
    if entry.get("nullable") and not rng.below(4):
        return 0
    if "into" not in entry:
        return plan.object(name).addr
    index_type = CType("int", "long", 8, 8, signed=True)
    offset = int(_integers(rng, index_type, 1, entry.get("offset", {"fill": 0}))[0])
    return plan.object(entry["into"]).addr + offset * (type_.element.size if type_.element else 1)


# --- lock-step ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """Mutants of one compiler's code of a task."""

    unmutated: str
    mutants: Sequence[Mutant]


@dataclass(frozen=True)
class Comparison:
    """How mutants fared against the golden build on many vectors."""

    vectors: int
    """Vectors that all survivors have run."""
    discarded: int
    """Vectors on which the golden build ended otherwise than by returning."""
    killed: Mapping[tuple[int, int], str]
    """By group and place in it: the vector that showed a difference, and how."""


def compare_on(
    toolchain: Toolchain,
    task: Task,
    groups: Sequence[Group],
    vectors: Iterable[Vector],
    *,
    sandbox: bool = True,
    budget_s: float = float("inf"),
) -> Comparison:
    """Run golden build and mutants side by side; a mutant is done once a vector shows a difference.

    Where one differs the unmutated code is asked as well: if it disagrees with the golden build in its turn, the vector
    is outside of what the task defines, and says nothing. Stops after ``budget_s`` seconds.
    """
    give_up = time.monotonic() + budget_s
    rule, killed = FloatRule(0), dict[tuple[int, int], str]()
    ran = discarded = 0
    with contextlib.ExitStack() as stack:

        def started(build: Build) -> Guest:
            return stack.enter_context(Guest(build, emulator=toolchain.emulator, sandbox=sandbox, cpu_s=3600))

        def built(text: str) -> Build:
            folder = new_work_folder()
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            build = toolchain.build_candidate(task, text, folder)
            assert isinstance(build, Build), "it has been judged before"
            return build

        golden = started(toolchain.golden(task))
        plan = golden.plan
        builds = {(g, i): built(m.assembly) for g, group in enumerate(groups) for i, m in enumerate(group.mutants)}
        originals = [built(group.unmutated) for group in groups]
        alive = {key: started(build) for key, build in builds.items()}
        controls: dict[int, Guest] = {}

        def difference(guest: Guest, vector: Vector, expected: oracle.Snapshot, limit_s: float) -> str | None:
            guest.load(vector)
            ended = guest.call(limit_s)
            if ended.status != "done":
                return ended.status
            findings = oracle.compare(plan, vector, expected, guest, rule)
            return findings.verdict().detail if findings else None

        for vector in vectors:
            if not alive or time.monotonic() > give_up:
                break
            golden.load(vector)
            result = golden.call(60.0)
            if result.status != "done":
                discarded += 1
                golden = started(toolchain.golden(task))
                continue
            expected = oracle.take_snapshot(golden)
            limit = 10 * result.wall_s + 1.0
            ran += 1
            for key, guest in list(alive.items()):
                how = difference(guest, vector, expected, limit)
                if how is None:
                    continue
                group = key[0]
                if group not in controls or not controls[group].alive:
                    controls[group] = started(originals[group])
                if difference(controls[group], vector, expected, limit) is None:
                    killed[key] = f"{vector.spec} ({vector.label}): {how}"
                    del alive[key]
                elif not guest.alive:
                    alive[key] = started(builds[key])
    return Comparison(ran, discarded, killed)
