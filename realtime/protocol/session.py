"""The session: what happened goes in, what to do comes out. All turn-taking is decided here.

No sockets, no clock, no randomness: `now` (monotonic seconds) and ids are arguments. One task
owns a session; see realtime/session/runner.py.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, assert_never

from agent.api import (
    SPEAKING_HZ,
    AgentRequest,
    AudioPart,
    GenerationDone,
    GenerationFailed,
    Health,
    Message,
    StageDone,
    UserMessage,
)
from realtime.errors import ClientError
from realtime.protocol import effects as do
from realtime.protocol import events as wire
from realtime.protocol.assistant import Assistant, Generating, Idle, Limits
from realtime.protocol.config import (
    ResponseConfig,
    SessionConfig,
    TurnDetection,
    kept,
    merge,
    response_config,
)
from realtime.protocol.conversation import (
    AssistantItem,
    Conversation,
    Item,
    ToolCallItem,
    ToolResultItem,
    UserItem,
    audio_ms,
    messages,
    wire_item,
)
from realtime.protocol.effects import Effect, Send
from realtime.protocol.heard import Heard
from realtime.protocol.input_buffer import InputBuffer
from realtime.protocol.inputs import (
    AudioReceived,
    FromAgent,
    PeerAway,
    PeerBack,
    SpeechPaused,
    SpeechStarted,
    SpeechStopped,
    Transcribed,
    TranscriptionError,
    TurnSignal,
)
from realtime.protocol.items import DecodeAudio, parse_input, parse_item
from realtime.protocol.playout import Playout
from realtime.protocol.response import CancelReason, Response
from realtime.protocol.snapshot import (
    Snapshot,
    StoredPlayout,
    restored_items,
    stored_items,
)

COMMIT_MS_MIN = 100  # the wire's: a shorter commit is input_audio_buffer_commit_empty

Input = (
    wire.ControlEvent
    | TurnSignal
    | AudioReceived
    | FromAgent
    | PeerAway
    | PeerBack
    | Transcribed
    | TranscriptionError
    | ClientError
)


class Session:
    """One conversation with one user."""

    def __init__(
        self,
        config: SessionConfig,
        agent: Health,
        limits: Limits,
        new_id: Callable[[str], str],
        decode_audio: Callable[[bytes, SessionConfig], bytes],
        now: float,
        fixed: dict[str, Any] | None = None,
    ) -> None:
        """new_id: kind -> a fresh id. decode_audio: bytes in the input format -> s16le at 16 kHz. fixed: what
        of the configuration no event of the client changes."""
        self.config = config
        self.conversation = Conversation()
        self.assistant: Assistant = Idle(now)
        self._out_of_band: dict[str, Generating] = {}
        self._buffer = InputBuffer()
        self._heard = Heard(self.conversation)
        self._fixed = fixed or {}
        self._agent = agent
        self._limits = limits
        self._new_id = new_id
        self._decode_audio: DecodeAudio = lambda audio: decode_audio(audio, self.config)
        self._expires_at = now + limits.session_s
        self._asked_if_there = False
        self._conversation_id = new_id("conv")
        self._ended = False
        self._is_away = False
        self._owes_answer = False  # one that was cut off by the end of the server that made it

    def open(self) -> list[Effect]:
        return [Send(wire.SessionCreated(session=self.config))]

    # What happens ---------------------------------------------------------------------

    def feed(self, event: Input, now: float) -> list[Effect]:
        """Take in what happened at `now`; return what to do, in order. Never raises for input."""
        if self._ended:
            return []
        try:
            match event:
                case AudioReceived():
                    return self._hear(event, now)
                case FromAgent():
                    return self._from_agent(event, now)
                case SpeechStarted():
                    return self._speech_started(event, now)
                case SpeechPaused():
                    return self._speech_paused(event)
                case SpeechStopped():
                    return self._speech_stopped(event, now)
                case Transcribed() | TranscriptionError():
                    return self._transcribed(event)
                case PeerAway(heard_ms=heard_ms):
                    self._is_away = True
                    self._heard.away(now, heard_ms)
                    return []
                case PeerBack():
                    return self._back(now)
                case ClientError():
                    raise event
                case _:
                    return self._from_client(event, now)
        except ClientError as error:
            event_id = error.event_id or getattr(event, "event_id", None)
            shown = wire.ErrorObject(
                "invalid_request_error", error.code, error.message, error.param, event_id
            )
            return [Send(wire.Error(error=shown))]

    @property
    def deadline(self) -> float:
        """When to call `wake`, whatever happens until then; never, once the session has ended."""
        if self._ended:
            return math.inf
        deadlines = [self._expires_at]
        deadlines += [active.deadline(self._limits) for active in self._active()]
        if self._buffer.utterance is not None and not self._is_away:
            deadlines.append(self._buffer.utterance.last_audio_at + self._limits.input_stall_s)
        idle_ends_at = self._idle_ends_at()
        if idle_ends_at is not None:
            deadlines.append(idle_ends_at)
        return min(deadlines)

    def wake(self, now: float) -> list[Effect]:
        """Do what is due at `now`."""
        if self._ended:
            return []
        if now >= self._expires_at:
            return self._expire(now)
        effects: list[Effect] = []
        for active in self._active():
            if now >= active.deadline(self._limits):
                late = GenerationFailed("agent_timeout", "The agent took too long to go on with its answer.")
                effects.append(do.StopGenerating(active.response.id))
                effects += self._ended_by(active, active.response.fail(late), now)
        utterance = None if self._is_away else self._buffer.utterance
        if utterance is not None and now >= utterance.last_audio_at + self._limits.input_stall_s:
            utterance.last_audio_at = now
            effects.append(do.HushTurns())
        idle_ends_at = self._idle_ends_at()
        if idle_ends_at is not None and now >= idle_ends_at:
            effects += self._idle_timeout(now)
        return effects

    # The client -----------------------------------------------------------------------

    def _from_client(self, event: wire.ControlEvent, now: float) -> list[Effect]:
        match event:
            case wire.PlaybackReport():
                return self._heard.report(event)
            case wire.SessionUpdate(session=patch):
                return self._update(patch, now)
            case wire.InputAudioBufferCommit():
                return self._commit_by_client()
            case wire.InputAudioBufferClear():
                self._buffer.clear()
                return [Send(wire.Cleared()), do.ResetTurns()]
            case wire.OutputAudioBufferClear():
                return self._silence(now)
            case wire.ItemCreate():
                item = parse_item(event.item, self._new_id, self._decode_audio)
                return self._add(item, event.previous_item_id)
            case wire.ItemRetrieve(item_id=item_id):
                item = self.conversation.get(item_id, "item_retrieve_invalid_item_id")
                return [Send(wire.ItemRetrieved(item=wire_item(item)))]
            case wire.ItemTruncate():
                return self._heard.truncate(event)
            case wire.ItemDelete(item_id=item_id):
                self.conversation.delete(item_id)
                return [Send(wire.ItemDeleted(item_id=item_id))]
            case wire.ResponseCreate(response=patch):
                return self._create_response(patch, now)
            case wire.Say(text=text):
                self._refuse_if_busy({})
                return self._start_response({}, messages(self.conversation), now, verbatim=text)
            case wire.ResponseCancel(response_id=response_id):
                return self._cancel_by_client(response_id, now)
            case _:
                assert_never(event)

    def _update(self, patch: dict[str, Any], now: float) -> list[Effect]:
        before = self.config
        self.config = merge(self.config, kept(patch, self._fixed))
        self._heard.tells = self.config.extensions.playback_ack
        effects: list[Effect] = [Send(wire.SessionUpdated(session=self.config))]
        if self.config.extensions.resume and not before.extensions.resume:
            effects.append(do.Keep())
        if self.config.extensions.alignment and not before.extensions.alignment:
            for active in self._active():
                active.response.aligned = True
            effects += self.retell_marks(self.playing(now))
        if before.audio.input.heard_by != self.config.audio.input.heard_by:
            # The new detector knows nothing of speech that has begun: what was said so far is a turn.
            effects += self._speech_stopped(SpeechStopped(self.audio_ms), now)
            self._buffer.utterance = None  # with push to talk: the client's commit takes the speech
            effects.append(do.ResetTurns())
        told_anew = (before.instructions, before.tools) != (self.config.instructions, self.config.tools)
        if told_anew and isinstance(self.assistant, Idle):
            # Long instructions take their time to read: not on the first turn's account.
            view = messages(self.conversation)
            effects.append(do.Warm(self._request("", response_config(self.config, None), view)))
        return effects

    def _commit_by_client(self) -> list[Effect]:
        buffer = self._buffer
        if buffer.sent_ms < COMMIT_MS_MIN:
            raise ClientError(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{COMMIT_MS_MIN}ms of audio, but buffer only has {buffer.sent_ms:.2f}ms of audio.",
            )
        item_id = buffer.utterance.item_id if buffer.utterance else self._new_id("item")
        return [*self._commit(item_id, buffer.take()), do.ResetTurns()]

    def _add(self, item: Item, after: str | None) -> list[Effect]:
        previous = self.conversation.insert(item, after)
        shown = wire_item(item)
        effects: list[Effect] = [
            Send(wire.ItemAdded(previous_item_id=previous, item=shown)),
            Send(wire.ItemDone(previous_item_id=previous, item=shown)),
        ]
        self._forget_what_is_too_much()
        return effects + self._transcribe(item)

    def _forget_what_is_too_much(self) -> None:
        self.conversation.forget_oldest(self._limits.items, self._limits.history_chars)
        self.conversation.forget_audio(self._limits.history_audio_bytes)

    # The user's speech ----------------------------------------------------------------

    def _hear(self, audio: AudioReceived, now: float) -> list[Effect]:
        if self._buffer.held_ms > self._limits.input_buffer_ms:
            raise ClientError(
                "input_audio_buffer_overflow",
                f"The input audio buffer is full at {self._limits.input_buffer_ms} ms: commit or clear it.",
                "audio",
            )
        self._buffer.append(audio.pcm, audio.sent_ms, now, keep_all=self._turn_detection is None)
        return []

    def _speech_started(self, signal: SpeechStarted, now: float) -> list[Effect]:
        detection = self._turn_detection
        if detection is None or self._buffer.utterance is not None:
            return []
        self._asked_if_there = False
        item_id = self._new_id("item")
        utterance = self._buffer.begin(item_id, signal.audio_ms, detection.prefix_padding_ms, now)
        effects: list[Effect] = [
            Send(wire.InputSpeechStarted(item_id=item_id, audio_start_ms=utterance.start_ms))
        ]
        if detection.interrupt_response:
            effects += self._silence(now, "turn_detected")
        return effects

    def _speech_paused(self, signal: SpeechPaused) -> list[Effect]:
        detection = self._turn_detection
        if detection is None or not detection.create_response or self._buffer.utterance is None:
            return []
        if isinstance(self.assistant, Generating):
            return []
        utterance = UserMessage((AudioPart(self._buffer.so_far(signal.audio_ms)),))
        view = (*messages(self.conversation), utterance)
        return [do.Warm(self._request("", response_config(self.config, None), view))]

    def _speech_stopped(self, signal: SpeechStopped, now: float) -> list[Effect]:
        detection = self._turn_detection
        if detection is None or self._buffer.utterance is None:
            return []
        item_id, pcm = self._buffer.end(signal.audio_ms)
        stopped = wire.InputSpeechStopped(item_id=item_id, audio_end_ms=signal.audio_ms)
        effects: list[Effect] = [Send(stopped), *self._commit(item_id, pcm)]
        if detection.create_response:
            effects += self._answer_turn(now)
        return effects

    def _commit(self, item_id: str, pcm: bytes) -> list[Effect]:
        item = UserItem(item_id, (AudioPart(pcm),))
        previous = self.conversation.last_id
        added = self._add(item, None)
        return [Send(wire.Committed(item_id=item_id, previous_item_id=previous)), *added]

    def _transcribe(self, item: Item) -> list[Effect]:
        if not self._agent.transcribes or not isinstance(item, UserItem):
            return []
        transcription = self.config.audio.input.transcription
        language = transcription.language if transcription else None
        return [
            do.Transcribe(item.id, index, part.pcm, language)
            for index, part in enumerate(item.parts)
            if isinstance(part, AudioPart) and part.transcript is None
        ]

    def _transcribed(self, result: Transcribed | TranscriptionError) -> list[Effect]:
        place: dict[str, Any] = {"item_id": result.item_id, "content_index": result.content_index}
        wanted = self.config.audio.input.transcription is not None
        if isinstance(result, TranscriptionError):
            error = wire.TranscriptionError("transcription_error", result.code, result.message)
            return [Send(wire.TranscriptionFailed(error=error, **place))] if wanted else []
        text = result.transcript.text
        self.conversation.set_transcript(
            result.item_id, result.content_index, text, keep_audio=self._agent.wants_audio_history
        )
        if not wanted:
            return []
        effects: list[Effect] = []
        if text:
            effects.append(Send(wire.TranscriptionDelta(delta=text, **place)))
        usage = wire.DurationUsage(round(result.transcript.duration_s, 3))
        effects.append(Send(wire.TranscriptionCompleted(transcript=text, usage=usage, **place)))
        return effects

    # The answer -----------------------------------------------------------------------

    def _answer_turn(self, now: float) -> list[Effect]:
        if isinstance(self.assistant, Generating):
            self.assistant.turn_waits = True
            return []
        return self._create_response(None, now)

    def _create_response(self, patch: dict[str, Any] | None, now: float) -> list[Effect]:
        patch = kept(patch or {}, self._fixed)
        self._refuse_if_busy(patch)  # first: a refusal must not cost what an answer does
        raw_input = patch.get("input")
        items: Iterable[Item] = self.conversation
        if raw_input is not None:
            items = parse_input(raw_input, self.conversation, self._new_id, self._decode_audio)
        return self._start_response(patch, messages(items), now)

    def _refuse_if_busy(self, patch: dict[str, Any]) -> None:
        if patch.get("conversation") not in (None, "auto", "none"):
            raise ClientError(
                "invalid_value",
                "Invalid conversation: expected 'auto' or 'none'.",
                "response.conversation",
            )
        out_of_band = patch.get("conversation") == "none"
        if out_of_band and len(self._out_of_band) >= self._limits.out_of_band:
            raise ClientError(
                "too_many_responses",
                f"At most {self._limits.out_of_band} out-of-band responses run at a time.",
            )
        if not out_of_band and isinstance(self.assistant, Generating):
            raise ClientError(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self.assistant.response.id}. "
                "Wait until the response is finished before creating a new one.",
            )

    def _start_response(
        self, patch: dict[str, Any], view: tuple[Message, ...], now: float, verbatim: str = ""
    ) -> list[Effect]:
        config = response_config(self.config, patch)
        out_of_band = patch.get("conversation") == "none"
        response = Response(
            self._new_id("resp"),
            config,
            None if out_of_band else self.conversation,
            self._conversation_id,
            self._new_id,
            aligned=self.config.extensions.alignment,
        )
        active = Generating(response, now)
        if out_of_band:
            self._out_of_band[response.id] = active
        else:
            self.assistant = active
        return [*response.begin(), do.Generate(self._request(response.id, config, view, verbatim))]

    def _request(
        self, response_id: str, config: ResponseConfig, view: tuple[Message, ...], verbatim: str = ""
    ) -> AgentRequest:
        return AgentRequest(
            session_id=self.config.id,
            response_id=response_id,
            instructions=config.instructions,
            messages=view,
            modality=config.modality,
            voice=config.voice,
            tools=config.tools,
            tool_choice=config.tool_choice,
            max_output_tokens=None if verbatim else config.max_output_tokens,
            verbatim=verbatim,
        )

    def _from_agent(self, answer: FromAgent, now: float) -> list[Effect]:
        active = self._find_active(answer.response_id)
        if active is None:
            return []
        response = active.response
        if not isinstance(answer.event, StageDone):  # a stage is only on the way to the first event
            active.heard_from_at = now
        match answer.event:
            case GenerationDone() as done:
                return self._ended_by(active, response.finish(done), now)
            case GenerationFailed() as failure:
                return self._ended_by(active, response.fail(failure), now)
            case event:
                effects = response.feed(event)
                for effect in effects:
                    if isinstance(effect, do.Play) and not response.is_out_of_band:
                        duration_ms = audio_ms(effect.pcm, SPEAKING_HZ)
                        self._heard.sent(response.id, effect.item_id, duration_ms, now)
                return effects

    def _cancel_by_client(self, response_id: str | None, now: float) -> list[Effect]:
        if response_id is not None:
            active = self._find_active(response_id)
        else:
            active = self.assistant if isinstance(self.assistant, Generating) else None
        if active is None:
            raise ClientError("response_cancel_not_active", "Cancellation failed: no active response found")
        return [do.StopGenerating(active.response.id), *self._cancel(active, "client_cancelled", now)]

    def _silence(self, now: float, reason: CancelReason | None = None) -> list[Effect]:
        """Stop the answer that the user hears; with a reason, also the one being generated."""
        effects: list[Effect] = []
        if reason is not None and isinstance(self.assistant, Generating):
            self.assistant.turn_waits = False
            response_id = self.assistant.response.id
            effects += [do.StopGenerating(response_id), do.StopPlayback(response_id)]
            effects += self._cancel(self.assistant, reason, now)
        return effects + self._heard.stop(now)

    def _cancel(self, active: Generating, reason: CancelReason, now: float) -> list[Effect]:
        return self._ended_by(active, active.response.cancel(reason), now)

    def _ended_by(self, active: Generating, ladder: list[Effect], now: float) -> list[Effect]:
        """A response has ended: go on to the turn that waits, or be idle."""
        response = active.response
        if response.is_out_of_band:
            del self._out_of_band[response.id]
            return ladder
        message = response.message
        if message is not None and message.status != "completed" and message.modality == "audio":
            # Words that were decoded but never spoken were not heard.
            message.heard_ms = message.heard_at_most(message.audio_ms)
        self.assistant = Idle(now)
        self._forget_what_is_too_much()
        return ladder + (self._create_response(None, now) if active.turn_waits else [])

    # Silence and the end --------------------------------------------------------------

    def _idle_ends_at(self) -> float | None:
        detection = self._turn_detection
        if detection is None or detection.idle_timeout_ms is None or self._buffer.utterance or self._is_away:
            return None
        if not isinstance(self.assistant, Idle) or self._asked_if_there or not len(self.conversation):
            return None
        return self._heard.ends_at(self.assistant.since) + detection.idle_timeout_ms / 1000.0

    def _idle_timeout(self, now: float) -> list[Effect]:
        """The user has said nothing for long: take the silence as a turn, once."""
        self._asked_if_there = True
        view = messages(self.conversation)
        item = UserItem(self._new_id("item"), (AudioPart(b"", ""),))
        start_ms, end_ms = self._buffer.start_ms, self._buffer.end_ms
        self._buffer.clear()
        timeout = wire.TimeoutTriggered(item_id=item.id, audio_start_ms=start_ms, audio_end_ms=end_ms)
        committed = wire.Committed(item_id=item.id, previous_item_id=self.conversation.last_id)
        effects: list[Effect] = [Send(timeout), Send(committed), *self._add(item, None)]
        ask = "The user has been silent for a while. Ask in a few words whether they are still there."
        told = {"instructions": f"{self.config.instructions}\n{ask}".strip()}
        return effects + self._start_response(told, view, now)

    def _expire(self, now: float) -> list[Effect]:
        over = GenerationFailed("session_expired", "The session's time is up.")
        effects: list[Effect] = []
        for active in self._active():
            active.turn_waits = False
            effects.append(do.StopGenerating(active.response.id))
            effects += self._ended_by(active, active.response.fail(over), now)
        self._ended = True
        minutes = round(self._limits.session_s / 60)
        message = f"Your session hit the maximum duration of {minutes} minutes."
        shown = wire.ErrorObject("invalid_request_error", "session_expired", message, None, None)
        return [*effects, Send(wire.Error(error=shown)), do.Close(1000, "session expired")]

    # Coming back ----------------------------------------------------------------------

    def _back(self, now: float) -> list[Effect]:
        """Silence was the connection's: what waits for the user's voice waits anew."""
        self._is_away = False
        self._heard.back(now)
        if self._buffer.utterance is not None:
            self._buffer.utterance.last_audio_at = now
        if isinstance(self.assistant, Idle):
            self.assistant = Idle(now)
        owes, self._owes_answer = self._owes_answer, False
        return self._answer_turn(now) if owes else []

    def retell(self, history: bool) -> list[Effect]:
        """The conversation as it stands, for a client that knows nothing of it, or only (history: False)
        the answers that are under way. Of sound there is nothing here."""
        effects: list[Effect] = []
        previous: str | None = None
        for item in self.conversation if history else ():
            shown = wire_item(item)
            effects.append(Send(wire.ItemAdded(previous_item_id=previous, item=shown)))
            if not (isinstance(item, AssistantItem | ToolCallItem) and item.status == "in_progress"):
                effects.append(Send(wire.ItemDone(previous_item_id=previous, item=shown)))
            previous = item.id
        for active in self._active():
            effects += active.response.retell()
        return effects

    def retell_marks(self, playing: list[wire.Playing]) -> list[Effect]:
        """Which words these answers' audio holds, for a client that shows them as they are heard."""
        if not self.config.extensions.alignment:
            return []
        effects: list[Effect] = []
        for one in playing:
            item = self.conversation.find(one.item_id)
            for audio_end_ms, text_end in item.marks if isinstance(item, AssistantItem) else ():
                mark = wire.ParlourAlignment(
                    response_id=one.response_id,
                    item_id=one.item_id,
                    content_index=0,
                    audio_end_ms=round(audio_end_ms),
                    text_end=text_end,
                )
                effects.append(Send(mark))
        return effects

    def playing(self, now: float) -> list[wire.Playing]:
        """The answers that are not heard to their end, oldest first."""
        return [
            wire.Playing(playout.item_id, playout.response_id, int(playout.heard_ms(now)))
            for playout in self._heard.unheard(now)
        ]

    def snapshot(self, now: float, sound_of: Callable[[str, float], list[do.Play]], n_told: int) -> Snapshot:
        """All that a later `restore` needs. sound_of: item id, heard ms -> the sound after that."""
        playouts = []
        for playout in self._heard.unheard(now):
            plays = sound_of(playout.item_id, playout.heard_ms(now))
            if plays:
                playouts.append(
                    StoredPlayout(
                        playout.response_id,
                        playout.item_id,
                        playout.sent_ms,
                        playout.heard_ms(now),
                        plays[0].output_index,
                        plays[0].format,
                        [(play.start_ms, play.pcm) for play in plays],
                    )
                )
        return Snapshot(
            config=self.config,
            conversation_id=self._conversation_id,
            items=stored_items(self.conversation),
            playouts=playouts,
            audio_ms=self.open_audio_ms,
            owes_answer=isinstance(self.assistant, Generating) or self._owes_answer,
            n_told=n_told,
            fixed=self._fixed,
        )

    def restore(self, snapshot: Snapshot, now: float) -> None:
        """Become the session that was stored; to be called before anything else.

        Of an answer that was being made, what was heard or can yet be heard stays. If that is nothing,
        it is made anew when the client is back.
        """
        self.config = snapshot.config
        self._conversation_id = snapshot.conversation_id
        self.conversation = restored_items(snapshot.items)
        self._heard = Heard(self.conversation)
        self._heard.tells = self.config.extensions.playback_ack
        self._heard.restore(
            [
                Playout(stored.response_id, stored.item_id, now, stored.sent_ms, stored.heard_ms)
                for stored in snapshot.playouts
            ]
        )
        self._heard.away(now, {})
        self._buffer.begin_at(snapshot.audio_ms)
        self._is_away = True
        last = self.conversation.find(self.conversation.last_id or "")
        if snapshot.owes_answer and isinstance(last, AssistantItem) and last.status == "incomplete":
            if last.modality == "audio":
                last.heard_ms = last.heard_at_most(last.audio_ms)  # words that were never spoken
            if not last.heard_text:
                self.conversation.delete(last.id)
        last = self.conversation.find(self.conversation.last_id or "")
        self._owes_answer = snapshot.owes_answer and isinstance(last, UserItem | ToolResultItem)

    # Looking up -----------------------------------------------------------------------

    @property
    def audio_ms(self) -> int:
        """The position of the input audio's end: what the next sample follows."""
        return self._buffer.end_ms

    @property
    def open_audio_ms(self) -> int:
        """The position from which on the input audio has not become a turn, and may yet be one."""
        return self._buffer.open_from_ms(keeps_all=self._turn_detection is None)

    @property
    def _turn_detection(self) -> TurnDetection | None:
        return self.config.audio.input.turn_detection

    def _active(self) -> list[Generating]:
        default = [self.assistant] if isinstance(self.assistant, Generating) else []
        return [*default, *self._out_of_band.values()]

    def _find_active(self, response_id: str) -> Generating | None:
        if isinstance(self.assistant, Generating) and self.assistant.response.id == response_id:
            return self.assistant
        return self._out_of_band.get(response_id)
