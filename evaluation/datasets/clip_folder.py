"""Where a clip lies that a list names in its own way.

Lists name clips relative to a folder that they do not tell, with another ending, or from a tree that was
unpacked differently. So: as written, then by the base name in the tree that the user names.
"""

import os
from collections import defaultdict
from pathlib import Path, PurePosixPath

# The better copy first, where a tree holds a clip in two formats.
ENDINGS = (
    *(".wav", ".flac", ".aiff", ".aif", ".au", ".g722", ".mp3", ".ogg", ".opus", ".oga", ".m4a", ".aac"),
    *(".wma", ".webm", ".mp4", ".mkv", ".mov", ".avi", ".amr", ".3gp"),
)
_RANK = {ending: rank for rank, ending in enumerate(ENDINGS)}
_NO_CLIP = len(ENDINGS)


class ClipFolder:
    """Finds clips. The tree is read once, and only when a clip does not lie where its list says.

    roots: what relative names may be relative to, the likeliest first. tree: what is searched by base name.
    split: a word of a folder ("test") that decides between equals: MELD's three splits number clips alike.
    """

    def __init__(self, roots: list[Path], tree: Path, split: str = "") -> None:
        self._roots = [os.path.abspath(root) for root in dict.fromkeys(roots)]
        self._tree = os.path.abspath(tree)
        self._split = split
        self._index: dict[tuple[str, str], list[str]] | None = None

    def find(self, name: str) -> tuple[str, str]:
        """The clip's absolute path and ""; or the path where it was expected, and one sentence."""
        if name.startswith(("http://", "https://")):
            return name, ""
        expected = [os.path.join(root, name) for root in self._roots]  # of an absolute name, itself
        for path in expected:
            if os.path.isfile(path):
                return path, ""
        found = self._by_base_name(name)
        if len(found) == 1:
            return found[0], ""
        if not found:
            return expected[0], f"{expected[0]} is missing, and no clip of that name lies in {self._tree}"
        return expected[0], (
            f"{expected[0]} is missing, and {len(found)} clips of that name lie in {self._tree} "
            f"({os.path.relpath(found[0], self._tree)}, {os.path.relpath(found[1], self._tree)})"
        )

    def _by_base_name(self, name: str) -> list[str]:
        """The clips that may be meant equally well; [] for none."""
        if self._index is None:
            self._index = _index(self._tree)
        wanted = PurePosixPath(name.replace("\\", "/"))
        folders = [folder.lower() for folder in reversed(wanted.parts[:-1])]
        found = self._index.get((folders[0] if folders else "", wanted.stem))
        found = found or self._index.get(("", wanted.stem), [])
        if len(found) < 2:
            return found
        ranked = [(self._likeness(path, wanted.name, folders), path) for path in found]
        best = max(likeness for likeness, _ in ranked)
        return [path for likeness, path in ranked if likeness == best]

    def _likeness(self, path: str, base_name: str, folders: list[str]) -> tuple[int, bool, bool, int]:
        """How well a path fits: folders in common from the end, right split, very name, better format."""
        above = [folder.lower() for folder in reversed(path.split(os.sep)[:-1])]
        in_common = 0
        for one, other in zip(folders, above, strict=False):
            if one != other:
                break
            in_common += 1
        inside = os.path.relpath(path, self._tree).lower().split(os.sep)[:-1]
        is_in_split = bool(self._split) and any(self._split in folder for folder in inside)
        ending = os.path.splitext(path)[1].lower()
        return in_common, is_in_split, os.path.basename(path) == base_name, -_RANK.get(ending, _NO_CLIP)


def _index(tree: str) -> dict[tuple[str, str], list[str]]:
    """(folder in lower case, base name without ending) -> paths; with "" for the folder, all of that name."""
    index = defaultdict[tuple[str, str], list[str]](list)
    for folder, subfolders, names in os.walk(tree):
        subfolders.sort()
        parent = os.path.basename(folder).lower()
        for name in sorted(names):
            stem, ending = os.path.splitext(name)
            if ending.lower() in _RANK and not name.startswith("._"):  # what macOS leaves beside a file
                path = os.path.join(folder, name)
                index[parent, stem].append(path)
                index["", stem].append(path)
    return dict(index)
