#!/usr/bin/env bash
# Install what the project needs: Debian packages (as root or through sudo) and a Python environment in .venv.
#
# Usage: scripts/setup.sh              install what is missing; does next to nothing when all is there
#        scripts/setup.sh --tests      the same, and what the project's own tests need besides
#        scripts/setup.sh --packages   print the Debian packages and exit
#
# Needs Debian 12 or newer, or Ubuntu 24.04 or newer. Elsewhere it names what to install and builds .venv once that
# is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON_PACKAGES=(python3 python3-venv)
# qemu-user-static runs candidates; qemu-user is the same with plugins, which count instructions; llvm-mca, of llvm-19,
# analyses loops.
PACKAGES=(clang-19 llvm-19 binutils gcc qemu-user-static qemu-user bubblewrap util-linux)
# Compilers and binutils for the other architectures; those of the host's own are in the list above.
if command -v dpkg >/dev/null; then host=$(dpkg --print-architecture); else host=$(uname -m); fi
case $host in amd64 | x86_64) ;; *) PACKAGES+=(binutils-x86-64-linux-gnu gcc-x86-64-linux-gnu) ;; esac
case $host in arm64 | aarch64) ;; *) PACKAGES+=(binutils-aarch64-linux-gnu gcc-aarch64-linux-gnu) ;; esac
case $host in riscv64) ;; *) PACKAGES+=(binutils-riscv64-linux-gnu gcc-riscv64-linux-gnu) ;; esac

# Tests build repro folders for other architectures.
TEST_PACKAGES=(make)
case $host in arm64 | aarch64) ;; *) TEST_PACKAGES+=(libc6-dev-arm64-cross) ;; esac
case $host in riscv64) ;; *) TEST_PACKAGES+=(libc6-dev-riscv64-cross) ;; esac

case ${1:-} in
  '') ;;
  --tests) PACKAGES+=("${TEST_PACKAGES[@]}") ;;
  --packages) printf '%s\n' "${PYTHON_PACKAGES[@]}" "${PACKAGES[@]}"; exit 0 ;;
  *) sed -n '4,6s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: ERROR: %s\n' "$*" >&2; exit 1; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Run a command; its output is shown only when it fails.
quietly() { "$@" >"$log" 2>&1 </dev/null || { tail -n 25 "$log" >&2; return 1; }; }

# The first Python that is new enough and can make virtual environments.
find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

install_packages() {
  local missing=() package state
  find_python >/dev/null || missing+=("${PYTHON_PACKAGES[@]}")
  for package in "${PACKAGES[@]}"; do
    # shellcheck disable=SC2016 # dpkg-query reads ${...} itself
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
    [[ $state == installed ]] || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  local by_hand="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  local as_root=(env DEBIAN_FRONTEND=noninteractive)
  if [[ $EUID -ne 0 ]]; then
    command -v sudo >/dev/null ||
      die "packages are missing, and this is neither root nor is there sudo. As root, run: $by_hand"
    # Asks for the password here, where the prompt can be seen. (sudo -v would ask in spite of some NOPASSWD rules.)
    sudo true || die "sudo refused. As root, run: $by_hand"
    as_root=(sudo "${as_root[@]}")
  fi
  say "installing ${#missing[@]} Debian packages (a minute or two): ${missing[*]}"
  local options=(-q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
  quietly "${as_root[@]}" apt-get "${options[@]}" update ||
    die "the package lists cannot be fetched. Check the network and /etc/apt, then run this again."
  quietly "${as_root[@]}" apt-get "${options[@]}" install -y --no-install-recommends "${missing[@]}" ||
    die "installing packages failed. Debian 12 or Ubuntu 24.04 and newer have them all. To see more, run: $by_hand"
}

# Not Debian: nothing is installed, but nothing may be missing either.
require_programs() {
  local missing=()
  find_python >/dev/null || missing+=("Python 3.11 or newer with venv")
  command -v clang-19 >/dev/null || command -v clang >/dev/null || missing+=("clang 19")
  command -v as >/dev/null || missing+=(binutils)
  command -v bwrap >/dev/null || missing+=(bubblewrap)
  command -v prlimit >/dev/null || missing+=(util-linux)
  [[ ${#missing[@]} -eq 0 ]] && return
  local list
  list=$(printf ', %s' "${missing[@]}")
  die "there is no apt-get here. Install with this system's package manager: ${list:2}; for other architectures also" \
    "qemu-user and binutils and gcc for aarch64-linux-gnu, riscv64-linux-gnu and x86_64-linux-gnu. Then run this again."
}

# Two of these at a time would spoil each other's .venv. The checkout's folder itself is the lock.
exec 9<.
if command -v flock >/dev/null; then flock 9; fi

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then install_packages; else require_programs; fi

python=$(find_python) || die "no Python 3.11 or newer with venv is on PATH. Install python3 and python3-venv."
stamp=.venv/setup.stamp
# The folder is part of it: a virtual environment does not survive being moved.
wanted=$({ pwd; "$python" -V; cat pyproject.toml scripts/setup.sh; } | sha256sum)
if [[ $(cat "$stamp" 2>/dev/null) != "$wanted" ]] || ! .venv/bin/python -c 'import pytest_neucomback' 2>/dev/null; then
  say "installing Python packages into .venv with $("$python" -V) (about half a minute)"
  rm -f "$stamp"
  quietly "$python" -m venv --clear .venv || die "cannot make .venv. Is this folder writable and the disk not full?"
  quietly .venv/bin/python -m pip install --disable-pip-version-check --no-input -e '.[dev]' ||
    die "pip failed, see above. If the network is down or the package index out of reach, mend that and run this again."
  printf '%s\n' "$wanted" >"$stamp"
fi
say "ready in ${SECONDS} s"
