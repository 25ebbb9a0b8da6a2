"""Any server of the OpenAI chat protocol: vLLM, llama.cpp, Ollama, or a hosted one."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from agent.api import AgentError, TextDelta, ToolCall, Usage
from agent.engine.base import EngineDelta, EngineDone, EngineRequest
from agent.prompt import chat_messages, chat_tool_choice, chat_tools

CONNECT_TIMEOUT_S = 5.0
SILENCE_TIMEOUT_S = 60.0
"""Between two pieces of an answer: a large model may read a long conversation first."""
CONNECTIONS = 100
"""Answers at the same time; more wait SILENCE_TIMEOUT_S for a connection."""
MOST_LINE_BYTES = 1 << 20


class ChatServer:
    """base_url: with or without `/v1`, as people write it. key: "" for a server that wants none.

    Raises ValueError for what is no address.
    """

    hears = False

    def __init__(
        self, base_url: str, model: str, key: str = "", silence_timeout_s: float = SILENCE_TIMEOUT_S
    ) -> None:
        if not _is_address(base_url):
            raise ValueError(f"llm_url is '{base_url}': expected an address like http://localhost:11434/v1.")
        base = base_url.rstrip("/").removesuffix("/chat/completions")
        self._url = f"{base}/chat/completions" if base.endswith("/v1") else f"{base}/v1/chat/completions"
        self._model = model
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(silence_timeout_s, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=CONNECTIONS),
        )

    async def generate(self, request: EngineRequest) -> AsyncGenerator[EngineDelta, None]:
        answer = _Answer()
        try:
            async with self._client.stream("POST", self._url, json=self._body(request)) as response:
                await _refused(response)
                async with aclosing(_lines(response)) as lines:
                    async for line in lines:
                        for text in answer.take(line):
                            yield TextDelta(text)
                        if answer.is_over:
                            break
        except httpx.TimeoutException as error:
            raise AgentError("agent_timeout", "the chat server fell silent") from error
        except httpx.RequestError as error:
            raise AgentError(
                "agent_unavailable", f"the chat server cannot be reached ({type(error).__name__})"
            ) from error
        for call in answer.calls():
            yield call
        yield answer.done()

    def _body(self, request: EngineRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": chat_messages(request.instructions, request.messages),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.tools:
            body["tools"] = chat_tools(request.tools)
            body["tool_choice"] = chat_tool_choice(request.tool_choice)
        if request.max_tokens is not None:
            body["max_tokens"] = request.max_tokens
        # Only what was asked for: top_k and repetition_penalty are vLLM's, and some servers refuse them.
        asked = asdict(request.sampling).items()
        return body | {name: value for name, value in asked if value not in (None, ())}

    async def warm(self, request: EngineRequest) -> None:
        """Nothing: the protocol has no way to read ahead without paying for an answer."""

    async def aclose(self) -> None:
        await self._client.aclose()


@dataclass(slots=True)
class _Call:
    call_id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class _Answer:
    """What the stream has told so far. Arguments of a tool call come in pieces, by its index."""

    def __init__(self) -> None:
        self.is_over = False
        self._calls: dict[int, _Call] = {}
        self._finish_reason = ""
        self._usage: Mapping[str, Any] = {}

    def take(self, line: str) -> list[str]:
        """Add one line of the event stream; return the text that it brings. Raises AgentError."""
        if not line.startswith("data:"):
            return []  # empty lines, comments and other fields of server-sent events
        content = line.removeprefix("data:").strip()
        if content == "[DONE]":
            self.is_over = True
            return []
        try:
            chunk = json.loads(content)
            return self._take_chunk(chunk)
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise AgentError("agent_error", "the chat server sent a chunk that cannot be read") from error

    def _take_chunk(self, chunk: Mapping[str, Any]) -> list[str]:
        if chunk.get("error"):
            raise AgentError("agent_error", "the chat server broke the answer off with an error")
        self._usage = chunk.get("usage") or self._usage
        texts: list[str] = []
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            if delta.get("content"):
                texts.append(str(delta["content"]))
            for position, piece in enumerate(delta.get("tool_calls") or ()):
                # Some servers leave the index out where there is one call.
                self._take_call(int(piece.get("index", position)), piece)
            self._finish_reason = choice.get("finish_reason") or self._finish_reason
        return texts

    def _take_call(self, index: int, piece: Mapping[str, Any]) -> None:
        call = self._calls.setdefault(index, _Call())
        function = piece.get("function") or {}
        call.call_id = piece.get("id") or call.call_id
        call.name = function.get("name") or call.name
        arguments = function.get("arguments")
        if arguments:
            # Ollama sends an object where the protocol says a string.
            call.arguments.append(arguments if isinstance(arguments, str) else json.dumps(arguments))

    def calls(self) -> list[ToolCall]:
        return [
            ToolCall(call.call_id or f"call_{index}", call.name, "".join(call.arguments) or "{}")
            for index, call in sorted(self._calls.items())
            if call.name
        ]

    def done(self) -> EngineDone:
        """Raises AgentError where the stream broke off before it was over."""
        if not self.is_over and not self._finish_reason:
            raise AgentError("agent_unavailable", "the chat server broke the answer off")
        details = self._usage.get("prompt_tokens_details") or {}
        usage = Usage(
            input_text_tokens=int(self._usage.get("prompt_tokens") or 0),
            cached_tokens=int(details.get("cached_tokens") or 0),
            output_text_tokens=int(self._usage.get("completion_tokens") or 0),
        )
        return EngineDone("max_tokens" if self._finish_reason == "length" else "stop", usage)


def _is_address(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.host)


async def _refused(response: httpx.Response) -> None:
    """Raise AgentError for a status that is no answer. The body is not told: it may quote the words."""
    if response.is_success:
        return
    status = response.status_code
    if status in (429, 503):
        raise AgentError("agent_overloaded", f"the chat server is overloaded (HTTP {status})")
    if status in (408, 504):
        raise AgentError("agent_timeout", f"the chat server took too long (HTTP {status})")
    hints = {401: ": check the key", 403: ": check the key", 404: ": check the model's name and the address"}
    raise AgentError(
        "agent_error", f"the chat server refused the request (HTTP {status}{hints.get(status, '')})"
    )


async def _lines(response: httpx.Response) -> AsyncGenerator[str, None]:
    """Lines of the body as they come. Raises AgentError for one that never ends."""
    rest = ""
    async for text in response.aiter_text():
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield line.rstrip("\r")
        if len(rest) > MOST_LINE_BYTES:
            raise AgentError("agent_error", "the chat server sent a line without an end")
    if rest:
        yield rest.rstrip("\r")
