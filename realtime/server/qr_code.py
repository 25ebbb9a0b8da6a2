"""`POST /v1/parlour/qr-code`: a text as a QR code (ISO/IEC 18004), drawn as SVG.

The page shows a link that holds a resume token, and whoever has the token has the conversation. So the text
comes in the body, which is in no log and no address, and the answer is not to be stored.
"""

import asyncio
import io

import segno
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from realtime.access.authorization import Access
from realtime.transports.http_error import error_response

TEXT_BYTES_MAX = 1024
"""A link with a token has about 250; one of 1 KiB takes 55 ms to draw."""
BODY_WITHIN_S = 10.0
REQUESTS_MAX = 8
QUIET_ZONE = 4
"""Modules of white around the code (ISO/IEC 18004, 7.3.8)."""


class QrCodes:
    """The endpoint. One code is drawn at a time, in a thread: it is pure Python, and would hold the loop."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._drawing = asyncio.Lock()
        self._n_requests = 0

    async def create(self, request: Request) -> Response:
        """Body: UTF-8 text of known length. Who may open a session may have its link drawn."""
        refusal = self._access.refusal(request.headers, opens_session=True)
        if refusal is not None:
            status, sentence = refusal
            return error_response(status, "invalid_api_key" if status == 401 else "forbidden", sentence)
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            return error_response(411, "length_required", "Expected a Content-Length.")
        if int(length) > TEXT_BYTES_MAX:
            sentence = f"Expected a text of at most {TEXT_BYTES_MAX} bytes, and {length} are announced."
            return error_response(413, "text_too_long", sentence)
        if self._n_requests >= REQUESTS_MAX:
            sentence = f"{REQUESTS_MAX} codes are being drawn already."
            return error_response(429, "too_many_requests", sentence, retry_after_s=1)
        self._n_requests += 1
        try:
            return await self._draw(request)
        finally:
            self._n_requests -= 1

    async def _draw(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(BODY_WITHIN_S):
                text = (await request.body()).decode()
        except TimeoutError:
            sentence = f"The body did not come within {BODY_WITHIN_S:g} seconds."
            return error_response(408, "request_timeout", sentence)
        except ClientDisconnect:
            return error_response(400, "request_incomplete", "The peer left before its body had come.")
        except UnicodeDecodeError:
            return error_response(400, "invalid_text", "Expected UTF-8.")
        if text == "":
            return error_response(400, "invalid_text", "Expected a text, and the body is empty.")
        async with self._drawing:
            svg = await asyncio.to_thread(qr_code_svg, text)
        return Response(svg, headers={"cache-control": "no-store"}, media_type="image/svg+xml")


def qr_code_svg(text: str) -> bytes:
    """An SVG document of one path, in modules, black on nothing.

    text: 1 to TEXT_BYTES_MAX bytes. The smallest version that holds it, and as much error correction as fits.
    """
    document = io.BytesIO()
    segno.make_qr(text, error="L", boost_error=True).save(
        document, kind="svg", border=QUIET_ZONE, omitsize=True, xmldecl=False, svgclass=None, lineclass=None
    )
    return document.getvalue()
