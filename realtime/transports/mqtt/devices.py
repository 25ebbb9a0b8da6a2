"""The devices that come in through an MQTT broker.

One connection to the broker carries all of them. It comes back by itself when it is lost; the sessions that
it carried have then ended, or wait to be resumed.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress

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
    subscribe,
    tls_context,
    until_lost,
)
from realtime.transports.mqtt.cluster import Cluster
from realtime.transports.mqtt.codec import Topics
from realtime.transports.mqtt.link import Dialect, Link
from realtime.transports.mqtt.membership import Claim, Presence
from realtime.transports.mqtt.transport import OutgoingMessage, changed_or

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
    """Keeps a connection to the broker, and lets the dialects speak over it.

    A second connection says by its last will that no server is there any more: only while this one is alone.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        dialects: Sequence[Dialect],
        is_going: Callable[[], bool] = lambda: False,
    ) -> None:
        """is_going: the server is about to stop. Raises SettingsError for a broker that cannot be meant."""
        self._broker = check_mqtt(settings)
        self._topics = Topics(settings.mqtt_prefix)
        self._presence = Presence(serves={dialect.kind: dialect.served for dialect in dialects})
        self._metrics = metrics
        self._dialects = dialects
        self._link: Link | None = None
        self._former_ids: list[str] = []  # of this process, by which the broker may still know it
        self._is_going = is_going
        self._is_stopping = False

    async def run(self) -> None:
        """Serve until stopped and cancelled."""
        backoff = Backoff()
        while not self._is_stopping:
            server = secrets.token_hex(8)
            will = Will(self._topics.presence(server), b"", qos=1, retain=True)
            try:
                async with connection(self._broker, will, self._take) as client:
                    await self._serve(client, server, backoff)
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
        if self._link is None or not isinstance(message.payload, bytes):
            return
        topic, is_retained = message.topic.value, bool(message.retain)
        self._link.cluster.take(topic, message.payload, is_retained)
        for dialect in self._dialects:
            dialect.take(topic, message.payload, is_retained)

    async def _serve(self, client: Client, server: str, backoff: Backoff) -> None:
        """Raises MqttError, in a group, when the connection is lost."""
        if self._is_stopping:
            return
        async with asyncio.TaskGroup() as sessions:
            self._link = link = Link(client, sessions, self._metrics)
            link.cluster = Cluster(
                self._topics, server, self._presence, link.post, self._look_around, self._hear_claim
            )
            for dialect in self._dialects:
                dialect.begin(link)
            try:
                try:
                    await self._join(client, link)
                    backoff.reset()
                    logger.info("broker connected", extra={"broker": self._broker.shown})
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(link.send_notices(), name="notices")
                        tasks.create_task(link.cluster.say_claims(), name="claims")
                        tasks.create_task(link.cluster.run(self._tick, self._is_going), name="presence")
                        tasks.create_task(self._keep_state(link), name="server state")
                        # No task of its own: a group of Python 3.11 whose task fails while nothing else is
                        # awaited in it leaves its parent marked as cancelled (CPython issue 116720).
                        await until_lost(client)
                except* PeerGone as lost:
                    raise MqttError(str(_first(lost))) from None
            except asyncio.CancelledError:
                await self._leave(link)
                raise
            finally:
                await self._part(link, PeerGone(1006, "the connection to the broker was lost"))
                self._link = None

    async def _join(self, client: Client, link: Link) -> None:
        """Raises MqttError and PeerGone."""
        can_hear = await subscribe(client, *self._topics.of_servers)
        filters = [one for dialect in self._dialects for one in dialect.filters]
        if not await subscribe(client, *filters):
            raise MqttError(f"the broker does not let this server read {' and '.join(filters)}")
        cluster = link.cluster
        while self._former_ids:
            await link.post(cluster.gone(self._former_ids[-1]))
            self._former_ids.pop()
        self._former_ids.append(cluster.membership.own)
        await cluster.join(can_hear)
        if cluster.membership.is_alone and cluster.shown == "online":
            # The last one went without a word: devices that were its own wait for one.
            await self._show(link, "offline")

    async def _leave(self, link: Link) -> None:
        """The server stops: others serve its devices from now on."""
        cluster = link.cluster
        with suppress(PeerGone):
            await cluster.leave()
        await self._part(link, PeerGone(1012, "the server is stopping"))
        last = [*cluster.last_releases(), cluster.gone(cluster.membership.own)]
        if cluster.membership.is_alone:
            last.insert(0, self._state("offline"))
        await link.publish_last(*last)

    async def _part(self, link: Link, gone: PeerGone) -> None:
        """End the sessions, and wait for that."""
        link.is_open = False
        ending = [task for dialect in self._dialects for task in dialect.end_sessions(gone)]
        if ending:
            _, late = await asyncio.wait(ending, timeout=PART_WITHIN_S)
            for task in late:
                task.cancel()

    # Who serves whom ------------------------------------------------------------------------

    def _look_around(self) -> None:
        link = self._link
        if link is None or not link.is_open:
            return
        for claim in link.cluster.membership.orphans():
            for dialect in self._dialects:
                if dialect.kind == claim.kind:
                    dialect.orphaned(claim)
            link.notice(link.cluster.clear(claim))
        for dialect in self._dialects:
            dialect.membership_changed()

    def _hear_claim(self, claim: Claim) -> None:
        for dialect in self._dialects:
            if dialect.kind == claim.kind:
                dialect.claimed_elsewhere(claim)

    def _tick(self) -> None:
        for dialect in self._dialects:
            dialect.tick()

    # Whether any server is there -------------------------------------------------------------

    async def _keep_state(self, link: Link) -> None:
        """The retained state says "online" as long as any server lives. Until cancelled. Raises PeerGone."""
        backoff = Backoff()
        cluster = link.cluster
        while True:
            cluster.changed.clear()
            if cluster.membership.is_alone:
                try:
                    async with connection(self._broker, self._last_will, lambda _: None) as watched:
                        backoff.reset()
                        await self._show_until_joined(link, watched)
                except MqttError as lost:
                    why = str(lost)
                    logger.warning("no last will", extra={"broker": self._broker.shown, "why": why})
                    await self._show(link, "online")
                    await changed_or(cluster.changed, backoff.next_s())
            else:
                if cluster.membership.leads and cluster.shown != "online":
                    await self._show(link, "online")
                await cluster.changed.wait()

    async def _show_until_joined(self, link: Link, watched: Client) -> None:
        """Raises MqttError when the connection with the last will is lost, and PeerGone."""
        cluster = link.cluster
        lost = asyncio.ensure_future(until_lost(watched))
        try:
            while cluster.membership.is_alone and not lost.done():
                cluster.changed.clear()
                if cluster.shown != "online":
                    await self._show(link, "online")
                changed = asyncio.ensure_future(cluster.changed.wait())
                await asyncio.wait((changed, lost), return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
            if lost.done():
                lost.result()
        finally:
            lost.cancel()

    @property
    def _last_will(self) -> Will:
        return Will(self._topics.server, "offline", qos=1, retain=True)

    def _state(self, state: str) -> OutgoingMessage:
        return OutgoingMessage(self._topics.server, state, retain=True)

    async def _show(self, link: Link, state: str) -> None:
        """Raises PeerGone."""
        link.cluster.shown = state  # the broker gives it back, if this server may read it
        await link.post(self._state(state))


def _first(group: BaseExceptionGroup[Exception]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
