"""A real HTTP server on the loopback interface that plays a model's endpoint from a script."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Hang:
    """Accept the request and stay silent; after ``seconds``, or when the server closes, drop the connection."""

    seconds: float = 60.0


@dataclass(frozen=True)
class Drop:
    """Close the connection without a word; with ``after_bytes``, amid the body."""

    after_bytes: bytes = b""


@dataclass(frozen=True)
class Raw:
    """Any response: status, headers and a body that is sent as it is, or as JSON when it is no bytes."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Events:
    """A stream: each item becomes a ``data:`` line, bytes are sent as they are; ``[DONE]`` ends it unless cut.

    ``pause_s`` is waited before every item, with the ones before it flushed.
    """

    items: Sequence[Any]
    pause_s: float = 0.0
    cut: bool = False


@dataclass(frozen=True)
class Late:
    """Play ``step`` after ``seconds`` of silence."""

    seconds: float
    step: Any


Step = str | int | dict[str, Any] | Hang | Drop | Raw | Events | Late
"""A reply's text, an error status, a whole JSON body, or one of the classes above."""


@dataclass(frozen=True)
class LoggedRequest:
    """One request as it came in."""

    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: dict[str, Any]
    at: float
    """``time.monotonic()`` on arrival."""


def completion(text: str | None, **message: Any) -> dict[str, Any]:
    """The JSON object of a finished reply; further arguments go into its message."""
    return {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "created": 0,
        "model": "loopback-model",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }


def error_body(status: int, message: str = "scripted failure", code: str | None = None) -> dict[str, Any]:
    """The JSON object OpenAI sends with an error status."""
    return {"error": {"message": f"{message} {status}", "type": "scripted", "param": None, "code": code}}


class LoopbackModelServer:
    """``with LoopbackModelServer([429, Hang(), "answer"]) as server:`` serves one step per request at ``server.url``.

    The last step is repeated when the script has run out. Instead of a list, a function from the request's JSON body to
    a step decides per request. ``requests`` logs all requests in order of arrival; safe to use from many threads.
    """

    def __init__(self, script: Sequence[Step] | Callable[[dict[str, Any]], Step] = ("ok",)) -> None:
        self.requests: list[LoggedRequest] = []
        self._script = script
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """The base URL, as OPENAI_BASE_URL wants it."""
        assert self._server is not None, "the server runs inside its `with` block"
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The JSON bodies of all requests so far."""
        with self._lock:
            return [request.body for request in self.requests]

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else head and body, sent apart, cost 40 ms

            def do_POST(self) -> None:
                outer._serve(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
                """Stay quiet; the log is ``requests``."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _next_step(self, request: LoggedRequest) -> Step:
        with self._lock:
            index = len(self.requests)
            self.requests.append(request)
        if callable(self._script):
            return self._script(request.body)
        return self._script[min(index, len(self._script) - 1)]

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        step = self._next_step(LoggedRequest(handler.path, headers, json.loads(raw or b"{}"), time.monotonic()))
        try:
            self._play(handler, step)
        except OSError:
            handler.close_connection = True  # the client gave up first, as some tests want it to

    def _play(self, handler: BaseHTTPRequestHandler, step: Step) -> None:
        match step:
            case str():
                self._send(handler, Raw(body=completion(step)))
            case int():
                self._send(handler, Raw(step, error_body(step)))
            case dict():
                self._send(handler, Raw(body=step))
            case Raw():
                self._send(handler, step)
            case Hang():
                self._closing.wait(step.seconds)
                handler.close_connection = True
            case Drop():
                handler.close_connection = True
                if step.after_bytes:
                    length = len(step.after_bytes) + 1000
                    handler.wfile.write(
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        b"Content-Length: %d\r\n\r\n%s" % (length, step.after_bytes)
                    )
            case Events():
                self._stream(handler, step)
            case Late():
                if not self._closing.wait(step.seconds):
                    self._play(handler, step.step)

    def _send(self, handler: BaseHTTPRequestHandler, response: Raw) -> None:
        body = response.body if isinstance(response.body, bytes) else json.dumps(response.body).encode()
        handler.send_response(response.status)
        for name, value in {"Content-Type": "application/json", **response.headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _stream(self, handler: BaseHTTPRequestHandler, events: Events) -> None:
        handler.close_connection = True  # no length and no chunks: the end of the connection ends the stream
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for item in [*events.items, *([] if events.cut else [b"data: [DONE]\n\n"])]:
            if events.pause_s and self._closing.wait(events.pause_s):
                return
            line = item if isinstance(item, bytes) else b"data: " + json.dumps(item).encode() + b"\n\n"
            handler.wfile.write(line)
            handler.wfile.flush()
