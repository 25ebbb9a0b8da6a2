"""What every voice activity promises, and how well each must hear recorded speech."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from realtime.turns.base import VoiceActivity
from realtime.turns.silero import SileroModel
from realtime.turns.webrtc_vad import WebRtcVad
from tests import speech

silero_model = cache(SileroModel)

New = Callable[[], VoiceActivity]
EVERY: dict[str, New] = {
    "silero": lambda: silero_model().new_session(),
    "webrtc 2": lambda: WebRtcVad(2),
    "webrtc 3": lambda: WebRtcVad(3),
}


@pytest.fixture(params=EVERY)
def new(request: pytest.FixtureRequest) -> New:
    return EVERY[request.param]


def frames_of(pcm: bytes, activity: VoiceActivity) -> list[bytes]:
    step = 2 * activity.frame_samples
    return [pcm[at : at + step] for at in range(0, len(pcm) - step + 1, step)]


def heard(new: New, pcm: bytes) -> list[float]:
    activity = new()
    return activity.probabilities(b"".join(frames_of(pcm, activity)))


def share_over_half(probabilities: list[float]) -> float:
    return float(np.mean(np.asarray(probabilities) >= 0.5))


def test_a_probability_is_one(new: New) -> None:
    got = heard(new, speech.utterance("librivox_0880").pcm16k)
    assert len(got) > 80
    assert all(0 <= p <= 1 for p in got)


@pytest.mark.parametrize("together", [1, 3, 40])
def test_frames_together_say_the_same_as_one_by_one(new: New, together: int) -> None:
    one_by_one, in_groups = new(), new()
    frames = frames_of(speech.utterance("librivox_0880").pcm16k, one_by_one)
    wanted = [one_by_one.probability(frame) for frame in frames]
    got = [
        p
        for at in range(0, len(frames), together)
        for p in in_groups.probabilities(b"".join(frames[at : at + together]))
    ]
    assert got == pytest.approx(wanted, abs=1e-4)


def test_no_frames_are_no_probabilities(new: New) -> None:
    assert new().probabilities(b"") == []


def test_after_a_reset_nothing_is_remembered(new: New) -> None:
    activity = new()
    pcm = b"".join(frames_of(speech.utterance("goforward").pcm16k, activity))
    first = activity.probabilities(pcm)
    activity.probabilities(b"".join(frames_of(speech.white_noise(2, rms=8_000), activity)))
    assert activity.probabilities(pcm) != first  # so that there is something to forget
    activity.reset()
    assert activity.probabilities(pcm) == first


def test_sessions_do_not_hear_each_other(new: New) -> None:
    pcm = speech.utterance("librivox_0930").pcm16k
    alone = heard(new, pcm)
    one, other = new(), new()
    noise = frames_of(speech.white_noise(4, rms=5_000), other)
    got = []
    for frame, disturbance in zip(frames_of(pcm, one), noise, strict=False):
        got.append(one.probability(frame))
        other.probability(disturbance)
    assert got == pytest.approx(alone, abs=1e-4)


def test_what_is_not_whole_frames_is_refused(new: New) -> None:
    activity = new()
    whole = bytes(2 * activity.frame_samples)
    for wrong in (whole[:-2], whole + b"ab"):
        with pytest.raises(ValueError, match="frame"):
            activity.probability(wrong)
        with pytest.raises(ValueError, match="frame"):
            activity.probabilities(wrong)


def test_most_of_clear_speech_is_heard(new: New) -> None:
    recall = []
    for one in speech.utterances():
        within = one.pcm16k[32 * one.voiced_start_ms : 32 * one.speech_end_ms]
        recall.append(share_over_half(heard(new, within)))
    assert np.mean(recall) > 0.85


def test_digital_silence_is_not_speech(new: New) -> None:
    assert max(heard(new, bytes(2 * 16_000 * 10))) < 0.5


@pytest.mark.parametrize("noise", [speech.white_noise, speech.pink_noise])
@pytest.mark.parametrize("rms", [20, 300, 3_000])
def test_steady_noise_is_not_speech_to_silero(noise: Callable[[float, float], bytes], rms: float) -> None:
    assert share_over_half(heard(EVERY["silero"], noise(20, rms))) < 0.01


@pytest.mark.parametrize("noise", [speech.white_noise, speech.pink_noise])
def test_silero_hears_speech_through_noise_at_10_db(noise: Callable[[float, float], bytes]) -> None:
    pcm, places = speech.one_after_another(gap_s=1)
    noisy = speech.with_noise(pcm, noise(len(pcm) / 32_000 + 1, 100), 10, speech.speech_rms())
    clean = np.asarray(heard(EVERY["silero"], pcm)) >= 0.5
    got = np.asarray(heard(EVERY["silero"], noisy)) >= 0.5
    assert (got & clean).sum() / clean.sum() > 0.9
    assert (got & ~clean).sum() / (~clean).sum() < 0.05
    assert len(places) == 36
