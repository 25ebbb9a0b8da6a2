"""Makes a recogniser of a model: off the loop, one clip after the other, each clip once."""

import asyncio
import hashlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from agent.api import LISTENING_HZ, AgentError
from agent.asr.base import Heard, SpokenLanguage

REMEMBERED_CLIPS = 256
WAITING_CLIPS = 64
"""Clips that may wait for the model, of all conversations together; more are refused."""
LONGEST_S = 600.0
"""A clip of ten minutes takes a model some 20 s; a longer one is refused."""
RECOGNITION_TIMEOUT_S = 60.0
_BYTES_PER_S = 2 * LISTENING_HZ


class SpeechModel(Protocol):
    multilingual: bool

    def recognise(self, pcm: bytes, language: str) -> str:
        """The words, "" for none. Blocks."""
        ...

    def language(self, pcm: bytes) -> SpokenLanguage:
        """The likeliest one. Blocks. Only where the model is multilingual."""
        ...


class QueuedRecogniser:
    """One thread, because the model's own threads already use the cores.

    language: for calls that name none, ISO 639-1.
    """

    def __init__(self, model: SpeechModel, language: str = "en") -> None:
        self._model = model
        self._language = language or "en"
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recognition")
        self._known: OrderedDict[bytes, Heard] = OrderedDict()
        self._running: dict[bytes, asyncio.Task[Heard]] = {}
        self._callers: dict[bytes, int] = {}

    async def recognise(self, pcm: bytes, language: str = "") -> Heard:
        spoken = (language or self._language) if self._model.multilingual else "en"
        clip = hashlib.blake2b(pcm, key=spoken.encode(), digest_size=16).digest()
        known = self._known.get(clip)
        if known is not None:
            self._known.move_to_end(clip)
            return known
        running = self._running.get(clip) or self._start(clip, pcm, spoken)
        self._callers[clip] = self._callers.get(clip, 0) + 1
        try:
            # Shielded: another caller may wait for the same clip.
            async with asyncio.timeout(RECOGNITION_TIMEOUT_S):
                return await asyncio.shield(running)
        except TimeoutError as error:
            raise AgentError("agent_timeout", "the recogniser did not finish in time") from error
        finally:
            self._leave(clip, running)

    async def language(self, pcm: bytes) -> SpokenLanguage | None:
        if not self._model.multilingual:
            return None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(RECOGNITION_TIMEOUT_S):
                return await loop.run_in_executor(self._thread, self._model.language, pcm)
        except TimeoutError as error:
            raise AgentError("agent_timeout", "the recogniser did not finish in time") from error

    def _start(self, clip: bytes, pcm: bytes, language: str) -> asyncio.Task[Heard]:
        if len(self._running) >= WAITING_CLIPS:
            raise AgentError("agent_overloaded", "too many clips wait for the recogniser")
        if len(pcm) > LONGEST_S * _BYTES_PER_S:
            raise AgentError("agent_error", f"audio of over {LONGEST_S:.0f} s cannot be recognised")
        running = asyncio.create_task(self._recognised(clip, pcm, language), name="recognition")
        self._running[clip] = running
        return running

    async def _recognised(self, clip: bytes, pcm: bytes, language: str) -> Heard:
        loop = asyncio.get_running_loop()
        text = await loop.run_in_executor(self._thread, self._model.recognise, pcm, language)
        heard = Heard(text, len(pcm) / _BYTES_PER_S)
        self._known[clip] = heard
        while len(self._known) > REMEMBERED_CLIPS:
            self._known.popitem(last=False)
        return heard

    def _leave(self, clip: bytes, running: asyncio.Task[Heard]) -> None:
        """The last caller that goes takes the computation with it, begun or not."""
        self._callers[clip] -= 1
        if self._callers[clip] == 0:
            del self._callers[clip]
            running.cancel()
            if self._running.get(clip) is running:
                del self._running[clip]

    async def aclose(self) -> None:
        for running in self._running.values():
            running.cancel()
        if self._running:
            await asyncio.wait(self._running.values())
        await asyncio.to_thread(self._thread.shutdown, wait=True, cancel_futures=True)
