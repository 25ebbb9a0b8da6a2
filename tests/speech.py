"""Recorded speech with known truth, and sounds that hold none, for tests and benchmarks."""

import json
import wave
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.audio.g711 import G711_HZ, decode_mulaw, encode_mulaw
from realtime.audio.resample import Resampler

HZ = 16_000
_FOLDER = Path(__file__).parent / "data" / "speech"


@dataclass(frozen=True, slots=True)
class Utterance:
    """One plausible user turn. Times in ms from the start of its file.

    voiced_start_ms: where the voice sets in, after an unvoiced "f" or "s". longest_pause_ms: the
    longest silence inside. transcript: None where nobody can say.
    """

    name: str
    path: Path
    seconds: float
    speech_start_ms: int
    voiced_start_ms: int
    speech_end_ms: int
    longest_pause_ms: int
    language: str
    transcript: str | None

    @property
    def pcm16k(self) -> bytes:
        """s16le mono at 16 kHz, as recorded."""
        return _wav(self.path)

    @property
    def pcm24k(self) -> bytes:
        """s16le mono at 24 kHz, as a client of the realtime protocol sends it."""
        return _at_24k(self.path)


@dataclass(frozen=True, slots=True)
class Recording:
    """A longer recording. speech_ms: where it holds speech, as (start, end)."""

    pcm16k: bytes
    speech_ms: tuple[tuple[int, int], ...]


@cache
def utterances() -> tuple[Utterance, ...]:
    """All 36, in the order of the manifest."""
    return tuple(
        Utterance(
            name=Path(row["file"]).stem,
            path=_FOLDER / row["file"],
            seconds=row["seconds"],
            speech_start_ms=row["speech_start_ms"],
            voiced_start_ms=row["voiced_start_ms"],
            speech_end_ms=row["speech_end_ms"],
            longest_pause_ms=row["longest_pause_ms"],
            language=row["language"],
            transcript=row["transcript"],
        )
        for row in _manifest()["utterances"]
    )


def utterance(name: str) -> Utterance:
    [found] = [one for one in utterances() if one.name == name]
    return found


def lecture() -> Recording:
    """One minute of a lecture, with its pauses."""
    [row] = _manifest()["recordings"]
    return Recording(_wav(_FOLDER / row["file"]), tuple((start, end) for start, end in row["speech_ms"]))


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance at its place in a longer stream. Times in ms from the start of the stream."""

    utterance: Utterance
    offset_ms: int

    @property
    def speech_start_ms(self) -> int:
        return self.offset_ms + self.utterance.speech_start_ms

    @property
    def voiced_start_ms(self) -> int:
        return self.offset_ms + self.utterance.voiced_start_ms

    @property
    def speech_end_ms(self) -> int:
        return self.offset_ms + self.utterance.speech_end_ms


def one_after_another(
    gap_s: float, spoken: tuple[Utterance, ...] | None = None
) -> tuple[bytes, list[Spoken]]:
    """Utterances (all, if not named) with digital silence of `gap_s` before each and after the last."""
    gap = bytes(2 * int(gap_s * HZ))
    pcm, places = bytearray(), list[Spoken]()
    for one in utterances() if spoken is None else spoken:
        pcm += gap
        places.append(Spoken(one, len(pcm) * 1000 // (2 * HZ)))
        pcm += one.pcm16k
    return bytes(pcm + gap), places


def speech_rms() -> float:
    """Of all utterances together: what a signal to noise ratio is measured against."""
    return rms(b"".join(one.pcm16k for one in utterances()))


# Sounds without speech ----------------------------------------------------------------


def white_noise(seconds: float, rms: float, seed: int = 1) -> bytes:
    """rms: in units of 16-bit samples."""
    return _pcm(np.random.default_rng(seed).standard_normal(int(seconds * HZ)) * rms)


def pink_noise(seconds: float, rms: float, seed: int = 1) -> bytes:
    """Power falls by 3 dB an octave, as that of rooms and ventilators."""
    n = int(seconds * HZ)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n))
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(n, 1 / HZ), 20))
    noise = np.fft.irfft(spectrum, n)
    return _pcm(noise * (rms / noise.std()))


def clicks(seconds: float, peak: float = 20_000, seed: int = 1) -> bytes:
    """Three 5 ms bursts a second at random times, as of keys and switches."""
    random = np.random.default_rng(seed)
    out = random.standard_normal(int(seconds * HZ)) * 10
    burst_samples = HZ // 200
    for start in random.integers(0, len(out) - burst_samples, int(seconds * 3)):
        decay = np.exp(-np.arange(burst_samples) / (HZ / 1000))
        out[start : start + burst_samples] += peak * decay * random.standard_normal(burst_samples)
    return _pcm(out)


def hum(seconds: float, rms: float = 2_000, mains_hz: float = 50) -> bytes:
    """The mains and its odd harmonics."""
    t = np.arange(int(seconds * HZ)) / HZ
    out = sum(np.sin(2 * np.pi * mains_hz * k * t) / k for k in (1, 3, 5, 7))
    return _pcm(np.asarray(out) * rms)


def tone(seconds: float, rms: float, hz: float = 440) -> bytes:
    return _pcm(np.sin(2 * np.pi * hz * np.arange(int(seconds * HZ)) / HZ) * rms * np.sqrt(2))


def in_a_room(pcm: bytes, room_rms: float = 20, seed: int = 1) -> bytes:
    """`pcm` with the soft pink noise of a quiet room, so that no silence is a digital one."""
    noise = pink_noise(len(pcm) / (2 * HZ) + 0.1, room_rms, seed)[: len(pcm)]
    return _pcm(np.frombuffer(pcm, "<i2").astype(np.float64) + np.frombuffer(noise, "<i2"))


def over_a_telephone(pcm: bytes) -> bytes:
    """`pcm` (16 kHz) as a telephone brings it: 300 to 3,400 Hz, 12 dB an octave below, mu-law at 8 kHz."""
    spectrum = np.fft.rfft(np.frombuffer(pcm, "<i2").astype(np.float64))
    hz = np.fft.rfftfreq(len(pcm) // 2, 1 / HZ) + 1e-9
    spectrum /= np.sqrt(1 + (300 / hz) ** 4) * np.sqrt(1 + (hz / 3_400) ** 16)
    down, up = Resampler(HZ, G711_HZ), Resampler(G711_HZ, HZ)
    narrow = down.push(_pcm(np.fft.irfft(spectrum, len(pcm) // 2))) + down.flush()
    return up.push(decode_mulaw(encode_mulaw(narrow))) + up.flush()


def with_noise(pcm: bytes, noise: bytes, snr_db: float, speech_rms: float | None = None) -> bytes:
    """`pcm` with `noise` so loud that speech is `snr_db` above it.

    noise: at least as long as `pcm`. speech_rms: of the speech in `pcm`, if not of all of it.
    """
    clean = np.frombuffer(pcm, "<i2").astype(np.float64)
    added = np.frombuffer(noise, "<i2")[: len(clean)].astype(np.float64)
    level = speech_rms or rms(pcm)
    return _pcm(clean + added * (level / 10 ** (snr_db / 20) / added.std()))


def rms(pcm: bytes) -> float:
    return float(np.sqrt(np.mean(np.frombuffer(pcm, "<i2").astype(np.float64) ** 2)))


def _pcm(samples: npt.NDArray[np.float64]) -> bytes:
    return np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()


@cache
def _manifest() -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((_FOLDER / "manifest.json").read_text("utf-8"))
    return manifest


@cache
def _wav(path: Path) -> bytes:
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (HZ, 1, 2)
        return file.readframes(file.getnframes())


@cache
def _at_24k(path: Path) -> bytes:
    resampler = Resampler(HZ, 24_000)
    return resampler.push(_wav(path)) + resampler.flush()
