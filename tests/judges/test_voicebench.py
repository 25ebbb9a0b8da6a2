"""voicebench speaks with Parlour over the wire, and judges latency and turn-taking by the sound alone."""

import json
import os
from pathlib import Path

import pytest

from tests.e2e.browser.chromium import write_wav
from tests.e2e.serving import serving
from tests.environments import CACHE, environment, output_of
from tests.judges.obedient import obedient_chat_server
from tests.speech import HZ, utterance

pytestmark = [pytest.mark.judges, pytest.mark.timeout(2_400)]
VOICEBENCH = ("voicebench==0.2.0",)
N_SESSIONS = 3
RUN_HANGS_S = 900.0


def _scenario(folder: Path) -> Path:
    """Two questions, one over the answer to the first, and a knock that is no word."""

    def said(name: str) -> str:
        return str(write_wav(folder / f"{name}.wav", utterance(name).pcm16k, HZ))

    scenario = {
        "name": "parlour",
        "sample_rate": 24_000,
        "frame_ms": 20,
        "adapter": {"type": "websocket"},
        "defaults": {"response_timeout_ms": 30_000},
        "turns": [
            {
                "id": "question",
                "audio": {"file": said("cards_001")},
                "start": {"after": "session_start", "delay_ms": 500},
            },
            {
                "id": "knock",
                "audio": {"synth": "noise", "duration_ms": 120, "level_db": -30},
                "start": {"after": "agent_speech_start", "delay_ms": 600},
                "expect": "ignore",
            },
            {
                "id": "next question",
                "audio": {"file": said("cards_002")},
                "start": {"after": "agent_speech_end", "delay_ms": 500},
            },
            {
                "id": "barge-in",
                "audio": {"file": said("cards_001")},
                "start": {"after": "agent_speech_start", "delay_ms": 900},
                "expect": "stop",
            },
        ],
        "assert": {"max_missed_responses": 0, "min_barge_in_success_rate": 1.0, "max_false_barge_ins": 0},
    }
    path = folder / "scenario.yaml"
    path.write_text(json.dumps(scenario), "utf-8")  # JSON is YAML
    return path


async def test_nothing_is_missed_and_every_barge_in_stops_the_answer(tmp_path: Path) -> None:
    await environment("voicebench", VOICEBENCH)
    async with (
        obedient_chat_server() as llm,
        serving("--model", "obedient", "--llm-url", llm) as address,
    ):
        url = address.replace("http", "ws") + "/v1/realtime?model=any"
        judged = await output_of(
            RUN_HANGS_S,
            *(CACHE / "voicebench" / "bin" / "voicebench", "run", _scenario(tmp_path), "--url", url),
            *("--adapter", "voicebench_adapter:Realtime", "--repeat", str(N_SESSIONS), "--no-write"),
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        )
    print(judged)
