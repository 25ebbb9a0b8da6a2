"""The user's side of a live conversation, moment by moment, without a socket or a clock."""

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.speech.live.playout import HZ, Playout
from evaluation.speech.live.scenario import Action, Scenario
from evaluation.speech.live.segments import Segment
from evaluation.speech.live.stage import LAST_S, MOMENT_S, MOMENT_SAMPLES, PATIENCE_S, Stage


def sound(seconds: float, level: float = 0.5) -> np.ndarray:
    return np.full(round(seconds * HZ), level, np.float32)


def delta(seconds: float, item_id: str = "item_1") -> dict[str, Any]:
    pcm = (sound(seconds) * 32767).astype("<i2").tobytes()
    return {
        "type": "response.output_audio.delta",
        "item_id": item_id,
        "delta": base64.b64encode(pcm).decode(),
    }


def action(kind: Any, seconds: float, **rest: Any) -> Action:
    return Action(kind, sound(seconds, 0.25), Segment(0.0, seconds), **rest)


def stage(*actions: Action) -> Stage:
    return Stage(Scenario("one", actions))


def until(staged: Stage, is_so: Callable[[], bool]) -> None:
    while not is_so():
        assert staged.now_s < 100
        staged.moment()


def test_both_tracks_have_the_clients_time_and_the_same_length() -> None:
    staged = stage(action("turn", 1.0, after="start", delay_s=0.5))
    until(staged, lambda: staged.now_s >= 2.0 - 1e-9)
    staged.take(delta(1.0))
    until(staged, lambda: staged.is_over)
    user, assistant, script = staged.recording()
    assert len(user) == len(assistant)
    assert np.flatnonzero(user)[[0, -1]].tolist() == [round(0.5 * HZ), round(1.5 * HZ) - 1]
    assert np.flatnonzero(assistant)[[0, -1]].tolist() == [2 * HZ, 3 * HZ - 1]
    [event] = script.events
    assert (event.start_s, event.end_s) == (0.5, 1.5)


def test_what_is_sent_is_what_is_recorded() -> None:
    staged = stage(action("turn", 0.1, after="start"))
    sent = b"".join(staged.moment() for _ in range(10))
    user, _, _ = staged.recording()
    assert len(sent) == 2 * 10 * MOMENT_SAMPLES
    assert np.frombuffer(sent, "<i2") == pytest.approx(user * 32768, abs=1)


def test_a_sound_over_the_answer_waits_for_the_answer() -> None:
    staged = stage(
        action("turn", 1.0, after="start"), action("cough", 0.2, after="answer_start", delay_s=1.0)
    )
    until(staged, lambda: staged.now_s >= 3.0 - 1e-9)
    staged.take(delta(5.0))
    until(staged, lambda: staged.is_over)
    _, _, script = staged.recording()
    assert [event.start_s for event in script.events] == pytest.approx([0.0, 4.0], abs=MOMENT_S)


def test_an_answer_is_over_when_it_is_heard_to_its_end_and_no_more_of_it_is_made() -> None:
    staged = stage(action("turn", 1.0, after="start"), action("turn", 0.2, after="answer_end", delay_s=0.5))
    until(staged, lambda: staged.now_s >= 2.0 - 1e-9)
    staged.take({"type": "response.created", "response": {"id": "resp_1"}})
    staged.take(delta(1.0))
    until(staged, lambda: staged.now_s >= 6.0 - 1e-9)  # all was heard, and the server still makes more
    assert len(staged.recording()[2].events) == 1
    staged.take(delta(1.0))
    staged.take({"type": "response.done", "response": {"id": "resp_1"}})
    until(staged, lambda: len(staged.recording()[2].events) == 2)
    assert staged.recording()[2].events[1].start_s == pytest.approx(7.5, abs=2 * MOMENT_S)


def test_the_client_falls_silent_when_the_wire_says_so_and_tells_what_was_heard() -> None:
    staged = stage(action("turn", 1.0, after="start"))
    until(staged, lambda: staged.now_s >= 2.0 - 1e-9)
    staged.take(delta(5.0, "item_7"))
    until(staged, lambda: staged.now_s >= 3.0 - 1e-9)
    [told] = staged.take({"type": "input_audio_buffer.speech_started"})
    assert told == {
        "type": "conversation.item.truncate",
        "item_id": "item_7",
        "content_index": 0,
        "audio_end_ms": 1000,
    }
    assert staged.take({"type": "input_audio_buffer.speech_started"}) == [], (
        "in silence there is nothing to cut"
    )
    until(staged, lambda: staged.is_over)
    _, assistant, script = staged.recording()
    assert np.flatnonzero(assistant)[-1] == 3 * HZ - 1
    assert script.cuts_s == pytest.approx((3.0,))


def test_endpoints_and_errors_are_kept() -> None:
    staged = stage(action("turn", 1.0, after="start"))
    until(staged, lambda: staged.now_s >= 1.6 - 1e-9)
    staged.take({"type": "input_audio_buffer.speech_stopped"})
    staged.take({"type": "error", "error": {"code": "invalid_value"}})
    staged.take({"type": "whatever"})
    assert staged.recording()[2].endpoints_s == pytest.approx((1.6,))
    assert staged.error_codes == ["invalid_value"]


def test_who_gets_no_answer_gives_up_and_does_not_say_the_rest() -> None:
    staged = stage(action("turn", 1.0, after="start"), action("cough", 0.2, after="answer_start"))
    until(staged, lambda: staged.is_over)
    assert staged.now_s == pytest.approx(1.0 + PATIENCE_S, abs=2 * MOMENT_S)
    assert [event.kind for event in staged.recording()[2].events] == ["turn"]


def test_every_window_of_the_figures_ends_before_the_recording_does() -> None:
    staged = stage(action("cough", 0.2, after="start"))
    until(staged, lambda: staged.is_over)
    assert staged.now_s >= 0.2 + LAST_S


@given(st.lists(st.one_of(st.integers(0, 3000), st.just(-1)), max_size=20))
def test_a_loudspeaker_plays_each_sample_once_in_order_or_drops_it(steps: list[int]) -> None:
    """steps: samples that come, or -1 for a cut; after each, 100 samples are played."""
    playout, come, heard, dropped = Playout(), 0, [], 0
    for step in steps:
        if step < 0:
            before = sum(playout.heard_ms.values())
            cut = playout.cut()
            assert (cut is not None) == (come - len(heard) - dropped > 0)
            if cut is not None:
                assert cut == ("item", int(before))
            dropped = come - len(heard)
        else:
            playout.play("item", np.arange(come + 1, come + step + 1).astype("<i2").tobytes())
            come += step
        piece = np.rint(playout.pull(100) * 32768).astype(int).tolist()
        heard += [one % 65536 for one in piece if one]
        assert playout.is_playing == (come - len(heard) - dropped > 0)
    assert heard == sorted(heard)
    assert len(set(heard)) == len(heard)
    assert playout.heard_ms.get("item", 0.0) == pytest.approx(1000 * len(heard) / HZ)
