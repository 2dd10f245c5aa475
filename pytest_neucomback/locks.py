"""The machine-wide lock: compiling and judging hold it shared, timing holds it alone.

flock(2) has no queue, so a stream of shared holders would starve the exclusive one. A second lock, the turnstile,
is passed by everybody on the way in; whoever waits for exclusive access stands in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path


class MachineLock:
    """A reader-writer lock shared by all processes of the machine; re-entrant within a thread."""

    def __init__(self, folder: Path | None = None) -> None:
        base = folder or Path(tempfile.gettempdir())
        self._paths = (base / "pytest-neucomback.turnstile", base / "pytest-neucomback.lock")
        self._local = threading.local()

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Hold it together with other shared holders; waits while somebody times or waits to time."""
        with self._held(fcntl.LOCK_SH):
            yield

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold it alone. Raises RuntimeError inside ``shared`` of the same thread, which would wait for itself."""
        if getattr(self._local, "mode", None) == fcntl.LOCK_SH:
            raise RuntimeError("exclusive lock asked for while holding it shared")
        with self._held(fcntl.LOCK_EX):
            yield

    @contextlib.contextmanager
    def _held(self, mode: int) -> Iterator[None]:
        if getattr(self._local, "depth", 0):
            self._local.depth += 1
            try:
                yield
            finally:
                self._local.depth -= 1
            return
        turnstile = _open(self._paths[0])
        try:
            main = _open(self._paths[1])
            try:
                fcntl.flock(turnstile, fcntl.LOCK_EX)
                fcntl.flock(main, mode)
                fcntl.flock(turnstile, fcntl.LOCK_UN)
                self._local.depth, self._local.mode = 1, mode
                try:
                    yield
                finally:
                    self._local.depth, self._local.mode = 0, None
            finally:
                os.close(main)
        finally:
            os.close(turnstile)


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        # Without O_CREAT first: in a sticky folder Linux refuses to "create" a file that another user owns.
        return os.open(path, flags)
    except FileNotFoundError:
        fd = os.open(path, flags | os.O_CREAT, 0o666)
        with contextlib.suppress(OSError):
            path.chmod(0o666)  # past the umask: other users take part
        return fd


machine_lock = MachineLock()
