"""Makes a synthesiser of voices that compute a clause at a time: one thread, short pieces, soft joints."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from agent.api import SPEAKING_HZ, AgentError, SpeechSkipped
from agent.tts.base import ClauseVoice, Samples, Speech, SpokenClause

PIECE_SAMPLES = SPEAKING_HZ // 10
"""100 ms: half of what AudioDelta allows, so that a barge-in finds little to throw away."""
FADE_SAMPLES = SPEAKING_HZ // 200
"""5 ms: no click where a clause begins or ends."""
WAITING_CLAUSES = 64
"""Clauses that may wait for the thread, of all conversations together; more are refused."""
CLAUSE_TIMEOUT_S = 20.0
"""At the voice's own speed; a slower clause has more sound to compute."""


class ThreadedSynthesiser:
    """Speaks clauses of all conversations on one thread, in the order in which they come.

    One thread, because a voice's own threads already use the cores that are spared for it; in
    turn by clause, so that no conversation waits for another one's whole answer.
    """

    def __init__(self, speakers: Mapping[str, ClauseVoice]) -> None:
        self.voices = tuple(speakers)
        self._speakers = dict(speakers)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="synthesis")
        self._waiting = 0

    async def synthesise(
        self, clauses: AsyncIterator[str], voice: str = "", speed: float = 1.0
    ) -> AsyncGenerator[Speech | SpeechSkipped, None]:
        speaker = self._speakers.get(voice) or self._speakers[self.voices[0]]
        clause_start = 0
        async for clause in clauses:
            spoken = await self._spoken(speaker, clause, speed)
            for start, end in spoken.unpronounced:
                yield SpeechSkipped(clause_start + start, clause_start + end)
            for piece in pieces_of(spoken, clause_start, clause_start + len(clause)):
                yield piece
            clause_start += len(clause)

    async def _spoken(self, speaker: ClauseVoice, clause: str, speed: float) -> SpokenClause:
        if self._waiting >= WAITING_CLAUSES:
            raise AgentError("agent_overloaded", "too many answers wait for the voice")
        self._waiting += 1
        try:
            async with asyncio.timeout(CLAUSE_TIMEOUT_S / min(1.0, speed)):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._thread, speaker.speak, clause, speed)
        except TimeoutError as error:
            raise AgentError("agent_timeout", "the voice did not finish a clause in time") from error
        finally:
            self._waiting -= 1

    async def aclose(self) -> None:
        await asyncio.to_thread(self._thread.shutdown, wait=True, cancel_futures=True)


def pieces_of(spoken: SpokenClause, clause_start: int, clause_end: int) -> list[Speech]:
    """Cut a clause's sound into pieces of at most PIECE_SAMPLES; the last one reaches the clause's end."""
    samples = with_soft_edges(spoken.samples)
    pcm = (np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")
    speech: list[Speech] = []
    marks = iter(spoken.marks)
    mark = next(marks, None)
    reached = clause_start
    for start in range(0, len(pcm), PIECE_SAMPLES):
        end = min(start + PIECE_SAMPLES, len(pcm))
        while mark is not None and mark.sample <= end:
            reached = max(reached, min(clause_start + mark.text_end, clause_end))
            mark = next(marks, None)
        speech.append(Speech(pcm[start:end].tobytes(), clause_end if end == len(pcm) else reached))
    return speech


def with_soft_edges(samples: Samples) -> Samples:
    """The same sound, risen from and fallen to zero within FADE_SAMPLES at either end."""
    length = min(FADE_SAMPLES, len(samples) // 2)
    if length == 0:
        return samples
    ramp = np.linspace(0.0, 1.0, length, endpoint=False, dtype=np.float32)
    soft = samples.copy()
    soft[:length] *= ramp
    soft[-length:] *= ramp[::-1]
    return soft
