"""aiperf and guidellm ask Parlour as they would ask any server of OpenAI's HTTP protocol."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.e2e.serving import serving
from tests.environments import CACHE, environment, output_of

pytestmark = [pytest.mark.judges, pytest.mark.timeout(2_400)]
AIPERF = ("aiperf==0.13.0",)
GUIDELLM = ("torch==2.13.0", "guidellm==0.8.1")
N_REQUESTS, N_AT_ONCE = 40, 4
QUESTIONS = [f"Question number {number}, please" for number in range(N_REQUESTS)]
RUN_HANGS_S = 300.0


def _bytes_tokenizer(folder: Path) -> Path:
    """A token for each byte: aiperf loads a tokenizer of a hub or a folder, though the server counts."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    return folder


async def test_aiperf_complains_of_no_answer(tmp_path: Path) -> None:
    await environment("aiperf", AIPERF)
    asked = tmp_path / "asked.jsonl"
    asked.write_text("\n".join(json.dumps({"text": one}) for one in QUESTIONS), "utf-8")
    async with serving("--model", "scripted") as address:
        printed = await output_of(
            RUN_HANGS_S,
            *(CACHE / "aiperf" / "bin" / "aiperf", "profile", "--model", "scripted", "--streaming"),
            *("--url", address, "--endpoint-type", "chat", "--use-server-token-count"),
            *("--concurrency", str(N_AT_ONCE), "--request-count", str(N_REQUESTS), "--ui", "none"),
            *("--input-file", asked, "--custom-dataset-type", "single_turn"),
            *("--tokenizer", _bytes_tokenizer(tmp_path / "tokenizer"), "--artifact-dir", tmp_path / "out"),
        )
    [found] = (tmp_path / "out").rglob("profile_export_aiperf.json")
    figures = json.loads(found.read_text("utf-8"))
    print(printed[-4_000:])
    assert figures["request_count"]["avg"] == N_REQUESTS
    assert figures.get("error_request_count") is None
    assert figures["output_sequence_length"]["avg"] > 1, "the server says how many tokens it wrote"
    assert figures["input_sequence_length"]["avg"] > 1, "and read"


async def test_guidellm_completes_every_request(tmp_path: Path) -> None:
    await environment("guidellm", GUIDELLM)
    asked, found = tmp_path / "asked.csv", tmp_path / "found.json"
    asked.write_text("text\n" + "\n".join(f'"{one}"' for one in QUESTIONS), "utf-8")
    async with serving("--model", "scripted") as address:
        printed = await output_of(
            RUN_HANGS_S,
            *(CACHE / "guidellm" / "bin" / "guidellm", "run", "--disable-console-interactive"),
            *("--backend", f"kind=openai_http,target={address},model=scripted"),
            *("--profile", f"kind=concurrent,streams={N_AT_ONCE}"),
            *("--constraint", f"kind=max_requests,count={N_REQUESTS}"),
            *("--data", f"kind=csv_file,path={asked}", "--output", f"kind=json,path={found}"),
        )
    print(printed[-4_000:])
    [benchmark] = json.loads(found.read_text("utf-8"))["benchmarks"]
    totals = benchmark["metrics"]["request_totals"]
    assert (totals["successful"], totals["errored"], totals["incomplete"]) == (N_REQUESTS, 0, 0)
