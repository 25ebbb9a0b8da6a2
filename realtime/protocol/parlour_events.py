"""Parlour's own events, `parlour.*`, each way. Those of the server go only to clients that asked for them.

A client asks with `session.parlour` (config.py: ParlourExtensions). Coming back: docs/resume.md.
"""

from typing import Annotated, Any

from msgspec import Meta, Raw, Struct

from realtime.protocol.client_events import ClientEvent, WireInt
from realtime.protocol.config import ShownSession
from realtime.protocol.server_events import ServerEvent

# From the client ------------------------------------------------------------------------


class Say(ClientEvent, frozen=True, kw_only=True, tag="parlour.say"):
    """Let the assistant say this, word by word, as its next answer."""

    text: Annotated[str, Meta(min_length=1)]


class PlaybackReport(ClientEvent, frozen=True, kw_only=True, tag="parlour.playback"):
    """How much of an item's audio the listener has heard, from the client that plays it."""

    item_id: str
    played_ms: WireInt
    underruns: WireInt = 0


class PlayedPosition(Struct, frozen=True, forbid_unknown_fields=True):
    """How much of an item was played, as in a PlaybackReport."""

    item_id: str
    played_ms: WireInt


class Resume(ClientEvent, frozen=True, kw_only=True, tag="parlour.resume"):
    """Go on with an earlier session on this connection.

    last_event_id: the last event that this client has of it, for a replay of what came after; without it
    the conversation is sent as it stands, as to a device that knows nothing of it. history: whether its
    earlier items are sent too. lost: the connection that serves it is dead, and gets no `parlour.moved`.
    played: what came out of its loudspeaker last; audio that is sent again begins there.
    """

    token: str
    last_event_id: str | None = None
    history: bool = True
    lost: bool = False
    played: PlayedPosition | None = None


class HandOver(ClientEvent, frozen=True, kw_only=True, tag="parlour.hand_over"):
    """Ask for a token with which another device takes this session over."""


# From the server ------------------------------------------------------------------------


class ParlourAlignment(ServerEvent, kw_only=True, tag="parlour.alignment"):
    """When audio up to audio_end_ms of this item has played, text[:text_end] has been spoken."""

    response_id: str
    item_id: str
    content_index: int
    audio_end_ms: int
    text_end: int


class ParlourSpeechSkipped(ServerEvent, kw_only=True, tag="parlour.speech_skipped"):
    """text[text_start:text_end] of this item is not spoken: it is in letters that the voice cannot say."""

    response_id: str
    item_id: str
    content_index: int
    text_start: int
    text_end: int


class ParlourThinking(ServerEvent, kw_only=True, tag="parlour.thinking"):
    """The answer is being worked on and has no word yet: its model is loaded, or thinks. Once an answer."""

    response_id: str


class ParlourHeard(ServerEvent, kw_only=True, tag="parlour.heard"):
    """What the history keeps of an answer that was cut off."""

    item_id: str
    audio_end_ms: int
    transcript: str


class ParlourTurn(ServerEvent, kw_only=True, tag="parlour.turn"):
    turn: Raw | dict[str, Any]


class ResumeToken(ServerEvent, kw_only=True, tag="parlour.resume_token"):
    """For `parlour.resume`, once, on this or another connection. It replaces the token before it.

    grace_s: how long the session waits for it after the connection is lost.
    """

    token: str
    grace_s: float


class HandOverToken(ServerEvent, kw_only=True, tag="parlour.hand_over_token"):
    """As a resume token, and also the key with which the other device is let in."""

    token: str
    expires_at: int


class Playing(Struct, frozen=True):
    """An answer that is not heard to its end: its audio follows from heard_ms on."""

    item_id: str
    response_id: str
    heard_ms: int


class Resumed(ServerEvent, kw_only=True, tag="parlour.resumed"):
    """The earlier session goes on here. It stands outside the order of events: its id is no last_event_id.

    replayed: only what was missed follows; else the conversation as it stands. last_client_event_id:
    the last event of this client that arrived; what it sent after that, it sends again. input_silent_ms: how
    long no input audio had come before this, for a client whose audio has no events; null: none ever came.
    """

    session: ShownSession
    replayed: bool
    last_client_event_id: str | None
    input_silent_ms: int | None
    playing: list[Playing]
    token: str
    grace_s: float


class Moved(ServerEvent, kw_only=True, tag="parlour.moved"):
    """The session goes on elsewhere: be silent, report what was heard, and close.

    token: with which it can be brought back here, until it moves again or ends.
    """

    token: str
    expires_at: int


class GoingAway(ServerEvent, kw_only=True, tag="parlour.going_away"):
    """The server stops. Answers may finish until then; afterwards the session can be resumed."""

    deadline_s: float
