"""What was sent counts as heard once the peer has given a sign of life."""

import asyncio
import time

import pytest

from realtime.audio.opus import FRAME_BYTES, FRAME_MS
from realtime.protocol.config import PcmFormat
from realtime.protocol.effects import Play
from realtime.transports.webrtc import track as track_module
from realtime.transports.webrtc.playout import Position
from realtime.transports.webrtc.track import PlayoutTrack
from tests.peers.pace import Paced
from tests.waiting import HANGS_S


def play(item: str, n_frames: int, start_ms: float = 0.0) -> Play:
    return Play(f"of {item}", item, 0, 0, bytes(n_frames * FRAME_BYTES), PcmFormat(), start_ms)


def track() -> PlayoutTrack:
    return PlayoutTrack(lambda _: None, lambda _: None)


async def sent(playing: PlayoutTrack, n_frames: int) -> float:
    """When they had left, on the clock that signs of life are on."""
    for _ in range(n_frames):
        await playing.next()
    return time.monotonic()


async def test_what_was_sent_since_the_last_sign_of_life_is_not_heard() -> None:
    playing = track()
    playing.play(play("a", 10))
    alive_at = await sent(playing, 4)
    await sent(playing, 4)
    assert playing.heard(alive_at, may_wait=False) == Position("a", 4 * FRAME_MS)
    assert playing.heard(alive_at, may_wait=False) is None
    assert playing.detach(alive_at) == [Position("a", 4 * FRAME_MS)]


async def test_parting_takes_back_what_was_told_and_had_not_arrived() -> None:
    playing = track()
    playing.play(play("a", 10, start_ms=500))
    arrived_by = await sent(playing, 3)
    alive_at = await sent(playing, 4)
    assert playing.heard(alive_at, may_wait=False) == Position("a", 500 + 7 * FRAME_MS)
    assert playing.detach(arrived_by) == [Position("a", 500 + 3 * FRAME_MS)]
    assert playing.detach(arrived_by) == []


async def test_parting_takes_back_the_whole_answer_if_nothing_of_it_had_arrived() -> None:
    playing = track()
    arrived_by = time.monotonic()
    playing.play(play("a", 4, start_ms=500))
    playing.finish("of a")
    alive_at = await sent(playing, 4)
    assert playing.heard(alive_at, may_wait=False) == Position("a", 500 + 4 * FRAME_MS)
    assert playing.detach(arrived_by) == [Position("a", 500)]


async def test_what_had_left_long_before_the_next_sign_of_life_is_told_too() -> None:
    playing = track()
    playing.play(play("a", 4))
    playing.finish("of a")
    alive_at = await sent(playing, 4) + 10.0
    assert playing.heard(alive_at, may_wait=False) == Position("a", 4 * FRAME_MS)
    assert playing.detach(alive_at) == []


async def test_what_was_told_of_an_answer_that_was_cut_off_is_not_taken_back() -> None:
    playing = track()
    arrived_by = time.monotonic()
    playing.play(play("a", 10))
    alive_at = await sent(playing, 4)
    playing.heard(alive_at, may_wait=False)
    playing.stop_playing("of a")
    assert playing.detach(arrived_by) == []


async def test_parting_tells_of_an_answer_of_which_nothing_was_heard() -> None:
    playing = track()
    playing.play(play("a", 2))
    playing.finish("of a")
    playing.play(play("b", 2, start_ms=500))
    alive_at = await sent(playing, 2)
    assert playing.detach(alive_at)[-2:] == [Position("a", 2 * FRAME_MS), Position("b", 500)]
    assert playing.detach(time.monotonic()) == []


async def test_what_comes_after_silence_has_the_time_of_its_leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    playing = track()
    playing.play(play("a", 1))
    playing.finish("of a")
    times_ms = [(await playing.next()).timestamp / 48 for _ in range(1 + 10 + 2)]
    last_of_tail, *quiet = times_ms[-3:]
    assert quiet[0] - last_of_tail >= 380, "silence is 400 ms long, whatever the machine does"
    assert quiet[1] - quiet[0] >= 380
    monkeypatch.setattr(track_module, "_QUIET_EVERY_S", HANGS_S)
    coming = asyncio.create_task(playing.next())
    await Paced().after(0.1)
    assert not coming.done()
    playing.play(play("b", 1))
    assert (await coming).timestamp / 48 - quiet[1] >= 80


async def test_an_answer_that_is_cut_off_keeps_what_was_told_of_it() -> None:
    playing = track()
    playing.play(play("a", 10, start_ms=1_000))
    alive_at = await sent(playing, 3)
    assert playing.heard(alive_at, may_wait=False) == Position("a", 1_000 + 3 * FRAME_MS)
    await sent(playing, 3)
    assert playing.stop_playing("of a") == [Position("a", 1_000 + 3 * FRAME_MS)]
    assert playing.heard(time.monotonic(), may_wait=False) is None
