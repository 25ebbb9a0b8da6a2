"""Speaking with the page: a WAV file is the microphone, the sound is measured where it leaves."""

import asyncio
import base64
import json

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.e2e.browser.chromium import SHOWS_AS_SAID, Event, Wire, state_is
from tests.e2e.browser.fake_gateway import HEARD_AS
from tests.e2e.browser.gateways import Gateway
from tests.e2e.browser.speech import begin_to_say, fall_silent, places_of, say, without_pauses
from tests.speech import utterance
from tests.waiting import News

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

FRAMES_AFTER_IT = 50
"""A second: more than is under way between a microphone and the wire."""
SEAM_MS = 20


async def test_spoken_words_are_answered_word_by_word_with_sound(
    talking_page: Page, talking_wire: Wire, gateway: Gateway
) -> None:
    page, wire = talking_page, talking_wire
    await page.goto(gateway.url)
    await page.click("#talk")
    await wire.received_of("input_audio_buffer.speech_stopped")
    await state_is(page, "speaking")
    await expect(page.locator("#lines li.user p").first).to_have_text(HEARD_AS)

    # Words come before their sound: some are lit, and some are there but still dim.
    await page.wait_for_function(
        "() => window.seen.saidWords.filter((count) => count > 0).length >= 3"
        " && document.querySelectorAll('.word:not(.said)').length >= 1"
    )
    await page.wait_for_function("() => window.seen.loudest > 0.3")
    await wire.sent_of("parlour.playback", 5)
    seen = await page.evaluate("window.seen")
    assert [state for state in seen["states"] if state in ("listening", "hearing")][:2] == [
        "listening",
        "hearing",
    ]
    assert seen["states"].index("hearing") < seen["states"].index("speaking")
    lit = [count for count in seen["saidWords"] if count]
    assert lit == sorted(lit), "words light up one after another"

    played = [event["played_ms"] for event in wire.sent if event["type"] == "parlour.playback"]
    assert played[0] == 0, "the first sample is reported"
    assert played == sorted(set(played)), "and what is heard is told again and again"


async def test_speaking_over_the_answer_strikes_through_what_was_not_heard(
    spoken_page: Page, spoken_wire: Wire, gateway: Gateway
) -> None:
    page, wire = spoken_page, spoken_wire
    await page.goto(gateway.url)
    await page.click("#talk")
    await state_is(page, "listening")
    await say(page, utterance("cards_001").pcm16k)
    await wire.until(
        lambda: any(one["type"] == "parlour.playback" and one["played_ms"] > 500 for one in wire.sent),
        "half a second of the answer that was heard",
    )
    await begin_to_say(page, without_pauses())
    truncate = await wire.sent_of("conversation.item.truncate")
    await wire.received_of("conversation.item.truncated")
    heard = await wire.received_of("parlour.heard")

    last = playbacks_of(wire, truncate["item_id"])[-1]
    assert last["played_ms"] == truncate["audio_end_ms"] > 500
    assert truncate["content_index"] == 0
    assert heard["item_id"] == truncate["item_id"]

    answer = page.locator("#lines li.assistant").first
    await expect(answer.locator("del")).not_to_be_empty()
    heard = [event for event in wire.received if event["type"] == "parlour.heard"][-1]
    await page.wait_for_function(SHOWS_AS_SAID, arg=heard["transcript"].strip())
    await state_is(page, "hearing")

    # Nothing of the ended answer is heard any more.
    await fall_silent(page)
    await wire.received_of("response.created", 2)
    assert last == playbacks_of(wire, truncate["item_id"])[-1]


def playbacks_of(wire: Wire, item_id: str) -> list[Event]:
    return [one for one in wire.sent if one["type"] == "parlour.playback" and one["item_id"] == item_id]


async def test_words_spoken_while_connecting_are_not_lost(spoken_page: Page, gateway: Gateway) -> None:
    page, sent, frames = spoken_page, list[str](), list[bytes]()
    may_connect, news = asyncio.Event(), News()

    async def hold(socket: WebSocketRoute) -> None:
        await may_connect.wait()
        server = socket.connect_to_server()

        def forward(message: str | bytes) -> None:
            event = json.loads(message)
            sent.append(event["type"])
            if event["type"] == "input_audio_buffer.append":
                frames.append(base64.b64decode(event["audio"]))
            server.send(message)
            news()

        socket.on_message(forward)

    spoken = utterance("cards_005")
    await page.route_web_socket("**/v1/realtime*", hold)
    await page.goto(gateway.url)
    await page.click("#talk")
    await expect(page.locator("#mute")).to_be_enabled()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(say(page, spoken.pcm16k))
        # The microphone hears the voice while the connection still stands out.
        await page.wait_for_function(
            "() => Number(document.querySelector('#microphone-level').getAttribute('aria-valuenow')) > 40"
        )
        assert await page.locator("#state-word").inner_text() == "Connecting"
        may_connect.set()
    so_far = len(frames)
    await news.until(lambda: len(frames) > so_far + FRAMES_AFTER_IT, "the rest of what was said")

    assert sent[0] == "session.update"
    assert {len(frame) for frame in frames} == {2 * 480}, "20 ms at 24 kHz"
    places = places_of(spoken.pcm24k, b"".join(frames), 24_000)
    assert len(places) >= 5
    assert max(places) - min(places) < SEAM_MS


async def test_another_microphone_takes_over_without_a_new_connection(
    talking_page: Page, talking_wire: Wire, gateway: Gateway
) -> None:
    page, wire = talking_page, talking_wire
    await page.add_init_script(
        """
        window.asked = 0;
        const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = (wish) => {
          window.asked += 1;
          window.wish = wish;
          return ask(wish);
        };
        """
    )
    await page.goto(gateway.url)
    await page.click("#talk")
    await wire.sent_of("input_audio_buffer.append", 10)
    assert await page.evaluate("window.asked") == 1
    constraints = await page.evaluate("window.wish.audio")
    assert constraints["echoCancellation"] is True
    assert constraints["noiseSuppression"] is True

    await page.evaluate(
        """async () => {
          const all = await navigator.mediaDevices.enumerateDevices();
          const left = all.filter((one) => one.kind !== "audioinput");
          navigator.mediaDevices.enumerateDevices = async () => left; // the one in use was unplugged
          navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
        }"""
    )
    await page.wait_for_function("() => window.asked === 2")
    before = sum(event["type"] == "input_audio_buffer.append" for event in wire.sent)
    await wire.sent_of("input_audio_buffer.append", before + 25)
    assert wire.sockets == 1
    assert await page.locator("#screen").is_hidden()
