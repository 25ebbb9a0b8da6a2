"""The answer as a whole: order of events, no words no answer, abort, failure."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace

import pytest

from agent.api import (
    AgentError,
    AgentEvent,
    AgentRequest,
    AssistantMessage,
    AudioDelta,
    AudioPart,
    GenerationDone,
    GenerationFailed,
    Health,
    KeepAlive,
    Message,
    SpeechSkipped,
    StageDone,
    TextDelta,
    TextPart,
    ToolCall,
    ToolCallMessage,
    ToolResultMessage,
    TranscribeRequest,
    Usage,
    UserMessage,
)
from agent.asr.base import Heard
from agent.engine.base import EngineDelta, EngineDone
from agent.engine.fake import FakeEngine
from agent.history import NO_OUTPUT
from agent.responder import SPOKEN_CHARS_PER_S, AnswerLimits, Generate, Responder
from agent.tts.base import Speech, Synthesiser
from agent.tts.fake import fake_synthesiser

SPEECH = b"\x01\x00" * 1600
DONE = EngineDone("stop", Usage(output_text_tokens=3))


class _Ears:
    def __init__(self, text: str = "hello") -> None:
        self.text = text
        self.clips: list[bytes] = []

    async def recognise(self, pcm: bytes, language: str = "") -> Heard:
        self.clips.append(pcm)
        return Heard(self.text, 0.1)

    async def aclose(self) -> None: ...


def _agent(engine: FakeEngine, ears: _Ears | None = None, voice: Synthesiser | None = None) -> Responder:
    return Responder(engine, ears or _Ears(), voice or fake_synthesiser(), Health("ready", "fake"))


def _request(*messages: object, **fields: object) -> AgentRequest:
    spoken = UserMessage((AudioPart(SPEECH),))
    return AgentRequest("s", "r", "Be kind.", messages or (spoken,), **fields)  # type: ignore[arg-type]


async def _events(agent: Responder, request: AgentRequest) -> list[AgentEvent]:
    return [event async for event in agent.respond(request)]


def _deltas(*texts: str) -> list[EngineDelta]:
    return [*map(TextDelta, texts), DONE]


async def test_a_spoken_turn_is_heard_answered_and_spoken() -> None:
    engine = FakeEngine(_deltas("Hello there, ", "my friend. ", "How are you?"))
    agent = _agent(engine)
    events = await _events(agent, _request())
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == (
        "Hello there, my friend. How are you?"
    )
    audio = [event for event in events if isinstance(event, AudioDelta)]
    assert audio[-1].text_end == len("Hello there, my friend. How are you?")
    assert [event.text_end for event in audio] == sorted(event.text_end for event in audio)
    assert events[-1] == GenerationDone("stop", DONE.usage)
    assert engine.requests[0].messages == (UserMessage((AudioPart(SPEECH, "hello"),)),)
    stages = [event.stage for event in events if isinstance(event, StageDone)]
    assert stages == ["recognition", "prefill", "decode", "synthesis"]
    await agent.aclose()


async def test_speech_starts_before_the_answer_is_complete() -> None:
    engine = FakeEngine(_deltas("Hello there, ", "my friend."), hold_after=1)
    agent = _agent(engine)
    answer = agent.respond(_request())
    async for event in answer:
        if isinstance(event, AudioDelta):
            break
    assert engine.yielded == 1
    engine.release.set()
    assert isinstance([event async for event in answer][-1], GenerationDone)
    await agent.aclose()


async def test_sound_without_words_gets_no_answer() -> None:
    engine = FakeEngine(_deltas("Never said."))
    agent = _agent(engine, _Ears(""))
    *stages, last = await _events(agent, _request())
    assert last == GenerationDone("no_words")
    assert all(isinstance(event, StageDone) for event in stages)
    assert not engine.requests
    await agent.aclose()


async def test_an_answer_that_is_asked_for_without_new_speech_is_given() -> None:
    agent = _agent(FakeEngine(_deltas("And so on.")), _Ears(""))
    events = await _events(agent, _request(UserMessage((AudioPart(b"", ""),)), AssistantMessage("Hm.")))
    assert events[-1] == GenerationDone("stop", DONE.usage)
    await agent.aclose()


async def test_text_modality_brings_no_sound() -> None:
    agent = _agent(FakeEngine(_deltas("Hello there, friend.")))
    events = await _events(agent, _request(UserMessage((TextPart("Hi"),)), modality="text"))
    assert not [event for event in events if isinstance(event, AudioDelta)]
    assert [event.stage for event in events if isinstance(event, StageDone)] == ["prefill", "decode"]
    await agent.aclose()


async def test_signs_of_life_pass_through_and_are_no_first_token() -> None:
    agent = _agent(FakeEngine([KeepAlive(), *_deltas("Hello there, friend.")]))
    events = await _events(agent, _request(UserMessage((TextPart("Hi"),)), modality="text"))
    assert events[0] == KeepAlive()
    assert [event.stage for event in events if isinstance(event, StageDone)] == ["prefill", "decode"]
    await agent.aclose()


async def test_tool_calls_pass_through() -> None:
    call = ToolCall("c1", "weather", "{}")
    agent = _agent(FakeEngine([call, DONE]))
    assert call in await _events(agent, _request())
    await agent.aclose()


async def test_an_answer_that_does_not_end_is_ended_after_its_seconds_of_speech() -> None:
    """A small model that repeats itself would speak for minutes."""
    engine = FakeEngine(_deltas(*["I am a fish, am I not? "] * 200))
    limits = AnswerLimits(spoken_s=10.0)
    agent = Responder(engine, _Ears(), fake_synthesiser(), Health("ready", "fake"), limits=limits)
    events = await _events(agent, _request())
    assert events[-1] == GenerationDone("max_tokens")
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert 10.0 * SPOKEN_CHARS_PER_S <= len(text) <= 14.0 * SPOKEN_CHARS_PER_S
    assert max(event.text_end for event in events if isinstance(event, AudioDelta)) >= 140
    assert engine.open_answers == 0
    for asked in ({"max_output_tokens": 4096}, {"modality": "text"}):
        assert (await _events(agent, _request(**asked)))[-1] == GenerationDone("stop", DONE.usage)
    await agent.aclose()


async def test_an_engine_gets_the_limit_of_an_answer_that_nobody_limits() -> None:
    engine = FakeEngine(_deltas("Yes."))
    limits = AnswerLimits(tokens=99)
    agent = Responder(engine, _Ears(), fake_synthesiser(), Health("ready", "fake"), limits=limits)
    await _events(agent, _request())
    assert (engine.requests[0].max_tokens, engine.requests[0].tokens_max) == (None, 99)
    await agent.aclose()


async def test_an_engine_gets_well_formed_messages() -> None:
    engine = FakeEngine(_deltas("Yes."))
    agent = _agent(engine)
    hi, call = UserMessage((TextPart("Hi"),)), ToolCallMessage("c", "f", "{}")
    silence = UserMessage((AudioPart(SPEECH, ""),))
    await _events(agent, _request(silence, ToolResultMessage("orphan", "1"), hi, call, hi))
    await agent.warm(_request(silence, hi, call, hi))
    expected = (hi, call, ToolResultMessage("c", NO_OUTPUT), hi)
    assert engine.requests[0].messages == engine.warmed[0].messages == expected
    await agent.aclose()


async def test_what_the_health_depends_on_is_asked_each_time() -> None:
    async def check(health: Health) -> Health:
        return replace(health, status="away", detail="It is away.")

    agent = Responder(FakeEngine([]), _Ears(), fake_synthesiser(), Health("ready", "fake"), check=check)
    assert (await agent.health()).status == "away"
    await agent.aclose()


async def test_an_answer_that_was_cut_short_says_so() -> None:
    agent = _agent(FakeEngine([TextDelta("Once upon a"), EngineDone("max_tokens", Usage())]))
    events = await _events(agent, _request(max_output_tokens=3))
    assert events[-1] == GenerationDone("max_tokens")
    assert isinstance(events[-2], AudioDelta)  # what was decoded is spoken all the same
    await agent.aclose()


async def test_closing_ends_the_engine_and_leaves_no_task() -> None:
    engine = FakeEngine(_deltas("Hello there, ", "my friend."), hold_after=1)
    agent = _agent(engine)
    before = asyncio.all_tasks()
    answer = agent.respond(_request())
    async for event in answer:
        if isinstance(event, AudioDelta):
            break
    assert engine.open_answers == 1
    await answer.aclose()
    assert engine.open_answers == 0
    assert asyncio.all_tasks() == before
    await agent.aclose()


async def test_a_reader_that_is_slow_makes_the_engine_wait() -> None:
    engine = FakeEngine(_deltas(*["word "] * 500))
    agent = _agent(engine)
    answer = agent.respond(_request(UserMessage((TextPart("Hi"),)), modality="text"))
    await anext(answer)
    for _ in range(2000):
        await asyncio.sleep(0)
    assert engine.yielded < 100
    await answer.aclose()
    await agent.aclose()


@pytest.mark.parametrize("code", ["agent_timeout", "agent_overloaded"])
async def test_a_failure_of_the_engine_is_the_last_event(code: str) -> None:
    agent = _agent(FakeEngine(_deltas("Hello"), failure=AgentError(code, "why")))
    events = await _events(agent, _request())
    assert events[-1] == GenerationFailed(code, "why")
    assert sum(isinstance(event, GenerationDone | GenerationFailed) for event in events) == 1
    await agent.aclose()


class _Broken:
    voices = ("broken",)

    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    async def synthesise(
        self, clauses: AsyncIterator[str], voice: str = "", speed: float = 1.0
    ) -> AsyncGenerator[Speech, None]:
        async for _ in clauses:
            raise self.failure
            yield Speech(b"", 0)

    async def aclose(self) -> None: ...


async def test_a_voice_that_fails_ends_the_answer_and_the_engine() -> None:
    engine = FakeEngine(_deltas("Hello there, ", "my friend."), hold_after=1)
    agent = _agent(engine, voice=_Broken(AgentError("agent_timeout", "the voice")))
    assert (await _events(agent, _request()))[-1] == GenerationFailed("agent_timeout", "the voice")
    assert engine.open_answers == 0
    await agent.aclose()


class _ForeignVoice:
    """Says what is written in ASCII, one sample a character, and skips all else."""

    voices = ("foreign",)

    async def synthesise(
        self, clauses: AsyncIterator[str], voice: str = "", speed: float = 1.0
    ) -> AsyncGenerator[Speech | SpeechSkipped, None]:
        start = 0
        async for clause in clauses:
            end = start + len(clause)
            yield Speech(b"\0\0" * len(clause), end) if clause.isascii() else SpeechSkipped(start, end)
            start = end

    async def aclose(self) -> None: ...


async def test_an_answer_that_the_voice_cannot_say_fails_with_all_its_text() -> None:
    agent = _agent(FakeEngine(_deltas("Привет!")), voice=_ForeignVoice())
    events = [event for event in await _events(agent, _request()) if not isinstance(event, StageDone)]
    assert events[:2] == [TextDelta("Привет!"), SpeechSkipped(0, 7)]
    assert isinstance(events[2], GenerationFailed)
    assert events[2].code == "unspeakable_text"
    await agent.aclose()


async def test_an_answer_of_which_a_part_can_be_said_is_done() -> None:
    answer = _deltas("Привет, как дела?", " Good morning.")
    agent = _agent(FakeEngine(answer), voice=_ForeignVoice())
    *events, last = await _events(agent, _request())
    assert last == GenerationDone("stop", DONE.usage)
    assert SpeechSkipped(0, 17) in events
    assert any(isinstance(event, AudioDelta) for event in events)
    await agent.aclose()


async def test_a_tool_call_beside_words_that_cannot_be_said_is_done() -> None:
    call = ToolCall("1", "clock", "{}")
    agent = _agent(FakeEngine([TextDelta("Минуту."), call, DONE]), voice=_ForeignVoice())
    *events, last = await _events(agent, _request())
    assert call in events
    assert last == GenerationDone("stop", DONE.usage)
    await agent.aclose()


async def test_text_that_the_voice_cannot_say_is_no_failure_where_none_is_asked_for() -> None:
    agent = _agent(FakeEngine(_deltas("Привет!")), voice=_ForeignVoice())
    assert (await _events(agent, _request(modality="text")))[-1] == GenerationDone("stop", DONE.usage)
    await agent.aclose()


async def test_a_bug_is_told_without_words_of_the_conversation(caplog: pytest.LogCaptureFixture) -> None:
    agent = _agent(FakeEngine(_deltas("Hello there, friend.")), voice=_Broken(KeyError("secret words")))
    assert (await _events(agent, _request()))[-1] == GenerationFailed("agent_error", "internal error")
    assert "KeyError" in caplog.text
    assert "secret" not in caplog.text
    await agent.aclose()


async def test_warm_recognises_and_prefills_what_respond_will_ask() -> None:
    engine = FakeEngine(_deltas("Hello."))
    agent = _agent(engine)
    await agent.warm(_request())
    await _events(agent, _request())
    assert engine.warmed == engine.requests
    await agent.aclose()


async def test_warm_for_no_words_reads_nothing() -> None:
    engine = FakeEngine([])
    agent = _agent(engine, _Ears(""))
    await agent.warm(_request())
    assert not engine.warmed
    await agent.aclose()


async def test_an_analysis_answers_in_the_engines_place_and_is_spoken() -> None:
    engine = FakeEngine(_deltas("Something else."))
    conversations: list[object] = []

    def analysis(messages: Sequence[Message], generate: Generate) -> Generate:
        conversations.append(messages)
        return FakeEngine(_deltas("It is one second long.")).generate

    agent = Responder(engine, _Ears(), fake_synthesiser(), Health("ready", "fake"), analysis=analysis)
    events = await _events(agent, _request())
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "It is one second long."
    assert any(isinstance(event, AudioDelta) for event in events)
    assert conversations == [(UserMessage((AudioPart(SPEECH, "hello"),)),)]  # heard, as the engine gets it
    assert not engine.requests
    await _events(agent, _request(verbatim="Good night."))
    assert len(conversations) == 1
    await agent.aclose()


async def test_transcribe_and_health() -> None:
    agent = _agent(FakeEngine([]))
    assert (await agent.transcribe(TranscribeRequest("s", SPEECH))).text == "hello"
    health = await agent.health()
    assert health.transcribes
    assert health.voices == ("fake",)
    await agent.aclose()


async def test_words_that_are_known_are_spoken_and_no_model_is_asked() -> None:
    engine, ears = FakeEngine(_deltas("Something else.")), _Ears("")
    agent = _agent(engine, ears)
    events = await _events(agent, _request(verbatim="The light is off. Good night."))
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == (
        "The light is off. Good night."
    )
    audio = [event for event in events if isinstance(event, AudioDelta)]
    assert audio[-1].text_end == len("The light is off. Good night.")
    assert events[-1] == GenerationDone("stop")
    assert not engine.requests
    assert not ears.clips
    await agent.aclose()
