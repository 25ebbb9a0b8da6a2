"""What hearing turns costs, and how well it is done: `python -m tests.bench.bench_vad [--json FILE]`.

Cost: microseconds of one core for each step, and for the whole way of a 20 ms frame at 24 kHz from a
client to the turn signals, where 35 % of the time somebody speaks. Quality: on the recorded
utterances, clean and in noise. Onset delay counts from the first voiced sample to the push that
returned SpeechStarted; endpoint delay from the end of speech, less the silence asked for.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from realtime.audio.endpointer import Endpointer, Endpointing
from realtime.audio.resample import Resampler
from realtime.protocol.inputs import SpeechStarted, SpeechStopped, TurnSignal
from realtime.turns.base import VoiceActivity
from realtime.turns.noise_gate import NoiseGate
from realtime.turns.server_vad import ServerVad
from realtime.turns.silero import FRAME_SAMPLES, SileroModel
from realtime.turns.webrtc_vad import WebRtcVad
from tests import speech

SPEECH_SHARE = 0.35
FRAME_MS = 20


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of one core. mean_us counts for capacity; the others are of single calls."""

    step: str
    frame_ms: int
    mean_us: float
    p50_us: float
    p95_us: float
    p99_us: float
    n: int


@dataclass(frozen=True, slots=True)
class Quality:
    """recall, false_alarm: of frames, against the ungated model on clean audio. Delays in ms."""

    sound: str
    detector: str
    recall: float
    false_alarm: float
    model_share: float
    utterances: int
    missed: int
    split: int
    cut_off: int
    false_starts: int
    onset_p50_ms: float
    onset_p95_ms: float
    endpoint_p50_ms: float
    endpoint_p95_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    model = SileroModel()
    cpus = {line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")}
    machine = {
        "cpu": ", ".join(cpus) or platform.processor(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }
    costs = measure_costs(model)
    quality = measure_quality(model)
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    print(f"\n{'step':36} {'frame':>8} {'mean':>7} {'p50':>7} {'p95':>7} {'p99':>7}  microseconds a frame")
    for c in costs:
        print(
            f"{c.step:36} {c.frame_ms:5} ms {c.mean_us:7.1f} {c.p50_us:7.1f} {c.p95_us:7.1f} {c.p99_us:7.1f}"
        )
    print(
        f"\n{'sound':16} {'detector':18} {'recall':>6} {'alarm':>6} {'model':>6} {'missed':>6} {'split':>6} "
        f"{'cut':>4} {'false':>5} {'onset p50':>10} {'p95':>5} {'end p50':>8} {'p95':>5}  ms"
    )
    for q in quality:
        print(
            f"{q.sound:16} {q.detector:18} {q.recall:6.3f} {q.false_alarm:6.3f} {q.model_share:6.2f} "
            f"{q.missed:6} {q.split:6} {q.cut_off:4} {q.false_starts:5} "
            f"{q.onset_p50_ms:10.0f} {q.onset_p95_ms:5.0f} {q.endpoint_p50_ms:8.0f} {q.endpoint_p95_ms:5.0f}"
        )
    if arguments.json:
        rows = {"machine": machine, "costs": [*map(asdict, costs)], "quality": [*map(asdict, quality)]}
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


# Cost ---------------------------------------------------------------------------------


def measure_costs(model: SileroModel) -> list[Cost]:
    pcm, _ = mixed()
    costs = []
    for from_hz in (24_000, 8_000, 48_000):
        down = Resampler(from_hz, 16_000)
        step = f"resample {from_hz // 1000} to 16 kHz"
        costs.append(timed(step, at_rate(pcm, from_hz), FRAME_MS * from_hz // 1000, from_hz, down.push))
    costs.append(timed("gate", pcm, FRAME_SAMPLES, 16_000, NoiseGate().opens_for))
    webrtc = WebRtcVad(2)
    costs.append(timed("webrtc", pcm, webrtc.frame_samples, 16_000, webrtc.probability))
    silero, minute = model.new_session(), pcm[: 32_000 * 60]
    for together in (1, 2, 4, 8, 16):
        step = f"silero, {together} together"
        costs.append(timed(step, minute, FRAME_SAMPLES, 16_000, silero.probabilities, together))
    endpointer = Endpointer(Endpointing())
    costs.append(
        timed("endpointer", pcm, FRAME_SAMPLES, 16_000, lambda _: endpointer.push(0.5, FRAME_SAMPLES))
    )
    pcm24k, frame24k = at_rate(pcm, 24_000), FRAME_MS * 24
    for name, gate in (("gated", NoiseGate()), ("ungated", None)):
        step = f"whole way, {name}, {SPEECH_SHARE:.0%} speech"
        way = whole_way(ServerVad(model.new_session(), Endpointing(), gate))
        costs.append(timed(step, pcm24k, frame24k, 24_000, way))
    quiet = at_rate(speech.in_a_room(bytes(32_000 * 60)), 24_000)
    way = whole_way(ServerVad(model.new_session(), Endpointing(), NoiseGate()))
    costs.append(timed("whole way, gated, nobody speaks", quiet, frame24k, 24_000, way))
    return costs


def whole_way(detector: ServerVad) -> Callable[[bytes], object]:
    down = Resampler(24_000, 16_000)
    return lambda frame: detector.push(down.push(frame))


def at_rate(pcm16k: bytes, rate_hz: int) -> bytes:
    resampler = Resampler(16_000, rate_hz)
    return resampler.push(pcm16k) + resampler.flush()


def timed(
    step: str, pcm: bytes, frame_samples: int, rate_hz: int, do: Callable[[bytes], object], together: int = 1
) -> Cost:
    """Time `do` on each `together` frames of `pcm`; the figures are for one frame."""
    size = 2 * frame_samples * together
    chunks = [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]
    for chunk in chunks[:100]:
        do(chunk)
    took = np.empty(len(chunks))
    for i, chunk in enumerate(chunks):
        began = time.perf_counter()
        do(chunk)
        took[i] = time.perf_counter() - began
    took *= 1e6 / together
    mean, p50, p95, p99 = (round(float(x), 2) for x in (took.mean(), *np.percentile(took, [50, 95, 99])))
    return Cost(step, frame_samples * 1000 // rate_hz, mean, p50, p95, p99, len(chunks))


def mixed() -> tuple[bytes, list[speech.Spoken]]:
    """All utterances in a room, with so much silence between that SPEECH_SHARE of it is speech."""
    every = speech.utterances()
    spoken_s = sum(one.speech_end_ms - one.speech_start_ms for one in every) / 1000
    silence_s = spoken_s / SPEECH_SHARE - sum(one.seconds for one in every)
    pcm, places = speech.one_after_another(silence_s / (len(every) + 1))
    return speech.in_a_room(pcm), places


# Quality ------------------------------------------------------------------------------


class RecordingEndpointer(Endpointer):
    def __init__(self, times: Endpointing) -> None:
        super().__init__(times)
        self.probabilities: list[float] = []

    def push(self, probability: float, samples: int) -> list[TurnSignal]:
        self.probabilities.append(probability)
        return super().push(probability, samples)


class Counting:
    """Counts the frames that reach the voice activity behind it."""

    def __init__(self, activity: VoiceActivity) -> None:
        self._activity = activity
        self.frame_samples = activity.frame_samples
        self.frames = 0

    def probability(self, frame: bytes) -> float:
        return self.probabilities(frame)[0]

    def probabilities(self, frames: bytes) -> list[float]:
        self.frames += len(frames) // (2 * self.frame_samples)
        return self._activity.probabilities(frames)

    def reset(self) -> None:
        self._activity.reset()


def measure_quality(model: SileroModel) -> list[Quality]:
    clean, places = mixed()
    level = speech.speech_rms()
    seconds = len(clean) / 32_000 + 1
    white, pink = speech.white_noise(seconds, 100), speech.pink_noise(seconds, 100)
    sounds = {
        "quiet room": clean,
        "white 10 dB": speech.with_noise(clean, white, 10, level),
        "pink 10 dB": speech.with_noise(clean, pink, 10, level),
        "pink 0 dB": speech.with_noise(clean, pink, 0, level),
    }
    whole = clean[: len(clean) - len(clean) % (2 * FRAME_SAMPLES)]
    voiced = np.asarray(model.new_session().probabilities(whole)) >= 0.5
    rows = []
    for sound, pcm in sounds.items():
        for name, activity, gate in (
            ("silero", model.new_session(), None),
            ("silero and gate", model.new_session(), NoiseGate()),
            ("webrtc 3", WebRtcVad(3), None),
        ):
            rows.append(_quality(sound, name, pcm, places, voiced, Counting(activity), gate))
    return rows


def _quality(
    sound: str,
    name: str,
    pcm: bytes,
    places: list[speech.Spoken],
    voiced: "np.ndarray[tuple[int], np.dtype[np.bool_]]",
    activity: Counting,
    gate: NoiseGate | None,
) -> Quality:
    times = Endpointing()
    detector = ServerVad(activity, times, gate)
    endpointer = detector._endpointer = RecordingEndpointer(times)
    signals: list[tuple[float, TurnSignal]] = []
    for at in range(0, len(pcm), 32 * FRAME_MS):
        chunk = pcm[at : at + 32 * FRAME_MS]
        signals += [((at + len(chunk)) / 32, signal) for signal in detector.push(chunk)]
    signals += [(len(pcm) / 32, signal) for signal in detector.flush()]

    got = np.asarray(endpointer.probabilities) >= times.threshold
    if activity.frame_samples != FRAME_SAMPLES:  # the frame that holds the middle of each reference frame
        middles = np.arange(len(voiced)) * FRAME_SAMPLES + FRAME_SAMPLES // 2
        got = got[np.minimum(middles // activity.frame_samples, len(got) - 1)]
    n = min(len(got), len(voiced))
    got, wanted = got[:n], voiced[:n]

    all_starts = [(at, s.audio_ms) for at, s in signals if isinstance(s, SpeechStarted)]
    all_stops = [(at, s.audio_ms) for at, s in signals if isinstance(s, SpeechStopped)]
    missed = split = cut_off = accounted = 0
    onsets, endpoints = [], []
    for place in places:
        begins, ends = place.speech_start_ms - 400, place.speech_end_ms
        starts = [at for at, audio_ms in all_starts if begins <= audio_ms < ends + 200]
        accounted += len(starts)
        if not starts:
            missed += 1
            continue
        split += len(starts) > 1
        onsets.append(starts[0] - place.voiced_start_ms)
        stopped_at, end_ms = next(stop for stop in all_stops if stop[0] > starts[-1])
        cut_off += end_ms < ends - 150
        endpoints.append(stopped_at - ends - times.silence_ms)
    onset, endpoint = (np.percentile(x or [np.nan], [50, 95]) for x in (onsets, endpoints))
    return Quality(
        sound=sound,
        detector=name,
        recall=round(float((got & wanted).sum() / wanted.sum()), 4),
        false_alarm=round(float((got & ~wanted).sum() / (~wanted).sum()), 4),
        model_share=round(activity.frames * activity.frame_samples / (len(pcm) / 2), 3),
        utterances=len(places),
        missed=missed,
        split=split,
        cut_off=cut_off,
        false_starts=len(all_starts) - accounted,
        onset_p50_ms=float(onset[0]),
        onset_p95_ms=float(onset[1]),
        endpoint_p50_ms=float(endpoint[0]),
        endpoint_p95_ms=float(endpoint[1]),
    )


def _cpuinfo() -> list[str]:
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.read_text().splitlines() if cpuinfo.exists() else []


if __name__ == "__main__":
    main()
