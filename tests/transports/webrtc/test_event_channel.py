"""Whichever channel the peer means, the events come over it, each once."""

import asyncio
from typing import Any, cast

from aiortc import RTCDataChannel, RTCDataChannelParameters
from pyee.asyncio import AsyncIOEventEmitter

from realtime.transports.webrtc.checked_transports import CheckedSctp
from realtime.transports.webrtc.event_channel import CHANNEL_LABEL, EventChannel

COMPLAINT = "no channel"


class Association(AsyncIOEventEmitter):
    """An SCTP association as its channels see it. sent: what went out, by stream."""

    def __init__(self) -> None:
        super().__init__()
        self.expects_negotiated = False
        self.is_established = True
        self.last_stream = 254
        self.sent: dict[int | None, list[str]] = {}
        self.opened: list[RTCDataChannel] = []

    def open(self, label: str, stream: int, negotiated: bool = False) -> RTCDataChannel:
        """The peer opens a channel, or speaks on one that it has negotiated."""
        parameters = RTCDataChannelParameters(label=label, id=stream, negotiated=negotiated)
        channel = RTCDataChannel(cast(Any, self), parameters, send_open=False)
        channel._setReadyState("open")
        self.emit("datachannel", channel)
        return channel

    def _data_channel_open(self, channel: RTCDataChannel) -> None:
        self.opened.append(channel)

    def _data_channel_add_negotiated(self, channel: RTCDataChannel) -> None:
        channel._setReadyState("open")

    def _data_channel_send(self, channel: RTCDataChannel, text: str) -> None:
        self.sent.setdefault(channel.id, []).append(text)

    def _data_channel_close(self, channel: RTCDataChannel) -> None:
        channel._setReadyState("closed")


class Call:
    def __init__(self) -> None:
        self.association = Association()
        self.heard: list[str | bytes] = []
        self.is_gone = False
        self.events = EventChannel(
            cast(CheckedSctp, self.association), self.heard.append, self._leave, lambda: COMPLAINT
        )

    def _leave(self) -> None:
        self.is_gone = True


async def test_any_label_will_do() -> None:
    for label in (CHANNEL_LABEL, "response", ""):
        call = Call()
        channel = call.association.open(label, 0)
        call.events.send("created")
        channel.emit("message", "update")
        assert call.association.sent == {0: ["created"]}
        assert call.heard == ["update"]
        channel.close()
        assert call.is_gone


async def test_the_documented_label_counts_more_and_misses_nothing() -> None:
    call = Call()
    other = call.association.open("telemetry", 0)
    call.events.send("created")
    call.association.open(CHANNEL_LABEL, 2)
    call.events.send("updated")
    assert call.association.sent == {0: ["created"], 2: ["created", "updated"]}
    assert other.readyState == "closed"
    assert not call.is_gone


async def test_a_channel_beside_is_closed_and_the_events_stay() -> None:
    call = Call()
    call.association.open(CHANNEL_LABEL, 0)
    assert call.association.open("telemetry", 2).readyState == "closed"
    assert not call.is_gone
    call.events.send("created")
    assert call.association.sent == {0: ["created"]}


async def test_who_has_opened_none_is_told_why_over_one_of_ours() -> None:
    call = Call()
    call.events.guess()
    [own] = call.association.opened
    assert own.label == CHANNEL_LABEL
    own._setReadyState("open")
    assert call.association.sent == {254: [COMPLAINT]}


async def test_events_come_over_the_usual_streams_until_the_peer_has_spoken_on_one() -> None:
    call = Call()
    call.events.guess()
    call.events.send("created")
    assert call.association.sent == {0: ["created"], 1: ["created"]}
    assert call.association.expects_negotiated
    call.events._channels[1].emit("message", "update")
    call.events.send("updated")
    assert call.association.sent == {0: ["created"], 1: ["created", "updated"]}
    assert call.heard == ["update"]
    assert not call.association.expects_negotiated


async def test_a_negotiated_channel_is_known_by_what_comes_over_it() -> None:
    call = Call()
    call.events.guess()
    call.events.send("created")
    channel = call.association.open("", 7, negotiated=True)
    channel.emit("message", "update")
    assert call.association.sent[7] == ["created"]
    assert call.heard == ["update"]


async def test_a_channel_that_is_opened_late_misses_nothing() -> None:
    call = Call()
    call.events.guess()
    call.events.send("created")
    call.association.open("response", 0)  # the stream that was guessed
    call.events.send("updated")
    assert call.association.sent[0] == ["created", "created", "updated"]
    assert call.association.sent[1] == ["created"]


async def test_a_stream_that_the_peer_has_spoken_on_may_be_opened_after_that() -> None:
    call = Call()
    call.events.guess()
    call.events._channels[1].emit("message", "update")
    channel = call.association.open("response", 1)
    assert channel.readyState == "open"
    channel.emit("message", "again")
    assert call.heard == ["update", "again"]


async def test_one_who_answers_on_our_channel_has_it_for_the_events() -> None:
    call = Call()
    call.events.guess()
    [own] = call.association.opened
    own._setReadyState("open")
    own.emit("message", "update")
    call.events.send("created")
    own.emit("message", "again")
    assert call.heard == ["update", "again"]
    assert call.association.sent[254] == [COMPLAINT, "created"]


async def test_a_guess_that_the_peer_refuses_is_no_end_of_the_call() -> None:
    call = Call()
    call.events.guess()
    for channel in list(call.events._channels):
        channel.close()
    assert not call.is_gone
    assert not call.events.is_open
    assert not call.events.opened.is_set()
    call.association.open("response", 2)
    call.events.send("created")
    assert call.association.sent == {2: ["created"]}


async def test_without_an_association_nothing_is_guessed_yet() -> None:
    call = Call()
    call.association.is_established = False
    call.events.guess()
    assert not call.association.opened
    assert not call.events.opened.is_set()
    call.events.stop()


async def test_after_much_was_sent_nothing_is_sent_again() -> None:
    call = Call()
    call.association.open("response", 0)
    call.events.send("x" * 100_000)
    call.association.open(CHANNEL_LABEL, 2)
    assert 2 not in call.association.sent


async def test_what_is_not_sent_yet_is_waited_for() -> None:
    call = Call()
    waiting = asyncio.create_task(call.events.has_sent_up_to(100))
    await asyncio.sleep(0)
    assert not waiting.done()
    channel = call.association.open("response", 0)
    channel._addBufferedAmount(500)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (waiting.done(), call.events.buffered_bytes) == (False, 500)
    channel._addBufferedAmount(-450)
    await waiting
