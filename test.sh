#!/usr/bin/env bash
# Set everything up, then check the project: lint, format, types, tests.
#
# Usage: ./test.sh [PYTEST ARGUMENTS]    e.g. ./test.sh -k cli
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
scripts/setup.sh --tests
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
exec .venv/bin/pytest tests -n 2 -q "$@"
