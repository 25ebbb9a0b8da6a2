"""Which servers serve at a broker, and which of them serves a device. Pure: `now` is an argument.

Every server hears the same retained topics: each server's presence, and its claims, one for each device whose
conversation it holds. What a broker delivers it delivers to all in one order, and all decide by one rule:

- a device is served by the server that holds a claim to it, the first one where there are several;
- one that nobody holds, by the server that comes first in its own order of them, which is as good as random
  ("highest random weight": Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998).
  So each is chosen for its share, and a server that comes or goes moves no other's devices.

A presence is a lease: it ends when it is withdrawn, by the server itself or by its last will, and when it is
not renewed. One that the broker had kept may be of a server that died with it, and ends soon unless renewed.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import msgspec
from msgspec import Struct

RENEW_EVERY_S = 10.0
LEASE_S = 35.0
"""Three renewals may be late or lost."""
KEPT_LEASE_S = 10.0
"""Of a presence that the broker had kept: its server answers a newcomer at once."""

CHOICES_KNOWN_MAX = 50_000

Kind = Literal["device", "site"]


class Presence(Struct, frozen=True, kw_only=True):
    """What a server says of itself. is_leaving: it begins nothing more, and keeps what it holds.

    serves: the names of each kind, None for all.
    """

    is_leaving: bool = False
    serves: dict[str, tuple[str, ...] | None] = {}

    def can_serve(self, kind: Kind, name: str) -> bool:
        if kind not in self.serves:
            return False
        names = self.serves[kind]
        return names is None or name in names


_decoder: msgspec.json.Decoder[Presence] = msgspec.json.Decoder(Presence)


def read_presence(payload: bytes) -> Presence | None:
    """None for a presence that was withdrawn, and for what is none."""
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class Claim:
    """A server holds a conversation. state: what another one needs to know to end it."""

    server: str
    kind: Kind
    name: str
    state: bytes


@dataclass(slots=True)
class _Member:
    presence: Presence
    until: float


@dataclass(slots=True)
class Membership:
    """As one server, `own`, sees it.

    is_unheard: the broker does not let servers hear of each other: this one acts as if it was alone.
    """

    own: str
    is_unheard: bool = False
    _members: dict[str, _Member] = field(default_factory=dict)
    _claims: dict[tuple[Kind, str], dict[str, Claim]] = field(default_factory=dict)  # in the broker's order
    _chosen: dict[tuple[Kind, str], str | None] = field(default_factory=dict)  # until somebody comes or goes

    # What the broker delivers --------------------------------------------------------------

    def heard(self, server: str, presence: Presence | None, now: float, *, was_kept: bool) -> bool:
        """A server's presence, or (None) that it is withdrawn. Returns whether anything is different now."""
        before = self._members.get(server)
        if presence is None:
            if before is not None:
                del self._members[server]
        else:
            until = now + (KEPT_LEASE_S if was_kept else LEASE_S)
            self._members[server] = _Member(presence, max(until, before.until if before else until))
        is_different = (before.presence if before else None) != presence
        if is_different:
            self._chosen.clear()
        return is_different

    def expire(self, now: float) -> bool:
        """Forget those whose lease has ended. Returns whether there were any."""
        ended = [
            server for server, member in self._members.items() if server != self.own and now >= member.until
        ]
        for server in ended:
            del self._members[server]
        if ended:
            self._chosen.clear()
        return bool(ended)

    def claimed(self, claim: Claim) -> None:
        self._claims.setdefault((claim.kind, claim.name), {})[claim.server] = claim

    def released(self, server: str, kind: Kind, name: str) -> None:
        claims = self._claims.get((kind, name), {})
        claims.pop(server, None)
        if not claims:
            self._claims.pop((kind, name), None)

    # What follows from it ------------------------------------------------------------------

    @property
    def has_joined(self) -> bool:
        """The others hear of this server, and it of them."""
        return self.own in self._members

    @property
    def others(self) -> frozenset[str]:
        return frozenset(self._members) - {self.own}

    @property
    def is_alone(self) -> bool:
        return self.is_unheard or not self.others

    @property
    def leads(self) -> bool:
        """It says what one of them should say: there is always one that does, and seldom two."""
        staying = [server for server, member in self._members.items() if not member.presence.is_leaving]
        return self.is_unheard or (self.own in staying and min(staying) == self.own)

    def knows(self, server: str) -> bool:
        return server in self._members

    def holder(self, kind: Kind, name: str) -> str | None:
        """The server that holds the device's conversation."""
        claims = self._claims.get((kind, name), {})
        return next((server for server in claims if server in self._members), None)

    def serves(self, kind: Kind, name: str) -> bool:
        """Whether it is this server that serves the device."""
        if self.is_unheard:
            return True
        if not self.has_joined:
            return False
        return (self.holder(kind, name) or self._choose(kind, name)) == self.own

    def held(self) -> list[Claim]:
        """What living servers hold."""
        return [one for one in self._all_claims() if one.server in self._members]

    def orphans(self) -> list[Claim]:
        """Claims of servers that are gone, to devices that this server serves now."""
        return [
            one
            for one in self._all_claims()
            if one.server not in self._members and self.serves(one.kind, one.name)
        ]

    def _all_claims(self) -> list[Claim]:
        return [claim for claims in self._claims.values() for claim in claims.values()]

    def _choose(self, kind: Kind, name: str) -> str | None:
        if (kind, name) not in self._chosen:
            if len(self._chosen) >= CHOICES_KNOWN_MAX:
                self._chosen.clear()
            able = [
                server
                for server, member in self._members.items()
                if not member.presence.is_leaving and member.presence.can_serve(kind, name)
            ]
            self._chosen[kind, name] = max(able, key=lambda server: _weight(server, name), default=None)
        return self._chosen[kind, name]


def _weight(server: str, name: str) -> bytes:
    return hashlib.blake2b(f"{server}/{name}".encode(errors="surrogatepass"), digest_size=8).digest()
