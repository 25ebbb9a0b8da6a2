"""What a server says at a broker of what it holds, and that nothing of it stays when it leaves."""

import asyncio
from contextlib import suppress

from realtime.transports.mqtt.cluster import Cluster
from realtime.transports.mqtt.codec import Topics
from realtime.transports.mqtt.membership import Presence
from realtime.transports.mqtt.transport import OutgoingMessage

TOPICS = Topics("parlour/v1")
SERVER = "0123456789abcdef"


class Broker:
    """A FAKE broker: keeps what is retained, and may be slow to take it."""

    def __init__(self) -> None:
        self.kept: dict[str, str | bytes] = {}
        self.takes = asyncio.Event()
        self.takes.set()
        self.is_asked = asyncio.Event()

    async def publish(self, message: OutgoingMessage) -> None:
        self.is_asked.set()
        await self.takes.wait()
        if message.payload:
            self.kept[message.topic] = message.payload
        else:
            self.kept.pop(message.topic, None)


def cluster_at(broker: Broker) -> Cluster:
    presence = Presence(serves={})
    return Cluster(
        TOPICS, SERVER, presence, broker.publish, lambda: None, lambda claim: None, now=lambda: 0.0
    )


async def stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def left(cluster: Cluster, broker: Broker) -> None:
    for message in cluster.last_releases():
        await broker.publish(message)


async def test_what_is_held_is_kept_by_the_broker_until_it_is_released() -> None:
    broker = Broker()
    cluster = cluster_at(broker)
    saying = asyncio.create_task(cluster.say_claims())
    cluster.claim("device", "kitchen")
    while not broker.kept:
        await asyncio.sleep(0)
    assert list(broker.kept) == [TOPICS.claim(SERVER, "device", "kitchen")]
    cluster.release("device", "kitchen")
    while broker.kept:
        await asyncio.sleep(0)
    await stopped(saying)
    assert cluster.last_releases() == []


async def test_a_server_that_stops_while_it_says_so_leaves_no_claim_behind() -> None:
    """It is cancelled in the middle of a release that the broker has not taken yet."""
    broker = Broker()
    cluster = cluster_at(broker)
    saying = asyncio.create_task(cluster.say_claims())
    cluster.claim("device", "kitchen")
    cluster.claim("device", "hall")
    while len(broker.kept) < 2:
        await asyncio.sleep(0)
    broker.takes.clear()
    broker.is_asked.clear()
    cluster.release("device", "kitchen")
    await broker.is_asked.wait()
    await stopped(saying)
    broker.takes.set()
    cluster.release("device", "hall")  # after its task has ended
    await left(cluster, broker)
    assert broker.kept == {}


async def test_a_release_that_the_broker_has_given_back_is_not_said_again() -> None:
    """A server that stops has said it for each session, and has little time for its last words."""
    broker = Broker()
    cluster = cluster_at(broker)
    saying = asyncio.create_task(cluster.say_claims())
    cluster.claim("device", "kitchen")
    while not broker.kept:
        await asyncio.sleep(0)
    await stopped(saying)
    released = cluster.release_now("device", "kitchen")
    await broker.publish(released)
    cluster.take(released.topic, b"", is_retained=False)
    assert cluster.last_releases() == []
