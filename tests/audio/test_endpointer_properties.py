"""What holds for any sound: a checker of all promises, and planted bugs that it must find."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from realtime.audio import endpointer as module
from realtime.audio.endpointer import Endpointer, Endpointing
from realtime.protocol.inputs import SpeechPaused, SpeechStarted, SpeechStopped, TurnSignal

PER_MS = 16
HUSH = -1.0


@dataclass(frozen=True)
class Sound:
    """frames: probabilities, HUSH for a call of hush(); all of one length, as a detector's are."""

    times: Endpointing
    frame_ms: int
    frames: list[float]


@st.composite
def sounds(draw: st.DrawFn) -> Sound:
    """Runs of speech, silence and doubt, near the lengths that matter."""
    times = Endpointing(
        threshold=draw(st.sampled_from([0.3, 0.5, 0.8])),
        onset_ms=draw(st.sampled_from([30, 90, 160])),
        pause_ms=draw(st.sampled_from([60, 200, 300])),
        silence_ms=draw(st.sampled_from([40, 200, 500, 800])),
        pad_ms=draw(st.sampled_from([0, 100, 200, 400])),
        max_utterance_ms=draw(st.sampled_from([700, 2_000, 60_000])),
    )
    level = st.sampled_from([0.0, times.threshold - 0.2, times.threshold - 0.1, times.threshold, 1.0])
    runs = draw(st.lists(st.tuples(level, st.integers(1, 30)), max_size=25))
    frames = [p for p, length in runs for p in [max(p, 0.0)] * length]
    for at in draw(st.lists(st.integers(0, max(len(frames), 1)), max_size=2)):
        frames.insert(at, HUSH)
    return Sound(times, draw(st.sampled_from([10, 30, 32])), frames)


def signals_of(endpointer: Endpointer, sound: Sound) -> Iterator[tuple[int, list[TurnSignal]]]:
    """Each step's position after it, in ms, and its signals."""
    position_ms = 0
    for frame in sound.frames:
        if frame == HUSH:
            yield position_ms, endpointer.flush()
        else:
            position_ms += sound.frame_ms
            yield position_ms, endpointer.push(frame, sound.frame_ms * PER_MS)


def check(endpointer: Endpointer, sound: Sound) -> None:
    """All that an endpointer promises. Raises AssertionError."""
    times, frame_ms = sound.times, sound.frame_ms
    started_ms: int | None = None  # of the open utterance
    last_ms = 0  # the last place that a signal named
    pause_ms: int | None = None  # the end that the latest pause named, until speech goes on
    voiced_to_ms = 0
    onset: list[int] = []  # begins of the voiced frames that may become an onset
    doubtful_ms = 0  # neither voiced nor silent, since then
    quiet_for_ms = 0
    due_in = endpointer.next_signal_in
    low = max(times.threshold - times.hysteresis, times.threshold / 4)
    for (position_ms, signals), frame in zip(signals_of(endpointer, sound), sound.frames, strict=True):
        hush = frame == HUSH
        assert len(signals) <= 1, "one signal at a time"
        if signals and not hush:
            assert due_in <= frame_ms * PER_MS, "a signal came before it could be due"
        due_in = endpointer.next_signal_in if signals or hush else max(due_in - frame_ms * PER_MS, 1)
        assert endpointer.next_signal_in >= due_in, "what may wait was taken back"
        due_in = endpointer.next_signal_in

        if not hush and started_ms is None:
            if frame >= times.threshold:
                onset.append(position_ms - frame_ms)
            elif onset:
                doubtful_ms += frame_ms
                if frame < low or doubtful_ms >= times.pause_ms:
                    onset, doubtful_ms = [], 0
        elif not hush and frame >= low:
            voiced_to_ms, quiet_for_ms, pause_ms = position_ms, 0, None
        elif not hush:
            quiet_for_ms += frame_ms

        for signal in signals:
            assert last_ms <= signal.audio_ms <= position_ms, "places go forwards, and were heard"
            last_ms = signal.audio_ms
            match signal:
                case SpeechStarted(audio_ms):
                    assert started_ms is None
                    assert not hush
                    assert audio_ms == onset[0], "starts where its first voiced frame begins"
                    assert len(onset) * frame_ms >= times.onset_ms, "a blip is no start"
                    started_ms, voiced_to_ms, quiet_for_ms, pause_ms = audio_ms, position_ms, 0, None
                case SpeechPaused(audio_ms):
                    assert started_ms is not None
                    assert pause_ms is None
                    assert not hush
                    assert quiet_for_ms >= times.pause_ms
                    pause_ms = audio_ms
                case SpeechStopped(audio_ms):
                    assert started_ms is not None
                    assert voiced_to_ms <= audio_ms <= voiced_to_ms + times.pad_ms
                    assert pause_ms in (None, audio_ms), "the pause named another end"
                    long_enough = quiet_for_ms >= times.silence_ms
                    assert hush or long_enough or position_ms - started_ms >= times.max_utterance_ms
                    started_ms, onset, doubtful_ms, quiet_for_ms = None, [], 0, 0
        if hush:
            onset, doubtful_ms = [], 0
            assert started_ms is None, "hush leaves nothing open"
        if started_ms is None:
            assert len(onset) * frame_ms < times.onset_ms, "a start is missing"
        else:
            assert quiet_for_ms < times.silence_ms, "a stop is missing"
            assert position_ms - started_ms < times.max_utterance_ms, "an utterance is too long"
            assert pause_ms is not None or quiet_for_ms < times.pause_ms, "a pause is missing"
        assert endpointer.in_utterance == (started_ms is not None)


@settings(max_examples=300)
@given(sounds())
def test_every_sound_gets_whole_turns_at_the_right_places(sound: Sound) -> None:
    check(Endpointer(sound.times), sound)


# Planted bugs -------------------------------------------------------------------------


class StopsTwice(Endpointer):
    def _stop(self, state: module._Speaking) -> TurnSignal:
        return SpeechStopped(self._end_ms(state))


class NoPad(Endpointer):
    """The stop names another end than its pause."""

    def _stop(self, state: module._Speaking) -> TurnSignal:
        super()._stop(state)
        return SpeechStopped(state.voiced_to // PER_MS)


class EndsAhead(Endpointer):
    """Names a place that was not heard yet."""

    def __init__(self, times: Endpointing) -> None:
        super().__init__(times)
        self._pad = times.pad_ms * PER_MS

    def _end_ms(self, state: module._Speaking) -> int:
        return (state.voiced_to + self._pad) // PER_MS


class PausesAgain(Endpointer):
    def push(self, probability: float, samples: int) -> list[TurnSignal]:
        if isinstance(self._state, module._Speaking):
            self._state.paused = False
        return super().push(probability, samples)


class PausesOnce(Endpointer):
    """Forgets that speech went on."""

    def _push_in_utterance(self, state: module._Speaking, probability: float) -> list[TurnSignal]:
        was_paused = state.paused
        signals = super()._push_in_utterance(state, probability)
        state.paused = state.paused or was_paused
        return signals


class StartsAtOnset(Endpointer):
    """Names where it was sure instead of where speech began."""

    def push(self, probability: float, samples: int) -> list[TurnSignal]:
        here = self._position // PER_MS
        return [
            SpeechStarted(here) if isinstance(s, SpeechStarted) else s
            for s in super().push(probability, samples)
        ]


class NeverForgetsBlips(Endpointer):
    def __init__(self, times: Endpointing) -> None:
        super().__init__(times)
        self._silent_below = -1.0

    def _push_in_utterance(self, state: module._Speaking, probability: float) -> list[TurnSignal]:
        return super()._push_in_utterance(state, probability if probability > 0.2 else -2.0)


class WaitsForEverInDoubt(Endpointer):
    """A beginning and a sure word a minute later are one onset."""

    def push(self, probability: float, samples: int) -> list[TurnSignal]:
        if isinstance(self._state, module._Silent):
            self._state.doubtful_samples = 0
        return super().push(probability, samples)


class NoHysteresis(Endpointer):
    def __init__(self, times: Endpointing) -> None:
        super().__init__(times)
        self._silent_below = times.threshold


class Endless(Endpointer):
    def __init__(self, times: Endpointing) -> None:
        super().__init__(times)
        self._longest = 1 << 60


class ForgetsThatSpeechMayGoOn(Endpointer):
    """Once a pause was told, promises time until the stop: a second pause would be late."""

    @property
    def next_signal_in(self) -> int:
        state = self._state
        if isinstance(state, module._Speaking) and state.paused:
            return max(self._silence + state.voiced_to - self._position, 1)
        return super().next_signal_in


class HushLeavesOpen(Endpointer):
    def flush(self) -> list[TurnSignal]:
        return []


class HushRemembersOnset(Endpointer):
    def flush(self) -> list[TurnSignal]:
        return super().flush() if self.in_utterance else []


class OneFrameLate(Endpointer):
    def __init__(self, times: Endpointing) -> None:
        super().__init__(times)
        self._silence += 160


class PromisesTooMuchTime(Endpointer):
    @property
    def next_signal_in(self) -> int:
        return super().next_signal_in + 10 * 160


MUTANTS: list[Callable[[Endpointing], Endpointer]] = [
    StopsTwice,
    NoPad,
    EndsAhead,
    PausesAgain,
    PausesOnce,
    StartsAtOnset,
    NeverForgetsBlips,
    WaitsForEverInDoubt,
    NoHysteresis,
    Endless,
    HushLeavesOpen,
    HushRemembersOnset,
    OneFrameLate,
    PromisesTooMuchTime,
    ForgetsThatSpeechMayGoOn,
]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_bug_is_found(mutant: Callable[[Endpointing], Endpointer]) -> None:
    @settings(
        max_examples=1_000,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(sounds())
    def search(sound: Sound) -> None:
        check(mutant(sound.times), sound)

    with pytest.raises(AssertionError):
        search()
