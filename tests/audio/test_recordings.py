"""Recordings of every kind that scripts, phones and browsers send are the same sound; the rest is told."""

import struct
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from realtime.audio.recordings import KINDS, decode_recording, kind_of
from tests.recordings import recording

HZ = 16_000
SECONDS = 1.5
FILES = Path("tests/data/recordings")
CONTAINERS = {
    "wav": "wav",
    "mp3": "mp3",
    "flac": "flac",
    "ogg": "ogg",
    "webm": "webm",
    "m4a": "mp4",
    "mp4": "mp4",
}
CONTAINERS |= {"aac": "adts"}
NO_TAGS = {"write_xing": "0", "id3v2_version": "0"}
ID3 = b"ID3\x03\0\0\0\0\0\x0a" + bytes(10)


def tone(hz: int, *gains: float, seconds: float = SECONDS) -> np.ndarray:
    """One channel for each gain."""
    one = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * hz)) / hz)
    return one[:, None] * np.array(gains or (1.0,))


def wav(
    samples: np.ndarray, data_bytes: int | None = None, riff_bytes: int | None = None, before: bytes = b""
) -> bytes:
    """data_bytes, riff_bytes: what the header claims, if not the truth."""
    pcm = np.rint(samples * 32767).astype("<i2").tobytes()
    n_channels = samples.shape[1]
    form = struct.pack("<HHIIHH", 1, n_channels, HZ, HZ * 2 * n_channels, 2 * n_channels, 16)
    size = len(pcm) if data_bytes is None else data_bytes
    body = b"WAVE" + before + b"fmt \x10\0\0\0" + form + b"data" + struct.pack("<I", size) + pcm
    return b"RIFF" + struct.pack("<I", len(body) if riff_bytes is None else riff_bytes) + body


def mp3() -> bytes:
    return recording(tone(16_000), 16_000, "mp3", options=NO_TAGS)


def assert_is_the_tone(pcm: bytes, seconds: float = SECONDS) -> None:
    heard = np.frombuffer(pcm, "<i2").astype(float)
    assert len(heard) / HZ == pytest.approx(
        seconds, abs=0.2
    )  # Opus, MP3 and AAC begin and end with a little more
    middle = heard[HZ // 4 : HZ // 4 + HZ // 2]
    assert np.abs(np.fft.rfft(middle)).argmax() == pytest.approx(220, abs=1)
    assert np.abs(middle).max() == pytest.approx(16_384, rel=0.1)


@pytest.mark.parametrize(
    ("kind", "hz", "n_channels", "codec"),
    [
        ("wav", 48_000, 2, "pcm_s24le"),
        ("wav", 8_000, 1, "pcm_mulaw"),
        ("wav", 8_000, 1, "pcm_alaw"),
        ("wav", 16_000, 1, "pcm_u8"),
        ("wav", 16_000, 2, "pcm_f32le"),
        ("wav", 16_000, 6, "pcm_s32le"),
        ("wav", 11_025, 6, "pcm_s16le"),
        ("wav", 16_000, 1, "adpcm_ms"),
        ("wav", 16_000, 2, "adpcm_ima_wav"),
        ("wav", 16_000, 1, "libmp3lame"),
        ("mp3", 44_100, 2, ""),
        ("mp3", 16_000, 1, ""),
        ("flac", 96_000, 2, ""),
        ("flac", 8_000, 1, ""),
        ("ogg", 48_000, 1, ""),
        ("ogg", 48_000, 2, ""),
        ("webm", 48_000, 1, ""),
        ("m4a", 44_100, 1, ""),
        ("m4a", 48_000, 2, "alac"),
        ("mp4", 48_000, 2, "libopus"),
        ("aac", 44_100, 2, ""),
    ],
)
def test_every_kind_is_the_same_sound(kind: str, hz: int, n_channels: int, codec: str) -> None:
    file = recording(tone(hz, *[1.0] * n_channels), hz, CONTAINERS[kind], codec)
    assert_is_the_tone(decode_recording(file, kind, HZ, 10.0))


def flac_after_id3() -> bytes:
    return ID3 + recording(tone(16_000), 16_000, "flac")


UNUSUAL = {
    "sizes 0, of a stream": (lambda: wav(tone(HZ), 0, 0), "wav"),
    "size 0 in a header of 36": (lambda: wav(tone(HZ), 0, 36), "wav"),
    "sizes unknown": (lambda: wav(tone(HZ), 0xFFFFFFFF, 0xFFFFFFFF), "wav"),
    "sizes of hours": (lambda: wav(tone(HZ), 2_000_000_000, 2_000_000_036), "wav"),
    "an odd chunk": (lambda: wav(tone(HZ), before=b"LIST\x05\0\0\0INFOx\0"), "wav"),
    "RF64": (lambda: recording(tone(HZ), HZ, "wav", options={"rf64": "always"}), "wav"),
    "W64": (lambda: recording(tone(HZ), HZ, "w64", "pcm_s16le"), "wav"),
    "GSM": (lambda: (FILES / "tone_gsm.wav").read_bytes(), "wav"),
    "two tags before an MP3": (lambda: ID3 + ID3 + mp3(), "mp3"),
    "zeros before an MP3": (lambda: bytes(417) + mp3(), "mp3"),
    "an MP3 from the middle of a frame": (lambda: mp3()[100:], "mp3"),
    "a tag behind an MP3": (lambda: mp3() + b"TAG" + bytes(125), "mp3"),
    "layer II": (lambda: recording(tone(HZ), HZ, "mp2", "mp2"), "mp3"),
    "a tag before FLAC": (flac_after_id3, "flac"),
    "FLAC in Ogg": (lambda: (FILES / "tone_flac.ogg").read_bytes(), "ogg"),
    "Vorbis": (lambda: (FILES / "tone_vorbis.ogg").read_bytes(), "ogg"),
    "WebM as browsers record": (lambda: (FILES / "tone_live.webm").read_bytes(), "webm"),
    "MP4 as phones share": (lambda: (FILES / "tone_faststart.m4a").read_bytes(), "m4a"),
    "MP4 in fragments, as Safari records": (
        lambda: recording(tone(HZ), HZ, "mp4", options={"movflags": "frag_keyframe+empty_moov"}),
        "mp4",
    ),
    "3GP": (lambda: recording(tone(HZ), HZ, "3gp", "aac"), "mp4"),
}


@pytest.mark.parametrize(("made", "kind"), UNUSUAL.values(), ids=UNUSUAL)
def test_what_recorders_make_of_their_formats_is_heard(made: object, kind: str) -> None:
    assert callable(made)
    assert_is_the_tone(decode_recording(made(), kind, HZ, 10.0))


FRAGMENTS = {"movflags": "frag_keyframe+empty_moov", "frag_duration": "200000"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "m4a"])
def test_of_a_file_that_was_cut_off_all_is_heard_up_to_the_cut(kind: str) -> None:
    # An MP4 without its index holds nothing to be found: recorders that may be cut off write fragments.
    options = FRAGMENTS if kind == "mp4" else {}
    hz = 48_000 if kind in ("ogg", "webm") else 16_000
    file = recording(tone(hz, seconds=6.0), hz, CONTAINERS[kind], options=options)
    pcm = decode_recording(file[: len(file) // 2], kind, HZ, 10.0)
    assert 2.0 < len(pcm) / 2 / HZ < 4.0
    assert_is_the_tone(pcm[: int(SECONDS * HZ) * 2])


@pytest.mark.parametrize("gains", [(1.0, -1.0), (1.0, -0.9), (-1.0, 1.0, 0.0, 0.0, 1.0, -1.0)])
def test_channels_in_opposite_phase_do_not_cancel_each_other_out(gains: tuple[float, ...]) -> None:
    assert_is_the_tone(decode_recording(wav(tone(HZ, *gains)), "wav", HZ, 10.0))


def test_one_channel_of_eight_is_mixed_as_always() -> None:
    pcm = decode_recording(wav(tone(HZ, 1.0, *[0.0] * 7)), "wav", HZ, 10.0)
    assert np.abs(np.frombuffer(pcm, "<i2").astype(int)).max() == pytest.approx(16_384 / 8, rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "file", [b"", b"ID3", b"fLaC", b"OggS", b"RIFF\0\0\0\0WAVE", b"\xff\xfb" * 500, b"ID3" * 9]
)
def test_what_is_no_recording_is_told(kind: str, file: bytes) -> None:
    with pytest.raises(ValueError, match=r"it is|it holds"):
        decode_recording(file, kind, HZ, 10.0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_a_file_is_told_by_its_bytes(kind: str) -> None:
    hz = 48_000 if kind in ("ogg", "webm") else 16_000
    options = NO_TAGS if kind == "mp3" else {}
    file = recording(tone(hz), hz, CONTAINERS[kind], options=options)
    assert kind_of(file) == ("m4a" if kind == "mp4" else kind)
    assert kind_of(ID3 + file) == ("mp3" if kind == "aac" else kind_of(file))


@pytest.mark.parametrize(
    ("file", "suffix"), [(b"", ".txt"), (b"Dear John,", ""), (b"MZ", ".wav"), (b"\xff", "")]
)
def test_what_is_no_recording_has_no_kind(file: bytes, suffix: str) -> None:
    assert kind_of(file, suffix) is None


def test_the_name_tells_the_kind_of_frames_that_begin_in_the_middle() -> None:
    assert_is_the_tone(decode_recording(mp3()[100:], str(kind_of(mp3()[100:], ".MP3")), HZ, 10.0))


DIFFERENT = [pair for pair in permutations(KINDS, 2) if {*pair} not in ({"m4a", "mp4"}, {"mp3", "aac"})]


@pytest.mark.parametrize(("kind", "other"), DIFFERENT)
def test_a_file_of_another_kind_than_told_is_refused(kind: str, other: str) -> None:
    hz = 48_000 if other in ("ogg", "webm") else 44_100
    file = recording(tone(hz, 1.0, 1.0), hz, CONTAINERS[other])
    with pytest.raises(ValueError, match=rf"no.* file of the format {kind}"):
        decode_recording(file, kind, HZ, 10.0)


def test_sound_in_a_codec_that_nobody_records_in_is_refused() -> None:
    file = recording(tone(HZ, 1.0, 1.0), HZ, "matroska", "wavpack")
    with pytest.raises(ValueError, match="coded as wavpack, which is not read"):
        decode_recording(file, "webm", HZ, 10.0)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_too_long_is_refused_however_small_the_file_is(kind: str) -> None:
    hz = 48_000 if kind in ("ogg", "webm") else HZ
    file = recording(np.zeros((hz * 60, 1)), hz, CONTAINERS[kind])
    with pytest.raises(ValueError, match="longer than 59 seconds"):
        decode_recording(file, kind, HZ, 59.0)
    assert len(decode_recording(file, kind, HZ, 61.0)) >= 60 * 2 * HZ


def test_an_index_that_claims_more_sound_than_there_is_takes_no_memory() -> None:
    file = bytearray(recording(tone(HZ), HZ, "mp4"))
    n_samples = 30_000_000  # of one size: a GiB of FFmpeg's, out of seven KiB
    for box, fields in (
        (b"stsz", struct.pack(">II", 1, n_samples)),
        (b"stts", struct.pack(">II", 1, n_samples)),
        (b"stsc", struct.pack(">III", 1, 1, n_samples)),
    ):
        at = file.index(box) + 8
        file[at : at + len(fields)] = fields
    with pytest.raises(ValueError, match="claims more sound than it holds"):
        decode_recording(bytes(file), "m4a", HZ, 10.0)


def test_fragments_that_claim_more_sound_than_there_is_take_no_memory() -> None:
    file = bytearray(recording(tone(HZ), HZ, "mp4", options=FRAGMENTS))
    at = file.index(b"trun") + 8
    file[at : at + 4] = struct.pack(">I", 100_000_000)
    with pytest.raises(ValueError, match="claims more sound than it holds"):
        decode_recording(bytes(file), "mp4", HZ, 10.0)


def test_an_index_that_cannot_be_looked_into_is_refused() -> None:
    file = recording(tone(HZ), HZ, "mp4").replace(b"stts", b"cmov")
    with pytest.raises(ValueError, match="claims more sound"):
        decode_recording(file, "mp4", HZ, 10.0)


def test_sound_that_looks_like_an_index_is_none() -> None:
    file = bytearray(recording(tone(HZ), HZ, "mp4"))
    at = file.index(b"mdat") + 4
    file[at : at + 16] = b"stsz" + b"\xff" * 12
    assert decode_recording(bytes(file), "mp4", HZ, 10.0)


@pytest.mark.parametrize(
    ("frame", "kind"),
    [(b"\xff\xf1\x50\x80\x00\xff\xfc", "aac"), (b"\xff\xfb\x90\x44", "mp3"), (b"\0", "mp3")],
)
def test_frames_without_sound_end_soon(frame: bytes, kind: str) -> None:
    with pytest.raises(ValueError, match="holds no sound"):
        decode_recording(frame * (1 << 18), kind, HZ, 10.0)


def test_a_recording_in_very_many_pieces_is_refused() -> None:
    page = recording(tone(48_000, seconds=0.02), 48_000, "ogg")
    with pytest.raises(ValueError, match=r"more pieces|longer than"):
        decode_recording(page * 4_000, "ogg", HZ, 1.0)


def test_numbers_beyond_all_sound_are_clipped() -> None:
    wild = np.array([0.0, 1e300, -1e300, np.inf, -np.inf, np.nan, 0.5] * 8_000).astype("<f8")
    header = b"WAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 3, 1, 44_100, 44_100 * 8, 8, 64) + b"data"
    body = header + struct.pack("<I", wild.nbytes) + wild.tobytes()
    n_samples = len(decode_recording(b"RIFF" + struct.pack("<I", len(body)) + body, "wav", HZ, 10.0)) / 2
    assert n_samples == pytest.approx(len(wild) * HZ / 44_100, abs=2)


@pytest.mark.parametrize(("n_channels", "hz"), [(33, 16_000), (1, 500), (1, 2_000_000)])
def test_channels_and_rates_of_no_recording_are_refused(n_channels: int, hz: int) -> None:
    header = b"WAVEfmt \x10\0\0\0" + struct.pack(
        "<HHIIHH", 1, n_channels, hz, hz * 2 * n_channels, 2 * n_channels, 16
    )
    body = header + b"data" + struct.pack("<I", 66_000) + bytes(66_000)
    with pytest.raises(ValueError, match=rf"it has {n_channels} channels at {hz} Hz|holds no sound"):
        decode_recording(b"RIFF" + struct.pack("<I", len(body)) + body, "wav", HZ, 10.0)


def test_more_channels_than_can_be_taken_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="it has 16 channels at 48000 Hz"):  # unchecked, the process dies
        decode_recording((FILES / "channels_16.ogg").read_bytes(), "ogg", HZ, 10.0)


def test_a_wav_of_many_channels_is_mixed() -> None:
    assert_is_the_tone(decode_recording(wav(tone(HZ, *[1.0] * 32)), "wav", HZ, 10.0))
