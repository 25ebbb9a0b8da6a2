"""Endpointing: from the probability of speech in each frame to the turns of a talker.

Pure: counts samples, reads no clock. Three times matter:

    onset    so much speech begins an utterance; less is a cough or a click
    pause    so much silence may be the end: work on the answer can begin
    silence  so much silence is the end

Two thresholds give hysteresis: a frame at `threshold` or above is voiced, one a little below keeps
what was so far (a beginning only for as long as a pause), only one clearly below is silence (Silero
VAD, utils_vad.py: threshold - 0.15).
"""

from dataclasses import dataclass

from realtime.protocol.inputs import SpeechPaused, SpeechStarted, SpeechStopped, TurnSignal

_SAMPLES_PER_MS = 16  # all of this is at 16 kHz


@dataclass(frozen=True, slots=True)
class Endpointing:
    """When an utterance begins and ends. Times in ms.

    pad_ms: how much of the silence after the last voiced frame belongs to the utterance: ends of
    words are softer than the detector hears. It is cut to the silence that was surely heard.
    max_utterance_ms: a longer one is ended there, whatever is heard. Raises ValueError.
    """

    threshold: float = 0.5
    hysteresis: float = 0.15
    onset_ms: int = 90
    pause_ms: int = 200
    silence_ms: int = 500
    pad_ms: int = 100
    max_utterance_ms: int = 60_000

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1 or self.hysteresis < 0:
            raise ValueError(f"expected a threshold in (0, 1], got {self.threshold} - {self.hysteresis}")
        if min(self.onset_ms, self.pause_ms, self.silence_ms, self.max_utterance_ms) <= 0 or self.pad_ms < 0:
            raise ValueError("expected durations above 0 ms")
        if self.max_utterance_ms <= self.onset_ms + self.pause_ms:
            raise ValueError(f"expected max_utterance_ms above onset and pause, got {self.max_utterance_ms}")


@dataclass(slots=True)
class _Silent:
    """voiced_from: where the speech begins that may become an utterance; None without any.

    doubtful_samples: heard since then that are neither voiced nor silent.
    """

    voiced_from: int | None = None
    voiced_samples: int = 0
    doubtful_samples: int = 0


@dataclass(slots=True)
class _Speaking:
    started: int
    voiced_to: int
    paused: bool = False  # SpeechPaused was returned for this pause


class Endpointer:
    """One talker's frames in, turn signals out. Positions count from `start_ms` of the session."""

    def __init__(self, times: Endpointing, start_ms: int = 0) -> None:
        self._voiced_at = times.threshold
        self._silent_below = max(times.threshold - times.hysteresis, times.threshold / 4)
        self._onset = times.onset_ms * _SAMPLES_PER_MS
        self._pause = times.pause_ms * _SAMPLES_PER_MS
        self._silence = times.silence_ms * _SAMPLES_PER_MS
        self._longest = times.max_utterance_ms * _SAMPLES_PER_MS
        # Never more than has been heard when the first signal of a pause is given, so that both
        # name the same end and neither names a place that is yet to come.
        self._pad = min(times.pad_ms, times.pause_ms, times.silence_ms) * _SAMPLES_PER_MS
        self._position = start_ms * _SAMPLES_PER_MS
        self._state: _Silent | _Speaking = _Silent()

    @property
    def in_utterance(self) -> bool:
        return isinstance(self._state, _Speaking)

    @property
    def next_signal_in(self) -> int:
        """How many more samples it takes at least, whatever they hold, until a signal is due.

        So many can be looked at together without being late.
        """
        state = self._state
        if isinstance(state, _Silent):
            return max(self._onset - state.voiced_samples, 1)
        first = min(self._pause, self._silence)
        silent = self._position - state.voiced_to
        # A pause that was signalled ends the turn in a while, or speech goes on and pauses again.
        until_silent = min(self._silence - silent, first) if state.paused else first - silent
        return max(min(until_silent, state.started + self._longest - self._position), 1)

    def push(self, probability: float, samples: int) -> list[TurnSignal]:
        """Take the next frame. probability: of speech in it; samples: its length at 16 kHz."""
        begins = self._position
        self._position += samples
        state = self._state
        if isinstance(state, _Silent):
            return self._push_in_silence(state, probability, begins, samples)
        return self._push_in_utterance(state, probability)

    def flush(self) -> list[TurnSignal]:
        """No more audio comes: end the utterance that is open, and drop one that is beginning."""
        state = self._state
        if isinstance(state, _Speaking):
            return [self._stop(state)]
        self._state = _Silent()
        return []

    def _push_in_silence(
        self, state: _Silent, probability: float, begins: int, samples: int
    ) -> list[TurnSignal]:
        if probability >= self._voiced_at:
            if state.voiced_from is None:
                state.voiced_from = begins
            state.voiced_samples += samples
            if state.voiced_samples >= self._onset:
                self._state = _Speaking(started=state.voiced_from, voiced_to=self._position)
                return [SpeechStarted(state.voiced_from // _SAMPLES_PER_MS)]
        elif state.voiced_from is not None:
            state.doubtful_samples += samples
            if probability < self._silent_below or state.doubtful_samples >= self._pause:
                self._state = _Silent()
        return []

    def _push_in_utterance(self, state: _Speaking, probability: float) -> list[TurnSignal]:
        if probability >= self._silent_below:
            state.voiced_to = self._position
            state.paused = False
        silent = self._position - state.voiced_to
        if silent >= self._silence or self._position - state.started >= self._longest:
            return [self._stop(state)]
        if silent >= self._pause and not state.paused:
            state.paused = True
            return [SpeechPaused(self._end_ms(state))]
        return []

    def _stop(self, state: _Speaking) -> TurnSignal:
        self._state = _Silent()
        return SpeechStopped(self._end_ms(state))

    def _end_ms(self, state: _Speaking) -> int:
        return min(state.voiced_to + self._pad, self._position) // _SAMPLES_PER_MS
