"""Being here puts this folder on the import path, so that tests can write ``from loopback import …``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from evaluation import Project

# Not in the checkout's top folder: from there it would reach, and break, sessions elsewhere that collect items.py.
pytest_plugins = ["pytester"]


@pytest.fixture(scope="session")
def build_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trusted builds, made once for the whole run, all its workers together."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "neucomback-build"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def project(pytester: pytest.Pytester, build_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A user's folder with a suite of tiny tasks, where pytest can be run; its reply cache is its own."""
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    return Project(pytester, build_cache)
