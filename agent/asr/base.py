"""What a recogniser is: speech in, its words out."""

from dataclasses import dataclass
from typing import Protocol

LANGUAGES = ("en", "es", "fr", "de", "it", "pt", "nl", "pl", "ru", "zh", "ja")
"""What the multilingual recogniser is asked for, ISO 639-1; another one is taken for English."""


@dataclass(frozen=True, slots=True)
class Heard:
    """text: "" when the sound holds no words. duration_s: of the audio."""

    text: str
    duration_s: float


class Recogniser(Protocol):
    async def recognise(self, pcm: bytes, language: str = "") -> Heard:
        """Return the words of s16le mono speech at LISTENING_HZ. Raises AgentError.

        language: ISO 639-1, or "" for the recogniser's own. Calls on the same audio share one
        computation, while it runs and for a while after.
        """
        ...

    async def aclose(self) -> None: ...
