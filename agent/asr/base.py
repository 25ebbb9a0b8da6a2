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


@dataclass(frozen=True, slots=True)
class SpokenLanguage:
    """code: ISO 639-1, of all that the model knows, which may be more than LANGUAGES."""

    code: str
    probability: float


class Recogniser(Protocol):
    async def recognise(self, pcm: bytes, language: str = "") -> Heard:
        """Return the words of s16le mono speech at LISTENING_HZ. Raises AgentError.

        language: ISO 639-1, or "" for the recogniser's own. Calls on the same audio share one
        computation, while it runs and for a while after.
        """
        ...

    async def language(self, pcm: bytes) -> SpokenLanguage | None:
        """The likeliest language of s16le mono speech at LISTENING_HZ. Raises AgentError.

        None where the recogniser knows one language only. Where nobody speaks, it means nothing.
        """
        ...

    async def aclose(self) -> None: ...
