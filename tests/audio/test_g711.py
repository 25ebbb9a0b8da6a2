"""Against the tables of ITU-T G.711, whose 13 and 14-bit values are here scaled to 16 bits."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from realtime.audio import g711

ALL_CODES = bytes(range(256))
ALL_SAMPLES = np.arange(-32768, 32768, dtype=np.int16)
Codec = Callable[[bytes], bytes]
LAWS = pytest.mark.parametrize(
    ("encode", "decode"),
    [
        pytest.param(g711.encode_mulaw, g711.decode_mulaw, id="mu-law"),
        pytest.param(g711.encode_alaw, g711.decode_alaw, id="A-law"),
    ],
)


def decoded(decode: Codec, *codes: int) -> list[int]:
    return [int(value) for value in np.frombuffer(decode(bytes(codes)), "<i2")]


def encoded(encode: Codec, *samples: int) -> list[int]:
    return list(encode(np.array(samples, "<i2").tobytes()))


def test_mulaw_values_are_those_of_the_recommendation() -> None:
    # Table 2a, columns 6 and 8: character signal -> value at the decoder output (times 4).
    table = {0xFF: 0, 0xFE: 2, 0xF0: 30, 0xEF: 33, 0xDF: 99, 0xCF: 231, 0xBF: 495, 0xAF: 1023, 0x9F: 2079}
    table |= {0x8F: 4191, 0x80: 8031}
    for code, value in table.items():
        assert decoded(g711.decode_mulaw, code) == [value * 4]
        assert decoded(g711.decode_mulaw, code & 0x7F) == [-value * 4]


def test_alaw_values_are_those_of_the_recommendation() -> None:
    # Table 1a, columns 6 and 8: character signal before the inversion of even bits -> value (times 8).
    table = {0x80: 1, 0x90: 33, 0xA0: 66, 0xB0: 132, 0xC0: 264, 0xD0: 528, 0xE0: 1056, 0xF0: 2112, 0xFF: 4032}
    for code, value in table.items():
        assert decoded(g711.decode_alaw, code ^ 0x55) == [value * 8]
        assert decoded(g711.decode_alaw, (code & 0x7F) ^ 0x55) == [-value * 8]


def test_decision_values_are_those_of_the_recommendation() -> None:
    # Tables 1a and 2a, column 4: the value from which the next code is sent.
    for value, below, above in ((31, 0xF0, 0xEF), (95, 0xE0, 0xDF), (4063, 0x90, 0x8F), (1, 0xFF, 0xFE)):
        assert encoded(g711.encode_mulaw, value * 4 - 1, value * 4) == [below, above]
    for value, below, above in ((64, 0x9F, 0xA0), (128, 0xAF, 0xB0), (2048, 0xEF, 0xF0), (2, 0x80, 0x81)):
        assert encoded(g711.encode_alaw, value * 8 - 1, value * 8) == [below ^ 0x55, above ^ 0x55]


def test_silence_is_the_idle_code() -> None:
    assert encoded(g711.encode_mulaw, 0) == [0xFF]
    assert encoded(g711.encode_alaw, 0) == [0xD5]


@LAWS
def test_a_decoded_code_encodes_to_itself(encode: Codec, decode: Codec) -> None:
    again = decode(encode(decode(ALL_CODES)))
    assert again == decode(ALL_CODES)  # mu-law has two zeros, which mean the same


@LAWS
def test_every_sample_comes_back_within_half_a_step(encode: Codec, decode: Codec) -> None:
    values = ALL_SAMPLES.astype(np.int64)
    back: npt.NDArray[np.int64] = np.frombuffer(decode(encode(ALL_SAMPLES.tobytes())), "<i2").astype(np.int64)
    # A step is at most a sixteenth of its segment's start (which mu-law shifts by 132), and at least 16.
    clipped = np.clip(values, -32635, 32635)
    assert np.all(np.abs(back - clipped) <= np.maximum((np.abs(clipped) + 132) / 32, 8))


@LAWS
def test_louder_stays_louder(encode: Codec, decode: Codec) -> None:
    back = np.frombuffer(decode(encode(ALL_SAMPLES.tobytes())), "<i2").astype(np.int64)
    assert np.all(np.diff(back) >= 0)
    assert back[0] < -31_000
    assert back[-1] > 31_000


@LAWS
def test_any_cut_of_the_stream_gives_the_same(encode: Codec, decode: Codec) -> None:
    pcm = ALL_SAMPLES[::7].tobytes()
    for samples in (1, 33, 160):
        step = 2 * samples
        assert b"".join(encode(pcm[i : i + step]) for i in range(0, len(pcm), step)) == encode(pcm)


@LAWS
def test_half_a_sample_is_refused(encode: Codec, decode: Codec) -> None:
    with pytest.raises(ValueError, match="whole 16-bit samples"):
        encode(b"abc")
