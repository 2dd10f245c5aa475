"""What instructions belong to, and which directives ask for more than the level."""

from __future__ import annotations

import capstone
import pytest

from pytest_neucomback import isa

INSTRUCTIONS = {
    "660fefc0": None,  # pxor
    "f30fbcc0": None,  # rep bsf
    "f30f1efa": None,  # endbr64
    "c4e27918c1": "AVX2",  # vbroadcastss xmm, xmm
    "f20ff000": "SSE3",  # lddqu
    "660f3800c1": "SSSE3",  # pshufb
    "660fc5c001": None,  # pextrw from a register
    "660f3a15c001": "SSE4.1",  # pextrw, the other encoding
    "660f3810c1": "SSE4.1",  # pblendvb
    "f20f38f1c0": "SSE4.2",  # crc32
    "f30fb8c0": "POPCNT",
    "f30fbdc0": "LZCNT",
    "0f38f000": "MOVBE",
    "480fc70e": "CX16",
    "9f": "LAHF",
    "660f38dcc1": "AES",
    "c5f458c0": "AVX",  # vaddps ymm
    "c5fdfec1": "AVX2",  # vpaddd ymm
    "c5f9fec1": "AVX",  # vpaddd xmm
    "c4e275b8c2": "FMA",  # vfmadd231ps
    "c4e27d13c1": "F16C",  # vcvtph2ps
    "c4e278f2c1": "BMI",  # andn
    "c4e2fbf6c1": "BMI2",  # mulx
    "62f17c4858c0": "AVX-512",  # vaddps zmm
    "c5f892c0": "AVX-512",  # kmovw
}


@pytest.mark.parametrize("code", INSTRUCTIONS)
def test_features_of_instructions(code: str) -> None:
    """Prefix, name and operands tell what an x86-64 instruction needs."""
    data = bytes.fromhex(code)
    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    decoded = next(iter(engine.disasm_lite(data, 0)), (0, 0, "", ""))
    assert isa.needed(data, decoded[2], decoded[3]) == INSTRUCTIONS[code], decoded


def test_features_of_a_level() -> None:
    """Of clang's macros only those that are defined count."""
    macros = "#define __AVX2__ 1\n#define __SSE4_2__ 1\n#define __FOO__ 1\n#define __AVX__ 1\n"
    assert isa.features_of(macros) == {"AVX2", "AVX", "SSE4.2"}


ILLEGAL = {
    ("EM_AARCH64", "00000000"): None,
    ("EM_AARCH64", "000020d4"): None,  # brk
    ("EM_AARCH64", "0000a004"): "add z0.s, z0.s, z0.s",
    ("EM_AARCH64", "200020b8"): "ldadd w0, w0, [x1]",
    ("EM_RISCV", "00000000"): None,
    ("EM_RISCV", "731000c0"): None,  # unimp
    ("EM_RISCV", "d7720005"): "a vector instruction",
    ("EM_RISCV", "13152560"): "a bit manipulation instruction",
    ("EM_X86_64", "0f0b"): None,  # ud2
    ("EM_X86_64", "c5f458c0"): "vaddps ymm0, ymm1, ymm0",
    ("EM_386", "00000000"): None,
}


@pytest.mark.parametrize(("machine", "code"), ILLEGAL)
def test_meaning_of_illegal_instructions(machine: str, code: str) -> None:
    """An illegal instruction that another level has is told from one that nobody has."""
    assert isa.beyond_at(machine, bytes.fromhex(code)) == ILLEGAL[machine, code]


DIRECTIVES = {
    ("    .arch armv8-a\n", "armv8-a"): None,
    ("    .arch armv8-a+sve\n    nop\n", "armv8-a"): "    \n    nop\n",
    ("x:  .arch_extension crypto\n", "armv8-a"): "x:  \n",
    ("    .cpu cortex-a76\n", "armv8-a"): "    \n",
    ("    // .arch armv9-a\n", "armv8-a"): None,
    ("    .option norelax\n    .option push\n", "rv64gc"): None,
    ("    .option arch, +v\n", "rv64gc"): "    \n",
    ('    .attribute 5, "rv64i2p1_m2p0_a2p1_f2p2_d2p2_c2p0_zicsr2p0"\n', "rv64gc"): None,
    ('    .attribute arch, "rv64i2p1_m2p0_a2p1_f2p2_d2p2_c2p0_v1p0"\n', "rv64gc"): "    \n",
    ("    .attribute 4, 16\n", "rv64gc"): None,
}


@pytest.mark.parametrize(("assembly", "march"), DIRECTIVES)
def test_directives_that_raise_the_level(assembly: str, march: str) -> None:
    """Directives that ask for more are taken out, line by line; those that name the level or less stay."""
    assert isa.without_levels(assembly, march) == DIRECTIVES[assembly, march]
