"""A thousand sessions opened and dropped, at every step of the protocol and in every manner.

Nothing may stay behind: no task, no socket or file, no session, no memory.
"""

import asyncio
import base64
import contextlib
import gc
import json
import os
import socket as sockets
import struct
from collections.abc import Awaitable, Callable
from itertools import islice, product

import pytest

from tests.bench.frames import CLOSE, FrameReader, client_frame, upgrade_request
from tests.bench.machine import rss_bytes
from tests.bench.stats import slope
from tests.bench.tracks import cut
from tests.conftest import Server, running_server
from tests.speech import utterances
from tests.waiting import polled, unless_it_hangs

SESSIONS = 1000
AT_ONCE = 10
WARM_UP = 300

# Bytes a session. What one leaks is at least its Runner, Session and protocol objects, some 60 kB,
# and mostly its utterance too (200 kB): ten sessions' garbage in different order is less than 4 kB each.
RSS_SLOPE_MAX = 8_000

SPEECH = utterances()[1].pcm24k
FRAMES = tuple(base64.b64encode(frame).decode() for frame in cut(SPEECH + bytes(48_000)))
LAST_EVENT = "response.done"


class Peer:
    """A raw client: it can leave in ways that a library would not."""

    def __init__(self, connection: sockets.socket) -> None:
        self._connection = connection
        self._reader: FrameReader | None = None
        self._head = b""

    async def write(self, frame: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._connection, frame)

    async def send(self, **event: object) -> None:
        await self.write(client_frame(json.dumps(event).encode()))

    async def read(self) -> list[str]:
        """The types of the events that have come; none from the handshake."""
        received = await asyncio.get_running_loop().sock_recv(self._connection, 65_536)
        if not received:
            raise ConnectionError("the server closed")
        if self._reader is None:
            head, end, rest = (self._head + received).partition(b"\r\n\r\n")
            if not end:
                self._head = head
                return []
            assert b" 101 " in head
            self._reader, received = FrameReader(), rest
        return [json.loads(payload)["type"] for opcode, payload in self._reader.feed(received) if opcode == 1]

    async def until(self, event_type: str) -> None:
        async with unless_it_hangs(event_type):
            while event_type not in await self.read():
                pass

    async def say(self, frames: int) -> None:
        for audio in FRAMES[:frames]:
            await self.send(type="input_audio_buffer.append", audio=audio)


# Steps: where the peer is when it leaves ----------------------------------------------------


async def connected(peer: Peer) -> None:
    """Not a byte was sent."""


async def half_a_request(peer: Peer) -> None:
    await peer.write(upgrade_request("127.0.0.1", "/v1/realtime")[:60])


async def asked_to_upgrade(peer: Peer) -> None:
    await peer.write(upgrade_request("127.0.0.1", "/v1/realtime"))


async def accepted(peer: Peer) -> None:
    await asked_to_upgrade(peer)
    await peer.read()


async def created(peer: Peer) -> None:
    await asked_to_upgrade(peer)
    await peer.until("session.created")


async def in_mid_frame(peer: Peer) -> None:
    await created(peer)
    await peer.write(client_frame(b'{"type":"input_audio_buffer.append","audio":"AAAA')[:20])


async def after_an_append(peer: Peer) -> None:
    await created(peer)
    await peer.say(3)


async def in_mid_utterance(peer: Peer) -> None:
    await created(peer)
    await peer.say(len(FRAMES) // 2)
    await peer.until("input_audio_buffer.speech_started")


async def after_the_turn(peer: Peer) -> None:
    await created(peer)
    await peer.say(len(FRAMES))
    await peer.until("input_audio_buffer.committed")


async def after_a_commit(peer: Peer) -> None:
    await created(peer)
    await peer.send(
        type="session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}}
    )
    await peer.say(20)
    await peer.send(type="input_audio_buffer.commit")
    await peer.until("input_audio_buffer.committed")


def at_event(event_type: str) -> Callable[[Peer], Awaitable[None]]:
    async def step(peer: Peer) -> None:
        await created(peer)
        response = {"output_modalities": ["text"]} if event_type == LAST_EVENT else {}
        await peer.send(type="response.create", response=response)
        await peer.until(event_type)

    step.__name__ = f"at {event_type}"
    return step


async def in_mid_audio(peer: Peer) -> None:
    await created(peer)
    await peer.send(type="response.create")
    for _ in range(3):
        await peer.until("response.output_audio.delta")


async def cancelling(peer: Peer) -> None:
    await in_mid_audio(peer)
    await peer.send(type="response.cancel")


async def barging_in(peer: Peer) -> None:
    await in_mid_audio(peer)
    await peer.say(len(FRAMES) // 2)
    await peer.until("input_audio_buffer.speech_started")


STEPS: tuple[Callable[[Peer], Awaitable[None]], ...] = (
    connected,
    half_a_request,
    asked_to_upgrade,
    accepted,
    created,
    in_mid_frame,
    after_an_append,
    in_mid_utterance,
    after_the_turn,
    after_a_commit,
    at_event("response.created"),
    at_event("response.output_item.added"),
    at_event("response.content_part.added"),
    at_event("response.output_audio_transcript.delta"),
    at_event("response.output_audio.delta"),
    at_event("response.done"),
    in_mid_audio,
    cancelling,
    barging_in,
)


# Manners: how it leaves ---------------------------------------------------------------------


async def close_frame(peer: Peer, connection: sockets.socket) -> None:
    await peer.write(client_frame(struct.pack("!H", 1000), CLOSE))
    connection.close()


async def reset(peer: Peer, connection: sockets.socket) -> None:
    """A TCP RST: the process or the network died."""
    connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


async def just_close(peer: Peer, connection: sockets.socket) -> None:
    connection.close()


async def half_close(peer: Peer, connection: sockets.socket) -> None:
    """Says that it will write no more, reads on until the server ends it."""
    connection.shutdown(sockets.SHUT_WR)
    with contextlib.suppress(ConnectionError):
        async with unless_it_hangs("the server's end of the connection"):
            while await asyncio.get_running_loop().sock_recv(connection, 65_536):
                pass
    connection.close()


MANNERS = (close_frame, reset, just_close, half_close)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
async def test_nothing_stays_of_a_peer_that_leaves(step: Callable[[Peer], Awaitable[None]]) -> None:
    """Each step in each manner: tells which one it is when the thousand below leave something."""
    async with running_server() as server:
        before = _left(server)
        for manner in MANNERS:
            await _come_and_go(server, step, manner)
        await _settled(server, before)


async def test_a_thousand_sessions_opened_and_dropped_leave_nothing_and_memory_is_flat() -> None:
    async with running_server() as server:
        plan = product(MANNERS, STEPS)
        kinds = [(step, manner) for manner, step in plan]
        sizes: list[tuple[float, float]] = []
        before = _left(server)
        for first in range(0, SESSIONS + WARM_UP, AT_ONCE):
            batch = (kinds[number % len(kinds)] for number in islice(range(first, 10**6), AT_ONCE))
            async with asyncio.TaskGroup() as tasks:
                for step, manner in batch:
                    tasks.create_task(_come_and_go(server, step, manner))
            if first >= WARM_UP and first % 50 == 0:
                await _settled(server, before)
                gc.collect()
                sizes.append((float(first), float(rss_bytes(os.getpid()))))
        await _settled(server, before)
    assert slope(sizes) < RSS_SLOPE_MAX


async def _come_and_go(
    server: Server,
    step: Callable[[Peer], Awaitable[None]],
    manner: Callable[[Peer, sockets.socket], Awaitable[None]],
) -> None:
    connection = sockets.socket()
    connection.setblocking(False)
    with connection:
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", server.port))
        peer = Peer(connection)
        await step(peer)
        await manner(peer, connection)


def _left(server: Server) -> tuple[int, set[str], int]:
    """Open sessions, names of the server's tasks, open files and sockets of this process."""
    tasks = {task.get_name() for task in asyncio.all_tasks()}
    return server.sessions.open_count, tasks, len(os.listdir("/proc/self/fd"))


async def _settled(server: Server, before: tuple[int, set[str], int]) -> None:
    """Wait until all is as before; show what is left if that does not come."""
    await polled(lambda: _left(server) == before, lambda: f"{before}, but {_left(server)}")
