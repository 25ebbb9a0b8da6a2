"""What one session asks of the agent: each call a task, whose events are fed to the core."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress

from agent.api import (
    SPEAKING_HZ,
    Agent,
    AgentError,
    AgentRequest,
    AudioDelta,
    GenerationDone,
    GenerationFailed,
    TranscribeRequest,
)
from realtime.clock import Clock
from realtime.protocol.effects import Transcribe
from realtime.protocol.inputs import FromAgent, Transcribed, TranscriptionError

TRANSCRIBE_WITHIN_S = 30.0
TRANSCRIPTIONS_AT_ONCE = 2
"""Clips of one session that ask the shared recogniser at a time; the others wait for their turn."""
UNTRANSCRIBED_BYTES_MAX = 600 * 32_000
"""Of the clips that wait: ten minutes, twice the longest one. With more, the peer is not read from."""


class AgentCalls:
    """The tasks belong to the group that `begin` is given, and end with it."""

    def __init__(
        self,
        agent: Agent,
        clock: Clock,
        playback_lead_s: float,
        session_id: str,
        feed: Callable[[FromAgent | Transcribed | TranscriptionError], None],
        room: Callable[[], Awaitable[None]],
    ) -> None:
        """room: waits until the client can take more of an answer."""
        self._agent = agent
        self._clock = clock
        self._playback_lead_s = playback_lead_s
        self._session_id = session_id
        self._feed = feed
        self._room = room
        self._answers: dict[str, asyncio.Task[None]] = {}
        self._paused: dict[str, asyncio.Event] = {}  # answers -> what they wait for
        self._warming: asyncio.Task[None] | None = None
        self._transcribing_so_far: asyncio.Task[None] | None = None
        self._transcribing = asyncio.Semaphore(TRANSCRIPTIONS_AT_ONCE)
        self._untranscribed_bytes = 0
        self._transcribed_one = asyncio.Event()

    def start(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks

    @property
    def is_answering(self) -> bool:
        return bool(self._answers)

    def is_generating(self, response_id: str) -> bool:
        return response_id in self._answers

    def answer(self, request: AgentRequest) -> None:
        # What is being warmed goes on: the agent joins it to the answer.
        task = self._tasks.create_task(self._answer(request), name=f"answer {request.response_id}")
        self._answers[request.response_id] = task
        task.add_done_callback(lambda _: self._forget(request.response_id))

    def pause(self, response_id: str) -> None:
        """Take no more events of this answer; its agent works on as far as it may be ahead."""
        self._paused.setdefault(response_id, asyncio.Event())

    def resume(self, response_id: str) -> None:
        resumed = self._paused.pop(response_id, None)
        if resumed is not None:
            resumed.set()

    def stop(self, response_id: str) -> None:
        task = self._answers.pop(response_id, None)
        if task is not None:
            task.cancel()

    def warm(self, request: AgentRequest) -> None:
        if self._warming is not None:
            self._warming.cancel()  # the user went on speaking
        self._warming = self._tasks.create_task(self._agent.warm(request), name="warm")

    def transcribe(self, wanted: Transcribe) -> None:
        if not wanted.is_final:
            if self._transcribing_so_far is None or self._transcribing_so_far.done():
                so_far = self._tasks.create_task(self._transcribe_so_far(wanted), name="transcribe so far")
                self._transcribing_so_far = so_far
            return
        self._untranscribed_bytes += len(wanted.pcm)
        self._tasks.create_task(self._transcribe(wanted), name=f"transcribe {wanted.item_id}")

    async def transcription_room(self) -> None:
        """Wait until there is room for another clip to be recognised."""
        while self._untranscribed_bytes > UNTRANSCRIBED_BYTES_MAX:
            self._transcribed_one.clear()
            await self._transcribed_one.wait()

    def _forget(self, response_id: str) -> None:
        self._answers.pop(response_id, None)
        self._paused.pop(response_id, None)

    async def _answer(self, request: AgentRequest) -> None:
        failure = GenerationFailed("agent_error", "The agent ended its answer without saying so.")
        try:
            if await self._relay(request):
                return
        except AgentError as error:
            failure = GenerationFailed(error.code, error.message)
        self._feed(FromAgent(request.response_id, failure))

    async def _relay(self, request: AgentRequest) -> bool:
        """Pass on the agent's events, no faster than they can be heard; False if it broke off."""
        response_id, is_over = request.response_id, False
        sent_s, first_at = 0.0, 0.0  # first_at: later by the pauses since
        async with aclosing(self._agent.respond(request)) as events:
            async for event in events:
                self._feed(FromAgent(response_id, event))
                await self._room()
                first_at += await self._while_paused(response_id)
                is_over = isinstance(event, GenerationDone | GenerationFailed)
                if isinstance(event, AudioDelta):
                    first_at = first_at if sent_s else self._clock.now()
                    sent_s += len(event.pcm) / (2 * SPEAKING_HZ)
                    ahead_s = first_at + sent_s - self._clock.now()
                    if ahead_s > self._playback_lead_s:
                        await self._clock.sleep(ahead_s - self._playback_lead_s)
        return is_over

    async def _while_paused(self, response_id: str) -> float:
        """How many seconds that took."""
        resumed = self._paused.get(response_id)
        if resumed is None:
            return 0.0
        since = self._clock.now()
        await resumed.wait()
        return self._clock.now() - since

    async def _transcribe_so_far(self, wanted: Transcribe) -> None:
        """Where that fails, the words come when the utterance has ended."""
        request = TranscribeRequest(self._session_id, wanted.pcm, wanted.language)
        with suppress(AgentError, TimeoutError):
            async with asyncio.timeout(TRANSCRIBE_WITHIN_S):
                transcript = await self._agent.transcribe(request)
            self._feed(Transcribed(wanted.item_id, wanted.content_index, transcript, is_final=False))

    async def _transcribe(self, wanted: Transcribe) -> None:
        request = TranscribeRequest(self._session_id, wanted.pcm, wanted.language)
        result: Transcribed | TranscriptionError
        try:
            async with self._transcribing, asyncio.timeout(TRANSCRIBE_WITHIN_S):
                transcript = await self._agent.transcribe(request)
            result = Transcribed(wanted.item_id, wanted.content_index, transcript)
        except AgentError as error:
            result = TranscriptionError(wanted.item_id, wanted.content_index, error.code, error.message)
        except TimeoutError:
            late = "The recogniser took too long."
            result = TranscriptionError(wanted.item_id, wanted.content_index, "agent_timeout", late)
        self._untranscribed_bytes -= len(wanted.pcm)
        self._transcribed_one.set()
        self._feed(result)
