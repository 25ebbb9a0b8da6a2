"""Rhasspy's satellites over a real broker."""

import io
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from realtime.protocol.items import AssistantItem
from realtime.settings import Settings
from tests.conftest import Server, running_server
from tests.e2e.conftest import FollowUp
from tests.e2e.device import device
from tests.e2e.mosquitto import running_broker
from tests.e2e.satellite import Satellite, satellite, wav
from tests.peers.recital import BriefAgent
from tests.speech import utterances
from tests.waiting import HANGS_S

SPEECH = utterances()[1].pcm16k
SILENCE = bytes(2 * 16_000)


@asynccontextmanager
async def kitchen(
    folder: Path, sites: str = "any", finishes: bool = True, n_sentences: int = 4, **settings: object
) -> AsyncIterator[tuple[Satellite, Server]]:
    async with (
        running_broker(folder) as broker,
        running_server(
            BriefAgent(n_sentences),
            mqtt_url=broker.url,
            mqtt_hermes=sites,
            **{"mqtt_follow_up_s": HANGS_S, **settings},
        ) as server,
        satellite(broker.url, finishes=finishes) as site,
        # What is published before the server has subscribed is lost, as it is to any service.
        device(broker.url, "probe"),
    ):
        yield site, server


async def begun(site: Satellite) -> str:
    """Woken, and listened to."""
    await site.wake()
    await site.told("asr/startListening")
    return str(site.of("dialogueManager/sessionStarted")[-1]["sessionId"])


def duration_ms(riff: bytes) -> float:
    with wave.open(io.BytesIO(riff)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)
        return file.getnframes() * 1000 / file.getframerate()


async def test_a_turn_from_the_wake_word_to_the_end_of_the_session(
    tmp_path: Path, follow_up: FollowUp
) -> None:
    async with kitchen(tmp_path) as (site, _):
        session = await begun(site)
        await site.hear(SPEECH + SILENCE)
        await site.until(lambda: site.played_ms)
        follow_up.window_s = 0.5
        captured = await site.told("asr/textCaptured")
        assert captured["sessionId"] == session
        assert captured["text"]
        ended = await site.told("dialogueManager/sessionEnded")
        assert ended["sessionId"] == session
        assert ended["termination"] == {"reason": "nominal"}
        assert sum(map(duration_ms, site.pieces)) == 4_000 == site.played_ms
        assert max(map(duration_ms, site.pieces)) <= 2_500
        assert not site.of("error/asr")
        assert not site.of("error/dialogueManager")


async def test_the_conversation_goes_on_with_the_next_wake_word_in_a_session_of_its_own(
    tmp_path: Path,
) -> None:
    async with kitchen(tmp_path, mqtt_follow_up_s=0.3) as (site, server):
        first = await begun(site)
        await site.told("dialogueManager/sessionEnded")
        await site.wake()
        second = (await site.told("dialogueManager/sessionStarted", 2))["sessionId"]
        assert first != second
        assert server.sessions.open_count == 1


async def test_the_wake_word_interrupts_and_the_history_ends_with_the_piece_that_played(
    tmp_path: Path,
) -> None:
    async with kitchen(tmp_path, n_sentences=10) as (site, server):
        await begun(site)
        await site.hear(SPEECH + SILENCE)
        await site.until(lambda: site.played_ms > 2_000)
        await site.wake()
        await site.told("asr/startListening", 2)
        assert site.played_ms == sum(map(duration_ms, site.pieces)) < 10_000
        [runner] = server.sessions._running
        [answer] = [item for item in runner._session.conversation if isinstance(item, AssistantItem)]
        assert answer.heard_ms == pytest.approx(site.played_ms, abs=1)
        await site.hear(SPEECH + SILENCE)
        await site.told("asr/textCaptured", 2)


async def test_a_site_is_deaf_while_it_speaks(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as (site, _):
        await begun(site)
        await site.hear(SPEECH + SILENCE)
        await site.until(lambda: site.played_ms > 1_000)
        await site.hear(SPEECH + SILENCE)
        await site.told("asr/startListening", 2)
        assert site.played_ms == 4_000
        assert len(site.of("asr/textCaptured")) == 1


async def test_a_site_that_never_says_it_has_played_gets_the_whole_answer(tmp_path: Path) -> None:
    async with kitchen(tmp_path, finishes=False) as (site, _):
        await begun(site)
        await site.hear(SPEECH + SILENCE)
        await site.told("asr/startListening", 2)
        assert sum(map(duration_ms, site.pieces)) == 4_000


async def test_a_program_starts_and_ends_a_session(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as (site, server):
        await site.publish("dialogueManager/startSession", init={"type": "action"}, customData="mine")
        started = await site.told("dialogueManager/sessionStarted")
        assert started["customData"] == "mine"
        await site.publish("dialogueManager/endSession", sessionId=started["sessionId"])
        ended = await site.told("dialogueManager/sessionEnded")
        assert (ended["customData"], ended["termination"]["reason"]) == ("mine", "nominal")
        await server.left()


async def test_a_notification_is_spoken_and_its_session_ends(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as (site, _):
        notification = {"type": "notification", "text": "The tea is ready."}
        await site.publish("dialogueManager/startSession", init=notification, customData="tea")
        ended = await site.told("dialogueManager/sessionEnded")
        assert ended["termination"] == {"reason": "nominal"}
        assert ended["customData"] == "tea"
        assert sum(map(duration_ms, site.pieces)) == 3 * 160 + 200 == site.played_ms
        assert not site.of("asr/startListening")
        assert not site.of("error/dialogueManager")


async def test_a_site_whose_recogniser_is_toggled_off_is_not_heard(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as (site, _):
        await begun(site)
        await site.publish("asr/toggleOff")
        await site.told("asr/stopListening")
        await site.hear(SPEECH + SILENCE)
        await site.publish("asr/toggleOn")
        await site.told("asr/startListening", 2)
        await site.hear(SPEECH + SILENCE)
        await site.told("asr/startListening", 3)
        assert len(site.of("asr/textCaptured")) == 1


async def test_sites_that_are_not_named_are_not_served(tmp_path: Path) -> None:
    async with kitchen(tmp_path, sites="bath, hall") as (site, server):
        await site.wake()
        site.site = "hall"
        await begun(site)
        assert server.sessions.open_count == 1
        assert [message["siteId"] for _, message in site.messages] == ["hall"] * len(site.messages)


@pytest.mark.parametrize(
    "chunk", [b"RIFF", b"", wav(bytes(640), 44_101), wav(bytes(1280), 999_983, 2), wav(bytes(200_000))]
)
async def test_sound_that_cannot_be_used_is_told_and_the_session_goes_on(
    tmp_path: Path, chunk: bytes
) -> None:
    async with kitchen(tmp_path) as (site, _):
        await begun(site)
        await site.client.publish("hermes/audioServer/kitchen/audioFrame", chunk)
        assert "at most two seconds" in (await site.told("error/asr"))["error"]
        await site.hear(SPEECH + SILENCE)
        await site.told("asr/textCaptured")


async def test_messages_that_cannot_be_read_harm_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with kitchen(tmp_path) as (site, _):
        for topic in ("hotword/x/detected", "dialogueManager/startSession", "asr/toggleOn"):
            for payload in (
                b"",
                b"[]",
                b"\xff",
                b'{"siteId": 3}',
                b'{"siteId": "a/b"}',
                b'{"init": 1}',
                b"{" * 9000,
            ):
                await site.client.publish(f"hermes/{topic}", payload)
        for topic in ("hermes", "hermes/", "hermes/audioServer//audioFrame", "hermes/hotword/detected"):
            await site.client.publish(topic, b"{}")
        await begun(site)
        assert not [record for record in caplog.records if record.msg == "internal error"]


async def test_a_broker_that_restarts_ends_the_session_and_the_next_wake_word_begins_one(
    tmp_path: Path,
) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url, mqtt_hermes="any") as server,
    ):
        async with satellite(broker.url) as site, device(broker.url, "probe"):
            await begun(site)
            await broker.stop()
            await server.left()
            await broker.start()
        async with satellite(broker.url) as site, device(broker.url, "probe"):
            await begun(site)


@pytest.mark.parametrize("setting", ["", "a/b", ","])
def test_the_setting_names_sites_or_any(setting: str) -> None:
    from realtime.errors import SettingsError
    from realtime.server.serve import check_devices

    settings = Settings(mqtt_url="mqtt://127.0.0.1", mqtt_hermes=setting)
    if not setting:
        check_devices(settings)
        return
    with pytest.raises(SettingsError, match="mqtt_hermes"):
        check_devices(settings)


def test_sites_need_a_broker() -> None:
    from realtime.errors import SettingsError
    from realtime.server.serve import check_devices

    with pytest.raises(SettingsError, match="mqtt_hermes needs mqtt_url"):
        check_devices(Settings(mqtt_hermes="any"))
