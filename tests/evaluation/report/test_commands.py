"""`parlour eval score`, `compare` and `report`, as typed."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from evaluation.cli import main
from evaluation.record import Answer, Record

Make = Callable[..., Path]


def librispeech(at: int, response: str | None, **fields: object) -> Record:
    given = {
        "key": f"k{at}",
        "sample_id": f"1089-{at}",
        "benchmark": "librispeech",
        "source": "librispeech_test_clean",
        "audio": "/nowhere/clip.flac",
        "audio_sha256": "",
        "audio_s": 4.0,
        "prompt": "",
        "reference": "THE COLOUR OF TEN HARBOURS",
        "answer": Answer(response=response) if response is not None else None,
    }
    return Record(**(given | fields))  # type: ignore[arg-type]


@pytest.fixture
def made(tmp_path: Path) -> Make:
    def make(name: str, *records: Record, tail: bytes = b"") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        lines = b"".join(msgspec.json.encode(one) + b"\n" for one in records)
        (folder / "records.jsonl").write_bytes(lines + tail)
        (folder / "manifest.json").write_text('{"route": {"model": "a-model"}}')
        return folder

    return make


def test_a_run_is_scored_by_its_benchmark(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made("run", librispeech(0, "the color of 10 harbors"), librispeech(1, "the color of ten doors"))
    assert main(["score", str(folder), "--json"]) == 0
    (scores,) = json.loads(capsys.readouterr().out)["sources"]
    assert [figure["metric"] for figure in scores["figures"]][:1] == ["wer_en"]
    assert scores["figures"][0]["value"] == pytest.approx(10.0)
    assert next(one for one in scores["published"] if one["is_compared"])["value"] == 1.7
    assert main(["score", str(folder / "records.jsonl")]) == 0
    assert "10.00 %" in capsys.readouterr().out


def test_failures_and_thresholds_are_exit_codes(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    fine = str(made("fine", librispeech(0, "the color of ten doors")))
    assert main(["score", fine, "--fail-if", "librispeech_test_clean.wer_en > 20.0"]) == 0
    assert main(["score", fine, "--fail-if", "librispeech_test_clean.wer_en >= 20.0"]) == 1
    assert "it is 20" in capsys.readouterr().err
    assert main(["score", str(made("failed", librispeech(0, None, error="503")))]) == 1
    assert main(["score", fine, "--fail-if", "nonsense"]) == 2


def test_what_is_no_run_is_told_in_one_sentence(
    made: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd.json").write_text('[{"gt": 1}]')
    broken = made("broken", tail=b'{"key": 1}\n')
    for path in (tmp_path / "none", tmp_path / "empty", tmp_path / "odd.json", broken, made("nothing")):
        assert main(["score", str(path)]) == 2
        told = capsys.readouterr().err
        assert told.startswith("parlour eval: ")
        assert told.count("\n") == 1


def test_a_torn_last_line_costs_only_itself(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made("torn", librispeech(0, "the color of ten harbors"), tail=b'{"key": "k1", "sample')
    assert main(["score", str(folder), "--json"]) == 0
    (scores,) = json.loads(capsys.readouterr().out)["sources"]
    assert (scores["n"], scores["figures"][0]["value"]) == (1, 0)


def test_both_texts_of_a_sample_are_shown(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made("run", librispeech(0, "The color of \x1b[31mten harbours!"))
    assert main(["score", str(folder), "--texts", "1089-0"]) == 0
    shown = capsys.readouterr().out
    assert "THE COLOUR OF TEN HARBOURS" in shown
    assert "the color of 10 harbors" in shown
    assert "\x1b" not in shown
    assert main(["score", str(folder), "--texts", "1089-9"]) == 2


def test_upstream_s_result_file_is_scored_by_its_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = {"gt": "a grey door", "response": "a gray door", "audio_path": "clips/1.flac"}
    path = tmp_path / "results.json"
    sources = ("librispeech_test_other", "covost_v2_de_en_test", "nobody_knows")
    path.write_text(json.dumps([{**result, "source": source} for source in sources]))
    assert main(["score", str(path), "--json"]) == 0
    found = {one["source"]: one for one in json.loads(capsys.readouterr().out)["sources"]}
    metrics = [found[source]["figures"][:1] for source in sources]
    assert [figures[0]["metric"] for figures in metrics[:2]] == ["wer_en", "bleu_to_en"]
    assert metrics[2] == []
    assert "--metric" in found["nobody_knows"]["warnings"][0]
    assert main(["score", str(path), "--metric", "wer_fr"]) == 0
    assert "nobody_knows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "metric"),
    [
        ("librispeech_dev_clean", "wer_en"),
        ("covost_en_zh_test", "bleu_to_zh"),
        ("covost_v2_it_en_test", "bleu_to_en"),
        ("aishell2_mic_test", "cer_zh"),
        ("cv15_fr", "wer_fr"),
        ("fluers_zh", "cer_zh"),
        ("meld_test", "acc_meld"),
    ],
)
# zhconv leaves closing its table to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_source_alone_says_how_it_is_scored(source: str, metric: str) -> None:
    from evaluation.report.known_benchmarks import catalogue

    assert catalogue()("", source).metrics[0].name == metric


def test_two_runs_are_compared(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    a = made("a", *(librispeech(at, "the color of ten harbors") for at in range(20)))
    b = made("b", *(librispeech(at, "the color of ten") for at in range(20)))
    assert main(["compare", str(a), str(b), "--json"]) == 0
    (source,) = json.loads(capsys.readouterr().out)["sources"]
    assert (source["difference"], source["losses"]) == (pytest.approx(20), 20)
    assert main(["compare", str(a), str(b)]) == 0
    assert "+20.00 points" in capsys.readouterr().out


def test_a_report_is_written_where_asked_or_into_the_run(made: Make, tmp_path: Path) -> None:
    folder = made("run", librispeech(0, "the color of ten doors"))
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").read_text().startswith("<!doctype html>")
    assert json.loads((folder / "scores.json").read_text())["format"] == "parlour-scores"
    assert main(["report", str(folder), "--md", str(tmp_path / "r.md"), "--offline", str(folder)]) == 0
    assert "The loss from offline to live" in (tmp_path / "r.md").read_text()
    assert main(["report", str(folder), "--html", str(tmp_path / "none" / "r.html")]) == 2
