"""The input audio of one session, on its way from the client to the core and the turn detector."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from realtime.audio.noise_reduction import NoiseReducer
from realtime.audio.wire_format import InputDecoder
from realtime.clock import Clock
from realtime.protocol.client_events import InputAudioBufferAppend
from realtime.protocol.config import TurnDetection
from realtime.protocol.effects import Effect
from realtime.protocol.inputs import AudioReceived
from realtime.protocol.session import Input, Session
from realtime.protocol.snapshot import Snapshot
from realtime.turns.base import TurnDetector

PIECE_MS = 200
"""A longer append is taken in pieces, other sessions having their turn between them."""

PIECES_BEFORE_YIELD = 4
CHECKPOINT_EVERY_MS = 500

MakeDetector = Callable[[TurnDetection, int], TurnDetector]
"""(the session's turn detection, position of the next sample in ms) -> a fresh detector."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A position in the input audio from which a client can send again.

    client_event: the last event of the client by then. audio_at: when its audio came last.
    """

    audio_ms: int
    client_event: str | None
    audio_at: float | None


class InputAudio:
    """Decodes what the client appends, feeds it to the core, and asks the turn detector.

    last_audio_at: when audio came last, of the clock; None: none ever came.
    """

    def __init__(
        self,
        session: Session,
        make_detector: MakeDetector,
        clock: Clock,
        feed: Callable[[Input], None],
        perform: Callable[[list[Effect]], None],
    ) -> None:
        """feed: one step of the session. perform: the effects of one that was made here."""
        self.last_audio_at: float | None = None
        self._session = session
        self._make_detector = make_detector
        self._clock = clock
        self._feed = feed
        self._perform = perform
        self._checkpoints: deque[Checkpoint] = deque()
        self._detector: TurnDetector | None = None
        self._decoder: InputDecoder
        self._noise_reducer: NoiseReducer | None
        self.reset_detector()

    @property
    def silent_ms(self) -> int | None:
        """How long no audio has come; None: there never was any."""
        if self.last_audio_at is None:
            return None
        return round((self._clock.now() - self.last_audio_at) * 1000)

    async def push(self, event: InputAudioBufferAppend) -> bool:
        """Take one append, piece by piece.

        False when it was refused; the error is sent once, and what came before it stays.
        """
        audio, step = event.audio, self._decoder.bytes_for(PIECE_MS)
        for count, start in enumerate(range(0, len(audio), step), 1):
            piece = audio[start : start + step]
            pcm = self._decoder.push(piece)
            if self._noise_reducer is not None:
                pcm = self._noise_reducer.push(pcm)
            # Nothing is answered to audio but an error, and no turn depends on it by itself.
            received = AudioReceived(pcm, self._decoder.duration_ms(len(piece)), event.event_id)
            refusal = self._session.feed(received, self._clock.now())
            if refusal:
                self._perform(refusal)
                return False
            if self._detector is not None:
                for signal in self._detector.push(pcm):
                    self._feed(signal)
            self.last_audio_at = self._clock.now()
            if count % PIECES_BEFORE_YIELD == 0:
                await asyncio.sleep(0)
        return True

    def reset_detector(self) -> None:
        """Decode and detect anew: the settings were changed, or the buffer was taken."""
        audio_input = self._session.config.audio.input
        self._decoder = InputDecoder(audio_input.format)
        reduction = audio_input.noise_reduction
        self._noise_reducer = NoiseReducer(reduction) if reduction else None
        detection = audio_input.turn_detection
        self._detector = self._make_detector(detection, self._session.audio_ms) if detection else None

    def flush_detector(self) -> None:
        """No more audio comes: let the detector end the utterance."""
        if self._detector is not None:
            for signal in self._detector.flush():
                self._feed(signal)

    # Another server goes on -------------------------------------------------------------

    def add_checkpoint(self, client_event: str | None) -> None:
        """Note, now and then, where in the audio the client's next event begins."""
        if self._decoder.is_mid_sample:
            return  # the rest of this sample could not be read by itself
        checkpoints = self._checkpoints
        if not checkpoints or self._session.audio_ms >= checkpoints[-1].audio_ms + CHECKPOINT_EVERY_MS:
            checkpoints.append(Checkpoint(self._session.audio_ms, client_event, self.last_audio_at))
            while len(checkpoints) > 1 and checkpoints[1].audio_ms <= self._session.uncommitted_from_ms:
                checkpoints.popleft()

    def store(self, snapshot: Snapshot, client_event: str | None) -> None:
        """Note in a snapshot from where on the client is to send again."""
        before = [one for one in self._checkpoints if one.audio_ms <= snapshot.audio_ms]
        now = Checkpoint(self._session.audio_ms, client_event, self.last_audio_at)
        checkpoint = before[-1] if before else now
        snapshot.audio_ms, snapshot.resend_after = checkpoint.audio_ms, checkpoint.client_event
        if checkpoint.audio_at is not None:
            snapshot.input_until = time.time() - (self._clock.now() - checkpoint.audio_at)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from there, when the core has been restored."""
        if snapshot.input_until is not None:
            self.last_audio_at = self._clock.now() - max(0.0, time.time() - snapshot.input_until)
        self.reset_detector()
