"""What can be chosen of a live route, whichever wire it takes, and what the server is told of it."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal

import httpx

from evaluation.errors import EvaluationError
from evaluation.routes.checkpoint_prompt import NEW_TOKENS_MAX
from evaluation.routes.route import SAMPLE_HZ, Question
from evaluation.sample import Sample
from realtime.commands.live_connection import realtime_address
from realtime.commands.server_address import own_key, split_url
from realtime.errors import SettingsError

LiveText = Literal["answer", "transcription"]
TurnDetection = Literal["server_vad", "semantic_vad", "none"]

SESSIONS = 4
ASK_S = 10.0


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """language: of the transcription, "" for each sample's own. speaks: answers are spoken, not only written.

    own_sampling: the server chooses tokens in its own way, and not greedily. turn_detection "none": the
    client commits the clip as one turn (push to talk). fast: the clip is sent as fast as the server takes it,
    and nothing is timed.
    """

    url: str
    key: str = ""
    model: str = ""
    text: LiveText = "answer"
    language: str = ""
    turn_detection: TurnDetection = "server_vad"
    speaks: bool = True
    own_sampling: bool = False
    fast: bool = False
    sessions: int = SESSIONS

    @property
    def transcribes(self) -> bool:
        return self.text == "transcription"

    @property
    def is_timed(self) -> bool:
        return not self.fast and self.turn_detection != "none"

    def session(self, sample: Sample) -> dict[str, Any]:
        """The session's configuration, as `session.update` takes it."""
        detection: dict[str, Any] | None = {"type": self.turn_detection}
        if self.turn_detection == "none":
            detection = None
        if self.transcribes:
            transcription = {"model": "default"}
            language = self.language or sample.language
            if language:
                transcription["language"] = language
            audio = {"input": {"turn_detection": detection, "transcription": transcription}}
            return {"type": "transcription", "audio": audio}
        if detection is not None:
            detection["create_response"] = not sample.prompt
        return {
            "type": "realtime",
            "output_modalities": ["audio" if self.speaks else "text"],
            "max_output_tokens": NEW_TOKENS_MAX,
            "audio": {"input": {"turn_detection": detection}},
            **({} if self.own_sampling else {"parlour": {"temperature": 0}}),
        }

    def facts(self, wire: str, served: Mapping[str, str]) -> dict[str, str | int | float | bool | None]:
        """served: what the server told of itself."""
        return {
            "route": f"live_{wire}",
            "text": self.text,
            "language": self.language or "the sample's",
            "turn_detection": self.turn_detection,
            "speaks": self.speaks and not self.transcribes,
            "sampling": "the server's" if self.own_sampling else "greedy",
            "max_output_tokens": NEW_TOKENS_MAX,
            "pace": "as fast as it is taken" if self.fast else "real time",
            "client": f"parlour {metadata.version('parlour')}",
            **served,
        }

    def request_shown(self, question: Question) -> str:
        seconds = len(question.pcm) / SAMPLE_HZ
        events: list[object] = [
            {"type": "session.update", "session": self.session(question.sample)},
            f"{seconds:.2f} s of audio, {'at once' if self.fast else 'in real time'}",
            {"type": "input_audio_buffer.commit"}
            if self.turn_detection == "none"
            else "silence until the turn ends",
        ]
        if question.sample.prompt and not self.transcribes:
            events += prompt_events(question.sample.prompt)
        elif self.turn_detection == "none" and not self.transcribes:
            events.append({"type": "response.create"})
        return "\n".join(json.dumps(event, ensure_ascii=False) for event in events)


def prompt_events(prompt: str) -> list[dict[str, Any]]:
    """The prompt follows the clip as a line that the user types: what the model reads is the chat of an
    analysis. As instructions it would be another system prompt than the model was trained with."""
    content = [{"type": "input_text", "text": prompt}]
    item = {"type": "message", "role": "user", "content": content}
    return [{"type": "conversation.item.create", "item": item}, {"type": "response.create"}]


def add_live_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--url", default="http://127.0.0.1:8080", help="server, e.g. http://HOST:8080 (default: this machine)"
    )
    add("--key", default="", help="the server's key (default: the first of PARLOUR_KEYS)")
    add("--model", default="", help="model to ask the server for")
    add(
        "--live-text",
        choices=("answer", "transcription"),
        default="answer",
        help="what is scored: the model's answer, or the words that the recogniser heard (default: answer)",
    )
    add("--language", default="", help="of the transcription of all samples (default: each one's own)")
    add("--text-only", action="store_true", help="answers are written and not spoken")
    add(
        "--own-sampling", action="store_true", help="let the server sample in its own way (default: greedily)"
    )
    add("--sessions", type=int, default=SESSIONS, help=f"clips side by side (default: {SESSIONS})")


def live_options(given: argparse.Namespace, detection: TurnDetection, fast: bool) -> LiveOptions:
    """Raises EvaluationError."""
    if given.sessions < 1:
        raise EvaluationError(f"--sessions is {given.sessions}: expected 1 or more.")
    try:
        realtime_address(given.url, given.model)
    except SettingsError as error:
        raise EvaluationError(str(error)) from None
    return LiveOptions(
        url=given.url,
        key=given.key or own_key(given.url),
        model=given.model,
        text=given.live_text,
        language=given.language,
        turn_detection=detection,
        speaks=not given.text_only,
        own_sampling=given.own_sampling,
        fast=fast,
        sessions=given.sessions,
    )


def http_address(url: str) -> str:
    """Of the same server, without a path. Raises SettingsError."""
    parts, _ = split_url(url, "http")
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return f"{scheme}://{parts.netloc}"


async def served(options: LiveOptions) -> dict[str, str]:
    """What the server tells of itself. Raises EvaluationError where none is reached.

    A server that is not Parlour may tell nothing: then the model is the one that is asked for.
    """
    headers = {"Authorization": f"Bearer {options.key}"} if options.key else {}
    try:
        async with httpx.AsyncClient(timeout=ASK_S, headers=headers) as http:
            about = await http.get(f"{http_address(options.url)}/v1/parlour")
        told = about.json() if about.status_code == 200 else {}
    except httpx.HTTPError as error:
        sentence = f"The server at {options.url} cannot be asked ({type(error).__name__}): is it running?"
        raise EvaluationError(sentence) from None
    except ValueError:
        told = {}
    model = told.get("model") if isinstance(told, dict) else None
    return {"model": options.model or (model if isinstance(model, str) else "")}
