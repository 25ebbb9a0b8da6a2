"""What one session knows. session.py says what happens; the files beside it decide, each on its matter."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.api import Health
from realtime.protocol.abilities import Abilities
from realtime.protocol.client_items import DecodeAudio
from realtime.protocol.config import SessionConfig, TurnDetection
from realtime.protocol.conversation import Conversation
from realtime.protocol.heard_history import HeardHistory
from realtime.protocol.input_buffer import InputBuffer
from realtime.protocol.limits import Limits
from realtime.protocol.recordings import Recordings
from realtime.protocol.responses import Responses


@dataclass(slots=True)
class IdleTimer:
    """since: from when on silence may be the user's, at the earliest. has_asked: they were asked whether they
    are still there, and have done nothing since. awaits_answer: they have said something, and no answer to
    it was asked for yet."""

    since: float
    has_asked: bool = False
    awaits_answer: bool = False


class SessionState:
    """Owned by one Session, and changed by nobody but it and the functions that it calls.

    fixed: what of the configuration no event of the client changes. expires_at: in seconds of `now`.
    turn_waits: a turn of the user is to be answered once the response in progress has ended.
    is_disconnected: the client's connection is lost, and it may come back.
    answer_on_return: a response was cut off by the end of the server that made it, and is to be made
    again when the client is back.
    transcribed_so_far: item id -> what was sent of the words of an utterance that is not transcribed yet.
    has_ended: nothing happens any more.
    """

    def __init__(
        self,
        config: SessionConfig,
        abilities: Abilities,
        limits: Limits,
        new_id: Callable[[str], str],
        decode_audio: Callable[[bytes, SessionConfig], bytes],
        encode_audio: Callable[[bytes, SessionConfig], bytes],
        now: float,
        fixed: dict[str, Any],
        recordings: Recordings,
    ) -> None:
        self.config = config
        self.fixed = fixed
        self.abilities = abilities
        self.agent: Health = abilities.agent
        self.limits = limits
        self.new_id = new_id
        self.decode_audio: DecodeAudio = lambda audio: decode_audio(audio, self.config)
        self.encode_audio: Callable[[bytes], bytes] = lambda pcm: encode_audio(pcm, self.config)
        self.expires_at = now + limits.session_s
        self.conversation = Conversation()
        self.heard = HeardHistory(self.conversation)
        self.responses = Responses(self.conversation, self.heard, limits, new_id, now)
        self.input_buffer = InputBuffer(limits.input_buffer_ms)
        self.recordings = recordings
        self.transcribed_so_far: dict[str, str] = {}
        self.turn_waits = False
        self.is_disconnected = False
        self.answer_on_return = False
        self.idle = IdleTimer(now)
        self.has_ended = False

    @property
    def uncommitted_from_ms(self) -> int:
        """Where the input audio begins that has not become a turn, and may yet be one."""
        return self.input_buffer.uncommitted_from_ms(keep_all=self.turn_detection is None)

    @property
    def turn_detection(self) -> TurnDetection | None:
        """None: push to talk, the client commits."""
        return self.config.audio.input.turn_detection
