"""Whisper on CTranslate2, for one clip at a time: short windows, and no words where nobody speaks.

Blocking code without state between calls; `queue` makes a recogniser of it.
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import ctranslate2
import numpy as np
import tokenizers
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import Tokenizer

import agent.onnx  # noqa: F401 - silences onnxruntime before faster_whisper loads it
from agent.api import LISTENING_HZ
from agent.asr.base import LANGUAGES, SpokenLanguage
from agent.asr.voice import voice_probabilities
from agent.asr.windows import WINDOWS_S, Samples, pieces, window_s
from agent.models.files import ModelFile, verified

FRAMES_PER_S = 100

# Where nobody speaks, Whisper invents words. Four guards, from the cheapest to the dearest; the
# numbers are from silence, noise, hum and clicks against the quietest of real speech.
SILENCE = 0.0005
"""-66 dBFS of the loudest 100 ms: a muted microphone."""
VOICE_LEAST = 0.4
"""Silero's probability that the likeliest 96 ms of the clip hold a voice."""
NO_SPEECH_MOST = 0.6
LOG_PROB_LEAST = -1.0
"""As openai-whisper: unlikely words in a clip that may hold no speech are not taken."""
COMPRESSION_MOST = 2.4
"""As openai-whisper: text that compresses better than this repeats itself."""
INVENTED = frozenset(
    {
        *(
            "you",
            "thank you",
            "thanks",
            "thank you very much",
            "thanks for watching",
            "thank you for watching",
        ),
        *(
            "bye",
            "bye bye",
            "the end",
            "please subscribe",
            "subscribe",
            "so",
            "oh",
            "hmm",
            "uh",
            "um",
            "okay",
        ),
        *("i'm sorry", "silence", "music", "applause", "blank audio", "subtitles by the amara org community"),
    }
)
"""What Whisper says to noise."""
VOICE_CERTAIN = 0.8
"""From here on what was decoded is taken, unlikely or not: people do say "the four percent"."""


@dataclass(frozen=True, slots=True)
class _Decoded:
    text: str
    log_prob: float  # mean, of a token
    no_speech: float  # probability
    hit_the_cap: bool

    @property
    def repeats(self) -> bool:
        encoded = self.text.encode()
        return len(encoded) > 40 and len(encoded) / len(zlib.compress(encoded)) > COMPRESSION_MOST


class Whisper:
    """The model, loaded. Holds 300 MB (tiny.en) or 450 MB (base) with int8 weights."""

    def __init__(self, files: Mapping[str, Sequence[ModelFile]], threads: int) -> None:
        """Raises ModelFileError. Loads in 0.3 s (tiny.en) or 0.7 s (base)."""
        # The parts are joined in memory: no second copy on the disk, nothing to clean up.
        contents = {
            name: b"".join(verified(part).read_bytes() for part in parts) for name, parts in files.items()
        }
        words = tokenizers.Tokenizer.from_buffer(contents.pop("tokenizer.json"))
        self._model = ctranslate2.models.Whisper(
            "whisper", device="cpu", compute_type="int8", intra_threads=threads, files=contents
        )
        self.multilingual: bool = self._model.is_multilingual
        self._features = FeatureExtractor()
        self._tokenizers = {
            language: Tokenizer(words, self.multilingual, task="transcribe", language=language)
            for language in (LANGUAGES if self.multilingual else LANGUAGES[:1])
        }

    def recognise(self, pcm: bytes, language: str) -> str:
        """The words of s16le mono audio at LISTENING_HZ, "" when it holds none.

        language: one of LANGUAGES; another one is taken for English.
        """
        samples = _samples_of(pcm)
        tokenizer = self._tokenizers.get(language, self._tokenizers["en"])
        said = (self._piece(piece, tokenizer) for piece in pieces(samples))
        return " ".join(text for text in said if text)

    def language(self, pcm: bytes) -> SpokenLanguage:
        """By the first piece that holds a voice, or the first one. Only where the model is multilingual."""
        cut = pieces(_samples_of(pcm))
        voiced = (piece for piece in cut if self._voice_probability(piece) >= VOICE_LEAST)
        piece = next(voiced, cut[0])
        [(token, probability), *_] = self._model.detect_language(self._encoded(piece, window_s(len(piece))))[
            0
        ]
        return SpokenLanguage(token.strip("<|>"), float(probability))

    def _piece(self, samples: Samples, tokenizer: Tokenizer) -> str:
        if loudest(samples) < SILENCE:
            return ""
        voice = self._voice_probability(samples)
        if voice < VOICE_LEAST:
            return ""
        decoded = self._guarded(samples, tokenizer)
        text = without_annotations(decoded.text)
        is_certain = voice >= VOICE_CERTAIN
        is_unlikely = decoded.no_speech > NO_SPEECH_MOST and decoded.log_prob < LOG_PROB_LEAST
        if decoded.repeats or (not is_certain and (is_unlikely or plain(text) in INVENTED)):
            return ""
        return text if plain(text) else ""

    def _voice_probability(self, samples: Samples) -> float:
        """Silero's probability of a voice, over the three neighbouring frames where it is highest."""
        likely = voice_probabilities(samples)
        return float(np.convolve(likely, np.ones(3) / 3, mode="same").max())

    def _guarded(self, samples: Samples, tokenizer: Tokenizer) -> _Decoded:
        """Decode in the smallest window that fits, and again in the full one where that went wrong."""
        decoded = _Decoded("", 0.0, 1.0, True)
        for window in _windows(len(samples)):
            decoded = self._decoded(samples, window, tokenizer)
            if not decoded.hit_the_cap and not decoded.repeats:
                break
        return decoded

    def _encoded(self, samples: Samples, window: float) -> ctranslate2.StorageView:
        padded = np.pad(samples, (0, max(0, int(window * LISTENING_HZ) - len(samples))))
        features = self._features(padded, padding=0)[:, : int(window * FRAMES_PER_S)]
        return self._model.encode(ctranslate2.StorageView.from_array(features[None].astype(np.float32)))

    def _decoded(self, samples: Samples, window: float, tokenizer: Tokenizer) -> _Decoded:
        encoded = self._encoded(samples, window)
        prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        cap = token_cap(len(samples))
        [result] = self._model.generate(
            encoded,
            [prompt],
            beam_size=1,
            # CTranslate2 stops at half of max_length, of which the prompt is a part.
            max_length=min(448, 2 * (cap + len(prompt))),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=[-1],
        )
        tokens = result.sequences_ids[0]
        return _Decoded(
            tokenizer.decode(tokens).strip(),
            float(result.scores[0]),
            float(result.no_speech_prob),
            hit_the_cap=len(tokens) >= min(cap, 220),
        )


def _samples_of(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0


def token_cap(n_samples: int) -> int:
    """More tokens than anybody speaks in that time (three words a second are about four tokens)."""
    return 8 + int(6 * n_samples / LISTENING_HZ)


def _windows(n_samples: int) -> Iterator[float]:
    first = window_s(n_samples)
    yield first
    if first < WINDOWS_S[-1]:
        yield WINDOWS_S[-1]


def loudest(samples: Samples) -> float:
    """Root mean square of the loudest 100 ms; 0.0 of nothing."""
    span = LISTENING_HZ // 10
    starts = range(0, len(samples), span)
    return max(
        (float(np.sqrt(np.mean(np.square(samples[start : start + span])))) for start in starts), default=0.0
    )


def without_annotations(text: str) -> str:
    """Without what is no speech: "[BLANK_AUDIO]", "(music)", "*laughs*", notes."""
    return re.sub(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|[♪♫]", " ", text).strip()


def plain(text: str) -> str:
    """Lower case, letters and figures only."""
    return " ".join(re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower()))
