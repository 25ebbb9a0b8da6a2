"""`@openai/agents-realtime` over WebRTC, unmodified, on another site's page in Chromium."""

import base64
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.scripted.agent import RECITAL
from tests.agent.reciter import Reciter
from tests.conftest import running_server
from tests.e2e.browser.chromium import HANGS_MS, chromium_path, open_browser, open_context, write_wav
from tests.e2e.browser.speech import MOUTH
from tests.e2e.clients.test_other_clients import TOOL_ANSWER, is_cut_short, javascript
from tests.speech import HZ, utterance

pytestmark = [pytest.mark.other_clients, pytest.mark.timeout(2_400)]

JS = Path(__file__).parent / "js"


@pytest.mark.parametrize("kind", ["key", "client secret"])
async def test_agents_js_converses_over_webrtc(tmp_path: Path, kind: str) -> None:
    await javascript()
    if chromium_path() is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    microphone = write_wav(tmp_path / "microphone.wav", bytes(2 * HZ * 60), HZ)
    with _another_site(tmp_path / "site") as site:
        seen = await _seen_by(site, microphone, kind)
    assert "failed" not in seen, seen
    spoken, tool_call = seen["spoken"], seen["tool_call"]
    assert spoken["errors"] == tool_call["errors"] == []
    assert spoken["responses"][0] == "cancelled"
    assert "response.output_audio.delta" not in spoken["types"]
    kept = next(item["words"] for item in spoken["history"] if item["role"] == "assistant")
    assert is_cut_short(kept)
    assert spoken["truncated"] > 300
    # A sentence a second: the words that are kept are those that were heard.
    assert abs(len(kept) / len(RECITAL) * 10_000 - spoken["truncated"]) < 1_200
    assert tool_call["tools"] == [["weather", "rain all day"]]
    assert tool_call["history"][-1]["words"] == TOOL_ANSWER


async def _seen_by(site: str, microphone: Path, kind: str) -> dict[str, Any]:
    """What the client on that page saw of its conversations."""
    async with (
        running_server(Reciter(), keys="secret", playback_lead_s=1.0) as server,
        open_browser(microphone) as browser,
        open_context(browser) as context,
    ):
        key = "secret" if kind == "key" else await _client_secret(server.http)
        page = await context.new_page()
        speech = {
            name: base64.b64encode(utterance(name).pcm16k).decode() for name in ("cards_001", "something")
        }
        settings = {"gateway": server.http, "key": key, "speech": speech, "hangs_ms": HANGS_MS}
        await page.add_init_script(f"window.settings = {json.dumps(settings)};")
        await page.add_init_script(MOUTH)
        await page.goto(f"{site}/index.html")
        await page.wait_for_function("window.seen !== undefined")
        return dict(await page.evaluate("window.seen"))


async def _client_secret(http: str) -> str:
    async with httpx.AsyncClient(headers={"authorization": "Bearer secret"}) as client:
        made = await client.post(f"{http}/v1/realtime/client_secrets", json={"session": {"type": "realtime"}})
    return str(made.json()["value"])


@contextmanager
def _another_site(folder: Path) -> Iterator[str]:
    """Real and on loopback: a browser lets no other page reach a loopback address."""
    folder.mkdir()
    (folder / "index.html").write_text('<!doctype html><script type="module" src="/webrtc.mjs"></script>')
    shutil.copy(JS / "webrtc.mjs", folder)
    shutil.copytree(JS / "node_modules/@openai/agents-realtime/dist/bundle", folder / "bundle")

    class Files(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(folder))) as server:
        serving = threading.Thread(target=server.serve_forever, name="another site")
        serving.start()
        try:
            yield f"http://localhost:{server.server_address[1]}"
        finally:
            server.shutdown()
            serving.join()
