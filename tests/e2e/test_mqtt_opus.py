"""Smart speakers whose sound is Opus, over a real broker."""

import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from realtime.audio.opus import OpusDecoder, OpusEncoder
from tests.conftest import running_server
from tests.e2e.device import PREFIX, Device, device
from tests.e2e.mosquitto import running_broker
from tests.speech import utterances
from tests.waiting import HANGS_S

SPEECH = utterances()[1].pcm16k
SILENCE = bytes(2 * 16_000)
ONE_SECOND = {"type": "realtime", "max_output_tokens": 6}
UP_MS = 20
UP_SAMPLES = 16 * UP_MS
OPUS = {"up": "opus", "down": "opus"}


@asynccontextmanager
async def kitchen(folder: Path, formats: dict[str, Any] = OPUS, **settings: Any) -> AsyncIterator[Device]:
    async with (
        running_broker(folder) as broker,
        running_server(mqtt_url=broker.url, mqtt_follow_up_s=HANGS_S, **settings),
        device(broker.url, plays=False) as speaker,
    ):
        await speaker.client.publish(speaker.up("format"), json.dumps(formats), qos=1, retain=True)
        yield speaker


def packets(pcm16k: bytes) -> list[bytes]:
    """As they go to up/audio: each with its place."""
    encoder = OpusEncoder(16_000, UP_MS)
    step = encoder.frame_bytes
    coded = [encoder.encode(pcm16k[at : at + step].ljust(step, b"\0")) for at in range(0, len(pcm16k), step)]
    return [struct.pack("<I", number * UP_SAMPLES) + packet for number, packet in enumerate(coded)]


async def say(speaker: Device, payloads: list[bytes]) -> None:
    for payload in payloads:
        await speaker.client.publish(speaker.up("audio"), payload)


async def heard_turn(speaker: Device, payloads: list[bytes]) -> dict[str, Any]:
    """What the server made of a turn, once it is answered."""
    n = len(speaker.of("response.done"))
    await say(speaker, payloads)
    await speaker.event("response.done", n + 1)
    return speaker.of("input_audio_buffer.speech_stopped")[-1]


@pytest.mark.parametrize("down_ms", [20, 40, 60])
async def test_a_turn_is_heard_and_answered_in_opus(tmp_path: Path, down_ms: int) -> None:
    async with kitchen(tmp_path, {**OPUS, "down_ms": down_ms}) as speaker:
        await speaker.say("parlour.start", session=ONE_SECOND)
        await speaker.state("listening")
        await heard_turn(speaker, packets(SPEECH + SILENCE))
        n_packets = -(-1000 // down_ms)
        await speaker.until(lambda: len(speaker.frames) == n_packets)
        assert [offset for _, offset, _ in speaker.frames] == [at * 24 * down_ms for at in range(n_packets)]
        decoder = OpusDecoder()
        assert {len(decoder.decode(packet)) for _, _, packet in speaker.frames} == {2 * 48 * down_ms}
        assert speaker.of("parlour.answer")[0]["format"] == "opus"
        assert not speaker.of("error")


async def test_what_fills_the_last_packet_is_not_of_the_answer(tmp_path: Path) -> None:
    async with kitchen(tmp_path, {**OPUS, "down_ms": 60}) as speaker:
        await speaker.say("parlour.start", push_to_talk=True, session=ONE_SECOND)
        await say(speaker, packets(SPEECH))
        await speaker.say("parlour.release")
        await speaker.until(lambda: len(speaker.frames) == 17)
        await speaker.say("parlour.played", answer=1, played_ms=1020)
        item_id = speaker.of("parlour.answer")[0]["item_id"]
        await speaker.say("conversation.item.retrieve", item_id=item_id)
        await speaker.event("conversation.item.retrieved")
        assert not speaker.of("error")
        await speaker.state("idle")  # heard to its end


async def test_lost_packets_change_no_turn(tmp_path: Path) -> None:
    whole = packets(SPEECH + SILENCE)
    async with kitchen(tmp_path) as speaker:
        await speaker.say("parlour.start", session=ONE_SECOND)
        await speaker.state("listening")
        first = await heard_turn(speaker, whole)
        began_ms = speaker.of("input_audio_buffer.speech_started")[0]["audio_start_ms"]
    async with kitchen(tmp_path) as speaker:
        await speaker.say("parlour.start", session=ONE_SECOND)
        await speaker.state("listening")
        second = await heard_turn(speaker, [one for number, one in enumerate(whole) if number % 10 != 5])
        [started] = speaker.of("input_audio_buffer.speech_started")
        # The speech begins with the file, and a packet of its first sound is among the lost ones.
        assert abs(started["audio_start_ms"] - began_ms) <= 150
        assert abs(second["audio_end_ms"] - first["audio_end_ms"]) <= 100


async def test_damaged_packets_are_told_once_and_the_session_goes_on(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as speaker:
        await speaker.say("parlour.start", session=ONE_SECOND)
        await speaker.state("listening")
        whole = packets(SPEECH + SILENCE)
        refused = whole[0][:4] + bytes([whole[0][4] & 0xFC | 3, 0x41, 0xFE])
        await say(speaker, [b"", b"\0\0", whole[0][:4] + b"\xff", refused, refused] * 20)
        await heard_turn(speaker, whole)
        assert [event["error"]["code"] for event in speaker.of("error")] == ["invalid_audio"]


async def test_a_device_is_told_of_an_answer_before_its_sound_comes(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as speaker, aiomqtt.Client("127.0.0.1", speaker.client._port) as listener:
        await listener.subscribe(f"{PREFIX}/kitchen/down/+", qos=1)
        await speaker.say("parlour.start", push_to_talk=True, session=ONE_SECOND)
        await say(speaker, packets(SPEECH))
        await speaker.say("parlour.release")
        came: list[str] = []
        async for message in listener.messages:
            assert isinstance(message.payload, bytes)
            if b'"parlour.answer"' in message.payload:
                came.append("answer")
            if message.topic.matches("+/+/+/down/audio"):
                came.append("sound")
                break
        assert came == ["answer", "sound"]


async def test_each_way_has_its_own_format_and_a_change_counts_from_the_next_answer_on(
    tmp_path: Path,
) -> None:
    async with kitchen(tmp_path, {"down": "opus"}) as speaker:
        for turn, formats in enumerate(({"down": "pcm"}, {})):
            await speaker.say("parlour.start", push_to_talk=True, session=ONE_SECOND)
            await speaker.sound(SPEECH)
            await speaker.say("parlour.release")
            await speaker.event("response.done", turn + 1)
            await speaker.say("parlour.played", answer=turn + 1, played_ms=1000)
            await speaker.client.publish(speaker.up("format"), json.dumps(formats), qos=1)
        await speaker.until(lambda: len(speaker.spoken(2)) == 48_000)
        assert [event["format"] for event in speaker.of("parlour.answer")] == ["opus", "pcm"]


async def test_a_server_that_comes_later_knows_the_format(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as broker:
        async with aiomqtt.Client("127.0.0.1", broker.port) as early:
            await early.publish(f"{PREFIX}/kitchen/up/format", json.dumps(OPUS), qos=1, retain=True)
        async with running_server(mqtt_url=broker.url), device(broker.url, plays=False) as speaker:
            await speaker.say("parlour.start", push_to_talk=True, session=ONE_SECOND)
            await speaker.state("hearing")
            await say(speaker, packets(SPEECH))
            await speaker.say("parlour.release")
            assert (await speaker.event("parlour.answer"))["format"] == "opus"
            assert not speaker.of("error")


@pytest.mark.parametrize("payload", [b"opus", b'{"up": "mp3"}', b'{"down_ms": 30}', b'{"rate": 8000}', b"[]"])
async def test_a_format_that_there_is_not_is_told_and_the_old_one_stays(
    tmp_path: Path, payload: bytes
) -> None:
    async with kitchen(tmp_path) as speaker:
        await speaker.client.publish(speaker.up("format"), payload, qos=1)
        error = (await speaker.event("error"))["error"]
        assert error["code"] == "invalid_value"
        assert '"opus"' in error["message"]
        await speaker.say("parlour.start", push_to_talk=True, session=ONE_SECOND)
        await speaker.state("hearing")
        await say(speaker, packets(SPEECH))
        await speaker.say("parlour.release")
        assert (await speaker.event("parlour.answer"))["format"] == "opus"
