"""The QR code of a link, over a real socket, read again by another library than the one that drew it."""

import asyncio
import logging
import re
from xml.etree import ElementTree

import httpx
import numpy as np
import pytest
import websockets
import zxingcpp

from realtime.access.tokens import RESUME_TOKEN, Signer
from realtime.server.qr_code import TEXT_BYTES_MAX
from tests.conftest import Server, running_server

TOKEN = f"{RESUME_TOKEN}_{'aB3-' * 40}.c2lnbmF0dXJl"
LINK = f"https://parlour.example:8443/talk/#resume={TOKEN}"


async def draw(server: Server, text: str | bytes, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(f"{server.http}/v1/parlour/qr-code", content=text, headers=headers)


def read(svg: bytes) -> str:
    """What a camera would make of it."""
    root = ElementTree.fromstring(svg)
    (path,) = root
    size = int(root.attrib["viewBox"].split()[-1])
    image = np.full((size, size), 255, np.uint8)
    x = y = 0.0
    for command, across, down in re.findall(r"([Mmh])(-?[\d.]+)(?: (-?[\d.]+))?", path.attrib["d"]):
        if command == "h":
            image[int(y), int(x) : int(x + float(across))] = 0
            x += float(across)
        else:
            x, y = (float(across), float(down)) if command == "M" else (x + float(across), y + float(down))
    found = zxingcpp.read_barcode(image.repeat(4, 0).repeat(4, 1))
    assert found is not None
    assert found.format == zxingcpp.BarcodeFormat.QRCode
    return found.text


@pytest.mark.parametrize("text", [LINK, "x", "Grüße, 世界", "x" * TEXT_BYTES_MAX])
async def test_what_is_drawn_reads_as_the_text(server: Server, text: str) -> None:
    drawn = await draw(server, text)
    assert drawn.status_code == 200
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert read(drawn.content) == text


async def test_a_link_with_a_token_is_neither_stored_nor_logged(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    drawn = await draw(server, LINK)
    assert drawn.headers["cache-control"] == "no-store"
    assert TOKEN not in drawn.text, "the text is in the modules, and nowhere else"
    assert TOKEN not in caplog.text
    async with httpx.AsyncClient() as client:
        by_address = await client.get(f"{server.http}/v1/parlour/qr-code", params={"text": LINK})
    assert by_address.status_code == 404, "no text in an address"


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        (b"", 400, "invalid_text"),
        (b"\xff\xfe", 400, "invalid_text"),
        (b"x" * (TEXT_BYTES_MAX + 1), 413, "text_too_long"),
    ],
)
async def test_what_cannot_be_drawn_is_refused_with_a_sentence(
    server: Server, text: bytes, status: int, code: str
) -> None:
    refused = await draw(server, text)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert refused.json()["error"]["message"].startswith("Expected ")


async def test_a_body_without_a_length_is_not_read(server: Server) -> None:
    async def pieces():
        yield LINK.encode()

    async with httpx.AsyncClient() as client:
        refused = await client.post(f"{server.http}/v1/parlour/qr-code", content=pieces())
    assert (refused.status_code, refused.json()["error"]["code"]) == (411, "length_required")


async def test_who_may_open_a_session_may_have_its_link_drawn_and_nobody_else() -> None:
    async with running_server(keys="secret") as server:
        assert (await draw(server, LINK)).status_code == 401
        assert (await draw(server, LINK, authorization="Bearer wrong")).status_code == 401
        assert (await draw(server, LINK, authorization="Bearer secret")).status_code == 200
        # A device that took a session over has no other key, and may hand it on.
        token = Signer(["secret"]).sign(RESUME_TOKEN, {"session": "s", "owner": ""}, 2**40)
        assert (await draw(server, LINK, authorization=f"Bearer {token}")).status_code == 200


async def test_the_page_of_another_site_gets_nothing_drawn(server: Server) -> None:
    refused = await draw(server, LINK, origin="https://elsewhere.example")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    assert "access-control-allow-origin" not in refused.headers


async def test_many_at_once_are_drawn_or_told_to_come_back_and_sessions_open_meanwhile(
    server: Server,
) -> None:
    drawing = [asyncio.create_task(draw(server, "x" * TEXT_BYTES_MAX)) for _ in range(40)]
    async with websockets.connect(f"{server.ws}/v1/realtime") as socket:
        await socket.recv()
    answers = [await task for task in drawing]
    assert {answer.status_code for answer in answers} <= {200, 429}
    assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status_code == 429)
    assert (await draw(server, LINK)).status_code == 200
