"""Sessions that outlive their connection: their tokens, and their place in the store."""

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
from realtime.store.base import Store, Stored, StoreError

HAND_OVER_S = 120.0
SAVE_EVERY_S = 1.0
SWEEP_EVERY_S = 60.0

logger = logging.getLogger("parlour.session")


@dataclass(slots=True)
class _Kept:
    """A session of this process. tokens: hash -> when it ends, as in the store. for_others: those of them
    that outlive a lost connection: for a hand-over, or the way back to the device that it left last."""

    session: Resumable
    owner: str
    tokens: dict[str, float] = field(default_factory=dict)
    for_others: set[str] = field(default_factory=set)
    used: str = ""  # the hash of the token that stays good until the next one is known to have arrived
    saving: asyncio.Task[None] | None = None
    saved_at: float = 0.0
    is_dirty: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def move(self) -> None:
        """It goes to another device: what was made for others is of no use any more."""
        self.tokens = {one: until for one, until in self.tokens.items() if one not in self.for_others}
        self.for_others.clear()


class SessionKeeper:
    """Looks after the sessions of this process that may be resumed.

    What is said is stored within SAVE_EVERY_S; a store that fails costs resumption after a restart, and
    no session.
    """

    def __init__(
        self,
        store: Store,
        signer: Signer,
        grace_s: float,
        revive: Callable[[Snapshot, str], Resumable],
        wall: Callable[[], float] = time.time,
    ) -> None:
        """revive: what another process has stored, and its owner -> a session that runs here."""
        self._store = store
        self._signer = signer
        self._grace_s = grace_s
        self._revive = revive
        self._wall = wall
        self._holder = secrets.token_hex(8)
        self._kept: dict[str, _Kept] = {}

    def adopt(self, session: Resumable, owner: str) -> None:
        """A session begins; nothing of it is kept before it has a token."""
        self._kept[session.session_id] = _Kept(session, owner)

    async def end(self, session: Resumable, forget: bool) -> None:
        """A session of this process is over. forget: for good; else the store still has it."""
        kept = self._kept.pop(session.session_id, None)
        if kept is None or not kept.tokens:
            return
        if kept.saving is not None:
            kept.saving.cancel()
        try:
            if forget:
                await self._store.forget(session.session_id, self._holder)
        except StoreError as error:
            logger.warning("store", extra={"why": str(error)})

    # What a session asks for (realtime/session/connection.py: Keeper) -----------------------------

    async def issue(self, session: Resumable, used: str = "") -> str:
        kept = self._kept[session.session_id]
        token = self._sign(kept, session.expires_at)
        kept.used = hash_of(used) if used else ""
        tokens = {other: until for other, until in kept.tokens.items() if other in kept.for_others}
        kept.tokens = {**tokens, hash_of(token): float(session.expires_at)}
        if used:
            kept.tokens[kept.used] = self._wall() + self._grace_s
        await self._save(kept)
        return token

    async def issue_for_another(self, session: Resumable) -> tuple[str, int]:
        return await self._issue_beside(session, int(min(self._wall() + HAND_OVER_S, session.expires_at)))

    async def issue_way_back(self, session: Resumable) -> tuple[str, int]:
        return await self._issue_beside(session, session.expires_at)

    async def _issue_beside(self, session: Resumable, expires_at: int) -> tuple[str, int]:
        kept = self._kept[session.session_id]
        token = self._sign(kept, expires_at)
        kept.tokens[hash_of(token)] = float(expires_at)
        kept.for_others.add(hash_of(token))
        await self._save(kept)
        return token, expires_at

    async def confirm(self, session: Resumable) -> None:
        kept = self._kept[session.session_id]
        if kept.tokens.pop(kept.used, None) is not None:
            await self._save(kept)

    async def find(self, token: str, owner: str) -> Resumable:
        """The session of a token, on this server or out of the store. Raises ClientError."""
        session_id = _session_of(token)
        try:
            stored = await self._store.claim(session_id, hash_of(token), owner, self._holder, self._wall())
        except StoreError as error:
            raise _no_answer(error) from error
        if stored is None:
            raise _worthless()
        here = self._kept.get(session_id)
        if here is not None:
            here.tokens.pop(hash_of(token), None)
            if hash_of(token) in here.for_others:
                here.move()
            return here.session
        snapshot = Snapshot.decode(stored.data)
        if snapshot is None:
            raise ClientError("resume_unavailable", "What is stored of the session cannot be read here.")
        return self._revive(snapshot, owner)

    async def check(self, token: str, owner: str) -> None:
        """Whether `find` would find a session now; the token is not used up. Raises ClientError."""
        try:
            is_good = await self._store.has(_session_of(token), hash_of(token), owner, self._wall())
        except StoreError as error:
            raise _no_answer(error) from error
        if not is_good:
            raise _worthless()

    def changed(self, session: Resumable) -> None:
        kept = self._kept.get(session.session_id)
        if kept is None or not kept.tokens:
            return
        kept.is_dirty = True
        if kept.saving is None:
            kept.saving = asyncio.create_task(self._save_soon(kept), name=f"save {session.session_id}")

    # The store ------------------------------------------------------------------------

    async def save_all(self) -> None:
        """Before the server ends."""
        for kept in list(self._kept.values()):
            if kept.tokens and not kept.session.is_over:
                await self._save(kept)

    async def sweep(self) -> None:
        """Forget, now and then, what is past its time. Until cancelled."""
        while True:
            try:
                await self._store.sweep(self._wall())
            except StoreError as error:
                logger.warning("store", extra={"why": str(error)})
            await asyncio.sleep(SWEEP_EVERY_S)

    async def _save_soon(self, kept: _Kept) -> None:
        await asyncio.sleep(SAVE_EVERY_S)
        kept.saving = None
        if kept.is_dirty and not kept.session.is_over:
            await self._save(kept)

    async def _save(self, kept: _Kept) -> None:
        session = kept.session
        async with kept.lock:
            kept.is_dirty = False
            until = float(session.expires_at) if session.is_served else self._wall() + self._grace_s
            stored = Stored(
                session.session_id, kept.owner, dict(kept.tokens), until, session.snapshot().encode()
            )
            try:
                is_ours = await self._store.save(stored, self._holder)
            except StoreError as error:
                logger.warning("store", extra={"why": str(error)})
                return
        if not is_ours:
            session.give_up()

    def _sign(self, kept: _Kept, expires_at: float) -> str:
        claims = {"session": kept.session.session_id, "owner": kept.owner}
        return self._signer.sign(RESUME_TOKEN, claims, expires_at)


def _session_of(token: str) -> str:
    """The id of the session that a token says to be of. Raises ClientError."""
    claims = claims_of(RESUME_TOKEN, token)
    session_id = claims.get("session") if claims else None
    if not isinstance(session_id, str) or not session_id.isascii():  # no store takes half a surrogate
        raise ClientError("invalid_resume_token", "That is no resume token.", "token")
    return session_id


def _no_answer(error: StoreError) -> ClientError:
    return ClientError("resume_unavailable", f"The session cannot be looked up: {error}")


def _worthless() -> ClientError:
    return ClientError(
        "invalid_resume_token",
        "This token does not resume a session: it was used already, its time is over, "
        "or it was given to somebody else.",
        "token",
    )
