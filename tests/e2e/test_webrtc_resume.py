"""Calls that are lost in the middle of an answer, and answers that move to and from a call.

What the listener heard is measured where it is heard: in what the loudspeakers recorded.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aioice.ice import get_host_addresses

from realtime.transports.webrtc import peer
from tests.conftest import Server, running_server
from tests.e2e.lossy import lossy_network
from tests.e2e.resuming import ResumingClient
from tests.e2e.test_webrtc import TAIL_S, ask
from tests.e2e.webrtc_client import Caller, calling
from tests.peers.recital import SENTENCE_MS, recital, sentences
from tests.waiting import Lateness

N_SENTENCES = 5
ANSWER_MS = N_SENTENCES * SENTENCE_MS
WITHIN_MS = 200
BYTES_PER_MS = 48
OUTAGE_S = 0.7  # of sound, which the server sends into nothing
ONE_WAY_S = 0.15


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """It is in the middle of making an answer when a call is lost."""
    async with running_server(playback_lead_s=1.0) as running:
        yield running


def ws(server: Server) -> str:
    return f"{server.ws}/v1/realtime"


@asynccontextmanager
async def answering(
    server: Server,
    heard_s: float = 1.5,
    through: Callable[[str], str] = str,
    n_sentences: int = N_SENTENCES,
) -> AsyncIterator[tuple[Caller, str]]:
    """A call of a session that can be resumed, in the middle of an answer, and the session's token."""
    async with calling(server, through=through) as caller:
        caller.hear_at_once()
        session = {"type": "realtime", "parlour": {"resume": True}, **sentences(n_sentences)}
        await caller.say(type="session.update", session=session)
        token = (await caller.until("parlour.resume_token"))["token"]
        await ask(caller)
        await caller.until("output_audio_buffer.started")
        await caller.recorded_s(heard_s)
        yield caller, token


@asynccontextmanager
async def resuming(server: Server, token: str, last: str | None = None) -> AsyncIterator[tuple[Caller, Any]]:
    """Another call that takes the session over; and what it was answered."""
    async with calling(server) as caller:
        caller.hear_at_once()
        known = {} if last is None else {"last_event_id": last}
        await caller.say(type="parlour.resume", token=token, **known)
        yield caller, await caller.until("parlour.resumed")


def last_of(caller: Caller) -> str:
    return str(caller.events[-1]["event_id"])


def words(*callers: Caller) -> str:
    deltas = [event for caller in callers for event in caller.of("response.output_audio_transcript.delta")]
    return "".join(event["delta"] for event in deltas)


def text_of(events: list[dict[str, Any]]) -> str:
    """The answer's text as one is told it who knew nothing: in the conversation, or as it is made."""
    done = [event["item"] for event in events if event["type"] == "conversation.item.done"]
    answers = [item["content"][0]["transcript"] for item in done if item["role"] == "assistant"]
    assert len(answers) == 1
    return str(answers[0])


def assert_heard_once(before: Caller, after: Caller, resumed: dict[str, Any], lateness: Lateness) -> None:
    [playing], within_ms = resumed["playing"], lateness.allowed_ms(WITHIN_MS)
    assert abs(playing["heard_ms"] - before.sound_ms) < within_ms
    assert abs(before.sound_ms + after.sound_ms - ANSWER_MS) < within_ms


async def heard_to_its_end(caller: Caller) -> None:
    await caller.until("output_audio_buffer.stopped")
    await caller.recorded_s(TAIL_S)


@pytest.mark.parametrize("lead_s", [1.0, 30.0], ids=["while it is generated", "after it was generated"])
@pytest.mark.parametrize("knows", [True, False], ids=["with its last event", "knowing nothing"])
async def test_a_call_that_vanished_goes_on_where_it_was_heard(
    lead_s: float, knows: bool, lateness: Lateness
) -> None:
    async with running_server(playback_lead_s=lead_s) as server, answering(server) as (lost, token):
        lost.vanish()
        last = last_of(lost)
        await lost.misses(OUTAGE_S)
        async with resuming(server, token, last if knows else None) as (caller, resumed):
            assert resumed["replayed"] == knows
            await heard_to_its_end(caller)
            assert_heard_once(lost, caller, resumed, lateness)
            assert (words(lost, caller) if knows else text_of(caller.events)) == recital(N_SENTENCES)
            told = [event["event_id"] for event in [*lost.events, *caller.events]]
            assert len(set(told)) == len(told)


@pytest.mark.parametrize("heard_s", [0.3, 3.0], ids=["before any report", "after reports"])
async def test_what_was_on_its_way_when_the_network_died_comes_again(
    server: Server, heard_s: float, lateness: Lateness
) -> None:
    hosts = get_host_addresses(use_ipv4=True, use_ipv6=False)
    if not hosts:
        pytest.skip("this machine has no address but loopback")
    async with (
        lossy_network(hosts[0], loss=0.0, jitter_s=0.0, delay_s=ONE_WAY_S) as network,
        answering(server, heard_s, through=network.through) as (lost, token),
    ):
        lost.vanish()
        await lost.misses(OUTAGE_S)
        async with resuming(server, token, last_of(lost)) as (caller, resumed):
            [playing] = resumed["playing"]
            again_ms = lost.sound_ms - playing["heard_ms"]
            assert -lateness.allowed_ms(40) < again_ms < lateness.allowed_ms(2_000 * ONE_WAY_S)
            await heard_to_its_end(caller)
            assert abs(playing["heard_ms"] + caller.sound_ms - ANSWER_MS) < 40


@pytest.mark.parametrize("knows", [True, False], ids=["with its last event", "knowing nothing"])
async def test_a_call_whose_loss_was_noticed_long_before_goes_on_too(
    server: Server, knows: bool, monkeypatch: pytest.MonkeyPatch, lateness: Lateness
) -> None:
    async with answering(server) as (lost, token):
        monkeypatch.setattr(peer, "SILENT_S_MAX", 1.0)
        lost.vanish()
        last = last_of(lost)
        await left(server)
        monkeypatch.setattr(peer, "SILENT_S_MAX", 12.0)
        async with resuming(server, token, last if knows else None) as (caller, resumed):
            await heard_to_its_end(caller)
            assert_heard_once(lost, caller, resumed, lateness)


async def test_a_call_whose_data_channel_closes_can_be_resumed(server: Server, lateness: Lateness) -> None:
    async with answering(server) as (lost, token):
        lost.channel.close()
        await left(server)
        last = last_of(lost)
        async with resuming(server, token, last) as (caller, resumed):
            await heard_to_its_end(caller)
            assert_heard_once(lost, caller, resumed, lateness)
            assert words(lost, caller) == recital(N_SENTENCES)


async def test_a_call_that_hung_up_ends_its_session(server: Server) -> None:
    async with calling(server) as caller:
        await caller.say(type="session.update", session={"type": "realtime", "parlour": {"resume": True}})
        await caller.until("parlour.resume_token")
        await hang_up(server, caller)
        await server.emptied()


@pytest.mark.parametrize("lead_s", [1.0, 30.0], ids=["while it is generated", "after it was generated"])
async def test_an_answer_moves_from_a_call_to_a_socket(lead_s: float, lateness: Lateness) -> None:
    async with (
        running_server(playback_lead_s=lead_s) as server,
        answering(server, n_sentences=10) as (caller, _),  # it is heard on meanwhile
    ):
        await caller.say(type="parlour.hand_over")
        token = (await caller.until("parlour.hand_over_token"))["token"]
        socket = ResumingClient(ws(server))
        resumed = await socket.come_back(token, anew=True)
        await caller.until("parlour.moved")
        [playing] = resumed["playing"]
        await socket.until("conversation.item.done", 2)
        await socket.until("response.output_audio.done")
        assert abs(playing["heard_ms"] - caller.sound_ms) < lateness.allowed_ms(WITHIN_MS)
        rest_ms = len(socket.sound(playing["item_id"])) / BYTES_PER_MS
        assert abs(playing["heard_ms"] + rest_ms - 10 * SENTENCE_MS) < 1
        assert text_of(socket.events) == recital(10)
        await socket.leave()


async def test_a_page_that_falls_back_to_a_socket_misses_nothing(server: Server, lateness: Lateness) -> None:
    async with answering(server) as (lost, token):
        lost.vanish()
        socket = ResumingClient(ws(server))
        socket._last_id = last_of(lost)
        resumed = await socket.come_back(token)
        assert resumed["replayed"]
        [playing] = resumed["playing"]
        await socket.until("response.done")
        assert abs(playing["heard_ms"] - lost.sound_ms) < lateness.allowed_ms(WITHIN_MS)
        rest_ms = len(socket.sound(playing["item_id"])) / BYTES_PER_MS
        assert abs(playing["heard_ms"] + rest_ms - ANSWER_MS) < 1
        assert words(lost) + socket.words(playing["item_id"]) == recital(N_SENTENCES)
        await socket.leave()


async def test_a_barge_in_after_the_move_keeps_what_both_have_heard(
    server: Server, lateness: Lateness
) -> None:
    async with answering(server) as (lost, token):
        lost.vanish()
        async with resuming(server, token, last_of(lost)) as (caller, _):
            await caller.until("output_audio_buffer.started")
            await caller.recorded_s(1.0)
            await caller.say(type="response.cancel")
            await caller.say(type="output_audio_buffer.clear")
            truncated = (await caller.until("conversation.item.truncated"))["audio_end_ms"]
            await caller.recorded_s(TAIL_S)
            assert abs(lost.sound_ms + caller.sound_ms - truncated) < lateness.allowed_ms(WITHIN_MS)


async def hang_up(server: Server, caller: Caller) -> None:
    async with httpx.AsyncClient(timeout=None) as http:
        assert (await http.post(f"{server.http}{caller.location}/hangup")).status_code == 200


async def left(server: Server) -> None:
    """Wait until the connection is gone; its session waits."""
    await server.left()
    assert server.sessions.running_count == 1
