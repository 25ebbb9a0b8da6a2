"""Writing to the page, and reading it: the field, the latest words, a new beginning, right to left."""

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser.chromium import Wire, state_is
from tests.e2e.browser.gateways import Gateway

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

HEIGHT = "(field) => field.getBoundingClientRect().height"
HIDDEN_LINES = "(field) => field.scrollHeight - field.clientHeight"
FROM_THE_END = "(script) => script.scrollHeight - script.scrollTop - script.clientHeight"


async def write(page: Page, text: str) -> None:
    await page.fill("#text", text)
    await page.press("#text", "Enter")
    await page.locator("#text").blur()


async def words_heard(page: Page, count: int) -> None:
    said = "count => document.querySelectorAll('.word.said').length >= count"
    await page.wait_for_function(said, arg=count)


async def test_the_field_grows_with_its_lines_and_is_small_again_when_they_are_sent(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.goto(gateway.url)
    field = page.locator("#text")
    one = await field.evaluate(HEIGHT)
    await field.press_sequentially("First")
    await field.press("Shift+Enter")
    await field.press_sequentially("second")
    two = await field.evaluate(HEIGHT)
    assert two > one
    assert await field.evaluate(HIDDEN_LINES) <= 0, "each line is seen"
    await field.fill("line\n" * 40)
    assert two < await field.evaluate(HEIGHT) < 300, "and the page keeps its place"
    await field.fill("First\nsecond")
    await field.press("Enter")
    created = await wire.sent_of("conversation.item.create")
    assert created["item"]["content"][0]["text"] == "First\nsecond"
    assert await field.evaluate(HEIGHT) == one
    await expect(page.locator("#lines li.user p")).to_have_css("white-space-collapse", "preserve")


async def test_what_is_too_long_for_the_field_is_cut_and_that_is_said(page: Page, gateway: Gateway) -> None:
    await page.goto(gateway.url)
    await page.fill("#text", "a" * 4_000)
    await expect(page.locator("#notice")).to_be_hidden()
    await page.fill("#text", "a" * 4_001)
    assert len(await page.locator("#text").input_value()) == 4_000
    await expect(page.locator("#notice")).to_contain_text("longer than 4,000 characters")


async def test_words_from_right_to_left_are_written_so(page: Page, gateway: Gateway) -> None:
    await page.goto(gateway.url)
    direction = "(element) => getComputedStyle(element).direction"
    await page.fill("#text", "مرحبا، كيف حالك؟")
    assert await page.locator("#text").evaluate(direction) == "rtl"
    await page.press("#text", "Enter")
    await words_heard(page, 1)
    assert await page.locator("#lines li.user p").evaluate(direction) == "rtl"
    assert await page.locator("#lines li.assistant p").evaluate(direction) == "ltr"


async def test_who_has_scrolled_away_is_led_back_to_the_latest_words(page: Page, gateway: Gateway) -> None:
    await page.goto(gateway.url)
    await write(page, "A long question. " * 100)
    await words_heard(page, 3)
    latest, script = page.locator("#latest"), page.locator("#script")
    await expect(latest).to_be_hidden()
    await script.hover()
    await page.mouse.wheel(0, -10_000)
    await expect(latest).to_be_visible()
    await words_heard(page, 10)
    assert await script.evaluate(FROM_THE_END) > 100, "new words do not take the reader away"
    await latest.focus()
    await page.keyboard.press("Enter")
    await expect(latest).to_be_hidden()
    await expect(script).to_be_focused()
    assert await script.evaluate(FROM_THE_END) < 5


async def test_a_written_question_is_shown_also_to_who_has_scrolled_away(
    page: Page, gateway: Gateway
) -> None:
    await page.goto(gateway.url)
    await write(page, "A long question. " * 100)
    await words_heard(page, 3)
    await page.locator("#script").hover()
    await page.mouse.wheel(0, -10_000)
    await expect(page.locator("#latest")).to_be_visible()
    await write(page, "Another one")
    await expect(page.locator("#lines li.user", has_text="Another one")).to_be_in_viewport()
    await expect(page.locator("#latest")).to_be_hidden()


@pytest.mark.parametrize("way", ["notice", "settings"])
async def test_a_new_beginning_can_be_undone(page: Page, wire: Wire, gateway: Gateway, way: str) -> None:
    await page.goto(gateway.url)
    await write(page, "What is your name?")
    await words_heard(page, 3)
    await page.keyboard.press("Escape")
    await wire.sent_of("conversation.item.truncate")
    await expect(page.locator("#lines details.turn")).to_have_count(1)
    said = await page.locator("#lines").inner_text()
    await page.click("#settings-button")
    await page.click("#fresh")
    await expect(page.locator("#lines li")).to_have_count(0)
    if way == "notice":
        await page.click("#notice button")
    else:
        await expect(page.locator("#fresh")).to_have_text("Bring it back")
        await page.click("#fresh")
    await expect(page.locator("#lines li")).to_have_count(2)
    assert await page.locator("#lines").inner_text() == said
    await expect(page.locator("#notice")).to_be_hidden()
    told = sum(event["type"] == "conversation.item.create" for event in wire.sent)
    await page.keyboard.press("Escape")
    await write(page, "And mine?")
    again = await wire.sent_of("conversation.item.create", told + 1)
    assert again["item"]["content"][0]["text"] == "What is your name?", "the server is told of it"


async def test_what_was_put_away_is_gone_with_the_first_new_words(
    page: Page, wire: Wire, gateway: Gateway
) -> None:
    await page.goto(gateway.url)
    await write(page, "What is your name?")
    await words_heard(page, 3)
    await page.click("#settings-button")
    await page.click("#fresh")
    await page.keyboard.press("Escape")
    told = sum(event["type"] == "conversation.item.create" for event in wire.sent)
    await write(page, "Something else")
    await wire.sent_of("conversation.item.create", told + 1)
    await expect(page.locator("#notice")).to_be_hidden()
    await page.click("#settings-button")
    await expect(page.locator("#fresh")).to_have_text("Start afresh")


async def test_the_meters_are_at_rest_when_the_conversation_has_ended(
    talking_page: Page, gateway: Gateway
) -> None:
    page = talking_page
    await page.goto(gateway.url)
    await page.click("#talk")
    await state_is(page, "speaking")
    await page.wait_for_function("() => window.seen.loudest > 0.3")
    await page.click("#talk")
    await state_is(page, "ready")
    for meter in ("#microphone-level", "#speaker-level"):
        await expect(page.locator(meter)).to_have_attribute("aria-valuenow", "0")
        await expect(page.locator(f"{meter} i")).to_have_css("transform", "matrix(0, 0, 0, 1, 0, 0)")
