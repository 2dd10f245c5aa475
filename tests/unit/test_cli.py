"""The console command, on machines made up of a PATH with chosen programs."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_neucomback import doctor, sandbox, toolchain
from pytest_neucomback.arches import load_arches
from pytest_neucomback.cli import MODEL_KINDS, main
from pytest_neucomback.models import load_registry

ROOT = Path(__file__).parents[2]
COMMON = ["clang-19", "llvm-mca-19", "prlimit", "bwrap", "unshare"]
X86_64 = ["x86_64-linux-gnu-as", "x86_64-linux-gnu-ld", "x86_64-linux-gnu-objcopy", "x86_64-linux-gnu-gcc"]
AARCH64 = [name.replace("x86_64", "aarch64") for name in X86_64] + ["qemu-aarch64-static"]
RISCV64 = [name.replace("x86_64", "riscv64") for name in X86_64] + ["qemu-riscv64-static"]
PLUGINS = ["qemu-x86_64", "qemu-aarch64", "qemu-riscv64"]
ALL = [*COMMON, *X86_64, *AARCH64, *RISCV64, *PLUGINS]

FakeMachine = Callable[..., Path]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMachine]:
    """Makes a host on which just the given programs are installed; each says its version and succeeds."""
    programs, lists = tmp_path / "bin", tmp_path / "lists"
    work = tmp_path / "work"
    for folder in (programs, lists, work):
        folder.mkdir()
    (lists / "mirror_dists_main_Packages").touch()
    caches = (toolchain.tool_version, toolchain.clang_resource_dir, sandbox.check_sandbox)

    def make(installed: list[str], *, host: str = "x86_64", root: bool = True, **broken: str) -> Path:
        for name in installed:
            says = f"echo {name} 1.2.3" + ("; echo '-plugin FILE'" if name in PLUGINS else "")
            (programs / name).write_text(f"#!/bin/sh\n{broken.get(name.replace('-', '_'), says)}\n")
            (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(programs))
        monkeypatch.setattr(platform, "machine", lambda: host)
        monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
        monkeypatch.setattr(doctor, "_APT_LISTS", lists)
        monkeypatch.chdir(work)
        for cached in caches:
            cached.cache_clear()
        return tmp_path

    yield make
    for cached in caches:
        cached.cache_clear()


def without(*missing: str) -> list[str]:
    return [name for name in ALL if name not in missing]


def doctor_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status = main(["doctor", "--json", *arguments])
    return status, dict(json.loads(capsys.readouterr().out))


def check_named(report: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [check for check in report["checks"] if check["name"] == name]
    return dict(found)


# --- doctor: what is there, what is missing -------------------------------------------------------------------------


def test_complete_machine_is_ready(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    machine(ALL)
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "clang-19 1.2.3" in out
    assert "qemu-riscv64-static 1.2.3" in out
    for arch in ("x86_64", "aarch64", "riscv64"):
        assert f"{arch}: can be judged" in out
    assert "MISSING" not in out
    assert "apt-get" not in out


def test_missing_foreign_tools_leave_the_host_usable(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    machine([*COMMON, *X86_64, "qemu-x86_64"])
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "x86_64: can be judged" in out
    assert "riscv64: cannot be judged: riscv64 as, riscv64 ld, riscv64 objcopy, riscv64 emulator\n" in out
    assert out.endswith(
        "Install everything missing:\n  apt-get install -y binutils-aarch64-linux-gnu qemu-user-static qemu-user "
        "gcc-aarch64-linux-gnu binutils-riscv64-linux-gnu gcc-riscv64-linux-gnu\n"
    )


@pytest.mark.parametrize(
    ("missing", "package"),
    [
        ("clang-19", "clang-19"),
        ("x86_64-linux-gnu-as", "binutils"),
        ("x86_64-linux-gnu-objcopy", "binutils"),
        ("prlimit", "util-linux"),
        ("bwrap", "bubblewrap"),
    ],
)
def test_what_every_run_needs_is_required(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str], missing: str, package: str
) -> None:
    machine(without(missing))
    status, report = doctor_json(capsys)
    assert status == 1
    assert report["ready"] is False
    assert report["install"] == f"apt-get install -y {package}"
    assert report["arches"]["x86_64"]["judged"] is False


@pytest.mark.parametrize("missing", ["x86_64-linux-gnu-gcc", "riscv64-linux-gnu-gcc", "unshare"])
def test_what_only_some_runs_need_is_not_required(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    machine(without(missing))
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "absent" in out
    assert "MISSING" not in out
    assert "Install everything missing" in out


@pytest.mark.parametrize("broken", [{}, {"qemu_aarch64": "echo qemu-aarch64 1.2.3"}])
def test_counting_is_a_hint(machine: FakeMachine, capsys: pytest.CaptureFixture[str], broken: dict[str, str]) -> None:
    """Without an emulator with plugins, be it absent or a static build, all is judged as before."""
    machine(ALL if broken else without("qemu-aarch64"), **broken)
    status, report = doctor_json(capsys)
    check = check_named(report, "aarch64 counting")
    assert (status, check["ok"], check["required"]) == (0, False, False)
    assert check["found"].endswith("was built without plugins" if broken else "not found: qemu-aarch64")
    # Where the package holds a static build, installing it once more would not help.
    assert report["missing_packages"] == ([] if broken else ["qemu-user"])
    assert "qemu-user" in check["fix"]
    assert check_named(report, "riscv64 counting")["ok"] is True


def test_second_choice_of_a_program_will_do(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    machine([*without("clang-19", "x86_64-linux-gnu-as"), "clang", "as"])
    status, report = doctor_json(capsys)
    assert status == 0
    assert check_named(report, "clang")["found"] == "clang 1.2.3 (clang)"


def test_named_arches_are_looked_at_alone_and_needed(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    # The dynamically linked one would do, were it there.
    machine(without("qemu-riscv64-static", "qemu-riscv64"))
    assert doctor_json(capsys, "--arch", "aarch64, x86_64")[0] == 0
    status, report = doctor_json(capsys, "--arch", "riscv64")
    assert status == 1
    assert report["arches"] == {"riscv64": {"judged": False, "obstacles": ["riscv64 emulator"]}}
    assert report["missing_packages"] == ["qemu-user-static", "qemu-user"]


@pytest.mark.parametrize("value", ["arm64", "x86_64,sparc", ","])
def test_unknown_arch_is_one_line(machine: FakeMachine, capsys: pytest.CaptureFixture[str], value: str) -> None:
    machine(ALL)
    assert main(["doctor", "--arch", value]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "Known: x86_64, aarch64, riscv64." in captured.err


def test_assembler_of_another_machine_is_noticed(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = """case $1 in --version) echo as 1.2.3;; *) echo "as: unrecognized option '--64'"; exit 1;; esac"""
    machine([*without("x86_64-linux-gnu-as"), "as"], **{"as": wrong})
    status, report = doctor_json(capsys)
    assert status == 1
    assert check_named(report, "x86_64 as")["ok"] is True
    assert check_named(report, "x86_64 tools fit")["found"] == "as fails: as: unrecognized option '--64'"


def test_program_that_does_not_start(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    made = machine(ALL)
    (made / "bin" / "bwrap").write_text("#!/no/such/interpreter\n")
    status, report = doctor_json(capsys)
    assert status == 1
    assert check_named(report, "bubblewrap")["found"].startswith("does not start: ")


def test_sandbox_that_is_refused(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse = "case $1 in --version) echo bubblewrap 1.2.3;; *) echo 'No permissions' >&2; exit 1;; esac"
    machine(ALL, root=False, bwrap=refuse, unshare="echo 'Operation not permitted'; exit 1")
    monkeypatch.setattr(doctor, "_text", lambda path: "1\n" if "apparmor" in path.name else "kill_process")
    status, report = doctor_json(capsys)
    assert status == 1
    assert check_named(report, "bubblewrap")["ok"] is True
    assert "No permissions" in check_named(report, "sandbox starts")["found"]
    namespaces = check_named(report, "user namespaces")
    assert namespaces["found"] == "refused: Operation not permitted"
    assert namespaces["fix"] == "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    assert report["install"] is None


def test_kernel_without_seccomp(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(ALL)
    monkeypatch.setattr(doctor, "_text", lambda path: "")
    status, report = doctor_json(capsys)
    assert status == 1
    assert report["arches"]["x86_64"]["obstacles"] == ["seccomp"]


# --- doctor: the install command ------------------------------------------------------------------------------------


def test_install_command_uses_sudo_and_fetches_lists(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    made = machine(without("bwrap"), root=False)
    assert doctor_json(capsys)[1]["install"] == "sudo apt-get install -y bubblewrap"
    (made / "lists" / "mirror_dists_main_Packages").unlink()
    assert doctor_json(capsys)[1]["install"] == "sudo apt-get update && sudo apt-get install -y bubblewrap"


def test_packages_on_another_host(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    machine(COMMON, host="aarch64")
    status, report = doctor_json(capsys, "--arch", "aarch64,x86_64")
    assert status == 1
    assert report["missing_packages"] == [
        "binutils", "qemu-user", "gcc", "binutils-x86-64-linux-gnu", "qemu-user-static", "gcc-x86-64-linux-gnu",
    ]  # fmt: skip
    assert not [check for check in report["checks"] if check["name"] == "aarch64 emulator"]


def test_host_without_a_row(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    machine([*ALL, "qemu-x86_64-static"], host="s390x")
    assert main(["doctor"]) == 1
    assert "s390x" in capsys.readouterr().out
    assert main(["doctor", "--arch", "riscv64"]) == 0


@pytest.mark.parametrize("host", ["x86_64", "aarch64", "riscv64"])
def test_setup_script_installs_what_doctor_asks_for(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    debian = {"x86_64": "amd64", "aarch64": "arm64"}.get(host, host)
    search_path = os.environ["PATH"]
    made = machine([], host=host)
    fake = made / "dpkg"
    fake.mkdir()
    (fake / "dpkg").write_text(f"#!/bin/sh\necho {debian}\n")
    (fake / "dpkg").chmod(0o755)
    wanted = set(doctor_json(capsys)[1]["missing_packages"])
    script = subprocess.run(
        ["/bin/bash", ROOT / "scripts" / "setup.sh", "--packages"],
        env={"PATH": f"{fake}:{search_path}"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(script.stdout.split()) == wanted | {"python3", "python3-venv"}


# --- doctor: Python and the machine ---------------------------------------------------------------------------------


def test_python_packages_too_old_or_absent(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(ALL)
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "openai":
            raise importlib.metadata.PackageNotFoundError(name)
        return "5.0" if name == "pytest" else real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    status, report = doctor_json(capsys)
    assert status == 1
    assert check_named(report, "openai")["found"] == "not installed"
    assert check_named(report, "pytest")["found"].startswith("5.0, but >=8")
    assert check_named(report, "pytest")["fix"].startswith("pip install 'pytest>=8")
    assert not [check for check in report["checks"] if check["name"] in ("ruff", "mypy")]  # not needed to run


def test_cache_folder_that_cannot_be_written(tmp_path: Path, machine: FakeMachine) -> None:
    machine(ALL)
    file = tmp_path / "file"
    file.touch()
    found = doctor.diagnose(doctor.make_scope(cache=file / "cache"))
    assert not found.ready
    assert [check.name for check in found.obstacles("x86_64")] == ["cache folder"]


def test_looking_leaves_nothing_behind(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    made = machine(ALL)
    assert main(["doctor"]) == 0
    assert list((made / "work").iterdir()) == []


def test_little_memory_and_disk_are_said_but_not_fatal(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(ALL)
    monkeypatch.setattr(doctor, "MIN_MEMORY_BYTES", 1 << 60)
    monkeypatch.setattr(doctor, "MIN_DISK_BYTES", 1 << 60)
    found = doctor.diagnose(doctor.make_scope())
    assert found.ready
    assert {check.name for check in found.checks if not check.ok} == {"memory", "cache folder"}


def test_control_group_limits_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "meminfo": "MemTotal: 9000 kB\nMemAvailable: 8000 kB\n",
        "memory.max": "3000\n",
        "memory.current": "1000\n",
    }
    monkeypatch.setattr(doctor, "_text", lambda path: files[path.name])
    assert doctor._available_memory() == 2000
    files["memory.max"] = "max\n"
    assert doctor._available_memory() == 8000 * 1024


def test_a_further_section_slots_in(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(ALL)

    def timing(scope: doctor.Scope) -> Iterator[doctor.Check]:
        yield doctor.Check("governor", False, "powersave", "steady timing", "cpupower", required=False)

    monkeypatch.setattr(doctor, "SECTIONS", {**doctor.SECTIONS, "timing": timing})
    last = doctor.diagnose(doctor.make_scope()).checks[-1]
    assert (last.section, last.name) == ("timing", "governor")


# --- models ---------------------------------------------------------------------------------------------------------

OWN = """
models:
  house:
    base_url: http://user:secret@localhost:8000/v1
    model_id: house-model
    key_env: HOUSE_KEY
  gpt-4o: {usd_per_mtok_in: 77.5}
"""


@pytest.fixture
def _no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for spec in load_registry().values():
        monkeypatch.delenv(spec.key_env, raising=False)


def models_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["models", "--json", *arguments]) == 0
    return dict(json.loads(capsys.readouterr().out))


def row_named(listing: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [row for row in listing["models"] if row["name"] == name]
    return dict(found)


@pytest.mark.usefixtures("_no_keys")
def test_models_lists_every_name_and_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    first_words = {line.split()[0] for line in lines if line}
    assert first_words >= set(load_registry())
    assert first_words >= set(MODEL_KINDS)
    (row,) = [line.split() for line in lines if line.startswith("gpt-4o ")]
    assert row == ["gpt-4o", "gpt-4o", "api.openai.com", "OPENAI_API_KEY", "no", "2.50", "10.00", "16384"]


@pytest.mark.usefixtures("_no_keys")
def test_models_says_whether_a_key_is_set_and_never_which(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("XAI_API_KEY", "  ")
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert "secret" not in out
    listing = models_json(capsys)
    assert row_named(listing, "gpt-4o")["key_set"] is True
    assert row_named(listing, "grok-4.3")["key_set"] is False
    assert [model["name"] for model in listing["models"]] == list(load_registry())


@pytest.mark.usefixtures("_no_keys")
def test_models_of_ones_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert models_json(capsys)["models_file"] is None
    (tmp_path / "neucomback.models.yaml").write_text(OWN)
    (tmp_path / "other.yaml").write_text(OWN.replace("house:", "cottage:"))
    listing = models_json(capsys)
    assert listing["models_file"] == "neucomback.models.yaml"
    house = row_named(listing, "house")
    assert (house["endpoint"], house["key_set"], house["usable"]) == ("localhost:8000", False, True)
    assert row_named(listing, "gpt-4o")["usd_per_mtok_in"] == 77.5
    names = {model["name"] for model in models_json(capsys, "--nc-models-file", "other.yaml")["models"]}
    assert names >= {"cottage", "gpt-4o"}
    assert "house" not in names
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert "not needed" in out
    assert "secret" not in out


@pytest.mark.usefixtures("_no_keys")
def test_unusable_models_file_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["models", "--nc-models-file", "absent.yaml"]) == 2
    (tmp_path / "neucomback.models.yaml").write_text("models: {house: {modle_id: x}}\n")
    assert main(["models"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    first, second = captured.err.splitlines()
    assert first.startswith("neucomback: absent.yaml: no such file")
    assert "did you mean model_id?" in second


# --- the command itself ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("argv", [[], ["cure"], ["models", "--jsno"], ["doctor", "extra"]])
def test_wrong_command_lines(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert "usage: neucomback" in capsys.readouterr().err


def test_reader_that_leaves_early() -> None:
    code = "import sys; from pytest_neucomback.cli import main; sys.exit(main(['models']))"
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_every_arch_is_covered_by_the_fake_machine() -> None:
    assert set(load_arches()) == {"x86_64", "aarch64", "riscv64"}
