"""VocalSound as its makers publish it: `datafiles/te.json`, clips in `audio_16k/`.

The list's paths are of its makers' own machine, so only their base names count. Labels are AudioSet's codes.
"""

from pathlib import Path, PurePosixPath

import msgspec

from evaluation.datasets.lines import first_of, json_file
from evaluation.datasets.problems import Kind, Place
from evaluation.datasets.reading import Reading

_NAMES = {
    "/m/01j3sz": "Laughter",
    "/m/07plz5l": "Sigh",
    "/m/01b_21": "Cough",
    "/m/0dl9sf8": "Throat clearing",
    "/m/01hsr_": "Sneeze",
    "/m/07ppn3j": "Sniff",
}


class _Entry(msgspec.Struct):
    wav: str
    labels: str


class _List(msgspec.Struct):
    data: list[msgspec.Raw]


def read(folder: Path, reading: Reading) -> bool:
    """Returns False where the test set does not lie there."""
    (part,) = reading.benchmark.parts
    found = first_of(folder, "te.json", "datafiles/te.json", "*/datafiles/te.json")
    if not found:
        return False
    path = found[0]
    reading.begin("as VocalSound publishes it", [str(path)])
    root = path.parent.parent if path.parent.name == "datafiles" else path.parent
    for number, raw in enumerate(json_file(path, _List).data, 1):
        place = Place(f"{path}, entry {number}")
        try:
            entry = msgspec.json.decode(raw, type=_Entry)
        except msgspec.MsgspecError as error:
            reading.note(Kind.LINE, place, str(error))
            continue
        wav = PurePosixPath(entry.wav)
        label = _NAMES.get(entry.labels, entry.labels)
        audio = str(root / "audio_16k" / wav.name)
        reading.add(place, part, wav.stem, audio, label, speaker=wav.stem.split("_")[0])
    return True
