"""`parlour speaker`: makes a smart speaker of any Linux board, as docs/mqtt.md describes one.

It hears through the microphone, or says WAV files. A line on standard input (the Enter key, or a
program that recognises a wake word) is the wake word or, with --push-to-talk, the button.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiomqtt import Client, Message, MqttError, Will

from realtime.audio.resample import Resampler
from realtime.broker import (
    Backoff,
    Broker,
    check_prefix,
    connection,
    parse_broker,
    publish,
    subscribe,
    tls_context,
    until_lost,
)
from realtime.errors import SettingsError
from realtime.microphone import HZ, Devices, Playback, open_devices
from realtime.settings import Settings
from realtime.transports.mqtt_codec import UP_HZ, Topics, is_device, read_frame
from realtime.wav import read_wav, write_wav

FRAME_MS = 40
FRAME_BYTES = 2 * UP_HZ * FRAME_MS // 1000
PLAYED_EVERY_S = 0.1
"""What was played since the last word on it comes again after a crash: less than a spoken word is to last."""
SILENT_SERVER_S = 60.0
"""Nothing new for so long in the middle of a turn, and the server is given up."""
TRIES_MAX = 5
"""To reach the broker with files to say; with a microphone it is tried for ever."""
HEARD_WHILE = ("listening", "hearing", "speaking")


@dataclass(frozen=True, slots=True)
class SpeakerOptions:
    broker: Broker
    name: str
    prefix: str
    wavs: tuple[Path, ...]
    out: Path | None
    push_to_talk: bool
    hears_while_speaking: bool = True

    @classmethod
    def from_arguments(cls, given: argparse.Namespace) -> "SpeakerOptions":
        """Raises SettingsError."""
        url = given.broker or os.environ.get("PARLOUR_MQTT_URL", "") or "mqtt://127.0.0.1"
        broker = parse_broker(url, given.ca)
        tls_context(broker)
        check_prefix(given.prefix)
        if not is_device(given.name):
            raise SettingsError("--name: expected 1 to 64 letters, digits, '_' and '-'.")
        if given.out and not given.wav:
            raise SettingsError("--out writes the answers to --wav: give both.")
        return cls(
            broker,
            given.name,
            given.prefix,
            tuple(given.wav),
            given.out,
            given.push_to_talk,
            not given.no_barge_in,
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--broker", default="", help="mqtt://USER:PASSWORD@HOST or mqtts:// (default: PARLOUR_MQTT_URL)")
    add("--ca", default="", help="file of certificates to trust for mqtts")
    add("--name", default="speaker", help="of this device; with the recipe's rights, its user")
    add("--prefix", default=Settings().mqtt_prefix, help="what all topics begin with")
    add("--push-to-talk", action="store_true", help="Enter presses and releases the button")
    add("--no-barge-in", action="store_true", help="deaf while it speaks: without echo cancellation")
    add("--wav", type=Path, action="append", default=[], help="say this WAV file; again for another turn")
    add("--out", type=Path, help="write what the loudspeaker plays to this WAV file")


async def speaker(options: SpeakerOptions) -> int:
    """Converse. Return 0, 1 when the conversation failed, 3 when the broker cannot be reached.

    Raises SettingsError for a file or a device that cannot be used.
    """
    try:
        turns = [read_wav(path, UP_HZ) for path in options.wavs]
    except (OSError, ValueError) as error:
        raise SettingsError(f"a file of --wav cannot be used: {error}.") from None
    with open_devices() if not turns else nullcontext() as devices:
        made = Speaker(options, turns, devices)
        try:
            return await made.run()
        finally:
            if options.out is not None:
                write_wav(options.out, bytes(made.played_out), HZ)


class _TurnFailed(Exception):
    """One sentence says why."""


@dataclass(slots=True)
class Speaker:
    options: SpeakerOptions
    turns: list[bytes]
    devices: Devices | None
    played_out: bytearray = field(default_factory=bytearray)
    playback: Playback = field(default_factory=Playback)
    _client: Client | None = None
    shows: str = ""
    _server: str = ""
    _cleared: int = 0
    _n_done: int = 0
    _failure: str = ""
    _is_pressed: bool = False
    _lines: asyncio.StreamReader | None = None  # one for all connections: what was read ahead is not lost
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _acknowledge_now: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        if self.devices is not None:
            self.playback = self.devices.playback

    async def run(self) -> int:
        backoff, tries = Backoff(), 0
        while True:
            topics, is_over, has_failed = Topics(self.options.prefix), False, False
            will = Will(topics.up(self.options.name, "status"), "offline", qos=1, retain=True)
            try:
                async with connection(self.options.broker, will, self._take) as client:
                    self._client = client
                    tries = 0
                    backoff.reset()
                    await self._converse(client, topics)
                    is_over = True
            except* MqttError as lost:
                tries += 1
                shown = f"{self.options.broker.shown}: {lost.exceptions[0]}"
                print(f"parlour: no connection to {shown}", file=sys.stderr)
            except* _TurnFailed as failed:
                print(f"parlour: {failed.exceptions[0]}", file=sys.stderr)
                has_failed = True
            if is_over or has_failed:
                return int(has_failed)
            if tries >= TRIES_MAX and self.devices is None:
                return 3
            await asyncio.sleep(backoff.next_s())

    async def _converse(self, client: Client, topics: Topics) -> None:
        """Raises MqttError and _TurnFailed, in groups."""
        name = self.options.name
        self.shows, self._server, self._cleared, self._n_done = "", "", 0, 0
        self._forget()
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(until_lost(client), name="broker"),
                tasks.create_task(self._acknowledge(), name="acknowledgements"),
            ]
            if self.devices is None:
                running.append(tasks.create_task(self._play(), name="loudspeaker"))
            await subscribe(client, topics.down(name, "+"), topics.server)
            await self._until(lambda: self._server == "online")
            await publish(client, topics.up(name, "status"), "online", qos=1, retain=True)
            await self._until(lambda: self.shows == "idle")
            if self.devices is None:
                while self.turns:
                    await self._say_turn(self.turns[0])
                    self.turns.pop(0)  # said and answered: not repeated after a lost connection
                await self._send("parlour.stop")
            else:
                print("Enter wakes it; then speak. Ctrl-C ends.", file=sys.stderr)
                running.append(tasks.create_task(self._hear(self.devices), name="microphone"))
                await self._obey()
            await publish(client, topics.up(name, "status"), "offline", qos=1, retain=True)
            for task in running:
                task.cancel()

    # The user's turns -------------------------------------------------------------------

    async def _say_turn(self, pcm: bytes) -> None:
        n_done = self._n_done
        if self.options.push_to_talk or self.shows == "idle":
            await self._send("parlour.start", push_to_talk=self.options.push_to_talk)
        await self._until(lambda: self.shows in HEARD_WHILE)
        await self._say(pcm)
        if self.options.push_to_talk:
            await self._send("parlour.release")
        for _ in range(300):  # at most 12 s of silence, in which any turn detection ends the turn
            if self.options.push_to_talk or self.shows in ("thinking", "speaking") or self._n_done > n_done:
                break
            await self._say(bytes(FRAME_BYTES))
        else:
            raise _TurnFailed("the server heard no end of a turn in the file.")
        await self._until(lambda: self._n_done > n_done)
        await self._until(lambda: self.shows in ("idle", "listening") and self.playback.is_empty)

    async def _say(self, pcm: bytes) -> None:
        loop = asyncio.get_running_loop()
        due_at = loop.time()
        for at in range(0, len(pcm), FRAME_BYTES):
            await self._publish_sound(pcm[at : at + FRAME_BYTES])
            due_at += FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due_at - loop.time()))

    async def _hear(self, devices: Devices) -> None:
        resampler, waiting = Resampler(HZ, UP_HZ), bytearray()
        while True:
            waiting += resampler.push(await devices.captured.get())
            is_heard = self.shows in HEARD_WHILE
            if self.shows == "speaking" or not self.playback.is_empty:
                is_heard = is_heard and self.options.hears_while_speaking
            if not (self._is_pressed or is_heard):
                waiting.clear()
            elif len(waiting) >= FRAME_BYTES:
                await self._publish_sound(bytes(waiting))
                waiting.clear()

    async def _obey(self) -> None:
        """Each line of standard input is the wake word, or the button; its end is the end."""
        if self._lines is None:
            self._lines = lines = asyncio.StreamReader()
            loop = asyncio.get_running_loop()
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        self._is_pressed = False
        while await self._lines.readline():
            if not self.options.push_to_talk:
                await self._send("parlour.start")
                continue
            self._is_pressed = not self._is_pressed
            if self._is_pressed:
                await self._send("parlour.start", push_to_talk=True)
            else:
                await self._send("parlour.release")

    async def _send(self, kind: str, **rest: Any) -> None:
        assert self._client is not None
        topic = Topics(self.options.prefix).up(self.options.name, "event")
        await publish(self._client, topic, json.dumps({"type": kind, **rest}), qos=1)

    async def _publish_sound(self, pcm: bytes) -> None:
        assert self._client is not None
        await publish(self._client, Topics(self.options.prefix).up(self.options.name, "audio"), pcm)

    # The answers ------------------------------------------------------------------------

    def _take(self, message: Message) -> None:
        payload = bytes(message.payload)
        with suppress(ValueError):  # what cannot be read is nobody's
            match message.topic.value.rpartition("/")[2]:
                case "audio":
                    frame = read_frame(payload)
                    if frame.answer > self._cleared:
                        self.playback.play(str(frame.answer), frame.pcm)
                case "state":
                    self.shows = payload.decode()
                case "server":
                    self._server = payload.decode()
                    if self._server != "online":
                        self._forget()
                case "event":
                    self._take_event(json.loads(payload))
        self._news.set()

    def _take_event(self, event: object) -> None:
        match event:
            case {"type": "session.created"}:
                self._forget()  # answers are numbered anew
            case {"type": "output_audio_buffer.cleared", "answer": int(answer)}:
                self._cleared = answer
                self.playback.stop()
                self._acknowledge_now.set()
            case {"type": "response.done", "response": {"status": status}}:
                self._n_done += 1
                if status == "failed":
                    self._failure = "the answer failed."
            case {"type": "error", "error": {"message": str(message)}}:
                self._failure = message
            case {"type": "response.output_audio_transcript.done", "transcript": str(words)}:
                print(words, flush=True)
        if self._failure and self.devices is not None:  # by voice the user just tries again
            print(f"parlour: {self._failure}", file=sys.stderr)
            self._failure = ""

    def _forget(self) -> None:
        self._cleared = 0
        self.playback.reset()

    async def _acknowledge(self) -> None:
        latency_ms = self.devices.latency_ms if self.devices is not None else 0
        told = ("", 0)
        while True:
            self._acknowledge_now.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(PLAYED_EVERY_S):
                    await self._acknowledge_now.wait()
            answer, played_ms = self.playback.position(latency_ms)
            if answer and (answer, played_ms) != told:
                told = (answer, played_ms)
                await self._send("parlour.played", answer=int(answer), played_ms=played_ms)

    async def _play(self) -> None:
        """A loudspeaker for files: real time, with the silence left out of what is kept."""
        loop = asyncio.get_running_loop()
        due_at = loop.time()
        while True:
            plays = not self.playback.is_empty
            if plays:
                self.played_out += self.playback.pull(2 * HZ * 20 // 1000)
            if plays and self.playback.is_empty:
                self._news.set()
                self._acknowledge_now.set()
            due_at += 0.02
            await asyncio.sleep(max(0.0, due_at - loop.time()))

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._news.clear()
            try:
                async with asyncio.timeout(None if self.devices is not None else SILENT_SERVER_S):
                    await self._news.wait()
            except TimeoutError:
                raise _TurnFailed(f"the server said nothing for {SILENT_SERVER_S:g} s.") from None
            if self._failure and self.devices is None:
                raise _TurnFailed(self._failure)
