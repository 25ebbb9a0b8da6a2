"""`parlour speaker` as a process of its own, over a real broker."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from realtime.microphone import HZ
from realtime.wav import read_wav
from tests.conftest import running_server
from tests.e2e.mosquitto import running_broker
from tests.speech import utterances

WAV = str(utterances()[1].path)
WITHIN_S = 60.0


async def spoken(*flags: str) -> tuple[int, str, str]:
    """Exit code, output, errors."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PARLOUR_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "realtime.cli", "speaker", *flags),
        cwd=Path(__file__).parents[2],
        env=clean,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(WITHIN_S):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


@pytest.mark.parametrize("way", [[], ["--push-to-talk"]], ids=["wake word", "push to talk"])
async def test_a_file_is_said_and_the_answer_played_to_its_end(tmp_path: Path, way: list[str]) -> None:
    out = tmp_path / "answer.wav"
    async with running_broker(tmp_path) as broker, running_server(mqtt_url=broker.url) as server:
        code, output, errors = await spoken("--broker", broker.url, "--wav", WAV, "--out", str(out), *way)
        assert (code, errors) == (0, "")
        assert output.startswith("This is sentence one of ten.")
        played_s = len(read_wav(out, HZ)) / (2 * HZ)
        assert played_s == pytest.approx(10.0, abs=0.1)
        async with asyncio.timeout(10):
            while server.sessions.open_count:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--name", "a/b"], "--name"),
        (["--broker", "http://x"], "mqtt://"),
        (["--out", "x.wav"], "--wav"),
        (["--wav", "/no/such/file.wav"], "--wav"),
    ],
)
async def test_what_cannot_be_used_is_named(flags: list[str], named: str) -> None:
    code, _, errors = await spoken(*flags)
    assert code == 2
    assert named in errors
    assert "Traceback" not in errors
