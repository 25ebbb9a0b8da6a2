"""Gets an answer for every sample that has none yet, as fast as the route takes them.

Samples that a route answers together are neighbours in the file, from fixed boundaries: which ones does not
depend on what an earlier process has left. A batch of which one is missing is asked again whole, for an
answer depends on its neighbours. Records are written as answers come.
"""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import EvaluationError
from evaluation.record import Answer, Record
from evaluation.routes.route import Failure, Question, Route
from evaluation.run.asking import RETRIES, Patience, asked
from evaluation.run.limiter import Limiter
from evaluation.run.permits import Permits
from evaluation.run.progress import Progress
from evaluation.run.record_key import Asked, keys
from evaluation.run.run_folder import RunFolder
from evaluation.sample import Sample

AHEAD_MOST = 8
"""Batches whose clips are read before there is a place for them."""
UNSYNCED_MOST = 512
"""Batches that are answered and written while a slow disk has not acknowledged them."""


class Clip(Protocol):
    """What `datasets/clip.py` reads. pcm: (n_samples,) float32 at route.SAMPLE_HZ. sha256: of the file."""

    @property
    def pcm(self) -> NDArray[np.float32]: ...

    @property
    def sha256(self) -> str: ...

    @property
    def seconds(self) -> float: ...


ReadClip = Callable[[str], Clip]
"""Blocks. Raises EvaluationError, one sentence that names the file."""


Written = tuple[Record, Awaitable[None]]
"""A record, and what is done when it is on the disk."""


class Runner:
    """One run of one route over some samples. route: entered. permits: how many requests it gets at once."""

    def __init__(
        self,
        route: Route,
        folder: RunFolder,
        read_clip: ReadClip,
        limiter: Limiter,
        progress: Progress,
        *,
        retries: int = RETRIES,
        uniform: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        patience: Patience | None = None,
    ) -> None:
        self._route = route
        self._description = route.description()
        self._folder = folder
        self._read_clip = read_clip
        self._permits = Permits(limiter)
        self._progress = progress
        self._retries = retries
        self._uniform = uniform
        self._sleep = sleep
        self._patience = patience or Patience()
        self._under_way = 0  # batches that are read, wait or are asked
        self._n_unsynced = 0  # batches that are answered, and not acknowledged
        self._room = asyncio.Event()

    async def answer_all(self, samples: Sequence[Sample]) -> None:
        """Returns when every sample has a record. Raises EvaluationError where going on is in vain."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for batch in batches(samples, self._route.batch_size):
                    await self._until_room()
                    self._under_way += 1
                    tasks.create_task(self._batch(batch), name=f"sample {batch[0].sample_id}")
        except BaseExceptionGroup as group:
            raise _told(group) from group
        finally:
            self._permits.close()

    async def _until_room(self) -> None:
        while self._under_way >= self._under_way_most() or self._n_unsynced >= UNSYNCED_MOST:
            self._room.clear()
            await self._room.wait()

    def _under_way_most(self) -> int:
        """As many as may be asked, and some that are read meanwhile."""
        limit = self._permits.limiter.limit
        return limit + min(limit, AHEAD_MOST)

    async def _batch(self, batch: Sequence[Sample]) -> None:
        try:
            written = await self._answer(batch)
        finally:
            self._under_way -= 1
            self._room.set()
        self._n_unsynced += 1
        for record, synced in written:
            await synced
            self._progress.came(record)
        self._n_unsynced -= 1
        self._room.set()

    async def _answer(self, batch: Sequence[Sample]) -> list[Written]:
        """Returns what it has written, to be waited for."""
        if all(self._kept(sample) for sample in batch):
            hashes = await asyncio.to_thread(lambda: [self._hashed(sample) for sample in batch])
            if self._are_answered(batch, self._keys(batch, hashes)):
                self._pass_over(batch)
                return []
        clips = await asyncio.to_thread(lambda: [self._read(sample) for sample in batch])
        heard: list[tuple[Sample, Clip]] = []
        written: list[Written] = []
        for sample, clip in zip(batch, clips, strict=True):
            if not isinstance(clip, str):
                heard.append((sample, clip))
            elif self._kept(sample):
                self._pass_over([sample])  # its clip is gone, its answer is not
            else:
                written += self._write([_record(sample, "", None, Failure(clip), 0)])
        names = self._keys([sample for sample, _ in heard], [clip.sha256 for _, clip in heard])
        if self._are_answered([sample for sample, _ in heard], names):
            self._pass_over([sample for sample, _ in heard])
            return written
        questions = [Question(sample, clip.pcm) for sample, clip in heard]
        outcomes, n_failed = await asked(
            lambda: self._route.ask(questions), self._permits, self._uniform, self._retries, self._sleep
        )
        records = [
            _record(sample, key, clip, outcome, n_failed)
            for (sample, clip), key, outcome in zip(heard, names, outcomes, strict=True)
        ]
        # Before anything else runs here: a kill loses no more than what is in flight.
        written += self._write(records)
        for outcome in outcomes:
            self._patience.seen(outcome if isinstance(outcome, Failure) else None)
        return written

    def _kept(self, sample: Sample) -> Record | None:
        """What an earlier process got as an answer."""
        record = self._folder.record(sample)
        return record if record is not None and record.answer is not None else None

    def _keys(self, samples: Sequence[Sample], hashes: Sequence[str]) -> list[str]:
        pairs = zip(samples, hashes, strict=True)
        return keys([Asked(sha256, sample.prompt) for sample, sha256 in pairs], self._description)

    def _are_answered(self, samples: Sequence[Sample], names: Sequence[str]) -> bool:
        kept = [self._kept(sample) for sample in samples]
        return all(one is not None and one.key == name for one, name in zip(kept, names, strict=True))

    def _pass_over(self, samples: Sequence[Sample]) -> None:
        for sample in samples:
            if record := self._kept(sample):
                self._progress.kept(record)

    def _hashed(self, sample: Sample) -> str:
        """Of the clip as it is now; of one that is not a file here, as it was when it was asked."""
        try:
            with Path(sample.audio).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            record = self._kept(sample)
            return record.audio_sha256 if record else ""

    def _read(self, sample: Sample) -> Clip | str:
        """The clip, or why there is none."""
        try:
            return self._read_clip(sample.audio)
        except EvaluationError as error:
            return str(error)

    def _write(self, records: Sequence[Record]) -> list[Written]:
        return [(record, self._folder.append(record)) for record in records]


def batches(samples: Sequence[Sample], size: int) -> Iterator[list[Sample]]:
    """Neighbours of one benchmark, `size` at a time."""
    for _, group in groupby(samples, lambda sample: sample.benchmark):
        alike = list(group)
        for start in range(0, len(alike), size):
            yield alike[start : start + size]


def _record(sample: Sample, key: str, clip: Clip | None, outcome: Answer | Failure, retries: int) -> Record:
    return Record(
        key=key,
        sample_id=sample.sample_id,
        benchmark=sample.benchmark,
        source=sample.source,
        audio=sample.audio,
        audio_sha256=clip.sha256 if clip else "",
        audio_s=clip.seconds if clip else 0.0,
        prompt=sample.prompt,
        reference=sample.reference,
        language=sample.language,
        speaker=sample.speaker,
        details=sample.details,
        answer=outcome if isinstance(outcome, Answer) else None,
        retries=retries,
        error=outcome.message if isinstance(outcome, Failure) else "",
    )


def _told(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a person is told of several failures: the first sentence; a bug before that."""
    leaves = list(_leaves(group))
    bugs = [leaf for leaf in leaves if not isinstance(leaf, EvaluationError)]
    return (bugs or leaves)[0]


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
