"""The body of `POST /v1/chat/completions`, read and checked. Pure; audio in it takes time: for threads."""

import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from agent.api import (
    LISTENING_HZ,
    AgentRequest,
    AssistantMessage,
    AudioPart,
    Message,
    Sampling,
    SystemMessage,
    TextPart,
    Tool,
    ToolCallMessage,
    ToolResultMessage,
    Truncation,
    UserMessage,
)
from realtime.audio.pcm import BYTES_PER_SAMPLE
from realtime.audio.recordings import KINDS, decode_recording
from realtime.errors import ClientError

AUDIO_S_MAX = 600.0
"""Of one request, all its clips together: the longest that a recogniser here takes, and twice what the
context of Qwen2-Audio holds. As PCM 19 MB, a third of what goes to an agent at once."""
CLIP_MS_MIN = 100
"""Shorter ones hold no word, and some models stumble over them."""
TEXT_CHARS_MAX = 2_000_000
"""Of one request, as of a conversation; no context holds more."""
STOPS_MAX = 16
MAX_TOKENS_MAX = 1_000_000
BASE64_STEP = 1 << 16
"""Characters that are decoded at once: the interpreter is not let go meanwhile, and sessions wait for it."""
_SHOWN_CHARS_MAX = 40

# Known to the protocol, and without effect here: audio (but see modalities), frequency_penalty,
# logit_bias, logprobs, top_logprobs, metadata, moderation, parallel_tool_calls, prediction,
# presence_penalty, prompt_cache_*, reasoning_effort, safety_identifier, service_tier, store, user,
# verbosity, web_search_options; `name` of messages, `strict` of tools. They are not read at all, nor
# is what nobody knows: clients of other servers send such. Refused is what would make a client wait
# for something else than it gets: see _refuse_other_shapes.


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """model: as the client named it, "" where it named none. audio_s: of all clips together."""

    model: str
    instructions: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    tool_choice: str
    max_tokens: int | None
    sampling: Sampling
    streams: bool
    wants_usage: bool
    audio_s: float

    def for_agent(self, request_id: str) -> AgentRequest:
        return AgentRequest(
            session_id=request_id,
            response_id=request_id,
            instructions=self.instructions,
            messages=self.messages,
            modality="text",
            tools=self.tools,
            tool_choice=self.tool_choice,
            max_output_tokens=self.max_tokens,
            sampling=self.sampling,
            truncation=Truncation(cuts_texts=False),  # nothing in a completion would tell of it
        )


def parse_chat(body: bytes | bytearray) -> ChatRequest:
    """Raises ClientError, its param the path of the field that cannot be used."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ClientError("invalid_json", "The body is not valid JSON: expected one JSON object.") from None
    if not isinstance(raw, dict):
        raise ClientError("invalid_json", f"The body is {_came(raw)}: expected a JSON object.")
    _refuse_other_shapes(raw)
    conversation = _Conversation()
    for place, message in _objects(raw, "messages", "messages"):
        conversation.add(message, place)
    instructions, messages = _split(conversation.messages)
    tools = tuple(_tool(tool, place) for place, tool in _objects(raw, "tools", "tools", needed=False))
    max_tokens = _whole(raw, "max_completion_tokens", 1, MAX_TOKENS_MAX)
    if max_tokens is None:
        max_tokens = _whole(raw, "max_tokens", 1, MAX_TOKENS_MAX)
    stream_options = _optional(raw, "stream_options", dict, "an object") or {}
    return ChatRequest(
        model=_optional(raw, "model", str, "a string") or "",
        instructions=instructions,
        messages=messages,
        tools=tools,
        tool_choice=_tool_choice(raw.get("tool_choice"), {tool.name for tool in tools}),
        max_tokens=max_tokens,
        sampling=_sampling(raw),
        streams=_optional(raw, "stream", bool, "true or false") or False,
        wants_usage=_optional(stream_options, "include_usage", bool, "true or false", "stream_options.")
        or False,
        audio_s=conversation.audio_s,
    )


def _refuse_other_shapes(raw: Mapping[str, Any]) -> None:
    """Raise ClientError for what would be an answer of another shape than the one that comes."""
    if raw.get("n") not in (None, 1):
        raise _wrong("n", "1: there is one answer to a request", raw["n"])
    if raw.get("modalities") not in (None, [], ["text"]):
        raise _wrong("modalities", "['text']: spoken answers come from /v1/realtime", raw["modalities"])
    match raw.get("response_format"):
        case None | {"type": "text"}:
            pass
        case other:
            raise _wrong("response_format", "{'type': 'text'}: no other form can be promised", other)
    for old, new in (("functions", "tools"), ("function_call", "tool_choice")):
        if raw.get(old) is not None:
            raise ClientError("invalid_value", f"'{old}' is not understood: use '{new}' instead.", old)


# Messages -------------------------------------------------------------------------------


class _Conversation:
    """The messages so far, and what they hold together."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.audio_s = 0.0
        self._text_chars = 0
        self._call_ids: set[str] = set()

    def add(self, raw: Mapping[str, Any], place: str) -> None:
        match raw.get("role"):
            case "system" | "developer":
                self.messages.append(SystemMessage(self._text(raw, place)))
            case "user":
                self.messages.append(UserMessage(self._user_parts(raw, place)))
            case "assistant":
                self._add_assistant(raw, place)
            case "tool":
                call_id = self._string(raw, "tool_call_id", place)
                if call_id not in self._call_ids:
                    expected = "the id of a tool call in an assistant's message before"
                    raise _wrong(f"{place}.tool_call_id", expected, call_id)
                self.messages.append(ToolResultMessage(call_id, self._text(raw, place)))
            case None:
                raise _missing(f"{place}.role")
            case other:
                expected = "'system', 'developer', 'user', 'assistant' or 'tool'"
                raise _wrong(f"{place}.role", expected, other)

    def _add_assistant(self, raw: Mapping[str, Any], place: str) -> None:
        calls = [
            self._call(call, where)
            for where, call in _objects(raw, "tool_calls", f"{place}.tool_calls", needed=False)
        ]
        if raw.get("content") is not None:
            text = self._text(raw, place, "text", "refusal")
            if text or not calls:
                self.messages.append(AssistantMessage(text))
        elif not calls:
            raise _missing(f"{place}.content")
        self.messages += calls
        self._call_ids.update(call.call_id for call in calls)

    def _call(self, raw: Mapping[str, Any], place: str) -> ToolCallMessage:
        if raw.get("type", "function") != "function":
            raise _wrong(f"{place}.type", "'function'", raw["type"])
        function, inside = _function(raw, place)
        return ToolCallMessage(
            self._string(raw, "id", place),
            self._string(function, "name", inside),
            self._string(function, "arguments", inside),
        )

    def _text(self, raw: Mapping[str, Any], place: str, *types: str) -> str:
        """The content of a message that holds text alone."""
        if not isinstance(raw.get("content"), list):
            return self._string(raw, "content", place)
        return "\n".join(
            self._string(part, _type_of(part, where, types or ("text",)), where)
            for where, part in _objects(raw, "content", f"{place}.content")
        )

    def _user_parts(self, raw: Mapping[str, Any], place: str) -> tuple[TextPart | AudioPart, ...]:
        if not isinstance(raw.get("content"), list):
            return (TextPart(self._string(raw, "content", place)),)
        parts: list[TextPart | AudioPart] = []
        for where, part in _objects(raw, "content", f"{place}.content"):
            if _type_of(part, where, ("text", "input_audio")) == "text":
                parts.append(TextPart(self._string(part, "text", where)))
            else:
                parts.append(self._clip(part, where))
        return tuple(parts)

    def _clip(self, raw: Mapping[str, Any], place: str) -> AudioPart:
        clip = raw.get("input_audio")
        where = f"{place}.input_audio"
        if clip is None:
            raise _missing(where)
        if not isinstance(clip, dict):
            raise _wrong(where, "an object with 'data' and 'format'", clip)
        if clip.get("format") is None:
            raise _missing(f"{where}.format")
        if clip["format"] not in KINDS:
            raise _wrong(f"{where}.format", " or ".join(map(repr, KINDS)), clip["format"])
        file = _base64(clip, where)
        try:
            pcm = decode_recording(file, clip["format"], LISTENING_HZ, AUDIO_S_MAX)
        except ValueError as error:
            raise _unusable(f"{where}.data", str(error)) from None
        seconds = len(pcm) / BYTES_PER_SAMPLE / LISTENING_HZ
        if seconds * 1000 < CLIP_MS_MIN:
            raise _unusable(
                f"{where}.data", f"expected at least {CLIP_MS_MIN} ms of sound, got {seconds * 1000:.0f} ms"
            )
        self.audio_s += seconds
        if self.audio_s > AUDIO_S_MAX:
            sentence = f"expected at most {AUDIO_S_MAX:g} seconds of sound in all clips together"
            raise _unusable(f"{where}.data", sentence)
        return AudioPart(pcm)

    def _string(self, raw: Mapping[str, Any], field: str, place: str) -> str:
        value = raw.get(field)
        if value is None:
            raise _missing(f"{place}.{field}")
        if not isinstance(value, str):
            raise _wrong(f"{place}.{field}", "a string", value)
        self._text_chars += len(value)
        if self._text_chars > TEXT_CHARS_MAX:
            raise ClientError(
                "string_above_max_length",
                f"The messages are too long: at most {TEXT_CHARS_MAX} characters of text are taken.",
                f"{place}.{field}",
            )
        return value


def _split(messages: Sequence[Message]) -> tuple[str, tuple[Message, ...]]:
    """What stands before the conversation is its instructions."""
    first: list[str] = []
    for message in messages:
        if not isinstance(message, SystemMessage):
            break
        first.append(message.text)
    return "\n\n".join(first), tuple(messages[len(first) :])


def _base64(clip: Mapping[str, Any], place: str) -> bytes:
    text = clip.get("data")
    if text is None:
        raise _missing(f"{place}.data")
    if not isinstance(text, str):
        raise _wrong(f"{place}.data", "base64-encoded audio", text)
    file = bytearray()
    try:
        for at in range(0, len(text), BASE64_STEP):
            file += binascii.a2b_base64(text[at : at + BASE64_STEP], strict_mode=True)
    except ValueError:  # binascii.Error is one; so is what a character beyond ASCII gets
        raise _unusable(f"{place}.data", "expected base64-encoded audio, without line breaks") from None
    return bytes(file)


# Tools ----------------------------------------------------------------------------------


def _tool(raw: Mapping[str, Any], place: str) -> Tool:
    if raw.get("type") != "function":
        raise _wrong(f"{place}.type", "'function'", raw.get("type"))
    function, inside = _function(raw, place)
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise _wrong(f"{inside}.name", "a string that is not empty", name)
    return Tool(
        name,
        _optional(function, "description", str, "a string", f"{inside}.") or "",
        _optional(function, "parameters", dict, "a JSON schema, an object", f"{inside}.")
        or {"type": "object", "properties": {}},
    )


def _function(raw: Mapping[str, Any], place: str) -> tuple[Mapping[str, Any], str]:
    """The object in `function`, and its path."""
    inside = f"{place}.function"
    function = raw.get("function")
    if function is None:
        raise _missing(inside)
    if not isinstance(function, dict):
        raise _wrong(inside, "an object", function)
    return function, inside


def _tool_choice(raw: Any, names: set[str]) -> str:
    match raw:
        case None:
            return "auto"
        case "auto" | "none":
            return str(raw)
        case "required" if names:
            return "required"
        case {"type": "function", "function": {"name": str(name)}} if name in names:
            return name
        case "required" | {"type": "function"}:
            raise ClientError("invalid_value", "'tool_choice' names no tool of 'tools'.", "tool_choice")
        case _:
            expected = "'auto', 'none', 'required' or {'type': 'function', 'function': {'name': NAME}}"
            raise _wrong("tool_choice", expected, raw)


# Sampling -------------------------------------------------------------------------------


def _sampling(raw: Mapping[str, Any]) -> Sampling:
    top_k = _whole(raw, "top_k", -1, 1_000_000)
    return Sampling(
        temperature=_number(raw, "temperature", 0, 2),
        top_p=_number(raw, "top_p", 0, 1, above=True),
        top_k=0 if top_k == -1 else top_k,  # vLLM's two ways to say: all tokens
        repetition_penalty=_number(raw, "repetition_penalty", 0, 2, above=True),
        seed=_whole(raw, "seed", -(2**63), 2**63 - 1),
        stop=_stop(raw.get("stop")),
    )


def _stop(raw: Any) -> tuple[str, ...]:
    if raw is None:
        return ()
    stops = raw if isinstance(raw, list) else [raw]
    if len(stops) > STOPS_MAX or not all(isinstance(stop, str) and stop for stop in stops):
        expected = f"a string that is not empty, or a list of up to {STOPS_MAX} of them"
        raise _wrong("stop", expected, raw)
    return tuple(stops)


def _number(raw: Mapping[str, Any], name: str, low: float, high: float, above: bool = False) -> float | None:
    """above: `low` itself is out."""
    value = raw.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not (low < value if above else low <= value) or value > high:
        raise _wrong(name, f"a number {'above' if above else 'from'} {low:g} to {high:g}", value)
    return float(value)


def _whole(raw: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = raw.get(name)
    if value is None:
        return None
    if type(value) is not int or not low <= value <= high:  # not isinstance: True is an int
        raise _wrong(name, f"a whole number from {low} to {high}", value)
    return value


# Fields ---------------------------------------------------------------------------------


def _optional(raw: Mapping[str, Any], name: str, kind: type, expected: str, prefix: str = "") -> Any:
    """The value, or None: clients send explicit nulls for what they leave at its default."""
    value = raw.get(name)
    if value is not None and not isinstance(value, kind):
        raise _wrong(prefix + name, expected, value)
    return value


def _objects(
    raw: Mapping[str, Any], field: str, path: str, needed: bool = True
) -> list[tuple[str, dict[str, Any]]]:
    """The objects in a list, each with its path. needed: there has to be one."""
    value = raw.get(field)
    if value is None:
        if needed:
            raise _missing(path)
        return []
    if not isinstance(value, list) or (needed and not value):
        raise _wrong(path, f"a list of objects{', not empty' if needed else ''}", value)
    for index, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise _wrong(f"{path}[{index}]", "an object", entry)
    return [(f"{path}[{index}]", entry) for index, entry in enumerate(value)]


def _type_of(part: Mapping[str, Any], place: str, types: Sequence[str]) -> str:
    """The type of a content part, which is also the name of the field that holds it."""
    found = part.get("type")
    if found is None:
        raise _missing(f"{place}.type")
    if found not in types:
        raise _wrong(f"{place}.type", " or ".join(map(repr, types)), found)
    return str(found)


def _wrong(param: str, expected: str, value: Any) -> ClientError:
    return _unusable(param, f"expected {expected}, got {_came(value)}")


def _unusable(param: str, why: str) -> ClientError:
    return ClientError("invalid_value", f"Invalid value for '{param}': {why}.", param)


def _missing(param: str) -> ClientError:
    return ClientError("missing_required_parameter", f"Missing required parameter: '{param}'.", param)


def _came(value: Any) -> str:
    """What came, in a few words: a short one itself, of a long one only what it is."""
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case int() | float():
            return repr(value) if abs(value) < 2**63 else "a number beyond 64 bits"
        case str() if len(value) <= _SHOWN_CHARS_MAX:
            return repr(value)
        case str():
            return f"a string of {len(value)} characters"
        case list():
            return f"a list of {len(value)}"
        case _:
            return "an object"
