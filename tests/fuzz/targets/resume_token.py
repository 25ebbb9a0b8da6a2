"""Tokens of a session that is stored: forged, cut, swapped, replayed, of another user. An input is two lines,
who asks and the token; `!` before the token stands for claims that are wrapped as a token, signed by nobody.
"""

import asyncio
import json
import random
import tempfile
from pathlib import Path
from typing import Any

from realtime.access.tokens import RESUME_TOKEN, Signer, _encode, hash_of
from realtime.errors import ClientError
from realtime.session.resumption import ResumableSessions
from realtime.store.base import Store, StoredSession
from realtime.store.memory import MemoryStore
from realtime.store.sqlite import SqliteStore
from tests.fuzz.mutate import bytes_changed, json_changed
from tests.fuzz.target import Pure, Unkept

OWNER = "key:1234"
NOW = 1_000_000.0
_loop = asyncio.new_event_loop()
_signer = Signer(["secret"])
CLAIMS: dict[str, Any] = {"session": "sess_1", "owner": OWNER}


def _signed(signer: Signer, until: float, nonce: str) -> str:
    """As `Signer.sign`, and the same in each run."""
    claims = json.dumps({**CLAIMS, "until": int(until), "nonce": nonce}, separators=(",", ":"))
    body = f"{RESUME_TOKEN}_{_encode(claims.encode())}"
    return f"{body}.{_encode(signer._signature(body))}"


TOKEN = _signed(_signer, NOW + 60, "a")
EXPIRED = _signed(_signer, NOW - 60, "b")
USED = _signed(_signer, NOW + 60, "c")
OF_ANOTHER_SERVER = _signed(Signer(["other"]), NOW + 60, "a")
STORED = StoredSession(
    "sess_1", OWNER, {hash_of(TOKEN): NOW + 60, hash_of(EXPIRED): NOW - 60}, NOW + 600, b"nonsense"
)
_folder = tempfile.TemporaryDirectory()
_stores: list[Store] = []


async def _open() -> None:
    _stores.append(MemoryStore())
    _stores.append(await SqliteStore.open(Path(_folder.name) / "sessions.sqlite3"))


def run(data: bytes) -> None:
    if not _stores:
        _loop.run_until_complete(_open())
    owner, _, shown = data.decode(errors="replace").partition("\n")
    token = shown if not shown.startswith("!") else _wrapped(shown[1:])
    if token not in (TOKEN, USED) and _signer.read(RESUME_TOKEN, token, NOW) is not None:
        raise Unkept("a token that nobody signed says nothing")
    _loop.run_until_complete(_find(owner, token))


def _wrapped(claims: str) -> str:
    return f"{RESUME_TOKEN}_{_encode(claims.encode(errors='replace'))}.AAAA"


async def _find(owner: str, token: str) -> None:
    for store in _stores:
        await store.save(STORED, "holder")
        resumption = ResumableSessions(store, _signer, 60.0, _restore, lambda: NOW)
        try:
            await resumption.claim(token, owner)
        except ClientError as error:
            is_right = token == TOKEN and owner == OWNER
            if is_right != (error.code == "resume_unavailable"):
                raise Unkept(f"the right token comes to the session, no other does: {error.code}") from None
        await store.delete("sess_1", resumption._holder)
        await store.delete("sess_1", "holder")


def _restore(*_: object) -> Any:
    raise Unkept("nothing is revived out of what is no snapshot")


def _mutate(data: bytes, chance: random.Random) -> bytes:
    owner, _, shown = data.partition(b"\n")
    if shown.startswith(b"!"):
        return owner + b"\n!" + json_changed(shown[1:], chance)
    return owner + b"\n" + bytes_changed(shown, chance)


def seeds() -> list[bytes]:
    claims = json.dumps({**CLAIMS, "until": NOW + 60, "nonce": "x"})
    tokens = [TOKEN, EXPIRED, USED, OF_ANOTHER_SERVER, f"!{claims}"]
    return [f"{owner}\n{token}".encode() for owner in (OWNER, "", "key:5678") for token in tokens]


TARGET = Pure(run, seeds, words=("rt_", "!", ".", "=", "\\ud800", '"session"', "sess_1"), mutate=_mutate)
