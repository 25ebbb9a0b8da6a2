"""One HTML file that needs nothing else: no foreign host, no script, and a content policy that forbids both.

Answers of a model are text of strangers: every one is escaped (autoescape), and were one not, the policy lets
no script run and nothing be fetched.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evaluation.report import charts, units
from evaluation.report.alignment import Piece, n_units_left_out, side_by_side
from evaluation.report.clips import ReadClip, Sound, embedded
from evaluation.report.comparison import flat
from evaluation.report.model import ChangedSample, Example, Report

_FOLDER = Path(__file__).parent
_STYLES = ("report.css", "charts_and_samples.css")
_POLICY = (
    "default-src 'none'; style-src 'sha256-{digest}'; media-src data:; base-uri 'none'; form-action 'none'"
)
N_CLIPS_A_SOURCE = 8
"""Played and shown side by side; the other worst samples are listed."""


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """Two texts as compared, in marked pieces; left_out: units of the answer that are not shown."""

    reference: list[Piece]
    response: list[Piece]
    left_out: int


def to_html(report: Report, read_clip: ReadClip | None = None, clips_bytes_max: int = 12 << 20) -> str:
    """read_clip: None embeds no sound. Raises nothing for a clip that cannot be read: the report says so."""
    sounds = embedded(_worth_hearing(report), read_clip, clips_bytes_max) if read_clip is not None else {}
    style = "".join((_FOLDER / name).read_text() for name in _STYLES)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            report=report,
            style=Markup(style),  # our own file
            policy=_POLICY.format(digest=digest),
            systems={at: charts.systems(scores, report.run) for at, scores in enumerate(report.sources)},
            settings=flat(report.manifest),
            scoring=flat(report.scoring),
            sounds=sounds,
            n_clips=N_CLIPS_A_SOURCE,
        )
    )


def _worth_hearing(report: Report) -> Iterator[str]:
    """The worst of each source in turns, so that a full report has some of each."""
    listed = [
        [example.audio for example in scores.failures.worst[:N_CLIPS_A_SOURCE]] for scores in report.sources
    ]
    if report.comparison is not None:
        listed += [
            [changed.audio for changed in source.regressions[:N_CLIPS_A_SOURCE]]
            for source in report.comparison.sources
        ]
    for at in range(N_CLIPS_A_SOURCE):
        yield from (paths[at] for paths in listed if at < len(paths) and paths[at])


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": units.figure_text,
        "difference": units.difference_text,
        "interval": units.interval_text,
        "published": units.published_text,
        "seconds": units.seconds_text,
        "measure": units.measure_text,
        "signed_measure": units.signed_measure_text,
        "time_interval": units.time_interval_text,
    }
    environment.globals |= {
        "texts_of": _texts_of,
        "texts_of_change": _texts_of_change,
        "durations": charts.durations,
        "latencies": charts.latencies,
        "silent": Sound(),
        "task_name": task_name,
    }
    return environment


def _texts_of(example: Example) -> Texts:
    return _side_by_side(example.reference_compared, example.response_compared)


def _texts_of_change(changed: ChangedSample, of: str) -> Texts:
    response = changed.response_a_compared if of == "a" else changed.response_b_compared
    return _side_by_side(changed.reference_compared, response)


def _side_by_side(reference: str, response: str) -> Texts:
    left, right = side_by_side(reference, response)
    return Texts(reference=left, response=right, left_out=n_units_left_out(response))


_TASKS: Mapping[str, str] = {
    "asr": "speech recognition",
    "s2tt": "speech translation",
    "ser": "emotion",
    "vsc": "vocal sounds",
    "chat": "chat about audio",
    "spoken": "spoken questions",
    "sound": "sounds",
}


def task_name(task: str) -> str:
    return _TASKS.get(task, task)
