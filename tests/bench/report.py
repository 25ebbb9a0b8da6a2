"""Results as a table for people and as JSON for machines."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent.parent / "bench-results"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as what they hold; numbers to the right."""
    cells = [list(columns), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(columns))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join([title, lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def save(name: str, result: dict[str, Any]) -> Path:
    """Write bench-results/NAME-DATE.json and return where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return path


def _cell(value: object) -> str:
    match value:
        case float():
            return f"{value:.1f}"
        case None:
            return "-"
        case _:
            return str(value)
