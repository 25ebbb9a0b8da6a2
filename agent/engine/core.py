"""The engine's work: step after step, every answer gets its next token. Blocking; one thread owns it."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from agent.api import AgentError
from agent.engine.clips import Clip, Clips, Prompt, Span
from agent.engine.kv_cache import KVCache
from agent.engine.model_runner import Audio, Runner
from agent.engine.sampling import Sampler, SamplingParams, sample
from agent.engine.scheduler import Generation, JoinError, Plan, Purpose, Scheduler
from agent.error_location import place

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Token:
    """The next token of an answer. is_last: none follows."""

    job: "Job"
    token: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """It has ended without a token: its prompt was read ahead, or it failed."""

    job: "Job"
    failure: AgentError | None = None


Output = Token | Ended


@dataclass(slots=True, eq=False)
class Job:
    """One prompt to answer, or to read ahead. Belongs to the core once it is submitted."""

    conversation_id: str
    prompt: Prompt
    max_tokens: int
    sampling_params: SamplingParams
    purpose: Purpose = Purpose.ANSWER
    generation: Generation | None = None
    spans: tuple[Span, ...] = ()
    embeddings: dict[int, torch.Tensor] = field(default_factory=dict)  # by a span's start
    sampler: Sampler | None = None

    @property
    def n_cached(self) -> int:
        return self.generation.n_cached if self.generation else 0


class Core:
    """encode: a clip -> its embeddings (n_tokens, d_model). audio_id: the audio token's id."""

    def __init__(
        self,
        runner: Runner,
        encode: Callable[[Clip], torch.Tensor],
        cache: KVCache,
        stop_ids: frozenset[int],
        audio_id: int,
        batch_max: int,
        prefill_tokens: int,
        embeddings_bytes: int,
    ) -> None:
        self._runner = runner
        self._encode = encode
        self._cache = cache
        self._stop_ids = stop_ids
        self._audio_id = audio_id
        self._clips = Clips(runner.vocabulary, embeddings_bytes)
        self._scheduler = Scheduler(cache, batch_max, prefill_tokens)
        self._jobs: dict[Generation, Job] = {}
        self._to_encode: deque[Job] = deque()

    @property
    def has_work(self) -> bool:
        return bool(self._jobs)

    def submit(self, job: Job) -> None:
        keys, job.spans = self._clips.keys(job.prompt)
        max_tokens = job.max_tokens if job.purpose is Purpose.ANSWER else 0
        job.generation = Generation(job.conversation_id, keys, max_tokens, self._stop_ids, job.purpose)
        self._jobs[job.generation] = job
        self._scheduler.submit(job.generation)

    def abort(self, job: Job) -> None:
        """Its place is free from the next step on. Idempotent."""
        if job.generation is not None and not job.generation.is_over:
            self._scheduler.end(job.generation)

    def step(self) -> list[Output]:
        """Do one pass; return what came of it."""
        outputs: list[Output] = []
        self._join(outputs)
        self._encode_one(outputs)
        plan = self._scheduler.plan()
        if plan.chunks:
            self._pass(plan, outputs)
        for generation in [generation for generation in self._jobs if generation.is_over]:
            job = self._jobs.pop(generation)
            if generation.purpose is Purpose.WARM and not any(output.job is job for output in outputs):
                outputs.append(Ended(job))
        return outputs

    def fail_all(self, error: Exception) -> list[Output]:
        """Let every job fail after a step that raised; the next ones start on clean ground."""
        outputs: list[Output] = []
        for generation in list(self._jobs):
            if not generation.is_over:
                self._fail(generation, error, outputs)
        self._jobs.clear()
        self._to_encode.clear()
        return outputs

    def _join(self, outputs: list[Output]) -> None:
        while True:
            try:
                joined = self._scheduler.join()
            except JoinError as error:
                failure = AgentError("agent_out_of_memory", str(error))
                outputs.append(Ended(self._jobs[error.generation], failure))
                continue
            if joined is None:
                return
            generation = joined.generation
            assert generation.sequence is not None
            if joined.copy is not None:
                self._runner.copy(joined.copy, generation.sequence.blocks)
            job = self._jobs[generation]
            if any(span.end > generation.n_cached for span in job.spans):
                generation.is_ready = False
                self._to_encode.append(job)

    def _encode_one(self, outputs: list[Output]) -> None:
        """Encode the next clip that is missing: one a step, so that those who decode wait for no more."""
        while self._to_encode:
            job = self._to_encode[0]
            generation = job.generation
            assert generation is not None
            if generation.is_over:
                self._to_encode.popleft()
                continue
            missing = [
                span
                for span in job.spans
                if span.end > generation.n_cached and span.start not in job.embeddings
            ]
            for span in missing:
                held = self._clips.embeddings(span.clip)
                if held is None:
                    self._encode_clip(job, span, outputs)
                    return
                job.embeddings[span.start] = held
            self._to_encode.popleft()
            generation.is_ready = True

    def _encode_clip(self, job: Job, span: Span, outputs: list[Output]) -> None:
        assert job.generation is not None
        try:
            embeddings = self._encode(span.clip)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            self._fail(job.generation, error, outputs)
            return
        self._clips.keep(span.clip, embeddings)
        job.embeddings[span.start] = embeddings

    def _pass(self, plan: Plan, outputs: list[Output]) -> None:
        audio = [
            self._audio(generation, chunk.start, chunk.end)
            for generation, chunk in zip(plan.generations, plan.chunks, strict=True)
        ]
        try:
            logits = self._runner.forward(plan.chunks, audio)
            wanting = plan.wanting
            samplers = [self._sampler(generation) for generation in wanting]
            tokens = sample(logits, samplers) if samplers else []
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            self._broke(plan, error, outputs)
            return
        for generation, token in zip(wanting, tokens, strict=True):
            goes_on = self._scheduler.took(generation, token)
            outputs.append(Token(self._jobs[generation], token, not goes_on))
        for generation in plan.generations:
            if generation.purpose is Purpose.WARM and generation.n_prompt_left == 0:
                self._scheduler.end(generation)

    def _broke(self, plan: Plan, error: Exception, outputs: list[Output]) -> None:
        """A pass went wrong. Out of memory: it is the last to join that asked for too much, and it alone
        fails; the others do the step again. Anything else is a bug: all of the pass fail."""
        if not _is_out_of_memory(error):
            for generation in plan.generations:
                self._fail(generation, error, outputs)
            return
        reading = [
            generation
            for generation, chunk in zip(plan.generations, plan.chunks, strict=True)
            if len(chunk.keys) > 1
        ]
        blamed = (reading or list(plan.generations))[-1]
        for generation, chunk in zip(plan.generations, plan.chunks, strict=True):
            if generation is not blamed and generation.sequence is not None:
                generation.sequence.n_filled = chunk.start
        self._fail(blamed, error, outputs)
        if self._runner.device.type == "cuda":
            torch.cuda.empty_cache()

    def _fail(self, generation: Generation, error: Exception, outputs: list[Output]) -> None:
        if _is_out_of_memory(error):
            failure = AgentError("agent_out_of_memory", "the model ran out of memory on this conversation")
        else:
            # Not the error's text: it may quote the conversation.
            log.error("a step of the model ended in a bug: %s", place(error))
            failure = AgentError("agent_error", f"the model failed ({type(error).__name__})")
        self._scheduler.fail(generation)
        outputs.append(Ended(self._jobs[generation], failure))

    def _audio(self, generation: Generation, start: int, end: int) -> Sequence[Audio]:
        """The embeddings between two positions of a prompt."""
        job = self._jobs[generation]
        pieces: list[Audio] = []
        for span in job.spans:
            first, last = max(span.start, start), min(span.end, end)
            if first < last:
                rows = job.embeddings[span.start][first - span.start : last - span.start]
                pieces.append(Audio(first - start, rows))
        return pieces

    def _sampler(self, generation: Generation) -> Sampler:
        job = self._jobs[generation]
        if job.sampler is None:
            ids = job.prompt.ids(self._audio_id).tolist()
            job.sampler = Sampler(job.sampling_params, ids, self._runner.vocabulary, self._runner.device)
        return job.sampler


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "alloc" in str(error)
