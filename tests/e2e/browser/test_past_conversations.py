"""Conversations given away, and kept in the browser where the user wants that."""

import asyncio
import io
import json
import wave
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser.clips import READY, short_clip
from tests.e2e.browser.gateways import Gateway

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

HERE = Path(__file__).parent
STORED = """async () => {
  const names = (await indexedDB.databases()).map(({ name }) => name);
  if (!names.includes("parlour")) return [0, 0];
  const opening = indexedDB.open("parlour");
  await new Promise((done) => (opening.onsuccess = done));
  const counted = ["conversations", "sounds"].map((name) => {
    const request = opening.result.transaction(name).objectStore(name).count();
    return new Promise((done) => (request.onsuccess = () => done(request.result)));
  });
  const counts = await Promise.all(counted);
  opening.result.close();
  return counts;
}"""


async def converse(page: Page, question: str) -> None:
    """A written question and a part of its answer."""
    await page.fill("#text", question)
    await page.press("#text", "Enter")
    await page.wait_for_function("() => document.querySelector('#lines li:last-child .word.said')")
    await page.keyboard.press("Escape")
    await expect(page.locator("#lines li:last-child del")).to_have_count(1)
    await page.locator("#text").blur()


async def open_conversations(page: Page) -> None:
    await page.click("#settings-button")
    await page.click("#conversations-button")
    await expect(page.locator("#conversations-title")).to_be_focused()


async def saved(page: Page, place: str, name: str) -> bytes:
    async with page.expect_download() as saving:
        await page.locator(place).get_by_role("button", name=name, exact=True).click()
    return await asyncio.to_thread(Path(await (await saving.value).path()).read_bytes)


async def are_stored(page: Page, conversations: int, sounds: int) -> None:
    """Wait until the browser keeps so many."""
    until = f"""async (wanted) => {{
      while (String(await ({STORED})()) !== String(wanted)) await new Promise(requestAnimationFrame);
    }}"""
    await page.evaluate(until, [conversations, sounds])


async def stored(page: Page) -> tuple[int, int]:
    """Conversations and sounds that the browser keeps."""
    conversations, sounds = await page.evaluate(STORED)
    return conversations, sounds


async def test_a_conversation_is_taken_along_and_nothing_of_it_stays(
    page: Page, gateway: Gateway, tmp_path: Path
) -> None:
    await page.goto(gateway.url)
    await page.set_input_files("#clip-files", short_clip(tmp_path))
    await expect(page.locator(READY)).to_have_count(1)
    await converse(page, "What is this?")
    await open_conversations(page)
    text = (await saved(page, "#give-away", "Text")).decode()
    assert text.startswith(
        "You: [clip: meeting.wav, heard as “What can you tell me about the sea?”] What is this?"
    )
    assert "[cut off: " in text
    record = json.loads(await saved(page, "#give-away", "JSON"))
    assert [line["role"] for line in record["lines"]] == ["user", "assistant"]
    with wave.open(io.BytesIO(await saved(page, "#give-away", "Sound"))) as file:
        assert (file.getframerate(), file.getnchannels()) == (24_000, 1)
        heard = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(int)
    clip_samples = 2.095 * 24_000
    assert len(heard) > clip_samples + 12_000, "the clip, half a second, and the answer"
    assert np.abs(heard[: int(clip_samples)]).max() > 1_000
    assert np.abs(heard[int(clip_samples) + 12_000 :]).max() > 1_000
    await expect(page.locator("#past-note")).to_have_text("There are none.")
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")  # it would be written now
    assert await stored(page) == (0, 0), "nobody has asked for it"


async def test_past_conversations_are_kept_when_wanted_and_deleted_one_by_one_and_all(
    page: Page, gateway: Gateway
) -> None:
    await page.goto(gateway.url)
    await open_conversations(page)
    await page.check("#keep-words")
    await page.check("#keep-sound")
    await page.click("#conversations-close")
    for number, question in enumerate(("First question", "Second question", "Third question"), start=1):
        await converse(page, question)
        await are_stored(page, number, number)
        await page.click("#settings-button")
        await page.click("#fresh")
        await page.keyboard.press("Escape")  # of the settings
    await page.reload()
    await open_conversations(page)
    entries = page.locator("#past > li")
    await expect(entries).to_have_count(3)
    for index, title in enumerate(("Third question", "Second question", "First question")):
        await expect(entries.nth(index).locator("summary")).to_contain_text(title)
    await entries.nth(1).locator("summary").click()
    assert "You: Second question" in (await saved(page, "#past > li:nth-child(2)", "Text")).decode()
    kept = await saved(page, "#past > li:nth-child(2)", "Sound")
    assert len(kept) > 1_000
    audit = await page.evaluate((HERE / "audit.js").read_text())
    assert (audit["faint"], audit["nameless"]) == ([], [])
    await page.set_viewport_size({"width": 390, "height": 844})
    fits = "(dialog) => dialog.scrollWidth <= dialog.clientWidth"
    assert await page.locator("#conversations").evaluate(fits)
    await entries.nth(1).get_by_role("button", name="Delete").click()
    await expect(entries).to_have_count(2)
    await expect(page.locator("#past")).not_to_contain_text("Second question")
    assert await stored(page) == (2, 2), "its sound has gone with it"
    await page.click("#past-delete")
    await expect(entries).to_have_count(2)
    await page.click("#past-delete")
    await expect(page.locator("#past-note")).to_have_text("There are none.")
    assert await stored(page) == (0, 0)


async def test_a_conversation_that_goes_on_after_a_reload_is_one_conversation(
    page: Page, gateway: Gateway, tmp_path: Path
) -> None:
    await page.goto(gateway.url)
    await open_conversations(page)
    await page.check("#keep-words")
    await page.click("#conversations-close")
    await page.set_input_files("#clip-files", short_clip(tmp_path))
    await expect(page.locator(READY)).to_have_count(1)
    await converse(page, "What is this?")
    await are_stored(page, 1, 0)
    await page.reload()
    await expect(page.locator("#lines li")).to_have_count(2)
    await converse(page, "And then?")
    await open_conversations(page)
    await expect(page.locator("#past > li")).to_have_count(1)
    await page.locator("#past summary").click()
    await expect(page.locator("#past .past-text")).to_contain_text("[clip: meeting.wav")


async def test_a_browser_that_keeps_nothing_says_so(page: Page, gateway: Gateway) -> None:
    await page.add_init_script(
        "indexedDB.open = () => { throw new DOMException('not here', 'SecurityError') }"
    )
    await page.goto(gateway.url)
    await open_conversations(page)
    await expect(page.locator("#past-note")).to_contain_text("This browser lets the page keep nothing")
    await page.check("#keep-words")
    await page.click("#conversations-close")
    await converse(page, "Hello")
    await expect(page.locator("#notice")).to_contain_text("This browser lets the page keep nothing")
