"""An item joins the conversation: its client sees it, its audio is transcribed, and the oldest make room."""

from realtime.protocol import events as wire
from realtime.protocol.effects import Effect, Send
from realtime.protocol.items import Item, UserItem, wire_item
from realtime.protocol.state import SessionState
from realtime.protocol.transcription import transcribe


def add(state: SessionState, item: Item, after: str | None = None) -> list[Effect]:
    """after: as for Conversation.insert. Raises ClientError."""
    previous = state.conversation.insert(item, after)
    shown = wire_item(item)
    effects: list[Effect] = [
        Send(wire.ItemAdded(previous_item_id=previous, item=shown)),
        Send(wire.ItemDone(previous_item_id=previous, item=shown)),
    ]
    state.conversation.trim(state.limits)
    if isinstance(item, UserItem):
        state.recordings.add(state.config.id, item)
    return effects + transcribe(state, item)


def commit(state: SessionState, item: UserItem) -> list[Effect]:
    """The user's audio has become an item."""
    previous = state.conversation.last_id
    added = add(state, item)
    return [Send(wire.Committed(item_id=item.id, previous_item_id=previous)), *added]
