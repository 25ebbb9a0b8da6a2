"""What is to be heard leaves in whole frames, one answer after another, and is counted."""

from realtime.audio.opus import FRAME_BYTES
from realtime.protocol.config import PcmFormat
from realtime.protocol.effects import Play
from realtime.transports.webrtc.playout import QUEUED_BYTES_MAX, Frame, Playout, Position


def play(response: str, n_bytes: int, item: str = "") -> Play:
    return Play(response, item or f"item {response}", 0, 0, b"\1" * n_bytes, PcmFormat())


def test_a_frame_waits_until_it_is_whole_or_the_answer_is() -> None:
    playout = Playout()
    playout.push(play("a", 100))
    assert playout.next() is None
    assert not playout.finish("a")
    assert playout.next() == Frame((b"\1" * 100).ljust(FRAME_BYTES, b"\0"), began="a", ended="a")
    assert playout.ended() == Position("item a", 2)
    assert playout.next() is None


def test_an_answer_that_ran_dry_ends_when_it_is_told_to_be_complete() -> None:
    playout = Playout()
    playout.push(play("a", FRAME_BYTES))
    assert playout.next() == Frame(b"\1" * FRAME_BYTES, began="a")
    assert playout.next() is None
    assert playout.finish("a")
    assert playout.ended() == Position("item a", 20)


def test_an_answer_without_audio_neither_begins_nor_ends() -> None:
    playout = Playout()
    playout.push(play("a", FRAME_BYTES))
    playout.next()
    assert not playout.finish("b")
    assert playout.finish("a")


def test_answers_do_not_share_a_frame() -> None:
    playout = Playout()
    playout.push(play("a", FRAME_BYTES + 10))
    playout.finish("a")
    playout.push(play("b", 2 * FRAME_BYTES))
    frames = [playout.next() for _ in range(5)]
    marks = [(frame.began, frame.ended) for frame in frames if frame is not None]
    assert marks == [("a", None), (None, "a"), ("b", None), (None, None)]


def test_stopping_tells_what_was_reported_of_each_item() -> None:
    playout = Playout()
    playout.push(play("a", 20 * FRAME_BYTES, "first"))
    playout.push(play("a", 20 * FRAME_BYTES, "second"))
    for _ in range(3):
        playout.next()
    assert playout.progress() == Position("first", 60)
    playout.next()
    assert playout.progress() is None  # 20 ms are no news
    assert playout.stop("a") == [Position("first", 60), Position("second", 0)]
    assert playout.next() is None
    assert playout.stop("a") is None


def test_it_is_full_at_its_bound_and_not_after_a_stop() -> None:
    playout = Playout()
    playout.push(play("a", QUEUED_BYTES_MAX))
    assert playout.is_full
    playout.stop("a")
    assert not playout.is_full
