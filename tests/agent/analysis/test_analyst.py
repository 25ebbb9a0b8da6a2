"""A question about a clip is answered by what is known of it; every other one is the engine's."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from agent.analysis.analyst import Analyst
from agent.api import (
    AssistantMessage,
    AudioPart,
    Message,
    Sampling,
    SystemMessage,
    TextDelta,
    TextPart,
    ToolCallMessage,
    ToolResultMessage,
    UserMessage,
)
from agent.asr.base import Heard, SpokenLanguage
from agent.asr.windows import VOICE_FRAME_SAMPLES, Samples
from agent.engine.base import EngineDelta, EngineDone, EngineRequest
from agent.engine.fake import FakeEngine

SPEECH = b"\x00\x10" * 16_000
"""One second at an eighth of full scale, -18 dBFS."""
SILENCE = bytes(64_000)


def voice(samples: Samples) -> npt.NDArray[np.float32]:
    """Speech wherever there is sound."""
    frames = -(-len(samples) // VOICE_FRAME_SAMPLES)
    return np.full(frames, 0.9 if samples.any() else 0.0, np.float32)


class Ears:
    """Hears French, where it is asked for that, in anything."""

    def __init__(self, language: SpokenLanguage | None = None) -> None:
        self.spoken = language
        self.asked: list[str] = []

    async def recognise(self, pcm: bytes, language: str = "") -> Heard:
        self.asked.append(language)
        return Heard("Bonjour." if language == "fr" else "Bone sure.", len(pcm) / 32_000)

    async def language(self, pcm: bytes) -> SpokenLanguage | None:
        self.asked.append("which?")
        return self.spoken

    async def aclose(self) -> None: ...


def clip(pcm: bytes = SPEECH, words: str | None = "Go forward.") -> AudioPart:
    return AudioPart(pcm, words)


def user(*parts: AudioPart | str) -> UserMessage:
    return UserMessage(tuple(TextPart(part) if isinstance(part, str) else part for part in parts))


ENGINES_WORDS = "The engine speaks."


async def answer(*messages: Message, ears: Ears | None = None, **fields: object) -> str:
    engine = FakeEngine([TextDelta(ENGINES_WORDS), EngineDone("stop", None)])  # type: ignore[arg-type]
    generate = Analyst(ears or Ears(), voice).answering(messages, engine.generate)
    request = replace(EngineRequest("c", "", messages), **fields)  # type: ignore[arg-type]
    deltas = [delta async for delta in generate(request)]
    assert isinstance(deltas[-1], EngineDone)
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


async def test_what_can_be_measured_is_told() -> None:
    assert await answer(user(clip(), "How long is it?")) == "It is 1 second long."
    assert (await answer(user("How loud is it?", clip()))).startswith("Its level is -18.1 dBFS")
    assert await answer(user(clip(), "Transcribe.")) == "Go forward."


@pytest.mark.parametrize(
    "messages",
    [
        [user(clip(), "Summarise what is said.")],
        [user(clip())],
        [user("How long is it?")],
        [user("How long is the recording?")],
        [user(clip(), "How long is it?"), AssistantMessage("One second.")],
        [user(clip(), "How long is it?"), AssistantMessage("One second."), user("How long is it?")],
        [user(clip()), AssistantMessage("Yes?"), user("How long is it?")],
        [user("How long is it?"), user(clip())],
        [],
        [ToolCallMessage("c", "f", "{}"), ToolResultMessage("c", "How long is it?")],
    ],
)
async def test_what_is_not_about_a_clip_is_the_engines(messages: list[Message]) -> None:
    assert await answer(*messages) == ENGINES_WORDS


async def test_the_clip_may_come_in_a_message_before_its_question() -> None:
    assert await answer(user(clip()), user("How long is it?")) == "It is 1 second long."
    assert (
        await answer(user(clip()), SystemMessage("Be brief."), user("How long is it?"))
        == "It is 1 second long."
    )


async def test_a_later_question_that_names_the_clip_is_about_the_newest() -> None:
    talk = (user(clip(SILENCE, ""), "Describe it."), AssistantMessage("."), user(clip(), "Describe it."))
    assert (
        await answer(*talk, AssistantMessage("."), user("How long is the recording?"))
        == "It is 1 second long."
    )


async def test_a_clip_of_which_the_words_alone_are_left_is_told_so() -> None:
    talk = (user(clip(b"")), AssistantMessage("Yes?"))
    assert "no longer have the sound" in await answer(*talk, user("How long was the recording?"))
    assert await answer(*talk, user("Transcribe the recording.")) == "Go forward."


async def test_an_instruction_about_words_where_nobody_speaks_gets_no_invention() -> None:
    assert await answer(user(clip(SILENCE, ""), "Summarise it.")) == "There is no speech in it. It is silent."
    assert await answer(user(clip(SPEECH, ""), "Summarise it.")) == "There is no speech in it."
    assert await answer(user(clip(SILENCE, ""), clip(), "Summarise them.")) == ENGINES_WORDS


async def test_several_clips_are_told_in_their_order() -> None:
    told = await answer(user(clip(), clip(SILENCE, ""), "How long are they?"))
    assert told == "Clip 1: It is 1 second long.\nClip 2: It is 2 seconds long."


async def test_another_language_is_written_in_its_own_words() -> None:
    ears = Ears(SpokenLanguage("fr", 0.97))
    assert await answer(user(clip(words="Bone sure."), "Transcribe it."), ears=ears) == "Bonjour."
    assert (
        await answer(user(clip(words="Bone sure."), "What language is it?"), ears=ears)
        == "It is French (97 % sure)."
    )


async def test_a_language_that_is_not_certain_changes_no_words() -> None:
    ears = Ears(SpokenLanguage("fr", 0.6))
    assert await answer(user(clip(words="Bone sure."), "Transcribe it."), ears=ears) == "Bone sure."
    assert "fr" not in ears.asked


async def test_what_takes_hearing_is_declined_without_any_work() -> None:
    def unasked(samples: Samples) -> npt.NDArray[np.float32]:
        raise AssertionError("the clip was measured")

    ears = Ears(SpokenLanguage("fr", 0.97))
    messages = (user(clip(), "Is the speaker angry?"),)
    generate = Analyst(ears, unasked).answering(messages, FakeEngine([]).generate)
    deltas = [delta async for delta in generate(EngineRequest("c", "", messages))]
    assert "Qwen2-Audio can" in "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    assert ears.asked == []


async def test_the_limits_of_an_answer_are_kept() -> None:
    asked = user(clip(), "How long is it?")
    assert await answer(asked, max_tokens=3) == "It is 1 "
    assert await answer(asked, sampling=Sampling(stop=("second",))) == "It is 1 "


async def noted(*messages: Message, ears: Ears | None = None) -> list[EngineRequest]:
    engine = FakeEngine([TextDelta(ENGINES_WORDS), EngineDone("stop", None)])  # type: ignore[arg-type]
    generate = Analyst(ears or Ears(), voice).noting(messages, engine.generate)
    deltas: AsyncGenerator[EngineDelta, None] = generate(EngineRequest("c", "", messages))
    first, _ = [delta async for delta in deltas]
    assert first == TextDelta(ENGINES_WORDS)
    return engine.requests


async def test_a_model_that_answers_by_itself_is_told_what_is_known() -> None:
    [request] = await noted(user("Hello."), AssistantMessage("Hi."), user(clip(), "Is the speaker angry?"))
    *before, last = request.messages
    assert before == [user("Hello."), AssistantMessage("Hi.")]
    assert isinstance(last, UserMessage)
    assert last.parts[:2] == (clip(), TextPart("Is the speaker angry?"))
    [note] = last.parts[2:]
    assert isinstance(note, TextPart)
    assert "1 second long" in note.text
    assert "you cannot tell" in note.text


@pytest.mark.parametrize("messages", [[user(clip(), "Summarise it.")], [user(clip())], [user("Hello.")]])
async def test_a_question_about_something_else_gets_no_note(messages: list[Message]) -> None:
    [request] = await noted(*messages)
    assert request.messages == tuple(messages)
