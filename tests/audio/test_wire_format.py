"""Audio between the wire's formats and the rates that Parlour works in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.audio.wire_format import InputDecoder, OutputEncoder, decode_clip
from realtime.errors import ClientError
from realtime.protocol.config import AudioFormat, PcmaFormat, PcmFormat, PcmuFormat


def tone(rate_hz: int, seconds: float = 1.0) -> bytes:
    t = np.arange(int(rate_hz * seconds)) / rate_hz
    return (10_000 * np.sin(2 * np.pi * 440 * t)).astype("<i2").tobytes()


def pitch_hz(pcm: bytes, rate_hz: int) -> float:
    samples = np.frombuffer(pcm, "<i2").astype(float)
    return float(np.argmax(np.abs(np.fft.rfft(samples)))) * rate_hz / len(samples)


@pytest.mark.parametrize("wire_format", [PcmFormat(), PcmuFormat(), PcmaFormat()])
def test_a_tone_keeps_its_pitch_and_length_both_ways(wire_format: AudioFormat) -> None:
    coded = OutputEncoder(wire_format).push(tone(24_000))
    heard = decode_clip(coded, wire_format)
    assert pitch_hz(heard, 16_000) == pytest.approx(440, abs=3)
    assert len(heard) == pytest.approx(32_000, abs=400)


@pytest.mark.parametrize("wire_format", [PcmFormat(), PcmuFormat(), PcmaFormat()])
def test_cutting_a_stream_into_pieces_changes_no_sample(wire_format: AudioFormat) -> None:
    coded = OutputEncoder(wire_format).push(tone(24_000))
    whole, pieces = InputDecoder(wire_format), InputDecoder(wire_format)
    step = pieces.bytes_for(20)
    cut = b"".join(pieces.push(coded[at : at + step]) for at in range(0, len(coded), step))
    assert cut == whole.push(coded)


@given(st.lists(st.integers(0, 700), max_size=40))
def test_a_sample_that_is_cut_in_two_is_one_sample(lengths: list[int]) -> None:
    """Helpers cut 15 ms of 44.1 kHz into 1,323 bytes."""
    audio, place = tone(24_000, 0.3), 0
    decoder, decoded = InputDecoder(PcmFormat()), b""
    for length in [*lengths, len(audio)]:
        piece = audio[place : place + length]
        place += len(piece)
        decoded += decoder.push(piece)
        assert decoder.is_mid_sample == bool(place % 2)
    assert decoded == InputDecoder(PcmFormat()).push(audio)


def test_half_a_sample_of_a_whole_clip_is_the_clients_error() -> None:
    with pytest.raises(ClientError) as caught:
        decode_clip(b"\x00\x00\x00", PcmFormat())
    assert (caught.value.code, caught.value.param) == ("invalid_value", "audio")
