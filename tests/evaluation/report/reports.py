"""A report with everything in it, and an answer that means harm."""

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import EvaluationError
from evaluation.report.comparison import compare
from evaluation.report.model import Published, Report
from evaluation.report.recorded import Run
from evaluation.report.scores import scores_of
from tests.evaluation.report.fakes import WordErrors, knows, record

HARM = "\"'><script>document.title='harm'</script><img src=x onerror=\"document.title='harm'\">"
PUBLISHED = (
    Published(system="Qwen2-Audio", value=1.7, last_digit=0.1, is_compared=True),
    Published(
        system="SpeechNet", value=30.7, last_digit=0.1, note="an older one", command="parlour eval run x"
    ),
)


def full_report() -> Report:
    """Two sources, one of them with failures; a comparison; times, speakers, lengths; harm in every text."""
    records = [
        record(
            f"{at}",
            "one two three",
            "one two three" if at % 7 else f"one {HARM}",
            audio=f"/clips/{at}.wav",
            audio_s=1 + at,
            speaker=f"s{at % 12}",
            total_s=0.2 + at / 50,
            stop_ms=at,
        )
        for at in range(36)
    ]
    other = [
        record(HARM, "one", None, source=f"other_{HARM}", error=HARM),
        record("b", HARM, "x", source=f"other_{HARM}"),
    ]
    offline = Run(name=f"offline {HARM}", records=tuple(records[:30]), manifest={"route": "checkpoint"})
    live = Run(name=f"live {HARM}", records=(*records, *other), manifest={"route": {"name": HARM}, "seed": 0})
    catalogue = knows(WordErrors(), published=PUBLISHED)
    comparison = compare(offline, live, catalogue, n_resamples=200, title="The loss from offline to live")
    return scores_of(
        live,
        catalogue,
        made_at="2026-01-01T00:00:00+00:00",
        comparison=comparison,
        notes=(HARM,),
        scoring={"numpy": "2"},
    )


def tone(path: str) -> NDArray[np.float32]:
    """Half a second, but for one clip that is missing."""
    if path == "/clips/7.wav":
        raise EvaluationError(f"{path} is missing")
    return (0.2 * np.sin(np.arange(8_000) * 0.2)).astype(np.float32)
