"""Whose turn it is: the user's speech begins, pauses and ends, and the turn that it makes is answered.

What speech does to an answer that is heard: barge_in.py. Speech that does not come: idle_timeout.py.
"""

from collections.abc import Iterable
from typing import Any

from agent.api import AudioPart, UserMessage
from realtime.errors import ClientError
from realtime.protocol import barge_in, idle_timeout, new_items
from realtime.protocol import events as wire
from realtime.protocol.client_items import parse_input
from realtime.protocol.config_update import (
    check_instructions,
    response_config,
    with_fixed,
    with_overrides,
)
from realtime.protocol.effects import Effect, ResetTurnDetector, Send, Warm
from realtime.protocol.inputs import SpeechPaused, SpeechStarted, SpeechStopped
from realtime.protocol.items import Item, UserItem, messages
from realtime.protocol.responses import agent_request
from realtime.protocol.state import SessionState
from realtime.protocol.transcription import transcribe_so_far


def speech_started(state: SessionState, signal: SpeechStarted, now: float) -> list[Effect]:
    """An utterance begins."""
    detection, buffer = state.turn_detection, state.input_buffer
    if detection is None or buffer.utterance is not None:
        return []
    idle_timeout.user_acted(state, now)
    item_id = state.new_id("item")
    utterance = buffer.begin_utterance(item_id, signal.audio_ms, detection.prefix_padding_ms, now)
    started = wire.InputSpeechStarted(item_id=item_id, audio_start_ms=utterance.start_ms)
    return [Send(started), *barge_in.interrupt(state, detection, now)]


def speech_paused(state: SessionState, signal: SpeechPaused) -> list[Effect]:
    """The turn may end here: let the agent begin with the prompt that it would make."""
    detection, buffer = state.turn_detection, state.input_buffer
    if state.config.transcribes_only:
        return transcribe_so_far(state, signal.audio_ms)
    if detection is None or not detection.create_response or buffer.utterance is None:
        return []
    if state.responses.current is not None:
        return []
    utterance = UserMessage((AudioPart(buffer.utterance_audio(signal.audio_ms)),))
    view = (*messages(state.conversation), utterance)
    return [Warm(agent_request(state.config.id, "", response_config(state.config, None), view))]


def speech_stopped(state: SessionState, signal: SpeechStopped, now: float) -> list[Effect]:
    """The turn is over: its utterance becomes an item, which is answered."""
    detection, buffer = state.turn_detection, state.input_buffer
    if detection is None or buffer.utterance is None:
        return []
    item_id, pcm = buffer.end_utterance(signal.audio_ms)
    stopped = wire.InputSpeechStopped(item_id=item_id, audio_end_ms=signal.audio_ms)
    effects: list[Effect] = [Send(stopped), *_commit(state, item_id, pcm, now)]
    if detection.create_response:
        effects += answer_turn(state, now)
    return effects


def commit_by_client(state: SessionState, now: float) -> list[Effect]:
    """Push to talk: the client says that the turn is over, and asks for its answer. Raises ClientError."""
    utterance, pcm = state.input_buffer.take()
    item_id = utterance.item_id if utterance else state.new_id("item")
    return [*_commit(state, item_id, pcm, now), ResetTurnDetector()]


def answer_turn(state: SessionState, now: float) -> list[Effect]:
    """At once, or when the response in progress has ended: several turns are then answered together."""
    if state.responses.current is not None:
        state.turn_waits = True
        return []
    return create_response(state, None, now)


def answer_waiting_turn(state: SessionState, now: float) -> list[Effect]:
    """To be called when a response may have ended."""
    if not state.turn_waits or state.responses.current is not None:
        return []
    state.turn_waits = False
    return create_response(state, None, now)


def create_response(state: SessionState, patch: dict[str, Any] | None, now: float) -> list[Effect]:
    """patch: the `response` of a response.create; None: for a turn. Raises ClientError."""
    _check_makes_responses(state)
    patch = with_fixed(patch or {}, state.fixed)
    if patch.get("conversation") not in (None, "auto", "none"):
        raise ClientError(
            "invalid_value", "Invalid conversation: expected 'auto' or 'none'.", "response.conversation"
        )
    out_of_band = patch.get("conversation") == "none"
    state.responses.check_room(out_of_band)  # first: a refusal must not cost what an answer does
    raw_input = patch.get("input")
    items: Iterable[Item] = state.conversation
    if raw_input is not None:
        items = parse_input(raw_input, state.conversation, state.new_id, state.decode_audio)
    view = messages(items)
    if patch:
        state.abilities.check(with_overrides(state.config, patch), state.config, "response")
    config = response_config(state.config, patch)
    if config.instructions != state.config.instructions:
        check_instructions(config.instructions, state.agent, "response.instructions")
    if not out_of_band or config.modality == "audio":
        idle_timeout.answer_begins(state, out_of_band)
    return state.responses.begin(state.config, config, view, now, out_of_band)


def say(state: SessionState, text: str, now: float) -> list[Effect]:
    """The next response, its words given. Raises ClientError where one is in progress."""
    _check_makes_responses(state)
    state.responses.check_room(out_of_band=False)
    config, view = response_config(state.config, None), messages(state.conversation)
    idle_timeout.answer_begins(state, out_of_band=False)
    return state.responses.begin(state.config, config, view, now, verbatim=text)


def _commit(state: SessionState, item_id: str, pcm: bytes, now: float) -> list[Effect]:
    item = UserItem(item_id, (AudioPart(pcm),))
    effects = new_items.commit(state, item)
    idle_timeout.item_added(state, item, now)
    return effects


def _check_makes_responses(state: SessionState) -> None:
    """Raises ClientError."""
    if state.config.transcribes_only:
        raise ClientError("invalid_value", "A transcription session makes no responses.", "type")
