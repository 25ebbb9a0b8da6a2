"""The embedded default by itself: how soon it hears, thinks and speaks, and how often it is right.

    python -m tests.bench.bench_agent [--json FILE] [--rounds N]

Prints a table and, where asked, writes JSON. Times are milliseconds of wall clock.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from agent.api import (
    LISTENING_HZ,
    SPEAKING_HZ,
    Agent,
    AgentRequest,
    AssistantMessage,
    AudioDelta,
    AudioPart,
    Message,
    StageDone,
    TextDelta,
    TextPart,
    UserMessage,
)
from agent.asr.whisper import Whisper
from agent.engine.base import EngineDone, EngineRequest
from agent.engine.llama_cpp import LlamaCpp
from agent.models.embedded import build_embedded
from agent.models.files import all_verified, verified
from agent.models.manifest import (
    LEXICON,
    PIPER_JOE,
    PIPER_JOE_CONFIG,
    SMOLLM2,
    WHISPER_BASE,
    WHISPER_TINY_EN,
)
from agent.settings import AgentSettings
from agent.speech_text.pronunciation import Lexicon
from agent.speech_text.speakable import speakable
from agent.tts.piper import PiperVoice
from tests.bench.questions import QUESTIONS, SENTENCES
from tests.speech import Utterance, utterances

Facts = dict[str, Any]
_CLIPS = [one for one in utterances() if one.language == "en" and one.transcript]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--rounds", type=int, default=1, help="how often each clip is spoken")
    options = parser.parse_args()
    facts: Facts = {"machine": _machine()}
    print(json.dumps(facts["machine"]))
    facts["turns"] = await _turns(options.rounds)
    facts["memory_mib"] = {"whole agent, at its largest": _peak_mib()}
    for name, files in (("tiny.en", WHISPER_TINY_EN), ("base", WHISPER_BASE)):
        facts[f"recognition {name}"] = _recognition(Whisper(files, _cores()), options.rounds)
    facts["language model"] = await _language_model()
    facts["voice"] = _voice()
    _print(facts)
    if options.json:
        options.json.write_text(json.dumps(facts, indent=1))


# Stages ----------------------------------------------------------------------------------


def _recognition(model: Whisper, rounds: int) -> Facts:
    times, errors, words = [], 0, 0
    for number in range(rounds):
        for clip in _CLIPS:
            started = time.perf_counter()
            heard = model.recognise(clip.pcm16k, "en")
            times.append(time.perf_counter() - started)
            if number == 0:
                wanted = _words(clip.transcript or "")
                errors += _distance(wanted, _words(heard))
                words += len(wanted)
    return {"ms": _quantiles(times), "word error %": round(100 * errors / words, 1), "words": words}


async def _language_model() -> Facts:
    engine = LlamaCpp(verified(SMOLLM2), _cores(), 2)
    await engine.warm_up()
    first: dict[int, list[float]] = {1: [], 6: []}
    for number in range(5):
        messages: list[Message] = []
        for turn in range(1, 7):
            question = QUESTIONS[(6 * number + turn) % len(QUESTIONS)][0]
            messages.append(UserMessage((TextPart(question),)))
            text, first_s = await _asked(engine, messages)
            if turn in first:
                first[turn].append(first_s)
            messages.append(AssistantMessage(text))
    right = await _right(engine)
    await engine.aclose()
    bare = LlamaCpp(verified(SMOLLM2), _cores(), 2, examples=())
    right_bare = await _right(bare)
    await bare.aclose()
    return {
        "first token, turn 1, ms": _quantiles(first[1]),
        "first token, turn 6, ms": _quantiles(first[6]),
        f"right of {len(QUESTIONS)}, with example turns": right,
        f"right of {len(QUESTIONS)}, without": right_bare,
    }


async def _right(engine: LlamaCpp) -> int:
    """How many of the everyday questions get an answer that holds what it must."""
    right = 0
    for question, answer in QUESTIONS:
        text, _ = await _asked(engine, [UserMessage((TextPart(question),))])
        right += bool(re.search(answer, text, re.IGNORECASE))
    return right


async def _asked(engine: LlamaCpp, messages: Sequence[Message]) -> tuple[str, float]:
    started, first_s, text = time.perf_counter(), 0.0, ""
    async for delta in engine.generate(EngineRequest("bench", "", tuple(messages))):
        if isinstance(delta, TextDelta):
            first_s = first_s or time.perf_counter() - started
            text += delta.text
        elif isinstance(delta, EngineDone):
            break
    return text, first_s


def _voice() -> Facts:
    voice = PiperVoice(
        verified(PIPER_JOE), verified(PIPER_JOE_CONFIG), Lexicon(all_verified(LEXICON)), _cores()
    )
    ears = Whisper(WHISPER_BASE, _cores())
    voice.speak("Warm.")
    times, spoken_s, errors, words = [], 0.0, 0, 0
    for sentence in SENTENCES:
        started = time.perf_counter()
        samples = voice.speak(sentence).samples
        times.append(time.perf_counter() - started)
        spoken_s += len(samples) / SPEAKING_HZ
        pcm = (soxr.resample(samples, SPEAKING_HZ, LISTENING_HZ) * 32767).astype("<i2").tobytes()
        wanted = _words(sentence)
        errors += _distance(wanted, _words(ears.recognise(pcm, "en")))
        words += len(wanted)
    return {
        "a sentence, ms": _quantiles(times),
        "rtf": round(sum(times) / spoken_s, 3),
        "word error when heard by Whisper base %": round(100 * errors / words, 1),
        "words": words,
    }


# Whole turns -----------------------------------------------------------------------------


async def _turns(rounds: int) -> Facts:
    agent = await build_embedded(AgentSettings(), print)
    facts: Facts = {}
    for warmed in (False, True):
        rows: dict[str, list[float]] = {}
        spoken_s = 0.0
        for number in range(rounds):
            for clip in _CLIPS:
                request = _request(clip, 2 * number + warmed)
                if warmed:
                    await agent.warm(request)
                spoken_s += await _turn(agent, request, rows)
        rtf = sum(rows["whole answer"]) / spoken_s
        facts["warmed" if warmed else "not warmed"] = {
            **{f"{name}, ms": _quantiles(times) for name, times in rows.items()},
            "rtf of the whole answer": round(rtf, 3),
        }
    await agent.aclose()
    return facts


async def _turn(agent: Agent, request: AgentRequest, rows: dict[str, list[float]]) -> float:
    """Add this turn's times to the rows; return the seconds of speech that it brought."""
    seen: dict[str, float] = {}
    spoken_s = 0.0
    started = time.perf_counter()
    async for event in agent.respond(request):
        now = time.perf_counter() - started
        match event:
            case TextDelta():
                seen.setdefault("first text", now)
            case AudioDelta():
                seen.setdefault("first audio", now)
                spoken_s += len(event.pcm) / 2 / SPEAKING_HZ
            case StageDone():
                seen[event.stage] = event.duration_ms / 1000
    seen["whole answer"] = time.perf_counter() - started
    for name, seconds in seen.items():
        rows.setdefault(name, []).append(seconds)
    return spoken_s


def _request(clip: Utterance, salt: int) -> AgentRequest:
    # One more sample of silence, so that the recogniser has not heard this clip before.
    pcm = clip.pcm16k + bytes(2 * (salt + 1))
    return AgentRequest(f"bench {clip.name} {salt}", "r", "", (UserMessage((AudioPart(pcm),)),))


# Figures ---------------------------------------------------------------------------------


def _words(text: str) -> list[str]:
    """As a listener counts them: figures spelled, hyphens apart, British and American alike."""
    said = speakable(text).lower().replace("-", " ").replace("favourite", "favorite")
    return re.findall(r"[a-z]+(?:'[a-z]+)?", said)


def _distance(wanted: Sequence[str], heard: Sequence[str]) -> int:
    """Words inserted, left out or put in place of others (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], number
        for place, other in enumerate(heard, start=1):
            diagonal, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, diagonal + (word != other)),
            )
    return row[-1]


def _quantiles(seconds: Sequence[float]) -> Facts:
    if not seconds:
        return {"n": 0}
    p50, p95, p99 = (round(1000 * float(np.quantile(seconds, q))) for q in (0.5, 0.95, 0.99))
    return {"p50": p50, "p95": p95, "p99": p99, "n": len(seconds)}


def _machine() -> Facts:
    return {
        "cores": _cores(),
        "processor": platform.processor() or platform.machine(),
        "load": os.getloadavg(),
    }


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _print(facts: Facts, indent: str = "") -> None:
    for name, fact in facts.items():
        if isinstance(fact, dict) and not {"p50", "n"} & fact.keys():
            print(f"{indent}{name}")
            _print(fact, indent + "  ")
        elif isinstance(fact, dict):
            print(f"{indent}{name:<40} " + "  ".join(f"{key} {value}" for key, value in fact.items()))
        else:
            print(f"{indent}{name:<40} {fact}")


if __name__ == "__main__":
    asyncio.run(main())
