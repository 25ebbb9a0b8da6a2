"""What is known of clips -> the sentences that tell it, to be read and to be spoken. Pure."""

import math
from collections.abc import Callable, Sequence

from agent.analysis.clip import SURE, Clip, name_of
from agent.analysis.phrases import NEEDS_HEARING, Topic
from agent.analysis.sound import PAUSE_S, SILENCE_DBFS, TURN_PAUSE_S, Sound, Span

NO_SPEECH = "There is no speech in it."
SOUND_IS_GONE = "I no longer have the sound of it, only its words."
WHO_HEARS = "Qwen2-Audio can, on a GPU of 24 GB or more: make run MODEL=Qwen/Qwen2-Audio-7B-Instruct"
QUIET_DBFS, LOUD_DBFS = -35.0, -12.0
"""Root mean square. Broadcast speech has about -23 (EBU R 128), a podcast -16."""
LIKELY = 0.5
"""Of a language's probability, from where on it is named as more than a guess."""
SPANS_TOLD = 5


def told(topics: Sequence[Topic], clips: Sequence[Clip]) -> str:
    """The answer. A transcript that alone is asked for is the words and nothing else.

    clips: at least one; their words and sound count only where a topic can be measured.
    """
    measured = [topic for topic in topics if topic not in NEEDS_HEARING]
    answers = [_of_clip(measured, clip) for clip in clips] if measured else []
    if len(answers) > 1:
        answers = [f"Clip {number}: {answer}" for number, answer in enumerate(answers, 1)]
    unheard = _unheard(topics)
    return "\n".join([*answers, *([unheard] if unheard else [])])


def noted(clips: Sequence[Clip]) -> str:
    """The same for a language model that is asked about the clips and reads their words alone."""
    facts = told(
        (
            Topic.DURATION,
            Topic.SPEECH,
            Topic.PAUSES,
            Topic.LEVEL,
            Topic.SILENCE,
            Topic.LANGUAGE,
            Topic.TRANSCRIPT,
        ),
        clips,
    )
    return (
        f"[Measured of the recording, for the question above: {facts} Its sound does not reach you, only the "
        "words that were recognised in it. What only hearing tells (feelings, who speaks, music, noises), "
        "say that you cannot tell.]"
    )


def nothing_said(clips: Sequence[Clip]) -> str:
    """To an instruction about words, where there are none."""
    known = [clip.sound for clip in clips if clip.sound is not None]
    if len(clips) > 1:
        return "There is no speech in any of the clips."
    if known and known[0].is_silent:
        return f"{NO_SPEECH} It is silent."
    return NO_SPEECH


def _of_clip(topics: Sequence[Topic], clip: Clip) -> str:
    if list(topics) == [Topic.TRANSCRIPT]:
        return clip.words if clip.words and not clip.is_unwritten else _transcript(clip)[0]
    sentences: list[str] = []
    for topic in topics:
        sentences += _SENTENCES[topic](clip)
    return " ".join(dict.fromkeys(sentences))


# What can be measured or recognised -------------------------------------------------------------


def _transcript(clip: Clip) -> list[str]:
    if clip.is_unwritten:
        return [f"Its words are {name_of(clip.sure_language)}, which I cannot write down."]
    if clip.words:
        return [f'The words are: "{clip.words}"']
    return (
        ["There is a voice in it, but I understand no words."] if clip.has_voice else [nothing_said([clip])]
    )


def _duration(clip: Clip) -> list[str]:
    return [SOUND_IS_GONE] if clip.sound is None else [f"It is {_seconds(clip.sound.seconds)} long."]


def _level(clip: Clip) -> list[str]:
    sound = clip.sound
    if sound is None:
        return [SOUND_IS_GONE]
    if not math.isfinite(sound.peak_dbfs):
        return ["It is digital silence: every sample is zero."]
    clipped = "nothing is clipped"
    if sound.clipped_s:
        clipped = f"{_number(sound.clipped_s * 1000)} ms of it are clipped"
    return [
        f"Its level is {_number(sound.rms_dbfs)} dBFS on average (RMS), with a peak of "
        f"{_number(sound.peak_dbfs)} dBFS, and {clipped}.",
        *_loudness(sound),
    ]


def _loudness(sound: Sound) -> list[str]:
    if sound.is_silent:
        return ["To an ear, that is silence."]
    if sound.rms_dbfs < QUIET_DBFS:
        return ["That is quiet."]
    if sound.rms_dbfs > LOUD_DBFS:
        return ["That is loud."]
    return ["That is a usual level for speech."] if sound.speech else []


def _speech(clip: Clip) -> list[str]:
    sound = clip.sound
    if sound is None:
        return ["There is speech in it." if clip.words else NO_SPEECH]
    if sound.speech:
        voice = "speech in it" if clip.words else "a voice in it whose words I do not understand"
        return [f"There is {voice}: {_seconds(sound.speech_s)}, {_places(sound.speech)}."]
    return ["There are words in it, too faint to say where."] if clip.words else [NO_SPEECH]


def _silence(clip: Clip) -> list[str]:
    sound = clip.sound
    if sound is None:
        return [SOUND_IS_GONE]
    quiet = f"quieter than {SILENCE_DBFS:g} dBFS"
    if sound.is_silent:
        return [f"All of it is silent ({quiet})."]
    told_of = [f"Nowhere is it silent ({quiet})."]
    if sound.silences:
        told_of = [f"{_seconds(sound.silence_s)} of it are silent ({quiet}): {_places(sound.silences)}."]
    if sound.speech:
        told_of.append(f"Nobody speaks for {_seconds(sound.seconds - sound.speech_s)} of it.")
    return told_of


def _pauses(clip: Clip) -> list[str]:
    sound = clip.sound
    if sound is None:
        return [SOUND_IS_GONE]
    if not sound.speech:
        return [NO_SPEECH]
    n_turns = _counted(sound.n_turns, "turn")
    turns = f"By pauses of {TURN_PAUSE_S:g} s or more, that is {n_turns}; who speaks, I cannot tell."
    if not sound.pauses:
        return [f"The speech in it has no pause of {PAUSE_S:g} s or more.", turns]
    longest = max(pause.seconds for pause in sound.pauses)
    found = _counted(len(sound.pauses), f"pause of {PAUSE_S:g} s or more", f"pauses of {PAUSE_S:g} s or more")
    return [
        f"The speech in it has {found}, {_places(sound.pauses)}; the longest lasts {_seconds(longest)}.",
        turns,
    ]


def _language(clip: Clip) -> list[str]:
    spoken = clip.language
    if not clip.has_voice:
        return [NO_SPEECH]
    if spoken is None and clip.sound is None:
        return [SOUND_IS_GONE]
    if spoken is None:
        return ["I cannot tell its language: the recogniser in use hears English alone."]
    share = f"{spoken.probability * 100:.0f} %"
    if spoken.probability >= SURE:
        return [f"It is {name_of(spoken.code)} ({share} sure)."]
    if spoken.probability >= LIKELY:
        return [f"It is probably {name_of(spoken.code)} ({share} sure)."]
    return [f"I am not sure of its language; {name_of(spoken.code)} is likeliest, with {share}."]


def _noise(clip: Clip) -> list[str]:
    sound = clip.sound
    if sound is None:
        return [SOUND_IS_GONE]
    if sound.background_dbfs is None:
        return ["Somebody speaks all the time, so what is behind the voice I cannot measure."]
    level = _number(sound.background_dbfs)
    if not sound.speech:
        return [
            f"Nobody speaks in it, and its level is {level} dBFS."
            if sound.peak_dbfs > -math.inf
            else "It is digital silence."
        ]
    if not math.isfinite(sound.background_dbfs):
        return ["Where nobody speaks, there is digital silence."]
    below = _number(sound.rms_dbfs - sound.background_dbfs)
    return [f"Where nobody speaks, its level is {level} dBFS, which is {below} dB below the whole."]


def _overview(clip: Clip) -> list[str]:
    kinds = (_duration, _speech, _transcript, _level)
    return [sentence for kind in kinds for sentence in kind(clip)]


_SENTENCES: dict[Topic, Callable[[Clip], list[str]]] = {
    Topic.TRANSCRIPT: _transcript,
    Topic.DURATION: _duration,
    Topic.LEVEL: _level,
    Topic.SPEECH: _speech,
    Topic.SILENCE: _silence,
    Topic.PAUSES: _pauses,
    Topic.LANGUAGE: _language,
    Topic.NOISE: _noise,
    Topic.OVERVIEW: _overview,
}


# What cannot --------------------------------------------------------------------------------------

_UNHEARD = {
    Topic.FEELING: "how somebody feels",
    Topic.SPEAKER: "who speaks",
    Topic.SOUNDS: "what else sounds in it",
    Topic.NOISE: "what kind of noise it is",
    Topic.OVERVIEW: "how it sounds",
}


def _unheard(topics: Sequence[Topic]) -> str:
    unheard = [_UNHEARD[topic] for topic in topics if topic in _UNHEARD]
    if not unheard:
        return ""
    return f"I measure sound and read words, but I cannot hear {_listed(unheard)}. {WHO_HEARS}"


# Words for numbers ----------------------------------------------------------------------------------


def _seconds(seconds: float) -> str:
    if seconds < 60:
        number = _number(seconds)
        return f"{number} second{'' if number == '1' else 's'}"
    minutes, rest = divmod(round(seconds), 60)
    told_minutes = _counted(minutes, "minute")
    return f"{told_minutes} and {_counted(rest, 'second')}" if rest else told_minutes


def _number(number: float) -> str:
    """One decimal, and none where it is a zero."""
    return f"{round(number, 1) + 0.0:.1f}".removesuffix(".0")


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def _places(spans: Sequence[Span]) -> str:
    places = [f"from {_number(span.start_s)} to {_number(span.end_s)} s" for span in spans[:SPANS_TOLD]]
    if len(spans) > SPANS_TOLD:
        places.append(f"{len(spans) - SPANS_TOLD} more times")
    return _listed(places)


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
