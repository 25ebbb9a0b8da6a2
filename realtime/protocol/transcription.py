"""The words of the user's audio: asked of the agent, noted in the conversation, sent if they are wanted."""

from typing import Any

from agent.api import AudioPart
from realtime.protocol import events as wire
from realtime.protocol.effects import Effect, Send, Transcribe
from realtime.protocol.inputs import Transcribed, TranscriptionError
from realtime.protocol.items import Item, UserItem
from realtime.protocol.state import SessionState


def transcribe(state: SessionState, item: Item) -> list[Effect]:
    """Ask for the words of each audio part whose words are not known."""
    if not state.agent.transcribes or not isinstance(item, UserItem):
        return []
    transcription = state.config.audio.input.transcription
    language = transcription.language if transcription else None
    return [
        Transcribe(item.id, index, part.pcm, language)
        for index, part in enumerate(item.parts)
        if isinstance(part, AudioPart) and part.transcript is None
    ]


def transcribed(state: SessionState, result: Transcribed | TranscriptionError) -> list[Effect]:
    place: dict[str, Any] = {"item_id": result.item_id, "content_index": result.content_index}
    is_wanted = state.config.audio.input.transcription is not None
    if isinstance(result, TranscriptionError):
        error = wire.TranscriptionError("transcription_error", result.code, result.message)
        return [Send(wire.TranscriptionFailed(error=error, **place))] if is_wanted else []
    text = result.transcript.text
    state.conversation.set_transcript(
        result.item_id, result.content_index, text, keep_audio=state.agent.wants_audio_history
    )
    if not is_wanted:
        return []
    effects: list[Effect] = []
    if text:
        effects.append(Send(wire.TranscriptionDelta(delta=text, **place)))
    usage = wire.DurationUsage(round(result.transcript.duration_s, 3))
    effects.append(Send(wire.TranscriptionCompleted(transcript=text, usage=usage, **place)))
    return effects
