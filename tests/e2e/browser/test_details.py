"""The details for engineers: what they show is true, and the keys lead into them and out again."""

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser.chromium import Wire, state_is
from tests.e2e.browser.gateways import Gateway

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def write(page: Page, text: str = "Tell me something") -> None:
    await page.fill("#text", text)
    await page.press("#text", "Enter")
    await page.locator("#text").blur()


async def test_escape_in_the_details_closes_them_and_nothing_else(page: Page, gateway: Gateway) -> None:
    await page.goto(gateway.url)
    await write(page)
    await state_is(page, "speaking")
    await page.focus("#drawer-button")
    await page.keyboard.press("Enter")
    await expect(page.locator("#drawer-close")).to_be_focused()
    await page.focus("#log-filter")
    await page.keyboard.press("Escape")
    await expect(page.locator("#log-filter")).not_to_be_focused()
    await expect(page.locator("#drawer")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#drawer")).to_be_hidden()
    await expect(page.locator("#drawer-button")).to_be_focused()
    await state_is(page, "speaking")


async def test_details_that_cover_the_page_are_what_escape_closes(page: Page, gateway: Gateway) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(gateway.url)
    await write(page)
    await state_is(page, "speaking")
    await page.keyboard.press("d")
    await page.keyboard.press("Escape")
    await expect(page.locator("#drawer")).to_be_hidden()
    await state_is(page, "speaking")


async def test_space_is_for_talking_also_after_the_mouse_has_closed_the_details(
    page: Page, gateway: Gateway
) -> None:
    await page.goto(gateway.url)
    await page.click("#talk")
    await state_is(page, "listening")
    await page.click("#drawer-button")
    await page.click("#drawer-close")
    await page.keyboard.press("Space")
    await state_is(page, "muted")
    await expect(page.locator("#drawer")).to_be_hidden()


async def test_figures_of_a_connection_end_with_it(page: Page, wire: Wire, gateway: Gateway) -> None:
    await page.goto(gateway.url)
    await page.keyboard.press("d")
    figures = page.locator("#figures [data-figure]")
    by = page.locator("#figures [data-figure='Connected by'] dd")
    await expect(by).to_have_text("–")
    await write(page)
    await state_is(page, "speaking")
    await expect(by).to_contain_text("WebSocket")
    await expect(page.locator("#figures [data-figure='Buffer depth']")).to_be_visible()
    await expect(page.locator("#figures [data-figure='Lost']")).to_have_count(0)
    await page.keyboard.press("Escape")
    await state_is(page, "ready")
    await page.keyboard.press("Escape")
    await expect(by).to_have_text("–")
    assert await figures.evaluate_all("rows => rows.map((row) => row.dataset.figure)") == [
        "Connected by",
        "Round trip",
        "Device rate",
    ]


async def test_an_event_that_one_reads_stays_open_while_more_of_it_come(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.goto(gateway.url)
    await page.keyboard.press("d")
    await page.click("#talk")
    await state_is(page, "listening")
    entry = page.locator("#log details", has_text="input_audio_buffer.append").last
    await entry.locator("summary").click()
    await expect(entry.locator("pre")).to_be_visible()
    title = await entry.locator("code").inner_text()
    await expect(entry.locator("code")).not_to_have_text(title)
    await expect(entry.locator("pre")).to_be_visible()
