"""A network that dies without a word while somebody speaks: the page notices after seconds, and nothing of
the sentence is missing on the server.
"""

import pytest
from aioice.ice import get_host_addresses
from playwright.async_api import Page, Route

from agent.api import LISTENING_HZ, TranscribeRequest, Transcript
from tests.e2e.browser.chromium import state_is
from tests.e2e.browser.gateways import REAL, Gateway, HearingAgent, running
from tests.e2e.browser.speech import begin_to_say, places_of, voice
from tests.e2e.browser.test_webrtc_page import CALLS, event
from tests.e2e.lossy import LossyNetwork, lossy_network
from tests.speech import utterance
from tests.waiting import Lateness

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not REAL, reason="the fake gateway takes no calls"),
]

SENTENCE = voice(utterance("librivox_0870"))
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


async def test_a_sentence_during_which_the_network_died_is_heard_whole(spoken_page: Page) -> None:
    page, gateway = spoken_page, Gateway(limits_as_shipped=frozenset({"DISCONNECTED_MS"}))
    gateway.agent = agent = KeepingAgent()
    host = get_host_addresses(use_ipv4=True, use_ipv6=False)[0]
    async with (
        running(gateway),
        lossy_network(host, loss=0.0, jitter_s=0.0) as network,
        Lateness() as lateness,
    ):
        await page.add_init_script(CALLS)
        await page.route("**/v1/realtime/calls?*", lambda route: through_once(network, route))
        await page.goto(f"{gateway.origin}?transport=webrtc")
        await page.click("#talk")
        await state_is(page, "listening")
        await begin_to_say(page, SENTENCE)
        await event(page, "input_audio_buffer.speech_started")
        network.cut()
        resumed = await event(page, "parlour.resumed")
        await event(page, "conversation.item.input_audio_transcription.completed")
    assert resumed["input_silent_ms"] > 3_000, "the page noticed long after"
    [heard] = agent.heard
    places = places_of(SENTENCE, heard, LISTENING_HZ)
    assert len(places) >= 10
    assert max(places) - min(places) < lateness.allowed_ms(SEAM_MS)


async def through_once(network: LossyNetwork, route: Route) -> None:
    """The first call goes through that network, and the next by another way."""
    if network.sides[0].peer is not None:
        return await route.continue_()
    answer = await route.fetch(post_data=network.through(route.request.post_data or ""))
    await route.fulfill(response=answer, body=network.through(await answer.text()))
