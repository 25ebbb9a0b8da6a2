"""The port of whatever answers samples: a checkpoint in process, a server, Parlour's own live wire."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from evaluation.record import Answer
from evaluation.sample import Sample

SAMPLE_HZ = 16_000


class Question(msgspec.Struct, frozen=True):
    """A sample whose clip has been read: pcm is (n_samples,) float32 mono in [-1, 1] at SAMPLE_HZ."""

    sample: Sample
    pcm: NDArray[np.float32]


class Failure(msgspec.Struct, frozen=True):
    """Why a sample got no answer, in one sentence.

    is_transient: asking again may help (429, 5xx, a timeout, a lost connection). is_overload: the server
    wants fewer requests at once. retry_after_s: what it asked us to wait, where it did.
    """

    message: str
    is_transient: bool = False
    is_overload: bool = False
    retry_after_s: float | None = None


class Route(Protocol):
    """One way to get answers. Used as an async context manager: what it opens, it closes.

    batch_size: how many questions `ask` wants at once, in the order of the file; 1 for a server, which
    batches by itself. in_flight_max: how many calls of `ask` may run side by side (1: in process).
    """

    batch_size: int
    in_flight_max: int

    async def __aenter__(self) -> "Route": ...

    async def __aexit__(self, *failure: object) -> None: ...

    def description(self) -> Mapping[str, str | int | float | bool | None]:
        """All that influences an answer, by name: model and its hash, effective sampling, template, versions.

        It is part of every record's key and of the manifest; complete once the route has been entered.
        """
        ...

    def request_shown(self, question: Question) -> str:
        """One full request as it would be sent, for `--dry-run`; audio is shown by its length alone."""
        ...

    async def ask(self, questions: Sequence[Question]) -> list[Answer | Failure]:
        """One outcome for each question, in their order. Raises nothing for what concerns one question."""
        ...
