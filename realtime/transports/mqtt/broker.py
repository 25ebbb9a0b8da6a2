"""The way to an MQTT broker: its address, a connection without a queue, and when to try again."""

import asyncio
import logging
import math
import random
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from aiomqtt import Client, Message, MqttError, Will

from realtime.errors import SettingsError

KEEPALIVE_S = 15
"""A broker that is gone without a word is noticed within one and a half of these (MQTT 3.1.1, 3.1.2.10)."""
ANSWER_WITHIN_S = 10.0
INFLIGHT_MAX = 200
"""Publishes that may await the broker's word at once: of each device one, of its events at most."""

_PREFIX = re.compile(r"[^+#$/\0]+(/[^+#/\0]+)*")


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is. ca_file: certificates to trust for mqtts, "" for this machine's own."""

    host: str
    port: int
    user: str | None
    password: str | None
    has_tls: bool
    ca_file: str = ""

    @property
    def shown(self) -> str:
        """For people and logs: without the password."""
        return f"{'mqtts' if self.has_tls else 'mqtt'}://{self.host}:{self.port}"


def parse_broker(url: str, ca_file: str = "") -> Broker:
    """url: mqtt://USER:PASSWORD@HOST:PORT or mqtts://...; the ports are 1883 and 8883 where none is given.

    Raises SettingsError, which never shows the URL: it may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path not in ("", "/"):
        raise SettingsError(
            "the MQTT broker's address cannot be used: "
            "expected mqtt://USER:PASSWORD@HOST:PORT, or mqtts:// for TLS."
        )
    has_tls = parts.scheme == "mqtts"
    return Broker(
        host=parts.hostname,
        port=port or (8883 if has_tls else 1883),
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        has_tls=has_tls,
        ca_file=ca_file,
    )


def check_prefix(prefix: str) -> None:
    """Raises SettingsError for what cannot begin a topic."""
    if not _PREFIX.fullmatch(prefix) or len(prefix) > 200:
        raise SettingsError(
            f"the MQTT prefix is '{prefix[:80]}': expected words joined by '/', without '+', '#' and '$'."
        )


def tls_context(broker: Broker) -> ssl.SSLContext | None:
    """Raises SettingsError for a file of certificates that cannot be used."""
    if not broker.has_tls:
        return None
    try:
        return ssl.create_default_context(cafile=broker.ca_file or None)
    except OSError as error:
        raise SettingsError(
            f"the MQTT certificates {broker.ca_file} cannot be used ({error.strerror or 'no PEM'})."
        ) from None


def connection(broker: Broker, will: Will, take: Callable[[Message], None]) -> Client:
    """A connection to be entered; `take` is called with each message as it is read.

    No queue lies between: what `take` does not keep is gone, and while it works nothing more is read.
    A queue would be shared by all devices, and the one that floods would crowd the others out.
    """

    class HandedOn(asyncio.Queue[Message]):
        def put_nowait(self, message: Message) -> None:
            take(message)

    client = Client(
        broker.host,
        broker.port,
        username=broker.user,
        password=broker.password,
        tls_context=tls_context(broker),
        will=will,
        keepalive=KEEPALIVE_S,
        timeout=ANSWER_WITHIN_S,
        queue_type=HandedOn,
        # Else a small message waits up to 40 ms for the ACK of the one before it (RFC 896, RFC 1122 4.2.3.2).
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        max_inflight_messages=INFLIGHT_MAX,
        logger=_quiet,
    )
    client.pending_calls_threshold = 1_000_000  # each device has its own, and each is waited for
    return client


async def publish(
    client: Client, topic: str, payload: str | bytes, qos: int = 0, retain: bool = False
) -> None:
    """Returns when the broker (QoS 1) or the socket (QoS 0) has it. Raises MqttError."""
    async with _answered():
        await client.publish(topic, payload, qos=qos, retain=retain, timeout=math.inf)


async def subscribe(client: Client, *topics: str) -> bool:
    """At QoS 1. Whether the broker allows all of them. Raises MqttError."""
    async with _answered():
        codes = await client.subscribe([(topic, 1) for topic in topics], timeout=math.inf)
    return all((code if isinstance(code, int) else code.value) < 128 for code in codes)


@asynccontextmanager
async def _answered() -> AsyncIterator[None]:
    """Within the time of an answer. The client's own timeouts are asyncio.wait_for, which up to Python 3.11
    forgets a cancellation that comes together with the answer (CPython issue 86296)."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            yield
    except TimeoutError:
        raise MqttError("the broker does not answer") from None


async def until_lost(client: Client) -> None:
    """Wait until the connection breaks. Raises MqttError then."""
    async for _ in client.messages:
        raise AssertionError("messages are handed on, and none is queued")
    raise MqttError("The connection was closed.")


class Backoff:
    """How long to wait before each further try: longer and longer, and never all at the same moment.

    "Full jitter" of Brooker, "Exponential Backoff and Jitter" (AWS, 2015), above a floor.
    """

    def __init__(
        self, first_s: float = 0.5, max_s: float = 30.0, chance: Callable[[], float] = random.random
    ) -> None:
        """chance: a number from 0 to 1, of each try."""
        self._first_s = first_s
        self._max_s = max_s
        self._chance = chance
        self._tries = 0

    def next_s(self) -> float:
        ceiling_s = min(self._max_s, self._first_s * 2.0 ** min(self._tries, 30))
        self._tries += 1
        return self._first_s / 4 + (ceiling_s - self._first_s / 4) * self._chance()

    def reset(self) -> None:
        """It worked: the next failure is the first again."""
        self._tries = 0


_quiet = logging.getLogger("parlour.mqtt.wire")
_quiet.setLevel(logging.CRITICAL)  # it would log each packet; what matters is logged where it is dealt with
