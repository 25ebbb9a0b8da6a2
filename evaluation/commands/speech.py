"""`parlour eval speech`: spoken conversations (score, run) and spoken questions (convert, answers)."""

import argparse
import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from evaluation.datasets.voicebench import answered, convert
from evaluation.errors import EvaluationError
from evaluation.scoring.spoken.voicebench import METRICS, TASKS
from evaluation.speech.live.builtin import NAMES, builtin
from evaluation.speech.live.client import Held, Server, hold_all
from evaluation.speech.live.conversation import Conversation
from evaluation.speech.live.figures import EVENTS_MIN, Figure, figures, observations
from evaluation.speech.live.full_duplex_bench import backchannel_times, timing_distance
from evaluation.speech.live.observations import Observation
from evaluation.speech.live.playout import HZ
from evaluation.speech.live.scenario import Scenario, read_scenarios
from evaluation.speech.live.script import Script, read_script, write_script
from evaluation.speech.live.tracks import at_rate, read_both, read_track, write_both
from evaluation.speech.live.voice_activity import VAD_HZ, Samples, by_level, by_silero
from realtime.errors import SettingsError

HELP = "measure spoken conversations, live or recorded, and answers to spoken questions"
SOUND, EVENTS = "conversation.wav", "events.json"
REPEATS = 5
"""Each kind of event comes at least twice in a builtin scenario, and ten are needed for a figure."""
LATE_MS = 50.0
"""A moment that comes so much too late makes a live latency doubtful."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    whats = parser.add_subparsers(required=True, metavar="WHAT")

    def command(name: str, words: str, do: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = whats.add_parser(name, help=words, allow_abbrev=False)
        added.set_defaults(speech=do)
        return added

    score = command("score", "figures of a recorded conversation", _score)
    score.add_argument("--user", type=Path, help="WAV file of the user's side")
    score.add_argument("--assistant", type=Path, help="WAV file of the assistant's side")
    score.add_argument("--stereo", type=Path, help="both in one: left the user, right the assistant")
    score.add_argument("--events", type=Path, help="what the user did, and when (JSON)")
    score.add_argument("--recordings", type=Path, help="all conversations that `run` wrote to this folder")
    score.add_argument(
        "--assistant-voice",
        choices=("level", "silero"),
        default="level",
        help="how the assistant is heard: by level (digital silence between words), or as a microphone's",
    )
    score.add_argument(
        "--backchannel-times", type=Path, help="JSON list of seconds into a turn: people's, to compare with"
    )
    _add_output(score)

    live = command(
        "run", "hold scenarios with a server in real time, record both sides, and score them", _run
    )
    live.add_argument("--url", default="http://127.0.0.1:8080", help="server (default: this machine's)")
    live.add_argument("--key", default="", help="the server's key (default: the first of PARLOUR_KEYS)")
    live.add_argument("--model", default="", help="model to ask the server for")
    live.add_argument("--instructions", default="", help="instructions of the session")
    live.add_argument(
        "--turn-detection", choices=("server_vad", "semantic_vad"), help="default: the server's"
    )
    live.add_argument("--scenarios", default="builtin", help="a folder with scenarios (*.json), or builtin")
    live.add_argument("--only", action="append", default=[], help=f"of the builtin ones: {', '.join(NAMES)}")
    live.add_argument("--repeat", type=int, default=REPEATS, help=f"hold each so often (default {REPEATS})")
    live.add_argument("--sessions", type=int, default=1, help="hold so many side by side")
    live.add_argument("--out", type=Path, required=True, help="folder for recordings, events and figures")
    _add_output(live)

    converts = command("convert", "VoiceBench's Parquet to clips and JSON lines", _convert)
    converts.add_argument("parquet", type=Path)
    converts.add_argument("--task", choices=sorted(TASKS), required=True)
    converts.add_argument("--out", type=Path, required=True, help="folder for samples.jsonl and audio/")

    answers = command("answers", "score answers to VoiceBench's questions, as JSON", _answers)
    answers.add_argument("file", type=Path, help="JSON lines with `response`, or a run's records.jsonl")
    answers.add_argument("--task", choices=sorted(TASKS), required=True)


def run(options: argparse.Namespace) -> int:
    try:
        return int(options.speech(options))
    except SettingsError as error:
        raise EvaluationError(str(error)) from None


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, help="write figures and observations to this file")
    parser.add_argument(
        "--events-min",
        type=int,
        default=EVENTS_MIN,
        help=f"hide figures of fewer events (default {EVENTS_MIN})",
    )
    parser.add_argument("--list", action="store_true", help="list each event of each figure")


def _score(options: argparse.Namespace) -> int:
    reference_s = _seconds(options.backchannel_times) if options.backchannel_times is not None else None
    conversations = [_conversation(*one, options.assistant_voice) for one in _recordings(options)]
    _told([one for conversation in conversations for one in observations(conversation)], options)
    if reference_s is not None:
        times_s = [at_s for conversation in conversations for at_s in backchannel_times(conversation)]
        distance = timing_distance(times_s, reference_s)
        print(f"Jensen-Shannon distance of back-channel times (Full-Duplex-Bench): {distance:.3f}")
    return 0


def _run(options: argparse.Namespace) -> int:
    if options.repeat < 1 or options.sessions < 1:
        raise EvaluationError("expected --repeat and --sessions of at least 1.")
    scenarios = _scenarios(options)
    _make(options.out)
    server = Server(options.url, options.key, options.model, _session(options))
    observed: list[Observation] = []

    def told(held: Held) -> None:
        """Kept at once: what fails later loses nothing that was held."""
        folder = options.out / held.name
        _make(folder)
        write_both(folder / SOUND, held.user, held.assistant, HZ)
        write_script(folder / EVENTS, held.script)
        user, assistant = (at_rate(one, HZ, VAD_HZ) for one in (held.user, held.assistant))
        observed.extend(observations(_conversation(held.script, user, assistant, "level")))
        late = (
            f", a moment came {held.late_ms:.0f} ms late: is this machine busy?"
            if held.late_ms > LATE_MS
            else ""
        )
        refused = f", refused: {', '.join(held.error_codes)}" if held.error_codes else ""
        print(
            f"{held.name}: {len(held.script.events)} events in {len(held.user) / HZ:.1f} s{late}{refused}",
            flush=True,
        )

    asyncio.run(hold_all(server, scenarios, options.sessions, told))
    options.json = options.json or options.out / "figures.json"
    _told(observed, options)
    return 0


def _convert(options: argparse.Namespace) -> int:
    n = convert(TASKS[options.task], options.parquet, options.out)
    print(f"{n} questions of {options.task} in {options.out / 'samples.jsonl'}")
    return 0


def _answers(options: argparse.Namespace) -> int:
    task = TASKS[options.task]
    pairs = answered(task, options.file)
    references, responses = [one for one, _ in pairs], [other for _, other in pairs]
    scores: dict[str, Any] = {}
    for name in task.metrics:
        metric = METRICS[name]
        sums = metric.count(references, responses).sum(axis=0)
        scores[name] = {
            "score": float(metric.value(sums)),
            **dict(zip(metric.statistics, sums.tolist(), strict=True)),
            "signature": metric.signature,
        }
    published = {"qwen2_audio": task.qwen2_audio / 100, "n": task.n_samples}
    print(
        json.dumps({"task": task.name, "n": len(pairs), "scores": scores, "published": published}, indent=1)
    )
    return 0


def _conversation(script: Script, user: Samples, assistant: Samples, assistant_voice: str) -> Conversation:
    """user, assistant: at VAD_HZ."""
    heard = by_silero(assistant) if assistant_voice == "silero" else by_level(assistant, VAD_HZ)
    return Conversation.of(script, by_silero(user), heard)


def _recordings(options: argparse.Namespace) -> list[tuple[Script, Samples, Samples]]:
    """Scripts with both sides at VAD_HZ."""
    one_by_one = (options.user, options.assistant, options.stereo, options.events)
    if options.recordings is not None and not any(one_by_one):
        folders = sorted(path.parent for path in options.recordings.glob(f"*/{EVENTS}"))
        if not folders:
            raise EvaluationError(f"{options.recordings} holds no conversation: expected */{EVENTS}.")
        return [_recording(folder / EVENTS, *read_both(folder / SOUND, VAD_HZ)) for folder in folders]
    match one_by_one:
        case (None, None, Path() as stereo, Path() as events):
            return [_recording(events, *read_both(stereo, VAD_HZ))]
        case (Path() as user, Path() as assistant, None, Path() as events):
            return [_recording(events, read_track(user, VAD_HZ), read_track(assistant, VAD_HZ))]
        case _:
            raise EvaluationError(
                "expected --events with --user and --assistant or with --stereo; or --recordings alone."
            )


def _recording(events: Path, user: Samples, assistant: Samples) -> tuple[Script, Samples, Samples]:
    script = read_script(events)
    _check_within(script, max(len(user), len(assistant)) / VAD_HZ, events)
    return script, user, assistant


def _scenarios(options: argparse.Namespace) -> list[Scenario]:
    if options.scenarios == "builtin":
        return builtin(options.only or NAMES, options.repeat)
    if options.only:
        raise EvaluationError("--only chooses among the builtin scenarios.")
    written = read_scenarios(Path(options.scenarios))
    return [
        Scenario(f"{one.name} {turn + 1}", one.actions) for turn in range(options.repeat) for one in written
    ]


def _session(options: argparse.Namespace) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if options.instructions:
        asked["instructions"] = options.instructions
    if options.turn_detection:
        asked["audio"] = {"input": {"turn_detection": {"type": options.turn_detection}}}
    return asked


def _told(observed: Sequence[Observation], options: argparse.Namespace) -> None:
    found = figures(observed, options.events_min)
    if options.json is not None:
        told = {"version": 1, "events_min": options.events_min, "figures": found, "observations": observed}
        try:
            options.json.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")
        except OSError as error:
            raise EvaluationError(f"{options.json} cannot be written: {error.strerror}.") from None
    for line in _table(found):
        print(line)
    if options.list:
        for one in sorted(observed, key=lambda one: (one.figure, one.at_s)):
            print(f"{one.figure:32} {one.value:8.3f} at {one.at_s:7.2f} s  {one.label}")


def _table(found: Iterable[Figure]) -> Iterable[str]:
    yield f"{'figure':32} {'value':>8} {'95 % interval':>16} {'n':>5}  what"
    for one in found:
        better = "higher is better" if one.higher_is_better else "lower is better"
        if one.value is None or one.low is None or one.high is None:
            value, interval = "-", "too few"
        else:
            value, interval = f"{one.value:.3f}", f"{one.low:.3f} to {one.high:.3f}"
        yield f"{one.name:32} {value:>8} {interval:>16} {one.n:5}  {one.words} ({one.source}; {better})"


def _check_within(script: Script, seconds: float, path: Path) -> None:
    late = [event for event in script.events if event.start_s > seconds]
    if late:
        raise EvaluationError(
            f"{path}: the {late[0].kind} at {late[0].start_s:g} s lies after the end ({seconds:.1f} s)."
        )


def _seconds(path: Path) -> list[float]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[float])
    except (OSError, msgspec.MsgspecError) as error:
        raise EvaluationError(f"{path} is no JSON list of seconds: {error}.") from None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationError(f"{folder} cannot be made: {error.strerror}.") from None
