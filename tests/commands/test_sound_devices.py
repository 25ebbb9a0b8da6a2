"""What was heard of an answer when the user speaks over it; the devices, with a sounddevice of the test's."""

import asyncio
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from realtime.commands.sound_devices import MAX_CAPTURED_FRAMES, CutOff, Playback, open_devices
from realtime.errors import SettingsError

MS = 48  # bytes in a millisecond


def test_sound_is_played_in_order_and_then_silence() -> None:
    playback = Playback()
    playback.play("a", b"\1" * 4)
    playback.play("a", b"\2" * 4)
    assert playback.pull(6) == b"\1\1\1\1\2\2"
    assert playback.pull(6) == b"\2\2\0\0\0\0"


def test_stopping_tells_what_was_heard_and_plays_nothing_more() -> None:
    playback = Playback()
    playback.play("a", bytes(1000 * MS))
    playback.pull(300 * MS)
    assert playback.stop() == CutOff("a", 300)
    playback.play("a", b"\1" * MS)  # still on its way when the user spoke
    assert playback.pull(2) == b"\0\0"


def test_the_sound_that_the_device_still_holds_was_not_heard() -> None:
    playback = Playback()
    playback.play("a", bytes(1000 * MS))
    playback.pull(300 * MS)
    assert playback.stop(latency_ms=50) == CutOff("a", 250)


def test_an_answer_played_to_its_end_is_not_cut_off() -> None:
    playback = Playback()
    playback.play("a", bytes(100 * MS))
    playback.pull(100 * MS)
    assert playback.stop() is None


def test_each_answer_is_counted_from_its_own_start() -> None:
    playback = Playback()
    playback.play("a", bytes(100 * MS))
    playback.play("b", bytes(100 * MS))
    playback.pull(130 * MS)
    assert playback.stop() == CutOff("b", 30)


def test_its_position_is_what_was_heard_of_the_item_that_played_last() -> None:
    playback = Playback()
    assert playback.position() == ("", 0)
    playback.play("a", bytes(1000 * MS))
    playback.pull(300 * MS)
    assert playback.position(latency_ms=50) == ("a", 250)
    playback.stop()
    assert playback.position() == ("a", 300)


def test_after_a_reset_an_item_of_the_same_name_is_another() -> None:
    playback = Playback()
    playback.play("1", bytes(2 * MS))
    playback.pull(MS)
    playback.stop()
    playback.reset()
    assert playback.position() == ("", 0)
    playback.play("1", b"\1" * MS)
    assert not playback.is_empty
    assert playback.pull(MS) == b"\1" * MS
    assert playback.is_empty


def test_an_answer_that_has_not_begun_was_not_heard() -> None:
    playback = Playback()
    playback.play("a", bytes(100 * MS))
    playback.pull(100 * MS)
    playback.play("b", bytes(100 * MS))
    assert playback.stop() == CutOff("b", 0)


class FakeDevices:
    """The part of sounddevice that is used; streams call back when the test says so."""

    class PortAudioError(Exception):
        pass

    def __init__(self, has_devices: bool = True) -> None:
        self.has_devices = has_devices
        self.callbacks: list[Callable[..., None]] = []
        self.n_open = 0

    def _stream(self, callback: Callable[..., None], **shape: Any) -> Any:
        if not self.has_devices:
            raise self.PortAudioError
        self.callbacks.append(callback)
        fake = self

        class Stream:
            latency = 0.02

            def __enter__(self) -> None:
                fake.n_open += 1

            def __exit__(self, *_: object) -> None:
                fake.n_open -= 1

        return Stream()

    RawInputStream = RawOutputStream = _stream


async def test_the_microphone_is_heard_and_the_loudspeaker_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeDevices()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    with open_devices() as devices:
        assert fake.n_open == 2
        hear, speak = fake.callbacks
        await asyncio.to_thread(hear, b"\1\0", 1, None, None)
        assert await devices.captured.get() == b"\1\0"
        devices.playback.play("a", b"\2\0")
        frame = bytearray(4)
        speak(frame, 2, None, None)
        assert frame == b"\2\0\0\0"
        assert devices.latency_ms == 20
    assert fake.n_open == 0


async def test_the_oldest_sound_is_given_up_when_nobody_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeDevices()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    with open_devices() as devices:
        for n in range(MAX_CAPTURED_FRAMES + 5):
            fake.callbacks[0](n.to_bytes(2, "little"), 1, None, None)
        await asyncio.sleep(0)  # the frames reach the loop
        assert devices.captured.qsize() == MAX_CAPTURED_FRAMES
        assert devices.captured.get_nowait() == (5).to_bytes(2, "little")


@pytest.mark.parametrize(
    ("module", "sentence"),
    [(None, "pip install sounddevice"), (FakeDevices(has_devices=False), "no microphone")],
)
async def test_no_microphone_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, module: SimpleNamespace | None, sentence: str
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    with pytest.raises(SettingsError, match=sentence), open_devices():
        pass
