"""Examples that OpenAI ships with its libraries, unmodified, with Parlour in OpenAI's place.

Left out: what asks for a sound card of its own (push_to_talk_app.py, realtime/cli), a telephone (twilio),
pictures, or an endpoint that Parlour has not (responses, images, uploads).
"""

import asyncio
import base64
import json
import os
import shutil
import sys
import wave
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.e2e.browser.chromium import chromium_path, open_browser, write_wav
from tests.e2e.serving import serving
from tests.environments import BUILD_HANGS_S, CACHE, checkout, environment, output_of
from tests.judges.obedient import obedient_chat_server
from tests.peers.pace import Paced
from tests.ports import free_port
from tests.speech import HZ, utterance
from tests.waiting import HANGS_S, port_opens, unless_it_hangs

pytestmark = [pytest.mark.judges, pytest.mark.timeout(2_400)]
HERE = Path(__file__).parent
OPENAI = ("openai/openai-python", "e43b422412a9e96c9cc5192c61fffbe2d7e04836")
AGENTS = ("openai/openai-agents-python", "7f7a44f8dc0650296bd5ab6c745c9bcbaa6ac3b7")
AGENTS_JS = ("openai/openai-agents-js", "6d0c61a5f62a5ed8142996a25b33446c810f84b3")
LIVEKIT = ("livekit/agents", "da6af86ac640a3bc54585764e64321d7048c1c16")
PACKAGES = ("openai[realtime]==3.57.0",)
AGENTS_PACKAGES = ("openai-agents==0.22.0", "fastapi==0.165.0", "uvicorn==0.54.0", "websockets==16.1.1")
LOUD = 1_000


@asynccontextmanager
async def parlour(*flags: str) -> AsyncIterator[str]:
    """With the embedded ears and voice, and a model that does as it is told. Its address."""
    async with (
        obedient_chat_server() as llm,
        serving("--model", "obedient", "--llm-url", llm, *flags) as address,
    ):
        yield address


def in_its_place(address: str) -> dict[str, str]:
    return {**os.environ, "OPENAI_BASE_URL": f"{address}/v1", "OPENAI_API_KEY": "none"}


async def test_the_realtime_example_answers_what_is_typed() -> None:
    python = await environment("openai-examples", PACKAGES)
    source = await checkout(*OPENAI)
    async with parlour() as address:
        process = await asyncio.create_subprocess_exec(
            python,
            source / "examples" / "realtime" / "realtime.py",
            env=in_its_place(address),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with unless_it_hangs("the end of the example"):
            out, err = await process.communicate(b"What is 2 + 2?\nMy name is Kelly.\nq\n")
    assert process.returncode == 0, err.decode()[-2000:]
    answers = out.decode().split("Enter a message: ")
    assert answers[1].strip() == "2 + 2 is 4."
    assert answers[2].strip() != ""


@pytest.mark.parametrize("example", ["demo.py", "async_demo.py"])
async def test_the_chat_examples_are_answered(example: str) -> None:
    python = await environment("openai-examples", PACKAGES)
    source = await checkout(*OPENAI)
    async with parlour() as address:
        out = await output_of(HANGS_S, python, source / "examples" / example, env=in_its_place(address))
    assert out.strip() != ""
    assert "\nNone\n" not in out, "the id of the request is told"


async def test_the_agents_web_app_converses_and_calls_its_tools(tmp_path: Path) -> None:
    python = await environment("agents-examples", AGENTS_PACKAGES)
    app = await checkout(*AGENTS) / "examples" / "realtime" / "app"
    question = await checkout(*LIVEKIT) / "tests" / "test_realtime" / "weather_question.wav"
    async with parlour() as address:
        port = free_port()
        url = f"{address.replace('http', 'ws')}/v1/realtime?model=gpt-realtime"
        process = await asyncio.create_subprocess_exec(
            *(python, HERE / "agents_app.py", str(port), url), cwd=app, env=in_its_place(address)
        )
        try:
            await port_opens(process, port)
            async with connect(f"ws://127.0.0.1:{port}/ws/one", max_size=None) as socket:
                seen = await _ask(socket, question)
        finally:
            process.terminate()
            await process.wait()
    assert [one["tool"] for one in seen if one["type"] == "tool_start"] == ["get_weather"]
    assert [one["output"] for one in seen if one["type"] == "tool_end"] == ["The weather in Paris is sunny."]
    sound = b"".join(base64.b64decode(one["audio"]) for one in seen if one["type"] == "audio")
    assert max(map(abs, array("h", sound))) > LOUD
    assert [one for one in seen if one["type"] == "error"] == []


async def _ask(socket: Any, question: Path) -> list[dict[str, Any]]:
    """Speak as the app's page does; what came until the answer's sound ended."""
    hz, pcm = _read_wav(question)
    assert hz == 24_000
    speaking = asyncio.create_task(_speak(socket, pcm + bytes(2 * hz * 60)))
    seen: list[dict[str, Any]] = []
    try:
        async with unless_it_hangs(lambda: f"the answer, after {[one['type'] for one in seen][-20:]}"):
            async for text in socket:
                seen.append(json.loads(text))
                if seen[-1]["type"] == "audio_end":
                    break
    finally:
        speaking.cancel()
    return seen


async def _speak(socket: Any, pcm: bytes) -> None:
    pace = Paced()
    for start in range(0, len(pcm), 2_048):
        await socket.send(json.dumps({"type": "audio", "data": list(array("h", pcm[start : start + 2_048]))}))
        await pace.after(2_048 / 2 / 24_000)


def _read_wav(path: Path) -> tuple[int, bytes]:
    with wave.open(str(path)) as read:
        return read.getframerate(), read.readframes(read.getnframes())


async def test_the_javascript_demo_holds_a_call_in_chromium(tmp_path: Path) -> None:
    if chromium_path() is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    built = await _built_demo()
    pcm = bytes(2 * HZ * 3) + utterance("cards_001").pcm16k + bytes(2 * HZ * 60)
    microphone = write_wav(tmp_path / "microphone.wav", pcm, HZ)
    port = free_port()
    serving = ("-m", "http.server", "--bind", "127.0.0.1", "--directory", built, str(port))
    origin = f"http://127.0.0.1:{port}"
    async with parlour("--allowed-origins", origin) as address, open_browser(microphone) as browser:
        pages = await asyncio.create_subprocess_exec(sys.executable, *map(str, serving))
        try:
            await port_opens(pages, port)
            seen = await _converse(await browser.new_page(), origin, address)
        finally:
            pages.terminate()
            await pages.wait()
    assert "error" not in seen
    assert seen.index("input_audio_buffer.speech_started") < seen.index("response.done")


async def _converse(page: Any, url: str, address: str) -> list[str]:
    """The types of the events that the demo logs, until its first answer is done."""

    async def to_parlour(route: Any) -> None:
        """The one changed thing: whom the library calls."""
        elsewhere = route.request.url.replace("https://api.openai.com", address)
        await route.fulfill(response=await route.fetch(url=elsewhere))

    await page.route("https://api.openai.com/**", to_parlour)
    async with httpx.AsyncClient(base_url=address) as client:
        asked = {"session": {"type": "realtime", "model": "gpt-realtime"}}  # as its token.ts asks
        secret = (await client.post("/v1/realtime/client_secrets", json=asked)).json()["value"]
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept(secret)))
    await page.goto(url)
    await page.click("#connectButton")
    logged = "[...document.querySelectorAll('#eventLog summary')].map((one) => one.innerText)"
    failed = asyncio.get_running_loop().create_future()
    page.once("pageerror", lambda error: failed.set_result(error))
    condition = page.wait_for_function(f"{logged}.includes('response.done')", timeout=HANGS_S * 1000)
    answered = asyncio.ensure_future(condition)
    await asyncio.wait({failed, answered}, return_when=asyncio.FIRST_COMPLETED)
    assert not failed.done(), failed.result()
    await answered
    return list(await page.evaluate(logged))


async def _built_demo() -> Path:
    """The demo as its own bundler makes it, with the published library in place of the workspace's."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are missing")
    source = await checkout(*AGENTS_JS) / "examples" / "realtime-demo"
    folder = CACHE / "agents-js-demo"
    if not (folder / "dist" / "index.html").exists():
        shutil.copytree(source, folder, dirs_exist_ok=True)
        package = json.loads((folder / "package.json").read_text("utf-8"))
        package["dependencies"]["@openai/agents-realtime"] = "0.17.0"
        (folder / "package.json").write_text(json.dumps(package), "utf-8")
        await output_of(BUILD_HANGS_S, npm, "install", "--no-audit", "--no-fund", cwd=folder)
        await output_of(BUILD_HANGS_S, npm, "exec", "vite", "build", cwd=folder)
    return folder / "dist"
