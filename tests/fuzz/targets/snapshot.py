"""What a store gives back, damaged: it is refused, or the session that comes of it works."""

import random
from typing import Any

import msgspec

from realtime.audio.wire_format import decode_clip, encode_clip
from realtime.protocol.codec import encode
from realtime.protocol.effects import Effect, Send
from realtime.protocol.limits import Limits
from realtime.protocol.resync import resync, unheard_answers
from realtime.protocol.session import Session
from realtime.protocol.snapshot import Snapshot, restore, take_snapshot, unheard_audio_of
from realtime.session.replay import ReplayBuffer
from tests.fuzz.mutate import bytes_changed, tree_changed
from tests.fuzz.target import Pure
from tests.protocol.driver import AGENT, Driver


def run(data: bytes) -> None:
    snapshot = Snapshot.decode(data)
    if snapshot is None:
        return
    ids = iter(range(10**6))
    session = Session(
        snapshot.config,
        AGENT,
        Limits(session_s=60.0),
        lambda kind: f"{kind}_{next(ids)}",
        lambda audio, config: decode_clip(audio, config.audio.input.format),
        lambda pcm, config: encode_clip(pcm, config.audio.input.format),
        100.0,
        snapshot.fixed,
    )
    restore(session.state, snapshot, 100.0)
    replay = ReplayBuffer(session.config.id, n_sent_before=snapshot.n_events + 1_000_000)
    for playout in snapshot.playouts:
        for play in unheard_audio_of(playout):
            replay.record(play)
    driver = _Going(session)
    driver.send(resync(session.state, True))
    for one in unheard_answers(session.state, driver.now):
        replay.unheard_audio(one.item_id, one.heard_ms)
    driver.client("response.create")
    driver.write("hello")
    for item in list(session.conversation):
        driver.client("conversation.item.retrieve", item_id=item.id)
        driver.client("conversation.item.truncate", item_id=item.id, content_index=0, audio_end_ms=1)
    driver.speak(200)
    driver.advance(20.0)
    take_snapshot(session.state, driver.now, replay.unheard_audio, replay.last_number).encode()


class _Going(Driver):
    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def send(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                encode(effect.event)


def _mutate(data: bytes, chance: random.Random) -> bytes:
    try:
        tree: Any = msgspec.msgpack.decode(data)
        return msgspec.msgpack.encode(tree_changed(tree, chance))
    except (msgspec.DecodeError, ValueError, TypeError, OverflowError, RecursionError):
        return bytes_changed(data, chance)


def seeds() -> list[bytes]:
    driver = Driver()
    fresh = take_snapshot(driver.session.state, driver.now, lambda *_: [], 0).encode()
    driver.client("session.update", session={"type": "realtime", "parlour": {"resume": True}})
    driver.write("hi")
    driver.speak(300)
    driver.say("Well, ", 0.5)
    driver.say("yes.", 0.5)
    speaking = take_snapshot(driver.session.state, driver.now + 0.2, lambda *_: _plays(driver), 9).encode()
    driver.finish()
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    driver.client("conversation.item.create", item=call)
    driver.client(
        "conversation.item.create", item={"type": "function_call_output", "call_id": "c", "output": "1"}
    )
    return [fresh, speaking, take_snapshot(driver.session.state, driver.now + 9, lambda *_: [], 20).encode()]


def _plays(driver: Driver) -> list[Any]:
    from realtime.protocol.effects import Play

    return driver.performed(Play)


TARGET = Pure(run, seeds, mutate=_mutate, bytes_max=60_000)
