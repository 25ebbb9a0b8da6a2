"""The peer's packets become audio without holes, by whichever clock it counts."""

import pytest

from realtime.audio.opus import FRAME_BYTES, OpusEncoder
from realtime.transports.webrtc.audio_codec import OPUS, PCMU, AudioCodec
from realtime.transports.webrtc.reorder import Gap, Packet
from realtime.transports.webrtc.rtp import RtpPacket
from realtime.transports.webrtc.uplink import Uplink

FORMAT = 96
OPUS_20_MS = OpusEncoder().encode(bytes(FRAME_BYTES))
PCMU_20_MS = bytes([0xFF]) * 160


class Listener:
    """timestamps at `hz`. heard: what comes of it."""

    def __init__(self, hz: int, codec: AudioCodec = OPUS, clock_hz: int = 48_000) -> None:
        self.heard: list[Packet | Gap] = []
        self.uplink = Uplink(FORMAT, self.heard.append, codec, clock_hz)
        self._frame = hz // 50
        self._payload = OPUS_20_MS if codec is OPUS else PCMU_20_MS

    def send(
        self, number: int, first: int = 0, payload: bytes | None = None, payload_type: int = FORMAT
    ) -> None:
        timestamp = (first + number * self._frame) & 0xFFFFFFFF
        payload = self._payload if payload is None else payload
        self.uplink.packet_came(RtpPacket(payload_type, number & 0xFFFF, timestamp, 7, payload))

    @property
    def gaps(self) -> list[Gap]:
        return [came for came in self.heard if isinstance(came, Gap)]


@pytest.mark.parametrize(
    ("hz", "codec", "clock_hz"),
    [
        (48_000, OPUS, 48_000),
        (48_000, OPUS, 16_000),  # as RFC 7587 has it, whatever the offer says
        (16_000, OPUS, 16_000),
        (8_000, OPUS, 8_000),
        (8_000, PCMU, 8_000),
    ],
    ids=["opus", "opus/16000 by 48 kHz", "opus/16000 by 16 kHz", "opus/8000 by 8 kHz", "PCMU"],
)
@pytest.mark.parametrize("first", [0, 2**32 - 5_000], ids=["", "over the wrap"])
def test_a_stream_without_loss_has_no_gap_and_a_lost_packet_has_one(
    hz: int, codec: AudioCodec, clock_hz: int, first: int
) -> None:
    listener = Listener(hz, codec, clock_hz)
    for number in range(20):
        listener.send(number, first)
    assert len(listener.heard) == 20
    assert listener.gaps == []
    for number in range(21, 30):
        listener.send(number, first)
    assert listener.gaps == [Gap(960, lost=True)]


def test_silence_that_was_not_sent_is_heard_by_the_peers_own_clock() -> None:
    listener = Listener(16_000, OPUS, 16_000)
    for number in range(5):
        listener.send(number)
    listener.send(5, first=10 * 320)
    assert listener.gaps == [Gap(10 * 960, lost=False)]


def test_what_is_of_another_format_is_passed_over() -> None:
    listener = Listener(8_000, PCMU, 8_000)
    listener.send(0)
    listener.send(1, payload_type=101)
    listener.send(2, payload=b"")
    listener.send(3, payload=bytes(2_000))
    assert len(listener.heard) == 1


def test_what_is_reported_is_counted_by_the_clock_of_the_stream() -> None:
    listener = Listener(8_000, PCMU, 8_000)
    assert listener.uplink.report() is None
    for number in range(10):
        listener.send(number)
    report = listener.uplink.report()
    assert report is not None
    assert (report.highest_sequence, report.packets_lost) == (9, 0)
