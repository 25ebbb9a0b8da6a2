"""From a session's turn_detection to the detector that performs it."""

from dataclasses import replace
from typing import assert_never

from realtime.audio.endpointer import Endpointing
from realtime.protocol.config import SemanticVad, TurnDetection
from realtime.protocol.config import ServerVad as ServerVadConfig
from realtime.turns.base import TurnDetector, VoiceActivity
from realtime.turns.noise_gate import NoiseGate
from realtime.turns.semantic_vad import semantic_endpointing
from realtime.turns.server_vad import ServerVad
from realtime.turns.silero import SileroModel
from realtime.turns.steady_sound import WithoutSteadySound
from realtime.turns.webrtc_vad import WebRtcVad

_THRESHOLD_MIN = 0.01  # 0 is legal on the wire, and would be speech for ever


class Detectors:
    """Makes the turn detectors of all sessions; models are loaded once."""

    def __init__(self, vad: str, utterance_s_max: float) -> None:
        """vad: "silero" or "webrtc". Raises SettingsError for a damaged or missing model."""
        self._silero = SileroModel() if vad == "silero" else None
        self._utterance_ms_max = round(utterance_s_max * 1000)

    def make(self, detection: TurnDetection, start_ms: int) -> TurnDetector:
        """A detector that hears from start_ms of the session's input audio on."""
        match detection:
            case ServerVadConfig():
                times = Endpointing(
                    threshold=max(detection.threshold, _THRESHOLD_MIN),
                    silence_ms=detection.silence_duration_ms,
                    max_utterance_ms=self._utterance_ms_max,
                )
            case SemanticVad():
                times = replace(
                    semantic_endpointing(detection.eagerness), max_utterance_ms=self._utterance_ms_max
                )
            case _:
                assert_never(detection)
        activity: VoiceActivity = self._silero.new_session() if self._silero else _webrtc()
        return ServerVad(activity, times, NoiseGate(), start_ms)


def _webrtc() -> VoiceActivity:
    return WithoutSteadySound(WebRtcVad(aggressiveness=3))
