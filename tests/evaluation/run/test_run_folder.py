"""A run on disk: what was acknowledged is there, whatever happened to the process."""

import asyncio
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.errors import EvaluationError
from evaluation.record import Answer, Record
from evaluation.run.appended_lines import AppendedLines, whole_lines
from evaluation.run.run_folder import NOT_ASKED, RunFolder, records, summary
from evaluation.sample import Sample


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.run.appended_lines.SYNC_AFTER_S", 0.0)


def _sample(name: str, reference: str = "yes", prompt: str = "?") -> Sample:
    return Sample(
        sample_id=name, benchmark="b", audio=f"/{name}.wav", source="s", prompt=prompt, reference=reference
    )


def _record(name: str, response: str | None, key: str = "k") -> Record:
    return Record(
        key=key,
        sample_id=name,
        benchmark="b",
        source="s",
        audio=f"/{name}.wav",
        audio_sha256="00",
        audio_s=1.0,
        prompt="?",
        reference="yes",
        answer=None if response is None else Answer(response=response),
        error="it failed" if response is None else "",
    )


async def _written(path: Path, *written: Record) -> None:
    with RunFolder(path) as folder:
        folder.put_samples([_sample(name) for name in "abc"])
        for record in written:
            await folder.append(record)


async def test_records_are_read_in_the_order_of_the_samples_one_each(tmp_path: Path) -> None:
    await _written(tmp_path, _record("c", "3"), _record("a", None), _record("b", "2"), _record("a", "1"))
    assert [record.response for record in records(tmp_path)] == ["1", "2", "3"]


async def test_an_error_never_hides_an_answer_and_an_answer_always_hides_an_error(tmp_path: Path) -> None:
    await _written(tmp_path, _record("a", "1"), _record("a", None), _record("b", None), _record("b", "2"))
    first, second, _ = records(tmp_path)
    assert (first.response, second.response, second.error) == ("1", "2", "")


async def test_the_answer_to_another_question_does_not_stand_for_a_failure(tmp_path: Path) -> None:
    await _written(tmp_path, _record("a", "old", key="before"), _record("a", None, key="now"))
    assert records(tmp_path)[0].answer is None


async def test_what_failed_or_was_never_asked_stays_in_the_denominator(tmp_path: Path) -> None:
    await _written(tmp_path, _record("a", "1"), _record("b", None))
    of_b = summary(tmp_path)["b"]
    assert (of_b.samples, of_b.answered, of_b.failed, of_b.missing) == (3, 1, 1, 1)
    assert not of_b.is_complete
    assert [record.response for record in records(tmp_path)] == ["1", "", ""]
    assert records(tmp_path)[2].error == NOT_ASKED


async def test_a_corrected_reference_needs_no_new_answer_and_a_new_prompt_does(tmp_path: Path) -> None:
    await _written(tmp_path, _record("a", "1"), _record("b", "2"))
    with RunFolder(tmp_path) as folder:
        folder.put_samples([_sample("a", reference="no"), _sample("b", prompt="what?")])
    first, second = records(tmp_path)
    assert (first.reference, first.response) == ("no", "1")
    assert second.error == NOT_ASKED


async def test_a_second_benchmark_leaves_the_first_one_alone(tmp_path: Path) -> None:
    await _written(tmp_path, _record("a", "1"))
    with RunFolder(tmp_path) as folder:
        folder.put_samples([msgspec.structs.replace(_sample("z"), benchmark="other")])
    assert list(summary(tmp_path)) == ["b", "other"]


@given(torn=st.binary(max_size=80).map(lambda line: line.replace(b"\n", b"")))
async def test_a_torn_last_line_is_dropped_and_nothing_else(
    torn: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("torn")
    await _written(path, _record("a", "1"))
    with (path / "records.jsonl").open("ab") as file:
        file.write(torn)
    assert records(path)[0].response == "1"
    with RunFolder(path) as folder:
        await folder.append(_record("b", "2"))
    assert [record.response for record in records(path)] == ["1", "2", ""]


async def test_every_cut_of_the_file_leaves_the_whole_lines_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda file: None)  # a thousand of them would take seconds
    await _written(tmp_path, _record("a", "1"), _record("b", "2"), _record("c", "3"))
    path = tmp_path / "records.jsonl"
    content = path.read_bytes()
    for end in range(len(content) + 1):
        path.write_bytes(content[:end])
        lines = AppendedLines(path)
        lines.close()
        assert path.read_bytes() == content[: content[:end].rfind(b"\n") + 1]


async def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    await _written(tmp_path, _record("a", "1"))
    with (tmp_path / "records.jsonl").open("ab") as file:
        file.write(b'{"key": 1}\n')
    with pytest.raises(EvaluationError, match=r"records\.jsonl, line 2: expected a record"):
        records(tmp_path)


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="holds no run"):
        records(tmp_path)
    with pytest.raises(EvaluationError, match="expected the folder of a run"):
        records(tmp_path / "nowhere")


def test_a_second_process_on_the_same_folder_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    holding = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import sys; from pathlib import Path; from evaluation.run.folder_lock import FolderLock\n"
            "lock = FolderLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()",
            str(tmp_path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == b"held\n"
        with pytest.raises(EvaluationError, match="is in use by another run"):
            RunFolder(tmp_path)
        holding.kill()
    with RunFolder(tmp_path):
        pass


async def test_a_full_disk_is_one_sentence_and_leaves_whole_lines(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as folder:
        folder.put_samples([_sample("a"), _sample("b")])
        await folder.append(_record("a", "1"))
        size = (tmp_path / "records.jsonl").stat().st_size
        with _disk_with(size + 40), pytest.raises(EvaluationError, match="cannot be written") as told:
            folder.append(_record("b", "2"))
        assert "\n" not in str(told.value)
        assert (tmp_path / "records.jsonl").stat().st_size == size
        await folder.append(_record("b", "2"))
    assert [record.response for record in records(tmp_path)] == ["1", "2"]


@contextmanager
def _disk_with(n_bytes: int) -> Iterator[None]:
    """A limit of a file's size, which a write meets like a full disk: a part is taken, then an error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_lines_are_acknowledged_once_they_are_synced_and_many_by_one_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    lines = AppendedLines(tmp_path / "lines")
    monkeypatch.setattr("os.fsync", lambda file: synced.append((tmp_path / "lines").stat().st_size))
    waiting = [lines.append(b"x" * 9) for _ in range(100)]
    assert not any(one.done() for one in waiting)
    await asyncio.gather(*waiting)
    assert synced[-1] == 1_000  # nothing was acknowledged that a sync had not seen
    assert len(synced) < 5
    assert len(list(whole_lines(tmp_path / "lines"))) == 100
    lines.close()
