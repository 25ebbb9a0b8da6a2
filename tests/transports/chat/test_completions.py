"""A peer that does not read, whatever the operating system makes of its socket."""

import asyncio
import json

from realtime.metrics import Metrics
from realtime.settings import Settings
from realtime.transports.chat.completions import ChatCompletions
from tests.agent.agents import EndlessAgent

SCOPE = {"type": "http", "method": "POST", "headers": [], "path": "/v1/chat/completions"}


class DeafPeer:
    """Sends its request, and takes nothing after the first `n_read` messages."""

    def __init__(self, n_read: int) -> None:
        body = json.dumps({"stream": True, "messages": [{"role": "user", "content": "Hello."}]})
        self._request = [{"type": "http.request", "body": body.encode(), "more_body": False}]
        self._n_left = n_read

    async def receive(self) -> dict[str, object]:
        if not self._request:
            await asyncio.Event().wait()
        return self._request.pop()

    async def send(self, _: object) -> None:
        self._n_left -= 1
        if self._n_left < 0:
            await asyncio.Event().wait()


async def test_a_peer_that_does_not_read_is_given_up() -> None:
    metrics, agent = Metrics(), EndlessAgent()
    app = ChatCompletions(Settings(slow_peer_s=0.05), agent, "m", metrics, lambda _: None)
    for n_read in (0, 1, 5):
        agent.freed.clear()
        peer = DeafPeer(n_read)
        await app(SCOPE, peer.receive, peer.send)
        assert agent.freed.is_set()
    told = metrics.registry.get_sample_value
    assert told("parlour_chat_completions_total", {"outcome": "peer_left"}) == 3
    assert told("parlour_chat_completions_open") == 0
