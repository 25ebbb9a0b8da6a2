"""What a run writes for each sample: the answer as it came, and all that it took to get it.

Nothing in a record is scored: scores are made from records, again and again, without a model (scoring/).
"""

from collections.abc import Mapping

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a route brought back for one sample.

    response: the text, untouched. finish_reason: "stop", "length" or what the server said.
    ttft_s, total_s: seconds from the request; None where the route cannot tell (a batch has no first token).
    heard_s: how much of the clip reached the model, in seconds; less than the clip where it was cut.
    measures: what only this route measures, by name and with its unit ("endpoint_delay_ms").
    """

    response: str
    finish_reason: str = "stop"
    output_tokens: int | None = None
    ttft_s: float | None = None
    total_s: float | None = None
    heard_s: float | None = None
    measures: Mapping[str, float] = {}


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One sample's line in `records.jsonl`.

    key: the hash of all that determines the answer (audio, prompt, model, effective parameters, version):
    a record with the same key is never asked for again.
    error: one sentence where there is no answer; such a record is scored as empty and asked for again when
    the run is resumed. retries: how many requests failed before this one.
    """

    key: str
    sample_id: str
    benchmark: str
    source: str
    audio: str
    audio_sha256: str
    audio_s: float
    prompt: str
    reference: str
    language: str = ""
    speaker: str = ""
    details: Mapping[str, str] = {}
    answer: Answer | None = None
    retries: int = 0
    error: str = ""

    @property
    def response(self) -> str:
        """The answer's text; "" where there is none, as it is scored."""
        return self.answer.response if self.answer is not None else ""
