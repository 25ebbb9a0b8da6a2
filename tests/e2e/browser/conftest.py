"""Browsers, pages and the server under test. Everything of a module runs in one event loop."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.e2e.browser.chromium import WAIT_S, Wire, chromium_path, open_browser, write_wav
from tests.e2e.browser.gateways import Gateway, running
from tests.speech import HZ, one_after_another, utterance

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
    """Its microphone hears two utterances of real speech, the second into the answer to the first."""
    pcm, _places = one_after_another(1.0, (utterance("cards_001"),))
    again, _places = one_after_another(4.0, (utterance("cards_002"),))
    wav = write_wav(tmp_path_factory.mktemp("microphone") / "talk.wav", pcm + again + bytes(2 * HZ * 60), HZ)
    async with open_browser(wav) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def gateway() -> AsyncIterator[Gateway]:
    async with running(Gateway()) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def page(quiet_browser: Browser) -> AsyncIterator[Page]:
    async for opened in new_page(quiet_browser):
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def talking_page(talking_browser: Browser) -> AsyncIterator[Page]:
    async for opened in new_page(talking_browser):
        yield opened


async def new_page(browser: Browser) -> AsyncIterator[Page]:
    """A page of its own; an exception in it, or a message of the content policy, fails the test."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(WAIT_S * 1000)
    opened = await context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "console", lambda message: errors.append(message.text) if "Content Security" in message.text else None
    )
    await opened.add_init_script(RECORDER)
    try:
        yield opened
    finally:
        await context.close()
    assert errors == []


@pytest.fixture
def wire(page: Page) -> Wire:
    return Wire(page)


@pytest.fixture
def talking_wire(talking_page: Page) -> Wire:
    return Wire(talking_page)
