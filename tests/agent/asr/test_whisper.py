"""Whisper on real speech, and on sounds that hold none."""

import asyncio

import numpy as np
import pytest

from agent.api import LISTENING_HZ
from agent.asr.queue import QueuedRecogniser
from agent.models.files import present
from agent.models.manifest import WHISPER_BASE, WHISPER_TINY_EN
from tests.speech import (
    clicks,
    hum,
    in_a_room,
    lecture,
    pink_noise,
    utterance,
    utterances,
    white_noise,
    with_noise,
)

whisper = pytest.importorskip("agent.asr.whisper", exc_type=ImportError)

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(
        not present(
            part for model in (WHISPER_TINY_EN, WHISPER_BASE) for parts in model.values() for part in parts
        ),
        reason="the packages of Whisper tiny.en and base (models.txt) are not installed",
    ),
]


@pytest.fixture(scope="module", params=["tiny.en", "base"])
def model(request: pytest.FixtureRequest) -> whisper.Whisper:
    return whisper.Whisper({"tiny.en": WHISPER_TINY_EN, "base": WHISPER_BASE}[request.param], 2)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "librivox_0870",
            "had then leisure to consider how much there might be prudently in his power to do for them",
        ),
        ("librivox_0930", "he might even have been made amiable himself"),
        ("librivox_0920", "he might have been made still more respectable than he was"),
    ],
)
def test_real_speech_is_understood(model: whisper.Whisper, name: str, words: str) -> None:
    assert words in whisper.plain(model.recognise(utterance(name).pcm16k, "en"))


def test_a_short_clip_that_whisper_is_unsure_of_is_not_thrown_away(model: whisper.Whisper) -> None:
    assert "4" in model.recognise(utterance("lecture_14").pcm16k, "en")


def test_quiet_speech_and_speech_in_noise_are_understood(model: whisper.Whisper) -> None:
    speech = utterance("librivox_0930").pcm16k
    quiet = (np.frombuffer(speech, "<i2") / 20).astype("<i2").tobytes()
    noisy = with_noise(speech, white_noise(len(speech) / 2 / LISTENING_HZ + 1, 300), 15)
    for heard in (quiet, noisy):
        assert "made amiable himself" in whisper.plain(model.recognise(heard, "en"))


SOUNDS = {
    "nothing at all": b"",
    "one sample": b"\x01\x00",
    "digital silence": bytes(4 * 2 * LISTENING_HZ),
    "a quiet room": in_a_room(bytes(3 * 2 * LISTENING_HZ)),
    "white noise": white_noise(4, 300),
    "loud white noise": white_noise(4, 6000),
    "pink noise": pink_noise(4, 300),
    "loud pink noise": pink_noise(4, 4000),
    "keys": clicks(4),
    "hum": hum(4),
    "a long hum": hum(40),
}


@pytest.mark.parametrize("sound", SOUNDS)
def test_sound_without_words_gets_no_words(model: whisper.Whisper, sound: str) -> None:
    assert model.recognise(SOUNDS[sound], "en") == ""


def test_audio_of_over_thirty_seconds_is_heard_to_its_end(model: whisper.Whisper) -> None:
    long = lecture().pcm16k[: 50 * 2 * LISTENING_HZ] + utterance("librivox_0930").pcm16k
    words = whisper.plain(model.recognise(long, "en"))
    assert words.endswith("amiable himself")
    assert len(words.split()) > 80


def test_short_clips_do_not_loop(model: whisper.Whisper) -> None:
    """A window that is too short makes Whisper repeat itself: nobody says over five words a second."""
    for clip in utterances()[::3]:
        if clip.language == "en":
            assert len(model.recognise(clip.pcm16k, "en").split()) <= 5 * clip.seconds + 4


async def test_the_loop_runs_on_while_a_clip_is_recognised(model: whisper.Whisper) -> None:
    recogniser = QueuedRecogniser(model)
    clip = asyncio.ensure_future(recogniser.recognise(utterance("librivox_0930").pcm16k))
    turns = 0
    while not clip.done():
        await asyncio.sleep(0)
        turns += 1
    await recogniser.aclose()
    assert turns > 10


@pytest.mark.parametrize("model", ["base"], indirect=True)
@pytest.mark.parametrize(("name", "language"), [("librivox_0930", "en"), ("russian_01", "ru")])
def test_the_language_of_real_speech_is_told(model: whisper.Whisper, name: str, language: str) -> None:
    told = model.language(utterance(name).pcm16k)
    assert told.code == language
    assert told.probability > 0.9
