"""Recordings as phones, browsers and recorders write them -> s16le mono at one rate. Slow: for threads.

FFmpeg (through PyAV) reads them. It knows some hundred formats, of which only those below are let near what
strangers send, with bounds on length, channels, packets and on the memory that a file may ask for.
"""

import io
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av import AudioFrame, AudioStream
from av.audio.codeccontext import AudioCodecContext

from realtime.audio.wav import HZ_MAX, HZ_MIN, Samples, pcm_of

_DEMUXERS = {
    "wav": "wav",
    "mp3": "mp3",
    "flac": "flac",
    "ogg": "ogg",
    "webm": "matroska",
    "m4a": "mov",
    "mp4": "mov",
    "aac": "aac",
}
KINDS = tuple(_DEMUXERS)

_DECODERS = (
    *("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"),
    *("adpcm_ms", "adpcm_ima_wav", "gsm_ms", "mp3float", "mp3", "mp2float", "mp2", "mp1float", "mp1"),
    *("flac", "opus", "libopus", "vorbis", "speex", "aac", "alac", "amrnb", "amrwb"),
)
CHANNELS_MAX = 32
PLANES_MAX = 8
"""Channels that lie apart in memory: PyAV 18 reads past the end of what it knows of more than these."""
PACKETS_PER_S_MAX = 1000
"""Opus, the finest, has 400; a file of a few MiB may hold millions of empty ones."""
BLOCK_SAMPLES = 1 << 16
"""Of all channels together, mixed and resampled at once."""
PROBED_BYTES = 1 << 18
"""Read ahead to find out what the file holds: as packets, they may take a hundred times their size."""
SILENT_PACKETS_MAX = 1000
"""In a row, without sound: what comes then is no recording."""
CANCELLED = 0.1
"""Of the power that a mean of unrelated channels has; below that, they cancel each other out."""

Channels = npt.NDArray[np.float64]
"""(n_samples, n_channels), from -1 to 1."""


def kind_of(file: bytes, suffix: str = "") -> str | None:
    """Which of KINDS the file is, by its first bytes; None for what is none of them.

    suffix: of its name, with its dot, for MP3 and AAC that begin in the middle of a frame.
    """
    begun = _begun_as(file)
    if begun:
        return next(kind for kind, demuxer in _DEMUXERS.items() if demuxer == begun)
    head = file[:2]
    if len(head) == 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        # Both begin with set bits; what MP3 calls the layer is 0 in AAC (ISO/IEC 11172-3, 13818-7).
        return "mp3" if head[1] & 0b110 else "aac"
    if file.startswith(b"ID3"):
        return "mp3"
    named = suffix.lower().removeprefix(".")
    return named if named in ("mp3", "aac") else None


def decode_recording(file: bytes, kind: str, hz: int, s_max: float) -> bytes:
    """Return the file's sound, mixed to one channel: s16le at `hz`. Of one that was cut off, what it holds.

    kind: one of KINDS. Raises ValueError, which says what the file is instead, and as soon as
    there is more than `s_max` seconds of sound.
    """
    demuxer = _demuxer(file, kind)
    powers = _Powers()
    pcm = _mono(file, demuxer, hz, s_max, powers, None)
    if not pcm:
        raise ValueError(f"it holds no sound, or is damaged, or no file of the format {kind}")
    if powers.cancel_out:
        return _mono(file, demuxer, hz, s_max, powers, powers.loudest)
    return pcm


def _mono(file: bytes, demuxer: str, hz: int, s_max: float, powers: "_Powers", channel: int | None) -> bytes:
    """channel: the one to take, or None for the mean of all."""
    pcm = b""
    for from_hz, frames in groupby(_frames(file, demuxer, s_max), lambda frame: frame.sample_rate):
        blocks = (_mixed(block, powers, channel) for block in _blocks(frames))
        pcm += pcm_of(blocks, from_hz, hz, s_max)
        if len(pcm) > 2 * hz * s_max + 2:
            raise ValueError(f"it is longer than {s_max:g} seconds")
    return pcm


# The file -----------------------------------------------------------------------------


def _demuxer(file: bytes, kind: str) -> str:
    """Raises ValueError for a file that is plainly of another kind, or wants memory that it does not fill."""
    demuxer, begun = _DEMUXERS[kind], _begun_as(file)
    if begun != demuxer and (begun or kind not in ("mp3", "aac")):
        raise ValueError(f"it is not a file of the format {kind}")
    if demuxer == "mov" and _claims_too_much(file):
        raise ValueError("it is damaged: it claims more sound than it holds")
    return "w64" if file.startswith(b"riff") else demuxer


def _begun_as(file: bytes) -> str:
    """The demuxer that the first bytes, after tags of MP3 players, call for; "" where they tell nothing."""
    at = 0
    while file[at : at + 3] == b"ID3" and len(file) >= at + 10:
        a, b, c, d = file[at + 6 : at + 10]
        at += 10 + (a << 21 | b << 14 | c << 7 | d)
    head = file[at : at + 8]
    if head[4:] == b"ftyp":
        return "mov"
    magic = {b"RIFF": "wav", b"RF64": "wav", b"riff": "wav", b"fLaC": "flac", b"OggS": "ogg"}
    return magic.get(head[:4], "matroska" if head[:4] == b"\x1a\x45\xdf\xa3" else "")


def _claims_too_much(file: bytes) -> bool:
    """Whether tables of an MP4 (ISO/IEC 14496-12, 8.7.3.2 and 8.8.8) claim more samples than there are bytes.

    FFmpeg makes an entry of each at once; where all are of one size, they take no room in the file. A table
    that is compressed (QuickTime) cannot be looked into.
    """
    n_samples = 0
    for box in _boxes_but_media(file):
        for found in re.finditer(b"stsz|trun|cmov", box):
            if found[0] == b"cmov":
                return True
            at = found.end() + (8 if found[0] == b"stsz" else 4)
            n_samples += int.from_bytes(box[at : at + 4])
    return n_samples > len(file)


def _boxes_but_media(file: bytes) -> Iterator[bytes]:
    at = 0
    while at + 8 <= len(file):
        size, name = int.from_bytes(file[at : at + 4]), file[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(file[at + 8 : at + 16])
        end = at + size if size >= 8 else len(file)
        if name != b"mdat":
            yield file[at:end]
        at = end


def _frames(file: bytes, demuxer: str, s_max: float) -> Iterator[AudioFrame]:
    """Decoded sound, as long as there is any. Raises ValueError for channels and rates of no recording."""
    options = {
        "codec_whitelist": ",".join(_DECODERS),
        "protocol_whitelist": "",
        "probesize": str(PROBED_BYTES),
    }
    try:
        with av.open(io.BytesIO(file), "r", format=demuxer, container_options=options) as opened:
            if not opened.streams.audio:
                return
            stream = opened.streams.audio[0]
            coding = getattr(stream.codec_context, "name", "what nobody knows")  # None for an unknown one
            if coding not in _DECODERS:
                raise ValueError(f"its sound is coded as {coding}, which is not read")
            last_sound_at = 0
            for number, packet in enumerate(opened.demux(stream)):
                if number > PACKETS_PER_S_MAX * s_max:
                    raise ValueError("it is in more pieces than a recording has")
                for frame in _decoded(stream.codec_context, packet):
                    last_sound_at = number
                    yield frame
                if number - last_sound_at > SILENT_PACKETS_MAX:
                    return
    except av.FFmpegError:
        return  # cut off, or damaged from here on


def _decoded(decoder: AudioCodecContext, packet: "av.Packet[AudioStream]") -> Iterator[AudioFrame]:
    try:
        for frame in decoder.decode(packet):
            channels_max = PLANES_MAX if frame.format.is_planar else CHANNELS_MAX
            if not (frame.layout.nb_channels <= channels_max and HZ_MIN <= frame.sample_rate <= HZ_MAX):
                raise ValueError(f"it has {frame.layout.nb_channels} channels at {frame.sample_rate} Hz")
            yield frame
    except av.FFmpegError:
        return  # a damaged packet, or the first of a stream that begins in the middle: the next may do


# The samples --------------------------------------------------------------------------


def _blocks(frames: Iterable[AudioFrame]) -> Iterator[Channels]:
    """Frames of one format and number of channels joined: many hold 20 ms, and each has a price in Python."""
    for (is_planar, n_channels, _), alike in groupby(frames, _shape):
        held: list[npt.NDArray[Any]] = []
        for frame in alike:
            samples = frame.to_ndarray()
            held.append(samples.T if is_planar else samples.reshape(-1, n_channels))
            if sum(map(len, held)) * n_channels >= BLOCK_SAMPLES:
                yield _scaled(np.concatenate(held))
                held = []
        if held:
            yield _scaled(np.concatenate(held))


def _shape(frame: AudioFrame) -> tuple[bool, int, str]:
    return frame.format.is_planar, frame.layout.nb_channels, frame.format.name


def _scaled(samples: npt.NDArray[Any]) -> Channels:
    match samples.dtype.kind:
        case "u":  # 8 bits, alone in being unsigned
            return samples / 128.0 - 1
        case "i":
            return samples / 2.0 ** (8 * samples.dtype.itemsize - 1)
        case _:
            # Clipped: of 1e308 and its like, a resampler would make what is no number.
            return np.clip(np.nan_to_num(samples.astype(np.float64)), -1, 1)


class _Powers:
    """How loud each channel is, and their mean: two in opposite phase have none."""

    def __init__(self) -> None:
        self._of_channels = np.zeros(0)
        self._of_mean = 0.0

    def add(self, channels: Channels, mean: Samples) -> None:
        power = np.square(channels).sum(axis=0)
        if len(power) != len(
            self._of_channels
        ):  # the first frame; or their number changes, which begins anew
            self._of_channels, self._of_mean = np.zeros(len(power)), 0.0
        self._of_channels += power
        self._of_mean += float(np.square(mean).sum())

    @property
    def loudest(self) -> int:
        return int(self._of_channels.argmax())

    @property
    def cancel_out(self) -> bool:
        n_channels = len(self._of_channels)
        return n_channels > 1 and self._of_mean < CANCELLED * self._of_channels.sum() / n_channels**2


def _mixed(channels: Channels, powers: _Powers, channel: int | None) -> Samples:
    if channel is not None and channel < channels.shape[1]:
        return channels[:, channel]
    mean: Samples = channels.mean(axis=1)
    powers.add(channels, mean)
    return mean
