"""Sessions in this process's memory: they outlive their connection, and nothing else."""

from dataclasses import replace

from realtime.store.base import StoredSession


class MemoryStore:
    """Holds as many sessions as the server runs; `sweep` lets go of the others."""

    def __init__(self) -> None:
        self._sessions: dict[str, tuple[str, StoredSession]] = {}

    async def save(self, stored: StoredSession, holder: str) -> bool:
        held_by, _ = self._sessions.get(stored.session_id, (holder, None))
        if held_by != holder:
            return False
        self._sessions[stored.session_id] = holder, stored
        return True

    async def claim(
        self, session_id: str, token: str, owner: str, holder: str, now: float
    ) -> StoredSession | None:
        stored = self._find(session_id, token, owner, now)
        if stored is None:
            return None
        left = {known: until for known, until in stored.tokens.items() if known != token}
        stored = replace(stored, tokens=left)
        self._sessions[session_id] = holder, stored
        return stored

    async def can_claim(self, session_id: str, token: str, owner: str, now: float) -> bool:
        return self._find(session_id, token, owner, now) is not None

    async def delete(self, session_id: str, holder: str) -> None:
        held_by, _ = self._sessions.get(session_id, ("", None))
        if held_by == holder:
            del self._sessions[session_id]

    async def delete_expired(self, now: float) -> None:
        over = [session_id for session_id, (_, stored) in self._sessions.items() if stored.expires_at <= now]
        for session_id in over:
            del self._sessions[session_id]

    async def aclose(self) -> None:
        self._sessions.clear()

    def _find(self, session_id: str, token: str, owner: str, now: float) -> StoredSession | None:
        _, stored = self._sessions.get(session_id, ("", None))
        if stored is None or stored.owner != owner or stored.expires_at <= now:
            return None
        return stored if stored.tokens.get(token, 0.0) > now else None
