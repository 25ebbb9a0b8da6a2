"""The MQTT transport: one device's session, its sound paced to the loudspeaker."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from realtime.errors import InvalidEvent
from realtime.protocol import events as wire
from realtime.protocol.codec import encode
from realtime.protocol.effects import Play
from realtime.session.outbox import Outbox, Outgoing
from realtime.session.transport import OwnIds, PeerGone
from realtime.transports.mqtt.attention import Attention, State
from realtime.transports.mqtt.codec import (
    DOWN_HZ,
    UP_HZ,
    AnswerBegins,
    AnswerCleared,
    Asleep,
    Formats,
    OwnEvent,
    Played,
    Release,
    Start,
    Stop,
    Topics,
)
from realtime.transports.mqtt.downlink import Downlink
from realtime.transports.mqtt.uplink import Uplink

PRESS_MS_MIN = 100  # what the protocol asks of a commit
UNSENT_AUDIO_BYTES_MAX = 15 * 2 * DOWN_HZ
"""Fifteen seconds of an answer that wait for their time; with more, the agent waits."""
UNSENT_EVENTS_BYTES_MAX = 1024 * 1024
CLOSE_WITHIN_S = 2.0
RESUME_EVENT = "parlour_resume"
QUIET_EVENT = "parlour_quiet"
"""Ids of events that the device did not send: it is not told of errors in them."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message to be published."""

    topic: str
    payload: str | bytes
    qos: int = 1
    retain: bool = False


Publish = Callable[[OutgoingMessage], Awaitable[None]]
"""Returns when the broker (QoS 1) or the socket (QoS 0) has it. Raises PeerGone."""


class MqttTransport:
    """The device plays the sound and tells how much of it was heard."""

    def __init__(
        self,
        device: str,
        topics: Topics,
        publish: Publish,
        attention: Attention,
        remembered_s: float,
        lead_s: float,
        now: Callable[[], float] = time.monotonic,
        resume: wire.Resume | None = None,
        making: frozenset[str] = frozenset(),
        on_damaged: Callable[[], None] = lambda: None,
    ) -> None:
        """resume: of an earlier session, to go on with if it is still there. making: the answers that it was
        making by the device's last event. on_damaged: called for each packet of the device's sound that
        cannot be decoded."""
        self.received_bytes = 0
        self.paces_playback = True
        self.resumed_by = resume.token if resume is not None else ""
        self.token = self.resumed_by  # with which this session can be resumed
        self.last_event_id = resume.last_event_id if resume is not None else None  # that the broker has
        self.ended = (1000, "")  # code and reason, once it is over
        self._event_topic = topics.down(device, "event")
        self._audio_topic = topics.down(device, "audio")
        self._state_topic = topics.down(device, "state")
        self._publish = publish
        self._own_ids = OwnIds(self.last_event_id or "event")
        self._attention = attention
        self._remembered_s = remembered_s
        self._now = now
        self._changed = asyncio.Event()
        self._shown: State | None = None
        # What comes up.
        self._up = Uplink(now(), on_damaged)
        self._mode: str | None = None
        self._pressed_at_bytes = 0
        self._has_started = False
        self._is_resuming = resume is not None
        self._making = making
        self._unsaid: wire.SessionCreated | None = None
        if resume is not None:
            self._take(replace(resume, event_id=RESUME_EVENT, history=False))
        # What goes down.
        self._outbox = Outbox(UNSENT_EVENTS_BYTES_MAX)
        self._n_put = self._n_carried = 0  # of its events
        self._begins_after: dict[int, int] = {}  # answer -> how many events are carried before its sound
        self._down = Downlink(lead_s)
        self._audio_changed = asyncio.Event()
        self._audio_room = asyncio.Event()
        self._audio_room.set()

    # From the device: called as messages come, and never waiting ------------------------

    def set_formats(self, formats: Formats) -> None:
        """The device's sound is coded so from now on, and that of the next answer."""
        self._up.set_formats(formats)
        self._down.set_formats(formats)

    @property
    def is_over(self) -> bool:
        return self._up.gone is not None

    @property
    def making(self) -> frozenset[str]:
        """The answers that are being made, by the last event that was sent to the device."""
        return self._making if self._is_resuming else self._attention.responses

    def take_audio(self, payload: bytes) -> bool:
        """A piece of the device's sound. False when it was more than is taken. Raises InvalidEvent."""
        return not self._attention.hears or self._up.put_audio(payload, self._now())

    def take_event(self, event: OwnEvent | wire.AnyClientEvent | InvalidEvent, n_bytes: int = 0) -> None:
        """An event of the device, or what was wrong with it. n_bytes: of the message that brought it."""
        match event:
            case Start():
                self._start(event, n_bytes)
            case Release():
                self._release()
            case Stop():
                self.leave(PeerGone(1000, "the device stopped"))
            case Played():
                now = self._now()
                report = self._down.played(event, now)
                if report is not None:
                    self._attention.played(event.answer, float(event.played_ms), now)
                    self._audio_changed.set()
                    self._take(report)
            case _:
                self._take(event, n_bytes)
        self._changed.set()

    def mute(self, is_muted: bool) -> None:
        self._attention.is_muted = is_muted
        self._changed.set()

    def leave(self, gone: PeerGone) -> None:
        """The device is gone, or is to go; the first word counts."""
        if self._up.end(gone):
            self.ended = (gone.code, gone.reason)
            self._changed.set()

    def _start(self, start: Start, n_bytes: int) -> None:
        now, attention = self._now(), self._attention
        self._has_started = True
        # What the session that is to be resumed does is not known here yet.
        if attention.answers or self._is_resuming:
            self._take(wire.ResponseCancel(event_id=QUIET_EVENT))
        if attention.answers or attention.is_speaking(now) or self._is_resuming:
            self._take(wire.OutputAudioBufferClear())
        mode = "push to talk" if start.push_to_talk else "wake word"
        if mode != self._mode:
            detection: dict[str, Any] | None = None if start.push_to_talk else {"type": "server_vad"}
            patch = {
                "parlour": {"playback_ack": True, "resume": True},
                "audio": {"input": {"turn_detection": detection}},
            }
            self._take(wire.SessionUpdate(session=patch))
            self._mode = mode
        if start.session is not None:
            self._take(wire.SessionUpdate(session=start.session, event_id=start.event_id), n_bytes)
        if start.push_to_talk:
            self._take(wire.InputAudioBufferClear())
            self._pressed_at_bytes = self._up.heard_bytes
            attention.press(now)
        else:
            attention.start(now)

    def _release(self) -> None:
        if not self._attention.is_held:
            return  # QoS 1 may bring it twice
        self._attention.release(self._now())
        if self._up.heard_bytes - self._pressed_at_bytes < PRESS_MS_MIN * 2 * UP_HZ // 1000:
            self._take(wire.InputAudioBufferClear())
            short = f"The button was held for less than {PRESS_MS_MIN} ms of sound: nothing was said."
            self._take(InvalidEvent("input_audio_buffer_commit_empty", short))
            return
        self._take(wire.InputAudioBufferCommit())
        self._take(wire.ResponseCreate())

    def _take(self, event: wire.AnyClientEvent | InvalidEvent, n_bytes: int = 0) -> None:
        if not self._up.put_event(event, n_bytes):
            self.leave(PeerGone(1008, "too many events at once"))

    # For the runner -----------------------------------------------------------------------

    async def receive(self) -> wire.AnyClientEvent | InvalidEvent:
        event, self.received_bytes = await self._up.receive()
        return event

    def send(self, event: wire.ServerEvent) -> None:
        match event:
            case wire.ResumeToken(token=token):
                self.token = token
            case wire.SessionCreated() if self._is_resuming:
                self._unsaid = event  # of a session that ends when the other one is there
                return
            case wire.Resumed(token=token, session=session, replayed=replayed):
                self.token = token
                self._is_resuming = False
                if replayed:
                    self._attention.goes_on(self._making)
                self._up.set_session_format(session.audio.input.format)
                if session.audio.input.turn_detection is not None and not self._attention.is_held:
                    self._attention.start(self._now())
            case wire.Error(error=error) if error.event_id == QUIET_EVENT:
                return
            case wire.Error(error=error) if error.event_id == RESUME_EVENT:
                self._is_resuming, self.token = False, ""
                if not self._has_started:
                    self.leave(PeerGone(1000, "there is no session to go on with"))
                elif self._unsaid is not None:
                    self.send(self._unsaid)
                return
            case wire.OutputAudioDone(item_id=item_id):
                self._down.finish(item_id)
                self._audio_changed.set()
        event_id = ""  # of parlour.resumed, which stands outside the order
        if not isinstance(event, wire.Resumed):
            self._own_ids.give(event)
            event_id = event.event_id
        self._outbox.put(Outgoing(encode(event), event_id=event_id))
        self._n_put += 1
        self._attention.observe(event, self._now())
        self._changed.set()

    def play(self, play: Play) -> None:
        self._own_ids.played(play)
        answer, is_new = self._down.answer_of(play)
        if is_new:
            self.send(
                AnswerBegins(
                    answer=answer.number,
                    item_id=play.item_id,
                    response_id=play.response_id,
                    start_ms=round(answer.start_ms),
                    format=answer.format,
                )
            )
            self._begins_after[answer.number] = self._n_put
        if answer.number <= self._down.cleared:
            return  # the device was told that it is silent to its end
        self._down.put(answer, play.pcm)
        self._attention.sent(answer.number, len(play.pcm) * 1000 / (2 * DOWN_HZ), self._now())
        self._audio_changed.set()
        self._changed.set()
        if self._down.waiting_bytes >= UNSENT_AUDIO_BYTES_MAX:
            self._audio_room.clear()

    def stop_playback(self, response_id: str, is_in_conversation: bool) -> None:
        cleared = self._down.clear(response_id)
        if cleared is not None:
            self._audio_room.set()
            self._begins_after.clear()
            self._audio_changed.set()
            self._attention.silenced(self._now())
            self.send(AnswerCleared(response_id=response_id, answer=cleared))

    async def drain(self) -> None:
        await self._outbox.drain()
        await self._audio_room.wait()

    def is_alive(self, since: float) -> bool:
        return True

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._carry_events(), name="events")
            tasks.create_task(self._carry_audio(), name="audio")
            tasks.create_task(self._attend(), name="attention")

    def detach(self, is_lost: bool) -> list[wire.PlaybackReport]:
        return []

    def discard(self) -> None:
        self._outbox.clear()
        self._down.forget()
        self._audio_room.set()

    async def close(self, code: int, reason: str) -> None:
        self.ended = (code, reason)
        with suppress(PeerGone, TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                while not self._outbox.is_empty:
                    await self._publish(OutgoingMessage(self._event_topic, (await self._outbox.take()).text))

    # Its tasks ----------------------------------------------------------------------------

    async def _carry_events(self) -> None:
        while True:
            message = await self._outbox.take()
            await self._publish(OutgoingMessage(self._event_topic, message.text))
            self._n_carried += 1
            if self._up.gone is None and message.event_id:
                self.last_event_id = message.event_id
            if self._begins_after:
                self._audio_changed.set()

    async def _carry_audio(self) -> None:
        while True:
            self._audio_changed.clear()
            due_at, now = self._down.due_at, self._now()
            if due_at is None or due_at > now:
                await changed_or(self._audio_changed, None if due_at is None else due_at - now)
                continue
            number, payload = self._down.take(now)
            if self._down.waiting_bytes < UNSENT_AUDIO_BYTES_MAX:
                self._audio_room.set()
            await self._announced(number)
            if number > self._down.cleared:
                await self._publish(OutgoingMessage(self._audio_topic, payload, qos=0))

    async def _announced(self, number: int) -> None:
        """Wait until the device was told that this answer begins: its sound may not come before."""
        while self._n_carried < self._begins_after.get(number, 0):
            self._audio_changed.clear()
            await self._audio_changed.wait()
        self._begins_after.pop(number, None)

    async def _attend(self) -> None:
        """Show what goes on, and let the device sleep when nothing does."""
        while True:
            self._changed.clear()
            if self._up.gone is not None:
                raise self._up.gone
            now = self._now()
            match self._attention.wake(now):
                case "asleep":
                    self.send(Asleep(remembered_s=self._remembered_s))
                case "forgotten":
                    self.leave(PeerGone(1000, "nobody has spoken for a while"))
                    continue
            state = self._attention.state(now)
            if state != self._shown and not self._is_resuming:  # else it is not known yet what goes on
                await self._publish(OutgoingMessage(self._state_topic, state, retain=True))
                self._shown = state
                continue  # it may have changed meanwhile
            again_at = self._attention.looks_again_at(now)
            await changed_or(self._changed, None if again_at == float("inf") else again_at - now)


async def changed_or(changed: asyncio.Event, seconds: float | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await changed.wait()
