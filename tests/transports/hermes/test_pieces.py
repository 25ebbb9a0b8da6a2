"""An answer's sound in pieces that a site plays one after another, over time that is an argument."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from realtime.transports.hermes.codec import DOWN_HZ
from realtime.transports.hermes.pieces import LATE_S, PIECE_S_MAX, PIECE_S_MIN, Heard, Pieces

LOUD = (4000 * np.sin(np.arange(DOWN_HZ) / 9)).astype("<i2").tobytes()
"""One second."""


def test_a_piece_ends_where_it_is_quiet() -> None:
    pieces = Pieces()
    sound = bytearray(LOUD * 3)
    quiet_at = round(1.6 * DOWN_HZ) * 2
    sound[quiet_at : quiet_at + 2 * DOWN_HZ // 25] = bytes(2 * DOWN_HZ // 25)
    pieces.put("a", 0.0, bytes(sound))
    piece = pieces.next(0.0)
    assert piece is not None
    assert 1.6 <= len(piece.pcm) / (2 * DOWN_HZ) <= 1.64


def test_too_little_waits_for_more_or_for_the_end() -> None:
    pieces = Pieces()
    pieces.put("a", 0.0, LOUD)
    assert pieces.next(0.0) is None
    pieces.finish("a")
    assert pieces.next(0.0) is not None


def test_the_clock_tells_what_was_heard_of_a_piece_and_the_site_its_end() -> None:
    pieces = Pieces()
    pieces.put("a", 500.0, LOUD)
    pieces.finish("a")
    piece = pieces.next(10.0)
    assert piece is not None
    assert pieces.heard(10.25) == Heard("a", 750)
    assert pieces.heard(99.0) == Heard("a", 1500)
    assert pieces.finished(piece.number + 1) is None
    assert pieces.finished(piece.number) == Heard("a", 1500)
    assert pieces.finished(piece.number) is None


def test_what_plays_cannot_be_stopped_and_counts_whole() -> None:
    pieces = Pieces()
    pieces.put("a", 0.0, LOUD * 6)
    piece = pieces.next(0.0)
    assert piece is not None
    assert pieces.clear() == Heard("a", round(len(piece.pcm) * 500 / DOWN_HZ))
    pieces.finished(piece.number)
    assert pieces.next(9.0) is None


def test_a_site_that_says_nothing_is_waited_for_so_long_and_no_longer() -> None:
    pieces = Pieces()
    pieces.put("a", 0.0, LOUD)
    pieces.finish("a")
    pieces.next(0.0)
    assert pieces.give_up(1.0 + LATE_S - 0.01) is None
    assert pieces.give_up(1.0 + LATE_S) == Heard("a", 1000)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3 * DOWN_HZ)), max_size=12))
def test_every_sample_is_played_once_and_in_order(puts: list[tuple[str, int]]) -> None:
    order = sorted(range(len(puts)), key=lambda at: puts[at][0])
    pieces, sent, value = Pieces(), b"", 0
    for at in order:
        item_id, samples = puts[at]
        pcm = (np.arange(value, value + samples) % 30_000).astype("<i2").tobytes()
        value += samples
        sent += pcm
        pieces.put(item_id, 0.0, pcm)
    for item_id in "abc":
        pieces.finish(item_id)
    played, now = b"", 0.0
    while (piece := pieces.next(now)) is not None:
        assert len(piece.pcm) <= 2 * PIECE_S_MAX * DOWN_HZ
        assert len(piece.pcm) % 2 == 0
        played += piece.pcm
        pieces.finished(piece.number)
    assert played == sent
    assert PIECE_S_MIN < PIECE_S_MAX
