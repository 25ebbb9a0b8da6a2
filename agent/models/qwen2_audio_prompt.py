"""A conversation -> what Qwen2-Audio is given: token ids and clips, in the checkpoint's own format.

The instruct model reads ChatML in which each clip is "Audio 1: <|audio_bos|>...<|audio_eos|>", counted
over the whole conversation; the base model reads the clips and the instruction, and nothing round
them. A person's text never becomes a control token.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from agent.api import (
    LISTENING_HZ,
    AgentError,
    AssistantMessage,
    AudioPart,
    Message,
    SystemMessage,
    TextPart,
    ToolCallMessage,
    ToolResultMessage,
    UserMessage,
)
from agent.asr.windows import Samples, pieces
from agent.engine.clips import Clip, Prompt

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

    def prompt(self, instructions: str, messages: tuple[Message, ...], budget_tokens: int) -> Prompt:
        """What the model is given to go on from. Raises AgentError.

        Where the conversation does not fit into the budget, the oldest turns leave, whole; the
        instructions and what the user said last always stay.
        """
        turns = list(self._turns(instructions, messages))
        if self._layout == "base":
            return self._for_base(turns, budget_tokens)
        n_system = next((n for n, turn in enumerate(turns) if turn.role != "system"), len(turns))
        system, said = turns[:n_system], turns[n_system:]
        prompt = self._encoded(self._chat_pieces([*system, *said]))
        if prompt.n_tokens <= budget_tokens:
            return prompt
        sizes = [self._encoded(self._turn_pieces(turn, audio_count=99)).n_tokens for turn in said]
        fixed = self._encoded(self._chat_pieces(system)).n_tokens
        said = _newest(said, sizes, budget_tokens - fixed)
        prompt = self._encoded(self._chat_pieces([*system, *said]))
        if prompt.n_tokens > budget_tokens:
            raise _too_long(prompt, budget_tokens)
        return prompt

    # Turns ------------------------------------------------------------------------------------

    def _turns(self, instructions: str, messages: Sequence[Message]) -> Iterator[_Turn]:
        begins_with_system = bool(messages) and isinstance(messages[0], SystemMessage)
        if instructions or not begins_with_system:
            yield _Turn("system", (instructions or DEFAULT_SYSTEM,))
        last = next((message for message in reversed(messages) if isinstance(message, UserMessage)), None)
        for message in messages:
            match message:
                case SystemMessage(text):
                    yield _Turn("system", (text,))
                case UserMessage(parts):
                    if message is not last:  # refused when it was asked: the conversation goes on without
                        parts = tuple(part for part in parts if not _is_too_short(part))
                    heard = tuple(part for part in map(self._part, parts) if part)
                    if heard:
                        yield _Turn("user", heard)
                case AssistantMessage(text):
                    yield _Turn("assistant", (text,))
                case ToolResultMessage(_, output):
                    yield _Turn("user", (f"Here is what I found: {output}",))
                case ToolCallMessage():
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

    def _for_base(self, turns: Sequence[_Turn], budget_tokens: int) -> Prompt:
        """The base model knows no turns: it gets the user's last clips and instruction as they are."""
        task = next((turn for turn in reversed(turns) if turn.role == "user"), _Turn("user", ()))
        pieces: list[_Piece] = []
        for part in task.parts:
            if isinstance(part, str):
                pieces.append(part)
                continue
            for clip in part:
                pieces += [self._control.audio_bos, clip, self._control.audio_eos]
        prompt = self._encoded(pieces)
        if prompt.n_tokens == 0:
            raise AgentError("invalid_value", "The base model goes on from audio or text: there is none.")
        if prompt.n_tokens > budget_tokens:
            raise _too_long(prompt, budget_tokens)
        return prompt

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


def _too_long(prompt: Prompt, budget_tokens: int) -> AgentError:
    return AgentError(
        "context_length_exceeded",
        f"The instructions and the last turn take {prompt.n_tokens} tokens; {budget_tokens} at most leave "
        "room for an answer.",
    )


def _newest(turns: Sequence[_Turn], sizes: Sequence[int], budget_tokens: int) -> list[_Turn]:
    """The newest turns that fit, beginning with the user's; the last one always.

    Turns leave by the half of a budget at once: if they left one by one, each answer would have to
    read the whole conversation anew, for what is kept of it in the cache ends where the first turn changes.
    """
    surplus = sum(sizes) - budget_tokens
    step = max(budget_tokens // 2, 1)
    leaving = -(-surplus // step) * step
    start = 0
    while start < len(turns) - 1 and (leaving > 0 or turns[start].role != "user"):
        leaving -= sizes[start]
        start += 1
    return list(turns[start:])


def _feature_bytes(clips: Sequence[Clip]) -> int:
    return sum(int(clip.features.nbytes) for clip in clips)
