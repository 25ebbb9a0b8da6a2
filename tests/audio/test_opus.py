"""Opus there and back; and what comes instead of Opus."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.audio.opus import FRAME_BYTES, OpusDecoder, OpusEncoder, samples_of


def tone(frames: int) -> bytes:
    at_s = np.arange(frames * FRAME_BYTES // 2) / 24_000
    return (8_000 * np.sin(2 * np.pi * 300 * at_s)).astype("<i2").tobytes()


def packets(frames: int) -> list[bytes]:
    encoder, pcm = OpusEncoder(), tone(frames)
    return [encoder.encode(pcm[at * FRAME_BYTES : (at + 1) * FRAME_BYTES]) for at in range(frames)]


def loudness(pcm: bytes) -> float:
    return float(np.sqrt(np.mean(np.frombuffer(pcm, "<i2").astype(np.float64) ** 2)))


def test_a_tone_goes_through() -> None:
    decoder, sent = OpusDecoder(), packets(20)
    assert {samples_of(packet) for packet in sent} == {960}
    heard = [decoder.decode(packet) for packet in sent]
    assert {len(pcm) for pcm in heard} == {2 * 960}
    assert 4_500 < loudness(b"".join(heard[5:])) < 6_500


def test_what_is_lost_goes_on_for_a_little_and_fades() -> None:
    decoder = OpusDecoder()
    for packet in packets(20):
        decoder.decode(packet)
    guessed = decoder.conceal(10 * 960)
    assert len(guessed) == 2 * 10 * 960
    assert loudness(guessed[: 2 * 960]) > 1_500
    assert loudness(guessed[-2 * 960 :]) == 0


def test_before_anything_came_there_is_only_silence_to_guess() -> None:
    assert OpusDecoder().conceal(960) == bytes(2 * 960)


def test_nothing_is_no_packet() -> None:
    with pytest.raises(ValueError, match="got nothing"):
        samples_of(b"")


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_are_decoded_or_refused(payloads: list[bytes]) -> None:
    decoder = OpusDecoder()
    for payload in payloads:
        try:
            pcm = decoder.decode(payload)
        except ValueError:
            continue
        assert len(pcm) <= 2 * 5_760
    assert len(decoder.conceal(960)) == 2 * 960
