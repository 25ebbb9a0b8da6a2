"""The devices that a server knows of, and the conversations that they may go on with. Pure: `now` is an
argument."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from realtime.protocol import events as wire
from realtime.session.flood import Bucket, EventBudget
from realtime.transports.mqtt.codec import Formats, Start
from realtime.transports.mqtt.transport import MqttTransport

DEVICES_MAX = 10_000
"""Known at a time; beyond, one without a session is forgotten for the next."""
EVENTS_PER_S, EVENTS_BURST = 100.0, 500.0
ERRORS_PER_S, ERRORS_BURST = 2.0, 20.0
"""Of errors that a device is told; more would add to its flood. And all without a usable name together."""
HELD_ON_S = 5.0
"""So long after its session has ended by itself."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A conversation to go on with. making: the answers that it was making by the device's last event.
    held_until: so long the device stays this server's own, which may have the session in its memory."""

    resume: wire.Resume
    making: frozenset[str]
    held_until: float


@dataclass(slots=True)
class Device:
    name: str
    events: EventBudget
    errors: Bucket
    is_online: bool = False
    is_served: bool = False  # by this server, when that was looked at last
    is_taken: bool = False  # its conversation goes on at another server, which speaks to it
    is_muted: bool = False
    formats: Formats = field(default_factory=Formats)
    deaf_until: float = 0.0
    session: MqttTransport | None = None
    task: asyncio.Task[None] | None = None
    next_start: Start | None = None  # came while a session was ending, or a token was looked up
    comes_back: wire.Resume | None = None  # said before its session has left; it says next that it is online
    is_expected: bool = False  # it has just resumed, and says next that it is online
    looking_up: asyncio.Task[None] | None = None  # another conversation's token


class Roster:
    """Of devices by name, and of interrupted conversations by device, which outlive a broker's connection."""

    def __init__(self, resume_grace_s: float) -> None:
        """resume_grace_s: how long a session waits in memory for its device."""
        self._held_s = resume_grace_s + HELD_ON_S
        self._devices: dict[str, Device] = {}
        self._interrupted: dict[str, Interrupted] = {}

    def __iter__(self) -> Iterator[Device]:
        return iter(self._devices.values())

    def get(self, name: str) -> Device | None:
        return self._devices.get(name)

    def met(self, name: str, now: float) -> Device | None:
        """The device of that name, a new one if there was none; None where all the others have sessions."""
        device = self._devices.get(name)
        if device is not None:
            return device
        if len(self._devices) >= DEVICES_MAX:
            spare = next((one for one in self if one.session is None), None)
            if spare is None:
                return None
            del self._devices[spare.name]
        device = Device(
            name,
            EventBudget(now, EVENTS_PER_S, EVENTS_BURST),
            Bucket(now, ERRORS_PER_S, ERRORS_BURST),
        )
        self._devices[name] = device
        return device

    def part(self) -> None:
        """The broker's connection is a new one: who is there, they say again."""
        self._devices = {}

    # Conversations that were interrupted ----------------------------------------------------

    def remember(
        self, name: str, resume: wire.Resume, now: float, making: frozenset[str] = frozenset()
    ) -> None:
        """The device is to go on with that session when it is there again, or when it says so."""
        if len(self._interrupted) >= DEVICES_MAX:
            del self._interrupted[next(iter(self._interrupted))]
        self._interrupted[name] = Interrupted(resume, making, now + self._held_s)

    def interrupted(self, name: str) -> Interrupted | None:
        return self._interrupted.get(name)

    def forget(self, name: str) -> Interrupted | None:
        return self._interrupted.pop(name, None)

    def held(self, now: float) -> list[str]:
        """The devices that are still this server's own."""
        return [name for name, one in self._interrupted.items() if now < one.held_until]

    def given_up(self, now: float) -> list[str]:
        """Those that are no more, and have no session here."""
        late = [name for name, one in self._interrupted.items() if now >= one.held_until]
        return [name for name in late if (device := self.get(name)) is None or device.session is None]
