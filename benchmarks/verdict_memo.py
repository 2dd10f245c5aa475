"""A pytest plugin that remembers verdicts on disk, so that a benchmark of many runs judges the same candidate once.

A verdict depends on the task, the architecture, the candidate, the seed and the settings of the judge, and on nothing
else; all of them are in the key. ``-p verdict_memo`` with NEUCOMBACK_VERDICT_MEMO naming a folder turns it on.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Sequence
from pathlib import Path

from pytest_neucomback.atomic import replace_file
from pytest_neucomback.judge import Judge
from pytest_neucomback.tasks import Task
from pytest_neucomback.types import Judgement, Outcome

_FOLDER = Path(os.environ["NEUCOMBACK_VERDICT_MEMO"])
_judge = Judge.judge


def _remembered(
    self: Judge,
    task: Task,
    arch: str,
    assembly: str,
    *,
    regressions: Sequence[str] = (),
    timeout_s: float | None = None,
) -> Judgement:
    parts = [task.digest(), arch, self.toolchains[arch].march, repr(self.settings), repr(list(regressions)), assembly]
    name = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    path = _FOLDER / name[:2] / name
    if path.exists():
        found = pickle.loads(path.read_bytes())
        assert isinstance(found, Judgement)
        return found
    found = _judge(self, task, arch, assembly, regressions=regressions, timeout_s=timeout_s)
    if found.verdict.outcome is not Outcome.UNJUDGED:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, pickle.dumps(found))
    return found


Judge.judge = _remembered  # type: ignore[method-assign]
