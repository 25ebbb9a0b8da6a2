"""The store that the settings name."""

import os
from collections.abc import Callable
from pathlib import Path

from realtime.settings import REDIS_SCHEMES
from realtime.store.base import Store, StoreError
from realtime.store.memory import MemoryStore


async def open_store(name: str, report: Callable[[str], None]) -> Store:
    """`auto`: a file in the user's folder for state, and memory where there can be none.

    Raises StoreError for one that was named and cannot be used.
    """
    if name == "memory":
        return MemoryStore()
    if name.startswith(REDIS_SCHEMES):
        from realtime.store.redis import RedisStore

        redis = RedisStore(name)
        await redis.check()
        return redis
    from realtime.store.sqlite import SqliteStore

    if name != "auto":
        return await SqliteStore.open(Path(name.removeprefix("sqlite:")))
    try:
        return await SqliteStore.open(state_folder() / "sessions.sqlite3")
    except StoreError as error:
        report(f"Conversations will not survive a restart: {error}")
        return MemoryStore()


def state_folder() -> Path:
    """XDG Base Directory Specification: $XDG_STATE_HOME, or ~/.local/state."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "parlour"
