"""Calls that end at every step and in every manner: no task, socket, session or call stays."""

import asyncio
import contextlib
import gc
import os
from collections.abc import Awaitable, Callable
from typing import Any

import OpenSSL.SSL
import pytest

from realtime.transports.webrtc import peer
from realtime.transports.webrtc.transport import WebRtcTransport
from tests.conftest import Server, running_server
from tests.e2e.webrtc_client import Caller, post
from tests.speech import utterance

SETTLE_WITHIN_S = 20.0
AT_ONCE = 5
ROUNDS = 7  # of the seven steps: 49 calls, and one more to warm up


async def posted(caller: Caller, server: Server) -> None:
    """The answer came, and was not used."""
    assert (await post(server, await caller.offer())).status_code == 201


async def connecting(caller: Caller, server: Server) -> None:
    await caller.call(server)


async def connected(caller: Caller, server: Server) -> None:
    await caller.call(server)
    await caller.until("session.created")


async def in_mid_utterance(caller: Caller, server: Server) -> None:
    await connected(caller, server)
    caller.microphone.say(utterance("cards_001").pcm16k * 3)
    await caller.until("input_audio_buffer.speech_started")


async def in_mid_answer(caller: Caller, server: Server) -> None:
    await connected(caller, server)
    await caller.say(type="response.create")
    await caller.until("output_audio_buffer.started")


async def barging_in(caller: Caller, server: Server) -> None:
    await in_mid_answer(caller, server)
    caller.microphone.say(utterance("cards_001").pcm16k * 3)
    await caller.until("output_audio_buffer.cleared")


async def channel_closed(caller: Caller, server: Server) -> None:
    await connected(caller, server)
    caller.channel.close()


STEPS = (posted, connecting, connected, in_mid_utterance, in_mid_answer, barging_in, channel_closed)
Step = Callable[[Caller, Server], Awaitable[None]]


async def come_and_go(server: Server, step: Step, vanishes: bool) -> None:
    """vanishes: without a word, as when the network or the process dies."""
    caller = Caller()
    await step(caller, server)
    if vanishes and caller.connection.sctp is not None:
        for protocol in caller.connection.sctp.transport.transport._connection._protocols:
            protocol.transport.sendto = lambda *_: None
    await caller.close()


def left(server: Server) -> tuple[int, int, int, int]:
    """Open sessions, tasks (the library's own have no names), open files and sockets, transports."""
    gc.collect()
    transports = sum(
        type(one) is WebRtcTransport for one in gc.get_objects()
    )  # isinstance would ask each object
    return server.sessions.open_count, len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd")), transports


async def settled(server: Server, before: tuple[int, int, int, int]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_WITHIN_S):
            while left(server) != before:
                await asyncio.sleep(0.2)
    assert left(server) == before


def unless_a_client_wrote_after_its_end(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """aiortc's data channel may, when both sides close at once; a log of it would hold on to the call."""
    if not isinstance(context.get("exception"), OpenSSL.SSL.Error):
        loop.default_exception_handler(context)


@pytest.mark.parametrize("vanishes", [False, True], ids=["says so", "vanishes"])
async def test_fifty_calls_opened_and_dropped_leave_nothing(
    vanishes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "CONNECT_WITHIN_S", 3.0)
    monkeypatch.setattr(peer, "SILENT_S_MAX", 2.0)
    asyncio.get_running_loop().set_exception_handler(unless_a_client_wrote_after_its_end)
    async with running_server() as server:
        await come_and_go(server, connected, False)  # what is made once is made now
        async with asyncio.timeout(SETTLE_WITHIN_S):
            while server.sessions.open_count:
                await asyncio.sleep(0.02)
        before = left(server)
        plan = [step for _ in range(ROUNDS) for step in STEPS]
        for first in range(0, len(plan), AT_ONCE):
            async with asyncio.TaskGroup() as tasks:
                for step in plan[first : first + AT_ONCE]:
                    tasks.create_task(come_and_go(server, step, vanishes), name="caller")
        await settled(server, before)
