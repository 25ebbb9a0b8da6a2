"""What axe-core (Deque's rules for WCAG) says of the page in each of its states, at a desk and on a phone."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.browser.chromium import open_context, state_is
from tests.e2e.browser.clips import READY, short_clip
from tests.e2e.browser.gateways import Gateway

AXE = Path(__file__).parents[3] / "web_client/node_modules/axe-core/axe.min.js"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: `make check` brings it"),
]


async def violations(page: Page) -> list[str]:
    await page.evaluate(AXE.read_text())
    found = await page.evaluate("axe.run()")
    assert len(found["passes"]) > 10, "axe looked at something"
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found["violations"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_axe_finds_nothing_in_any_state(
    quiet_browser: Browser, gateway: Gateway, width: int, scheme: Any, tmp_path: Path
) -> None:
    viewport: Any = {"width": width, "height": 844}
    async with open_context(quiet_browser, viewport=viewport, color_scheme=scheme) as context:
        page = await context.new_page()
        await page.goto(gateway.url)
        await expect(page.locator("#talk")).to_be_enabled()
        found = {"at first": await violations(page)}
        await page.set_input_files("#clip-files", short_clip(tmp_path))
        await expect(page.locator(READY)).to_have_count(1)
        found["a clip"] = await violations(page)
        await page.fill("#text", "What is it about?")
        await page.press("#text", "Enter")
        await state_is(page, "speaking")
        await page.click("#lines details.clip summary")
        found["an answer"] = await violations(page)
        await page.locator("#text").blur()
        await page.keyboard.press("d")
        found["details"] = await violations(page)
        await page.click("#settings-button")
        found["settings"] = await violations(page)
        assert {state: told for state, told in found.items() if told} == {}
