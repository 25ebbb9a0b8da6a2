"""Puts Qwen2-Audio together: the checkpoint through transformers, the engine round it, a voice beside it.

The model hears speech itself. Whisper runs beside it for one purpose: to show the user's words.
"""

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
import transformers

from agent import descriptions
from agent.api import Agent, AgentError, AudioPart, UserMessage
from agent.engine.base import EngineRequest
from agent.engine.core import Core
from agent.engine.kv_cache import KVCache
from agent.engine.model_runner import ModelRunner
from agent.engine.sampling import SamplingParams
from agent.engine.speech_lm import DEFAULT_MAX_TOKENS, SpeechLM
from agent.models import embedded
from agent.models.files import present
from agent.models.manifest import KOKORO
from agent.models.qwen2_audio_encoder import Encoder, Features
from agent.models.qwen2_audio_files import Checkpoint, find
from agent.models.qwen2_audio_prompt import ControlTokens, Qwen2AudioPrompts
from agent.responder import Responder
from agent.settings import AgentSettings

Report = Callable[[str], None]

VERIFIED = "5.23"
"""Of transformers. 4.54 to 4.56 answered nonsense, 5.10.0 to 5.10.3 tied the head to the embeddings."""
REPORT_EVERY_S = 5.0
CLIP_TOKENS_MAX = 750
"""Of 30 s of audio."""
WORKING_BYTES = 2 * 2**30
"""Beside weights and KV cache: activations, graphs, the libraries' own."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """How much at once. kv_tokens: of all conversations together, in blocks of block_tokens."""

    kv_tokens: int
    block_tokens: int
    batch_max: int
    prefill_tokens: int
    embeddings_bytes: int
    context_tokens: int


async def build_qwen2_audio(settings: AgentSettings, report: Report) -> Agent:
    """Raises AgentError, whose one sentence says what is wrong and how to mend it."""
    check_transformers(metadata.version("transformers"))
    plan = embedded.plan_of(settings, embedded.cores(), present(KOKORO))
    async with contextlib.AsyncExitStack() as loaded:
        checkpoint = await asyncio.to_thread(_found, settings, report)
        engine = await asyncio.to_thread(load, checkpoint, settings, report)
        loaded.push_async_callback(engine.aclose)
        recogniser, synthesiser = await embedded.recogniser_and_voice(plan, report, loaded)
        with embedded.step(report, "answering a first question to itself"):
            await warm_up(engine)
        loaded.pop_all()
    health = embedded.health_of(
        checkpoint.name, plan, "transformers", descriptions.qwen2_audio(checkpoint.name), calls_tools=False
    )
    device = f"{engine.device}, {engine.dtype}"
    health = replace(
        health,
        wants_audio_history=True,
        facts={**health.facts, "device": device},
        instructions_bytes_max=instructions_bytes_max(engine.context_tokens),
    )
    limits = embedded.answer_limits(settings)
    return Responder(engine, recogniser, synthesiser, health, limits=limits)


def instructions_bytes_max(context_tokens: int) -> int:
    """Four bytes a token, beside an answer and half a minute of speech, which is the longest clip."""
    return max(context_tokens - DEFAULT_MAX_TOKENS - CLIP_TOKENS_MAX, context_tokens // 4) * 4


def _found(settings: AgentSettings, report: Report) -> Checkpoint:
    with _told(report, f"getting {settings.model}"):
        return find(settings.model, settings.hub or "huggingface", report)


def fits_gpu(checkpoint: Checkpoint) -> bool:
    if not torch.cuda.is_available():
        return False
    return free_bytes(torch.device("cuda")) >= _needed_bytes(checkpoint, torch.bfloat16)


class LoadedSpeechLM(SpeechLM):
    """With what people are told of it."""

    device: str
    dtype: str
    context_tokens: int


def load(checkpoint: Checkpoint, settings: AgentSettings, report: Report) -> LoadedSpeechLM:
    """Blocks. Raises AgentError."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = dtype_of(settings.dtype, device)
    check_memory(checkpoint, dtype, device, free_bytes(device))
    # Half of the cores: torch's threads wait for each other, and ears and voice work beside them.
    torch.set_num_threads(settings.threads or max(1, embedded.cores() // 2))
    loading = f"loading {checkpoint.name}"
    size = f" ({checkpoint.weights_bytes / 1e9:.1f} GB)"
    with embedded.step(report, loading + size), _told(report, loading):
        model, processor = model_and_processor(checkpoint, device, dtype)
    gc.collect()
    return engine_of(model, processor, checkpoint, engine_limits(model, device))


def engine_of(model: Any, processor: Any, checkpoint: Checkpoint, limits: EngineLimits) -> LoadedSpeechLM:
    tokenizer = processor.tokenizer
    generation = model.generation_config
    control = ControlTokens(
        **{
            name: tokenizer.convert_tokens_to_ids(f"<|{name}|>")
            for name in ("im_start", "im_end", "audio_bos", "audio_eos")
        }
    )
    core = core_of(model, processor, limits)
    prompts = Qwen2AudioPrompts(
        tokenizer,
        control,
        Features(processor.feature_extractor),
        limits.context_tokens,
        "base" if checkpoint.is_base else "instruct",
    )
    engine = LoadedSpeechLM(core, prompts, tokenizer.backend_tokenizer, sampling_params_of(generation))
    engine.device = str(model.device)
    engine.dtype = str(model.dtype).removeprefix("torch.")
    engine.context_tokens = limits.context_tokens
    return engine


def core_of(model: Any, processor: Any, limits: EngineLimits) -> Core:
    """The engine's work without its thread. The model's attention is the engine's from here on."""
    n_blocks = limits.kv_tokens // limits.block_tokens
    runner = ModelRunner(
        model.model.language_model,
        model.lm_head,
        n_blocks,
        limits.block_tokens,
        -(-limits.context_tokens // limits.block_tokens),
        limits.batch_max,
    )
    return Core(
        runner,
        Encoder(model.model.audio_tower, model.model.multi_modal_projector).encode,
        KVCache(n_blocks, limits.block_tokens),
        stop_ids(model.generation_config, processor.tokenizer),
        model.config.audio_token_id,
        limits.batch_max,
        limits.prefill_tokens,
        limits.embeddings_bytes,
    )


async def warm_up(engine: LoadedSpeechLM) -> None:
    """Turns of some lengths, so that the first user waits for nothing that is done once: a GPU loads each
    kernel at its first use, and longer prompts take others than short ones."""
    for seconds in (1, 5, 12, 29) if engine.device.startswith("cuda") else (1,):
        turn = UserMessage((AudioPart(bytes(32_000 * seconds)),))
        async for _ in engine.generate(EngineRequest("warm", "", (turn,), max_tokens=4)):
            pass


# What the machine and the checkpoint allow -----------------------------------------------------


def check_transformers(version: str) -> None:
    if not version.startswith(f"{VERIFIED}."):
        raise AgentError(
            "agent_unavailable",
            f"transformers {version} is installed, and Qwen2-Audio was verified with {VERIFIED}: some "
            f"versions answer nonsense with it. Install it with pip install 'transformers~={VERIFIED}.0'.",
        )


def dtype_of(wanted: str, device: torch.device) -> torch.dtype:
    match wanted:
        case "bfloat16":
            return torch.bfloat16
        case "float32":
            return torch.float32
        case "":
            return torch.bfloat16 if device.type == "cuda" else torch.float32
        case _:
            raise AgentError("agent_unavailable", f"dtype is {wanted!r}: expected 'bfloat16' or 'float32'.")


def check_memory(checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device, free: int) -> None:
    needed = _needed_bytes(checkpoint, dtype)
    if needed > free:
        where = "GPU" if device.type == "cuda" else "machine"
        hint = "take --model embedded" if dtype == torch.bfloat16 else "--dtype bfloat16 takes half of it"
        raise AgentError(
            "agent_unavailable",
            f"{checkpoint.name} needs {needed / 1e9:.1f} GB of memory for weights and one conversation, and "
            f"this {where} has {free / 1e9:.1f} GB free: {hint}.",
        )


def _needed_bytes(checkpoint: Checkpoint, dtype: torch.dtype) -> int:
    context = checkpoint.config.get("text_config", {}).get("max_position_embeddings", 8192)
    kv = checkpoint.kv_bytes_per_token // 2 * dtype.itemsize * min(int(context), 8192)
    # In proportion, so that a small checkpoint needs little.
    return checkpoint.n_weights * dtype.itemsize + kv + min(WORKING_BYTES, checkpoint.weights_bytes)


def free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    for line in Path("/proc/meminfo").read_text().splitlines() if Path("/proc/meminfo").exists() else ():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 2**62  # a system that does not say


def engine_limits(model: Any, device: torch.device) -> EngineLimits:
    text = model.config.text_config
    context = min(int(text.max_position_embeddings), 8192)
    head_dim = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    token_bytes = 2 * text.num_hidden_layers * text.num_key_value_heads * head_dim * model.dtype.itemsize
    if device.type == "cuda":
        # FlashAttention's pages are of 256 positions. The cache takes what is left on the card.
        spare = free_bytes(device) - WORKING_BYTES - 2**30
        kv_tokens = max(context, min(spare // token_bytes, 64 * context))
        return EngineLimits(kv_tokens // 256 * 256, 256, 32, 1024, 2**30, context)
    kv_tokens = max(context, min(2**30 // token_bytes, 8 * context))
    return EngineLimits(kv_tokens // 64 * 64, 64, 16, 64, 2**26, context)


def sampling_params_of(generation: Any) -> SamplingParams:
    """The checkpoint's own way to choose tokens."""
    draws = bool(generation.do_sample)
    return SamplingParams(
        float(generation.temperature or 1.0) if draws else 0.0,
        int(generation.top_k or 0),
        float(generation.top_p or 1.0),
        float(generation.repetition_penalty or 1.0),
    )


def stop_ids(generation: Any, tokenizer: Any) -> frozenset[int]:
    stops = generation.eos_token_id
    ids = stops if isinstance(stops, list) else [stops]
    return frozenset(int(stop) for stop in [*ids, tokenizer.eos_token_id] if stop is not None)


def model_and_processor(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> tuple[Any, Any]:
    """The model and the processor, as transformers loads them. Blocks. Raises AgentError."""
    library: Any = transformers  # without types of its own
    try:
        # The processor first: what it lacks is told before 17 GB are read.
        processor = library.AutoProcessor.from_pretrained(checkpoint.folder, local_files_only=True)
        model, how = library.Qwen2AudioForConditionalGeneration.from_pretrained(
            checkpoint.folder,
            dtype=dtype,
            device_map={"": str(device)},
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except torch.OutOfMemoryError as error:
        raise AgentError("agent_out_of_memory", f"{checkpoint.name} does not fit into memory.") from error
    except Exception as error:
        raise AgentError(
            "agent_unavailable",
            f"{checkpoint.folder} cannot be loaded ({type(error).__name__}): download the checkpoint again.",
        ) from error
    missing = sorted([*how["missing_keys"], *(key for key, *_ in how.get("mismatched_keys", ()))])
    if missing:
        raise AgentError(
            "agent_unavailable",
            f"{checkpoint.folder} lacks {len(missing)} weights, {missing[0]} among them: download it again.",
        )
    return model.eval(), processor


@contextlib.contextmanager
def _told(report: Report, what: str) -> Iterator[None]:
    """Say every few seconds that it still goes on."""
    ended = threading.Event()
    started = time.perf_counter()

    def tell() -> None:
        while not ended.wait(REPORT_EVERY_S):
            report(f"{what}: {time.perf_counter() - started:.0f} s so far ...")

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()
