"""Answers what people ask about a clip where the language model reads its words and does not hear it.

What can be measured or recognised is told, what takes a model that hears is declined with a word on which one
does; what is asked about the words themselves stays the language model's.
"""

import asyncio
import math
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from agent.analysis.clip import Clip
from agent.analysis.phrases import NEEDS_HEARING, Topic
from agent.analysis.questions import Asked, asked
from agent.analysis.sound import Sound, measured
from agent.analysis.telling import noted, nothing_said, told
from agent.api import (
    AudioPart,
    Message,
    SystemMessage,
    TextDelta,
    TextPart,
    Usage,
    UserMessage,
)
from agent.asr.base import LANGUAGES, Recogniser
from agent.asr.windows import Samples
from agent.engine.base import EngineDelta, EngineDone, EngineRequest
from agent.engine.chat_server.keep_alive import with_keep_alives
from agent.engine.stop_sequences import StopSequences

MEASURED_AT_ONCE = 2
"""Clips, of all conversations: one of ten minutes takes 100 MB for a second."""

Generate = Callable[[EngineRequest], AsyncGenerator[EngineDelta, None]]
VoiceProbabilities = Callable[[Samples], npt.NDArray[np.float32]]
"""As `agent.analysis.sound.measured` takes them. Blocks."""


class Analyst:
    """recogniser, voice: whoever made them closes them."""

    def __init__(self, recogniser: Recogniser, voice: VoiceProbabilities) -> None:
        self._recogniser = recogniser
        self._voice = voice
        self._measuring = asyncio.Semaphore(MEASURED_AT_ONCE)
        asked("warm")  # compiles the phrases, for which the first user would wait 0.1 s

    def answering(self, messages: Sequence[Message], generate: Generate) -> Generate:
        """How to answer the last turn: `generate`, or where it asks about a clip, by what is known of that.

        messages: the whole conversation, its clips with their transcripts.
        """
        question = question_of(messages)
        if question is None:
            return generate

        async def answer(request: EngineRequest) -> AsyncGenerator[EngineDelta, None]:
            clips = await self._clips(question)
            text = nothing_said(clips) if question.asked is None else told(question.asked.topics, clips)
            for delta in _in_words(text, request):
                yield delta

        return lambda request: with_keep_alives(answer(request), math.inf)

    def noting(self, messages: Sequence[Message], generate: Generate) -> Generate:
        """The same for a model that answers by itself, in the user's language: it is told what is known."""
        question = question_of(messages)
        if question is None:
            return generate

        async def answer(request: EngineRequest) -> AsyncGenerator[EngineDelta, None]:
            note = noted(await self._clips(replace(question, asked=None)))
            async with aclosing(generate(_with_note(request, note))) as deltas:
                async for delta in deltas:
                    yield delta

        return lambda request: with_keep_alives(answer(request), math.inf)

    async def _clips(self, question: "Question") -> list[Clip]:
        """As much of them as the question needs."""
        topics = None if question.asked is None else set(question.asked.topics)
        if topics is not None and topics <= NEEDS_HEARING:
            return [Clip(part.transcript or "") for part in question.clips]
        needs_language = topics is None or bool(topics & _OF_WORDS)
        return [await self._clip(part, needs_language) for part in question.clips]

    async def _clip(self, part: AudioPart, needs_language: bool) -> Clip:
        words = (part.transcript or "").strip()
        if not part.pcm:
            return Clip(words)
        async with self._measuring:
            sound = await asyncio.to_thread(self._measured, part.pcm)
        clip = Clip(words, sound)
        if not (needs_language and clip.has_voice):
            return clip
        clip = replace(clip, language=await self._recogniser.language(part.pcm))
        if clip.sure_language not in LANGUAGES:
            return clip
        # It was recognised as another language, maybe, and the words are then something that sounds alike.
        heard = await self._recogniser.recognise(part.pcm, clip.sure_language)
        return replace(clip, words=heard.text)

    def _measured(self, pcm: bytes) -> Sound:
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
        return measured(samples, self._voice(samples))


_OF_WORDS = {Topic.TRANSCRIPT, Topic.LANGUAGE, Topic.OVERVIEW}


@dataclass(frozen=True, slots=True)
class Question:
    """asked: None where it is about words, and there are none. clips: what it is about, at least one."""

    asked: Asked | None
    clips: tuple[AudioPart, ...]


def question_of(messages: Sequence[Message]) -> Question | None:
    """What the last turn asks about a clip, where it asks that in writing.

    Of this turn, or of an earlier one where it says which: "How long was the recording?"
    """
    turns = _turns_of_user(messages)
    if not turns or not (instruction := _typed(turns[0][0])):
        return None
    found = asked(instruction)
    clips = _clips_of(turns[0])
    if clips:
        if found is not None:
            return Question(found, clips)
        return None if any((clip.transcript or "").strip() for clip in clips) else Question(None, clips)
    earlier = next((clips for turn in turns[1:] if (clips := _clips_of(turn))), ())
    if found is None or not found.names_clip or not earlier:
        return None
    return Question(found, earlier)


def _turns_of_user(messages: Sequence[Message]) -> list[list[UserMessage]]:
    """The user's messages, the newest turn first and in it the newest message; [] where that is answered."""
    turns: list[list[UserMessage]] = []
    in_turn = False
    for message in reversed(messages):
        match message:
            case UserMessage():
                if not in_turn:
                    turns.append([])
                turns[-1].append(message)
                in_turn = True
            case SystemMessage():
                pass
            case _ if not turns:
                return []
            case _:
                in_turn = False
    return turns


def _typed(message: UserMessage) -> str:
    return "\n".join(part.text for part in message.parts if isinstance(part, TextPart)).strip()


def _clips_of(turn: Sequence[UserMessage]) -> tuple[AudioPart, ...]:
    """Of the newest message that has any: sound may come in a message of its own, before the question."""
    for message in turn:
        clips = tuple(part for part in message.parts if isinstance(part, AudioPart))
        if clips:
            return clips
    return ()


def _with_note(request: EngineRequest, note: str) -> EngineRequest:
    *before, last = request.messages
    if not isinstance(last, UserMessage):
        return request
    noted_last = UserMessage((*last.parts, TextPart(note)))
    return replace(request, messages=(*before, noted_last))


def _in_words(text: str, request: EngineRequest) -> list[EngineDelta]:
    """An answer that is known, in pieces and with limits as if it were decoded; a word is a token."""
    stops = StopSequences(request.sampling.stop)
    words = re.findall(r"\S+\s*", text)
    pieces = [*map(stops.push, words[: request.max_tokens]), stops.finish()]
    is_cut = not stops.found and request.max_tokens is not None and len(words) > request.max_tokens
    done = EngineDone("max_tokens" if is_cut else "stop", Usage())
    return [*(TextDelta(piece) for piece in pieces if piece), done]
