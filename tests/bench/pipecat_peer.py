"""The peer that the gateway is measured beside: Pipecat 1.14, WebSocket in, Silero VAD, nothing else."""

import asyncio
import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.frames import BINARY, client_frame
from tests.bench.load import Kind, Trigger
from tests.bench.tracks import Track

_PACKAGES = ("pipecat-ai[silero,websocket]==1.14.0", "uvicorn[standard]")
_SERVER = Path(__file__).parent / "pipecat_server.py"
_START_WITHIN_S = 60.0
_CALIBRATE_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Peer:
    pid: int
    port: int
    python: Path


class PeerWire:
    """Audio as binary PCM, a question as text (`tests.bench.load.Wire`)."""

    path = "/"
    ask = client_frame(b"?")

    def audio(self, pcm: bytes) -> bytes:
        return client_frame(pcm, BINARY)

    def read(self, payload: bytes) -> Kind | None:
        return _KINDS.get(payload)


_KINDS: dict[bytes, Kind] = {
    b"ready": "ready",
    b"started": "started",
    b"stopped": "stopped",
    b"answered": "answered",
}


def peer_python(environment: str) -> Path:
    """The interpreter of the peer's environment, which is made if it is not there."""
    python = Path(environment) / "bin" / "python"
    if not python.exists():
        print(f"  installing {_PACKAGES[0]} into {environment} …", flush=True)
        venv.create(environment, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *_PACKAGES], check=True)
    return python


@asynccontextmanager
async def running_peer(environment: str) -> AsyncIterator[Peer]:
    python = peer_python(environment)
    process = await asyncio.create_subprocess_exec(
        python, _SERVER, "serve", stdout=asyncio.subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_WITHIN_S):
            line = await process.stdout.readline()
        yield Peer(process.pid, int(line), python)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def triggers(python: Path, tracks: Sequence[Track]) -> list[list[Trigger]]:
    """Which frames give which signals: Pipecat's own analyser tells, without any server."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.pcm" for number in range(len(tracks))]
        for file, track in zip(files, tracks, strict=True):
            file.write_bytes(b"".join(track.frames))
        process = await asyncio.create_subprocess_exec(
            python, _SERVER, "triggers", *files, stdout=asyncio.subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        async with asyncio.timeout(_CALIBRATE_WITHIN_S):
            out, _ = await process.communicate()
    return [[Trigger(frame, kind) for frame, kind in track] for track in json.loads(out)]


if __name__ == "__main__":
    print(peer_python(sys.argv[1]))
