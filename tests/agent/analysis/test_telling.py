"""What is known of a clip is told in true sentences, and what is not known is said to be so."""

import math

import pytest

from agent.analysis.clip import Clip, name_of
from agent.analysis.phrases import NEEDS_HEARING, Topic
from agent.analysis.sound import Sound, Span
from agent.analysis.telling import NO_SPEECH, SOUND_IS_GONE, noted, nothing_said, told
from agent.asr.base import SpokenLanguage

SPOKEN = Sound(
    seconds=5.0,
    rms_dbfs=-23.04,
    peak_dbfs=-4.0,
    clipped_s=0.0,
    speech=(Span(0.5, 2.0), Span(2.5, 4.0)),
    silences=(Span(4.2, 5.0),),
    background_dbfs=-51.04,
)
SILENT = Sound(2.0, -math.inf, -math.inf, 0.0, (), (Span(0.0, 2.0),), -math.inf)
DOOR = Sound(1.0, -20.0, -1.0, 0.012, (), (), -20.0)
ENGLISH = SpokenLanguage("en", 0.98)
CLIP = Clip("Go forward.", SPOKEN, ENGLISH)


@pytest.mark.parametrize(
    ("topic", "clip", "answer"),
    [
        (Topic.TRANSCRIPT, CLIP, "Go forward."),
        (Topic.TRANSCRIPT, Clip("", SILENT), "There is no speech in it. It is silent."),
        (Topic.TRANSCRIPT, Clip("", DOOR), NO_SPEECH),
        (Topic.TRANSCRIPT, Clip("", SPOKEN), "There is a voice in it, but I understand no words."),
        (
            Topic.TRANSCRIPT,
            Clip("Hm.", SPOKEN, SpokenLanguage("ru", 0.95)),
            "Its words are Russian, which I cannot write down.",
        ),
        (Topic.TRANSCRIPT, Clip("Hm.", SPOKEN, SpokenLanguage("ru", 0.4)), "Hm."),
        (Topic.DURATION, CLIP, "It is 5 seconds long."),
        (Topic.DURATION, Clip("", DOOR), "It is 1 second long."),
        (
            Topic.LEVEL,
            CLIP,
            "Its level is -23 dBFS on average (RMS), with a peak of -4 "
            "dBFS, and nothing is clipped. That is a usual level for "
            "speech.",
        ),
        (
            Topic.LEVEL,
            Clip("", DOOR),
            "Its level is -20 dBFS on average (RMS), with a peak of -1 dBFS, and 12 ms of it are clipped.",
        ),
        (Topic.LEVEL, Clip("", SILENT), "It is digital silence: every sample is zero."),
        (Topic.SPEECH, CLIP, "There is speech in it: 3 seconds, from 0.5 to 2 s and from 2.5 to 4 s."),
        (Topic.SPEECH, Clip("", DOOR), NO_SPEECH),
        (
            Topic.SPEECH,
            Clip("", SPOKEN),
            "There is a voice in it whose words I do not understand: 3 "
            "seconds, from 0.5 to 2 s and from 2.5 to 4 s.",
        ),
        (Topic.SPEECH, Clip("Hm.", DOOR), "There are words in it, too faint to say where."),
        (
            Topic.SILENCE,
            CLIP,
            "0.8 seconds of it are silent (quieter than -60 dBFS): from "
            "4.2 to 5 s. Nobody speaks for 2 seconds of it.",
        ),
        (Topic.SILENCE, Clip("", DOOR), "Nowhere is it silent (quieter than -60 dBFS)."),
        (Topic.SILENCE, Clip("", SILENT), "All of it is silent (quieter than -60 dBFS)."),
        (
            Topic.PAUSES,
            CLIP,
            "The speech in it has 1 pause of 0.25 s or more, from 2 to "
            "2.5 s; the longest lasts 0.5 seconds. By pauses of 0.5 s or "
            "more, that is 2 turns; who speaks, I cannot tell.",
        ),
        (Topic.PAUSES, Clip("", DOOR), NO_SPEECH),
        (Topic.LANGUAGE, CLIP, "It is English (98 % sure)."),
        (
            Topic.LANGUAGE,
            Clip("Si.", SPOKEN, SpokenLanguage("it", 0.7)),
            "It is probably Italian (70 % sure).",
        ),
        (
            Topic.LANGUAGE,
            Clip("Si.", SPOKEN, SpokenLanguage("it", 0.3)),
            "I am not sure of its language; Italian is likeliest, with 30 %.",
        ),
        (
            Topic.LANGUAGE,
            Clip("Si.", SPOKEN),
            "I cannot tell its language: the recogniser in use hears English alone.",
        ),
        (Topic.LANGUAGE, Clip("", DOOR), NO_SPEECH),
    ],
)
def test_each_topic_is_told_of_what_the_clip_holds(topic: Topic, clip: Clip, answer: str) -> None:
    assert told([topic], [clip]) == answer


@pytest.mark.parametrize("topic", sorted(set(Topic) - NEEDS_HEARING, key=lambda topic: topic.value))
@pytest.mark.parametrize(
    "clip", [CLIP, Clip("", SILENT), Clip("", DOOR), Clip("Hm."), Clip(""), Clip("Hm.", DOOR)]
)
def test_there_is_an_answer_to_everything_of_everything(topic: Topic, clip: Clip) -> None:
    answer = told([topic], [clip])
    assert answer.strip()
    assert "inf" not in answer.split()
    assert "nan" not in answer.split()


@pytest.mark.parametrize(
    "topic", [Topic.DURATION, Topic.LEVEL, Topic.SILENCE, Topic.PAUSES, Topic.NOISE, Topic.LANGUAGE]
)
def test_of_a_clip_whose_sound_is_gone_nothing_is_made_up(topic: Topic) -> None:
    assert told([topic], [Clip("Go forward.")]).startswith(SOUND_IS_GONE)


@pytest.mark.parametrize("topic", sorted(NEEDS_HEARING, key=lambda topic: topic.value))
def test_what_takes_hearing_is_declined_with_the_command_of_a_model_that_hears(topic: Topic) -> None:
    answer = told([topic], [CLIP])
    assert "cannot hear" in answer
    assert "make run MODEL=Qwen/Qwen2-Audio-7B-Instruct" in answer


def test_what_is_known_is_told_beside_what_is_not() -> None:
    known, unknown = told([Topic.DURATION, Topic.FEELING, Topic.SPEAKER], [CLIP]).split("\n")
    assert known == "It is 5 seconds long."
    assert "how somebody feels and who speaks" in unknown


def test_several_clips_are_told_one_by_one_and_what_is_unknown_once() -> None:
    first, second, unknown = told([Topic.DURATION, Topic.SOUNDS], [CLIP, Clip("", DOOR)]).split("\n")
    assert (first, second) == ("Clip 1: It is 5 seconds long.", "Clip 2: It is 1 second long.")
    assert unknown.count("Qwen2-Audio can") == 1


def test_a_sentence_is_not_said_twice() -> None:
    assert told([Topic.SPEECH, Topic.TRANSCRIPT, Topic.PAUSES], [Clip("", DOOR)]) == NO_SPEECH


def test_an_instruction_about_words_where_there_are_none_is_told_so() -> None:
    assert nothing_said([Clip("", DOOR)]) == NO_SPEECH
    assert nothing_said([Clip("", SILENT)]) == f"{NO_SPEECH} It is silent."
    assert nothing_said([Clip("", DOOR), Clip("", SILENT)]) == "There is no speech in any of the clips."


@pytest.mark.parametrize(
    ("seconds", "words"), [(59.94, "59.9 seconds"), (60.0, "1 minute"), (125.4, "2 minutes and 5 seconds")]
)
def test_long_ones_are_told_in_minutes(seconds: float, words: str) -> None:
    assert words in told([Topic.DURATION], [Clip("", Sound(seconds, -20, -1, 0, (), (), -20))])


def test_a_note_for_another_model_holds_the_facts_and_what_it_cannot_know() -> None:
    note = noted([CLIP])
    for fact in ("5 seconds long", "-23 dBFS", "English", "Go forward."):
        assert fact in note
    assert "you cannot tell" in note


def test_a_language_without_a_name_has_its_code() -> None:
    assert name_of("ka") == 'the language with the code "ka"'
