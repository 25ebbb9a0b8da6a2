"""A server that is gone without a word: the page notices when nothing comes, and its question is answered."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aioice.ice import get_host_addresses
from playwright.async_api import Page, expect

from tests.e2e.browser.chromium import state_is
from tests.e2e.browser.gateways import REAL, Gateway, HearingReciter, running
from tests.e2e.browser.test_speech_in_a_gap import through_once
from tests.e2e.browser.test_webrtc_page import CALLS, count_of, event, words_heard
from tests.e2e.lossy import LossyNetwork, lossy_network

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not REAL, reason="the fake gateway takes no calls"),
]

NO_STATES = """
  Object.defineProperty(RTCPeerConnection.prototype, "onconnectionstatechange", { set() {} });
"""
"""The browser finds out by itself too, after five seconds or more; here it keeps that to itself."""
STATS_IN_FLIGHT = """
  window.stats = { asked: 0, atOnce: 0 };
  const ask = RTCPeerConnection.prototype.getStats;
  RTCPeerConnection.prototype.getStats = async function () {
    window.stats.asked += 1;
    this.inFlight = (this.inFlight ?? 0) + 1;
    window.stats.atOnce = Math.max(window.stats.atOnce, this.inFlight);
    try {
      return await ask.call(this);
    } finally {
      this.inFlight -= 1;
    }
  };
"""


@pytest_asyncio.fixture(loop_scope="module")
async def mortal() -> AsyncIterator[Gateway]:
    """A server that the page takes for dead as soon as people's pages do."""
    gateway = Gateway(limits_as_shipped=frozenset({"SILENT_MS"}))
    gateway.agent = HearingReciter()
    async with running(gateway):
        yield gateway


@pytest_asyncio.fixture(loop_scope="module")
async def network() -> AsyncIterator[LossyNetwork]:
    host = get_host_addresses(use_ipv4=True, use_ipv6=False)[0]
    async with lossy_network(host, loss=0.0, jitter_s=0.0) as relay:
        yield relay


async def call(page: Page, gateway: Gateway, network: LossyNetwork) -> None:
    """The first call goes through the network; the page knows of its state only what it hears."""
    await page.add_init_script(CALLS + NO_STATES)
    await page.route("**/v1/realtime/calls?*", lambda route: through_once(network, route))
    await page.goto(f"{gateway.origin}?transport=webrtc")
    await page.click("#talk")
    await state_is(page, "listening")
    await page.wait_for_function(
        "() => window.calls.connections[0].getReceivers()[0].getSynchronizationSources().length > 0"
    )


async def write(page: Page, text: str) -> None:
    await page.fill("#text", text)
    await page.press("#text", "Enter")
    await page.locator("#text").blur()


async def test_a_call_from_which_nothing_comes_any_more_is_given_up(
    page: Page, mortal: Gateway, network: LossyNetwork
) -> None:
    await call(page, mortal, network)
    network.cut()
    resumed = await event(page, "parlour.resumed")
    assert resumed["session"]["id"]
    await state_is(page, "listening")


async def test_a_question_that_went_to_a_dead_server_is_answered_by_the_next(
    page: Page, mortal: Gateway, network: LossyNetwork
) -> None:
    await call(page, mortal, network)
    network.cut()
    await write(page, "Who are you?")
    await mortal.stop()
    await mortal.start()  # it knows nothing of the session
    await words_heard(page, 3)
    await expect(page.locator("#lines li.user")).to_have_count(1)
    await expect(page.locator("#lines li.assistant")).to_have_count(1)
    assert await count_of(page, "response.created", "received") == 1


async def test_the_browser_is_asked_for_one_count_at_a_time(page: Page, mortal: Gateway) -> None:
    await page.add_init_script(CALLS + STATS_IN_FLIGHT)
    await page.goto(f"{mortal.origin}?transport=webrtc")
    await page.keyboard.press("d")
    await write(page, "Who are you?")
    await words_heard(page, 3)
    await page.evaluate(
        """async () => {
          const { WebRtcCall } = await import("/connection/webrtc_call.js");
          const call = new WebRtcCall(null, () => {});
          await Promise.all([1, 2, 3, 4, 5].map(() => call.stats()));
          call.setAnswerPlaying(true);
          call.setAnswerPlaying(false);
          await call.stats();
          call.close();
        }"""
    )
    stats = await page.evaluate("window.stats")
    assert stats["asked"] > 2
    assert stats["atOnce"] == 1
