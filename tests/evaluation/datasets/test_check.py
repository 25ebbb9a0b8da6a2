"""`parlour eval check` lists all that is missing or odd, and its exit code says whether anything is."""

import json
from pathlib import Path

import numpy as np
import pytest

from evaluation.cli import main
from tests.evaluation.datasets import trees
from tests.recordings import recording
from tests.speech import HZ


def custom(folder: Path) -> Path:
    """A clip of each kind of trouble."""
    clips = {
        "fine": trees.clip("wav"),
        "empty": b"",
        "damaged": b"not a recording",
        "cut": trees.clip("flac")[: len(trees.clip("flac")) // 2],
        "short": trees.clip("wav", 0.05),
        "long": recording(np.zeros((31 * HZ, 1)), HZ, "wav"),
        "slow": trees.clip("wav", hz=8000),
    }
    for name, content in clips.items():
        trees.put(folder / f"{name}.{'flac' if name == 'cut' else 'wav'}", content)
    names = [*clips, "missing", "gone"]
    lines: list[dict[str, object]] = [
        {"audio": f"{name}.{'flac' if name == 'cut' else 'wav'}", "text": "words"} for name in names
    ]
    lines.append({"audio": "fine.wav", "text": "", "id": "unsaid"})
    return trees.jsonl(folder / "list.jsonl", lines)


def checked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["check", *arguments])
    return code, capsys.readouterr().out


def test_each_kind_of_trouble_is_counted_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = custom(tmp_path)
    code, out = checked(capsys, "custom_wer_en", "--data", str(path), "--json")
    (told,) = json.loads(out)["benchmarks"]
    places = {(problem["kind"], problem["where"].removeprefix(f"{path}:")) for problem in told["problems"]}
    assert places == {
        ("empty", "2"),
        ("damaged", "3"),
        ("damaged", "4"),
        ("short", "5"),
        ("long", "6"),
        ("rate", "7"),
        ("missing", "8"),
        ("missing", "9"),
        ("reference", "10"),
    }
    assert {problem["kind"] for problem in told["problems"] if problem["is_remark"]} == {"long", "rate"}
    assert told["sources"][0]["rates"] == {"8000": 1, "16000": 5}
    assert (code, told["is_fine"]) == (1, False)


def test_all_are_counted_and_the_first_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out = checked(capsys, "custom_wer_en", "--data", str(custom(tmp_path)), "--shown", "1")
    missing = out.splitlines().index("  files that are missing: 2")
    assert out.splitlines()[missing + 1].endswith(
        f"missing.wav is missing, and no clip of that name lies in {tmp_path}"
    )
    assert out.splitlines()[missing + 2] == "    and 1 more"
    assert out.splitlines()[-1] == "  not fine"


def test_data_as_published_is_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = trees.common_voice(tmp_path, "fr")
    code, out = checked(capsys, "cv15_fr", "--data", str(folder))
    assert code == 0
    assert out.splitlines()[0].startswith("cv15_fr: as Common Voice publishes it, ")
    assert out.splitlines()[1].startswith("  cv15_fr: 2 clips, 0.00 h (2 at 16000 Hz)")
    assert out.splitlines()[-1] == "  fine"


def test_a_part_that_lacks_clips_is_told_and_one_that_is_not_there_may_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trees.librispeech(tmp_path, ("test-clean",))
    code, out = checked(capsys, "librispeech", "--data", str(folder))
    assert code == 1
    assert "    librispeech_test_clean: 2 clips, published with 2,620" in out
    assert "  parts that are not there: 3, as may be" in out
    assert "  librispeech_test_clean: 2 clips of 2,620 published, 0.00 h (2 at 16000 Hz)" in out


def test_lines_that_cannot_be_read_are_all_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = trees.put(tmp_path / "list.jsonl", '{"audio": "a.wav"}\n{"text": "b"}\n')
    code, out = checked(capsys, "custom_wer_en", "--data", str(path))
    assert code == 1
    assert f"    {path}:1: it lacks the field `text`" in out
    assert f"    {path}:2: it lacks the field `audio`" in out


def test_a_clip_that_two_samples_share_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from evaluation.datasets import checking

    lines: list[dict[str, object]] = [{"audio": "a.wav", "text": "x", "id": number} for number in (1, 2)]
    path = trees.jsonl(tmp_path / "list.jsonl", lines)
    trees.put_clip(tmp_path / "a.wav")
    read = list[str]()
    real = checking.read_clip
    monkeypatch.setattr(checking, "read_clip", lambda audio: (read.append(audio), real(audio))[1])
    code, out = checked(capsys, "custom_wer_en", "--data", str(path))
    assert (code, len(read)) == (0, 1)
    assert "custom_wer_en: 2 clips, " in out


def test_several_benchmarks_are_checked_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees.common_voice(tmp_path, "fr")
    trees.common_voice(tmp_path, "en")
    code, out = checked(capsys, "cv15_fr", "cv15_en", "--data", str(tmp_path))
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines() if not line.startswith(" ")] == [
        "cv15_fr",
        "",
        "cv15_en",
    ]


def test_what_cannot_be_used_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "cv15_fr", "--data", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err == f"parlour eval: there is no {tmp_path / 'nowhere'}\n"
