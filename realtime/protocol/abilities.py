"""What a session can ask for and this server, or the agent behind it, cannot do: refused by name."""

from dataclasses import dataclass

from agent.api import Health
from realtime.errors import InvalidEvent
from realtime.protocol.config import DEFAULT_VOICE, SessionConfig
from realtime.protocol.known_fields import unsupported

OPENAI_VOICES = frozenset(
    {"alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer"}
    | {"verse"}
)
"""Stock clients ask for one of these whether or not their user chose it, and some end at an error: each
stands for the agent's own choice."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """reduces_noise: the library for it is installed."""

    agent: Health
    reduces_noise: bool = True

    def check(self, config: SessionConfig, before: SessionConfig, path: str = "session") -> None:
        """Raises InvalidEvent for what differs from before and cannot be done. path: begins the param."""
        for has_changed, check in (
            (config.type != before.type, self._check_type),
            (config.tools != before.tools, self._check_tools),
            (config.audio.output.voice != before.audio.output.voice, self._check_voice),
            (config.audio.input.transcription != before.audio.input.transcription, self._check_transcription),
            (config.audio.input.noise_reduction != before.audio.input.noise_reduction, self._check_noise),
            (config.include != before.include, self._check_include),
        ):
            if has_changed:
                check(config, path)

    def _check_type(self, config: SessionConfig, path: str) -> None:
        if config.transcribes_only and not self.agent.transcribes:
            raise unsupported(
                f"{path}.type", "'transcription'", "The model of this server does not transcribe."
            )

    def _check_tools(self, config: SessionConfig, path: str) -> None:
        if config.tools and not self.agent.calls_tools:
            raise unsupported(f"{path}.tools", "tools", "The model of this server cannot call any.")

    def _check_voice(self, config: SessionConfig, path: str) -> None:
        known = (DEFAULT_VOICE, *self.agent.voices)
        if config.audio.output.voice_name not in {*known, *OPENAI_VOICES}:
            names = ", ".join(f"'{name}'" for name in known)
            where = f"{path}.audio.output.voice"
            message = f"Invalid value for '{where}': no such voice. Voices of this server are: {names}."
            raise InvalidEvent("invalid_value", message, where)

    def _check_transcription(self, config: SessionConfig, path: str) -> None:
        wanted = config.audio.input.transcription
        where = f"{path}.audio.input.transcription"
        if wanted is None:
            return
        if wanted.prompt:
            raise unsupported(f"{where}.prompt", "a prompt", "The recogniser of this server takes none.")
        languages = self.agent.languages
        if wanted.language and languages and wanted.iso_language not in languages:
            hears = f"The recogniser of this server hears: {', '.join(languages)}."
            raise unsupported(f"{where}.language", f"{wanted.language!r:.40}", hears)

    def _check_noise(self, config: SessionConfig, path: str) -> None:
        if config.audio.input.noise_reduction is not None and not self.reduces_noise:
            where = f"{path}.audio.input.noise_reduction"
            raise unsupported(where, "an object", "The library for it is not installed on this server.")

    def _check_include(self, config: SessionConfig, path: str) -> None:
        if config.include:
            raise unsupported(f"{path}.include", "a list", "The recogniser of this server tells no more.")
