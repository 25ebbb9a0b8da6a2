"""Barge-in: the user begins to speak while the assistant does.

How much of the answer the history keeps, is heard_history.py's; how its audio is dropped, the transport's.
"""

from realtime.protocol.config import TurnDetection
from realtime.protocol.effects import Effect, StopPlayback
from realtime.protocol.state import SessionState


def interrupt(state: SessionState, detection: TurnDetection, now: float) -> list[Effect]:
    """Cancel the response in progress and stop what is being heard, if speech is to interrupt."""
    if not detection.interrupt_response:
        return []
    effects: list[Effect] = []
    current = state.responses.current
    if current is not None:
        state.turn_waits = False  # what waited and what is said now will be answered together
        effects.append(StopPlayback(current.response.id))
        effects += state.responses.cancel(current, "turn_detected", now)
    return effects + state.heard.stop(now)
