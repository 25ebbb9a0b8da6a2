"""What is known of a clip, and a language's name. Pure."""

from dataclasses import dataclass

from agent.analysis.sound import Sound
from agent.asr.base import LANGUAGES, SpokenLanguage

SURE = 0.9
"""Of a language's probability, from where on it is taken for certain."""


@dataclass(frozen=True, slots=True)
class Clip:
    """words: "" where none were recognised. sound: None where only the words were kept.

    language: None where the recogniser cannot tell one from another, or hears no voice.
    """

    words: str
    sound: Sound | None = None
    language: SpokenLanguage | None = None

    @property
    def is_unwritten(self) -> bool:
        """Whether it is in a language that the recogniser is not asked for: what it made are no words."""
        return self.sure_language not in ("", *LANGUAGES)

    @property
    def sure_language(self) -> str:
        """Its code; "" where it is not certain."""
        spoken = self.language
        return spoken.code if spoken is not None and spoken.probability >= SURE else ""

    @property
    def has_voice(self) -> bool:
        return bool(self.words) or bool(self.sound and self.sound.speech)


def name_of(language: str) -> str:
    """language: ISO 639-1, or Whisper's own code."""
    return _NAMES.get(language, f'the language with the code "{language}"')


_NAMES = {
    "af": "Afrikaans",
    "ar": "Arabic",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "ca": "Catalan",
    "cs": "Czech",
    "cy": "Welsh",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "gl": "Galician",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "id": "Indonesian",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "la": "Latin",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "ms": "Malay",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sr": "Serbian",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "th": "Thai",
    "tl": "Tagalog",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "yue": "Cantonese",
    "zh": "Chinese",
}
