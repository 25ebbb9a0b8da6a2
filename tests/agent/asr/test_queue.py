"""Recognition off the loop: each clip once, bounded, and gone when nobody waits."""

import asyncio
import threading

import pytest

from agent.api import AgentError
from agent.asr import queue
from agent.asr.base import SpokenLanguage
from agent.asr.queue import QueuedRecogniser
from tests.waiting import HANGS_S


class _Model:
    multilingual = True

    def __init__(self) -> None:
        self.calls: list[tuple[bytes, str]] = []
        self.begun = threading.Event()
        self.go = threading.Event()

    def recognise(self, pcm: bytes, language: str) -> str:
        self.calls.append((pcm, language))
        self.begun.set()
        self.go.wait(HANGS_S)
        return "words"

    def language(self, pcm: bytes) -> SpokenLanguage:
        return SpokenLanguage("fr", 0.9)


async def test_calls_on_the_same_audio_share_one_computation() -> None:
    model = _Model()
    recogniser = QueuedRecogniser(model)
    both = asyncio.gather(recogniser.recognise(b"ab" * 160), recogniser.recognise(b"ab" * 160))
    await asyncio.to_thread(model.begun.wait, HANGS_S)
    model.go.set()
    assert [heard.text for heard in await both] == ["words", "words"]
    assert (await recogniser.recognise(b"ab" * 160)).duration_s == 0.01
    assert len(model.calls) == 1
    await recogniser.aclose()


async def test_a_language_is_told_by_a_model_that_knows_several() -> None:
    model = _Model()
    recogniser = QueuedRecogniser(model)
    assert await recogniser.language(b"ab") == SpokenLanguage("fr", 0.9)
    model.multilingual = False
    assert await recogniser.language(b"ab") is None
    await recogniser.aclose()


async def test_another_language_is_another_computation() -> None:
    model = _Model()
    model.go.set()
    recogniser = QueuedRecogniser(model, "en")
    await recogniser.recognise(b"ab")
    await recogniser.recognise(b"ab", "fr")
    assert [language for _, language in model.calls] == ["en", "fr"]
    await recogniser.aclose()


async def test_one_caller_that_leaves_does_not_take_the_answer_from_another() -> None:
    model = _Model()
    recogniser = QueuedRecogniser(model)
    leaver = asyncio.create_task(recogniser.recognise(b"ab"))
    stayer = asyncio.create_task(recogniser.recognise(b"ab"))
    await asyncio.to_thread(model.begun.wait, HANGS_S)
    leaver.cancel()
    await asyncio.wait({leaver})
    model.go.set()
    assert (await stayer).text == "words"
    await recogniser.aclose()


async def test_a_clip_that_nobody_waits_for_is_not_recognised() -> None:
    model = _Model()
    recogniser = QueuedRecogniser(model)
    first = asyncio.create_task(recogniser.recognise(b"ab"))
    await asyncio.to_thread(model.begun.wait, HANGS_S)
    second = asyncio.create_task(recogniser.recognise(b"cd"))
    third = asyncio.create_task(recogniser.recognise(b"ef"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # both have begun to wait
    second.cancel()
    await asyncio.wait({second})
    model.go.set()
    await asyncio.gather(first, third)
    await recogniser.aclose()
    assert [pcm for pcm, _ in model.calls] == [b"ab", b"ef"]


async def test_a_flood_of_clips_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "WAITING_CLIPS", 1)
    model = _Model()
    recogniser = QueuedRecogniser(model)
    first = asyncio.create_task(recogniser.recognise(b"ab"))
    await asyncio.to_thread(model.begun.wait, HANGS_S)
    with pytest.raises(AgentError) as refused:
        await recogniser.recognise(b"cd")
    assert refused.value.code == "agent_overloaded"
    model.go.set()
    await first
    await recogniser.aclose()
