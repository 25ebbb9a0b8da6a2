"""The body of a chat server's response -> the answer: text, calls of tools, how it ended. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from agent.api import AgentError, Usage
from agent.engine.base import EngineDone
from agent.engine.chat_server.event_stream import EVENT_BYTES_MAX, EventStream, ServerSentEvent
from agent.engine.chat_server.thoughts import VisibleText, WholeCharacters
from agent.engine.chat_server.tool_calls import PartialCall, ToolCallPieces, json_object, written_call

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ErrorInStream(AgentError):
    """The server broke its answer off. told: its own words, which may quote the conversation: never shown."""

    def __init__(self, told: str) -> None:
        super().__init__("agent_error", "the chat server broke the answer off with an error")
        self.told = told


class Answer:
    """Feed it the body as it comes, a stream or (from servers that do not stream) one JSON object.

    is_over: nothing more will come. has_finished: the model has; only numbers may follow, and some servers
    then keep the connection open. tool_names: those that a call left in the text may have.
    """

    def __init__(self, tool_names: frozenset[str] = frozenset()) -> None:
        self.is_over = False
        self._tool_names = tool_names
        self._events = EventStream()
        self._unstreamed: bytes | None = b""  # the body, while it is or may be no stream
        self._characters = WholeCharacters()
        self._visible = VisibleText()
        self._calls = ToolCallPieces()
        self._old_call = ToolCallPieces()
        self._finish_reason = ""
        self._usage: Mapping[str, Any] = {}
        self._has_content = False

    @property
    def has_finished(self) -> bool:
        return bool(self._finish_reason)

    def feed(self, body: bytes) -> str:
        """Return the text for the listener that these bytes bring, "" for none.

        Raises AgentError for an error that the server tells, and for what cannot be read.
        """
        if self._unstreamed is not None:
            self._unstreamed += body
            content = self._unstreamed.removeprefix(_BYTE_ORDER_MARK).lstrip()
            # By the first sign, not by the header, which some servers get wrong: no event stream begins so.
            if not content or content.startswith(b"{") or _BYTE_ORDER_MARK.startswith(content):
                if len(self._unstreamed) > EVENT_BYTES_MAX:
                    raise AgentError("agent_error", "the chat server sent an answer without an end")
                return ""
            body, self._unstreamed = self._unstreamed, None
        try:
            events = self._events.feed(body)
        except ValueError:
            raise AgentError("agent_error", "the chat server sent a chunk without an end") from None
        return "".join(text for event in events for text in self._take(event))

    def finish(self) -> str:
        """The body has ended, or is no longer waited for: return the last text for the listener.

        Raises AgentError, also where the answer broke off before it was over.
        """
        text = ""
        if self._unstreamed:
            text = "".join(self._take(ServerSentEvent(self._unstreamed.decode("utf-8-sig", "replace"))))
            self.is_over = True
        if not self.is_over and not self.has_finished:
            raise AgentError("agent_unavailable", "the chat server broke the answer off")
        return text + self._visible.finish()

    def calls(self) -> list[PartialCall]:
        """Raises AgentError for arguments that are no JSON object: no client could use them."""
        written = [written_call(content, self._tool_names) for content in self._visible.written_calls]
        is_cut = self._finish_reason == "length"
        calls = [*self._calls.whole(is_cut), *self._old_call.whole(is_cut), *filter(None, written)]
        if is_cut:
            return [call for call in calls if json_object(call.arguments) is not None]  # the last may be cut
        if any(json_object(call.arguments) is None for call in calls):
            raise AgentError("agent_error", "the model called a tool with arguments that are no JSON object")
        return calls

    def done(self) -> EngineDone:
        details = self._usage.get("prompt_tokens_details")
        usage = Usage(
            input_text_tokens=_count(self._usage, "prompt_tokens"),
            cached_tokens=_count(details, "cached_tokens"),
            output_text_tokens=_count(self._usage, "completion_tokens"),
        )
        return EngineDone("max_tokens" if self._finish_reason == "length" else "stop", usage)

    def _take(self, event: ServerSentEvent) -> Iterator[str]:
        if self.is_over:
            return
        content = event.data.strip()
        if event.name == "error":
            raise ErrorInStream(content)
        if content == "[DONE]":
            self.is_over = True
        elif content and (event.name in ("", "message") or json_object(content) is not None):
            try:
                yield from self._take_chunk(json.loads(content))
            except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
                raise AgentError("agent_error", "the chat server sent a chunk that cannot be read") from error

    def _take_chunk(self, chunk: Mapping[str, Any]) -> Iterator[str]:
        if chunk.get("error") or "error" in (chunk.get("object"), chunk.get("type")):
            raise ErrorInStream(json.dumps(chunk))
        usage = chunk.get("usage")
        if isinstance(usage, Mapping):
            self._usage = usage
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue  # one answer was asked for: what else comes is not part of it
            delta = choice.get("delta") or {}
            message = choice.get("message")
            if message and not delta and not self._has_content:
                delta = message  # whole; after deltas it only says them again
            yield self._text(delta)
            for place, piece in enumerate(delta.get("tool_calls") or ()):
                self._has_content = True
                self._calls.take(piece, place)
            if delta.get("function_call"):  # before there were tools
                self._has_content = True
                self._old_call.take({"function": delta["function_call"]}, 0)
            self._finish_reason = str(choice.get("finish_reason") or self._finish_reason)
            if self._finish_reason == "error":
                raise ErrorInStream("")

    def _text(self, delta: Mapping[str, Any]) -> str:
        text = _written(delta.get("content")) or _written(delta.get("refusal"))
        self._has_content |= bool(text)
        return self._visible.push(self._characters.push(text))


def _written(content: object) -> str:
    """Text alone of a content: parts that are thoughts, and whatever else there may be, are left out."""
    match content:
        case str():
            return content
        case list():
            return "".join(map(_written, content))
        case {"type": "text" | "output_text" | "refusal", **part}:
            return _written(part.get("text") or part.get("refusal"))
        case _:
            return ""


def _count(usage: object, name: str) -> int:
    """A number of tokens, which servers send as a number, as text or not at all."""
    try:
        return max(int(float(usage[name])), 0) if isinstance(usage, Mapping) else 0
    except (LookupError, TypeError, ValueError, OverflowError):
        return 0
