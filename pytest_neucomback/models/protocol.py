"""What every model is to the rest of the plugin, whether an endpoint, a compiler or a folder answers."""

from __future__ import annotations

from typing import Any, Protocol

from ..types import ModelRequest, Reply


class NoMoreReplies(Exception):
    """The model has nothing to add to this conversation: the last verdict stands. Not an error."""


class Model(Protocol):
    """Something that answers conversations.

    One object serves the whole run: ``complete`` is called from one event loop, many times at once.
    """

    @property
    def name(self) -> str:
        """What the user typed after ``--nc-model``; it stands in item ids and reports."""

    @property
    def cacheable(self) -> bool:
        """Whether a reply may be kept and served again: true where it costs money and the request decides it."""

    def identity(self) -> dict[str, Any]:
        """All that decides a reply besides the messages, ready for JSON; the reply cache's key. Holds no secret."""

    async def complete(self, request: ModelRequest) -> Reply:
        """Answer the last message.

        Raises ``ModelUnavailable`` when no reply can be had (the item is then ``unjudged``) and ``NoMoreReplies``
        when the model rests its case.
        """

    async def aclose(self) -> None:
        """Release connections. Called once, in the loop that awaited ``complete``."""
