"""What was heard of each answer: from the client's word for it, from its reports, and else from the clock.

Best first: `conversation.item.truncate`; `parlour.playback`; audio cannot be heard faster than it lasts.
"""

from collections.abc import Mapping

from realtime.errors import ClientError
from realtime.protocol.client_events import ItemTruncate
from realtime.protocol.conversation import Conversation
from realtime.protocol.effects import Effect, Send, StopPlayback
from realtime.protocol.items import AssistantItem
from realtime.protocol.parlour_events import ParlourHeard, PlaybackReport
from realtime.protocol.playout import Playback, Playout
from realtime.protocol.server_events import ItemTruncated


class HeardHistory:
    """Keeps, in the conversation's spoken answers, what was heard of them.

    playback_ack: the client's setting: it reports what it plays, and gets `parlour.heard` for an answer
    that was cut off.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.playback_ack = False
        self._conversation = conversation
        self._playback = Playback()

    def sent(self, response_id: str, item_id: str, duration_ms: float, now: float) -> None:
        self._playback.sent(response_id, item_id, duration_ms, now)

    def ends_at(self, now: float) -> float:
        """When all that was sent has been heard; `now` if nothing plays."""
        return self._playback.ends_at(now)

    def away(self, now: float, heard_ms: Mapping[str, float]) -> None:
        """Nobody hears anything from now on. heard_ms: of some items, whatever was reported before."""
        self._playback.away(now, heard_ms, has_reported=self.playback_ack)

    def back(self, now: float) -> None:
        self._playback.back(now)

    def unheard(self, now: float) -> list[Playout]:
        return self._playback.unheard(now)

    def restore(self, playouts: list[Playout]) -> None:
        """Of a session that goes on: what was not heard to its end."""
        self._playback.restore(playouts)

    def truncate(self, event: ItemTruncate) -> list[Effect]:
        """The client says what was heard. More than there is means all of it. Raises ClientError."""
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
        """The client's player says how far it is."""
        left = self._playback.reported(event.item_id, event.played_ms)
        if left is None:
            item = self._conversation.find(event.item_id)
            if isinstance(item, AssistantItem) and item.heard_ms is not None and event.played_ms >= 0:
                return self._cut(item, float(event.played_ms))  # its last word on what was cut off
            return []
        effects: list[Effect] = []
        for playout in left:
            effects += self._cut_at_most(playout.item_id, playout.reported_ms or 0.0)
        return effects

    def response_ended(self, message: AssistantItem) -> None:
        """Words of a broken answer that were decoded but never spoken were not heard."""
        if message.status != "completed" and message.modality == "audio":
            message.heard_ms = message.heard_at_most(message.audio_ms)

    def stop(self, now: float) -> list[Effect]:
        """Nothing is to be heard from now on: cut off what plays."""
        effects: list[Effect] = []
        for cut in self._playback.stop(now):
            effects.append(StopPlayback(cut.response_id))
            effects += self._cut_at_most(cut.item_id, cut.heard_ms(now))
        return effects

    def _cut_at_most(self, item_id: str, limit_ms: float) -> list[Effect]:
        item = self._conversation.find(item_id)
        return self._cut(item, item.heard_at_most(limit_ms)) if isinstance(item, AssistantItem) else []

    def _cut(self, item: AssistantItem, heard_ms: float) -> list[Effect]:
        before, item.heard_ms = item.heard_ms, min(heard_ms, item.audio_ms)
        if not self.playback_ack or item.heard_ms == before:
            return []
        heard = ParlourHeard(item_id=item.id, audio_end_ms=round(item.heard_ms), transcript=item.heard_text)
        return [Send(heard)]
