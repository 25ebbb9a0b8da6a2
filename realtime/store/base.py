"""What a store of sessions is: it has them while nobody is connected, and after the server's end."""

from dataclasses import dataclass
from typing import Protocol

from realtime.errors import ParlourError


class StoreError(ParlourError):
    """The store cannot be reached or used. One sentence."""


@dataclass(frozen=True, slots=True)
class StoredSession:
    """One session. Times are seconds since the epoch.

    owner: whose it is, "" where nobody is asked for a key. tokens: the hash of each token that
    resumes it, and when that one ends. data: the session itself, encoded.
    """

    session_id: str
    owner: str
    tokens: dict[str, float]
    expires_at: float
    data: bytes


class Store(Protocol):
    """A session has one holder at a time: the server that may change what is stored of it."""

    async def save(self, stored: StoredSession, holder: str) -> bool:
        """Store the session in place of what was stored of it. False when another holder has it now."""
        ...

    async def claim(
        self, session_id: str, token: str, owner: str, holder: str, now: float
    ) -> StoredSession | None:
        """Take a session over with a token's hash, which is used up by that, in one indivisible step.

        None where there is no such session, token or owner, or their time is over.
        """
        ...

    async def can_claim(self, session_id: str, token: str, owner: str, now: float) -> bool:
        """Whether a claim would succeed now. Nothing is used up, and the holder stays."""
        ...

    async def delete(self, session_id: str, holder: str) -> None:
        """The session has ended; nothing happens where another holder has it now."""
        ...

    async def delete_expired(self, now: float) -> None:
        """Delete the sessions whose expires_at has come."""
        ...

    async def aclose(self) -> None: ...
