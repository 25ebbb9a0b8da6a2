"""The devices that come in through an MQTT broker.

One connection to the broker carries all of them. It comes back by itself when it is lost; the sessions that
it carried have then ended, or wait to be resumed.
"""

import asyncio
import logging
from collections.abc import Sequence

from aiomqtt import Client, Message, MqttError, Will

from realtime.errors import SettingsError
from realtime.metrics import Metrics
from realtime.session.transport import PeerGone
from realtime.settings import Settings, is_loopback
from realtime.transports.mqtt.broker import (
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
from realtime.transports.mqtt.codec import Topics
from realtime.transports.mqtt.link import Dialect, Link
from realtime.transports.mqtt.transport import OutgoingMessage

PART_WITHIN_S = 5.0

logger = logging.getLogger("parlour.mqtt")


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
    """Keeps a connection to the broker, and lets the dialects speak over it."""

    def __init__(self, settings: Settings, metrics: Metrics, dialects: Sequence[Dialect]) -> None:
        """Raises SettingsError for a broker that cannot be meant."""
        self._broker = check_mqtt(settings)
        self._server_topic = Topics(settings.mqtt_prefix).server
        self._metrics = metrics
        self._dialects = dialects
        self._is_stopping = False

    async def run(self) -> None:
        """Serve until stopped and cancelled."""
        backoff = Backoff()
        while not self._is_stopping:
            will = Will(self._server_topic, "offline", qos=1, retain=True)
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

    def _take(self, message: Message) -> None:
        if isinstance(message.payload, bytes):
            for dialect in self._dialects:
                dialect.take(message.topic.value, message.payload, bool(message.retain))

    async def _serve(self, client: Client, backoff: Backoff) -> None:
        """Raises MqttError, in a group, when the connection is lost."""
        if self._is_stopping:
            return
        async with asyncio.TaskGroup() as sessions:
            link = Link(client, sessions, self._metrics)
            for dialect in self._dialects:
                dialect.begin(link)
            try:
                await self._greet(client)
                backoff.reset()
                logger.info("broker connected", extra={"broker": self._broker.shown})
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(link.send_notices(), name="notices")
                    # No task of its own: a group of Python 3.11 whose task fails while nothing else is
                    # awaited in it leaves its parent marked as cancelled (CPython issue 116720).
                    await until_lost(client)
            except asyncio.CancelledError:
                await self._part(link, PeerGone(1012, "the server is stopping"))
                await link.publish_last(OutgoingMessage(self._server_topic, "offline", retain=True))
                raise
            finally:
                await self._part(link, PeerGone(1006, "the connection to the broker was lost"))

    async def _greet(self, client: Client) -> None:
        await publish(client, self._server_topic, "online", qos=1, retain=True)
        filters = [topic for dialect in self._dialects for topic in dialect.filters]
        if not await subscribe(client, *filters):
            raise MqttError(f"the broker does not let this server read {' and '.join(filters)}")

    async def _part(self, link: Link, gone: PeerGone) -> None:
        """End the sessions, and wait for that."""
        link.is_open = False
        ending = [task for dialect in self._dialects for task in dialect.part(gone)]
        if ending:
            _, late = await asyncio.wait(ending, timeout=PART_WITHIN_S)
            for task in late:
                task.cancel()


def _first(group: BaseExceptionGroup[MqttError]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
