#!/usr/bin/env bash
# Set everything up and run the benchmark.
#
# Usage: ./run.sh              two real compilers pose as models and translate the L2 loops: no key, no cost
#        ./run.sh ARGUMENTS    the same as pytest ARGUMENTS, e.g. ./run.sh --nc-model=deepseek-r1 -n 8
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
scripts/setup.sh
[[ $# -gt 0 ]] || set -- --nc-model=compiler:gcc-O2,compiler:clang-O1 --nc-level=l2 -n 2
exec .venv/bin/pytest "$@"
