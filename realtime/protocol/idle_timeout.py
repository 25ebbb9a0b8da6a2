"""Idle timeout: a user who says nothing for long is asked, once, whether they are still there.

The silence counts from the end of the assistant's turn, as it is heard. It is not the user's while they
speak, wait for an answer, hear one, or wait for a tool.
"""

from agent.api import AudioPart
from realtime.protocol import events as wire
from realtime.protocol import new_items
from realtime.protocol.config import SessionConfig
from realtime.protocol.config_update import response_config
from realtime.protocol.effects import Effect, Send
from realtime.protocol.items import AssistantItem, Item, ToolResultItem, UserItem, messages
from realtime.protocol.responses import Idle
from realtime.protocol.state import SessionState

_ASK = "The user has been silent for a while. Ask in a few words whether they are still there."


def due_at(state: SessionState) -> float | None:
    """When the silence has lasted too long; None where it may last."""
    detection, idle = state.turn_detection, state.responses.state
    if detection is None or detection.idle_timeout_ms is None:
        return None
    if state.idle.has_asked or state.idle.awaits_answer or not len(state.conversation):
        return None
    if not isinstance(idle, Idle) or state.input_buffer.utterance or state.is_disconnected:
        return None
    if any(one.response.config.modality == "audio" for one in state.responses.in_progress()):
        return None
    tools_end_at = [called_at + state.limits.tool_s for called_at in state.responses.running_calls.values()]
    silent_since = max(state.heard.playback.ends_at(idle.since), state.idle.since, *tools_end_at)
    return silent_since + detection.idle_timeout_ms / 1000.0


def timeout_of(config: SessionConfig) -> int | None:
    """In milliseconds."""
    detection = config.audio.input.turn_detection
    return detection.idle_timeout_ms if detection is not None else None


def user_acted(state: SessionState, now: float) -> None:
    """The user is there: the silence begins anew, and they may be asked again."""
    state.idle.since, state.idle.has_asked = now, False


def item_added(state: SessionState, item: Item, now: float) -> None:
    """By the client, or by the user's speech."""
    match item:
        case UserItem():
            user_acted(state, now)
            state.idle.awaits_answer = True
        case AssistantItem():
            state.idle.since, state.idle.awaits_answer = now, False
        case ToolResultItem(call_id=call_id):
            state.idle.since = now
            state.responses.running_calls.pop(call_id, None)


def answer_begins(state: SessionState, out_of_band: bool) -> None:
    """One that the user's turn or the client has asked for, and that the user will hear or read."""
    state.idle.awaits_answer = False
    # What answers a tool's result goes on with the turn before it, and out of band is no turn.
    if not out_of_band and not isinstance(state.conversation.last, ToolResultItem):
        state.idle.has_asked = False


def ask(state: SessionState, now: float) -> list[Effect]:
    """Take the silence as a turn, an item without audio or words."""
    state.idle.has_asked = True
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
