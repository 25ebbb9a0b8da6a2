"""`parlour eval speech`, as it is typed; the live part with the scripted agent over a real socket."""

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.cli import main
from evaluation.commands import speech as speech_module
from evaluation.errors import EvaluationError
from evaluation.speech.live import client as client_module
from evaluation.speech.live import stage as stage_module
from evaluation.speech.live.client import Server, hold, hold_all
from evaluation.speech.live.conversation import Conversation
from evaluation.speech.live.figures import observations
from evaluation.speech.live.playout import HZ
from evaluation.speech.live.scenario import Action, Scenario, said
from evaluation.speech.live.tracks import at_rate, read_both, write_both
from evaluation.speech.live.voice_activity import VAD_HZ, by_level, by_silero
from tests.conftest import running_server
from tests.ports import free_port
from tests.speech import utterance
from tests.waiting import HANGS_S


def speak(name: str) -> np.ndarray:
    return np.frombuffer(utterance(name).pcm24k, "<i2").astype(np.float32) / 32768


def tone(seconds: float) -> np.ndarray:
    return (0.2 * np.sin(np.arange(round(seconds * 16_000)) * 0.1)).astype(np.float32)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A question of cards_001 at 1 s, answered 0.5 s after its end for three seconds."""
    clip = utterance("cards_001")
    end_s = 1 + clip.speech_end_ms / 1000
    user, assistant = np.zeros(10 * 16_000, np.float32), np.zeros(10 * 16_000, np.float32)
    pcm = np.frombuffer(clip.pcm16k, "<i2").astype(np.float32) / 32768
    user[16_000 : 16_000 + len(pcm)] = pcm
    start = round((end_s + 0.5) * 16_000)
    assistant[start : start + 3 * 16_000] = tone(3)
    write_both(tmp_path / "conversation.wav", user, assistant, 16_000)
    events = {"events": [{"kind": "turn", "start_s": 0.8, "end_s": 3.0}]}
    (tmp_path / "events.json").write_text(json.dumps(events), "utf-8")
    return tmp_path


def test_a_recording_in_stereo_is_scored_by_its_sound(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["speech", "score", "--stereo", str(recorded / "conversation.wav")]
    arguments += ["--events", str(recorded / "events.json"), "--json", str(recorded / "out.json")]
    assert main(arguments) == 0
    told = json.loads((recorded / "out.json").read_bytes())
    latencies = [one["value"] for one in told["observations"] if one["figure"] == "response_latency_s"]
    assert latencies == [pytest.approx(0.5, abs=0.13)], "the end of the voice is Silero's, not the script's"
    assert {one["value"] for one in told["figures"]} == {None}, "one event is too few to show a figure"
    assert "too few" in capsys.readouterr().out


def test_all_conversations_of_a_folder_are_scored_together(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(10):
        folder = tmp_path / "all" / str(number)
        folder.mkdir(parents=True)
        for name in ("conversation.wav", "events.json"):
            (folder / name).write_bytes((recorded / name).read_bytes())
    assert main(["speech", "score", "--recordings", str(tmp_path / "all")]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("take_over ")]
    assert line.split()[1:3] == ["1.000", "0.722"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--events", "events.json"], "expected --events with"),
        (["--recordings", "none"], "holds no conversation"),
        (["--stereo", "conversation.wav", "--events", "late.json"], "lies after the end"),
        (["--stereo", "none.wav", "--events", "events.json"], "cannot be read"),
    ],
)
def test_what_cannot_be_scored_is_told_in_one_sentence(
    recorded: Path,
    arguments: list[str],
    why: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(recorded)
    Path("late.json").write_text('{"events": [{"kind": "cough", "start_s": 11, "end_s": 12}]}', "utf-8")
    assert main(["speech", "score", *arguments]) == 2
    told = capsys.readouterr().err
    assert why in told
    assert told.count("\n") == 1


def test_answers_are_scored_with_counts_and_the_published_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[dict[str, Any]] = [
        {"reference": "A", "response": "It is A."},
        {"reference": "B", "response": "no"},
    ]
    (tmp_path / "a.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    assert main(["speech", "answers", str(tmp_path / "a.jsonl"), "--task", "openbookqa"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["scores"]["acc_mcq"]["score"] == 0.5
    assert told["scores"]["acc_mcq_voicebench"]["score"] == 0.625
    assert told["scores"]["acc_mcq"]["unread"] == 1
    assert told["published"] == {"qwen2_audio": pytest.approx(0.4945), "n": 455}


# Live -------------------------------------------------------------------------------------------


def short_scenario() -> Scenario:
    """A question, and another over its answer."""
    question: Action = said([speak("cards_001")], "turn", after="start", delay_s=0.2)
    barge_in = said([speak("cards_003")], "interruption", after="answer_start", delay_s=1.0)
    return Scenario("short", (question, barge_in))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is slow is no server that does not answer."""
    monkeypatch.setattr(stage_module, "PATIENCE_S", HANGS_S)
    monkeypatch.setattr(client_module, "CONNECT_S", HANGS_S)
    monkeypatch.setattr(client_module, "GREETING_S", HANGS_S)


@pytest.mark.usefixtures("patient")
async def test_a_live_conversation_is_recorded_as_it_was_heard() -> None:
    async with running_server() as server:
        held = await hold(Server(server.http), short_scenario())
    assert [event.kind for event in held.script.events] == ["turn", "interruption"]
    assert held.error_codes == ()
    assert held.script.endpoints_s is not None
    assert held.script.cuts_s is not None
    assert len(held.script.endpoints_s) == 2, "both were heard to their end"
    assert len(held.script.cuts_s) == 1, "the second one stopped the answer to the first"
    [cut_s] = held.script.cuts_s
    assert held.script.events[1].start_s <= cut_s
    user, assistant = (at_rate(one, HZ, VAD_HZ) for one in (held.user, held.assistant))
    conversation = Conversation.of(held.script, by_silero(user), by_level(assistant, VAD_HZ))
    seen = {one.figure: one.value for one in observations(conversation)}
    assert seen["take_over"] == seen["fdb_interruption_take_over"] == 1
    assert seen["barge_in_latency_s"] == pytest.approx(cut_s - held.script.events[1].start_s, abs=0.15)


@pytest.mark.usefixtures("patient")
async def test_the_command_writes_each_conversation_and_what_it_wrote_can_be_scored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = said([speak("cards_001")], "turn", after="start", delay_s=0.2)
    monkeypatch.setattr(
        speech_module, "builtin", lambda *_: [Scenario(name, (question,)) for name in ("a", "b")]
    )
    out = str(tmp_path / "out")
    async with running_server() as server:
        arguments = [
            "speech",
            "run",
            "--url",
            server.ws,
            "--out",
            out,
            "--repeat",
            "1",
            "--sessions",
            "2",
            "--turn-detection",
            "semantic_vad",
        ]
        assert await asyncio.to_thread(main, arguments) == 0
    user, assistant = read_both(tmp_path / "out" / "b" / "conversation.wav", VAD_HZ)
    assert user.any()
    assert assistant.any()
    again = str(tmp_path / "again.json")
    assert main(["speech", "score", "--recordings", out, "--json", again]) == 0
    live, later = (counted(file) for file in (f"{out}/figures.json", again))
    assert live == later
    assert live["take_over"] == 2


def counted(file: str) -> dict[str, int]:
    return {one["name"]: one["n"] for one in json.loads(Path(file).read_bytes())["figures"]}


async def test_a_server_that_is_not_there_or_refuses_is_told() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(EvaluationError, match=r"cannot connect to .*nothing listens"):
        await hold_all(Server(nowhere), [short_scenario(), short_scenario()], 2, lambda _: None)
    async with running_server() as server:
        with pytest.raises(EvaluationError, match=r"refused the session: .*no_such"):
            await hold(Server(server.http, session={"no_such": 1}), short_scenario())
    with pytest.raises(EvaluationError, match="is no server's address"):
        await hold(Server("http://:0"), short_scenario())
