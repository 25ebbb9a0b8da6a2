"""The MQTT transport: one device's session, its sound paced to the loudspeaker."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from realtime.audio.resample import Resampler
from realtime.errors import InvalidEvent
from realtime.flood import Bucket
from realtime.outbox import Outbox, Outgoing
from realtime.protocol import events as wire
from realtime.protocol.codec import encode
from realtime.protocol.effects import Play
from realtime.transports.base import OwnIds, PeerGone
from realtime.transports.mqtt_attention import Attention, State
from realtime.transports.mqtt_codec import (
    DOWN_HZ,
    UP_HZ,
    AnswerBegins,
    AnswerCleared,
    Asleep,
    Frame,
    OwnEvent,
    Played,
    Release,
    Start,
    Stop,
    Topics,
    write_frame,
)

FRAME_MS = 40
FRAME_BYTES = 2 * DOWN_HZ * FRAME_MS // 1000
PRESS_MS_MIN = 100  # what the protocol asks of a commit
UNREAD_AUDIO_BYTES_MAX = 10 * 2 * UP_HZ
"""Ten seconds of sound that the session has not come to; what comes beyond is not heard."""
UNREAD_EVENTS_MAX = 256
"""A device that sends more than the session comes to is closed (1008)."""
AUDIO_BYTES_PER_S = 1.25 * 2 * UP_HZ
"""A microphone is no faster than time; the burst is what a network held back. Beyond, it is not heard."""
UNSENT_AUDIO_BYTES_MAX = 15 * 2 * DOWN_HZ
"""Fifteen seconds of an answer that wait for their time; with more, the agent waits."""
UNSENT_EVENTS_BYTES_MAX = 1024 * 1024
ANSWERS_KNOWN_MAX = 16
CLOSE_WITHIN_S = 2.0
RESUME_EVENT = "parlour_resume"
QUIET_EVENT = "parlour_quiet"
"""Ids of events that the device did not send: it is not told of errors in them."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to be published."""

    topic: str
    payload: str | bytes
    qos: int = 1
    retain: bool = False


Publish = Callable[[Letter], Awaitable[None]]
"""Returns when the broker (QoS 1) or the socket (QoS 0) has it. Raises PeerGone."""


@dataclass(slots=True)
class _Answer:
    number: int
    item_id: str
    response_id: str
    start_ms: float = 0.0  # where in the item its sound begins here
    sent_samples: int = 0


@dataclass(frozen=True, slots=True)
class _Told:
    event: wire.AnyClientEvent | InvalidEvent
    n_bytes: int


class PacedAudio:
    """Frames wait here until a player that holds `lead_s` has room for them. Pure: `now` is an argument.

    How far the player is, is counted from what it took, and corrected by its own word for it.
    """

    def __init__(self, lead_s: float) -> None:
        self._lead_s = lead_s
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._taken_s: dict[int, float] = {}  # of the answers that the player may still hold
        self._plays_until = 0.0

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def due_at(self) -> float | None:
        """When to `take` the next frame; None when there is none."""
        return self._plays_until - self._lead_s if self._frames else None

    def put(self, frame: Frame) -> None:
        self._frames.append(frame)
        self._bytes += len(frame.pcm)

    def take(self, now: float) -> Frame:
        frame = self._frames.popleft()
        self._bytes -= len(frame.pcm)
        duration_s = len(frame.pcm) / (2 * DOWN_HZ)
        self._taken_s[frame.answer] = self._taken_s.get(frame.answer, 0.0) + duration_s
        self._plays_until = max(self._plays_until, now) + duration_s
        return frame

    def played(self, answer: int, played_s: float, now: float) -> None:
        """The player's word for how far it is in an answer; it plays them in their order."""
        if answer not in self._taken_s:
            return
        for earlier in [number for number in self._taken_s if number < answer]:
            del self._taken_s[earlier]
        self._plays_until = now + max(0.0, sum(self._taken_s.values()) - played_s)

    def clear(self) -> None:
        """The player is emptied too."""
        self._frames.clear()
        self._bytes = 0
        self._taken_s.clear()
        self._plays_until = 0.0


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
        resume: str = "",
    ) -> None:
        """resume: the token of an earlier session, to go on with if it is still there."""
        self.received_bytes = 0
        self.paces_playback = False
        self.token = resume  # with which this session can be resumed
        self.ended = (1000, "")  # code and reason, once it is over
        self._event_topic = topics.down(device, "event")
        self._audio_topic = topics.down(device, "audio")
        self._state_topic = topics.down(device, "state")
        self._publish = publish
        self._own_ids = OwnIds()
        self._attention = attention
        self._remembered_s = remembered_s
        self._now = now
        self._gone: PeerGone | None = None
        self._changed = asyncio.Event()
        self._shown: State | None = None
        # What comes up.
        self._unread: deque[bytes | _Told] = deque()
        self._unread_audio_bytes = 0
        self._unread_events = 0
        self._something = asyncio.Event()
        self._resampler = Resampler(UP_HZ, DOWN_HZ)  # to the protocol's one rate
        self._pace = Bucket(now(), AUDIO_BYTES_PER_S, UNREAD_AUDIO_BYTES_MAX)
        self._mode: str | None = None
        self._pressed_bytes = 0
        self._has_started = False
        self._is_resuming = bool(resume)
        if resume:
            self._take(wire.Resume(event_id=RESUME_EVENT, token=resume, history=False))
        # What goes down.
        self._outbox = Outbox(UNSENT_EVENTS_BYTES_MAX)
        self._audio = PacedAudio(lead_s)
        self._audio_changed = asyncio.Event()
        self._audio_room = asyncio.Event()
        self._audio_room.set()
        self._answers: deque[_Answer] = deque(maxlen=ANSWERS_KNOWN_MAX)
        self._cleared = 0

    # From the device: called as messages come, and never waiting ------------------------

    @property
    def is_over(self) -> bool:
        return self._gone is not None

    def heard(self, pcm: bytes) -> bool:
        """A piece of the device's sound, s16le at UP_HZ. False when it was more than is taken."""
        if not self._attention.hears:
            return True
        if not self._pace.spend(self._now(), len(pcm)):
            return False
        if self._unread_audio_bytes + len(pcm) > UNREAD_AUDIO_BYTES_MAX:
            return False
        self._unread_audio_bytes += len(pcm)
        self._pressed_bytes += len(pcm)
        self._unread.append(pcm)
        self._something.set()
        return True

    def told(self, event: OwnEvent | wire.AnyClientEvent | InvalidEvent, n_bytes: int = 0) -> None:
        """An event of the device, or what was wrong with it. n_bytes: of the message that brought it."""
        match event:
            case Start():
                self._start(event, n_bytes)
            case Release():
                self._release()
            case Stop():
                self.leave(PeerGone(1000, "the device stopped"))
            case Played(answer=number, played_ms=played_ms):
                answer = next((one for one in self._answers if one.number == number), None)
                if answer is not None:
                    now = self._now()
                    self._attention.played(number, float(played_ms), now)
                    self._audio.played(number, played_ms / 1000.0, now)
                    self._audio_changed.set()
                    heard_ms = round(answer.start_ms) + played_ms
                    report = wire.PlaybackReport(
                        item_id=answer.item_id, played_ms=heard_ms, underruns=event.underruns
                    )
                    self._take(report)
            case _:
                self._take(event, n_bytes)
        self._changed.set()

    def mute(self, is_muted: bool) -> None:
        self._attention.is_muted = is_muted
        self._changed.set()

    def leave(self, gone: PeerGone) -> None:
        """The device is gone, or is to go; the first word counts."""
        if self._gone is None:
            self._gone = gone
            self.ended = (gone.code, gone.reason)
            self._something.set()
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
            self._pressed_bytes = 0
            attention.press(now)
        else:
            attention.start(now)

    def _release(self) -> None:
        if not self._attention.is_held:
            return  # QoS 1 may bring it twice
        self._attention.release(self._now())
        if self._pressed_bytes < PRESS_MS_MIN * 2 * UP_HZ // 1000:
            self._take(wire.InputAudioBufferClear())
            short = f"The button was held for less than {PRESS_MS_MIN} ms of sound: nothing was said."
            self._take(InvalidEvent("input_audio_buffer_commit_empty", short))
            return
        self._take(wire.InputAudioBufferCommit())
        self._take(wire.ResponseCreate())

    def _take(self, event: wire.AnyClientEvent | InvalidEvent, n_bytes: int = 0) -> None:
        if self._unread_events >= UNREAD_EVENTS_MAX:
            self.leave(PeerGone(1008, "too many events at once"))
            return
        self._unread_events += 1
        self._unread.append(_Told(event, n_bytes))
        self._something.set()

    # For the runner -----------------------------------------------------------------------

    async def receive(self) -> wire.AnyClientEvent | InvalidEvent:
        while not self._unread or self._gone is not None:
            if self._gone is not None:
                raise self._gone
            self._something.clear()
            await self._something.wait()
        match self._unread.popleft():
            case _Told(event=event, n_bytes=n_bytes):
                self._unread_events -= 1
                self.received_bytes = n_bytes
                return event
            case pcm:
                self._unread_audio_bytes -= len(pcm)
                self.received_bytes = len(pcm)
                return wire.InputAudioBufferAppend(audio=self._resampler.push(pcm))

    def send(self, event: wire.ServerEvent) -> None:
        match event:
            case wire.ResumeToken(token=token):
                self.token = token
            case wire.Resumed(token=token, session=session):
                self.token = token
                self._is_resuming = False
                if session.audio.input.turn_detection is not None and not self._attention.is_held:
                    self._attention.start(self._now())
            case wire.Error(error=error) if error.event_id == QUIET_EVENT:
                return
            case wire.Error(error=error) if error.event_id == RESUME_EVENT:
                self._is_resuming, self.token = False, ""
                if not self._has_started:
                    self.leave(PeerGone(1000, "there is no session to go on with"))
                return
        self._own_ids.give(event)
        self._outbox.put(Outgoing(encode(event)))
        self._attention.observe(event, self._now())
        self._changed.set()

    def play(self, play: Play) -> None:
        # Nearly always the newest; an answer beside the conversation may speak at the same time.
        answer = next((one for one in reversed(self._answers) if one.item_id == play.item_id), None)
        if answer is None:
            number = self._answers[-1].number + 1 if self._answers else 1
            answer = _Answer(number, play.item_id, play.response_id, play.start_ms)
            self._answers.append(answer)
            self.send(AnswerBegins(answer=number, item_id=play.item_id, response_id=play.response_id))
        if answer.number <= self._cleared:
            return  # the device was told that it is silent to its end
        for at in range(0, len(play.pcm), FRAME_BYTES):
            offset = answer.sent_samples + at // 2
            self._audio.put(Frame(answer.number, offset, play.pcm[at : at + FRAME_BYTES]))
        answer.sent_samples += len(play.pcm) // 2
        self._attention.sent(answer.number, len(play.pcm) * 1000 / (2 * DOWN_HZ), self._now())
        self._audio_changed.set()
        self._changed.set()
        if self._audio.bytes >= UNSENT_AUDIO_BYTES_MAX:
            self._audio_room.clear()

    def stop_playback(self, response_id: str) -> None:
        """All sound stops: the core never cuts an answer off and lets an earlier one go on."""
        numbers = [answer.number for answer in self._answers if answer.response_id == response_id]
        if not numbers or numbers[-1] <= self._cleared:
            return
        self._cleared = numbers[-1]
        self._audio.clear()
        self._audio_room.set()
        self._attention.silenced(self._now())
        self.send(AnswerCleared(response_id=response_id, answer=self._cleared))

    async def room(self) -> None:
        await self._outbox.room()
        await self._audio_room.wait()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._carry_events(), name="events")
            tasks.create_task(self._carry_audio(), name="audio")
            tasks.create_task(self._attend(), name="attention")

    def part(self) -> list[wire.PlaybackReport]:
        return []

    def abandon(self) -> None:
        self._outbox.clear()
        self._audio.clear()
        self._audio_room.set()

    async def close(self, code: int, reason: str) -> None:
        self.ended = (code, reason)
        with suppress(PeerGone, TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                while not self._outbox.is_empty:
                    await self._publish(Letter(self._event_topic, (await self._outbox.take()).text))

    # Its tasks ----------------------------------------------------------------------------

    async def _carry_events(self) -> None:
        while True:
            message = await self._outbox.take()
            await self._publish(Letter(self._event_topic, message.text))

    async def _carry_audio(self) -> None:
        while True:
            self._audio_changed.clear()
            due_at, now = self._audio.due_at, self._now()
            if due_at is None or due_at > now:
                await _changed_or(self._audio_changed, None if due_at is None else due_at - now)
                continue
            frame = self._audio.take(now)
            if self._audio.bytes < UNSENT_AUDIO_BYTES_MAX:
                self._audio_room.set()
            await self._publish(Letter(self._audio_topic, write_frame(frame), qos=0))

    async def _attend(self) -> None:
        """Show what goes on, and let the device sleep when nothing does."""
        while True:
            self._changed.clear()
            if self._gone is not None:
                raise self._gone
            now = self._now()
            match self._attention.wake(now):
                case "asleep":
                    self.send(Asleep(remembered_s=self._remembered_s))
                case "forgotten":
                    self.leave(PeerGone(1000, "nobody has spoken for a while"))
                    continue
            state = self._attention.state(now)
            if state != self._shown:
                await self._publish(Letter(self._state_topic, state, retain=True))
                self._shown = state
                continue  # it may have changed meanwhile
            again_at = self._attention.looks_again_at(now)
            await _changed_or(self._changed, None if again_at == float("inf") else again_at - now)


async def _changed_or(changed: asyncio.Event, seconds: float | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await changed.wait()
