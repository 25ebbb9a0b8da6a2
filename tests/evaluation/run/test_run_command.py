"""`parlour eval run` as it is typed."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from evaluation.cli import main
from evaluation.errors import EvaluationError
from evaluation.run import collected
from evaluation.run.collected import folder_of
from evaluation.run.run_folder import records, summary
from evaluation.sample import Sample
from tests.evaluation.run.few_samples import Few, make_samples, stand_in

ECHO = "python -c \"import sys; [print(line.replace('prompt', 'response')) for line in sys.stdin]\""


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sequence[Sample]:
    made = make_samples(tmp_path / "clips", 12)
    stand_in(monkeypatch, made)
    return made


def _run(tmp_path: Path, *more: str) -> int:
    command = ["--route", "command", "--command", ECHO, "--batch-size", "5"]
    return main(["run", "few", *command, "--out", str(tmp_path / "run"), *more])


def test_a_run_answers_all_and_says_how_to_see_it(
    samples: Sequence[Sample], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(tmp_path) == 0
    assert [record.response for record in records(tmp_path / "run")] == [one.prompt for one in samples]
    told = capsys.readouterr().err
    assert "few: 12 of 12 answered" in told
    assert f"parlour eval report {tmp_path / 'run'}" in told


def test_the_same_command_again_asks_nothing(samples: Sequence[Sample], tmp_path: Path) -> None:
    assert _run(tmp_path) == 0
    before = (tmp_path / "run" / "records.jsonl").read_bytes()
    assert _run(tmp_path) == 0
    assert (tmp_path / "run" / "records.jsonl").read_bytes() == before


def test_missing_clips_are_told_before_the_first_request_and_fail_the_command(
    samples: Sequence[Sample], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(samples[3].audio).unlink()
    assert _run(tmp_path) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"1 of 12 clips are missing, {samples[3].audio} first")
    assert "few: 11 of 12 answered; 1 failed and count as empty" in told
    assert summary(tmp_path / "run")["few"].failed == 1


def test_a_dry_run_shows_one_request_whole_and_asks_and_writes_nothing(
    samples: Sequence[Sample], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(tmp_path, "--dry-run") == 0
    shown = capsys.readouterr().out
    assert "few, sample 0000 of 12" in shown
    assert '"prompt":"what is 0000?"' in shown
    assert not (tmp_path / "run").exists()


def test_another_model_in_the_same_folder_is_refused(
    samples: Sequence[Sample], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(tmp_path) == 0
    assert _run(tmp_path, "--model", "another") == 2
    assert "choose another folder with --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--in-flight-max", "0"], "--in-flight-max is 0: expected at least 1"),
        (["--retries", "-1"], "--retries is -1"),
        (["--judge-url", "http://localhost:1"], "a judge needs both --judge-url and --judge-model"),
        (["--command", "'"], "--command cannot be read"),
        (["--batch-size", "0"], "--batch-size is 0"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    samples: Sequence[Sample],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    told: str,
) -> None:
    assert _run(tmp_path, *more) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_a_folder_for_the_answers_is_wanted(
    samples: Sequence[Sample], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "few", "--route", "command", "--command", "x"]) == 2
    assert "expected --out RUN" in capsys.readouterr().err


def test_a_benchmark_with_a_judge_says_that_it_has_no_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judged = Few(metric_name="judge_airbench")
    stand_in(monkeypatch, make_samples(tmp_path / "clips", 2), [judged])
    assert _run(tmp_path) == 1
    assert "few has answers and no marks" in capsys.readouterr().err


def test_each_route_has_options_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    own = {"chat": "--raw-prompt", "command": "--command", "faster-whisper": "--beam-size"}
    for route, option in own.items():
        with pytest.raises(SystemExit) as ended:
            main(["run", "--route", route, "--help"])
        assert ended.value.code == 0
        shown = capsys.readouterr().out
        assert option in shown
        assert not any(other in shown for other in own.values() if other != option)


def test_a_route_that_nobody_knows_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--route", "pigeon"])
    assert "pigeon" in capsys.readouterr().err


def test_data_is_looked_for_where_it_was_said_for_one_or_for_all(tmp_path: Path) -> None:
    (tmp_path / "meld").mkdir()
    shared = str(tmp_path)
    assert folder_of("meld", [shared]) == tmp_path / "meld"
    assert folder_of("other", [shared]) == tmp_path
    assert folder_of("other", [shared, "other=/elsewhere"]) == Path("/elsewhere")
    assert folder_of("meld", ["other=/elsewhere"]) is None
    assert folder_of("meld", []) is None


def test_all_takes_what_is_there_and_says_what_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = make_samples(tmp_path / "clips", 3, benchmark="meld")

    def samples(name: str, folder: object, audio_root: object) -> Sequence[Sample]:
        if name != "meld":
            raise EvaluationError("there is no folder")
        return made

    monkeypatch.setattr(collected, "_samples", samples)
    found = collected.collect([], [], takes_all=True, limit=2)
    assert [one.name for one in found.benchmarks] == ["meld"]
    assert found.n_samples() == {"meld": 2}
    assert "librispeech is left out: there is no folder" in found.left_out
    assert not any(sentence.startswith("custom") for sentence in found.left_out)
    with pytest.raises(EvaluationError, match="there is no folder"):
        collected.collect(["librispeech"], [])
    with pytest.raises(EvaluationError, match=r"expected a benchmark .*librispeech.*, or --all"):
        collected.collect([], [])
