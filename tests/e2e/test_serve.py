"""`parlour serve` as a process: what it says when it starts, when it cannot, and when it is told to stop."""

import signal
import socket

import httpx
import pytest
import websockets

from tests.e2e.serving import address_of, ready, started


async def test_it_tells_where_it_listens_and_stops_cleanly_when_told_to() -> None:
    server = await started("--model", "scripted", "--port", "0")
    try:
        address = await address_of(server)
        async with httpx.AsyncClient(base_url=address, timeout=None) as client:
            await ready(client)
        async with websockets.connect(
            address.replace("http", "ws") + "/v1/realtime", open_timeout=None
        ) as socket:
            await socket.recv()
            server.send_signal(signal.SIGTERM)
            await socket.wait_closed()
            assert socket.close_code == 1012  # RFC 6455 registry: service restart
        assert await server.wait() == 0
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()


@pytest.mark.parametrize(
    ("flags", "environment", "sentence", "code"),
    [
        (["--host", "0.0.0.0"], {}, "PARLOUR_KEYS", 2),
        ([], {"PARLOUR_PROT": "1"}, "PARLOUR_PROT is no setting", 2),
        (["--model", "no-such-model"], {}, "--model embedded", 1),
        (["--ssl-certfile", "no.pem", "--ssl-keyfile", "no.key"], {}, "ssl_certfile no.pem", 2),
        (["--host", "192.0.2.1"], {"PARLOUR_KEYS": "secret"}, "Choose one with --host", 2),
        (["--recogniser", "huge"], {}, "tiny.en", 1),
        (["--language", "xx"], {}, "the language must be one of en", 1),
        (["--llm-url", "http://127.0.0.1:1/v1"], {}, "add --model NAME", 1),
    ],
)
async def test_a_start_that_cannot_succeed_says_one_sentence_and_how_to_mend_it(
    flags: list[str], environment: dict[str, str], sentence: str, code: int
) -> None:
    server = await started("--port", "0", *flags, **environment)
    _, complaint = await server.communicate()
    assert server.returncode == code
    assert complaint.decode().startswith("parlour: ")
    assert sentence in complaint.decode()
    assert "Traceback" not in complaint.decode()


async def test_a_port_that_is_taken_is_told_before_any_model_loads() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = await started("--model", "scripted", "--port", str(port))
        out, complaint = await server.communicate()
    assert server.returncode == 2
    assert f"127.0.0.1:{port}" in complaint.decode()
    assert "--port" in complaint.decode()
    assert out == b""
