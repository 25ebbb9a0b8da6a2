"""The page over HTTP: the files that a browser loads, no others, and what it may do with them."""

import os
from pathlib import Path

from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

WEB_CLIENT = Path(__file__).parents[2] / "web_client"
PAGE_FOLDERS = frozenset({"", "page", "conversation", "connection", "audio", "clips", "doctor", "keeping"})
"""Of web_client, with what lies at its top; a folder that is not named here is not served."""
PAGE_SUFFIXES = frozenset({".html", ".css", ".js", ".svg"})

_SECURITY_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; "
        b"frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"microphone=(self), speaker-selection=(self)"),
)


class Page(StaticFiles):
    """`web_client/` at the root of the server. Everything else there (tests, packages, settings) is a 404."""

    def __init__(self) -> None:
        super().__init__(directory=WEB_CLIENT, html=True)

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        folder, name = os.path.split(os.path.normpath(path))
        is_served = name == "." or (folder in PAGE_FOLDERS and Path(name).suffix in PAGE_SUFFIXES)
        return super().lookup_path(path) if is_served else ("", None)


class SecurityHeaders:
    """What a browser may do with our pages; the same on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_SECURITY_HEADERS]
            await send(message)

        await self._app(scope, receive, send_with_headers)
