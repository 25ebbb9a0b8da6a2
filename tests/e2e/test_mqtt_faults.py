"""Smart speakers over a real broker: all that goes wrong, and that afterwards everything works again."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.api import GenerationFailed
from agent.scripted.agent import ScriptedAgent
from realtime.store.sqlite import SqliteStore
from realtime.transports.mqtt import roster
from realtime.transports.mqtt.uplink import UNREAD_AUDIO_BYTES_MAX
from tests.conftest import Server, running_server
from tests.e2e.device import PREFIX, Device, device
from tests.e2e.mosquitto import passwords, running_broker
from tests.e2e.serving import started
from tests.peers.recital import recital, sentences
from tests.speech import utterances
from tests.waiting import polled

SPEECH = utterances()[1].pcm16k
ONE_SECOND = {"type": "realtime", "max_output_tokens": 6}


async def converse(speaker: Device) -> None:
    """A whole turn: that everything works."""
    n_told = len(speaker.events)
    await speaker.say("parlour.start", push_to_talk=True, session=ONE_SECOND)
    await speaker.sound(SPEECH)
    await speaker.say("parlour.release")
    done = await speaker.until(
        lambda: [
            event
            for event in speaker.events[n_told:]
            if event["type"] == "response.done" and event["response"]["status"] != "cancelled"
        ]
    )
    response_id = done[-1]["response"]["id"]
    [answer] = [
        event["answer"] for event in speaker.of("parlour.answer") if event["response_id"] == response_id
    ]
    await speaker.until(lambda: speaker.played.get(answer) == 1000)


# Somebody is gone ------------------------------------------------------------------------


async def test_a_device_that_crashes_in_mid_sentence_leaves_no_session_and_comes_back(
    tmp_path: Path,
) -> None:
    async with running_broker(tmp_path) as broker, running_server(mqtt_url=broker.url) as server:
        async with device(broker.url) as speaker:
            await speaker.say("parlour.start")
            await speaker.state("listening")
            await speaker.sound(SPEECH[: len(SPEECH) // 2])
            await speaker.state("hearing")
            speaker.crash()
            await server.left()
        async with device(broker.url) as speaker:
            await converse(speaker)


async def test_a_device_that_crashes_in_mid_answer_stops_it(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as broker, running_server(mqtt_url=broker.url) as server:
        async with device(broker.url) as speaker:
            await speaker.say("parlour.start", push_to_talk=True)
            await speaker.sound(SPEECH)
            await speaker.say("parlour.release")
            await speaker.until(lambda: speaker.played.get(1, 0) > 200)
            speaker.crash()
            await server.left()
        async with device(broker.url) as speaker:
            await converse(speaker)


async def test_the_answer_goes_on_where_it_was_heard_when_the_device_is_back(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url, playback_lead_s=0.5) as server,
    ):
        async with device(broker.url) as speaker:
            await speaker.say("parlour.start", push_to_talk=True, session=sentences(4))
            await speaker.sound(SPEECH)
            await speaker.say("parlour.release")
            await speaker.until(lambda: speaker.played.get(1, 0) > 1500)
            speaker.crash()
            told_ms, played_ms = speaker.told_ms, speaker.played[1]
            await server.left()
        async with device(broker.url) as speaker:
            [playing] = (await speaker.event("parlour.resumed"))["playing"]
            assert told_ms <= playing["heard_ms"] <= played_ms
            left_ms = 4_000 - playing["heard_ms"]
            await speaker.until(lambda: speaker.played.get(1, 0) >= left_ms)
            assert speaker.played[1] == left_ms
            await speaker.say("parlour.stop")
            await speaker.until(lambda: 1000 in [event["code"] for event in speaker.of("parlour.closed")])


async def made(server: Server) -> None:
    """The answer of the one session is made to its end."""
    running = server.sessions._running
    await polled(
        lambda: not any(runner._session.state.responses.current is not None for runner in running),
        "the end of the answer",
    )


@pytest.mark.parametrize("says", ["its last event", "nothing"])
async def test_what_was_told_while_a_device_was_away_is_told_once_and_in_order(
    tmp_path: Path, says: str
) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url, playback_lead_s=0.5) as server,
    ):
        async with device(broker.url) as speaker:
            await speaker.say("parlour.start", push_to_talk=True, session=sentences(3))
            await speaker.sound(SPEECH)
            await speaker.say("parlour.release")
            await speaker.until(lambda: speaker.played.get(1, 0) > 500)
            speaker.crash()
            await server.left()
            before = speaker.events
        assert not [event for event in before if event["type"] == "response.done"]
        await made(server)
        token = [event["token"] for event in before if event["type"] == "parlour.resume_token"][-1]
        resume = {"token": token, "last_event_id": before[-1]["event_id"]} if says != "nothing" else None
        async with device(broker.url, resume=resume) as speaker:
            resumed = await speaker.event("parlour.resumed")
            assert resumed["replayed"]
            await speaker.event("response.output_audio.done")  # after its sound
            told = [event for event in speaker.events if event["type"] != "parlour.resumed"]
            [done] = speaker.of("response.output_audio_transcript.done")
            assert done["transcript"] == recital(3)
            deltas = [
                event["delta"]
                for event in before + told
                if event["type"] == "response.output_audio_transcript.delta"
            ]
            assert "".join(deltas) == recital(3)
            for kind in ("response.created", "response.output_audio.done", "response.done"):
                assert len([event for event in before + told if event["type"] == kind]) == 1
            assert not speaker.of("session.created")
            assert not speaker.of("parlour.closed")
            seen = [event["event_id"] for event in before + told]
            assert len(set(seen)) == len(seen)


async def test_the_answer_goes_on_where_the_device_says_that_it_played_to(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as broker, running_server(mqtt_url=broker.url) as server:
        async with device(broker.url) as speaker:
            await speaker.say("parlour.start", push_to_talk=True, session=sentences(3))
            await speaker.sound(SPEECH)
            await speaker.say("parlour.release")
            await speaker.until(lambda: speaker.played.get(1, 0) > 500)
            speaker.crash()
            await server.left()
        answer = speaker.of("parlour.answer")[0]
        assert answer["start_ms"] == 0
        resume = {
            "token": speaker.of("parlour.resume_token")[-1]["token"],
            "last_event_id": speaker.events[-1]["event_id"],
            "played": {"item_id": answer["item_id"], "played_ms": 1234},  # from its buffer, while it was away
        }
        async with device(broker.url, resume=resume) as speaker:
            [playing] = (await speaker.event("parlour.resumed"))["playing"]
            assert playing["heard_ms"] == 1234
            assert (await speaker.event("parlour.answer"))["start_ms"] == 1234
            await speaker.until(lambda: speaker.played.get(1, 0) >= 3_000 - 1234)
            assert speaker.played[1] == 3_000 - 1234


async def test_a_device_that_is_killed_while_it_resumes_comes_back_with_what_it_has(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as broker, running_server(mqtt_url=broker.url) as server:
        async with device(broker.url) as speaker:
            await speaker.say("parlour.start", push_to_talk=True, session=sentences(3))
            await speaker.sound(SPEECH)
            await speaker.say("parlour.release")
            await speaker.until(lambda: speaker.played.get(1, 0) > 200)
            speaker.crash()
            await server.left()
            before = speaker.events
        [token] = speaker.of("parlour.resume_token")
        missed = ids(before[before.index(token) + 1 :])
        resume = {"token": token["token"], "last_event_id": token["event_id"]}
        for _ in range(2):  # the second time with a token that is used up: the new one never came
            async with device(broker.url, resume=resume) as speaker:
                assert (await speaker.event("parlour.resumed"))["replayed"]
                await speaker.until(lambda: speaker.told_ms > 200)
                assert ids(speaker.events[1:])[: len(missed)] == missed
                speaker.crash()
                await server.left()


def ids(events: list[dict[str, Any]]) -> list[str]:
    """Of the session's events; what is told of a connection's sound, each connection tells anew."""
    told = [event for event in events if event["type"] != "response.output_audio.done"]
    return [event["event_id"] for event in told if "." not in event["event_id"]]


async def test_a_wake_word_stops_an_answer_that_was_begun_before_the_device_was_lost(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url, playback_lead_s=0.5) as server,
    ):
        async with device(broker.url) as speaker:
            await speaker.say("parlour.start", push_to_talk=True)
            await speaker.sound(SPEECH)
            await speaker.say("parlour.release")
            await speaker.until(lambda: speaker.played.get(1, 0) > 500)
            speaker.crash()
            await server.left()
        async with device(broker.url) as speaker:
            await speaker.until(lambda: speaker.played.get(1, 0) > 100)
            await speaker.say("parlour.start")
            done = await speaker.event("response.done")
            assert done["response"]["status"] == "cancelled"
            await speaker.state("listening")


@pytest.mark.parametrize("who", ["the broker", "the server"])
async def test_the_answer_goes_on_after_a_restart_of(tmp_path: Path, who: str) -> None:
    store = await SqliteStore.open(tmp_path / "sessions.sqlite3")
    async with running_broker(tmp_path) as broker:
        server = running_server(mqtt_url=broker.url, store_opened=store, playback_lead_s=60.0)
        await server.__aenter__()
        async with device(broker.url) as speaker:
            await speaker.say("parlour.start", push_to_talk=True, session=sentences(4))
            await speaker.sound(SPEECH)
            await speaker.say("parlour.release")
            await speaker.until(lambda: speaker.played.get(1, 0) > 1500)
            token = (await speaker.event("parlour.resume_token"))["token"]
            if who == "the broker":
                await broker.stop()
            else:
                await server.__aexit__(None, None, None)
        if who == "the broker":
            await broker.start()
        else:
            store = await SqliteStore.open(tmp_path / "sessions.sqlite3")
            server = running_server(mqtt_url=broker.url, store_opened=store, playback_lead_s=60.0)
            await server.__aenter__()
        async with device(broker.url) as speaker:
            if who == "the server":
                await speaker.until(lambda: speaker.server and speaker.server[-1] == "online")
                await speaker.say("parlour.resume", token=token)
            [playing] = (await speaker.event("parlour.resumed"))["playing"]
            left_ms = 4_000 - playing["heard_ms"]
            await speaker.until(lambda: speaker.played.get(1, 0) >= left_ms)
            assert 0 < left_ms < 3_000
            assert speaker.played[1] == left_ms
        await server.__aexit__(None, None, None)


async def test_a_device_that_restarts_before_its_last_will_is_out_begins_anew(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url) as server,
        device(broker.url) as first,
    ):
        await first.say("parlour.start")
        await first.state("listening")
        async with device(broker.url) as second:  # the same client id: the first is thrown out
            await converse(second)
            assert server.sessions.open_count == 1


@pytest.mark.parametrize("moment", ["asleep", "listening", "in mid-sentence", "in mid-answer"])
async def test_after_a_restart_of_the_broker_everything_works_again(tmp_path: Path, moment: str) -> None:
    async with running_broker(tmp_path) as broker, running_server(mqtt_url=broker.url) as server:
        async with device(broker.url) as speaker:
            await come_to(speaker, moment)
            await broker.stop()
            await server.left()
            await broker.start()
        async with device(broker.url) as speaker:
            await converse(speaker)
            assert server.sessions.open_count == 1


async def come_to(speaker: Device, moment: str) -> None:
    if moment == "asleep":
        return
    await speaker.say("parlour.start")
    await speaker.state("listening")
    if moment == "in mid-sentence":
        await speaker.sound(SPEECH[: len(SPEECH) // 2])
        await speaker.state("hearing")
    elif moment == "in mid-answer":
        await speaker.speak(SPEECH)
        await speaker.until(lambda: speaker.played.get(1, 0) > 200)


async def test_a_server_that_is_stopped_says_so_and_one_that_comes_back_is_found(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as broker:
        first = running_server(mqtt_url=broker.url)
        await first.__aenter__()
        async with device(broker.url) as speaker:
            await come_to(speaker, "in mid-answer")
            await first.__aexit__(None, None, None)
            closed = await speaker.event("parlour.closed")
            assert closed["code"] == 1012
            await speaker.state("idle")
            await speaker.until(lambda: speaker.server[-1] == "offline")
            async with running_server(mqtt_url=broker.url):
                await speaker.until(lambda: speaker.server[-1] == "online")
                await converse(speaker)


async def test_a_server_stops_though_a_device_wakes_it_again_and_again(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as broker:
        server = running_server(mqtt_url=broker.url)
        await server.__aenter__()
        async with device(broker.url) as speaker:
            await come_to(speaker, "listening")

            async def wake() -> None:
                while True:
                    await speaker.say("parlour.start")

            waking = asyncio.create_task(wake())
            await server.__aexit__(None, None, None)
            waking.cancel()
            await asyncio.gather(waking, return_exceptions=True)


async def test_a_server_that_is_killed_is_offline_and_its_successor_serves(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as broker:
        killed = await started(
            "--model", "scripted", "--port", "0", "--in-process", PARLOUR_MQTT_URL=broker.url
        )
        async with device(broker.url) as speaker:
            await come_to(speaker, "in mid-answer")
            killed.kill()
            await killed.wait()
            await speaker.until(lambda: speaker.server[-1] == "offline")
            async with running_server(mqtt_url=broker.url):
                await speaker.until(lambda: speaker.server[-1] == "online")
                await speaker.state("idle")
                await converse(speaker)


async def test_a_broker_that_is_not_there_yet_is_found_later(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as broker:
        await broker.stop()
        async with running_server(mqtt_url=broker.url):
            await broker.start()
            async with device(broker.url) as speaker:
                await converse(speaker)


# Errors and limits -----------------------------------------------------------------------


async def test_a_failing_agent_is_told_and_the_next_turn_works(tmp_path: Path) -> None:
    class FailsOnce(ScriptedAgent):
        has_failed = False

        def respond(self, request: Any) -> Any:
            if self.has_failed:
                return super().respond(request)
            self.has_failed = True
            return failing()

    async def failing() -> Any:
        yield GenerationFailed("agent_overloaded", "Too much at once.")

    async with (
        running_broker(tmp_path) as broker,
        running_server(FailsOnce(), mqtt_url=broker.url),
        device(broker.url) as speaker,
    ):
        await speaker.say("parlour.start", push_to_talk=True)
        await speaker.sound(SPEECH)
        await speaker.say("parlour.release")
        done = await speaker.event("response.done")
        assert done["response"]["status"] == "failed"
        await speaker.state("idle")
        await converse(speaker)


async def test_a_device_that_floods_is_closed_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So many at once are a flood, also on a machine that takes no hundred a second.
    monkeypatch.setattr(roster, "EVENTS_PER_S", 1.0)
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url),
        device(broker.url, "bad") as bad,
        device(broker.url, "good") as good,
    ):
        await bad.say("parlour.start")
        await bad.state("listening")
        for _ in range(1000):
            await bad.client.publish(bad.up("event"), b'{"type": "response.cancel"}')
        assert (await bad.event("parlour.closed"))["code"] == 1008
        await converse(good)


async def test_sound_that_comes_faster_than_time_is_refused_beyond_a_burst(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url),
        device(broker.url) as speaker,
    ):
        await speaker.say("parlour.start", push_to_talk=True, session=ONE_SECOND)
        await speaker.state("hearing")
        for _ in range(2 * UNREAD_AUDIO_BYTES_MAX // 32_000):
            await speaker.client.publish(speaker.up("audio"), bytes(32_000), qos=1)
        assert (await speaker.event("error"))["error"]["code"] == "audio_too_fast"
        await speaker.say("parlour.release")
        await speaker.event("response.done")


BAD = [
    ("event", b"", "invalid_json"),
    ("event", b"\xff\xfe", "invalid_json"),
    ("event", b"[]", "invalid_json"),
    ("event", b'{"type": "parlour.play"}', "invalid_value"),
    ("event", b'{"type": "parlour.played", "answer": -1, "played_ms": 0}', "invalid_value"),
    ("event", b'{"type": "parlour.start", "session": 3}', "invalid_type"),
    ("event", b'{"type": "response.create"}', "no_session"),
    ("event", b'{"type": "input_audio_buffer.append", "audio": ""}', "invalid_value"),
    ("event", b" " * 70_000, "event_too_large"),
    ("status", b"here", "invalid_value"),
    ("mute", b"1", "invalid_value"),
    ("volume", b"101", "invalid_value"),
    ("lamp", b"on", "unknown_topic"),
]


@pytest.mark.parametrize(("channel", "payload", "code"), BAD)
async def test_what_cannot_be_read_is_told(tmp_path: Path, channel: str, payload: bytes, code: str) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url),
        device(broker.url) as speaker,
    ):
        await speaker.client.publish(speaker.up(channel), payload, qos=1)
        error = (await speaker.event("error"))["error"]
        assert error["message"]
        assert error["code"] == code


async def test_half_a_sample_is_refused_and_the_session_goes_on(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url),
        device(broker.url) as speaker,
    ):
        await speaker.say("parlour.start")
        await speaker.state("listening")
        await speaker.client.publish(speaker.up("audio"), b"\0", qos=1)
        assert (await speaker.event("error"))["error"]["code"] == "invalid_audio"
        await converse(speaker)


async def test_a_format_that_a_device_could_not_play_is_refused(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url),
        device(broker.url) as speaker,
    ):
        wanted = {"type": "realtime", "audio": {"output": {"format": {"type": "audio/pcmu"}}}}
        await speaker.say("parlour.start", session=wanted)
        error = (await speaker.event("error"))["error"]
        assert error["param"] == "session.audio.output.format"
        await converse(speaker)


async def test_what_the_broker_kept_from_long_ago_begins_nothing(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as broker:
        async with aiomqtt.Client("127.0.0.1", broker.port) as old:
            start = json.dumps({"type": "parlour.start"})
            await old.publish(f"{PREFIX}/kitchen/up/event", start, qos=1, retain=True)
            await old.publish(f"{PREFIX}/kitchen/up/audio", bytes(640), qos=1, retain=True)
            await old.publish(f"{PREFIX}/kitchen/up/mute", "on", qos=1, retain=True)
        async with running_server(mqtt_url=broker.url) as server, device(broker.url) as speaker:
            assert server.sessions.open_count == 0
            await speaker.say("parlour.start")
            await speaker.event("session.updated")
            assert speaker.states[-1] == "idle"  # muted, as it was
            await speaker.client.publish(speaker.up("mute"), "off", qos=1)
            await speaker.state("listening")


async def test_topics_of_others_are_nobodys(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url) as server,
        device(broker.url) as speaker,
    ):
        start = json.dumps({"type": "parlour.start"})
        for topic in (
            f"{PREFIX}/kitchen/down/event",
            f"{PREFIX}/kitchen/up/event/more",
            f"{PREFIX}/kü/che/up/event",
            f"{PREFIX}/{'x' * 65}/up/event",
            f"{PREFIX}//up/event",
            "elsewhere/kitchen/up/event",
        ):
            await speaker.client.publish(topic, start, qos=1)
        await converse(speaker)
        assert server.sessions.open_count == 1


async def test_no_message_whatever_harms_the_server(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Several hundred made-up messages, and then all is as it was."""
    caplog.set_level(logging.WARNING)
    words = [event.decode() for _, event, _ in BAD if event[:1] == b"{"] + [
        json.dumps({"type": "parlour.start", "session": {"type": "realtime", "audio": {"input": None}}}),
        json.dumps({"type": "parlour.start", "push_to_talk": True}),
        json.dumps({"type": "parlour.release"}),
        json.dumps({"type": "parlour.stop"}),
        json.dumps({"type": "session.update", "session": {"type": "realtime", "tools": 3}}),
    ]
    payloads = st.one_of(st.binary(max_size=200), st.sampled_from(words).map(str.encode), cut(words))
    channels = st.sampled_from(["audio", "event", "status", "mute", "volume", "", "lamp"])
    made: list[tuple[str, bytes]] = []

    @settings(max_examples=300, database=None)
    @given(channels, payloads)
    def make(channel: str, payload: bytes) -> None:
        made.append((channel, payload))

    make()
    async with running_broker(tmp_path) as broker, running_server(mqtt_url=broker.url):
        async with device(broker.url) as speaker:
            for channel, payload in made:
                await speaker.client.publish(speaker.up(channel), payload, qos=1)
        async with device(broker.url, "bath") as other:
            await converse(other)
    assert not [record for record in caplog.records if record.msg == "internal error"]


def cut(words: list[str]) -> st.SearchStrategy[bytes]:
    return st.tuples(st.sampled_from(words), st.integers(0, 100)).map(
        lambda made: made[0][: made[1]].encode()
    )


# Rights ----------------------------------------------------------------------------------


RULES = """allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/rights
message_size_limit 131072"""

RIGHTS = f"""user parlour
topic readwrite {PREFIX}/server/#
topic read {PREFIX}/+/up/+
topic write {PREFIX}/+/down/+

pattern write {PREFIX}/%u/up/+
pattern read {PREFIX}/%u/down/+
pattern read {PREFIX}/%u/set/+
pattern read {PREFIX}/server
"""
"""As in docs/mqtt.md."""


def guarded(folder: Path) -> str:
    passwords(folder / "passwords", "parlour", "kitchen", "bath")
    (folder / "rights").write_text(RIGHTS, encoding="utf-8")
    (folder / "rights").chmod(0o600)
    return RULES.format(folder=folder)


async def test_with_the_recipes_rights_a_device_has_its_own_topics_and_no_others(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path, guarded(tmp_path)) as broker,
        running_server(mqtt_url=broker.url_of("parlour")) as server,
        device(broker.url_of("kitchen"), "kitchen") as kitchen,
        device(broker.url_of("bath"), "bath") as bath,
    ):
        # Bath tries to hear the kitchen, and to speak for it.
        for topic in ("#", f"{PREFIX}/#", f"{PREFIX}/kitchen/down/+", f"{PREFIX}/+/up/+"):
            await bath.client.subscribe(topic, qos=1)
        start = json.dumps({"type": "parlour.start"})
        await bath.client.publish(f"{PREFIX}/kitchen/up/event", start, qos=1)
        await bath.client.publish(f"{PREFIX}/kitchen/down/state", "speaking", qos=1, retain=True)
        await bath.client.publish(f"{PREFIX}/server", "offline", qos=1, retain=True)
        await converse(kitchen)
        await converse(bath)
        kitchens, baths = (one.of("session.created")[0]["session"]["id"] for one in (kitchen, bath))
        assert kitchens != baths
        assert [one["session"]["id"] for one in bath.of("session.created")] == [baths]
        assert len(kitchen.of("session.created")) == 1
        assert {*kitchen.server, *bath.server} == {"online"}
        assert server.sessions.open_count == 2


async def test_a_wrong_password_is_refused_before_anything_is_heard(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path, guarded(tmp_path)) as broker,
        running_server(mqtt_url=broker.url_of("parlour")),
    ):
        with pytest.raises(aiomqtt.MqttError):
            async with device(broker.url.replace("//", "//kitchen:guessed@")):
                pass


async def test_a_server_without_its_rights_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with (
        running_broker(tmp_path, guarded(tmp_path)) as broker,
        running_server(mqtt_url=broker.url.replace("//", "//parlour:guessed@")),
    ):
        lines = await polled(
            lambda: [one for one in caplog.records if one.name == "parlour.mqtt"], "a word in the log"
        )
        assert "guessed" not in str(lines[0].__dict__)
        assert lines[0].message == "no broker"
