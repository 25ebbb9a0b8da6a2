"""A session as data that outlives its process: what a restarted server, or another one, goes on from.

Answers that are being made are not part of it: they end with the process that makes them.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, Self

import msgspec
from msgspec import Struct, field

from agent.api import AudioPart, TextPart
from realtime.protocol.config import AudioFormat, SessionConfig
from realtime.protocol.effects import Play
from realtime.protocol.items import AssistantItem, Item, SystemItem, ToolCallItem, ToolResultItem, UserItem
from realtime.protocol.playout import Playout
from realtime.protocol.state import SessionState

VERSION = 1


class StoredPart(Struct, array_like=True):
    """text, or audio (s16le mono at 16 kHz) with its transcript where that is known."""

    text: str | None
    pcm: bytes = b""
    transcript: str | None = None


class StoredItem(Struct, omit_defaults=True):
    """Any item; what its kind does not have stays at its default."""

    kind: str
    id: str
    parts: list[StoredPart] = []
    modality: str = "audio"
    text: str = ""
    status: str = "completed"
    audio_ms: float = 0.0
    alignment: list[tuple[float, int]] = field(default_factory=list, name="marks")
    heard_ms: float | None = None
    call_id: str = ""
    name: str = ""


class StoredPlayout(Struct):
    """An answer that was not heard to its end. pieces: (start_ms, s16le mono at 24 kHz) of what was not."""

    response_id: str
    item_id: str
    sent_ms: float
    heard_ms: float
    output_index: int
    format: AudioFormat
    pieces: list[tuple[float, bytes]]


class Snapshot(Struct):
    """answer_on_return: a response was in progress. n_events: sent so far. fixed: of the configuration.
    resend_after: the client's event after which it sends again. input_until: when the input audio up to
    audio_ms had come, in seconds since the epoch."""

    config: SessionConfig
    conversation_id: str
    items: list[StoredItem]
    playouts: list[StoredPlayout]
    audio_ms: int
    answer_on_return: bool = field(name="owes_answer")
    n_events: int = field(name="n_told")
    fixed: dict[str, Any] = {}
    resend_after: str | None = None
    input_until: float | None = None
    version: int = VERSION

    def encode(self) -> bytes:
        return _encoder.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """None for what another version of Parlour has written, and for what is damaged."""
        try:
            found = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        is_valid = len({item.id for item in found.items}) == len(found.items) and _is_finite(found)
        return found if found.version == VERSION and is_valid else None  # type: ignore[return-value]


def _is_finite(snapshot: Snapshot) -> bool:
    """No time in it is endless, or no number."""
    times = [time for one in snapshot.items for time in (one.audio_ms, one.heard_ms or 0.0)]
    times += [mark_ms for one in snapshot.items for mark_ms, _ in one.alignment]
    times += [time for one in snapshot.playouts for time in (one.sent_ms, one.heard_ms)]
    times.append(snapshot.input_until or 0.0)
    times += [start_ms for one in snapshot.playouts for start_ms, _ in one.pieces]
    return all(map(math.isfinite, times))


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Snapshot)


def take_snapshot(
    state: SessionState, now: float, unheard_audio: Callable[[str, float], list[Play]], n_events: int
) -> Snapshot:
    """All that a later `restore` needs. unheard_audio: item id, heard ms -> the audio after that."""
    playouts = []
    for playout in state.heard.playback.unheard(now):
        heard_ms = playout.heard_ms(now)
        plays = unheard_audio(playout.item_id, heard_ms)
        if plays:
            playouts.append(
                StoredPlayout(
                    playout.response_id,
                    playout.item_id,
                    playout.sent_ms,
                    heard_ms,
                    plays[0].output_index,
                    plays[0].format,
                    [(play.start_ms, play.pcm) for play in plays],
                )
            )
    return Snapshot(
        config=state.config,
        conversation_id=state.responses.conversation_id,
        items=[_stored(item) for item in state.conversation],
        playouts=playouts,
        audio_ms=state.uncommitted_from_ms,
        answer_on_return=state.responses.current is not None or state.answer_on_return,
        n_events=n_events,
        fixed=state.fixed,
    )


def restore(state: SessionState, snapshot: Snapshot, now: float) -> None:
    """Make the state of a session in which nothing has happened that of the stored one.

    Of a response that was in progress, what was heard or can yet be heard stays. If that is nothing, it is
    made anew when the client is back.
    """
    state.config = snapshot.config
    state.responses.conversation_id = snapshot.conversation_id
    for item in snapshot.items:
        state.conversation.insert(_restored(item))
    state.responses.running_calls = dict.fromkeys(_without_output(state.conversation), now)
    state.heard.playback_ack = state.config.extensions.playback_ack
    state.heard.playback.restore(
        [
            Playout(stored.response_id, stored.item_id, now, stored.sent_ms, stored.heard_ms)
            for stored in snapshot.playouts
        ]
    )
    state.heard.client_disconnected(now, {})
    state.input_buffer.start_at(snapshot.audio_ms)
    state.is_disconnected = True
    if snapshot.answer_on_return:
        _drop_unheard(state)
        last = state.conversation.last
        state.answer_on_return = isinstance(last, UserItem | ToolResultItem)


def _without_output(items: Iterable[Item]) -> list[str]:
    """Of calls of tools, by their ids."""
    calls: dict[str, None] = {}
    for item in items:
        match item:
            case ToolCallItem(call_id=call_id):
                calls[call_id] = None
            case ToolResultItem(call_id=call_id):
                calls.pop(call_id, None)
    return list(calls)


def _drop_unheard(state: SessionState) -> None:
    last = state.conversation.last
    if isinstance(last, AssistantItem) and last.status == "incomplete":
        state.heard.response_ended(last)
        if not last.heard_text:
            state.conversation.delete(last.id)


def unheard_audio_of(playout: StoredPlayout) -> list[Play]:
    """Its audio again, for a player that starts where it was heard last."""
    place = playout.response_id, playout.item_id, playout.output_index, 0
    return [Play(*place, pcm, playout.format, start_ms) for start_ms, pcm in playout.pieces]


def _stored(item: Item) -> StoredItem:
    match item:
        case SystemItem(id=item_id, parts=parts):
            return StoredItem("system", item_id, [StoredPart(part.text) for part in parts])
        case UserItem(id=item_id, parts=user_parts):
            stored_parts = [
                StoredPart(part.text)
                if isinstance(part, TextPart)
                else StoredPart(None, part.pcm, part.transcript)
                for part in user_parts
            ]
            return StoredItem("user", item_id, stored_parts)
        case AssistantItem():
            return StoredItem(
                "assistant",
                item.id,
                modality=item.modality,
                text=item.text,
                status=item.status,
                audio_ms=item.audio_ms,
                alignment=list(item.alignment),
                heard_ms=item.heard_ms,
            )
        case ToolCallItem():
            return StoredItem(
                "call",
                item.id,
                text=item.arguments,
                status=item.status,
                call_id=item.call_id,
                name=item.name,
            )
        case ToolResultItem():
            return StoredItem("result", item.id, text=item.output, call_id=item.call_id)


def _restored(stored: StoredItem) -> Item:
    status = "incomplete" if stored.status != "completed" else "completed"
    match stored.kind:
        case "system":
            return SystemItem(stored.id, tuple(TextPart(part.text or "") for part in stored.parts))
        case "user":
            parts = (
                AudioPart(part.pcm, part.transcript) if part.text is None else TextPart(part.text)
                for part in stored.parts
            )
            return UserItem(stored.id, tuple(parts))
        case "assistant":
            return AssistantItem(
                stored.id,
                "text" if stored.modality == "text" else "audio",
                stored.text,
                "incomplete" if status == "incomplete" else "completed",
                stored.audio_ms,
                list(stored.alignment),
                stored.heard_ms,
            )
        case "call":
            return ToolCallItem(stored.id, stored.call_id, stored.name, stored.text)
        case _:
            return ToolResultItem(stored.id, stored.call_id, stored.text)
