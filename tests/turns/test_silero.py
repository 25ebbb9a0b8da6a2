from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from realtime.errors import SettingsError
from realtime.turns import silero
from realtime.turns.silero import SileroModel
from tests import speech


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, *packages: str) -> None:
    """Make `packages` the only installed ones, in folders of that name."""

    def find_spec(name: str) -> ModuleSpec | None:
        if name not in packages:
            return None
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder / name)]
        return spec

    monkeypatch.setattr(silero, "find_spec", find_spec)


def test_without_a_model_file_the_start_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for packages in ((), ("silero_vad", "faster_whisper")):  # not installed; installed without the file
        install(monkeypatch, tmp_path, *packages)
        with pytest.raises(SettingsError, match="install the packages of models"):
            SileroModel()


def test_a_damaged_model_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, "silero_vad", "faster_whisper")
    file = tmp_path / "silero_vad" / "data" / "silero_vad_16k_sequence.onnx"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not what was published")
    with pytest.raises(SettingsError, match="of the package silero_vad is damaged"):
        SileroModel()


def test_a_call_longer_than_one_run_is_split() -> None:
    model = SileroModel()
    pcm = speech.utterance("librivox_0870").pcm16k[: 1024 * 100]
    one_by_one = model.new_session()
    wanted = [one_by_one.probability(pcm[at : at + 1024]) for at in range(0, len(pcm), 1024)]
    assert model.new_session().probabilities(pcm) == pytest.approx(wanted, abs=1e-4)
    assert max(wanted) > 0.9
