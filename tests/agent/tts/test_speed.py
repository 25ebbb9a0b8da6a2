"""Speech at another speed: as much shorter or longer, its pitch and its words where they were."""

from functools import lru_cache

import numpy as np
import pytest

from agent.api import SPEAKING_HZ, AgentRequest, AudioDelta, TextPart, UserMessage
from agent.models.files import all_verified, verified
from agent.models.manifest import LEXICON, PIPER_JOE, PIPER_JOE_CONFIG
from agent.scripted.agent import RECITAL, ScriptedAgent
from agent.speech_text.pronunciation import Lexicon
from agent.tts.base import Samples
from agent.tts.pauses import shaped
from agent.tts.piper import PiperVoice

SENTENCE = "The quick brown fox jumps over the lazy dog, and nobody knows why it does so."


@lru_cache(1)
def piper() -> PiperVoice:
    return PiperVoice(verified(PIPER_JOE), verified(PIPER_JOE_CONFIG), Lexicon(all_verified(LEXICON)), 1)


def pitch_hz(samples: Samples) -> float:
    """The median of a man's pitch (70 to 180 Hz), where the autocorrelation of 50 ms shows one."""
    found = []
    for start in range(0, len(samples) - 1200, 1200):
        frame = samples[start : start + 1200]
        correlation = np.correlate(frame, frame, "full")[1199:]
        lags = correlation[SPEAKING_HZ // 180 : SPEAKING_HZ // 70]
        if lags.max() > 0.6 * correlation[0] > 0.05:
            found.append(SPEAKING_HZ / (SPEAKING_HZ // 180 + int(lags.argmax())))
    return float(np.median(found))


@pytest.mark.parametrize("speed", [0.25, 0.5, 1.5])
def test_piper_speaks_so_much_faster_at_the_same_pitch(speed: float) -> None:
    usual, other = piper().speak(SENTENCE).samples, piper().speak(SENTENCE, speed).samples
    assert len(usual) / len(other) == pytest.approx(speed, rel=0.12)
    # No reading is like another: the voice draws noise. Played faster it would be half as high again.
    assert pitch_hz(other) == pytest.approx(pitch_hz(usual), rel=0.22)


@pytest.mark.parametrize("speed", [0.25, 1.5])
def test_the_words_of_a_clause_end_where_they_are_spoken(speed: float) -> None:
    spoken = piper().speak(SENTENCE, speed)
    ends = [mark.text_end for mark in spoken.marks]
    assert ends == sorted(ends)
    assert ends[-1] >= len(SENTENCE) - 1
    assert spoken.marks[-1].sample <= len(spoken.samples)
    middle = next(mark.sample for mark in spoken.marks if mark.text_end >= len(SENTENCE) // 2)
    assert middle / len(spoken.samples) == pytest.approx(0.5, abs=0.15)


def test_pauses_are_as_much_shorter() -> None:
    sound = np.full(2400, 0.5, np.float32)
    pauses = [len(shaped(sound, ".", (), speed).samples) - len(sound) for speed in (0.5, 1.0, 1.5)]
    assert pauses[0] == 2 * pauses[1] == 3 * pauses[2] > 0


@pytest.mark.parametrize("speed", [0.25, 1.0, 1.5])
async def test_the_recital_too_in_pieces_that_a_transport_takes(speed: float) -> None:
    request = AgentRequest("s", "r", "", (UserMessage((TextPart("go"),)),), speed=speed)
    sound = [one async for one in ScriptedAgent().respond(request) if isinstance(one, AudioDelta)]
    seconds = sum(len(one.pcm) for one in sound) / (2 * SPEAKING_HZ)
    assert seconds == pytest.approx(10.0 / speed, rel=0.01)
    assert max(len(one.pcm) for one in sound) <= 2 * SPEAKING_HZ // 5
    ends = [one.text_end for one in sound]
    assert ends == sorted(ends)
    assert ends[-1] == len(RECITAL)
