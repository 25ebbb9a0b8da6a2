"""The scripted agent's recital, as a listener hears it: which words were heard of so much of its sound."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from agent.api import AgentEvent, AgentRequest, GenerationDone
from agent.scripted.agent import LAST_WORD_MS, RECITAL, WORD_MS, ScriptedAgent

WORDS = RECITAL.split()
SENTENCE_WORDS = 6
SENTENCE_MS = 1_000


class BriefAgent(ScriptedAgent):
    """Its whole answer is so many sentences: for clients that cannot ask for a short one."""

    def __init__(self, count: int) -> None:
        self._n_words = count * SENTENCE_WORDS

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        async for event in super().respond(replace(request, max_output_tokens=self._n_words)):
            yield replace(event, reason="stop") if isinstance(event, GenerationDone) else event


def sentences(count: int) -> dict[str, Any]:
    """The session's settings with which an answer has so many, of a second each."""
    return {"max_output_tokens": count * SENTENCE_WORDS}


def recital(count: int) -> str:
    return " ".join(WORDS[: count * SENTENCE_WORDS])


def end_of_words_ms(count: int) -> int:
    """Where the sound of the first `count` words ends."""
    return sum(LAST_WORD_MS if word.endswith(".") else WORD_MS for word in WORDS[:count])


def words_heard(ms: float) -> int:
    """How many whole words there are in so much sound."""
    return max(count for count in range(len(WORDS) + 1) if end_of_words_ms(count) <= ms)


def heard_twice(again_from_ms: float, heard_ms: float) -> int:
    """How many whole words lie between: they were heard, and come again."""
    first = next((at for at in range(len(WORDS)) if end_of_words_ms(at) >= again_from_ms), len(WORDS))
    return max(0, words_heard(heard_ms) - first)
