"""The table of architectures."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_neucomback import arches
from pytest_neucomback.arches import host_arch, load_arches
from pytest_neucomback.errors import ConfigError
from pytest_neucomback.toolchain import DRIVER


def test_rows_are_complete() -> None:
    """Each row has a driver, its default march among its marches, and packages for what it names."""
    rows = load_arches()
    assert list(rows) == ["x86_64", "aarch64", "riscv64"]
    for name, row in rows.items():
        assert row.name == name
        assert row.march in row.marches
        assert set(row.packages) == {"tools", "gcc", "emulator", "plugin_emulator"}
        assert (DRIVER / f"trampoline_{name}.S").is_file()
        assert (DRIVER / f"arch_{name}.h").is_file()
        assert len(row.preserved) <= 64
        assert len(row.crash_registers) <= 48
        assert row.stack_pointer in row.crash_registers
        assert {"%rip", "pc"} & set(row.crash_registers)


def test_crash_register_counts_match_the_driver() -> None:
    """As many registers are named as the driver stores."""
    for name, row in load_arches().items():
        header = (DRIVER / f"arch_{name}.h").read_text()
        assert f"#define NC_N_CRASH_REGS {len(row.crash_registers)}\n" in header


@pytest.mark.parametrize(
    ("machine", "name"), [("x86_64", "x86_64"), ("AMD64", "x86_64"), ("arm64", "aarch64"), ("mips", None)]
)
def test_host_is_recognised(monkeypatch: pytest.MonkeyPatch, machine: str, name: str | None) -> None:
    """The host's machine name leads to its row, under its usual spellings."""
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert host_arch() == name
    assert [a.name for a in load_arches().values() if a.native] == ([name] if name else [])


@pytest.mark.parametrize(("old", "new"), [("  title:", "  titel:"), ("  syntax: GNU assembler, AT&T syntax\n", "")])
def test_malformed_row_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, old: str, new: str) -> None:
    """A field too many or too few is a ConfigError naming file, row and field."""
    table = tmp_path / "arches.yaml"
    table.write_text(arches.TABLE.read_text().replace(old, new, 1))
    monkeypatch.setattr(arches, "TABLE", table)
    with pytest.raises(ConfigError, match=r"arches\.yaml: row 'x86_64': .*(title|syntax)"):
        load_arches.__wrapped__()
