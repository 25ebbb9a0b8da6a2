"""What a person sees of a run: how far it is, how long it will take, what fails, and the score so far."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from evaluation.record import Record
from evaluation.scoring.metric import Metric

DRAWN_EVERY_S = 0.2
TOLD_EVERY_S = 30.0
"""In a log, where each line stays."""
ETA_AFTER = 3
"""Answers of this process: fewer tell no speed."""

MetricOf = Callable[[str, str], Metric | None]
"""The metric of a benchmark's source; None where it has none that can be computed on the way."""


class Progress:
    """One line that is drawn over in a terminal, a line now and then elsewhere.

    n_samples: by benchmark. in_flight: asked when a line is drawn. Texts of answers are never shown.
    """

    def __init__(
        self,
        n_samples: Mapping[str, int],
        metric_of: MetricOf | None = None,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        in_flight: Callable[[], int] = lambda: 0,
    ) -> None:
        self._n_samples = n_samples
        self._metric_of = metric_of
        self._out = out or sys.stderr
        self._is_terminal = self._out.isatty()
        self._clock = clock
        self.in_flight = in_flight
        self._began_at = self._last_at = clock()
        self._n_kept = self._n_answered = self._n_failed = 0
        self._scores: dict[str, _Scores] = {}
        self._benchmark = next(iter(n_samples), "")
        self._drawn = ""

    def kept(self, record: Record) -> None:
        """Answered by an earlier process."""
        self._n_kept += 1
        self._seen(record)

    def came(self, record: Record) -> None:
        """Answered, or given up, just now."""
        if record.answer is None:
            self._n_failed += 1
        else:
            self._n_answered += 1
        self._seen(record)

    def line(self) -> str:
        n_done = self._n_kept + self._n_answered + self._n_failed
        n_all = sum(self._n_samples.values())
        parts = [f"{self._benchmark} {n_done:,}/{n_all:,}"]
        n_now = self._n_answered + self._n_failed
        elapsed_s = self._clock() - self._began_at
        if n_now >= ETA_AFTER and elapsed_s > 0:
            per_s = n_now / elapsed_s
            parts += [f"{per_s:.3g}/s", f"{shown_s((n_all - n_done) / per_s)} left"]
        parts.append(f"{self.in_flight()} in flight")
        if self._n_failed:
            parts.append(f"{self._n_failed:,} failed")
        if scores := self._scores.get(self._benchmark):
            parts += scores.shown()
        return " · ".join(parts)

    def say(self, sentence: str) -> None:
        """A line that stays."""
        self._erase()
        print(sentence, file=self._out, flush=True)

    def end(self) -> None:
        self._erase()
        print(self.line(), file=self._out, flush=True)

    def _seen(self, record: Record) -> None:
        self._benchmark = record.benchmark
        if self._metric_of is not None:
            if record.benchmark not in self._scores:
                self._scores[record.benchmark] = _Scores(self._metric_of)
            self._scores[record.benchmark].add(record)
        now = self._clock()
        if now - self._last_at >= (DRAWN_EVERY_S if self._is_terminal else TOLD_EVERY_S):
            self._last_at = now
            self._draw()

    def _draw(self) -> None:
        line = self.line()
        if self._is_terminal:
            print(f"\r{line}\x1b[K", end="", file=self._out, flush=True)
            self._drawn = line
        else:
            print(line, file=self._out, flush=True)

    def _erase(self) -> None:
        if self._drawn:
            print("\r\x1b[K", end="", file=self._out)
            self._drawn = ""


class _Scores:
    """Of one benchmark: of its sources with one metric together."""

    def __init__(self, metric_of: MetricOf) -> None:
        from evaluation.run.running_score import RunningScore  # late: numpy, in a process that may have none

        self._new = RunningScore
        self._metric_of = metric_of
        self._scores: dict[str, RunningScore] = {}

    def add(self, record: Record) -> None:
        metric = self._metric_of(record.benchmark, record.source)
        if metric is None:
            return
        if metric.name not in self._scores:
            self._scores[metric.name] = self._new(metric)
        self._scores[metric.name].add(record)

    def shown(self) -> list[str]:
        return [str(score) for score in self._scores.values()]


def shown_s(seconds: float) -> str:
    """1:02:03, 2:03 or 0:07."""
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{s:02}" if hours else f"{minutes}:{s:02}"
