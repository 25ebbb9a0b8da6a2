"""`parlour analyse`: one question about recordings, one answer, in the terminal or in a script.

Over chat completions, which have no session: what is asked is all in one request. The files are decoded here,
so that one that cannot be used is told by its name before anything is sent, and nothing but its sound is.
"""

import argparse
import asyncio
import base64
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from agent.api import LISTENING_HZ
from realtime.audio.flac import encode_flac
from realtime.audio.pcm import BYTES_PER_SAMPLE
from realtime.audio.recordings import KINDS
from realtime.commands.recording_file import STDIN, read_recording, shown
from realtime.commands.server_address import NOT_PARLOUR, http_address, obstacle, own_key, refusal, split_url
from realtime.errors import SettingsError
from realtime.transports.chat.request import AUDIO_S_MAX, CLIP_MS_MIN

CONNECT_S = 10.0
SILENT_SERVER_S = 120.0
"""Nothing for so long, and the server is given up: of ten minutes of sound, recognition alone takes 20 s."""
ERROR_BYTES_MAX = 1 << 16


@dataclass(frozen=True, slots=True)
class AnalyseOptions:
    """question: "" for none: then what is said in the recordings is answered. model: "" for the server's."""

    files: tuple[Path, ...]
    question: str = ""
    url: str = "http://127.0.0.1:8080"
    key: str = ""
    model: str = ""
    as_json: bool = False

    @classmethod
    def from_arguments(cls, given: argparse.Namespace) -> "AnalyseOptions":
        """Raises SettingsError where no file or an empty question is named."""
        files, question = files_and_question(given.what, given.text)
        key = given.key or own_key(given.url)
        return cls(tuple(map(Path, files)), question, given.url, key, given.model, given.json)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "what",
        nargs="+",
        metavar="FILE",
        help="a recording of any kind, or - for stdin; last, what is no file is the question",
    )
    add("--text", help="the question, where the last argument is a file, too")
    add(
        "--url", default="http://127.0.0.1:8080", help="server, e.g. http://HOST:8080 (default: this machine)"
    )
    add("--key", default="", help="the server's key (default: the first of PARLOUR_KEYS)")
    add("--model", default="", help="model to ask the server for")
    add("--json", action="store_true", help="print one JSON object when the answer is complete")


def files_and_question(what: list[str], text: str | None) -> tuple[list[str], str]:
    """The question is the last argument where that is no file, and does not look like the name of one."""
    files, question = what, text
    if question is None and len(what) > 1 and not _is_file(what[-1]):
        *files, question = what
    if question is not None and not question.strip():
        raise SettingsError("The question is empty: leave it out to have what is said answered.")
    if files.count(str(STDIN)) > 1:
        raise SettingsError("- can be given once: standard input is read to its end.")
    return files, question or ""


def _is_file(argument: str) -> bool:
    """Whether it is a file, or the name of one that is missing."""
    try:
        if argument == str(STDIN) or Path(argument).exists():
            return True
    except OSError:  # longer than a name may be
        return False
    suffix = Path(argument).suffix.lower().removeprefix(".")
    return suffix in KINDS or (not re.search(r"\s", argument) and os.sep in argument)


class CannotAsk(Exception):
    """The server cannot be reached, or lets nobody in; the rest of a sentence says why."""


class NoAnswer(Exception):
    """The server could not answer; one sentence says why."""


async def analyse(options: AnalyseOptions) -> int:
    """Ask, and print the answer. Return 0, 1 when the server failed, or 3 when it cannot be reached.

    Raises SettingsError for a file or an address that cannot be used.
    """
    address = http_address(options.url, "/chat/completions")
    clips = await asyncio.to_thread(_clips, options.files)
    answer = Answer()
    try:
        async for chunk in _chunks(options, address, await asyncio.to_thread(_body, options, clips)):
            words = answer.take(chunk)
            if words and not options.as_json:
                print(words, end="", flush=True)
        answer.check_is_complete()
        if options.as_json:
            print(json.dumps(answer.shown(options, clips)), flush=True)
        elif answer.text:
            print(flush=True)
        if not answer.text:
            raise NoAnswer(f"no words were heard in {_listed(options.files)}, and no question was asked.")
    except CannotAsk as failure:
        print(f"parlour: cannot ask {options.url}: {failure}", file=sys.stderr)
        return 3
    except NoAnswer as failure:
        if answer.text and not options.as_json:
            print(flush=True)
        print(f"parlour: {failure}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `parlour analyse … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the exit would fail too
        print("parlour: nobody reads the output any more.", file=sys.stderr)
        return 1
    return 0


# The question ------------------------------------------------------------------------------------


def _clips(files: tuple[Path, ...]) -> list[bytes]:
    """s16le mono at LISTENING_HZ, of each. Raises SettingsError."""
    clips = [read_recording(path, LISTENING_HZ, CLIP_MS_MIN / 1000, AUDIO_S_MAX) for path in files]
    if sum(map(_seconds, clips)) > AUDIO_S_MAX:
        raise SettingsError(
            f"{_listed(files)} are together longer than {AUDIO_S_MAX:g} seconds, which one question may have."
        )
    return clips


def _body(options: AnalyseOptions, clips: list[bytes]) -> bytes:
    content: list[dict[str, Any]] = [
        {
            "type": "input_audio",
            "input_audio": {"data": _base64(encode_flac(pcm, LISTENING_HZ)), "format": "flac"},
        }
        for pcm in clips
    ]
    if options.question:
        content.append({"type": "text", "text": options.question})
    message = {"role": "user", "content": content}
    body = {"messages": [message], "stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body | {"model": options.model or "parlour"}).encode()


def _base64(file: bytes) -> str:
    return base64.b64encode(file).decode()


def _seconds(pcm: bytes) -> float:
    return len(pcm) / BYTES_PER_SAMPLE / LISTENING_HZ


def _listed(files: tuple[Path, ...]) -> str:
    *before, last = map(shown, files)
    return f"{', '.join(before)} and {last}" if before else last


# The answer --------------------------------------------------------------------------------------


class Answer:
    """What has come of it."""

    def __init__(self) -> None:
        self.text = ""
        self._n_chunks = 0
        self._model = ""
        self._finish_reason: str | None = None
        self._usage: dict[str, Any] | None = None

    def take(self, chunk: dict[str, Any]) -> str:
        """Return the words in it. Raises NoAnswer for an error."""
        self._n_chunks += 1
        match chunk:
            case {"error": {"message": str(message)}}:
                raise NoAnswer(message)
        self._model = str(chunk.get("model") or self._model)
        self._usage = chunk.get("usage") or self._usage
        match chunk.get("choices"):
            case [{"delta": delta, "finish_reason": reason}]:
                words = (delta.get("content") if isinstance(delta, dict) else None) or ""
                self._finish_reason = reason or self._finish_reason
                self.text += words
                return str(words)
            case _:
                return ""

    def check_is_complete(self) -> None:
        """Raises CannotAsk where what came was no answer at all, and NoAnswer for one that was cut off."""
        if self._n_chunks == 0:
            raise CannotAsk(f"it answered with something else: {NOT_PARLOUR}")
        if self._finish_reason is None:
            raise NoAnswer("the server closed the connection before its answer was complete.")

    def shown(self, options: AnalyseOptions, clips: list[bytes]) -> dict[str, Any]:
        return {
            "files": [
                {"file": shown(path), "seconds": round(_seconds(pcm), 3)}
                for path, pcm in zip(options.files, clips, strict=True)
            ],
            "question": options.question,
            "answer": self.text,
            "finish_reason": self._finish_reason,
            "model": self._model,
            "usage": self._usage,
        }


async def _chunks(options: AnalyseOptions, address: str, body: bytes) -> AsyncIterator[dict[str, Any]]:
    """The chunks of the answer. Raises CannotAsk and NoAnswer."""
    headers = {"Content-Type": "application/json"}
    if options.key:
        headers["Authorization"] = f"Bearer {options.key}"
    timeout = httpx.Timeout(SILENT_SERVER_S, connect=CONNECT_S)
    try:
        async with (
            httpx.AsyncClient(timeout=timeout, trust_env=False) as client,
            client.stream("POST", address, content=body, headers=headers) as response,
        ):
            if not response.is_success:
                raise await _refused(response, options.files)
            async for line in response.aiter_lines():
                if line.startswith("data:") and (event := line.removeprefix("data:").strip()) != "[DONE]":
                    yield _object(event)
    except httpx.ConnectTimeout:
        raise CannotAsk(_obstacle(TimeoutError(), options.url)) from None
    except httpx.ConnectError as failure:
        raise CannotAsk(_obstacle(_cause(failure), options.url)) from None
    except httpx.TimeoutException:
        raise NoAnswer(f"the server said nothing for {SILENT_SERVER_S:g} s.") from None
    except httpx.RemoteProtocolError:
        raise NoAnswer("the server closed the connection before its answer was complete.") from None
    except (httpx.RequestError, httpx.InvalidURL) as failure:
        raise CannotAsk(f"{type(failure).__name__}: {NOT_PARLOUR}") from None


def _object(event: str) -> dict[str, Any]:
    try:
        chunk = json.loads(event)
    except ValueError:
        chunk = None
    if not isinstance(chunk, dict):
        raise NoAnswer("the server sent what cannot be read.")
    return chunk


async def _refused(response: httpx.Response, files: tuple[Path, ...]) -> CannotAsk | NoAnswer:
    """What a refusal means: by its own words where they are about what was asked."""
    status = response.status_code
    if status == 413:  # noise: of ten minutes of speech, FLAC makes 10 MB
        return NoAnswer(
            f"the sound of {_listed(files)} is more than the server takes at once: shorten it, or start the "
            "server with a greater --body-mib-max."
        )
    read = b""
    async for piece in response.aiter_bytes():
        read += piece
        if len(read) > ERROR_BYTES_MAX:
            break
    try:
        error = json.loads(read)["error"]
        message, param, code = str(error["message"]), str(error.get("param") or ""), error.get("code")
    except (ValueError, KeyError, TypeError, AttributeError):
        return CannotAsk(refusal(status))
    if status in (401, 403, 404, 405, 429) or (status == 503 and code == "too_many_requests"):
        return CannotAsk(refusal(status))
    if status == 503:
        return CannotAsk(message)
    about = re.match(r"messages\[0\]\.content\[(\d+)\]\.input_audio", param)
    if about and int(about[1]) < len(files):
        return NoAnswer(f"{shown(files[int(about[1])])} cannot be used: {message}")
    return NoAnswer(message)


def _cause(failure: httpx.ConnectError) -> Exception:
    """What the socket said, at the bottom of what httpx, httpcore and anyio made of it."""
    found: Exception = failure
    below: BaseException | None = failure
    while below is not None:
        if isinstance(below, OSError):
            found = below
        if isinstance(below, BaseExceptionGroup):  # of several addresses of one name
            below = below.exceptions[0]
        else:
            below = below.__cause__ or below.__context__
    return found


def _obstacle(failure: Exception, url: str) -> str:
    parts, port = split_url(url, "http")
    found = obstacle(failure, f"{parts.hostname}:{port}", parts.scheme in ("https", "wss"))
    return f"{found.what}: {found.cure}"
