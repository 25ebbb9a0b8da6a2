"""A conversation outlives its connection and its page."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.e2e.browser.chromium import Wire, state_is
from tests.e2e.browser.gateways import REAL, Gateway
from tests.e2e.browser.speech import begin_to_say, fall_silent, without_pauses
from tests.e2e.browser.tunnel import Tunnel

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not REAL, reason="the fake gateway resumes nothing"),
]


@pytest_asyncio.fixture(loop_scope="module")
async def tunnel(gateway: Gateway) -> AsyncIterator[Tunnel]:
    async with Tunnel(gateway.port) as opened:
        yield opened


async def ask(page: Page, text: str = "Tell me something") -> None:
    await page.fill("#text", text)
    await page.press("#text", "Enter")
    await page.locator("#text").blur()
    await page.wait_for_function("() => document.querySelectorAll('.word.said').length >= 3")


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


async def test_an_answer_is_heard_on_while_the_connection_is_away_and_nothing_of_it_is_lost(
    page: Page, wire: Wire, gateway: Gateway, tunnel: Tunnel
) -> None:
    await page.goto(tunnel.url)
    await ask(page)
    tunnel.cut()
    await expect(page.locator("#hint")).to_have_text("The connection is being restored.")
    await state_is(page, "speaking")
    await expect(page.locator("#screen")).to_be_hidden()
    tunnel.mend()
    resumed = await wire.received_of("parlour.resumed")
    assert resumed["replayed"] is True
    gateway.enough()
    await wire.received_of("response.done")
    await expect(page.locator("#hint")).to_have_text("You can interrupt at any time.")

    counted = [event["event_id"] for event in wire.received if event["type"] != "session.created"]
    assert len(counted) == len(set(counted)), "each event once"
    deltas = of(wire.received, "response.output_audio_transcript.delta")
    text = "".join(event["delta"] for event in deltas)
    assert text.startswith("This is sentence one")
    assert text.endswith(" of ten.")
    await expect(page.locator("#lines li.assistant p")).to_have_text(text.strip())
    await expect(page.locator("#lines del")).to_have_count(0)
    assert len(of(wire.sent, "conversation.item.create")) == 1, "nothing is told again"
    await expect(page.locator("#notice")).to_be_hidden()


async def test_what_was_spoken_while_the_connection_was_away_arrives(
    spoken_page: Page, spoken_wire: Wire, tunnel: Tunnel
) -> None:
    page, wire = spoken_page, spoken_wire
    await page.goto(tunnel.url)
    await page.click("#talk")
    await state_is(page, "listening")
    await begin_to_say(page, without_pauses())
    await wire.received_of("input_audio_buffer.speech_started")
    tunnel.cut()
    await expect(page.locator("#state-word")).to_have_text("Reconnecting")
    await expect(page.locator("#screen")).to_be_hidden()
    tunnel.mend()
    resumed = await wire.received_of("parlour.resumed")
    await fall_silent(page)
    await wire.received_of("input_audio_buffer.speech_stopped")
    await state_is(page, "speaking", "thinking")

    numbers = [
        int(event["event_id"].rsplit("_")[-1]) for event in wire.sent if event["type"] != "parlour.resume"
    ]
    assert sorted(set(numbers)) == list(range(1, max(numbers) + 1)), "no event is missing"
    assert resumed["last_client_event_id"] is not None
    assert len(of(wire.received, "input_audio_buffer.speech_started")) == 1


async def test_a_page_that_is_loaded_again_goes_on_where_it_was_heard_last(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.goto(gateway.url)
    await ask(page)
    before = of(wire.sent, "parlour.playback")[-1]
    await page.reload()
    resumed = await wire.received_of("parlour.resumed")
    assert resumed["replayed"] is False
    await state_is(page, "speaking")
    await expect(page.locator("#lines li.user p")).to_have_text("Tell me something")
    await expect(page.locator("#lines li.assistant p")).to_contain_text("This is sentence one of ten.")
    after = await wire.sent_of("parlour.playback", len(of(wire.sent, "parlour.playback")) + 2)
    assert after["item_id"] == before["item_id"]
    assert after["played_ms"] >= before["played_ms"]
    assert await page.evaluate("sessionStorage.getItem('parlour.left')") is None, (
        "a copy of the tab has no token"
    )


async def test_ending_is_a_goodbye_after_which_nothing_is_resumed(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.goto(gateway.url)
    await ask(page)
    await page.keyboard.press("Escape")  # stops the answer
    await wire.received_of("response.done")
    await state_is(page, "ready")
    await page.keyboard.press("Escape")
    await page.reload()
    await state_is(page, "ready")
    await page.click("#talk")
    await state_is(page, "listening")
    assert of(wire.sent, "parlour.resume") == []
