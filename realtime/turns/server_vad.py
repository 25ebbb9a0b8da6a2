"""Server VAD: the turn ends when the talker has been silent for long enough.

    audio -> frames -> gate -> voice activity -> endpointer -> turn signals

Frames wait for each other as long as no signal can be due, and are then looked at together: for the
Silero model a third cheaper, with the same signals at the same time. In an utterance the gate is
not asked: it can save work before a turn, never cut one short. Where it was closed, the model goes
on from the silence that it heard last: hearing the frames before the onset again gained nothing
(0, 1, 3 and 10 frames compared).
"""

from realtime.audio.endpointer import Endpointer, Endpointing
from realtime.audio.pcm import BYTES_PER_SAMPLE, whole_samples
from realtime.protocol.inputs import TurnSignal
from realtime.turns.base import VoiceActivity
from realtime.turns.noise_gate import NoiseGate

_TOGETHER_AT_MOST = 4  # frames; more saves little and would hold a core for longer at a time


class ServerVad:
    """One session's turn detector (`realtime.turns.base.TurnDetector`)."""

    def __init__(
        self, activity: VoiceActivity, times: Endpointing, gate: NoiseGate | None = None, start_ms: int = 0
    ) -> None:
        """activity, gate: of this session alone. gate: None to have every frame looked at.

        start_ms: where in the session's input audio this detector begins to listen.
        """
        self._activity = activity
        self._gate = gate
        self._endpointer = Endpointer(times, start_ms)
        self._frame_samples = activity.frame_samples
        self._frame_bytes = activity.frame_samples * BYTES_PER_SAMPLE
        self._rest = b""  # less than a frame
        self._waiting: list[bytes] = []  # at most _TOGETHER_AT_MOST frames, not yet looked at

    def push(self, pcm: bytes) -> list[TurnSignal]:
        """See `TurnDetector.push`. Raises ValueError for half a sample."""
        whole_samples(pcm)
        audio = self._rest + pcm if self._rest else pcm
        end = len(audio) - len(audio) % self._frame_bytes
        signals: list[TurnSignal] = []
        for at in range(0, end, self._frame_bytes):
            signals += self._push_frame(audio[at : at + self._frame_bytes])
        self._rest = audio[end:]
        return signals

    def flush(self) -> list[TurnSignal]:
        """See `TurnDetector.flush`. Less than a frame of audio is left unheard."""
        return self._run_model() + self._endpointer.flush()

    def _push_frame(self, frame: bytes) -> list[TurnSignal]:
        endpointer = self._endpointer
        if self._gate is not None and not endpointer.in_utterance and not self._gate.opens_for(frame):
            return self._run_model() + endpointer.push(0.0, self._frame_samples)
        self._waiting.append(frame)
        n_waiting = len(self._waiting)
        if n_waiting < _TOGETHER_AT_MOST and n_waiting * self._frame_samples < endpointer.next_signal_in:
            return []
        return self._run_model()

    def _run_model(self) -> list[TurnSignal]:
        """Ask the model about the frames that wait, and tell the endpointer."""
        if not self._waiting:
            return []
        probabilities = self._activity.probabilities(b"".join(self._waiting))
        self._waiting.clear()
        if self._gate is not None and not self._endpointer.in_utterance:
            self._gate.learn(max(probabilities))
        signals: list[TurnSignal] = []
        for probability in probabilities:
            signals += self._endpointer.push(probability, self._frame_samples)
        return signals
