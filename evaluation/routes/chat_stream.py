"""The body of a streamed answer, chat or raw completion -> its text as the model wrote it. Pure."""

import json
from collections.abc import Mapping

from agent.engine.chat_server.event_stream import EventStream


class StreamError(Exception):
    """The stream tells an error, or cannot be read; the rest of a sentence says which."""


class ChatStream:
    """Feed it the body as it comes; a body that is one JSON object, from servers that do not stream, too.

    text: untouched; what a server keeps apart from it as thoughts is left out. finish_reason: "" until the
    model has finished. output_tokens: None where the server does not count.
    """

    def __init__(self) -> None:
        self.text = ""
        self.finish_reason = ""
        self.output_tokens: int | None = None
        self.is_over = False
        self._events = EventStream()
        self._whole: bytes | None = b""

    def feed(self, body: bytes) -> None:
        """Raises StreamError."""
        if self._whole is not None:
            self._whole += body
            if self._whole.lstrip()[:1] in (b"", b"{"):
                return
            body, self._whole = self._whole, None
        try:
            events = self._events.feed(body)
        except ValueError:
            raise StreamError("it sent a chunk without an end") from None
        for event in events:
            if event.name == "error":
                raise StreamError("it broke the answer off with an error")
            self._take(event.data.strip())

    def finish(self) -> None:
        """The body has ended. Raises StreamError where the answer had not."""
        if self._whole:
            self._take(self._whole.decode(errors="replace"))
            self._whole, self.is_over = None, True
        if not self.is_over and not self.finish_reason:
            raise StreamError("it broke the answer off")

    def _take(self, content: str) -> None:
        if not content or self.is_over:
            return
        if content == "[DONE]":
            self.is_over = True
            return
        try:
            self._take_chunk(json.loads(content))
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
            raise StreamError("it sent a chunk that cannot be read") from None

    def _take_chunk(self, chunk: Mapping[str, object]) -> None:
        if chunk.get("error"):
            raise StreamError("it broke the answer off with an error")
        usage = chunk.get("usage")
        if isinstance(usage, Mapping) and isinstance(usage.get("completion_tokens"), int):
            self.output_tokens = usage["completion_tokens"]
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            delta = choice.get("delta") or choice.get("message") or choice
            self.text += _written(delta.get("content") or delta.get("text"))
            self.finish_reason = str(choice.get("finish_reason") or self.finish_reason)


def _written(content: object) -> str:
    match content:
        case str():
            return content
        case list():
            return "".join(map(_written, content))
        case {"type": "text" | "output_text", "text": str(text)}:
            return text
        case _:
            return ""
