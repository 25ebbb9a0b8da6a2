"""Questions about recordings: brought to the page, looked at, asked about, and answered in the thread."""

import json
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.browser.chromium import Event, Wire, open_context, state_is, write_wav
from tests.e2e.browser.clips import READY, bring, long_clip, pcm_of, short_clip
from tests.e2e.browser.gateways import REAL, Gateway, running
from tests.e2e.browser.speech import say
from tests.speech import HZ, utterance

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

HERE = Path(__file__).parent
CREATED = "conversation.item.create"


async def ask(page: Page, text: str) -> None:
    await page.fill("#text", text)
    await page.press("#text", "Enter")


def created(wire: Wire) -> list[Event]:
    return [event for event in wire.sent if event["type"] == CREATED]


async def test_several_clips_are_one_question_however_they_were_brought(
    page: Page, wire: Wire, gateway: Gateway, tmp_path: Path
) -> None:
    await page.goto(gateway.url)
    first, second = short_clip(tmp_path), short_clip(tmp_path, "door.wav")
    await bring(page, "dragenter", first)
    await expect(page.locator("#drop")).to_be_visible()
    await bring(page, "drop", first)
    await expect(page.locator("#drop")).to_be_hidden()
    await bring(page, "paste", second)
    await page.set_input_files("#clip-files", first)
    await expect(page.locator(READY)).to_have_count(3)
    await page.get_by_role("button", name="Remove meeting.wav").first.click()
    await expect(page.locator(READY)).to_have_count(2)
    await ask(page, "Which one is louder?")
    sent = await wire.sent_of(CREATED)
    kinds = [part["type"] for part in sent["item"]["content"]]
    assert kinds == ["input_audio", "input_audio", "input_text"]
    length = len(first.read_bytes()) // 2 * 24_000 / HZ
    assert all(abs(len(pcm) - length) < 200 for pcm in pcm_of(sent))
    assert np.abs(pcm_of(sent)[0]).max() > 1_000, "the sound itself"
    await page.wait_for_function("() => document.querySelectorAll('.word.said').length >= 2")
    await expect(page.locator("#clips")).to_be_hidden()
    await expect(page.locator("#lines details.clip")).to_have_count(2)
    await ask(page, "And which one is longer?")
    await wire.received_of("response.created", 2)
    assert created(wire)[1]["item"]["content"][0]["type"] == "input_text", "the thread goes on"


async def test_a_long_clip_is_cut_at_pauses_and_each_piece_waits_for_the_one_before(
    page: Page, wire: Wire, gateway: Gateway, tmp_path: Path
) -> None:
    await page.goto(gateway.url)
    await page.set_input_files("#clip-files", long_clip(tmp_path))
    await expect(page.locator(READY)).to_have_count(1)
    await expect(page.locator("#clip-list .small")).to_contain_text("cut at pauses into 3 pieces")
    await ask(page, "What is it about?")
    await wire.sent_of("response.create")
    pieces = [pcm for event in created(wire) for pcm in pcm_of(event)]
    assert len(created(wire)) == 3
    assert abs(sum(map(len, pieces)) - 70 * 24_000) < 300, "nothing is lost between the pieces"
    assert max(map(len, pieces)) <= 30 * 24_000
    for cut in pieces[:-1]:
        assert np.abs(cut[-600:].astype(int)).max() < 1_500, "no word is cut"
    added = [event["item"]["id"] for event in wire.received if event["type"] == "conversation.item.added"]
    assert added == [event["item"]["id"] for event in created(wire)]
    await wire.received_of("response.created")


async def test_what_cannot_be_heard_is_told_and_the_rest_is_asked_about(
    page: Page, wire: Wire, gateway: Gateway, tmp_path: Path
) -> None:
    text = tmp_path / "notes.mp3"
    text.write_text("This is no music.")
    empty = tmp_path / "empty.wav"
    empty.touch()
    click = write_wav(tmp_path / "click.wav", bytes(2 * HZ // 20), HZ)
    hours = write_wav(tmp_path / "hours.wav", bytes(8_000 * 601 * 2), 8_000)
    await page.goto(gateway.url)
    await page.set_input_files("#clip-files", [text, empty, click, hours, short_clip(tmp_path)])
    await expect(page.locator(READY)).to_have_count(1)
    refused = page.locator("#clip-list li.refused")
    await expect(refused).to_have_count(4)
    for index, reason in enumerate(
        ("cannot be decoded", "is empty", "too short: 50 ms", "too long: 10 min 1 s")
    ):
        await expect(refused.nth(index)).to_contain_text(reason)
    await ask(page, "What is said?")
    assert len(pcm_of(await wire.sent_of(CREATED))) == 1


async def test_one_asks_aloud_about_a_clip(
    spoken_page: Page, spoken_wire: Wire, gateway: Gateway, tmp_path: Path
) -> None:
    page, wire = spoken_page, spoken_wire
    await page.goto(gateway.url)
    await page.click("#talk")
    await state_is(page, "listening")
    await page.set_input_files("#clip-files", short_clip(tmp_path))
    await expect(page.locator(READY)).to_have_count(1)
    await page.click(".send")
    await wire.received_of("conversation.item.added")
    assert not any(event["type"] == "response.create" for event in wire.sent), "nothing is asked yet"
    await say(page, utterance("cards_001").pcm16k + bytes(2 * HZ))
    await wire.received_of("response.created")
    await expect(page.locator("#lines li.user")).to_have_count(2)
    await expect(page.locator("#lines li.user").first.locator("details.clip")).to_have_count(1)


async def test_a_clip_is_recorded_and_the_assistant_hears_silence_meanwhile(
    spoken_page: Page, spoken_wire: Wire, gateway: Gateway
) -> None:
    page, wire = spoken_page, spoken_wire
    await page.goto(gateway.url)
    await page.click("#talk")
    await state_is(page, "listening")
    await page.click("#record")
    await expect(page.locator("#record-time")).to_contain_text("Recording 0:")
    begun = len(wire.sent)
    await say(page, utterance("cards_001").pcm16k)
    await page.click("#record")
    await expect(page.locator(READY)).to_have_count(1)
    heard = [event for event in wire.sent[begun:] if event["type"] == "input_audio_buffer.append"]
    assert heard
    assert all(set(event["audio"]) <= {"A", "="} for event in heard[5:]), "but for what was under way"
    await ask(page, "What did I say?")
    recorded = pcm_of(await wire.sent_of(CREATED))[0]
    assert np.abs(recorded).max() > 1_000


@pytest.mark.skipif(not REAL, reason="the fake gateway takes no calls")
async def test_a_call_goes_on_over_a_websocket_when_a_clip_comes(
    page: Page, wire: Wire, gateway: Gateway, tmp_path: Path
) -> None:
    await page.goto(f"{gateway.origin}?transport=webrtc")
    await ask(page, "Remember the number seven")
    await page.wait_for_function("() => document.querySelectorAll('.word.said').length >= 2")
    assert wire.sockets == 0
    await page.keyboard.press("Escape")
    await page.set_input_files("#clip-files", long_clip(tmp_path, 40))
    await expect(page.locator(READY)).to_have_count(1)
    await ask(page, "What is it about?")
    resumed = await wire.received_of("parlour.resumed")
    assert resumed["session"]["id"]
    await wire.sent_of("response.create")
    assert len(created(wire)) == 2
    await expect(page.locator("#lines li.user")).to_have_count(2)


async def test_a_clip_that_the_server_refuses_is_told_and_can_be_asked_otherwise(
    page: Page, wire: Wire, tmp_path: Path
) -> None:
    if not REAL:
        pytest.skip("the fake gateway refuses nothing")
    async with running(Gateway(frame_kib_max=64)) as strict:
        await page.goto(strict.url)
        await page.set_input_files("#clip-files", short_clip(tmp_path))
        await expect(page.locator(READY)).to_have_count(1)
        await ask(page, "What is said?")
        await expect(page.locator("#notice")).to_contain_text("The server does not take it")
        await expect(page.locator("#lines li.user.failed")).to_have_count(1)
        await state_is(page, "ready")
        assert not any(event["type"] == "response.create" for event in wire.sent)
        await ask(page, "Hello?")
        await state_is(page, "speaking")


async def test_a_clip_is_played_and_its_place_is_moved_by_keys(
    page: Page, gateway: Gateway, tmp_path: Path
) -> None:
    await page.goto(gateway.url)
    await page.set_input_files("#clip-files", short_clip(tmp_path))
    await page.get_by_role("button", name="Play meeting.wav").click()
    await page.wait_for_function("() => Number(document.querySelector('.sound-picture input').value) > 200")
    await page.get_by_role("button", name="Pause meeting.wav").click()
    place = page.get_by_label("Place in meeting.wav")
    await place.focus()
    await page.keyboard.press("Home")
    await expect(place).to_have_attribute("aria-valuetext", "0.0 s of 2.1 s")
    await page.keyboard.press("End")
    await expect(place).to_have_attribute("aria-valuetext", "2.1 s of 2.1 s")
    drawn = await page.evaluate(
        """() => {
          const canvas = document.querySelector(".sound-picture canvas");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return data.filter((value, at) => at % 4 === 3 && value > 128).length / (data.length / 4);
        }"""
    )
    assert 0.02 < drawn < 0.9, "a waveform and a spectrogram, and neither nothing nor everything"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_clips_are_readable_by_all_on_a_telephone_too(
    quiet_browser: Browser, gateway: Gateway, tmp_path: Path, scheme: str
) -> None:
    refused = tmp_path / "notes.mp3"
    refused.write_text("This is no music.")
    async with open_context(
        quiet_browser, viewport={"width": 390, "height": 844}, color_scheme=scheme
    ) as context:
        page = await context.new_page()
        await page.goto(gateway.url)
        await page.set_input_files("#clip-files", [long_clip(tmp_path), refused])
        await expect(page.locator(READY)).to_have_count(1)
        await expect(page.locator("#clip-list li.refused")).to_have_count(1)
        audit = await page.evaluate((HERE / "audit.js").read_text())
        await ask(page, "What is it about?")
        await state_is(page, "speaking")
        await page.click("#lines details.clip summary")
        await expect(page.locator("#lines .sound")).to_have_count(1)
        asked = await page.evaluate((HERE / "audit.js").read_text())
        for found in (audit, asked):
            assert (found["faint"], found["nameless"]) == ([], []), json.dumps(found)
        assert await page.evaluate("document.documentElement.scrollWidth") == 390
