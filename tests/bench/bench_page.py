"""Conversations with the page over WebRTC in Chromium, on a good network and on a bad one.

    python -m tests.bench.bench_page [--cycles 4]

Chromium's microphone is a WAV file: a question, then one into the answer (a barge-in), then an answer that is
heard out. All packets go through a relay that loses 0 or 5 % of them and holds each back for up to 30 ms.
One-way delays are of sound: from a packet's leaving the server to its first sample's being rendered, and from
a sample at the microphone to the session that hears it. Server, relay and browser are on one machine, so
they have one clock; what loudspeaker and microphone would add is not in it.
"""

import argparse
import asyncio
import json
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop
from aioice.ice import get_host_addresses
from playwright.async_api import Page, Route

from tests.bench import machine, report
from tests.bench.page_sound import MarkingAgent, ServerSide, watching, ways_to_ear, ways_to_server
from tests.bench.stats import Percentiles
from tests.e2e.browser.chromium import open_browser, write_wav
from tests.e2e.browser.gateways import Gateway, running
from tests.e2e.browser.patience import LIMITS
from tests.e2e.browser.tapped import LISTENER, tapped
from tests.e2e.browser.test_webrtc_page import CALLS
from tests.e2e.lossy import LossyNetwork, lossy_network
from tests.speech import HZ, utterance

NETWORKS = ((0.0, 0.0), (0.05, 0.03))
"""Loss, and seconds of jitter."""
QUESTION, INTERRUPTION = "cards_001", "cards_002"
_BARGE_IN_AFTER_S = 4.5
_HEARD_OUT_S = 13.0
_BEFORE_S = 2.0
_FIGURES = """() => Object.fromEntries(
  [...document.querySelectorAll("[data-figure]")]
    .map((row) => [row.dataset.figure, row.querySelector("dd").textContent]),
)"""
_STATS = "async () => [...(await window.calls.connections[0].getStats()).values()]"


def microphone(cycles: int) -> bytes:
    one = utterance(QUESTION).pcm16k + bytes(2 * int(HZ * _BARGE_IN_AFTER_S))
    one += utterance(INTERRUPTION).pcm16k + bytes(2 * int(HZ * _HEARD_OUT_S))
    return bytes(2 * int(HZ * _BEFORE_S)) + one * cycles


async def converse(loss: float, jitter_s: float, cycles: int) -> dict[str, Any]:
    speech = microphone(cycles)
    gateway = Gateway(limits_as_shipped=LIMITS)
    gateway.agent = MarkingAgent()
    with tempfile.TemporaryDirectory() as folder, watching() as seen:
        wav = write_wav(Path(folder) / "speech.wav", speech + bytes(2 * HZ * 60), HZ)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(running(gateway))
            host = get_host_addresses(use_ipv4=True, use_ipv6=False)[0]
            network = await stack.enter_async_context(lossy_network(host, loss, jitter_s))
            browser = await stack.enter_async_context(open_browser(wav))
            page = await (await browser.new_context(bypass_csp=True)).new_page()
            for script in (LISTENER, CALLS):
                await page.add_init_script(script)
            await page.route("**/v1/realtime/calls?*", lambda route: _through(network, route))
            await page.goto(f"{gateway.origin}?transport=webrtc")
            await page.click("#drawer-button")
            await page.click("#talk")
            await asyncio.sleep(len(speech) / 2 / HZ)
            return await _measured(page, seen, network, (loss, jitter_s))


async def _through(network: LossyNetwork, route: Route) -> None:
    """Both ends are told the relay's address in place of the other's."""
    answer = await route.fetch(post_data=network.through(route.request.post_data or ""))
    await route.fulfill(response=answer, body=network.through(await answer.text()))


async def _measured(
    page: Page, seen: ServerSide, network: LossyNetwork, bad: tuple[float, float]
) -> dict[str, Any]:
    stats = await page.evaluate(_STATS)
    figures = await page.evaluate(_FIGURES)
    events: list[dict[str, Any]] = await page.evaluate("window.calls.received")
    ear, mouth = await tapped(page, "ear"), await tapped(page, "mouth")
    inbound = next(one for one in stats if one["type"] == "inbound-rtp" and one.get("kind") == "audio")
    playout = next((one for one in stats if one["type"] == "media-playout"), {})
    guessed = inbound["concealedSamples"] - inbound["silentConcealedSamples"]
    return {
        "network": f"{bad[0]:.0%} lost, {bad[1] * 1000:.0f} ms jitter",
        "turns": _count(events, "input_audio_buffer.committed"),
        "answers": _count(events, "response.done"),
        "barge_ins": _count(events, "output_audio_buffer.cleared"),
        "to_ear_ms": Percentiles.of(ways_to_ear(seen, ear)).shown(),
        "in_the_browsers_buffer_ms": _mean_ms(inbound, "jitterBufferDelay", "jitterBufferEmittedCount"),
        "in_its_playout_ms": _mean_ms(playout, "totalPlayoutDelay", "totalSamplesCount"),
        "tones_sent": len(seen.sent),
        "to_server_ms": Percentiles.of(ways_to_server(seen, mouth)).shown(),
        "packets_passed_lost": [network.passed, network.lost],
        "underruns": figures.get("Underruns"),
        "figures_at_the_end": figures,
        "guessed_at_ear_ms": round(guessed / 48),
        "mended_by_fec": inbound.get("fecPacketsReceived", 0) - inbound.get("fecPacketsDiscarded", 0),
        "guessed_at_server_packets": seen.guessed,
    }


def _mean_ms(stats: dict[str, Any], total_s: str, count: str) -> float | None:
    return round(1000 * stats[total_s] / stats[count], 1) if stats.get(count) else None


def _count(events: list[dict[str, Any]], kind: str) -> int:
    return sum(event["type"] == kind for event in events)


async def bench_page(cycles: int) -> list[dict[str, Any]]:
    return [await converse(loss, jitter_s, cycles) for loss, jitter_s in NETWORKS]


def table(results: list[dict[str, Any]]) -> str:
    columns = ("network", "turns", "answers", "barge-ins", "underruns", "guessed ms")
    rows = []
    for one in results:
        ways = [one[way][share] for way in ("to_ear_ms", "to_server_ms") for share in ("p50", "p95", "p99")]
        counts = [one[name] for name in ("turns", "answers", "barge_ins", "underruns", "guessed_at_ear_ms")]
        rows.append([one["network"], *counts, *ways])
    ways_named = [f"to {end} {share}" for end in ("ear", "server") for share in ("p50", "p95", "p99")]
    return report.table("The page over WebRTC; ways in ms", [*columns, *ways_named], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cycles", type=int, default=4, help="of two turns and 21 s each")
    options = parser.parse_args()
    facts = machine.describe()
    print(f"Machine: {facts}\n", flush=True)
    results = uvloop.run(bench_page(options.cycles))
    print(table(results))
    print(json.dumps(results, indent=1))
    print(report.save("page", {"machine": facts, "results": results}))


if __name__ == "__main__":
    main()
