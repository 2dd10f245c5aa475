"""Static throughput: how many cycles a named processor should need, where an analysis of the code can say.

llvm-mca simulates straight-line code over and over, with caches that never miss and branches that are always predicted.
That describes a program that spends its time in one loop without calls and taken branches inside, as vectorised loops
are, and little else. So there is a figure only where nearly all executed instructions come from one such loop (a
profile says so), and none for anything else. It is no measurement and never compared with one.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

from .counting import Profile
from .errors import ToolMissing
from .sandbox import find_program, run_tool
from .toolchain import Toolchain, new_work_folder

TOOLS = (("llvm-mc-19", "llvm-mc"), ("llvm-mca-19", "llvm-mca"))
PACKAGE = "llvm-19"
MIN_SHARE = 0.9
"""Of executed instructions that the one stretch has to account for."""
MAX_CODE_BYTES = 8192
"""Of a stretch; longer ones take seconds."""
ITERATIONS = 100
TIMEOUT_S = 20.0
_BACKWARDS = re.compile(r"\s*(?:j[a-z]+|b(?:\.[a-z]+)?|b[a-z]+|cbn?z|tbn?z|c\.[bj][a-z]*)\s.*?#?(?P<to>-[0-9]+)$")
_SAID_OTHERWISE = re.compile(r"invalid instruction|found a (?:call|return)")
_CYCLES = re.compile(r"^Total Cycles:\s+([0-9]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Estimate:
    """What llvm-mca says of the calls that a profile is of."""

    cpu: str
    """The processor, by LLVM's name."""
    cycles: float
    """Of all calls together, as if all instructions ran at the rate of the one stretch."""


def estimate(profile: Profile, toolchain: Toolchain) -> Estimate | None:
    """Cycles of the profile's calls on the arch's ``mca_cpu``; None where the analysis has nothing to say.

    Raises ToolMissing where llvm-mc or llvm-mca is not installed, HarnessError when one of them cannot be started.
    """
    hot = max(profile.stretches, key=lambda stretch: stretch.executed * stretch.instructions, default=None)
    if hot is None or hot.executed * hot.instructions < MIN_SHARE * profile.instructions:
        return None
    if not 0 < len(hot.code) <= MAX_CODE_BYTES:
        return None
    tools = [find_program(names) for names in TOOLS]
    if None in tools:
        raise ToolMissing(f"llvm-mc and llvm-mca are not installed; install the Debian package {PACKAGE}")
    folder = new_work_folder()
    try:
        (folder / "code.txt").write_text(" ".join(f"{byte:#x}" for byte in hot.code) + "\n")
        triple, cpu = toolchain.arch.triple, f"--mcpu={toolchain.arch.mca_cpu}"
        script = (
            f'"$1" --disassemble --triple={triple} {cpu} -o code.s code.txt && '
            f'"$2" --mtriple={triple} {cpu} --iterations={ITERATIONS} --instruction-info=0 --resource-pressure=0 code.s'
        )
        result = run_tool(
            [str(tool) for tool in tools],
            cwd=folder, confined=True, sandbox=toolchain.sandbox, timeout_s=TIMEOUT_S, devices=False, script=script,
        )  # fmt: skip
        code = (folder / "code.s").read_text() if result.status == 0 else ""
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    cycles = _CYCLES.search(result.output)
    if cycles is None or _SAID_OTHERWISE.search(result.output) or not _is_loop(code, len(hot.code)):
        return None
    share = hot.executed * hot.instructions / profile.instructions
    return Estimate(toolchain.arch.mca_cpu, hot.executed * int(cycles[1]) / ITERATIONS / share)


def _is_loop(assembly: str, code_bytes: int) -> bool:
    """Whether disassembled code ends in a jump to its start, and has no other jump backwards."""
    jumps = [(line, int(match["to"])) for line in assembly.splitlines() if (match := _BACKWARDS.match(line))]
    if len(jumps) != 1 or jumps[0][0] != assembly.rstrip().splitlines()[-1]:
        return False
    # Counted from behind the jump on x86, from the jump itself elsewhere, which has two or four bytes.
    return -jumps[0][1] in (code_bytes, code_bytes - 2, code_bytes - 4)
