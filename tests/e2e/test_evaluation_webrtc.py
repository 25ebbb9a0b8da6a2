"""Samples over a WebRTC call, the scripted agent behind the gateway: what is lost, what is told."""

import argparse

import pytest
from aioice.ice import get_host_addresses

from evaluation.errors import EvaluationError
from evaluation.record import Answer
from evaluation.routes import live_webrtc
from evaluation.routes.live_webrtc import WebRTCRoute
from evaluation.routes.lossy_path import Network
from evaluation.routes.route import Failure
from tests.conftest import Server, running_server
from tests.e2e.live_questions import Brief, question
from tests.ports import free_port
from tests.speech import utterance, white_noise

CLIP = question(utterance("cards_001").pcm16k)

pytestmark = pytest.mark.skipif(
    not get_host_addresses(use_ipv4=True, use_ipv6=False), reason="this machine has no address but loopback"
)


def route(url: str, *arguments: str) -> WebRTCRoute:
    parser = argparse.ArgumentParser()
    live_webrtc.add_arguments(parser)
    return live_webrtc.route(parser.parse_args(["--url", url, *arguments]))


async def test_a_call_is_answered_and_timed_from_the_end_of_speech() -> None:
    async with running_server(Brief()) as server, route(server.http) as way:
        [answer] = await way.ask([CLIP])
        await server.left()
    assert isinstance(answer, Answer)
    assert answer.response == "This is"
    assert answer.measures["turns"] == 1
    assert answer.measures["ttfa_ms"] >= answer.measures["endpoint_delay_ms"]
    assert answer.measures["packets_lost"] == 0
    assert answer.measures["packets_sent"] >= len(CLIP.pcm) / 320


async def test_what_is_lost_and_late_is_the_same_at_every_run_and_changes_no_turn(server: Server) -> None:
    words = ("--live-text", "transcription")
    network = ("--loss", "0.1", "--jitter-ms", "30", "--network-seed", "3")
    async with route(server.http, *words, *network) as way:
        answers = [outcome for _ in range(2) for outcome in await way.ask([CLIP])]
        facts = way.description()
    for answer in answers:
        assert isinstance(answer, Answer)
        chosen = Network(0.1, 0.03, seed=3).path(CLIP.sample.sample_id)
        for _ in range(round(answer.measures["packets_sent"])):
            chosen.delay_s()
        assert answer.measures["packets_lost"] == chosen.n_lost > 2
        assert answer.measures["turns"] == 1
    assert (facts["loss"], facts["jitter_ms"], facts["network_seed"]) == (0.1, 30, 3)


async def test_a_clip_in_which_nobody_was_heard_counts(server: Server) -> None:
    async with route(server.http, "--text-only") as way:
        [missed] = await way.ask([question(white_noise(0.5, 30))])
    assert isinstance(missed, Answer)
    assert (missed.response, missed.measures["speech_missed"]) == ("", 1)


async def test_a_call_that_is_refused_says_why_and_whether_to_ask_again() -> None:
    async with running_server(keys="secret") as server:
        [locked] = await route(server.http).ask([CLIP])
    assert isinstance(locked, Failure)
    assert (locked.is_transient, locked.is_overload) == (False, False)
    assert "HTTP 401" in locked.message
    [gone] = await route(f"http://127.0.0.1:{free_port()}").ask([CLIP])
    assert isinstance(gone, Failure)
    assert gone.is_transient


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--loss", "1"), "--loss is 1.0: expected a share from 0 to below 1."),
        (("--loss", "nan"), "--loss is nan: expected a share from 0 to below 1."),
        (("--jitter-ms", "-1"), "--jitter-ms is -1.0: expected 0 to 1000."),
    ],
)
def test_a_network_that_cannot_be_is_one_sentence(arguments: tuple[str, str], sentence: str) -> None:
    with pytest.raises(EvaluationError) as refused:
        route("x:1", *arguments)
    assert str(refused.value) == sentence
