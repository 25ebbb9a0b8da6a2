"""A conversation of the stock `openai` client, through a tap, for tests to follow event by event."""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from agent.api import Agent, AgentEvent, AgentRequest
from agent.scripted.agent import ScriptedAgent
from tests import speech
from tests.agent.reciter import Reciter
from tests.conftest import running_server
from tests.e2e.clients.tap import Tap, tapped
from tests.waiting import unless_it_hangs

END_SILENCE = bytes(2 * 24_000)  # a second: longer than the default 500 ms that end a turn
CHUNK_BYTES = 4_800  # 100 ms
TEN_SECONDS_BYTES = 10 * 2 * 24_000
"""What the scripted agent says, in the client's default format."""

WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a place.",
    "parameters": {
        "type": "object",
        "properties": {"place": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
        "required": ["place", "days"],
    },
}


class Attentive(ScriptedAgent):
    """The scripted agent, remembering what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[AgentRequest] = []

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        self.requests.append(request)
        async for event in super().respond(request):
            yield event


class AttentiveReciter(Attentive, Reciter):
    """It recites until it is interrupted, and remembers what it was asked."""


class Talk:
    """connection: the client's own. seen: what it gave, all of it, in order."""

    def __init__(self, connection: AsyncRealtimeConnection, tap: Tap) -> None:
        self.connection = connection
        self.tap = tap
        self.seen: list[Any] = []

    async def next(self, event_type: str) -> Any:
        """Read on until an event of this type comes."""
        async with unless_it_hangs(event_type):
            while True:
                event = await self.connection.recv()
                self.seen.append(event)
                if event.type == event_type:
                    return event

    async def read_on(self) -> None:
        """Read for as long as the connection lasts, or until cancelled."""
        async for event in self.connection:
            self.seen.append(event)

    def since(self, earlier: Any) -> list[Any]:
        """The events that came after one that `next` returned."""
        return self.seen[self.seen.index(earlier) + 1 :]

    async def say(self, pcm: bytes) -> None:
        """Append audio in pieces, as fast as the gateway takes it."""
        for start in range(0, len(pcm), CHUNK_BYTES):
            piece = base64.b64encode(pcm[start : start + CHUNK_BYTES]).decode()
            await self.connection.input_audio_buffer.append(audio=piece)

    async def speak(self, name: str = "something") -> None:
        """Say a recorded utterance, and then be silent for long enough."""
        await self.say(speech.utterance(name).pcm24k + END_SILENCE)

    async def write(self, text: str, **create: Any) -> Any:
        """Add a message of the user; return the event that acknowledges it."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.connection.conversation.item.create(item=item, **create)  # type: ignore[arg-type]
        return await self.next("conversation.item.done")

    async def update(self, **session: Any) -> Any:
        """session.update; return the session of the answer."""
        await self.connection.session.update(session={"type": "realtime", **session})  # type: ignore[arg-type, typeddict-item]
        return (await self.next("session.updated")).session

    async def fails(self, code: str, event_id: str | None = None) -> Any:
        """Read on to the next error, which has to be this one."""
        error = (await self.next("error")).error
        assert (error.code, error.event_id) == (code, event_id), error
        return error

    async def send_raw(self, event: Any) -> None:
        """Send what no typed method of the client would."""
        await self.connection.send(event)


def audio_of(events: list[Any]) -> bytes:
    deltas = [event.delta for event in events if event.type == "response.output_audio.delta"]
    return b"".join(base64.b64decode(delta) for delta in deltas)


@asynccontextmanager
async def talking(
    agent: Agent | None = None, *, errors: tuple[str, ...] = (), **settings: Any
) -> AsyncIterator[Talk]:
    """A server, a tap, the client, a conversation; at the end the oracle judges all of it.

    errors: the codes that the test provokes, in order. By default an answer's audio is not held
    back, so that a test need not wait while it would be heard.
    """
    settings.setdefault("playback_lead_s", 60.0)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server(agent, **settings))
        tap = await stack.enter_async_context(tapped(server.ws))
        key = settings.get("keys", "no key")
        client = await stack.enter_async_context(AsyncOpenAI(base_url=f"{tap.http}/v1", api_key=key))
        connection = await stack.enter_async_context(client.realtime.connect(model="scripted"))
        talk = Talk(connection, tap)
        await talk.next("session.created")
        yield talk
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(talk.read_on(), name="client reads on")
            await tap.settled()
            reading.cancel()
        tap.oracle.judge(errors)
