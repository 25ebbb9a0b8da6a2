"""Puts the embedded default together: a recogniser, a small language model and a voice, all on the CPU.

Three models share the cores and work one after the other for one user, so each may use them all;
what speaks while the brain still decodes gets by with less.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata

from agent import descriptions
from agent.analysis.analyst import Analyst
from agent.api import Agent, AgentRequest, AudioPart, Health, TextPart, UserMessage
from agent.asr.base import LANGUAGES, Recogniser
from agent.asr.queue import QueuedRecogniser
from agent.engine.chat_server.client import ChatServer, Timeouts
from agent.models.files import all_verified, present, verified
from agent.models.manifest import (
    KOKORO,
    KOKORO_PARTS,
    KOKORO_VOICES,
    LEXICON,
    PIPER_JOE,
    PIPER_JOE_CONFIG,
    SMOLLM2,
    WHISPER_BASE,
    WHISPER_TINY_EN,
)
from agent.responder import AnswerLimits, Responder
from agent.settings import AgentSettings
from agent.tts.base import ClauseVoice, Speech, Synthesiser
from agent.tts.threaded import ThreadedSynthesiser

Report = Callable[[str], None]

CORES_FOR_BASE = 2
"""Whisper base makes half of tiny.en's errors on real speech (4 % to 9 % of words), for 50 ms more on
two cores (tests/bench/bench_agent.py); on one core that would be felt."""
CORES_FOR_KOKORO = 4
"""Kokoro needs seven times the work of Piper (tests/bench/bench_voices.py): on two cores the user waits
for a second before its first word."""
MOST_THREADS = 4
"""More do not make models of this size faster."""


async def build_embedded(settings: AgentSettings, report: Report) -> Agent:
    """Load all models and warm them; report: takes a line for people, with seconds, per step.

    Raises ModelFileError, AgentError, and ValueError for a setting that cannot be used.
    """
    plan = plan_of(settings, cores(), present(KOKORO))
    # llama.cpp's own threads: imported late, so that a chat server needs none of it.
    from agent.engine.llama_cpp import INSTRUCTIONS_BYTES_MAX, LlamaCpp

    async with contextlib.AsyncExitStack() as loaded:
        recogniser, synthesiser = await recogniser_and_voice(plan, report, loaded)
        with step(report, "loading the language model (SmolLM2 135M)"):
            engine = await asyncio.to_thread(
                lambda: LlamaCpp(verified(SMOLLM2), plan.brain_threads, plan.answers)
            )
            loaded.push_async_callback(engine.aclose)
        with step(report, "warming the language model"):
            await engine.warm_up()
        health = health_of(
            "smollm2-135m-instruct", plan, "xllamacpp", descriptions.EMBEDDED, calls_tools=False
        )
        health = replace(health, instructions_bytes_max=INSTRUCTIONS_BYTES_MAX)
        analysis = _analyst(recogniser).answering
        agent = Responder(
            engine, recogniser, synthesiser, health, limits=answer_limits(settings), analysis=analysis
        )
        with step(report, "answering a first question to itself"):
            await _first_turn(agent)
        loaded.pop_all()
    return agent


async def build_chat_server(settings: AgentSettings, report: Report) -> Agent:
    """The same recogniser and voice with another language model: the server `llm_url` has it.

    Raises as `build_embedded` does.
    """
    if settings.model in ("auto", "embedded", ""):
        raise ValueError(
            f"--llm-url {settings.llm_url} needs the name of a model there: add --model NAME "
            "(make run MODEL=NAME)."
        )
    plan = plan_of(settings, cores(), present(KOKORO))
    async with contextlib.AsyncExitStack() as loaded:
        recogniser, synthesiser = await recogniser_and_voice(plan, report, loaded)
        timeouts = Timeouts(thinking_s=settings.llm_thinking_s)
        engine = ChatServer(
            settings.llm_url,
            settings.model,
            settings.llm_key,
            timeouts,
            context_tokens=settings.llm_context_tokens,
        )
        loaded.push_async_callback(engine.aclose)
        health = health_of(
            settings.model, plan, "httpx", descriptions.chat_server(settings.model), calls_tools=True
        )
        with step(report, "asking the chat server how much it reads"):
            await engine.ask_for_context()
        checked = await engine.checked(health)
        if checked.status == "away":
            report(checked.detail)
        with step(report, "speaking and hearing a first sentence"):
            await _first_sentence(synthesiser, recogniser)
        loaded.pop_all()
    limits = answer_limits(settings)
    analysis = _analyst(recogniser).noting
    return Responder(
        engine, recogniser, synthesiser, health, limits=limits, check=engine.checked, analysis=analysis
    )


def answer_limits(settings: AgentSettings) -> AnswerLimits:
    return AnswerLimits(settings.answer_tokens_max, settings.answer_s_max)


# What is loaded --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    recogniser: str
    voice: str
    threads: int
    answers: int  # decoded at the same time
    language: str

    @property
    def brain_threads(self) -> int:
        """llama.cpp's threads wait for each other after every layer, so each needs a core to itself.
        On two busy cores one thread decodes 110 tokens a second, two decode 4 to 40."""
        return max(1, self.threads // 2)


def plan_of(settings: AgentSettings, cores: int, kokoro_installed: bool = False) -> Plan:
    """Which recogniser and voice this machine gets. Raises ValueError for a name that is unknown."""
    if settings.threads < 0:
        raise ValueError(f"threads is {settings.threads}: expected 0 for all cores, or more")
    language = settings.language or "en"
    if language not in LANGUAGES:
        raise ValueError(f'the language must be one of {", ".join(LANGUAGES)}, not "{language}"')
    recogniser = settings.recogniser or ("base" if language != "en" or cores >= CORES_FOR_BASE else "tiny.en")
    if recogniser not in ("tiny.en", "base"):
        raise ValueError(f'the recogniser must be "tiny.en" or "base", not "{recogniser}"')
    if recogniser == "tiny.en" and language != "en":
        raise ValueError(f'the recogniser "tiny.en" hears English only, not "{language}": take "base"')
    threads = min(settings.threads or cores, MOST_THREADS)
    spared = kokoro_installed and min(cores, threads) >= CORES_FOR_KOKORO
    voice = settings.voice or ("kokoro" if spared else "piper")
    if voice not in ("piper", "kokoro"):
        raise ValueError(f'the voice must be "piper" or "kokoro", not "{voice}"')
    return Plan(recogniser, voice, threads, max(2, threads), language)


async def recogniser_and_voice(
    plan: Plan, report: Report, loaded: contextlib.AsyncExitStack
) -> tuple[Recogniser, Synthesiser]:
    from agent.asr.whisper import Whisper

    files = WHISPER_BASE if plan.recogniser == "base" else WHISPER_TINY_EN
    with step(report, f"loading the recogniser (Whisper {plan.recogniser})"):
        recogniser = QueuedRecogniser(await asyncio.to_thread(Whisper, files, plan.threads), plan.language)
        loaded.push_async_callback(recogniser.aclose)
    name = "Piper, joe" if plan.voice == "piper" else f"Kokoro, {' and '.join(KOKORO_VOICES)}"
    with step(report, f"loading the voice ({name})"):
        synthesiser = ThreadedSynthesiser(await asyncio.to_thread(_speakers, plan))
        loaded.push_async_callback(synthesiser.aclose)
    return recogniser, synthesiser


def _analyst(recogniser: Recogniser) -> Analyst:
    from agent.asr.voice import voice_probabilities

    return Analyst(recogniser, voice_probabilities)


def _speakers(plan: Plan) -> Mapping[str, ClauseVoice]:
    from agent.speech_text.pronunciation import Lexicon
    from agent.tts.kokoro import kokoro_voices
    from agent.tts.piper import PiperVoice

    lexicon = Lexicon(all_verified(LEXICON))
    if plan.voice == "kokoro":
        styles = {name: verified(file) for name, file in KOKORO_VOICES.items()}
        return kokoro_voices(all_verified(KOKORO_PARTS), styles, lexicon, plan.threads)
    return {"joe": PiperVoice(verified(PIPER_JOE), verified(PIPER_JOE_CONFIG), lexicon, plan.threads)}


def health_of(model: str, plan: Plan, engine: str, words: dict[str, str], calls_tools: bool) -> Health:
    packages = ("faster-whisper", "ctranslate2", "onnxruntime", engine)
    facts = {package: metadata.version(package) for package in packages}
    facts |= words | {"recogniser": f"whisper {plan.recogniser}", "device": f"cpu, {plan.threads} threads"}
    languages = LANGUAGES if plan.recogniser == "base" else ("en",)
    return Health("ready", model, transcribes=True, facts=facts, calls_tools=calls_tools, languages=languages)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# Warming: what runs for the first time is slower ------------------------------------------


async def _first_turn(agent: Responder) -> None:
    """One turn from end to end: what it says to itself, it hears."""
    question = UserMessage((TextPart("Hello, can you hear me?"),))
    speech = b""
    async for event in agent.respond(AgentRequest("warm", "warm", "", (question,))):
        speech += getattr(event, "pcm", b"")
    heard = AgentRequest("warm", "warm", "", (UserMessage((AudioPart(_to_listening(speech)),)),))
    await agent.warm(heard)


async def _first_sentence(synthesiser: Synthesiser, recogniser: Recogniser) -> None:
    async def clauses() -> AsyncIterator[str]:
        yield "Hello, can you hear me?"

    pieces = [piece async for piece in synthesiser.synthesise(clauses())]
    speech = b"".join(piece.pcm for piece in pieces if isinstance(piece, Speech))
    await recogniser.recognise(_to_listening(speech))


def _to_listening(pcm: bytes) -> bytes:
    """From SPEAKING_HZ to LISTENING_HZ, as roughly as warming may: two samples of three."""
    return b"".join(pcm[place : place + 4] for place in range(0, len(pcm) - 5, 6))


@contextlib.contextmanager
def step(report: Report, what: str) -> Iterator[None]:
    started = time.perf_counter()
    report(f"{what} ...")
    yield
    report(f"{what} ... {time.perf_counter() - started:.1f} s")
