"""Resumption: sessions outlive their connection and their server, by tokens and by what is stored of them."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from realtime.access.tokens import RESUME_TOKEN, Signer, claims_of, hash_of
from realtime.errors import ClientError
from realtime.protocol.snapshot import Snapshot
from realtime.session.connection import Resumable
from realtime.store.base import Store, StoredSession, StoreError

HAND_OVER_S = 120.0
SAVE_EVERY_S = 1.0
DELETE_EXPIRED_EVERY_S = 60.0

logger = logging.getLogger("parlour.session")


@dataclass(slots=True)
class _Entry:
    """A session of this process. Tokens are known by their hashes.

    tokens: hash -> when it ends (seconds since the epoch), as in the store. hand_over_tokens: those of them
    for another device: to take the session over, or to bring it back to the device that it left last.
    used_token: stays good until the next one is known to have arrived. is_dirty: something is not stored yet.
    """

    session: Resumable
    owner: str
    tokens: dict[str, float] = field(default_factory=dict)
    hand_over_tokens: set[str] = field(default_factory=set)
    used_token: str = ""
    saving: asyncio.Task[None] | None = None
    is_dirty: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def drop_hand_over_tokens(self) -> None:
        """The session goes to another device: of no use any more."""
        self.tokens = {one: until for one, until in self.tokens.items() if one not in self.hand_over_tokens}
        self.hand_over_tokens.clear()


class ResumableSessions:
    """The sessions of this process that may be resumed: issues their tokens, stores and restores them.

    What changes is stored within SAVE_EVERY_S. A store that fails costs resumption after a restart, and no
    session.
    """

    def __init__(
        self,
        store: Store,
        signer: Signer,
        grace_s: float,
        restore: Callable[[Snapshot, str], Resumable],
        wall: Callable[[], float] = time.time,
    ) -> None:
        """restore: a snapshot that another process has stored, its owner -> a session that runs here.

        grace_s: how long a session without a connection can be resumed. wall: seconds since the epoch.
        """
        self._store = store
        self._signer = signer
        self._grace_s = grace_s
        self._restore = restore
        self._wall = wall
        self._holder = secrets.token_hex(8)
        self._entries: dict[str, _Entry] = {}

    def add(self, session: Resumable, owner: str) -> None:
        """A session begins; nothing of it is stored before it has a token."""
        self._entries[session.session_id] = _Entry(session, owner)

    async def remove(self, session: Resumable, delete: bool) -> None:
        """A session of this process is over. delete: remove it from the store, too."""
        entry = self._entries.pop(session.session_id, None)
        if entry is None or not entry.tokens:
            return
        if entry.saving is not None:
            entry.saving.cancel()
        try:
            if delete:
                await self._store.delete(session.session_id, self._holder)
        except StoreError as error:
            logger.warning("store", extra={"why": str(error)})

    # What a session asks for (realtime/session/connection.py: Resumption) -----------------------------

    async def issue_token(self, session: Resumable, used: str = "") -> str:
        entry = self._entries[session.session_id]
        token = self._sign(entry, session.expires_at)
        entry.used_token = hash_of(used) if used else ""
        tokens = {other: until for other, until in entry.tokens.items() if other in entry.hand_over_tokens}
        entry.tokens = {**tokens, hash_of(token): float(session.expires_at)}
        if used:
            entry.tokens[entry.used_token] = self._wall() + self._grace_s
        await self._save(entry)
        return token

    async def issue_hand_over_token(self, session: Resumable) -> tuple[str, int]:
        return await self._issue_another(session, int(min(self._wall() + HAND_OVER_S, session.expires_at)))

    async def issue_return_token(self, session: Resumable) -> tuple[str, int]:
        return await self._issue_another(session, session.expires_at)

    async def _issue_another(self, session: Resumable, expires_at: int) -> tuple[str, int]:
        entry = self._entries[session.session_id]
        token = self._sign(entry, expires_at)
        entry.tokens[hash_of(token)] = float(expires_at)
        entry.hand_over_tokens.add(hash_of(token))
        await self._save(entry)
        return token, expires_at

    async def confirm_token(self, session: Resumable) -> None:
        entry = self._entries[session.session_id]
        if entry.tokens.pop(entry.used_token, None) is not None:
            await self._save(entry)

    async def claim(self, token: str, owner: str) -> Resumable:
        """The session of a token, on this server or out of the store. Raises ClientError."""
        session_id = _session_of(token)
        try:
            stored = await self._store.claim(session_id, hash_of(token), owner, self._holder, self._wall())
        except StoreError as error:
            raise _store_unavailable(error) from error
        if stored is None:
            raise _invalid_token()
        here = self._entries.get(session_id)
        if here is not None:
            here.tokens.pop(hash_of(token), None)
            if hash_of(token) in here.hand_over_tokens:
                here.drop_hand_over_tokens()
            return here.session
        snapshot = Snapshot.decode(stored.data)
        if snapshot is None:
            raise ClientError("resume_unavailable", "What is stored of the session cannot be read here.")
        return self._restore(snapshot, owner)

    async def check(self, token: str, owner: str) -> None:
        """Whether `claim` would find a session now; the token is not used up. Raises ClientError."""
        try:
            is_good = await self._store.can_claim(_session_of(token), hash_of(token), owner, self._wall())
        except StoreError as error:
            raise _store_unavailable(error) from error
        if not is_good:
            raise _invalid_token()

    def save_soon(self, session: Resumable) -> None:
        entry = self._entries.get(session.session_id)
        if entry is None or not entry.tokens:
            return
        entry.is_dirty = True
        if entry.saving is None:
            entry.saving = asyncio.create_task(self._save_soon(entry), name=f"save {session.session_id}")

    # The store ------------------------------------------------------------------------

    async def save_all(self) -> None:
        """Before the server ends."""
        for entry in list(self._entries.values()):
            if entry.tokens and not entry.session.is_over:
                await self._save(entry)

    async def delete_expired(self) -> None:
        """Delete, now and then, what has expired in the store. Until cancelled."""
        while True:
            try:
                await self._store.delete_expired(self._wall())
            except StoreError as error:
                logger.warning("store", extra={"why": str(error)})
            await asyncio.sleep(DELETE_EXPIRED_EVERY_S)

    async def _save_soon(self, entry: _Entry) -> None:
        await asyncio.sleep(SAVE_EVERY_S)
        entry.saving = None
        if entry.is_dirty and not entry.session.is_over:
            await self._save(entry)

    async def _save(self, entry: _Entry) -> None:
        session = entry.session
        async with entry.lock:
            entry.is_dirty = False
            until = float(session.expires_at) if session.is_served else self._wall() + self._grace_s
            stored = StoredSession(
                session.session_id, entry.owner, dict(entry.tokens), until, session.snapshot().encode()
            )
            try:
                is_ours = await self._store.save(stored, self._holder)
            except StoreError as error:
                logger.warning("store", extra={"why": str(error)})
                return
        if not is_ours:
            session.taken_over()

    def _sign(self, entry: _Entry, expires_at: float) -> str:
        claims = {"session": entry.session.session_id, "owner": entry.owner}
        return self._signer.sign(RESUME_TOKEN, claims, expires_at)


def _session_of(token: str) -> str:
    """The id of the session that a token says to be of. Raises ClientError."""
    claims = claims_of(RESUME_TOKEN, token)
    session_id = claims.get("session") if claims else None
    if not isinstance(session_id, str) or not session_id.isascii():  # no store takes half a surrogate
        raise ClientError("invalid_resume_token", "That is no resume token.", "token")
    return session_id


def _store_unavailable(error: StoreError) -> ClientError:
    return ClientError("resume_unavailable", f"The session cannot be looked up: {error}")


def _invalid_token() -> ClientError:
    return ClientError(
        "invalid_resume_token",
        "This token does not resume a session: it was used already, its time is over, "
        "or it was given to somebody else.",
        "token",
    )
