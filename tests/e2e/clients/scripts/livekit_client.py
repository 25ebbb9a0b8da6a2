"""The stock LiveKit `RealtimeModel` in an `AgentSession`: a spoken turn, a barge-in, a tool call.

Runs in LiveKit's own environment: python livekit_client.py http://HOST:PORT QUESTION.pcm SECONDS. The PCM
is s16le mono at 24 kHz; who waits longer than so many seconds hangs.
Prints one JSON object of what the client saw; who runs it judges.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.voice import io
from livekit.plugins import openai

GATEWAY, QUESTION, HANGS_S = sys.argv[1], Path(sys.argv[2]).read_bytes(), float(sys.argv[3])
FRAME_SAMPLES = 480  # 20 ms
SILENCE = bytes(48_000)


class Microphone(io.AudioInput):
    def __init__(self) -> None:
        super().__init__(label="test")
        self._frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue(10_000)  # 200 s

    def say(self, pcm: bytes) -> None:
        for at in range(0, len(pcm) - 2 * FRAME_SAMPLES, 2 * FRAME_SAMPLES):
            self._frames.put_nowait(
                rtc.AudioFrame(pcm[at : at + 2 * FRAME_SAMPLES], 24_000, 1, FRAME_SAMPLES)
            )

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._frames.get()


class Loudspeaker(io.AudioOutput):
    """Plays at once what it gets; cut short, it says to have played 0.9 s of it at the most."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__(
            label="test", capabilities=io.AudioOutputCapabilities(pause=False), sample_rate=24_000
        )
        self.audio_bytes = 0
        self.interrupted = 0
        self._segment_s = 0.0
        self._changed = changed

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self.audio_bytes += len(bytes(frame.data))
        self._segment_s += frame.duration
        self._changed()

    def flush(self) -> None:
        super().flush()
        self._finish(interrupted=False, position=self._segment_s)

    def clear_buffer(self) -> None:
        self.interrupted += 1
        self._finish(interrupted=True, position=min(self._segment_s, 0.9))

    def _finish(self, interrupted: bool, position: float) -> None:
        if self._segment_s:
            self._segment_s = 0.0
            self.on_playback_finished(playback_position=position, interrupted=interrupted)
        self._changed()


class Talk:
    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.microphone = Microphone()
        self.loudspeaker = Loudspeaker(self.changed.set)
        self.errors: list[str] = []
        self.tools: list[list[Any]] = []
        self.heard: list[str] = []
        self.session: AgentSession[None] = AgentSession(
            llm=openai.realtime.RealtimeModel(model="scripted", api_key="none", base_url=f"{GATEWAY}/v1"),
            vad=None,
            aec_warmup_duration=None,
        )

    def history(self) -> list[list[Any]]:
        items = self.session.history.items
        return [[item.role, item.text_content, item.interrupted] for item in items if item.type == "message"]

    async def until(self, fits: Callable[[], bool]) -> None:
        async with asyncio.timeout(HANGS_S):
            while not fits():
                self.changed.clear()
                await self.changed.wait()


async def converse(act: Callable[[Talk], Awaitable[None]]) -> dict[str, Any]:
    talk = Talk()

    @function_tool
    async def weather(place: str, days: int) -> str:
        """The weather of a place."""
        talk.tools.append(["weather", place, days])
        talk.changed.set()
        return "rain all day"

    session = talk.session
    session.input.audio, session.output.audio = talk.microphone, talk.loudspeaker
    session.on("error", lambda event: (talk.errors.append(repr(event.error)), talk.changed.set()))
    session.on("conversation_item_added", lambda _: talk.changed.set())
    session.on(
        "user_input_transcribed", lambda event: (talk.heard.append(event.transcript), talk.changed.set())
    )
    agent = Agent(instructions="Recite.", tools=[weather] if act is tool_call else [])
    await session.start(agent, record=False)
    try:
        await act(talk)
    except TimeoutError:
        talk.errors.append("timed out")
    seen = {
        "audio_bytes": talk.loudspeaker.audio_bytes,
        "interrupted": talk.loudspeaker.interrupted,
        "history": talk.history(),
        "heard": talk.heard,
        "tools": talk.tools,
        "errors": talk.errors,
    }
    await session.aclose()
    return seen


async def spoken(talk: Talk) -> None:
    talk.microphone.say(QUESTION + 8 * SILENCE)
    await talk.until(lambda: any(role == "assistant" for role, *_ in talk.history()) and bool(talk.heard))


async def barge_in(talk: Talk) -> None:
    talk.session.generate_reply(user_input="Please recite.")
    await talk.until(lambda: talk.loudspeaker.audio_bytes > 0)
    talk.microphone.say(QUESTION[: 48 * 1_500])
    await talk.until(lambda: any(interrupted for *_, interrupted in talk.history()))


async def tool_call(talk: Talk) -> None:
    talk.session.generate_reply(user_input="Will it rain?")
    await talk.until(lambda: any("rain all day" in (words or "") for _, words, _ in talk.history()))


async def main() -> None:
    seen = {act.__name__: await converse(act) for act in (spoken, barge_in, tool_call)}
    sys.stdout.write(json.dumps(seen) + "\n")


asyncio.run(main())
