"""`parlour speaker` as a process of its own, over a real broker."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from realtime.audio.resample import Resampler
from realtime.audio.wav import read_wav
from realtime.commands.sound_devices import HZ, Devices, Playback
from realtime.commands.speaker import Speaker
from realtime.commands.speaker_options import SpeakerOptions
from realtime.protocol.resync import unheard_answers
from realtime.store.sqlite import SqliteStore
from realtime.transports.mqtt.broker import parse_broker
from tests.conftest import Server, running_server
from tests.e2e.browser.tunnel import Tunnel
from tests.e2e.device import PREFIX, device
from tests.e2e.mosquitto import running_broker
from tests.peers.pace import Paced
from tests.peers.recital import SENTENCE_MS, BriefAgent
from tests.speech import utterances
from tests.waiting import polled

WAV = str(utterances()[1].path)
SPEECH = utterances()[1].pcm16k
SILENCE = bytes(2 * 16_000)
N_SENTENCES = 4  # of a second each


async def spoken(*flags: str) -> tuple[int, str, str]:
    """Exit code, output, errors."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PARLOUR_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "realtime.cli", "speaker", *flags),
        cwd=Path(__file__).parents[2],
        env=clean,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


@pytest.mark.parametrize("way", [[], ["--push-to-talk"]], ids=["wake word", "push to talk"])
async def test_a_file_is_said_and_the_answer_played_to_its_end(tmp_path: Path, way: list[str]) -> None:
    out = tmp_path / "answer.wav"
    async with (
        running_broker(tmp_path) as broker,
        running_server(BriefAgent(N_SENTENCES), mqtt_url=broker.url) as server,
    ):
        code, output, errors = await spoken("--broker", broker.url, "--wav", WAV, "--out", str(out), *way)
        assert (code, errors) == (0, "")
        assert output.startswith("This is sentence one of ten.")
        played_s = len(read_wav(out, HZ)) / (2 * HZ)
        assert played_s == pytest.approx(N_SENTENCES, abs=0.1)
        await server.left()


async def reached(server: Server, wanted_ms: int) -> None:
    """So much of the one answer has been heard, by the session's own account."""

    def heard_ms() -> int:
        now = time.monotonic()
        playing = [
            one for runner in server.sessions._running for one in unheard_answers(runner._session.state, now)
        ]
        return max((one.heard_ms for one in playing), default=0)

    await polled(lambda: heard_ms() >= wanted_ms, f"{wanted_ms} ms of the answer")


@pytest.mark.parametrize("coding", ["pcm", "opus"])
@pytest.mark.parametrize("broken", ["link", "broker", "server"])
async def test_the_answer_goes_on_and_no_sound_is_lost_or_repeated_after_a_break_of_the(
    tmp_path: Path, broken: str, coding: str
) -> None:
    out, database = tmp_path / "answer.wav", tmp_path / "sessions.sqlite3"
    async with running_broker(tmp_path) as broker, Tunnel(broker.port) as tunnel:
        store = await SqliteStore.open(database)
        # What a server had not made of an answer when it ended, the next one does not make.
        opened = running_server(
            BriefAgent(N_SENTENCES), mqtt_url=broker.url, store_opened=store, playback_lead_s=60.0
        )
        server = await opened.__aenter__()
        url = tunnel.url.replace("http://", "mqtt://").partition("/?")[0]
        flags = ["--broker", url, "--wav", WAV, "--out", str(out), "--format", coding]
        saying = asyncio.create_task(spoken(*flags))
        try:
            await reached(server, 1_500)
            match broken:
                case "link":
                    tunnel.cut()
                    tunnel.mend()
                case "broker":
                    await broker.stop()
                    await broker.start()
                case "server":
                    # At once, as a crash: the answer is neither finished nor said goodbye to.
                    server.sessions._settings = replace(server.sessions._settings, drain_s=0.05)
                    await opened.__aexit__(None, None, None)
                    opened = running_server(
                        mqtt_url=broker.url, store_opened=await SqliteStore.open(database)
                    )
                    server = await opened.__aenter__()
            code, _, errors = await saying
        finally:
            saying.cancel()
            await opened.__aexit__(None, None, None)
    assert code == 0, errors
    assert errors
    played_s = len(read_wav(out, HZ)) / (2 * HZ)
    assert played_s == pytest.approx(N_SENTENCES, abs=0.1)


async def test_a_turn_whose_link_breaks_in_mid_sentence_is_said_to_its_end_and_answered_once(
    tmp_path: Path,
) -> None:
    out = tmp_path / "answer.wav"
    async with (
        running_broker(tmp_path) as broker,
        running_server(BriefAgent(N_SENTENCES), mqtt_url=broker.url) as server,
        Tunnel(broker.port) as tunnel,
    ):
        url = tunnel.url.replace("http://", "mqtt://").partition("/?")[0]
        saying = asyncio.create_task(spoken("--broker", url, "--wav", WAV, "--out", str(out)))
        running = server.sessions._running
        await polled(
            lambda: any(runner._session.state.input_buffer.utterance for runner in running),
            "the begin of an utterance",
        )
        tunnel.cut()
        tunnel.mend()
        code, output, errors = await saying
    assert code == 0, errors
    assert output.count("This is sentence one of ten.") == 1
    assert len(read_wav(out, HZ)) / (2 * HZ) == pytest.approx(N_SENTENCES, abs=0.1)


@dataclass
class Board:
    """What a person does with one: a loudspeaker in real time, a microphone, an Enter key."""

    speaker: Speaker
    devices: Devices
    enter: int

    @property
    def heard_ms(self) -> int:
        return self.devices.playback.position()[1]

    async def until(self, is_so: Callable[[], bool]) -> None:
        await polled(is_so, "what the board waited for")

    async def press(self) -> None:
        os.write(self.enter, b"\n")

    async def say(self, pcm16k: bytes) -> None:
        pcm = Resampler(16_000, HZ).push(pcm16k)
        for at in range(0, len(pcm), 960):
            await self.devices.captured.put(pcm[at : at + 960])

    async def play(self) -> None:
        loudspeaker = Paced()
        while True:
            self.devices.playback.pull(960)
            await loudspeaker.after(0.02)


@asynccontextmanager
async def board(url: str, monkeypatch: pytest.MonkeyPatch, **options: Any) -> AsyncIterator[Board]:
    """Ends with the end of its standard input, by which it is then ended well."""
    reading, writing = os.pipe()
    devices = Devices(asyncio.Queue(100), Playback(), 0)
    wanted: dict[str, Any] = {"push_to_talk": False, **options}
    speaker = Speaker(SpeakerOptions(parse_broker(url), "board", PREFIX, (), None, **wanted), [], devices)
    made = Board(speaker, devices, writing)
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        running = asyncio.create_task(speaker.run())
        playing = asyncio.create_task(made.play())
        try:
            yield made
            os.close(writing)
            assert await running == 0
        finally:
            for task in (running, playing):
                task.cancel()
            await asyncio.gather(running, playing, return_exceptions=True)


async def test_a_board_is_woken_heard_and_interrupted_and_after_a_restart_of_the_broker_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url) as server,
        board(broker.url, monkeypatch) as kitchen,
    ):
        await kitchen.until(lambda: kitchen.speaker.shows == "idle")
        await kitchen.press()
        await kitchen.until(lambda: kitchen.speaker.shows == "listening")
        await kitchen.say(SPEECH + SILENCE)
        await kitchen.until(lambda: kitchen.heard_ms >= 500)
        await kitchen.say(SPEECH + SILENCE)  # speaks over it
        await kitchen.until(lambda: kitchen.devices.playback.position()[0] == "2")
        assert server.sessions.open_count == 1
        await broker.stop()
        await kitchen.until(lambda: not server.sessions.open_count)
        await broker.start()
        await kitchen.until(lambda: kitchen.devices.playback.position()[0] == "1")  # numbered anew
        await kitchen.say(SPEECH + SILENCE)
        await kitchen.until(lambda: kitchen.devices.playback.position()[0] == "2")
        assert server.sessions.running_count == 1


async def test_a_board_shows_a_link_with_which_another_takes_its_conversation_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(mqtt_url=broker.url),
        device(broker.url, "bath") as bath,
        board(broker.url, monkeypatch, page="https://host/") as kitchen,
    ):
        await kitchen.until(lambda: kitchen.speaker.shows == "idle")
        await kitchen.press()
        await kitchen.until(lambda: kitchen.speaker.shows == "listening")
        os.write(kitchen.enter, b"hand over\n")
        shown: list[str] = []

        def link() -> bool:
            shown.append(capsys.readouterr().out)
            return "https://host/#resume=rt_" in "".join(shown)

        await kitchen.until(link)
        await bath.say("parlour.resume", token="".join(shown).partition("#resume=")[2].split()[0])
        await bath.event("parlour.resumed")
        await kitchen.until(lambda: kitchen.speaker.shows == "idle")
        await bath.say("parlour.hand_over")
        token = (await bath.event("parlour.hand_over_token"))["token"]
        os.write(kitchen.enter, token.encode() + b"\n")  # and back
        await bath.event("parlour.moved")
        await kitchen.until(lambda: kitchen.speaker.shows == "listening")


async def test_a_board_without_echo_cancellation_is_deaf_while_it_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        running_broker(tmp_path) as broker,
        running_server(BriefAgent(N_SENTENCES), mqtt_url=broker.url),
        board(broker.url, monkeypatch, hears_while_speaking=False) as kitchen,
    ):
        await kitchen.until(lambda: kitchen.speaker.shows == "idle")
        await kitchen.press()
        await kitchen.until(lambda: kitchen.speaker.shows == "listening")
        await kitchen.say(SPEECH + SILENCE)
        await kitchen.until(lambda: kitchen.heard_ms >= 500)
        await kitchen.say(SPEECH + SILENCE)
        await kitchen.until(lambda: kitchen.heard_ms == N_SENTENCES * SENTENCE_MS)
        assert kitchen.devices.playback.position()[0] == "1"


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--name", "a/b"], "--name"),
        (["--broker", "http://x"], "mqtt://"),
        (["--out", "x.wav"], "--wav"),
        (["--wav", "/no/such/file.wav"], "--wav"),
    ],
)
async def test_what_cannot_be_used_is_named(flags: list[str], named: str) -> None:
    code, _, errors = await spoken(*flags)
    assert code == 2
    assert named in errors
    assert "Traceback" not in errors
