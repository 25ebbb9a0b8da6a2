"""Each turn is heard and seen again, with marks that say why it ended."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser.chromium import Wire, state_is
from tests.e2e.browser.gateways import REAL, Gateway
from tests.e2e.browser.speech import say
from tests.speech import HZ, utterance

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SECOND = bytes(2 * HZ)


async def unfold(page: Page, role: str) -> tuple[float, str]:
    """The first turn of one party: its length in seconds, and what is told of it."""
    line = page.locator(f"#lines li.{role}").first
    await line.locator("details.turn summary").click()
    marks = await line.locator(".sound-marks").inner_text()
    length_ms = await line.locator(".sound input").get_attribute("max")
    return int(length_ms or "0") / 1000, marks


@pytest.mark.parametrize(
    "transport",
    [
        "websocket",
        pytest.param("webrtc", marks=pytest.mark.skipif(not REAL, reason="the fake gateway takes no calls")),
    ],
)
async def test_both_sides_of_a_barge_in_are_heard_again_with_what_happened(
    spoken_page: Page, gateway: Gateway, transport: str
) -> None:
    page, spoken = spoken_page, utterance("cards_001")
    await page.goto(f"{gateway.origin}?transport={transport}")
    await page.click("#talk")
    await state_is(page, "listening")
    await say(page, spoken.pcm16k + SECOND)
    await page.wait_for_function("() => document.querySelectorAll('.word.said').length >= 12")
    await say(page, utterance("cards_002").pcm16k + SECOND)
    await expect(page.locator("#lines del")).to_have_count(1)
    await expect(page.locator("#lines li.user details.turn")).to_have_count(2)
    length_s, marks = await unfold(page, "user")
    voice_s = (spoken.speech_end_ms - spoken.speech_start_ms) / 1000
    assert abs(length_s - (voice_s + 0.3 + 0.5)) < 0.3, "from before the voice to the decision"
    assert "you began to speak" in marks
    assert "your turn was taken for ended, for there had been 0.50 s of silence." in marks
    length_s, marks = await unfold(page, "assistant")
    cut = re.search(r"At (.+) s: you spoke, and it stopped \(barge-in\)", marks)
    assert cut is not None
    assert abs(float(cut[1]) - length_s) < 0.1, "what was not heard is not there"
    assert length_s > 1.5, "a dozen words of 160 ms"


async def test_a_turn_that_plays_again_is_not_heard_by_the_assistant(
    spoken_page: Page, spoken_wire: Wire, gateway: Gateway
) -> None:
    page, wire = spoken_page, spoken_wire
    await page.goto(gateway.url)
    await page.click("#talk")
    await state_is(page, "listening")
    await say(page, utterance("cards_001").pcm16k + SECOND)
    await state_is(page, "speaking")
    await page.keyboard.press("Escape")
    await unfold(page, "user")
    await page.get_by_role("button", name="Play what you said").click()
    begun = len(wire.sent)
    await say(page, utterance("cards_002").pcm16k)
    await page.get_by_role("button", name="Play what you said").wait_for()  # it has come to its end
    heard = [event["audio"] for event in wire.sent[begun:] if event["type"] == "input_audio_buffer.append"]
    assert len(heard) > 20
    assert all(set(audio) <= {"A", "="} for audio in heard[5:25])


async def test_a_conversation_that_begins_anew_has_no_sound_of_the_one_before(
    page: Page, gateway: Gateway
) -> None:
    await page.goto(gateway.url)
    await page.fill("#text", "Hello")
    await page.press("#text", "Enter")
    await page.wait_for_function("() => document.querySelectorAll('.word.said').length >= 2")
    await page.keyboard.press("Escape")
    await expect(page.locator("details.turn")).to_have_count(1)
    await page.click("#settings-button")
    await page.click("#fresh")
    await expect(page.locator("details.turn")).to_have_count(0)
