"""The page with the patience of a test: a slow machine reaches none of its limits.

A limit of the page (how long it tries to open a call before it takes a WebSocket, say) is made for a person
who waits. In a test it is HANGS_S: what one waits for comes, or the test fails. A test of what happens at a
limit moves the page's clock past it (`past_its_limits`), or keeps that limit as people have it.
"""

import re
from functools import cache
from pathlib import Path

from playwright.async_api import Page
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.waiting import HANGS_S

WEB_CLIENT = Path(__file__).parents[3] / "web_client"
LIMITS = frozenset(
    {
        "ANSWER_MS",
        "CONNECTING_MS",
        "DISCONNECTED_MS",
        "HANGING_UP_MS",
        "MOVE_MS",
        "OPENING_MS",
        "PATIENCE_MS",
        "RESEND_MS",
        "SESSION_MS",
        "SILENT_MS",
        "STALLED_MS",
        "THINKING_AT_MOST_MS",
        "UNBLOCK_MS",
    }
)
"""As the page's files name them."""
LIMIT_MS = round(HANGS_S * 1000)
_LIMIT = re.compile(r"\bconst (\w+_MS) = [\d_]+;")


class Patient:
    """An ASGI application that serves the page with other limits."""

    def __init__(self, app: ASGIApp, as_shipped: frozenset[str]) -> None:
        """as_shipped: the limits that stay as they are."""
        self._app = app
        self._longer = LIMITS - as_shipped

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].endswith(".js"):
            return await self._app(scope, receive, send)
        start: Message = {}
        body = bytearray()

        async def hold(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if message.get("more_body", False):
                return
            script = _with_limits(body.decode(), self._longer).encode()
            headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            length = (b"content-length", str(len(script)).encode())
            await send({**start, "headers": [*headers, length] if script else headers})
            await send({"type": "http.response.body", "body": script})

        await self._app(scope, receive, hold)


async def past_its_limits(page: Page) -> None:
    """Let the page believe that so much time has passed. Its clock must be installed before it is loaded."""
    await page.clock.fast_forward(LIMIT_MS + 1_000)


@cache
def named_limits() -> frozenset[str]:
    """Those of LIMITS that the page's files define."""
    files = [path for path in WEB_CLIENT.rglob("*.js") if not {"node_modules", "tests"} & set(path.parts)]
    named = {found[1] for path in files for found in _LIMIT.finditer(path.read_text("utf-8"))}
    return LIMITS & named


def _with_limits(script: str, longer: frozenset[str]) -> str:
    def replaced(found: re.Match[str]) -> str:
        return f"const {found[1]} = {LIMIT_MS};" if found[1] in longer else found[0]

    return _LIMIT.sub(replaced, script)
