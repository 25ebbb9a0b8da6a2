"""A clip as every route hears it: 16 kHz, one channel, float32, by FFmpeg's own mixing and resampling.

Upstream calls `ffmpeg -ac 1 -ar 16000 -f f32le`; this is the same code of FFmpeg with the same settings,
through PyAV. Another resampler hears slightly else, so `converter()` belongs into every manifest.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import av
import msgspec
import numpy as np
from av import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from evaluation.datasets.fetch import fetched, is_address
from evaluation.datasets.problems import ClipError, Kind

SAMPLE_HZ = 16_000
FILE_BYTES_MAX = 1 << 30
S_MAX = 4 * 3600
"""Of a clip: 0.9 GB in memory. Recordings for a test are seconds long; what is longer is not meant as one."""
_CUT_OFF = 0.95
"""Of the length that a file claims; containers tell it to a few packets."""


class Clip(msgspec.Struct, frozen=True, kw_only=True):
    """pcm: (n_samples,) float32 at SAMPLE_HZ; as FFmpeg leaves it, so loud stereo may exceed 1.

    sha256: of the file as it is. file_hz: its own rate. damage: one sentence where a part could not be
    decoded, else "": what could be is in pcm, as it is for upstream.
    """

    pcm: NDArray[np.float32]
    sha256: str
    file_hz: int
    damage: str = ""

    @property
    def seconds(self) -> float:
        return len(self.pcm) / SAMPLE_HZ


def read_clip(path: str) -> Clip:
    """Read a file, or an http address, in any format that FFmpeg knows; raw G.722 by its ending.

    Blocks; for threads. Raises ClipError, which names the file, for one that is missing, empty, damaged,
    without sound or too long.
    """
    file = _file(path)
    if not file:
        raise ClipError(Kind.EMPTY, f"{path} is empty")
    blocks = list[NDArray[np.float32]]()
    damage = ""
    file_hz, claimed_s, n_samples = 0, 0.0, 0
    try:
        with _opened(file, path) as container:
            stream = _audio(container, path)
            file_hz, claimed_s = stream.rate or 0, _claimed_s(container, stream)
            decoded = _Decoded(container, stream)
            for block in _converted(decoded):
                blocks.append(block)
                n_samples += len(block)
                if n_samples > S_MAX * SAMPLE_HZ:
                    raise ClipError(Kind.DAMAGED, f"{path} is longer than {S_MAX / 3600:.0f} hours")
            damage = decoded.damage
    except (av.FFmpegError, ValueError) as error:
        damage = _reason(error)
    seconds = n_samples / SAMPLE_HZ
    if not n_samples:
        raise ClipError(Kind.DAMAGED, f"{path} is damaged, or no recording: {damage or 'it holds no sound'}")
    if not damage and seconds < _CUT_OFF * claimed_s:
        damage = f"it claims {claimed_s:.1f} s and holds {seconds:.1f} s"
    if not damage and (n_claimed := _riff_bytes(file)) > len(file):
        damage = f"it claims {n_claimed:,} bytes and holds {len(file):,}"
    return Clip(
        pcm=np.concatenate(blocks),
        sha256=hashlib.sha256(file).hexdigest(),
        file_hz=file_hz,
        damage=f"{path}: {damage}" if damage else "",
    )


def converter() -> str:
    """What turns files into samples, with its versions."""
    versions = av.library_versions
    libraries = ", ".join(
        f"{name} {'.'.join(map(str, versions[name]))}"
        for name in ("libavformat", "libavcodec", "libswresample")
    )
    return f"PyAV {av.__version__} ({libraries})"


def _file(path: str) -> bytes:
    if is_address(path):
        return fetched(path)
    try:
        n_bytes = Path(path).stat().st_size
        if n_bytes > FILE_BYTES_MAX:
            raise ClipError(Kind.DAMAGED, f"{path} is larger than {FILE_BYTES_MAX >> 20} MiB")
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise ClipError(Kind.MISSING, f"{path} is missing") from None
    except OSError as error:
        raise ClipError(Kind.MISSING, f"{path} cannot be read: {error.strerror}") from None


# FFmpeg -------------------------------------------------------------------------------


def _opened(file: bytes, path: str) -> InputContainer:
    """From memory and without protocols: a playlist that calls itself a clip opens nothing else."""
    raw = "g722" if path.lower().endswith(".g722") else None
    return av.open(io.BytesIO(file), "r", format=raw, container_options={"protocol_whitelist": ""})


def _audio(container: InputContainer, path: str) -> AudioStream:
    if not container.streams.audio:
        raise ClipError(Kind.DAMAGED, f"{path} holds no sound")
    return container.streams.audio[0]


def _claimed_s(container: InputContainer, stream: AudioStream) -> float:
    """0.0 where nothing is claimed. A stream's own length: a film may be longer than its sound."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and not container.streams.video:
        return container.duration / 1_000_000
    return 0.0


def _riff_bytes(file: bytes) -> int:
    """How long a .wav file claims to be, of which FFmpeg tells nothing; 0 for others, and streamed ones."""
    n_bytes = int.from_bytes(file[4:8], "little")
    return n_bytes + 8 if file.startswith(b"RIFF") and n_bytes < 0xFFFFFF00 else 0


class _Decoded:
    """The frames of a stream. A packet that cannot be decoded is passed over, as by FFmpeg's own program."""

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        self._container = container
        self._stream = stream
        self._n_lost = 0
        self._n_packets = 0
        self._ended = ""

    @property
    def damage(self) -> str:
        """ "" for a sound file."""
        if self._ended:
            return self._ended
        return f"{self._n_lost} of {self._n_packets} packets are damaged" if self._n_lost else ""

    def __iter__(self) -> Iterator[AudioFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as error:
                self._ended = f"it is damaged after {self._n_packets} packets: {_reason(error)}"
                return
            self._n_packets += packet.size > 0
            try:
                yield from packet.decode()
            except av.FFmpegError:
                self._n_lost += 1


def _converted(frames: Iterable[AudioFrame]) -> Iterator[NDArray[np.float32]]:
    """Blocks of (n_samples,) at SAMPLE_HZ; a stream whose rate or channels change begins anew there."""
    for _, alike in groupby(frames, _shape):
        resampler = av.AudioResampler("flt", "mono", SAMPLE_HZ)
        for frame in alike:
            frame.pts = None  # a gap in the time stamps is none in the samples
            for piece in resampler.resample(frame):
                yield piece.to_ndarray()[0]
        for piece in resampler.resample(None):
            yield piece.to_ndarray()[0]


def _shape(frame: AudioFrame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.layout.name, frame.format.name


def _reason(error: Exception) -> str:
    return (error.strerror or "") if isinstance(error, av.FFmpegError) else str(error)
