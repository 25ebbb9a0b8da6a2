"""What can be in the way, and how the page helps."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Page, Route, WebSocketRoute, expect

from agent.api import AgentError, AgentEvent, AgentRequest, KeepAlive
from tests.e2e.browser.chromium import Wire, state_is
from tests.e2e.browser.fake_gateway import Behaviour
from tests.e2e.browser.gateways import Gateway, HearingReciter, running
from tests.e2e.browser.patience import LIMIT_MS, past_its_limits

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

REFUSE_MICROPHONE = """
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", window.refusal ?? "%s"));
"""


async def screen_is(page: Page, name: str, title: str) -> None:
    screen = page.locator(f'#screen[data-screen="{name}"]')
    await expect(screen).to_be_visible()
    await expect(screen.get_by_role("heading")).to_have_text(title)


async def lose_the_server(page: Page, gateway: Gateway) -> None:
    """For longer than a page keeps to itself that a connection is lost. Its clock must be installed."""
    await gateway.stop()
    await expect(page.locator("#state-word")).to_have_text("Reconnecting")
    await past_its_limits(page)
    await screen_is(page, "lost", "The connection was lost")


@pytest.mark.parametrize(
    ("refusal", "name", "title"),
    [
        ("NotAllowedError", "microphone-denied", "The microphone is blocked"),
        ("NotFoundError", "microphone-missing", "No microphone found"),
        ("NotReadableError", "microphone-busy", "The microphone is in use"),
    ],
)
async def test_without_a_microphone_one_is_told_why_and_can_still_write(
    page: Page, wire: Wire, gateway: Gateway, refusal: str, name: str, title: str
) -> None:
    await page.add_init_script(REFUSE_MICROPHONE % refusal)
    await page.goto(gateway.url)
    await page.click("#talk")
    await screen_is(page, name, title)
    await state_is(page, "failed")
    await expect(page.locator("#state-word")).to_have_text("No microphone")
    await expect(page.locator("#screen-title")).to_be_focused()

    await page.click("text=Write instead")
    await expect(page.locator("#screen")).to_be_hidden()
    await expect(page.locator("#text")).to_be_focused()
    await page.keyboard.type("Good evening")
    await page.keyboard.press("Enter")
    await state_is(page, "speaking")
    assert not [event for event in wire.sent if event["type"] == "input_audio_buffer.append"]


async def test_an_address_that_is_not_secure_is_named_as_the_reason(page: Page, gateway: Gateway) -> None:
    await page.add_init_script("Object.defineProperty(navigator, 'mediaDevices', {value: undefined})")
    await page.goto(gateway.url)
    await page.click("#talk")
    await screen_is(page, "microphone-insecure", "The microphone needs a secure address")


async def test_a_microphone_that_is_plugged_in_is_noticed(page: Page, gateway: Gateway) -> None:
    await page.add_init_script(
        "window.ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        + REFUSE_MICROPHONE % "NotFoundError"
    )
    await page.goto(gateway.url)
    await page.click("#talk")
    await screen_is(page, "microphone-missing", "No microphone found")
    await page.evaluate(
        """() => {
          navigator.mediaDevices.getUserMedia = window.ask;
          navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
        }"""
    )
    await state_is(page, "listening")
    await expect(page.locator("#screen")).to_be_hidden()


async def test_blocked_sound_is_enabled_with_a_tap(page: Page, gateway: Gateway) -> None:
    await page.add_init_script(
        """
        const state = Object.getOwnPropertyDescriptor(BaseAudioContext.prototype, "state").get;
        const resume = AudioContext.prototype.resume;
        window.tapped = false;
        addEventListener("click", (event) => {
          if (event.target.dataset.action === "enable-sound") window.tapped = true;
        }, true);
        Object.defineProperty(AudioContext.prototype, "state", {
          get() { return window.tapped ? state.call(this) : "suspended"; },
        });
        AudioContext.prototype.resume = function () {
          return window.tapped ? resume.call(this) : new Promise(() => {});
        };
        """
    )
    await page.clock.install()
    await page.goto(gateway.url)
    await page.click("#talk")
    await past_its_limits(page)  # a browser may take a while to let sound out
    await screen_is(page, "audio-blocked", "Tap to enable sound")
    await page.get_by_role("button", name="Enable sound").click()
    await expect(page.locator("#screen")).to_be_hidden()
    await state_is(page, "listening")


async def test_a_server_that_forgot_the_conversation_is_told_what_was_heard(page: Page, wire: Wire) -> None:
    gateway = Gateway()
    gateway.agent = HearingReciter()
    async with running(gateway):
        await page.goto(gateway.url)
        await page.fill("#text", "What is your name?")
        await page.press("#text", "Enter")
        await page.wait_for_function("() => document.querySelectorAll('.word.said').length >= 3")
        await gateway.stop()
        await expect(page.locator("#hint")).to_have_text("The connection is being restored.")
        told = sum(event["type"] == "conversation.item.create" for event in wire.sent)
        await gateway.start()
        await state_is(page, "ready")
        await expect(page.locator("#screen")).to_be_hidden()
        user = await wire.sent_of("conversation.item.create", told + 1)
        answer = await wire.sent_of("conversation.item.create", told + 2)
        said = (await page.locator("#lines .word.said").first.inner_text()).strip()
        assert user["item"]["content"] == [{"type": "input_text", "text": "What is your name?"}]
        assert answer["item"]["role"] == "assistant"
        assert said.startswith(answer["item"]["content"][0]["text"]), "no more than what was heard"
        await expect(page.locator("#notice")).to_be_hidden()


async def test_a_lost_connection_is_tried_again_by_itself(page: Page, wire: Wire) -> None:
    gateway = Gateway()
    await page.clock.install()
    async with running(gateway):
        await page.goto(gateway.url)
        await page.click("#talk")
        await state_is(page, "listening")
        await lose_the_server(page, gateway)
        await gateway.start()
        await state_is(page, "listening")
        await expect(page.locator("#screen")).to_be_hidden()
        assert wire.sockets >= 2


async def test_a_full_server_says_so_and_lets_one_in_when_there_is_room(page: Page) -> None:
    async with running(Gateway(sessions_max=1)) as gateway:
        other = await page.context.new_page()
        await other.goto(gateway.url)
        await other.click("#talk")
        await state_is(other, "listening")
        await page.goto(gateway.url)
        await page.click("#talk")
        await screen_is(page, "full", "Every seat is taken")
        await expect(page.locator("#state-word")).to_have_text("Full")
        await other.close()
        await state_is(page, "listening")
        await expect(page.locator("#screen")).to_be_hidden()


async def test_a_server_with_keys_asks_for_one_and_names_a_wrong_one(page: Page) -> None:
    async with running(Gateway(keys="open-sesame-1234")) as gateway:
        await page.goto(gateway.url)
        await page.click("#talk")
        await screen_is(page, "key", "This server asks for a key")
        await expect(page.locator("#key")).to_be_focused()
        await page.keyboard.type("open-barley")
        await page.keyboard.press("Enter")
        await expect(page.locator("#screen-text")).to_contain_text("not accepted")
        await page.fill("#key", "open-sesame-1234")
        await page.keyboard.press("Enter")
        await state_is(page, "listening")
        await expect(page.locator("#screen")).to_be_hidden()
        assert await page.evaluate("Object.values(sessionStorage)") == ["open-sesame-1234"]
        assert "open-sesame-1234" not in await page.evaluate("Object.values(localStorage)")


async def test_a_server_that_warms_up_is_waited_for(page: Page) -> None:
    behaviour = Behaviour(ready=False)
    async with running(Gateway(fake=behaviour)) as gateway:
        await page.goto(gateway.url)
        await page.click("#talk")
        await screen_is(page, "warming", "The model is warming up")
        await expect(page.locator("#screen-text")).to_contain_text("Loading the voice.")
        behaviour.ready = True
        await state_is(page, "listening")


async def test_a_server_without_the_extensions_is_served_as_well(page: Page, wire: Wire) -> None:
    async with running(Gateway(fake=Behaviour(knows_extensions=False, sentences=60))) as gateway:
        await page.goto(gateway.url)
        await page.fill("#text", "Hello")
        await page.press("#text", "Enter")
        await wire.received_of("error")
        await state_is(page, "speaking")
        await page.wait_for_function("() => document.querySelectorAll('.word.said').length >= 3")
        await page.keyboard.press("Escape")
        await wire.sent_of("conversation.item.truncate")
        await expect(page.locator("#lines del")).not_to_be_empty()
        await expect(page.locator("#notice")).to_be_hidden()
        assert not [event for event in wire.sent if event["type"] == "parlour.playback"]


async def test_ending_while_the_connection_is_lost_ends_the_tries(page: Page, wire: Wire) -> None:
    gateway = Gateway()
    await page.clock.install()
    async with running(gateway):
        await page.goto(gateway.url)
        await page.click("#talk")
        await state_is(page, "listening")
        await lose_the_server(page, gateway)
        await page.locator("#screen").get_by_role("button", name="End").click()
        await state_is(page, "ready")
        sockets = wire.sockets
        await gateway.start()
        await past_its_limits(page)  # and past any delay between two tries
        await page.evaluate("null")  # what the page has opened by now is known here
        assert wire.sockets == sockets


NO_WORKLETS = """
  Object.defineProperty(navigator, "mediaDevices", { value: undefined });
  Object.defineProperty(navigator, "clipboard", { value: undefined });
  delete BaseAudioContext.prototype.audioWorklet;
  delete window.AudioWorkletNode;
"""


async def test_without_sound_from_an_insecure_address_answers_are_read(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.add_init_script(NO_WORKLETS)  # what browsers take from pages on plain http
    await page.clock.install()
    await page.goto(gateway.url)
    await page.click("#talk")
    await screen_is(page, "microphone-insecure", "The microphone needs a secure address")
    await page.click("text=Write instead")
    await page.keyboard.type("Good evening")
    await page.keyboard.press("Enter")
    await wire.received_of("response.output_text.delta")
    await wire.received_of("response.done")
    await expect(page.locator("#lines li.assistant .word.said").first).to_be_visible()
    await expect(page.locator("#lines li.assistant .word:not(.said)")).to_have_count(0)
    await expect(page.locator("#announcer")).to_contain_text("Parlour: ")
    await state_is(page, "ready")
    await page.click("#drawer-button")
    await page.clock.pause_at(await page.evaluate("Date.now() + 60_000") / 1000)  # what a button says stays
    await page.click("#log-copy")
    await expect(page.locator("#log-copy")).to_have_text("Not allowed")


async def test_while_the_browser_asks_for_the_microphone_the_page_says_so(
    page: Page, gateway: Gateway
) -> None:
    await page.add_init_script(
        """
        window.asked = 0;
        const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wish) => {
          window.asked += 1;
          await new Promise((allow) => (window.allow = allow));
          return (window.stream = await ask(wish));
        };
        """
    )
    await page.goto(gateway.url)
    await page.click("#talk")
    await expect(page.locator("#hint")).to_have_text("Allow the microphone when your browser asks.")
    await expect(page.locator("#state-word")).to_have_text("Waiting")
    await state_is(page, "connecting")
    await page.keyboard.press("Space")
    assert await page.evaluate("window.asked") == 1, "one question at a time"
    await page.evaluate("window.allow()")
    await state_is(page, "listening")

    await page.click("#talk")
    await page.click("#talk")
    await page.wait_for_function("() => window.asked === 2")
    await expect(page.locator("#talk")).to_have_text("End")
    await page.click("#talk")
    await state_is(page, "ready")
    await page.evaluate("window.stream = undefined; window.allow()")
    await page.wait_for_function(
        "() => window.stream?.getTracks().every((track) => track.readyState === 'ended')"
    )
    await state_is(page, "ready")


async def test_a_screen_waits_behind_another_and_comes_back(page: Page) -> None:
    gateway = Gateway()
    await page.add_init_script(REFUSE_MICROPHONE % "NotAllowedError")
    await page.clock.install()
    async with running(gateway):
        await page.goto(gateway.url)
        await page.click("#talk")
        await screen_is(page, "microphone-denied", "The microphone is blocked")
        await lose_the_server(page, gateway)
        await page.locator("#screen-title").press("Space")
        await screen_is(page, "lost", "The connection was lost")
        await gateway.start()
        await screen_is(page, "microphone-denied", "The microphone is blocked")
        await expect(page.locator("#state-word")).to_have_text("No microphone")


async def test_a_server_that_was_never_there_is_not_called_lost(page: Page) -> None:
    gateway = Gateway()
    async with running(gateway):
        await page.goto(gateway.url)
        await gateway.stop()
        await page.fill("#text", "Are you there?")
        await page.press("#text", "Enter")
        await screen_is(page, "unreachable", "The server does not answer")
        await page.locator("#screen").get_by_role("button", name="End").click()
        await expect(page.locator("#text")).to_have_value("Are you there?")


async def test_who_writes_is_not_interrupted_by_a_screen(page: Page) -> None:
    gateway = Gateway()
    await page.clock.install()
    async with running(gateway):
        await page.goto(gateway.url)
        await page.click("#talk")
        await state_is(page, "listening")
        await page.focus("#text")
        await page.keyboard.type("This sentence ")
        await lose_the_server(page, gateway)
        await page.keyboard.type("is sad")
        await expect(page.locator("#text")).to_have_value("This sentence is sad")
        await expect(page.locator("#announcer")).to_contain_text("The connection was lost")


async def test_a_connection_through_which_nothing_leaves_is_given_up(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.add_init_script(
        "window.stuck = 0;"
        "Object.defineProperty(WebSocket.prototype, 'bufferedAmount', { get: () => window.stuck });"
    )
    await page.clock.install()
    await page.goto(gateway.url)
    await page.click("#talk")
    await state_is(page, "listening")
    await page.evaluate("window.stuck = 100_000")
    await page.clock.fast_forward(0.6 * LIMIT_MS)
    await wire.sent_of("input_audio_buffer.append", len(wire.sent) + 10)
    assert wire.sockets == 1, "a network may hesitate"
    await page.clock.fast_forward(0.6 * LIMIT_MS)
    await wire.until(lambda: wire.sockets == 2, "another connection")
    await page.evaluate("window.stuck = 0")
    await state_is(page, "listening")
    assert wire.sockets == 2


class Thinker(HearingReciter):
    """Gives a sign of life, and no word."""

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        yield KeepAlive()
        await asyncio.Event().wait()


async def test_a_model_that_thinks_before_it_answers_is_seen_to(page: Page) -> None:
    thinking = Gateway()
    thinking.agent = Thinker()
    async with running(thinking) as gateway:
        await page.goto(gateway.url)
        await page.fill("#text", "What is six times seven?")
        await page.press("#text", "Enter")
        await state_is(page, "thinking")
        await expect(page.locator("#hint")).to_have_text("It thinks before it answers.")
        await expect(page.locator("#announcer")).to_contain_text("Parlour is thinking.")


AWAY = "the chat server at http://127.0.0.1:9/v1 does not answer: start it there"


class Readiness:
    """What `/readyz` says to the page."""

    def __init__(self) -> None:
        self.away: str | None = AWAY

    async def answer(self, route: Route) -> None:
        body = {"ready": self.away is None, "full": False, "detail": self.away or "ready"}
        await route.fulfill(status=200 if self.away is None else 503, json=body)


async def test_what_is_away_is_named_before_anybody_asks_and_comes_back_by_itself(
    page: Page, gateway: Gateway
) -> None:
    readiness = Readiness()
    await page.route("**/readyz", readiness.answer)
    await page.clock.install()
    await page.goto(gateway.url)
    await screen_is(page, "away", "The assistant is not ready")
    await expect(page.locator("#screen-text")).to_contain_text(f"T{AWAY[1:]}.")
    await expect(page.locator("#state-word")).to_have_text("Not ready")
    readiness.away = None
    await page.clock.fast_forward(6_000)
    await expect(page.locator("#screen")).to_be_hidden()
    await state_is(page, "ready")


async def test_what_is_away_can_be_asked_for_again_or_left(page: Page, gateway: Gateway) -> None:
    readiness = Readiness()
    await page.route("**/readyz", readiness.answer)
    await page.goto(gateway.url)
    await screen_is(page, "away", "The assistant is not ready")
    await page.get_by_role("button", name="Not now").click()
    await expect(page.locator("#screen")).to_be_hidden()
    await page.click("#talk")
    await screen_is(page, "away", "The assistant is not ready")
    readiness.away = None
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator("#screen")).to_be_hidden()
    await state_is(page, "listening")


class LateAgent(HearingReciter):
    """Away for the first answer."""

    def __init__(self, readiness: Readiness) -> None:
        super().__init__()
        self._readiness = readiness

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        if self._readiness.away is not None:
            raise AgentError("agent_error", self._readiness.away)
        async for event in super().respond(request):
            yield event


async def test_a_question_that_failed_because_of_it_is_answered_when_it_is_back(page: Page) -> None:
    readiness, gateway = Readiness(), Gateway()
    gateway.agent = LateAgent(readiness)
    await page.route("**/readyz", readiness.answer)
    async with running(gateway):
        await page.goto(gateway.url)
        await screen_is(page, "away", "The assistant is not ready")
        await page.get_by_role("button", name="Not now").click()
        await page.fill("#text", "Good evening")
        await page.press("#text", "Enter")
        await screen_is(page, "away", "The assistant is not ready")
        assert not await page.locator("#notice").is_visible()  # nobody has to ask again
        readiness.away = None
        await page.get_by_role("button", name="Try again").click()
        await expect(page.locator("#lines li.assistant .word.said").first).to_be_visible()
        await expect(page.locator("#lines li.user")).to_have_count(1)


async def test_an_answer_that_failed_though_all_is_ready_is_asked_for_again_by_the_user(page: Page) -> None:
    gateway = Gateway()
    gateway.agent = LateAgent(Readiness())
    async with running(gateway):
        await page.goto(gateway.url)
        await page.fill("#text", "Good evening")
        await page.press("#text", "Enter")
        await expect(page.locator("#notice")).to_contain_text("Please ask again")
        await expect(page.locator("#screen")).to_be_hidden()


async def test_thinking_ends_where_no_answer_comes(page: Page, gateway: Gateway) -> None:
    def silent(socket: WebSocketRoute) -> None:
        socket.send(json.dumps({"type": "session.created", "session": {}}))

    await page.route_web_socket("**/v1/realtime*", silent)
    await page.clock.install()
    await page.goto(gateway.url)
    await page.fill("#text", "Hello?")
    await page.press("#text", "Enter")
    await state_is(page, "thinking")
    await past_its_limits(page)
    await state_is(page, "ready")


async def test_escape_leaves_a_field_and_what_is_around_it_first(page: Page, gateway: Gateway) -> None:
    await page.goto(gateway.url)
    await page.click("#talk")
    await state_is(page, "listening")
    await page.focus("#text")
    await page.keyboard.press("Escape")
    await expect(page.locator("#text")).not_to_be_focused()
    await page.keyboard.press("d")
    await page.focus("#log-filter")
    await page.keyboard.press("Escape")
    await page.focus("#settings-button")
    await page.keyboard.press("Enter")
    await page.focus("#microphone")
    await page.keyboard.press("Escape")
    await expect(page.locator("#settings")).to_be_hidden()
    await expect(page.locator("#settings-button")).to_be_focused()
    await state_is(page, "listening")
    await page.keyboard.press("Escape")
    await state_is(page, "ready")


async def test_escape_takes_the_question_for_a_key_away(page: Page) -> None:
    async with running(Gateway(keys="open-sesame-1234")) as gateway:
        await page.goto(gateway.url)
        await page.click("#talk")
        await expect(page.locator("#key")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.locator("#screen")).to_be_hidden()
        await state_is(page, "ready")


async def test_a_server_that_was_away_when_talk_was_pressed_is_talked_to_once_it_is_there(
    page: Page, wire: Wire
) -> None:
    gateway = Gateway()
    async with running(gateway):
        await page.goto(gateway.url)
        await gateway.stop()
        await page.click("#talk")
        await screen_is(page, "unreachable", "The server does not answer")
        await gateway.start()
        await state_is(page, "listening")
        await wire.sent_of("input_audio_buffer.append", 10)
        await expect(page.locator("#screen")).to_be_hidden()
