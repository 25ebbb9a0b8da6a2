"""A network that dies without a word while somebody speaks: the page notices after seconds, and nothing of
the sentence is missing on the server.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from aioice.ice import get_host_addresses
from playwright.async_api import Page, Route

from agent.api import LISTENING_HZ, TranscribeRequest, Transcript
from tests.e2e.browser.chromium import open_browser, write_wav
from tests.e2e.browser.conftest import new_page
from tests.e2e.browser.gateways import REAL, Gateway, HearingAgent, running
from tests.e2e.browser.test_webrtc_page import CALLS, event
from tests.e2e.lossy import LossyNetwork, lossy_network
from tests.speech import HZ, utterance

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not REAL, reason="the fake gateway takes no calls"),
]

SENTENCE = utterance("cards_004").pcm16k
AUDIBLE = 3_000
NOTICES_WITHIN_MS = 30_000
SEAM_MS = 150
"""What may be missing of a sentence where it was cut, or come twice: less than a syllable."""


class KeepingAgent(HearingAgent):
    """Keeps what it is given to hear."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[bytes] = []

    async def transcribe(self, request: TranscribeRequest) -> Transcript:
        self.heard.append(request.pcm)
        return await super().transcribe(request)


@pytest_asyncio.fixture(loop_scope="module")
async def speaking_page(tmp_path: Path) -> AsyncIterator[Page]:
    """Its microphone hears one sentence."""
    pcm = bytes(2 * HZ * 3) + SENTENCE + bytes(2 * HZ * 120)
    async with open_browser(write_wav(tmp_path / "sentence.wav", pcm, HZ)) as browser:
        async for page in new_page(browser):
            yield page


async def test_a_sentence_during_which_the_network_died_is_heard_whole(speaking_page: Page) -> None:
    page, gateway = speaking_page, Gateway()
    gateway.agent = agent = KeepingAgent()
    host = get_host_addresses(use_ipv4=True, use_ipv6=False)[0]
    async with running(gateway), lossy_network(host, loss=0.0, jitter_s=0.0) as network:
        await page.add_init_script(CALLS)
        await page.route("**/v1/realtime/calls?*", lambda route: through_once(network, route))
        await page.goto(f"{gateway.origin}?transport=webrtc")
        await page.click("#talk")
        await event(page, "input_audio_buffer.speech_started")
        network.cut()
        page.set_default_timeout(NOTICES_WITHIN_MS)
        resumed = await event(page, "parlour.resumed")
        await event(page, "conversation.item.input_audio_transcription.completed")
    assert resumed["input_silent_ms"] > 3_000, "the page noticed long after"
    [heard] = agent.heard
    places = places_of(SENTENCE, heard)
    assert len(places) >= 3
    assert max(places) - min(places) < SEAM_MS


def places_of(said: bytes, heard: bytes) -> list[float]:
    """Where the sentence would begin in what was heard (ms), to judge by each quarter second of it."""
    whole = np.frombuffer(heard, "<i2").astype(float)
    step = LISTENING_HZ // 4
    pieces = [
        np.frombuffer(said, "<i2").astype(float)[at : at + step] for at in range(0, len(said) // 2, step)
    ]
    places = []
    for number, piece in enumerate(pieces):
        if np.abs(piece).max() < AUDIBLE or len(piece) < step:
            continue
        size = len(whole) + len(piece)
        alike = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(piece, size)), size)
        places.append(float(np.argmax(alike[: len(whole)])) * 1000 / LISTENING_HZ - number * 250)
    return places


async def through_once(network: LossyNetwork, route: Route) -> None:
    """The first call goes through that network, and the next by another way."""
    if network.sides[0].peer is not None:
        return await route.continue_()
    answer = await route.fetch(post_data=network.through(route.request.post_data or ""))
    await route.fulfill(response=answer, body=network.through(await answer.text()))
