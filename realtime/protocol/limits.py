"""How long each state of a session may last, and how much a session may hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds are of `now`; a state that outlasts its limit is ended."""

    session_s: float = 3600.0
    first_event_s: float = 30.0  # request to the agent's first event
    next_event_s: float = 15.0  # between two events of the agent
    response_s: float = 600.0
    tool_s: float = 120.0  # a tool's call to its output; longer ones are taken to have none
    input_stall_s: float = 3.0  # no audio in the middle of an utterance
    own_stall_s: float = (
        0.1  # a deadline that is seen so late: the server stood still, and audio may wait unread
    )
    input_buffer_ms: int = 300_000
    out_of_band: int = 4
    items: int = 2_000
    history_chars: int = 2_000_000
    history_audio_bytes: int = 330 * 32_000  # what a window of 8,192 tokens can hold
    retrieved_audio_bytes: int = 15 * 32_000  # in one event: as PCM at 24 kHz in base64, 960,000 bytes
