"""Files that are replaced as a whole: a reader, a kill or a full disk finds the old content or the new."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from .errors import NeucombackError

TEMPORARY_NAMES = ".nc-*.tmp"
"""What a file is called until it is whole; a kill may leave some."""


def replace_file(path: Path, data: bytes, *, private: bool = False, durable: bool = False) -> None:
    """Put ``data`` in the place of ``path``, whose folder has to be there.

    ``private``: for this user alone. ``durable``: it is to survive a power cut. Raises OSError.
    """
    temporary = path.with_name(TEMPORARY_NAMES.replace("*", secrets.token_hex(6)))
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        _sync_folder(path.parent)


def save_text(path: Path, text: str) -> None:
    """Put ``text`` in the place of ``path``. Raises NeucombackError when the disk does not take it."""
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise NeucombackError(f"{path} cannot be written ({error.strerror})") from error


def _sync_folder(path: Path) -> None:
    """Make a rename in ``path`` survive a power cut; some file systems refuse, and then it is not ours to insist."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
