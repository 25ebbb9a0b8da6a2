"""Idle timeout: a user who says nothing for long is asked, once, whether they are still there."""

from agent.api import AudioPart
from realtime.protocol import events as wire
from realtime.protocol import new_items
from realtime.protocol.config_update import response_config
from realtime.protocol.effects import Effect, Send
from realtime.protocol.items import UserItem, messages
from realtime.protocol.responses import Idle
from realtime.protocol.state import SessionState

_ASK = "The user has been silent for a while. Ask in a few words whether they are still there."


def due_at(state: SessionState) -> float | None:
    """When the silence has lasted too long; None where it may last."""
    detection, idle = state.turn_detection, state.responses.state
    if detection is None or detection.idle_timeout_ms is None or state.idle_timeout_triggered:
        return None
    if not isinstance(idle, Idle) or state.input_buffer.utterance or state.is_disconnected:
        return None
    if not len(state.conversation):
        return None
    return state.heard.playback.ends_at(idle.since) + detection.idle_timeout_ms / 1000.0


def ask(state: SessionState, now: float) -> list[Effect]:
    """Take the silence as a turn, an item without audio or words."""
    state.idle_timeout_triggered = True
    view = messages(state.conversation)
    item = UserItem(state.new_id("item"), (AudioPart(b"", ""),))
    start_ms, end_ms = state.input_buffer.start_ms, state.input_buffer.end_ms
    state.input_buffer.clear()
    timeout = wire.TimeoutTriggered(item_id=item.id, audio_start_ms=start_ms, audio_end_ms=end_ms)
    committed = wire.Committed(item_id=item.id, previous_item_id=state.conversation.last_id)
    effects: list[Effect] = [Send(timeout), Send(committed), *new_items.add(state, item)]
    instructions = f"{state.config.instructions}\n{_ASK}".strip()
    config = response_config(state.config, {"instructions": instructions})
    return effects + state.responses.begin(state.config, config, view, now)
