"""What comes over the agent's Unix socket from a process gone mad: messages in a row.

Each is read or refused; what was read is an answer to a session, which goes on and can tell all of it.
"""

import random
from typing import Any

import msgspec

from agent import wire
from agent.api import (
    AgentError,
    AgentRequest,
    AudioDelta,
    AudioPart,
    GenerationDone,
    GenerationFailed,
    Health,
    KeepAlive,
    Sampling,
    StageDone,
    TextDelta,
    TextPart,
    Tool,
    ToolCall,
    TranscribeRequest,
    Transcript,
    Usage,
    UserMessage,
)
from realtime.protocol.inputs import FromAgent, Transcribed
from realtime.protocol.snapshot import take_snapshot
from realtime.session.turn_trace import TurnTrace
from tests.fuzz.mutate import bytes_changed, in_parts, tree_changed
from tests.fuzz.target import Pure, packed, parts_of
from tests.protocol.driver import Driver


def run(data: bytes) -> None:
    driver, trace = Driver(), TurnTrace()
    update = {"type": "realtime", "parlour": {"alignment": True, "trace": True}}
    driver.client("session.update", session=update)
    driver.speak(300)
    trace.observe(None, driver.effects, driver.now, 0.0)
    item_id = driver.last("conversation.item.added")["item"]["id"]
    for frame in parts_of(data)[:40]:
        for kind in (AgentRequest, TranscribeRequest):
            try:
                wire.encode(wire.decode_request(frame, kind))
            except AgentError:
                pass
        try:
            driver.feed(Transcribed(item_id, 0, wire.decode_reply(frame, Transcript)))
            wire.decode_reply(frame, Health)
        except AgentError:
            pass
        try:
            event = FromAgent(driver.request.response_id, wire.decode_event(frame))
        except AgentError:
            continue
        driver.now += 0.1
        effects = driver.session.feed(event, driver.now)
        for record in trace.observe(event, effects, driver.now, 0.0):
            record.shown()
        driver._take(effects)
    driver.advance(60.0)
    take_snapshot(driver.session.state, driver.now, lambda *_: [], 1).encode()


def _message_changed(data: bytes, chance: random.Random) -> bytes:
    try:
        tree: Any = msgspec.msgpack.decode(data)
        return msgspec.msgpack.encode(tree_changed(tree, chance))
    except (msgspec.DecodeError, ValueError, TypeError, OverflowError, RecursionError):
        return bytes_changed(data, chance)


def seeds() -> list[bytes]:
    said = UserMessage((TextPart("hi"), AudioPart(bytes(64), "hi")))
    tool = Tool("f", "d", {"type": "object"})
    answer = [
        StageDone("prefill", 20.0),
        KeepAlive(),
        TextDelta("Well. "),
        AudioDelta(bytes(960), 6),
        ToolCall("call_1", "f", "{}"),
        GenerationDone("stop", Usage(1, 2, 3, 4, 5)),
    ]
    others: list[Any] = [
        Transcript("hi", 1.0),
        Health("ready", "m", "", ("v",), True, True, {"a": "b"}),
        GenerationFailed("agent_error", "broken"),
        AgentRequest("s", "r", "x", (said,), tools=(tool,), sampling=Sampling(0.5, seed=1, stop=("x",))),
        TranscribeRequest("s", bytes(64), "en"),
    ]
    frames = [wire.encode(one) for one in answer]
    return [
        packed(*frames),
        *(packed(wire.encode(one)) for one in others),
        packed(frames[1], frames[2], frames[0]),
    ]


TARGET = Pure(run, seeds, mutate=in_parts(_message_changed))
