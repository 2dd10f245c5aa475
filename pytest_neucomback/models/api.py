"""Models behind an OpenAI-compatible endpoint: one request, patiently.

Everything that can go wrong between here and the endpoint ends in one of two ways: it is tried again, or
``ModelUnavailable`` says in one line what happened, where, and what to do. Never is a failure of the endpoint taken for
an answer of the model.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import ipaddress
import json
import math
import os
import random
import time
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import ConfigError, ModelUnavailable
from ..types import ModelRequest, Reply, Usage
from .registry import ModelSpec

if TYPE_CHECKING:  # importing openai takes 0.6 s, which runs without an endpoint need not spend
    import openai

OFFICIAL_BASE_URL = "https://api.openai.com/v1"
TIMEOUT_VARIABLE = "NEUCOMBACK_REQUEST_TIMEOUT_S"
"""Environment variable: seconds of silence after which a request is given up and tried again. Default: 300."""

OnRetry = Callable[[str, int, str, float], None]
"""``(model, attempt, reason, delay_s)``: attempt number ``attempt`` failed, the next follows after ``delay_s``."""

_RETRYABLE_STATUS = frozenset({408, 409, 425, 429}) | frozenset(range(500, 600))
_NO_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_QUOTED_CHARS = 300
_REFUSED_STATUS = frozenset({400, 404, 415, 422, 501})
"""How servers say that they do not know a request field."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to keep asking."""

    attempts: int = 6
    """Requests in all, the first included."""
    base_s: float = 1.0
    """Delay before the second attempt; it doubles from there, less a random half so that clients spread out."""
    cap_s: float = 60.0
    """Longest delay of our own choosing."""
    retry_after_cap_s: float = 300.0
    """Longest delay accepted from a ``Retry-After`` header."""
    patience_s: float = 5400.0
    """No attempt starts later than this after the first one."""


@dataclass(frozen=True)
class Timeouts:
    """When a request counts as lost."""

    connect_s: float = 10.0
    """For the connection to be made."""
    idle_s: float = 300.0
    """For the next byte to arrive. Without streaming the first byte comes with the finished reply."""
    total_s: float = 1800.0
    """For one attempt as a whole."""


class ApiModel:
    """A model at an endpoint, asked through ``chat.completions`` of the ``openai`` package."""

    cacheable = True

    def __init__(
        self,
        spec: ModelSpec,
        *,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        on_retry: OnRetry | None = None,
        environ: Mapping[str, str] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``timeouts`` default to the spec's and the environment's; ``environ`` is where the key is looked up.

        Raises ``ConfigError`` when the time-out in the environment is no number. A missing key does not raise: ask
        ``missing_key`` before a run starts.
        """
        self.name = spec.name
        self.spec = spec
        self._environ = os.environ if environ is None else environ
        self._retry = retry or RetryPolicy()
        self._timeouts = timeouts or timeouts_for(spec, self._environ)
        self._on_retry = on_retry
        self._sleep = sleep
        self._client: openai.AsyncOpenAI | None = None
        self._client_loop: asyncio.AbstractEventLoop | None = None
        self._dialect = _Dialect(stream=spec.stream)

    def identity(self) -> dict[str, Any]:
        """What decides a reply besides the messages. How it is transported does not, nor does the key."""
        return {
            "kind": "chat.completions",
            "base_url": self.spec.base_url,
            "model_id": self.spec.model_id,
            "sampling": dict(self.spec.sampling),
            self.spec.max_tokens_param: self.spec.max_tokens,
        }

    def missing_key(self) -> str | None:
        """One line naming the variable to set, or None when the model can be asked."""
        key = self._environ.get(self.spec.key_env, "").strip()
        if key and not (key.isascii() and key.isprintable()):
            return f"{self.name}: the key in {self.spec.key_env} holds characters no key has. Copy it again."
        if key or self._key_is_optional():
            return None
        return (
            f"{self.name} needs a key for {self.spec.base_url}, and {self.spec.key_env} is not set. "
            f"Set it: export {self.spec.key_env}=…"
        )

    async def complete(self, request: ModelRequest) -> Reply:
        """The model's reply; raises ``ModelUnavailable`` when none can be had."""
        if problem := self.missing_key():
            raise ModelUnavailable(problem)
        started = time.monotonic()
        attempt = 0
        probing = False  # this attempt streams only to tell a slow reply from a hung connection
        while True:
            attempt += 1
            try:
                return await self._attempt(request, stream=self._dialect.stream or probing)
            except _Refused as refused:
                if not self._dialect.simplify(refused, probing=probing):
                    raise ModelUnavailable(self._describe(refused.reason, _hint(refused, self.spec))) from refused
                probing = False
                attempt -= 1  # learning what the server understands is no failed attempt
            except _TryAgain as failure:
                delay_s = self._delay_s(attempt, failure.retry_after_s)
                waited_s = time.monotonic() - started
                if attempt >= self._retry.attempts or waited_s + delay_s > self._retry.patience_s:
                    tries = f"{attempt} attempt{'s' if attempt > 1 else ''} in {waited_s:.0f} s"
                    hint = "Check that the endpoint is up and reachable; unjudged items are retried by the next run."
                    raise ModelUnavailable(self._describe(f"{failure.reason} ({tries})", hint)) from failure
                probing = failure.silent and not probing and self._dialect.may_probe
                if self._on_retry:
                    self._on_retry(self.name, attempt, failure.reason, delay_s)
                await self._sleep(delay_s)

    async def probe(self, timeout_s: float = 5.0) -> str | None:
        """One line when nothing listens at the endpoint, else None. Connects and sends nothing.

        Behind a proxy the endpoint's own address says little, so that nothing is tried.
        """
        url = urlsplit(self.spec.base_url)
        host = url.hostname or ""
        proxies = urllib.request.getproxies()
        if (url.scheme in proxies or "all" in proxies) and not urllib.request.proxy_bypass(host):
            return None
        try:
            port = url.port or (443 if url.scheme == "https" else 80)
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), timeout_s)
        except (OSError, TimeoutError) as error:
            reason = f"no connection within {timeout_s:g} s" if isinstance(error, TimeoutError) else str(error)
            variable = "OPENAI_BASE_URL" if self.name.startswith("openai:") else "the model's base_url"
            hint = f"Start the endpoint or correct {variable}."
            return self._describe(f"nothing answers ({_one_line(reason)})", hint)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return None

    async def aclose(self) -> None:
        """Close the connections, if any were opened in this loop."""
        client, self._client = self._client, None
        if client is not None and self._client_loop is asyncio.get_running_loop():
            await client.close()

    # --- one attempt ------------------------------------------------------------------------------------------

    async def _attempt(self, request: ModelRequest, *, stream: bool) -> Reply:
        import openai

        client = self._client_here()  # before the clocks start: importing and TLS set-up take their time
        started = time.monotonic()
        # Where a server refused to stream, silence until the reply is complete is what a healthy request looks like.
        idle_s = self._timeouts.total_s if self._dialect.refused_stream else self._timeouts.idle_s
        try:
            async with asyncio.timeout(self._timeouts.total_s) as total, asyncio.timeout(idle_s) as idle:
                body = await self._exchange(client, request, idle, idle_s, stream=stream)
        except TimeoutError:
            if total.expired() and idle_s != self._timeouts.total_s:
                raise _TryAgain(f"no complete reply within {self._timeouts.total_s:g} s") from None
            raise _TryAgain(f"no byte for {idle_s:g} s", silent=True) from None
        except openai.APIStatusError as error:
            raise _failure(error.status_code, error.body, error.response.headers, self._key()) from error
        except openai.APITimeoutError as error:
            raise _TryAgain(f"no connection within {self._timeouts.connect_s:g} s") from error
        except openai.APIConnectionError as error:
            raise _TryAgain(f"connection failed: {_root_cause(error)}") from error
        except openai.OpenAIError as error:
            raise _Refused(f"the openai package refuses the request: {_one_line(str(error))}") from error
        return self._reply(body, time.monotonic() - started)

    async def _exchange(
        self, client: openai.AsyncOpenAI, request: ModelRequest, idle: asyncio.Timeout, idle_s: float, *, stream: bool
    ) -> _Body:
        """Send the request and read the reply, whichever of the two forms the server gives it."""
        fields = dict(self.spec.sampling)
        if self.spec.max_tokens is not None:
            fields[self.spec.max_tokens_param] = self.spec.max_tokens
        if stream:
            fields["stream"] = True
            if self._dialect.stream_options:
                fields["stream_options"] = {"include_usage": True}
        # All goes through extra_body, so that fields the installed openai does not know are sent as well. The raw
        # response is read here because servers answer `stream: true` with plain JSON, and JSON with comments, as they
        # please.
        async with client.chat.completions.with_streaming_response.create(
            model=self.spec.model_id,
            messages=[dict(message) for message in request.messages],  # type: ignore[misc]
            extra_body=fields,
        ) as response:
            chunks: list[bytes] = []
            try:
                async for chunk in response.iter_bytes():
                    idle.reschedule(asyncio.get_running_loop().time() + idle_s)
                    chunks.append(chunk)
            except Exception as error:
                # Under openai lies httpx or httpx2, depending on its version; neither is a dependency of ours, so
                # their errors are met by where they come from: reading a body fails only when the connection does.
                raise _TryAgain(f"the connection broke within the reply: {_root_cause(error)}") from error
            raw = b"".join(chunks)
            if response.headers.get("content-type", "").startswith("text/event-stream") or raw.startswith(b"data:"):
                self._dialect.stream = True
                return _from_events(raw, self._key())
            return _from_json(raw, self._key())

    def _client_here(self) -> openai.AsyncOpenAI:
        """A client for the running loop: connections cannot move between loops."""
        import openai

        loop = asyncio.get_running_loop()
        if self._client is None or self._client_loop is not loop:
            self._client = openai.AsyncOpenAI(
                base_url=self.spec.base_url,
                api_key=self._key() or "unused",
                max_retries=0,
                # Silence and total time are watched in _attempt; only connecting is left to the library.
                timeout=openai.Timeout(None, connect=self._timeouts.connect_s),
            )
            if urlsplit(self.spec.base_url).hostname != urlsplit(OFFICIAL_BASE_URL).hostname:
                # openai reads these from the environment; they are no business of other endpoints.
                self._client.organization = None
                self._client.project = None
            self._client_loop = loop
        return self._client

    def _key(self) -> str:
        return self._environ.get(self.spec.key_env, "").strip()

    def _key_is_optional(self) -> bool:
        if self.name.startswith("openai:") and self._environ.get("OPENAI_BASE_URL", "").strip():
            return True
        host = urlsplit(self.spec.base_url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    # --- results ----------------------------------------------------------------------------------------------

    def _reply(self, body: _Body, latency_s: float) -> Reply:
        usage, cost = Usage(), None
        if body.usage is not None:
            details = body.usage.get("completion_tokens_details")
            usage = Usage(
                _count(body.usage.get("prompt_tokens")),
                _count(body.usage.get("completion_tokens")),
                _count(details.get("reasoning_tokens")) if isinstance(details, dict) else 0,
            )
            if price := self.spec.price:
                cost = (usage.tokens_in * price[0] + usage.tokens_out * price[1]) / 1e6
        return Reply(
            text="".join(body.text),
            reasoning="".join(body.reasoning),
            finish_reason=body.finish_reason or "stop",
            usage=usage,
            cost_usd=cost,
            model_id=body.model_id or self.spec.model_id,
            latency_s=latency_s,
        )

    def _describe(self, reason: str, hint: str) -> str:
        at = f"at {self.spec.base_url}"
        model = "" if self.name == f"openai:{self.spec.model_id}" else f" (model {self.spec.model_id})"
        return f"{self.name} {at}{model}: {reason}. {hint}"

    def _delay_s(self, attempt: int, retry_after_s: float | None) -> float:
        if retry_after_s is not None:
            # A little later than asked, and not all clients at once.
            return min(retry_after_s, self._retry.retry_after_cap_s) + random.uniform(0, 0.1 * self._retry.base_s)
        return min(self._retry.cap_s, self._retry.base_s * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)


def openai_model(
    model_id: str,
    *,
    retry: RetryPolicy | None = None,
    timeouts: Timeouts | None = None,
    on_retry: OnRetry | None = None,
    environ: Mapping[str, str] | None = None,
) -> ApiModel:
    """``openai:MODEL_ID``: any model at ``OPENAI_BASE_URL`` (default: OpenAI itself) with ``OPENAI_API_KEY``.

    It sends nothing but model and messages and does not ask for streaming, so that the most minimal server will do.
    Raises ``ConfigError`` for an empty model id or a base URL that is none.
    """
    environ = os.environ if environ is None else environ
    if not model_id.strip():
        raise ConfigError("openai: names no model. Write openai:MODEL_ID, e.g. openai:gpt-4o.")
    base_url = environ.get("OPENAI_BASE_URL", "").strip() or OFFICIAL_BASE_URL
    if not base_url.startswith(("http://", "https://")) or not urlsplit(base_url).hostname:
        raise ConfigError(f"OPENAI_BASE_URL={base_url!r} is no http(s) URL. Set it to e.g. http://localhost:8000/v1.")
    spec = ModelSpec(name=f"openai:{model_id}", base_url=base_url, model_id=model_id, key_env="OPENAI_API_KEY")
    return ApiModel(spec, retry=retry, timeouts=timeouts, on_retry=on_retry, environ=environ)


def timeouts_for(spec: ModelSpec, environ: Mapping[str, str] | None = None) -> Timeouts:
    """The spec's time-outs, with ``NEUCOMBACK_REQUEST_TIMEOUT_S`` where it leaves the idle one open.

    Raises ``ConfigError`` when the variable holds no positive number.
    """
    text = (os.environ if environ is None else environ).get(TIMEOUT_VARIABLE, "").strip()
    idle_s = spec.idle_timeout_s
    if idle_s is None:
        idle_s = Timeouts().idle_s
        if text:
            try:
                idle_s = float(text)
            except ValueError:
                idle_s = math.nan
            if not 0 < idle_s < math.inf:
                raise ConfigError(f"{TIMEOUT_VARIABLE}={text!r}: expected a positive number of seconds, e.g. 300.")
    return Timeouts(idle_s=idle_s, total_s=max(spec.timeout_s, idle_s))


# --- what a server understands --------------------------------------------------------------------------------


@dataclass
class _Dialect:
    """What has been learnt about the server's idea of streaming; kept for later requests."""

    stream: bool
    """Ask for a stream."""
    stream_options: bool = True
    """Ask for usage at the end of a stream."""
    refused_stream: bool = False
    """The server was meant to stream and will not."""
    may_probe: bool = True
    """Whether a stream may be tried after silence."""

    def simplify(self, refused: _Refused, *, probing: bool) -> bool:
        """Drop what the server refused; False when it refused something else."""
        if refused.status not in _REFUSED_STATUS or not (self.stream or probing):
            return False
        if self.stream_options and "stream_options" in refused.reason:
            self.stream_options = False
            return True
        if probing:
            self.may_probe = False
            return True
        if "stream" in refused.reason.lower():
            self.stream, self.refused_stream, self.may_probe = False, True, False
            return True
        return False


class _TryAgain(Exception):
    """An attempt failed in a way that may pass."""

    def __init__(self, reason: str, *, retry_after_s: float | None = None, silent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.silent = silent


class _Refused(Exception):
    """The endpoint will not answer this request, however often it is asked."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


def _failure(status: int, body: object, headers: Mapping[str, str], key: str) -> _TryAgain | _Refused:
    error = body.get("error", body) if isinstance(body, dict) else body
    message, kinds = "", set()
    if isinstance(error, dict):
        message = str(error.get("message") or error.get("detail") or json.dumps(error))
        kinds = {str(error.get("code")), str(error.get("type"))}
    elif error:
        message = str(error)
    # Some servers echo the key they refuse.
    message = _one_line(message.replace(key, "…") if len(key) >= 8 else message)
    reason = f"HTTP {status}" + (f": {message}" if message else "")
    if status in _RETRYABLE_STATUS and not kinds & _NO_QUOTA:
        return _TryAgain(reason, retry_after_s=_retry_after_s(headers))
    return _Refused(reason, status)


def _hint(refused: _Refused, spec: ModelSpec) -> str:
    """How to fix what the endpoint refused."""
    notes = f" Note: {spec.notes}" if spec.notes else ""
    if refused.status == 401:
        return f"Check the key in {spec.key_env}."
    if refused.status == 403:
        return f"Check that the key in {spec.key_env} may use this model."
    if refused.status in (402, 429):
        return f"The account behind {spec.key_env} has no credit left; top it up."
    if refused.status == 404:
        return f"Check the model id, and that the base URL ends where /chat/completions begins (often /v1).{notes}"
    return f"Correct the model's entry in the registry (sampling, max_tokens).{notes}"


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds of a ``Retry-After`` header, which holds seconds or a date; None without a usable one."""
    text = headers.get("retry-after", "").strip()
    try:
        delay_s = float(text)
    except ValueError:
        try:
            delay_s = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return max(0.0, delay_s) if math.isfinite(delay_s) else None


# --- reading replies ------------------------------------------------------------------------------------------


@dataclass
class _Body:
    """A reply in the making, from one JSON object or from many events."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    finish_reason: str = ""
    model_id: str = ""
    usage: dict[str, Any] | None = None

    def add(self, data: Mapping[str, Any], part: str) -> None:
        """Take in a completion (``part`` = ``message``) or one chunk of it (``delta``)."""
        if isinstance(data.get("model"), str):
            self.model_id = data["model"]
        if isinstance(data.get("usage"), dict):
            self.usage = data["usage"]
        choices = data.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        if choice.get("finish_reason"):
            self.finish_reason = str(choice["finish_reason"])
        message = choice.get(part)
        if not isinstance(message, dict):
            return
        self._add_content(message.get("content"))
        # The same text under two names: DeepSeek and older vLLM use the first, OpenRouter and newer vLLM the second.
        reasoning = message.get("reasoning_content") or message.get("reasoning")
        if isinstance(reasoning, str):
            self.reasoning.append(reasoning)

    def _add_content(self, content: object) -> None:
        if isinstance(content, str):
            self.text.append(content)
        elif isinstance(content, list):  # Mistral's reasoning models send typed parts
            for piece in content:
                if isinstance(piece, dict) and piece.get("type") == "thinking":
                    thoughts = piece.get("thinking")
                    inner = thoughts if isinstance(thoughts, list) else [{"text": thoughts}]
                    self.reasoning += [str(t.get("text") or "") for t in inner if isinstance(t, dict)]
                elif isinstance(piece, dict) and isinstance(piece.get("text"), str):
                    self.text.append(piece["text"])


def _from_json(raw: bytes, key: str) -> _Body:
    text = raw.decode("utf-8", errors="replace").strip()
    try:
        data = json.loads(text)
    except ValueError:
        if text.startswith("<"):
            raise _Refused("answered with a web page, not with a completion", 404) from None
        what = "an empty body" if not text else f"no JSON: {_one_line(text)}"
        raise _TryAgain(f"answered with {what}") from None
    if not isinstance(data, dict):
        raise _TryAgain(f"answered with no completion: {_one_line(text)}")
    _raise_error_in(data, key)
    if not isinstance(data.get("choices"), list) or not data["choices"]:
        raise _TryAgain(f"answered without choices: {_one_line(text)}")
    body = _Body()
    body.add(data, "message")
    return body


def _from_events(raw: bytes, key: str) -> _Body:
    """Server-sent events; split by bytes, since str.splitlines would split inside JSON strings."""
    body = _Body()
    done = False
    for line in raw.replace(b"\r\n", b"\n").split(b"\n"):
        if not line.startswith(b"data:"):
            continue  # comments that keep the connection alive, event names, blank lines
        payload = line[5:].strip()
        if payload == b"[DONE]":
            done = True
            break
        try:
            data = json.loads(payload)
        except ValueError:
            raise _TryAgain("the stream broke off within an event") from None
        if isinstance(data, dict):
            _raise_error_in(data, key)
            body.add(data, "delta")
    if not done and not body.finish_reason:
        raise _TryAgain("the stream broke off before its end")
    return body


def _raise_error_in(data: Mapping[str, Any], key: str) -> None:
    """Some endpoints (OpenRouter for one) report errors with status 200, or in the midst of a stream."""
    error = data.get("error")
    if not error:
        return
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 502
    raise _failure(status, data, {}, key)


def _count(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0


def _one_line(text: str) -> str:
    flat = " ".join(text.split()).rstrip(".")
    return flat if len(flat) <= _QUOTED_CHARS else flat[:_QUOTED_CHARS] + "…"


def _root_cause(error: BaseException) -> str:
    """The innermost reason, which is where "Connection refused" stands."""
    while error.__cause__ or (error.__context__ and not error.__suppress_context__):
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return _one_line(str(error)) or type(error).__name__
