"""Barge-in: the user begins to speak while the assistant does.

How much of the answer the history keeps, is heard_history.py's; how its audio is dropped, the transport's.
"""

from realtime.protocol.config import TurnDetection
from realtime.protocol.effects import Effect, StopPlayback
from realtime.protocol.state import SessionState


def interrupt(state: SessionState, detection: TurnDetection, now: float) -> list[Effect]:
    """Cancel the response in progress and stop what is being heard, if speech is to interrupt.

    An out-of-band response is not cancelled: its words go on, and it is not heard.
    """
    if not detection.interrupt_response:
        return []
    responses = state.responses
    current = responses.current
    effects: list[Effect] = []
    responses.silence([one for one in responses.in_progress() if one.response.config.modality == "audio"])
    if current is not None:
        state.turn_waits = False  # what waited and what is said now will be answered together
        effects.append(StopPlayback(current.response.id))
        effects += responses.cancel([current], "turn_detected", now)
    return effects + responses.go_on(now) + state.heard.stop(now)


def clear_output(state: SessionState, now: float) -> list[Effect]:
    """The client wants silence (`output_audio_buffer.clear`): of what is heard, and of what waits to be."""
    silenced = state.responses.speaking()
    state.responses.silence(silenced)
    effects = state.responses.go_on(now) + state.heard.stop(now)
    for generating in silenced:
        message = generating.response.message
        if message is not None and message.id in state.conversation:
            effects += state.heard.silenced(message)
    return effects
