"""What a report has to know of a source beside its records: how it is scored, and what others published."""

from collections.abc import Callable

import msgspec

from evaluation.report.model import Published
from evaluation.scoring.metric import Metric


class SourceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """metrics: upstream's first, then those shown beside it (lenient ones).

    n_in_set: samples of the whole set, where the benchmark knows.
    labels: the answers that count where there is a closed set of them; empty: those of the references.
    """

    metrics: tuple[Metric, ...]
    task: str = ""
    published: tuple[Published, ...] = ()
    labels: frozenset[str] = frozenset()
    n_in_set: int | None = None


Catalogue = Callable[[str, str], SourceFacts]
"""Of benchmark and source. The benchmark is "" where nobody said, as in upstream's result files."""
