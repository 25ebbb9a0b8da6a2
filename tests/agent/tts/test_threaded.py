"""The thread that speaks: short pieces, soft joints, a true place in the text."""

import asyncio
import threading
from collections.abc import AsyncIterator

import numpy as np
import pytest

from agent.api import SPEAKING_HZ, AgentError
from agent.tts import threaded
from agent.tts.base import Mark, SpokenClause
from agent.tts.fake import fake_synthesiser
from agent.tts.pauses import QUIET, shaped
from agent.tts.threaded import ThreadedSynthesiser, pieces_of
from tests.waiting import HANGS_S


async def _clauses(*clauses: str) -> AsyncIterator[str]:
    for clause in clauses:
        yield clause


async def test_pieces_are_short_and_the_text_end_reaches_the_whole_text() -> None:
    voice = fake_synthesiser()
    clauses = ("One two three,", " four five.", " **", " Six.")
    pieces = [piece async for piece in voice.synthesise(_clauses(*clauses))]
    await voice.aclose()
    assert all(0 < len(piece.pcm) <= 2 * SPEAKING_HZ // 5 for piece in pieces)
    assert sum(len(piece.pcm) for piece in pieces) == 6 * 2 * SPEAKING_HZ // 5
    ends = [piece.text_end for piece in pieces]
    assert ends == sorted(ends)
    assert ends[-1] == len("".join(clauses))
    assert ends[0] == 0  # in the middle of it, none
    assert ends[1] == len("One")  # after its 200 ms the first word has been said, and no more


def test_a_clause_begins_and_ends_softly() -> None:
    loud = SpokenClause(np.full(4800, 0.9, np.float32), (Mark(4800, 3),))
    samples = np.frombuffer(b"".join(piece.pcm for piece in pieces_of(loud, 0, 3)), "<i2")
    assert abs(int(samples[0])) < 300
    assert abs(int(samples[-1])) < 300
    assert np.abs(np.diff(samples.astype(int))).max() < 400  # no step that clicks


def test_silence_round_a_clause_is_cut_and_the_pause_fits_the_punctuation() -> None:
    sound = np.concatenate([np.zeros(4800), np.full(2400, 0.5), np.zeros(9600)]).astype(np.float32)
    sentence, phrase = shaped(sound, ".", (Mark(6000, 4),)), shaped(sound, ",", ())
    assert len(sentence.samples) > len(phrase.samples)
    assert np.flatnonzero(np.abs(sentence.samples) > 0.1)[0] == int(0.02 * SPEAKING_HZ)
    assert sentence.marks == (Mark(6000 - 4800 + int(0.02 * SPEAKING_HZ), 4),)


def test_between_two_sentences_there_is_a_fifth_of_a_second() -> None:
    sound = np.concatenate([np.zeros(4800), np.full(2400, 0.5), np.zeros(9600)]).astype(np.float32)
    spoken = [shaped(sound, ".", ()).samples for _ in range(2)]
    loud = np.flatnonzero(np.concatenate(spoken) > QUIET)
    assert np.diff(loud).max() == pytest.approx(0.2 * SPEAKING_HZ, abs=2)


class _Held:
    """A voice that waits in its thread until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.spoken: list[str] = []

    def speak(self, clause: str, speed: float = 1.0) -> SpokenClause:
        self.begun.set()
        self.go.wait(HANGS_S)
        self.spoken.append(clause)
        return SpokenClause(np.zeros(240, np.float32), ())


async def test_closing_leaves_the_later_clauses_unspoken() -> None:
    held = _Held()
    voice = ThreadedSynthesiser({"held": held})
    speech = voice.synthesise(_clauses("first", "second"))
    first = asyncio.ensure_future(anext(speech))
    await asyncio.to_thread(held.begun.wait, HANGS_S)
    first.cancel()
    await asyncio.wait({first})
    await speech.aclose()
    held.go.set()
    await voice.aclose()
    assert held.spoken == ["first"]


async def test_too_many_waiting_clauses_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threaded, "WAITING_CLAUSES", 1)
    held = _Held()
    voice = ThreadedSynthesiser({"held": held})
    first = asyncio.ensure_future(anext(voice.synthesise(_clauses("a"))))
    await asyncio.to_thread(held.begun.wait, HANGS_S)
    with pytest.raises(AgentError, match="too many"):
        await anext(voice.synthesise(_clauses("b")))
    held.go.set()
    await first
    await voice.aclose()


async def test_conversations_take_turns_clause_by_clause() -> None:
    held = _Held()
    held.go.set()
    voice = ThreadedSynthesiser({"held": held})

    async def speak(name: str) -> None:
        async for _ in voice.synthesise(_clauses(f"{name}1", f"{name}2", f"{name}3")):
            pass

    await asyncio.gather(speak("a"), speak("b"))
    await voice.aclose()
    assert held.spoken == ["a1", "b1", "a2", "b2", "a3", "b3"]
