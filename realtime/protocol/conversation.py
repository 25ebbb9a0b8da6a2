"""The conversation: its items in their order, within a session's limits."""

from collections.abc import Iterator

from agent.api import AudioPart, TextPart
from realtime.errors import ClientError
from realtime.protocol.items import Item, UserItem, text_length
from realtime.protocol.limits import Limits

FRONT = "root"
"""As a previous item's id: the wire's word for the place before the first item."""


class Conversation:
    """Items in their order. Ids are unique; a missing one is a ClientError with the wire's code."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._order: list[str] = []
        self._chars_at_most = 0  # since the last count: to count on each item would cost more than the item

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._items

    def __iter__(self) -> Iterator[Item]:
        return (self._items[item_id] for item_id in self._order)

    def __len__(self) -> int:
        return len(self._order)

    @property
    def last(self) -> Item | None:
        return self._items[self._order[-1]] if self._order else None

    @property
    def last_id(self) -> str | None:
        return self._order[-1] if self._order else None

    def insert(self, item: Item, after: str | None = None) -> str | None:
        """Put an item after another ("root": at the front; None: at the end).

        Returns the id of the item before it, None at the front. Raises ClientError.
        """
        if item.id in self._items:
            raise ClientError(
                "item_create_duplicate_item_id", f"An item with id '{item.id}' exists already.", "item.id"
            )
        if after is None:
            place = len(self._order)
        elif after == FRONT:
            place = 0
        elif after in self._items:
            place = self._order.index(after) + 1
        else:
            raise ClientError(
                "item_create_invalid_previous_item_id",
                f"No item with id '{after}' to put the new one after.",
                "previous_item_id",
            )
        self._items[item.id] = item
        self._order.insert(place, item.id)
        self._chars_at_most += text_length(item)
        return self._order[place - 1] if place else None

    def get(self, item_id: str, code: str) -> Item:
        """Raises ClientError with `code` when there is no such item."""
        item = self._items.get(item_id)
        if item is None:
            raise ClientError(code, f"No item with id '{item_id}' in this conversation.", "item_id")
        return item

    def find(self, item_id: str) -> Item | None:
        return self._items.get(item_id)

    def before(self, item_id: str) -> str | None:
        place = self._order.index(item_id)
        return self._order[place - 1] if place else None

    def delete(self, item_id: str) -> None:
        self.get(item_id, "item_delete_invalid_item_id")
        del self._items[item_id]
        self._order.remove(item_id)

    def set_transcript(self, item_id: str, content_index: int, transcript: str, keep_audio: bool) -> None:
        """Note the words of one audio part; drop the audio where only the words matter.

        Beside a typed instruction the sound itself matters: it may be asked how long or how loud it is.
        """
        item = self._items.get(item_id)
        if not isinstance(item, UserItem):
            return
        part = item.parts[content_index] if content_index < len(item.parts) else None
        if not isinstance(part, AudioPart):
            return  # it was deleted, and its id given to another item
        self._chars_at_most += len(transcript)
        is_instructed = any(isinstance(one, TextPart) for one in item.parts)
        known = AudioPart(part.pcm if keep_audio or is_instructed else b"", transcript)
        item.parts = (*item.parts[:content_index], known, *item.parts[content_index + 1 :])

    def item_completed(self, item: Item) -> None:
        """An item that was empty when it was put in is complete."""
        self._chars_at_most += text_length(item)

    def trim(self, limits: Limits) -> None:
        """Drop the oldest items and the oldest audio, as far as there is more than the limits allow."""
        self._drop_oldest_items(limits.items, limits.history_chars)
        self._drop_oldest_audio(limits.history_audio_bytes)

    def _drop_oldest_items(self, limit: int, chars_limit: int) -> None:
        """Drop the oldest items, until at most `limit` are left with so many characters of text.

        Where the text is too long, a tenth more of it goes, so that the next items need no count.
        """
        while len(self._order) > limit:
            del self._items[self._order.pop(0)]
        if self._chars_at_most <= chars_limit:
            return
        sizes = [text_length(item) for item in self]
        self._chars_at_most = sum(sizes)
        if self._chars_at_most <= chars_limit:
            return
        excess = self._chars_at_most - chars_limit * 9 // 10
        for size in sizes[:-1]:  # the newest stays, whatever its size
            if excess <= 0:
                return
            del self._items[self._order.pop(0)]
            self._chars_at_most -= size
            excess -= size

    def _drop_oldest_audio(self, limit_bytes: int) -> None:
        """Drop the oldest audio, until at most limit_bytes are held. Its words stay where they are known."""
        held = 0
        for item_id in reversed(self._order):
            item = self._items[item_id]
            if not isinstance(item, UserItem):
                continue
            held += sum(len(part.pcm) for part in item.parts if isinstance(part, AudioPart))
            if held > limit_bytes:
                item.parts = tuple(_without_audio(part) for part in item.parts)


def _without_audio(part: TextPart | AudioPart) -> TextPart | AudioPart:
    return AudioPart(b"", part.transcript or "") if isinstance(part, AudioPart) else part
