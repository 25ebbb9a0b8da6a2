"""What a peer of the agent's server gets, for good requests and for bad ones."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK

from agent import wire
from agent.api import AgentError, GenerationDone, GenerationFailed, Health, TextDelta, TranscribeRequest
from agent.server import create_app
from tests.agent.agents import HELLO, SteeredAgent, served
from tests.waiting import unless_it_hangs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def agent() -> SteeredAgent:
    return SteeredAgent()


@pytest.fixture
async def uds(agent: SteeredAgent, tmp_path: Path) -> AsyncIterator[Path]:
    async with served(agent, tmp_path) as path:
        yield path


def call(uds: Path, path: str) -> unix_connect:
    return unix_connect(str(uds), f"ws://localhost{path}", compression=None, open_timeout=None)


async def next_event(socket: ClientConnection) -> object:
    async with unless_it_hangs("another event of the agent"):
        return wire.decode_event(await socket.recv(decode=False))


async def test_events_come_as_they_are_made_and_the_socket_closes_after_the_last(
    agent: SteeredAgent, uds: Path
) -> None:
    async with call(uds, wire.RESPOND_PATH) as socket:
        await socket.send(wire.encode(HELLO))
        for event in (TextDelta("one"), TextDelta("two"), GenerationDone()):
            agent.events.put_nowait(event)
            assert await next_event(socket) == event
        with pytest.raises(ConnectionClosedOK):
            await socket.recv()


async def test_closing_the_socket_closes_the_generator_in_mid_answer(agent: SteeredAgent, uds: Path) -> None:
    async with call(uds, wire.RESPOND_PATH) as socket:
        await socket.send(wire.encode(HELLO))
        agent.events.put_nowait(TextDelta("one"))
        await next_event(socket)
        socket.transport.abort()
        await agent.freed.wait()


async def test_hanging_up_ends_the_warming(agent: SteeredAgent, uds: Path) -> None:
    async with call(uds, wire.WARM_PATH) as socket:
        await socket.send(wire.encode(HELLO))
        await agent.begun.wait()
    await agent.freed.wait()


@pytest.mark.parametrize("frame", [b"", b"\xff\x00", "text", wire.encode(TranscribeRequest("s", b""))])
async def test_a_malformed_request_is_answered_with_a_failure(uds: Path, frame: bytes | str) -> None:
    async with call(uds, wire.RESPOND_PATH) as socket:
        await socket.send(frame)
        failed = await next_event(socket)
        assert isinstance(failed, GenerationFailed)
        assert failed.code == "agent_error"


async def test_want_of_memory_is_told(agent: SteeredAgent, uds: Path) -> None:
    async with call(uds, wire.RESPOND_PATH) as socket:
        await socket.send(wire.encode(HELLO))
        agent.events.put_nowait(MemoryError())
        failed = await next_event(socket)
        assert isinstance(failed, GenerationFailed)
        assert failed.code == "agent_out_of_memory"


async def test_a_bug_in_the_agent_closes_the_call_with_1011(agent: SteeredAgent, uds: Path) -> None:
    async with call(uds, wire.RESPOND_PATH) as socket:
        await socket.send(wire.encode(HELLO))
        agent.events.put_nowait(RuntimeError("a bug"))
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1011


async def test_an_agents_error_is_told_with_its_code(agent: SteeredAgent, uds: Path) -> None:
    agent.events.put_nowait(AgentError("agent_overloaded", "too many"))
    async with call(uds, wire.TRANSCRIBE_PATH) as socket:
        await socket.send(wire.encode(TranscribeRequest("s", b"")))
        assert await next_event(socket) == GenerationFailed("agent_overloaded", "too many")


async def test_the_health_page_is_json() -> None:
    transport = httpx.ASGITransport(create_app(SteeredAgent()))
    async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
        page = await client.get("/health")
    assert page.status_code == 200
    assert page.json()["status"] == "ready"
    assert page.json()["facts"] == {"device": "none"}


async def test_the_health_page_of_an_agent_that_is_not_ready_is_503() -> None:
    class Starting(SteeredAgent):
        async def health(self) -> Health:
            return Health("starting", "steered")

    transport = httpx.ASGITransport(create_app(Starting()))
    async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
        assert (await client.get("/health")).status_code == 503


# The process --------------------------------------------------------------------------


@contextlib.contextmanager
def process(*flags: str):  # type: ignore[no-untyped-def]
    command = [sys.executable, "-m", "agent.server", *flags]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as child:
        try:
            yield child
        finally:
            child.kill()


def test_the_process_says_that_it_is_ready_and_only_its_user_can_call_it(tmp_path: Path) -> None:
    uds = tmp_path / "a.sock"
    with process("--uds", str(uds), "--model", "scripted") as child:
        assert json.loads(child.stdout.readline())["ready"]["model"] == "scripted"
        assert stat.S_IMODE(os.stat(uds).st_mode) == 0o600
        child.terminate()
        assert child.wait() == 0
        assert not uds.exists()


def test_the_process_ends_with_its_parents_end_of_its_stdin(tmp_path: Path) -> None:
    with process("--uds", str(tmp_path / "a.sock"), "--model", "scripted") as child:
        child.stdout.readline()
        child.stdin.close()
        assert child.wait() == 0


def test_the_process_ends_even_while_it_is_stopped_in_its_loop(tmp_path: Path) -> None:
    # SIGSTOP, end of stdin, SIGCONT: the order in which a laptop's sleep may bring them.
    with process("--uds", str(tmp_path / "a.sock"), "--model", "scripted") as child:
        child.stdout.readline()
        child.send_signal(signal.SIGSTOP)
        child.stdin.close()
        child.send_signal(signal.SIGCONT)
        assert child.wait() == 0


def test_a_start_that_fails_says_one_sentence(tmp_path: Path) -> None:
    with process("--uds", str(tmp_path / "a.sock"), "--model", "no-such-model") as child:
        failed = json.loads(child.stdout.readline())["failed"]
        assert "'no-such-model' is not one that this version knows" in failed
        assert "--model embedded" in failed
        assert child.wait() == 1


def test_a_socket_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    with process("--uds", str(tmp_path / "none" / "a.sock"), "--model", "scripted") as child:
        assert "cannot listen" in json.loads(child.stdout.readline())["failed"]
        assert child.wait() == 1
