"""The connection doctor in the page: each step, and the first that fails with its cure."""

import re
from collections.abc import Callable

import pytest
from playwright.async_api import Page, Route, expect

from realtime.transports.webrtc import peer
from tests.e2e.browser.chromium import Wire, state_is
from tests.e2e.browser.gateways import REAL, Gateway, running
from tests.e2e.browser.patience import past_its_limits

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
needs_calls = pytest.mark.skipif(not REAL, reason="the fake gateway takes no calls")

REACHED = [
    "Address",
    "Certificate",
    "Microphone",
    "Permission",
    "Speaker",
    "Server",
    "Readiness",
    "Key",
    "Session",
]
CALL = ["Signalling", "ICE", "TURN", "Encryption", "Data channel"]
CALLS = "**/v1/realtime/calls*"


async def check(page: Page, stuck_after: str = "") -> None:
    """stuck_after: the last step that succeeds, where the next one comes to nothing in any time.

    The page's clock must be installed then.
    """
    await page.keyboard.press("d")
    await page.click("#doctor-check")
    if stuck_after:
        await expect(page.locator("#doctor li[data-state=ok] b").last).to_have_text(stuck_after)
        await past_its_limits(page)
    await expect(page.locator("#announcer")).to_contain_text("Connection: ")


async def names(page: Page, state: str = "ok") -> list[str]:
    return await page.locator(f"#doctor li[data-state={state}] b").all_inner_texts()


async def answers_become(page: Page, change: Callable[[str], str]) -> None:
    """Let calls be answered with something else than what the server says."""

    async def fulfill(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=change(await answer.text()))

    await page.route(CALLS, fulfill)


@needs_calls
async def test_where_all_is_well_every_step_says_so(page: Page, wire: Wire, gateway: Gateway) -> None:
    hung_up = []
    page.on("request", lambda request: hung_up.append(request) if "/hangup" in request.url else None)
    await page.goto(gateway.url)
    await check(page)
    assert await names(page) == [*REACHED, *CALL]
    await expect(page.locator("#doctor li[data-state=failed]")).to_have_count(0)
    await expect(page.locator("#doctor")).to_contain_text(re.compile(r"host to host|prflx"))
    await expect(page.locator("#doctor")).to_contain_text("Encryption DTLS, with the certificate")
    assert len(hung_up) == 1, "its call takes no place any longer"
    await state_is(page, "ready")


@needs_calls
async def test_a_call_that_is_open_is_examined_itself(page: Page, gateway: Gateway) -> None:
    calls = []
    page.on(
        "request",
        lambda request: calls.append(request) if request.url.endswith("calls?model=parlour") else None,
    )
    await page.goto(gateway.origin)
    await page.click("#talk")
    await state_is(page, "listening")
    await check(page)
    assert await names(page) == [*REACHED, *CALL]
    assert len(calls) == 1
    await state_is(page, "listening")


@needs_calls
@pytest.mark.parametrize(
    ("step", "change", "cure"),
    [
        ("ICE", lambda sdp: re.sub(r"a=ice-pwd:\S+", f"a=ice-pwd:{'0' * 22}", sdp), "PARLOUR_WEBRTC_ADDRESS"),
        ("Encryption", lambda sdp: re.sub(r"(a=fingerprint:\S+ )..:..", r"\g<1>00:00", sdp), "proxy"),
    ],
)
async def test_a_call_names_the_step_that_fails_and_its_cure(
    page: Page, gateway: Gateway, step: str, change: Callable[[str], str], cure: str
) -> None:
    await answers_become(page, change)
    await page.clock.install()
    await page.goto(gateway.url)
    await check(page, stuck_after=[*REACHED, *CALL][[*REACHED, *CALL].index(step) - 1])
    assert await names(page) == [*REACHED, *CALL[: CALL.index(step)]]
    assert await names(page, "failed") == [step]
    await expect(page.locator("#doctor em")).to_contain_text(cure)


@needs_calls
async def test_a_data_channel_that_does_not_open_is_told_apart(
    page: Page, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def swallow(*_: object) -> None:
        """What comes for the data channel."""

    monkeypatch.setattr(peer.Peer, "_start_events", swallow)
    await page.clock.install()
    await page.goto(gateway.url)
    await check(page, stuck_after="Encryption")
    assert await names(page) == [*REACHED, *CALL[:-1]]
    assert await names(page, "failed") == ["Data channel"]
    await expect(page.locator("#doctor em")).to_contain_text("MTU")


@needs_calls
async def test_a_call_that_is_refused_fails_at_signalling(page: Page, gateway: Gateway) -> None:
    await page.route(CALLS, lambda route: route.fulfill(status=502))
    await page.goto(gateway.url)
    await check(page)
    assert await names(page) == REACHED
    failed = page.locator("#doctor li[data-state=failed]")
    await expect(failed).to_contain_text("Signalling The server refused the call (502).")


@needs_calls
async def test_a_turn_server_that_gives_no_relay_is_named(page: Page) -> None:
    turn = {"turn_url": "turn:127.0.0.1:9", "turn_user": "parlour", "turn_password": "test-only"}
    async with running(Gateway(**turn)) as gateway:
        await page.goto(gateway.url)
        await check(page)
        assert await names(page) == [*REACHED, "Signalling", "ICE"]
        assert await names(page, "failed") == ["TURN"]
        await expect(page.locator("#doctor em")).to_contain_text("PARLOUR_TURN_URL")


async def test_a_server_that_went_away_is_named_with_the_cure(page: Page, gateway: Gateway) -> None:
    await page.goto(gateway.url)
    await page.wait_for_load_state("networkidle")
    await page.click("#talk")
    await page.click("#talk")  # the worklets are loaded: the speaker is well without the server
    await gateway.stop()
    await check(page)
    failed = page.locator("#doctor li[data-state=failed]")
    await expect(failed).to_contain_text("Server It does not answer.")
    await expect(failed.locator("em")).to_contain_text("same network")
    await expect(page.locator("#doctor li").last).to_have_attribute("data-state", "failed")


async def test_a_missing_microphone_is_where_it_stops(page: Page, gateway: Gateway) -> None:
    await page.add_init_script("navigator.mediaDevices.enumerateDevices = async () => []")
    await page.goto(gateway.url)
    await check(page)
    assert await names(page) == REACHED[:2]
    assert await names(page, "failed") == ["Microphone"]
    await expect(page.locator("#doctor em")).to_contain_text("Plug one in")
