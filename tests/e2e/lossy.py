"""A network in the way: a UDP relay that loses, delays and so reorders what passes it. Needs no rights."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

_CANDIDATE = re.compile(
    r"a=candidate:(\S+) 1 udp (\d+) (\d+\.\d+\.\d+\.\d+) (\d+) typ host\r\n", re.IGNORECASE
)
_ANY_CANDIDATE = re.compile(r"a=candidate:.*\r\n")


class _Side(asyncio.DatagramProtocol):
    """One socket of the relay. What it receives leaves by the other."""

    def __init__(self, network: "LossyNetwork") -> None:
        self._network = network
        self.other: _Side
        self.peer: tuple[str, int] | None = None  # who is on this side
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)  # selector_events' is none by descent

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.peer = self.peer or addr
        self._network.carry(data, self.other)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.transport.get_extra_info("sockname")
        return host, port


class LossyNetwork:
    """loss: share of packets; jitter_s: each takes up to so much longer than delay_s, evenly spread."""

    def __init__(self, loss: float, jitter_s: float, seed: int, delay_s: float) -> None:
        self._loss = loss
        self._delay_s = delay_s
        self._jitter_s = jitter_s
        self._random = random.Random(seed)
        self.passed = self.lost = 0
        self._described = 0
        self.sides: list[_Side] = []

    def carry(self, data: bytes, towards: _Side) -> None:
        if self._random.random() < self._loss:
            self.lost += 1
            return
        self.passed += 1
        delay_s = self._delay_s + self._random.uniform(0.0, self._jitter_s)
        asyncio.get_running_loop().call_later(delay_s, self._deliver, data, towards)

    def cut(self) -> None:
        """From now on nothing passes, and nobody is told."""
        self._loss = 1.0

    def through(self, description: str) -> str:
        """The description with our address in it: the first time the caller's, then the server's.

        Who hides its address (browsers do) is known by the first packet that comes from it.
        """
        side = self.sides[self._described]
        self._described += 1
        found = _CANDIDATE.search(description)
        if found is not None:
            side.peer = (found[3], int(found[4]))
        host, port = side.other.address
        ours = f"a=candidate:1 1 udp 2130706431 {host} {port} typ host\r\n"
        put = iter([ours])
        return _ANY_CANDIDATE.sub(lambda _: next(put, ""), description)

    def _deliver(self, data: bytes, towards: _Side) -> None:
        if towards.peer is not None and not towards.transport.is_closing():
            towards.transport.sendto(data, towards.peer)


@asynccontextmanager
async def lossy_network(
    host: str, loss: float, jitter_s: float, seed: int = 1, delay_s: float = 0.0
) -> AsyncIterator[LossyNetwork]:
    """host: an address that both ends can reach."""
    network = LossyNetwork(loss, jitter_s, seed, delay_s)
    loop = asyncio.get_running_loop()
    for _ in range(2):
        _, side = await loop.create_datagram_endpoint(lambda: _Side(network), local_addr=(host, 0))
        network.sides.append(side)
    network.sides[0].other, network.sides[1].other = network.sides[1], network.sides[0]
    try:
        yield network
    finally:
        for side in network.sides:
            side.transport.close()
