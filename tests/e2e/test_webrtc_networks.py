"""Addresses, ports and relays: what a network allows is what a call is told to use."""

import asyncio
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aioice.ice import get_host_addresses
from aiortc import RTCIceServer

from realtime.transports.webrtc import ice
from tests.conftest import Server, running_server
from tests.e2e.webrtc_client import Caller, calling, post
from tests.ports import free_port
from tests.speech import HZ, utterance
from tests.waiting import HANGS_S, port_opens

USER, PASSWORD = "parlour", "test-only"
BRIEF = {"type": "realtime", "max_output_tokens": 6}


async def answer_of(server: Server) -> str:
    caller = Caller()
    response = await post(server, await caller.offer())
    await caller.close()
    return response.text


async def test_ports_are_those_of_the_setting() -> None:
    async with running_server(webrtc_ports="47000-47063") as server:
        ports = re.findall(r"a=candidate:.* (\d+) typ host", await answer_of(server))
        assert ports
        assert all(47_000 <= int(port) <= 47_063 for port in ports)


async def test_without_a_free_port_the_call_is_refused_by_having_no_path() -> None:
    hosts = get_host_addresses(use_ipv4=True, use_ipv6=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((hosts[0] if hosts else "127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with running_server(webrtc_ports=f"{port}-{port}") as server:
            assert f"{hosts[0]} {port} typ host" not in await answer_of(server)


async def test_the_address_that_others_see_is_told_with_the_same_ports() -> None:
    async with running_server(webrtc_address="203.0.113.7") as server:
        found = re.findall(r"a=candidate:.* (\S+) (\d+) typ host", await answer_of(server))
        own = {port for host, port in found if ":" not in host and host != "203.0.113.7"}
        told = {port for host, port in found if host == "203.0.113.7"}
        assert told == own


async def test_a_stun_server_that_does_not_answer_delays_the_answer_only_a_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ice, "_ASK_WITHIN_S", 0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"stun:127.0.0.1:{silent.getsockname()[1]}"
        async with running_server(stun_url=url) as server, calling(server) as caller:
            assert caller.events[0]["type"] == "session.created"


@asynccontextmanager
async def coturn(folder: Path) -> AsyncIterator[tuple[str, int]]:
    """Debian's TURN server; where it listens."""
    program = shutil.which("turnserver")
    if program is None:
        pytest.skip("coturn is not installed (Debian: apt-get install coturn)")
    hosts = get_host_addresses(use_ipv4=True, use_ipv6=False)
    if not hosts:
        pytest.skip("this machine has no address but loopback")
    port = free_port(hosts[0], socket.SOCK_DGRAM)
    flags = (
        *(
            "-n",
            "--no-cli",
            "--no-tls",
            "--no-dtls",
            "--lt-cred-mech",
            "--fingerprint",
            "--log-file",
            "stdout",
        ),
        *("--realm", "test", "--user", f"{USER}:{PASSWORD}", "--pidfile", str(folder / "pid")),
        *("--db", str(folder / "db"), "--listening-ip", hosts[0], "--relay-ip", hosts[0]),
        *("--listening-port", str(port), "--min-port", "48000", "--max-port", "48063"),
    )
    server = await asyncio.create_subprocess_exec(
        program, *flags, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=folder
    )
    try:
        await port_opens(server, port, hosts[0])  # by TCP, which it opens after UDP
        yield hosts[0], port
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()


async def test_a_call_goes_through_a_relay_of_the_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the relayed candidate of the answer is left to the caller."""
    monkeypatch.setattr(ice, "_ASK_WITHIN_S", HANGS_S)

    def only_relayed(description: str) -> str:
        return re.sub(r"a=candidate:.* typ (host|srflx).*\r\n", "", description)

    async with coturn(tmp_path) as (host, port):
        turn = {"turn_url": f"turn:{host}:{port}", "turn_user": USER, "turn_password": PASSWORD}
        async with running_server(**turn) as server:
            caller = Caller()
            response = await post(server, await caller.offer(), BRIEF)
            answer = only_relayed(response.text)
            assert " typ relay" in answer
            await caller.take(answer)
            await caller.until("session.created")
            await _a_spoken_turn(caller)
            await caller.close()


async def test_a_call_goes_through_a_relay_of_the_callers(tmp_path: Path) -> None:
    async with coturn(tmp_path) as (host, port):
        relay = RTCIceServer(f"turn:{host}:{port}", USER, PASSWORD)
        options = {"session": BRIEF, "ice_servers": [relay], "relay_only": True}
        async with running_server() as server, calling(server, **options) as caller:
            await _a_spoken_turn(caller)


async def _a_spoken_turn(caller: Caller) -> None:
    caller.hear_at_once()
    caller.microphone.say(utterance("cards_001").pcm16k + bytes(2 * HZ))
    await caller.until("input_audio_buffer.speech_started")
    await caller.until("response.done")
    await caller.until("output_audio_buffer.stopped")
    await caller.recorded_s(0.15)
    assert abs(caller.sound_ms - 1_000) < 200
