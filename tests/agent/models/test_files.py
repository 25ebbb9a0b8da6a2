"""Model files: found, vouched for, and a damaged one named with the command that mends it."""

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from agent.models.files import CheckedFiles, ModelFile, ModelFileError, cache_folder, present, verified


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "some_model_package"
    folder.mkdir()
    # Importing it would fail: files are found without that.
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "model.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def _file(content: bytes = b"weights") -> ModelFile:
    digest = hashlib.sha256(content).hexdigest()
    return ModelFile("some_model_package", "some-model==1.0", "model.bin", digest)


def test_a_whole_file_is_found_without_importing_its_package(package: Path, tmp_path: Path) -> None:
    assert verified(_file(), CheckedFiles(tmp_path)) == package / "model.bin"
    assert "some_model_package" not in sys.modules


def test_a_damaged_file_is_named_with_the_command_that_mends_it(package: Path, tmp_path: Path) -> None:
    checked = CheckedFiles(tmp_path)
    verified(_file(), checked)
    (package / "model.bin").write_bytes(b"weightz")  # the same size
    os.utime(package / "model.bin", ns=(1, 1))
    with pytest.raises(ModelFileError) as failure:
        verified(_file(), checked)
    assert str(package / "model.bin") in str(failure.value)
    assert "damaged" in str(failure.value)
    assert "--force-reinstall some-model==1.0" in str(failure.value)


def test_a_known_file_is_not_read_again(package: Path, tmp_path: Path) -> None:
    verified(_file(), CheckedFiles(tmp_path))
    state = (package / "model.bin").stat()
    (package / "model.bin").write_bytes(b"weightz")
    os.utime(package / "model.bin", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert verified(_file(), CheckedFiles(tmp_path)) == package / "model.bin"


def test_a_remembered_digest_is_compared_all_the_same(package: Path, tmp_path: Path) -> None:
    """A damaged file that was read once is not taken for whole at the second start."""
    for _ in range(2):
        with pytest.raises(ModelFileError, match="damaged"):
            verified(_file(b"other"), CheckedFiles(tmp_path))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 1}'])
def test_a_broken_cache_costs_time_and_no_start(package: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "checked-files.json").write_text(content)
    assert verified(_file(), CheckedFiles(tmp_path))
    assert json.loads((tmp_path / "checked-files.json").read_text())[str(package / "model.bin")]["size"] == 7


def test_a_cache_that_cannot_be_written_costs_no_start(package: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert verified(_file(), CheckedFiles(tmp_path / "file" / "folder"))


def test_a_missing_file_and_a_missing_package_are_named(package: Path, tmp_path: Path) -> None:
    (package / "model.bin").unlink()
    with pytest.raises(ModelFileError, match=r"is missing: run `.* some-model==1\.0`"):
        verified(_file(), CheckedFiles(tmp_path))
    absent = ModelFile("no_such_package_here", "no-such==2.0", "a.bin", "0")
    with pytest.raises(ModelFileError, match=r"no-such==2\.0.* is not installed: run"):
        verified(absent, CheckedFiles(tmp_path))
    assert not present([absent])


def test_the_cache_lies_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "parlour"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path.home() / ".cache" / "parlour"
