"""Kokoro: what its model is asked for (pure), and what the real one says (`pytest -m kokoro`)."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.api import LISTENING_HZ, SPEAKING_HZ
from agent.models import files
from agent.models.embedded import build_embedded
from agent.models.files import ModelFileError, all_verified, present, verified
from agent.models.manifest import KOKORO, KOKORO_PARTS, KOKORO_VOICES, LEXICON, WHISPER_BASE
from agent.settings import AgentSettings
from agent.speech_text.letter_to_sound import sounded
from agent.speech_text.pronunciation import Lexicon
from agent.tts.base import Samples
from agent.tts.kokoro import MOST_TOKENS, STYLE_DIMENSIONS, KokoroVoice, kokoro_voices, tokens_of

LEAD, LOUD, TAIL = 7200, 240, 12000
"""Samples: silence, what one token lasts, silence."""


class _Model:
    """Remembers what it was asked for; every token is as long and as loud as the others."""

    def __init__(self) -> None:
        self.asked: list[tuple[Sequence[int], int]] = []

    def compute(self, tokens: Sequence[int], style: NDArray[np.float32], speed: float) -> Samples:
        self.asked.append((tokens, int(style[0])))
        loud = np.full(LOUD * len(tokens), 0.5)
        return np.concatenate([np.zeros(LEAD), loud, np.zeros(TAIL)]).astype(np.float32)


@pytest.fixture
def model() -> _Model:
    return _Model()


@pytest.fixture
def voice(model: _Model, tmp_path: Path) -> KokoroVoice:
    """A voice whose n-th style is full of n."""
    known = tmp_path / "lexicon.json"
    known.write_text(json.dumps({"city": "sˈɪɾi", "yes": "jˈɛs", "button": "bˈʌʔn"}))
    styles = np.repeat(np.arange(MOST_TOKENS, dtype=np.float32)[:, None], STYLE_DIMENSIONS, axis=1)
    return KokoroVoice(model.compute, styles, Lexicon([known]))


# Pure ------------------------------------------------------------------------------------


def test_words_are_parted_and_pauses_follow_at_once(voice: KokoroVoice, model: _Model) -> None:
    voice.speak(" Yes, yes.")
    yes = [52, 156, 86, 61]
    assert model.asked[0][0] == [*yes, 3, 16, *yes, 4]


def test_american_sounds_are_written_as_the_model_learned_them() -> None:
    assert tokens_of("sˈɪɾi") == tokens_of("sˈɪTi")
    assert tokens_of("bˈʌʔn") == tokens_of("bˈʌtn")


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz'", min_size=1, max_size=20))
def test_every_sound_that_a_rule_makes_has_a_token(word: str) -> None:
    assert len(tokens_of(sounded(word))) == len(sounded(word))


def test_the_style_is_the_one_for_as_many_tokens(voice: KokoroVoice, model: _Model) -> None:
    voice.speak("Yes.")
    tokens, style = model.asked[0]
    assert (len(tokens), style) == (5, 4)


@pytest.mark.parametrize("clause", ["", " ", "**", "...", " 👋 ", " 你好."])
def test_nothing_to_say_asks_nothing_of_the_model(voice: KokoroVoice, model: _Model, clause: str) -> None:
    assert len(voice.speak(clause).samples) == 0
    assert model.asked == []


def test_what_is_longer_than_the_model_holds_is_said_in_stretches(voice: KokoroVoice, model: _Model) -> None:
    clause = " ".join(["9,876,543"] * 22) + "."  # 220 characters, as the longest clause
    spoken = voice.speak(clause)
    assert len(model.asked) > 1
    assert max(len(tokens) for tokens, _ in model.asked) <= MOST_TOKENS
    assert sum(len(tokens) for tokens, _ in model.asked) > 3 * MOST_TOKENS  # nothing is left out
    samples, ends = zip(*((mark.sample, mark.text_end) for mark in spoken.marks), strict=True)
    assert list(samples) == sorted(samples)
    assert list(ends) == sorted(ends)
    assert ends[-1] == len(clause)


def test_silence_round_the_sound_counts_for_no_word(voice: KokoroVoice) -> None:
    spoken = voice.speak("Yes, city yes.")
    lead = int(0.02 * SPEAKING_HZ)
    # yes | , | " city" | " yes" | .
    assert [mark.sample for mark in spoken.marks] == [lead + LOUD * done for done in (4, 5, 11, 16, 17)]
    assert [mark.text_end for mark in spoken.marks] == [3, 4, 9, 13, 14]


def test_a_missing_voice_is_mended_by_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_spec", lambda _: None)
    for file in KOKORO:
        with pytest.raises(ModelFileError, match=r"is not installed: run `make kokoro`\.$"):
            verified(file)


# The real model --------------------------------------------------------------------------

_installed = pytest.mark.skipif(not present(KOKORO), reason="Kokoro is not installed: run `make kokoro`")


@pytest.fixture(scope="module")
def voices() -> dict[str, KokoroVoice]:
    styles = {name: verified(file) for name, file in KOKORO_VOICES.items()}
    return kokoro_voices(all_verified(KOKORO_PARTS), styles, Lexicon(all_verified(LEXICON)), 2)


@pytest.mark.kokoro
@_installed
def test_every_sound_of_the_lexicon_has_a_token() -> None:
    for path in all_verified(LEXICON):
        for entry in json.loads(path.read_text("utf-8")).values():
            for sound in [entry] if isinstance(entry, str) else entry.values():
                assert len(tokens_of(sound or "")) == len(sound or "")


@pytest.mark.kokoro
@_installed
@pytest.mark.parametrize("name", KOKORO_VOICES)
def test_every_voice_is_understood(voices: dict[str, KokoroVoice], name: str) -> None:
    whisper = pytest.importorskip("agent.asr.whisper", exc_type=ImportError)
    spoken = voices[name].speak("The train to London leaves at half past nine.")
    assert 1.5 < len(spoken.samples) / SPEAKING_HZ < 5
    assert 0.1 < np.abs(spoken.samples).max() <= 1.0
    pcm = (soxr.resample(spoken.samples, SPEAKING_HZ, LISTENING_HZ) * 32767).astype("<i2").tobytes()
    heard = whisper.Whisper(WHISPER_BASE, 2).recognise(pcm, "en").lower()
    assert "the train to london leaves at" in heard
    assert "past nine" in heard or "9" in heard


@pytest.mark.kokoro
@_installed
async def test_the_agent_that_is_asked_for_it_names_its_voices() -> None:
    pytest.importorskip("xllamacpp")
    lines: list[str] = []
    agent = await build_embedded(AgentSettings(recogniser="tiny.en", voice="kokoro"), lines.append)
    health = await agent.health()
    await agent.aclose()
    assert health.voices == ("af_heart", "am_michael")
    assert "loading the voice (Kokoro, af_heart and am_michael) ..." in lines
