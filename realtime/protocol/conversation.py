"""The conversation: items in order, what was heard of each, and the view that the agent gets."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, assert_never

from agent.api import (
    LISTENING_HZ,
    AssistantMessage,
    AudioPart,
    Message,
    SystemMessage,
    TextPart,
    ToolCallMessage,
    ToolResultMessage,
    UserMessage,
)
from realtime.errors import ClientError
from realtime.protocol.limits import Limits
from realtime.protocol.wire_objects import (
    Content,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputText,
    MessageItem,
    OutputAudio,
    OutputText,
    Status,
    WireItem,
)


@dataclass(slots=True)
class SystemItem:
    id: str
    parts: tuple[TextPart, ...]


@dataclass(slots=True)
class UserItem:
    id: str
    parts: tuple[TextPart | AudioPart, ...]


@dataclass(slots=True)
class AssistantItem:
    """An answer, spoken or written.

    marks: (audio_ms, text_end) pairs, both rising: when audio_ms of it have been played,
    text[:text_end] has been spoken. heard_ms: None while nothing says that less than all of it
    was heard. What was not heard is kept aside, for a later and better report of what was.
    """

    id: str
    modality: Literal["audio", "text"]
    text: str = ""
    status: Status = "completed"
    audio_ms: float = 0.0
    marks: list[tuple[float, int]] = field(default_factory=list)
    heard_ms: float | None = None

    def spoke(self, duration_ms: float, text_end: int) -> None:
        self.audio_ms += duration_ms
        self.marks.append((self.audio_ms, text_end))

    def heard_at_most(self, limit_ms: float) -> float:
        """What was heard, now that it cannot be more than limit_ms; what is known stays known."""
        return min(limit_ms, self.audio_ms if self.heard_ms is None else self.heard_ms)

    @property
    def heard_text(self) -> str:
        """The words that were heard, and only those."""
        if self.heard_ms is None:
            return self.text
        return spoken_by(self.text, self.marks, self.heard_ms)


@dataclass(slots=True)
class ToolCallItem:
    id: str
    call_id: str
    name: str
    arguments: str
    status: Status = "completed"


@dataclass(slots=True)
class ToolResultItem:
    id: str
    call_id: str
    output: str


Item = SystemItem | UserItem | AssistantItem | ToolCallItem | ToolResultItem


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
        elif after == "root":
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
        self._chars_at_most += _chars(item)
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
        """Note the words of one audio part; drop the audio where only the words matter."""
        item = self._items.get(item_id)
        if not isinstance(item, UserItem):
            return
        part = item.parts[content_index] if content_index < len(item.parts) else None
        if not isinstance(part, AudioPart):
            return  # it was deleted, and its id given to another item
        self._chars_at_most += len(transcript)
        known = AudioPart(part.pcm if keep_audio else b"", transcript)
        item.parts = (*item.parts[:content_index], known, *item.parts[content_index + 1 :])

    def grew(self, item: Item) -> None:
        """An item that was empty when it was put in is complete."""
        self._chars_at_most += _chars(item)

    def trim(self, limits: Limits) -> None:
        """Let the oldest items and the oldest audio go, as far as there is more than the limits allow."""
        self._forget_oldest(limits.items, limits.history_chars)
        self._forget_audio(limits.history_audio_bytes)

    def _forget_oldest(self, limit: int, chars_limit: int) -> None:
        """Let the oldest items go, until at most `limit` are left with so many characters of text.

        Where the text is too long, a tenth more of it goes, so that the next items need no count.
        """
        while len(self._order) > limit:
            del self._items[self._order.pop(0)]
        if self._chars_at_most <= chars_limit:
            return
        sizes = [_chars(item) for item in self]
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

    def _forget_audio(self, limit_bytes: int) -> None:
        """Drop the oldest audio, until at most limit_bytes are held. Its words stay where they are known."""
        held = 0
        for item_id in reversed(self._order):
            item = self._items[item_id]
            if not isinstance(item, UserItem):
                continue
            held += sum(len(part.pcm) for part in item.parts if isinstance(part, AudioPart))
            if held > limit_bytes:
                item.parts = tuple(_without_audio(part) for part in item.parts)


def messages(items: Iterable[Item]) -> tuple[Message, ...]:
    """The view that the agent gets: what was said, and of the answers what was heard."""
    view: list[Message] = []
    for item in items:
        match item:
            case SystemItem(parts=parts):
                view.append(SystemMessage("\n".join(part.text for part in parts)))
            case UserItem(parts=parts):
                view.append(UserMessage(parts))
            case AssistantItem():
                if item.heard_text:
                    view.append(AssistantMessage(item.heard_text))
            case ToolCallItem():
                view.append(ToolCallMessage(item.call_id, item.name, item.arguments))
            case ToolResultItem():
                view.append(ToolResultMessage(item.call_id, item.output))
            case _:
                assert_never(item)
    return tuple(view)


def wire_item(item: Item) -> WireItem:
    """The item as clients see it. Audio is left out: a turn of it would not fit a frame."""
    match item:
        case SystemItem():
            content: list[Content] = [InputText(part.text) for part in item.parts]
            return MessageItem(id=item.id, status="completed", role="system", content=content)
        case UserItem():
            content = [
                InputText(part.text) if isinstance(part, TextPart) else InputAudio(part.transcript)
                for part in item.parts
            ]
            return MessageItem(id=item.id, status="completed", role="user", content=content)
        case AssistantItem():
            text = item.heard_text
            content = [OutputAudio(text) if item.modality == "audio" else OutputText(text)]
            if item.status == "in_progress":
                content = []
            return MessageItem(id=item.id, status=item.status, role="assistant", content=content)
        case ToolCallItem():
            return FunctionCallItem(
                id=item.id, status=item.status, call_id=item.call_id, name=item.name, arguments=item.arguments
            )
        case ToolResultItem():
            return FunctionCallOutputItem(
                id=item.id, status="completed", call_id=item.call_id, output=item.output
            )
        case _:
            assert_never(item)


def spoken_by(text: str, marks: list[tuple[float, int]], heard_ms: float) -> str:
    """The whole words of `text` that had been spoken after heard_ms of its audio.

    Between two marks the text is taken to be spoken at an even pace; a word counts once all of
    it was heard.
    """
    before_ms, before_end = 0.0, 0
    for mark_ms, text_end in marks:
        if heard_ms < mark_ms:
            share = max(0.0, heard_ms - before_ms) / (mark_ms - before_ms)
            return _whole_words(text, before_end + int(share * (text_end - before_end)))
        before_ms, before_end = mark_ms, text_end
    return _whole_words(text, before_end)


def _whole_words(text: str, end: int) -> str:
    if end >= len(text):
        return text
    cut = text[:end]
    inside_word = bool(cut) and not cut[-1].isspace() and (text[end].isalnum() or text[end] == "'")
    if inside_word:
        cut = cut[: len(cut) - len(cut.split()[-1])]
    return cut.rstrip()


def _without_audio(part: TextPart | AudioPart) -> TextPart | AudioPart:
    return AudioPart(b"", part.transcript or "") if isinstance(part, AudioPart) else part


def _chars(item: Item) -> int:
    match item:
        case SystemItem(parts=parts):
            return sum(len(part.text) for part in parts)
        case UserItem(parts=parts):
            return sum(
                len(part.text if isinstance(part, TextPart) else part.transcript or "") for part in parts
            )
        case AssistantItem(text=text):
            return len(text)
        case ToolCallItem(arguments=arguments):
            return len(arguments)
        case ToolResultItem(output=output):
            return len(output)
        case _:
            assert_never(item)


def audio_ms(pcm: bytes, rate_hz: int = LISTENING_HZ) -> float:
    """Duration of s16le mono audio."""
    return len(pcm) * 500 / rate_hz
