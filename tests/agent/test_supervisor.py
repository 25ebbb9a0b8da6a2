"""Real child processes that die, hang, fail to start: the calls end, the next ones work."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

# ruff: noqa: ASYNC240 - a look at a file is quick, and the test's own
from agent.api import (
    AgentError,
    AgentEvent,
    AgentRequest,
    GenerationDone,
    GenerationFailed,
    TextDelta,
    ToolCallMessage,
    ToolResultMessage,
)
from agent.client import Timeouts
from agent.settings import AgentSettings
from agent.supervisor import RestartPolicy, SupervisedAgent, next_pause_s
from tests.agent.agents import HELLO, PATIENT
from tests.waiting import HANGS_S

SCRIPTED = AgentSettings(model="scripted")
# 250 words of sound are 2 MB: more than all buffers on the way, so that the worker is in mid-answer.
LONG = AgentRequest("s", "r", "", (ToolCallMessage("c", "f", "{}"), ToolResultMessage("c", "a " * 250)))
UNWATCHED = RestartPolicy(ping_every_s=1000, call_s=HANGS_S)
WATCHFUL = replace(UNWATCHED, ping_every_s=0.05, ping_within_s=1.0)


@asynccontextmanager
async def supervised(
    policy: RestartPolicy = UNWATCHED, timeouts: Timeouts = PATIENT, memory_limit_mb: int = 0
) -> AsyncIterator[SupervisedAgent]:
    agent = SupervisedAgent(
        SCRIPTED, lambda line: None, policy=policy, timeouts=timeouts, memory_limit_mb=memory_limit_mb
    )
    await agent.start()
    try:
        yield agent
    finally:
        await agent.aclose()


def pid_of(agent: SupervisedAgent) -> int:
    assert agent.worker_pid is not None
    return agent.worker_pid


def assert_no_process(pid: int) -> None:
    """Neither running nor a zombie."""
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def assert_ends_once(events: list[AgentEvent], code: str) -> None:
    ends = [event for event in events if isinstance(event, GenerationDone | GenerationFailed)]
    assert ends == events[-1:]
    assert isinstance(events[-1], GenerationFailed), events[-1]
    assert events[-1].code == code


async def assert_answers(agent: SupervisedAgent) -> None:
    events = [event async for event in agent.respond(HELLO)]
    assert isinstance(events[-1], GenerationDone)


async def begun(events: AsyncGenerator[AgentEvent, None]) -> list[AgentEvent]:
    """What there is of the answer with its first word."""
    said = [await anext(events)]
    while not isinstance(said[-1], TextDelta):
        said.append(await anext(events))
    return said


async def test_a_killed_worker_fails_its_call_once_and_the_next_call_works() -> None:
    async with supervised() as agent:
        pid = pid_of(agent)
        events = agent.respond(LONG)
        said = await begun(events)
        os.kill(pid, signal.SIGKILL)
        said += [event async for event in events]
        assert_ends_once(said, "agent_unavailable")
        await assert_answers(agent)
        assert pid_of(agent) != pid
        assert_no_process(pid)


async def test_a_worker_that_hangs_is_killed_and_its_call_times_out() -> None:
    async with supervised(WATCHFUL) as agent:
        pid = pid_of(agent)
        events = agent.respond(LONG)
        said = await begun(events)
        os.kill(pid, signal.SIGSTOP)
        agent._patience = UNWATCHED  # of its successor
        said += [event async for event in events]
        assert_ends_once(said, "agent_timeout")
        await assert_answers(agent)
        assert_no_process(pid)


async def test_a_call_times_out_by_itself_before_the_pings_see_that_the_worker_hangs() -> None:
    async with supervised(timeouts=replace(PATIENT, next_event_s=0.2)) as agent:
        events = agent.respond(LONG)
        said = await begun(events)
        os.kill(pid_of(agent), signal.SIGSTOP)
        said += [event async for event in events]
        assert_ends_once(said, "agent_timeout")


async def test_pings_leave_a_healthy_worker_alone() -> None:
    async with supervised(replace(UNWATCHED, ping_every_s=0.001, ping_within_s=HANGS_S)) as agent:
        pid = pid_of(agent)
        for _ in range(20):
            await assert_answers(agent)
        assert pid_of(agent) == pid


async def test_many_deaths_in_a_row_are_survived() -> None:
    async with supervised() as agent:
        for _ in range(3):
            os.kill(pid_of(agent), signal.SIGKILL)
            await assert_answers(agent)


async def test_calls_wait_a_bounded_time_for_a_restart_that_fails() -> None:
    async with supervised(RestartPolicy(call_s=0.3, ping_every_s=1000)) as agent:
        agent._settings = AgentSettings(model="no-such-model")
        os.kill(pid_of(agent), signal.SIGKILL)
        events = [event async for event in agent.respond(HELLO)]
        assert_ends_once(events, "agent_unavailable")
        health = await agent.health()
        assert health.status == "starting"
        agent._settings, agent._patience = SCRIPTED, UNWATCHED  # mended
        while agent.worker_pid is None:
            await agent._changed.wait()
        await assert_answers(agent)


async def test_a_start_that_fails_raises_the_workers_own_sentence() -> None:
    agent = SupervisedAgent(AgentSettings(model="no-such-model"), lambda line: None)
    with pytest.raises(AgentError, match="'no-such-model' is not one that this version knows"):
        await agent.start()
    assert not Path(agent._folder.name).exists()
    await agent.aclose()


async def test_a_worker_that_dies_before_it_is_ready_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(AgentError, match="exited with status 1 before it was ready"):
        await SupervisedAgent(SCRIPTED, lambda line: None).start()


async def test_an_interpreter_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(AgentError, match="cannot be started"):
        await SupervisedAgent(SCRIPTED, lambda line: None).start()


async def test_a_worker_that_loads_in_silence_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec cat\n")  # reads its stdin and says nothing
    silent.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(silent))
    agent = SupervisedAgent(SCRIPTED, lambda line: None, policy=RestartPolicy(load_silence_s=0.2))
    with pytest.raises(AgentError, match=r"no progress for 0\.2 s"):
        await agent.start()


async def test_progress_is_passed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    talking = tmp_path / "talking"
    talking.write_text(
        """#!/bin/sh\necho '{"progress": "half"}'\necho '{"failed": "The file is damaged."}'\n"""
    )
    talking.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(talking))
    lines: list[str] = []
    with pytest.raises(AgentError, match=r"^The file is damaged\.$"):
        await SupervisedAgent(SCRIPTED, lines.append).start()
    assert lines == ["half"]


async def test_closing_leaves_no_process_and_no_file() -> None:
    async with supervised() as agent:
        pid = pid_of(agent)
        await assert_answers(agent)
        await agent.aclose()
        assert_no_process(pid)
        assert not Path(agent._folder.name).exists()
        assert_ends_once([event async for event in agent.respond(HELLO)], "agent_unavailable")
        assert (await agent.health()).status == "failed"
        await agent.aclose()


async def test_closing_at_once_after_the_start_leaves_no_process() -> None:
    agent = SupervisedAgent(SCRIPTED, lambda line: None)
    await agent.start()
    pid = pid_of(agent)
    await agent.aclose()
    assert_no_process(pid)


async def test_closing_kills_a_worker_that_does_not_end() -> None:
    async with supervised(RestartPolicy(end_s=0.1, ping_every_s=1000)) as agent:
        pid = pid_of(agent)
        os.kill(pid, signal.SIGSTOP)
        await agent.aclose()
        assert_no_process(pid)


async def test_the_folder_of_the_socket_is_the_users_alone() -> None:
    async with supervised() as agent:
        assert Path(agent._folder.name).stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="reads the limits in Linux's /proc")
async def test_the_memory_limit_is_the_workers_alone() -> None:
    async with supervised(memory_limit_mb=512) as agent:
        limits = Path(f"/proc/{pid_of(agent)}/limits").read_text()
        assert str(512 * 1024 * 1024) in limits.partition("Max data size")[2].splitlines()[0]
        assert str(512 * 1024 * 1024) not in Path("/proc/self/limits").read_text()


async def test_the_key_is_not_among_the_arguments() -> None:
    settings = AgentSettings(model="scripted", llm_key="secret-key")
    agent = SupervisedAgent(settings, lambda line: None, policy=UNWATCHED)
    await agent.start()
    try:
        arguments = Path(f"/proc/{pid_of(agent)}/cmdline").read_bytes()
        assert b"agent.server" in arguments
        assert b"secret-key" not in arguments
    finally:
        await agent.aclose()


async def test_the_worker_ends_when_its_parent_is_killed() -> None:
    script = (
        "import asyncio\n"
        "from agent.settings import AgentSettings\n"
        "from agent.supervisor import SupervisedAgent\n"
        "async def main():\n"
        "    agent = SupervisedAgent(AgentSettings(model='scripted'), print)\n"
        "    await agent.start()\n"
        "    print(agent.worker_pid, agent._folder.name, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert parent.stdout is not None
    assert parent.stderr is not None
    pid, folder = (await parent.stdout.readline()).decode().split()
    os.kill(int(pid), 0)
    parent.kill()
    await parent.wait()
    await parent.stderr.read()  # the worker has it too: its end comes when both are gone
    assert list(Path(folder).iterdir()) == []  # the worker took its socket with it
    os.rmdir(folder)


def test_pauses_double_up_to_the_longest() -> None:
    policy = RestartPolicy()
    pauses = [policy.first_pause_s]
    for _ in range(8):
        pauses.append(next_pause_s(pauses[-1], policy))
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
