"""What broke, each once, with the shortest input that was seen to do it."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.target import CORPUS
from tests.fuzz.watch import Broken, where_of


@dataclass
class Finding:
    text: str
    data: bytes
    path: Path
    times: int = 1


@dataclass
class Findings:
    """Of one target; each lies in its folder of the corpus as soon as it is found."""

    target: str
    found: dict[str, Finding] = field(default_factory=dict)

    def record(self, error: BaseException, data: bytes) -> None:
        text = str(error) if isinstance(error, Broken) else f"raised {where_of(error)}"
        key = error.where if isinstance(error, Broken) else text
        known = self.found.get(key)
        if known is None:
            self.found[key] = Finding(text, data, self._keep(data))
            return
        known.times += 1
        if len(data) < len(known.data):
            known.path.unlink(missing_ok=True)
            known.data, known.path = data, self._keep(data)

    def _keep(self, data: bytes) -> Path:
        folder = CORPUS / self.target
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / hashlib.sha256(data).hexdigest()[:12]
        path.write_bytes(data)
        return path
