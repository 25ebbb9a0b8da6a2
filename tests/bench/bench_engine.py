"""Qwen2-Audio's engine by itself: first tokens over turns, tokens in a batch; transformers beside it.

    python -m tests.bench.bench_engine [--turns 20] [--rounds 3]
    python -m tests.bench.bench_engine --gpu

Without --gpu: the small real checkpoint (171 million parameters, float32) on this machine's CPU. With it:
random weights at the true size of 8.4 billion parameters, bfloat16, made on the GPU. Times include
making the prompt. Two baselines run in the same process: transformers' generate, which computes the
whole conversation anew, and its continuous batching, which keeps what it computed in shared blocks.
"""

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import (
    AutoProcessor,
    ContinuousBatchingConfig,
    GenerationConfig,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
)

from agent.api import AssistantMessage, AudioPart, Message, UserMessage
from agent.engine.core import Core, Job, Token
from agent.engine.sampling import SamplingParams
from agent.models.qwen2_audio import EngineLimits, engine_limits, engine_of
from agent.models.qwen2_audio_files import read
from agent.models.qwen2_audio_prompt import Qwen2AudioPrompts
from agent.models.small_qwen2_audio import build_small, build_tiny
from tests.bench import machine, report
from tests.bench.stats import Percentiles
from tests.speech import utterances

Facts = dict[str, Any]
REPLY = "I heard you."
ANSWER_TOKENS = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gpu", action="store_true", help="the true size on this machine's GPU")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="answers of each conversation in a batch")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU")
    options = parser.parse_args()
    facts: Facts = {"machine": machine.describe()}
    print(f"Machine: {facts['machine']}\n", flush=True)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        if options.gpu:
            facts["gpu"] = _gpu(Path(folder), options.rounds)
        else:
            facts["cpu"] = _cpu(Path(folder), options.turns, options.rounds)
    print(report.save("engine", facts))


# On a CPU ------------------------------------------------------------------------------------


def _cpu(folder: Path, turns: int, rounds: int) -> Facts:
    build_small(folder)
    model, processor = _loaded(folder)
    bench = _Bench(model, processor, folder, engine_limits(model, torch.device("cpu")))
    peer, _ = _loaded(folder)
    facts: Facts = {"turns": _turns(bench, peer, processor, turns, rounds)}
    facts["batches"] = _batches(bench, peer, (1, 2, 4, 8, 16), rounds)
    return facts


def _turns(bench: "_Bench", peer: Any, processor: Any, turns: int, rounds: int) -> Facts:
    """The same length of new audio at each turn; what differs is how much came before. Medians of whole
    conversations; generate, which takes minutes, is asked once."""
    clips = [_speech(turn, 3.0) for turn in range(turns)]
    ours = _medians([bench.first_tokens(_speeches(run, turns)) for run in range(rounds)])
    shown = sorted({1, 2, 5, 10, 15, turns} & set(range(1, turns + 1)))
    theirs = {turn: _recomputed(peer, processor, clips[:turn]) for turn in shown}
    batching = _ContinuousBatching(peer)
    shared = _medians([batching.first_tokens(bench, _speeches(run, turns)) for run in range(rounds)])
    rows = [
        [turn, *(1000 * times[turn - 1] for times in (ours, shared)), 1000 * theirs[turn]] for turn in shown
    ]
    columns = ["turn", "engine", "continuous batching", "generate"]
    print(report.table("First token in ms, 3 s of new speech in each turn", columns, rows), flush=True)
    early, late = statistics.median(ours[1:4]), statistics.median(ours[-3:])
    print(f"last turns / first turns: engine {late / early:.2f}, turn {turns} / turn 1: ", end="")
    print(f"engine {ours[-1] / ours[0]:.2f}, generate {theirs[turns] / theirs[1]:.2f}\n", flush=True)
    return {"columns": columns, "rows": rows, "engine_s": ours, "continuous_batching_s": shared}


def _speeches(run: int, turns: int) -> list[bytes]:
    return [_speech(100 * run + turn, 3.0) for turn in range(turns)]


def _medians(runs: Sequence[Sequence[float]]) -> list[float]:
    """Of each place."""
    return [statistics.median(values) for values in zip(*runs, strict=True)]


def _batches(bench: "_Bench", peer: Any, sizes: Sequence[int], rounds: int) -> Facts:
    """Conversations that answer at the same time, each 32 tokens; tokens a second while all decode."""
    shared = _ContinuousBatching(peer)
    rows: list[list[object]] = []
    for size in sizes:
        runs = [bench.decode(size) for _ in range(rounds)]
        theirs = [shared.decode(bench, size) for _ in range(rounds)]
        rows.append([size, statistics.median(runs), statistics.median(theirs), min(runs), max(runs)])
    alone = rows[0]
    for row in rows:
        row += [round(float(str(row[1])) / float(str(alone[1])), 2)]
    columns = ["conversations", "engine", "continuous batching", "least", "most", "times of one"]
    print(report.table("Tokens a second, decoding", columns, rows) + "\n", flush=True)
    return {"columns": columns, "rows": rows}


# On a GPU ------------------------------------------------------------------------------------


def _gpu(folder: Path, rounds: int) -> Facts:
    if not torch.cuda.is_available():
        raise SystemExit("No GPU that torch can use: this benchmark needs one.")
    build_tiny(folder)  # for its tokenizer and feature extractor
    processor: Any = AutoProcessor.from_pretrained(folder)
    started = time.perf_counter()
    model = _of_true_size(processor)
    torch.cuda.synchronize()
    card = torch.cuda.get_device_name()
    print(f"{card}; weights made in {time.perf_counter() - started:.1f} s\n", flush=True)
    started = time.perf_counter()
    bench = _Bench(model, processor, folder, engine_limits(model, torch.device("cuda")))
    for length in (1.0, 5.0, 12.0, 29.0):  # as the server warms up before it opens the door
        bench.answer(_speech(0, length))
    ready_s = time.perf_counter() - started
    facts: Facts = {"card": card, "ready_s": ready_s, "decode": _decode_on_gpu(bench, model)}
    cold = 1000 * bench.answer(_speech(1, 5.0))
    rows: list[list[object]] = []
    for size in (1, 8, 16, 32):
        first, between = bench.closed_loop(size, rounds, seconds=5.0)
        one, other = Percentiles.of([1000 * s for s in first]), Percentiles.of([1000 * s for s in between])
        rows.append([size, one.n, one.p50, one.p95, one.p99, other.p50, other.p95, other.p99])
    columns = ["conversations", "n", "p50", "p95", "p99", "between p50", "p95", "p99"]
    print(report.table("First token and time between tokens in ms, 5 s of audio", columns, rows), flush=True)
    steady = float(str(rows[0][2]))
    print(f"first request {cold:.1f} ms, {cold / steady:.2f} times the steady one\n", flush=True)
    facts |= {"columns": columns, "rows": rows, "first_request_ms": cold}
    turns = _medians([bench.first_tokens(_speeches(run, 20)) for run in range(rounds)])
    print(
        f"turn 1 {1000 * turns[0]:.1f} ms, turn 20 {1000 * turns[-1]:.1f} ms (3 s of audio each)\n",
        flush=True,
    )
    facts["turns_s"] = turns
    theirs = _generate_on_gpu(model, processor)
    print(report.table("transformers.generate, alone", list(theirs), [list(theirs.values())]), flush=True)
    return facts | {"generate": theirs}


def _of_true_size(processor: Any) -> Any:
    """Random weights, made where they stay."""
    tokenizer = processor.tokenizer
    config = Qwen2AudioConfig(audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"))
    config.text_config.vocab_size = 156_032
    config.text_config.max_position_embeddings = 8192
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("cuda"):
            model = Qwen2AudioForConditionalGeneration(config).eval()
    finally:
        torch.set_default_dtype(torch.float32)
    n = sum(parameter.numel() for parameter in model.parameters())
    print(f"{n:,} parameters", flush=True)
    return model


def _decode_on_gpu(bench: "_Bench", model: Any) -> Facts:
    """Beside the time that the card's memory takes to hand over the weights once."""
    read_bytes = sum(
        parameter.nbytes
        for name, parameter in model.named_parameters()
        if "audio_tower" not in name and "embed_tokens" not in name and "projector" not in name
    )
    bandwidth = _bandwidth()
    floor_ms = 1000 * read_bytes / bandwidth
    rows: list[list[object]] = []
    for size in (1, 8, 32):
        ms = 1000 * size / bench.decode(size, tokens=128)
        rows.append([size, ms, floor_ms, ms / floor_ms])
    title = f"Decoding in ms a step; memory {bandwidth / 1e12:.2f} TB/s measured"
    print(report.table(title, ["conversations", "step", "floor", "times"], rows) + "\n", flush=True)
    return {"bandwidth": bandwidth, "rows": rows}


def _bandwidth() -> float:
    """Bytes a second that the card reads, by summing 4 GB of them."""
    numbers = torch.ones(2**31, dtype=torch.bfloat16, device="cuda")
    best = float("inf")
    for _ in range(10):
        torch.cuda.synchronize()
        started = time.perf_counter()
        numbers.sum()
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return numbers.nbytes / best


def _generate_on_gpu(model: Any, processor: Any) -> Facts:
    from agent.engine.paged_attention import NAME

    config = model.model.language_model.config
    config._attn_implementation = "sdpa"  # the engine's own needs the engine
    first, per_token = [], []
    for run in range(4):
        inputs = _inputs(processor, [_speech(run, 5.0)]).to("cuda")
        for tokens, times in ((1, first), (65, per_token)):
            torch.cuda.synchronize()
            started = time.perf_counter()
            model.generate(**inputs, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False)
            torch.cuda.synchronize()
            times.append(1000 * (time.perf_counter() - started))
    config._attn_implementation = NAME
    one = statistics.median(first[1:])
    return {"first token": one, "ms a token": (statistics.median(per_token[1:]) - one) / 64}


# The engine ----------------------------------------------------------------------------------


class _Bench:
    """The engine's core, driven as fast as it goes."""

    def __init__(self, model: Any, processor: Any, folder: Path, sizes: EngineLimits) -> None:
        engine = engine_of(model, processor, read(folder, "tiny-instruct"), sizes)
        engine._stepper.close()  # the steps are ours
        self.core: Core = engine._core
        self.core._stop_ids = frozenset()  # answers of the length that is asked for
        self.prompts: Qwen2AudioPrompts = engine._prompts  # type: ignore[assignment]
        self._seed = 1000

    def job(self, name: str, messages: Sequence[Message], tokens: int) -> Job:
        prompt = self.prompts.prompt("", tuple(messages), self.prompts.context_tokens - tokens)
        return Job(name, prompt, tokens, SamplingParams())

    def answer(self, clip: bytes, tokens: int = 4) -> float:
        """Seconds to the first token."""
        [first] = self._firsts([("alone", [_user(clip)], tokens)])
        return first

    def first_tokens(self, clips: Sequence[bytes]) -> list[float]:
        """Of each turn of one conversation."""
        messages: list[Message] = []
        times: list[float] = []
        for clip in clips:
            messages.append(_user(clip))
            times += self._firsts([("turns", messages, 2)])
            messages.append(AssistantMessage(REPLY))
        return times

    def _firsts(self, asked: Sequence[tuple[str, Sequence[Message], int]]) -> list[float]:
        started = time.perf_counter()
        jobs = [self.job(*one) for one in asked]
        for job in jobs:
            self.core.submit(job)
        firsts: dict[Job, float] = {}
        while self.core.has_work:
            for output in self.core.step():
                assert isinstance(output, Token), output
                firsts.setdefault(output.job, time.perf_counter() - started)
        return [firsts[job] for job in jobs]

    def decode(self, size: int, tokens: int = ANSWER_TOKENS) -> float:
        """Tokens a second while all of `size` conversations decode."""
        for number in range(size):
            self._seed += 1
            self.core.submit(self.job(f"decode {number}", [_user(_speech(self._seed, 2.0))], tokens))
        begun: set[Job] = set()
        while len(begun) < size:
            begun |= {output.job for output in self.core.step()}
        started, count = time.perf_counter(), 0
        while True:
            outputs = self.core.step()
            if len(outputs) < size:
                break
            count += len(outputs)
        seconds = time.perf_counter() - started
        while self.core.has_work:
            self.core.step()
        return count / seconds

    def closed_loop(self, size: int, rounds: int, seconds: float) -> tuple[list[float], list[float]]:
        """Each conversation asks again as soon as it was answered: seconds to first tokens, and between."""
        histories: dict[str, list[Message]] = {f"loop {number}": [] for number in range(size)}
        left = dict.fromkeys(histories, rounds)
        asked: dict[Job, float] = {}
        last: dict[Job, float] = {}
        names: dict[Job, str] = {}
        first: list[float] = []
        between: list[float] = []

        def ask(name: str) -> None:
            self._seed += 1
            left[name] -= 1
            histories[name].append(_user(_speech(self._seed, seconds)))
            begun = time.perf_counter()
            job = self.job(name, histories[name], ANSWER_TOKENS)
            asked[job], names[job] = begun, name
            self.core.submit(job)

        for name in histories:
            ask(name)
        while self.core.has_work:
            outputs = self.core.step()
            now = time.perf_counter()
            for output in outputs:
                assert isinstance(output, Token), output
                if output.job in last:
                    between.append(now - last[output.job])
                else:
                    first.append(now - asked[output.job])
                last[output.job] = now
                name = names[output.job]
                if output.is_last and left[name]:
                    histories[name].append(AssistantMessage(REPLY))
                    ask(name)
        return first, between


# The peers -----------------------------------------------------------------------------------


def _recomputed(model: Any, processor: Any, clips: Sequence[bytes]) -> float:
    """Seconds to the first token, everything computed anew, as model.generate does."""
    started = time.perf_counter()
    inputs = _inputs(processor, clips)
    with torch.inference_mode():
        model.generate(**inputs, max_new_tokens=1, do_sample=False, repetition_penalty=1.0)
    return time.perf_counter() - started


def _inputs(processor: Any, clips: Sequence[bytes]) -> Any:
    chat: list[dict[str, Any]] = []
    for place, _ in enumerate(clips):
        chat.append({"role": "user", "content": [{"type": "audio", "audio": None}]})
        if place < len(clips) - 1:
            chat.append({"role": "assistant", "content": REPLY})
    text = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    audio = [np.frombuffer(clip, "<i2").astype(np.float32) / 32768 for clip in clips]
    return processor(text=text, audio=audio, sampling_rate=16_000, return_tensors="pt")


class _VirtualIds(nn.Module):
    """Ids beyond the vocabulary are rows of audio: the way by which audio gets into continuous batching."""

    def __init__(self, embed: nn.Embedding) -> None:
        super().__init__()
        self.embed = embed
        self.rows = torch.zeros(0, embed.embedding_dim)

    @property
    def weight(self) -> torch.Tensor:
        return self.embed.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        vocabulary = self.embed.num_embeddings
        embeds = self.embed(ids.clamp(max=vocabulary - 1))
        audio = ids >= vocabulary
        embeds[audio] = self.rows[ids[audio] - vocabulary]
        return embeds


class _ContinuousBatching:
    """transformers' own, fed with the engine's prompts. Made anew for each question: it keeps a thread."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def first_tokens(self, bench: _Bench, clips: Sequence[bytes]) -> list[float]:
        def run(ask: Callable[..., tuple[float, float]]) -> list[float]:
            messages: list[Message] = []
            times: list[float] = []
            for clip in clips:
                messages.append(_user(clip))
                times.append(ask([("turns", list(messages))], 2)[0])
                messages.append(AssistantMessage(REPLY))
            return times

        return self._with_manager(bench, run)

    def decode(self, bench: _Bench, size: int) -> float:
        def run(ask: Callable[..., tuple[float, float]]) -> float:
            asked = []
            for number in range(size):
                bench._seed += 1
                asked.append((f"decode {number}", [_user(_speech(bench._seed, 2.0))]))
            first, last = ask(asked, ANSWER_TOKENS)
            return size * (ANSWER_TOKENS - 1) / (last - first)

        return self._with_manager(bench, run)

    def _with_manager(self, bench: _Bench, run: Callable[..., Any]) -> Any:
        language = self._model.model.language_model
        own = language.embed_tokens
        table = _VirtualIds(own)
        language.embed_tokens = table
        config = GenerationConfig(do_sample=False, max_new_tokens=ANSWER_TOKENS, eos_token_id=-1)
        manager = self._model.init_continuous_batching(
            generation_config=config,
            continuous_batching_config=ContinuousBatchingConfig(
                page_size=32, num_blocks=160, max_batch_tokens=256
            ),
        )
        manager.start()
        seen: dict[bytes, int] = {}

        def ask(asked: Sequence[tuple[str, Sequence[Message]]], tokens: int) -> tuple[float, float]:
            """Seconds to the last first token, and to the last one of all."""
            started = time.perf_counter()
            requests = []
            for _, messages in asked:
                prompt = bench.prompts.prompt("", tuple(messages), bench.prompts.context_tokens - tokens)
                ids: list[int] = []
                for piece in prompt.pieces:
                    if isinstance(piece, np.ndarray):
                        ids += piece.tolist()
                        continue
                    if piece.digest not in seen:
                        seen[piece.digest] = own.num_embeddings + len(table.rows)
                        rows = bench.core._encode(piece)
                        table.rows = torch.cat([table.rows.to(rows), rows])
                    ids += range(seen[piece.digest], seen[piece.digest] + piece.n_tokens)
                requests.append(manager.add_request(ids, max_new_tokens=tokens, streaming=True))
            firsts: dict[str, float] = {}
            ended: dict[str, float] = {}
            while len(ended) < len(requests):
                result = manager.get_result(timeout=120)
                if result is None or result.error:
                    raise RuntimeError("continuous batching gave no result")
                now = time.perf_counter() - started
                firsts.setdefault(result.request_id, now)
                if result.is_finished():
                    ended[result.request_id] = now
            return max(firsts.values()), max(ended.values())

        try:
            return run(ask)
        finally:
            manager.stop(block=True)
            language.embed_tokens = own
            gc.collect()


# Sound ---------------------------------------------------------------------------------------


def _loaded(folder: Path) -> tuple[Any, Any]:
    model = Qwen2AudioForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    return model, AutoProcessor.from_pretrained(folder)


def _speech(number: int, seconds: float) -> bytes:
    """Recorded speech of that length, different for each number: s16le at 16 kHz."""
    recorded = b"".join(one.pcm16k for one in utterances())
    length = int(seconds * 16_000) * 2
    start = number * 7919 * 2 % (len(recorded) - length)
    samples = np.frombuffer(recorded[start : start + length], "<i2").copy()
    samples[0] = number % 32_000  # no two are the same
    return samples.tobytes()


def _user(clip: bytes) -> UserMessage:
    return UserMessage((AudioPart(clip),))


if __name__ == "__main__":
    main()
