"""The agent is a real child process here, and real things happen to it in mid-answer."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from agent.settings import AgentSettings
from agent.supervisor import RestartPolicy, SupervisedAgent
from tests.agent.agents import PATIENT
from tests.conftest import running_server
from tests.e2e.talk import Talk
from tests.waiting import HANGS_S

UNWATCHED = RestartPolicy(ping_every_s=1000, first_pause_s=0.05, call_s=HANGS_S)
WATCHFUL = replace(UNWATCHED, ping_every_s=0.2, ping_within_s=2.0)


@asynccontextmanager
async def talk_with_a_worker(
    policy: RestartPolicy = UNWATCHED,
) -> AsyncIterator[tuple[Talk, SupervisedAgent]]:
    scripted = AgentSettings(model="scripted")
    agent = SupervisedAgent(scripted, lambda _: None, policy=policy, timeouts=PATIENT)
    await agent.start()
    async with running_server(agent, playback_lead_s=0.5) as server:
        yield await Talk.with_server(server), agent


async def test_killed_in_mid_answer_it_fails_once_and_the_next_turn_works() -> None:
    async with talk_with_a_worker() as (talk, agent):
        await talk.say(type="response.create")
        await talk.until("response.output_audio.delta")
        first = agent.worker_pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        failed = (await talk.until("response.done"))["response"]
        assert failed["status"] == "failed"
        assert failed["status_details"]["error"]["code"] == "agent_unavailable"
        again = await talk.answer()
        assert again["status"] == "completed"
        assert agent.worker_pid != first
        done = [event["response"]["id"] for event in talk.events if event["type"] == "response.done"]
        assert len(done) == len(set(done)) == 2


async def test_hanging_in_mid_answer_it_fails_within_its_deadline_and_is_replaced() -> None:
    async with talk_with_a_worker(WATCHFUL) as (talk, agent):
        await talk.say(type="response.create")
        await talk.until("response.output_audio.delta")
        first = agent.worker_pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        agent._patience = UNWATCHED  # of its successor
        failed = (await talk.until("response.done"))["response"]
        assert failed["status"] == "failed"
        # Told as the hang that it was, or, once its successor is there, as the loss of the call.
        assert failed["status_details"]["error"]["code"] in ("agent_timeout", "agent_unavailable")
        assert (await talk.answer())["status"] == "completed"
        assert agent.worker_pid != first


async def test_what_was_heard_before_it_died_stays_in_the_conversation() -> None:
    async with talk_with_a_worker() as (talk, agent):
        await talk.say(type="response.create")
        item_id = (await talk.until("response.output_audio.delta"))["item_id"]
        assert agent.worker_pid is not None
        os.kill(agent.worker_pid, signal.SIGKILL)
        await talk.until("response.done")
        await talk.say(type="conversation.item.retrieve", item_id=item_id)
        item = (await talk.until("conversation.item.retrieved"))["item"]
        assert item["status"] == "incomplete"
        assert "This is sentence one of ten.".startswith(item["content"][0]["transcript"][:20])
