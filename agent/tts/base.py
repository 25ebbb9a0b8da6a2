"""What a synthesiser is: clauses in, speech out, in time for the first words to be heard early."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agent.api import SpeechSkipped
from agent.speech_text.pronunciation import Span

Samples = NDArray[np.float32]
"""(n_samples,), -1.0 to 1.0, at SPEAKING_HZ unless a name says otherwise."""


@dataclass(frozen=True, slots=True)
class Speech:
    """A piece of speech, at most 200 ms, s16le mono at SPEAKING_HZ.

    text_end: how many characters of all clauses so far, joined, have been said at its end.
    """

    pcm: bytes
    text_end: int


class Synthesiser(Protocol):
    voices: tuple[str, ...]
    """Names that `synthesise` knows; the first is its own choice."""

    def synthesise(
        self, clauses: AsyncIterator[str], voice: str = "", speed: float = 1.0
    ) -> AsyncGenerator[Speech | SpeechSkipped, None]:
        """Speak each clause as soon as it comes. Raises AgentError.

        A clause without anything to say yields no sound; what it holds counts as said with the next
        one. What the voice cannot say is told before the sound of its clause. voice: one of `voices`;
        another name means the first. speed: 0.25 to 1.5 times the voice's own, the pitch kept. Closing stops
        after the clause that is being computed.
        """
        ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Mark:
    """After `sample` samples of a clause, its first `text_end` characters have been said."""

    sample: int
    text_end: int


@dataclass(frozen=True, slots=True)
class SpokenClause:
    """unpronounced: the stretches of the clause that the voice cannot say, and that have no sound."""

    samples: Samples
    marks: tuple[Mark, ...]
    unpronounced: tuple[Span, ...] = ()


class ClauseVoice(Protocol):
    """A voice that computes one clause at a time, on the thread that calls it."""

    def speak(self, clause: str, speed: float = 1.0) -> SpokenClause:
        """Return the clause's sound, empty when there is nothing to say. Blocks for 20 ms to seconds.

        speed: 0.25 to 1.5 times the voice's own.
        """
        ...
