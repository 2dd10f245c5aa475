"""Whole runs against a model behind HTTP, on the loopback interface."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from evaluation import Project, correct, error_lines, fenced, no_op, task_of
from loopback import Hang, Late, LoopbackModelServer, Step, completion

MODEL = "--nc-model=openai:loopback"
ALL_CORRECT = {"bump": "correct", "negate": "correct", "triple": "correct"}


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Callable[[LoopbackModelServer], None]:
    """Points openai:MODEL_ID at a server; a request counts as hung after a second."""

    def point(server: LoopbackModelServer) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("NEUCOMBACK_REQUEST_TIMEOUT_S", "1")

    return point


def right(body: dict[str, Any]) -> Step:
    """A model that is always right."""
    return fenced(correct(task_of(body)))


def right_in_the_end(body: dict[str, Any]) -> Step:
    """A model that needs a hint."""
    hinted = any(m["role"] == "assistant" for m in body["messages"])
    return fenced((correct if hinted else no_op)(task_of(body)))


def asked(server: LoopbackModelServer) -> Counter[str]:
    """Requests by task."""
    return Counter(task_of(body) for body in server.bodies)


# --- the life of an item ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [[], ["-n2"]], ids=["serial", "xdist"])
def test_a_wrong_answer_is_repaired(project: Project, endpoint: Any, more: list[str]) -> None:
    """Broken, then right: correct in the end, wrong at first, one debug round, both replies paid for and on record."""
    with LoopbackModelServer(right_in_the_end) as server:
        endpoint(server)
        result = project.run(MODEL, "-k", "bump", "--nc-report=report", *more)
        result.assert_outcomes(passed=1)
        assert asked(server) == {"bump": 2}
    (item,) = project.results()["items"]
    assert (item["verdict"], item["first_verdict"], item["initial_verdict"]) == ("correct", "wrong_output", "correct")
    assert (item["debug_rounds"], item["opt_rounds"]) == (1, 0)
    assert (item["tokens_in"], item["tokens_out"]) == (22, 14)
    rounds = project.transcript(item)["rounds"]
    assert [(r["kind"], r["verdict"]["outcome"]) for r in rounds] == [
        ("generate", "wrong_output"),
        ("debug", "correct"),
    ]
    assert no_op("bump") in rounds[0]["reply"]["text"]
    assert rounds[0]["feedback"] in rounds[1]["messages"][-1]["content"]
    assert (project.path / "report" / item["candidate_file"]).read_text().strip() == correct("bump").strip()
    (summary,) = project.results()["summary"]
    assert (summary["acc"], summary["acc_first"], summary["mean_debug_rounds"]) == (1.0, 0.0, 1.0)


def test_the_same_command_again_asks_nothing(project: Project, endpoint: Any) -> None:
    """Though the seed of the fresh vectors is another, feedback and so requests are the same: all from the cache."""
    with LoopbackModelServer(right_in_the_end) as server:
        endpoint(server)
        first = project.run(MODEL, "--nc-report=first", "--nc-seed=random")
        paid = len(server.bodies)
        second = project.run(MODEL, "--nc-report=second", "--nc-seed=random")
        assert len(server.bodies) == paid == 6
    first.assert_outcomes(passed=3)
    second.assert_outcomes(passed=3)
    one, two = project.results("first"), project.results("second")
    assert one["run"]["seed"] != two["run"]["seed"]
    assert [i["tokens_in"] for i in one["items"]] == [i["tokens_in"] for i in two["items"]] == [22, 22, 22]
    assert sum(i["requests"] for i in two["items"]) == 0


def test_samples_are_asked_for_one_by_one(project: Project, endpoint: Any) -> None:
    """Independent samples are requests of their own, not one reply shared; pass@2 is counted."""
    replies = iter([fenced(correct("bump")), fenced(no_op("bump"))])
    with LoopbackModelServer(lambda body: next(replies)) as server:
        endpoint(server)
        args = (MODEL, "-k", "bump", "--nc-samples=2", "--nc-debug-rounds=0")
        project.run(*args, "--nc-report=report").assert_outcomes(passed=1, failed=1)
        project.run(*args, "--nc-report=again").assert_outcomes(passed=1, failed=1)
        assert len(server.bodies) == 2
    items = project.results()["items"]
    assert sorted(i["verdict"] for i in items) == ["correct", "wrong_output"]
    assert [i["sample"] for i in items] == [1, 2]


@pytest.mark.slow
def test_optimisation_keeps_the_fastest_correct_candidate(project: Project, endpoint: Any) -> None:
    """Slow, then faster, then wrong: the second is kept, with its verdict and its time."""

    def optimising(body: dict[str, Any]) -> Step:
        text = body["messages"][-1]["content"]
        if "Measured:" not in text:
            return fenced(correct("bump", passes=40))
        return fenced(correct("bump") if "$40" in text else no_op("bump"))

    with LoopbackModelServer(optimising) as server:
        endpoint(server)
        result = project.run(
            MODEL, "-k", "bump", "--nc-time", "--nc-opt-rounds=2", "--nc-debug-rounds=0", "--nc-report=report"
        )
        result.assert_outcomes(passed=1)
        assert len(server.bodies) == 3
    (item,) = project.results()["items"]
    assert (item["verdict"], item["opt_rounds"], item["debug_rounds"]) == ("correct", 2, 0)
    assert (project.path / "report" / item["candidate_file"]).read_text().strip() == correct("bump").strip()
    assert item["timing"]["speedup"] > 10 * item["initial_timing"]["speedup"]
    assert [r["kind"] for r in project.transcript(item)["rounds"]] == ["generate", "optimise", "optimise"]


# --- replies that hold no answer -------------------------------------------------------------------------------------


NO_ANSWERS: dict[str, Step] = {
    "refusal": "I'm sorry, but I can't help with that.",
    "refusal field": completion(None, refusal="I can't help with that."),
    "empty": "",
    "thinking only": "<think>\nbump:\n    ret\n</think>\n",
    "thinking unfinished": f"<think>\n{fenced(correct('bump'))}",
    "reasoning field": completion("", reasoning_content=fenced(correct("bump"))),
    "truncated": {
        **completion(fenced(correct("bump"))[:120]),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": fenced(correct("bump"))[:120]},
                "finish_reason": "length",
            }
        ],
    },
    "prose": "Use addl in a loop over the 256 elements.",
    "c": "```c\nvoid bump(int s) { for (int i = 0; i < 256; i++) a[i] = b[i] + s; }\n```",
}


def test_replies_without_an_answer_are_no_candidate(project: Project, endpoint: Any) -> None:
    """Refusals, thoughts, cut-off answers, another language: the model's failure, and never ours."""
    replies = iter(NO_ANSWERS.values())
    with LoopbackModelServer(lambda body: next(replies)) as server:
        endpoint(server)
        result = project.run(
            MODEL, "-k", "bump", f"--nc-samples={len(NO_ANSWERS)}", "--nc-debug-rounds=0", "--nc-report=report",
            "--nc-concurrency=1",
        )  # fmt: skip
        assert len(server.bodies) == len(NO_ANSWERS)
    result.assert_outcomes(failed=len(NO_ANSWERS))
    assert Counter(i["verdict"] for i in project.results()["items"]) == {"no_candidate": len(NO_ANSWERS)}
    assert all(i["detail"] for i in project.results()["items"])


# --- endpoints that fail ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_flaky_endpoint_is_asked_until_it_answers(project: Project, endpoint: Any) -> None:
    """Too many requests, server error, silence, then the answer: the run completes as if nothing had been."""
    with LoopbackModelServer([429, 500, Hang(), fenced(correct("bump"))]) as server:
        endpoint(server)
        result = project.run(MODEL, "-k", "bump", "--nc-report=report")
        result.assert_outcomes(passed=1)
        assert len(server.bodies) == 4
    (item,) = project.results()["items"]
    assert (item["verdict"], item["debug_rounds"], item["tokens_out"]) == ("correct", 0, 7)


def test_a_refused_key_is_no_verdict(project: Project, endpoint: Any) -> None:
    """401 is nothing to try again and nothing to blame the model for: unjudged, with the reason."""
    with LoopbackModelServer([401]) as server:
        endpoint(server)
        result = project.run(MODEL, "--nc-report=report", "--nc-concurrency=1")
        assert result.ret == 1
        assert len(server.bodies) <= 3
    assert set(project.verdicts().values()) == {"unjudged"}
    assert "401" in result.stdout.str()


@pytest.mark.parametrize("more", [[], ["-n2"]], ids=["serial", "xdist"])
def test_an_endpoint_that_is_down_is_told_once(project: Project, endpoint: Any, more: list[str]) -> None:
    """All items unjudged, at once; exit status 1; one line on the cause, not one per item; up again, all is judged."""
    with LoopbackModelServer() as server:
        endpoint(server)
    started = time.monotonic()
    args = (MODEL, "--nc-report=report")
    result = project.run(*args, *more)
    assert time.monotonic() - started < 90, "a retry schedule was waited for"
    assert result.ret == 1
    output = result.stdout.str()
    assert set(project.verdicts().values()) == {"unjudged"}
    assert "3 unjudged" in output
    assert len(re.findall(r"(?m)^unjudged, 3 items: openai:loopback at http\S+: nothing answers", output)) == 1
    assert output.count("nothing answers") <= 2, "once before the run, once in its summary"
    assert "Traceback" not in output
    with LoopbackModelServer(right) as server:
        endpoint(server)
        project.run(*args, *more).assert_outcomes(passed=3)
    assert project.verdicts() == ALL_CORRECT


# --- runs that end early ---------------------------------------------------------------------------------------------


def half_way(body: dict[str, Any]) -> Step:
    """Right at once on two tasks, silent for long on the third."""
    return Late(300, "too late") if task_of(body) == "negate" else right(body)


def stopped_half_way(project: Project, server: LoopbackModelServer, how: signal.Signals, *more: str) -> int:
    """Start a run, stop it when two items are on disk and the third is asked for; the exit status."""
    process = project.start(MODEL, "--nc-report=report", *more)
    records = project.path / "report" / "results.jsonl"
    try:
        deadline = time.monotonic() + 120
        while not (records.exists() and records.read_text().count("\n") == 2 and len(server.bodies) == 3):
            assert time.monotonic() < deadline, (project.path / "output.txt").read_text()
            assert process.poll() is None, (project.path / "output.txt").read_text()
            time.sleep(0.05)
        process.send_signal(how)
        return process.wait(120)
    except subprocess.TimeoutExpired:
        pytest.fail("the run did not end")
    finally:
        process.kill()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Shells start what they put in the background so that it ignores Ctrl-C, and its children with it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("more", [[], ["-n2"]], ids=["serial", "xdist"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill", "Ctrl-C"])
def test_a_stopped_run_goes_on_where_it_was(
    project: Project, endpoint: Any, monkeypatch: pytest.MonkeyPatch, how: signal.Signals, more: list[str]
) -> None:
    """Finished items are not asked for again and stand in results.jsonl once; the folder and its seed are taken up."""
    with LoopbackModelServer(half_way) as server:
        endpoint(server)
        monkeypatch.setenv("NEUCOMBACK_REQUEST_TIMEOUT_S", "250")
        status = stopped_half_way(project, server, how, *more)
    assert status == (2 if how is signal.SIGINT else -9)
    output = (project.path / "output.txt").read_text()
    assert "Traceback" not in output
    assert {r["task"] for r in project.records()} == {"bump", "triple"}
    with LoopbackModelServer(right) as server:
        endpoint(server)
        result = project.run(MODEL, "--nc-report=report", *more)
        assert asked(server) == {"negate": 1}
    result.assert_outcomes(passed=3)
    assert "going on with an unfinished run (2 items are done)" in result.stdout.str()
    assert sorted(r["task"] for r in project.records()) == ["bump", "negate", "triple"]
    assert project.verdicts() == ALL_CORRECT


def test_a_run_that_is_finished_is_not_taken_up(project: Project, endpoint: Any) -> None:
    """The same command after a whole run makes a new report; what was in a named folder is kept in earlier/."""
    with LoopbackModelServer(right) as server:
        endpoint(server)
        for _ in range(2):
            project.run(MODEL, "--nc-report=report").assert_outcomes(passed=3)
    assert len(list((project.path / "report" / "earlier").iterdir())) == 1
    assert len(project.records()) == 3


def test_two_runs_do_not_share_a_folder(project: Project, endpoint: Any) -> None:
    """The second is refused in one line while the first writes."""
    with LoopbackModelServer(half_way) as server:
        endpoint(server)
        process = project.start(MODEL, "--nc-report=report")
        try:
            while not server.bodies:
                time.sleep(0.05)
            result = project.run(MODEL, "--nc-report=report")
        finally:
            process.kill()
            process.wait()
    assert result.ret == 4
    assert [line for line in error_lines(result) if "another run is writing to" in line]
    assert len(error_lines(result)) == 1
