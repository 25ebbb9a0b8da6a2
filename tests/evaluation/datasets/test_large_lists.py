"""A list of 100,000 lines is read with a fixed amount of work for each: counted, not timed."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluation.datasets import clip_folder
from evaluation.datasets.find import samples
from tests.evaluation.datasets import trees

N_LINES = 100_000


class Counted:
    """Stands in for the file system: every tenth clip lies elsewhere, and no call is free."""

    def __init__(self, root: Path) -> None:
        self.n_looks = self.n_walks = 0
        self._root = str(root)

    def isfile(self, path: str) -> bool:
        self.n_looks += 1
        return not path.endswith("0.wav")

    def walk(self, tree: str) -> Iterator[tuple[str, list[str], list[str]]]:
        self.n_walks += 1
        yield tree, ["elsewhere"], []
        yield os.path.join(tree, "elsewhere"), [], [f"{number}.wav" for number in range(0, N_LINES, 10)]


def test_100_000_lines_are_read_with_one_look_a_clip_and_one_walk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(tmp_path)
    monkeypatch.setattr(clip_folder.os.path, "isfile", counted.isfile)
    monkeypatch.setattr(clip_folder.os, "walk", counted.walk)
    lines = [
        f'{{"audio": "clips/{number}.wav", "source": "cv15_en", "gt": "word {number}"}}\n'
        for number in range(N_LINES)
    ]
    path = trees.put(tmp_path / "cv15_asr_en_eval.jsonl", "".join(lines))
    found = samples("cv15_en", path)
    assert len(found) == N_LINES
    assert found[-1].reference == "word 99999"
    assert found[-1].audio == str(tmp_path / "clips" / "99999.wav")
    assert found[-10].audio == str(tmp_path / "elsewhere" / "99990.wav")
    assert counted.n_walks == 1
    assert counted.n_looks == N_LINES


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(names=st.sets(st.integers(0, 10**6), min_size=1, max_size=30), shuffle=st.randoms())
def test_lines_in_another_order_are_the_same_samples(
    names: set[int], shuffle: random.Random, tmp_path: Path
) -> None:
    lines: list[dict[str, object]] = [
        {"audio": f"{name}.wav", "source": "cv15_en", "gt": str(name)} for name in sorted(names)
    ]
    before = samples("cv15_en", trees.jsonl(tmp_path / "a.jsonl", lines))
    shuffle.shuffle(lines)
    after = samples("cv15_en", trees.jsonl(tmp_path / "b.jsonl", lines))
    assert sorted(after, key=str) == sorted(before, key=str)
