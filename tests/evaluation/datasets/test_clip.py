"""Every kind of file becomes the same samples, and what is wrong with one is said of it by name."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from evaluation.datasets import clip as clips
from evaluation.datasets.clip import converter, read_clip
from evaluation.datasets.problems import ClipError, Kind
from tests.evaluation.datasets import trees
from tests.recordings import recording
from tests.speech import utterance

SPEECH = np.frombuffer(utterance("forever_4").pcm16k, "<i2")[:16_000] / np.float32(32768)


def test_a_recording_at_16_khz_is_read_sample_by_sample(tmp_path: Path) -> None:
    clip = read_clip(str(trees.put_clip(tmp_path / "a.wav")))
    assert clip.pcm.dtype == np.float32
    assert np.array_equal(clip.pcm, SPEECH)
    assert clip.seconds == 1.0
    assert clip.file_hz == 16_000
    assert not clip.damage
    assert clip.sha256 == hashlib.sha256((tmp_path / "a.wav").read_bytes()).hexdigest()


@pytest.mark.parametrize("ending", ["flac", "mp3", "mp4", "g722"])
def test_other_formats_hold_the_same_speech(ending: str, tmp_path: Path) -> None:
    pcm = read_clip(str(trees.put_clip(tmp_path / f"a.{ending}"))).pcm
    piece = SPEECH[4000:12_000]
    delays = range(-2000, 2000)  # codecs add silence in front; in samples
    likeness = max(float(np.corrcoef(piece, pcm[4000 + n : 12_000 + n])[0, 1]) for n in delays)
    assert likeness > 0.95


def test_channels_are_mixed_and_rates_changed_as_by_ffmpegs_own_program(tmp_path: Path) -> None:
    """A tone on both channels: on the way to floats, FFmpeg weighs each of two by the root of half."""
    t = np.arange(44_100) / 44_100
    tone = 0.25 * np.sin(2 * np.pi * 440 * t)
    path = trees.put(tmp_path / "a.wav", recording(np.stack([tone, tone], 1), 44_100, "wav"))
    clip = read_clip(str(path))
    assert clip.file_hz == 44_100
    assert len(clip.pcm) == 16_000
    expected = 2 * np.sqrt(0.5) * 0.25 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    assert np.abs(clip.pcm - expected)[200:-200].max() < 1e-3


def test_the_sound_of_a_film_is_read(tmp_path: Path) -> None:
    import av

    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as film:
        pictures = film.add_stream("mpeg4", rate=5)
        pictures.width, pictures.height, pictures.pix_fmt = 32, 32, "yuv420p"
        sound = film.add_stream("aac", rate=16_000, layout="mono")
        for _ in range(5):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
            film.mux(pictures.encode(picture))
        frame = av.AudioFrame.from_ndarray(SPEECH[None, :], "fltp", "mono")
        frame.sample_rate = 16_000
        film.mux(sound.encode(frame))
        film.mux(sound.encode(None))
        film.mux(pictures.encode(None))
    assert read_clip(str(path)).seconds == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("name", "content", "kind", "told"),
    [
        ("a.wav", b"", Kind.EMPTY, "is empty"),
        ("a.wav", b"no recording at all", Kind.DAMAGED, "is damaged, or no recording: Invalid data"),
        ("a.flac", trees.clip("flac")[:60], Kind.DAMAGED, "is damaged, or no recording"),
        (
            "a.mp4",
            trees.clip("mp4")[: len(trees.clip("mp4")) // 2],
            Kind.DAMAGED,
            "is damaged, or no recording",
        ),
    ],
)
def test_a_file_that_cannot_be_heard_says_why(
    name: str, content: bytes, kind: Kind, told: str, tmp_path: Path
) -> None:
    path = trees.put(tmp_path / name, content)
    with pytest.raises(ClipError) as error:
        read_clip(str(path))
    assert error.value.kind == kind
    assert str(error.value).startswith(f"{path} {told}")


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match=r"a.wav is missing$") as error:
        read_clip(str(tmp_path / "a.wav"))
    assert error.value.kind == Kind.MISSING
    with pytest.raises(ClipError, match="cannot be read: Is a directory"):
        read_clip(str(tmp_path))


@pytest.mark.parametrize(
    ("ending", "told"),
    [("wav", "it claims 32,"), ("flac", "packets are damaged"), ("mp3", "it claims 1.0 s and holds 0.")],
)
def test_of_a_file_that_was_cut_off_what_it_holds_is_heard_and_told(
    ending: str, told: str, tmp_path: Path
) -> None:
    """As FFmpeg's program hears it, which upstream calls; but that says nothing."""
    whole = trees.clip(ending)
    path = trees.put(tmp_path / f"a.{ending}", whole[: len(whole) * 6 // 10])
    clip = read_clip(str(path))
    assert 0.3 < clip.seconds < 0.9
    assert clip.damage.startswith(f"{path}: ")
    assert told in clip.damage


def test_a_file_beyond_the_limits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(trees.put_clip(tmp_path / "a.wav"))
    monkeypatch.setattr(clips, "S_MAX", 0.5)
    with pytest.raises(ClipError, match="is longer than"):
        read_clip(path)
    monkeypatch.setattr(clips, "FILE_BYTES_MAX", 1 << 10)
    with pytest.raises(ClipError, match="is larger than"):
        read_clip(path)


def test_a_playlist_that_calls_itself_a_clip_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.put_clip(tmp_path / "secret.wav")
    path = trees.put(tmp_path / "a.wav", "ffconcat version 1.0\nfile secret.wav\n")
    monkeypatch.chdir(tmp_path)  # FFmpeg takes only relative names out of such a list
    with pytest.raises(ClipError, match="is damaged, or no recording"):
        read_clip(str(path))


def test_the_converter_is_named_with_its_versions() -> None:
    assert converter().startswith("PyAV ")
    assert "libswresample " in converter()
