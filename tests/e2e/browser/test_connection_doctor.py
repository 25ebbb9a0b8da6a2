"""The connection doctor in the page: each step, and the first that fails with its cure."""

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser.gateways import Gateway

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def check(page: Page) -> None:
    await page.keyboard.press("d")
    await page.click("#doctor-check")
    await expect(page.locator("#announcer")).to_contain_text("Connection: ")


async def test_where_all_is_well_every_step_says_so(page: Page, gateway: Gateway) -> None:
    await page.goto(gateway.url)
    await check(page)
    names = await page.locator("#doctor li[data-state=ok] b").all_inner_texts()
    assert names == ["Address", "Microphone", "Speaker", "Server", "Session"]
    await expect(page.locator("#doctor li[data-state=failed]")).to_have_count(0)


async def test_a_server_that_went_away_is_named_with_the_cure(page: Page, gateway: Gateway) -> None:
    await page.goto(gateway.url)
    await page.wait_for_load_state("networkidle")
    await page.click("#talk")
    await page.click("#talk")  # the worklets are loaded: the speaker is well without the server
    await gateway.stop()
    await check(page)
    failed = page.locator("#doctor li[data-state=failed]")
    await expect(failed).to_contain_text("Server It does not answer.")
    await expect(failed.locator("em")).to_contain_text("same network")
    await expect(page.locator("#doctor li").last).to_have_attribute("data-state", "failed")


async def test_a_missing_microphone_is_where_it_stops(page: Page, gateway: Gateway) -> None:
    await page.add_init_script("navigator.mediaDevices.enumerateDevices = async () => []")
    await page.goto(gateway.url)
    await check(page)
    assert await page.locator("#doctor b").all_inner_texts() == ["Address", "Microphone"]
    await expect(page.locator("#doctor em")).to_contain_text("Plug one in")
