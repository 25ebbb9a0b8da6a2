"""A server, and the ways to it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.api import AgentEvent, AgentRequest, TranscribeRequest, Transcript
from agent.scripted.agent import ScriptedAgent
from tests.conftest import Server, running_server
from tests.e2e.device import device
from tests.e2e.mosquitto import running_broker
from tests.peers.base import Peer
from tests.peers.mqtt import MqttPeer
from tests.peers.webrtc import WebRtcPeer
from tests.peers.websocket import WebSocketPeer

TRANSPORTS = ("websocket", "webrtc", "mqtt")


class NotingAgent(ScriptedAgent):
    """The scripted agent. requests: what it was asked; clips_s: how long each utterance was."""

    def __init__(self) -> None:
        self.requests: list[AgentRequest] = []
        self.clips_s: list[float] = []

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        self.requests.append(request)
        async for event in super().respond(request):
            yield event

    async def transcribe(self, request: TranscribeRequest) -> Transcript:
        transcript = await super().transcribe(request)
        self.clips_s.append(transcript.duration_s)
        return transcript


@dataclass
class Place:
    server: Server
    agent: NotingAgent
    broker_url: str = ""
    _n_peers: int = 0
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def peer(self, transport: str) -> Peer:
        """Closed with the place, if it was not before."""
        self._n_peers += 1
        made: Peer
        match transport:
            case "websocket":
                made = WebSocketPeer(self.server)
            case "websocket, truncating":
                made = WebSocketPeer(self.server, acknowledges=False)
            case "webrtc":
                made = WebRtcPeer(self.server)
            case _:
                made = MqttPeer(self.broker_url, f"speaker-{self._n_peers}")
        self._stack.push_async_callback(made.close)
        return made


@asynccontextmanager
async def place(folder: Path, *transports: str, **settings: object) -> AsyncIterator[Place]:
    """folder: for the broker's configuration. Skips the test where a broker is needed and not installed."""
    async with AsyncExitStack() as stack:
        agent, broker_url = NotingAgent(), ""
        if "mqtt" in transports:
            broker_url = (await stack.enter_async_context(running_broker(folder))).url
            settings = {"mqtt_follow_up_s": 60.0, **settings}
        server = await stack.enter_async_context(running_server(agent, mqtt_url=broker_url, **settings))
        if broker_url:
            async with device(broker_url, "probe", plays=False):
                pass  # the server has found the broker
        peers = await stack.enter_async_context(AsyncExitStack())
        yield Place(server, agent, broker_url, _stack=peers)
