"""What clients send: the events of OpenAI Realtime (GA), with its names and fields.

Parlour's own are in parlour_events.py; codec.py reads them all.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

WireInt = Annotated[int, Meta(ge=-(2**53), le=2**53)]
"""What JSON's readers agree on (RFC 8259 6), and what a float can hold."""


class ClientEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """A field that the event does not have is refused: a misspelt one would be left out without a word."""

    event_id: str | None = None


class SessionUpdate(ClientEvent, frozen=True, kw_only=True, tag="session.update"):
    session: dict[str, Any]


class InputAudioBufferAppend(ClientEvent, frozen=True, kw_only=True, tag="input_audio_buffer.append"):
    """audio: base64 on the wire; in the session's input format."""

    audio: bytes


class InputAudioBufferCommit(ClientEvent, frozen=True, kw_only=True, tag="input_audio_buffer.commit"):
    pass


class InputAudioBufferClear(ClientEvent, frozen=True, kw_only=True, tag="input_audio_buffer.clear"):
    pass


class OutputAudioBufferClear(ClientEvent, frozen=True, kw_only=True, tag="output_audio_buffer.clear"):
    pass


class ItemCreate(ClientEvent, frozen=True, kw_only=True, tag="conversation.item.create"):
    item: dict[str, Any]
    previous_item_id: str | None = None


class ItemRetrieve(ClientEvent, frozen=True, kw_only=True, tag="conversation.item.retrieve"):
    item_id: str


class ItemTruncate(ClientEvent, frozen=True, kw_only=True, tag="conversation.item.truncate"):
    item_id: str
    content_index: WireInt
    audio_end_ms: WireInt


class ItemDelete(ClientEvent, frozen=True, kw_only=True, tag="conversation.item.delete"):
    item_id: str


class ResponseCreate(ClientEvent, frozen=True, kw_only=True, tag="response.create"):
    response: dict[str, Any] | None = None


class ResponseCancel(ClientEvent, frozen=True, kw_only=True, tag="response.cancel"):
    response_id: str | None = None
