"""A conversation -> what Qwen2-Audio is given: token ids and clips, in the checkpoint's own format.

The instruct model reads ChatML in which each clip is "Audio 1: <|audio_bos|>...<|audio_eos|>", counted
over the whole conversation; the base model reads the clips and the instruction, and nothing round
them. A person's text never becomes a control token.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np

from agent.api import (
    AUTO_TRUNCATION,
    LISTENING_HZ,
    AgentError,
    AssistantMessage,
    AudioPart,
    Message,
    SystemMessage,
    TextPart,
    ToolCallMessage,
    ToolResultMessage,
    Truncation,
    UserMessage,
)
from agent.asr.windows import Samples, pieces
from agent.engine.clips import Clip, Prompt
from agent.history import NO_OUTPUT, Fitted, fitted, joined

DEFAULT_SYSTEM = "You are a helpful assistant."
"""The checkpoint's, for a conversation without instructions."""
CLIP_S_MOST = 30.0
"""What the encoder hears at once; longer audio is cut at a pause, where transformers drops the rest."""
CLIP_S_LEAST = 0.1
"""Shorter audio has no token or one, and the model takes a clip for two at least."""
KEPT_FEATURE_BYTES = 64 * 2**20

Layout = Literal["instruct", "base"]
_Piece = str | int | Clip
"""Text as a person or the template wrote it, a control token, a clip."""


class ClipEncoder(Protocol):
    def clip(self, digest: bytes, samples: Samples) -> Clip:
        """samples: CLIP_S_LEAST to CLIP_S_MOST."""
        ...


@dataclass(frozen=True, slots=True)
class ControlTokens:
    im_start: int
    im_end: int
    audio_bos: int
    audio_eos: int


@dataclass(frozen=True, slots=True)
class _Turn:
    """One message with a role of the template."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[str | tuple[Clip, ...], ...]


class Qwen2AudioPrompts:
    """Makes prompts, on one thread. tokenizer: of transformers, fast."""

    def __init__(
        self,
        tokenizer: Any,
        control: ControlTokens,
        clip_encoder: ClipEncoder,
        context_tokens: int,
        layout: Layout,
    ) -> None:
        self.context_tokens = context_tokens
        self._tokenizer = tokenizer
        self._control = control
        self._ear = clip_encoder
        self._layout = layout
        self._known: OrderedDict[bytes, tuple[Clip, ...]] = OrderedDict()
        self._known_bytes = 0

    def prompt(
        self,
        instructions: str,
        messages: tuple[Message, ...],
        budget_tokens: int,
        truncation: Truncation = AUTO_TRUNCATION,
    ) -> Prompt:
        """What the model is given to go on from: of the messages, which are well formed, those that fit.

        Raises AgentError.
        """
        if self._layout == "base":
            return self._for_base(messages, budget_tokens, truncation)
        messages = _with_long_clips(messages)
        prompt = self._encoded(self._chat_pieces(self._turns(instructions, joined(messages))))
        if prompt.n_tokens <= budget_tokens and truncation.tokens_max is None:
            return prompt
        fixed = self._encoded(self._chat_pieces(self._turns(instructions, ()))).n_tokens
        made = fitted(messages, self._size, fixed, budget_tokens, truncation)
        prompt = self._encoded(self._chat_pieces(self._turns(instructions, made.messages)))
        return _checked(prompt, budget_tokens, made)

    def _size(self, message: Message) -> int:
        """In tokens, at the most: an audio's number may have two digits."""
        return sum(
            self._encoded(self._turn_pieces(turn, audio_count=99)).n_tokens
            for turn in self._turns_of([message])
        )

    # Turns ------------------------------------------------------------------------------------

    def _turns(self, instructions: str, messages: Sequence[Message]) -> list[_Turn]:
        """Turns of the template, in which the speakers alternate."""
        begins_with_system = bool(messages) and isinstance(messages[0], SystemMessage)
        turns: list[_Turn] = []
        if instructions or not begins_with_system:
            turns.append(_Turn("system", (instructions or DEFAULT_SYSTEM,)))
        for turn in self._turns_of(messages):
            if turn.role != "system" and turns and turns[-1].role == turn.role:
                turns[-1] = _Turn(turn.role, (*turns[-1].parts, "\n", *turn.parts))
            else:
                turns.append(turn)
        return turns

    def _turns_of(self, messages: Sequence[Message]) -> Iterator[_Turn]:
        for message in messages:
            match message:
                case SystemMessage(text):
                    yield _Turn("system", (text,))
                case UserMessage(parts):
                    heard = tuple(part for part in map(self._part, parts) if part)
                    if heard:
                        yield _Turn("user", heard)
                case AssistantMessage(text):
                    yield _Turn("assistant", (text,))
                case ToolResultMessage(_, output) if output != NO_OUTPUT:
                    yield _Turn("user", (f"Here is what I found: {output}",))
                case ToolCallMessage() | ToolResultMessage():
                    pass  # the model was not trained to call tools

    def _part(self, part: TextPart | AudioPart) -> str | tuple[Clip, ...]:
        if isinstance(part, TextPart):
            return part.text
        if _is_too_short(part):
            raise AgentError(
                "invalid_value",
                f"Audio of {len(part.pcm) * 1000 // (2 * LISTENING_HZ)} ms is too short: expected at least "
                f"{CLIP_S_LEAST * 1000:.0f} ms.",
            )
        return self._clips(part.pcm) if part.pcm else part.transcript or ""

    def _clips(self, pcm: bytes) -> tuple[Clip, ...]:
        digest = hashlib.blake2b(pcm, digest_size=16).digest()
        if digest in self._known:
            self._known.move_to_end(digest)
            return self._known[digest]
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0
        cut = pieces(samples, CLIP_S_MOST)
        clips = tuple(
            self._ear.clip(digest + bytes([number % 256]), piece) for number, piece in enumerate(cut)
        )
        self._known[digest] = clips
        self._known_bytes += _feature_bytes(clips)
        while self._known_bytes > KEPT_FEATURE_BYTES and len(self._known) > 1:
            _, dropped = self._known.popitem(last=False)
            self._known_bytes -= _feature_bytes(dropped)
        return clips

    # The template -----------------------------------------------------------------------------

    def _chat_pieces(self, turns: Sequence[_Turn]) -> list[_Piece]:
        chat: list[_Piece] = []
        audio_count = 0
        for turn in turns:
            chat += self._turn_pieces(turn, audio_count)
            audio_count += sum(len(part) for part in turn.parts if not isinstance(part, str))
        return [*chat, self._control.im_start, "assistant\n"]

    def _turn_pieces(self, turn: _Turn, audio_count: int) -> list[_Piece]:
        """audio_count: clips before this turn."""
        pieces: list[_Piece] = [self._control.im_start, f"{turn.role}\n"]
        for part in turn.parts:
            if isinstance(part, str):
                pieces.append(part)
                continue
            for clip in part:
                audio_count += 1
                pieces += [
                    f"Audio {audio_count}: ",
                    self._control.audio_bos,
                    clip,
                    self._control.audio_eos,
                    "\n",
                ]
        return [*pieces, self._control.im_end, "\n"]

    def _for_base(self, messages: Sequence[Message], budget_tokens: int, truncation: Truncation) -> Prompt:
        """The base model knows no turns: it gets the user's last clips and instruction as they are."""
        task = next((message for message in reversed(messages) if isinstance(message, UserMessage)), None)

        def encoded(message: Message) -> Prompt:
            pieces: list[_Piece] = []
            for part in (part for turn in self._turns_of([message]) for part in turn.parts):
                if isinstance(part, str):
                    pieces.append(part)
                    continue
                for clip in part:
                    pieces += [self._control.audio_bos, clip, self._control.audio_eos]
            return self._encoded(pieces)

        if task is None or encoded(task).n_tokens == 0:
            raise AgentError("invalid_value", "The base model goes on from audio or text: there is none.")
        made = fitted([task], lambda message: encoded(message).n_tokens, 0, budget_tokens, truncation)
        return _checked(encoded(made.messages[0]), budget_tokens, made)

    def _encoded(self, pieces: Sequence[_Piece]) -> Prompt:
        """Text between two control tokens is encoded as one, as the tokenizer would do with the whole."""
        encoded: list[Any] = []
        ids: list[int] = []
        text = ""
        for piece in pieces:
            if isinstance(piece, str):
                text += piece
                continue
            ids += self._ids(text)
            text = ""
            if isinstance(piece, int):
                ids.append(piece)
                continue
            encoded += [np.asarray(ids, np.int64), piece]
            ids = []
        ids += self._ids(text)
        encoded.append(np.asarray(ids, np.int64))
        return Prompt(tuple(piece for piece in encoded if isinstance(piece, Clip) or len(piece)))

    def _ids(self, text: str) -> list[int]:
        if not text:
            return []
        # split_special_tokens: "<|im_end|>" in a person's text is so many letters.
        encoded = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        return list(encoded["input_ids"])


def _is_too_short(part: TextPart | AudioPart) -> bool:
    return isinstance(part, AudioPart) and 0 < len(part.pcm) < CLIP_S_LEAST * LISTENING_HZ * 2


def _with_long_clips(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Without clips that were refused when the user said them: the conversation goes on without."""
    last = next((message for message in reversed(messages) if isinstance(message, UserMessage)), None)
    return tuple(
        UserMessage(tuple(part for part in message.parts if not _is_too_short(part)))
        if isinstance(message, UserMessage) and message is not last
        else message
        for message in messages
    )


def _checked(prompt: Prompt, budget_tokens: int, made: Fitted) -> Prompt:
    if prompt.n_tokens > budget_tokens:
        raise AgentError(
            "context_length_exceeded",
            f"The instructions and the last turn take {prompt.n_tokens} tokens; {budget_tokens} at most "
            "leave room for an answer.",
        )
    return replace(prompt, is_cut=made.is_cut)


def _feature_bytes(clips: Sequence[Clip]) -> int:
    return sum(int(clip.features.nbytes) for clip in clips)
