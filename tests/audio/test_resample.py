import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.audio.resample import Resampler
from tests import speech

RATES = [
    (24_000, 16_000),
    (8_000, 16_000),
    (48_000, 16_000),
    (16_000, 24_000),
    (16_000, 8_000),
    (24_000, 8_000),
]
BOTH = pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
Signal = npt.NDArray[np.float64]


def tone(hz: float, rate_hz: int, seconds: float = 0.5, amplitude: float = 10_000) -> Signal:
    return amplitude * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)


def resampled(signal: Signal, from_hz: int, to_hz: int) -> Signal:
    one = Resampler(from_hz, to_hz)
    pcm = one.push(np.rint(signal).astype("<i2").tobytes()) + one.flush()
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def db(power: float, of: float) -> float:
    return float(10 * np.log10(power / of))


@BOTH
@pytest.mark.parametrize("share_of_nyquist", [0.02, 0.2, 0.8])
def test_a_tone_stays_the_tone_it_was(from_hz: int, to_hz: int, share_of_nyquist: float) -> None:
    hz = share_of_nyquist * min(from_hz, to_hz) / 2
    got = resampled(tone(hz, from_hz), from_hz, to_hz)
    wanted = tone(hz, to_hz)
    middle = slice(200, -200)  # the stream is silent before and after
    error = got[middle] - wanted[middle]
    assert db(float(np.mean(error**2)), of=float(np.mean(wanted**2))) < -60


@BOTH
def test_what_the_lower_rate_cannot_hold_is_removed(from_hz: int, to_hz: int) -> None:
    if to_hz > from_hz:  # then it is the mirror image above the old Nyquist frequency that must not appear
        got = resampled(tone(0.4 * from_hz, from_hz), from_hz, to_hz)
        spectrum = np.abs(np.fft.rfft(got[400:-400] * np.hanning(len(got) - 800)))
        hz = np.fft.rfftfreq(len(got) - 800, 1 / to_hz)
        assert spectrum[hz > 0.55 * from_hz].max() < spectrum.max() / 1000
    else:
        got = resampled(tone(1.15 * to_hz / 2, from_hz), from_hz, to_hz)
        assert np.abs(got[200:-200]).max() < 10_000 / 1000


@BOTH
def test_length_is_kept_to_a_sample(from_hz: int, to_hz: int) -> None:
    for samples in (0, 1, 7, 480, 1001, 24_001):
        got = resampled(np.zeros(samples), from_hz, to_hz)
        assert len(got) == -(-samples * to_hz // from_hz)


@BOTH
def test_no_more_than_four_milliseconds_are_held_back(from_hz: int, to_hz: int) -> None:
    one = Resampler(from_hz, to_hz)
    out = 0
    for sent_ms in range(20, 400, 20):
        out += len(one.push(bytes(from_hz // 50 * 2))) // 2
        assert sent_ms - out * 1000 / to_hz <= 4


@given(st.lists(st.integers(0, 700), max_size=20), st.sampled_from(RATES))
def test_any_cut_of_the_stream_gives_the_same(cuts: list[int], rates: tuple[int, int]) -> None:
    pcm = speech.utterance("goforward").pcm16k[16_000 : 16_000 + 2 * sum(cuts)]
    whole, pieces = Resampler(*rates), Resampler(*rates)
    got, at = b"", 0
    for samples in cuts:
        got += pieces.push(pcm[at : at + 2 * samples])
        at += 2 * samples
    got += pieces.flush()
    wanted = whole.push(pcm) + whole.flush()
    # Rows of a matrix product may be summed in another order when there are more of them.
    difference = np.frombuffer(got, "<i2").astype(int) - np.frombuffer(wanted, "<i2")
    assert len(got) == len(wanted)
    assert np.abs(difference).max(initial=0) <= 1


def test_loud_sound_is_clipped_and_not_wrapped_round() -> None:
    square = np.where(np.arange(24_000) // 60 % 2, 32_767.0, -32_768.0)
    got = resampled(square, 24_000, 16_000)[: 400 * 40].reshape(-1, 40)  # a row is a half wave
    away_from_edges = got[5:-5, 2:-2]
    assert np.all(away_from_edges[0::2] == away_from_edges[2])
    assert np.all(np.sign(away_from_edges[0::2]) == np.sign(away_from_edges[0, 0]))
    assert np.all(np.sign(away_from_edges[1::2]) == -np.sign(away_from_edges[0, 0]))
    assert got.max() == 32_767  # the filter overshoots at an edge: there it would wrap
    assert got.min() == -32_768


def test_after_a_flush_a_stream_begins_anew() -> None:
    one = Resampler(24_000, 16_000)
    pcm = speech.utterance("goforward").pcm24k
    assert one.push(pcm) + one.flush() == one.push(pcm) + one.flush()


def test_the_same_rate_passes_untouched() -> None:
    one = Resampler(16_000, 16_000)
    assert one.push(b"abcd") == b"abcd"
    assert one.flush() == b""


def test_half_a_sample_and_no_rate_are_refused() -> None:
    with pytest.raises(ValueError, match="whole 16-bit samples"):
        Resampler(24_000, 16_000).push(b"abc")
    with pytest.raises(ValueError, match="got 0 and 16000"):
        Resampler(0, 16_000)
