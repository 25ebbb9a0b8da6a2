"""Tokens of a request, where the engine never came to count them. Pure."""

from agent.api import (
    LISTENING_HZ,
    AgentRequest,
    AssistantMessage,
    AudioPart,
    SystemMessage,
    TextPart,
    ToolCallMessage,
    ToolResultMessage,
    Usage,
    UserMessage,
)

CHARS_A_TOKEN = 4
"""Of English text, as OpenAI's and most tokenizers have it."""
_AUDIO_TOKENS_A_S = 25
"""As Qwen2-Audio has them."""


def estimated_input(request: AgentRequest) -> Usage:
    n_chars, audio_bytes = len(request.instructions), 0
    for message in request.messages:
        match message:
            case UserMessage(parts=parts):
                n_chars += sum(len(_words(part)) for part in parts)
                audio_bytes += sum(
                    len(part.pcm) for part in parts if isinstance(part, AudioPart) and part.transcript is None
                )
            case SystemMessage(text=text) | AssistantMessage(text=text):
                n_chars += len(text)
            case ToolCallMessage(arguments=text) | ToolResultMessage(output=text):
                n_chars += len(text)
    n_audio = round(audio_bytes / (2 * LISTENING_HZ) * _AUDIO_TOKENS_A_S)
    return Usage(input_text_tokens=-(-n_chars // CHARS_A_TOKEN), input_audio_tokens=n_audio)


def _words(part: TextPart | AudioPart) -> str:
    return part.text if isinstance(part, TextPart) else part.transcript or ""
