"""Whether a device is listened to, and what its lights show. Pure: `now` is an argument.

A wake word (or a button) opens the microphone. After each answer it stays open for the follow-up
window, in which no wake word is needed; then the device sleeps, and after a longer while the
conversation is forgotten.
"""

import math
from typing import Literal

from realtime.protocol.events import (
    InputSpeechStarted,
    InputSpeechStopped,
    ResponseCreated,
    ResponseDone,
    ServerEvent,
)

LATE_S = 1.0
"""So much later than reckoned may a device that tells how far it is be done with an answer."""

State = Literal["idle", "listening", "hearing", "thinking", "speaking"]


class Attention:
    """Of one session on a device, from its first start to its end."""

    def __init__(self, follow_up_s: float, remembered_s: float, now: float) -> None:
        self._follow_up_s = follow_up_s
        self._remembered_s = remembered_s
        self.is_muted = False
        self._awake = False
        self._held = False
        self._in_speech = False
        self._responses: set[str] = set()
        self._sent_ms: dict[int, float] = {}  # of the answers that may still be heard
        self._played_ms: dict[int, float] = {}
        self._plays_until = now
        self._quiet_since = now

    @property
    def hears(self) -> bool:
        """Whether the microphone counts."""
        return (self._awake or self._held) and not self.is_muted

    @property
    def is_held(self) -> bool:
        return self._held

    @property
    def answers(self) -> bool:
        """Whether an answer is being made."""
        return bool(self._responses)

    @property
    def responses(self) -> frozenset[str]:
        """The answers that are being made."""
        return frozenset(self._responses)

    def goes_on(self, responses: frozenset[str]) -> None:
        """These were being made when the device was lost; what became of them, the session tells."""
        self._responses |= responses

    def is_speaking(self, now: float) -> bool:
        return now < self._plays_until

    def start(self, now: float) -> None:
        """The wake word: listen."""
        self._awake, self._held = True, False
        self._quiet_since = now

    def sleep(self, now: float) -> None:
        """Listen no more until the next start."""
        self._awake = False
        self._quiet_since = now

    def press(self, now: float) -> None:
        """Push to talk: listen while the button is down, and no longer."""
        self._awake, self._held = False, True
        self._in_speech = False
        self._quiet_since = now

    def release(self, now: float) -> None:
        self._held = False
        self._quiet_since = now

    def observe(self, event: ServerEvent, now: float) -> None:
        """What the session tells its client."""
        match event:
            case InputSpeechStarted():
                self._in_speech = True
            case InputSpeechStopped():
                self._in_speech = False
            case ResponseCreated(response=response):
                self._responses.add(response.id)
            case ResponseDone(response=response):
                self._responses.discard(response.id)
            case _:
                return
        self._quiet_since = now

    def sent(self, answer: int, duration_ms: float, now: float) -> None:
        """So much more of an answer will be heard."""
        self._sent_ms[answer] = self._sent_ms.get(answer, 0.0) + duration_ms
        self._plays_until = max(self._plays_until, now) + duration_ms / 1000.0

    def played(self, answer: int, played_ms: float, now: float) -> None:
        """The device's word for how far it is; without progress it says nothing new."""
        if answer not in self._sent_ms or played_ms <= self._played_ms.get(answer, -1.0):
            return
        for earlier in [number for number in self._sent_ms if number < answer]:
            del self._sent_ms[earlier]  # it plays them in their order
            self._played_ms.pop(earlier, None)
        self._played_ms[answer] = played_ms
        left_ms = sum(self._sent_ms.values()) - min(played_ms, self._sent_ms[answer])
        # It tells the end as well: until then, and not much longer, a device that is late still speaks.
        self._plays_until = now + (left_ms / 1000.0 + LATE_S if left_ms > 0.0 else 0.0)

    def silenced(self, now: float) -> None:
        """All that was sent is dropped."""
        self._sent_ms.clear()
        self._played_ms.clear()
        self._plays_until = min(self._plays_until, now)
        self._quiet_since = now

    def state(self, now: float) -> State:
        if self._held or self._in_speech:
            return "hearing"
        if self.is_speaking(now):
            return "speaking"
        if self._responses:
            return "thinking"
        return "listening" if self._awake and not self.is_muted else "idle"

    @property
    def deadline(self) -> float:
        """When to call `wake`; what goes on now has deadlines of the session's own."""
        if self._held or self._in_speech or self._responses:
            return math.inf
        quiet_since = max(self._quiet_since, self._plays_until)
        return quiet_since + (self._follow_up_s if self._awake else self._remembered_s)

    def wake(self, now: float) -> Literal["asleep", "forgotten"] | None:
        """What has become of it at `now`."""
        if now < self.deadline:
            return None
        if self._awake:
            self._awake = False
            self._quiet_since = now
            return "asleep"
        return "forgotten"

    def looks_again_at(self, now: float) -> float:
        """When the state may change by itself."""
        return min(self.deadline, self._plays_until if self.is_speaking(now) else math.inf)
