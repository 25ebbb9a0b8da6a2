"""A conversation that begins at a speaker goes on in a page and then on a phone, amid one answer."""

from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Browser, Page, expect

from agent.scripted.agent import RECITAL
from tests.e2e.browser.chromium import open_context, state_is
from tests.e2e.browser.gateways import REAL, Gateway, HearingReciter, running
from tests.e2e.browser.tapped import LISTENER, N_NOTES, TAPPED_HZ, notes_of, tapped
from tests.e2e.browser.test_hand_over import PHONE, link_of
from tests.e2e.device import device
from tests.e2e.mosquitto import running_broker
from tests.speech import utterance

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not REAL, reason="the fake gateway resumes nothing"),
]

DESKTOP = {"width": 1280, "height": 800}
DEVICE_HZ = 24_000
WORDS_AT_EACH = 12


async def opened(stack: AsyncExitStack, browser: Browser, size: dict[str, int], link: str) -> Page:
    context = await stack.enter_async_context(open_context(browser, viewport=size, bypass_csp=True))
    page = await context.new_page()
    await page.add_init_script(LISTENER)
    await page.goto(link)
    await page.get_by_role("button", name="Continue here").click()
    return page


async def words_said(page: Page, count: int) -> None:
    said = "count => document.querySelectorAll('.word.said').length >= count"
    await page.wait_for_function(said, arg=count)


async def test_one_answer_is_heard_at_three_devices_without_a_word_lost_or_repeated(
    quiet_browser: Browser, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(running_broker(tmp_path))
        gateway = Gateway(keys="open-sesame-1234", mqtt_url=broker.url)
        gateway.agent = HearingReciter()
        await stack.enter_async_context(running(gateway))
        speaker = await stack.enter_async_context(device(broker.url))
        await speaker.say("parlour.start")
        await speaker.state("listening")
        await speaker.speak(utterance("cards_001").pcm16k)
        await speaker.until(lambda: speaker.played.get(1, 0) >= 1_500)
        await speaker.say("parlour.hand_over")
        token = (await speaker.event("parlour.hand_over_token"))["token"]

        page = await opened(stack, quiet_browser, DESKTOP, f"{gateway.origin}#resume={token}")
        await speaker.event("parlour.closed")
        await state_is(page, "speaking")
        heard_at_speaker = round(speaker.played[1] / 1000 * DEVICE_HZ)
        at_speaker = notes_of(np.frombuffer(speaker.spoken(1), "<i2")[:heard_at_speaker], DEVICE_HZ)
        await words_said(page, len(at_speaker) + WORDS_AT_EACH)

        phone = await opened(stack, quiet_browser, PHONE, await link_of(page))
        await expect(page.locator("#screen")).to_contain_text("is on another device now")
        await state_is(phone, "speaking")
        at_page = notes_of((await tapped(page, "ear")).pcm, TAPPED_HZ)
        await words_said(phone, len(at_speaker) + len(at_page) + WORDS_AT_EACH)
        at_phone = notes_of((await tapped(phone, "ear")).pcm, TAPPED_HZ)
        await expect(phone.locator("#lines li.assistant p")).to_contain_text(RECITAL)
        for one in (page, phone):
            await expect(one.locator("#lines del")).to_have_count(0)
        assert_recited_once([at_speaker, at_page, at_phone])


def assert_recited_once(parts: list[list[int]]) -> None:
    """Word by word, whoever was heard; the word in which it moved may be heard in two pieces."""
    told: list[int] = []
    for part in parts:
        assert len(part) >= WORDS_AT_EACH // 2, f"hardly anything was heard: {parts}"
        told += part[1:] if told and part[0] == told[-1] else part
    assert told == [word % N_NOTES for word in range(len(told))], parts
