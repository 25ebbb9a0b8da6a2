"""`parlour speaker`: makes a smart speaker of any Linux board, as docs/mqtt.md describes one.

It hears through the microphone, or says WAV files. A line on standard input (the Enter key, or a
program that recognises a wake word) is the wake word or, with --push-to-talk, the button. The line
"hand over" asks for a token with which another device takes the conversation, and a token takes one over.
When its connection, the broker or the server was gone, it goes on where it was.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from aiomqtt import Client, Message, MqttError, Will

from realtime.audio.resample import Resampler
from realtime.audio.wav import read_wav, write_wav
from realtime.commands.sound_devices import HZ, Devices, Playback, open_devices
from realtime.commands.speaker_options import SpeakerOptions
from realtime.commands.speaker_sound import FRAME_BYTES, FRAME_MS, Loudspeaker, UpSound
from realtime.errors import SettingsError
from realtime.transports.mqtt.broker import (
    Backoff,
    connection,
    publish,
    subscribe,
    until_lost,
)
from realtime.transports.mqtt.codec import UP_HZ, Topics

PLAYED_EVERY_S = 0.1
"""What was played since the last word on it comes again after a crash: less than a spoken word is to last."""
SILENT_SERVER_S = 60.0
"""Nothing new for so long in the middle of a turn, and the server is given up."""
TRIES_MAX = 5
"""To reach the broker with files to say; with a microphone it is tried for ever."""
HEARD_WHILE = ("listening", "hearing", "speaking")
INTERRUPTED = (1006, 1012)
"""Codes of parlour.closed after which the conversation waits for this device."""
HAND_OVER = b"hand over"


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


class _ServerGone(Exception):
    """The server is offline; the broker is not."""


@dataclass(slots=True)
class _Turn:
    """Of a file. said_bytes: how much of it. is_answered: an answer has begun; is_done: it was made."""

    said_bytes: int = 0
    is_answered: bool = False
    is_done: bool = False


@dataclass(slots=True)
class Speaker:
    options: SpeakerOptions
    turns: list[bytes]
    devices: Devices | None
    played_out: bytearray = field(default_factory=bytearray)
    playback: Playback = field(default_factory=Playback)
    shows: str = ""
    _client: Client | None = None
    _server: str = ""
    _token: str = ""  # with which the conversation can be resumed
    _last_event_id: str | None = None
    _is_resuming: bool = False  # what was played is told under numbers of the lost connection
    _was_resumed: bool = False  # since this connection began
    _owed: set[str] = field(default_factory=set)  # items of which the rest is yet to come
    _failure: str = ""
    _is_pressed: bool = False
    _lines: asyncio.StreamReader | None = None  # one for all connections: what was read ahead is not lost
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _acknowledge_now: asyncio.Event = field(default_factory=asyncio.Event)
    _loudspeaker: Loudspeaker = field(init=False)
    _up: UpSound = field(init=False)
    _turn: _Turn = field(default_factory=_Turn)

    def __post_init__(self) -> None:
        if self.devices is not None:
            self.playback = self.devices.playback
        self._loudspeaker = Loudspeaker(self.playback)
        self._up = UpSound(self.options.coding)

    async def run(self) -> int:
        playing = asyncio.create_task(self._play(), name="loudspeaker") if self.devices is None else None
        try:
            return await self._run()
        finally:
            if playing is not None:
                playing.cancel()

    @property
    def _latency_ms(self) -> int:
        return self.devices.latency_ms if self.devices is not None else 0

    async def _run(self) -> int:
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
            except* _ServerGone:
                print("parlour: the server is offline", file=sys.stderr)
            except* _TurnFailed as failed:
                print(f"parlour: {failed.exceptions[0]}", file=sys.stderr)
                has_failed = True
            if is_over or has_failed:
                return int(has_failed)
            if tries >= TRIES_MAX and self.devices is None:
                return 3
            await asyncio.sleep(backoff.next_s())

    async def _converse(self, client: Client, topics: Topics) -> None:
        """Raises MqttError, _ServerGone and _TurnFailed, in groups."""
        name = self.options.name
        self._server, self._failure = "", ""
        self._is_resuming, self._was_resumed = True, False
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(until_lost(client), name="broker"),
                tasks.create_task(self._acknowledge(), name="acknowledgements"),
            ]
            await subscribe(client, topics.down(name, "+"), topics.server)
            await self._until(lambda: self._server == "online")
            running.append(tasks.create_task(self._watch_server(), name="server"))
            await self._appear(client, topics)
            if self.devices is None:
                while self.turns:
                    await self._say_turn(self.turns[0])
                    self.turns.pop(0)  # said and answered: not repeated after a lost connection
                    self._turn = _Turn()
                await self._send("parlour.stop")
            else:
                print("Enter wakes it; then speak. Ctrl-C ends.", file=sys.stderr)
                running.append(tasks.create_task(self._hear(self.devices), name="microphone"))
                await self._obey()
            await publish(client, topics.up(name, "status"), "offline", qos=1, retain=True)
            for task in running:
                task.cancel()

    async def _appear(self, client: Client, topics: Topics) -> None:
        """Be known to the server, and go on with the conversation that there was."""
        name = self.options.name
        formats = json.dumps({"up": self.options.coding, "down": self.options.coding})
        await publish(client, topics.up(name, "format"), formats, qos=1, retain=True)
        self.shows = ""  # what came by now is old
        self._is_resuming = bool(self._token)
        if self._token:
            played = {"played": found} if (found := self._loudspeaker.heard(self._latency_ms)) else {}
            await self._send("parlour.resume", token=self._token, last_event_id=self._last_event_id, **played)
        await publish(client, topics.up(name, "status"), "online", qos=1, retain=True)
        await self._until(lambda: bool(self.shows) and not self._is_resuming)
        if self._was_resumed and not self.options.push_to_talk:
            await self._until(lambda: self.shows != "idle")  # that was of the time before
        if not self._token:
            self._turn = _Turn()
            self._loudspeaker.reset()

    async def _watch_server(self) -> None:
        """Raises _ServerGone."""
        while self._server == "online":
            await self._next_news()
        raise _ServerGone

    # The user's turns -------------------------------------------------------------------

    async def _say_turn(self, pcm: bytes) -> None:
        """Goes on with a turn in whose middle the conversation was interrupted."""
        if self.options.push_to_talk and not self._turn.is_answered:
            self._turn = _Turn()  # a press ends with its connection
        turn = self._turn
        if turn.said_bytes == 0 and (self.options.push_to_talk or self.shows == "idle"):
            await self._send("parlour.start", push_to_talk=self.options.push_to_talk)
        if turn.said_bytes < len(pcm):
            await self._until(lambda: self.shows in HEARD_WHILE)
            await self._say(pcm[turn.said_bytes :])
            if self.options.push_to_talk:
                await self._send("parlour.release")
        silence = bytes(FRAME_BYTES)
        for _ in range(300):  # at most 12 s, in which any turn detection ends the turn
            if self.options.push_to_talk or turn.is_answered:
                break
            await self._say(silence)
        else:
            raise _TurnFailed("the server heard no end of a turn in the file.")
        # A server that was restarted does not tell again that an answer is done.
        await self._until(lambda: turn.is_done or (turn.is_answered and self._was_resumed))
        await self._until(
            lambda: self.shows in ("idle", "listening") and self.playback.is_empty and not self._owed
        )

    async def _say(self, pcm: bytes) -> None:
        loop = asyncio.get_running_loop()
        due_at = loop.time()
        for at in range(0, len(pcm), FRAME_BYTES):
            for payload in self._up.push(pcm[at : at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0")):
                await self._publish_sound(payload)
            self._turn.said_bytes += FRAME_BYTES
            due_at += FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due_at - loop.time()))

    async def _hear(self, devices: Devices) -> None:
        resampler = Resampler(HZ, UP_HZ)
        while True:
            pcm = resampler.push(await devices.captured.get())
            is_heard = self.shows in HEARD_WHILE
            if self.shows == "speaking" or not self.playback.is_empty:
                is_heard = is_heard and self.options.hears_while_speaking
            if not (self._is_pressed or is_heard):
                self._up.skip(len(pcm))
                continue
            for payload in self._up.push(pcm):
                await self._publish_sound(payload)

    async def _obey(self) -> None:
        """Each line of standard input is the wake word, or the button; its end is the end."""
        if self._lines is None:
            self._lines = lines = asyncio.StreamReader()
            loop = asyncio.get_running_loop()
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        self._is_pressed = False
        while line := (await self._lines.readline()):
            match line.strip():
                case word if word == HAND_OVER:
                    await self._send("parlour.hand_over")
                case token if token.startswith(b"rt_"):
                    await self._send("parlour.resume", token=token.decode(errors="replace"))
                case _ if not self.options.push_to_talk:
                    await self._send("parlour.start")
                case _:
                    self._is_pressed = not self._is_pressed
                    if self._is_pressed:
                        await self._send("parlour.start", push_to_talk=True)
                    else:
                        await self._send("parlour.release")

    async def _send(self, kind: str, **rest: Any) -> None:
        assert self._client is not None
        topic = Topics(self.options.prefix).up(self.options.name, "event")
        await publish(self._client, topic, json.dumps({"type": kind, **rest}), qos=1)

    async def _publish_sound(self, payload: bytes) -> None:
        assert self._client is not None
        await publish(self._client, Topics(self.options.prefix).up(self.options.name, "audio"), payload)

    # The answers ------------------------------------------------------------------------

    def _take(self, message: Message) -> None:
        payload = bytes(message.payload)
        with suppress(ValueError):  # what cannot be read is nobody's
            match message.topic.value.rpartition("/")[2]:
                case "audio":
                    self._loudspeaker.take(payload)
                case "state":
                    self.shows = payload.decode()
                    self._turn.is_answered |= self.shows in ("thinking", "speaking")
                case "server":
                    self._server = payload.decode()
                case "event":
                    self._take_event(json.loads(payload))
        self._news.set()

    def _take_event(self, event: object) -> None:
        match event:
            case {"type": str(kind), "event_id": str(event_id)} if event_id and kind != "parlour.resumed":
                if self._is_resuming:
                    return  # of the time before: it comes again
                self._last_event_id = event_id
        match event:
            case {"type": "session.created"}:
                self._loudspeaker.reset()
            case {"type": "parlour.resume_token", "token": str(token)}:
                self._token = token
            case {"type": "parlour.resumed", "token": str(token), "playing": list(playing)}:
                self._token, self._is_resuming, self._was_resumed = token, False, True
                self._owed = {one["item_id"] for one in playing}
                self._loudspeaker.resumed()
            case {"type": "parlour.closed", "code": 1012} if not self._is_resuming:
                self._server = "left"  # another one may serve from now on
            case {"type": "parlour.closed", "code": int(code)} if code not in INTERRUPTED:
                self._token, self._is_resuming = "", False
                self._owed.clear()
            case {"type": "parlour.moved"}:
                self.playback.stop()
                self._acknowledge_now.set()
                print("parlour: the conversation goes on elsewhere", file=sys.stderr)
            case {"type": "parlour.hand_over_token", "token": str(token)}:
                print(f"{self.options.page}#resume={token}" if self.options.page else token, flush=True)
            case {
                "type": "parlour.answer",
                "answer": int(answer),
                "item_id": str(item_id),
                "start_ms": int(start_ms),
                "format": coding,
            }:
                self._owed.discard(item_id)
                self._loudspeaker.begins(answer, item_id, start_ms, "opus" if coding == "opus" else "pcm")
            case {"type": "output_audio_buffer.cleared", "answer": int(answer)}:
                self._owed.clear()
                self._loudspeaker.clear(answer)
                self._acknowledge_now.set()
            case {"type": "response.created"}:
                self._turn.is_answered = True
            case {"type": "response.done", "response": {"status": status}}:
                self._turn.is_answered = self._turn.is_done = True
                if status == "failed":
                    self._failure = "the answer failed."
            case {"type": "error", "error": {"message": str(message)}}:
                self._failure = message
            case {"type": "response.output_audio_transcript.done", "transcript": str(words)}:
                print(words, flush=True)
        if self._failure and self.devices is not None:  # by voice the user just tries again
            print(f"parlour: {self._failure}", file=sys.stderr)
            self._failure = ""

    async def _acknowledge(self) -> None:
        told = (0, 0)
        while True:
            self._acknowledge_now.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(PLAYED_EVERY_S):
                    await self._acknowledge_now.wait()
            position = self._loudspeaker.position(self._latency_ms)
            if position[0] and position != told and not self._is_resuming:
                told = position
                await self._send("parlour.played", answer=position[0], played_ms=position[1])

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
            try:
                async with asyncio.timeout(None if self.devices is not None else SILENT_SERVER_S):
                    await self._next_news()
            except TimeoutError:
                raise _TurnFailed(f"the server said nothing for {SILENT_SERVER_S:g} s.") from None
            if self._failure and self.devices is None:
                raise _TurnFailed(self._failure)

    async def _next_news(self) -> None:
        self._news.clear()
        await self._news.wait()
