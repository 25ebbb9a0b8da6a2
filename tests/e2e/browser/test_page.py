"""The page itself: keys, words, drawer, small screens, readers of screens, and rules of the house."""

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Request, expect

from tests.e2e.browser.chromium import Wire, open_context, state_is
from tests.e2e.browser.gateways import Gateway

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

HERE = Path(__file__).parent


async def write(page: Page, text: str = "Tell me something") -> None:
    await page.fill("#text", text)
    await page.press("#text", "Enter")
    await page.locator("#text").blur()


async def saved_by(page: Page, button: str) -> str:
    """The text of the file that a button hands over."""
    async with page.expect_download() as saving:
        await page.click(button)
    path = await (await saving.value).path()
    return await asyncio.to_thread(path.read_text)


async def test_a_written_question_is_answered_aloud_without_a_microphone(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.add_init_script("navigator.mediaDevices.getUserMedia = () => { throw new Error('asked') }")
    await page.goto(gateway.url)
    await write(page)
    created = await wire.sent_of("conversation.item.create")
    assert created["item"]["content"] == [{"type": "input_text", "text": "Tell me something"}]
    await wire.sent_of("response.create")
    await page.wait_for_function("() => window.seen.loudest > 0.3")
    await page.wait_for_function("() => document.querySelectorAll('.word.said').length >= 2")
    await expect(page.locator("#lines li.user p")).to_have_text("Tell me something")
    await expect(page.locator("#text")).to_have_value("")


async def test_a_question_written_into_an_answer_waits_for_its_end(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.goto(gateway.url)
    await write(page)
    await state_is(page, "speaking")
    await write(page, "Something else, please")
    await wire.received_of("response.created", 2)
    await state_is(page, "speaking")
    await expect(page.locator("#lines li.assistant del")).to_have_count(1)
    kinds = [event["type"] for event in wire.received]
    assert "error" not in kinds
    assert (
        kinds.index("response.done") < [at for at, kind in enumerate(kinds) if kind == "response.created"][1]
    )


async def test_space_talks_then_mutes_and_escape_stops_then_ends(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.goto(gateway.url)
    await page.keyboard.press("Space")
    await state_is(page, "listening")
    await page.keyboard.press("Space")
    await state_is(page, "muted")
    await expect(page.locator("#mute")).to_have_attribute("aria-pressed", "true")
    frames = sum(event["type"] == "input_audio_buffer.append" for event in wire.sent)
    later = await wire.sent_of("input_audio_buffer.append", frames + 20)
    assert set(later["audio"]) <= {"A", "="}, "a muted microphone sends silence, and goes on sending it"
    await page.keyboard.press("Space")
    await state_is(page, "listening")

    await write(page)
    await state_is(page, "speaking")
    await page.keyboard.press("Escape")
    await wire.sent_of("conversation.item.truncate")
    await state_is(page, "listening")
    await expect(page.locator("#lines del")).not_to_be_empty()
    await page.keyboard.press("Escape")
    await state_is(page, "ready")
    await expect(page.locator("#talk")).to_have_text("Talk")


async def test_space_mutes_also_after_talk_was_pressed_with_the_mouse(page: Page, gateway: Gateway) -> None:
    await page.goto(gateway.url)
    await page.click("#talk")
    await state_is(page, "listening")
    await page.keyboard.press("Space")
    await state_is(page, "muted")


async def test_letters_open_words_and_details_but_not_while_one_writes(page: Page, gateway: Gateway) -> None:
    await page.goto(gateway.url)
    await write(page)
    await state_is(page, "speaking")
    await page.keyboard.press("s")
    await expect(page.locator("#script")).to_be_hidden()
    await page.keyboard.press("s")
    await expect(page.locator("#script")).to_be_visible()
    await page.keyboard.press("d")
    await expect(page.locator("#drawer")).to_be_visible()
    await page.keyboard.press("d")
    await expect(page.locator("#drawer")).to_be_hidden()
    await page.focus("#text")
    await page.keyboard.type("sad days")
    await expect(page.locator("#text")).to_have_value("sad days")
    await expect(page.locator("#drawer")).to_be_hidden()
    await expect(page.locator("#script")).to_be_visible()


async def test_the_state_changes_within_one_frame_of_its_event(page: Page, gateway: Gateway) -> None:
    await page.goto(gateway.url)
    await write(page)
    await state_is(page, "speaking")
    await page.wait_for_function("() => window.seen.frames.some(({ type }) => type === 'response.created')")
    frames = {frame["type"]: frame for frame in await page.evaluate("window.seen.frames")}
    created = frames["response.created"]
    # Sound may have come within the same frame.
    assert (created["state"], created["word"]) in (("thinking", "Thinking"), ("speaking", "Speaking"))
    assert frames["session.created"]["state"] != "connecting"


async def test_the_drawer_shows_the_turns_times_and_the_events(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.goto(gateway.url)
    await page.keyboard.press("d")
    gateway.enough()
    await write(page)
    await wire.received_of("parlour.turn")
    bars = page.locator("#turns [data-bars=waterfall] li")
    await expect(bars.filter(has_text="First heard sample")).to_be_visible()
    assert await bars.locator("span:first-child").all_inner_texts() == [
        "End-of-turn decision",
        "First token",
        "First audio",
        "First heard sample",
    ]
    values = [int(value) for value in await bars.locator("b").all_inner_texts()]
    assert values == sorted(values)
    for figure in ("Round trip", "Buffer depth", "Underruns"):
        await expect(page.locator(f'[data-figure="{figure}"]')).to_be_visible()
    await expect(page.locator('[data-figure="Round trip"] dd')).to_contain_text("ms")

    entry = page.locator("#log details", has_text="response.output_audio.delta").first
    await entry.locator("summary").click()
    await expect(entry.locator("pre")).to_contain_text("ms of sound")
    await page.fill("#log-filter", "session.")
    names = await page.locator("#log code").all_inner_texts()
    assert names
    assert all(name.startswith("session.") for name in names)
    await page.fill("#log-filter", "")

    await page.click("#log-pause")
    count = await page.locator("#log li").count()
    await write(page, "And now?")
    await wire.received_of("response.created", 2)
    assert await page.locator("#log li").count() == count
    await page.click("#log-pause")
    await expect(page.locator("#log code", has_text="response.create").last).to_be_visible()
    assert await page.locator("#log li").count() > count


async def test_the_newest_words_stay_in_view_when_the_drawer_takes_their_room(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.goto(gateway.url)
    await page.set_viewport_size({"width": 1280, "height": 800})
    gateway.enough()
    await write(page, "A long question. " * 40)
    await wire.received_of("response.done")
    at_the_end = "() => { const s = document.querySelector('#script');"
    at_the_end += (
        " return s.scrollHeight > s.clientHeight && s.scrollHeight - s.scrollTop - s.clientHeight < 5; }"
    )
    await page.keyboard.press("d")
    await expect(page.locator("#drawer")).to_be_visible()
    await page.wait_for_function(at_the_end)


async def test_transcript_and_event_log_can_be_saved(page: Page, wire: Wire, gateway: Gateway) -> None:
    await page.goto(gateway.url)
    await write(page)
    await page.wait_for_function("() => document.querySelectorAll('.word.said').length >= 3")
    await page.keyboard.press("Escape")
    await wire.sent_of("conversation.item.truncate")
    await page.click("#settings-button")
    transcript = await saved_by(page, "#save-transcript")
    assert transcript.startswith("You: Tell me something\n\nParlour: ")
    assert "[cut off: " in transcript
    await page.keyboard.press("Escape")
    await page.keyboard.press("d")
    lines = [json.loads(line) for line in (await saved_by(page, "#log-save")).splitlines()]
    assert {line["way"] for line in lines} == {"sent", "received"}


@pytest.mark.parametrize("width", [390, 320])
async def test_nothing_is_wider_than_a_telephone(page: Page, gateway: Gateway, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 700})
    await page.goto(gateway.url)
    await write(page)
    await page.wait_for_function("() => document.querySelectorAll('.word.said').length >= 3")
    for key in ("", "d", "d"):
        if key:
            await page.keyboard.press(key)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.click("#settings-button")
    panel = await page.locator("#settings").bounding_box()
    assert panel is not None
    assert panel["x"] >= 0
    assert panel["x"] + panel["width"] <= width
    sizes = await page.evaluate(
        "[...document.querySelectorAll('header button, .controls button')]"
        ".map((button) => button.getBoundingClientRect()).map(({width, height}) => Math.min(width, height))"
    )
    assert min(sizes) >= 40, "fingers are not pointers"


async def test_only_finished_words_are_read_to_those_who_listen(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.goto(gateway.url)
    assert await page.locator("[aria-live], [role=log], [role=status]").count() == 1
    await write(page)
    await page.wait_for_function("() => document.querySelectorAll('.word.said').length >= 3")
    await expect(page.locator("#announcer p")).to_have_count(0)
    await page.keyboard.press("Escape")
    await wire.received_of("response.done")
    await expect(page.locator("#announcer p")).to_have_count(1)
    announced = await page.locator("#announcer p").inner_text()
    assert announced.startswith("Parlour: This is sentence")
    assert await page.locator("#lines del").inner_text() not in announced


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_has_contrast_and_every_control_a_name(
    quiet_browser: Browser, gateway: Gateway, scheme: Any
) -> None:
    async with open_context(quiet_browser, color_scheme=scheme) as context:
        await audited(await context.new_page(), gateway)


async def audited(page: Page, gateway: Gateway) -> None:
    await page.goto(gateway.url)
    await write(page)
    await page.wait_for_function("() => document.querySelectorAll('.word.said').length >= 3")
    speaking = await page.evaluate((HERE / "audit.js").read_text())
    assert speaking["faint"] == [], "words that are still to be spoken"
    await page.keyboard.press("Escape")
    await expect(page.locator("#lines del")).to_have_count(1)
    await page.keyboard.press("d")
    await page.click("#settings-button")
    audit = await page.evaluate((HERE / "audit.js").read_text())
    assert audit["faint"] == []
    assert audit["nameless"] == []
    assert audit["texts"] > 20, "the audit looked at something"


async def test_those_who_want_stillness_get_it(quiet_browser: Browser, gateway: Gateway) -> None:
    async with open_context(quiet_browser, reduced_motion="reduce") as context:
        await still(await context.new_page(), gateway)


async def still(page: Page, gateway: Gateway) -> None:
    await page.goto(gateway.url)
    await page.click("#talk")
    await state_is(page, "listening")
    two_looks = """() => new Promise((done) => {
      const look = () => document.querySelector("#visualizer").innerHTML;
      const first = look();
      let frames = 0;
      const next = () => (frames++ < 12 ? requestAnimationFrame(next) : done([first, look()]));
      requestAnimationFrame(next);
    })"""
    before, after = await page.evaluate(two_looks)
    assert before == after
    await page.emulate_media(reduced_motion="no-preference")
    before, after = await page.evaluate(two_looks)
    assert before != after, "the same look sees motion where it is wanted"


async def test_each_state_has_a_shape_of_its_own(page: Page, gateway: Gateway) -> None:
    await page.emulate_media(reduced_motion="reduce")
    await page.goto(gateway.url)
    shapes = await page.evaluate(
        """async () => {
          const { Visualizer } = await import("/page/visualizer.js");
          const svg = document.querySelector("#visualizer");
          const drawn = new Visualizer(svg, matchMedia("(prefers-reduced-motion: reduce)"));
          const states = "ready connecting listening hearing thinking speaking muted failed";
          return states.split(" ").map((state) => { drawn.show(state, state); return svg.innerHTML; });
        }"""
    )
    assert all(one != other for one, other in itertools.combinations(shapes, 2))


async def test_the_page_asks_nothing_of_anyone_else(page: Page, gateway: Gateway) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    await page.goto(gateway.url)
    await page.click("#talk")
    await state_is(page, "listening")
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith(gateway.origin)] == []
    html = await page.evaluate("fetch('/').then((answer) => answer.text())")
    assert "<style" not in html
    assert " style=" not in html
    assert " on" not in "".join(part.split(">")[0] for part in html.split("<button")[1:]).replace(" one", "")


async def test_the_server_says_what_its_brain_can_do(page: Page, gateway: Gateway) -> None:
    about = {
        "model": "tiny",
        "model_title": "Tiny brain",
        "about": "It chats a little.",
        "upgrade": "parlour serve --llm-url http://localhost:8000/v1",
        "voices": ["one", "two"],
        "needs_key": False,
    }
    await page.route("**/v1/parlour", lambda route: route.fulfill(json=about))
    await page.goto(gateway.url)
    await expect(page.locator("#about-line")).to_have_text("Tiny brain")
    await expect(page.locator("#intro-text")).to_have_text("It chats a little.")
    await page.click("#intro-more")
    await expect(page.locator("#about-upgrade")).to_have_text(str(about["upgrade"]))
    assert await page.locator("#voice option").all_inner_texts() == about["voices"]


async def test_a_telephone_on_its_side_hides_nothing_behind_the_controls(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.set_viewport_size({"width": 844, "height": 390})
    await page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    )
    await page.goto(gateway.url)
    await expect(page.locator("#about-line")).not_to_be_empty()
    lowest = """() => Math.max(...[...document.querySelectorAll(".stage > *")]
      .filter((each) => each.checkVisibility()).map((each) => each.getBoundingClientRect().bottom))"""
    controls = await page.locator(".controls").bounding_box()
    assert controls is not None
    assert await page.evaluate(lowest) <= controls["y"]

    await page.click("#talk")
    await expect(page.locator("#screen-title")).to_be_visible()
    header = await page.locator("header").bounding_box()
    title = await page.locator("#screen-title").bounding_box()
    assert header is not None
    assert title is not None
    assert title["y"] >= header["y"] + header["height"], "its beginning can be reached"
    button = page.locator("#screen").get_by_role("button", name="Try again")
    await button.scroll_into_view_if_needed()
    await expect(button).to_be_in_viewport(ratio=1)

    await page.click("text=Write instead")
    gateway.enough()
    await write(page)
    await wire.received_of("response.done")
    height = await page.locator("#script").evaluate("(script) => script.clientHeight")
    assert height > 200, "some lines of the conversation"
