"""Any OpenAI-compatible server that takes audio: vLLM, SGLang, llama.cpp, Parlour, or a hosted one.

A chat is a system message and one of the user, the clip before the text. A base checkpoint's prompt is no
chat: `--raw-prompt` sends it as it is to `/v1/completions`, the clip beside it as llama.cpp's server takes it
(`prompt_string` with a marker, `multimodal_data`). Other servers cannot be asked for base figures.
"""

import argparse
import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence

import httpx

from evaluation.errors import EvaluationError
from evaluation.record import Answer
from evaluation.routes.chat_stream import ChatStream, StreamError
from evaluation.routes.openai_server import (
    ServerRoute,
    add_server_arguments,
    lost,
    refusal,
    wav,
)
from evaluation.routes.route import SAMPLE_HZ, Failure, Question

SYSTEM = "You are a helpful assistant."
MAX_TOKENS = 256
FINISH_S = 1.0
"""After the last event, for the end of the body."""
RAW_PROMPT = "<|audio_bos|>{audio}<|audio_eos|>{prompt}"
"""Upstream's, where `{audio}` is `<|AUDIO|>` (evaluate_asr.py:61)."""
MEDIA_MARKER = "<__media__>"
"""llama.cpp's place for a clip."""
NO_RAW_PROMPT = (
    "the base model's prompt cannot be sent as a chat: figures are of the server's own template; "
    "--raw-prompt sends it where the server takes it, --route checkpoint asks the model itself"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    add = parser.add_argument
    add("--system", default=SYSTEM, help="the system message; '' for none (default: %(default)s)")
    add("--max-tokens", type=int, default=MAX_TOKENS, help="of an answer (default: %(default)s)")
    add("--temperature", type=float, default=0.0, help="default: %(default)s")
    add(
        "--media-marker", default=MEDIA_MARKER, help="the clip's place in a raw prompt (default: %(default)s)"
    )
    add("--raw-prompt", action="store_true", help="send the base model's prompt to /v1/completions")


def route(options: argparse.Namespace) -> "ChatServer":
    return ChatServer(
        options.url,
        options.model,
        options.key,
        system=options.system,
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        is_raw=options.raw_prompt,
        media_marker=options.media_marker,
        silence_s=options.silence_s,
    )


class ChatServer(ServerRoute):
    """A Route. silence_s: without a byte of an answer. Raises EvaluationError for what is no address."""

    def __init__(
        self,
        address: str,
        model: str,
        key: str = "",
        *,
        system: str = SYSTEM,
        max_tokens: int = MAX_TOKENS,
        temperature: float = 0.0,
        is_raw: bool = False,
        media_marker: str = MEDIA_MARKER,
        silence_s: float = 300.0,
    ) -> None:
        super().__init__(address, model, key, silence_s)
        self._url = self._address.of("/completions") if is_raw else self._address.chat
        self._system = "" if is_raw else system
        self._sampling = {"temperature": temperature, "max_tokens": max_tokens}
        self._is_raw = is_raw
        self._media_marker = media_marker
        self._counts_tokens = True  # until the server refuses to

    def description(self) -> Mapping[str, str | int | float | bool | None]:
        return {
            "route": "chat",
            "url": str(self._address),
            "model": self._model,
            "prompt_form": "raw" if self._is_raw else "chat",
            "system": self._system,
            "audio": f"wav, 16 bits, {SAMPLE_HZ} Hz",
            **self._sampling,
        }

    def request_shown(self, question: Question) -> str:
        seconds = len(question.pcm) / SAMPLE_HZ
        body = self._body(question, f"({seconds:.2f} s of audio, a WAV file in base64)")
        return f"POST {self._url}\n{json.dumps(body, indent=2, ensure_ascii=False)}"

    async def ask(self, questions: Sequence[Question]) -> list[Answer | Failure]:
        return [await self._asked(question) for question in questions]

    async def _asked(self, question: Question) -> Answer | Failure:
        content = await asyncio.to_thread(self._content, question)
        outcome = await self._sent(question, content)
        if isinstance(outcome, Failure) and self._counts_tokens and "stream_options" in outcome.message:
            self._counts_tokens = False
            content = await asyncio.to_thread(self._content, question)
            outcome = await self._sent(question, content)
        return outcome

    async def _sent(self, question: Question, content: bytes) -> Answer | Failure:
        began_at, ttft_s = time.monotonic(), None
        stream = ChatStream()
        try:
            async with self._connections.stream(
                self._url, content=content, headers={"content-type": "application/json"}
            ) as response:
                if not response.is_success:
                    return self._explained(await refusal(response))
                async for piece in self._pieces(response, stream):
                    stream.feed(piece)
                    if ttft_s is None and stream.text:
                        ttft_s = time.monotonic() - began_at
                stream.finish()
        except httpx.HTTPError as error:
            return lost(error)
        except StreamError as error:
            return Failure(f"the server failed: {error}", is_transient=True, is_overload=True)
        except httpx.InvalidURL:
            raise EvaluationError(f"{self._url} is no address") from None
        return Answer(
            response=stream.text,
            finish_reason=stream.finish_reason or "stop",
            output_tokens=stream.output_tokens,
            ttft_s=ttft_s,
            total_s=time.monotonic() - began_at,
        )

    async def _pieces(self, response: httpx.Response, stream: ChatStream) -> AsyncIterator[bytes]:
        """The body to its end, or else its connection could not be used again; some servers never end it."""
        pieces = response.aiter_bytes()
        while True:
            try:
                async with asyncio.timeout(FINISH_S if stream.is_over else None):
                    piece = await anext(pieces)
            except (StopAsyncIteration, TimeoutError):
                return
            yield piece

    def _explained(self, failure: Failure) -> Failure:
        if not self._is_raw or failure.is_transient:
            return failure
        return Failure(f"{failure.message}: --raw-prompt needs a server that takes audio at {self._url}")

    def _content(self, question: Question) -> bytes:
        audio = base64.b64encode(wav(question.pcm)).decode()
        return json.dumps(self._body(question, audio), ensure_ascii=False).encode()

    def _body(self, question: Question, audio: str) -> dict[str, object]:
        """audio: a WAV file in base64."""
        body: dict[str, object] = {"model": self._model, **self._sampling, "stream": True}
        if self._counts_tokens:
            body["stream_options"] = {"include_usage": True}
        if self._is_raw:
            prompt = RAW_PROMPT.format(audio=self._media_marker, prompt=question.sample.prompt)
            return body | {"prompt": {"prompt_string": prompt, "multimodal_data": [audio]}}
        parts: list[dict[str, object]] = [
            {"type": "input_audio", "input_audio": {"data": audio, "format": "wav"}}
        ]
        if question.sample.prompt:
            parts.append({"type": "text", "text": question.sample.prompt})
        messages = [{"role": "system", "content": self._system}] if self._system else []
        return body | {"messages": [*messages, {"role": "user", "content": parts}]}
