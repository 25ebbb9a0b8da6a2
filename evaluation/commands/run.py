"""`parlour eval run`: asks a model for an answer to every sample and keeps it. Given again, it goes on."""

import argparse
import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.errors import EvaluationError
from evaluation.routes.table import ROUTES, route_module

if TYPE_CHECKING:  # late, where they are used: a command that only says what is wrong needs no HTTP client
    from evaluation.routes.route import Route
    from evaluation.run.collected import Collected
    from evaluation.run.progress import Progress

HELP = "ask a model for an answer to each sample of a benchmark"
IN_FLIGHT_MAX = 128
_ASKED_RAW = ("asr", "s2tt", "ser", "vsc")
"""Tasks whose published figures were made with the base model's own prompt."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("benchmarks", nargs="*", metavar="BENCH", help="such as librispeech, meld, custom")
    add("--all", action="store_true", help="all benchmarks of the published tables whose data is there")
    add(
        "--data",
        action="append",
        default=[],
        metavar="FOLDER",
        help="where the data lies, or the list itself; BENCH=FOLDER for one benchmark alone; may come again",
    )
    add("--audio-root", metavar="FOLDER", help="where clips are looked for first")
    add("--out", type=Path, metavar="RUN", help="the run's folder; the same command goes on with it")
    add("--route", default="chat", choices=tuple(ROUTES), help="how the model is asked (%(default)s)")
    add("--limit", type=int, metavar="N", help="a random part of each benchmark, the same everywhere")
    add("--seed", type=int, default=0, help="of that part (%(default)s)")
    add("--in-flight-max", type=int, default=IN_FLIGHT_MAX, help="requests at once (%(default)s)")
    add("--retries", type=int, default=None, help="of a request before its sample counts as failed (8)")
    add("--dry-run", action="store_true", help="show one full request of each benchmark, and ask nothing")
    add("--judge-url", default="", help="benchmarks with a judge: its OpenAI-compatible server")
    add("--judge-model", default="", help="the judge, as that server calls it")
    add("--judge-key", default="", help="the judge's server's key (default: $OPENAI_API_KEY)")
    add("--judge-prompt", type=Path, metavar="FILE", help="another text for the judge, with its fields in {}")
    parser.epilog = "Options of a route: parlour eval run --route NAME --help"


def add_chosen_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """The options of the route that the command line names, or of the first where it names none."""
    parser.set_defaults(typed=tuple(arguments))
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--route", default="chat")
    chosen = finder.parse_known_args(arguments)[0].route
    if chosen in ROUTES:  # else the parser itself says so
        parser.conflict_handler = "resolve"  # a route knows best what a name of its own means
        route_module(chosen).add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Returns 0 where every sample is answered (and judged), 1 where some failed."""
    _check(options)
    from evaluation.run.collected import collect

    collected = collect(
        options.benchmarks,
        options.data,
        options.audio_root,
        takes_all=options.all,
        limit=options.limit,
        seed=options.seed,
    )
    route = route_module(options.route).route(options)
    if options.dry_run:
        return _show(route, collected)
    return asyncio.run(_run(options, route, collected))


def _check(options: argparse.Namespace) -> None:
    if options.out is None and not options.dry_run:
        raise EvaluationError("expected --out RUN, the folder that keeps the answers")
    if options.in_flight_max < 1:
        raise EvaluationError(f"--in-flight-max is {options.in_flight_max}: expected at least 1")
    if options.retries is not None and options.retries < 0:
        raise EvaluationError(f"--retries is {options.retries}: expected 0 or more")
    if bool(options.judge_url) != bool(options.judge_model):
        raise EvaluationError("a judge needs both --judge-url and --judge-model")


def _show(route: "Route", collected: "Collected") -> int:
    from evaluation.routes.route import Question
    from evaluation.run.collected import read_clip

    for benchmark in collected.benchmarks:
        sample = next(one for one in collected.samples if one.benchmark == benchmark.name)
        n = collected.n_samples()[benchmark.name]
        print(f"{benchmark.name}, sample {sample.sample_id} of {n:,} ({sample.audio}):")
        print(route.request_shown(Question(sample, read_clip()(sample.audio).pcm)), end="\n\n")
    return 0


async def _run(options: argparse.Namespace, route: "Route", collected: "Collected") -> int:
    from evaluation.run.asking import RETRIES
    from evaluation.run.collected import converter, metric_of, read_clip
    from evaluation.run.limiter import Limiter
    from evaluation.run.manifest import begin
    from evaluation.run.progress import Progress
    from evaluation.run.run_folder import RunFolder
    from evaluation.run.runner import Runner

    progress = Progress(collected.n_samples(), metric_of(collected.benchmarks))
    _remark(options, collected, progress)
    with RunFolder(options.out) as folder:
        async with route:
            limiter = Limiter(min(route.in_flight_max, options.in_flight_max))
            progress.in_flight = lambda: limiter.in_flight
            begin(
                options.out,
                route.description(),
                collected.samples,
                command=("parlour", "eval", "run", *options.typed),
                now=datetime.now(UTC),
                converter=converter(),
                limit=options.limit,
                seed=options.seed,
            )
            folder.put_samples(collected.samples)
            retries = RETRIES if options.retries is None else options.retries
            runner = Runner(route, folder, read_clip(), limiter, progress, retries=retries)
            try:
                await runner.answer_all(collected.samples)
            finally:
                progress.end()
    is_complete = _tell_of(options.out, collected, progress)
    return 0 if await _judge(options, collected, progress) and is_complete else 1


def _remark(options: argparse.Namespace, collected: "Collected", progress: "Progress") -> None:
    """What a person should know before the first request."""
    for sentence in collected.left_out:
        progress.say(sentence)
    if missing := collected.missing():
        progress.say(
            f"{len(missing):,} of {len(collected.samples):,} clips are missing, {missing[0].audio} first: "
            "parlour eval check lists them"
        )
    if options.route == "chat" and not options.raw_prompt:
        from evaluation.routes.chat_server import NO_RAW_PROMPT

        if any(one.task in _ASKED_RAW and one.dataset for one in collected.benchmarks):
            progress.say(NO_RAW_PROMPT)


def _tell_of(run: Path, collected: "Collected", progress: "Progress") -> bool:
    """How complete the run is, a line for each benchmark; returns whether it is."""
    from evaluation.run.run_folder import completeness, records

    names = {benchmark.name for benchmark in collected.benchmarks}
    found = [record for record in records(run) if record.benchmark in names]
    counts = completeness(found)
    for name, one in counts.items():
        line = f"{name}: {one.answered:,} of {one.samples:,} answered"
        if not one.is_complete:
            failed = next(record for record in found if record.benchmark == name and record.answer is None)
            line += (
                f"; {one.samples - one.answered:,} failed and count as empty until the same command has "
                f"their answers; the first, {failed.sample_id}: {failed.error}"
            )
        progress.say(line)
    progress.say(f"parlour eval report {run}")
    return all(one.is_complete for one in counts.values())


async def _judge(options: argparse.Namespace, collected: "Collected", progress: "Progress") -> bool:
    """Ask for the marks that are missing, where a benchmark needs any. Returns whether none is missing."""
    judged = {one.benchmark for one in collected.samples if collected.is_judged(one)}
    if not judged:
        return True
    if not options.judge_url:
        progress.say(
            f"{', '.join(sorted(judged))} has answers and no marks: the same command with --judge-url and "
            "--judge-model asks a judge"
        )
        return False
    from evaluation.routes.judge import PROMPT, Judge, read_prompt
    from evaluation.routes.openai_server import KEY_VARIABLE
    from evaluation.run.judging import Judging, standing
    from evaluation.run.limiter import Limiter
    from evaluation.run.manifest import add_judge
    from evaluation.run.run_folder import records

    prompt = read_prompt(options.judge_prompt) if options.judge_prompt else PROMPT
    key = options.judge_key or os.environ.get(KEY_VARIABLE, "")
    async with Judge(options.judge_url, options.judge_model, key, prompt) as judge:
        add_judge(options.out, judge.description(), datetime.now(UTC))
        limiter = Limiter(options.in_flight_max)
        found = [record for record in records(options.out) if record.benchmark in judged]
        marks = await Judging(options.out, judge, limiter, say=progress.say).judge_all(found)
    for line in standing(marks):
        progress.say(line)
    return not any(one.is_refused for one in marks)
