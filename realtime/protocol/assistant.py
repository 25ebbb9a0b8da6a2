"""What the assistant is doing, and how long each state may last."""

import math
from dataclasses import dataclass

from realtime.protocol.response import Response


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much. Seconds are of `now`; a state that outlasts its limit is ended."""

    session_s: float = 3600.0
    first_event_s: float = 30.0  # request to the agent's first event
    next_event_s: float = 15.0  # between two events of the agent
    response_s: float = 600.0
    input_stall_s: float = 3.0  # no audio in the middle of an utterance
    input_buffer_ms: int = 300_000
    out_of_band: int = 4
    items: int = 2_000
    history_chars: int = 2_000_000
    history_audio_bytes: int = 330 * 32_000  # what a window of 8,192 tokens can hold


@dataclass(slots=True)
class Idle:
    """No answer is being generated."""

    since: float


@dataclass(slots=True)
class Generating:
    """An answer is being generated. turn_waits: another turn is to be answered after it.

    heard_from_at: the agent's last event. alive_at: its last sign of life, an event or not.
    """

    response: Response
    started_at: float
    heard_from_at: float | None = None
    alive_at: float = -math.inf
    turn_waits: bool = False

    def deadline(self, limits: Limits) -> float:
        if self.heard_from_at is None:
            silent_until = max(self.started_at, self.alive_at) + limits.first_event_s
        else:
            silent_until = max(self.heard_from_at, self.alive_at) + limits.next_event_s
        return min(self.started_at + max(limits.response_s, limits.first_event_s), silent_until)


Assistant = Idle | Generating
