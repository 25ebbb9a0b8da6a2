"""The report is one file that fetches nothing and runs nothing, whatever a model answered."""

import base64
import hashlib
import io
import re
from html.parser import HTMLParser

import av
import msgspec
import numpy as np
import pytest

from evaluation.report.clips import embedded, opus
from evaluation.report.html import to_html
from evaluation.report.markdown import escaped, to_markdown
from evaluation.report.model import Failures
from evaluation.report.terminal import comparison_table, printable, scores_table
from tests.evaluation.report.reports import HARM, full_report, tone


class Page(HTMLParser):
    """All elements of a page: (tag, attributes)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_no_answer_becomes_an_element_or_an_attribute() -> None:
    page = Page(to_html(full_report(), tone))
    assert {"script", "img", "iframe", "object", "embed", "form", "base", "link"}.isdisjoint(
        tag for tag, _ in page.elements
    )
    assert not [
        name
        for _, attributes in page.elements
        for name in attributes
        if name.startswith("on") or name == "style"
    ]
    assert HARM in page.text, "and is shown as it is"


def test_nothing_is_fetched_from_anywhere() -> None:
    text = to_html(full_report(), tone)
    page = Page(text)
    targets = [
        str(value)
        for _, of in page.elements
        for name, value in of.items()
        if name in ("src", "href", "srcset")
    ]
    assert targets
    assert all(target.startswith(("#", "data:audio/ogg;base64,")) for target in targets)
    assert "url(" not in text
    assert "@import" not in text


def test_the_content_policy_forbids_all_but_its_own_style_and_clips() -> None:
    text = to_html(full_report())
    (policy,) = [
        one["content"] for one in Page(text).all("meta") if one.get("http-equiv") == "Content-Security-Policy"
    ]
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    allowed = f"style-src 'sha256-{digest}'; media-src data:"
    assert policy == f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def test_everything_that_influenced_a_figure_is_there() -> None:
    text = Page(to_html(full_report())).text
    for name in (
        "route.name",
        "seed",
        "bootstrap_resamples",
        "wer_fake|place by place",
        "95 % interval",
        "1.7",
    ):
        assert name in text


def test_a_report_without_published_figures_times_or_manifest_is_drawn() -> None:
    report = full_report()
    bare = tuple(
        msgspec.structs.replace(
            scores, published=(), durations=(), measures=(), figures=(), failures=Failures()
        )
        for scores in report.sources
    )
    text = to_html(msgspec.structs.replace(report, sources=bare, comparison=None, manifest={}, notes=()))
    assert "came without a manifest" in text


def test_worst_clips_are_inside_and_what_is_missing_is_told() -> None:
    text = to_html(full_report(), tone)
    assert text.count('src="data:audio/ogg;base64,') >= 5
    assert "/clips/7.wav is missing" in text
    assert "<audio" not in to_html(full_report())


# Clips ----------------------------------------------------------------------------------


def decoded_s(uri: str) -> float:
    encoded = base64.b64decode(uri.partition(",")[2])
    with av.open(io.BytesIO(encoded)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def test_a_clip_keeps_its_length_and_gets_small() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000 * 5).astype(np.float32)
    assert len(opus(noise)) < 16_000 * 5 * 2 / 5
    sound = embedded(["a"], lambda path: noise)["a"]
    assert decoded_s(sound.uri) == pytest.approx(5)
    assert sound.told == ""


def test_a_long_clip_is_shortened_and_says_so() -> None:
    sound = embedded(["a"], lambda path: np.zeros(16_000 * 40, np.float32))["a"]
    assert decoded_s(sound.uri) == pytest.approx(30)
    assert sound.told == "the first 30 s"


def test_clips_stop_where_the_report_would_grow_too_large() -> None:
    sounds = embedded(["a", "b", "a", "c"], tone, bytes_max=10)
    assert [bool(sounds[name].uri) for name in ("a", "b", "c")] == [True, False, False]
    assert "all the sound it may" in sounds["b"].told


def test_a_clip_without_sound_is_told() -> None:
    assert embedded(["a"], lambda path: np.zeros(0, np.float32))["a"].told == "the clip holds no sound"


# Markdown and terminal ------------------------------------------------------------------


def test_markdown_shows_answers_as_text() -> None:
    text = to_markdown(full_report())
    assert "<script" not in text
    assert "<img" not in text
    assert escaped("a|b\n# c *d* `e` [f](g)") == r"a\|b \# c \*d\* \`e\` \[f\](g)"
    widths = {line.count(" | ") for line in text.splitlines() if line.startswith("| talk")}
    assert len(widths) <= 4


def test_a_terminal_is_told_figures_and_obeys_no_answer() -> None:
    report = full_report()
    assert re.search(r"talk_test +wer_fake", scores_table(report))
    assert report.comparison is not None
    assert "better / worse / same" in comparison_table(report.comparison)
    assert printable("a\x1b[2Jb\r") == "a\\x1b[2Jb\\x0d"
