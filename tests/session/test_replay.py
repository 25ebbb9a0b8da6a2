"""What is told again: all that was missed, once, in order; and of sound nothing that was heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.protocol.config import PcmFormat
from realtime.protocol.effects import Play
from realtime.protocol.events import Cleared, TranscriptDone
from realtime.session import replay as module
from realtime.session.replay import ReplayBuffer


def piece(item: str, start_ms: float, duration_ms: int, response: str = "r") -> Play:
    return Play(response, item, 0, 0, bytes(48 * duration_ms), PcmFormat(), start_ms)


def recording() -> ReplayBuffer:
    replay = ReplayBuffer("sess_1")
    replay.is_recording = True
    return replay


STEPS = st.lists(st.tuples(st.sampled_from(["say", "play", "heard", "cut"]), st.integers(0, 9)), max_size=60)


@given(STEPS, st.integers(0, 60))
def test_what_is_told_again_is_what_followed_less_the_sound_that_nobody_needs(
    steps: list[tuple[str, int]], seen: int
) -> None:
    replay, told = recording(), []
    item, played_ms, heard_ms, n_items = "i0", 0.0, -1.0, 0
    for what, number in steps:
        match what:
            case "say":
                event = Cleared()
                replay.record(event)
                told.append(event)
            case "play":
                play = piece(item, played_ms, 20 * (number + 1), response=item)
                played_ms += 20 * (number + 1)
                replay.record(play)
                told.append(play)
            case "heard":
                heard_ms = played_ms * number / 9
                replay.drop_heard(item, heard_ms)
                told = [
                    one
                    for one in told
                    if not isinstance(one, Play)
                    or (one.item_id == item and one.start_ms + len(one.pcm) / 48 > heard_ms)
                    or (one.item_id != item and not _is_before_heard(one, told, item, heard_ms))
                ]
            case "cut":
                replay.drop_audio(item)
                told = [one for one in told if not isinstance(one, Play) or one.response_id != item]
                n_items += 1
                item, played_ms = f"i{n_items}", 0.0
    again = replay.since(min(seen, replay.last_number))
    assert again is not None
    assert [one.event for one in again] == [
        one for one in told if (replay.number_of(one.event_id) or 0) > min(seen, replay.last_number)
    ]
    assert sorted({one.number for one in again}) == [one.number for one in again]


def _is_before_heard(play: Play, told: list[object], item: str, heard_ms: float) -> bool:
    heard = [
        index
        for index, one in enumerate(told)
        if isinstance(one, Play) and one.item_id == item and one.start_ms + len(one.pcm) / 48 <= heard_ms
    ]
    return bool(heard) and told.index(play) < heard[-1]


def test_ids_carry_their_numbers_and_those_of_other_sessions_none() -> None:
    replay = recording()
    event = Cleared()
    replay.record(event)
    assert replay.number_of(event.event_id) == replay.last_number == 1
    outside = Cleared()
    replay.give_id(outside)
    for other in ("", "event_2_000001", "event_1_", "event_1_zz", outside.event_id):
        assert replay.number_of(other) is None


def test_an_answer_goes_on_at_the_sample_that_was_heard_last() -> None:
    replay = recording()
    for start_ms in (0, 100, 200):
        replay.record(piece("i", start_ms, 100))
    left = replay.unheard_audio("i", 150.5)
    assert [play.start_ms for play in left] == [pytest.approx(150.5, abs=0.05), 200]
    assert sum(len(play.pcm) for play in left) == 2 * round(149.5 * 24)
    assert replay.unheard_audio("i", 300) == []


def test_more_than_is_kept_is_told_anew_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TEXT_BYTES_MAX", 1000)
    replay = recording()
    for _ in range(20):
        replay.record(
            TranscriptDone(response_id="r", item_id="i", output_index=0, content_index=0, transcript="x" * 50)
        )
    assert replay.since(0) is None
    assert replay.since(replay.last_number - 2) is not None
    assert replay.since(replay.last_number + 1) is None


def test_sound_that_nobody_hears_for_long_makes_the_agent_wait_before_it_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "AUDIO_BYTES_MAX", 48_000)
    replay = recording()
    replay.record(piece("i", 0, 700))
    assert not replay.is_full
    replay.record(piece("i", 700, 100))
    assert replay.is_full
    assert replay.since(0) is not None
    replay.record(piece("i", 800, 300))
    assert replay.since(0) is None
    replay.drop_heard("i", 1100)
    assert not replay.is_full


def test_a_session_that_is_not_resumed_keeps_nothing() -> None:
    replay = ReplayBuffer("sess_1")
    replay.record(Cleared())
    replay.record(piece("i", 0, 100))
    assert replay.since(1) is None
    assert replay.unheard_audio("i", 0) == []
