"""An agent whose answers are as long as a test needs them."""

import asyncio
import itertools
from collections.abc import AsyncGenerator

from agent.api import AgentEvent, AgentRequest, AudioDelta, GenerationDone, TextDelta
from agent.scripted.agent import LAST_WORD_MS, RECITAL, WORD_MS, ScriptedAgent, tone


class Reciter(ScriptedAgent):
    """Recites again and again: however late one comes to interrupt it, the answer is still being made.

    Only aloud, and only where no tools are offered; else it is the scripted agent.
    """

    def __init__(self) -> None:
        self._is_enough = asyncio.Event()

    def enough(self) -> None:
        """End each answer with the sentence that it is at, seconds ahead of what is heard."""
        self._is_enough.set()

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        if request.modality != "audio" or request.tools:
            async for event in super().respond(request):
                yield event
            return
        text_end = 0
        for at, word in enumerate(itertools.cycle(RECITAL.split())):
            piece = f" {word}" if at else word
            text_end += len(piece)
            await asyncio.sleep(0)
            yield TextDelta(piece)
            await asyncio.sleep(0)
            yield AudioDelta(tone(at, LAST_WORD_MS if word.endswith(".") else WORD_MS), text_end)
            if word.endswith(".") and self._is_enough.is_set():
                break
        yield GenerationDone()
