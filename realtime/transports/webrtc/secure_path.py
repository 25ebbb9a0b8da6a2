"""One path to the peer and its encryption: ICE, then DTLS over it (RFC 8445, RFC 8827)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from aiortc import RTCIceTransport
from OpenSSL import SSL
from pylibsrtp import Error as SrtpError

from realtime.session.transport import PeerGone
from realtime.transports.webrtc.answer import LocalPath
from realtime.transports.webrtc.checked_transports import MALFORMED, CheckedDtls, LocalCertificate
from realtime.transports.webrtc.ice import IceSettings, gatherer
from realtime.transports.webrtc.offer import RemotePath

_CLOSE_WITHIN_S = 3.0


class SecurePath:
    """ice: the path itself. certificate: the same for all of a call's, for some peers take no second one.
    on_gone: told once it is lost, after it was there or before."""

    def __init__(
        self,
        remote: RemotePath,
        settings: IceSettings,
        certificate: LocalCertificate,
        on_gone: Callable[[PeerGone], None],
    ) -> None:
        self._remote = remote
        self._on_gone = on_gone
        self._gatherer, self.ice = gatherer(settings)
        self.ice.ice_controlling = bool(remote.ice.iceLite)
        self._transport = RTCIceTransport(self._gatherer)
        self.dtls = CheckedDtls(self._transport, [certificate])
        self.dtls._set_role("server" if remote.dtls.role == "client" else "client")
        self._transport.on("statechange", self._changed)
        self.dtls.on("statechange", self._changed)

    async def gather(self) -> LocalPath:
        """With all our candidates: there is no trickle. One fingerprint, of the hash that the peer uses: of
        several, some peers keep one that they do not know (RFC 8122 5)."""
        await self._gatherer.gather()
        fingerprints = self.dtls.getLocalParameters().fingerprints
        return LocalPath(
            self._gatherer.getLocalParameters(),
            self._gatherer.getLocalCandidates(),
            next(one for one in fingerprints if one.algorithm == self._remote.hash_name),
            is_client=self.dtls._role == "client",
        )

    async def connect(self) -> None:
        """Find a path and agree on keys. Raises PeerGone."""
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(self._tell_candidates(), name="candidates of the peer")
            await self._transport.start(self._remote.ice)
            telling.cancel()
        if self._transport.state != "completed":
            raise PeerGone(1006, "no network path to the peer was found")
        try:
            await self.dtls.start(self._remote.dtls)
        except (SSL.Error, SrtpError, *MALFORMED) as error:  # of a certificate, mostly
            self.dtls.failure = self.dtls.failure or type(error).__name__
            raise self._handshake_failed() from None
        if self.dtls.state != "connected":
            raise self._handshake_failed()

    async def close(self) -> None:
        for stop in (self.dtls.stop, self._transport.stop):
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(_CLOSE_WITHIN_S):
                    await stop()

    async def _tell_candidates(self) -> None:
        # At once: a browser's hidden address is looked up in the local network, which may take seconds.
        # One that cannot be used says nothing of the others.
        told = (self._transport.addRemoteCandidate(candidate) for candidate in self._remote.candidates)
        await asyncio.gather(*told, return_exceptions=True)
        if self._remote.has_all_candidates:
            await self._transport.addRemoteCandidate(None)

    def _handshake_failed(self) -> PeerGone:
        return PeerGone(1006, f"the peer's DTLS handshake failed: {self.dtls.failure or 'no reason given'}")

    def _changed(self) -> None:
        if self._transport.state == "failed":
            self._on_gone(PeerGone(1006, "the network path was lost"))
        elif self.dtls.state == "failed":
            self._on_gone(self._handshake_failed())
        elif self.dtls.state == "closed":
            self._on_gone(PeerGone(1001, "the peer closed the connection"))
