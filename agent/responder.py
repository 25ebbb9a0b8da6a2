"""Hears, thinks and speaks: a recogniser, an engine and a synthesiser make one agent.

The engine's words go out as they come; clauses of them are spoken at the same time, so that the
first sound leaves long before the last word is decoded.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from agent.api import (
    UNSPEAKABLE_TEXT,
    AgentError,
    AgentEvent,
    AgentRequest,
    AudioDelta,
    AudioPart,
    GenerationDone,
    GenerationFailed,
    Health,
    KeepAlive,
    Message,
    PromptRead,
    SpeechSkipped,
    StageDone,
    TextDelta,
    ToolCall,
    TranscribeRequest,
    Transcript,
    Usage,
    UserMessage,
)
from agent.asr.base import Recogniser
from agent.engine.base import ANSWER_TOKENS_MAX, Engine, EngineDelta, EngineDone, EngineRequest
from agent.error_location import place
from agent.history import well_formed
from agent.prompt import said_by_user
from agent.tts.base import Synthesiser
from agent.tts.clauses import ClauseCutter

log = logging.getLogger(__name__)

EVENTS_AHEAD = 64
"""Events that may wait for a slow reader; when full, decoding and speaking wait."""
CLAUSES_AHEAD = 32
"""Clauses that may wait for the voice; when full, decoding waits."""


Generate = Callable[[EngineRequest], AsyncGenerator[EngineDelta, None]]

SPOKEN_CHARS_PER_S = 15
"""Of a voice at its usual pace."""


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """Of an answer whose length no client limits. spoken_s: seconds of speech, about."""

    tokens: int = ANSWER_TOKENS_MAX
    spoken_s: float = 180.0


class Responder:
    """An `agent.api.Agent`. Owns its three parts and closes them.

    clock: seconds, monotonic; for the durations of stages. check: brings the health up to date where the
    engine depends on something that comes and goes. analysis: takes a conversation whose speech has been
    recognised and the engine's way to answer it; returns that, or another for a question about a clip.
    """

    def __init__(
        self,
        engine: Engine,
        recogniser: Recogniser,
        synthesiser: Synthesiser,
        health: Health,
        clock: Callable[[], float] = time.perf_counter,
        limits: AnswerLimits | None = None,
        check: Callable[[Health], Awaitable[Health]] | None = None,
        analysis: Callable[[Sequence[Message], Generate], Generate] | None = None,
    ) -> None:
        self._limits = limits or AnswerLimits()
        self._check = check
        self._analysis = analysis
        self._engine = engine
        self._recogniser = recogniser
        self._synthesiser = synthesiser
        self._health = replace(health, voices=synthesiser.voices, transcribes=True)
        self._clock = clock

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        # A queue and a task of this generator's own: decoding and speaking go on while the reader
        # is busy, and both end before the generator does.
        events: asyncio.Queue[AgentEvent] = asyncio.Queue(EVENTS_AHEAD)
        answer = asyncio.create_task(self._answer(request, events), name=f"answer {request.response_id}")
        try:
            while True:
                event = await events.get()
                yield event
                if isinstance(event, GenerationDone | GenerationFailed):
                    return
        finally:
            answer.cancel()
            await asyncio.wait({answer})

    async def _answer(self, request: AgentRequest, events: asyncio.Queue[AgentEvent]) -> None:
        """Put the whole answer into `events`, the last event included."""
        last: GenerationDone | GenerationFailed
        try:
            last = await self._last_event(request, events)
        except AgentError as failure:
            last = GenerationFailed(failure.code, failure.message)
        except MemoryError:
            last = GenerationFailed("agent_out_of_memory", "the agent ran out of memory")
        except Exception as bug:  # noqa: BLE001 - the answer must end all the same, and the bug be told
            log.error("an answer ended in a bug: %s", place(bug))
            last = GenerationFailed("agent_error", "internal error")
        await events.put(last)

    async def _last_event(self, request: AgentRequest, events: asyncio.Queue[AgentEvent]) -> GenerationDone:
        generate: Generate = self._engine.generate
        messages: tuple[Message, ...] | None = request.messages
        if request.verbatim:
            generate = partial(_verbatim, request.verbatim)
        else:
            messages = await self._heard(request, events)
        if messages is None:
            return GenerationDone("no_words")
        if self._analysis is not None and not request.verbatim:
            generate = self._analysis(messages, generate)
        is_limited = request.max_output_tokens is not None or bool(request.verbatim)
        chars_max = math.inf if is_limited else self._limits.spoken_s * SPOKEN_CHARS_PER_S
        decoding = _Decoding(
            generate, self._engine_request(request, messages), events, self._clock, chars_max
        )
        if request.modality == "text":
            return await decoding.run(None)
        clauses: asyncio.Queue[str | None] = asyncio.Queue(CLAUSES_AHEAD)
        try:
            async with asyncio.TaskGroup() as group:
                speaking = group.create_task(
                    self._speak(request, clauses, events), name=f"speech {request.response_id}"
                )
                done = await decoding.run(clauses)
        except ExceptionGroup as failures:
            # Decoding and speaking fail one at a time: the first one has ended the other.
            raise failures.exceptions[0] from None
        if speaking.result() == "unspeakable" and not decoding.has_called_a_tool:
            raise AgentError(UNSPEAKABLE_TEXT, "the voice cannot say the answer: it is in another language")
        return done

    async def _heard(
        self, request: AgentRequest, events: asyncio.Queue[AgentEvent] | None
    ) -> tuple[Message, ...] | None:
        """The conversation with every transcript; None when the user's last audio holds no words."""
        if self._engine.hears:
            return request.messages
        started = self._clock()
        wanted = any(_unheard(message) for message in request.messages)
        messages = [await self._transcribed(message) for message in request.messages]
        if wanted and events is not None:
            await events.put(StageDone("recognition", (self._clock() - started) * 1000.0))
        last = next((message for message in reversed(messages) if isinstance(message, UserMessage)), None)
        is_answered = not messages or messages[-1] is not last
        if last is not None and not is_answered and _is_spoken(last) and not said_by_user(last):
            return None
        return tuple(messages)

    async def _transcribed(self, message: Message) -> Message:
        if not _unheard(message) or not isinstance(message, UserMessage):
            return message
        parts = [
            AudioPart(part.pcm, (await self._recogniser.recognise(part.pcm)).text)
            if isinstance(part, AudioPart) and part.transcript is None
            else part
            for part in message.parts
        ]
        return UserMessage(tuple(parts))

    async def _speak(
        self, request: AgentRequest, clauses: asyncio.Queue[str | None], events: asyncio.Queue[AgentEvent]
    ) -> Literal["spoken", "silent", "unspeakable"]:
        """Return "unspeakable" where all that there was to say is in letters that the voice cannot say."""
        first_clause_at: float | None = None

        async def taken() -> AsyncIterator[str]:
            nonlocal first_clause_at
            while (clause := await clauses.get()) is not None:
                if first_clause_at is None:
                    first_clause_at = self._clock()
                yield clause

        outcome: Literal["spoken", "silent", "unspeakable"] = "silent"
        async with aclosing(self._synthesiser.synthesise(taken(), request.voice, request.speed)) as speech:
            async for piece in speech:
                if isinstance(piece, SpeechSkipped):
                    await events.put(piece)
                    if outcome == "silent":
                        outcome = "unspeakable"
                    continue
                if outcome != "spoken" and first_clause_at is not None:
                    await events.put(StageDone("synthesis", (self._clock() - first_clause_at) * 1000.0))
                outcome = "spoken"
                await events.put(AudioDelta(piece.pcm, piece.text_end))
        return outcome

    async def transcribe(self, request: TranscribeRequest) -> Transcript:
        heard = await self._recogniser.recognise(request.pcm, request.language or "")
        return Transcript(heard.text, heard.duration_s)

    async def warm(self, request: AgentRequest) -> None:
        try:
            messages = await self._heard(request, None)
            if messages is not None:
                await self._engine.warm(self._engine_request(request, messages))
        except AgentError:
            return  # only a hint: `respond` meets the same fault, and tells it

    def _engine_request(self, request: AgentRequest, messages: tuple[Message, ...]) -> EngineRequest:
        return EngineRequest(
            request.session_id,
            request.instructions,
            well_formed(messages, self._engine.hears),
            request.tools,
            request.tool_choice,
            request.max_output_tokens,
            request.sampling,
            request.truncation,
            self._limits.tokens,
        )

    async def health(self) -> Health:
        return self._health if self._check is None else await self._check(self._health)

    async def aclose(self) -> None:
        await self._engine.aclose()
        await self._recogniser.aclose()
        await self._synthesiser.aclose()


class _Decoding:
    """Passes one answer of the engine on: words to the reader, clauses to the voice."""

    def __init__(
        self,
        generate: Generate,
        request: EngineRequest,
        events: asyncio.Queue[AgentEvent],
        clock: Callable[[], float],
        spoken_chars_max: float,
    ) -> None:
        self._spoken_chars_left = spoken_chars_max
        self._generate = generate
        self._request = request
        self._events = events
        self._clock = clock
        self._cutter = ClauseCutter()
        self._first_token_at: float | None = None
        self._first_clause_is_out = False
        self.has_called_a_tool = False

    async def run(self, clauses: asyncio.Queue[str | None] | None) -> GenerationDone:
        """clauses: takes what is to be spoken, then None; or None when nothing is."""
        started = self._clock()
        async with aclosing(self._generate(self._request)) as deltas:
            async for delta in deltas:
                if self._first_token_at is None and not isinstance(delta, KeepAlive | PromptRead):
                    self._first_token_at = self._clock()
                    await self._stage("prefill", started, self._first_token_at)
                match delta:
                    case TextDelta(text):
                        await self._events.put(delta)
                        await self._speak(self._cutter.push(text), clauses)
                        if self._spoken_chars_left <= 0:
                            return await self._ended(clauses, GenerationDone("max_tokens"))
                    case KeepAlive() | PromptRead():
                        await self._events.put(delta)
                    case ToolCall():
                        self.has_called_a_tool = True
                        await self._events.put(delta)
                    case EngineDone(reason, usage, input_was_cut):
                        await self._speak(self._cutter.finish(), clauses)
                        return await self._ended(clauses, GenerationDone(reason, usage, input_was_cut))
        raise AgentError("agent_error", "the engine ended without saying that it is done")

    async def _ended(self, clauses: asyncio.Queue[str | None] | None, done: GenerationDone) -> GenerationDone:
        if clauses is not None:
            await clauses.put(None)
        return done

    async def _speak(self, cut: list[str], clauses: asyncio.Queue[str | None] | None) -> None:
        for clause in cut:
            if not self._first_clause_is_out and self._first_token_at is not None:
                self._first_clause_is_out = True
                await self._stage("decode", self._first_token_at, self._clock())
            if clauses is not None:
                self._spoken_chars_left -= len(clause)
                await clauses.put(clause)

    async def _stage(self, stage: str, start: float, end: float) -> None:
        await self._events.put(StageDone(stage, (end - start) * 1000.0))


async def _verbatim(text: str, _: EngineRequest) -> AsyncGenerator[EngineDelta, None]:
    """An engine that knows its answer."""
    yield TextDelta(text)
    yield EngineDone("stop", Usage())


def _unheard(message: Message) -> bool:
    return isinstance(message, UserMessage) and any(
        isinstance(part, AudioPart) and part.transcript is None for part in message.parts
    )


def _is_spoken(message: UserMessage) -> bool:
    return any(isinstance(part, AudioPart) for part in message.parts)
