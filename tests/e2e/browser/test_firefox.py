"""A conversation with the page in Firefox: speech into its microphone, the answer out of its loudspeaker."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.browser.firefox import (
    FIREFOX,
    RECORDED_HZ,
    SOUND,
    Firefox,
    SoundCard,
    open_firefox,
    sound_card,
)
from tests.e2e.browser.gateways import REAL, Gateway
from tests.e2e.browser.tapped import N_NOTES, notes_of
from tests.speech import HZ, utterance

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
SAID = "document.querySelectorAll('.word.said').length"
CUT = "document.querySelector('#lines li.assistant del')?.textContent"


@pytest.fixture(scope="module", autouse=True)
def _has_firefox() -> None:
    if FIREFOX is not None and all(SOUND):
        return
    missing = (
        "Firefox or PulseAudio is missing (Debian: apt-get install firefox-esr pulseaudio pulseaudio-utils)"
    )
    if os.environ.get("TESTS_NO_SKIP") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest_asyncio.fixture(loop_scope="module")
async def card(tmp_path: Path) -> AsyncIterator[SoundCard]:
    async with sound_card(tmp_path / "sound") as card:
        yield card


@pytest_asyncio.fixture(loop_scope="module")
async def firefox(tmp_path: Path, card: SoundCard) -> AsyncIterator[Firefox]:
    async with open_firefox(tmp_path / "firefox", card) as firefox:
        yield firefox


@pytest.mark.parametrize("way", ["WebRTC", "WebSocket"])
async def test_one_speaks_is_answered_and_may_interrupt(
    firefox: Firefox, card: SoundCard, gateway: Gateway, way: str
) -> None:
    if way == "WebRTC" and not REAL:
        pytest.skip("the fake gateway takes no calls")
    await firefox.go_to(f"{gateway.origin}?transport={way.lower()}")
    await firefox.click("#talk")
    await firefox.state_is("listening")
    await card.say(utterance("cards_001").pcm16k)
    await firefox.state_is("speaking")
    await firefox.until(f"{SAID} >= 20")
    notes = await asyncio.to_thread(notes_of, await card.listen(2.0), RECORDED_HZ)
    assert notes == [number % N_NOTES for number in range(len(notes))], "word by word, none lost, none twice"
    assert len(notes) > 15
    insisting = asyncio.create_task(_insist(card), name="insisting")
    await firefox.until(CUT)
    insisting.cancel()
    await firefox.until("document.querySelectorAll('#lines li.assistant').length >= 2")
    assert firefox.errors == []


async def _insist(card: SoundCard) -> None:
    """As people do: Firefox may take a voice beside its loudspeaker for an echo, and drop it."""
    while True:
        await card.say(utterance("cards_002").pcm16k + bytes(2 * HZ))
