"""Debian's Mosquitto on a free loopback port, with a configuration of the test's own."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.waiting import port_opens

PROGRAM = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
PASSWD = shutil.which("mosquitto_passwd")
OPEN = "allow_anonymous true"


class Mosquitto:
    def __init__(self, port: int, config: Path) -> None:
        self.port = port
        self._config = config
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def url_of(self, user: str) -> str:
        """With the password that `passwords` gave."""
        return f"mqtt://{user}:{user}-secret@127.0.0.1:{self.port}"

    async def start(self) -> None:
        assert PROGRAM is not None
        self._process = await asyncio.create_subprocess_exec(
            PROGRAM,
            "-c",
            str(self._config),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await port_opens(self._process, self.port)

    async def stop(self) -> None:
        """As a machine that is switched off: nobody is told."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None


@asynccontextmanager
async def running_broker(folder: Path, rules: str = OPEN) -> AsyncIterator[Mosquitto]:
    """rules: lines of mosquitto.conf besides the listener. Skips the test where Mosquitto is missing."""
    if PROGRAM is None:
        pytest.skip("Mosquitto is not installed (apt install mosquitto)")
    port = free_port()
    config = folder / "mosquitto.conf"
    # As root it would become the user mosquitto, who may not read a test's folder.
    user = "user root\n" if os.geteuid() == 0 else ""
    config.write_text(
        f"{user}listener {port} 127.0.0.1\npersistence false\nmax_queued_messages 10000\n{rules}\n",
        encoding="utf-8",
    )
    broker = Mosquitto(port, config)
    try:
        await broker.start()
        yield broker
    finally:
        await broker.stop()


def passwords(file: Path, *users: str) -> None:
    """Each user's password is USER-secret."""
    if PASSWD is None:
        pytest.skip("Mosquitto is not installed (apt install mosquitto)")
    file.touch(0o600)
    for user in users:
        subprocess.run([PASSWD, "-b", str(file), user, f"{user}-secret"], check=True)
