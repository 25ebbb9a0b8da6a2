"""A headless Chromium with a WAV file for a microphone, driven with Playwright."""

import json
import shutil
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, WebSocket, async_playwright, expect

from tests.waiting import HANGS_S, News

Event = dict[str, Any]
HANGS_MS = HANGS_S * 1000
expect.set_options(timeout=HANGS_MS)

FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)


# The server cuts between any two letters, the page between words.
SHOWS_AS_SAID = """transcript => {
  const said = document.querySelector("#lines li.assistant .word.said").textContent.trim();
  const agree = said.startsWith(transcript) || transcript.startsWith(said);
  return agree && Math.abs(said.length - transcript.length) < 10;
}"""


def chromium_path() -> str | None:
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


@asynccontextmanager
async def open_browser(microphone: Path) -> AsyncIterator[Browser]:
    """microphone: a WAV file, played again and again from the moment that a page opens the microphone."""
    path = chromium_path()
    assert path is not None
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path,
            args=[*FLAGS, f"--use-file-for-fake-audio-capture={microphone}"],
            timeout=HANGS_MS,
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_context(browser: Browser, **options: Any) -> AsyncIterator[BrowserContext]:
    """A browser's profile of its own. options: of Playwright's `new_context`."""
    context = await browser.new_context(**options)
    context.set_default_timeout(HANGS_MS)
    try:
        yield context
    finally:
        await context.close()


def write_wav(path: Path, pcm: bytes, rate_hz: int) -> Path:
    """pcm: s16le mono."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm)
    return path


class Wire:
    """Everything that went over a page's WebSockets, as events."""

    def __init__(self, page: Page) -> None:
        self.sent: list[Event] = []
        self.received: list[Event] = []
        self.sockets = 0
        self._news = News()
        page.on("websocket", self._opened)

    def _opened(self, socket: WebSocket) -> None:
        self.sockets += 1
        socket.on("framesent", lambda frame: self._add(self.sent, frame))
        socket.on("framereceived", lambda frame: self._add(self.received, frame))
        self._news()

    def _add(self, events: list[Event], frame: str | bytes) -> None:
        events.append(json.loads(frame))
        self._news()

    async def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for traffic that makes the condition true, and return what it said."""
        return await self._news.until(condition, lambda: f"{what}; {self._so_far()}")

    async def sent_of(self, kind: str, count: int = 1) -> Event:
        """The count-th event of this type that the page sends."""
        found: Event = await self.until(lambda: _nth(self.sent, kind, count), f"{kind} number {count}, sent")
        return found

    async def received_of(self, kind: str, count: int = 1) -> Event:
        found: Event = await self.until(
            lambda: _nth(self.received, kind, count), f"{kind} number {count}, received"
        )
        return found

    def _so_far(self) -> str:
        """The types of the last events: what they hold may be somebody's words."""
        sent, received = ([event["type"] for event in events[-8:]] for events in (self.sent, self.received))
        return f"over {self.sockets} sockets, the last were: sent {sent}, received {received}"


def _nth(events: list[Event], kind: str, count: int) -> Event | None:
    matching = [event for event in events if event["type"] == kind]
    return matching[count - 1] if len(matching) >= count else None


async def state_is(page: Page, *states: str) -> None:
    """Wait until the page shows one of these states."""
    await page.wait_for_function(
        "states => states.includes(document.documentElement.dataset.state)", arg=list(states)
    )
