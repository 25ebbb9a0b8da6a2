"""Speaking with the page: a WAV file is the microphone, the sound is measured where it leaves."""

import asyncio
import base64
import itertools
import json
from statistics import median

import numpy as np
import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.e2e.browser.chromium import Event, Wire, state_is
from tests.e2e.browser.fake_gateway import HEARD_AS
from tests.e2e.browser.gateways import Gateway

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

# The server cuts between any two letters, the page between words.
SHOWS_AS_SAID = """transcript => {
  const said = document.querySelector("#lines li.assistant .word.said").textContent.trim();
  const agree = said.startsWith(transcript) || transcript.startsWith(said);
  return agree && Math.abs(said.length - transcript.length) < 10;
}"""


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
        "() => document.querySelectorAll('.word.said').length >= 3"
        " && document.querySelectorAll('.word:not(.said)').length >= 1"
    )
    seen = await page.evaluate("window.seen")
    assert [state for state in seen["states"] if state in ("listening", "hearing")][:2] == [
        "listening",
        "hearing",
    ]
    assert seen["states"].index("hearing") < seen["states"].index("speaking")
    lit = [count for count in seen["saidWords"] if count]
    assert lit[:3] == [1, 2, 3], "words light up one by one"
    assert seen["loudest"] > 0.3, "sound came out"

    played = [event["played_ms"] for event in wire.sent if event["type"] == "parlour.playback"]
    assert played[0] == 0, "the first sample is reported"
    assert played == sorted(played)
    gaps = [later - earlier for earlier, later in itertools.pairwise(played)]
    assert median(gaps) <= 400, "and what is heard is told again and again"


async def test_speaking_over_the_answer_strikes_through_what_was_not_heard(
    talking_page: Page, talking_wire: Wire, gateway: Gateway
) -> None:
    page, wire = talking_page, talking_wire
    await page.goto(gateway.url)
    await page.click("#talk")
    truncate = await wire.sent_of("conversation.item.truncate")
    await wire.received_of("conversation.item.truncated")
    heard = await wire.received_of("parlour.heard")

    playbacks = [event for event in wire.sent if event["type"] == "parlour.playback"]
    last = playbacks[-1]
    assert (last["item_id"], last["played_ms"]) == (truncate["item_id"], truncate["audio_end_ms"])
    assert truncate["audio_end_ms"] > 500
    assert truncate["content_index"] == 0
    assert heard["item_id"] == truncate["item_id"]

    answer = page.locator("#lines li.assistant").first
    await expect(answer.locator("del")).not_to_be_empty()
    heard = [event for event in wire.received if event["type"] == "parlour.heard"][-1]
    await page.wait_for_function(SHOWS_AS_SAID, arg=heard["transcript"].strip())
    await state_is(page, "hearing")

    # Nothing of the ended answer is heard any more.
    await wire.received_of("response.created", 2)
    assert (
        last
        == [
            event
            for event in wire.sent
            if event["type"] == "parlour.playback" and event["item_id"] == last["item_id"]
        ][-1]
    )


async def test_words_spoken_while_connecting_are_not_lost(talking_page: Page, gateway: Gateway) -> None:
    sent: list[Event] = []
    may_connect, burst = asyncio.Event(), asyncio.Event()

    async def hold(socket: WebSocketRoute) -> None:
        await may_connect.wait()
        server = socket.connect_to_server()

        def forward(message: str | bytes) -> None:
            sent.append(json.loads(message))
            server.send(message)
            if len(sent) > 120:
                burst.set()

        socket.on_message(forward)

    await talking_page.route_web_socket("**/v1/realtime*", hold)
    await talking_page.goto(gateway.url)
    await talking_page.click("#talk")
    # The microphone hears the voice while the connection still stands out.
    await talking_page.wait_for_function(
        "() => Number(document.querySelector('#microphone-level').getAttribute('aria-valuenow')) > 40"
    )
    assert await talking_page.locator("#state-word").inner_text() == "Connecting"
    may_connect.set()
    async with asyncio.timeout(10):
        await burst.wait()

    assert sent[0]["type"] == "session.update"
    frames = [event["audio"] for event in sent if event["type"] == "input_audio_buffer.append"]
    pcm = [np.frombuffer(base64.b64decode(frame), dtype="<i2").astype(np.int32) for frame in frames]
    assert {len(frame) for frame in pcm} == {480}, "20 ms at 24 kHz"
    # The file has a second of silence before the voice: all of it came, and then the voice.
    loud = [number for number, frame in enumerate(pcm) if np.abs(frame).max() > 500]
    assert 45 <= loud[0] <= 80


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
