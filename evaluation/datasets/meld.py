"""MELD as its makers publish it: `test_sent_emo.csv` with a film a line in `output_repeated_splits_test/`.

The films are .mp4; whoever extracted their sound keeps the names, so any ending will do.
"""

from pathlib import Path

from evaluation.datasets.lines import first_of, table
from evaluation.datasets.reading import Reading

_COLUMNS = ("Emotion", "Dialogue_ID", "Utterance_ID", "Speaker")
_FILMS = "output_repeated_splits_test"


def read(folder: Path, reading: Reading) -> bool:
    """Returns False where the test set does not lie there."""
    (part,) = reading.benchmark.parts
    name = "test_sent_emo.csv"
    found = first_of(folder, name, f"*/{name}", f"*/*/{name}")
    if not found:
        return False
    path = found[0]
    reading.begin("as MELD publishes it", [str(path)])
    for place, row in table(path, _COLUMNS, reading, is_quoted=True, delimiter=","):
        clip = f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"
        audio = str(path.parent / _FILMS / f"{clip}.mp4")
        reading.add(place, part, clip, audio, row["Emotion"], speaker=row["Speaker"])
    return True
