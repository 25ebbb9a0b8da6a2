"""The servers at one broker, told of and heard of over it: which one serves a device (membership.py)."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from realtime.transports.mqtt.codec import Topics
from realtime.transports.mqtt.membership import (
    RENEW_EVERY_S,
    Claim,
    Kind,
    Membership,
    Presence,
    read_presence,
)
from realtime.transports.mqtt.transport import OutgoingMessage, Publish

HEARD_WITHIN_S = 3.0
"""The broker gives this server's own presence back within that, if its rights allow it."""
LOOKS_EVERY_S = 1.0

logger = logging.getLogger("parlour.mqtt")


class Cluster:
    """As long as a connection to the broker.

    It joins when the broker gives it its own presence back: from then on it sees what all see, in one order.
    """

    def __init__(
        self,
        topics: Topics,
        server: str,
        presence: Presence,
        publish: Publish,
        on_change: Callable[[], None],
        on_claim: Callable[[Claim], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """server: its id, new with each connection: the last will of the one before may come late. on_change:
        somebody has come or gone. on_claim: of somebody else."""
        self.membership = Membership(server)
        self.shown = ""  # what the retained state of the servers says, as far as it is known
        self.changed = asyncio.Event()
        self._topics = topics
        self._presence = presence
        self._publish = publish
        self._on_change = on_change
        self._on_claim = on_claim
        self._now = now
        self._joined = asyncio.Event()
        self._is_asked = asyncio.Event()  # somebody has come who does not know this server
        self._claims: dict[tuple[Kind, str], bytes] = {}  # own ones
        self._unsaid: dict[tuple[Kind, str], bytes] = {}  # changes to them; b"" releases
        self._kept: set[tuple[Kind, str]] = set()  # what the broker may keep of them
        self._has_claims_to_say = asyncio.Event()

    # What the broker delivers --------------------------------------------------------------

    def take(self, topic: str, payload: bytes, is_retained: bool) -> None:
        """Any message. Called in the middle of reading from the broker: never waits."""
        if topic == self._topics.server:
            self.shown = payload.decode(errors="replace")
            if self.shown != "online":
                self.changed.set()
            return
        of = self._topics.of_server(topic)
        if of is None:
            return
        if of.name is None:
            self._heard(of.server, read_presence(payload), is_retained)
        elif of.kind is not None:
            self._take_claim(of.server, of.kind, of.name, payload)

    def _heard(self, server: str, presence: Presence | None, is_retained: bool) -> None:
        membership = self.membership
        was_known = membership.knows(server)
        is_different = membership.heard(server, presence, self._now(), was_kept=is_retained)
        if server == membership.own:
            self._joined.set()
            membership.is_unheard = False
        elif presence is not None and not was_known and not is_retained:
            self._is_asked.set()
        if is_different and membership.has_joined:
            self.changed.set()
            self._on_change()

    def _take_claim(self, server: str, kind: Kind, name: str, payload: bytes) -> None:
        if not payload:
            self.membership.released(server, kind, name)
            if server == self.membership.own and (kind, name) not in self._claims:
                self._kept.discard((kind, name))
            return
        claim = Claim(server, kind, name, payload)
        self.membership.claimed(claim)
        if server != self.membership.own:
            self._on_claim(claim)

    # What this server says -----------------------------------------------------------------

    def serves(self, kind: Kind, name: str) -> bool:
        return self.membership.serves(kind, name)

    def claim(self, kind: Kind, name: str, state: bytes = b"{}") -> None:
        """This server holds the device's conversation. state: JSON."""
        if self._claims.get((kind, name)) != state:
            self._claims[kind, name] = state
            self._say(kind, name, state)

    def release(self, kind: Kind, name: str) -> None:
        if self._claims.pop((kind, name), None) is not None:
            self._say(kind, name, b"")

    def release_now(self, kind: Kind, name: str) -> OutgoingMessage:
        """The message that does, for whoever has to wait until it is posted."""
        self._claims.pop((kind, name), None)
        self._unsaid.pop((kind, name), None)
        return self._claim_message(kind, name, b"")

    def clear(self, claim: Claim) -> OutgoingMessage:
        """The message that removes the claim of a server that is gone."""
        self.membership.released(claim.server, claim.kind, claim.name)
        topic = self._topics.claim(claim.server, claim.kind, claim.name)
        return OutgoingMessage(topic, b"", retain=True)

    def _say(self, kind: Kind, name: str, state: bytes) -> None:
        self._unsaid[kind, name] = state
        self._has_claims_to_say.set()

    def _claim_message(self, kind: Kind, name: str, state: bytes) -> OutgoingMessage:
        topic = self._topics.claim(self.membership.own, kind, name)
        return OutgoingMessage(topic, state, retain=True)

    def _presence_message(self) -> OutgoingMessage:
        topic = self._topics.presence(self.membership.own)
        return OutgoingMessage(topic, msgspec.json.encode(self._presence), retain=True)

    async def join(self, can_hear: bool) -> None:
        """can_hear: what servers say could be subscribed; some brokers deliver nothing of it all the same.
        Raises PeerGone."""
        await self._publish(self._presence_message())
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARD_WITHIN_S if can_hear else 0):
                await self._joined.wait()
        if not self._joined.is_set():
            self.membership.is_unheard = True
            topic = f"{self._topics.server}/#"
            logger.warning("servers do not hear each other", extra={"why": f"no right to read {topic}"})
            self._on_change()

    async def leave(self) -> None:
        """Begin nothing more. What this server holds it keeps until it is released. Raises PeerGone."""
        if self._presence.is_leaving:
            return
        self._presence = msgspec.structs.replace(self._presence, is_leaving=True)
        await self._publish(self._presence_message())

    def last_releases(self) -> list[OutgoingMessage]:
        """Nobody says any more what this server holds or has let go: the messages that do it at its end."""
        releases = [self._claim_message(kind, name, b"") for kind, name in sorted(self._kept)]
        self._kept.clear()
        return releases

    def gone(self, server: str) -> OutgoingMessage:
        """The message that says that a server is gone; the last will of each says it too."""
        return OutgoingMessage(self._topics.presence(server), b"", retain=True)

    async def run(self, tick: Callable[[], None], is_going: Callable[[], bool]) -> None:
        """Until cancelled. tick: called every second. is_going: this server begins nothing more. Raises
        PeerGone."""
        renew_at = self._now() + RENEW_EVERY_S
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOKS_EVERY_S):
                    await self._is_asked.wait()
            if self._is_asked.is_set() or self._now() >= renew_at:
                self._is_asked.clear()
                renew_at = self._now() + RENEW_EVERY_S
                await self._publish(self._presence_message())
            if self.membership.expire(self._now()):
                self.changed.set()
                self._on_change()
            tick()
            if is_going():
                await self.leave()

    async def say_claims(self) -> None:
        """Until cancelled. Raises PeerGone."""
        while True:
            await self._has_claims_to_say.wait()
            self._has_claims_to_say.clear()
            while self._unsaid:
                claim = kind, name = next(iter(self._unsaid))
                state = self._unsaid.pop(claim)
                if state:
                    self._kept.add(claim)
                await self._publish(self._claim_message(kind, name, state))
                if not state and claim not in self._unsaid:
                    self._kept.discard(claim)
