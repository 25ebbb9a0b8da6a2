"""The network side of a call: which sockets, which addresses are told, when the peer was heard (RFC 8445)."""

import asyncio
import ipaddress
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aioice import Candidate, Connection
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol, server_reflexive_candidate
from aioice.stun import Message
from aiortc import RTCIceGatherer, RTCIceServer
from aiortc.rtcicetransport import connection_kwargs

from realtime.settings import Settings
from realtime.transports.webrtc.checked_transports import MALFORMED
from realtime.transports.webrtc.rtp import is_media, is_stun

logger = logging.getLogger("parlour.call")

_ASK_WITHIN_S = 2
"""How long STUN and TURN servers may take: a page waits four seconds for its call, then takes a WebSocket."""
_PORT_TRIES = 50
UNREAD_DATAGRAMS_MAX = 512
"""Of the peer, that came before anybody reads them; what comes beyond is dropped, as networks do."""
_COMPONENT = 1  # all is sent over one port


@dataclass(frozen=True, slots=True)
class IceSettings:
    """advertised: the address at which others reach this machine, if it does not know it itself.
    ports: first and last UDP port, None for any."""

    advertised: str
    ports: tuple[int, int] | None
    servers: tuple[RTCIceServer, ...]

    @classmethod
    def of(cls, settings: Settings) -> "IceSettings":
        servers = [RTCIceServer(settings.stun_url)] if settings.stun_url else []
        if settings.turn_url:
            servers.append(RTCIceServer(settings.turn_url, settings.turn_user, settings.turn_password))
        return cls(settings.webrtc_address, settings.webrtc_port_range, tuple(servers))


class Port(StunProtocol):
    """One UDP socket of a call. Anybody can send to it: what is not STUN is taken only from where the peer is
    known to be, and what is no STUN either is dropped."""

    receiver: "PeerPath"

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        assert isinstance(data, bytes)
        if is_stun(data):
            with suppress(*MALFORMED):
                super().datagram_received(data, addr)
        elif self.receiver.knows(addr[:2]):
            self.receiver.data_received(data, self.local_candidate.component)

    async def request(
        self,
        request: Message,
        addr: tuple[str, int],
        integrity_key: bytes | None = None,
        retransmissions: int | None = None,
    ) -> tuple[Message, tuple[str, int]]:
        """As aioice's; connectivity checks are timed."""
        asked_at = time.monotonic()
        answered = await super().request(request, addr, integrity_key, retransmissions)
        if self.receiver.knows(addr[:2]):
            self.receiver.round_trip_s = time.monotonic() - asked_at
        return answered


class PeerPath(Connection):
    """aioice's connection, with ports and an address of our choice; it knows when it last heard the peer.

    round_trip_s: of the last connectivity check; 0 over a relay, whose checks are not seen here.
    on_media: takes RTP and RTCP past aioice's queue, which costs a turn of the event loop for each.
    """

    def __init__(self, settings: IceSettings) -> None:
        super().__init__(ice_controlling=False, **connection_kwargs(list(settings.servers)))
        self._settings = settings
        self.on_media: Callable[[bytes], None] | None = None
        self.heard_at = time.monotonic()
        self.round_trip_s = 0.0

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[Candidate]:
        own = [protocol for address in addresses if (protocol := await self._bind(component, address))]
        self._protocols += own
        candidates = [protocol.local_candidate for protocol in own]
        candidates += self._advertised(candidates)
        found, relayed = await asyncio.gather(
            self._reflexive(own),
            # Without addresses it only asks the relay.
            super().get_component_candidates(component, [], min(timeout, _ASK_WITHIN_S)),
        )
        if self.turn_server and not relayed:
            logger.warning("no relay", extra={"turn": ":".join(map(str, self.turn_server))})
        return candidates + found + relayed

    def knows(self, address: tuple[Any, ...]) -> bool:
        """Whether the peer is there: by its own word, or by a check that bore its password."""
        nominated = self._nominated.get(_COMPONENT)
        if nominated is not None and nominated.remote_addr == address:
            return True
        told = ((one._network_host, one.port) for one in self._remote_candidates)
        checked = (early[1] for early in self._early_checks)  # that came before the peer's candidates
        return address in {*told, *checked}

    def data_received(self, data: bytes, component: int) -> None:
        if not data or is_stun(data):
            return
        self.heard_at = time.monotonic()
        if self.on_media is not None and is_media(data):
            self.on_media(data)
        elif self._queue.qsize() < UNREAD_DATAGRAMS_MAX:
            super().data_received(data, component)

    def send_now(self, data: bytes) -> None:
        """As `send`, at once. Raises ConnectionError without a path."""
        pair = self._nominated.get(_COMPONENT)
        if pair is None:
            raise ConnectionError("there is no path to the peer")
        pair.protocol.transport.sendto(data, pair.remote_addr)

    def check_incoming(self, message: Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        self.heard_at = time.monotonic()
        super().check_incoming(message, addr, protocol)

    async def _bind(self, component: int, address: str) -> Port | None:
        """A socket of this address; None when there is none to be had."""
        loop = asyncio.get_running_loop()
        for port in self._ports():
            try:
                transport, protocol = await loop.create_datagram_endpoint(
                    lambda: Port(self), local_addr=(address, port)
                )
            except OSError:
                continue
            host, bound = transport.get_extra_info("sockname")[:2]
            protocol.local_candidate = _candidate(component, "host", host, bound)
            return protocol
        return None

    def _ports(self) -> list[int]:
        if self._settings.ports is None:
            return [0]
        first, last = self._settings.ports
        return random.sample(range(first, last + 1), min(_PORT_TRIES, last + 1 - first))

    def _advertised(self, own: list[Candidate]) -> list[Candidate]:
        """The same ports at the address where a NAT or a container's host lets them in."""
        if not self._settings.advertised:
            return []
        version = ipaddress.ip_address(self._settings.advertised).version
        return [
            _candidate(one.component, "host", self._settings.advertised, one.port)
            for one in own
            if ipaddress.ip_address(one.host).version == version and one.host != self._settings.advertised
        ]

    async def _reflexive(self, own: list[Port]) -> list[Candidate]:
        if not self.stun_server:
            return []
        asked = [
            asyncio.create_task(server_reflexive_candidate(protocol, self.stun_server))
            for protocol in own
            if ipaddress.ip_address(protocol.local_candidate.host).version == 4
        ]
        if not asked:
            return []
        done, late = await asyncio.wait(asked, timeout=_ASK_WITHIN_S)
        for task in late:
            task.cancel()
        return [task.result()[0] for task in done if task.exception() is None]


def gatherer(settings: IceSettings) -> tuple[RTCIceGatherer, PeerPath]:
    """aiortc's gatherer round a path of local."""
    made, path = RTCIceGatherer(iceServers=[]), PeerPath(settings)
    made._connection = path
    return made, path


def _candidate(component: int, kind: str, host: str, port: int) -> Candidate:
    return Candidate(
        foundation=candidate_foundation(kind, "udp", host),
        component=component,
        transport="udp",
        priority=candidate_priority(component, kind),
        host=host,
        port=port,
        type=kind,
    )
