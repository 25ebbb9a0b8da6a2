"""What every store of sessions promises."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from realtime.store.base import Store, StoredSession, StoreError
from realtime.store.choose import open_store
from realtime.store.sqlite import SqliteStore
from tests.ports import free_port
from tests.waiting import port_opens

NOW = 1_000_000_000.0
REDIS = shutil.which("redis-server") or shutil.which("valkey-server")


@asynccontextmanager
async def running_redis() -> AsyncIterator[str]:
    if REDIS is None:
        pytest.skip("Redis is not installed (apt install redis-server)")
    pytest.importorskip("redis", reason="redis-py is not installed (pip install 'parlour[redis]')")
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        *(REDIS, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await port_opens(server, port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.kill()
        await server.wait()


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with AsyncExitStack() as stack:
        name = "memory"
        if request.param == "sqlite":
            name = f"sqlite:{tmp_path}/kept/sessions.sqlite3"
        elif request.param == "redis":
            name = await stack.enter_async_context(running_redis())
        opened = await open_store(name, lambda _: None)
        yield opened
        await opened.aclose()


def session(**other: object) -> StoredSession:
    values = {
        "session_id": "sess_1",
        "owner": "me",
        "tokens": {"t1": 4e9, "t2": 4e9},
        "expires_at": 4e9,
        "data": b"\x00\xff what was said",
    }
    return StoredSession(**{**values, **other})  # type: ignore[arg-type]


async def test_a_token_brings_the_session_back_once(store: Store) -> None:
    assert await store.save(session(), "a")
    found = await store.claim("sess_1", "t1", "me", "b", NOW)
    assert found == session(tokens={"t2": 4e9})
    assert await store.claim("sess_1", "t1", "me", "b", NOW) is None
    assert await store.claim("sess_1", "t2", "me", "b", NOW) == session(tokens={})


async def test_of_two_who_claim_at_once_one_gets_it(store: Store) -> None:
    await store.save(session(), "a")
    found = await asyncio.gather(*(store.claim("sess_1", "t1", "me", f"h{n}", NOW) for n in range(8)))
    assert len([stored for stored in found if stored is not None]) == 1


@pytest.mark.parametrize(
    ("session_id", "token", "owner"),
    [("sess_2", "t1", "me"), ("sess_1", "t3", "me"), ("sess_1", "t1", "you"), ("sess_1", "", "")],
)
async def test_nothing_else_does(store: Store, session_id: str, token: str, owner: str) -> None:
    await store.save(session(), "a")
    assert await store.claim(session_id, token, owner, "b", NOW) is None
    assert await store.claim("sess_1", "t1", "me", "b", NOW) is not None  # and it costs nothing


async def test_a_look_uses_nothing_up(store: Store) -> None:
    await store.save(session(tokens={"t1": 4e9, "t2": NOW}), "a")
    assert await store.can_claim("sess_1", "t1", "me", NOW)
    assert not await store.can_claim("sess_1", "t2", "me", NOW)  # past its time
    assert not await store.can_claim("sess_1", "t1", "you", NOW)
    assert not await store.can_claim("sess_1", "t3", "me", NOW)
    assert not await store.can_claim("sess_2", "t1", "me", NOW)
    assert not await store.can_claim("sess_1", "t1", "me", 4e9)
    assert await store.save(session(), "a")  # and it is still a's
    assert await store.claim("sess_1", "t1", "me", "b", NOW) is not None
    assert not await store.can_claim("sess_1", "t1", "me", NOW)


async def test_a_token_or_a_session_past_its_time_is_none(store: Store) -> None:
    await store.save(session(tokens={"t1": NOW, "t2": 4e9}), "a")
    assert await store.claim("sess_1", "t1", "me", "b", NOW) is None
    assert await store.claim("sess_1", "t2", "me", "b", 4e9) is None
    await store.save(session(expires_at=NOW), "a")
    assert await store.claim("sess_1", "t2", "me", "b", NOW) is None


async def test_who_lost_it_changes_nothing_any_more(store: Store) -> None:
    await store.save(session(), "a")
    await store.claim("sess_1", "t1", "me", "b", NOW)
    assert not await store.save(session(data=b"late"), "a")
    await store.delete("sess_1", "a")
    assert (await store.claim("sess_1", "t2", "me", "c", NOW)) == session(tokens={})
    assert await store.save(session(data=b"later"), "c")


async def test_what_is_saved_again_replaces_what_was_there(store: Store) -> None:
    await store.save(session(), "a")
    await store.save(session(data=b"new", tokens={"t9": 4e9}), "a")
    assert await store.claim("sess_1", "t1", "me", "a", NOW) is None
    assert await store.claim("sess_1", "t9", "me", "a", NOW) == session(data=b"new", tokens={})


async def test_what_is_forgotten_is_gone(store: Store) -> None:
    await store.save(session(), "a")
    await store.delete("sess_1", "a")
    assert await store.claim("sess_1", "t1", "me", "a", NOW) is None
    await store.delete("sess_1", "a")


async def test_a_sweep_takes_only_what_is_past_its_time(store: Store) -> None:
    await store.save(session(), "a")
    await store.delete_expired(NOW)
    assert await store.claim("sess_1", "t1", "me", "a", NOW) is not None


async def test_ten_megabytes_of_audio_fit(store: Store) -> None:
    data = bytes(range(256)) * 40_960
    await store.save(session(data=data), "a")
    found = await store.claim("sess_1", "t1", "me", "a", NOW)
    assert found is not None
    assert found.data == data


async def test_a_file_keeps_them_over_a_restart_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "sessions.sqlite3"
    first = await SqliteStore.open(path)
    await first.save(session(), "a")
    await first.aclose()
    assert path.stat().st_mode & 0o077 == 0
    second = await SqliteStore.open(path)
    assert await second.claim("sess_1", "t1", "me", "b", NOW) is not None
    await second.delete_expired(5e9)
    assert await second.claim("sess_1", "t2", "me", "b", NOW) is None
    await second.aclose()


async def test_a_file_of_another_version_or_of_something_else(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "old.sqlite3"
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE sessions (other TEXT)")
        old.execute("PRAGMA user_version = 99")
    store = await SqliteStore.open(path)
    assert await store.save(session(), "a")
    await store.aclose()
    (tmp_path / "text").write_text("this is no database, and it is long enough to be read as one" * 20)
    with pytest.raises(StoreError, match="text"):
        await SqliteStore.open(tmp_path / "text")
    with pytest.raises(StoreError, match="sessions cannot be kept"):
        await SqliteStore.open(Path("/proc/nowhere/sessions.sqlite3"))


async def test_without_a_folder_for_it_the_default_is_memory_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    told: list[str] = []
    store = await open_store("auto", told.append)
    assert await store.save(session(), "a")
    assert "will not survive a restart" in told[0]


async def test_a_redis_that_does_not_answer_is_one_sentence() -> None:
    pytest.importorskip("redis", reason="redis-py is not installed (pip install 'parlour[redis]')")
    with pytest.raises(StoreError, match="Redis does not answer"):
        await open_store("redis://127.0.0.1:1/0", lambda _: None)
