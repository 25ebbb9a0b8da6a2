#!/usr/bin/env bash
# An httpx.AsyncClient with as many requests in flight as its pool has connections keeps most connections idle.
#
# Expected: with a limit of 128 connections and never more than 128 requests, each request finds a free connection
#           at once; a server that takes 0.3 s for each is kept busy at nearly all of its 128 places.
# Happens:  when responses end, several waiting requests are given the same idle connection; one gets it, the others
#           are told that it is not available and go back to the queue, and each try walks over all requests. At 128
#           in flight the server's places are about a quarter full and the whole takes several times as long as with
#           128 clients of one connection each, which share nothing. At 16 there is no difference.
# Package:  httpx 0.28.1 with httpcore 1.0.9, Python 3.11. Seen on 2026-11-30.
# Fails (exit 1) once one client is no more than twice as slow, or nobody is sent back to the queue.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check httpx==0.28.1 httpcore==1.0.9 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import time
from importlib.metadata import version

import httpx
from httpcore import ConnectionNotAvailable
from httpcore._async.http11 import AsyncHTTP11Connection

PIECES, EVERY_S, ROUNDS = 10, 0.03, 6
sent_back = 0
handle = AsyncHTTP11Connection.handle_async_request


async def counted(self, request):
    global sent_back
    try:
        return await handle(self, request)
    except ConnectionNotAvailable:
        sent_back += 1
        raise


AsyncHTTP11Connection.handle_async_request = counted


async def answer(reader, writer):
    """Any number of requests, each answered by ten chunks in 0.3 s."""
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(PIECES):
                await asyncio.sleep(EVERY_S)
                writer.write(b"5\r\nhello\r\n")
            writer.write(b"0\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
        pass
    finally:
        writer.close()


async def taken_s(url, clients, at_once):
    """How long ROUNDS requests for each place take, `at_once` of them in flight."""
    idle = list(clients)
    free = asyncio.Semaphore(at_once)

    async def ask():
        async with free:
            client = idle.pop()
            if len(clients) == 1:
                idle.append(client)
            async with client.stream("GET", url) as response:
                async for _ in response.aiter_bytes():
                    pass
            if len(clients) > 1:
                idle.append(client)

    began = time.monotonic()
    await asyncio.gather(*(ask() for _ in range(ROUNDS * at_once)))
    return time.monotonic() - began


async def compared(at_once):
    global sent_back
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
    url = "http://127.0.0.1:%d/" % server.sockets[0].getsockname()[1]
    figures = []
    for n_clients in (1, at_once):
        limits = httpx.Limits(max_connections=at_once // n_clients, max_keepalive_connections=at_once // n_clients)
        clients = [httpx.AsyncClient(limits=limits, timeout=60, verify=False) for _ in range(n_clients)]
        sent_back = 0
        seconds = await taken_s(url, clients, at_once)
        full = ROUNDS * PIECES * EVERY_S / seconds
        print(
            f"{at_once:3} in flight, clients: {n_clients:3}: {seconds:5.1f} s, places full {full:4.0%}, "
            f"sent back to the queue {sent_back} times in {ROUNDS * at_once} requests"
        )
        figures.append((seconds, sent_back))
        for client in clients:
            await client.aclose()
    server.close()
    return figures


print("httpx", version("httpx"), "httpcore", version("httpcore"))
asyncio.run(compared(16))
(one_s, one_back), (each_s, each_back) = asyncio.run(compared(128))
as_found = one_s > 2 * each_s and one_back > 0 and each_back == 0
raise SystemExit(0 if as_found else "this has changed")
PYTHON
