"""The report in a browser: nothing is fetched or run, all can be read, on a phone and in the dark too."""

from pathlib import Path

import pytest
from playwright.async_api import Request, async_playwright

from evaluation.report.html import to_html
from tests.e2e.browser.chromium import FLAGS, HANGS_MS, chromium_path
from tests.evaluation.report.reports import full_report, tone

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[3]
AUDIT = (ROOT / "tests/e2e/browser/audit.js").read_text()
AXE = ROOT / "web_client/node_modules/axe-core/axe.min.js"
OPENED = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
PLAYED = """async () => {
  const clip = document.querySelector("audio");
  clip.muted = true;
  await clip.play();
  return clip.duration;
}"""


async def test_a_report_can_be_read_by_everybody_and_harms_nobody(tmp_path: Path) -> None:
    path = chromium_path()
    if path is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    file = tmp_path / "report.html"
    file.write_text(to_html(full_report(), tone))
    told: list[str] = []

    def asked(request: Request) -> None:
        if not request.url.startswith(("data:", file.as_uri())):
            told.append(f"asked for {request.url}")

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*FLAGS], timeout=HANGS_MS)
        for width, scheme in ((1280, "light"), (390, "dark")):
            context = await browser.new_context(
                viewport={"width": width, "height": 800}, color_scheme="dark" if scheme == "dark" else "light"
            )
            context.set_default_timeout(HANGS_MS)
            page = await context.new_page()
            page.on("request", asked)
            page.on("console", lambda message: told.append(message.text))
            page.on("pageerror", lambda error: told.append(str(error)))
            await page.goto(file.as_uri())
            assert await page.title() != "harm", "an answer was run"
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert await page.evaluate(PLAYED) == pytest.approx(0.5, abs=0.05)
            await page.evaluate(OPENED)
            audit = await page.evaluate(AUDIT)
            assert (audit["faint"], audit["nameless"]) == ([], [])
            if AXE.exists():
                await page.evaluate(AXE.read_text())
                found = await page.evaluate("axe.run()")
                assert [f"{one['id']}: {one['nodes'][0]['html']}" for one in found["violations"]] == []
            await context.close()
        await browser.close()
    assert told == []
