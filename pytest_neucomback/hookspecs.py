"""Hooks other plugins and conftest.py files may implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .models import Model
    from .options import Settings
    from .tasks import Task
    from .types import Record


@pytest.hookspec(firstresult=True)
def pytest_neucomback_model(name: str, config: pytest.Config) -> Model | None:
    """Return a model for an entry of --nc-model that this plugin does not know; the first answer wins.

    Example: an in-house endpoint::

        def pytest_neucomback_model(name, config):
            if name.startswith("house:"):
                return HouseModel(name)
    """


@pytest.hookspec
def pytest_neucomback_tasks(tasks: list[Task], config: pytest.Config) -> None:
    """Change the list of selected tasks in place, the same way in every process."""


@pytest.hookspec
def pytest_neucomback_record(record: Record, config: pytest.Config) -> None:
    """Called in the controller for every record, right after it is on disk."""


@pytest.hookspec
def pytest_neucomback_summary(results: dict[str, object], settings: Settings, config: pytest.Config) -> None:
    """Called in the controller with the content of results.json before it is written; may add keys under ``run``."""
