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
    return [
        Transcribe(item.id, index, part.pcm, _language(state))
        for index, part in enumerate(item.parts)
        if isinstance(part, AudioPart) and part.transcript is None
    ]


def transcribe_so_far(state: SessionState, audio_ms: int) -> list[Effect]:
    """The speaker pauses, at that position: ask for the words of the open utterance up to there.

    What is recognised now is not recognised again if the utterance ends here: its audio is the same.
    """
    utterance = state.input_buffer.utterance
    if utterance is None or not state.agent.transcribes:
        return []
    pcm = state.input_buffer.utterance_audio(audio_ms)
    return [Transcribe(utterance.item_id, 0, pcm, _language(state), is_final=False)]


def transcribed(state: SessionState, result: Transcribed | TranscriptionError) -> list[Effect]:
    place: dict[str, Any] = {"item_id": result.item_id, "content_index": result.content_index}
    if isinstance(result, Transcribed) and not result.is_final:
        return _words_so_far(state, result, place)
    sent = state.transcribed_so_far.pop(result.item_id, "")
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
    rest = text[len(sent) :] if text.startswith(sent) else ""
    if rest:
        effects.append(Send(wire.TranscriptionDelta(delta=rest, **place)))
    usage = wire.DurationUsage(round(result.transcript.duration_s, 3))
    effects.append(Send(wire.TranscriptionCompleted(transcript=text, usage=usage, **place)))
    return effects


def _words_so_far(state: SessionState, result: Transcribed, place: dict[str, Any]) -> list[Effect]:
    """The words that are sure not to change: all but the last, which more speech may turn into another."""
    utterance = state.input_buffer.utterance
    if utterance is None or utterance.item_id != result.item_id:
        return []  # it has ended meanwhile, and its words come as a whole
    sent = state.transcribed_so_far.get(result.item_id, "")
    text = result.transcript.text.rstrip()
    sure = text[: max(text.rfind(" "), 0)]
    if len(sure) <= len(sent) or not sure.startswith(sent):
        return []
    state.transcribed_so_far[result.item_id] = sure
    return [Send(wire.TranscriptionDelta(delta=sure[len(sent) :], **place))]


def _language(state: SessionState) -> str | None:
    transcription = state.config.audio.input.transcription
    return transcription.iso_language if transcription else None
