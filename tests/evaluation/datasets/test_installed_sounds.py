"""Debian's packages of speech and sounds, as they are laid out, and as they are installed."""

import gzip
from pathlib import Path

import pytest

from evaluation.benchmarks import BENCHMARKS
from evaluation.datasets.clip import read_clip
from evaluation.datasets.find import reading, samples
from evaluation.errors import EvaluationError
from tests.evaluation.datasets import trees

WORDS = """\
\ufeff; Core Asterisk Sounds in Italian

short: Soltanto tre parole.
brief: Quattro parole ma troppo brevi.
agent-pass: Inserire la password seguita dal cancelletto.
tones: [toni ascendenti e altri rumori]
lost: La chiamata non pu? essere completata.
long-one: La conferenza è al completo ora. other-one: Non è attivo alcun servizio. left-over: due parole
other-one: Non è attivo alcun servizio.
twice: twice: Il numero composto non esiste.
no-clip: Questa riga non ha alcun suono.
digits/more: Ancora quattro parole qui.
"""


def package(root: Path) -> Path:
    """As `dpkg-deb -x` unpacks it: the short name of the voice is a link that leads nowhere."""
    sounds = root / "usr" / "share" / "asterisk" / "sounds"
    voice = sounds / "it_IT_m_Carlo"
    for name in ("short", "agent-pass", "tones", "lost", "long-one", "other-one", "left-over", "twice"):
        trees.put(voice / f"{name}.g722", trees.clip("g722", 3.0))
    trees.put(voice / "brief.g722", trees.clip("g722", 1.0))
    trees.put(voice / "digits" / "more.g722", trees.clip("g722", 2.5))
    (sounds / "it").symlink_to("/etc/alternatives/that-is-not-there")
    documentation = root / "usr" / "share" / "doc" / "asterisk-core-sounds-it"
    trees.put(documentation / "core-sounds-it.txt.gz", gzip.compress(WORDS.encode()))
    return sounds


def test_of_asterisks_prompts_those_are_taken_whose_words_are_sure(tmp_path: Path) -> None:
    found = samples("asterisk_it", package(tmp_path))
    assert {sample.sample_id.removeprefix("asterisk_it/"): sample.reference for sample in found} == {
        "agent-pass": "Inserire la password seguita dal cancelletto.",
        "long-one": "La conferenza è al completo ora.",
        "other-one": "Non è attivo alcun servizio.",
        "twice": "Il numero composto non esiste.",
        "digits/more": "Ancora quattro parole qui.",
    }
    assert read_clip(found[0].audio).seconds == pytest.approx(3.0, abs=0.01)


def test_words_may_lie_beside_the_sounds_where_documentation_is_left_out(tmp_path: Path) -> None:
    sounds = package(tmp_path)
    words = tmp_path / "usr" / "share" / "doc" / "asterisk-core-sounds-it" / "core-sounds-it.txt.gz"
    expected = samples("asterisk_it", sounds)
    moved = words.rename(sounds / words.name)
    assert samples("asterisk_it", sounds) == expected
    moved.unlink()
    with pytest.raises(
        EvaluationError, match=r"core-sounds-it.txt.gz lies neither .* install asterisk-core-sounds-it"
    ):
        samples("asterisk_it", sounds)


def test_damaged_words_are_told(tmp_path: Path) -> None:
    sounds = package(tmp_path)
    words = tmp_path / "usr" / "share" / "doc" / "asterisk-core-sounds-it" / "core-sounds-it.txt.gz"
    words.write_bytes(words.read_bytes()[:40])
    with pytest.raises(EvaluationError, match=r"core-sounds-it.txt.gz is damaged"):
        samples("asterisk_it", sounds)


def test_a_package_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        EvaluationError, match="install asterisk-core-sounds-ru and asterisk-core-sounds-ru-g722"
    ):
        samples("asterisk_ru", tmp_path)
    with pytest.raises(
        EvaluationError, match=r"there is no .*: install sonic-pi-samples, or name another folder"
    ):
        samples("sonic_pi", tmp_path / "nowhere")


def test_sounds_are_labelled_by_the_longest_beginning_of_their_name(tmp_path: Path) -> None:
    for name in ("bass_hit_c", "drum_bass_soft", "drum_tom_lo_hard", "misc_crow", "elec_blip", "tabla_ke1"):
        trees.put_clip(tmp_path / f"{name}.flac")
    found = {Path(sample.audio).stem: sample.reference for sample in samples("sonic_pi", tmp_path)}
    assert found == {
        "bass_hit_c": "bass",
        "drum_bass_soft": "bass drum",
        "drum_tom_lo_hard": "tom",
        "misc_crow": "crow",
    }


@pytest.mark.parametrize("name", [name for name, one in BENCHMARKS.items() if one.packages])
def test_the_installed_package_holds_what_is_promised(name: str) -> None:
    if not Path(BENCHMARKS[name].folder).is_dir():
        pytest.skip(f"{' and '.join(BENCHMARKS[name].packages)} is not installed")
    found = reading(name, None)
    assert len(found.samples) == BENCHMARKS[name].parts[0].n_clips
    assert not found.problems
    assert set(BENCHMARKS[name].labels) == {
        sample.reference for sample in found.samples if found.benchmark.labels
    }
    for sample in found.samples[:3]:
        assert read_clip(sample.audio).seconds > 0.1
