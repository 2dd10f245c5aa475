"""The table of architectures, read from ``arches.yaml``."""

from __future__ import annotations

import functools
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from .errors import ConfigError

TABLE = Path(__file__).with_name("arches.yaml")


@dataclass(frozen=True)
class Arch:
    """One row of ``arches.yaml``; the comments there explain the fields."""

    name: str
    title: str
    machines: tuple[str, ...]
    triple: str
    march: str
    marches: tuple[str, ...]
    clang_flags: tuple[str, ...]
    gcc_flags: tuple[str, ...]
    gcc: tuple[str, ...]
    as_: tuple[str, ...]
    as_flags: tuple[str, ...]
    as_march: str | None
    as_everything: str | None
    elf_machine: str
    ld: tuple[str, ...]
    ld_flags: tuple[str, ...]
    objcopy: tuple[str, ...]
    emulator: tuple[str, ...]
    plugin_emulator: tuple[str, ...]
    plugin_flags: tuple[str, ...]
    mca_cpu: str
    emulator_flags: Mapping[str, list[str]]
    packages: Mapping[str, list[str]]
    syntax: str
    comment: str
    preserved: tuple[str, ...]
    stack_pointer: str
    undefined_arg_bits: int
    int_args: int
    fp_args: int
    fp_args_spill: bool
    struct_address: bool
    call_stub: str
    jump: str
    crash_registers: tuple[str, ...]
    abi_facts: str
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def native(self) -> bool:
        """True when this host executes it without an emulator."""
        return platform.machine().lower() in self.machines

    def emulator_options(self, march: str) -> tuple[str, ...]:
        """What makes the emulator a machine of this ISA level."""
        return tuple(self.emulator_flags.get(march) or self.emulator_flags["*"])


@functools.cache
def load_arches() -> dict[str, Arch]:
    """All rows by name. Raises ConfigError when a row lacks a field or has an unknown one."""
    rows = yaml.safe_load(TABLE.read_text())
    known = {f.name.rstrip("_") for f in fields(Arch)} - {"name"}
    arches = {}
    for name, row in rows.items():
        if wrong := sorted((set(row) ^ known) - {"notes"}):
            raise ConfigError(f"{TABLE}: row {name!r}: unknown or missing fields {', '.join(wrong)}")
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in row.items()}
        values["as_"] = values.pop("as")
        arches[name] = Arch(name=name, **values)
    return arches


def host_arch() -> str | None:
    """The row this host runs natively, or None."""
    return next((a.name for a in load_arches().values() if a.native), None)
