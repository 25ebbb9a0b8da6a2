"""Clips as they go over a wire, and where their speech ends."""

import numpy as np
import pytest

from evaluation.routes.pcm import s16le, speech_end_s
from tests.speech import HZ, utterances


def test_what_was_whole_is_whole_again_and_nothing_wraps() -> None:
    every = np.arange(-32768, 32768, dtype="<i2")
    assert s16le(every.astype(np.float32) / 32768) == every.tobytes()
    assert s16le(np.array([1.5, -1.5], np.float32)) == np.array([32767, -32768], "<i2").tobytes()


def test_the_end_of_recorded_speech_is_known_to_a_tenth_of_a_second() -> None:
    errors_ms = []
    for utterance in utterances():
        pcm = np.frombuffer(utterance.pcm16k, "<i2").astype(np.float32) / 32768
        errors_ms.append(speech_end_s(pcm) * 1000 - utterance.speech_end_ms)
    assert abs(np.median(errors_ms)) < 30
    assert np.mean(np.abs(errors_ms) < 100) > 0.8


@pytest.mark.parametrize(("silence_s", "expected"), [(0.0, 1.0), (2.0, 1.0)])
def test_digital_silence_is_no_speech(silence_s: float, expected: float) -> None:
    tone = np.sin(np.arange(HZ) / 8).astype(np.float32) / 4
    clip = np.concatenate([tone, np.zeros(round(silence_s * HZ), np.float32)])
    assert speech_end_s(clip) == pytest.approx(expected, abs=0.021)


def test_an_empty_clip_and_a_silent_one_end_where_they_end() -> None:
    assert speech_end_s(np.zeros(0, np.float32)) == 0.0
    assert speech_end_s(np.zeros(HZ + 5, np.float32)) == (HZ + 5) / HZ
