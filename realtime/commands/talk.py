"""`parlour talk`: a conversation in the terminal, as any client of the server would have it.

The user's turns come from recordings, typed lines, or the microphone; the words of the answer
appear as they are decoded.
"""

import argparse
import asyncio
import base64
import json
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from realtime.audio.wav import write_wav
from realtime.commands.live_connection import CannotConnect, connected, farewell
from realtime.commands.recording_file import read_recording
from realtime.commands.server_address import own_key
from realtime.commands.sound_devices import Devices, open_devices
from realtime.commands.talk_screen import Event, JsonScreen, WordScreen
from realtime.errors import SettingsError

HZ = 24_000
FRAME_BYTES = 2 * HZ // 50
FAST_FRAME_BYTES = 2 * HZ
SILENT_SERVER_S = 60.0
"""No event for so long, while an answer is due, and the server is given up."""
SILENCE_S = 12.0
"""How long a file is followed by silence, so that any turn detection ends the turn."""
FAST_SILENCE_S = 2.0
"""How much of that silence is sent at once with --fast."""


@dataclass(frozen=True, slots=True)
class TalkOptions:
    """Without `files` and `texts` the microphone is used. model: "" for the server's own."""

    url: str = "ws://127.0.0.1:8080/v1/realtime"
    key: str = ""
    model: str = ""
    files: tuple[Path, ...] = ()
    texts: tuple[str, ...] = ()
    out: Path | None = None
    fast: bool = False
    as_json: bool = False
    json_audio: bool = False

    @classmethod
    def from_arguments(cls, given: argparse.Namespace) -> "TalkOptions":
        return cls(
            url=given.url,
            key=given.key or own_key(given.url),
            model=given.model,
            files=(*given.files, *given.wav),
            texts=tuple(given.text),
            out=given.out,
            fast=given.fast,
            as_json=given.json or given.json_audio,
            json_audio=given.json_audio,
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--url", default=TalkOptions().url, help="server, e.g. http://HOST:8080 (default: this machine)")
    add("--key", default="", help="the server's key (default: the first of PARLOUR_KEYS)")
    add("--model", default="", help="model to ask the server for")
    add("files", metavar="FILE", type=Path, nargs="*", help="say this recording, one turn each; - for stdin")
    add("--wav", type=Path, action="append", default=[], help="the same, before an option; again for another")
    add("--text", action="append", default=[], help="say this text; again for another turn")
    add("--out", type=Path, help="write the answers' sound to this WAV file")
    add("--fast", action="store_true", help="send recordings as fast as the server takes them")
    add("--json", action="store_true", help="print every server event as a line of JSON")
    add("--json-audio", action="store_true", help="the same, with the audio in it")


async def talk(options: TalkOptions) -> int:
    """Hold the conversation. Return 0, 1 when the server failed, or 3 when it cannot be reached.

    Raises SettingsError for a file, an address or a device that cannot be used.
    """
    # Before connecting, so that a wrong name costs no conversation.
    turns = [read_recording(path, HZ) for path in options.files]
    if not all(text.strip() for text in options.texts):
        raise SettingsError("--text is empty: expected what is to be said.")
    _check_writable(options.out)
    with open_devices() if not (options.files or options.texts) else nullcontext() as devices:
        try:
            connection = await connected(options.url, options.key, options.model)
        except CannotConnect as failure:
            print(f"parlour: cannot connect to {options.url}: {failure}", file=sys.stderr)
            return 3
        async with connection:
            screen = JsonScreen(options.json_audio) if options.as_json else WordScreen()
            talker = Talker(connection, options, devices, screen)
            try:
                await talker.converse(turns)
            except TalkFailed as failure:
                print(f"parlour: {failure}", file=sys.stderr)
                return 1
            finally:
                _keep(talker.answer, options.out)
    return 0


class TalkFailed(Exception):
    """The conversation cannot go on; one sentence says why."""


@dataclass(slots=True)
class Talker:
    """One conversation: what the server has said, and what it still owes."""

    connection: ClientConnection
    options: TalkOptions
    devices: Devices | None
    screen: WordScreen | JsonScreen
    answer: bytearray = field(default_factory=bytearray)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _failure: str = ""
    _is_ready: bool = False
    _updates_due: int = 0  # session.updates that the server has not come to
    _heard_speech: bool = False
    _in_speech: bool = False  # until the turn is committed: a response may be due then, and not before
    _turns_due: int = 0  # turns that wait for their response to begin
    _open: set[str] = field(default_factory=set)  # responses that have begun
    _n_done: int = 0

    async def converse(self, turns: list[bytes]) -> None:
        """Take all turns, or the microphone until it is interrupted. Raises TalkFailed."""
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(self._listen(), name="server events")
            try:
                await self._begin()
                for pcm in turns:
                    await self._say_sound(pcm)
                for text in self.options.texts:
                    await self._say_text(text)
                if self.devices is not None:
                    await self._use_microphone(self.devices)
            except TalkFailed as failure:
                self._failure = self._failure or str(failure)
            except ConnectionClosed as closed:
                self._failure = self._failure or farewell(closed)
            finally:
                listening.cancel()
        self.screen.end_line()
        if self._failure:
            raise TalkFailed(self._failure)

    async def _begin(self) -> None:
        await self._until(lambda: self._is_ready)
        await self._update_session()

    async def _update_session(self) -> None:
        typed_only = bool(self.options.texts) and not self.options.files and self.options.out is None
        self._updates_due += 1
        await self._send(
            "session.update",
            session={
                "type": "realtime",
                "output_modalities": ["text"] if typed_only else ["audio"],
                "audio": {"input": {"transcription": {"model": "default"}}},
            },
        )

    # The user's turns -------------------------------------------------------------------

    async def _say_text(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        await self._send(
            "conversation.item.create", item={"type": "message", "role": "user", "content": content}
        )
        self._turns_due += 1
        await self._send("response.create")
        await self._until_answered(self._n_done)

    async def _say_sound(self, pcm: bytes) -> None:
        """Say the file, then silence until the server has ended the turn, then hear the answer out."""
        n_done = self._n_done
        fast = self.options.fast
        await self._send_sound(pcm, fast)
        if fast:
            await self._send_sound(bytes(2 * round(HZ * FAST_SILENCE_S)), fast)
            # The server takes events in order: once it has come to this one, it has heard the file.
            await self._update_session()
            await self._until(lambda: not self._updates_due)
        for _ in range(round(SILENCE_S * 10)):
            if (self._open or self._n_done > n_done) and not self._in_speech:
                break
            await self._send_sound(bytes(2 * HZ // 10), fast=False)
        else:
            if not self._turns_due:
                missed = "end of a turn" if self._heard_speech else "speech"
                raise TalkFailed(f"the server heard no {missed} in the file.")
        await self._until_answered(n_done)

    async def _send_sound(self, pcm: bytes, fast: bool) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        step = FAST_FRAME_BYTES if fast else FRAME_BYTES
        for at in range(0, len(pcm), step):
            frame = pcm[at : at + step]
            await self._send("input_audio_buffer.append", audio=base64.b64encode(frame).decode())
            if self._failure:
                raise TalkFailed(self._failure)
            due_s += 0 if fast else len(frame) / (2 * HZ)
            await asyncio.sleep(max(0, due_s - loop.time()))

    async def _use_microphone(self, devices: Devices) -> None:
        print("Speak, best with headphones: the microphone hears the answer. Ctrl-C ends.", file=sys.stderr)
        while not self._failure:
            frame = await devices.captured.get()
            await self._send("input_audio_buffer.append", audio=base64.b64encode(frame).decode())

    async def _send(self, kind: str, **rest: Any) -> None:
        await self.connection.send(json.dumps({"type": kind, **rest}))

    # What the server says ---------------------------------------------------------------

    async def _listen(self) -> None:
        try:
            async for frame in self.connection:
                event = json.loads(frame)
                if not isinstance(event, dict):
                    raise ValueError("an event is an object")
                self.screen.show(event)
                await self._take(event)
                self._changed.set()
            self._failure = self._failure or "the server closed the connection."
        except ConnectionClosed as closed:
            self._failure = self._failure or farewell(closed)
        except BrokenPipeError:  # `parlour talk --json | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the exit would fail too
            self._failure = "nobody reads the output any more."
        except ValueError:
            self._failure = "the server sent what cannot be read."
        self._changed.set()

    async def _take(self, event: Event) -> None:
        match event:
            case {"type": "session.created"}:
                self._is_ready = True
            case {"type": "session.updated"}:
                self._updates_due -= 1
            case {"type": "input_audio_buffer.speech_started"}:
                self._in_speech = self._heard_speech = True
                await self._stop_playback()
            case {"type": "input_audio_buffer.committed"}:
                self._in_speech = False
                self._turns_due += 1
            case {"type": "response.created", "response": {"id": str(response_id)}}:
                self._turns_due = max(0, self._turns_due - 1)
                self._open.add(response_id)
            case {"type": "response.output_audio.delta", "delta": str(delta), "item_id": str(item_id)}:
                pcm = base64.b64decode(delta)
                if self.options.out is not None:
                    self.answer += pcm
                if self.devices is not None:
                    self.devices.playback.play(item_id, pcm)
            case {"type": "response.done", "response": {"id": str(response_id), "status": status, **rest}}:
                self._open.discard(response_id)
                self._n_done += 1
                if status == "failed":
                    self._fail(_why(rest.get("status_details")))
            case {"type": "error", "error": {"message": str(message)}}:
                self._fail(message)
            case _:
                pass  # the other events only tell more of the same

    def _fail(self, message: str) -> None:
        if self.devices is None:
            self._failure = self._failure or message
        else:  # by voice the user just tries again
            print(f"parlour: {message}", file=sys.stderr)

    async def _stop_playback(self) -> None:
        """The user speaks over the answer: be silent at once, and tell how much of it was heard."""
        if self.devices is None:
            return
        cut_off = self.devices.playback.stop(self.devices.latency_ms)
        if cut_off is not None:
            await self._send(
                "conversation.item.truncate",
                item_id=cut_off.item_id,
                content_index=0,
                audio_end_ms=cut_off.heard_ms,
            )

    async def _until_answered(self, n_done: int) -> None:
        await self._until(
            lambda: self._n_done > n_done and not self._in_speech and not self._turns_due and not self._open
        )

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so() and not self._failure:
            self._changed.clear()
            try:
                async with asyncio.timeout(SILENT_SERVER_S):
                    await self._changed.wait()
            except TimeoutError:
                raise TalkFailed(f"the server said nothing for {SILENT_SERVER_S:g} s.") from None
        if self._failure:
            raise TalkFailed(self._failure)


def _check_writable(out: Path | None) -> None:
    """Raises SettingsError. Leaves no file, and an existing one as it was, until there is an answer."""
    if out is None:
        return
    is_new = not out.exists()
    try:
        with out.open("ab"):
            pass
        if is_new:
            out.unlink()
    except OSError as error:
        raise SettingsError(f"{out} cannot be written: {error.strerror}.") from None


def _keep(answer: bytearray, out: Path | None) -> None:
    if out is None:
        return
    try:
        write_wav(out, bytes(answer), HZ)
    except OSError as error:
        raise SettingsError(f"{out} cannot be written: {error.strerror}.") from None


def _why(details: object) -> str:
    match details:
        case {"error": {"message": str(message)}}:
            return message
        case {"error": {"code": str(code)}}:
            return f"the response failed: {code}."
        case _:
            return "the response failed."
