"""Browsers, pages and the server under test. Everything of a module runs in one event loop."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.e2e.browser.chromium import Wire, chromium_path, open_browser, open_context, write_wav
from tests.e2e.browser.gateways import Gateway, HearingReciter, running
from tests.e2e.browser.speech import MOUTH
from tests.speech import HZ, utterance

RECORDER = (Path(__file__).parent / "recorder.js").read_text()


@pytest.fixture(scope="session", autouse=True)
def _has_chromium() -> None:
    if chromium_path() is None:
        missing = "Chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("TESTS_NO_SKIP") == "1":
            pytest.fail(missing)
        pytest.skip(missing)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def quiet_browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """Its microphone hears nothing."""
    wav = write_wav(tmp_path_factory.mktemp("microphone") / "quiet.wav", bytes(2 * HZ * 60), HZ)
    async with open_browser(wav) as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def talking_browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """Its microphone hears an utterance of real speech, and after half a minute again.

    A page that is too slow to hear the first hears the second.
    """
    pcm = bytes(2 * HZ * 2) + utterance("cards_001").pcm16k + bytes(2 * HZ * 30)
    wav = write_wav(tmp_path_factory.mktemp("microphone") / "talk.wav", pcm, HZ)
    async with open_browser(wav) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def gateway() -> AsyncIterator[Gateway]:
    """Its answers go on until `gateway.enough()`."""
    reciting = Gateway()
    reciting.agent = HearingReciter()
    async with running(reciting) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def page(quiet_browser: Browser) -> AsyncIterator[Page]:
    async with new_page(quiet_browser) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def talking_page(talking_browser: Browser) -> AsyncIterator[Page]:
    async with new_page(talking_browser) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def spoken_page(quiet_browser: Browser) -> AsyncIterator[Page]:
    """Its microphone hears what the test says (speech.py)."""
    async with new_page(quiet_browser) as opened:
        await opened.add_init_script(MOUTH)
        yield opened


@asynccontextmanager
async def new_page(browser: Browser) -> AsyncIterator[Page]:
    """A page of its own; an exception in it, or a message of the content policy, fails the test."""
    async with open_context(browser, viewport={"width": 1280, "height": 800}) as context:
        opened = await context.new_page()
        errors: list[str] = []
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on(
            "console",
            lambda message: errors.append(message.text) if "Content Security" in message.text else None,
        )
        await opened.add_init_script(RECORDER)
        yield opened
    assert errors == []


@pytest.fixture
def wire(page: Page) -> Wire:
    return Wire(page)


@pytest.fixture
def talking_wire(talking_page: Page) -> Wire:
    return Wire(talking_page)


@pytest.fixture
def spoken_wire(spoken_page: Page) -> Wire:
    return Wire(spoken_page)
