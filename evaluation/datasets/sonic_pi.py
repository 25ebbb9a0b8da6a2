"""Sonic Pi's samples (Debian's package sonic-pi-samples, CC0): sounds whose names begin with their kind."""

from pathlib import Path

from evaluation.datasets.problems import Place
from evaluation.datasets.reading import Reading

# The longest beginning that fits tells. Kinds that no ear can name ("elec_blip", "ambi_drone") are left out,
# and what is over within 0.1 s ("").
_LABELS = {
    "ambi_choir": "choir",
    "ambi_glass_": "glass",
    "ambi_piano": "piano",
    "bass_": "bass",
    "bd_": "bass drum",
    "drum_bass_": "bass drum",
    "drum_cowbell": "cowbell",
    "drum_cymbal_": "cymbal",
    "drum_heavy_kick": "bass drum",
    "drum_snare_": "snare drum",
    "drum_splash_": "cymbal",
    "drum_tom_": "tom",
    "guit_": "guitar",
    "loop_tabla": "tabla",
    "mehackit_phone": "telephone",
    "mehackit_robot": "robot",
    "glitch_robot": "robot",
    "misc_burp": "burp",
    "misc_crow": "crow",
    "perc_bell": "bell",
    "perc_door": "door",
    "sn_": "snare drum",
    "tabla_": "tabla",
    "tabla_ke": "",
    "vinyl_": "vinyl record",
}


def read(folder: Path, reading: Reading) -> bool:
    """Returns False where no such sound lies there."""
    (part,) = reading.benchmark.parts
    found = [(path, label) for path in sorted(folder.glob("*.flac")) if (label := _label(path.stem))]
    if not found:
        return False
    reading.begin("Debian's package", [str(folder)])
    for path, label in found:
        reading.add(Place(str(folder)), part, path.stem, str(path), label)
    return True


def _label(name: str) -> str:
    """ "" for a sound whose kind its name does not tell."""
    fitting = [start for start in _LABELS if name.startswith(start)]
    return _LABELS[max(fitting, key=len)] if fitting else ""
