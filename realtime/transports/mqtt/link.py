"""What the dialects of MQTT share: one connection to the broker, and how a session is run over it."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from aiomqtt import Client, MqttError

from realtime.errors import AdmissionRefused
from realtime.metrics import Metrics
from realtime.session.registry import Ids, Sessions
from realtime.session.transport import PeerGone, Transport
from realtime.transports.mqtt.broker import publish
from realtime.transports.mqtt.cluster import Cluster
from realtime.transports.mqtt.membership import Claim, Kind
from realtime.transports.mqtt.transport import OutgoingMessage

NOTICES_MAX = 1_000
"""To devices without a session: errors, and the state of their lights. What does not fit is dropped."""
LAST_PUBLISH_WITHIN_S = 2.0

logger = logging.getLogger("parlour.mqtt")


class Dialect(Protocol):
    """Who understands some of a broker's topics.

    kind, served: of devices, and the names of those that this server serves, None for all.
    """

    @property
    def kind(self) -> Kind: ...

    @property
    def served(self) -> tuple[str, ...] | None: ...

    @property
    def filters(self) -> tuple[str, ...]:
        """The topics to be subscribed."""
        ...

    def begin(self, link: "Link") -> None:
        """A connection is there, and nothing is known of anybody."""
        ...

    def take(self, topic: str, payload: bytes, is_retained: bool) -> None:
        """Called in the middle of reading from the broker: never waits, never raises."""
        ...

    def end_sessions(self, gone: PeerGone) -> list[asyncio.Task[None]]:
        """The connection ends: let all sessions go. Returns the tasks to be waited for."""
        ...

    def membership_changed(self) -> None:
        """Servers have come or gone, this one too: other devices may be its own to serve."""
        ...

    def claimed_elsewhere(self, claim: Claim) -> None:
        """Another server holds a conversation."""
        ...

    def orphaned(self, claim: Claim) -> None:
        """The server that held a conversation is gone, and its device is this one's to serve."""
        ...

    def tick(self) -> None:
        """Called every second."""
        ...


@dataclass(frozen=True, slots=True)
class _Notice:
    message: OutgoingMessage
    is_wanted: Callable[[], bool]


class Link:
    """Lives as long as a connection to the broker. tasks: of the sessions that it carries.

    is_open: what comes may begin something; no longer while it is being parted from. cluster: the servers at
    this broker; set before anything comes.
    """

    cluster: Cluster

    def __init__(self, client: Client, tasks: asyncio.TaskGroup, metrics: Metrics) -> None:
        self.tasks = tasks
        self.is_open = True
        self._client = client
        self._metrics = metrics
        self._notices: asyncio.Queue[_Notice] = asyncio.Queue(NOTICES_MAX)

    async def post(self, message: OutgoingMessage) -> None:
        """Raises PeerGone."""
        try:
            await publish(self._client, message.topic, message.payload, message.qos, message.retain)
        except MqttError:
            raise PeerGone(1006, "the connection to the broker was lost") from None

    async def post_last(self, *messages: OutgoingMessage) -> tuple[OutgoingMessage, ...]:
        """As far as that can still be done. Returns those that the broker has not taken."""
        n_posted = 0
        with suppress(PeerGone, TimeoutError):
            async with asyncio.timeout(LAST_PUBLISH_WITHIN_S):
                for message in messages:
                    await self.post(message)
                    n_posted += 1
        return messages[n_posted:]

    def notice(self, message: OutgoingMessage, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Post it soon. is_wanted: asked when its turn comes."""
        try:
            self._notices.put_nowait(_Notice(message, is_wanted))
        except asyncio.QueueFull:
            self._metrics.mqtt_dropped.labels("notice").inc()

    async def send_notices(self) -> None:
        """Until cancelled. Raises MqttError."""
        while True:
            notice = await self._notices.get()
            if notice.is_wanted():
                message = notice.message
                await publish(self._client, message.topic, message.payload, message.qos, message.retain)

    async def publish_last(self, *last: OutgoingMessage) -> None:
        left = []
        while not self._notices.empty():
            left.append(self._notices.get_nowait().message)
        await self.post_last(*left, *last)  # what does not get through, the last will says


class DeviceTransport(Transport, Protocol):
    def leave(self, gone: PeerGone) -> None: ...


async def run_session(
    sessions: Sessions, transport: DeviceTransport, ids: Ids, peer: str, owner: str
) -> str | None:
    """Until it is over, and why, its transport knows. Returns why it was refused a place, if it was."""
    try:
        with sessions.admitted(peer):
            await sessions.run(transport, ids, "", owner)
    except AdmissionRefused as full:
        transport.leave(PeerGone(1013, full.reason))  # IANA: "Try Again Later"
        return full.reason
    except Exception:
        # A bug of ours: it ends this session and no other.
        logger.exception("internal error", extra={"device": peer})
        transport.leave(PeerGone(1011, "internal error"))
    return None
