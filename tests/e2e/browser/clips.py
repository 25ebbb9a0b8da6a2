"""Recordings that a test brings to the page."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from playwright.async_api import Page

from tests.e2e.browser.chromium import write_wav
from tests.speech import HZ, utterance, utterances

READY = "#clip-list .sound"
_BRING = """([kind, name, bytes]) => {
  const content = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
  const file = new File([content], name, { type: "audio/wav" });
  const transfer = new DataTransfer();
  transfer.items.add(file);
  const given = { bubbles: true, cancelable: true };
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { ...given, clipboardData: transfer })
    : new DragEvent(kind, { ...given, dataTransfer: transfer });
  document.body.dispatchEvent(event);
}"""


def short_clip(folder: Path, name: str = "meeting.wav") -> Path:
    """A sentence, with a second of silence after it: 2.1 s."""
    return write_wav(folder / name, utterance("cards_001").pcm16k + bytes(2 * HZ), HZ)


def long_clip(folder: Path, seconds: float = 70.0, name: str = "interview.wav") -> Path:
    """Sentences with pauses between them."""
    speech = b"".join(one.pcm16k for one in utterances())
    times = 1 + int(seconds * HZ * 2 // len(speech))
    return write_wav(folder / name, (speech * times)[: 2 * round(seconds * HZ)], HZ)


async def bring(page: Page, kind: str, path: Path) -> None:
    """kind: "paste", or an event of dragging."""
    await page.evaluate(_BRING, [kind, path.name, _encoded(path)])


def dropping(path: Path) -> str:
    """The same as an expression of the page's: the file is dropped."""
    return f"({_BRING})({json.dumps(['drop', path.name, _encoded(path)])})"


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def pcm_of(event: dict[str, Any]) -> list[np.ndarray[Any, np.dtype[np.int16]]]:
    """The audio of an item that was created, part by part, at 24 kHz."""
    parts = [part for part in event["item"]["content"] if part["type"] == "input_audio"]
    return [np.frombuffer(base64.b64decode(part["audio"]), "<i2") for part in parts]
