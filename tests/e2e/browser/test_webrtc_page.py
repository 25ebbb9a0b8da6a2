"""The page over WebRTC: it comes first, and a WebSocket where it leads nowhere."""

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Page, Request, Route, expect

from tests.e2e.browser.chromium import SHOWS_AS_SAID, Wire, state_is
from tests.e2e.browser.fake_gateway import HEARD_AS
from tests.e2e.browser.gateways import REAL, Gateway
from tests.e2e.browser.patience import past_its_limits
from tests.e2e.browser.speech import begin_to_say, fall_silent, say, without_pauses
from tests.speech import utterance
from tests.waiting import unless_it_hangs

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not REAL, reason="the fake gateway takes no calls"),
]

# Notes what goes over data channels, and keeps the connections, so that a test can break one.
CALLS = """
window.calls = { sent: [], received: [], connections: [] };
const create = RTCPeerConnection.prototype.createDataChannel;
RTCPeerConnection.prototype.createDataChannel = function (...given) {
  const channel = create.apply(this, given);
  window.calls.connections.push(this);
  channel.addEventListener("message", ({ data }) => window.calls.received.push(JSON.parse(data)));
  const send = channel.send.bind(channel);
  channel.send = (text) => { window.calls.sent.push(JSON.parse(text)); send(text); };
  return channel;
};
"""
RECEIVED = "([way, kind, count]) => window.calls[way].filter(({ type }) => type === kind)[count - 1]"


async def event(page: Page, kind: str, count: int = 1, way: str = "received") -> dict[str, Any]:
    found = await page.wait_for_function(RECEIVED, arg=[way, kind, count])
    value: dict[str, Any] = await found.json_value()
    return value


async def count_of(page: Page, kind: str, way: str = "sent") -> int:
    n: int = await page.evaluate(
        "([way, kind]) => window.calls[way].filter(({ type }) => type === kind).length", [way, kind]
    )
    return n


async def opened(page: Page, gateway: Gateway, query: str = "") -> None:
    await page.add_init_script(CALLS)
    await page.goto(gateway.origin + query)


async def ask(page: Page, count: int = 3) -> None:
    """count: how many words of the answer are heard before one goes on."""
    await write(page)
    await words_heard(page, count)


async def write(page: Page) -> None:
    await page.fill("#text", "Tell me something")
    await page.press("#text", "Enter")
    await page.locator("#text").blur()


async def words_heard(page: Page, count: int) -> None:
    said = "count => document.querySelectorAll('.word.said').length >= count"
    await page.wait_for_function(said, arg=count)


async def test_a_spoken_turn_is_heard_and_answered_word_by_word_with_sound(
    talking_page: Page, talking_wire: Wire, gateway: Gateway
) -> None:
    page = talking_page
    await opened(page, gateway)
    await page.click("#talk")
    await event(page, "input_audio_buffer.speech_stopped")
    await state_is(page, "speaking")
    await expect(page.locator("#lines li.user p").first).to_have_text(HEARD_AS)
    await words_heard(page, 3)
    await expect(page.locator(".word:not(.said)").first).to_be_attached()
    await page.wait_for_function("() => window.seen.loudest > 0.3")
    assert talking_wire.sockets == 0
    assert await count_of(page, "parlour.playback") == 0, "the server knows what was heard"


async def test_speaking_over_the_answer_strikes_through_what_was_not_heard(
    spoken_page: Page, gateway: Gateway
) -> None:
    page = spoken_page
    await opened(page, gateway)
    await page.click("#talk")
    await state_is(page, "listening")
    await say(page, utterance("cards_001").pcm16k)
    await words_heard(page, 4)
    await begin_to_say(page, without_pauses())
    truncated = await event(page, "conversation.item.truncated")
    heard = await event(page, "parlour.heard")
    await fall_silent(page)
    assert heard["item_id"] == truncated["item_id"]
    assert truncated["audio_end_ms"] > 500
    answer = page.locator("#lines li.assistant").first
    await expect(answer.locator("del")).not_to_be_empty()
    await page.wait_for_function(SHOWS_AS_SAID, arg=heard["transcript"].strip())
    assert await count_of(page, "conversation.item.truncate") == 0, "the server truncates by itself"


async def test_a_typed_turn_needs_no_microphone_and_its_answer_is_lit_to_the_end(
    page: Page, gateway: Gateway
) -> None:
    await opened(page, gateway)
    await ask(page)
    await page.keyboard.press("d")
    await expect(page.locator("#figures [data-figure='Connected by'] dd")).to_have_text("WebRTC")
    for name in ("Round trip", "Jitter", "Lost", "Buffer depth", "Underruns"):
        await expect(page.locator(f"#figures [data-figure='{name}'] dd")).to_contain_text(re.compile(r"\d"))
    await page.keyboard.press("Escape")
    await event(page, "output_audio_buffer.cleared")
    await expect(page.locator("#lines li.assistant del")).not_to_be_empty()
    await state_is(page, "ready")


async def test_where_calls_are_refused_a_websocket_carries_the_conversation_and_the_tab_remembers(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    calls: list[str] = []

    async def refuse(route: Route) -> None:
        calls.append(route.request.url)
        await route.abort()

    await page.route("**/v1/realtime/calls*", refuse)
    await opened(page, gateway)
    await ask(page)
    assert wire.sockets == 1
    await page.keyboard.press("d")
    by = page.locator("#figures [data-figure='Connected by'] dd")
    await expect(by).to_have_text("WebSocket; WebRTC: the call could not be made")
    await page.goto(gateway.origin)
    await ask(page)
    assert len(calls) == 1


async def test_where_no_packets_get_through_a_websocket_follows_within_seconds(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    is_misdirected = asyncio.Event()

    async def misdirect(route: Route) -> None:
        answer = await route.fetch()
        wrong = re.sub(r"a=ice-pwd:\S+", f"a=ice-pwd:{'0' * 22}", await answer.text())
        await route.fulfill(response=answer, body=wrong)  # whatever is sent now is not answered
        is_misdirected.set()

    await page.route("**/v1/realtime/calls*", misdirect)
    await page.clock.install()
    await opened(page, gateway)
    await write(page)
    await is_misdirected.wait()
    await past_its_limits(page)
    await words_heard(page, 3)
    assert wire.sockets == 1
    await page.keyboard.press("d")
    by = page.locator("#figures [data-figure='Connected by'] dd")
    await expect(by).to_have_text("WebSocket; WebRTC: no path for its packets was found in time")


async def test_a_lost_call_is_resumed_by_another_and_the_answer_goes_on(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await opened(page, gateway)
    await ask(page, 6)
    await page.evaluate("window.calls.connections[0].close()")
    await page.evaluate("window.calls.connections[0].onconnectionstatechange()")
    resumed = await event(page, "parlour.resumed")
    assert [one["heard_ms"] > 500 for one in resumed["playing"]] == [True]
    await event(page, "output_audio_buffer.started", 2)
    await state_is(page, "speaking")
    gateway.enough()
    await event(page, "output_audio_buffer.stopped")
    await expect(page.locator("#lines li.assistant")).to_have_count(1)
    await expect(page.locator("#lines li.assistant p")).to_contain_text("This is sentence one of ten.")
    await expect(page.locator("#lines del")).to_have_count(0)
    await expect(page.locator("#lines .word:not(.said)")).to_have_count(0)
    assert wire.sockets == 0
    assert await count_of(page, "conversation.item.create") == 1, "nothing is told again"


async def test_a_lost_call_is_resumed_over_a_websocket_where_no_other_call_gets_through(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await opened(page, gateway)
    await ask(page, 6)
    await page.route("**/v1/realtime/calls*", lambda route: route.abort())
    await page.evaluate("window.calls.connections[0].close()")
    await page.evaluate("window.calls.connections[0].onconnectionstatechange()")
    resumed = await wire.received_of("parlour.resumed")
    [playing] = resumed["playing"]
    first = await wire.sent_of("parlour.playback")
    assert first["item_id"] == playing["item_id"]
    assert first["played_ms"] >= playing["heard_ms"] - 1, "what was heard is not played again"
    await state_is(page, "speaking")
    gateway.enough()
    await wire.received_of("response.done")
    await expect(page.locator("#lines li.assistant")).to_have_count(1)
    await expect(page.locator("#lines .word:not(.said)")).to_have_count(0)
    await expect(page.locator("#lines del")).to_have_count(0)


async def test_a_page_that_is_loaded_again_goes_on_by_another_call(page: Page, gateway: Gateway) -> None:
    await opened(page, gateway)
    await ask(page, 6)
    await page.reload()
    resumed = await event(page, "parlour.resumed")
    assert resumed["replayed"] is False
    await state_is(page, "speaking")
    await expect(page.locator("#lines li.assistant p")).to_contain_text("This is sentence one of ten.")


async def test_end_hangs_up(page: Page, gateway: Gateway) -> None:
    await opened(page, gateway)
    hung_up: asyncio.Future[Request] = asyncio.get_running_loop().create_future()
    page.on("request", lambda request: request.url.endswith("/hangup") and hung_up.set_result(request))
    await page.click("#talk")
    await state_is(page, "listening")
    await page.click("#talk")
    async with unless_it_hangs("the request that hangs up, and its answer"):
        response = await (await hung_up).response()
    assert response is not None
    assert response.status == 200
    await state_is(page, "ready")
