"""The benchmark itself: one test, parametrised by the plugin over task x model x arch x prompt.

``tasks/`` of a checkout collects it; elsewhere ``pytest --pyargs pytest_neucomback.items`` does, and so does plain
``pytest --nc-model=...`` where no tests are configured.
"""

from __future__ import annotations

from .fixtures import CandidateResult


def test_task(nc_candidate: CandidateResult) -> None:
    """The model's best assembly computes what the golden build computes."""
    nc_candidate.require_correct()
