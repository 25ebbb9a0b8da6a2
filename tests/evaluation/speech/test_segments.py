"""Spans of voice: joined, looked up, cut; and found in sound."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.speech.live.segments import Segment, at, first_from, merged, within
from evaluation.speech.live.voice_activity import VAD_HZ, by_level, by_silero, spans
from tests.speech import utterance

moments = st.integers(0, 200).map(lambda tenth: tenth / 10)
some = st.lists(st.tuples(moments, moments).map(lambda one: Segment(min(one), max(one))), max_size=8)


def test_silences_up_to_the_gap_are_closed_and_longer_ones_stay() -> None:
    apart = [Segment(2.0, 3.0), Segment(0.0, 1.0), Segment(3.5, 4.0)]
    assert merged(apart, 0.5) == (Segment(0.0, 1.0), Segment(2.0, 4.0))
    assert merged(apart, 1.0) == (Segment(0.0, 4.0),)
    assert merged(apart, 0.4) == tuple(sorted(apart))


@given(some, st.floats(0, 3))
def test_what_was_joined_lies_apart_and_loses_nothing(segments: list[Segment], gap_s: float) -> None:
    joined = merged(segments, gap_s)
    assert all(after.start_s - before.end_s > gap_s for before, after in pairwise(joined))
    assert all(
        any(one.start_s <= part.start_s and part.end_s <= one.end_s for one in joined) for part in segments
    )
    assert merged(joined, gap_s) == joined


def test_a_span_holds_its_start_and_not_its_end() -> None:
    spoken = (Segment(1.0, 2.0), Segment(3.0, 4.0))
    assert at(spoken, 1.0) == Segment(1.0, 2.0)
    assert at(spoken, 2.0) is None
    assert first_from(spoken, 1.0) == Segment(1.0, 2.0)
    assert first_from(spoken, 1.1) == Segment(3.0, 4.0)
    assert first_from(spoken, 3.1) is None
    assert within(spoken, Segment(1.5, 3.5)) == (Segment(1.5, 2.0), Segment(3.0, 3.5))
    assert within(spoken, Segment(2.0, 3.0)) == ()


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="at or after 2 s"):
        Segment(2.0, 1.0)


def test_a_span_begins_at_one_threshold_and_ends_below_another() -> None:
    frames = np.array([0.4, 0.6, 0.4, 0.4, 0.2, 0.4, 0.6, 0, 0, 0, 0, 0.6, 0, 0, 0])
    # The silence of 0.06 s is closed, the lonely frame at the end is too short.
    assert spans(frames, 0.03, 0.5, 0.35) == (Segment(0.03, 0.21),)


@pytest.mark.parametrize("name", ["cards_001", "librivox_0880", "lecture_17"])
def test_silero_finds_the_voice_of_a_recording_where_its_labels_have_it(name: str) -> None:
    clip = utterance(name)
    samples = np.frombuffer(clip.pcm16k, "<i2").astype(np.float32) / 32768
    found = merged(by_silero(samples), 0.3)
    assert len(found) == 1
    assert found[0].start_s == pytest.approx(clip.speech_start_ms / 1000, abs=0.13)
    assert found[0].end_s == pytest.approx(clip.speech_end_ms / 1000, abs=0.13)


def test_silence_holds_no_voice_and_a_tone_is_heard_by_level_alone() -> None:
    silence = np.zeros(VAD_HZ, np.float32)
    tone = (0.2 * np.sin(np.arange(VAD_HZ) * 2 * np.pi * 220 / VAD_HZ)).astype(np.float32)
    sound = np.concatenate([silence, tone, silence])
    assert by_level(silence, VAD_HZ) == by_silero(silence) == ()
    assert by_level(sound, VAD_HZ) == (Segment(1.0, 2.0),)
    assert by_level(np.zeros(0, np.float32), VAD_HZ) == by_silero(np.zeros(0, np.float32)) == ()
