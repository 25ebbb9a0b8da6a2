from dataclasses import replace

import pytest

from realtime.audio.endpointer import Endpointer, Endpointing
from realtime.protocol.inputs import SpeechPaused, SpeechStarted, SpeechStopped, TurnSignal

FRAME_MS = 32
TIMES = Endpointing(onset_ms=90, pause_ms=200, silence_ms=500, pad_ms=100, max_utterance_ms=10_000)


def hear(endpointer: Endpointer, probability: float, frames: int) -> list[TurnSignal]:
    return [s for _ in range(frames) for s in endpointer.push(probability, FRAME_MS * 16)]


def speaking(times: Endpointing = TIMES, frames: int = 10) -> Endpointer:
    """An endpointer that has heard `frames` frames of speech, and nothing before."""
    endpointer = Endpointer(times)
    hear(endpointer, 0.9, frames)
    assert endpointer.in_utterance
    return endpointer


def test_speech_starts_where_its_first_voiced_frame_begins() -> None:
    endpointer = Endpointer(TIMES)
    assert hear(endpointer, 0.0, 5) == []
    assert hear(endpointer, 0.9, 2) == []
    assert hear(endpointer, 0.9, 1) == [SpeechStarted(audio_ms=5 * FRAME_MS)]


def test_a_blip_does_not_start_a_turn() -> None:
    endpointer = Endpointer(TIMES)
    for _ in range(20):
        assert hear(endpointer, 0.9, 2) == []  # 64 ms of voice, as of a click or a cough
        assert hear(endpointer, 0.1, 1) == []


def test_a_frame_between_the_thresholds_does_not_break_an_onset() -> None:
    endpointer = Endpointer(TIMES)
    assert hear(endpointer, 0.9, 2) + hear(endpointer, 0.4, 1) == []
    assert hear(endpointer, 0.9, 1) == [SpeechStarted(0)]


def test_a_beginning_that_stays_in_doubt_is_forgotten() -> None:
    endpointer = Endpointer(TIMES)
    assert hear(endpointer, 0.9, 2) + hear(endpointer, 0.4, 7) + hear(endpointer, 0.9, 2) == []
    assert hear(endpointer, 0.9, 1) == [SpeechStarted(9 * FRAME_MS)]


def test_a_frame_between_the_thresholds_starts_nothing() -> None:
    assert hear(Endpointer(TIMES), 0.49, 100) == []


def test_a_pause_and_the_stop_after_it_name_the_same_end() -> None:
    endpointer = speaking(frames=10)
    end_ms = 10 * FRAME_MS + 100
    assert hear(endpointer, 0.0, 6) == []
    assert hear(endpointer, 0.0, 1) == [SpeechPaused(end_ms)]
    assert hear(endpointer, 0.0, 8) == []
    assert hear(endpointer, 0.0, 1) == [SpeechStopped(end_ms)]
    assert hear(endpointer, 0.0, 50) == []


def test_speech_after_a_pause_goes_on_with_the_turn() -> None:
    endpointer = speaking(frames=10)
    assert hear(endpointer, 0.0, 15) == [SpeechPaused(10 * FRAME_MS + 100)]
    assert hear(endpointer, 0.9, 5) == []
    assert hear(endpointer, 0.0, 7) == [SpeechPaused(30 * FRAME_MS + 100)]


def test_a_soft_frame_keeps_an_utterance_open() -> None:
    endpointer = speaking()
    for _ in range(10):
        assert hear(endpointer, 0.0, 5) + hear(endpointer, 0.36, 1) == []


def test_an_utterance_that_does_not_end_is_ended() -> None:
    endpointer = Endpointer(replace(TIMES, max_utterance_ms=640))
    assert hear(endpointer, 0.9, 20) == [SpeechStarted(0), SpeechStopped(640)]
    assert hear(endpointer, 0.9, 3) == [SpeechStarted(640)]


def test_with_a_short_silence_there_is_no_pause_and_the_pad_fits_in() -> None:
    endpointer = speaking(replace(TIMES, silence_ms=64), frames=10)
    assert hear(endpointer, 0.0, 2) == [SpeechStopped(10 * FRAME_MS + 64)]


def test_hush_ends_the_open_utterance_within_what_was_heard() -> None:
    assert speaking(frames=10).flush() == [SpeechStopped(10 * FRAME_MS)]
    paused = speaking(frames=10)
    hear(paused, 0.0, 8)
    assert paused.flush() == [SpeechStopped(10 * FRAME_MS + 100)]
    assert paused.flush() == []


def test_hush_forgets_a_beginning_that_was_not_yet_an_onset() -> None:
    endpointer = Endpointer(TIMES)
    hear(endpointer, 0.9, 2)
    assert endpointer.flush() == []
    assert hear(endpointer, 0.9, 2) == []


def test_positions_count_from_where_it_begins_to_listen() -> None:
    assert hear(Endpointer(TIMES, start_ms=7_000), 0.9, 3) == [SpeechStarted(7_000)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 0},
        {"threshold": 1.5},
        {"hysteresis": -1},
        {"onset_ms": 0},
        {"silence_ms": -1},
        {"pad_ms": -1},
    ],
)
def test_times_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Endpointing(**wrong)  # type: ignore[arg-type]
