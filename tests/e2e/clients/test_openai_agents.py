"""The stock `openai-agents` client, strict about every event, converses without a single error."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimePlaybackTracker, RealtimeRunner, RealtimeSession
from agents.realtime.model_inputs import RealtimeModelSendInterrupt

from agent.api import AssistantMessage
from agent.scripted.agent import RECITAL
from tests import speech
from tests.conftest import running_server
from tests.e2e.clients.talk import CHUNK_BYTES, END_SILENCE, TEN_SECONDS_BYTES, Attentive, AttentiveReciter
from tests.e2e.clients.tap import Tap, tapped
from tests.waiting import unless_it_hangs

SEMANTIC_SILENCE = 8 * END_SILENCE
"""The client asks for semantic_vad, which may wait longer than a second."""


class Run:
    """One run of the client. seen: its events, in order."""

    def __init__(self, session: RealtimeSession, tap: Tap) -> None:
        self.session = session
        self.tap = tap
        self.seen: list[Any] = []
        self._events = aiter(session)

    async def until(self, fits: Callable[[Any], bool]) -> Any:
        async with unless_it_hangs("an event that fits"):
            while True:
                event = await anext(self._events)
                self.seen.append(event)
                if fits(event):
                    return event

    async def next(self, event_type: str) -> Any:
        return await self.until(lambda event: event.type == event_type)

    async def turn_ended(self) -> Any:
        return await self.until(lambda event: _raw(event) == "turn_ended")

    async def speak(self, name: str) -> None:
        """Say a recorded utterance, and then be silent for long enough."""
        await self.say(speech.utterance(name).pcm24k + SEMANTIC_SILENCE)

    async def begin_to_speak(self, name: str) -> None:
        """Say the first second of an utterance's speech: the turn is not over."""
        utterance = speech.utterance(name)
        await self.say(utterance.pcm24k[: (utterance.speech_start_ms + 1_000) * 48])

    async def say(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), CHUNK_BYTES):
            await self.session.send_audio(pcm[start : start + CHUNK_BYTES])

    @property
    def errors(self) -> list[Any]:
        return [event for event in self.seen if event.type == "error"]

    def history(self) -> list[tuple[str, str | None]]:
        """(role, words) of each message in the client's own history."""
        shown: list[tuple[str, str | None]] = []
        for item in self.session._history:
            if item.type == "message":
                part = item.content[0] if item.content else None
                words = getattr(part, "transcript", None) or getattr(part, "text", None)
                shown.append((item.role, words))
        return shown


def _raw(event: Any) -> str | None:
    return event.data.type if event.type == "raw_model_event" else None


@asynccontextmanager
async def running(
    agent: RealtimeAgent[Any],
    scripted: Attentive | None = None,
    tracker: RealtimePlaybackTracker | None = None,
    **settings: Any,
) -> AsyncIterator[Run]:
    settings.setdefault("playback_lead_s", 60.0)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server(scripted, **settings))
        tap = await stack.enter_async_context(tapped(server.ws))
        url = f"{tap.ws}/v1/realtime?model=scripted"
        model: dict[str, Any] = {
            "url": url,
            "api_key": "none",
            "initial_model_settings": {"model_name": "scripted"},
        }
        if tracker is not None:
            model["playback_tracker"] = tracker
        session = await RealtimeRunner(agent).run(model_config=model)  # type: ignore[arg-type]
        run = Run(await stack.enter_async_context(session), tap)
        yield run
        await tap.settled()
        assert run.errors == []
        tap.oracle.judge()


def plain() -> RealtimeAgent[Any]:
    return RealtimeAgent(name="plain", instructions="Recite.")


async def test_agents_hold_a_spoken_conversation() -> None:
    async with running(plain()) as run:
        await run.speak("something")
        await run.next("audio_end")
        sound = b"".join(event.audio.data for event in run.seen if event.type == "audio")
        assert len(sound) == TEN_SECONDS_BYTES
        await run.turn_ended()
        [user, assistant] = run.history()
        assert user[0] == "user"
        assert (user[1] or "").startswith("(scripted: ")
        assert assistant == ("assistant", RECITAL)


async def test_agents_hold_a_written_conversation() -> None:
    async with running(plain()) as run:
        for _ in range(2):
            await run.session.send_message("Please recite.")
            await run.turn_ended()
        assert run.history() == [("user", "Please recite."), ("assistant", RECITAL)] * 2


async def test_agents_run_a_tool_and_speak_its_answer() -> None:
    places: list[tuple[str, int]] = []

    @function_tool
    async def weather(place: str, days: int) -> str:
        """The weather of a place."""
        places.append((place, days))
        return "rain all day"

    agent: RealtimeAgent[Any] = RealtimeAgent(
        name="weather", instructions="Tell the weather.", tools=[weather]
    )
    async with running(agent) as run:
        await run.session.send_message("Will it rain?")
        ended = await run.next("tool_end")
        assert ended.output == "rain all day"
        await run.next("audio_end")
        await run.turn_ended()
        assert run.history()[-1] == ("assistant", "The tool gave back: rain all day")
    [(place, days)] = places
    assert isinstance(place, str)
    assert isinstance(days, int)


async def test_agents_are_interrupted_and_remember_what_was_heard() -> None:
    scripted, tracker = AttentiveReciter(), RealtimePlaybackTracker()
    async with running(plain(), scripted, tracker, playback_lead_s=0.3) as run:
        await run.session.send_message("Please recite.")
        sound = await run.next("audio")
        tracker.on_play_ms(sound.item_id, sound.content_index, 170)
        await run.begin_to_speak("something")
        interrupted = await run.next("audio_interrupted")
        assert interrupted.item_id == sound.item_id
        await run.until(lambda _: ("assistant", "This") in run.history())
        await run.speak("cards_001")
        await run.until(lambda _: len(scripted.requests) == 2)
        await run.session.model.send_event(RealtimeModelSendInterrupt(force_response_cancel=True))
    assert AssistantMessage("This") in scripted.requests[1].messages
    first, *_ = run.tap.oracle.named("response.done")
    assert first["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}


async def test_agents_can_interrupt_an_answer_that_is_complete_but_still_playing() -> None:
    tracker = RealtimePlaybackTracker()
    async with running(plain(), None, tracker) as run:
        await run.session.send_message("Please recite.")
        sound = await run.next("audio")
        await run.next("audio_end")
        await run.turn_ended()
        tracker.on_play_ms(sound.item_id, sound.content_index, 1_000)
        await run.speak("something")
        await run.next("audio_interrupted")
        await run.until(lambda _: ("assistant", RECITAL[:28]) in run.history())
        await run.turn_ended()
