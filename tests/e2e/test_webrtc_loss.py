"""5 % of all packets lost, each up to 30 ms late: turns and answers as on a good network."""

import pytest
from aioice.ice import get_host_addresses

from tests.conftest import Server
from tests.e2e.lossy import lossy_network
from tests.e2e.webrtc_client import Caller, calling
from tests.speech import HZ, utterance

QUESTIONS = ("cards_001", "cards_002", "something")


async def turn(caller: Caller, name: str) -> tuple[int, int]:
    """Say it; return where the turn detector heard it begin and end."""
    caller.microphone.say(utterance(name).pcm16k + bytes(2 * HZ))
    started = await caller.until("input_audio_buffer.speech_started")
    stopped = await caller.until("input_audio_buffer.speech_stopped")
    assert (await caller.until("response.done"))["response"]["status"] == "incomplete"  # six words of it
    await caller.until("output_audio_buffer.stopped")
    return started["audio_start_ms"], stopped["audio_end_ms"]


@pytest.mark.parametrize("seed", [1, 2])
async def test_turns_are_the_same_through_a_lossy_network(server: Server, seed: int) -> None:
    hosts = get_host_addresses(use_ipv4=True, use_ipv6=False)
    if not hosts:
        pytest.skip("this machine has no address but loopback")
    brief = {"type": "realtime", "max_output_tokens": 6}
    lengths = []
    async with lossy_network(hosts[0], loss=0.05, jitter_s=0.03, seed=seed) as network:
        async with calling(server, session=brief, through=network.through) as caller:
            caller.conceal_losses()
            for name in QUESTIONS:
                start_ms, end_ms = await turn(caller, name)
                lengths.append(end_ms - start_ms)
            assert len(caller.of("input_audio_buffer.speech_started")) == len(QUESTIONS)
            assert caller.of("conversation.item.truncated") == []
            assert abs(caller.sound_ms - 1_000 * len(QUESTIONS)) < 200
        assert network.lost > 20
    spoken = [utterance(name).speech_end_ms - utterance(name).speech_start_ms for name in QUESTIONS]
    padding_ms = 300 + 100  # before the speech, and what the detector takes for its end
    for heard_ms, said_ms in zip(lengths, spoken, strict=True):
        assert abs(heard_ms - said_ms - padding_ms) < 200
