"""What a device has sent, until its session comes to it."""

import asyncio

import pytest

from realtime.protocol.events import InputAudioBufferAppend, InputAudioBufferClear, ResponseCreate
from realtime.session.transport import PeerGone
from realtime.transports.mqtt.uplink import Uplink


def uplink() -> Uplink:
    return Uplink(0.0, lambda: None)


async def test_events_and_sound_are_received_in_the_order_in_which_they_came() -> None:
    up = uplink()
    up.put_event(InputAudioBufferClear(), 30)
    up.put_audio(bytes(1280), 0.0)
    up.put_event(ResponseCreate(), 40)
    received = [await up.receive() for _ in range(3)]
    assert [type(event) for event, _ in received] == [
        InputAudioBufferClear,
        InputAudioBufferAppend,
        ResponseCreate,
    ]
    assert [n_bytes for _, n_bytes in received] == [30, 1280, 40]


async def test_who_waits_gets_what_comes() -> None:
    up = uplink()
    receiving = asyncio.create_task(up.receive())
    await asyncio.sleep(0)
    up.put_event(ResponseCreate())
    assert await receiving == (ResponseCreate(), 0)


async def test_the_first_word_on_its_end_counts_and_what_is_unread_is_lost() -> None:
    up = uplink()
    waiting = asyncio.create_task(up.receive())
    await asyncio.sleep(0)
    assert up.end(PeerGone(1006, "the device is offline"))
    assert not up.end(PeerGone(1000, "the device stopped"))
    with pytest.raises(PeerGone, match="1006"):
        await waiting
    up.put_event(ResponseCreate())
    with pytest.raises(PeerGone, match="1006"):
        await up.receive()
