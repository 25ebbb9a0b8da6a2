"""Two servers at one broker: who serves a device, and what it notices when one of them comes or goes."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
import httpx
import pytest

from realtime.store.sqlite import SqliteStore
from tests.conftest import Server, running_server
from tests.e2e.device import PREFIX, Device, device
from tests.e2e.mosquitto import Mosquitto, passwords, running_broker
from tests.e2e.satellite import satellite
from tests.e2e.serving import address_of, started
from tests.e2e.test_hermes import SILENCE, begun
from tests.e2e.test_mqtt_faults import ONE_SECOND, converse
from tests.speech import utterances

SPEECH = utterances()[1].pcm16k
ANSWER_FRAMES = 250  # ten seconds, 40 ms each
HANGS_S = 60.0


class Watcher:
    """Sees what servers say of themselves: states, and presences and claims as they stand."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.kept: dict[str, bytes] = {}
        self._news = asyncio.Event()

    @property
    def servers(self) -> set[str]:
        return {topic for topic in self.kept if "/" not in topic}

    def claims_of(self, server: str) -> set[str]:
        """KIND/NAME of each."""
        return {topic.partition("/")[2] for topic in self.kept if topic.startswith(f"{server}/")}

    @property
    def claims(self) -> list[str]:
        return sorted(claim for server in self.servers for claim in self.claims_of(server))

    async def until(self, found: Callable[[], Any]) -> None:
        async with asyncio.timeout(HANGS_S):
            while not found():
                self._news.clear()
                await self._news.wait()

    async def read(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            topic = str(message.topic).removeprefix(f"{PREFIX}/server").removeprefix("/")
            assert isinstance(message.payload, bytes)
            if not topic:
                self.states.append(message.payload.decode())
            elif message.payload:
                self.kept[topic] = message.payload
            else:
                self.kept.pop(topic, None)
            self._news.set()


@asynccontextmanager
async def watching(broker: Mosquitto) -> AsyncIterator[Watcher]:
    parts = urlsplit(broker.url)
    async with aiomqtt.Client(parts.hostname or "", parts.port or 1883, timeout=math.inf) as client:
        watcher = Watcher()
        reading = asyncio.create_task(watcher.read(client), name="watcher")
        try:
            await client.subscribe(f"{PREFIX}/server/#", 1)
            yield watcher
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


@asynccontextmanager
async def two_servers(
    folder: Path, **settings: Any
) -> AsyncIterator[tuple[Mosquitto, Watcher, list[Server]]]:
    async with running_broker(folder) as broker, watching(broker) as watcher:
        async with (
            running_server(mqtt_url=broker.url, **settings) as one,
            running_server(mqtt_url=broker.url, **settings) as other,
        ):
            await watcher.until(lambda: len(watcher.servers) == 2 and watcher.states)
            yield broker, watcher, [one, other]
        await watcher.until(lambda: not watcher.kept)


@asynccontextmanager
async def server_process(broker: Mosquitto, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """To be killed."""
    process = await started("--model", "scripted", "--port", "0", PARLOUR_MQTT_URL=broker.url, **environment)
    try:
        await address_of(process)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_device_is_answered_once(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (broker, _, servers), device(broker.url) as speaker:
        await speaker.say("parlour.start", push_to_talk=True)
        await speaker.sound(SPEECH)
        await speaker.say("parlour.release")
        await speaker.event("response.done")
        await speaker.until(lambda: speaker.played.get(1) == 10_000)
        assert len(speaker.of("session.created")) == len(speaker.of("parlour.answer")) == 1
        assert len(speaker.frames) == ANSWER_FRAMES
        assert sorted(server.sessions.open_count for server in servers) == [0, 1]


async def test_devices_are_shared_and_each_has_one_server(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (broker, watcher, servers), AsyncExitStack() as stack:
        speakers = [
            await stack.enter_async_context(device(broker.url, f"room-{number}", plays=False))
            for number in range(24)
        ]
        for speaker in speakers:
            await speaker.say("parlour.start")
        for speaker in speakers:
            await speaker.state("listening")
            assert len(speaker.of("session.created")) == 1
        await watcher.until(lambda: len(watcher.claims) == 24)
        assert watcher.claims == sorted(f"device/{speaker.name}" for speaker in speakers)
        assert sum(server.sessions.open_count for server in servers) == 24
        assert all(server.sessions.open_count for server in servers)
        for server in servers:
            assert await devices_online(server) == server.sessions.open_count
        for speaker in speakers:
            await speaker.say("parlour.stop")
        await watcher.until(lambda: not watcher.claims)


async def devices_online(server: Server) -> float:
    """What it shows to whoever counts."""
    async with httpx.AsyncClient(timeout=None) as http:
        shown = (await http.get(f"{server.http}/metrics")).text
    [line] = [line for line in shown.splitlines() if line.startswith("parlour_mqtt_devices_online ")]
    return float(line.split()[1])


async def test_the_state_says_online_as_long_as_any_server_lives(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as broker, watching(broker) as watcher:
        async with running_server(mqtt_url=broker.url):
            await watcher.until(lambda: watcher.states == ["online"])
            async with running_server(mqtt_url=broker.url):
                await watcher.until(lambda: len(watcher.servers) == 2)
            await watcher.until(lambda: len(watcher.servers) == 1)
            async with running_server(mqtt_url=broker.url), device(broker.url) as speaker:
                await converse(speaker)
            assert "offline" not in watcher.states
        await watcher.until(lambda: watcher.states[-1] == "offline")
        assert watcher.states.count("offline") == 1


async def test_whoever_of_two_is_killed_the_state_stays_and_the_other_one_serves(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path) as broker,
        watching(broker) as watcher,
        device_later(broker) as later,
        server_process(broker) as first,
    ):
        speaker = await later("kitchen")
        await speaker.say("parlour.start")
        await speaker.state("listening")
        async with server_process(broker) as second:
            await watcher.until(lambda: len(watcher.servers) == 2)
            await converse(speaker)  # by the first one, which knows by its end that it is not alone any more
            first.kill()
            closed = await speaker.event("parlour.closed")
            assert closed["code"] == 1012
            await speaker.state("idle")
            speaker.played[1] = 0.0  # the other one counts its answers from 1
            await converse(speaker)
            await watcher.until(lambda: len(watcher.servers) == 1)
            assert set(watcher.claims) == {"device/kitchen"}
            assert "offline" not in watcher.states
            await converse(speaker)  # by the second one, which knows by its end that it is alone
            second.kill()
            await watcher.until(lambda: watcher.states[-1] == "offline")


@asynccontextmanager
async def device_later(broker: Mosquitto) -> AsyncIterator[Callable[[str], Any]]:
    async with AsyncExitStack() as stack:
        yield lambda name: stack.enter_async_context(device(broker.url, name))


async def test_a_conversation_stays_where_it_is_when_another_server_comes_and_goes(tmp_path: Path) -> None:
    names = [f"room-{number}" for number in range(6)]
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url) as first,
        watching(broker) as watcher,
        device_later(broker) as later,
    ):
        speakers: list[Device] = [await later(name) for name in names]
        for speaker in speakers:
            await speaker.say("parlour.start", push_to_talk=True, session=ONE_SECOND)
            await speaker.state("hearing")
        async with running_server(mqtt_url=broker.url) as second:
            await watcher.until(lambda: len(watcher.servers) == 2)
            for speaker in speakers:
                await speaker.sound(SPEECH)
                await speaker.say("parlour.release")
            for speaker in speakers:
                await speaker.until(lambda speaker=speaker: speaker.played.get(1) == 1000)
            assert (first.sessions.open_count, second.sessions.open_count) == (6, 0)
        await watcher.until(lambda: len(watcher.servers) == 1)
        for speaker in speakers:
            await converse(speaker)
            assert len(speaker.of("session.created")) == 1
            assert not speaker.of("parlour.closed")


async def test_a_conversation_goes_on_at_the_other_server_when_its_own_stops(tmp_path: Path) -> None:
    """With a store that both share; the answer too."""
    database = tmp_path / "sessions.sqlite3"
    async with running_broker(tmp_path) as broker, watching(broker) as watcher, device_later(broker) as later:
        first = running_server(
            mqtt_url=broker.url, store_opened=await SqliteStore.open(database), playback_lead_s=60.0
        )
        await first.__aenter__()
        speaker: Device = await later("kitchen")
        await speaker.say("parlour.start", push_to_talk=True)
        await speaker.sound(SPEECH)
        await speaker.say("parlour.release")
        await speaker.until(lambda: speaker.played.get(1, 0) > 1500)
        store = await SqliteStore.open(database)
        async with running_server(mqtt_url=broker.url, store_opened=store, playback_lead_s=60.0):
            await watcher.until(lambda: len(watcher.servers) == 2)
            stopping = asyncio.ensure_future(first.__aexit__(None, None, None))
            closed = await speaker.event("parlour.closed")
            assert closed["code"] == 1012
            resume = {"token": speaker.of("parlour.resume_token")[-1]["token"]}
            async with device(broker.url, "kitchen", resume=resume) as again:
                [playing] = (await again.event("parlour.resumed"))["playing"]
                left_ms = 10_000 - playing["heard_ms"]
                await again.until(lambda: again.played.get(1) == left_ms)
                assert 0 < left_ms < 9_000
            await stopping
            assert "offline" not in watcher.states


async def test_after_a_restart_of_the_broker_each_device_is_answered_once(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url) as one,
        running_server(mqtt_url=broker.url) as other,
    ):
        async with watching(broker) as watcher:
            await watcher.until(lambda: len(watcher.servers) == 2)
        await broker.stop()
        await broker.start()
        async with watching(broker) as watcher:
            await watcher.until(lambda: len(watcher.servers) == 2 and "online" in watcher.states)
            async with device(broker.url, "kitchen") as kitchen, device(broker.url, "hall") as hall:
                for speaker in (kitchen, hall):
                    await converse(speaker)
                    assert len(speaker.of("session.created")) == 1
                assert one.sessions.open_count + other.sessions.open_count == 2


async def test_what_the_broker_kept_of_servers_that_died_with_it_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.transports.mqtt.membership.KEPT_LEASE_S", 0.5)
    async with running_broker(tmp_path) as broker, watching(broker) as watcher:
        parts = urlsplit(broker.url)
        async with aiomqtt.Client(parts.hostname or "", parts.port or 1883) as dead:
            presence = json.dumps({"serves": {"device": None, "site": None}})
            for number in range(8):
                server = f"{PREFIX}/server/{number:016x}"
                await dead.publish(server, presence, 1, True)
                await dead.publish(f"{server}/device/room-{number}", "{}", 1, True)
        async with running_server(mqtt_url=broker.url), AsyncExitStack() as stack:
            speakers = [
                await stack.enter_async_context(device(broker.url, f"room-{number}")) for number in range(8)
            ]
            for speaker in speakers:
                await speaker.say("parlour.start", push_to_talk=True)
                await speaker.state("hearing")
            await watcher.until(lambda: watcher.claims == [f"device/room-{number}" for number in range(8)])


ACCOUNTS = """allow_anonymous false
password_file {folder}/passwd
acl_file {folder}/rights
"""


async def test_where_servers_have_no_right_to_hear_each_other_one_serves_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The rights of a broker that was set up before servers had any to each other."""
    passwords(tmp_path / "passwd", "parlour", "kitchen")
    (tmp_path / "rights").write_text(
        f"user parlour\ntopic write {PREFIX}/server\ntopic read {PREFIX}/+/up/+\n"
        f"topic write {PREFIX}/+/down/+\n\n"
        f"pattern write {PREFIX}/%u/up/+\npattern read {PREFIX}/%u/down/+\npattern read {PREFIX}/server\n",
        encoding="utf-8",
    )
    (tmp_path / "rights").chmod(0o600)
    rules = ACCOUNTS.format(folder=tmp_path)
    async with (
        running_broker(tmp_path, rules) as broker,
        running_server(mqtt_url=broker.url_of("parlour")),
        device(broker.url_of("kitchen")) as speaker,
    ):
        await converse(speaker)
        assert [record for record in caplog.records if record.msg == "servers do not hear each other"]


# Hermes ----------------------------------------------------------------------------------

END = "dialogueManager/endSession"


async def test_a_site_is_answered_once_and_sessions_of_the_other_server_are_no_mistakes(
    tmp_path: Path,
) -> None:
    async with two_servers(tmp_path, mqtt_hermes="any", mqtt_follow_up_s=20.0) as (broker, watcher, servers):
        for name in ("kitchen", "hall", "living room", "bath"):
            async with satellite(broker.url, name) as site:
                session = await begun(site)
                await watcher.until(lambda name=name: watcher.claims == [f"site/{name}"])
                await site.hear(SPEECH + SILENCE)
                await site.until(lambda site=site: site.played_ms == 10_000)
                await site.publish(END, sessionId=session)
                await site.told("dialogueManager/sessionEnded")
                await watcher.until(lambda: not watcher.claims)
                await site.publish(END, sessionId="unknown")
                await site.told("error/dialogueManager")
                await site.publish(END, sessionId="unknown, too")
                await site.told("error/dialogueManager", 2)
                assert len(site.of("dialogueManager/sessionStarted")) == len(site.of("asr/textCaptured")) == 1
                assert len(site.of("error/dialogueManager")) == 2
        assert not any(server.sessions.open_count for server in servers)


async def test_a_server_that_is_killed_leaves_no_open_session_at_a_site(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path) as broker,
        watching(broker) as watcher,
        satellite(broker.url) as site,
        server_process(broker, PARLOUR_MQTT_HERMES="any") as first,
    ):
        await watcher.until(lambda: watcher.states == ["online"])
        await site.publish("dialogueManager/startSession", customData={"a": 1})
        session = (await site.told("asr/startListening"))["sessionId"]
        async with running_server(mqtt_url=broker.url, mqtt_hermes="any"):
            await watcher.until(lambda: len(watcher.servers) == 2)
            first.kill()
            ended = await site.told("dialogueManager/sessionEnded")
            assert (ended["sessionId"], ended["customData"]) == (session, {"a": 1})
            assert ended["termination"] == {"reason": "error"}
            assert (await site.told("asr/stopListening"))["sessionId"] == session
            await site.wake()
            await site.told("asr/startListening", 2)
            assert not site.of("error/dialogueManager")


# Names -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["AA:BB:CC:DD:EE:FF", "living room", "sat.1", "Küche"])
async def test_a_device_of_any_name_is_served(tmp_path: Path, name: str) -> None:
    async with two_servers(tmp_path) as (broker, _, _), device(broker.url, name) as speaker:
        await converse(speaker)
        assert len(speaker.of("session.created")) == 1


async def test_a_device_whose_name_cannot_be_used_is_told_once(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (broker, _, _), device(broker.url) as speaker:
        await speaker.client.subscribe(f"{PREFIX}/{'x' * 65}/down/event", 1)
        await speaker.client.publish(f"{PREFIX}/{'x' * 65}/up/status", "online", 1)
        await speaker.event("error")
        await converse(speaker)
        assert [event["error"]["code"] for event in speaker.of("error")] == ["invalid_device_name"]
