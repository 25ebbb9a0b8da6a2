"""Whatever the other side does, an answer ends exactly once, and closing is quick."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, unix_serve

from agent import client, wire
from agent.api import (
    AgentError,
    AgentEvent,
    AgentRequest,
    GenerationDone,
    GenerationFailed,
    KeepAlive,
    StageDone,
    TextDelta,
    Tool,
    TranscribeRequest,
    Transcript,
)
from agent.client import RemoteAgent
from tests.agent.agents import HELLO, PATIENT, EndlessAgent, SteeredAgent, served


async def said(agent: RemoteAgent, request: AgentRequest = HELLO) -> list[AgentEvent]:
    return [event async for event in agent.respond(request)]


def failure(events: list[AgentEvent]) -> GenerationFailed:
    """The one failure that ends the answer."""
    ends = [event for event in events if isinstance(event, GenerationDone | GenerationFailed)]
    assert ends == events[-1:]
    assert isinstance(events[-1], GenerationFailed)
    return events[-1]


@asynccontextmanager
async def peer(
    folder: Path, behave: Callable[[ServerConnection], Awaitable[None]], **waits: float
) -> AsyncIterator[RemoteAgent]:
    """A client of a peer that behaves as the test says. waits: the time-outs that the test is about."""
    async with unix_serve(behave, str(folder / "peer.sock"), compression=None):
        agent = RemoteAgent(uds=folder / "peer.sock", timeouts=replace(PATIENT, **waits))
        yield agent
        await agent.aclose()


async def test_an_answer_comes_over_whole_and_in_order(tmp_path: Path) -> None:
    agent = SteeredAgent()
    made: list[AgentEvent] = [StageDone("prefill", 1.5), TextDelta("a"), TextDelta("b"), GenerationDone()]
    for event in made:
        agent.events.put_nowait(event)
    async with served(agent, tmp_path) as uds:
        assert await said(RemoteAgent(uds=uds)) == made


async def test_closing_the_generator_frees_the_other_side(tmp_path: Path) -> None:
    agent = SteeredAgent()
    agent.events.put_nowait(TextDelta("a"))
    async with served(agent, tmp_path) as uds:
        events = RemoteAgent(uds=uds).respond(HELLO)
        await anext(events)
        await events.aclose()
        await agent.freed.wait()


async def test_cancelling_a_call_frees_the_other_side(tmp_path: Path) -> None:
    agent = SteeredAgent()
    async with served(agent, tmp_path) as uds:
        call = asyncio.create_task(said(RemoteAgent(uds=uds)))
        await agent.begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await agent.freed.wait()


async def test_closing_does_not_wait_for_a_peer_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = client._options
    # A closing handshake would wait for ever, and not only for websockets' ten seconds.
    monkeypatch.setattr(client, "_options", lambda wait_s: {**options(wait_s), "close_timeout": None})
    hanging = asyncio.Event()

    async def hang(socket: ServerConnection) -> None:
        await socket.send(wire.encode(TextDelta("a")))
        socket.transport.pause_reading()  # it will not see the close
        await hanging.wait()

    async with peer(tmp_path, hang) as agent:
        events = agent.respond(HELLO)
        await anext(events)
        await events.aclose()
        hanging.set()


async def test_a_caller_that_does_not_listen_stops_the_other_side(tmp_path: Path) -> None:
    agent = EndlessAgent()
    async with served(agent, tmp_path) as uds:
        remote = RemoteAgent(uds=uds)
        async with aclosing(remote.respond(HELLO)) as events:
            await anext(events)
            before = -1
            while agent.n_yielded != before:  # until it stands still, while other calls are served
                before = agent.n_yielded
                for _ in range(20):
                    await remote.ping()
            assert agent.n_yielded < 200  # 2 MB
            for _ in range(300):  # and goes on when the caller does
                await anext(events)
            assert agent.n_yielded >= 300


async def test_a_peer_that_is_not_there_is_agent_unavailable(tmp_path: Path) -> None:
    agent = RemoteAgent(uds=tmp_path / "none.sock")
    assert failure(await said(agent)).code == "agent_unavailable"
    with pytest.raises(AgentError) as caught:
        await agent.transcribe(TranscribeRequest("s", b""))
    assert caught.value.code == "agent_unavailable"
    assert (await agent.health()).status == "failed"
    await agent.warm(HELLO)  # a hint: failing is silent


async def test_a_peer_that_never_answers_is_agent_timeout(tmp_path: Path) -> None:
    async def read_only(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.wait_closed()

    async with peer(tmp_path, read_only, first_event_s=0.2, transcribe_s=0.1) as agent:
        assert failure(await said(agent)).code == "agent_timeout"
        with pytest.raises(AgentError) as caught:
            await agent.transcribe(TranscribeRequest("s", b""))
        assert caught.value.code == "agent_timeout"


async def test_a_peer_that_stops_in_mid_answer_is_agent_timeout(tmp_path: Path) -> None:
    async def stop(socket: ServerConnection) -> None:
        await socket.send(wire.encode(TextDelta("a")))
        await socket.wait_closed()

    async with peer(tmp_path, stop, next_event_s=0.1) as agent:
        events = await said(agent)
        assert events[0] == TextDelta("a")
        assert failure(events).message == "the agent said nothing for 0.1 s"


@pytest.mark.parametrize("event", [StageDone("recognition", 1.0), KeepAlive()])
async def test_what_is_no_word_does_not_shorten_the_wait_for_the_first(
    tmp_path: Path, event: StageDone | KeepAlive
) -> None:
    async def recognise_only(socket: ServerConnection) -> None:
        await socket.send(wire.encode(event))
        await socket.wait_closed()

    async with peer(tmp_path, recognise_only, first_event_s=0.2, next_event_s=0.1) as agent:
        assert failure(await said(agent)).message == "the agent said nothing for 0.2 s"


async def test_a_peer_that_goes_away_in_mid_answer_is_agent_unavailable(tmp_path: Path) -> None:
    async def die(socket: ServerConnection) -> None:
        await socket.send(wire.encode(TextDelta("a")))
        await socket.recv()
        socket.transport.abort()

    async with peer(tmp_path, die) as agent:
        assert failure(await said(agent)).code == "agent_unavailable"


async def test_a_peer_that_closes_without_a_last_event_is_agent_error(tmp_path: Path) -> None:
    async def forget(socket: ServerConnection) -> None:
        await socket.send(wire.encode(TextDelta("a")))

    async with peer(tmp_path, forget) as agent:
        assert failure(await said(agent)).code == "agent_error"


@pytest.mark.parametrize(
    "frame", [b"\xff", "text", wire.encode(Transcript("x", 1)), bytes(2 * wire.MAX_EVENT_BYTES)]
)
async def test_a_peer_that_talks_nonsense_is_agent_error(tmp_path: Path, frame: bytes | str) -> None:
    async def babble(socket: ServerConnection) -> None:
        await socket.send(frame)
        await socket.wait_closed()

    async with peer(tmp_path, babble) as agent:
        assert failure(await said(agent)).code == "agent_error"


async def test_a_bug_of_the_agent_is_agent_error(tmp_path: Path) -> None:
    agent = SteeredAgent()
    agent.events.put_nowait(RuntimeError("a bug"))
    async with served(agent, tmp_path) as uds:
        assert failure(await said(RemoteAgent(uds=uds))).code == "agent_error"


async def test_a_request_that_cannot_be_sent_is_agent_error(tmp_path: Path) -> None:
    request = AgentRequest("s", "r", "", (), tools=(Tool("t", "", {"a": object()}),))
    assert failure(await said(RemoteAgent(uds=tmp_path / "none.sock"), request)).code == "agent_error"


async def test_closing_the_agent_ends_its_calls(tmp_path: Path) -> None:
    agent = SteeredAgent()
    async with served(agent, tmp_path) as uds:
        remote = RemoteAgent(uds=uds)
        call = asyncio.create_task(said(remote))
        await agent.begun.wait()
        await remote.aclose()
        await remote.aclose()
        assert failure(await call).code == "agent_unavailable"


async def test_health_comes_over_the_wire(tmp_path: Path) -> None:
    agent = SteeredAgent()
    async with served(agent, tmp_path) as uds:
        assert await RemoteAgent(uds=uds).health() == await agent.health()


@pytest.mark.parametrize(
    "address", [{}, {"uds": "a", "url": "ws://b"}, {"url": "b:80"}, {"url": "ftp://b"}], ids=str
)
def test_an_address_is_one_socket_or_one_url(address: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="agent's"):
        RemoteAgent(**address)  # type: ignore[arg-type]
