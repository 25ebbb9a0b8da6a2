"""Scenarios out of files and out of what is installed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.errors import EvaluationError
from evaluation.speech.live import builtin as builtin_module
from evaluation.speech.live.builtin import NAMES, builtin
from evaluation.speech.live.playout import HZ
from evaluation.speech.live.scenario import read_scenarios
from evaluation.speech.live.script import Event, Script, read_script, write_script
from evaluation.speech.live.segments import Segment
from evaluation.speech.live.tracks import read_both, read_track, write_both
from tests.speech import utterance


def scenario(folder: Path, *actions: dict[str, Any], name: str = "one") -> Path:
    (folder / f"{name}.json").write_text(json.dumps({"name": name, "actions": actions}), "utf-8")
    return folder


def clip(folder: Path, name: str) -> str:
    (folder / f"{name}.wav").write_bytes(utterance(name).path.read_bytes())
    return f"{name}.wav"


def test_clips_of_one_turn_have_the_pause_between_them_that_was_asked_for(tmp_path: Path) -> None:
    clips = [clip(tmp_path, "cards_001"), clip(tmp_path, "cards_003")]
    [read] = read_scenarios(
        scenario(tmp_path, {"kind": "turn", "clips": clips, "pause_s": 0.8, "after": "start"})
    )
    [said] = read.actions
    [pause] = said.pauses
    assert pause.seconds == pytest.approx(0.8, abs=0.01)
    assert said.span.start_s < pause.start_s < pause.end_s < said.span.end_s
    voice_s = sum(
        (utterance(one).speech_end_ms - utterance(one).speech_start_ms) / 1000
        for one in ("cards_001", "cards_003")
    )
    assert said.span.seconds == pytest.approx(voice_s + 0.8, abs=0.3)
    silence = said.samples[round((pause.start_s + 0.1) * HZ) : round((pause.end_s - 0.1) * HZ)]
    assert not silence.any()


def test_gain_is_in_decibels(tmp_path: Path) -> None:
    name = clip(tmp_path, "cards_001")
    [loud, soft] = read_scenarios(
        scenario(
            tmp_path,
            {"kind": "turn", "clips": [name]},
            {"kind": "side_talk", "clips": [name], "gain_db": -20},
        )
    )[0].actions
    assert np.abs(soft.samples).max() == pytest.approx(np.abs(loud.samples).max() / 10, rel=1e-3)


@pytest.mark.parametrize(
    ("actions", "why"),
    [
        ([{"kind": "turn", "clips": []}], "one.json, action 1: expected at least one clip"),
        ([{"kind": "sneeze", "clips": ["a.wav"]}], "one.json holds no scenario: .*'sneeze'"),
        ([{"kind": "turn", "clips": ["a.wav"]}], "a.wav is missing"),
        ([{"kind": "turn", "clips": ["text.wav"]}], "text.wav cannot be read as sound"),
        ([{"kind": "turn", "clips": ["one.wav"], "when": 1}], "one.json holds no scenario: .*`when`"),
    ],
)
def test_a_scenario_that_cannot_be_used_is_told(
    tmp_path: Path, actions: list[dict[str, Any]], why: str
) -> None:
    (tmp_path / "text.wav").write_text("no sound", "utf-8")
    with pytest.raises(EvaluationError, match=why):
        read_scenarios(scenario(tmp_path, *actions))


def test_a_folder_without_scenarios_and_two_of_one_name_are_told(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="holds no scenario"):
        read_scenarios(tmp_path)
    name = clip(tmp_path, "cards_001")
    scenario(tmp_path, {"kind": "turn", "clips": [name]}, name="one")
    (tmp_path / "two.json").write_bytes((tmp_path / "one.json").read_bytes())
    with pytest.raises(EvaluationError, match="names that are unlike"):
        read_scenarios(tmp_path)


def test_builtin_speech_needs_nothing_but_the_checkout() -> None:
    held = builtin(["turns", "pauses", "barge-in", "back-channels", "side talk"], repeats=2)
    assert len({one.name for one in held}) == 10
    for one in held:
        assert one.actions[0].after == "start"
        for action in one.actions:
            assert action.span.end_s <= len(action.samples) / HZ + 0.001
            assert 0.001 < np.abs(action.samples).max() <= 1
    pauses = [
        round(pause.seconds, 1)
        for one in held
        if one.name.startswith("pauses")
        for action in one.actions
        for pause in action.pauses
    ]
    assert pauses == [0.3, 0.5, 0.7, 1.0]


def test_a_sound_that_is_not_installed_is_told_by_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, folder, package in (
        ("coughs", "SOUNDS", "sonic-pi-samples"),
        ("music", "MUSIC", "asterisk-moh-opsound-g722"),
    ):
        missing = tmp_path / name
        monkeypatch.setitem(
            builtin_module._PACKAGES, missing, builtin_module._PACKAGES[getattr(builtin_module, folder)]
        )
        monkeypatch.setattr(builtin_module, folder, missing)
        with pytest.raises(EvaluationError, match=f"apt-get install {package}"):
            builtin([name])
    with pytest.raises(EvaluationError, match="'birds' is no builtin scenario"):
        builtin(["birds"])
    assert "in silence" in NAMES


def test_a_script_is_read_as_it_was_written(tmp_path: Path) -> None:
    script = Script(events=(Event("turn", 0.5, 3.0, "question", (Segment(1.0, 2.0),)),), endpoints_s=(3.5,))
    write_script(tmp_path / "events.json", script)
    assert read_script(tmp_path / "events.json") == script
    written = json.loads((tmp_path / "events.json").read_bytes())
    assert written["events"][0]["pauses"] == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no JSON", "holds no events"),
        ('{"events": [{"kind": "turn", "start_s": 2, "end_s": 1}]}', "at or after 2 s"),
        ('{"events": [{"kind": "turn", "start_s": 1, "end_s": 2, "pauses": [[0, 1.5]]}]}', "inside of it"),
        ('{"events": [{"kind": "turn", "start_s": 1}]}', "end_s"),
        (
            '{"events": [{"kind": "turn", "start_s": 1, "end_s": 2}, '
            '{"kind": "turn", "start_s": 0, "end_s": 1}]}',
            "order",
        ),
    ],
)
def test_events_that_make_no_sense_are_told(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "events.json").write_text(text, "utf-8")
    with pytest.raises(EvaluationError, match=why):
        read_script(tmp_path / "events.json")


def test_both_sides_in_one_file_come_back_on_their_sides(tmp_path: Path) -> None:
    user, assistant = np.full(1600, 0.5, np.float32), np.full(800, -0.25, np.float32)
    write_both(tmp_path / "both.wav", user, assistant, 16_000)
    left, right = read_both(tmp_path / "both.wav", 16_000)
    assert left == pytest.approx(user, abs=1e-4)
    assert right[:800] == pytest.approx(assistant, abs=1e-4)
    assert not right[800:].any()
    with pytest.raises(EvaluationError, match="two channels of 16 bits, got 1 of 16"):
        read_both(utterance("cards_001").path, 16_000)
    with pytest.raises(EvaluationError, match="cannot be read: No such file"):
        read_track(tmp_path / "none.wav", 16_000)
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    for read in (read_both, read_track):
        with pytest.raises(EvaluationError, match=r"bad\.wav cannot be used"):
            read(tmp_path / "bad.wav", 16_000)
