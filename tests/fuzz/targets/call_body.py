"""Bodies of `/v1/realtime/calls` and `/client_secrets`. The first line of an input is its content type."""

import asyncio
from typing import Any

from starlette.requests import ClientDisconnect, Request

from realtime.errors import ClientError
from realtime.transports.webrtc.calls import _form, _json_object, _seconds, session_patch
from realtime.transports.webrtc.offer import parse_offer
from tests.fuzz.target import Pure
from tests.transports.webrtc.test_offer import OFFER

_loop = asyncio.new_event_loop()


def run(data: bytes) -> None:
    kind, _, body = data.partition(b"\n")
    try:
        _loop.run_until_complete(_read(kind, body))
    except ClientError:
        return


async def _read(kind: bytes, body: bytes) -> None:
    """As `Calls` does: an offer with a session beside it, or the object of a client secret."""
    if b"json" in kind:
        wanted = await _json_object(_request(kind, body))
        _seconds(wanted.get("expires_after"))
        session_patch(wanted["session"] if wanted.get("session") is not None else {})
        return
    sdp, session = await _form(_request(kind, body))
    if session is not None:
        session_patch(session)
    parse_offer(sdp)


def _request(kind: bytes, body: bytes) -> Request:
    came = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in came:
            return message
        raise ClientDisconnect

    headers = [(b"content-type", kind)]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


def seeds() -> list[bytes]:
    def part(name: str, text: str, more: str = "") -> str:
        return f'--b0\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{text}\r\n'

    session = '{"type": "realtime", "instructions": "x", "audio": {"output": {"voice": "alloy"}}}'
    kind = "multipart/form-data; boundary=b0\n"
    as_file = '; filename="sdp"\r\nContent-Type: application/sdp'
    return [
        (kind + part("sdp", OFFER) + part("session", session) + "--b0--\r\n").encode(),
        (kind + part("sdp", OFFER, as_file) + "--b0--\r\n").encode(),
        (kind + part("sdp", "v=0") + part("session", "{}", as_file) + "--b0--").encode(),
        (
            'application/json\n{"expires_after": {"anchor": "created_at", "seconds": 60}, "session": '
            + session
            + "}"
        ).encode(),
    ]


TARGET = Pure(
    run,
    seeds,
    words=(
        *(
            "--b0",
            "--b0--",
            "\r\n",
            "Content-Disposition: form-data; name=",
            "filename*=utf-8''",
            "charset=utf-7",
        ),
        *("boundary=", "; filename=", "Content-Type: ", "_charset_", "Content-Transfer-Encoding: base64"),
    ),
    bytes_max=8192,
)
