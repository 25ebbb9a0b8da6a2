"""A conversation moves from one page to another, in the middle of an answer."""

import io
from pathlib import Path

import av
import pytest
import zxingcpp
from playwright.async_api import Browser, Page, expect

from tests.e2e.browser.chromium import Wire, open_context, state_is
from tests.e2e.browser.fake_gateway import Behaviour
from tests.e2e.browser.gateways import REAL, Gateway, HearingReciter, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
needs_real = pytest.mark.skipif(not REAL, reason="the fake gateway resumes nothing")

HERE = Path(__file__).parent
PHONE = {"width": 390, "height": 844}


async def ask(page: Page, text: str = "Tell me something") -> None:
    await page.fill("#text", text)
    await page.press("#text", "Enter")
    await page.locator("#text").blur()
    await page.wait_for_function("() => document.querySelectorAll('.word.said').length >= 3")


async def link_of(page: Page) -> str:
    await page.click("#settings-button")
    await page.click("#hand-over-button")
    await expect(page.locator("#hand-over")).to_be_visible()
    await expect(page.locator("#hand-over-title")).to_be_focused()
    return await page.locator("#hand-over-link").input_value()


async def code_of(page: Page) -> str:
    """What a camera reads on the screen."""
    await page.wait_for_selector("#hand-over-code > path")
    screenshot = await page.locator("#hand-over-code").screenshot()
    with av.open(io.BytesIO(screenshot)) as image:
        picture = next(image.decode(video=0)).to_ndarray(format="gray")
    found = zxingcpp.read_barcode(picture)
    assert found is not None, "no code is seen"
    return found.text


@needs_real
async def test_a_phone_goes_on_at_the_word_that_was_heard_last_and_the_first_page_takes_it_back(
    page: Page, wire: Wire, quiet_browser: Browser
) -> None:
    gateway = Gateway(keys="open-sesame-1234")
    gateway.agent = HearingReciter()
    async with running(gateway), open_context(quiet_browser, viewport=PHONE) as context:
        await page.add_init_script("sessionStorage.setItem('parlour.key', 'open-sesame-1234')")
        await page.goto(gateway.url)
        await ask(page)
        link = await link_of(page)
        assert link.startswith(f"{gateway.origin}#resume=rt_")
        assert await code_of(page) == link

        phone = await context.new_page()
        phone_wire = Wire(phone)
        await phone.goto(link.replace("#", "?transport=websocket#"))
        assert phone.url == gateway.url, "the token does not stay in the address"
        await expect(phone.locator("#screen-title")).to_have_text("Continue the conversation here")
        assert phone_wire.sockets == 0, "nothing happens before the press"
        await phone.get_by_role("button", name="Continue here").click()

        await wire.received_of("parlour.moved")
        await expect(page.locator("#screen")).to_contain_text("is on another device now")
        await expect(page.locator("#hand-over")).to_be_hidden()
        [playing] = (await phone_wire.received_of("parlour.resumed"))["playing"]
        await wire.until(
            lambda: playing["heard_ms"] in [event.get("played_ms") for event in wire.sent],
            "the report of what the first page heard last",
        )
        first = await phone_wire.sent_of("parlour.playback")
        assert (first["item_id"], first["played_ms"]) == (playing["item_id"], playing["heard_ms"])
        await state_is(phone, "speaking")
        await expect(phone.locator("#lines li")).to_have_count(2)
        await expect(phone.locator("#lines li.user p")).to_have_text("Tell me something")
        await phone_wire.sent_of("input_audio_buffer.append", 10)
        truncated = [event for event in wire.sent if event["type"] == "conversation.item.truncate"]
        assert truncated == [], "what moved was not cut off"

        await page.get_by_role("button", name="Take it back").click()
        await phone_wire.received_of("parlour.moved")
        back = await wire.received_of("parlour.resumed")
        heard_ms = back["playing"][0]["heard_ms"]
        await phone_wire.until(
            lambda: heard_ms in [event.get("played_ms") for event in phone_wire.sent],
            "the report of what the phone heard last",
        )
        await state_is(page, "speaking")
        await expect(page.locator("#lines li")).to_have_count(2)
        await expect(page.locator("#lines del")).to_have_count(0)

        await expect(phone.locator("#screen")).to_contain_text("is on another device now")
        await phone.get_by_role("button", name="Begin a new one").click()
        await expect(phone.locator("#screen-title")).to_have_text("This server asks for a key")
        await expect(phone.locator("#lines li")).to_have_count(0)


@needs_real
async def test_a_link_that_was_used_begins_a_new_conversation_and_says_so(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.goto(f"{gateway.url}#resume=rt_forged.token")
    await page.get_by_role("button", name="Continue here").click()
    await wire.received_of("error")
    await state_is(page, "listening")
    await expect(page.locator("#notice")).to_contain_text("not there any more")


@needs_real
async def test_the_link_says_how_long_it_works_and_that_a_loopback_address_leads_nowhere(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.goto(gateway.url)
    await page.click("#settings-button")
    await expect(page.locator("#hand-over-button")).to_be_disabled()
    await page.keyboard.press("Escape")
    await page.click("#talk")
    await wire.received_of("parlour.resume_token")
    await link_of(page)
    await expect(page.locator("#hand-over-until")).to_contain_text("for another")
    await expect(page.locator("#hand-over-reach")).to_contain_text("PARLOUR_KEYS")
    audit = await page.evaluate((HERE / "audit.js").read_text())
    assert audit["faint"] == []
    assert audit["nameless"] == []
    await page.keyboard.press("Escape")
    await expect(page.locator("#hand-over")).to_be_hidden()
    await state_is(page, "listening")
    assert await page.locator("#hand-over-link").input_value() == ""


async def test_the_code_is_drawn_under_the_strictest_content_policy_and_in_the_dark(
    page: Page, wire: Wire
) -> None:
    async with running(Gateway(fake=Behaviour(hands_over=True))) as gateway:
        await page.emulate_media(color_scheme="dark")
        await page.goto(gateway.url)
        await page.click("#talk")
        await wire.received_of("parlour.resume_token")
        link = await link_of(page)
        assert link == f"{gateway.origin}#resume=rt_fake.token"
        assert await code_of(page) == link
        await expect(page.locator("#hand-over")).to_contain_text("Scan this there, or open the link.")


async def test_a_server_that_draws_no_code_leaves_the_link(page: Page, wire: Wire) -> None:
    async with running(Gateway(fake=Behaviour(hands_over=True, draws_codes=False))) as gateway:
        await page.goto(gateway.url)
        await page.click("#talk")
        await wire.received_of("parlour.resume_token")
        link = await link_of(page)
        await expect(page.locator("#hand-over-code")).to_be_hidden()
        await expect(page.locator("#hand-over")).to_contain_text("Open this link there.")
        assert await page.locator("#hand-over-link").input_value() == link


async def test_the_token_is_in_no_address_that_is_asked_for(page: Page, wire: Wire) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    async with running(Gateway(fake=Behaviour(hands_over=True))) as gateway:
        await page.goto(gateway.url)
        await page.click("#talk")
        await wire.received_of("parlour.resume_token")
        await link_of(page)
        await code_of(page)
    assert any(address.endswith("/v1/parlour/qr-code") for address in asked)
    assert not any("rt_fake" in address for address in asked)
