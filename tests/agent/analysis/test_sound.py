"""What is measured of a clip is what it holds: sounds of known truth, recorded speech, laws of levels."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.analysis.sound import PAUSE_S, SILENCE_DBFS, SPEECH_S_MIN, Sound, Span, measured
from agent.asr.voice import voice_probabilities
from agent.asr.windows import VOICE_FRAME_SAMPLES
from realtime.audio.recordings import decode_recording
from tests import speech

HZ = 16_000
NOBODY = np.zeros(0, np.float32)
SONIC_PI = Path("/usr/share/sonic-pi/samples")


def sine(amplitude: float, seconds: float = 1.0) -> npt.NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * HZ)) / HZ)).astype(np.float32)


def silence(seconds: float) -> npt.NDArray[np.float32]:
    return np.zeros(round(seconds * HZ), np.float32)


def of_pcm(pcm: bytes) -> Sound:
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    return measured(samples, voice_probabilities(samples))


# Level -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("amplitude", "peak_dbfs"), [(1.0, 0.0), (0.5, -6.02), (0.1, -20.0), (0.001, -60.0)])
def test_a_sine_has_3_db_less_than_its_peak(amplitude: float, peak_dbfs: float) -> None:
    sound = measured(sine(amplitude), NOBODY)
    assert sound.peak_dbfs == pytest.approx(peak_dbfs, abs=0.02)
    assert sound.rms_dbfs == pytest.approx(peak_dbfs - 3.01, abs=0.02)


def test_digital_silence_has_no_level_and_is_silent() -> None:
    sound = measured(silence(2.0), NOBODY)
    assert sound.rms_dbfs == sound.peak_dbfs == sound.background_dbfs == -np.inf
    assert sound.is_silent
    assert sound.silences == (Span(0.0, 2.0),)


NOISE = np.random.default_rng(3).standard_normal(HZ).astype(np.float32) * 0.1


@given(st.floats(-40, 0), st.integers(400, HZ))
def test_a_clip_that_is_scaled_has_its_levels_shifted_by_as_many_db(gain_db: float, n_samples: int) -> None:
    clip = NOISE[:n_samples]
    before, after = measured(clip, NOBODY), measured((clip * 10 ** (gain_db / 20)).astype(np.float32), NOBODY)
    assert after.rms_dbfs - before.rms_dbfs == pytest.approx(gain_db, abs=0.001)
    assert after.peak_dbfs - before.peak_dbfs == pytest.approx(gain_db, abs=0.001)
    assert before.background_dbfs == pytest.approx(before.rms_dbfs)


def test_what_was_cut_off_at_full_scale_is_clipped_and_a_peak_that_just_fits_is_not() -> None:
    too_loud = np.clip(np.rint(sine(2.0) * 32768), -32768, 32767) / 32768
    # Of a sine at twice the full scale, asin(1/2) of each quarter is below it: two thirds are cut off.
    assert measured(too_loud.astype(np.float32), NOBODY).clipped_s == pytest.approx(2 / 3, abs=0.01)
    assert measured(np.clip(sine(1.0), -1, 32767 / 32768), NOBODY).clipped_s < 0.1
    one_peak = silence(1.0)
    one_peak[[5, 500]] = 1.0, -1.0
    assert measured(one_peak, NOBODY).clipped_s == 0


# Silence -----------------------------------------------------------------------------------------


def test_silence_is_found_where_it_is() -> None:
    sound = measured(np.concatenate([silence(0.5), sine(0.1, 1.0), silence(1.0), sine(0.1, 0.5)]), NOBODY)
    assert sound.silences == (Span(0.0, 0.5), Span(1.5, 2.5))
    assert sound.silence_s == 1.5


def test_the_room_between_the_words_counts_as_silence_only_below_the_threshold() -> None:
    for db, n_silences in ((SILENCE_DBFS - 1, 1), (SILENCE_DBFS + 1, 0)):
        room = sine(10 ** (db / 20) * np.sqrt(2), 1.0)
        assert len(measured(np.concatenate([sine(0.1), room]), NOBODY).silences) == n_silences


PIECES = st.lists(st.tuples(st.booleans(), st.integers(1, 12_000)), min_size=1, max_size=8)


@given(PIECES)
def test_silences_and_what_sounds_between_them_are_the_clip_each_place_once(
    pieces: list[tuple[bool, int]],
) -> None:
    clip = np.concatenate([(NOISE if sounds else silence(1.0))[:n] for sounds, n in pieces])
    sound = measured(clip, NOBODY)
    reached = 0.0
    for span in sound.silences:
        assert reached <= span.start_s < span.end_s <= sound.seconds
        reached = span.end_s
        inside = clip[round(span.start_s * HZ) : round(span.end_s * HZ)]
        assert not inside.any()
    assert 0 <= sound.silence_s <= sound.seconds == len(clip) / HZ


# Speech ------------------------------------------------------------------------------------------


def voiced(*spans: tuple[float, float], seconds: float) -> npt.NDArray[np.float32]:
    frames = np.zeros(int(np.ceil(seconds * HZ / VOICE_FRAME_SAMPLES)), np.float32)
    for start_s, end_s in spans:
        frames[round(start_s * HZ / VOICE_FRAME_SAMPLES) : round(end_s * HZ / VOICE_FRAME_SAMPLES)] = 0.9
    return frames


def test_pauses_part_speech_and_long_ones_turns() -> None:
    voice = voiced((0.5, 1.5), (1.6, 2.0), (2.3, 3.0), (4.0, 5.0), seconds=6.0)
    sound = measured(silence(6.0), voice)
    starts_and_ends = [(span.start_s, span.end_s) for span in sound.speech]
    expected = [(0.5, 2.0), (2.3, 3.0), (4.0, 5.0)]  # the gap of 0.1 s is none
    assert starts_and_ends == [pytest.approx(span, abs=0.033) for span in expected]
    assert [pause.seconds for pause in sound.pauses] == pytest.approx([0.3, 1.0], abs=0.033)
    assert sound.n_turns == 2


def test_a_frame_that_may_be_a_voice_goes_on_with_speech_and_does_not_begin_it() -> None:
    voice = np.array([0.4] * 20 + [0.9] * 10 + [0.4] * 10 + [0.3] * 20, np.float32)
    frame_s = VOICE_FRAME_SAMPLES / HZ
    [span] = measured(silence(60 * frame_s), voice).speech
    assert (span.start_s, span.end_s) == pytest.approx((20 * frame_s, 40 * frame_s))


@given(st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6, 1.0]), min_size=1, max_size=200), st.integers(1, 512))
def test_speech_is_in_order_within_the_clip_and_apart(voice: list[float], last_samples: int) -> None:
    n_samples = (len(voice) - 1) * VOICE_FRAME_SAMPLES + last_samples
    sound = measured(np.ones(n_samples, np.float32), np.array([*voice, 0.0], np.float32))
    reached = -PAUSE_S
    for span in sound.speech:
        assert reached + PAUSE_S <= span.start_s + 1e-9
        assert span.seconds >= SPEECH_S_MIN
        reached = span.end_s
    assert reached <= sound.seconds
    assert sound.speech_s + sum(pause.seconds for pause in sound.pauses) <= sound.seconds + 1e-9
    assert (sound.background_dbfs is None) == (sound.speech_s >= sound.seconds)


# Recordings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", speech.utterances()[::4], ids=lambda one: one.name)
def test_recorded_speech_is_found_where_it_is_known_to_be(one: speech.Utterance) -> None:
    sound = of_pcm(one.pcm16k)
    assert sound.speech[0].start_s == pytest.approx(one.speech_start_ms / 1000, abs=0.25)
    assert sound.speech[-1].end_s == pytest.approx(one.speech_end_ms / 1000, abs=0.25)
    assert sound.n_turns == 1
    assert sound.seconds == pytest.approx(one.seconds, abs=0.001)


def test_a_lecture_has_its_pauses() -> None:
    lecture = speech.lecture()
    sound = of_pcm(lecture.pcm16k)
    known_s = sum(end - start for start, end in lecture.speech_ms) / 1000
    assert sound.speech_s == pytest.approx(known_s, rel=0.1)
    assert sound.n_turns > 5


@pytest.mark.parametrize(
    "pcm",
    [speech.white_noise(2, 1000), speech.pink_noise(2, 1000), speech.hum(2), speech.clicks(2), bytes(64_000)],
    ids=["white", "pink", "hum", "clicks", "silence"],
)
def test_there_is_no_speech_in_noise(pcm: bytes) -> None:
    assert of_pcm(pcm).speech == ()


@pytest.mark.skipif(not SONIC_PI.is_dir(), reason="sonic-pi-samples is not installed")
@pytest.mark.parametrize(
    "name", ["misc_crow", "perc_door", "perc_bell", "guit_em9", "tabla_dhec", "ambi_choir"]
)
def test_there_is_no_speech_in_other_sounds(name: str) -> None:
    file = (SONIC_PI / f"{name}.flac").read_bytes()
    assert of_pcm(decode_recording(file, "flac", HZ, 60.0)).speech == ()
