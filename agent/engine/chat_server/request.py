"""A conversation -> the request of the OpenAI chat protocol, in the dialect that a server takes. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpx

from agent.api import Message, ToolCallMessage, ToolResultMessage
from agent.engine.base import EngineRequest
from agent.engine.chat_server.call_ids import server_id_of
from agent.prompt import chat_messages, chat_tool_choice, chat_tools

_ENDPOINT = "/chat/completions"
_VERSION = re.compile(r"v\d+[a-z0-9]*")
_ON_ALTERNATION = re.compile(r"alternat|unexpected role|(?:after|last) role")
_ON_SYSTEM_ROLE = re.compile(r"system\W+(?:\w+\W+){0,3}role|role\W+(?:\w+\W+){0,3}system")
_ON_TOOLS = re.compile(
    r"\btools?\b[^.]{0,60}\brequires? --|(?:not|that) support (?:tools?|function)"
    r"|tools? (?:is|are) not supported"
)
"""vLLM and llama.cpp, which want a flag for them; Ollama, whose models may know none; OpenRouter, others."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What of the protocol a server takes.

    usage: numbers of tokens in a stream (`stream_options`). limit: the name of the limit of tokens; OpenAI's
    newer models take the newer one alone. system_role: else the instructions begin the user's first words.
    own_limit: a limit that no client asked for. any_order: else user and assistant alternate, from the user's
    first message to the user's last, calls of tools not counted: templates of Mistral and Gemma want it so.
    """

    usage: bool = True
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    system_role: bool = True
    own_limit: bool = True
    any_order: bool = True


def body_of(
    request: EngineRequest, model: str, dialect: Dialect, own_limit_tokens: int | None = None
) -> dict[str, Any]:
    """request: its messages are those that fit. own_limit_tokens: for a request without a limit."""
    messages = chat_messages(request.instructions, _with_ids_of_server(request.messages))
    if not dialect.any_order:
        messages = _alternating(messages)
    body: dict[str, Any] = {
        "model": model,
        "messages": messages if dialect.system_role else _without_system_role(messages),
        "stream": True,
    }
    if dialect.usage:
        body["stream_options"] = {"include_usage": True}
    if request.tools:
        body["tools"] = chat_tools(request.tools)
        body["tool_choice"] = chat_tool_choice(request.tool_choice)
    limit = request.max_tokens
    if limit is None and dialect.own_limit:
        limit = own_limit_tokens
    if limit is not None:
        body[dialect.limit] = limit
    # Only what was asked for: top_k and repetition_penalty are vLLM's, and some servers refuse them.
    asked = asdict(request.sampling).items()
    return body | {name: value for name, value in asked if value not in (None, ())}


def next_dialect(
    dialect: Dialect, body: dict[str, Any], refusal: str, is_proven: bool, limit_is_own: bool = False
) -> Dialect | None:
    """What to try after a refusal (400, 422 or 500), or None when it is not about the dialect.

    refusal: the response's body, which mostly names what is not taken. is_proven: whether the server has
    answered in this dialect; until then, the usage that nobody asked for may be to blame unnamed.
    limit_is_own: nobody asked for the body's limit of tokens either.
    """
    refusal = refusal.lower()
    if dialect.usage and "stream_options" in refusal:
        return replace(dialect, usage=False)
    if dialect.limit == "max_tokens" and "max_tokens" in body and "max_tokens" in refusal:
        return replace(dialect, limit="max_completion_tokens")
    if limit_is_own and dialect.own_limit and dialect.limit in refusal:
        return replace(dialect, own_limit=False)
    if dialect.any_order and _ON_ALTERNATION.search(refusal):
        return replace(dialect, any_order=False)
    if dialect.system_role and _ON_SYSTEM_ROLE.search(refusal):
        return replace(dialect, system_role=False)
    return replace(dialect, usage=False) if dialect.usage and not is_proven else None


def is_about_tools(body: dict[str, Any], refusal: str) -> bool:
    """Whether a server refuses the body because of its tools, whatever they are."""
    return "tools" in body and _ON_TOOLS.search(refusal.lower().replace("_", " ")) is not None


def _with_ids_of_server(messages: Iterable[Message]) -> list[Message]:
    return [
        replace(message, call_id=server_id_of(message.call_id))
        if isinstance(message, ToolCallMessage | ToolResultMessage)
        else message
        for message in messages
    ]


_GREETING, _WAITING, _GO_ON = "Hello.", "One moment.", "Go on."
"""What one party says where a conversation has nothing of it and a template wants something."""


def _alternating(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    system, *others = messages
    result = [system]
    speaker = "assistant"
    for message in others:
        role = message["role"]
        if role == "user" and speaker == "user":
            result.append({"role": "assistant", "content": _WAITING})  # a tool was called in between
        elif role == "assistant" and speaker == "assistant":
            result.append({"role": "user", "content": _GREETING if len(result) == 1 else _GO_ON})
            speaker = "user"
        result.append(message)
        if role == "user" or (role == "assistant" and not message.get("tool_calls")):
            speaker = role
    if result[-1]["role"] in ("system", "assistant"):
        result.append({"role": "user", "content": _GREETING if len(result) == 1 else _GO_ON})
    return result


def _without_system_role(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    system, *others = messages
    if others and others[0]["role"] == "user":
        first = {"role": "user", "content": f"{system['content']}\n\n{others[0]['content']}"}
        return [first, *others[1:]]
    return [{**system, "role": "user"}, *others]


# Where it goes ------------------------------------------------------------------------


def endpoint(address: str) -> str:
    """The URL to post to. address: as people write it, with or without `/v1`, or the endpoint itself.

    Where it has a version of its own (`/v1beta/openai`, `/api/paas/v4`, `?api-version=`), it is used as it is
    written, as OpenAI's clients use a base URL. Raises ValueError for what is no address.
    """
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"llm_url is '{address}': expected an address like http://localhost:11434/v1.")
    path = url.path.rstrip("/")
    if not path.endswith(_ENDPOINT):
        has_version = "api-version" in url.params or any(map(_VERSION.fullmatch, path.split("/")))
        path += _ENDPOINT if has_version else f"/v1{_ENDPOINT}"
    return str(url.copy_with(path=path))


def models_address(url: str) -> str:
    """Of an endpoint: where its server lists its models."""
    return _beside(url, "/models")


def props_address(url: str) -> str:
    """Of an endpoint: where llama.cpp's server tells its settings, outside of the protocol's own paths."""
    return str(httpx.URL(_beside(url, "")).join("/props"))


def _beside(url: str, path: str) -> str:
    parsed = httpx.URL(url)
    return str(parsed.copy_with(path=parsed.path.removesuffix(_ENDPOINT) + path))


def redirected(url: str, location: str) -> str | None:
    """Where a redirect leads; None for another host or port, where conversation and key must not follow."""
    try:
        old = httpx.URL(url)
        new = old.join(location)
    except httpx.InvalidURL:
        return None
    same = (old.scheme, old.host, old.port) == (new.scheme, new.host, new.port)
    secured = (old.scheme, new.scheme) == ("http", "https") and old.host == new.host and new.port is None
    return str(new) if same or secured else None


def retry_after_s(header: str, now: datetime) -> float | None:
    """Seconds of `Retry-After` (RFC 9110 10.2.3: a number or a date); None where it says nothing of use."""
    try:
        return max(float(header), 0.0) if header.strip().isdecimal() else _until(header, now)
    except (TypeError, ValueError):
        return None


def _until(date: str, now: datetime) -> float:
    at = parsedate_to_datetime(date)
    return max((at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds(), 0.0)
