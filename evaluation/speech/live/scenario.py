"""What the user does in a conversation, and when: a scenario, out of a JSON file and clips.

    {"name": "back-channels",
     "actions": [
       {"kind": "turn", "clips": ["one.wav", "two.wav"], "pause_s": 0.8, "after": "start", "delay_s": 0.5},
       {"kind": "backchannel", "clips": ["mm.wav"], "after": "answer_start", "delay_s": 1.5, "gain_db": -6}]}

Clips are beside the file. Several clips of one action are said with a pause between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from evaluation.errors import EvaluationError
from evaluation.speech.live.playout import HZ
from evaluation.speech.live.script import Kind
from evaluation.speech.live.segments import Segment
from evaluation.speech.live.tracks import at_rate, read_sound
from evaluation.speech.live.voice_activity import VAD_HZ, Samples, by_level, by_silero

After = Literal["start", "previous", "answer_start", "answer_end"]
CLIP_S_MAX = 60.0
EDGE_S = 0.06
"""So much is kept before and after the voice of a clip: ends of words are softer than a detector hears."""


@dataclass(frozen=True, slots=True)
class Action:
    """One sound of the user's. samples: at HZ.

    span, pauses: where in the samples the voice is, and the silences that were put into it, in seconds.
    after, delay_s: it begins so long after the start of the conversation, the end of the action before, or
    the start or end of the answer to the last turn.
    """

    kind: Kind
    samples: Samples
    span: Segment
    pauses: tuple[Segment, ...] = ()
    after: After = "previous"
    delay_s: float = 0.0
    label: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    actions: tuple[Action, ...]


class _ActionOnFile(msgspec.Struct, forbid_unknown_fields=True):
    kind: Kind
    clips: list[str]
    after: After = "previous"
    delay_s: float = 0.0
    pause_s: float = 0.0
    gain_db: float = 0.0
    label: str = ""


class _ScenarioOnFile(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    actions: list[_ActionOnFile]


def read_scenarios(folder: Path) -> list[Scenario]:
    """All *.json of a folder, in the order of their names. Raises EvaluationError."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise EvaluationError(f"{folder} holds no scenario: expected files *.json.")
    scenarios = [_read(file) for file in files]
    for one in scenarios:
        if (
            "/" in one.name
            or one.name.startswith(".")
            or sum(one.name == other.name for other in scenarios) > 1
        ):
            raise EvaluationError(
                f"{folder}: expected names that are unlike and can be folders, got {one.name!r}."
            )
    return scenarios


def said(
    clips: Sequence[Samples],
    kind: Kind,
    *,
    after: After = "previous",
    delay_s: float = 0.0,
    pause_s: float = 0.0,
    gain_db: float = 0.0,
    label: str = "",
) -> Action:
    """An action out of clips at HZ, each cut to its voice (music and noise: to what is not silent)."""
    pieces, pauses, at_s = [], [], 0.0
    span_start_s = span_end_s = 0.0
    for number, clip in enumerate(clips):
        voice = _voice(clip, kind)
        begin, end = max(0, round((voice.start_s - EDGE_S) * HZ)), round((voice.end_s + EDGE_S) * HZ)
        cut = clip[begin:end]
        voice_start_s, voice_end_s = at_s + voice.start_s - begin / HZ, at_s + voice.end_s - begin / HZ
        if number == 0:
            span_start_s = voice_start_s
        else:
            pauses.append(Segment(span_end_s, voice_start_s))
        span_end_s = voice_end_s
        silence = np.zeros(
            round(max(0.0, pause_s - 2 * EDGE_S) * HZ) if number + 1 < len(clips) else 0, np.float32
        )
        pieces += [cut, silence]
        at_s += (len(cut) + len(silence)) / HZ
    samples = np.clip(np.concatenate(pieces) * np.float32(10 ** (gain_db / 20)), -1, 1)
    return Action(kind, samples, Segment(span_start_s, span_end_s), tuple(pauses), after, delay_s, label)


def _voice(clip: Samples, kind: Kind) -> Segment:
    """From its first to its last sound; by level where there is no voice that Silero knows."""
    heard: tuple[Segment, ...] = ()
    if kind in ("turn", "interruption", "side_talk"):
        heard = by_silero(at_rate(clip, HZ, VAD_HZ))
    heard = heard or by_level(clip, HZ)
    if not heard:
        raise EvaluationError(f"a clip for a {kind} holds nothing but silence.")
    return Segment(heard[0].start_s, min(heard[-1].end_s, len(clip) / HZ))


def _read(file: Path) -> Scenario:
    try:
        written = msgspec.json.decode(file.read_bytes(), type=_ScenarioOnFile)
    except OSError as error:
        raise EvaluationError(f"{file} cannot be read: {error.strerror}.") from None
    except msgspec.MsgspecError as error:
        raise EvaluationError(f"{file} holds no scenario: {error}.") from None
    actions = []
    for number, one in enumerate(written.actions, 1):
        if not one.clips:
            raise EvaluationError(f"{file}, action {number}: expected at least one clip.")
        clips = [read_sound(file.parent / name, HZ, CLIP_S_MAX) for name in one.clips]
        try:
            actions.append(
                said(
                    clips,
                    one.kind,
                    after=one.after,
                    delay_s=one.delay_s,
                    pause_s=one.pause_s,
                    gain_db=one.gain_db,
                    label=one.label or f"{written.name} {number}",
                )
            )
        except EvaluationError as error:
            raise EvaluationError(f"{file}, action {number}: {error}") from None
    return Scenario(written.name, tuple(actions))
