"""`parlour eval published`: the published tables, and by which command each of their systems is run here."""

import argparse

import msgspec

from evaluation.benchmarks import BENCHMARKS, benchmark
from evaluation.errors import EvaluationError
from evaluation.published import (
    COMPARED,
    PublishedRow,
    Table,
    comparator,
    notes,
    origin,
    published_benchmarks,
    rows,
    tables,
)

HELP = "print the published figures, and how to run their systems"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("benchmarks", nargs="*", metavar="BENCH", help="such as librispeech (all)")
    parser.add_argument(
        "--table",
        choices=sorted(tables()),
        default=COMPARED,
        help=f"huggingface: {tables()['huggingface']} (the default); original: {tables()['original']}",
    )
    parser.add_argument("--json", action="store_true", help="all of it as JSON")


def run(options: argparse.Namespace) -> int:
    table: Table = options.table
    chosen = [benchmark(name).name for name in options.benchmarks] or list(published_benchmarks())
    for name in chosen:
        if not BENCHMARKS[name].dataset:
            raise EvaluationError(f"nobody published figures for {name}")
    if options.json:
        print(_as_json(chosen, table))
        return 0
    print("\n\n".join(_as_text(name, rows(name, table=table)) for name in chosen))
    print(f"\n* bold in the source. {tables()[table]}\nSource: {origin()}.")
    for note in notes()[2:]:
        print(f"- {note}")
    return 0


def _as_text(name: str, cells: list[PublishedRow]) -> str:
    """A line for each system, a column for each subset; then how each is run."""
    subsets = list(dict.fromkeys(cell.subset for cell in cells))
    models = list(dict.fromkeys(cell.model for cell in cells))
    of = {(cell.model, cell.subset): cell for cell in cells}
    better = "higher" if cells[0].higher_is_better else "lower"
    metric = f"{cells[0].metric}, {cells[0].unit}, {better} is better"
    table = [[f"{BENCHMARKS[name].title} ({name})", *subsets]]
    table += [[model, *(_cell(of.get((model, subset))) for subset in subsets)] for model in models]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = [
        "  ".join([line[0].ljust(widths[0]), *(map(str.rjust, line[1:], widths[1:]))]).rstrip()
        for line in table
    ]
    lines.insert(1, f"  {metric}")
    lines += [f"  {note}" for note in _noted(cells)]
    return "\n".join([*lines, *_how(name, models)])


def _cell(cell: PublishedRow | None) -> str:
    return "- " if cell is None else f"{cell.text}{'*' if cell.bold else ' '}"


def _noted(cells: list[PublishedRow]) -> list[str]:
    """What concerns single cells, said once for each system."""
    return list(dict.fromkeys(f"{cell.model}: {cell.note}" for cell in cells if cell.note))


def _how(name: str, models: list[str]) -> list[str]:
    """How each system is run; those that cannot be are told together."""
    lines = []
    not_run = dict[str, list[str]]()
    for model in models:
        system = comparator(model)
        if command := system.run_by(name):
            lines += [f"  {model}: {command}", f"    {system.note}"]
        else:
            not_run.setdefault(system.note, []).append(model)
    return lines + [f"  {', '.join(systems)}: {note}" for note, systems in not_run.items()]


def _as_json(chosen: list[str], table: Table) -> str:
    content = {
        "version": 1,
        "source": origin(),
        "table": table,
        "notes": notes(),
        "rows": [
            {
                "benchmark": name,
                **msgspec.to_builtins(cell),
                "command": comparator(cell.model).run_by(name),
            }
            for name in chosen
            for cell in rows(name, table=table)
        ],
    }
    return msgspec.json.format(msgspec.json.encode(content)).decode()
