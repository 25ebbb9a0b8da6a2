"""One clip said to a realtime server, and all that comes of it, heard out. Over any wire."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

from evaluation.record import Answer
from evaluation.routes.live_options import LiveOptions, prompt_events
from evaluation.routes.live_turns import Event, LiveTurns
from evaluation.routes.pcm import s16le, speech_end_s
from evaluation.routes.route import SAMPLE_HZ, Failure, Question

FRAME_S = 0.02
SETTLED_S = 1.0
"""Of silence after a clip: whoever was heard to speak in it, was by then."""
SILENCE_S = 12.0
"""Of silence at the most, until the server has ended the turn: a semantic detector takes up to eight."""
SILENT_SERVER_S = 60.0
"""No event for so long, while an answer is due, and the server is given up."""


class Wire(Protocol):
    """A connection with its session. Its methods raise LiveError once it is lost."""

    async def send(self, event: dict[str, Any]) -> None: ...

    async def say(self, pcm: bytes, at_once: bool = False) -> Sequence[float]:
        """Say it at the pace of speech, each call after the other, and return once it was sent.

        pcm: s16le at 16 kHz, whole frames but for the last call with a clip. Returns when each FRAME_S of it
        was sent, by the loop's clock. at_once: as fast as it is taken, where the wire can.
        """
        ...

    def events(self) -> AsyncIterator[Event]:
        """All that come. Ends or raises LiveError when the connection does."""
        ...


class LiveError(Exception):
    """There is no answer to this clip."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class LiveSession:
    """Asks one question on a wire that is new, and is closed afterwards by whoever opened it."""

    def __init__(self, wire: Wire, question: Question, options: LiveOptions) -> None:
        self._wire = wire
        self._question = question
        self._options = options
        prompt = question.sample.prompt if not options.transcribes else ""
        self._prompt = prompt
        self._answers_turns = not (options.transcribes or prompt or options.turn_detection == "none")
        self._turns = LiveTurns(self._answers_turns, options.transcribes)
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._failure: Failure | None = None
        self._asked_at: float | None = None

    async def answer(self) -> Answer:
        """Raises LiveError."""
        answer = None
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(self._listen(), name="server events")
            try:
                answer = await self._ask()
            except LiveError as error:
                self._failure = self._failure or error.failure
            finally:
                listening.cancel()
        if answer is None:
            raise LiveError(self._failure or Failure("the session ended", is_transient=True))
        return answer

    async def _ask(self) -> Answer:
        began = self._loop.time()
        await self._until(lambda: self._turns.is_open)
        await self._wire.send({"type": "session.update", "session": self._session()})
        await self._until(lambda: self._turns.n_updated == 1)
        times = await self._wire.say(s16le(self._question.pcm), at_once=self._options.fast)
        if self._options.turn_detection == "none":
            await self._wire.send({"type": "input_audio_buffer.commit"})
            await self._until(lambda: self._turns.n_turns > 0)
            if not self._options.transcribes:
                await self._request(prompt_events(self._prompt) if self._prompt else _RESPONSE)
        else:
            await self._be_silent()
            if self._prompt and self._turns.n_turns:
                await self._request(prompt_events(self._prompt))
        await self._until(lambda: self._turns.is_settled)
        return self._made(began, times)

    def _session(self) -> dict[str, Any]:
        return self._options.session(self._question.sample)

    async def _request(self, events: Sequence[dict[str, Any]]) -> None:
        self._turns.expect_response()
        self._asked_at = self._loop.time()
        for event in events:
            await self._wire.send(event)

    async def _be_silent(self) -> None:
        """Until the server has ended its last turn, or has heard none in all of the clip."""
        await self._wire.say(_silence(SETTLED_S), at_once=self._options.fast)
        # The server takes events in order: once it has come to this one, it has heard the clip.
        await self._wire.send({"type": "session.update", "session": {"type": self._session()["type"]}})
        await self._until(lambda: self._turns.n_updated == 2)
        for _ in range(round((SILENCE_S - SETTLED_S) / _STEP_S)):
            if not self._turns.in_speech:
                return
            await self._wire.say(_silence(_STEP_S))
            self._check()
        raise LiveError(Failure(f"the server ended no turn within {SILENCE_S:g} s of silence"))

    def _made(self, began: float, times: Sequence[float]) -> Answer:
        turns, response = self._turns, self._turns.last_response
        end_s = speech_end_s(self._question.pcm)
        spoken_at = times[min(round(end_s / FRAME_S), len(times)) - 1] if times else began
        asked_at = self._asked_at or turns.committed_at
        measures = {
            "turns": float(turns.n_turns),
            "speech_missed": float(not turns.n_turns),
            "session_s": self._loop.time() - began,
        }
        if self._options.is_timed:
            told = {
                "endpoint_delay_ms": turns.stopped_at,
                "transcript_delay_ms": turns.transcribed_at if self._options.transcribes else None,
                # A typed prompt is no end of speech: its answer is timed by its TTFT alone.
                "ttfa_ms": response.first_audio_at if response and not self._prompt else None,
            }
            measures |= {name: (at - spoken_at) * 1000 for name, at in told.items() if at is not None}
        ended_at = turns.transcribed_at if self._options.transcribes else response and response.done_at
        first_at = response.first_text_at if response else None
        lengths = [one.output_tokens for one in turns.responses.values() if one.output_tokens is not None]
        return Answer(
            response=turns.text,
            finish_reason=response.finish_reason if response else "stop" if turns.n_turns else "no_speech",
            output_tokens=sum(lengths) if lengths else None,
            ttft_s=first_at - asked_at if first_at and asked_at else None,
            total_s=ended_at - asked_at if ended_at and asked_at else None,
            measures=measures,
        )

    # What the server says ---------------------------------------------------------------

    async def _listen(self) -> None:
        try:
            async for event in self._wire.events():
                self._turns.take(event, self._loop.time())
                self._changed.set()
            lost = Failure("the server closed the connection", is_transient=True)
        except LiveError as error:
            lost = error.failure
        self._failure = self._failure or lost
        self._changed.set()

    async def _until(self, is_so: Callable[[], bool]) -> None:
        self._check()
        while not is_so():
            self._changed.clear()
            try:
                async with asyncio.timeout(SILENT_SERVER_S):
                    await self._changed.wait()
            except TimeoutError:
                sentence = f"the server said nothing for {SILENT_SERVER_S:g} s"
                raise LiveError(Failure(sentence, is_transient=True)) from None
            self._check()

    def _check(self) -> None:
        failure = self._turns.failure or self._failure
        if failure is not None:
            raise LiveError(failure)


_STEP_S = 0.1
_RESPONSE = ({"type": "response.create"},)


def _silence(seconds: float) -> bytes:
    return bytes(2 * round(seconds * SAMPLE_HZ))
