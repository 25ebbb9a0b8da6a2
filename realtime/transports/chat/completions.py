"""`POST /v1/chat/completions`: one answer in text over plain HTTP, for scripts.

A request is no session: it carries its whole conversation, and whoever hangs up aborts the answer.
Reference: OpenAI, "Create chat completion"; WHATWG HTML 9.2, "Server-sent events".
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import msgspec
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from agent.api import (
    REQUEST_FAULTS,
    Agent,
    AgentError,
    AgentRequest,
    AudioDelta,
    GenerationDone,
    GenerationFailed,
    KeepAlive,
    PromptRead,
    SpeechSkipped,
    StageDone,
    TextDelta,
    ToolCall,
    Usage,
)
from realtime.errors import ClientError
from realtime.metrics import Metrics
from realtime.protocol.response import ANSWER_CHARS_MAX
from realtime.session.transport import PeerGone
from realtime.settings import Settings
from realtime.transports.chat.answer import Completion, CompletionChunks, CompletionHead
from realtime.transports.chat.request import ChatRequest, parse_chat
from realtime.transports.http_error import error_body, error_response

logger = logging.getLogger("parlour.chat")

BODY_WITHIN_S = 60.0
"""For the whole body: a peer that sends a byte now and then must not keep its place."""
BODIES_READ_AT_ONCE = 2
"""Their audio is decoded in threads; more of them would only take processor from the sessions."""
RETRY_AFTER_S = 2

_STATUS = {
    "agent_unavailable": 503,
    "agent_overloaded": 503,
    "agent_out_of_memory": 503,
    "agent_timeout": 504,
    **dict.fromkeys(REQUEST_FAULTS, 400),
}
"""Of AgentError's codes; all others are 500."""
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx would hold the words back
]

Pieces = AsyncGenerator[TextDelta | ToolCall | GenerationDone, None]
Refusal = Callable[[Headers], tuple[int, str] | None]


class ChatCompletions:
    """An ASGI app. refusal: None for who may come in, else an HTTP status and a sentence."""

    def __init__(
        self, settings: Settings, agent: Agent, model: str, metrics: Metrics, refusal: Refusal
    ) -> None:
        self._settings = settings
        self._agent = agent
        self._model = model
        self._metrics = metrics
        self._refusal = refusal
        self._open = 0
        self._reading = asyncio.Semaphore(BODIES_READ_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        request = _Request(receive, send, self._settings.slow_peer_s, f"chatcmpl-{secrets.token_hex(12)}")
        try:
            refusal = self._refusal(headers)
            if refusal is not None:
                status, sentence = refusal
                await request.refuse(status, "invalid_api_key" if status == 401 else "forbidden", sentence)
            elif scope["method"] != "POST":
                await request.refuse(405, "method_not_allowed", f"Expected POST, got {scope['method']}.")
            elif self._open >= self._settings.completions_max:
                sentence = f"{self._open} answers are being made, as many as may be at once. Try again soon."
                await request.refuse(429, "too_many_requests", sentence, retry_after_s=RETRY_AFTER_S)
            else:
                await self._attend(headers, request)
        except PeerGone:
            request.outcome = "peer_left"
        finally:
            self._metrics.completions.labels(request.outcome).inc()

    async def _attend(self, headers: Headers, request: "_Request") -> None:
        # The place is taken before the body is read: so their number bounds the memory, too.
        self._open += 1
        self._metrics.completions_open.inc()
        try:
            chat = await self._read(headers, request)
            if chat is not None:
                await self._answer_while_there(chat, request)
        finally:
            self._open -= 1
            self._metrics.completions_open.dec()
            logger.info("chat completion", extra=request.shown())

    async def _read(self, headers: Headers, request: "_Request") -> ChatRequest | None:
        """None for a request that has been refused. Raises PeerGone."""
        try:
            body = await request.body(headers, self._settings.body_mib_max << 20)
            async with self._reading:
                return await asyncio.to_thread(parse_chat, body)
        except _BodyRefused as error:
            await request.refuse(error.status, error.code, error.message)
        except ClientError as error:
            await request.refuse(400, error.code, error.message, error.param)
        return None

    async def _answer_while_there(self, chat: ChatRequest, request: "_Request") -> None:
        request.audio_s = chat.audio_s
        async with asyncio.TaskGroup() as tasks:
            answering = tasks.create_task(self._answer(chat, request), name=f"answer {request.id}")
            leaving = tasks.create_task(request.peer_left(), name=f"peer of {request.id}")
            # ASGI tells of a disconnect also when the answer is complete: the agent is being closed then.
            leaving.add_done_callback(lambda _: None if request.is_over else answering.cancel())
            answering.add_done_callback(lambda _: leaving.cancel())
        if answering.cancelled():
            request.outcome = "peer_left"

    async def _answer(self, chat: ChatRequest, request: "_Request") -> None:
        head = CompletionHead(request.id, int(time.time()), chat.model or self._model)
        try:
            async with aclosing(self._events(chat.for_agent(request.id))) as events:
                if chat.streams:
                    await _stream(CompletionChunks(head, chat.wants_usage), events, request)
                else:
                    await _whole(Completion(head), events, request)
        except AgentError as failure:
            request.outcome = "failed"
            status = _STATUS.get(failure.code, 500)
            if request.is_begun:
                await request.write(_sse(error_body(status, failure.code, failure.message)), last=True)
            else:
                wait_s = RETRY_AFTER_S if status == 503 else None
                await request.respond(
                    error_response(status, failure.code, failure.message, retry_after_s=wait_s)
                )
        except PeerGone:
            request.outcome = "peer_left"

    async def _events(self, request: AgentRequest) -> Pieces:
        """What of the answer a client is given, GenerationDone last. Raises AgentError."""
        wait_s, n_chars = self._settings.agent_first_event_s, 0
        async with aclosing(self._agent.respond(request)) as events:
            while True:
                try:
                    async with asyncio.timeout(wait_s):
                        event = await anext(events)
                except TimeoutError:
                    sentence = f"the agent said nothing for {wait_s:g} s"
                    raise AgentError("agent_timeout", sentence) from None
                except StopAsyncIteration:
                    sentence = "the agent ended without saying that it is done"
                    raise AgentError("agent_error", sentence) from None
                match event:
                    case StageDone() | KeepAlive() | PromptRead() | AudioDelta() | SpeechSkipped():
                        continue
                    case GenerationFailed(code, message):
                        raise AgentError(code, message)
                    case GenerationDone():
                        yield event
                        return
                    case TextDelta(text):
                        n_chars += len(text)
                yield event
                if n_chars > ANSWER_CHARS_MAX:
                    yield GenerationDone("max_tokens")
                    return
                wait_s = self._settings.agent_next_event_s


async def _whole(whole: Completion, events: Pieces, request: "_Request") -> None:
    async for event in events:
        request.note(event)
        if isinstance(event, GenerationDone):
            body = msgspec.json.encode(whole.finished(event))
            await request.respond(Response(body, media_type="application/json"))
        else:
            whole.take(event)


async def _stream(chunks: CompletionChunks, events: Pieces, request: "_Request") -> None:
    async for event in events:
        request.note(event)
        if not request.is_begun:  # only now: until the first event, a failure still gets its status
            await request.begin(200, _STREAM_HEADERS)
            await request.write(_sse(chunks.begun()))
        if isinstance(event, GenerationDone):
            ending = b"".join(map(_sse, chunks.finished(event)))
            await request.write(ending + b"data: [DONE]\n\n", last=True)
        else:
            await request.write(_sse(chunks.of(event)))


def _sse(content: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(content) + b"\n\n"


class _BodyRefused(ClientError):
    """A body that is not read to its end."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code, message)
        self.status = status


class _Request:
    """One request's connection, and what is to be told of it: numbers, never words."""

    def __init__(self, receive: Receive, send: Send, slow_peer_s: float, request_id: str) -> None:
        self.id = request_id
        self.outcome = "internal_error"  # until it is known better
        self.audio_s = 0.0
        self.is_begun = self.is_over = False
        self._receive = receive
        self._send = send
        self._slow_peer_s = slow_peer_s
        self._started = time.perf_counter()
        self._status = 0
        self._first_event_s: float | None = None
        self._usage = Usage()

    async def body(self, headers: Headers, bytes_max: int) -> bytearray:
        """Raises _BodyRefused for one that is too large or too slow, and PeerGone."""
        told = headers.get("content-length", "")
        if told.isdecimal() and int(told) > bytes_max:
            raise _too_large(bytes_max)
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_WITHIN_S):
                while True:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise PeerGone(1001)
                    body += message.get("body", b"")
                    if len(body) > bytes_max:
                        raise _too_large(bytes_max)
                    if not message.get("more_body", False):
                        return body
        except TimeoutError:
            sentence = f"The body did not come within {BODY_WITHIN_S:g} seconds."
            raise _BodyRefused(408, "request_timeout", sentence) from None

    async def peer_left(self) -> None:
        """Wait until the peer has hung up."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def refuse(
        self,
        status: int,
        code: str,
        sentence: str,
        param: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        self.outcome = "refused"
        await self.respond(error_response(status, code, sentence, param, retry_after_s))

    async def respond(self, response: Response) -> None:
        await self.begin(response.status_code, response.raw_headers)
        await self.write(bytes(response.body), last=True)

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.is_begun, self._status = True, status
        headers = [*headers, (b"x-request-id", self.id.encode())]  # as the log has it
        await self._out({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, body: bytes, last: bool = False) -> None:
        self.is_over = last
        await self._out({"type": "http.response.body", "body": body, "more_body": not last})

    async def _out(self, message: Message) -> None:
        """Raises PeerGone, also for a peer that does not read."""
        try:
            async with asyncio.timeout(self._slow_peer_s):
                await self._send(message)
        except (TimeoutError, OSError):
            raise PeerGone(1008, f"the peer has not read for {self._slow_peer_s:g} s") from None

    def note(self, event: TextDelta | ToolCall | GenerationDone) -> None:
        if self._first_event_s is None:
            self._first_event_s = time.perf_counter() - self._started
        if isinstance(event, GenerationDone):
            self.outcome = "completed"
            self._usage = event.usage

    def shown(self) -> dict[str, Any]:
        seconds = {"audio": self.audio_s, "to_first": self._first_event_s, "total": self._elapsed_s()}
        return {
            "request_id": self.id,
            "outcome": self.outcome,
            "status": self._status,
            "seconds": {name: None if value is None else round(value, 3) for name, value in seconds.items()},
            "usage": msgspec.to_builtins(self._usage),
        }

    def _elapsed_s(self) -> float:
        return time.perf_counter() - self._started


def _too_large(bytes_max: int) -> _BodyRefused:
    sentence = (
        f"The body is larger than {bytes_max >> 20} MiB (setting body_mib_max): "
        "send audio as 16 kHz mono, or compressed (mp3, ogg, webm, m4a, flac)."
    )
    return _BodyRefused(413, "request_too_large", sentence)
