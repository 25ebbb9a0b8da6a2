"""Calls that end at every step and in every manner: no task, socket, session or call stays."""

import asyncio
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
from tests.waiting import polled

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


def left(server: Server) -> tuple[int, int, int]:
    """Open sessions, tasks (the library's own have no names), open files and sockets."""
    return server.sessions.open_count, len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))


def transports() -> int:
    gc.collect()
    return sum(type(one) is WebRtcTransport for one in gc.get_objects())  # isinstance would ask each object


async def settled(server: Server, before: tuple[int, int, int], transports_before: int) -> None:
    # A look at all objects takes long, and is worth it only when the rest is as before.
    await polled(
        lambda: left(server) == before and transports() == transports_before,
        lambda: f"{before} and {transports_before} transports, but {left(server)} and {transports()}",
    )


def unless_a_client_wrote_after_its_end(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """aiortc's data channel may, when both sides close at once; a log of it would hold on to the call."""
    if not isinstance(context.get("exception"), OpenSSL.SSL.Error):
        loop.default_exception_handler(context)


@pytest.mark.parametrize("vanishes", [False, True], ids=["says so", "vanishes"])
async def test_fifty_calls_opened_and_dropped_leave_nothing(
    vanishes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.get_running_loop().set_exception_handler(unless_a_client_wrote_after_its_end)
    async with running_server() as server:
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        await come_and_go(server, connected, False)  # what is made once is made now
        # Those who vanish are given up soon, and those who are slow to connect on such a machine are not.
        slowly_s = 4 * AT_ONCE * (loop.time() - began_at)
        monkeypatch.setattr(peer, "CONNECT_WITHIN_S", max(3.0, slowly_s))
        monkeypatch.setattr(peer, "SILENT_S_MAX", max(2.0, slowly_s))
        await server.left()
        before, transports_before = left(server), transports()
        plan = [step for _ in range(ROUNDS) for step in STEPS]
        for first in range(0, len(plan), AT_ONCE):
            async with asyncio.TaskGroup() as tasks:
                for step in plan[first : first + AT_ONCE]:
                    tasks.create_task(come_and_go(server, step, vanishes), name="caller")
        await settled(server, before, transports_before)
