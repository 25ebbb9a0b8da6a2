"""The devices that come in through an MQTT broker: who is there, and a session for each that starts one.

One connection to the broker carries all of them. It comes back by itself when it is lost, and the
sessions that it carried have then ended: nothing waits for a device that cannot be reached.
"""

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import get_args

from aiomqtt import Client, Message, MqttError, Will

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
from realtime.errors import AdmissionRefused, InvalidEvent, SettingsError
from realtime.flood import Bucket, EventBudget
from realtime.metrics import Metrics
from realtime.protocol import events as wire
from realtime.protocol.codec import encode
from realtime.sessions import Ids, Sessions, new_ids
from realtime.settings import Settings, is_loopback
from realtime.transports.base import PeerGone
from realtime.transports.mqtt import Letter, MqttTransport
from realtime.transports.mqtt_attention import Attention
from realtime.transports.mqtt_codec import (
    Channel,
    Closed,
    Formats,
    OwnEvent,
    Played,
    Release,
    Start,
    Stop,
    Topics,
    read_event,
    read_formats,
    read_mute,
    read_status,
    read_volume,
)

DEVICES_MAX = 10_000
"""Known at a time; beyond, one without a session is forgotten for the next."""
NOTICES_MAX = 1_000
"""To devices without a session: errors, and the state of their lights. What does not fit is dropped."""
EVENTS_PER_S, EVENTS_BURST = 100.0, 500.0
DEAF_S = 10.0
"""How long nothing is heard of a device that sent more events than that."""
ERRORS_PER_S, ERRORS_BURST = 2.0, 20.0
"""Of errors that a device is told; more would only add to its flood."""
PART_WITHIN_S = 5.0
INTERRUPTED = frozenset({1006, 1012})
"""Close codes after which a device goes on with its session: it, the broker or this server was gone."""
LAST_WORDS_WITHIN_S = 2.0

logger = logging.getLogger("parlour.mqtt")


@dataclass(slots=True)
class _Device:
    name: str
    events: EventBudget
    errors: Bucket
    is_online: bool = False
    is_muted: bool = False
    formats: Formats = field(default_factory=Formats)
    deaf_until: float = 0.0
    session: MqttTransport | None = None
    task: asyncio.Task[None] | None = None
    next_start: Start | None = None  # came while a session was ending


@dataclass(frozen=True, slots=True)
class _Notice:
    device: _Device
    letter: Letter


@dataclass(slots=True)
class _Link:
    """What lives as long as a connection to the broker."""

    client: Client
    tasks: asyncio.TaskGroup
    notices: asyncio.Queue[_Notice] = field(default_factory=lambda: asyncio.Queue(NOTICES_MAX))
    devices: dict[str, _Device] = field(default_factory=dict)


def check_mqtt(settings: Settings) -> Broker:
    """The broker of the settings. Raises SettingsError, before anything has been started."""
    broker = parse_broker(settings.mqtt_url, settings.mqtt_ca)
    check_prefix(settings.mqtt_prefix)
    tls_context(broker)
    if broker.user is None and not is_loopback(broker.host):
        raise SettingsError(
            f"the MQTT broker {broker.host} is on another machine and no user is named: whoever reaches it "
            "could talk here. Give it users, and this server one of them: mqtt://USER:PASSWORD@HOST."
        )
    return broker


class Devices:
    """Runs the sessions of all devices of one broker."""

    def __init__(self, settings: Settings, sessions: Sessions, metrics: Metrics) -> None:
        """Raises SettingsError."""
        self._settings = settings
        self._broker = check_mqtt(settings)
        self._topics = Topics(settings.mqtt_prefix)
        self._sessions = sessions
        self._metrics = metrics
        self._now = time.monotonic
        self._tokens: dict[str, str] = {}  # of the devices whose session was interrupted
        self._link: _Link | None = None
        self._is_stopping = False

    async def run(self) -> None:
        """Serve until stopped and cancelled."""
        backoff = Backoff()
        while not self._is_stopping:
            will = Will(self._topics.server, "offline", qos=1, retain=True)
            try:
                async with connection(self._broker, will, self._take) as client:
                    await self._serve(client, backoff)
            except* MqttError as lost:
                why = str(_first(lost))
                logger.warning("no broker", extra={"broker": self._broker.shown, "why": why})
            except* Exception:
                # A bug of ours: the devices begin anew, and those who come in otherwise go on.
                logger.exception("internal error", extra={"broker": self._broker.shown})
            if not self._is_stopping:
                await asyncio.sleep(backoff.next_s())

    def stop(self) -> None:
        """Connect no more. Called before `run` is cancelled: a cancellation alone is forgotten when it
        comes together with a failure, of which a task group tells, or with the broker's answer."""
        self._is_stopping = True

    async def _serve(self, client: Client, backoff: Backoff) -> None:
        """Raises MqttError, in a group, when the connection is lost."""
        if self._is_stopping:
            return
        async with asyncio.TaskGroup() as sessions:
            self._link = link = _Link(client, sessions)
            try:
                await self._greet(client)
                backoff.reset()
                logger.info("broker connected", extra={"broker": self._broker.shown})
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._notify(link), name="notices")
                    # No task of its own: a group of Python 3.11 whose task fails while nothing else is
                    # awaited in it leaves its parent marked as cancelled (CPython issue 116720).
                    await until_lost(client)
            except asyncio.CancelledError:
                self._link = None  # what comes from now on begins nothing
                await self._part(link, PeerGone(1012, "the server is stopping"))
                await self._say_goodbye(link)
                raise
            finally:
                self._link = None
                await self._part(link, PeerGone(1006, "the connection to the broker was lost"))
                self._metrics.devices_online.set(0)

    async def _greet(self, client: Client) -> None:
        await publish(client, self._topics.server, "online", qos=1, retain=True)
        if not await subscribe(client, self._topics.all_up):
            raise MqttError(f"the broker does not let this server read {self._topics.all_up}")

    async def _say_goodbye(self, link: _Link) -> None:
        try:
            async with asyncio.timeout(2.0):
                while not link.notices.empty():
                    await _publish(link.client, link.notices.get_nowait().letter)
                await publish(link.client, self._topics.server, "offline", qos=1, retain=True)
        except (PeerGone, MqttError, TimeoutError):
            pass  # then its last will says it

    async def _part(self, link: _Link, gone: PeerGone) -> None:
        """End the sessions, and wait for that."""
        ending = []
        for device in link.devices.values():
            device.next_start = None
            if device.session is not None and device.task is not None:
                device.session.leave(gone)
                ending.append(device.task)
        if ending:
            _, late = await asyncio.wait(ending, timeout=PART_WITHIN_S)
            for task in late:
                task.cancel()

    async def _notify(self, link: _Link) -> None:
        while True:
            notice = await link.notices.get()
            letter = notice.letter
            if letter.retain and notice.device.session is not None:
                continue  # a session has begun meanwhile, and shows its own state
            await publish(link.client, letter.topic, letter.payload, letter.qos, letter.retain)

    # What devices send: in the middle of reading from the broker, so nothing here waits or raises ----

    def _take(self, message: Message) -> None:
        address = self._topics.address(message.topic.value)
        link = self._link
        if address is None or link is None or not isinstance(message.payload, bytes):
            return
        now = self._now()
        device = link.devices.get(address.device) or self._new_device(link, address.device, now)
        if device is None:
            return
        if address.channel != "audio" and not device.events.spend(now, len(message.payload)):
            if now >= device.deaf_until:
                self._shut_out(device, now)
            return
        if now < device.deaf_until and address.channel != "status":
            return
        try:
            self._deal_with(link, device, address.channel, message.payload, bool(message.retain), now)
        except InvalidEvent as error:
            self._complain(link, device, error, now)
        except Exception:
            # A bug of ours, met by one device's message: the others go on.
            logger.exception("internal error", extra={"device": device.name})

    def _deal_with(
        self,
        link: _Link,
        device: _Device,
        channel: Channel | None,
        payload: bytes,
        is_retained: bool,
        now: float,
    ) -> None:
        match channel:
            case "audio" if device.session is not None and not is_retained:
                if not device.session.heard(payload):
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
                    device.session.use(device.formats)
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

    def _event(
        self, link: _Link, device: _Device, event: OwnEvent | wire.AnyClientEvent, n_bytes: int
    ) -> None:
        match event:
            case Start() if device.session is None:
                self._begin(link, device, event)
            case wire.Resume(token=token) if device.session is None:
                self._remember(device, token)
                self._begin(link, device, None)
            case wire.Resume():
                pass  # it goes on by itself
            case Start() if device.session is not None and device.session.is_over:
                device.next_start = event
            case _ if device.session is not None:
                device.session.told(event, n_bytes)
            case Release() | Stop() | Played() | wire.PlaybackReport():
                pass  # late words on a session that has ended
            case _:
                raise InvalidEvent(
                    "no_session", "There is no session: send parlour.start first.", None, event.event_id
                )

    def _status(self, link: _Link, device: _Device, is_online: bool) -> None:
        self._metrics.devices_online.inc(is_online - device.is_online)
        device.is_online = is_online
        if device.session is not None:
            # It says so when it connects: whatever it was in before is over for it.
            why = "the device connected anew" if is_online else "the device is offline"
            device.next_start = None
            device.session.leave(PeerGone(1006, why))
        elif is_online and device.name in self._tokens:
            self._begin(link, device, None)
        elif is_online:
            self._notice(link, device, self._idle_letter(device))

    def _shut_out(self, device: _Device, now: float) -> None:
        self._metrics.mqtt_dropped.labels("event").inc()
        device.deaf_until = now + DEAF_S
        logger.warning("device floods", extra={"device": device.name})
        if device.session is not None:
            reason = f"too many events: at most {EVENTS_PER_S:g} a second; nothing is heard for {DEAF_S:g} s"
            device.session.leave(PeerGone(1008, reason))

    def _complain(self, link: _Link, device: _Device, error: InvalidEvent, now: float) -> None:
        if not device.errors.spend(now, 1.0):
            self._metrics.mqtt_dropped.labels("error").inc()
        elif device.session is not None and not device.session.is_over:
            device.session.told(error)
        else:
            shown = _error(error.code, error.message, error)
            self._notice(link, device, self._event_letter(device, shown))

    def _new_device(self, link: _Link, name: str, now: float) -> _Device | None:
        if len(link.devices) >= DEVICES_MAX:
            spare = next((one for one in link.devices.values() if one.session is None), None)
            if spare is None:
                return None
            del link.devices[spare.name]
            self._metrics.devices_online.dec(spare.is_online)
        device = _Device(
            name,
            EventBudget(now, EVENTS_PER_S, EVENTS_BURST),
            Bucket(now, ERRORS_PER_S, ERRORS_BURST),
        )
        link.devices[name] = device
        return device

    # A session ----------------------------------------------------------------------------

    def _remember(self, device: _Device, token: str) -> None:
        """Go on with that session when the device is there again, or when it says so."""
        if len(self._tokens) >= DEVICES_MAX:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[device.name] = token

    def _begin(self, link: _Link, device: _Device, start: Start | None) -> None:
        """A session; the one that was interrupted, if there is one. start: None for that one or none."""
        ids, settings = new_ids(), self._settings
        attention = Attention(settings.mqtt_follow_up_s, settings.mqtt_remembered_s, self._now())
        attention.is_muted = device.is_muted
        device.session = transport = MqttTransport(
            device.name,
            self._topics,
            lambda letter: _publish(link.client, letter),
            attention,
            settings.mqtt_remembered_s,
            settings.mqtt_lead_ms / 1000.0,
            resume=self._tokens.pop(device.name, ""),
            on_damaged=self._metrics.mqtt_dropped.labels("damaged packet").inc,
        )
        transport.use(device.formats)
        if start is not None:
            transport.told(start)
        device.task = link.tasks.create_task(
            self._converse(link, device, transport, ids), name=f"device {device.name}"
        )

    async def _converse(self, link: _Link, device: _Device, transport: MqttTransport, ids: Ids) -> None:
        try:
            owner = f"mqtt:{device.name}" if self._settings.key_set else ""
            with self._sessions.admitted(f"mqtt:{device.name}"):
                await self._sessions.run(transport, ids, "", owner)
        except AdmissionRefused as full:
            refused = self._event_letter(device, _error("server_full", full.reason))
            transport.leave(PeerGone(1013, full.reason))  # IANA: "Try Again Later"
            await self._say_last(link, refused)
        except Exception:
            # A bug of ours: it ends this session and no other.
            logger.exception("internal error", extra={"device": device.name})
            transport.leave(PeerGone(1011, "internal error"))
        finally:
            # Said before another session may begin, whose own words come after these.
            code, reason = transport.ended
            if transport.token and code in INTERRUPTED:
                self._remember(device, transport.token)
            await self._say_last(
                link,
                self._event_letter(device, Closed(code=code, reason=reason)),
                self._idle_letter(device),
            )
            device.session = device.task = None
        start, device.next_start = device.next_start, None
        if self._link is link and (start is not None or (device.is_online and device.name in self._tokens)):
            self._begin(link, device, start)

    async def _say_last(self, link: _Link, *letters: Letter) -> None:
        with suppress(PeerGone, TimeoutError):
            async with asyncio.timeout(LAST_WORDS_WITHIN_S):
                for letter in letters:
                    await _publish(link.client, letter)

    def _idle_letter(self, device: _Device) -> Letter:
        return Letter(self._topics.down(device.name, "state"), "idle", retain=True)

    def _event_letter(self, device: _Device, event: wire.ServerEvent) -> Letter:
        return Letter(self._topics.down(device.name, "event"), encode(event))

    def _notice(self, link: _Link, device: _Device, letter: Letter) -> None:
        try:
            link.notices.put_nowait(_Notice(device, letter))
        except asyncio.QueueFull:
            self._metrics.mqtt_dropped.labels("notice").inc()


def _error(code: str, message: str, error: InvalidEvent | None = None) -> wire.Error:
    param, event_id = (error.param, error.event_id) if error else (None, None)
    return wire.Error(error=wire.ErrorObject("invalid_request_error", code, message, param, event_id))


async def _publish(client: Client, letter: Letter) -> None:
    try:
        await publish(client, letter.topic, letter.payload, letter.qos, letter.retain)
    except MqttError:
        raise PeerGone(1006, "the connection to the broker was lost") from None


def _first(group: BaseExceptionGroup[MqttError]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
