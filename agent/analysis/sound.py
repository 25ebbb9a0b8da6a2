"""A clip -> what can be measured of it: length, level, clipping, where somebody speaks, where nothing sounds.

Pure. Levels are in dBFS, of which 0 is the full scale of 16 bits; of root mean squares, as `volumedetect` and
`astats` of FFmpeg have them, so that a sine wave at full scale has -3.01.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.api import LISTENING_HZ
from agent.asr.windows import VOICE_FRAME_SAMPLES, Samples

VOICE_BEGINS, VOICE_ENDS = 0.5, 0.35
"""Silero's probability at which speech begins, and below which it ends (its README, "parameters")."""
SPEECH_S_MIN = 0.25
"""A shorter one is a click, a breath or a chime; as Silero's own `min_speech_duration_ms`."""
PAUSE_S = 0.25
"""A shorter gap in the speech is how a "p" or a "t" is spoken (Goldman-Eisler, Psycholinguistics, 1968)."""
TURN_PAUSE_S = 0.5
"""A pause after which server VAD takes a turn for ended, where a client does not choose."""
SILENCE_DBFS = -60.0
"""Quieter than this is silence, as of FFmpeg's `silencedetect`: a thousandth of the full scale."""
SILENCE_S_MIN = 0.25
LEVEL_FRAME_SAMPLES = LISTENING_HZ // 50
CLIPPED_RUN = 3
"""Samples at full scale in a row: one alone may be a peak that just fits."""


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds from the start of the clip."""

    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Sound:
    """rms_dbfs, peak_dbfs: -inf where all samples are 0. clipped_s: how much of it is cut off at full scale.

    speech, silences: in order, apart from each other. background_dbfs: root mean square of what is no
    speech; None where all of it is.
    """

    seconds: float
    rms_dbfs: float
    peak_dbfs: float
    clipped_s: float
    speech: tuple[Span, ...]
    silences: tuple[Span, ...]
    background_dbfs: float | None

    @property
    def speech_s(self) -> float:
        return sum(span.seconds for span in self.speech)

    @property
    def silence_s(self) -> float:
        return sum(span.seconds for span in self.silences)

    @property
    def is_silent(self) -> bool:
        return self.peak_dbfs < SILENCE_DBFS

    @property
    def pauses(self) -> tuple[Span, ...]:
        """Between two stretches of speech, each of at least PAUSE_S."""
        return tuple(
            Span(before.end_s, after.start_s)
            for before, after in zip(self.speech, self.speech[1:], strict=False)
        )

    @property
    def n_turns(self) -> int:
        """Stretches of speech that pauses of TURN_PAUSE_S or more part. Who speaks, it does not know."""
        return bool(self.speech) + sum(pause.seconds >= TURN_PAUSE_S for pause in self.pauses)


def measured(samples: Samples, voice: npt.NDArray[np.float32]) -> Sound:
    """samples: at LISTENING_HZ, at least one. voice: (n_frames,), the probability of speech in each
    VOICE_FRAME_SAMPLES of them; what goes beyond them does not count.
    """
    seconds = len(samples) / LISTENING_HZ
    speech = tuple(_speech(voice, seconds))
    return Sound(
        seconds=seconds,
        rms_dbfs=_dbfs(_rms(samples)),
        peak_dbfs=_dbfs(float(np.abs(samples).max())),
        clipped_s=_n_clipped(samples) / LISTENING_HZ,
        speech=speech,
        silences=tuple(_silences(samples, seconds)),
        background_dbfs=_background_dbfs(samples, speech),
    )


# Where somebody speaks --------------------------------------------------------------------


def _speech(voice: npt.NDArray[np.float32], seconds: float) -> Iterator[Span]:
    frame_s = VOICE_FRAME_SAMPLES / LISTENING_HZ
    spoken = np.zeros(len(voice), np.bool_)
    in_speech = False
    for place, probability in enumerate(voice.tolist()):
        in_speech = probability >= (VOICE_ENDS if in_speech else VOICE_BEGINS)
        spoken[place] = in_speech
    spans = [Span(start * frame_s, min(end * frame_s, seconds)) for start, end in _runs(spoken)]
    for span in _joined(spans, PAUSE_S):
        if span.seconds >= SPEECH_S_MIN:
            yield span


def _joined(spans: Sequence[Span], gap_s: float) -> list[Span]:
    """The same where gaps shorter than that are none."""
    joined: list[Span] = []
    for span in spans:
        if joined and span.start_s - joined[-1].end_s < gap_s:
            joined[-1] = Span(joined[-1].start_s, span.end_s)
        else:
            joined.append(span)
    return joined


# How loud it is ---------------------------------------------------------------------------


def _silences(samples: Samples, seconds: float) -> Iterator[Span]:
    frame = LEVEL_FRAME_SAMPLES
    padded = np.pad(samples, (0, -len(samples) % frame)).reshape(-1, frame)
    quiet = np.sqrt(np.square(padded).mean(axis=1)) < 10 ** (SILENCE_DBFS / 20)
    for start, end in _runs(quiet):
        span = Span(start * frame / LISTENING_HZ, min(end * frame / LISTENING_HZ, seconds))
        if span.seconds >= min(SILENCE_S_MIN, seconds):
            yield span


def _background_dbfs(samples: Samples, speech: Sequence[Span]) -> float | None:
    is_background = np.ones(len(samples), np.bool_)
    for span in speech:
        is_background[round(span.start_s * LISTENING_HZ) : round(span.end_s * LISTENING_HZ)] = False
    rest = samples[is_background]
    return _dbfs(_rms(rest)) if len(rest) else None


def _n_clipped(samples: Samples) -> int:
    at_full_scale = np.abs(samples) >= 32767 / 32768
    return sum(end - start for start, end in _runs(at_full_scale) if end - start >= CLIPPED_RUN)


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _dbfs(amplitude: float) -> float:
    return float(20 * np.log10(amplitude)) if amplitude > 0 else -np.inf


def _runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(start, end) of each run of true ones."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
