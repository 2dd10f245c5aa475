"""One request to an endpoint: what is sent, what comes back, and what happens when it goes wrong.

The endpoint is a real HTTP server on the loopback interface; delays between attempts are recorded, not slept.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import socket
import subprocess
import sys
import time
from typing import Any

import pytest
from loopback import Drop, Events, Hang, Late, LoopbackModelServer, Raw, completion, error_body

from pytest_neucomback.errors import ConfigError, ModelUnavailable
from pytest_neucomback.models.api import ApiModel, RetryPolicy, Timeouts, openai_model, timeouts_for
from pytest_neucomback.models.registry import ModelSpec
from pytest_neucomback.types import ModelRequest, Reply, Usage

REQUEST = ModelRequest(
    messages=({"role": "system", "content": "You compile."}, {"role": "user", "content": "Compile f."}),
    task="s000",
    arch="x86_64",
    source_path="s000.c",
    march="x86-64",
)
CALM = Timeouts(connect_s=10.0, idle_s=10.0, total_s=20.0)
HASTY = Timeouts(connect_s=10.0, idle_s=0.5, total_s=20.0)
"""For tests in which the server hangs."""
KEY = "sk-secret-0123456789"


class Recorder:
    """Stands in for ``asyncio.sleep`` and for the retry callback."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.retries: list[tuple[str, int, str]] = []

    async def sleep(self, delay_s: float) -> None:
        self.delays.append(delay_s)

    def on_retry(self, model: str, attempt: int, reason: str, delay_s: float) -> None:
        self.retries.append((model, attempt, reason))


def model_at(
    url: str,
    recorder: Recorder | None = None,
    *,
    retry: RetryPolicy | None = None,
    timeouts: Timeouts = CALM,
    environ: dict[str, str] | None = None,
    **spec: Any,
) -> ApiModel:
    recorder = recorder or Recorder()
    return ApiModel(
        ModelSpec(**{"name": "m", "base_url": url, "model_id": "vendor/m", "key_env": "M_KEY", **spec}),
        retry=retry,
        timeouts=timeouts,
        on_retry=recorder.on_retry,
        environ={"M_KEY": KEY} if environ is None else environ,
        sleep=recorder.sleep,
    )


def ask(model: ApiModel, request: ModelRequest = REQUEST) -> Reply:
    async def conversation() -> Reply:
        try:
            return await model.complete(request)
        finally:
            await model.aclose()

    return asyncio.run(conversation())


def refusal(model: ApiModel) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        ask(model)
    message = str(caught.value)
    assert "\n" not in message
    assert KEY not in message
    return message


class TestRequest:
    def test_what_is_sent(self) -> None:
        """Messages, model id, sampling and the token limit under its own name are sent, and nothing else."""
        with LoopbackModelServer() as server:
            ask(
                model_at(
                    server.url,
                    sampling={"temperature": 0.6, "chat_template_kwargs": {"thinking": True}},
                    max_tokens=16384,
                    max_tokens_param="max_completion_tokens",
                )
            )
        assert server.bodies == [
            {
                "messages": list(REQUEST.messages),
                "model": "vendor/m",
                "temperature": 0.6,
                "chat_template_kwargs": {"thinking": True},
                "max_completion_tokens": 16384,
            }
        ]
        assert server.requests[0].path == "/v1/chat/completions"
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"

    def test_openai_sends_the_minimum(self) -> None:
        """An ``openai:`` model asks for nothing that a minimal server might not know."""
        with LoopbackModelServer(["hello"]) as server:
            model = openai_model("some/model", environ={"OPENAI_BASE_URL": server.url})
            assert ask(model).text == "hello"
        assert server.bodies == [{"messages": list(REQUEST.messages), "model": "some/model"}]

    def test_account_of_openai_stays_with_openai(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Organisation and project from the environment are not told to other endpoints."""
        monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
        monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
        with LoopbackModelServer() as server:
            ask(model_at(server.url))
        assert not [name for name in server.requests[0].headers if name.startswith("openai-")]

    def test_many_at_once_and_in_several_loops(self) -> None:
        """One object serves concurrent requests, and a second event loop after the first."""
        with LoopbackModelServer(lambda body: body["messages"][-1]["content"]) as server:
            model = model_at(server.url)

            async def conversation() -> list[str]:
                requests = [
                    ModelRequest(({"role": "user", "content": str(n)},), "t", "x86_64", "t.c", "x86-64")
                    for n in range(20)
                ]
                replies = await asyncio.gather(*map(model.complete, requests))
                await model.aclose()
                return [reply.text for reply in replies]

            assert asyncio.run(conversation()) == [str(n) for n in range(20)]
            assert asyncio.run(conversation()) == [str(n) for n in range(20)]

    def test_openai_is_imported_late(self) -> None:
        """Importing the models does not import openai, which takes half a second."""
        code = "import sys, pytest_neucomback.models; sys.exit('openai' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestReply:
    def test_fields(self) -> None:
        """Text, finish reason, the answering model and the usage are taken over; the price table gives the cost."""
        body = completion("hi")
        body["choices"][0]["finish_reason"] = "length"
        body["usage"] = {
            "prompt_tokens": 1000,
            "completion_tokens": 3000,
            "completion_tokens_details": {"reasoning_tokens": 2000},
        }
        with LoopbackModelServer([body]) as server:
            reply = ask(model_at(server.url, usd_per_mtok_in=1.0, usd_per_mtok_out=2.0))
        assert reply.text == "hi"
        assert reply.finish_reason == "length"
        assert reply.model_id == "loopback-model"
        assert reply.usage == Usage(1000, 3000, 2000)
        assert reply.cost_usd == pytest.approx(0.007)
        assert 0 < reply.latency_s < 5
        assert not reply.cached

    def test_missing_usage(self) -> None:
        """Without usage the counts are zero and the cost is unknown, not free."""
        body = completion("hi")
        del body["usage"]
        with LoopbackModelServer([body]) as server:
            reply = ask(model_at(server.url, usd_per_mtok_in=1.0, usd_per_mtok_out=2.0))
        assert reply.usage == Usage()
        assert reply.cost_usd is None

    def test_unknown_price(self) -> None:
        """Without a price there is no cost."""
        with LoopbackModelServer() as server:
            assert ask(model_at(server.url, usd_per_mtok_in=1.0)).cost_usd is None

    @pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
    def test_reasoning_is_kept_apart(self, field: str) -> None:
        """Reasoning comes under two names and never mixes with the text."""
        with LoopbackModelServer([completion("answer", **{field: "thoughts"})]) as server:
            reply = ask(model_at(server.url))
        assert (reply.text, reply.reasoning) == ("answer", "thoughts")

    def test_content_in_parts(self) -> None:
        """Typed parts of a message are sorted into reasoning and text."""
        parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "answer"}]
        body = completion(None)
        body["choices"][0]["message"]["content"] = parts
        with LoopbackModelServer([body]) as server:
            reply = ask(model_at(server.url))
        assert (reply.text, reply.reasoning) == ("answer", "hm")

    def test_no_content(self) -> None:
        """A null content is an empty text."""
        with LoopbackModelServer([completion(None)]) as server:
            assert ask(model_at(server.url)).text == ""

    def test_bare_minimum(self) -> None:
        """A server that sends nothing but the message is understood."""
        with LoopbackModelServer([{"choices": [{"message": {"content": "hi"}}]}]) as server:
            reply = ask(model_at(server.url))
        assert (reply.text, reply.finish_reason, reply.model_id) == ("hi", "stop", "vendor/m")


class TestRetries:
    def test_429_then_500_then_hang_then_answer(self) -> None:
        """Passing failures are met with patience, each reported once, and the answer counts."""
        recorder = Recorder()
        with LoopbackModelServer([429, 500, Hang(), "finally"]) as server:
            assert ask(model_at(server.url, recorder, timeouts=HASTY)).text == "finally"
        assert recorder.retries == [
            ("m", 1, "HTTP 429: scripted failure 429"),
            ("m", 2, "HTTP 500: scripted failure 500"),
            ("m", 3, "no byte for 0.5 s"),
        ]
        assert len(server.requests) == 4

    def test_delays_grow_within_bounds(self) -> None:
        """Delays double, less a random half, up to the cap."""
        recorder = Recorder()
        policy = RetryPolicy(attempts=6, base_s=1.0, cap_s=4.0)
        with LoopbackModelServer([503]) as server:
            message = refusal(model_at(server.url, recorder, retry=policy))
        assert "HTTP 503: scripted failure 503 (6 attempts in " in message
        assert len(server.requests) == 6
        for delay, longest in zip(recorder.delays, [1, 2, 4, 4, 4], strict=True):
            assert longest / 2 <= delay <= longest

    @pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504, 529])
    def test_passing_statuses(self, status: int) -> None:
        """Time-outs, conflicts and faults of the server may pass."""
        with LoopbackModelServer([status, "ok"]) as server:
            assert ask(model_at(server.url)).text == "ok"

    def test_retry_after_seconds(self) -> None:
        """A number in Retry-After is waited for."""
        recorder = Recorder()
        limited = Raw(429, error_body(429), {"Retry-After": "7"})
        with LoopbackModelServer([limited, "ok"]) as server:
            ask(model_at(server.url, recorder))
        assert 7 <= recorder.delays[0] < 8

    def test_retry_after_date(self) -> None:
        """So is a date."""
        recorder = Recorder()
        date = email.utils.formatdate(time.time() + 30, usegmt=True)
        with LoopbackModelServer([Raw(503, error_body(503), {"Retry-After": date}), "ok"]) as server:
            ask(model_at(server.url, recorder))
        assert 25 < recorder.delays[0] <= 31

    @pytest.mark.parametrize(("text", "longest"), [("86400", 301), ("soon", 1), ("-5", 0.2), ("nan", 1)])
    def test_odd_retry_after(self, text: str, longest: float) -> None:
        """A day is too long to wait, and nonsense is ignored."""
        recorder = Recorder()
        with LoopbackModelServer([Raw(429, error_body(429), {"Retry-After": text}), "ok"]) as server:
            ask(model_at(server.url, recorder))
        assert 0 <= recorder.delays[0] <= longest

    def test_patience_ends(self) -> None:
        """No attempt starts after the patience is used up."""
        policy = RetryPolicy(attempts=100, patience_s=10.0)
        with LoopbackModelServer([Raw(429, error_body(429), {"Retry-After": "60"})]) as server:
            assert "(1 attempt in " in refusal(model_at(server.url, retry=policy))

    def test_no_quota(self) -> None:
        """An account without credit does not fill up by asking again."""
        with LoopbackModelServer(
            [Raw(429, error_body(429, "You exceeded your quota", "insufficient_quota"))]
        ) as server:
            message = refusal(model_at(server.url))
        assert len(server.requests) == 1
        assert message.endswith("The account behind M_KEY has no credit left; top it up.")

    def test_hang_is_noticed(self) -> None:
        """A server that accepts and never answers is given up after the idle time-out, every time."""
        started = time.monotonic()
        with LoopbackModelServer([Hang()]) as server:
            message = refusal(model_at(server.url, retry=RetryPolicy(attempts=3), timeouts=HASTY))
        assert "no byte for 0.5 s (3 attempts" in message
        assert time.monotonic() - started < 10

    def test_total_time(self) -> None:
        """A reply that drips for ever is cut by the total limit."""
        drip = Events([b": still here\n\n"] * 100, pause_s=0.05)
        timeouts = Timeouts(connect_s=10, idle_s=5, total_s=0.5)
        with LoopbackModelServer([drip]) as server:
            message = refusal(model_at(server.url, retry=RetryPolicy(attempts=1), timeouts=timeouts, stream=True))
        assert "no complete reply within 0.5 s" in message

    @pytest.mark.parametrize("drop", [Drop(), Drop(b'{"choices"')], ids=["at-once", "amid-the-body"])
    def test_dropped_connection(self, drop: Drop) -> None:
        """A connection that breaks is made anew."""
        with LoopbackModelServer([drop, "ok"]) as server:
            assert ask(model_at(server.url)).text == "ok"

    @pytest.mark.parametrize(
        "body",
        [b"", b'{"choices": [{"mess', b"[]", b'{"choices": []}', b"oops"],
        ids=["empty", "cut", "list", "none", "text"],
    )
    def test_damaged_body(self, body: bytes) -> None:
        """A body that is no completion counts as a failure of the endpoint."""
        with LoopbackModelServer([Raw(body=body), "ok"]) as server:
            assert ask(model_at(server.url)).text == "ok"

    def test_down_server(self) -> None:
        """Nobody listening is reported with where and what to do."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
        message = refusal(model_at(url, retry=RetryPolicy(attempts=2)))
        assert message.startswith(f"m at {url} (model vendor/m): connection failed: ")
        assert "(2 attempts" in message
        assert message.endswith(
            "Check that the endpoint is up and reachable; unjudged items are retried by the next run."
        )


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "hint"),
        [
            (400, "Correct the model's entry in the registry"),
            (401, "Check the key in M_KEY."),
            (402, "has no credit left"),
            (403, "Check that the key in M_KEY may use this model."),
            (404, "Check the model id, and that the base URL ends where /chat/completions begins"),
            (422, "Correct the model's entry in the registry"),
        ],
    )
    def test_not_asked_again(self, status: int, hint: str) -> None:
        """What will not get better is reported at once: what, where, and how to fix it."""
        with LoopbackModelServer([status, "never"]) as server:
            message = refusal(model_at(server.url))
            assert f"m at {server.url} (model vendor/m): HTTP {status}: scripted failure {status}. " in message
        assert hint in message
        assert len(server.requests) == 1

    def test_key_is_not_echoed(self) -> None:
        """A server that quotes the key it refuses does not get it into reports."""
        with LoopbackModelServer([Raw(401, error_body(401, f"Incorrect API key provided: {KEY}."))]) as server:
            assert "Incorrect API key provided: …" in refusal(model_at(server.url))

    def test_notes_help_with_a_missing_model(self) -> None:
        """The registry's note says why a model may be gone."""
        with LoopbackModelServer([404]) as server:
            assert refusal(model_at(server.url, notes="Shut down in 2026.")).endswith("Note: Shut down in 2026.")

    def test_web_page(self) -> None:
        """A web page instead of an answer points at the base URL."""
        with LoopbackModelServer([Raw(body=b"<!doctype html><p>hi", headers={"Content-Type": "text/html"})]) as server:
            message = refusal(model_at(server.url))
        assert "answered with a web page" in message
        assert "base URL ends where /chat/completions begins" in message

    def test_error_with_status_200(self) -> None:
        """An error inside a successful response is an error, and its code decides about asking again."""
        busy = {"error": {"message": "provider busy", "code": 503}}
        with LoopbackModelServer([busy, {"error": {"message": "no such key", "code": 401}}]) as server:
            assert "HTTP 401: no such key" in refusal(model_at(server.url))
        assert len(server.requests) == 2


class TestStreaming:
    CHUNKS = (
        {"model": "loopback-model", "choices": [{"delta": {"role": "assistant", "reasoning_content": "th"}}]},
        {"choices": [{"delta": {"reasoning_content": "ink"}}]},
        b": keep-alive\n\n",
        {"choices": [{"delta": {"content": "ans"}}]},
        {"choices": [{"delta": {"content": "wer\u2028"}, "finish_reason": "length"}]},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5}},
    )

    def test_pieces_are_joined(self) -> None:
        """A stream gives the same reply as one object would."""
        with LoopbackModelServer([Events(self.CHUNKS)]) as server:
            reply = ask(model_at(server.url, stream=True))
        assert server.bodies[0]["stream"] is True
        assert server.bodies[0]["stream_options"] == {"include_usage": True}
        assert (reply.text, reply.reasoning, reply.finish_reason) == ("answer\u2028", "think", "length")
        assert reply.usage == Usage(3, 5, 0)
        assert reply.model_id == "loopback-model"

    def test_raw_line_separators_do_not_split_events(self) -> None:
        """Unicode line ends inside a JSON string are part of it."""
        event = json.dumps({"choices": [{"delta": {"content": "a\u2028b\x85c"}}]}, ensure_ascii=False).encode()
        with LoopbackModelServer([Events([b"data: " + event + b"\r\n\r\n"])]) as server:
            assert ask(model_at(server.url, stream=True)).text == "a\u2028b\x85c"

    def test_slow_stream_is_alive(self) -> None:
        """A stream longer than the idle time-out is fine while something keeps coming."""
        with LoopbackModelServer([Events(self.CHUNKS, pause_s=0.1)]) as server:
            assert ask(model_at(server.url, stream=True, timeouts=HASTY)).text == "answer\u2028"
        assert len(server.requests) == 1

    def test_server_that_ignores_streaming(self) -> None:
        """One JSON object in answer to ``stream: true`` will do."""
        with LoopbackModelServer(["plain"]) as server:
            assert ask(model_at(server.url, stream=True)).text == "plain"

    def test_stream_without_content_type(self) -> None:
        """Events sent under a wrong content type are recognised."""
        body = b'data: {"choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}]}\n\n'
        with LoopbackModelServer([Raw(body=body)]) as server:
            assert ask(model_at(server.url, stream=True)).text == "hi"

    def test_server_that_rejects_stream_options(self) -> None:
        """The option is dropped, for later requests too, and no retry is counted."""
        recorder = Recorder()

        def serve(body: dict[str, Any]) -> Any:
            if "stream_options" in body:
                return Raw(422, {"detail": "Extra inputs are not permitted: stream_options"})
            return Events(self.CHUNKS)

        with LoopbackModelServer(serve) as server:
            model = model_at(server.url, recorder, stream=True)
            assert ask(model).text == ask(model).text == "answer\u2028"
        assert ["stream_options" in body for body in server.bodies] == [True, False, False]
        assert recorder.retries == []

    def test_server_that_rejects_streaming(self) -> None:
        """Streaming is dropped; then silence until the reply is complete is normal and no sign of a hang."""

        def serve(body: dict[str, Any]) -> Any:
            if body.get("stream"):
                return Raw(400, error_body(400, "Your organization must be verified to stream this model"))
            return Late(0.8, "plain")

        recorder = Recorder()
        with LoopbackModelServer(serve) as server:
            assert ask(model_at(server.url, recorder, stream=True, timeouts=HASTY)).text == "plain"
        assert recorder.retries == []

    @pytest.mark.parametrize(
        "broken",
        [
            Events(CHUNKS[:3], cut=True),
            Events([b'data: {"choices": [{"del'], cut=True),
            Events([CHUNKS[0], {"error": {"message": "overloaded", "code": 502}}]),
        ],
        ids=["cut-between-events", "cut-within-an-event", "error-event"],
    )
    def test_broken_stream(self, broken: Events) -> None:
        """A stream without its end is asked for again, never taken for a short answer."""
        with LoopbackModelServer([broken, Events(self.CHUNKS)]) as server:
            assert ask(model_at(server.url, stream=True)).text == "answer\u2028"
        assert len(server.requests) == 2

    def test_silence_amid_a_stream(self) -> None:
        """A stream that falls silent is given up after the idle time-out."""
        with LoopbackModelServer(
            [Events([self.CHUNKS[0], self.CHUNKS[1]], pause_s=1.5), Events(self.CHUNKS)]
        ) as server:
            assert ask(model_at(server.url, stream=True, timeouts=HASTY)).text == "answer\u2028"

    def test_silence_makes_us_try_a_stream(self) -> None:
        """After silence a stream is tried, which tells a slow model from a dead connection; it is kept if it works."""

        def serve(body: dict[str, Any]) -> Any:
            return Events(self.CHUNKS, pause_s=0.06) if body.get("stream") else Hang(2)

        with LoopbackModelServer(serve) as server:
            model = model_at(server.url, timeouts=HASTY)
            assert ask(model).text == ask(model).text == "answer\u2028"
        assert [body.get("stream", False) for body in server.bodies] == [False, True, True]

    def test_a_refused_trial_is_not_repeated(self) -> None:
        """A server that cannot stream is asked plainly again."""
        first = iter([Hang(2)])

        def serve(body: dict[str, Any]) -> Any:
            return Raw(400, error_body(400)) if body.get("stream") else next(first, "plain")

        with LoopbackModelServer(serve) as server:
            assert ask(model_at(server.url, timeouts=HASTY)).text == "plain"
        assert [body.get("stream", False) for body in server.bodies] == [False, True, False]


class TestIdentity:
    def test_what_decides_the_reply(self) -> None:
        """Endpoint, model, sampling and limit decide; the key, the name and the transport do not."""
        model = model_at("http://h/v1", sampling={"temperature": 0}, max_tokens=5, stream=True)
        assert model.identity() == {
            "kind": "chat.completions",
            "base_url": "http://h/v1",
            "model_id": "vendor/m",
            "sampling": {"temperature": 0},
            "max_tokens": 5,
        }
        assert KEY not in json.dumps(model.identity())
        assert model_at("http://h/v1", stream=False).identity() == model_at("http://h/v1", stream=True).identity()


class TestKeys:
    def test_missing(self) -> None:
        """A missing key is reported with its variable, before and instead of a request."""
        model = model_at("https://api.example.com/v1", environ={})
        assert model.missing_key() == (
            "m needs a key for https://api.example.com/v1, and M_KEY is not set. Set it: export M_KEY=…"
        )
        assert refusal(model) == model.missing_key()

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
    def test_optional_on_this_machine(self, host: str) -> None:
        """Servers on this machine need no key."""
        assert model_at(f"http://{host}:8000/v1", environ={}).missing_key() is None

    def test_optional_with_a_base_url(self) -> None:
        """Who sets OPENAI_BASE_URL may have no key at all."""
        assert openai_model("m", environ={"OPENAI_BASE_URL": "http://gpu-box:8000/v1"}).missing_key() is None

    def test_needed_for_openai_itself(self) -> None:
        """OpenAI wants a key."""
        model = openai_model("m", environ={})
        assert model.spec.base_url == "https://api.openai.com/v1"
        assert "OPENAI_API_KEY is not set" in (model.missing_key() or "")

    def test_damaged(self) -> None:
        """A key with typographic characters is caught before it breaks the request."""
        model = model_at("https://api.example.com/v1", environ={"M_KEY": "sk\u2013123"})
        assert "holds characters no key has" in (model.missing_key() or "")


class TestSettings:
    def test_timeout_from_the_environment(self) -> None:
        """The environment sets the limit of silence where the registry leaves it open."""
        spec = ModelSpec("m", "http://h/v1", "m")
        assert timeouts_for(spec, {}) == Timeouts(10.0, 300.0, 1800.0)
        assert timeouts_for(spec, {"NEUCOMBACK_REQUEST_TIMEOUT_S": "2.5"}).idle_s == 2.5
        assert timeouts_for(spec, {"NEUCOMBACK_REQUEST_TIMEOUT_S": "3600"}).total_s == 3600
        patient = ModelSpec("m", "http://h/v1", "m", idle_timeout_s=900.0, timeout_s=1000.0)
        assert timeouts_for(patient, {"NEUCOMBACK_REQUEST_TIMEOUT_S": "2.5"}) == Timeouts(10.0, 900.0, 1000.0)

    @pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
    def test_bad_timeout(self, text: str) -> None:
        """A time-out that is no positive number is a configuration error."""
        with pytest.raises(ConfigError, match=r"NEUCOMBACK_REQUEST_TIMEOUT_S='.*': expected a positive number"):
            openai_model("m", environ={"NEUCOMBACK_REQUEST_TIMEOUT_S": text})

    @pytest.mark.parametrize("url", ["localhost:8000/v1", "http://", "ftp://h/v1"])
    def test_bad_base_url(self, url: str) -> None:
        """A base URL that is none is a configuration error."""
        with pytest.raises(ConfigError, match="is no http\\(s\\) URL"):
            openai_model("m", environ={"OPENAI_BASE_URL": url})

    def test_no_model(self) -> None:
        """``openai:`` alone is a configuration error."""
        with pytest.raises(ConfigError, match="Write openai:MODEL_ID"):
            openai_model("", environ={})
