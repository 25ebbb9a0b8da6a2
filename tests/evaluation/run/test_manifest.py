"""A run's manifest tells what influenced its answers, and keeps two models apart."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from evaluation.errors import EvaluationError
from evaluation.run.manifest import Manifest, add_judge, begin, shown
from evaluation.run.run_folder import manifest
from evaluation.sample import Sample
from tests.evaluation.run.few_samples import make_samples

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ROUTE = {"route": "chat", "model": "m", "temperature": 0.0}


def _begin(folder: Path, samples: list[Sample], route: dict[str, str | float] | None = None) -> Manifest:
    return begin(
        folder,
        {**(route or ROUTE)},
        samples,
        command=["parlour", "eval", "run", "--key", "secret"],
        now=NOON,
        converter="PyAV",
        limit=4,
        seed=7,
    )


def test_what_influenced_the_answers_is_written_before_the_first(tmp_path: Path) -> None:
    _begin(tmp_path, make_samples(tmp_path / "clips", 4))
    found = manifest(tmp_path)
    assert found["route"] == ROUTE
    assert found["samples"] == {"few": {"few_test": 4}}
    assert (found["limits"], found["seeds"], found["converter"]) == ({"few": 4}, {"limit": 7}, "PyAV")
    assert {"system", "cpu", "cores"} <= set(msgspec.convert(found["hardware"], dict[str, object]))
    assert {"python", "numpy"} <= set(msgspec.convert(found["versions"], dict[str, str]))
    assert "secret" not in (tmp_path / "manifest.json").read_text()


def test_the_datas_hash_depends_on_what_is_asked_and_not_on_where_it_lies(tmp_path: Path) -> None:
    samples = make_samples(tmp_path / "clips", 4)
    elsewhere = [msgspec.structs.replace(one, audio=f"/elsewhere/{Path(one.audio).name}") for one in samples]
    changed = [msgspec.structs.replace(samples[0], reference="no"), *samples[1:]]
    hashes = []
    for number, ones in enumerate((samples, elsewhere, changed)):
        folder = tmp_path / str(number)
        folder.mkdir()
        hashes.append(_begin(folder, ones).data_sha256["few"])
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_second_benchmark_is_added_and_another_model_is_refused(tmp_path: Path) -> None:
    _begin(tmp_path, make_samples(tmp_path / "clips", 4))
    both = _begin(tmp_path, make_samples(tmp_path / "clips", 2, benchmark="other"))
    assert both.samples == {"few": {"few_test": 4}, "other": {"few_test": 2}}
    assert len(both.commands) == 2
    with pytest.raises(EvaluationError, match="answers with model 'm', and this command has 'n'"):
        _begin(tmp_path, make_samples(tmp_path / "clips", 4), {**ROUTE, "model": "n"})


def test_who_judged_is_told_once_and_another_judge_beside(tmp_path: Path) -> None:
    _begin(tmp_path, make_samples(tmp_path / "clips", 4))
    for model in ("j", "j", "k"):
        add_judge(tmp_path, {"model": model}, NOON)
    judges = msgspec.convert(manifest(tmp_path)["judges"], list[dict[str, str]])
    assert [one["model"] for one in judges] == ["j", "k"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["run", "--key", "s3cret"], "run --key ***"),
        (["run", "--judge-key=s3cret", "b c"], "run --judge-key=*** 'b c'"),
        (["run", "--system", ""], "run --system ''"),
    ],
)
def test_a_command_is_shown_as_typed_without_keys(command: list[str], expected: str) -> None:
    assert shown(command) == expected


def test_a_damaged_manifest_is_told(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(EvaluationError, match=r"manifest\.json is damaged"):
        manifest(tmp_path)
