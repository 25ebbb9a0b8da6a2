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

from tests.peers.pace import Paced
from tests.speech import HZ
from tests.waiting import HANGS_S, News, unless_it_hangs

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
_UNTIL = """(found) => new Promise((done) => {
  const look = () => {
    const value = found();
    if (value) done(value);
    else requestAnimationFrame(look);
  };
  look();
})"""
_SHOWN = "document.documentElement.dataset.state + ': ' + document.body.innerText"
_LOOK_S = 10.0
_PIECE_S = 0.02
_PIECE_BYTES = int(2 * HZ * _PIECE_S)
_IS_UP = re.compile(rb"Daemon startup complete")
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
        self._news = News()
        self._unsaid = bytearray()
        self._is_said = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        # A null sink's monitor would be two seconds late.
        source = f"module-pipe-source source_name=microphone file={self._mouth} rate={HZ} channels=1"
        sink = "module-null-sink sink_name=loudspeaker"
        protocol = f"module-native-protocol-unix socket={self._socket} auth-anonymous=1"
        loads = itertools.chain.from_iterable(("-L", module) for module in (source, sink, protocol))
        options = ("-n", "--daemonize=no", "--exit-idle-time=-1", "--log-level=info", "--log-target=stderr")
        server = await self._run("pulseaudio", *options, *loads, stderr=PIPE)
        await _line(server, _IS_UP)
        self._tasks.append(asyncio.create_task(_drain(server), name="PulseAudio's log"))
        await (await self._run("pactl", "set-default-source", "microphone")).wait()
        mono = ("--raw", "--format=s16le", "--channels=1", "--latency-msec=20")
        source = f"--rate={RECORDED_HZ}", "--device=loudspeaker.monitor"
        recorder = await self._run("parec", *source, *mono, stdout=PIPE)
        self._tasks.append(asyncio.create_task(self._record(recorder), name="recorder"))
        self._tasks.append(asyncio.create_task(self._speak(), name="mouth"))

    async def say(self, pcm: bytes) -> None:
        """Into the microphone; returns when it is said. pcm: s16le mono at speech.HZ."""
        self._is_said.clear()
        self._unsaid += pcm
        await self._is_said.wait()

    async def listen(self, seconds: float) -> npt.NDArray[np.int16]:
        """For so long; return all that the loudspeaker has played until then, at RECORDED_HZ."""
        enough = len(self._recorded) + 2 * round(seconds * RECORDED_HZ)
        await self._news.until(lambda: len(self._recorded) >= enough, "what the loudspeaker plays")
        return np.frombuffer(bytes(self._recorded[: len(self._recorded) // 2 * 2]), "<i2")

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in reversed(self._processes):
            await _end(process)

    async def _run(self, *command: str, stdout: int = DEVNULL, stderr: int = DEVNULL) -> Process:
        process = await asyncio.create_subprocess_exec(
            *command, env=self.environment, stdout=stdout, stderr=stderr
        )
        self._processes.append(process)
        return process

    async def _record(self, recorder: Process) -> None:
        assert recorder.stdout is not None
        while piece := await recorder.stdout.read(4096):
            self._recorded += piece
            self._news()

    async def _speak(self) -> None:
        """As a microphone does: silence too, and 20 ms every 20 ms."""
        pace = Paced()
        mouth = os.open(self._mouth, os.O_WRONLY | os.O_NONBLOCK)
        try:
            while True:
                piece = bytes(self._unsaid[:_PIECE_BYTES]).ljust(_PIECE_BYTES, b"\0")
                # Where nobody has listened for two seconds, silence is lost; words wait for their listener.
                with suppress(BlockingIOError):
                    os.write(mouth, piece)
                    del self._unsaid[:_PIECE_BYTES]
                if not self._unsaid:
                    self._is_said.set()
                await pace.after(_PIECE_S)
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
        answer = await self._begin(method, **params)
        async with unless_it_hangs(f"Firefox's answer to {method}"):
            return await answer

    async def _begin(self, method: str, **params: Any) -> asyncio.Future[Any]:
        number = next(self._numbers)
        self._waiting[number] = answer = asyncio.get_running_loop().create_future()
        await self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        return answer

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
        try:
            async with unless_it_hangs(condition):
                return await self.evaluate(f"({_UNTIL})(() => {condition})")
        except AssertionError as error:
            raise AssertionError(f"{error}; {await self._shown()}") from None

    async def _shown(self) -> str:
        """What the page looks like, for who has waited in vain."""
        try:
            async with asyncio.timeout(_LOOK_S):
                return str(await self.evaluate(_SHOWN))
        except TimeoutError:
            return "the page's main thread stands still"

    async def set_files(self, selector: str, *paths: Path) -> None:
        """Choose files in a field for them."""
        found = await self.command(
            "browsingContext.locateNodes", context=self._context, locator={"type": "css", "value": selector}
        )
        files = [str(path) for path in paths]
        element = {"sharedId": found["nodes"][0]["sharedId"]}
        await self.command("input.setFiles", context=self._context, element=element, files=files)

    async def state_is(self, *states: str) -> None:
        await self.until(f"{json.dumps(states)}.includes(document.documentElement.dataset.state)")

    async def click(self, selector: str) -> None:
        """With the pointer: what follows has a user's gesture. Who clicks waits for what comes of it.

        Not for the answer: on a busy machine Firefox has waited for ever for its own pointer's events.
        """
        box = await self.evaluate(f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()")
        x, y = round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2)
        steps = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        pointer = {"type": "pointer", "id": "mouse", "actions": steps}
        await self._begin("input.performActions", context=self._context, actions=[pointer])


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
        found = await _line(process, _LISTENS)
        reading = [asyncio.create_task(_drain(process), name="Firefox's complaints")]
        async with connect(f"{found[1].decode()}/session", max_size=None, open_timeout=HANGS_S) as connection:
            firefox = Firefox(connection)
            reading.append(asyncio.create_task(firefox.read(), name="BiDi"))
            await firefox.begin()
            yield firefox
            for task in reading:
                task.cancel()
    finally:
        await _end(process)


def _write_profile(folder: Path) -> None:
    folder.mkdir()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
    (folder / "user.js").write_text("\n".join(lines))


async def _line(process: Process, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
    """Wait until the process writes such a line to its stderr."""
    assert process.stderr is not None
    async with unless_it_hangs(pattern.pattern.decode()):
        async for line in process.stderr:
            if found := pattern.search(line):
                return found
    raise RuntimeError(f"{pattern.pattern.decode()} did not come before the end of the process.")


async def _drain(process: Process) -> None:
    """A pipe that nobody reads stops who writes into it."""
    assert process.stderr is not None
    while await process.stderr.read(65_536):
        pass


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()
