"""Magnified four times, a page has 320 by 256 left (WCAG 1.4.10): nothing is covered, all can be reached."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser.chromium import state_is
from tests.e2e.browser.gateways import Gateway
from tests.e2e.browser.test_screens import REFUSE_MICROPHONE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

# Of what is shown and can be used: what does not lie in the window, or lies under something else.
COVERED = """(parts) => [...document.querySelectorAll(parts)].filter((part) => {
  if (!part.checkVisibility()) return false;
  const { left, top, right, bottom } = part.getBoundingClientRect();
  if (left < 0 || top < 0 || right > innerWidth || bottom > innerHeight) return true;
  const points = [[left + right, top + bottom], [2 * left + 8, top + bottom], [2 * right - 8, top + bottom]];
  return points.some(([x, y]) => !part.contains(document.elementFromPoint(x / 2, y / 2)));
}).map((part) => part.id || part.className)"""
CONTROLS = "header button, h1, #state-word, .controls button, .level, #text, .send"


@pytest.fixture(params=[(320, 256), (320, 360), (844, 390)], ids=lambda size: f"{size[0]}x{size[1]}")
def size(request: pytest.FixtureRequest) -> dict[str, int]:
    width, height = request.param
    return {"width": width, "height": height}


async def covered(page: Page, parts: str = CONTROLS) -> Any:
    return await page.evaluate(COVERED, parts)


async def test_nothing_is_covered_whatever_the_page_shows(
    page: Page, gateway: Gateway, size: dict[str, int]
) -> None:
    await page.set_viewport_size(size)
    await page.goto(gateway.url)
    assert await covered(page) == []
    await page.click("#talk")
    await state_is(page, "listening")
    assert await covered(page) == []
    await page.fill("#text", "line\n" * 12)
    assert await covered(page) == []
    await page.press("#text", "Enter")
    await page.wait_for_function("() => document.querySelectorAll('.word.said').length >= 3")
    assert await covered(page) == []
    lines = page.locator("#lines li.assistant p")
    await expect(lines).to_be_in_viewport()
    script = await page.locator("#script").bounding_box()
    assert script is not None
    assert script["height"] >= 60, "two lines of the conversation"


async def test_a_screen_can_be_read_and_answered(page: Page, gateway: Gateway, size: dict[str, int]) -> None:
    await page.set_viewport_size(size)
    await page.add_init_script(REFUSE_MICROPHONE % "NotAllowedError")
    await page.goto(gateway.url)
    await page.click("#talk")
    await expect(page.locator("#screen-title")).to_be_focused()
    assert await covered(page) == []
    for part in ("#screen-title", "#screen-steps", "#screen-actions"):
        await page.locator(part).scroll_into_view_if_needed()
        await expect(page.locator(part)).to_be_in_viewport()
    assert await covered(page, "#screen-actions button") == []


async def test_the_details_can_be_read_to_their_end(
    page: Page, gateway: Gateway, size: dict[str, int]
) -> None:
    await page.set_viewport_size(size)
    await page.goto(gateway.url)
    await page.keyboard.press("d")
    assert await covered(page, "#drawer-close") == []
    for part in ("#figures", "#doctor-check", "#log-save", "#log"):
        await page.locator(part).scroll_into_view_if_needed()
        await expect(page.locator(part)).to_be_in_viewport()
    assert await page.locator("#drawer").evaluate("(drawer) => drawer.scrollWidth <= drawer.clientWidth")
