"""`parlour serve` as a process of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.waiting import unless_it_hangs

ROOT = Path(__file__).parents[2]


async def started(*flags: str, **environment: str) -> asyncio.subprocess.Process:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PARLOUR_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "realtime.cli", "serve", *flags),
        cwd=ROOT,
        env={**clean, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def serving(*flags: str) -> AsyncIterator[str]:
    """It serves meanwhile, at a port of its own choice; its address."""
    server = await started("--port", "0", *flags)
    told = None
    try:
        address = await address_of(server)
        # A log that nobody reads would stop it.
        told = asyncio.create_task(server.communicate(), name="the server's log")
        yield address
    finally:
        server.terminate()
        await (told or server.communicate())


async def address_of(server: asyncio.subprocess.Process) -> str:
    assert server.stdout is not None
    async with unless_it_hangs("where the server listens"):
        async for line in server.stdout:
            if b"Parlour is listening" in line:
                return line.decode().split()[-1].rstrip("/")
    raise AssertionError("it never said where it listens")


async def ready(client: httpx.AsyncClient) -> None:
    """Wait until it says that it is; its agent may be slow to answer while it has just been started."""
    async with unless_it_hangs("a server that is ready"):
        while (await client.get("/readyz")).status_code != 200:
            pass
