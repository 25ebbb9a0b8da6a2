"""An agent's answer as `POST /v1/chat/completions` gives it: in one object, or in chunks. Pure."""

from dataclasses import dataclass
from typing import Any

from agent.api import GenerationDone, TextDelta, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class CompletionHead:
    """What the object and every chunk begin with. created: Unix time, s."""

    id: str
    created: int
    model: str

    def of(self, kind: str, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """kind: "chat.completion" or "chat.completion.chunk"."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "system_fingerprint": None,
            **more,
        }


class Completion:
    """The answer at once."""

    def __init__(self, head: CompletionHead) -> None:
        self._head = head
        self._texts: list[str] = []
        self._calls: list[dict[str, Any]] = []

    def take(self, event: TextDelta | ToolCall) -> None:
        match event:
            case TextDelta(text):
                self._texts.append(text)
            case ToolCall():
                self._calls.append(_call(event))

    def finished(self, done: GenerationDone) -> dict[str, Any]:
        text = "".join(self._texts)
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if self._calls:
            message |= {"content": text or None, "tool_calls": self._calls}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": _finish_reason(done, bool(self._calls)),
        }
        return self._head.of("chat.completion", [choice], usage=_usage(done.usage))


class CompletionChunks:
    """The answer piece by piece. wants_usage: in a chunk of its own at the end."""

    def __init__(self, head: CompletionHead, wants_usage: bool) -> None:
        self._head = head
        self._wants_usage = wants_usage
        self._n_calls = 0

    def begun(self) -> dict[str, Any]:
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def of(self, event: TextDelta | ToolCall) -> dict[str, Any]:
        match event:
            case TextDelta(text):
                return self._chunk({"content": text})
            case ToolCall():
                self._n_calls += 1
                return self._chunk({"tool_calls": [{"index": self._n_calls - 1, **_call(event)}]})

    def finished(self, done: GenerationDone) -> list[dict[str, Any]]:
        last = self._chunk({}, _finish_reason(done, self._n_calls > 0))
        if not self._wants_usage:
            return [last]
        return [last, self._head.of("chat.completion.chunk", [], usage=_usage(done.usage))]

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage = {"usage": None} if self._wants_usage else {}
        return self._head.of("chat.completion.chunk", [choice], **usage)


def _call(call: ToolCall) -> dict[str, Any]:
    return {
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def _finish_reason(done: GenerationDone, called: bool) -> str:
    """An answer to audio without words is empty, and has stopped."""
    if done.reason == "max_tokens":
        return "length"
    return "tool_calls" if called else "stop"


def _usage(usage: Usage) -> dict[str, Any]:
    prompt = usage.input_text_tokens + usage.input_audio_tokens
    completion = usage.output_text_tokens + usage.output_audio_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "audio_tokens": usage.input_audio_tokens,
        },
        "completion_tokens_details": {"audio_tokens": usage.output_audio_tokens},
    }
