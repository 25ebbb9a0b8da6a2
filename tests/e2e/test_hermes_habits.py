"""Satellites and programs of several habits over a real broker: served, or told why not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime.audio.wav import pcm_of
from realtime.protocol.items import messages
from realtime.transports.hermes import sites
from tests.conftest import running_server
from tests.e2e.device import device
from tests.e2e.mosquitto import running_broker
from tests.e2e.satellite import satellite, wav
from tests.e2e.test_hermes import SILENCE, SPEECH, begun, duration_ms, kitchen

START, END = "dialogueManager/startSession", "dialogueManager/endSession"


async def test_a_site_whose_name_has_a_space_is_served(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url, mqtt_hermes="any"),
        satellite(broker.url, "living room") as site,
        device(broker.url, "probe"),
    ):
        await begun(site)
        await site.hear(SPEECH + SILENCE)
        await site.told("asr/textCaptured")
        await site.until(lambda: site.pieces)


async def test_a_microphone_of_48_khz_in_stereo_is_heard(tmp_path: Path) -> None:
    samples = np.frombuffer(SPEECH + SILENCE, "<i2") / 32768.0
    mono = np.frombuffer(pcm_of([samples], 16_000, 48_000, 60.0), "<i2")
    pcm = np.repeat(mono, 2).tobytes()
    step = 4 * 48_000 * 64 // 1000
    async with kitchen(tmp_path) as (site, _):
        await begun(site)
        for at in range(0, len(pcm), step):
            chunk = wav(pcm[at : at + step], 48_000, 2)
            await site.client.publish("hermes/audioServer/kitchen/audioFrame", chunk)
        assert (await site.told("asr/textCaptured"))["text"]
        assert not site.of("error/asr")


async def test_a_satellite_that_never_names_the_piece_it_has_played_gets_the_next_one(tmp_path: Path) -> None:
    async with kitchen(tmp_path, finishes=False, n_sentences=10) as (site, _):
        await begun(site)
        await site.hear(SPEECH + SILENCE)
        for n in range(1, 4):
            await site.until(lambda n=n: len(site.pieces) >= n)
            await site.publish("audioServer/kitchen/playFinished", id=None, sessionId=None)
        await site.until(lambda: len(site.pieces) >= 4)


async def test_what_a_program_keeps_with_a_session_comes_back_as_it_last_was(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as (site, _):
        await site.publish(START, customData={"a": 1})
        started = await site.told("dialogueManager/sessionStarted")
        assert started["customData"] == {"a": 1}
        of_it = {"sessionId": started["sessionId"]}
        await site.publish("dialogueManager/continueSession", **of_it, customData="later")
        await site.publish("dialogueManager/continueSession", **of_it)
        await site.publish(END, **of_it, customData=None)
        assert (await site.told("dialogueManager/sessionEnded"))["customData"] == "later"


@pytest.mark.parametrize(
    ("topic", "message", "error", "why"),
    [
        (START, {"init": 1}, "error/dialogueManager", "StartSession cannot be read"),
        (START, {"init": {"type": "question"}}, "error/dialogueManager", "StartSession cannot be read"),
        (START, {"siteId": "a/b"}, "error/dialogueManager", "siteId"),
        ("hotword/x/detected", {"siteId": ""}, "error/dialogueManager", "siteId"),
        (END, {"sessionId": "unknown"}, "error/dialogueManager", "no session"),
        (END, {}, "error/dialogueManager", "no session"),
        ("dialogueManager/continueSession", {"sessionId": None}, "error/dialogueManager", "no session"),
        ("asr/toggleOff", {"sessionId": 3}, "error/asr", "ToggleOff cannot be read"),
        ("audioServer/kitchen/playFinished", {"id": 3}, "error/asr", "PlayFinished cannot be read"),
    ],
)
async def test_what_cannot_be_served_is_told_on_the_error_topic(
    tmp_path: Path, topic: str, message: dict[str, Any], error: str, why: str
) -> None:
    async with kitchen(tmp_path) as (site, _):
        site.site = message.get("siteId", "kitchen")
        await site.publish(topic, **message)
        told = await site.told(error)
        assert why in told["error"]
        assert told["context"] == f"hermes/{topic}"


async def test_a_site_that_sends_too_many_messages_is_told(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as (site, _):
        for _ in range(200):
            await site.publish("asr/toggleOn")
        assert "messages a second" in (await site.told("error/asr"))["error"]


@pytest.mark.parametrize("begins_anew", [True, False])
async def test_a_lost_broker_ends_the_open_sessions_once_it_is_there_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begins_anew: bool
) -> None:
    """When the site begins a session, or else after a while."""
    monkeypatch.setattr(sites, "REJOIN_S", 3600.0 if begins_anew else sites.REJOIN_S)
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url, mqtt_hermes="any") as server,
    ):
        async with satellite(broker.url) as site, device(broker.url, "probe"):
            await site.publish(START, customData="mine")
            session = (await site.told("asr/startListening"))["sessionId"]
            await broker.stop()
            await server.left()
            await broker.start()
        async with satellite(broker.url) as site, device(broker.url, "probe"):
            if begins_anew:
                await site.wake()
            ended = await site.told("dialogueManager/sessionEnded")
            assert (ended["sessionId"], ended["customData"]) == (session, "mine")
            assert ended["termination"] == {"reason": "error"}
            assert (await site.told("asr/stopListening"))["sessionId"] == session
            if begins_anew:
                await site.told("dialogueManager/sessionStarted")
                topics = [topic for topic, _ in site.messages]
                assert topics.index("dialogueManager/sessionEnded") < topics.index(
                    "dialogueManager/sessionStarted"
                )


# Texts that a program gives ----------------------------------------------------------------

TEXT = "The temperature is twenty one degrees."
TEXT_MS = 5 * 160 + 200
"""A tone for each word, as the scripted agent speaks."""


async def test_a_session_that_is_ended_with_a_text_speaks_it_and_then_ends(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as (site, server):
        session = await begun(site)
        await site.publish(END, sessionId=session, text=TEXT)
        ended = await site.told("dialogueManager/sessionEnded")
        assert (ended["sessionId"], ended["termination"]) == (session, {"reason": "nominal"})
        assert sum(map(duration_ms, site.pieces)) == TEXT_MS == site.played_ms
        await server.left()


async def test_a_text_takes_the_place_of_the_answer_that_is_made(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as (site, _):
        session = await begun(site)
        await site.hear(SPEECH + SILENCE)
        await site.until(lambda: site.pieces)
        n_pieces = len(site.pieces)
        await site.publish(END, sessionId=session, text=TEXT)
        await site.told("dialogueManager/sessionEnded")
        assert sum(map(duration_ms, site.pieces[n_pieces:])) == TEXT_MS


async def test_a_session_that_begins_or_goes_on_with_a_text_speaks_it_and_listens(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as (site, server):
        await site.publish(START, init={"type": "action", "text": TEXT})
        session = (await site.told("asr/startListening"))["sessionId"]
        assert site.played_ms == TEXT_MS
        await site.publish("dialogueManager/continueSession", sessionId=session, text=TEXT)
        await site.told("asr/stopListening")
        await site.told("asr/startListening", 2)
        assert site.played_ms == 2 * TEXT_MS
        [runner] = server.sessions._running
        assert [message.text for message in messages(runner._session.conversation)] == [TEXT, TEXT]


async def test_the_wake_word_interrupts_a_farewell_and_begins_a_session(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as (site, _):
        first = await begun(site)
        await site.publish(END, sessionId=first, text=" ".join([TEXT] * 4))
        await site.until(lambda: site.pieces)
        await site.wake()
        assert (await site.told("dialogueManager/sessionEnded"))["sessionId"] == first
        second = (await site.told("asr/startListening", 2))["sessionId"]
        assert second != first
        assert sum(map(duration_ms, site.pieces)) < 4 * TEXT_MS


@pytest.mark.parametrize(
    ("topic", "message", "why"),
    [
        (START, {"init": {"type": "notification"}}, "needs a text"),
        (START, {"init": {"type": "notification", "text": TEXT}}, "not queued"),
    ],
)
async def test_a_notification_that_cannot_be_spoken_is_told(
    tmp_path: Path, topic: str, message: dict[str, Any], why: str
) -> None:
    async with kitchen(tmp_path) as (site, _):
        await begun(site)
        await site.publish(topic, **message)
        assert why in (await site.told("error/dialogueManager"))["error"]


async def test_a_text_for_a_session_that_has_ended_is_told(tmp_path: Path) -> None:
    async with kitchen(tmp_path, mqtt_follow_up_s=0.2) as (site, _):
        session = await begun(site)
        await site.told("dialogueManager/sessionEnded")
        await site.publish(END, sessionId=session, text=TEXT)
        assert "no session" in (await site.told("error/dialogueManager"))["error"]
        assert not site.pieces


async def test_a_text_for_the_voice_is_spoken_and_told_to_be_finished(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as (site, _):
        await site.publish("tts/say", text=TEXT, id="one", lang="en", sessionId=None)
        finished = await site.told("tts/sayFinished")
        assert (finished["id"], finished["sessionId"]) == ("one", None)
        assert site.played_ms == TEXT_MS
        await site.told("dialogueManager/sessionEnded")
        assert not site.of("asr/startListening")


async def test_a_text_for_the_voice_is_spoken_in_the_session_that_is_open(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as (site, _):
        session = await begun(site)
        await site.publish("tts/say", text=TEXT, sessionId=session)
        assert (await site.told("tts/sayFinished"))["sessionId"] == session
        await site.told("asr/startListening", 2)
        assert len(site.of("dialogueManager/sessionStarted")) == 1


async def test_whoever_waits_for_a_text_learns_that_it_was_interrupted(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as (site, _):
        await site.publish("tts/say", text=" ".join([TEXT] * 4), id="long")
        await site.until(lambda: site.pieces)
        await site.wake()
        assert (await site.told("tts/sayFinished"))["id"] == "long"
        await site.told("asr/startListening")
        assert sum(map(duration_ms, site.pieces)) < 4 * TEXT_MS


@pytest.mark.parametrize("message", [{"text": ""}, {}])
async def test_a_text_for_the_voice_that_is_none_is_told(tmp_path: Path, message: dict[str, Any]) -> None:
    async with kitchen(tmp_path) as (site, _):
        await site.publish("tts/say", **message)
        assert "text" in (await site.told("error/tts"))["error"]
