"""Sessions in a SQLite file: they outlive the server, too. For one server, or several on one machine."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from realtime.store.base import StoredSession, StoreError

T = TypeVar("T")

BUSY_S = 5.0
SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    session_id TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    owner TEXT NOT NULL,
    tokens TEXT NOT NULL,
    expires_at REAL NOT NULL,
    data BLOB NOT NULL
) STRICT
"""
_SAVE = """
INSERT INTO sessions (session_id, holder, owner, tokens, expires_at, data) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (session_id) DO UPDATE
SET owner = excluded.owner, tokens = excluded.tokens, expires_at = excluded.expires_at, data = excluded.data
WHERE holder = excluded.holder
"""


class SqliteStore:
    """All statements run on one thread of their own, in the order in which they were asked for."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread

    @classmethod
    async def open(cls, path: Path) -> "SqliteStore":
        """Raises StoreError when there cannot be such a file."""
        thread = ThreadPoolExecutor(1, "sqlite store")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(thread, _open, path)
        except (OSError, sqlite3.Error) as error:
            thread.shutdown()
            raise StoreError(f"sessions cannot be kept in {path} ({error}).") from error
        return cls(connection, thread)

    async def save(self, stored: StoredSession, holder: str) -> bool:
        row = (
            stored.session_id,
            holder,
            stored.owner,
            json.dumps(stored.tokens),
            stored.expires_at,
            stored.data,
        )
        return await self._run(lambda connection: connection.execute(_SAVE, row).rowcount == 1)

    async def claim(
        self, session_id: str, token: str, owner: str, holder: str, now: float
    ) -> StoredSession | None:
        def take(connection: sqlite3.Connection) -> StoredSession | None:
            row = connection.execute(
                "SELECT tokens, expires_at, data FROM sessions"
                " WHERE session_id = ? AND owner = ? AND expires_at > ?",
                (session_id, owner, now),
            ).fetchone()
            if row is None:
                return None
            tokens: dict[str, float] = json.loads(row[0])
            if tokens.pop(token, 0.0) <= now:
                return None
            connection.execute(
                "UPDATE sessions SET tokens = ?, holder = ? WHERE session_id = ?",
                (json.dumps(tokens), holder, session_id),
            )
            return StoredSession(session_id, owner, tokens, row[1], row[2])

        return await self._run(take)

    async def can_claim(self, session_id: str, token: str, owner: str, now: float) -> bool:
        def look(connection: sqlite3.Connection) -> bool:
            row = connection.execute(
                "SELECT tokens FROM sessions WHERE session_id = ? AND owner = ? AND expires_at > ?",
                (session_id, owner, now),
            ).fetchone()
            return row is not None and json.loads(row[0]).get(token, 0.0) > now

        return await self._run(look)

    async def delete(self, session_id: str, holder: str) -> None:
        statement = "DELETE FROM sessions WHERE session_id = ? AND holder = ?"
        await self._run(lambda connection: connection.execute(statement, (session_id, holder)))

    async def delete_expired(self, now: float) -> None:
        statement = "DELETE FROM sessions WHERE expires_at <= ?"
        await self._run(lambda connection: connection.execute(statement, (now,)))

    async def aclose(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """In one transaction. Raises StoreError."""

        def transaction() -> T:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                return work(self._connection)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, transaction)
        except sqlite3.Error as error:
            raise StoreError(f"the file of sessions cannot be used ({error}).") from error


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # what people said is nobody else's
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = ON")
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if version not in (0, SCHEMA_VERSION):
        connection.execute("DROP TABLE IF EXISTS sessions")  # of another version, which this one cannot read
    connection.execute(_SCHEMA)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return connection
