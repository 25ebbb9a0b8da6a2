"""Qwen2-Audio as it is loaded: what is refused before and while it loads, and what its prompts hold then.

All on the tiny checkpoint, random as it is: its tokens are bytes, so that a prompt can be read again.
"""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from safetensors.numpy import load_file, save_file  # noqa: E402

from agent import builder  # noqa: E402
from agent.api import (  # noqa: E402
    AgentError,
    AssistantMessage,
    AudioPart,
    Message,
    Sampling,
    SystemMessage,
    TextDelta,
    TextPart,
    ToolCallMessage,
    ToolResultMessage,
    Truncation,
    Usage,
    UserMessage,
)
from agent.engine.base import EngineDone, EngineRequest  # noqa: E402
from agent.engine.clips import Clip, Prompt  # noqa: E402
from agent.engine.sampling import SamplingParams  # noqa: E402
from agent.models import embedded, qwen2_audio, qwen2_audio_files  # noqa: E402
from agent.models.qwen2_audio import (  # noqa: E402
    LoadedSpeechLM,
    check_memory,
    check_transformers,
    dtype_of,
    load,
    sampling_params_of,
)
from agent.models.qwen2_audio_encoder import Features  # noqa: E402
from agent.models.qwen2_audio_files import DEFAULT_MODEL, Checkpoint, read  # noqa: E402
from agent.models.qwen2_audio_prompt import ControlTokens, Layout, Qwen2AudioPrompts  # noqa: E402
from agent.settings import AgentSettings  # noqa: E402
from tests.agent.engine.speech_models import (  # noqa: E402
    Reference,
    noise,
    spoken,
    tiny_folder,
    transformers_tiny,
    typed,
)
from tests.waiting import HANGS_S  # noqa: E402

ROOT = Path(__file__).parents[3]
ONE_THREAD = AgentSettings(threads=1)
CPU = torch.device("cpu")
REAL_SIZE = Checkpoint(Path(), DEFAULT_MODEL, 16_794_193_920, 8_397_096_960, {"text_config": {}})


def unread(line: str) -> None:
    """For reports that a test does not look at."""


def tiny_checkpoint() -> Checkpoint:
    return read(tiny_folder(), "Someone/Tiny")


@pytest.fixture(scope="module")
def engine() -> Iterator[LoadedSpeechLM]:
    engine = load(tiny_checkpoint(), ONE_THREAD, unread)
    yield engine
    asyncio.run(engine.aclose())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy to harm."""
    return Path(shutil.copytree(tiny_folder(), tmp_path / "tiny"))


async def answer(
    engine: LoadedSpeechLM, *messages: Message, sampling: Sampling | None = None, instructions: str = ""
) -> tuple[str, Usage]:
    request = EngineRequest("c", instructions, messages, max_tokens=8, sampling=sampling or Sampling())
    text, usage = "", Usage()
    async for delta in engine.generate(request):
        if isinstance(delta, TextDelta):
            text += delta.text
        elif isinstance(delta, EngineDone):
            usage = delta.usage
    return text, usage


def refused(ask: Callable[[], object], code: str = "agent_unavailable") -> str:
    """The sentence."""
    with pytest.raises(AgentError) as error:
        ask()
    assert error.value.code == code
    assert "\n" not in error.value.message
    return error.value.message


# What is asked before anything is loaded -------------------------------------------------


@pytest.mark.parametrize("version", ["4.54.0", "4.56.2", "5.10.1", "5.2.3", "5.24.0", "6.0.0"])
def test_a_version_of_transformers_that_was_not_verified_is_refused(version: str) -> None:
    sentence = refused(lambda: check_transformers(version))
    assert sentence.startswith(f"transformers {version} is installed")
    assert "pip install 'transformers~=5.23.0'" in sentence


@pytest.mark.parametrize("version", ["5.23.0", "5.23.1"])
def test_the_version_that_was_verified_is_taken(version: str) -> None:
    check_transformers(version)


@pytest.mark.parametrize(
    ("dtype", "device", "figure", "hint"),
    [
        # The weights, 8,192 tokens of keys and values, 2 GiB to work in.
        (torch.float32, "cpu", "44.3 GB", "this machine has 16.0 GB free: --dtype bfloat16 takes half"),
        (torch.bfloat16, "cuda", "23.2 GB", "this GPU has 16.0 GB free: take --model embedded"),
    ],
)
def test_too_little_memory_is_told_with_the_figure(dtype: Any, device: str, figure: str, hint: str) -> None:
    sentence = refused(lambda: check_memory(REAL_SIZE, dtype, torch.device(device), 16_000_000_000))
    assert sentence.startswith(f"{DEFAULT_MODEL} needs {figure} of memory")
    assert hint in sentence
    check_memory(REAL_SIZE, dtype, torch.device(device), 45_000_000_000)


def test_too_little_memory_is_told_before_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(qwen2_audio, "free_bytes", lambda _: 100_000)
    assert "GB free" in refused(lambda: load(tiny_checkpoint(), ONE_THREAD, lines.append))
    assert lines == []


def test_memory_that_is_free_is_measured() -> None:
    assert 2**20 < qwen2_audio.free_bytes(CPU) <= 2**62


@pytest.mark.parametrize(
    ("wanted", "device", "dtype"),
    [
        ("", "cpu", torch.float32),
        ("", "cuda", torch.bfloat16),
        ("bfloat16", "cpu", torch.bfloat16),
        ("float32", "cuda", torch.float32),
    ],
)
def test_weights_are_of_the_type_that_was_asked_for_or_that_suits_the_device(
    wanted: str, device: str, dtype: Any
) -> None:
    assert dtype_of(wanted, torch.device(device)) == dtype


def test_a_type_that_is_not_known_is_refused() -> None:
    assert "expected 'bfloat16' or 'float32'" in refused(lambda: dtype_of("int4", CPU))


# Loading ---------------------------------------------------------------------------------


async def test_in_float32_it_says_what_transformers_says(engine: LoadedSpeechLM) -> None:
    assert (engine.device, engine.dtype) == ("cpu", "float32")
    asked = (spoken(1), AssistantMessage("Yes."), UserMessage((AudioPart(noise(2)), TextPart("And?"))))
    said, usage = await answer(engine, *asked, sampling=Sampling(temperature=0, repetition_penalty=1))
    tokens = Reference(transformers_tiny()).tokens(asked, 8)
    expected = transformers_tiny().processor.tokenizer.decode(tokens, skip_special_tokens=True)
    assert said == expected.rstrip("\ufffd")  # a letter that its limit cuts in two is not said
    assert said
    assert usage.input_audio_tokens == 2 * 12


async def test_in_bfloat16_it_answers_too() -> None:
    engine = load(tiny_checkpoint(), replace(ONE_THREAD, dtype="bfloat16"), unread)
    try:
        assert engine.dtype == "bfloat16"
        _, usage = await answer(engine, spoken(1), sampling=Sampling(temperature=0))
        assert usage.output_text_tokens > 0
    finally:
        await engine.aclose()


def test_it_chooses_tokens_as_its_generation_config_says() -> None:
    config = json.loads((tiny_folder() / "generation_config.json").read_text())
    sampling_params = sampling_params_of(transformers_tiny().model.generation_config)
    assert sampling_params == SamplingParams(0.7, 20, 0.5, 1.1)
    assert sampling_params == SamplingParams(
        config["temperature"], config["top_k"], config["top_p"], config["repetition_penalty"]
    )


def test_without_sampling_in_its_generation_config_it_takes_the_likeliest() -> None:
    generation = SimpleNamespace(
        do_sample=None, temperature=None, top_k=None, top_p=None, repetition_penalty=None
    )
    assert sampling_params_of(generation) == SamplingParams(0.0, 0, 1.0, 1.0)


def test_weights_that_are_missing_in_a_sound_file_are_told(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["language_model.lm_head.weight"]
    del weights["audio_tower.conv1.bias"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    sentence = refused(lambda: load(read(folder, str(folder)), ONE_THREAD, unread))
    assert re.fullmatch(
        rf"{re.escape(str(folder))} lacks 2 weights, \S+ among them: download it again\.", sentence
    )


def test_weights_of_another_shape_are_told(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["audio_tower.conv1.bias"] = np.zeros(7, np.float32)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert str(folder) in refused(lambda: load(read(folder, str(folder)), ONE_THREAD, unread))


@pytest.mark.parametrize("name", ["tokenizer.json", "preprocessor_config.json"])
def test_what_else_is_damaged_is_told_before_the_weights_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (folder / name).write_text("{")

    def read_weights(*_: object, **__: object) -> None:
        raise AssertionError("the weights were read")

    monkeypatch.setattr(transformers.Qwen2AudioForConditionalGeneration, "from_pretrained", read_weights)
    sentence = refused(lambda: load(read(folder, str(folder)), ONE_THREAD, unread))
    assert sentence.startswith(f"{folder} cannot be loaded (")
    assert "AssertionError" not in sentence


# Progress --------------------------------------------------------------------------------


def test_loading_is_reported_with_its_size_and_its_time() -> None:
    lines: list[str] = []
    asyncio.run(load(tiny_checkpoint(), ONE_THREAD, lines.append).aclose())
    first, last = lines
    assert first == "loading Someone/Tiny (0.0 GB) ..."
    assert re.fullmatch(r"loading Someone/Tiny \(0\.0 GB\) \.\.\. \d+\.\d s", last)


@pytest.mark.parametrize(
    ("slow", "line"), [("find", "getting a/b"), ("model_and_processor", "loading Someone/Tiny")]
)
async def test_what_takes_long_is_reported_again_and_again(
    monkeypatch: pytest.MonkeyPatch, slow: str, line: str
) -> None:
    again = threading.Event()
    lines: list[str] = []

    def report(line: str) -> None:
        lines.append(line)
        if len([line for line in lines if line.endswith(" s so far ...")]) >= 3:
            again.set()

    def until_told(*_: object) -> None:
        assert again.wait(HANGS_S)
        raise AgentError("agent_unavailable", "Enough.")

    monkeypatch.setattr(qwen2_audio, "REPORT_EVERY_S", 0.001)
    monkeypatch.setattr(qwen2_audio, "find", lambda *_: tiny_checkpoint())
    monkeypatch.setattr(qwen2_audio, slow, until_told)
    with pytest.raises(AgentError, match=r"Enough\."):
        await qwen2_audio.build_qwen2_audio(replace(ONE_THREAD, model="a/b"), report)
    assert f"{line}: 0 s so far ..." in lines


# Which model `auto` means ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("is_on_disk", "fits", "built"),
    [(True, True, DEFAULT_MODEL), (True, False, "embedded"), (False, True, "embedded")],
)
async def test_auto_takes_qwen2_audio_only_from_the_disk_and_for_a_gpu_that_holds_it(
    monkeypatch: pytest.MonkeyPatch, is_on_disk: bool, fits: bool, built: str
) -> None:
    async def build_qwen2_audio(settings: AgentSettings, _: object) -> str:
        return settings.model

    async def build_embedded(*_: object) -> str:
        return "embedded"

    monkeypatch.setattr(qwen2_audio_files, "on_disk", lambda name: REAL_SIZE if is_on_disk else None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(qwen2_audio, "free_bytes", lambda _: 2**36 if fits else 2**34)
    monkeypatch.setattr(qwen2_audio, "build_qwen2_audio", build_qwen2_audio)
    monkeypatch.setattr(embedded, "build_embedded", build_embedded)
    agents: list[Any] = [
        await builder.build_agent(AgentSettings(model), unread) for model in ("auto", "embedded")
    ]
    assert agents == [built, "embedded"]


async def test_a_folder_that_is_not_there_is_told_by_whoever_is_asked_for_an_agent() -> None:
    with pytest.raises(AgentError, match="neither a folder nor a hub's OWNER/NAME"):
        await builder.build_agent(AgentSettings(model="./missing"), unread)


def test_without_a_gpu_it_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not qwen2_audio.fits_gpu(tiny_checkpoint())


def test_torch_is_not_loaded_where_nothing_needs_it(tmp_path: Path) -> None:
    """It takes seconds and half a gigabyte."""
    program = """
import asyncio, sys
import realtime.server.app, agent.builder
from agent.settings import AgentSettings
asyncio.run(agent.builder.build_agent(AgentSettings(model="scripted"), print))
assert agent.builder._qwen2_audio_that_fits() is None
assert not {"torch", "transformers"} & set(sys.modules)
"""
    environment = {"HF_HOME": str(tmp_path), "PATH": "", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


# Prompts ---------------------------------------------------------------------------------


def prompts(layout: Layout = "instruct", context_tokens: int = 8192) -> Qwen2AudioPrompts:
    processor = transformers_tiny().processor
    tokenizer = processor.tokenizer
    names = ("im_start", "im_end", "audio_bos", "audio_eos")
    control = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in names}
    features = Features(processor.feature_extractor)
    return Qwen2AudioPrompts(tokenizer, ControlTokens(**control), features, context_tokens, layout)


def ids(prompt: Prompt) -> list[int]:
    return [int(token) for token in prompt.ids(transformers_tiny().model.config.audio_token_id)]


def written(prompt: Prompt) -> str:
    """The prompt as text, with one <|AUDIO|> for each clip."""
    text = str(transformers_tiny().processor.tokenizer.decode(ids(prompt)))
    return re.sub(r"(<\|AUDIO\|>)+", "<|AUDIO|>", text)


def clips(prompt: Prompt) -> list[Clip]:
    return [piece for piece in prompt.pieces if isinstance(piece, Clip)]


def test_the_base_model_reads_the_audio_and_the_instruction_and_nothing_round_them() -> None:
    instruction = "Detect the language and recognize the speech: <|en|>"
    earlier = (typed("Hello."), AssistantMessage("Hi."), SystemMessage("Be brief."))
    task = UserMessage((AudioPart(noise(1)), TextPart(instruction)))
    prompt = prompts("base").prompt("Be kind.", (*earlier, task), 1000)
    samples = np.frombuffer(noise(1), "<i2").astype(np.float32) / 32768
    expected = transformers_tiny().processor(
        text=f"<|audio_bos|><|AUDIO|><|audio_eos|>{instruction}", audio=[samples], sampling_rate=16_000
    )
    assert ids(prompt) == list(np.ravel(expected["input_ids"]))


@pytest.mark.parametrize(("messages"), [(), (SystemMessage("Be brief."),)])
def test_the_base_model_needs_something_to_go_on_from(messages: Sequence[Message]) -> None:
    refused(lambda: prompts("base").prompt("Be kind.", tuple(messages), 1000), "invalid_value")


async def test_a_checkpoint_named_as_the_base_model_is_asked_as_the_base_model() -> None:
    engine = load(replace(tiny_checkpoint(), name="Qwen/Qwen2-Audio-7B"), ONE_THREAD, unread)
    try:
        _, usage = await answer(engine, UserMessage((AudioPart(noise(1)), TextPart("Say"))))
        assert usage.input_text_tokens == len(["<|audio_bos|>", "<|audio_eos|>", *"Say"])
    finally:
        await engine.aclose()


# The context -----------------------------------------------------------------------------

TALK: tuple[Message, ...] = tuple(
    message
    for number in range(12)
    for message in (
        UserMessage((AudioPart(noise(number)), TextPart(f"Question {number}?"))),
        AssistantMessage(f"Answer {number}."),
    )
)[:-1]


def test_when_the_context_is_full_the_oldest_turns_leave_whole() -> None:
    made = prompts()
    whole = made.prompt("Be kind.", TALK, 8192)
    turns = _turns(written(whole))
    assert len(turns) == 1 + len(TALK) + 1
    left = set()
    for budget in range(whole.n_tokens, 150, -37):
        prompt = made.prompt("Be kind.", TALK, budget)
        assert prompt.n_tokens <= budget
        system, *kept, _ = _turns(written(prompt))
        assert system == "<|im_start|>system\nBe kind."
        # Numbered anew: what left is not counted.
        assert [_unnumbered(turn) for turn in kept] == [
            _unnumbered(turn) for turn in turns[-1 - len(kept) : -1]
        ]
        assert [int(n) for n in re.findall(r"Audio (\d+): ", "".join(kept))] == list(
            range(1, len(clips(prompt)) + 1)
        )
        assert kept[0].startswith("<|im_start|>user\n")
        assert "Question 11?" in kept[-1]
        left.add(len(TALK) - len(kept))
    assert min(left) == 0
    assert max(left) > len(TALK) / 2
    assert len(left) > 3


def test_turns_leave_many_at_once_so_that_what_is_kept_stays_in_the_cache() -> None:
    made = prompts()
    firsts = []
    for n_messages in range(1, len(TALK) + 1, 2):
        kept = _turns(written(made.prompt("Be kind.", TALK[:n_messages], 400)))
        firsts.append(re.search(r"Question (\d+)", kept[1])[0])  # type: ignore[index]
    assert 1 < len(set(firsts)) <= len(firsts) / 2


def _turns(prompt: str) -> list[str]:
    """With the one that is to be written last."""
    return prompt.split("<|im_end|>\n")


def _unnumbered(turn: str) -> str:
    return re.sub(r"Audio \d+: ", "Audio: ", turn)


@pytest.mark.parametrize("layout", ["instruct", "base"])
def test_a_last_turn_that_is_too_long_is_cut(layout: Layout) -> None:
    long = typed(f"What is this? {'x' * 2000} Tell me.")
    prompt = prompts(layout).prompt("", (*TALK, long), 1000)
    assert prompt.is_cut
    assert 900 < prompt.n_tokens <= 1000
    assert "What is this? xxx" in written(prompt)
    assert "xxx Tell me." in written(prompt)
    assert not prompts(layout).prompt("", (*TALK, long, AssistantMessage("No."), typed("Hi")), 1000).is_cut


@pytest.mark.parametrize("layout", ["instruct", "base"])
def test_audio_that_is_longer_than_the_context_is_refused_with_the_figure(layout: Layout) -> None:
    long = UserMessage((AudioPart(noise(1, 90.0)),))
    sentence = refused(lambda: prompts(layout).prompt("", (*TALK, long), 1000), "context_length_exceeded")
    assert re.search(r"take 2\d\d\d tokens; 1000 at most leave room for an answer", sentence)


def test_with_truncation_disabled_no_turn_leaves() -> None:
    whole = prompts().prompt("Be kind.", TALK, 8192)
    exceeded = "context_length_exceeded"
    refused(lambda: prompts().prompt("Be kind.", TALK, whole.n_tokens - 1, Truncation(None)), exceeded)
    assert prompts().prompt("Be kind.", TALK, whole.n_tokens, Truncation(None)).n_tokens == whole.n_tokens


def test_a_conversation_may_be_limited_below_the_context() -> None:
    assert prompts().prompt("", TALK, 8192, Truncation(1.0, tokens_max=200)).n_tokens < 300


def test_speakers_alternate_though_nobody_heard_an_answer() -> None:
    result = ToolResultMessage("c", "noon")
    asked = (typed("One."), typed("Two."), ToolCallMessage("c", "clock", "{}"), result)
    assert _turns(written(prompts().prompt("Be kind.", asked, 1000)))[1:] == [
        "<|im_start|>user\nOne.\nTwo.\nHere is what I found: noon",
        "<|im_start|>assistant\n",
    ]


async def test_a_text_of_ten_thousand_tokens_is_cut_instructions_of_them_refused_and_the_next_turn_answered(
    engine: LoadedSpeechLM,
) -> None:
    request = EngineRequest("c", "", (typed("x" * 10_000),), max_tokens=2)
    [*_, done] = [delta async for delta in engine.generate(request)]
    assert isinstance(done, EngineDone)
    assert done.input_was_cut
    with pytest.raises(AgentError) as error:
        await answer(engine, typed("Hello."), instructions="y" * 10_000)
    assert error.value.code == "context_length_exceeded"
    assert "yyy" not in error.value.message
    _, usage = await answer(engine, typed("Hello."))
    assert usage.output_text_tokens > 0


# Audio -----------------------------------------------------------------------------------


def test_audio_of_over_thirty_seconds_is_cut_and_numbered() -> None:
    long = UserMessage((AudioPart(noise(1, 70.0)), TextPart("What is that?")))
    prompt = prompts().prompt("", (spoken(2), AssistantMessage("Yes."), long, spoken(3)), 8000)
    assert written(prompt).count("<|AUDIO|>") == len(clips(prompt)) == 5
    numbers = [f"Audio {number}: <|audio_bos|><|AUDIO|><|audio_eos|>\n" for number in (2, 3, 4)]
    assert f"<|im_start|>user\n{''.join(numbers)}What is that?\nAudio 5: " in written(prompt)
    assert "Audio 5: " in written(prompt)
    assert all(clip.n_tokens <= 750 for clip in clips(prompt))
    assert sum(clip.n_tokens for clip in clips(prompt)[1:4]) == pytest.approx(70 * 25, abs=3)


@pytest.mark.parametrize("layout", ["instruct", "base"])
def test_audio_of_under_100_ms_is_refused(layout: Layout) -> None:
    short = UserMessage((AudioPart(noise(1, 0.099)),))
    sentence = refused(lambda: prompts(layout).prompt("", (short,), 1000), "invalid_value")
    assert sentence == "Audio of 99 ms is too short: expected at least 100 ms."
    [clip] = clips(prompts(layout).prompt("", (spoken(1, 0.1),), 1000))
    assert clip.n_tokens >= 2


def test_audio_that_was_refused_does_not_spoil_the_turns_after_it() -> None:
    short = AudioPart(noise(1, 0.05))
    before = (UserMessage((short,)), UserMessage((short, TextPart("Well?"))))
    prompt = prompts().prompt("", (*before, spoken(2)), 1000)
    assert len(clips(prompt)) == 1
    assert "<|im_start|>user\nWell?\nAudio 1: " in written(prompt)


def test_audio_that_was_forgotten_is_replaced_by_its_words() -> None:
    earlier = UserMessage((AudioPart(b"", "What is the time?"),))
    forgotten = UserMessage((AudioPart(b""),))
    text = written(prompts().prompt("", (earlier, AssistantMessage("Noon."), forgotten, spoken(1)), 1000))
    assert "<|im_start|>user\nWhat is the time?<|im_end|>" in text
    assert text.count("<|im_start|>user\n") == 2
