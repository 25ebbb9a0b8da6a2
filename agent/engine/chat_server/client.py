"""Any server of the OpenAI chat protocol: vLLM, llama.cpp, Ollama, or a hosted one."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx

from agent.api import AgentError, Health, TextDelta, ToolCall, ToolCallMessage
from agent.engine.base import EngineDelta, EngineRequest
from agent.engine.chat_server.answer import Answer, ErrorInStream
from agent.engine.chat_server.call_ids import CallIds
from agent.engine.chat_server.context import (
    Context,
    ContextRefusal,
    context_of_models,
    context_of_props,
    context_refusal,
    corrected,
    estimate,
    learned,
)
from agent.engine.chat_server.keep_alive import EVERY_S, with_keep_alives
from agent.engine.chat_server.presence import Presence
from agent.engine.chat_server.request import (
    Dialect,
    body_of,
    endpoint,
    is_about_tools,
    models_address,
    next_dialect,
    props_address,
    redirected,
    retry_after_s,
)
from agent.history import Fitted

CONNECTIONS = 100
"""Answers at the same time; more wait `silence_s` for a connection."""
REFUSAL_BYTES_MAX = 1 << 16
REDIRECTS_MAX = 3
CONTEXT_TRIES = 3
"""Requests that are sent again, each time with less, when a server does not say how much it takes."""
LISTING_BYTES_MAX = 1 << 22
RETRY_S_MIN = 0.5
"""Before a request is sent again, also where the server says at once."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds.

    silence_s: until a server that sends nothing at all is given up; a large model may have to be loaded, or
    read a long conversation first. thinking_s: without a word for the listener, though the server lives.
    retry_s: for all requests together that a server asks to send again later. finish_s: for what may follow
    the end of an answer (numbers of tokens), since some servers never close the connection.
    """

    connect_s: float = 5.0
    silence_s: float = 60.0
    thinking_s: float = 120.0
    retry_s: float = 20.0
    finish_s: float = 1.0
    about_s: float = 3.0
    keep_alive_s: float = EVERY_S


class ChatServer:
    """address: see `endpoint`. key: "" for a server that wants none.

    What the server refuses of the protocol is found out with its first answer and kept to from then on.
    Raises ValueError for what is no address.
    """

    hears = False

    def __init__(
        self,
        address: str,
        model: str,
        key: str = "",
        timeouts: Timeouts | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        context_tokens: int = 0,
    ) -> None:
        """context_tokens: that are used at the most; 0: as many as the server says, or does not refuse."""
        self._url = endpoint(address)
        self._model = model
        self._timeouts = timeouts or Timeouts()
        self._sleep = sleep
        self._dialect, self._is_proven = Dialect(), False
        self._context, self._context_is_asked = Context(context_tokens or None), False
        self._presence = Presence(self._url, time.monotonic)
        self._call_ids = CallIds(lambda: secrets.token_hex(4))
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(self._timeouts.silence_s, connect=self._timeouts.connect_s),
            limits=httpx.Limits(max_connections=CONNECTIONS),
        )

    async def generate(self, request: EngineRequest) -> AsyncGenerator[EngineDelta, None]:
        waits = self._timeouts
        async with aclosing(
            with_keep_alives(self._answer(request), waits.thinking_s, waits.keep_alive_s)
        ) as deltas:
            async for delta in deltas:
                yield delta

    async def warm(self, request: EngineRequest) -> None:
        """Nothing: the protocol has no way to read ahead without paying for an answer."""

    async def checked(self, health: Health) -> Health:
        """What is known of the server by now: whether it can be reached, and how much it reads."""
        if await self._presence.is_away():
            return replace(health, status="away", detail=self._presence.sentence)
        return replace(health, instructions_bytes_max=self._context.instructions_bytes_max)

    async def ask_for_context(self) -> None:
        """Once, when the server is there. What it does not say, its refusals do."""
        if self._context_is_asked:
            return
        try:
            tokens = context_of_models(await self._about(models_address(self._url)), self._model)
            tokens = tokens or context_of_props(await self._about(props_address(self._url)))
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return
        except httpx.HTTPError:
            tokens = None
        self._context_is_asked = True
        if not self._context.has_refused:
            known = [number for number in (self._context.tokens, tokens) if number]
            self._context = replace(self._context, tokens=min(known, default=None))

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _about(self, url: str) -> object:
        """A JSON page of the server; None where it is none. Raises httpx.HTTPError."""
        try:
            async with (
                asyncio.timeout(self._timeouts.about_s),
                self._client.stream("GET", url) as response,
            ):
                page = await _beginning(response, LISTING_BYTES_MAX)
                return json.loads(page) if response.is_success else None
        except (TimeoutError, ValueError, RecursionError):
            return None

    async def _answer(self, request: EngineRequest) -> AsyncGenerator[EngineDelta, None]:
        for tries_left in reversed(range(CONTEXT_TRIES)):
            has_begun = False
            try:
                async with aclosing(self._attempt(request)) as deltas:
                    async for delta in deltas:
                        has_begun = True
                        yield delta
                return
            except ErrorInStream as error:
                # LM Studio, OpenRouter: first 200, and then that it is too long.
                refusal = None if has_begun else context_refusal(400, error.told)
                n_before = CONTEXT_TRIES - 1 - tries_left
                if refusal is None or not self._learn_context(request, refusal, n_before):
                    raise
                if tries_left == 0 or request.truncation.retention_ratio is None:
                    raise _too_long(200) from error

    async def _attempt(self, request: EngineRequest) -> AsyncGenerator[EngineDelta, None]:
        answer = Answer(frozenset(tool.name for tool in request.tools))
        try:
            async with (
                self._response(request) as (response, made),
                aclosing(self._body(response, answer)) as body,
            ):
                async for piece in body:
                    if text := answer.feed(piece):
                        yield TextDelta(text)
                    if answer.is_over:
                        break
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self._presence.seen(is_away=True)
            raise AgentError("agent_unavailable", self._presence.sentence) from error
        except httpx.TimeoutException as error:
            sentence = f"the chat server fell silent for {self._timeouts.silence_s:g} s"
            raise AgentError("agent_timeout", sentence) from error
        except httpx.RequestError as error:
            raise AgentError(
                "agent_unavailable", f"the chat server cannot be reached ({type(error).__name__})"
            ) from error
        if text := answer.finish():
            yield TextDelta(text)
        in_use = {message.call_id for message in request.messages if isinstance(message, ToolCallMessage)}
        for call in answer.calls():
            call_id = self._call_ids.own(request.conversation_id, call.server_id, in_use)
            yield ToolCall(call_id, call.name, call.arguments)
        done = answer.done()
        estimated = estimate(request.instructions, request.tools, made.messages)
        self._context = corrected(self._context, estimated, done.usage.input_text_tokens)
        yield replace(done, input_was_cut=made.is_cut)

    async def _body(self, response: httpx.Response, answer: Answer) -> AsyncGenerator[bytes, None]:
        """The body's bytes as they come, until there are no more or the answer has long finished."""
        pieces = response.aiter_bytes()
        while True:
            try:
                async with asyncio.timeout(self._timeouts.finish_s if answer.has_finished else None):
                    yield await anext(pieces)
            except (StopAsyncIteration, TimeoutError):
                return

    def _learn_context(self, request: EngineRequest, refusal: ContextRefusal, refused_before: int) -> bool:
        """request: what was refused, as the client made it. Return whether less is sent from now on."""
        before = self._context
        sent = before.fit(request).messages
        estimated = estimate(request.instructions, request.tools, sent)
        self._context = learned(before, refusal, estimated, before.answer_tokens(request), refused_before)
        return self._context != before

    @asynccontextmanager
    async def _response(self, request: EngineRequest) -> AsyncIterator[tuple[httpx.Response, Fitted]]:
        """A response with a body to be read as an answer, and what of the conversation it answers.

        Raises AgentError, and what httpx raises.
        """
        await self.ask_for_context()
        dialect, url, redirects, waited_s, context_tries = self._dialect, self._url, 0, 0.0, 0
        while True:
            made = self._context.fit(request)
            limit = self._context.answer_tokens(request)
            asked_limit = None if request.max_tokens is None else limit
            sent = replace(request, messages=made.messages, max_tokens=asked_limit)
            body = body_of(sent, self._model, dialect, limit)
            async with self._client.stream("POST", url, json=body) as response:
                self._presence.seen(is_away=False)
                if response.is_success:
                    self._dialect, self._is_proven = dialect, True
                    yield response, made
                    return
                refusal = await _beginning(response, REFUSAL_BYTES_MAX)
            wait_s = _asked_to_wait_s(response)
            if wait_s is not None and waited_s + wait_s <= self._timeouts.retry_s:
                await self._sleep(wait_s)
                waited_s += wait_s
                continue
            if response.has_redirect_location and redirects < REDIRECTS_MAX:
                elsewhere = redirected(url, response.headers["location"])
                if elsewhere is not None:
                    url, redirects = elsewhere, redirects + 1
                    continue
            status = response.status_code
            exceeded = context_refusal(status, refusal) if status in (400, 413, 422, 500) else None
            if exceeded is not None and self._learn_context(request, exceeded, context_tries):
                context_tries += 1
                if request.truncation.retention_ratio is not None and context_tries < CONTEXT_TRIES:
                    continue
                raise _too_long(status)
            if status in (400, 404, 422, 500) and is_about_tools(body, refusal):
                raise _without_tools(status)
            if status in (400, 422, 500):
                is_proven = self._is_proven or status == 500
                other = next_dialect(dialect, body, refusal, is_proven, limit_is_own=asked_limit is None)
                if other is not None:
                    dialect = other
                    continue
            raise _refused(response)


def _asked_to_wait_s(response: httpx.Response) -> float | None:
    """How long a server that is busy, or loads its model, asks to wait."""
    if response.status_code not in (429, 503):
        return None
    wait_s = retry_after_s(response.headers.get("retry-after", ""), datetime.now(UTC))
    return None if wait_s is None else max(wait_s, RETRY_S_MIN)


async def _beginning(response: httpx.Response, bytes_max: int) -> str:
    """The body, or enough of it to know what is refused."""
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > bytes_max:
            break
    return body.decode(errors="replace")


def _too_long(status: int) -> AgentError:
    sentence = f"The conversation is longer than the chat server's model reads (HTTP {status})."
    return AgentError("context_length_exceeded", sentence)


def _without_tools(status: int) -> AgentError:
    sentence = (
        f"The chat server takes no tools (HTTP {status}): choose a model that calls them; vLLM wants "
        "--enable-auto-tool-choice and --tool-call-parser, llama.cpp --jinja."
    )
    return AgentError("invalid_value", sentence)


def _refused(response: httpx.Response) -> AgentError:
    """What a status means that is no answer. The body is not told: it may quote the words."""
    status = response.status_code
    if status in (429, 503):
        return AgentError("agent_overloaded", f"the chat server is overloaded (HTTP {status})")
    if status in (408, 504):
        return AgentError("agent_timeout", f"the chat server took too long (HTTP {status})")
    hints = {401: ": check the key", 403: ": check the key", 404: ": check the model's name and the address"}
    hint = hints.get(status, "")
    if response.has_redirect_location:
        hint = ": it leads to another host, check the address"
    return AgentError("agent_error", f"the chat server refused the request (HTTP {status}{hint})")
