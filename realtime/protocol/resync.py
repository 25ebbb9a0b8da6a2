"""Resync: what a client needs that comes back, or takes over, and does not know how the session stands."""

from realtime.protocol import events as wire
from realtime.protocol.effects import Effect, Send
from realtime.protocol.items import AssistantItem, ToolCallItem, wire_item
from realtime.protocol.state import SessionState


def resync(state: SessionState, history: bool) -> list[Effect]:
    """The events that show the conversation as it stands, or only (history: False) the responses in progress.

    Of the unheard audio there is nothing here; see `unheard_answers`.
    """
    effects: list[Effect] = []
    previous: str | None = None
    for item in state.conversation if history else ():
        shown = wire_item(item)
        effects.append(Send(wire.ItemAdded(previous_item_id=previous, item=shown)))
        if not (isinstance(item, AssistantItem | ToolCallItem) and item.status == "in_progress"):
            effects.append(Send(wire.ItemDone(previous_item_id=previous, item=shown)))
        previous = item.id
    for generating in state.responses.in_progress():
        effects += generating.response.resync()
    return effects


def resync_alignment(state: SessionState, playing: list[wire.Playing]) -> list[Effect]:
    """Which words the audio of these answers holds, for a client that shows them as they are heard."""
    if not state.config.extensions.alignment:
        return []
    effects: list[Effect] = []
    for one in playing:
        item = state.conversation.find(one.item_id)
        for audio_end_ms, text_end in item.alignment if isinstance(item, AssistantItem) else ():
            mark = wire.ParlourAlignment(
                response_id=one.response_id,
                item_id=one.item_id,
                content_index=0,
                audio_end_ms=round(audio_end_ms),
                text_end=text_end,
            )
            effects.append(Send(mark))
    return effects


def unheard_answers(state: SessionState, now: float) -> list[wire.Playing]:
    """The answers that are not heard to their end, oldest first."""
    return [
        wire.Playing(playout.item_id, playout.response_id, int(playout.heard_ms(now)))
        for playout in state.heard.playback.unheard(now)
    ]
