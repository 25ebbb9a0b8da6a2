"""Parlour's live wire as a browser takes it: each sample a call of its own, its clip sent as Opus over RTP.

What is lost and late is chosen: of the clip's packets on their way up, once they were encrypted. Events,
and the answer's sound, come as the network brings them.
"""

import argparse
from collections.abc import Mapping, Sequence

import msgspec

from evaluation.errors import EvaluationError
from evaluation.record import Answer
from evaluation.routes.call import Call
from evaluation.routes.live_options import LiveOptions, add_live_arguments, live_options, served
from evaluation.routes.live_session import LiveError, LiveSession
from evaluation.routes.lossy_path import Network
from evaluation.routes.route import Failure, Question


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_live_arguments(parser)
    add = parser.add_argument
    add(
        "--turn-detection",
        choices=("server_vad", "semantic_vad"),
        default="server_vad",
        help="who ends the turn (default: server_vad)",
    )
    add("--loss", type=float, default=0.0, help="share of the clip's packets that are lost, e.g. 0.05")
    add("--jitter-ms", type=float, default=0.0, help="each packet is up to so much late, e.g. 30")
    add("--network-seed", type=int, default=0, help="which packets those are (default: 0)")


def route(options: argparse.Namespace) -> "WebRTCRoute":
    """Raises EvaluationError."""
    if not 0 <= options.loss < 1:
        raise EvaluationError(f"--loss is {options.loss}: expected a share from 0 to below 1.")
    if not 0 <= options.jitter_ms <= 1000:
        raise EvaluationError(f"--jitter-ms is {options.jitter_ms}: expected 0 to 1000.")
    network = Network(options.loss, options.jitter_ms / 1000, options.network_seed)
    return WebRTCRoute(live_options(options, options.turn_detection, fast=False), network)


class WebRTCRoute:
    batch_size = 1

    def __init__(self, options: LiveOptions, network: Network) -> None:
        self.in_flight_max = options.sessions
        self._options = options
        self._network = network
        self._served: Mapping[str, str] = {"model": options.model}

    async def __aenter__(self) -> "WebRTCRoute":
        self._served = await served(self._options)
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Each question closes what it opened."""

    def description(self) -> Mapping[str, str | int | float | bool | None]:
        return {
            **self._options.facts("webrtc", self._served),
            "codec": "opus",
            "loss": self._network.loss,
            "jitter_ms": self._network.jitter_s * 1000,
            "network_seed": self._network.seed,
        }

    def request_shown(self, question: Question) -> str:
        return self._options.request_shown(question)

    async def ask(self, questions: Sequence[Question]) -> list[Answer | Failure]:
        return [await self._outcome(question) for question in questions]

    async def _outcome(self, question: Question) -> Answer | Failure:
        path = self._network.path(question.sample.sample_id)
        options = self._options
        call = Call(path)
        try:
            await call.connect(options.url, options.key, options.model)
            answer = await LiveSession(call, question, options).answer()
        except LiveError as error:
            return error.failure
        finally:
            await call.close()
        measures = {"packets_sent": float(path.n_sent), "packets_lost": float(path.n_lost)}
        return msgspec.structs.replace(answer, measures={**answer.measures, **measures})
