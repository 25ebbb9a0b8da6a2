"""Datagrams to a call that goes on, on loopback. The first byte says where the rest is from: a stranger, the
peer's own address (as with a forged sender), or the peer itself, as data or media in its encryption. Now and
then it comes while another call is being made. The call of another, next to it, is to feel nothing, and the
attacked one lives, but where the peer itself sent what ends it.
"""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiortc import sdp

from tests.conftest import Server, running_server
from tests.e2e.webrtc_client import Caller
from tests.fuzz.mutate import bytes_changed
from tests.fuzz.target import FOLDER, Attack, Live, Unkept, parts_of
from tests.fuzz.targets import data_channel, media_packets
from tests.peers.pace import Paced
from tests.waiting import HANGS_S

STRANGER, FORGED, DATA, MEDIA = range(4)
LOOK_EVERY, CALL_EVERY = 25, 250


class Line:
    """A caller, and where the server's side of its call listens."""

    def __init__(self) -> None:
        self.address = ("", 0)
        self.caller = Caller()
        self._n_told = 0

    def through(self, text: str) -> str:
        """Notes the server's address; called with the offer first, then with the answer."""
        self._n_told += 1
        if self._n_told == 2:
            audio = sdp.SessionDescription.parse(text).media[0]
            own = [one for one in audio.ice_candidates if one.ip.startswith("127.")] or audio.ice_candidates
            if own:
                self.address = own[0].ip, own[0].port
        return text

    @property
    def dtls(self) -> Any:
        return self.caller.connection.getSenders()[0].transport

    @property
    def is_alive(self) -> bool:
        return self.caller.channel.readyState == "open" and self.dtls.state == "connected"

    async def is_served(self, within_s: float = HANGS_S) -> bool:
        if not self.is_alive:
            return False
        n_errors = len(self.caller.of("error"))
        await self.caller.say(type="conversation.item.retrieve", item_id="none")
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.caller.hears_of("error", n_errors + 1)
        return len(self.caller.of("error")) > n_errors

    async def begin(self, server: Server) -> None:
        await self.caller.call(server, through=self.through)
        await self.caller.until("session.created")


class Attacker:
    def __init__(self, server: Server, other: Line) -> None:
        self._server = server
        self._other = other
        self._line = Line()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._count = 0
        self._is_own_fault = False

    async def begin(self) -> None:
        await self._line.begin(self._server)

    async def attack(self, data: bytes) -> None:
        self._count += 1
        if self._count % CALL_EVERY == 0:
            await self._begin_anew(data)
        await self._send(data)
        if self._count % LOOK_EVERY == 0:
            await self._look()

    async def close(self) -> None:
        self._socket.close()
        await self._line.caller.close()

    async def _look(self) -> None:
        if not await self._other.is_served():
            raise Unkept("the call of another goes on")
        # Who has sent chunks that were no chunks of its own may have lost its count of them.
        if await self._line.is_served(1.0 if self._is_own_fault else HANGS_S):
            return
        if not self._is_own_fault:
            raise Unkept("a call goes on, whatever strangers send")
        await self._line.caller.close()
        self._line, self._is_own_fault = Line(), False
        await self._line.begin(self._server)

    async def _begin_anew(self, data: bytes) -> None:
        """The next call, with strangers at its port from the answer on."""
        before, self._line = self._line, Line()
        await before.caller.close()
        self._is_own_fault = False
        beginning = asyncio.create_task(self._line.begin(self._server), name="caller")
        paced = Paced()
        while not beginning.done():
            if self._line.address[1]:
                self._to_port(data[1:])
            await paced.after(0.002)
        try:
            await beginning
        except AssertionError:
            raise Unkept("a call is made, whatever strangers send meanwhile") from None

    async def _send(self, data: bytes) -> None:
        kind, content = (data[0] % 4, data[1:1201]) if data else (STRANGER, b"")
        match kind:
            case 0:
                self._to_port(content)
            case 1:
                with suppress(ConnectionError, OSError):
                    await self._line.dtls.transport._send(content)
            case 2:
                self._is_own_fault = True
                packet = data_channel.packet(self._tag, content)
                with suppress(ConnectionError):
                    await self._line.dtls._send_data(packet)
            case _:
                if len(content) > 12:
                    with suppress(Exception):  # libsrtp refuses to protect what is no packet
                        await self._line.dtls._send_rtp(content)
        await asyncio.sleep(0)

    def _to_port(self, content: bytes) -> None:
        with suppress(OSError):
            self._socket.sendto(content, self._line.address)

    @property
    def _tag(self) -> int:
        return int(self._line.caller.connection.sctp._remote_verification_tag)


@asynccontextmanager
async def opened() -> AsyncIterator[Attack]:
    async with running_server() as server:
        other = Line()
        await other.begin(server)
        attacker = Attacker(server, other)
        try:
            await attacker.begin()
            yield attacker.attack
        finally:
            await attacker.close()
            await other.caller.close()


def seeds() -> list[bytes]:
    captured = parts_of((FOLDER / "captured_call").read_bytes())
    chunks = [chunk for seed in data_channel.seeds() for chunk in parts_of(seed)]
    packets = [packet for seed in media_packets.seeds() for packet in parts_of(seed)]
    return [
        *(bytes([kind]) + one for one in [b"", *captured] for kind in (STRANGER, FORGED)),
        *(bytes([DATA]) + one for one in dict.fromkeys(chunks)),
        *(bytes([MEDIA]) + one for one in dict.fromkeys(packets)),
    ]


def _mutate(data: bytes, chance: random.Random) -> bytes:
    return data[:1] + bytes_changed(data[1:], chance)


TARGET = Live(opened, seeds, mutate=_mutate, bytes_max=1400, per_s=400.0)
