"""The scripted agent: no model, always the same answer. For integrators, load tests and demos.

It recites ten numbered sentences, a tone for each word, one second a sentence. Where tools are
offered it calls one, and then says what the tool gave back. It cannot hear, and says so.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import lru_cache
from typing import assert_never

import numpy as np

from agent.api import (
    LISTENING_HZ,
    SPEAKING_HZ,
    AgentEvent,
    AgentRequest,
    AssistantMessage,
    AudioDelta,
    AudioPart,
    GenerationDone,
    Health,
    PromptRead,
    SystemMessage,
    TextDelta,
    TextPart,
    Tool,
    ToolCall,
    ToolCallMessage,
    ToolResultMessage,
    TranscribeRequest,
    Transcript,
    Usage,
    UserMessage,
)
from agent.descriptions import SCRIPTED
from agent.history import well_formed
from agent.scripted.fit_schema import fit

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
RECITAL = " ".join(f"This is sentence {number} of ten." for number in _NUMBERS)
WORD_MS = 160
LAST_WORD_MS = 200
"""The last word of a sentence is longer: five words and this one are one second."""
PIECE_BYTES = SPEAKING_HZ * 2 // 5
"""200 ms, the most that an AudioDelta holds: a word is longer only where it is spoken slowly."""
MAX_TOOL_OUTPUT_CHARACTERS = 500


class ScriptedAgent:
    """Implements `agent.api.Agent` without a model and without waiting."""

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        request = replace(request, messages=well_formed(request.messages, hears=True))
        # Each event is preceded by a turn of the event loop: that is where closing takes effect,
        # and what lets other sessions in.
        tool = _tool_to_call(request)
        if tool is not None:
            await asyncio.sleep(0)
            yield ToolCall(f"call_{request.response_id}", tool.name, _arguments(tool))
            await asyncio.sleep(0)
            yield GenerationDone(usage=_usage(request, 1))
            return
        await asyncio.sleep(0)
        yield PromptRead(_usage(request, 0))
        words = (request.verbatim or _answer(request)).split()
        spoken = words[: request.max_output_tokens]  # a word is a token here
        text_end = 0
        for at, word in enumerate(spoken):
            piece = f" {word}" if at else word
            text_end += len(piece)
            await asyncio.sleep(0)
            yield TextDelta(piece)
            if request.modality == "audio":
                await asyncio.sleep(0)
                length_ms = (LAST_WORD_MS if word.endswith(".") else WORD_MS) / request.speed
                sound = tone(at, round(length_ms))
                for start in range(0, len(sound), PIECE_BYTES):
                    is_last = start + PIECE_BYTES >= len(sound)
                    yield AudioDelta(
                        sound[start : start + PIECE_BYTES], text_end if is_last else text_end - len(piece)
                    )
        await asyncio.sleep(0)
        usage = _usage(request, len(spoken))
        yield GenerationDone("stop" if len(spoken) == len(words) else "max_tokens", usage)

    async def transcribe(self, request: TranscribeRequest) -> Transcript:
        duration_s = len(request.pcm) / 2 / LISTENING_HZ
        return Transcript(f"(scripted: {duration_s:.1f} seconds of speech)", duration_s)

    async def warm(self, request: AgentRequest) -> None:
        """There is nothing to warm."""

    async def health(self) -> Health:
        return Health("ready", "scripted", "recites, does not listen", transcribes=True, facts=SCRIPTED)

    async def aclose(self) -> None:
        """There is nothing to release."""


def _tool_to_call(request: AgentRequest) -> Tool | None:
    """The named tool, or else the first; none once a tool has given something back."""
    if request.tool_choice == "none" or not request.tools or request.verbatim:
        return None
    if request.messages and isinstance(request.messages[-1], ToolResultMessage):
        return None
    return next((tool for tool in request.tools if tool.name == request.tool_choice), request.tools[0])


def _usage(request: AgentRequest, n_output: int) -> Usage:
    """What it was given, counted as real models count it: load generators judge an answer by that.

    A word is a token, and so are 40 ms of audio, as Qwen2-Audio has them.
    """
    n_words, audio_bytes = len(request.instructions.split()), 0
    for message in request.messages:
        match message:
            case UserMessage(parts=parts):
                n_words += sum(len(part.text.split()) for part in parts if isinstance(part, TextPart))
                audio_bytes += sum(len(part.pcm) for part in parts if isinstance(part, AudioPart))
            case SystemMessage(text=text) | AssistantMessage(text=text):
                n_words += len(text.split())
            case ToolCallMessage(arguments=text) | ToolResultMessage(output=text):
                n_words += len(text.split())
            case _:
                assert_never(message)
    return Usage(n_words, audio_bytes // (2 * LISTENING_HZ // 25), output_text_tokens=n_output)


def _arguments(tool: Tool) -> str:
    fitting = fit({"type": "object", **tool.parameters})
    return json.dumps(fitting if isinstance(fitting, dict) else {})


def _answer(request: AgentRequest) -> str:
    if request.messages and isinstance(request.messages[-1], ToolResultMessage):
        output = request.messages[-1].output[:MAX_TOOL_OUTPUT_CHARACTERS]
        return f"The tool gave back: {output}"
    return RECITAL


@lru_cache(256)  # 14 notes of 2 lengths, made once and shared by all sessions; more where speeds differ
def _note(step: int, duration_ms: int) -> bytes:
    hz = 220 * 2 ** (step / 12)
    at_s = np.arange(SPEAKING_HZ * duration_ms // 1000) / SPEAKING_HZ
    # 10 ms of fade at both ends, or the tone clicks.
    loudness = np.minimum(1, np.minimum(at_s, at_s[::-1]) / 0.01)
    return (6000 * loudness * np.sin(2 * np.pi * hz * at_s)).astype("<i2").tobytes()


def tone(word: int, duration_ms: int) -> bytes:
    """The tone for the answer's word of that number, s16le mono at SPEAKING_HZ."""
    return _note((0, 2, 4, 5, 7, 9, 11)[word % 7] + 12 * (word // 7 % 2), duration_ms)
