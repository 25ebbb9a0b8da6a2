"""The Hermes transport: one site's session in the words of Rhasspy's satellites.

A site cannot tell its own voice from its listener's, so it is deaf while it speaks, and the wake word
interrupts. What was heard: its `playFinished` says so of each piece; between two, the clock.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Raw

from realtime.errors import InvalidEvent
from realtime.protocol import events as wire
from realtime.protocol.effects import Play
from realtime.session.transport import PeerGone
from realtime.transports.hermes import codec as hermes
from realtime.transports.hermes.announcement import Announcement, Then
from realtime.transports.hermes.microphone import Microphone
from realtime.transports.hermes.pieces import Heard, Pieces
from realtime.transports.mqtt.attention import Attention
from realtime.transports.mqtt.codec import AUDIO_BYTES_MAX, DOWN_HZ
from realtime.transports.mqtt.transport import QUIET_EVENT, OutgoingMessage, Publish, changed_or
from realtime.transports.mqtt.uplink import Uplink

UNSENT_AUDIO_BYTES_MAX = 15 * 2 * DOWN_HZ
"""Fifteen seconds of an answer that wait for the piece before them; with more, the agent waits."""
UNSENT_MESSAGES_MAX = 100
"""Messages that wait for the broker: a handful a turn. With more it is too slow, and the session ends."""
REPORT_EVERY_S = 0.2
SETTINGS: dict[str, Any] = {
    "parlour": {"playback_ack": True},
    "audio": {"input": {"turn_detection": {"type": "server_vad"}, "transcription": {"model": "default"}}},
}


class HermesTransport:
    """A conversation with one site. It has a Hermes session from each wake word until it sleeps."""

    def __init__(
        self,
        site: str,
        session_id: str,
        publish: Publish,
        attention: Attention,
        now: Callable[[], float] = time.monotonic,
        first: Iterable[OutgoingMessage] = (),
        on_session: Callable[[], None] = lambda: None,
    ) -> None:
        """session_id: what the ids of its Hermes sessions begin with. first: to be posted before all else.
        on_session: called when a Hermes session has begun or ended."""
        self.received_bytes = 0
        self.paces_playback = False
        self._site = site
        self._session_id = session_id
        self._publish = publish
        self._attention = attention
        self._now = now
        self._changed = asyncio.Event()
        self._up = Uplink(now(), lambda: None)
        self._up.put_event(wire.SessionUpdate(session=SETTINGS))
        self._outgoing: asyncio.Queue[OutgoingMessage] = asyncio.Queue(UNSENT_MESSAGES_MAX)
        for message in first:
            self._outgoing.put_nowait(message)
        self._on_session = on_session
        self._n_sessions = 0
        self._is_open = False  # a Hermes session
        self._custom = hermes.NOTHING
        self._is_listening = False
        self._microphone = Microphone()
        self._announcement: Announcement | None = None
        self._pieces = Pieces()
        self._numbers: dict[str, int] = {}  # item -> number, for the attention
        self._room = asyncio.Event()
        self._room.set()
        self._reported_at = 0.0
        self._speech_ended_at = now()

    # From the site: called as messages come, and never waiting ---------------------------

    @property
    def is_over(self) -> bool:
        return self._up.gone is not None

    @property
    def is_stopped_by_server(self) -> bool:
        return self._up.gone is not None and self._up.gone.code == 1012

    @property
    def session(self) -> str:
        """The id of the Hermes session, or of the last one."""
        return f"{self._session_id}-{self._n_sessions}"

    def take_audio(self, riff: bytes) -> None:
        """A WAV file of the site's microphone. Raises InvalidEvent, also for more than is taken."""
        if not self._attention.hears or self._is_speaking or self._announcement is not None:
            return
        pcm = self._microphone.push(riff)
        for at in range(0, len(pcm), AUDIO_BYTES_MAX):
            if not self._up.put_audio(pcm[at : at + AUDIO_BYTES_MAX], self._now()):
                raise InvalidEvent("audio_too_fast", "Sound comes faster than time: some was not heard.")

    def wake(self, custom: Raw = hermes.NOTHING) -> None:
        """Listen; an answer that is made or heard ends with the piece that plays."""
        self._interrupt()
        self._open(custom)
        self._attention.start(self._now())
        self._changed.set()

    @property
    def is_open(self) -> bool:
        """It has a Hermes session."""
        return self._is_open

    @property
    def held(self) -> bytes:
        """What another server has to know to end it (codec.read_held)."""
        return hermes.held(self.session, self._custom) if self._is_open else hermes.NONE_HELD

    def say(
        self,
        text: str,
        then: Then,
        custom: Raw = hermes.NOTHING,
        finished: tuple[str, bytes] | None = None,
    ) -> None:
        """Speak this, in place of what is being said; the site is deaf until it was heard. finished: see
        Announcement."""
        self._interrupt()
        self._open(custom)
        self._announcement = Announcement(text, then, finished)
        self._take(wire.InputAudioBufferClear())  # what was begun to be said is no turn
        self._take(self._announcement.ask)
        self._changed.set()

    def _interrupt(self) -> None:
        attention = self._attention
        if attention.answers or self._is_speaking or self._announcement is not None:
            self._report(self._pieces.clear())
            self._take(wire.ResponseCancel(event_id=QUIET_EVENT))
            self._take(wire.OutputAudioBufferClear())
        given, self._announcement = self._announcement, None
        if given is not None:
            self._tell_finished(given)
            if given.then != "listen":
                self._end("nominal")

    def _open(self, custom: Raw) -> None:
        if not self._is_open:
            self._n_sessions += 1
            self._is_open, self._custom = True, hermes.NOTHING
            self.set_custom(custom)
            self._tell(hermes.session_started(self._site, self.session, self._custom))
            self._on_session()

    def set_custom(self, custom: Raw) -> None:
        """What another program keeps with the session; NOTHING changes nothing."""
        if custom != hermes.NOTHING:
            self._custom = custom.copy()

    def mute(self, is_muted: bool) -> None:
        self._attention.is_muted = is_muted
        self._changed.set()

    def finished(self, piece: str | None) -> None:
        """The site has played a piece (None: the one that plays); of others, there is nothing to learn."""
        playing = self._pieces.playing
        if playing is not None and piece in (None, self._piece_id(str(playing))):
            self._report(self._pieces.finished(playing))
            self._changed.set()

    def leave(self, gone: PeerGone) -> None:
        """The site is to go; the first word counts."""
        if self._up.end(gone):
            self._changed.set()

    # For the runner -----------------------------------------------------------------------

    async def receive(self) -> wire.AnyClientEvent | InvalidEvent:
        event, self.received_bytes = await self._up.receive()
        return event

    def send(self, event: wire.ServerEvent) -> None:
        match event:
            case wire.InputSpeechStopped():
                self._speech_ended_at = self._now()
            case wire.TranscriptionCompleted(transcript=text):
                seconds = round(self._now() - self._speech_ended_at, 3)
                self._tell(hermes.text_captured(self._site, self.session, text, seconds))
            case wire.OutputAudioDone(item_id=item_id):
                self._pieces.finish(item_id)
            case wire.Error(error=error) if error.event_id != QUIET_EVENT:
                self._tell(hermes.error("dialogueManager", self._site, self.session, error.message))
            case wire.ResponseDone(response=response) if response.status == "failed":
                why = "The answer failed."
                self._tell(hermes.error("dialogueManager", self._site, self.session, why))
        if self._announcement is not None:
            self._announcement.observe(event)
        self._attention.observe(event, self._now())
        self._changed.set()

    def play(self, play: Play) -> None:
        number = self._numbers.setdefault(play.item_id, len(self._numbers) + 1)
        self._pieces.put(play.item_id, play.start_ms, play.pcm)
        self._attention.sent(number, len(play.pcm) * 1000 / (2 * DOWN_HZ), self._now())
        self._changed.set()
        if self._pieces.waiting_bytes >= UNSENT_AUDIO_BYTES_MAX:
            self._room.clear()

    def stop_playback(self, response_id: str, is_in_conversation: bool) -> None:
        """All sound stops but the piece that plays."""
        self._pieces.clear()
        self._room.set()
        self._attention.silenced(self._now())
        self._changed.set()

    async def drain(self) -> None:
        await self._room.wait()

    def is_alive(self, since: float) -> bool:
        return True

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._carry(), name="messages")
            tasks.create_task(self._attend(), name="attention")

    def detach(self, is_lost: bool) -> list[wire.PlaybackReport]:
        heard = self._pieces.heard(self._now())
        return [_report_of(heard)] if heard is not None else []

    def discard(self) -> None:
        self._pieces.clear()
        self._room.set()

    async def close(self, code: int, reason: str) -> None:
        self.leave(PeerGone(code, reason))

    def last_messages(self) -> list[OutgoingMessage]:
        """What is to be posted when it is over."""
        messages = []
        while not self._outgoing.empty():
            messages.append(self._outgoing.get_nowait())
        if self._announcement is not None:
            self._tell_finished(self._announcement)
        if self._is_open:
            code = self._up.gone.code if self._up.gone is not None else 1000
            self._end("nominal" if code == 1000 else "error")
        while not self._outgoing.empty():
            messages.append(self._outgoing.get_nowait())
        return messages

    # Within -------------------------------------------------------------------------------

    @property
    def _is_speaking(self) -> bool:
        return self._pieces.is_playing or self._attention.is_speaking(self._now())

    def _piece_id(self, number: object) -> str:
        return f"{self._session_id}-{number}"

    def _take(self, event: wire.AnyClientEvent) -> None:
        if not self._up.put_event(event):
            self.leave(PeerGone(1008, "too many events at once"))

    def _tell(self, message: tuple[str, bytes]) -> None:
        try:
            self._outgoing.put_nowait(OutgoingMessage(*message))
        except asyncio.QueueFull:
            self.leave(PeerGone(1008, "the broker is too slow"))

    def _tell_finished(self, announcement: Announcement) -> None:
        if announcement.finished is not None:
            self._tell(announcement.finished)

    def _end(self, reason: hermes.Reason) -> None:
        self._show_listening(False)
        self._is_open = False
        self._tell(hermes.session_ended(self._site, self.session, self._custom, reason))
        self._on_session()

    def _show_listening(self, is_on: bool) -> None:
        if is_on != self._is_listening:
            self._is_listening = is_on
            self._tell(hermes.listening(self._site, self.session, is_on))

    def _report(self, heard: Heard | None) -> None:
        if heard is None:
            return
        self._reported_at = now = self._now()
        number = self._numbers.get(heard.item_id)
        if number is not None:
            self._attention.played(number, float(heard.ms), now)
        self._take(_report_of(heard))

    async def _carry(self) -> None:
        while True:
            await self._publish(await self._outgoing.get())

    async def _attend(self) -> None:
        """Send each piece in its time, show what goes on, and end the Hermes session when nothing does."""
        while True:
            self._changed.clear()
            if self._up.gone is not None:
                raise self._up.gone
            now = self._now()
            await self._play_on(now)
            self._go_on_after(self._announcement, now)
            if self.is_over:
                continue
            match self._attention.wake(now):
                case "asleep":
                    self._end("nominal")
                case "forgotten":
                    self.leave(PeerGone(1000, "nobody has spoken for a while"))
                    continue
            shown = self._attention.state(now)
            self._show_listening(
                self._is_open
                and shown in ("listening", "hearing")
                and not self._is_speaking
                and self._announcement is None
            )
            again_at = self._attention.looks_again_at(now)
            if self._pieces.is_playing:
                again_at = min(again_at, now + REPORT_EVERY_S)
            await changed_or(self._changed, None if again_at == float("inf") else again_at - now)

    def _go_on_after(self, announcement: Announcement | None, now: float) -> None:
        """What comes after a text that was heard to its end."""
        if announcement is None or not announcement.is_made:
            return
        if self._is_speaking or self._pieces.waiting_bytes:
            return
        self._announcement = None
        self._tell_finished(announcement)
        match announcement.then:
            case "listen":
                self._attention.start(now)
            case "sleep":
                self._attention.sleep(now)
                self._end("nominal")
            case "leave":
                self.leave(PeerGone(1000, "the session was ended"))

    async def _play_on(self, now: float) -> None:
        self._report(self._pieces.give_up(now))
        if now - self._reported_at >= REPORT_EVERY_S:
            self._report(self._pieces.heard(now))
        piece = self._pieces.next(now)
        if piece is not None:
            topic, payload = hermes.play_bytes(self._site, self._piece_id(piece.number), piece.pcm)
            await self._publish(OutgoingMessage(topic, payload))
            if self._pieces.waiting_bytes < UNSENT_AUDIO_BYTES_MAX:
                self._room.set()


def _report_of(heard: Heard) -> wire.PlaybackReport:
    return wire.PlaybackReport(item_id=heard.item_id, played_ms=heard.ms)
