"""Write tests/data/stored_session_vN.msgpack: `python -m tests.protocol.write_stored_session`.

Once for each version of the format (protocol/snapshot.py: VERSION). It is what a server of that version
left in its store, so a file that is there is never written anew.
"""

from pathlib import Path
from typing import Any

from agent.api import ToolCall
from realtime.protocol.config import PcmFormat
from realtime.protocol.effects import Play
from realtime.protocol.snapshot import VERSION, Snapshot, take_snapshot
from tests.protocol.driver import Driver

FOLDER = Path(__file__).parent.parent / "data"
LAMP = {
    "type": "function",
    "name": "switch_lamp",
    "description": "Switch the lamp.",
    "parameters": {"type": "object", "properties": {"on": {"type": "boolean"}}},
}
SETTINGS: dict[str, Any] = {
    "type": "realtime",
    "instructions": "Speak of lamps.",
    "tools": [LAMP],
    "tool_choice": "auto",
    "max_output_tokens": 200,
    "audio": {
        "input": {
            "format": {"type": "audio/pcma"},
            "transcription": {"model": "whisper-1", "language": "en"},
            "noise_reduction": {"type": "near_field"},
            "turn_detection": {"type": "server_vad", "threshold": 0.6, "idle_timeout_ms": 7000},
        },
        "output": {"format": {"type": "audio/pcmu"}, "voice": "amber"},
    },
    "parlour": {"playback_ack": True, "alignment": True, "trace": True, "resume": True},
}


def path_of(version: int) -> Path:
    return FOLDER / f"stored_session_v{version}.msgpack"


def stored_session() -> Snapshot:
    """A made-up conversation with an item of every kind, whose last answer is being made and being heard."""
    driver = Driver()
    driver.client("session.update", session=SETTINGS)
    driver.write("Lamps are yellow.", id="system_1", role="system")
    driver.write("Is there a lamp?", id="written_1")
    driver.client("session.update", session={"output_modalities": ["text"]})
    driver.client("response.create")
    driver.say("There is one lamp.")
    driver.finish()
    driver.client("session.update", session={"output_modalities": ["audio"]})
    driver.speak(200)
    driver.transcribe("Switch it on.", driver.last("input_audio_buffer.committed")["item_id"])
    driver.agent_says(ToolCall("call_1", "switch_lamp", '{"on": true}'))
    driver.finish()
    output = {"type": "function_call_output", "id": "result_1", "call_id": "call_1", "output": "done"}
    driver.client("conversation.item.create", item=output)
    driver.client("response.create")
    driver.say("The lamp ", seconds=1.0)
    driver.say("is on now.", seconds=1.0)
    item_id = driver.last("response.output_item.added")["item"]["id"]
    driver.client("parlour.playback", item_id=item_id, played_ms=1000)
    driver.speak(200)  # a barge-in
    driver.text = ""
    driver.say("Yes, ", seconds=0.5)
    driver.say("it is yellow.", seconds=0.5)
    item_id = driver.last("response.output_item.added")["item"]["id"]
    driver.client("parlour.playback", item_id=item_id, played_ms=400)
    rest = [Play("resp_4", item_id, 0, 0, bytes(4800), PcmFormat(), 400.0)]  # made before the format was set
    taken = take_snapshot(driver.session.state, driver.now, lambda one, _: rest if one == item_id else [], 33)
    taken.fixed = {"audio": {"output": {"voice": "amber"}}}
    taken.resend_after = "event_of_client_5"
    taken.input_until = 1_790_000_000.5
    return taken


if __name__ == "__main__":
    with path_of(VERSION).open("xb") as file:
        file.write(stored_session().encode())
