"""Heard history: the conversation keeps of each spoken answer what its listener has heard.

That is known, best first, from `conversation.item.truncate`, from `parlour.playback`, and else from the
clock: audio cannot be heard faster than it lasts (playout.py).
"""

from collections.abc import Mapping

from realtime.errors import ClientError
from realtime.protocol.client_events import ItemTruncate
from realtime.protocol.conversation import Conversation
from realtime.protocol.effects import Effect, Send, StopPlayback
from realtime.protocol.items import AssistantItem
from realtime.protocol.parlour_events import ParlourHeard, PlaybackReport
from realtime.protocol.playout import Playback
from realtime.protocol.server_events import ItemTruncated


class HeardHistory:
    """Sets `heard_ms` of the conversation's spoken answers.

    playback: what was sent of them, and how far its listener is.
    playback_ack: the client's setting: it reports what it plays, and gets `parlour.heard` for an answer
    that was cut off.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.playback = Playback()
        self.playback_ack = False
        self._conversation = conversation

    def client_disconnected(self, now: float, heard_ms: Mapping[str, float]) -> None:
        """See Playback.client_disconnected."""
        self.playback.client_disconnected(now, heard_ms, has_reported=self.playback_ack)

    def truncate(self, event: ItemTruncate) -> list[Effect]:
        """The client says what was heard (conversation.item.truncate). More than there is means all of it.

        Raises ClientError.
        """
        item = self._conversation.get(event.item_id, "item_truncate_invalid_item_id")
        if not isinstance(item, AssistantItem) or item.modality != "audio":
            raise ClientError(
                "invalid_value", "Only spoken messages of the assistant can be truncated.", "item_id"
            )
        if event.content_index != 0:
            raise ClientError(
                "invalid_value", "Invalid content_index: this item has one content part, 0.", "content_index"
            )
        if event.audio_end_ms < 0:
            raise ClientError("invalid_value", "Invalid audio_end_ms: expected 0 or more.", "audio_end_ms")
        if item.audio_ms:  # an item that the client wrote has no audio to measure by
            item.heard_ms = min(float(event.audio_end_ms), item.audio_ms)
        truncated = ItemTruncated(item_id=item.id, content_index=0, audio_end_ms=event.audio_end_ms)
        return [Send(truncated)]

    def report(self, event: PlaybackReport) -> list[Effect]:
        """The client's player says how far it is (`parlour.playback`)."""
        skipped = self.playback.reported(event.item_id, event.played_ms)
        if skipped is None:
            item = self._conversation.find(event.item_id)
            if isinstance(item, AssistantItem) and item.heard_ms is not None and event.played_ms >= 0:
                return self._truncate_at(item, float(event.played_ms))  # its last word on what was cut off
            return []
        effects: list[Effect] = []
        for playout in skipped:
            effects += self._truncate_at_most(playout.item_id, playout.reported_ms or 0.0)
        return effects

    def response_ended(self, message: AssistantItem) -> None:
        """Words of a broken answer that were decoded but never spoken were not heard."""
        if message.status != "completed" and message.modality == "audio":
            message.heard_ms = message.heard_at_most(message.audio_ms)

    def silenced(self, message: AssistantItem) -> list[Effect]:
        """No more will be heard of an answer than was played so far, though its words go on."""
        return self._truncate_at(message, message.heard_at_most(message.audio_ms))

    def stop(self, now: float) -> list[Effect]:
        """Nothing is to be heard from now on: cut off what plays."""
        effects: list[Effect] = []
        for cut in self.playback.stop(now):
            is_in_conversation = cut.item_id in self._conversation
            effects.append(StopPlayback(cut.response_id, is_in_conversation))
            effects += self._truncate_at_most(cut.item_id, cut.heard_ms(now))
        return effects

    def _truncate_at_most(self, item_id: str, limit_ms: float) -> list[Effect]:
        item = self._conversation.find(item_id)
        if not isinstance(item, AssistantItem):
            return []
        return self._truncate_at(item, item.heard_at_most(limit_ms))

    def _truncate_at(self, item: AssistantItem, heard_ms: float) -> list[Effect]:
        before, item.heard_ms = item.heard_ms, min(heard_ms, item.audio_ms)
        if not self.playback_ack or item.heard_ms == before:
            return []
        heard = ParlourHeard(item_id=item.id, audio_end_ms=round(item.heard_ms), transcript=item.heard_text)
        return [Send(heard)]
