"""A speech language model in this process: many conversations in one batch, each token out as it is decoded.

One thread owns model and KV cache and does nothing but steps; another makes prompts. The asyncio
side hands jobs over and gets tokens back.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from tokenizers.decoders import DecodeStream

from agent.api import AgentError, Message, PromptRead, TextDelta, Truncation, Usage
from agent.engine.base import EngineDelta, EngineDone, EngineRequest
from agent.engine.clips import Prompt
from agent.engine.core import Core, Ended, Job, Output
from agent.engine.sampling import SamplingParams
from agent.engine.scheduler import Purpose
from agent.engine.stop_sequences import StopSequences
from agent.error_location import place

log = logging.getLogger(__name__)

DEFAULT_MAX_TOKENS = 512
"""About two minutes of speech."""
WAITING_ANSWERS = 256
"""Answers at a time, decoding or waiting for their turn; more are refused."""
FIRST_TOKEN_TIMEOUT_S = 60.0


class PromptMaker(Protocol):
    context_tokens: int

    def prompt(
        self,
        instructions: str,
        messages: tuple[Message, ...],
        budget_tokens: int,
        truncation: Truncation,
    ) -> Prompt:
        """On a thread. Raises AgentError."""
        ...


class SpeechLM:
    """tokenizer: the `tokenizers.Tokenizer` that answers are decoded with."""

    hears = True

    def __init__(
        self, core: Core, prompts: PromptMaker, tokenizer: Any, sampling_params: SamplingParams
    ) -> None:
        self._core = core
        self._prompts = prompts
        self._tokenizer = tokenizer
        self._choosing = sampling_params
        self._prompting = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prompt")
        self._answers: dict[Job, _Answer] = {}
        self._stepper = _Stepper(core)

    async def generate(self, request: EngineRequest) -> AsyncGenerator[EngineDelta, None]:
        if len(self._answers) >= WAITING_ANSWERS:
            raise AgentError("agent_overloaded", "too many answers wait for the model")
        job = await self._job(request, Purpose.ANSWER)
        answer = _Answer()
        self._answers[job] = answer
        self._stepper.submit(job, answer.take)
        try:
            async for delta in self._deltas(job, answer, request.sampling.stop):
                yield delta
        finally:
            self._stepper.abort(job)
            del self._answers[job]

    async def _deltas(
        self, job: Job, answer: "_Answer", stop: tuple[str, ...]
    ) -> AsyncGenerator[EngineDelta, None]:
        stream = DecodeStream(skip_special_tokens=True)
        stops = StopSequences(stop)
        count = 0
        while True:
            output = await answer.next()
            if isinstance(output, Ended):
                raise output.failure or AgentError("agent_error", "the answer was dropped")
            if not count:
                yield PromptRead(_usage(job, 0))
            count += 1
            text = stops.push(stream.step(self._tokenizer, output.token) or "")
            if output.is_last:
                text += stops.finish()
            if text:
                yield TextDelta(text)
            if output.is_last or stops.found:
                break
        generation = job.generation
        reached = generation is not None and len(generation.tokens) >= job.max_tokens and not stops.found
        yield EngineDone("max_tokens" if reached else "stop", _usage(job, count), job.prompt.is_cut)

    async def warm(self, request: EngineRequest) -> None:
        job = await self._job(request, Purpose.WARM)
        answer = _Answer()
        self._stepper.submit(job, answer.take)
        try:
            await answer.next()
        finally:
            self._stepper.abort(job)

    async def _job(self, request: EngineRequest, purpose: Purpose) -> Job:
        wanted = request.max_tokens or min(DEFAULT_MAX_TOKENS, request.tokens_max)
        max_tokens = min(wanted, self._prompts.context_tokens // 2)
        try:
            sampling_params = self._choosing.asked(request.sampling)
        except ValueError as error:
            raise AgentError("invalid_value", str(error)) from error
        prompt = await asyncio.get_running_loop().run_in_executor(
            self._prompting,
            self._prompts.prompt,
            request.instructions,
            request.messages,
            self._prompts.context_tokens - max_tokens,
            request.truncation,
        )
        return Job(request.conversation_id, prompt, max(1, max_tokens), sampling_params, purpose)

    async def aclose(self) -> None:
        await asyncio.to_thread(self._stepper.close)
        await asyncio.to_thread(self._prompting.shutdown, wait=True, cancel_futures=True)


class _Answer:
    """Outputs of one job, on their way from the stepper's thread to the loop."""

    def __init__(self) -> None:
        # No limit of its own: an answer has max_tokens of them.
        self._outputs: asyncio.Queue[Output] = asyncio.Queue()

    def take(self, output: Output) -> None:
        self._outputs.put_nowait(output)

    async def next(self) -> Output:
        try:
            async with asyncio.timeout(FIRST_TOKEN_TIMEOUT_S):
                return await self._outputs.get()
        except TimeoutError as error:
            raise AgentError("agent_timeout", "the model fell silent") from error


Take = Callable[[Output], None]


class _Stepper:
    """The thread that owns the core. Everything reaches it as a command, between two steps."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._takers: dict[Job, Take] = {}
        self._commands: list[Callable[[], None]] = []
        self._changed = threading.Condition()
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    def submit(self, job: Job, take: Take) -> None:
        """From the event loop, on which `take` then gets the outputs."""
        self._loop = asyncio.get_running_loop()
        self._takers[job] = take
        self._command(lambda: self._core.submit(job))

    def abort(self, job: Job) -> None:
        """No more outputs; the job's place is free with the next step. Idempotent."""
        if self._takers.pop(job, None) is not None:
            self._command(lambda: self._core.abort(job))

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _command(self, command: Callable[[], None]) -> None:
        with self._changed:
            self._commands.append(command)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._commands or self._closing or self._core.has_work):
                    self._changed.wait()
                if self._closing:
                    return
                commands, self._commands = self._commands, []
            try:
                for command in commands:
                    command()
                outputs = self._core.step()
            except Exception as bug:  # noqa: BLE001 - those who wait must be told, and others go on
                log.error("a step of the engine ended in a bug: %s", place(bug))
                outputs = self._core.fail_all(bug)
            if outputs and self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._deliver, outputs)

    def _deliver(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            take = self._takers.get(output.job)
            if take is not None:
                take(output)


def _usage(job: Job, n_tokens: int) -> Usage:
    n_audio = job.prompt.n_audio_tokens
    return Usage(
        input_text_tokens=job.prompt.n_tokens - n_audio,
        input_audio_tokens=n_audio,
        cached_tokens=job.n_cached,
        output_text_tokens=n_tokens,
    )
