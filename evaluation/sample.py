"""One question of a benchmark, with the answer that is expected. No file is opened here."""

from collections.abc import Mapping

import msgspec


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One clip, what is asked about it, and what a right answer is.

    sample_id: unique within its benchmark, the same on every machine: it pairs the records of two runs.
    audio: a path (absolute once the sample has been found, see datasets/) or an http address.
    source: the group that is scored together, as upstream's files name it ("librispeech_test_clean").
    prompt: the text after the clip; the empty string asks as voice chat does, by the clip alone.
    language: of the speech, the tag of the prompts ("en", "zh", "yue", "fr"), or "" where nobody said.
    details: what only one benchmark has (the question and description that a judge reads), by name.
    """

    sample_id: str
    benchmark: str
    audio: str
    source: str
    prompt: str
    reference: str
    language: str = ""
    speaker: str = ""
    details: Mapping[str, str] = {}
