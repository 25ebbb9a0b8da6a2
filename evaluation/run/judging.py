"""A run's answers before a judge, beside the reference answers: `RUN/judge.jsonl`.

Each answer is judged twice, in both orders, for judges favour a place. A reply is kept by the hash of all
that it depends on, and never asked for again; what was refused is.
"""

import asyncio
import hashlib
import json
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from evaluation.errors import EvaluationError
from evaluation.record import Record
from evaluation.routes.judge import Judge
from evaluation.routes.route import Failure
from evaluation.run.appended_lines import AppendedLines, decoded_lines
from evaluation.run.asking import RETRIES, Patience, asked
from evaluation.run.folder_lock import FolderLock
from evaluation.run.limiter import Limiter
from evaluation.run.permits import Permits
from evaluation.scoring.judge import JudgeScore, Verdict, parsed

JUDGED = "judge.jsonl"
PROSE_TRIES = 3
"""Requests for a reply in the form that was asked for; then it counts as refused."""

Order = Literal["reference_first", "model_first"]
ORDERS: tuple[Order, ...] = ("reference_first", "model_first")


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `judge.jsonl`. key: the hash of judge, text and order.

    reference_mark, model_mark: 1 to 10; None where the judge refused, which `error` or `reply` tells.
    """

    key: str
    benchmark: str
    sample_id: str
    source: str
    order: Order
    reply: str = ""
    reference_mark: int | None = None
    model_mark: int | None = None
    error: str = ""

    @property
    def is_refused(self) -> bool:
        return self.model_mark is None


def judgements(path: Path) -> list[Judgement]:
    """The newest of each sample and order. path: the run's folder. Raises EvaluationError where damaged."""
    newest: dict[tuple[str, str, str], Judgement] = {}
    for one in _lines(path):
        newest[one.benchmark, one.sample_id, one.order] = one
    return list(newest.values())


def standing(marked: Sequence[Judgement]) -> list[str]:
    """A line for each source: what the model's and the reference answers got, and what was refused."""
    lines = []
    for source in dict.fromkeys(one.source for one in marked):
        ones = [one for one in marked if one.source == source]
        pairs = [
            (one.model_mark, one.reference_mark)
            for one in ones
            if one.model_mark is not None and one.reference_mark is not None
        ]
        refused = f", {len(ones) - len(pairs)} refused" if len(pairs) < len(ones) else ""
        if not pairs:
            lines.append(f"{source}: no marks{refused}")
            continue
        score = JudgeScore()
        of_model = float(score.value(score.count(_verdicts(ones)).sum(axis=0)))
        of_reference = sum(reference for _, reference in pairs) / len(pairs)
        wins = sum(model > reference for model, reference in pairs) / len(pairs)
        lines.append(
            f"{source}: {of_model:.2f} of 10 by {len(pairs):,} marks{refused}; the reference answers "
            f"{of_reference:.2f}; the model's was better in {100 * wins:.1f} %"
        )
    return lines


def _verdicts(ones: Iterable[Judgement]) -> list[Verdict]:
    replies: dict[tuple[str, str], dict[Order, str]] = {}
    for one in ones:
        replies.setdefault((one.benchmark, one.sample_id), {})[one.order] = one.reply
    return [
        Verdict(
            task="",
            reply_reference_first=both.get("reference_first"),
            reply_model_first=both.get("model_first"),
        )
        for both in replies.values()
    ]


class Judging:
    """The judge's part of a run. Holds the folder's lock while it works."""

    def __init__(
        self,
        folder: Path,
        judge: Judge,
        limiter: Limiter,
        *,
        say: Callable[[str], None] = lambda sentence: None,
        retries: int = RETRIES,
        uniform: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._folder = folder
        self._judge = judge
        self._limiter = limiter
        self._say = say
        self._retries = retries
        self._uniform = uniform
        self._sleep = sleep
        self._patience = Patience()

    async def judge_all(self, records: Sequence[Record]) -> list[Judgement]:
        """Returns what there is of these records; those without an answer are not judged."""
        lock = FolderLock(self._folder)
        try:
            kept = {one.key: one for one in _lines(self._folder) if not one.is_refused}
            lines = AppendedLines(self._folder / JUDGED)
            try:
                return await self._judge_open(list(_cases(records, self._judge)), kept, lines)
            finally:
                lines.close()
        finally:
            lock.release()

    async def _judge_open(
        self, cases: Sequence["_Case"], kept: Mapping[str, Judgement], lines: AppendedLines
    ) -> list[Judgement]:
        open_ = [case for case in cases if case.key not in kept]
        if open_:
            self._say(f"asking the judge for {len(open_):,} of {len(cases):,} marks")
        permits = Permits(self._limiter)
        places = asyncio.Semaphore(2 * self._limiter.most)
        made = dict(kept)

        async def one(case: _Case) -> None:
            try:
                judgement = await self._judged(case, permits)
                await lines.append(msgspec.json.encode(judgement))
                made[case.key] = judgement
            finally:
                places.release()

        try:
            async with asyncio.TaskGroup() as tasks:
                for case in open_:
                    await places.acquire()
                    tasks.create_task(one(case), name=f"judge {case.record.sample_id}")
        except* EvaluationError as group:
            raise group.exceptions[0] from None
        finally:
            permits.close()
        return [made[case.key] for case in cases]

    async def _judged(self, case: "_Case", permits: Permits) -> Judgement:
        outcome: str | Failure = Failure("it was not asked")
        for attempt in range(PROSE_TRIES):
            reminds = attempt > 0

            async def ask(reminds: bool = reminds) -> list[str | Failure]:
                return [await self._judge.asked(case.request, reminds)]

            [outcome], _ = await asked(ask, permits, self._uniform, self._retries, self._sleep)
            if isinstance(outcome, Failure) or parsed(outcome) is not None:
                break
        self._patience.seen(outcome if isinstance(outcome, Failure) else None)
        return case.judgement(outcome)


class _Case(msgspec.Struct, frozen=True):
    record: Record
    order: Order
    request: str
    key: str

    def judgement(self, outcome: str | Failure) -> Judgement:
        refused = Judgement(
            key=self.key,
            benchmark=self.record.benchmark,
            sample_id=self.record.sample_id,
            source=self.record.source,
            order=self.order,
        )
        fill = msgspec.structs.replace
        if isinstance(outcome, Failure):
            return fill(refused, error=outcome.message)
        marks = parsed(outcome)
        if marks is None:
            return fill(refused, reply=outcome, error="the judge gave no two marks")
        reference, model = marks if self.order == "reference_first" else reversed(marks)
        return fill(refused, reply=outcome, reference_mark=reference, model_mark=model)


def _cases(records: Iterable[Record], judge: Judge) -> Iterable[_Case]:
    description = json.dumps(dict(judge.description()), sort_keys=True)
    for record in records:
        if record.answer is None:
            continue
        for order in ORDERS:
            answers = [record.reference, record.response]
            first, second = answers if order == "reference_first" else reversed(answers)
            request = judge.request(
                {
                    "description": record.details.get("meta_info", ""),
                    "question": record.details.get("question", record.prompt),
                    "answer_1": first,
                    "answer_2": second,
                }
            )
            named = f"{description}\n{order}\n{request}"
            yield _Case(record, order, request, hashlib.sha256(named.encode()).hexdigest())


def _lines(path: Path) -> Iterator[Judgement]:
    return decoded_lines(path / JUDGED, Judgement, "a judgement")
