"""The doctor's steps over WebRTC: a call as a browser without a microphone makes it, and how far it comes."""

import asyncio
import re
import time
from collections.abc import Callable

import httpx
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from realtime.commands.server_address import NOT_PARLOUR

NO_PATH = (
    "Everything but WebRTC works. Open the server's UDP ports, name the address at which it is reached "
    "(PARLOUR_WEBRTC_ADDRESS), or use a TURN server: docs/webrtc.md."
)
_NO_RELAY = (
    "Check PARLOUR_TURN_URL, PARLOUR_TURN_USER and PARLOUR_TURN_PASSWORD, and that the TURN server runs and "
    "can be reached from Parlour's machine."
)
_MEDDLED = (
    "Something between changes what is sent: a proxy that rewrites answers, or a firewall that looks in."
)
_SWALLOWED = "Small packets get through and large ones do not: lower the MTU of the VPN or tunnel between."
_CANDIDATE = re.compile(r"^a=candidate:\S+ \d+ udp \d+ (\S+) \d+ typ (\w+)", re.MULTILINE | re.IGNORECASE)


class Failed(Exception):
    """A step that does not succeed: what is wrong, and what to do about it."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what)
        self.what = what
        self.cure = cure


class TestCall:
    """Its steps are taken in this order. Each returns what it found, or raises Failed."""

    __test__ = False  # for pytest: not a class of tests

    def __init__(self, http: httpx.AsyncClient, headers: dict[str, str], within_s: float) -> None:
        """within_s: how long a step waits before it takes silence for a failure."""
        self._http = http
        self._headers = headers
        self._within_s = within_s
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._answer = ""
        self._news = asyncio.Event()
        self._heard_event = False
        self._connection.addTransceiver("audio", direction="recvonly")
        self._channel = self._connection.createDataChannel("oai-events")
        self._channel.on("message", self._event_came)

    async def signal(self) -> str:
        """Offer and answer, over HTTP."""
        await self._connection.setLocalDescription(await self._connection.createOffer())
        headers = {**self._headers, "Content-Type": "application/sdp"}
        since = time.monotonic()
        try:
            response = await self._http.post(
                "v1/realtime/calls", content=self._connection.localDescription.sdp, headers=headers
            )
        except httpx.HTTPError as error:
            raise Failed(f"no answer over HTTP: {type(error).__name__}", _sentence(NOT_PARLOUR)) from None
        took_ms = (time.monotonic() - since) * 1000
        if response.status_code != 201:
            what = f"the call is refused with HTTP {response.status_code}"
            raise Failed(what, "Look at the server's log; does a proxy between forward POST requests?")
        self._answer = response.text
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(self._answer, "answer"))
        except ValueError:
            raise Failed("the answer to the offer is no SDP", _sentence(NOT_PARLOUR)) from None
        assert self._connection.sctp is not None
        self._dtls = self._connection.sctp.transport  # now that it is bundled: the one of all media
        self._ice = self._dtls.transport
        for transport in (self._ice, self._dtls):
            transport.on("statechange", self._news.set)
        return f"the call was answered after {took_ms:.0f} ms"

    async def find_path(self) -> str:
        there = _candidates(self._answer)
        if not await self._reached(lambda: self._ice.state in ("completed", "failed")):
            addresses = ", ".join(sorted({host for host, _ in there}))
            raise Failed(
                f"no UDP gets through to {addresses or 'the server, which named no address'}", NO_PATH
            )
        here = _candidates(self._connection.localDescription.sdp)
        pair = self._ice._connection._nominated[1]
        local, remote = pair.local_candidate, pair.remote_candidate
        chosen = f"{local.type} to {remote.type}, {local.transport} {_socket(remote.host, remote.port)}"
        return f"{chosen} (candidates: {_kinds(here)} here, {_kinds(there)} there)"

    def relay(self, is_configured: bool) -> str:
        """is_configured: the server says that it has a TURN server."""
        relays = [host for host, kind in _candidates(self._answer) if kind == "relay"]
        if is_configured and not relays:
            raise Failed("the server that is configured gave no relay", _NO_RELAY)
        return f"relays at {', '.join(relays)}" if relays else "not configured, and not needed on this path"

    async def encrypt(self) -> str:
        if not await self._reached(lambda: self._dtls.state in ("connected", "failed")):
            raise Failed("the DTLS handshake does not come to an end", _SWALLOWED)
        if self._dtls.state == "failed":
            raise Failed("the DTLS handshake failed, or showed another certificate than agreed", _MEDDLED)
        return "DTLS, with the certificate that was agreed"

    async def open_channel(self) -> str:
        since = time.monotonic()
        if not await self._reached(lambda: self._heard_event):
            raise Failed("no event comes over it", _SWALLOWED)
        return f"its first event came after {(time.monotonic() - since) * 1000:.0f} ms"

    async def close(self) -> None:
        await self._connection.close()

    def _event_came(self, _: str) -> None:
        self._heard_event = True
        self._news.set()

    async def _reached(self, is_so: Callable[[], bool]) -> bool:
        """Whether it comes to that in time, or the path was given up."""
        try:
            async with asyncio.timeout(self._within_s):
                while not is_so():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return self._ice.state != "failed"


def _candidates(sdp: str) -> list[tuple[str, str]]:
    """Addresses and types, each once: an SDP may tell them in every section."""
    return list(dict.fromkeys(_CANDIDATE.findall(sdp)))


def _kinds(candidates: list[tuple[str, str]]) -> str:
    """E.g. "2 host, 1 relay"."""
    kinds = [kind for _, kind in candidates]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "none"


def _socket(host: str, port: int) -> str:
    """RFC 3986 3.2.2."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _sentence(clause: str) -> str:
    return clause[0].upper() + clause[1:]
