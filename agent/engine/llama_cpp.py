"""A small language model in this process, through llama.cpp: text in, text out, no network.

llama.cpp's server batches the answers of several conversations and keeps the KV cache of each;
it is called as a library. It insists on listening somewhere: on a Unix socket in a folder that is
gone before the first request, so that nobody can reach it.
"""

import asyncio
import secrets
import shutil
import tempfile
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import xllamacpp

from agent.api import AgentError, PromptRead, Sampling, TextDelta, Usage
from agent.engine.base import EngineDelta, EngineDone, EngineRequest
from agent.prompt import (
    EXAMPLES,
    FEWEST_TOKENS_PER_ESTIMATE,
    Line,
    small_chatml,
    small_fitted,
    small_prefix,
    token_estimate,
)

DEFAULT_MAX_TOKENS = 160
"""About forty seconds of speech: two sentences of a model that keeps to the rule never come near."""
SLOT_TOKENS = 2048
"""Context of one conversation: 47 MB of KV cache for SmolLM2-135M."""
BATCH_TOKENS = 128
"""Prefill steps, so the time within which an abort in mid-prefill is noticed: about 0.3 s."""
PROMPT_CACHE_MIB = 128
"""Memory for the KV cache of conversations that hold no slot at the moment."""
REPEAT_PENALTY = 1.05
"""Enough to end a loop; from 1.1 on, the model avoids names that the user has just said."""
SPOKEN = r"""
root ::= words (stop " " words)? stop?
words ::= (sign | "." [0-9] | ([A-Z] | "Dr" | "Mr" | "Mrs" | "Ms" | "St") ". ")+
sign ::= [^.!?\n\r*#`_|]
stop ::= [.!?] ["')]?
"""
"""What may be decoded, as llama.cpp's GBNF: one or two sentences, without lists or markdown. A model of
this size breaks the rule in words now and then; kept so, it names the fruits in a sentence, not in a list."""
INSTRUCTIONS_BYTES_MAX = 6000
"""Of English, which has 3.5 to 4.5 bytes a token: with the examples and an answer beside them, the context is
full."""
WAITING_ANSWERS = 32
"""Answers that may wait for a slot; more are refused."""
FIRST_TOKEN_TIMEOUT_S = 60.0


class LlamaCpp:
    hears = False

    def __init__(
        self, model: Path, threads: int, slots: int = 4, examples: Sequence[Line] = EXAMPLES
    ) -> None:
        """Load the model (0.4 s, 220 MB and the cache). Blocks. Raises AgentError.

        slots: answers that are decoded at the same time; others wait their turn.
        """
        folder = tempfile.mkdtemp(prefix="parlour-")  # readable by this user alone
        try:
            self._server: Any = xllamacpp.Server(_parameters(model, threads, slots, Path(folder)))
        except (RuntimeError, ValueError) as error:
            raise AgentError("agent_unavailable", f"llama.cpp cannot load {model.name}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self._threads = ThreadPoolExecutor(max_workers=slots, thread_name_prefix="llama")
        self._slots = asyncio.Semaphore(slots)
        self._n_slots = slots
        self._examples = tuple(examples)
        self._waiting = 0
        self._warming: dict[str, asyncio.Event] = {}

    async def generate(self, request: EngineRequest) -> AsyncGenerator[EngineDelta, None]:
        max_tokens = _answer_tokens(request)
        prompt, is_cut = self._prompt(request, max_tokens)
        await self._warmed(request.conversation_id)
        await self._take_slot()
        try:
            try:
                async for delta in self._completed(prompt, max_tokens, request, is_cut):
                    yield delta
            except (
                _ContextExceeded
            ) as refusal:  # before its first token: this text has more than was estimated
                prompt, is_cut = self._prompt(request, max_tokens, refusal.n_tokens / token_estimate(prompt))
                async for delta in self._completed(prompt, max_tokens, request, is_cut):
                    yield delta
        except _ContextExceeded as refusal:
            raise AgentError(
                "context_length_exceeded",
                f"The instructions and the last turn take {refusal.n_tokens} tokens of {SLOT_TOKENS}.",
            ) from refusal
        finally:
            self._slots.release()

    async def _completed(
        self, prompt: str, max_tokens: int, request: EngineRequest, is_cut: bool
    ) -> AsyncGenerator[EngineDelta, None]:
        completion = _Completion(self._server, self._threads, prompt, max_tokens, request.sampling)
        try:
            async for delta in completion.deltas():
                yield replace(delta, input_was_cut=is_cut) if isinstance(delta, EngineDone) else delta
        finally:
            await completion.stop()

    def _prompt(
        self, request: EngineRequest, max_tokens: int, tokens_per_estimate: float = 1.0
    ) -> tuple[str, bool]:
        """The prompt, and whether a text of it was cut. Raises AgentError."""
        fit = partial(
            small_fitted,
            request.instructions,
            request.messages,
            SLOT_TOKENS - max_tokens,
            request.truncation,
            self._examples,
        )
        try:
            made = fit(tokens_per_estimate)
        except AgentError:
            if tokens_per_estimate != 1.0:  # no estimate: counted
                raise
            made = fit(FEWEST_TOKENS_PER_ESTIMATE)
        return small_chatml(request.instructions, made.messages, self._examples), made.is_cut

    async def warm(self, request: EngineRequest) -> None:
        """Read the conversation so far; a slot keeps what was read."""
        if self._slots.locked() or request.conversation_id in self._warming:
            return  # who answers comes first; and one prefill of a conversation is enough
        # The same budget as `generate`, so that the same turns stay and the prefix is the same.
        prompt, _ = self._prompt(request, _answer_tokens(request))
        ended = self._warming[request.conversation_id] = asyncio.Event()
        try:
            await self._read(prompt)
        finally:
            del self._warming[request.conversation_id]
            ended.set()

    async def _warmed(self, conversation_id: str) -> None:
        """Wait for a prefill of the conversation that runs: another slot would do all of it again.

        Ends when that ends or is cancelled, so after FIRST_TOKEN_TIMEOUT_S at the latest.
        """
        while (running := self._warming.get(conversation_id)) is not None:
            await running.wait()

    async def warm_up(self, instructions: str = "") -> None:
        """Read what all conversations begin with, in every slot."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._n_slots):
                group.create_task(
                    self._read(small_prefix(instructions, self._examples)), name=f"warm slot {number}"
                )

    async def _read(self, prompt: str) -> None:
        await self._take_slot()
        try:
            completion = _Completion(self._server, self._threads, prompt, 1, Sampling())
            try:
                async for _ in completion.deltas():
                    pass
            finally:
                await completion.stop()
        finally:
            self._slots.release()

    async def _take_slot(self) -> None:
        if self._waiting >= WAITING_ANSWERS:
            raise AgentError("agent_overloaded", "too many answers wait for the language model")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1

    async def aclose(self) -> None:
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)
        self._server = None  # unloads the model


class _ContextExceeded(AgentError):
    """llama.cpp has counted the prompt, and has no room for it. Nothing was decoded."""

    def __init__(self, n_tokens: int) -> None:
        super().__init__("context_length_exceeded", "the prompt is longer than the context")
        self.n_tokens = n_tokens or 2 * SLOT_TOKENS


class _Completion:
    """One answer. A thread of the pool sits in llama.cpp and hands each token to the loop."""

    def __init__(
        self,
        server: Any,
        threads: ThreadPoolExecutor,
        prompt: str,
        max_tokens: int,
        sampling: Sampling,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        # A token never waits for room: there are max_tokens of them, a progress line for each
        # batch of the prompt, and one end.
        self._chunks: asyncio.Queue[Mapping[str, Any] | None] = asyncio.Queue(
            max_tokens + 2 * SLOT_TOKENS // BATCH_TOKENS + 16
        )
        self._stopped = threading.Event()
        body = {
            "prompt": prompt,
            "n_predict": max_tokens,
            "stream": True,
            "cache_prompt": True,
            "return_progress": True,  # a call per batch of the prompt too, so that it can be aborted
            "grammar": SPOKEN,
            **_sampler(sampling),
        }
        self._work = self._loop.run_in_executor(threads, self._run, server, body)

    def _run(self, server: Any, body: dict[str, Any]) -> None:
        try:
            if not self._stopped.is_set():
                server.handle_completions(body, self._take)
        finally:
            self._hand_over(None)

    def _take(self, chunk: Mapping[str, Any]) -> bool:
        """Called by llama.cpp for each token; returning True stops it and frees the slot."""
        if self._stopped.is_set():
            return True
        self._hand_over(chunk)
        return False

    def _hand_over(self, chunk: Mapping[str, Any] | None) -> None:
        self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)

    async def deltas(self) -> AsyncGenerator[EngineDelta, None]:
        """Raises AgentError."""
        is_counted = False
        while True:
            try:
                async with asyncio.timeout(FIRST_TOKEN_TIMEOUT_S):
                    chunk = await self._chunks.get()
            except TimeoutError as error:
                raise AgentError("agent_timeout", "the language model fell silent") from error
            if chunk is None:
                await self._work  # an exception of the thread comes out here
                raise AgentError("agent_error", "llama.cpp ended without a last token")
            if "error" in chunk:
                if _kind(chunk["error"]) == "exceed_context_size_error":
                    raise _ContextExceeded(int(chunk["error"].get("n_prompt_tokens", 0)))
                raise AgentError("agent_error", f"llama.cpp refused the prompt ({_kind(chunk['error'])})")
            progress = chunk.get("prompt_progress")
            if progress and not is_counted:
                is_counted = True
                yield PromptRead(Usage(int(progress["total"]), cached_tokens=int(progress["cache"])))
            choice = chunk["choices"][0] if chunk.get("choices") else {}
            if choice.get("text"):
                yield TextDelta(choice["text"])
            if choice.get("finish_reason"):
                reason = choice["finish_reason"]
                yield EngineDone(
                    "max_tokens" if reason == "length" else "stop", _usage(chunk.get("usage", {}))
                )
                return

    async def stop(self) -> None:
        """Make the model stop after the token that it computes, and wait until it did."""
        self._stopped.set()
        # Shielded: whoever cancels the caller must not leave a thread behind that holds the slot.
        while not self._work.done():
            try:
                await asyncio.shield(asyncio.wait({self._work}))
            except asyncio.CancelledError:
                continue


def _answer_tokens(request: EngineRequest) -> int:
    wanted = request.max_tokens or min(DEFAULT_MAX_TOKENS, request.tokens_max)
    return min(wanted, SLOT_TOKENS // 2)


def _sampler(sampling: Sampling) -> dict[str, Any]:
    """llama.cpp's names for it, and what this small model does best with where nothing was asked for."""
    asked = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "repeat_penalty": sampling.repetition_penalty,
        # 32 bits, of which the highest number stands for a random seed.
        "seed": None if sampling.seed is None else sampling.seed % 0xFFFFFFFF,
        "stop": list(sampling.stop) or None,
    }
    ours = {"temperature": 0.0, "repeat_penalty": REPEAT_PENALTY}
    return ours | {name: value for name, value in asked.items() if value is not None}


def _usage(usage: Mapping[str, Any]) -> Usage:
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        input_text_tokens=int(usage.get("prompt_tokens", 0)),
        cached_tokens=int(details.get("cached_tokens", 0)),
        output_text_tokens=int(usage.get("completion_tokens", 0)),
    )


def _kind(error: Any) -> str:
    """llama.cpp's name for the error; its message may hold words of the prompt."""
    return str(error.get("type", "unknown")) if isinstance(error, Mapping) else "unknown"


def _parameters(model: Path, threads: int, slots: int, folder: Path) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model)
    parameters.n_ctx = SLOT_TOKENS * slots
    parameters.n_parallel = slots
    parameters.n_batch = parameters.n_ubatch = BATCH_TOKENS
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.cache_ram_mib = PROMPT_CACHE_MIB
    parameters.hostnames = [str(folder / "llama.sock")]
    parameters.api_keys = [secrets.token_urlsafe(32)]
    parameters.n_threads_http = 1
    parameters.endpoint_slots = False
    parameters.ui = False
    parameters.verbosity = -1
    return parameters
