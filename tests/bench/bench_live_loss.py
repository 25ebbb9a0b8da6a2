"""What speech recognition loses on its way from a file to a microphone: the same clips offline and live.

    python -m tests.bench.bench_live_loss [--clips 30] [--languages en,fr] [--loss 0.05 --jitter-ms 30]

Debian's announcements (tests/e2e/asterisk_sounds.py), the embedded recogniser (Whisper base), and Whisper's
basic normaliser for all languages. Live is at the pace of speech: all of it takes a quarter of an hour.
"""

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein
from whisper_normalizer.basic import BasicTextNormalizer

from agent.asr.queue import QueuedRecogniser
from agent.asr.whisper import Whisper
from agent.models.manifest import WHISPER_BASE
from evaluation.record import Answer
from evaluation.routes import live_webrtc, live_websocket, recogniser
from evaluation.routes.route import Question
from tests.bench import machine
from tests.conftest import running_server
from tests.e2e import asterisk_sounds
from tests.e2e.transcriber import Transcriber

RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Heard:
    """counts: (n_clips, 2), edits and reference words."""

    counts: np.ndarray
    answers: Sequence[Answer]

    def rate(self) -> tuple[float, float, float]:
        """Per cent, with the bounds of 95 % of resamples."""
        drawn = np.random.default_rng(0).integers(0, len(self.counts), (RESAMPLES, len(self.counts)))
        sums = self.counts[drawn].sum(axis=1)
        low, high = np.percentile(sums[:, 0] / sums[:, 1], (2.5, 97.5))
        edits, words = self.counts.sum(axis=0)
        return 100 * edits / words, 100 * low, 100 * high

    def delays(self, name: str) -> str:
        found = [answer.measures[name] for answer in self.answers if name in answer.measures]
        if not found:
            return ""
        return " / ".join(f"{value:.0f}" for value in np.percentile(found, (50, 95)))

    def total(self, name: str) -> int:
        return round(sum(answer.measures.get(name, 0) for answer in self.answers))


async def heard(module: Any, questions: Sequence[Question], sessions: int, *arguments: str) -> Heard:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    limit = asyncio.Semaphore(sessions)

    async with module.route(parser.parse_args(arguments)) as route:

        async def one(question: Question) -> Answer:
            async with limit:
                [outcome] = await route.ask([question])
            assert isinstance(outcome, Answer), outcome
            return outcome

        answers = await asyncio.gather(*map(one, questions))
    normalised = BasicTextNormalizer()
    counts = []
    for question, answer in zip(questions, answers, strict=True):
        reference = normalised(question.sample.reference).split()
        edits = Levenshtein.distance(reference, normalised(answer.response).split())
        counts.append((edits, len(reference)))
    return Heard(np.array(counts), answers)


async def bench(options: argparse.Namespace) -> None:
    ears = QueuedRecogniser(await asyncio.to_thread(Whisper, WHISPER_BASE, 2))
    print(f"Machine: {machine.describe()}; {options.clips} clips a language, {options.sessions} at once\n")
    print("language  way         error rate %  (95 %)         turns  missed  lost    end, words ms p50 / p95")
    async with running_server(Transcriber(ears)) as server:
        for language in options.languages.split(","):
            questions = asterisk_sounds.questions(language, options.clips)
            live = ("--url", server.http, "--live-text", "transcription")
            network = ("--loss", str(options.loss), "--jitter-ms", str(options.jitter_ms))
            ways = {
                "offline": await heard(recogniser, questions, 1),
                "websocket": await heard(live_websocket, questions, options.sessions, *live),
                "webrtc": await heard(live_webrtc, questions, options.sessions, *live, *network),
            }
            for way, came in ways.items():
                rate, low, high = came.rate()
                lost = f"{came.total('packets_lost')}/{came.total('packets_sent')}"
                print(
                    f"{language:9} {way:11} {rate:6.1f}        ({low:5.1f} to {high:5.1f}) "
                    f"{came.total('turns'):7} {came.total('speech_missed'):7}  {lost:9} "
                    f"{came.delays('endpoint_delay_ms'):12} {came.delays('transcript_delay_ms')}",
                    flush=True,
                )
            if options.texts:
                print_texts(questions, ways)


def print_texts(questions: Sequence[Question], ways: dict[str, Heard]) -> None:
    for at, question in enumerate(questions):
        texts = {way: came.answers[at].response for way, came in ways.items()}
        print(json.dumps({"said": question.sample.reference, **texts}, ensure_ascii=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=30)
    parser.add_argument("--languages", default=",".join(asterisk_sounds.LANGUAGES))
    parser.add_argument("--sessions", type=int, default=2, help="clips side by side")
    parser.add_argument("--loss", type=float, default=0.05, help="of the packets of a call")
    parser.add_argument("--jitter-ms", type=float, default=30.0)
    parser.add_argument("--texts", action="store_true", help="print what was said and understood")
    asyncio.run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
