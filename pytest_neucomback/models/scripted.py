"""A model that answers from a list: for tests, ours and our users'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..types import ModelRequest, Reply
from .protocol import NoMoreReplies


class ScriptedModel:
    """Answers with the next of ``replies``; raises it when it is an exception, ``NoMoreReplies`` after the last.

    ``requests`` collects what was asked, in order.
    """

    cacheable = False

    def __init__(self, replies: Sequence[str | Reply | Exception], name: str = "scripted") -> None:
        self.name = name
        self.requests: list[ModelRequest] = []
        self._replies = list(replies)

    def identity(self) -> dict[str, Any]:
        return {"kind": "scripted", "name": self.name}

    async def complete(self, request: ModelRequest) -> Reply:
        self.requests.append(request)
        if not self._replies:
            raise NoMoreReplies(f"{self.name}: the script has no further reply")
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, Reply) else Reply(text=reply, model_id=self.name)

    async def aclose(self) -> None:
        """Nothing to release."""
