"""A long clip in the page: does a frame freeze while it is read, drawn, asked about and sent?

    python -m tests.bench.bench_page_clips [--minutes 10]

The clip is recorded speech as a WAV file of 48 kHz in stereo, chosen in the page in Chromium and in
Firefox. From then until all of it is with the server, a probe notes the time between two animation
frames, and in Chromium the browser's own reports of long tasks. Beside it, for as long as the reading
took, the page at rest: what this machine does to frames by itself.
"""

import argparse
import asyncio
import json
import tempfile
import time
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import uvloop

from tests.bench import machine, report
from tests.e2e.browser.chromium import open_browser, open_context, write_wav
from tests.e2e.browser.firefox import FIREFOX, open_firefox, sound_card
from tests.e2e.browser.gateways import Gateway, running
from tests.e2e.browser.patience import LIMITS
from tests.speech import HZ, utterances

_CLIP_HZ = 48_000
_PROBE = """(() => {
  window.probe = { gaps: [], tasks: [], last: performance.now() };
  const look = (now) => {
    window.probe.gaps.push(now - window.probe.last);
    window.probe.last = now;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  if (PerformanceObserver.supportedEntryTypes.includes("longtask")) {
    const note = (list) => window.probe.tasks.push(...list.getEntries().map(({ duration }) => duration));
    new PerformanceObserver(note).observe({ type: "longtask" });
  }
})()"""
_RESET = "void (window.probe.gaps = [], window.probe.tasks = [], window.probe.last = performance.now())"
_FOUND = "({ gaps: window.probe.gaps, tasks: window.probe.tasks })"
_UNTIL = """(found) => new Promise((done) => {
  const look = () => (found() ? done(true) : setTimeout(look, 50));
  look();
})"""
_DRAWN = (
    "() => { const canvas = document.querySelector('#clip-list canvas'); return canvas && canvas.width > 50 }"
)
_ASK = """(() => {
  document.querySelector("#text").value = "What is it about?";
  document.querySelector(".send").click();
})()"""
_ANSWERED = "() => document.querySelector('#lines li.assistant')"


class Tab(Protocol):
    async def evaluate(self, expression: str) -> Any: ...


def clip(folder: Path, minutes: float) -> Path:
    """Speech with its pauses, over and over."""
    speech = np.concatenate([np.frombuffer(one.pcm16k, "<i2") for one in utterances()])
    whole = np.resize(speech, round(minutes * 60 * HZ))
    stereo = np.repeat(np.repeat(whole, _CLIP_HZ // HZ), 2)
    path = folder / "meeting.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(_CLIP_HZ)
        file.writeframes(stereo.tobytes())
    return path


@asynccontextmanager
async def chromium(folder: Path, url: str) -> AsyncIterator[tuple[Tab, Any]]:
    quiet = write_wav(folder / "quiet.wav", bytes(2 * HZ * 60), HZ)
    async with open_browser(quiet) as browser, open_context(browser) as context:
        page = await context.new_page()
        await page.goto(url)
        yield page, lambda path: page.set_input_files("#clip-files", path)


@asynccontextmanager
async def firefox(folder: Path, url: str) -> AsyncIterator[tuple[Tab, Any]]:
    async with sound_card(folder / "sound") as card, open_firefox(folder / "firefox", card) as tab:
        await tab.go_to(url)
        yield tab, lambda path: tab.set_files("#clip-files", path)


async def measured(name: str, minutes: float) -> dict[str, Any]:
    opened = {"Chromium": chromium, "Firefox": firefox}[name]
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        path = clip(folder, minutes)
        async with (
            running(Gateway(limits_as_shipped=LIMITS)) as gateway,
            opened(folder, gateway.url) as (tab, give),
        ):
            await tab.evaluate(_PROBE)
            await give(path)
            begun = time.monotonic()
            await tab.evaluate(f"({_UNTIL})({_DRAWN})")
            drawn_s = time.monotonic() - begun
            reading = await tab.evaluate(_FOUND)
            await tab.evaluate(_RESET)
            await tab.evaluate(_ASK)
            begun = time.monotonic()
            await tab.evaluate(f"({_UNTIL})({_ANSWERED})")
            sent_s = time.monotonic() - begun
            sending = await tab.evaluate(_FOUND)
            await tab.evaluate("document.querySelector('#stop').click()")
            await tab.evaluate(_RESET)
            await asyncio.sleep(drawn_s)
            idle = await tab.evaluate(_FOUND)
    return {
        "browser": name,
        "minutes": minutes,
        "drawn_s": round(drawn_s, 2),
        "sent_s": round(sent_s, 2),
        "reading": _longest(reading),
        "sending": _longest(sending),
        "idle": _longest(idle),
    }


def _longest(found: dict[str, list[float]]) -> dict[str, float]:
    gaps = sorted(found["gaps"]) or [0.0]
    return {
        "frames": len(gaps),
        "longest_frame_ms": round(gaps[-1], 1),
        "frames_over_100_ms": sum(gap > 100 for gap in gaps),
        "longest_task_ms": round(max(found["tasks"], default=0.0), 1),
    }


async def bench(minutes: float) -> list[dict[str, Any]]:
    names = ("Chromium", "Firefox") if FIREFOX else ("Chromium",)
    return [await measured(name, minutes) for name in names]


def table(results: list[dict[str, Any]]) -> str:
    columns = (
        "browser",
        "drawn s",
        "sent s",
        *(f"{what} longest frame ms" for what in ("reading", "sending", "idle")),
    )
    rows = [
        [
            one["browser"],
            one["drawn_s"],
            one["sent_s"],
            *(one[what]["longest_frame_ms"] for what in ("reading", "sending", "idle")),
        ]
        for one in results
    ]
    return report.table("A long clip in the page", list(columns), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="of the clip")
    options = parser.parse_args()
    facts = machine.describe()
    print(f"Machine: {facts}\n", flush=True)
    results = uvloop.run(bench(options.minutes))
    print(table(results))
    print(json.dumps(results, indent=1))
    print(report.save("page_clips", {"machine": facts, "results": results}))


if __name__ == "__main__":
    main()
