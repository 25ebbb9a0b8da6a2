"""The builtin scenarios: some minutes with every kind of event, out of clips that lie on the machine.

Speech is the checkout's (tests/data/speech: public domain, BSD, MIT). What the checkout has no clip of comes
from Debian's
packages, and is read where they put it: sounds from sonic-pi-samples (CC0), music from
asterisk-moh-opsound-g722 (CC BY-SA). No package has coughs or "mm-hm": a burp stands for the first, one word
cut short and a made hum for the others.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.errors import EvaluationError
from evaluation.speech.live.playout import HZ
from evaluation.speech.live.scenario import Action, Scenario, said
from evaluation.speech.live.script import Kind
from evaluation.speech.live.tracks import read_sound
from evaluation.speech.live.voice_activity import Samples

SPEECH = Path(__file__).parents[3] / "tests" / "data" / "speech"
SOUNDS = Path("/usr/share/sonic-pi/samples")
MUSIC = Path("/usr/share/asterisk/moh")
_PACKAGES = {SOUNDS: "apt-get install sonic-pi-samples", MUSIC: "apt-get install asterisk-moh-opsound-g722"}
NAMES = (
    "turns",
    "pauses",
    "barge-in",
    "back-channels",
    "coughs",
    "side talk",
    "music",
    "noises",
    "in silence",
)
_QUESTIONS = ("something", "goforward", "cards_005", "lecture_17", "librivox_0880", "lecture_03")
_INTERRUPTIONS = ("cards_001", "cards_003", "cards_002")
_SIDE_TALK = ("lecture_14", "lecture_16", "lecture_05")
_NOISES = ("perc_door.flac", "perc_impact1.flac", "elec_bell.flac")


def builtin(names: Sequence[str] = NAMES, repeats: int = 1) -> list[Scenario]:
    """repeats: how often each, with other clips. Raises EvaluationError, which names the package that is
    missing."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise EvaluationError(f"'{unknown[0]}' is no builtin scenario: expected one of {', '.join(NAMES)}.")
    return [Scenario(f"{name} {turn + 1}", _actions(name, turn)) for turn in range(repeats) for name in names]


def _actions(name: str, turn: int) -> tuple[Action, ...]:
    """turn: which repetition; it chooses the clips."""
    opening = _turn(turn)
    match name:
        case "turns":
            # Each next turn stops the answer before it: a whole one may take long.
            return (opening, *(_interruption(turn + number, 1.0) for number in range(2)))
        case "pauses":
            pauses = ((0.3, 0.5), (0.7, 1.0))[turn % 2]
            return tuple(_paused(turn + number, pause_s, number) for number, pause_s in enumerate(pauses))
        case "barge-in":
            return (opening, *(_interruption(turn + number, 1.5) for number in range(3)))
        case "back-channels":
            return (opening, *_over([_hum(), _one_word(), _hum(0.9)], "backchannel"))
        case "coughs":
            cough = _sound(SOUNDS, "misc_burp.flac", 1.0)
            return (opening, *_over([cough, cough], "cough", gain_db=-6))
        case "side talk":
            talk = [_speech(_SIDE_TALK[(turn + number) % 3]) for number in (0, 1)]
            return (opening, *_over(talk, "side_talk", gain_db=-14))
        case "music":
            file = sorted(MUSIC.glob("*.g722"))
            piece = _sound(MUSIC, file[turn % len(file)].name if file else "*.g722", 15.0)
            return (opening, *_over([piece[6 * HZ : 9 * HZ], piece[12 * HZ :]], "music", gain_db=-10))
        case "noises":
            return (opening, *_over([_sound(SOUNDS, one, 1.5) for one in _NOISES], "noise"))
        case _:
            cough, aside = _sound(SOUNDS, "misc_burp.flac", 1.0), _speech(_SIDE_TALK[turn % 3])
            return (
                said([cough], "cough", after="start", delay_s=0.5, gain_db=-6, label="cough in silence"),
                said([aside], "side_talk", delay_s=3.0, gain_db=-14, label="side talk in silence"),
            )


def _turn(turn: int) -> Action:
    clip = _speech(_QUESTIONS[turn % len(_QUESTIONS)])
    return said([clip], "turn", after="start", delay_s=0.5, label="question")


def _paused(turn: int, pause_s: float, number: int) -> Action:
    """One turn out of two clips; after the first one, it interrupts the answer before."""
    clips = [_speech(_QUESTIONS[(turn + one) % len(_QUESTIONS)]) for one in (0, 2)]
    label = f"a pause of {pause_s:g} s"
    if number == 0:
        return said(clips, "turn", after="start", delay_s=0.5, pause_s=pause_s, label=label)
    return said(clips, "interruption", after="answer_start", delay_s=1.2, pause_s=pause_s, label=label)


def _interruption(turn: int, delay_s: float) -> Action:
    clip = _speech(_INTERRUPTIONS[turn % len(_INTERRUPTIONS)])
    return said([clip], "interruption", after="answer_start", delay_s=delay_s, label="barge-in")


def _over(clips: Sequence[Samples], kind: Kind, gain_db: float = 0.0) -> list[Action]:
    """Sounds over one answer, the first 1.2 s into it, the others 1.5 s after each other."""
    return [
        said(
            [clip],
            kind,
            after="previous" if number else "answer_start",
            delay_s=1.5 if number else 1.2,
            gain_db=gain_db,
            label=kind,
        )
        for number, clip in enumerate(clips)
    ]


def _speech(name: str) -> Samples:
    path = SPEECH / f"{name}.wav"
    if not path.exists():
        raise EvaluationError(
            f"{path} is missing: the builtin scenarios need a checkout's speech; or give --scenarios DIR."
        )
    return read_sound(path, HZ, 30.0)


def _sound(folder: Path, name: str, s_max: float) -> Samples:
    path = folder / name
    if not path.exists():
        raise EvaluationError(f"{path} is missing: {_PACKAGES[folder]}")
    return read_sound(path, HZ, s_max)


def _one_word() -> Samples:
    """The first "five" of two."""
    word = _speech("cards_004")[round(0.2 * HZ) : round(0.72 * HZ)].copy()
    fade = round(0.03 * HZ)
    word[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return word


def _hum(pitch: float = 1.0) -> Samples:
    """Like "mm-hm": two hums of a closed mouth, the second higher, a breath between them."""
    hums = []
    for seconds, hz in ((0.18, 118 * pitch), (0.24, 142 * pitch)):
        at_s = np.arange(round(seconds * HZ)) / HZ
        phase = 2 * np.pi * np.cumsum(hz * (1 - 0.08 * at_s / seconds)) / HZ
        # A nasal murmur: a strong first formant near 250 Hz, little above.
        tone = sum(np.sin(n * phase) / (1 + (n * hz / 260) ** 2) for n in range(1, 12))
        envelope = np.minimum(1, np.minimum(at_s, at_s[::-1]) / 0.04)
        hums.append((0.25 * envelope * tone).astype(np.float32))
    return np.concatenate([hums[0], np.zeros(round(0.06 * HZ), np.float32), hums[1]])
