"""The run folder: what a run knows, on disk, so that a kill at any moment loses no judged item.

Layout of a folder::

    run.json        what was asked (command, fingerprint, seed) and whether it is finished
    results.jsonl   one record per ended item, appended and synced as it ends
    results.json    run, summary and items, written at the end (contract)
    transcripts/    one JSON file per item
    candidates/     one assembly file per item
    earlier/ID/     what an earlier run left in a folder given with --nc-report
    .lock           held (flock) while a run writes here; never deleted, for deleting a lock file is a race

Every file but results.jsonl is replaced as a whole; results.jsonl only grows, a line per write, and is mended on the
next opening. Formatting for people is in ``report``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import math
import os
import re
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from pytest_neucomback.atomic import TEMPORARY_NAMES, replace_file
from pytest_neucomback.errors import ConfigError, NeucombackError
from pytest_neucomback.metrics import Summary, summarise
from pytest_neucomback.types import ItemKey, Outcome, Record

SCHEMA = 1
RUN_FILE = "run.json"
RECORDS_FILE = "results.jsonl"
RESULTS_FILE = "results.json"
LOCK_FILE = ".lock"
TRANSCRIPTS_DIR = "transcripts"
CANDIDATES_DIR = "candidates"
EARLIER_DIR = "earlier"

# run.json goes last: while it is there, a move that was cut short is recognised and taken up again.
_OUR_FILES = (
    RESULTS_FILE, RECORDS_FILE, TRANSCRIPTS_DIR, CANDIDATES_DIR, "report.html", "learn.json", "learn.html", "ledger",
    RUN_FILE,
)  # fmt: skip
_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
_MAX_NAME_BYTES = 150
_SEED_BITS = 32
_TRANSIENT_LOCK_ERRORS = (errno.EAGAIN, errno.EACCES)
_FULL_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT)

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str | None": (str, type(None)),
    "int | None": (int, type(None)),
    "float | None": (int, float, type(None)),
    "Mapping[str, Any] | None": (dict, type(None)),
}
"""What JSON may hold for each annotation that occurs in ``Record``."""


class RunFolder:
    """A run's folder, held by this process alone until ``close``. Made by ``RunFolder.open``.

    Methods may be called from several threads. Writing errors surface as ``NeucombackError`` with the file and the
    way out; what was written before stays whole.
    """

    def __init__(
        self, path: Path, lock: _FolderLock, run: dict[str, Any], finished: dict[ItemKey, Record], *, samples: int
    ) -> None:
        self.path = path
        self.samples = samples
        self._run = run
        self._lock = lock
        self._finished = finished
        self._keys = set(finished)
        self._mutex = threading.Lock()
        self._names: dict[str, ItemKey] = {}
        self._stems: dict[ItemKey, str] = {}
        for key in finished:
            self._stem(key)
        try:
            self._records_fd = os.open(path / RECORDS_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise _saving_error(path / RECORDS_FILE, error) from error

    @classmethod
    def open(
        cls,
        report_dir: Path | None,
        reports_root: Path,
        command: Mapping[str, Any],
        seed: int | None,
        *,
        samples: int = 1,
    ) -> RunFolder:
        """Go on with an unfinished run of the same command, or start a new one.

        ``command`` is what makes two runs the same (models, arches, prompts, settings; not which items are
        selected) and must be JSON-able. ``seed`` None takes the resumed run's, or draws one. ``samples`` is
        ``--nc-samples``, which decides how items are named.

        Without ``report_dir`` the newest unfinished, unlocked run of the command under ``reports_root`` is resumed,
        else a folder is made there. With it that folder is used; other results in it move to ``earlier/``. Raises
        ``ConfigError`` when the folder is being written by another run, holds files of a report but no run.json of
        one, or cannot be made.
        """
        fingerprint = command_fingerprint(command)
        wanted = _Wanted(dict(command), fingerprint, seed, samples)
        if report_dir is not None:
            return cls._open_given(report_dir, wanted)
        return cls._resume_newest(reports_root, wanted) or cls._make(reports_root, wanted)

    @classmethod
    def _resume_newest(cls, reports_root: Path, wanted: _Wanted) -> RunFolder | None:
        found: list[tuple[str, str, Path]] = []
        for run_file in reports_root.glob(f"*/{RUN_FILE}"):
            run = _read_run(run_file)
            if wanted.matches(run):
                found.append((str(run.get("started")), run_file.parent.name, run_file.parent))
        for *_, path in sorted(found, reverse=True):
            try:
                lock = _FolderLock.take(path)
            except ConfigError:  # somebody else's folder: not ours to go on with, no reason to stop either
                continue
            if lock is None:
                continue
            with lock.released_on_error():
                run = _read_run(path / RUN_FILE)
                if wanted.matches(run):  # another process may have finished it while we looked
                    return cls._resume(path, lock, run, wanted)
            lock.release()
        return None

    @classmethod
    def _make(cls, reports_root: Path, wanted: _Wanted) -> RunFolder:
        while True:
            started = datetime.now(UTC)
            path = reports_root / _new_run_id(started)
            try:
                path.mkdir(parents=True)
            except OSError as error:
                if isinstance(error, FileExistsError) and path.exists():  # the six digits came up twice in a second
                    continue
                raise _folder_error(path, error) from error
            lock = _FolderLock.take(path)
            if lock is not None:
                with lock.released_on_error():
                    return cls._start(path, lock, wanted, run_id=path.name, started=started)

    @classmethod
    def _open_given(cls, path: Path, wanted: _Wanted) -> RunFolder:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _folder_error(path, error) from error
        lock = _FolderLock.take(path)
        if lock is None:
            raise ConfigError(
                f"another run is writing to {path} (pid {_FolderLock.holder(path)}); "
                "wait for it or choose another --nc-report."
            )
        with lock.released_on_error():
            run = _read_run(path / RUN_FILE)
            if wanted.matches(run):
                return cls._resume(path, lock, run, wanted)
            present = [name for name in _OUR_FILES if (path / name).exists()]
            # The id comes from a file anyone may have edited, and becomes a path.
            earlier_id = str(run.get("run_id"))
            if present and not _RUN_ID.fullmatch(earlier_id):
                raise ConfigError(
                    f"{path} holds {', '.join(present)} but no {RUN_FILE} of a run, so whose they are is unknown. "
                    "Move them away or choose another --nc-report."
                )
            if present:
                _move_to_earlier(path, present, earlier_id)
            started = datetime.now(UTC)
            return cls._start(path, lock, wanted, run_id=_new_run_id(started), started=started)

    @classmethod
    def _start(cls, path: Path, lock: _FolderLock, wanted: _Wanted, *, run_id: str, started: datetime) -> RunFolder:
        run = {
            "schema": SCHEMA,
            "run_id": run_id,
            "command": wanted.command,
            "fingerprint": wanted.fingerprint,
            "seed": secrets.randbits(_SEED_BITS) if wanted.seed is None else wanted.seed,
            "started": started.isoformat(timespec="seconds"),
            "finished": False,
            "pid": os.getpid(),
        }
        _write_json(path / RUN_FILE, run)
        return cls(path, lock, run, {}, samples=wanted.samples)

    @classmethod
    def _resume(cls, path: Path, lock: _FolderLock, run: dict[str, Any], wanted: _Wanted) -> RunFolder:
        for folder in (path, path / TRANSCRIPTS_DIR, path / CANDIDATES_DIR):
            for left_by_a_kill in folder.glob(TEMPORARY_NAMES):
                with contextlib.suppress(OSError):
                    left_by_a_kill.unlink()
        finished = _compact(path / RECORDS_FILE)
        run["pid"] = os.getpid()
        _write_json(path / RUN_FILE, run)
        return cls(path, lock, run, finished, samples=wanted.samples)

    @property
    def run_id(self) -> str:
        return str(self._run["run_id"])

    @property
    def seed(self) -> int:
        """Seed of the fresh vectors: the given one, the resumed run's, or the one drawn."""
        return int(self._run["seed"])

    @property
    def run(self) -> Mapping[str, Any]:
        """What run.json holds."""
        return dict(self._run)

    @property
    def finished_records(self) -> Mapping[ItemKey, Record]:
        """Records an earlier part of this run left, ``unjudged`` ones excluded; empty for a new run."""
        return dict(self._finished)

    def append(self, record: Record) -> None:
        """Put an item's record on disk before returning.

        Raises ``ValueError`` when the item has a record already and ``NeucombackError`` when it cannot be written;
        the file then ends where it ended before.
        """
        line = json.dumps(record_to_json(record), allow_nan=False).encode() + b"\n"
        with self._mutex:
            if record.key in self._keys:
                raise ValueError(f"{self.path / RECORDS_FILE} has a record of {record.key} already")
            try:
                _append_whole(self._records_fd, line)
            except OSError as error:
                raise _saving_error(self.path / RECORDS_FILE, error) from error
            self._keys.add(record.key)

    def write_transcript(self, key: ItemKey, transcript: Mapping[str, Any]) -> str:
        """Write or replace an item's transcript; returns its path relative to the folder."""
        relative = f"{TRANSCRIPTS_DIR}/{self._stem(key)}.json"
        _write_json(self.path / relative, transcript)
        return relative

    def write_candidate(self, key: ItemKey, assembly: str) -> str:
        """Write or replace an item's assembly; returns its path relative to the folder."""
        relative = f"{CANDIDATES_DIR}/{self._stem(key)}.s"
        # A reply may hold a lone surrogate; no assembler takes one, but the file must still be written.
        _write_atomically(self.path / relative, assembly.encode("utf-8", "backslashreplace"))
        return relative

    def finish(self, results: Mapping[str, Any], complete: bool) -> None:
        """Write results.json. ``complete`` (everything selected is judged) ends the run: it is not resumed again."""
        _write_json(self.path / RESULTS_FILE, results)
        self._run["finished"] = complete
        _write_json(self.path / RUN_FILE, self._run)

    def close(self) -> None:
        """Let others have the folder. May be called twice."""
        with self._mutex:
            if self._records_fd >= 0:
                os.close(self._records_fd)
                self._records_fd = -1
        self._lock.release()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _stem(self, key: ItemKey) -> str:
        """The item's file name without its ending; no two items of the run share one."""
        with self._mutex:
            if key not in self._stems:
                stem = file_stem(key, self.samples)
                # Dashes make ids ambiguous (task a-b with model c, task a with model b-c).
                if self._names.get(stem, key) != key:
                    stem = _with_hash(stem, key)
                self._names[stem] = key
                self._stems[key] = stem
            return self._stems[key]


class _Wanted:
    """What a run to be opened is asked to be."""

    def __init__(self, command: dict[str, Any], fingerprint: str, seed: int | None, samples: int) -> None:
        self.command = command
        self.fingerprint = fingerprint
        self.seed = seed
        self.samples = samples

    def matches(self, run: Mapping[str, Any]) -> bool:
        """Whether a run.json is of the same command and may go on."""
        return (
            run.get("schema") == SCHEMA
            and run.get("fingerprint") == self.fingerprint
            and run.get("finished") is False
            and isinstance(run.get("seed"), int)
            and (self.seed is None or run["seed"] == self.seed)
            and _RUN_ID.fullmatch(str(run.get("run_id"))) is not None
        )


class _FolderLock:
    """The exclusive lock on a run folder. The kernel drops it when the process ends, however it ends."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def take(cls, path: Path) -> _FolderLock | None:
        """Lock ``path``, or None when a live process has it. Raises ``ConfigError`` where locking is impossible."""
        try:
            fd = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise _folder_error(path, error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if error.errno in _TRANSIENT_LOCK_ERRORS:
                return None
            raise ConfigError(
                f"{path}: its file system cannot lock files ({error.strerror}), so two runs could mix their results. "
                "Choose an --nc-report on a local disk."
            ) from error
        # The number is only for messages; that it cannot be stored (full disk) shows up soon enough elsewhere.
        with contextlib.suppress(OSError):
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        return cls(fd)

    @staticmethod
    def holder(path: Path) -> str:
        """Process id of the lock's holder, as it wrote it."""
        try:
            return (path / LOCK_FILE).read_text(encoding="ascii").strip() or "unknown"
        except (OSError, ValueError):
            return "unknown"

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @contextlib.contextmanager
    def released_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.release()
            raise


def command_fingerprint(command: Mapping[str, Any]) -> str:
    """SHA-256 of the command's canonical JSON, in hex. Raises ``TypeError`` for what JSON cannot hold."""
    canonical = json.dumps(dict(command), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def file_stem(key: ItemKey, samples: int = 1) -> str:
    """The item id as a file name: other characters than letters, digits, ``._+-`` become ``_``.

    A name that had to be changed, or that exceeds 150 bytes, ends in a hash of the key, so that two models whose
    names differ in a slash only keep two files.
    """
    name = key.item_id(samples)
    safe = re.sub(r"[^A-Za-z0-9._+-]", "_", name)
    return safe if safe == name and len(safe) <= _MAX_NAME_BYTES else _with_hash(safe, key)


def record_to_json(record: Record) -> dict[str, Any]:
    """A record as it stands in results.jsonl and ``items``: the contract's keys in its order, then the additions.

    Numbers JSON has no word for (infinities, NaN) become null.
    """
    # The order is that of the fields of Record, which list the contract's first.
    return {field.name: _jsonable(getattr(record, field.name)) for field in fields(record)}


def record_from_json(data: Mapping[str, Any]) -> Record:
    """The record of one line or item; keys it does not know are ignored.

    Raises ``ValueError`` naming the key that is missing or holds the wrong kind of value.
    """
    values: dict[str, Any] = {}
    for field in fields(Record):
        if field.name not in data:
            if field.default is MISSING:
                raise ValueError(f"a record lacks '{field.name}'")
            continue
        value = data[field.name]
        # bool is an int to Python, but not a count.
        wrong_bool = isinstance(value, bool) and field.type != "bool"
        if wrong_bool or not isinstance(value, _JSON_TYPES.get(str(field.type), (object,))):
            raise ValueError(f"a record's '{field.name}' is {value!r}, which is not {field.type}")
        values[field.name] = value
    record = Record(**values)
    if record.verdict not in list(Outcome):
        raise ValueError(f"a record's 'verdict' is {record.verdict!r}, which is no verdict")
    return record


def results_json(run: Mapping[str, Any], records: Iterable[Record], summaries: Sequence[Summary]) -> dict[str, Any]:
    """The content of results.json (contract), items sorted by key."""
    return {
        "schema": SCHEMA,
        "run": dict(run),
        "summary": [summary.as_json() for summary in summaries],
        "items": [record_to_json(record) for record in sorted(records, key=lambda record: record.key)],
    }


def load_results(path: Path) -> dict[str, Any]:
    """What results.json of a report folder holds; ``path`` is the folder or the file.

    Of a run that was killed it is put together from run.json and results.jsonl. Raises ``ConfigError`` when there is
    no report, it is not readable, or another version wrote it.
    """
    file = path if path.suffix == ".json" and path.is_file() else path / RESULTS_FILE
    if not file.is_file():
        if (path / RUN_FILE).is_file():
            records = list(_read_records(path / RECORDS_FILE).values())
            return results_json(_read_run(path / RUN_FILE), records, summarise(records))
        raise ConfigError(f"{path} is no report: it holds no {RESULTS_FILE}. Give the folder an --nc-report named.")
    try:
        results = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read as JSON ({error}). Restore it or evaluate again.") from error
    if not isinstance(results, dict) or results.get("schema") != SCHEMA:
        found = results.get("schema") if isinstance(results, dict) else None
        raise ConfigError(
            f"{file} has schema {found!r}, this version reads {SCHEMA}. "
            "Use the version that wrote it, or evaluate again."
        )
    missing = [key for key in ("run", "summary", "items") if key not in results]
    if missing:
        raise ConfigError(f"{file} lacks {', '.join(missing)}. Restore it or evaluate again.")
    return results


def _new_run_id(started: datetime) -> str:
    return f"{started:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _read_run(run_file: Path) -> dict[str, Any]:
    """Content of a run.json, empty when it is missing or damaged."""
    try:
        run = json.loads(run_file.read_bytes())
    except (OSError, ValueError):
        return {}
    return run if isinstance(run, dict) else {}


def _move_to_earlier(path: Path, present: Sequence[str], run_id: str) -> None:
    """Put an earlier run's files of ``path`` into ``earlier/RUN_ID``, beside what a cut-short move put there."""
    target, number = path / EARLIER_DIR / run_id, 1
    while any((target / file).exists() for file in present):
        number += 1
        target = path / EARLIER_DIR / f"{run_id}-{number}"
    try:
        target.mkdir(parents=True, exist_ok=True)
        for file in present:
            (path / file).rename(target / file)
    except OSError as error:
        raise _saving_error(target, error) from error


def _read_records(file: Path) -> dict[ItemKey, Record]:
    """Records of a results.jsonl in order of their last lines; damaged lines are left out, of equals the last wins.

    A missing file holds none.
    """
    records: dict[ItemKey, Record] = {}
    try:
        lines = file.read_bytes().split(b"\n")
    except FileNotFoundError:
        return records
    for line in lines:
        try:
            data = json.loads(line)
            record = record_from_json(data) if isinstance(data, dict) else None
        except (ValueError, RecursionError):
            continue
        if record is not None:
            records.pop(record.key, None)
            records[record.key] = record
    return records


def _compact(file: Path) -> dict[ItemKey, Record]:
    """Rewrite a results.jsonl with what a resumed run keeps: whole lines, each item once, judged ones only."""
    records = {key: record for key, record in _read_records(file).items() if record.verdict != Outcome.UNJUDGED}
    lines = [json.dumps(record_to_json(record), allow_nan=False) + "\n" for record in records.values()]
    _write_atomically(file, "".join(lines).encode())
    return records


def _append_whole(fd: int, line: bytes) -> None:
    """Append ``line`` and sync, or leave the file as it was and raise ``OSError``."""
    size = os.fstat(fd).st_size
    try:
        written = os.write(fd, line)
        if written < len(line):  # a file takes less only when the disk fills up
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(fd)
    except BaseException:
        with contextlib.suppress(OSError):  # a torn line would be dropped on the next opening
            os.ftruncate(fd, size)
        raise


def _write_json(file: Path, data: Mapping[str, Any]) -> None:
    text = json.dumps(_jsonable(data), indent=2, ensure_ascii=False, allow_nan=False)
    # Lone surrogates of a reply leave as \udXXX, which is how JSON writes them.
    _write_atomically(file, text.encode("utf-8", "backslashreplace") + b"\n")


def _write_atomically(file: Path, data: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, data, durable=True)
    except OSError as error:
        raise _saving_error(file, error) from error


def _with_hash(stem: str, key: ItemKey) -> str:
    """``stem``, cut to fit, with eight hex digits of the key behind it. ``stem`` holds ASCII only."""
    fields_of_key = [key.task, key.model, key.arch, key.prompt, key.sample]
    digest = hashlib.sha256(json.dumps(fields_of_key).encode()).hexdigest()[:8]
    return f"{stem[: _MAX_NAME_BYTES - len(digest) - 1]}-{digest}"


def _jsonable(value: Any) -> Any:
    """``value`` with plain dicts and lists, and null for numbers JSON has no word for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _jsonable(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(part) for part in value]
    return value


def _saving_error(file: Path, error: OSError) -> NeucombackError:
    if error.errno in _FULL_DISK_ERRORS:
        way_out = "Free some space and run the same command again: it goes on where it stopped."
    else:
        way_out = "Make it writable or choose another --nc-report, then run the same command again."
    return NeucombackError(f"{file}: cannot be written ({error.strerror}). {way_out}")


def _folder_error(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{path}: cannot be used for a report ({error.strerror}). Choose another --nc-report.")
