"""Firefox as Debian has it, driven over WebDriver BiDi, with PulseAudio for a sound card.

What its microphone hears comes out of a pipe; what its loudspeaker plays is recorded from a null sink.
"""

import asyncio
import itertools
import json
import os
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.browser.chromium import WAIT_S
from tests.speech import HZ

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
SOUND = [shutil.which(name) for name in ("pulseaudio", "parec", "pactl")]
PREFERENCES = {
    "media.navigator.permission.disabled": True,  # who may hear is asked of nobody
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
}
RECORDED_HZ = 24_000
_PIECE_S = 0.02
_PIECE_BYTES = int(2 * HZ * _PIECE_S)
_LISTENS = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")


class SoundCard:
    """A PulseAudio server of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._socket = folder / "socket"
        self._mouth = folder / "mouth"
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{self._socket}",
        }
        self._processes: list[Process] = []
        self._recorded = bytearray()
        self._unsaid = bytearray()
        self._is_said = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        # A null sink's monitor would be two seconds late.
        source = f"module-pipe-source source_name=microphone file={self._mouth} rate={HZ} channels=1"
        sink = "module-null-sink sink_name=loudspeaker"
        protocol = f"module-native-protocol-unix socket={self._socket} auth-anonymous=1"
        loads = itertools.chain.from_iterable(("-L", module) for module in (source, sink, protocol))
        await self._run("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", *loads)
        async with asyncio.timeout(WAIT_S):
            while not self._socket.exists():
                await asyncio.sleep(0.05)
        await (await self._run("pactl", "set-default-source", "microphone")).wait()
        mono = ("--raw", "--format=s16le", "--channels=1", "--latency-msec=20")
        recorder = await self._run("parec", "--device=loudspeaker.monitor", f"--rate={RECORDED_HZ}", *mono)
        self._tasks.append(asyncio.create_task(self._record(recorder), name="recorder"))
        self._tasks.append(asyncio.create_task(self._speak(), name="mouth"))

    async def say(self, pcm: bytes) -> None:
        """Into the microphone; returns when it is said. pcm: s16le mono at speech.HZ."""
        self._is_said.clear()
        self._unsaid += pcm
        await self._is_said.wait()

    def heard(self) -> npt.NDArray[np.int16]:
        """All that the loudspeaker has played, at RECORDED_HZ."""
        return np.frombuffer(bytes(self._recorded[: len(self._recorded) // 2 * 2]), "<i2")

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in reversed(self._processes):
            await _end(process)

    async def _run(self, *command: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            *command, env=self.environment, stdout=PIPE, stderr=DEVNULL
        )
        self._processes.append(process)
        return process

    async def _record(self, recorder: Process) -> None:
        assert recorder.stdout is not None
        while piece := await recorder.stdout.read(4096):
            self._recorded += piece

    async def _speak(self) -> None:
        """As a microphone does: silence too, and 20 ms every 20 ms."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        mouth = os.open(self._mouth, os.O_WRONLY | os.O_NONBLOCK)
        try:
            for number in itertools.count(1):
                piece = bytes(self._unsaid[:_PIECE_BYTES]).ljust(_PIECE_BYTES, b"\0")
                del self._unsaid[:_PIECE_BYTES]
                if not self._unsaid:
                    self._is_said.set()
                with suppress(BlockingIOError):  # nobody has listened for two seconds
                    os.write(mouth, piece)
                await asyncio.sleep(began + number * _PIECE_S - loop.time())
        finally:
            os.close(mouth)


class Firefox:
    """One tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._context = ""
        self.errors: list[str] = []  # of the page

    async def begin(self) -> None:
        await self.command("session.new", capabilities={})
        [tab] = (await self.command("browsingContext.getTree"))["contexts"]
        self._context = tab["context"]
        await self.command("session.subscribe", events=["log.entryAdded"])

    async def read(self) -> None:
        async for text in self._connection:
            message = json.loads(text)
            if message["type"] == "event":
                if message["params"].get("type") == "javascript":
                    self.errors.append(message["params"]["text"])
                continue
            waiting = self._waiting.pop(message["id"])
            if message["type"] == "error":
                waiting.set_exception(RuntimeError(f"{message['error']}: {message['message']}"))
            else:
                waiting.set_result(message["result"])

    async def command(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        async with asyncio.timeout(WAIT_S):
            return await self._waiting[number]

    async def go_to(self, url: str) -> None:
        await self.command("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def evaluate(self, expression: str) -> Any:
        """Its value, of anything that JSON can say."""
        shown = f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null))"
        found = await self.command(
            "script.evaluate", expression=shown, target={"context": self._context}, awaitPromise=True
        )
        assert found["type"] == "success", found
        return json.loads(found["result"]["value"])

    async def until(self, condition: str) -> Any:
        """Wait until an expression is true, and return its value."""
        async with asyncio.timeout(WAIT_S):
            while not (value := await self.evaluate(condition)):
                await asyncio.sleep(0.05)
        return value

    async def state_is(self, *states: str) -> None:
        await self.until(f"{json.dumps(states)}.includes(document.documentElement.dataset.state)")

    async def click(self, selector: str) -> None:
        """With the pointer: what follows has a user's gesture."""
        box = await self.evaluate(f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()")
        x, y = round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2)
        steps = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        pointer = {"type": "pointer", "id": "mouse", "actions": steps}
        await self.command("input.performActions", context=self._context, actions=[pointer])


@asynccontextmanager
async def sound_card(folder: Path) -> AsyncIterator[SoundCard]:
    """folder: a new one."""
    card = SoundCard(folder)
    try:
        await card.start()
        yield card
    finally:
        await card.stop()


@asynccontextmanager
async def open_firefox(folder: Path, card: SoundCard) -> AsyncIterator[Firefox]:
    """folder: a new one, for the profile."""
    assert FIREFOX is not None
    _write_profile(folder)
    options = ("--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port", "0")
    process = await asyncio.create_subprocess_exec(
        FIREFOX, *options, env=card.environment, stdout=DEVNULL, stderr=PIPE
    )
    try:
        address = await _address(process)
        async with connect(f"{address}/session", max_size=None) as connection:
            firefox = Firefox(connection)
            reader = asyncio.create_task(firefox.read(), name="BiDi")
            await firefox.begin()
            yield firefox
            reader.cancel()
    finally:
        await _end(process)


def _write_profile(folder: Path) -> None:
    folder.mkdir()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
    (folder / "user.js").write_text("\n".join(lines))


async def _address(process: Process) -> str:
    assert process.stderr is not None
    async with asyncio.timeout(WAIT_S):
        async for line in process.stderr:
            if found := _LISTENS.search(line):
                return found[1].decode()
    raise RuntimeError("Firefox has ended before it could be driven.")


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(WAIT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
