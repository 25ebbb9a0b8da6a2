"""Parlour tells nobody anything: what its libraries would report of themselves is off."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "program",
    [
        "from realtime.turns.silero import SileroModel; SileroModel()",
        "import agent.asr.whisper; from faster_whisper.vad import get_vad_model; get_vad_model()",
        "import agent.tts.piper",
        "import agent.tts.kokoro",
    ],
)
def test_loading_a_model_leaves_no_id_of_the_device_behind(program: str, tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []
