"""The user's side of a live conversation as a value: moments of 20 ms and the wire's events in, sound and
events out.

Pure: no socket, no clock. A moment is sent and played in one step, so both tracks have the client's time:
what the user says at a moment, and what comes out of the client's loudspeaker at the same one.
"""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from evaluation.speech.live.playout import HZ, Playout
from evaluation.speech.live.scenario import Action, Scenario
from evaluation.speech.live.script import Event, Script
from evaluation.speech.live.segments import Segment
from evaluation.speech.live.tracks import s16le
from evaluation.speech.live.voice_activity import Samples

MOMENT_SAMPLES = HZ // 50
MOMENT_S = MOMENT_SAMPLES / HZ
PATIENCE_S = 15.0
"""An action that waits for an answer so long is never done, and neither are those after it."""
LAST_S = 3.5
"""The conversation goes on for so long after its last event, so that every window of the figures ends
inside."""


class Stage:
    """One conversation. answers_begun: how many answers the loudspeaker has begun to play."""

    def __init__(self, scenario: Scenario) -> None:
        self._left = list(scenario.actions)
        self._playout = Playout()
        self._user: list[Samples] = []
        self._assistant: list[Samples] = []
        self._events: list[Event] = []
        self._endpoints_s: list[float] = []
        self._cuts_s: list[float] = []
        self._speaking: tuple[Samples, int] | None = None  # an action's samples, and how many are said
        self._freed_at_s = 0.0  # the end of the action before
        self._answer_began_s: float | None = None  # of the answer to what was last said to the assistant
        self._silent_since_s: float | None = 0.0
        self._waits_for_answer = False
        self._in_progress: set[str] = set()
        self.error_codes: list[str] = []

    @property
    def now_s(self) -> float:
        return len(self._user) * MOMENT_S

    @property
    def is_over(self) -> bool:
        if self._speaking is not None:
            return False
        if self._left:
            return self.now_s - self._freed_at_s > PATIENCE_S and not self._playout.is_playing
        since_s = self._freed_at_s
        if self._waits_for_answer and self.now_s - self._freed_at_s <= PATIENCE_S:
            if self._answer_began_s is None:
                return False
            since_s = max(since_s, self._answer_began_s)
        return self.now_s - since_s > LAST_S

    def moment(self) -> bytes:
        """The next 20 ms of the user's microphone: s16le mono at HZ. The loudspeaker plays as long."""
        heard = self._playout.pull(MOMENT_SAMPLES)
        if heard.any():
            self._silent_since_s = None
            if self._answer_began_s is None and self._waits_for_answer and self._speaking is None:
                self._answer_began_s = self.now_s
        elif self._silent_since_s is None and not self._playout.is_playing:
            self._silent_since_s = self.now_s
        self._assistant.append(heard)
        if self._speaking is None and self._left and self._is_due(self._left[0]):
            self._begin(self._left.pop(0))
        said = self._said_now()
        self._user.append(said)
        return s16le(said)

    def take(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What the server says. Returns the events that a client sends back."""
        match event:
            case {"type": "response.output_audio.delta", "item_id": str(item_id), "delta": str(delta)}:
                self._playout.play(item_id, base64.b64decode(delta))
            case {"type": "response.created", "response": {"id": str(response_id)}}:
                self._in_progress.add(response_id)
            case {"type": "response.done", "response": {"id": str(response_id)}}:
                self._in_progress.discard(response_id)
            case {"type": "input_audio_buffer.speech_stopped"}:
                self._endpoints_s.append(self.now_s)
            case {"type": "input_audio_buffer.speech_started" | "output_audio_buffer.cleared"}:
                return self._cut()
            case {"type": "error", "error": {"code": code}}:
                self.error_codes.append(str(code))
            case _:
                pass  # the other events only tell more of the same
        return []

    def recording(self) -> tuple[Samples, Samples, Script]:
        """Both tracks at HZ, the user's first, and what happened on them."""
        script = Script(
            events=tuple(sorted(self._events, key=lambda event: event.start_s)),
            endpoints_s=tuple(self._endpoints_s),
            cuts_s=tuple(self._cuts_s),
        )
        nothing = np.zeros(0, np.float32)
        return np.concatenate([nothing, *self._user]), np.concatenate([nothing, *self._assistant]), script

    def _cut(self) -> list[dict[str, Any]]:
        """The user speaks over the answer: the client is silent at once, and tells how much of it was
        heard."""
        cut = self._playout.cut()
        if cut is None:
            return []
        self._cuts_s.append(self.now_s)
        item_id, heard_ms = cut
        truncated = {"item_id": item_id, "content_index": 0, "audio_end_ms": heard_ms}
        return [{"type": "conversation.item.truncate", **truncated}]

    def _is_due(self, action: Action) -> bool:
        match action.after:
            case "start":
                since_s: float | None = 0.0
            case "previous":
                since_s = self._freed_at_s
            case "answer_start":
                since_s = self._answer_began_s
            case "answer_end":
                is_over = self._answer_began_s is not None and not self._in_progress
                since_s = self._silent_since_s if is_over else None
        return since_s is not None and self.now_s >= since_s + action.delay_s - 1e-9

    def _begin(self, action: Action) -> None:
        def here(span: Segment) -> Segment:
            return Segment(round(self.now_s + span.start_s, 4), round(self.now_s + span.end_s, 4))

        span = here(action.span)
        event = Event(action.kind, span.start_s, span.end_s, action.label, tuple(map(here, action.pauses)))
        self._events.append(event)
        self._speaking = (action.samples, 0)
        if event.is_said_to_the_assistant:
            self._answer_began_s = None
            self._waits_for_answer = True

    def _said_now(self) -> Samples:
        moment = np.zeros(MOMENT_SAMPLES, np.float32)
        if self._speaking is not None:
            samples, n_said = self._speaking
            piece = samples[n_said : n_said + MOMENT_SAMPLES]
            moment[: len(piece)] = piece
            self._speaking = (samples, n_said + MOMENT_SAMPLES)
            if n_said + MOMENT_SAMPLES >= len(samples):
                self._speaking = None
                self._freed_at_s = self.now_s + MOMENT_S
        return moment
