"""End of speech to the first text and to the first audio, with a real model.

    python -m tests.bench.bench_latency [--model embedded] [--count 36]

Recorded utterances, in a room, at real-time pace, one session at a time, on all cores; the silence
that the end of a turn takes is included. Time runs from when the last sample of speech was spoken
(the manifest's speech_end_ms) until the client has the event.
"""

import argparse
import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import uvloop

from tests.bench import machine, report
from tests.bench.gateway import running_gateway
from tests.bench.stats import Percentiles
from tests.bench.user import User, prepare, talking_user
from tests.speech import Utterance, utterances

_TURNS_A_SESSION = 6  # a conversation remembers; a new one begins after so many
_ANSWER_WITHIN_S = 30.0
_BETWEEN_S = 0.5


@dataclass(slots=True)
class Turn:
    """Times in ms from the end of speech. record: the gateway's own account of the turn."""

    name: str
    first_text_ms: float | None = None
    first_audio_ms: float | None = None
    record: dict[str, Any] = field(default_factory=dict)


async def bench_latency(model: str, count: int, arguments: tuple[str, ...] = ()) -> dict[str, Any]:
    spoken = utterances()[:count]
    prepare(spoken)
    turns: list[Turn] = []
    async with running_gateway("--model", model, *arguments, pinned=False) as gateway:
        for first in range(0, len(spoken), _TURNS_A_SESSION):
            async with talking_user(gateway.port) as user:
                together = spoken[first : first + _TURNS_A_SESSION]
                turns += [await _turn(user, utterance) for utterance in together]
    return _result(model, turns)


async def _turn(user: User, utterance: Utterance) -> Turn:
    await asyncio.sleep(_BETWEEN_S)
    ended_at = await user.say(utterance) + utterance.speech_end_ms / 1000
    turn, is_done = Turn(utterance.name), False
    give_up_at = time.perf_counter() + utterance.seconds + _ANSWER_WITHIN_S
    while not (is_done and turn.record):
        try:
            at, event = await user.next_event(give_up_at - time.perf_counter())
        except TimeoutError:
            return turn
        since_ms = (at - ended_at) * 1000
        match event["type"]:
            case "response.output_audio_transcript.delta" | "response.output_text.delta":
                turn.first_text_ms = turn.first_text_ms or since_ms
            case "response.output_audio.delta":
                turn.first_audio_ms = turn.first_audio_ms or since_ms
            case "response.done":
                is_done = True
            case "parlour.turn":
                turn.record = event["turn"]
            case _:
                pass
    return turn


def _result(model: str, turns: list[Turn]) -> dict[str, Any]:
    answered = [turn for turn in turns if turn.first_audio_ms is not None]
    stages: dict[str, list[float]] = {}
    for turn in answered:
        stages.setdefault("decision", []).append(turn.record.get("decision_ms") or 0.0)
        for stage, duration_ms in turn.record.get("stages", {}).items():
            stages.setdefault(stage, []).append(duration_ms)
    return {
        "model": model,
        "utterances": len(turns),
        "answered": len(answered),
        "first_text_ms": _percentiles([turn.first_text_ms for turn in answered]),
        "first_audio_ms": _percentiles([turn.first_audio_ms for turn in answered]),
        "stages_ms": {stage: Percentiles.of(values).shown() for stage, values in stages.items()},
        "turns": [
            {
                "name": turn.name,
                "first_text_ms": turn.first_text_ms and round(turn.first_text_ms),
                "first_audio_ms": turn.first_audio_ms and round(turn.first_audio_ms),
                "record": turn.record,
            }
            for turn in turns
        ],
    }


def _percentiles(values: list[float | None]) -> dict[str, float | None]:
    return Percentiles.of([value for value in values if value is not None]).shown()


def table(result: dict[str, Any]) -> str:
    whole = {"first text": result["first_text_ms"], "first audio": result["first_audio_ms"]}
    rows: list[list[object]] = [
        [what, *(figures[key] for key in ("n", "p50", "p95", "p99", "max"))]
        for what, figures in (*whole.items(), *result["stages_ms"].items())
    ]
    title = (
        f"End of speech to answer in ms, model {result['model']}, "
        f"{result['answered']} of {result['utterances']} utterances answered; then the parts"
    )
    return report.table(title, ["what", "n", "p50", "p95", "p99", "max"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--count", type=int, default=len(utterances()))
    parser.add_argument("--serve", default="", help="further arguments for parlour serve")
    options = parser.parse_args()
    facts = machine.describe()
    result = uvloop.run(bench_latency(options.model, options.count, tuple(options.serve.split())))
    print(table(result))
    print(report.save("latency", {"machine": facts, "results": [result]}))


if __name__ == "__main__":
    main()
