"""The devices of docs/mqtt.md: who is there, and a session for each that starts one."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import get_args

from msgspec.structs import replace

from realtime.access.authorization import Bearer
from realtime.errors import ClientError, InvalidEvent
from realtime.metrics import Metrics
from realtime.protocol import events as wire
from realtime.protocol.codec import encode
from realtime.session.flood import Bucket
from realtime.session.registry import Ids, Sessions, new_ids
from realtime.session.transport import PeerGone
from realtime.settings import Settings
from realtime.transports.mqtt.attention import Attention
from realtime.transports.mqtt.codec import (
    Channel,
    Closed,
    OwnEvent,
    Played,
    Release,
    Start,
    Stop,
    Topics,
    is_device,
    read_event,
    read_formats,
    read_mute,
    read_status,
    read_volume,
)
from realtime.transports.mqtt.link import Link, run_session
from realtime.transports.mqtt.membership import Claim, Kind
from realtime.transports.mqtt.roster import ERRORS_BURST, ERRORS_PER_S, EVENTS_PER_S, Device, Roster
from realtime.transports.mqtt.transport import MqttTransport, OutgoingMessage

DEAF_S = 10.0
"""How long nothing is heard of a device that sent more events than that."""
NAME_SHOWN_MAX = 256
"""Characters of a name that cannot be used: one with more is not even told so."""
SERVER_STOPS = 1012
INTERRUPTED = frozenset({1006, SERVER_STOPS})
"""Close codes after which a device goes on with its session: it, the broker or this server was gone."""

logger = logging.getLogger("parlour.mqtt")


class Speakers:
    """A dialect (realtime/transports/mqtt/link.py): Parlour's own."""

    def __init__(
        self, settings: Settings, sessions: Sessions, metrics: Metrics, bearer: Callable[[str], Bearer]
    ) -> None:
        """bearer: a resume token -> what it gives."""
        self._bearer = bearer
        self._settings = settings
        self._topics = Topics(settings.mqtt_prefix)
        self._sessions = sessions
        self._metrics = metrics
        self._now = time.monotonic
        self._roster = Roster(settings.resume_grace_s)
        metrics.devices_online.set_function(self._n_online)
        self._nameless_errors = Bucket(self._now(), ERRORS_PER_S, ERRORS_BURST)
        self._link: Link | None = None

    @property
    def kind(self) -> Kind:
        return "device"

    @property
    def served(self) -> None:
        return None

    @property
    def filters(self) -> tuple[str, ...]:
        return (self._topics.all_up,)

    def begin(self, link: Link) -> None:
        self._link = link
        self._roster.part()
        for name in self._roster.held(self._now()):
            link.cluster.claim("device", name)

    def end_sessions(self, gone: PeerGone) -> list[asyncio.Task[None]]:
        ending = []
        for device in self._roster:
            device.next_start = None
            if device.session is not None and device.task is not None:
                device.session.leave(gone)
                ending.append(device.task)
        return ending

    # What devices send: in the middle of reading from the broker, so nothing here waits or raises ----

    def take(self, topic: str, payload: bytes, is_retained: bool) -> None:
        address, link = self._topics.address(topic), self._link
        if link is None or not link.is_open:
            return
        if address is None:
            self._refuse_name(link, topic)
            return
        now = self._now()
        device = self._roster.met(address.device, now)
        if device is None:
            return
        if device.session is None and not link.cluster.serves("device", device.name):
            self._note(device, address.channel, payload)
            return
        if address.channel != "audio" and not device.events.spend(now, len(payload)):
            if now >= device.deaf_until:
                self._shut_out(device, now)
            return
        if now < device.deaf_until and address.channel != "status":
            return
        try:
            self._deal_with(link, device, address.channel, payload, is_retained, now)
        except InvalidEvent as error:
            self._complain(link, device, error, now)
        except Exception:
            # A bug of ours, met by one device's message: the others go on.
            logger.exception("internal error", extra={"device": device.name})

    def _note(self, device: Device, channel: Channel | None, payload: bytes) -> None:
        """Of a device that another server serves: what it says of itself, should it become this one's own."""
        with suppress(InvalidEvent):
            match channel:
                case "format":
                    device.formats = read_formats(payload)
                case "status":
                    device.is_online = read_status(payload)
                case "mute":
                    device.is_muted = read_mute(payload)

    def _deal_with(
        self,
        link: Link,
        device: Device,
        channel: Channel | None,
        payload: bytes,
        is_retained: bool,
        now: float,
    ) -> None:
        match channel:
            case "audio" if device.session is not None and not is_retained:
                if not device.session.take_audio(payload):
                    self._metrics.mqtt_dropped.labels("audio").inc()
                    raise InvalidEvent("audio_too_fast", "Sound comes faster than time: some was not heard.")
            case "audio":
                pass  # nobody listens: it slept meanwhile, or was kept by the broker and is old
            case "event" if is_retained:
                pass  # an old one
            case "event":
                self._event(link, device, read_event(payload), len(payload))
            case "format":
                device.formats = read_formats(payload)
                if device.session is not None:
                    device.session.set_formats(device.formats)
            case "status":
                self._status(link, device, read_status(payload))
            case "mute":
                device.is_muted = read_mute(payload)
                if device.session is not None:
                    device.session.mute(device.is_muted)
            case "volume":
                read_volume(payload)
            case None:
                raise InvalidEvent(
                    "unknown_topic",
                    f"There is no such topic below up/: known are {', '.join(get_args(Channel))}.",
                )

    def _event(self, link: Link, device: Device, event: OwnEvent | wire.AnyClientEvent, n_bytes: int) -> None:
        device.is_expected, device.comes_back = False, None
        match event:
            case Start() if device.session is None and device.looking_up is None:
                self._begin(link, device, event)
            case wire.Resume() if device.session is None:
                known = self._roster.interrupted(device.name)
                if known is not None and self._is_same(known.resume.token, event.token):
                    # It may not have got the latest token.
                    self._remember(device, replace(event, token=known.resume.token), known.making)
                else:
                    self._remember(device, event)
                device.is_expected = True
                self._begin(link, device, None)
            case wire.Resume():
                self._take_over(link, device, event)
            case Start() if device.looking_up is not None or (device.session and device.session.is_over):
                device.next_start = event
            case _ if device.session is not None:
                device.session.take_event(event, n_bytes)
            case Release() | Stop() | Played() | wire.PlaybackReport():
                pass  # late words on a session that has ended
            case _:
                raise InvalidEvent(
                    "no_session", "There is no session: send parlour.start first.", None, event.event_id
                )

    def _take_over(self, link: Link, device: Device, event: wire.Resume) -> None:
        """Another conversation in place of the device's own, once it is known to be there. Raises
        InvalidEvent."""
        transport = device.session
        assert transport is not None
        if not self._bearer(event.token).session_id:
            raise InvalidEvent("invalid_resume_token", "That is no resume token.", "token", event.event_id)
        if any(self._is_same(event.token, known) for known in (transport.token, transport.resumed_by)):
            device.comes_back = event
            return  # it goes on by itself, at once or when it says that it is online
        if device.looking_up is not None:
            device.looking_up.cancel()  # the last word counts
        device.next_start = None
        looking_up = self._leave_for(link, device, event)
        device.looking_up = link.tasks.create_task(looking_up, name=f"token of {device.name}")

    async def _leave_for(self, link: Link, device: Device, event: wire.Resume) -> None:
        """The device's own conversation ends if the other one is there, and else goes on."""
        try:
            await self._sessions.check_token(event.token, self._bearer(event.token).owner)
        except ClientError as error:
            told = InvalidEvent(error.code, error.message, error.param, event.event_id)
            self._complain(link, device, told, self._now())
        else:
            self._remember(device, event)
            if device.session is not None:
                device.session.leave(PeerGone(1000, "the device takes another conversation over"))
            elif link.is_open and device.is_online and device.next_start is None:
                self._begin(link, device, None)
        device.looking_up = None
        start, device.next_start = device.next_start, None
        if start is not None and link.is_open:
            self._event(link, device, start, 0)

    def _status(self, link: Link, device: Device, is_online: bool) -> None:
        device.is_online = is_online
        is_expected, device.is_expected = device.is_expected, False
        if not is_online:
            device.comes_back = None
        if is_online and is_expected:
            return
        if device.session is not None:
            # It says so when it connects: whatever it was in before is over for it.
            why = "the device connected anew" if is_online else "the device is offline"
            device.next_start = None
            device.session.leave(PeerGone(1006, why))
        elif is_online and self._goes_on(device):
            self._begin(link, device, None)
        elif is_online:
            link.notice(self._idle_message(device.name), partial(_has_no_session, device))

    def _n_online(self) -> int:
        """Of the devices that this server serves: each is counted by one server of a broker."""
        link = self._link
        if link is None or not link.is_open:
            return 0
        return sum(
            device.is_online and (device.session is not None or link.cluster.serves("device", device.name))
            for device in self._roster
        )

    def _shut_out(self, device: Device, now: float) -> None:
        self._metrics.mqtt_dropped.labels("event").inc()
        device.deaf_until = now + DEAF_S
        logger.warning("device floods", extra={"device": device.name})
        if device.session is not None:
            reason = f"too many events: at most {EVENTS_PER_S:g} a second; nothing is heard for {DEAF_S:g} s"
            device.session.leave(PeerGone(1008, reason))

    def _complain(self, link: Link, device: Device, error: InvalidEvent, now: float) -> None:
        if not device.errors.spend(now, 1.0):
            self._metrics.mqtt_dropped.labels("error").inc()
        elif device.session is not None and not device.session.is_over:
            device.session.take_event(error)
        else:
            shown = error_event(error.code, error.message, error)
            link.notice(self._event_message(device.name, shown))

    def _refuse_name(self, link: Link, topic: str) -> None:
        name = self._topics.unusable_name(topic)
        if name is None or len(name) > NAME_SHOWN_MAX or not link.cluster.serves("device", name):
            return
        if not self._nameless_errors.spend(self._now(), 1.0):
            self._metrics.mqtt_dropped.labels("error").inc()
            return
        why = "A device's name has 1 to 64 characters, none of them '/', '+', '#' or a control character."
        link.notice(self._event_message(name, error_event("invalid_device_name", why)))

    def _is_same(self, one: str, other: str) -> bool:
        """Whether two tokens are of one session."""
        session_id = self._bearer(one).session_id
        return session_id != "" and session_id == self._bearer(other).session_id

    # Other servers ------------------------------------------------------------------------

    def membership_changed(self) -> None:
        link = self._link
        if link is None:
            return
        for device in self._roster:
            was_served = device.is_served
            device.is_served = link.cluster.serves("device", device.name)
            if not device.is_served or was_served or not device.is_online or device.session is not None:
                continue
            if self._goes_on(device):
                self._begin(link, device, None)
            else:
                link.notice(self._idle_message(device.name), partial(_has_no_session, device))

    def claimed_elsewhere(self, claim: Claim) -> None:
        link, device = self._link, self._roster.get(claim.name)
        if link is None or link.cluster.serves("device", claim.name):
            return
        self._roster.forget(claim.name)
        link.cluster.release("device", claim.name)
        if device is not None and device.session is not None:
            # Both began it while one did not know of the other: the first one goes on.
            device.is_taken, device.next_start = True, None
            device.session.leave(PeerGone(1000, "another server serves the device"))

    def orphaned(self, claim: Claim) -> None:
        link, device = self._link, self._roster.get(claim.name)
        if link is None or not is_device(claim.name) or self._roster.interrupted(claim.name):
            return
        if device is None or device.session is None:
            why = "the server that had the conversation is gone"
            link.notice(self._event_message(claim.name, Closed(code=1012, reason=why)))
            link.notice(self._idle_message(claim.name), partial(_has_no_session, device))

    def tick(self) -> None:
        link, now = self._link, self._now()
        if link is None:
            return
        for name in self._roster.given_up(now):
            link.cluster.release("device", name)

    # A session ----------------------------------------------------------------------------

    def _remember(self, device: Device, resume: wire.Resume, making: frozenset[str] = frozenset()) -> None:
        self._roster.remember(device.name, resume, self._now(), making)

    def _goes_on(self, device: Device) -> bool:
        """Whether it has a conversation to go on with."""
        return self._roster.interrupted(device.name) is not None

    def _begin(self, link: Link, device: Device, start: Start | None) -> None:
        """A session; the one that was interrupted, if there is one. start: None for that one or none."""
        ids, settings = new_ids(), self._settings
        attention = Attention(settings.mqtt_follow_up_s, settings.mqtt_remembered_s, self._now())
        attention.is_muted = device.is_muted
        interrupted = self._roster.forget(device.name)
        device.session = transport = MqttTransport(
            device.name,
            self._topics,
            link.post,
            attention,
            settings.mqtt_remembered_s,
            settings.mqtt_lead_ms / 1000.0,
            resume=interrupted.resume if interrupted is not None else None,
            making=interrupted.making if interrupted is not None else frozenset(),
            on_damaged=self._metrics.mqtt_dropped.labels("damaged packet").inc,
        )
        transport.set_formats(device.formats)
        if start is not None:
            transport.take_event(start)
        link.cluster.claim("device", device.name)
        device.task = link.tasks.create_task(
            self._converse(link, device, transport, ids), name=f"device {device.name}"
        )

    async def _converse(self, link: Link, device: Device, transport: MqttTransport, ids: Ids) -> None:
        try:
            shown = self._bearer(transport.resumed_by)
            own = f"mqtt:{device.name}" if self._settings.key_set else ""
            owner = shown.owner if shown.session_id else own
            full = await run_session(self._sessions, transport, ids, f"mqtt:{device.name}", owner)
            if full is not None:
                await link.post_last(self._event_message(device.name, error_event("server_full", full)))
        finally:
            # Said before another session may begin, whose own words come after these.
            code, reason = transport.ended
            said, device.comes_back = device.comes_back, None
            is_taken, device.is_taken = device.is_taken, False
            if transport.token and code in INTERRUPTED:
                kept = wire.Resume(token=transport.token, last_event_id=transport.last_event_id)
                if said is not None and self._is_same(said.token, transport.token):
                    kept = replace(said, token=transport.token)
                self._remember(device, kept, transport.making)
            closed = self._event_message(device.name, Closed(code=code, reason=reason))
            if code == SERVER_STOPS:
                # Whoever serves it from now on hears the answer to `closed`: it is to be free by then.
                with suppress(PeerGone):
                    await link.cluster.leave()
                released = link.cluster.release_now("device", device.name)
                await link.post_last(self._idle_message(device.name), released, closed)
            elif not is_taken:
                await link.post_last(closed, self._idle_message(device.name))
            device.session = device.task = None
        start, device.next_start = device.next_start, None
        if link.is_open and (start is not None or (device.is_online and self._goes_on(device))):
            self._begin(link, device, start)
        elif not self._goes_on(device):
            link.cluster.release("device", device.name)

    def _idle_message(self, name: str) -> OutgoingMessage:
        return OutgoingMessage(self._topics.down(name, "state"), "idle", retain=True)

    def _event_message(self, name: str, event: wire.ServerEvent) -> OutgoingMessage:
        return OutgoingMessage(self._topics.down(name, "event"), encode(event))


def _has_no_session(device: Device | None) -> bool:
    return device is None or device.session is None


def error_event(code: str, message: str, error: InvalidEvent | None = None) -> wire.Error:
    param, event_id = (error.param, error.event_id) if error else (None, None)
    return wire.Error(error=wire.ErrorObject("invalid_request_error", code, message, param, event_id))
