"""Behind a proxy that the operator names, limits count people; the recipes of docs/proxies.md."""

import asyncio
import json
import re
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import websockets
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.conftest import Server, running_server
from tests.waiting import polled

DOCS = Path(__file__).parents[2] / "docs" / "proxies.md"
KEY = "a-key-for-the-people-behind"
BEARER = {"authorization": f"Bearer {KEY}"}
RECIPES = ("nginx", "haproxy")


def recipe(name: str) -> str:
    found = re.search(rf"```{name}\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def certificate(folder: Path) -> None:
    """voice.crt, voice.key, and both in voice.pem, for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain = built.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "voice.crt").write_bytes(chain)
    (folder / "voice.key").write_bytes(secret)
    (folder / "voice.pem").write_bytes(chain + secret)


def command(name: str, folder: Path, listens: int, server: Server) -> list[str]:
    program = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install {name})")
    text = recipe(name).replace("/etc/ssl", str(folder)).replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
    config = folder / f"{name}.conf"
    if name == "haproxy":
        config.write_text(text.replace("bind :443", f"bind 127.0.0.1:{listens}"))
        return [program, "-db", "-q", "-f", str(config)]
    scratch = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    http = text.replace("listen 443", f"listen 127.0.0.1:{listens}")
    config.write_text(
        f"daemon off; user root; pid {folder}/pid; error_log {folder}/log; events {{}}\n"
        f"http {{ access_log off; {scratch}\n{http}\n}}\n"
    )
    return [program, "-p", str(folder), "-e", str(folder / "log"), "-c", str(config)]


@asynccontextmanager
async def behind(name: str, folder: Path, server: Server) -> AsyncIterator[int]:
    """The port on loopback at which the proxy of this recipe has the server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    certificate(folder)
    process = await asyncio.create_subprocess_exec(*command(name, folder, port, server))
    try:
        await polled(lambda: process.returncode is not None or listens(port), f"{name} listening")
        assert process.returncode is None, "the proxy has ended: is its configuration right?"
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(folder / "voice.crt"))


def session(port: int, folder: Path, came_from: str, **headers: str) -> websockets.connect:
    return websockets.connect(
        f"wss://localhost:{port}/v1/realtime",
        host="127.0.0.1",
        local_addr=(came_from, 0),
        ssl=trusting(folder),
        additional_headers={**BEARER, **headers},
    )


@pytest.mark.parametrize("name", RECIPES)
async def test_people_behind_a_named_proxy_are_counted_one_by_one(name: str, tmp_path: Path) -> None:
    async with (
        running_server(keys=KEY, trusted_proxies="127.0.0.1", sessions_per_peer=1) as server,
        behind(name, tmp_path, server) as port,
        session(port, tmp_path, "127.0.0.2") as one,
        session(port, tmp_path, "127.0.0.3") as another,
    ):
        for socket_of in (one, another):
            assert json.loads(await socket_of.recv())["type"] == "session.created"
        with pytest.raises(websockets.InvalidStatus) as refused:
            await session(port, tmp_path, "127.0.0.2")
        assert refused.value.response.status_code == 503
        # What a client writes itself into the header is not where it came from.
        with pytest.raises(websockets.InvalidStatus):
            await session(port, tmp_path, "127.0.0.2", **{"x-forwarded-for": "203.0.113.9"})


@pytest.mark.parametrize("name", RECIPES)
async def test_the_page_and_streamed_answers_come_through(name: str, tmp_path: Path) -> None:
    async with (
        running_server(keys=KEY, trusted_proxies="127.0.0.1") as server,
        behind(name, tmp_path, server) as port,
        httpx.AsyncClient(verify=trusting(tmp_path), base_url=f"https://localhost:{port}") as client,
    ):
        assert "text/html" in (await client.get("/")).headers["content-type"]
        body = {"model": "any", "messages": [{"role": "user", "content": "hello"}], "stream": True}
        async with client.stream("POST", "/v1/chat/completions", json=body, headers=BEARER) as answer:
            lines = [line async for line in answer.aiter_lines()]
        assert lines.count("data: [DONE]") == 1
        origin = f"https://localhost:{port}"
        async with session(port, tmp_path, "127.0.0.2", origin=origin) as from_the_page:
            assert json.loads(await from_the_page.recv())["type"] == "session.created"


async def test_nobody_else_is_believed() -> None:
    """Not even a program of this machine, which uvicorn would believe by itself."""
    async with running_server(sessions_per_peer=1) as server:
        forged = [{"x-forwarded-for": f"203.0.113.{n}"} for n in range(2)]
        async with websockets.connect(server.ws + "/v1/realtime", additional_headers=forged[0]) as first:
            await first.recv()
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(server.ws + "/v1/realtime", additional_headers=forged[1])
            assert refused.value.response.status_code == 503
