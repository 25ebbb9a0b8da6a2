"""The way to a broker: its address, and when to try again."""

import asyncio
from types import SimpleNamespace

import aiomqtt
import pytest

from realtime.errors import SettingsError
from realtime.settings import Settings
from realtime.transports.mqtt.broker import Backoff, Broker, check_prefix, parse_broker, publish
from realtime.transports.mqtt.devices import check_mqtt


def test_an_address_is_read_with_its_user_and_the_ports_that_are_usual() -> None:
    assert parse_broker("mqtt://a:b%40c@host") == Broker("host", 1883, "a", "b@c", has_tls=False)
    assert parse_broker("mqtts://host:1", "ca.pem") == Broker("host", 1, None, None, True, "ca.pem")
    assert parse_broker("mqtts://host").port == 8883


@pytest.mark.parametrize(
    "url", ["host", "http://u:secret@host", "mqtt://", "mqtt://u:secret@host:x", "mqtt://u:secret@h/x"]
)
def test_what_is_no_address_is_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_broker(url)
    assert "secret" not in str(refused.value)


def test_a_broker_is_shown_without_its_password() -> None:
    assert parse_broker("mqtt://u:secret@host").shown == "mqtt://host:1883"


@pytest.mark.parametrize("prefix", ["", "/", "a/", "/a", "a//b", "a/+", "a#", "$SYS", "x" * 201])
def test_a_prefix_that_begins_no_topic_is_refused(prefix: str) -> None:
    with pytest.raises(SettingsError):
        check_prefix(prefix)


def test_a_broker_elsewhere_needs_a_user_and_certificates_that_are_there() -> None:
    assert check_mqtt(Settings(mqtt_url="mqtt://127.0.0.1")).port == 1883
    with pytest.raises(SettingsError, match="no user"):
        check_mqtt(Settings(mqtt_url="mqtt://192.0.2.1"))
    with pytest.raises(SettingsError, match="certificates"):
        check_mqtt(Settings(mqtt_url="mqtts://u:p@192.0.2.1", mqtt_ca="/no/such/file.pem"))


def test_pauses_grow_to_their_limit_and_begin_anew_once_it_worked() -> None:
    backoff = Backoff(first_s=0.5, max_s=4.0, chance=lambda: 1.0)
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1.0, 2.0, 4.0, 4.0]
    backoff.reset()
    assert backoff.next_s() == 0.5


def test_pauses_differ_by_chance_and_are_never_none_at_all() -> None:
    backoff = Backoff(first_s=0.4, chance=lambda: 0.0)
    assert [backoff.next_s() for _ in range(3)] == pytest.approx([0.1] * 3)


@pytest.mark.parametrize("steps", range(5))
async def test_a_cancellation_that_comes_together_with_the_brokers_answer_is_not_forgotten(
    steps: int,
) -> None:
    client = aiomqtt.Client("nowhere")
    sent = SimpleNamespace(rc=0, mid=7, is_published=lambda: False)
    client._client.publish = lambda *_, **__: sent  # type: ignore[method-assign, assignment, return-value]
    publishing = asyncio.create_task(publish(client, "a", b"", qos=1))
    while 7 not in client._pending_publishes:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    client._pending_publishes[7].set()
    for _ in range(steps):
        await asyncio.sleep(0)
    if not publishing.done():
        publishing.cancel()
        await asyncio.wait([publishing])
        assert publishing.cancelled()
