"""A question about a clip in Firefox: dropped, looked at, asked about, answered."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.browser.clips import dropping, long_clip
from tests.e2e.browser.firefox import Firefox, open_firefox, sound_card
from tests.e2e.browser.gateways import Gateway
from tests.e2e.browser.test_firefox import _has_firefox  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

DRAWN = """(() => {
  const canvas = document.querySelector(".sound-picture canvas");
  if (!canvas || canvas.width < 50) return false;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, at) => at % 4 === 3 && value > 128);
})()"""


@pytest_asyncio.fixture(loop_scope="module")
async def firefox(tmp_path: Path) -> AsyncIterator[Firefox]:
    async with (
        sound_card(tmp_path / "sound") as card,
        open_firefox(tmp_path / "firefox", card) as firefox,
    ):
        yield firefox


async def test_a_clip_is_dropped_looked_at_and_asked_about(
    firefox: Firefox, gateway: Gateway, tmp_path: Path
) -> None:
    await firefox.go_to(gateway.url)
    await firefox.evaluate(dropping(long_clip(tmp_path, 40)))
    await firefox.until(DRAWN)
    assert "cut at pauses into 2 pieces" in await firefox.evaluate(
        "document.querySelector('#clip-list').innerText"
    )
    await firefox.evaluate("void (document.querySelector('#text').value = 'What is said?')")
    await firefox.click(".send")
    await firefox.state_is("speaking")
    await firefox.until("document.querySelector('#lines details.clip .clip-words').textContent !== ''")
    await firefox.click("#lines details.clip summary")
    await firefox.until("document.querySelector('#lines details.clip .sound')")
    assert firefox.errors == []
