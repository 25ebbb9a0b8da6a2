"""Fixtures of the tests over real sockets."""

from dataclasses import dataclass

import pytest

from realtime.transports.hermes import sites
from realtime.transports.mqtt import speakers
from realtime.transports.mqtt.attention import Attention
from tests.waiting import HANGS_S


@dataclass
class FollowUp:
    """How long a device is listened to after an answer; a test changes it while the server runs.

    So a device is listened to for as long as its test has something to say, however slow the machine is, and
    sleeps soon once the test wants it to. A change counts from the next thing that happens on the device.
    """

    window_s: float = HANGS_S


@pytest.fixture
def follow_up(monkeypatch: pytest.MonkeyPatch) -> FollowUp:
    chosen = FollowUp()

    class Adjustable(Attention):
        _follow_up_s = property(lambda _: chosen.window_s, lambda *_: None)  # type: ignore[assignment]

    monkeypatch.setattr(speakers, "Attention", Adjustable)
    monkeypatch.setattr(sites, "Attention", Adjustable)
    return chosen
