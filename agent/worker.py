"""One worker process: started, watched until it ends, ended. It knows nothing of restarts."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from agent.api import AgentError
from agent.settings import AgentSettings

LLM_KEY_VARIABLE = "PARLOUR_LLM_KEY"
"""The chat server's key goes through the environment: everyone on a machine can read arguments."""


class Worker:
    """A child process that serves an agent on its Unix socket. It leads a process group of its own,
    so that its children end with it and a terminal's Ctrl-C is left to the parent."""

    def __init__(self, process: Process, uds: Path) -> None:
        self._process = process
        self._has_ended = False
        self.uds = uds
        self.pid = process.pid

    @classmethod
    async def start(
        cls,
        settings: AgentSettings,
        uds: Path,
        report: Callable[[str], None],
        *,
        silence_s: float,
        memory_limit_mb: int = 0,
    ) -> "Worker":
        """Start the process and return once it is ready.

        report: gets each line of progress. silence_s: how long it may take from one line to the
        next. Raises AgentError with the process's own sentence if it cannot start.
        """
        try:
            process = await cls._spawn(settings, uds, memory_limit_mb)
        except OSError as error:
            sentence = f"The agent's process cannot be started: {error.strerror}."
            raise AgentError("agent_unavailable", sentence) from None
        worker = cls(process, uds)
        try:
            await worker._until_ready(report, silence_s)
        except BaseException:
            await worker.end(0)
            raise
        return worker

    @staticmethod
    async def _spawn(settings: AgentSettings, uds: Path, memory_limit_mb: int) -> Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agent.server", "--uds", str(uds)),
            *("--memory-limit-mb", str(memory_limit_mb)),
            *_flags(settings),
            stdin=PIPE,
            stdout=PIPE,
            env=_environment(settings),
            start_new_session=True,
        )

    async def gone(self) -> str:
        """Wait until the process has ended, and return how: "exited with status 1"."""
        status = await self._process.wait()
        if status >= 0:
            return f"exited with status {status}"
        return f"was ended by {_signal_name(-status)}"

    async def end(self, within_s: float) -> None:
        """End the process and its children: asked first, killed after `within_s`. Idempotent."""
        if self._has_ended:
            return  # its number may be another process's by now
        try:
            if within_s > 0 and self._process.returncode is None:
                with suppress(ProcessLookupError):
                    self._process.terminate()
                with suppress(TimeoutError):
                    async with asyncio.timeout(within_s):
                        await self._process.wait()
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            await self._process.wait()  # a killed process does end, and then is no zombie
            self._has_ended = True
            if self._process.stdin is not None:
                self._process.stdin.close()

    async def _until_ready(self, report: Callable[[str], None], silence_s: float) -> None:
        assert self._process.stdout is not None
        while True:
            try:
                async with asyncio.timeout(silence_s):
                    line = await self._process.stdout.readline()
            except TimeoutError:
                raise AgentError(
                    "agent_timeout", f"The agent's process made no progress for {silence_s:g} s."
                ) from None
            except ValueError:  # a line longer than the reader's limit
                line = b"?"
            if not line:
                how = await self.gone()
                raise AgentError("agent_unavailable", f"The agent's process {how} before it was ready.")
            match _parsed(line):
                case {"progress": str(step)}:
                    report(step)
                case {"ready": dict()}:
                    return
                case {"failed": str(sentence)}:
                    raise AgentError("agent_unavailable", sentence)
                case _:
                    raise AgentError("agent_error", "The agent's process is of another version.")


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _flags(settings: AgentSettings) -> list[str]:
    named = {field.name: getattr(settings, field.name) for field in fields(settings)}
    del named["llm_key"]
    return [f"--{name.replace('_', '-')}={value}" for name, value in named.items()]


def _environment(settings: AgentSettings) -> dict[str, str]:
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, LLM_KEY_VARIABLE: settings.llm_key}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
