"""Sessions in Redis or Valkey: several servers share them, and each can go on with another's."""

import json
from importlib import import_module
from typing import Any

from realtime.store.base import StoredSession, StoreError

PREFIX = "parlour:session:"
ANSWER_WITHIN_S = 2.0

# A script runs as one step. KEYS[1]: the session; the fields are those of StoredSession, and its holder.
_SAVE = """
local held_by = redis.call('HGET', KEYS[1], 'holder')
if held_by and held_by ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'owner', ARGV[2], 'tokens', ARGV[3],
           'expires_at', ARGV[4], 'data', ARGV[5])
redis.call('PEXPIREAT', KEYS[1], math.floor(tonumber(ARGV[4]) * 1000))
return 1
"""
_CLAIM = """
local found = redis.call('HMGET', KEYS[1], 'owner', 'tokens', 'expires_at', 'data')
if not found[1] or found[1] ~= ARGV[2] or tonumber(found[3]) <= tonumber(ARGV[4]) then return false end
local tokens = cjson.decode(found[2])
local good_until = tokens[ARGV[1]]
if not good_until or good_until <= tonumber(ARGV[4]) then return false end
tokens[ARGV[1]] = nil
local left = next(tokens) and cjson.encode(tokens) or '{}'
redis.call('HSET', KEYS[1], 'tokens', left, 'holder', ARGV[3])
return {left, found[3], found[4]}
"""
_CAN_CLAIM = """
local found = redis.call('HMGET', KEYS[1], 'owner', 'tokens', 'expires_at')
if not found[1] or found[1] ~= ARGV[2] or tonumber(found[3]) <= tonumber(ARGV[3]) then return 0 end
local good_until = cjson.decode(found[2])[ARGV[1]]
return good_until and good_until > tonumber(ARGV[3]) and 1 or 0
"""
_DELETE = """
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class RedisStore:
    """url: redis://..., rediss://... or unix://..., as redis-py reads them."""

    def __init__(self, url: str) -> None:
        """Raises StoreError when redis-py is missing, or the address makes no sense."""
        try:
            client = import_module("redis.asyncio")
        except ModuleNotFoundError:
            raise StoreError(
                "the store is in Redis, and its client is not installed: pip install 'parlour[redis]'."
            ) from None
        try:
            self._redis: Any = client.from_url(
                url, socket_timeout=ANSWER_WITHIN_S, socket_connect_timeout=ANSWER_WITHIN_S
            )
        except ValueError as error:
            raise StoreError(f"the address of Redis cannot be used ({error}).") from error
        self._errors: type[Exception] = import_module("redis.exceptions").RedisError
        self._save = self._redis.register_script(_SAVE)
        self._claim = self._redis.register_script(_CLAIM)
        self._can_claim = self._redis.register_script(_CAN_CLAIM)
        self._delete = self._redis.register_script(_DELETE)

    async def check(self) -> None:
        """Raises StoreError when it does not answer."""
        try:
            await self._redis.ping()
        except (self._errors, OSError) as error:
            raise StoreError(f"Redis does not answer ({error}).") from error

    async def save(self, stored: StoredSession, holder: str) -> bool:
        tokens = json.dumps(stored.tokens)
        fields = [holder, stored.owner, tokens, repr(stored.expires_at), stored.data]
        return bool(await self._run(self._save, stored.session_id, fields) == 1)

    async def claim(
        self, session_id: str, token: str, owner: str, holder: str, now: float
    ) -> StoredSession | None:
        found = await self._run(self._claim, session_id, [token, owner, holder, repr(now)])
        if found is None:
            return None
        return StoredSession(session_id, owner, json.loads(found[0]), float(found[1]), found[2])

    async def can_claim(self, session_id: str, token: str, owner: str, now: float) -> bool:
        return bool(await self._run(self._can_claim, session_id, [token, owner, repr(now)]) == 1)

    async def delete(self, session_id: str, holder: str) -> None:
        await self._run(self._delete, session_id, [holder])

    async def delete_expired(self, now: float) -> None:
        """Redis does it by itself (PEXPIREAT)."""

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def _run(self, script: Any, session_id: str, arguments: list[Any]) -> Any:
        try:
            return await script(keys=[PREFIX + session_id], args=arguments)
        except (self._errors, OSError) as error:
            raise StoreError(f"Redis does not answer ({error}).") from error
