"""The items of a conversation, as the core has them, as clients see them, and as the agent does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, assert_never

from msgspec import UNSET

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

    alignment: (audio_ms, text_end) pairs, both rising: when audio_ms of it have been played,
    text[:text_end] has been spoken. heard_ms: None while nothing says that less than all of it
    was heard. The text that was not heard stays, for a later and better report of what was.
    """

    id: str
    modality: Literal["audio", "text"]
    text: str = ""
    status: Status = "completed"
    audio_ms: float = 0.0
    alignment: list[tuple[float, int]] = field(default_factory=list)
    heard_ms: float | None = None

    def append_audio(self, duration_ms: float, text_end: int) -> None:
        self.audio_ms += duration_ms
        self.alignment.append((self.audio_ms, text_end))

    def heard_at_most(self, limit_ms: float) -> float:
        """What was heard, now that it cannot be more than limit_ms; what is known stays known."""
        return min(limit_ms, self.audio_ms if self.heard_ms is None else self.heard_ms)

    @property
    def heard_text(self) -> str:
        """The words that were heard, and only those."""
        if self.heard_ms is None:
            return self.text
        return words_heard(self.text, self.alignment, self.heard_ms)


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


def wire_item(item: Item, audio: Mapping[int, bytes] | None = None) -> WireItem:
    """The item as clients see it.

    audio: of its content parts, by their index, in the session's input format.
    """
    match item:
        case SystemItem():
            content: list[Content] = [InputText(part.text) for part in item.parts]
            return MessageItem(id=item.id, status="completed", role="system", content=content)
        case UserItem():
            content = [
                InputText(part.text)
                if isinstance(part, TextPart)
                else InputAudio(part.transcript, (audio or {}).get(index, UNSET))
                for index, part in enumerate(item.parts)
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


def words_heard(text: str, alignment: list[tuple[float, int]], heard_ms: float) -> str:
    """The whole words of `text` that had been spoken after heard_ms of its audio.

    Between two alignment the text is taken to be spoken at an even pace; a word counts once all of
    it was heard.
    """
    before_ms, before_end = 0.0, 0
    for mark_ms, text_end in alignment:
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


def text_length(item: Item) -> int:
    """In characters."""
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
