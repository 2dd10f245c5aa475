"""The run folder: nothing is lost, nothing is mixed up, nothing is half written."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from plain_record import PLAIN

from pytest_neucomback.errors import ConfigError, NeucombackError
from pytest_neucomback.metrics import summarise
from pytest_neucomback.records import (
    RunFolder,
    command_fingerprint,
    file_stem,
    load_results,
    record_from_json,
    record_to_json,
    results_json,
)
from pytest_neucomback.types import ItemKey, Record

CONTRACT_KEYS = [
    "task", "suite", "source", "seed", "level", "split", "model", "arch", "prompt", "sample", "verdict", "detail",
    "first_verdict", "initial_verdict", "debug_rounds", "opt_rounds", "tokens_in", "tokens_out", "cost_usd", "timing",
    "code_bytes", "candidate_file", "transcript_file",
]  # fmt: skip

COMMAND = {"models": ["m"], "arches": ["x86_64"], "prompts": ["baseline"], "settings": {"inputs": 32}}


def record(task: str, **changes: Any) -> Record:
    return replace(PLAIN, task=task, **changes)


def open_run(root: Path, command: dict[str, Any] = COMMAND, seed: int | None = None, **options: Any) -> RunFolder:
    """A run without --nc-report."""
    return RunFolder.open(None, root, command, seed, **options)


def run_json(path: Path) -> dict[str, Any]:
    return dict(json.loads((path / "run.json").read_text()))


@contextmanager
def other_process(report: Path | None, root: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that opened a run of ``COMMAND``, appended s000, and holds it until killed."""
    script = f"""
        import sys
        sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}
        from pathlib import Path
        from test_records import COMMAND, record
        from pytest_neucomback.records import RunFolder
        run = RunFolder.open({f"Path({str(report)!r})" if report else None}, Path({str(root)!r}), COMMAND, None)
        run.append(record("s000"))
        print(run.path, flush=True)
        sys.stdin.read()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline().strip()
            yield process
        finally:
            process.kill()


def test_a_new_run_gets_a_dated_folder_and_a_seed(tmp_path: Path) -> None:
    """run.json says what was asked before anything is paid for."""
    with open_run(tmp_path / "reports") as run:
        assert run.path.parent == tmp_path / "reports"
        assert run.run_id == run.path.name
        assert run_json(run.path) == {
            "schema": 1,
            "run_id": run.run_id,
            "command": COMMAND,
            "fingerprint": command_fingerprint(COMMAND),
            "seed": run.seed,
            "started": run.run["started"],
            "finished": False,
            "pid": os.getpid(),
        }
        assert run.finished_records == {}


def test_an_unfinished_run_of_the_command_goes_on_with_its_seed(tmp_path: Path) -> None:
    """The same command again continues; what has a verdict is not asked again."""
    with open_run(tmp_path) as first:
        first.append(record("s000"))
        first.append(record("s111", verdict="unjudged"))
    with open_run(tmp_path) as second:
        assert (second.path, second.seed, second.run_id) == (first.path, first.seed, first.run_id)
        assert second.finished_records == {PLAIN.key: PLAIN}
        second.append(record("s111"))
        with pytest.raises(ValueError, match="already"):
            second.append(record("s000"))
    assert len((first.path / "results.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("change", ["command", "seed", "finished", "schema", "damaged"])
def test_anything_else_starts_anew(tmp_path: Path, change: str) -> None:
    """Another command, another seed, a finished run, a run.json of another version or none at all."""
    with open_run(tmp_path, seed=7) as first:
        if change == "finished":
            first.finish({}, complete=True)
    if change == "schema":
        (first.path / "run.json").write_text(json.dumps(run_json(first.path) | {"schema": 2}))
    if change == "damaged":
        (first.path / "run.json").write_text("{")
    command = COMMAND | ({"models": ["n"]} if change == "command" else {})
    with open_run(tmp_path, command, 8 if change == "seed" else 7) as second:
        assert second.path != first.path


def test_the_newest_unfinished_run_is_taken(tmp_path: Path) -> None:
    """By the time it started, not by its name."""
    with open_run(tmp_path) as first, open_run(tmp_path) as second:
        pass
    for run, started in ((first, "2026-01-02T00:00:00+00:00"), (second, "2026-01-01T00:00:00+00:00")):
        (run.path / "run.json").write_text(json.dumps(run_json(run.path) | {"started": started}))
    with open_run(tmp_path) as third:
        assert third.path == first.path


def test_an_incomplete_finish_can_go_on(tmp_path: Path) -> None:
    """Unjudged items are retried by the next run, in the same folder."""
    with open_run(tmp_path) as first:
        first.finish({"schema": 1}, complete=False)
    assert json.loads((first.path / "results.json").read_text()) == {"schema": 1}
    with open_run(tmp_path) as second:
        assert second.path == first.path


def test_fingerprint_ignores_the_order_of_keys_only() -> None:
    """The same settings, however they were put together."""
    assert command_fingerprint({"a": 1, "b": [1, 2]}) == command_fingerprint({"b": [1, 2], "a": 1})
    assert command_fingerprint({"b": [1, 2]}) != command_fingerprint({"b": [2, 1]})
    with pytest.raises(TypeError):
        command_fingerprint({"path": Path("x")})


def test_a_killed_writers_torn_line_is_dropped(tmp_path: Path) -> None:
    """Wherever the last line is cut, earlier records survive, and the last one when only its newline is missing."""
    with open_run(tmp_path) as run:
        run.append(record("s000"))
        whole = (run.path / "results.jsonl").stat().st_size
        run.append(record("s111"))
    content = (run.path / "results.jsonl").read_bytes()
    end = len(content)
    for size in (whole, whole + 1, (whole + end) // 2, end - 3, end - 2, end - 1, end):
        (run.path / "results.jsonl").write_bytes(content[:size])
        with open_run(tmp_path) as again:
            kept = [key.task for key in again.finished_records]
            assert kept == (["s000", "s111"] if size >= end - 1 else ["s000"])
        for line in (run.path / "results.jsonl").read_bytes().splitlines():
            record_from_json(json.loads(line))


def test_damaged_and_repeated_lines_are_dropped(tmp_path: Path) -> None:
    """Of two lines on one item the last counts; what is no record is none."""
    with open_run(tmp_path) as run:
        pass
    good = [record_to_json(record("s000", detail=detail)) for detail in ("old", "new")]
    no_model = {key: value for key, value in good[0].items() if key != "model"}
    lines: list[Any] = [
        good[0],
        "x",
        [],
        None,
        no_model,
        good[0] | {"tokens_in": "many"},
        good[0] | {"verdict": "fine"},
        good[1],
    ]
    text = "\n".join(["{", "\x00\x00", "[" * 100_000, *map(json.dumps, lines), ""])
    (run.path / "results.jsonl").write_bytes(text.encode() + b"\xff\xfe\n")
    with open_run(tmp_path) as again:
        (kept,) = again.finished_records.values()
        assert kept.detail == "new"
    assert len((run.path / "results.jsonl").read_text().splitlines()) == 1


def test_a_killed_process_leaves_its_lock_and_its_records(tmp_path: Path) -> None:
    """SIGKILL, no clean-up: the next process goes on at once."""
    with other_process(None, tmp_path) as process:
        with open_run(tmp_path) as meanwhile:
            assert meanwhile.finished_records == {}  # the live one's folder was left alone
            meanwhile.finish({}, complete=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with open_run(tmp_path) as resumed:
            assert list(resumed.finished_records) == [PLAIN.key]
            assert resumed.path != meanwhile.path


def test_a_folder_in_use_is_refused_by_name_and_pid(tmp_path: Path) -> None:
    """Two runs never write into one report."""
    report = tmp_path / "report"
    with other_process(report, tmp_path) as process:
        with pytest.raises(ConfigError) as caught:
            RunFolder.open(report, tmp_path, COMMAND, None)
        assert str(caught.value) == (
            f"another run is writing to {report} (pid {process.pid}); wait for it or choose another --nc-report."
        )


def test_one_process_cannot_open_a_folder_twice_either(tmp_path: Path) -> None:
    """The lock is the folder's, not the process's; close gives it back."""
    with RunFolder.open(tmp_path / "r", tmp_path, COMMAND, None), pytest.raises(ConfigError, match="another run"):
        RunFolder.open(tmp_path / "r", tmp_path, COMMAND, None)
    RunFolder.open(tmp_path / "r", tmp_path, COMMAND, None).close()


def test_a_failed_opening_gives_the_lock_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the retry would find a run that does not exist."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        with pytest.raises(NeucombackError):
            RunFolder.open(tmp_path / "r", tmp_path, COMMAND, None)
    RunFolder.open(tmp_path / "r", tmp_path, COMMAND, None).close()


def test_a_given_folder_goes_on_with_the_same_command(tmp_path: Path) -> None:
    """--nc-report=DIR resumes like the default does."""
    with RunFolder.open(tmp_path / "r", tmp_path, COMMAND, None) as first:
        first.append(record("s000"))
    with RunFolder.open(tmp_path / "r", tmp_path, COMMAND, None) as second:
        assert second.seed == first.seed
        assert list(second.finished_records) == [PLAIN.key]


@pytest.mark.parametrize("why", ["finished", "another command"])
def test_earlier_results_in_a_given_folder_are_kept_aside(tmp_path: Path, why: str) -> None:
    """Nobody's paid-for results are overwritten or deleted."""
    report = tmp_path / "r"
    report.mkdir()
    (report / "notes.txt").write_text("mine")
    with RunFolder.open(report, tmp_path, COMMAND, None) as first:
        first.append(record("s000"))
        first.write_transcript(PLAIN.key, {"messages": []})
        first.write_candidate(PLAIN.key, "ret\n")
        first.finish(results_json(first.run, [PLAIN], []), complete=why == "finished")
        (report / "report.html").write_text("<html>")
    command = COMMAND if why == "finished" else COMMAND | {"prompts": ["learned"]}
    with RunFolder.open(report, tmp_path, command, None) as second:
        assert second.run_id != first.run_id
        assert second.finished_records == {}
    earlier = report / "earlier" / first.run_id
    assert sorted(path.name for path in earlier.iterdir()) == [
        "candidates", "report.html", "results.json", "results.jsonl", "run.json", "transcripts",
    ]  # fmt: skip
    assert load_results(earlier)["run"]["run_id"] == first.run_id
    assert sorted(path.name for path in report.iterdir()) == [
        ".lock", "earlier", "notes.txt", "results.jsonl", "run.json",
    ]  # fmt: skip


def test_a_cut_short_move_is_taken_up_again(tmp_path: Path) -> None:
    """Killed between two renames: the rest follows into the same place."""
    report = tmp_path / "r"
    with RunFolder.open(report, tmp_path, COMMAND, None) as first:
        first.finish({"schema": 1}, complete=True)
    earlier = report / "earlier" / first.run_id
    earlier.mkdir(parents=True)
    (report / "results.json").rename(earlier / "results.json")
    with RunFolder.open(report, tmp_path, COMMAND, None):
        assert sorted(path.name for path in earlier.iterdir()) == ["results.json", "results.jsonl", "run.json"]


@pytest.mark.parametrize(
    ("name", "content"), [("results.jsonl", "{}\n"), ("run.json", "{}"), ("run.json", '{"run_id": "../../x"}')]
)
def test_somebody_elses_files_are_not_touched(tmp_path: Path, name: str, content: str) -> None:
    """A folder that merely uses one of our names is refused, and stays as it is."""
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match="whose they are is unknown"):
        RunFolder.open(tmp_path, tmp_path, COMMAND, None)
    assert (tmp_path / name).read_text() == content


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in its place, for both ways to get a folder."""
    (tmp_path / "file").write_text("")
    for report in (tmp_path / "file", None):
        with pytest.raises(ConfigError, match=r"file.*cannot be used for a report.*Choose another --nc-report"):
            RunFolder.open(report, tmp_path / "file", COMMAND, None)


def test_transcripts_and_candidates_are_replaced_whole(tmp_path: Path) -> None:
    """Rounds are added to a transcript; paths are relative, so a folder can move."""
    with open_run(tmp_path) as run:
        for rounds in (1, 2):
            relative = run.write_transcript(PLAIN.key, {"rounds": rounds, "text": "é\udce9", "x": float("inf")})
        assert relative == "transcripts/s000-m-x86_64-baseline.json"
        assert json.loads((run.path / relative).read_text()) == {"rounds": 2, "text": "é\udce9", "x": None}
        assert run.write_candidate(PLAIN.key, "ret # \udce9\r\n") == "candidates/s000-m-x86_64-baseline.s"
        assert (run.path / "candidates/s000-m-x86_64-baseline.s").read_bytes() == b"ret # \\udce9\r\n"
        assert not list(run.path.rglob("*.tmp"))


def test_samples_have_files_of_their_own(tmp_path: Path) -> None:
    """Named as the items are."""
    with open_run(tmp_path, samples=2) as run:
        names = [run.write_candidate(replace(PLAIN, sample=sample).key, "") for sample in (1, 2)]
    assert names == [f"candidates/s000-m-x86_64-baseline-k{sample}.s" for sample in (1, 2)]


def test_file_names_are_safe_short_and_distinct() -> None:
    """Slashes, blanks and long names are replaced or cut; what told two models apart still does."""
    keys = [
        ItemKey("../s000", model, "x86_64", "p") for model in ("a/b", "a b", "a_b", "ä" * 200, "b" * 151, "b" * 152)
    ]
    stems = [file_stem(key) for key in keys]
    assert len(set(stems)) == len(keys)
    for stem in stems:
        assert "/" not in stem
        assert stem.isascii()
        assert len(stem) <= 150
    assert file_stem(ItemKey("s000", "m", "x86_64", "p")) == "s000-m-x86_64-p"


def test_ids_that_read_alike_have_files_of_their_own(tmp_path: Path) -> None:
    """Task a-b of model c and task a of model b-c, also across a resumption."""
    one, two = record("a-b", model="c"), record("a", model="b-c")
    with open_run(tmp_path) as run:
        first = run.write_candidate(one.key, "1")
        run.append(one)
    with open_run(tmp_path) as run:
        assert run.write_candidate(two.key, "2") != first
        assert run.write_candidate(one.key, "1") == first


def test_threads_append_whole_lines(tmp_path: Path) -> None:
    """The loop and the reporter may end items at once."""
    with open_run(tmp_path) as run:

        def append_five(number: int) -> None:
            for item in range(5):
                run.append(record(f"t{number}-{item}", detail="x" * 9000))

        threads = [threading.Thread(target=append_five, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lines = (run.path / "results.jsonl").read_text().splitlines()
    assert len({record_from_json(json.loads(line)).key for line in lines}) == len(lines) == 40


def full_disk(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Part of a line fits: it is taken back, the message says what to do, and the item can be tried again."""
    with open_run(tmp_path) as run:
        run.append(record("s000"))
        before = (run.path / "results.jsonl").read_bytes()
        write = os.write
        for behaviour in (full_disk, lambda fd, data: write(fd, bytes(data)[:10])):
            with monkeypatch.context() as patch:
                patch.setattr(os, "write", behaviour)
                with pytest.raises(NeucombackError) as caught:
                    run.append(record("s111"))
            assert str(caught.value) == (
                f"{run.path}/results.jsonl: cannot be written (No space left on device). "
                "Free some space and run the same command again: it goes on where it stopped."
            )
            assert (run.path / "results.jsonl").read_bytes() == before
        run.append(record("s111"))


def test_a_full_disk_leaves_whole_files_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old transcript and run.json stay; no temporary file remains."""
    with open_run(tmp_path) as run:
        run.write_transcript(PLAIN.key, {"rounds": 1})
        before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full_disk)
            for attempt in (
                lambda: run.write_transcript(PLAIN.key, {"rounds": 2}),
                lambda: run.write_candidate(PLAIN.key, "ret"),
                lambda: run.finish({}, complete=True),
            ):
                with pytest.raises(NeucombackError, match="Free some space"):
                    attempt()
        assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, where the tests may mount one."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a tmpfs (run as root): {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_a_disk_that_really_fills_up(tiny_disk: Path) -> None:
    """Whatever was acknowledged is there afterwards, and the run goes on once there is space."""
    filler = tiny_disk / "filler"
    filler.write_bytes(b"x" * 16_384)
    appended = 0

    def append_forever(run: RunFolder) -> None:
        nonlocal appended
        while True:
            run.append(record(f"t{appended}", detail="x" * 3000))
            appended += 1

    with open_run(tiny_disk) as run:
        with pytest.raises(NeucombackError, match="Free some space"):
            append_forever(run)
        with pytest.raises(NeucombackError, match="Free some space"):
            run.write_candidate(PLAIN.key, "nop\n" * 100_000)
    assert appended > 3
    assert (run.path / "results.jsonl").read_bytes().count(b"\n") == appended
    with pytest.raises(NeucombackError, match="Free some space"):
        open_run(tiny_disk)
    assert (run.path / "results.jsonl").read_bytes().count(b"\n") == appended
    filler.unlink()
    (tiny_disk / "more").mkdir()
    subprocess.run(["mount", "-o", "remount,size=1m", str(tiny_disk)], check=True)
    with open_run(tiny_disk) as again:
        assert len(again.finished_records) == appended


def test_leftovers_of_a_kill_are_cleared(tmp_path: Path) -> None:
    """A process killed inside a write leaves a temporary file; the resumption takes it away."""
    with open_run(tmp_path) as run:
        run.write_transcript(PLAIN.key, {})
    for folder in (run.path, run.path / "transcripts"):
        (folder / ".nc-0123456789ab.tmp").write_text("half")
    open_run(tmp_path).close()
    assert not list(run.path.rglob("*.tmp"))


def test_results_have_the_contracts_layout() -> None:
    """Items sorted, contract keys first, diagnostic kept."""
    timing = {"native": True, "candidate_ns": 1.0, "speedup": float("nan"), "speedup_ci": (0.9, 1.1)}
    records = [record("s111", diagnostic="a[3]: …", timing=timing), record("s000")]
    results = results_json({"run_id": "x"}, records, summarise(records))
    assert list(results) == ["schema", "run", "summary", "items"]
    assert (results["schema"], results["run"]) == (1, {"run_id": "x"})
    assert [item["task"] for item in results["items"]] == ["s000", "s111"]
    for item in results["items"]:
        assert list(item)[: len(CONTRACT_KEYS)] == CONTRACT_KEYS
    assert results["items"][1]["diagnostic"] == "a[3]: …"
    assert results["items"][1]["timing"]["speedup_ci"] == [0.9, 1.1]
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_records_survive_the_way_through_json() -> None:
    """Unknown keys are ignored, the additions may be missing, contract keys may not."""
    original = record("s000", timing={"native": True}, initial_timing={"native": True}, judge_s=1.5, input_free=True)
    data = json.loads(json.dumps(record_to_json(original)))
    assert record_from_json(data | {"new_in_2": 1}) == original
    assert record_from_json({key: data[key] for key in CONTRACT_KEYS}).judge_s == 0.0
    for key in CONTRACT_KEYS:
        with pytest.raises(ValueError, match=f"lacks '{key}'"):
            record_from_json({name: value for name, value in data.items() if name != key})
    with pytest.raises(ValueError, match="'tokens_in' is True, which is not int"):
        record_from_json(data | {"tokens_in": True})


def test_results_are_loaded_from_folder_or_file(tmp_path: Path) -> None:
    """Either name of a report will do."""
    records = [record("s000")]
    with open_run(tmp_path) as run:
        written = results_json(run.run, records, summarise(records))
        run.finish(written, complete=True)
    assert load_results(run.path) == load_results(run.path / "results.json") == written


def test_results_of_a_killed_run_are_put_together(tmp_path: Path) -> None:
    """There is no results.json yet, but everything it would say."""
    with open_run(tmp_path) as run:
        run.append(record("s000"))
        run.append(record("s111", verdict="unjudged"))
    results = load_results(run.path)
    assert results["run"]["finished"] is False
    assert results["summary"][0]["unjudged"] == 1
    assert [item["task"] for item in results["items"]] == ["s000", "s111"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is no report: it holds no results.json"),
        ("{", "cannot be read as JSON"),
        ("[]", "has schema None, this version reads 1"),
        ('{"schema": 2}', "has schema 2, this version reads 1"),
        ('{"schema": 1, "run": {}}', "lacks summary, items"),
    ],
)
def test_unusable_results_say_what_is_wrong(tmp_path: Path, content: str | None, said: str) -> None:
    """Each with what to do about it."""
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_results(tmp_path)
    assert said in str(caught.value)
