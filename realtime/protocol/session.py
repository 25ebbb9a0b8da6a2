"""The session as a value: what happened goes in, what to do comes out.

No sockets, no clock, no randomness: `now` (monotonic seconds) and ids are arguments. One task
owns a session; see realtime/session/runner.py. Here is who decides on what happened, and what is
due when; the decisions are in the files beside this one.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, assert_never

from agent.api import GenerationFailed, Health
from realtime.errors import ClientError
from realtime.protocol import barge_in, idle_timeout, new_items, transcription, turn_taking
from realtime.protocol import effects as do
from realtime.protocol import events as wire
from realtime.protocol.abilities import Abilities
from realtime.protocol.client_items import parse_item
from realtime.protocol.config import SessionConfig
from realtime.protocol.config_update import check_instructions, merge, response_config, with_fixed
from realtime.protocol.conversation import Conversation
from realtime.protocol.effects import Effect, Send
from realtime.protocol.inputs import (
    AudioReceived,
    ClientDisconnected,
    ClientReconnected,
    FromAgent,
    SpeechPaused,
    SpeechStarted,
    SpeechStopped,
    Transcribed,
    TranscriptionError,
    TurnSignal,
)
from realtime.protocol.items import ToolCallItem, messages, wire_item
from realtime.protocol.limits import Limits
from realtime.protocol.recordings import Recordings
from realtime.protocol.responses import Idle, agent_request
from realtime.protocol.resync import resync_alignment, unheard_answers
from realtime.protocol.state import SessionState

Input = (
    wire.ControlEvent
    | TurnSignal
    | AudioReceived
    | FromAgent
    | ClientDisconnected
    | ClientReconnected
    | Transcribed
    | TranscriptionError
    | ClientError
)


class Session:
    """One conversation with one user. state: for the functions of protocol/ that read or restore it."""

    def __init__(
        self,
        config: SessionConfig,
        agent: Health,
        limits: Limits,
        new_id: Callable[[str], str],
        decode_audio: Callable[[bytes, SessionConfig], bytes],
        encode_audio: Callable[[bytes, SessionConfig], bytes],
        now: float,
        fixed: dict[str, Any] | None = None,
        reduces_noise: bool = True,
        recordings: Recordings | None = None,
    ) -> None:
        """new_id: kind -> a fresh id. decode_audio: bytes in the input format -> s16le at 16 kHz.
        encode_audio: the way back. fixed: what of the configuration no event of the client changes.
        reduces_noise: whether noise reduction can be asked for. recordings: which other sessions share."""
        audio = decode_audio, encode_audio
        self.state = SessionState(
            config,
            Abilities(agent, reduces_noise),
            limits,
            new_id,
            *audio,
            now,
            fixed or {},
            recordings or Recordings(),
        )

    @property
    def config(self) -> SessionConfig:
        return self.state.config

    @property
    def conversation(self) -> Conversation:
        return self.state.conversation

    @property
    def audio_ms(self) -> int:
        """The position of the input audio's end: what the next sample follows."""
        return self.state.input_buffer.end_ms

    @property
    def uncommitted_from_ms(self) -> int:
        return self.state.uncommitted_from_ms

    def open(self) -> list[Effect]:
        return [Send(wire.SessionCreated(session=self.config.shown))]

    def retrieved_bytes(self, event: wire.AnyClientEvent | ClientError) -> int:
        """Of the audio, as base64, that the answer to this event holds: about what it takes to make it."""
        if not isinstance(event, wire.ItemRetrieve):
            return 0
        return 2 * sum(map(len, self._retrieved(event.item_id).values()))

    # What happens ---------------------------------------------------------------------

    def feed(self, event: Input, now: float) -> list[Effect]:
        """Take in what happened at `now`; return what to do, in order. Never raises for input."""
        if self.state.has_ended:
            return []
        try:
            return self._decide(event, now) + turn_taking.answer_waiting_turn(self.state, now)
        except ClientError as error:
            event_id = error.event_id or getattr(event, "event_id", None)
            shown = wire.ErrorObject(
                "invalid_request_error", error.code, error.message, error.param, event_id
            )
            return [Send(wire.Error(error=shown))]

    @property
    def deadline(self) -> float:
        """When to call `wake`, whatever happens until then; never, once the session has ended."""
        state = self.state
        if state.has_ended:
            return math.inf
        deadlines = [state.expires_at, state.responses.deadline, self._input_stalls_at()]
        idle_timeout_at = idle_timeout.due_at(state)
        if idle_timeout_at is not None:
            deadlines.append(idle_timeout_at)
        return min(deadlines)

    def wake(self, now: float) -> list[Effect]:
        """Do what is due at `now`."""
        state = self.state
        if state.has_ended:
            return []
        if now >= state.expires_at:
            return self._expire(now)
        effects = state.responses.fail_overdue(now)
        late_s = now - self._input_stalls_at()
        if late_s >= 0.0:
            state.input_buffer.restart_stall(now)
            if late_s < state.limits.own_stall_s:
                effects.append(do.FlushTurnDetector())
        effects += turn_taking.answer_waiting_turn(state, now)
        idle_timeout_at = idle_timeout.due_at(state)
        if idle_timeout_at is not None and now >= idle_timeout_at:
            effects += idle_timeout.ask(state, now)
        return effects

    # Who decides ----------------------------------------------------------------------

    def _decide(self, event: Input, now: float) -> list[Effect]:
        state = self.state
        match event:
            case AudioReceived():
                return self._hear(event, now)
            case FromAgent():
                return state.responses.feed(event, now)
            case SpeechStarted():
                return turn_taking.speech_started(state, event, now)
            case SpeechPaused():
                return turn_taking.speech_paused(state, event)
            case SpeechStopped():
                return turn_taking.speech_stopped(state, event, now)
            case Transcribed() | TranscriptionError():
                return transcription.transcribed(state, event)
            case ClientDisconnected(heard_ms=heard_ms):
                state.is_disconnected = True
                state.heard.client_disconnected(now, heard_ms)
                return []
            case ClientReconnected():
                return self._back(now)
            case ClientError():
                raise event
            case _:
                return self._from_client(event, now)

    def _from_client(self, event: wire.ControlEvent, now: float) -> list[Effect]:
        state = self.state
        match event:
            case wire.PlaybackReport():
                return state.heard.report(event)
            case wire.SessionUpdate(session=patch):
                return self._update(patch, now)
            case wire.InputAudioBufferCommit():
                return turn_taking.commit_by_client(state, now)
            case wire.InputAudioBufferClear():
                if state.input_buffer.utterance is not None:
                    state.transcribed_so_far.pop(state.input_buffer.utterance.item_id, None)
                state.input_buffer.clear()
                return [Send(wire.Cleared()), do.ResetTurnDetector()]
            case wire.OutputAudioBufferClear():
                state.idle.since = now
                return barge_in.clear_output(state, now)
            case wire.ItemCreate(item=raw, previous_item_id=after):
                item = parse_item(raw, state.new_id, state.decode_audio)
                effects = new_items.add(state, item, after)
                idle_timeout.item_added(state, item, now)
                return effects
            case wire.ItemRetrieve(item_id=item_id):
                item = state.conversation.get(item_id, "item_retrieve_invalid_item_id")
                return [Send(wire.ItemRetrieved(item=wire_item(item, self._audio_of(item_id))))]
            case wire.ItemTruncate():
                return state.heard.truncate(event)
            case wire.ItemDelete(item_id=item_id):
                deleted = state.conversation.find(item_id)
                state.conversation.delete(item_id)
                if isinstance(deleted, ToolCallItem):
                    state.responses.running_calls.pop(deleted.call_id, None)
                state.recordings.drop(self.config.id, item_id)
                return [Send(wire.ItemDeleted(item_id=item_id))]
            case wire.ResponseCreate(response=patch):
                return turn_taking.create_response(state, patch, now)
            case wire.Say(text=text):
                return turn_taking.say(state, text, now)
            case wire.ResponseCancel(response_id=response_id):
                return self._cancel(response_id, now)
            case _:
                assert_never(event)

    def _audio_of(self, item_id: str) -> dict[int, bytes]:
        """Content index -> audio in the session's input format; none where it is too long for a frame."""
        return {index: self.state.encode_audio(part) for index, part in self._retrieved(item_id).items()}

    def _retrieved(self, item_id: str) -> Mapping[int, bytes]:
        """The same as it is kept, s16le mono at 16 kHz."""
        pcm = self.state.recordings.of(self.config.id, item_id)
        return pcm if sum(map(len, pcm.values())) <= self.state.limits.retrieved_audio_bytes else {}

    def _hear(self, audio: AudioReceived, now: float) -> list[Effect]:
        keep_all = self.state.turn_detection is None
        self.state.input_buffer.append(audio.pcm, audio.sent_ms, now, keep_all)
        return []

    def _update(self, patch: dict[str, Any], now: float) -> list[Effect]:
        state, before = self.state, self.config
        if patch.get("type") is not None and patch["type"] != state.fixed.get("type", patch["type"]):
            message = "The key that opened this session is for another type of session."
            raise ClientError("invalid_value", message, "session.type")
        config = merge(before, with_fixed(patch, state.fixed))
        state.abilities.check(config, before)
        if config.instructions != before.instructions:
            check_instructions(config.instructions, state.agent, "session.instructions")
        if config.type != before.type:
            self._check_type_change(config)
        state.config = config
        state.heard.playback_ack = config.extensions.playback_ack
        effects: list[Effect] = [Send(wire.SessionUpdated(session=config.shown))]
        if config.extensions.resume and not before.extensions.resume:
            effects.append(do.IssueResumeToken())
        if config.extensions.alignment and not before.extensions.alignment:
            for generating in state.responses.in_progress():
                generating.response.sends_alignment = True
            effects += resync_alignment(state, unheard_answers(state, now))
        if before.audio.input.detector_settings != config.audio.input.detector_settings:
            # The new detector knows nothing of speech that has begun: what was said so far is a turn.
            effects += turn_taking.speech_stopped(state, SpeechStopped(self.audio_ms), now)
            state.input_buffer.utterance = None  # with push to talk: the client's commit takes the speech
            effects.append(do.ResetTurnDetector())
        if idle_timeout.timeout_of(config) != idle_timeout.timeout_of(before):
            state.idle.since = now  # the new one counts from now
        is_new_prompt = (before.instructions, before.tools) != (config.instructions, config.tools)
        if is_new_prompt and state.responses.current is None and not config.transcribes_only:
            # Long instructions take their time to read: not on the first turn's account.
            view = messages(state.conversation)
            effects.append(do.Warm(agent_request(config.id, "", response_config(config, None), view)))
        return effects

    def _check_type_change(self, config: SessionConfig) -> None:
        """Raises ClientError. A session that has begun stays what it is."""
        has_begun = len(self.state.conversation) > 0 or bool(self.state.responses.in_progress())
        if has_begun or not config.transcribes_only:
            message = (
                "The type of a session cannot be changed once it has begun, nor back from 'transcription'."
            )
            raise ClientError("invalid_value", message, "session.type")

    def _cancel(self, response_id: str | None, now: float) -> list[Effect]:
        """response_id: None for the conversation's own; where there is none, for all that speak beside it."""
        responses = self.state.responses
        named = responses.current if response_id is None else responses.find(response_id)
        cancelled = [named] if named is not None else []
        if response_id is None and named is None:
            cancelled = responses.speaking()
        if not cancelled:
            raise ClientError("response_cancel_not_active", "Cancellation failed: no active response found")
        return responses.cancel(cancelled, "client_cancelled", now)

    # Time, and who is there -----------------------------------------------------------

    def _input_stalls_at(self) -> float:
        """When the audio of an open utterance has been missing for too long."""
        utterance = self.state.input_buffer.utterance
        if utterance is None or self.state.is_disconnected:
            return math.inf
        return utterance.last_audio_at + self.state.limits.input_stall_s

    def _expire(self, now: float) -> list[Effect]:
        state = self.state
        state.has_ended = True
        effects = state.responses.fail_all(
            GenerationFailed("session_expired", "The session's time is up."), now
        )
        minutes = round(state.limits.session_s / 60)
        message = f"Your session hit the maximum duration of {minutes} minutes."
        shown = wire.ErrorObject("invalid_request_error", "session_expired", message, None, None)
        return [*effects, Send(wire.Error(error=shown)), do.Close(1000, "session expired")]

    def _back(self, now: float) -> list[Effect]:
        """Silence was the connection's: what waits for the user's voice waits anew."""
        state = self.state
        state.is_disconnected = False
        state.heard.playback.client_reconnected(now)
        state.input_buffer.restart_stall(now)
        if state.responses.current is None:
            state.responses.state = Idle(now)
        must_answer, state.answer_on_return = state.answer_on_return, False
        return turn_taking.answer_turn(state, now) if must_answer else []
