"""How the parts are put together, with a voice activity that says what the test wants."""

from dataclasses import dataclass, field

from realtime.audio.endpointer import Endpointing
from realtime.protocol.inputs import SpeechPaused, SpeechStarted, SpeechStopped
from realtime.turns.noise_gate import NoiseGate
from realtime.turns.server_vad import ServerVad
from tests import speech

FRAME_SAMPLES = 512
LOUD = speech.white_noise(0.032, 5_000)[: 2 * FRAME_SAMPLES]
QUIET = bytes(2 * FRAME_SAMPLES)


@dataclass
class LoudIsSpeech:
    """Calls any frame that is not all zeros speech. looked_at: how many frames in each call."""

    frame_samples: int = FRAME_SAMPLES
    looked_at: list[int] = field(default_factory=list)

    def probability(self, frame: bytes) -> float:
        return self.probabilities(frame)[0]

    def probabilities(self, frames: bytes) -> list[float]:
        step = 2 * self.frame_samples
        cut = [frames[at : at + step] for at in range(0, len(frames), step)]
        self.looked_at.append(len(cut))
        return [1.0 if any(frame) else 0.0 for frame in cut]

    def reset(self) -> None:
        self.looked_at.clear()


def test_frames_are_looked_at_together_and_the_start_is_not_late() -> None:
    activity = LoudIsSpeech()
    detector = ServerVad(activity, Endpointing(onset_ms=90))
    assert detector.push(LOUD) == []
    assert detector.push(LOUD) == []
    assert activity.looked_at == []
    assert detector.push(LOUD) == [SpeechStarted(0)]
    assert activity.looked_at == [3]


def test_the_pause_and_the_stop_come_with_the_frame_that_completes_them() -> None:
    detector = ServerVad(LoudIsSpeech(), Endpointing(pause_ms=200, silence_ms=500, pad_ms=100))
    detector.push(LOUD * 10)
    got = [detector.push(QUIET) for _ in range(16)]
    assert got[6] == [SpeechPaused(420)]
    assert got[15] == [SpeechStopped(420)]
    assert [signals for signals in got if signals] == [got[6], got[15]]


def test_a_closed_gate_spares_the_model() -> None:
    activity = LoudIsSpeech()
    detector = ServerVad(activity, Endpointing(), NoiseGate())
    assert detector.push(QUIET * 500) == []
    assert activity.looked_at == []
    assert detector.push(LOUD * 3) == [SpeechStarted(500 * 32)]


def test_a_frame_that_waits_keeps_its_place_when_the_gate_closes() -> None:
    class ScriptedNoiseGate(NoiseGate):
        answers = iter([True, False, True, True, True])

        def opens_for(self, frame: bytes) -> bool:
            return next(self.answers)

    detector = ServerVad(LoudIsSpeech(), Endpointing(), ScriptedNoiseGate())
    assert detector.push(LOUD + QUIET + LOUD * 3) == [SpeechStarted(2 * 32)]


def test_what_the_model_says_teaches_the_gate_the_room() -> None:
    class NothingIsSpeech(LoudIsSpeech):
        def probabilities(self, frames: bytes) -> list[float]:
            return [0.0 for _ in super().probabilities(frames)]

    activity = NothingIsSpeech()
    detector = ServerVad(activity, Endpointing(), NoiseGate())
    assert detector.push(speech.white_noise(20, 500)) == []
    assert 0 < sum(activity.looked_at) < 60  # of 625


def test_in_an_utterance_every_frame_is_looked_at() -> None:
    activity = LoudIsSpeech()
    detector = ServerVad(activity, Endpointing(), NoiseGate())
    detector.push(LOUD * 4)
    activity.reset()
    detector.push(QUIET * 10)
    detector.push(LOUD)
    assert detector.flush() == [SpeechStopped(15 * 32)]
    assert sum(activity.looked_at) == 12  # the last of the loud ones waited


def test_hush_hears_the_frames_that_wait() -> None:
    detector = ServerVad(LoudIsSpeech(), Endpointing())
    detector.push(LOUD * 3)
    detector.push(LOUD * 2)  # not yet looked at
    assert detector.flush() == [SpeechStopped(5 * 32)]


def test_positions_count_from_where_it_begins_to_listen() -> None:
    detector = ServerVad(LoudIsSpeech(), Endpointing(), start_ms=60_000)
    assert detector.push(LOUD * 3) == [SpeechStarted(60_000)]
