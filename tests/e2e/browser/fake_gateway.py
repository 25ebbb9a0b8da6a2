"""A FAKE gateway for the page's tests: it plays the wire protocol, and has no ears and no brain.

It serves web_client/ as the real one does, notices speech by its loudness alone, "transcribes"
every utterance as the same sentence, and answers with numbered sentences, a tone a word, like
the scripted agent. Everything it sends follows sequences (a) to (e) of the protocol and
Parlour's extensions. Run it by hand to work on the page:

    python -m tests.e2e.browser.fake_gateway --port 8899
"""

import argparse
import asyncio
import base64
import itertools
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from realtime.server.page import Page
from realtime.server.qr_code import qr_code_svg

Event = dict[str, Any]

RATE_HZ = 24_000
LOUD = 0.01  # root mean square of a 20 ms frame that counts as speech
SILENCE_FRAMES = 25
WORD_MS = 240
HEARD_AS = "What can you tell me about the sea?"
CONTENT_SECURITY_POLICY = "default-src 'self'"
ids = itertools.count(1)


@dataclass
class Behaviour:
    """What a test wants the fake to be like."""

    api_key: str = ""
    max_sessions: int = 8
    ready: bool = True
    knows_extensions: bool = True
    hands_over: bool = False
    draws_codes: bool = True
    sentences: int = 6
    think_s: float = 0.35
    token_s: float = 0.06
    about: Event = field(
        default_factory=lambda: {
            "model": "scripted",
            "model_title": "Scripted answers",
            "about": "It recites numbered sentences, whatever you say. It knows nothing, and is never late.",
            "upgrade": "make run MODEL=embedded",
            "voices": ["amber", "slate"],
        }
    )


class FakeSession:
    def __init__(self, websocket: WebSocket, behaviour: Behaviour) -> None:
        self.websocket = websocket
        self.behaviour = behaviour
        self.extensions = False
        self.loud_frames = 0
        self.quiet_frames = 0
        self.in_utterance = False
        self.audio_ms = 0
        self.item_id = ""
        self.tail: str | None = None
        self.turn = 0
        self.answering: asyncio.Task[None] | None = None
        self.response_id = ""
        self.answer_item = ""
        self.spoken_text = ""
        self.marks: list[tuple[int, int]] = []

    async def send(self, kind: str, **fields: Any) -> None:
        event = {"type": kind, "event_id": f"event_{next(ids)}", **fields}
        await self.websocket.send_text(json.dumps(event))

    async def serve(self) -> None:
        await self.send("session.created", session=self.echo())
        while True:
            await self.receive(json.loads(await self.websocket.receive_text()))

    def echo(self) -> Event:
        fmt = {"type": "audio/pcm", "rate": RATE_HZ}
        detection = {"type": "server_vad", "create_response": True, "interrupt_response": True}
        audio = {
            "input": {"format": fmt, "transcription": None, "turn_detection": detection},
            "output": {"format": fmt},
        }
        return {"type": "realtime", "object": "realtime.session", "id": "sess_fake", "audio": audio}

    async def receive(self, event: Event) -> None:
        match event["type"]:
            case "session.update" if "parlour" in event["session"]:
                await self.extend(event)
            case "session.update":
                await self.send("session.updated", session=self.echo())
            case "input_audio_buffer.append":
                await self.hear(base64.b64decode(event["audio"]))
            case "conversation.item.create":
                item = {"status": "completed", "id": f"item_{next(ids)}", **event["item"]}
                await self.send("conversation.item.added", previous_item_id=self.tail, item=item)
                await self.send("conversation.item.done", previous_item_id=self.tail, item=item)
                self.tail = item["id"]
            case "response.create":
                self.answering = asyncio.create_task(self.answer(time.monotonic(), 0))
            case "response.cancel":
                await self.cancel("client_cancelled")
            case "conversation.item.truncate":
                await self.truncate(event["item_id"], event["audio_end_ms"])
            case "parlour.hand_over":
                await self.send(
                    "parlour.hand_over_token", token="rt_fake.token", expires_at=time.time() + 120
                )
            case "parlour.playback":
                assert self.extensions, "the page sent an extension that it was refused"

    async def extend(self, event: Event) -> None:
        if self.behaviour.knows_extensions:
            self.extensions = True
            await self.send("session.updated", session=self.echo())
            if self.behaviour.hands_over:
                await self.send("parlour.resume_token", token="rt_fake.token", grace_s=60.0)
            return
        error = {
            "type": "invalid_request_error",
            "code": "unknown_parameter",
            "message": "Unknown parameter: 'session.parlour'.",
            "param": "session.parlour",
            "event_id": event.get("event_id"),
        }
        await self.send("error", error=error)

    async def hear(self, pcm: bytes) -> None:
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768
        loud = float(np.sqrt(np.mean(samples**2))) > LOUD
        self.audio_ms += len(samples) * 1000 // RATE_HZ
        self.loud_frames = self.loud_frames + 1 if loud else 0
        self.quiet_frames = 0 if loud else self.quiet_frames + 1
        if not self.in_utterance and self.loud_frames >= 4:
            await self.speech_started()
        elif self.in_utterance and self.quiet_frames >= SILENCE_FRAMES:
            await self.speech_stopped()

    async def speech_started(self) -> None:
        self.in_utterance = True
        self.item_id = f"item_{next(ids)}"
        kind = "input_audio_buffer.speech_started"
        await self.send(kind, item_id=self.item_id, audio_start_ms=self.audio_ms)
        await self.cancel("turn_detected")

    async def speech_stopped(self) -> None:
        self.in_utterance = False
        ended = time.monotonic() - SILENCE_FRAMES * 0.02
        item_id = self.item_id
        await self.send("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=self.audio_ms)
        await self.send("input_audio_buffer.committed", item_id=item_id, previous_item_id=self.tail)
        content = [{"type": "input_audio", "transcript": None}]
        item = {"id": item_id, "type": "message", "role": "user", "status": "completed", "content": content}
        await self.send("conversation.item.added", previous_item_id=self.tail, item=item)
        await self.send("conversation.item.done", previous_item_id=self.tail, item=item)
        self.tail = item_id
        kind = "conversation.item.input_audio_transcription"
        usage = {"type": "duration", "seconds": 1.0}
        await self.send(f"{kind}.delta", item_id=item_id, content_index=0, delta=HEARD_AS[:12])
        await self.send(
            f"{kind}.completed", item_id=item_id, content_index=0, transcript=HEARD_AS, usage=usage
        )
        decision_ms = round((time.monotonic() - ended) * 1000)
        self.answering = asyncio.create_task(self.answer(ended, decision_ms))

    def response(self, status: str, reason: str | None = None) -> Event:
        details = {"type": status, "reason": reason} if reason else None
        return {
            "id": self.response_id,
            "object": "realtime.response",
            "status": status,
            "status_details": details,
            "output": [],
        }

    async def answer(self, ended: float, decision_ms: int) -> None:
        self.turn += 1
        self.response_id, self.answer_item = f"resp_{next(ids)}", f"item_{next(ids)}"
        self.spoken_text, self.marks = "", []
        where = {"response_id": self.response_id, "item_id": self.answer_item, "output_index": 0}
        part = {**where, "content_index": 0}
        text = " ".join(
            f"This is sentence number {number} of answer {self.turn}."
            for number in range(1, self.behaviour.sentences + 1)
        )
        await self.send("response.created", response=self.response("in_progress"))
        await asyncio.sleep(self.behaviour.think_s)
        item = {
            "id": self.answer_item,
            "type": "message",
            "role": "assistant",
            "status": "in_progress",
            "content": [],
        }
        await self.send("response.output_item.added", **where, item=item)
        await self.send("conversation.item.added", previous_item_id=self.tail, item=item)
        self.tail = self.answer_item
        await self.send("response.content_part.added", **part, part={"type": "audio", "transcript": ""})
        times: Event = {"decision_ms": decision_ms}
        end_ms = 0
        for number, word in enumerate(text.split()):
            piece = word if number == 0 else f" {word}"
            self.spoken_text += piece
            times.setdefault("first_token_ms", round((time.monotonic() - ended) * 1000))
            await self.send("response.output_audio_transcript.delta", **part, delta=piece)
            await asyncio.sleep(self.behaviour.token_s)
            end_ms += WORD_MS
            self.marks.append((end_ms, len(self.spoken_text)))
            times.setdefault("first_audio_ms", round((time.monotonic() - ended) * 1000))
            if self.extensions:
                await self.send(
                    "parlour.alignment",
                    response_id=self.response_id,
                    item_id=self.answer_item,
                    content_index=0,
                    audio_end_ms=end_ms,
                    text_end=len(self.spoken_text),
                )
            await self.send("response.output_audio.delta", **part, delta=tone(number))
        await self.send("response.output_audio.done", **part)
        await self.send("response.output_audio_transcript.done", **part, transcript=self.spoken_text)
        await self.finish("completed", None, times)

    async def finish(self, status: str, reason: str | None, times: Event) -> None:
        await self.send("response.done", response=self.response(status, reason))
        self.answering = None
        if self.extensions:
            stages = {"recognition": 180, "prefill": 90, "decode": 120, "synthesis": 70}
            turn = {
                "response_id": self.response_id,
                "item_id": self.answer_item,
                "decision_ms": times.get("decision_ms"),
                "first_token_ms": times.get("first_token_ms"),
                "first_audio_ms": times.get("first_audio_ms"),
                "first_heard_ms": None,
                "stages": stages,
                "outcome": status,
            }
            await self.send("parlour.turn", turn=turn)

    async def cancel(self, reason: str) -> None:
        if self.answering is None:
            return
        self.answering.cancel()
        with suppress(asyncio.CancelledError):
            await self.answering
        await self.finish("cancelled", reason, {"decision_ms": 500})

    async def truncate(self, item_id: str, audio_end_ms: int) -> None:
        await self.send(
            "conversation.item.truncated", item_id=item_id, content_index=0, audio_end_ms=audio_end_ms
        )
        if self.extensions and item_id == self.answer_item:
            heard = max((end for at, end in self.marks if at <= audio_end_ms), default=0)
            transcript = self.spoken_text[:heard]
            await self.send(
                "parlour.heard", item_id=item_id, audio_end_ms=audio_end_ms, transcript=transcript
            )


def tone(number: int) -> str:
    """A word's worth of sound: a soft note with a rest after it, as base64."""
    count = RATE_HZ * WORD_MS // 1000
    at = np.arange(count) / RATE_HZ
    envelope = np.clip(np.minimum(at / 0.02, (0.19 - at) / 0.05), 0, 1)
    wave = 0.25 * envelope * np.sin(2 * np.pi * (220 + 30 * (number % 5)) * at)
    return base64.b64encode((wave * 32767).astype("<i2").tobytes()).decode()


class WithPolicy:
    """Every answer carries the strictest content policy that the page promises to work under."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", CONTENT_SECURITY_POLICY.encode())
                message["headers"] = [*message["headers"], policy]
            await send(message)

        await self.app(scope, receive, with_policy)


def make_app(behaviour: Behaviour) -> Starlette:
    sessions: set[FakeSession] = set()

    async def realtime(websocket: WebSocket) -> None:
        offered = websocket.scope["subprotocols"]
        if behaviour.api_key and f"openai-insecure-api-key.{behaviour.api_key}" not in offered:
            await websocket.send_denial_response(JSONResponse({"error": {"message": "no or wrong key"}}, 401))
            return
        if len(sessions) >= behaviour.max_sessions or not behaviour.ready:
            await websocket.send_denial_response(JSONResponse({"error": {"message": "full"}}, 503))
            return
        await websocket.accept(subprotocol="realtime" if "realtime" in offered else None)
        session = FakeSession(websocket, behaviour)
        sessions.add(session)
        try:
            await session.serve()
        except WebSocketDisconnect:
            pass
        finally:
            sessions.discard(session)
            if session.answering:
                session.answering.cancel()

    async def about(_request: Request) -> Response:
        return JSONResponse({**behaviour.about, "needs_key": bool(behaviour.api_key)})

    async def qr_code(request: Request) -> Response:
        if not behaviour.draws_codes:
            return Response(status_code=404)
        return Response(qr_code_svg((await request.body()).decode()), media_type="image/svg+xml")

    async def readyz(_request: Request) -> Response:
        full = len(sessions) >= behaviour.max_sessions
        detail = "" if behaviour.ready else "Loading the voice."
        ready = behaviour.ready and not full
        body = {"ready": behaviour.ready, "full": full, "detail": detail}
        return JSONResponse(body, status_code=200 if ready else 503)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"alive": True})

    return Starlette(
        routes=[
            WebSocketRoute("/v1/realtime", realtime),
            Route("/v1/parlour", about),
            Route("/v1/parlour/qr-code", qr_code, methods=["POST"]),
            Route("/readyz", readyz),
            Route("/healthz", healthz),
            Mount("/", Page()),
        ],
        middleware=[Middleware(WithPolicy)],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="A fake gateway, to work on the page.")
    parser.add_argument("--port", type=int, default=8899)
    parser.add_argument("--api-key", default="")
    parser.add_argument("--max-sessions", type=int, default=8)
    arguments = parser.parse_args()
    behaviour = Behaviour(api_key=arguments.api_key, max_sessions=arguments.max_sessions)
    uvicorn.run(make_app(behaviour), host="127.0.0.1", port=arguments.port, ws="websockets-sansio")


if __name__ == "__main__":
    main()
