"""The benchmark items; `pytest --nc-model=...` runs them."""

from pytest_neucomback.items import test_task

__all__ = ["test_task"]
