"""Events of a client, one a line, to the codec and the core; lines that begin with @ are what else happens.

However it goes, each event is answered or taken, what is told can be written, and the session can be stored.
"""

from typing import get_args

import msgspec

from agent.api import AudioDelta, GenerationDone, GenerationFailed, TextDelta, ToolCall
from realtime.audio.wire_format import InputDecoder
from realtime.errors import ClientError
from realtime.protocol.codec import decode
from realtime.protocol.events import AnyClientEvent, HandOver, InputAudioBufferAppend, PlaybackReport, Resume
from realtime.protocol.inputs import AudioReceived, ClientDisconnected, ClientReconnected
from realtime.protocol.resync import resync
from realtime.protocol.snapshot import Snapshot, restore, take_snapshot
from realtime.session.turn_trace import TurnTrace
from tests.fuzz.mutate import in_lines, json_changed
from tests.fuzz.target import Pure, Unkept
from tests.protocol.driver import Driver

LINES_MAX = 40


class Client:
    """Does what the runner does between a transport and the core."""

    def __init__(self) -> None:
        self.driver = Driver()
        self._trace = TurnTrace()
        self._said = 0

    def line(self, line: bytes) -> None:
        driver = self.driver
        driver.now += 0.1
        match line:
            case b"@turn":
                driver.speak(300)
            case b"@speak":
                driver.begin_speech()
            case b"@wait":
                driver.advance(5.0)
            case b"@away":
                driver.feed(ClientDisconnected())
                driver.feed(ClientReconnected())
            case b"@say" | b"@tool" | b"@done" | b"@fail" if driver.requests:
                self._answer(line)
            case _:
                self._event(line)

    def _answer(self, line: bytes) -> None:
        driver = self.driver
        match line:
            case b"@say":
                driver.agent_says(TextDelta("Well. "))
                driver.agent_says(AudioDelta(bytes(9_600), 6))
            case b"@tool":
                driver.agent_says(ToolCall("call_1", "f", "{}"))
            case b"@done":
                driver.agent_says(GenerationDone())
            case _:
                driver.agent_says(GenerationFailed("agent_error", "broken"))

    def _event(self, line: bytes) -> None:
        try:
            event: object = decode(line)
        except ClientError as error:
            event = error
        if isinstance(event, Resume | HandOver):
            return
        if isinstance(event, InputAudioBufferAppend):
            decoder = InputDecoder(self.driver.session.config.audio.input.format)
            try:
                pcm = decoder.push(event.audio)
                event = AudioReceived(pcm, decoder.duration_ms(len(event.audio)), event.event_id)
            except ClientError as error:
                event = error
        told = self.driver.feed(event)  # type: ignore[arg-type]
        if isinstance(event, ClientError) and not told:
            raise Unkept("an event that cannot be used is answered with an error")
        if isinstance(event, PlaybackReport):
            for record in self._trace.observe(event, [], self.driver.now, 0.0):
                record.shown()


def run(data: bytes) -> None:
    client = Client()
    for line in data.split(b"\n")[:LINES_MAX]:
        client.line(line)
    driver = client.driver
    resync(driver.session.state, True)
    stored = take_snapshot(driver.session.state, driver.now, lambda *_: [], 1).encode()
    if Snapshot.decode(stored) is None:
        raise Unkept("what was stored can be read")
    other = Driver()
    restore(other.session.state, Snapshot.decode(stored), other.now)  # type: ignore[arg-type]


def seeds() -> list[bytes]:
    tool = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
    vad = {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 200, "idle_timeout_ms": 6000}
    session = {
        "type": "realtime",
        "instructions": "Be brief.",
        "tools": [tool],
        "tool_choice": "auto",
        "max_output_tokens": 100,
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "turn_detection": vad,
                "transcription": {"model": "whisper-1", "language": "en"},
            },
            "output": {"voice": "alloy", "speed": 1.0, "format": {"type": "audio/pcmu"}},
        },
        "truncation": {"type": "retention_ratio", "retention_ratio": 0.8},
        "parlour": {"playback_ack": True, "alignment": True, "resume": True, "trace": True, "thinking": True},
    }
    user = {"type": "message", "role": "user", "id": "u1", "content": [{"type": "input_text", "text": "hi"}]}
    spoken = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "AAAAAA=="}]}
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}
    system = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "x"}]}
    call = {"type": "function_call", "id": "c1", "call_id": "call_1", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "1"}
    response = {
        "conversation": "none",
        "instructions": "x",
        "output_modalities": ["text"],
        "tools": [tool],
        "tool_choice": {"type": "function", "name": "f"},
        "metadata": {"a": "b"},
        "input": [{"type": "item_reference", "id": "u1"}, user],
        "max_output_tokens": "inf",
    }

    def lines(*events: dict[str, object] | str) -> bytes:
        return b"\n".join(e.encode() if isinstance(e, str) else msgspec.json.encode(e) for e in events)

    def create(item: dict[str, object]) -> dict[str, object]:
        return {"type": "conversation.item.create", "item": item, "previous_item_id": None}

    asked: dict[str, object] = {"type": "response.create"}
    each: list[dict[str, object]] = [
        {"type": "session.update", "session": session, "event_id": "e1"},
        {"type": "input_audio_buffer.append", "audio": "AAAA" * 60},
        {"type": "input_audio_buffer.commit"},
        {"type": "input_audio_buffer.clear"},
        {"type": "output_audio_buffer.clear"},
        *map(create, (user, spoken, said, system, call, result)),
        {"type": "conversation.item.retrieve", "item_id": "u1"},
        {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 10},
        {"type": "conversation.item.delete", "item_id": "u1"},
        {"type": "response.create", "response": response},
        {"type": "response.cancel", "response_id": "resp_1"},
        {"type": "parlour.say", "text": "The light is off."},
        {"type": "parlour.playback", "item_id": "item_1", "played_ms": 10, "underruns": 1},
        {"type": "parlour.resume", "token": "rt_a.b", "last_event_id": "event_1"},
        {"type": "parlour.hand_over"},
        {"type": "parlour.say", "text": "Hello."},
    ]
    missing = {str(kind.__struct_config__.tag) for kind in get_args(AnyClientEvent)} - {
        str(event["type"]) for event in each
    }
    assert not missing, f"no seed for {missing}"
    return [
        *(lines(event) for event in each),
        lines(each[0], "@turn", "@say", "@speak", each[12], "@done", each[17], "@away"),
        lines(
            create(user), create(call), create(result), asked, "@say", "@tool", "@done", each[13], each[11]
        ),
        lines(
            each[0], each[1], each[1], each[2], asked, "@say", {"type": "response.cancel"}, "@wait", "@turn"
        ),
        lines(each[14], "@say", "@fail", asked, "@say", each[12], "@turn", "@wait", each[4]),
    ]


TARGET = Pure(
    run,
    seeds,
    words=("@turn", "@speak", "@say", "@done", "@fail", "@tool", "@wait", "@away", "\n", "\\ud800", "1e999"),
    mutate=in_lines(json_changed),
    bytes_max=6000,
)
