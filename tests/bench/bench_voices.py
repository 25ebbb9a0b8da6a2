"""The embedded voices side by side: how soon each speaks, what it costs, how well it is understood.

    python -m tests.bench.bench_voices [--threads N] [--rounds N] [--json FILE]

Needs the voice Kokoro (`make kokoro`). The voices take turns sentence by sentence, so that a busy
machine slows both. "RTF" is seconds of wall clock per second of speech, "CPU" seconds of all cores;
silence that is trimmed from the speech was paid for, and does not count as speech.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import soxr

from agent.api import LISTENING_HZ, SPEAKING_HZ
from agent.asr.whisper import Whisper
from agent.models.files import all_verified, verified
from agent.models.manifest import (
    KOKORO_PARTS,
    KOKORO_VOICES,
    LEXICON,
    PIPER_JOE,
    PIPER_JOE_CONFIG,
    WHISPER_BASE,
)
from agent.speech_text.pronunciation import Lexicon
from agent.tts.base import ClauseVoice, Samples
from agent.tts.clauses import ClauseCutter
from agent.tts.kokoro import kokoro_voices
from agent.tts.piper import PiperVoice
from tests.bench.bench_agent import _distance, _machine, _peak_mib, _quantiles, _words
from tests.bench.questions import SENTENCES

Facts = dict[str, object]

SHORT_CLAUSE = "Well, to be honest,"


class Tally:
    """What one voice took and how it was heard."""

    def __init__(self) -> None:
        self.sentence_s: list[float] = []
        self.clause_s: list[float] = []
        self.first_s: list[float] = []
        self.cpu_s = self.spoken_s = 0.0
        self.errors = self.words = 0

    def facts(self) -> Facts:
        return {
            "RTF": round(sum(self.sentence_s) / self.spoken_s, 3),
            "CPU": round(self.cpu_s / self.spoken_s, 3),
            "first audio: a sentence, ms": _quantiles(self.sentence_s),
            "first audio: a sentence as it is cut, ms": _quantiles(self.first_s),
            f'first audio: "{SHORT_CLAUSE}", ms': _quantiles(self.clause_s),
            "word error heard by Whisper base, %": round(100 * self.errors / self.words, 1),
            "words": self.words,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=min(4, len(os.sched_getaffinity(0))))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    voices = _voices(options.threads)
    ears = Whisper(WHISPER_BASE, options.threads)
    tallies = {name: Tally() for name in voices}
    for voice in voices.values():
        voice.speak("Warm, and ready to speak.")
    for number in range(options.rounds):
        for sentence in SENTENCES:
            for name, voice in voices.items():
                _say(voice, sentence, tallies[name], ears if number == 0 else None)
    facts: Facts = {"machine": _machine(), "threads": options.threads, "memory_mib": _peak_mib()}
    facts |= {name: tally.facts() for name, tally in tallies.items()}
    print(json.dumps(facts, indent=1))
    if options.json:
        options.json.write_text(json.dumps(facts, indent=1))


def _voices(threads: int) -> dict[str, ClauseVoice]:
    lexicon = Lexicon(all_verified(LEXICON))
    styles = {name: verified(file) for name, file in KOKORO_VOICES.items()}
    return {
        "piper joe": PiperVoice(verified(PIPER_JOE), verified(PIPER_JOE_CONFIG), lexicon, threads),
        **kokoro_voices(all_verified(KOKORO_PARTS), styles, lexicon, threads),
    }


def _say(voice: ClauseVoice, sentence: str, tally: Tally, ears: Whisper | None) -> None:
    started = time.process_time()
    samples, seconds = _timed(lambda: voice.speak(sentence).samples)
    tally.cpu_s += time.process_time() - started
    tally.sentence_s.append(seconds)
    tally.spoken_s += len(samples) / SPEAKING_HZ
    cutter = ClauseCutter()
    first = (cutter.push(sentence) + cutter.finish())[0]
    tally.first_s.append(_timed(lambda: voice.speak(first).samples)[1])
    tally.clause_s.append(_timed(lambda: voice.speak(SHORT_CLAUSE).samples)[1])
    if ears is not None:
        pcm = (soxr.resample(samples, SPEAKING_HZ, LISTENING_HZ) * 32767).astype("<i2").tobytes()
        wanted, heard = _words(sentence), _words(ears.recognise(pcm, "en"))
        tally.errors += _distance(wanted, heard)
        tally.words += len(wanted)


def _timed(speak: Callable[[], Samples]) -> tuple[Samples, float]:
    started = time.perf_counter()
    samples = speak()
    return samples, time.perf_counter() - started


if __name__ == "__main__":
    main()
