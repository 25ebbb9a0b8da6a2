"""Packets with places: nothing of the time is lost, whatever becomes of the packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.audio.opus import OpusEncoder
from realtime.audio.opus_stream import GAP_S_MAX, OpusStream
from tests.audio.test_opus import loudness, tone

UP_HZ, PCM_HZ = 16_000, 24_000
STEP = UP_HZ // 50
FRAME = 2 * PCM_HZ // 50
SLACK = 2 * PCM_HZ // 100
"""What the resampler holds back."""


def packets(n: int) -> list[bytes]:
    encoder, pcm = OpusEncoder(), tone(n)
    return [encoder.encode(pcm[at * FRAME : (at + 1) * FRAME]) for at in range(n)]


TWENTY = packets(20)


@pytest.mark.parametrize("hz", [16_000, 24_000, 48_000])
@pytest.mark.parametrize("frame_ms", [20, 40, 60])
def test_packets_of_any_rate_and_length_are_their_time(hz: int, frame_ms: int) -> None:
    encoder, stream, heard = OpusEncoder(hz, frame_ms), OpusStream(UP_HZ, PCM_HZ), b""
    for number in range(10):
        packet = encoder.encode(bytes(encoder.frame_bytes))
        heard += stream.push(number * UP_HZ * frame_ms // 1000, packet)
    assert 0 <= 2 * PCM_HZ * 10 * frame_ms // 1000 - len(heard) <= SLACK


def test_a_lost_packet_is_made_up_for() -> None:
    stream = OpusStream(UP_HZ, PCM_HZ)
    heard = b"".join(stream.push(at * STEP, packet) for at, packet in enumerate(TWENTY) if at != 10)
    assert 0 <= 20 * FRAME - len(heard) <= SLACK
    assert loudness(heard[10 * FRAME : 11 * FRAME]) > 1_500
    assert stream.damaged == 0


def test_a_packet_that_is_refused_is_counted_and_its_time_kept() -> None:
    stream = OpusStream(UP_HZ, PCM_HZ)
    heard = b""
    for at, packet in enumerate(TWENTY):
        # A code 3 packet with more padding than bytes (RFC 6716 3.2.5).
        heard += stream.push(at * STEP, bytes([packet[0] & 0xFC | 3, 0x41, 0xFE]) if at == 10 else packet)
    assert stream.damaged == 1
    assert 0 <= 20 * FRAME - len(heard) <= SLACK


def test_after_a_long_silence_nothing_is_made_up() -> None:
    stream = OpusStream(UP_HZ, PCM_HZ)
    heard = stream.push(0, TWENTY[0])
    heard += stream.push(STEP + int(GAP_S_MAX * UP_HZ) + 1, TWENTY[1])
    heard += stream.push(0, TWENTY[2])  # and a counter that begins anew
    assert 0 <= 3 * FRAME - len(heard) <= SLACK


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=60)), max_size=20))
def test_whatever_comes_is_sound_or_refused(pushed: list[tuple[int, bytes]]) -> None:
    stream = OpusStream(UP_HZ, PCM_HZ)
    for at, packet in pushed:
        try:
            pcm = stream.push(at, packet)
        except ValueError:
            continue
        assert len(pcm) <= 2 * PCM_HZ * (GAP_S_MAX + 0.12) + SLACK
