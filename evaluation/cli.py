"""`parlour eval`: each subcommand is a module of commands/ with `HELP`, `add_arguments` and `run`."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from evaluation.errors import EvaluationError

COMMANDS = ("run", "check", "score", "compare", "report", "pairs", "published", "speech")


class Command(Protocol):
    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, options: argparse.Namespace) -> int: ...


def add_subcommands(parser: argparse.ArgumentParser) -> None:
    subparsers = parser.add_subparsers(required=True, metavar="WHAT")
    for name in COMMANDS:
        try:
            command = cast(Command, import_module(f"evaluation.commands.{name}"))
        except ModuleNotFoundError as missing:
            if missing.name != f"evaluation.commands.{name}":
                raise
            continue
        subparser = subparsers.add_parser(name, help=command.HELP, allow_abbrev=False)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 for fine, 1 where a threshold was missed or samples failed, 2 for what cannot be used."""
    parser = argparse.ArgumentParser(prog="parlour eval", allow_abbrev=False)
    add_subcommands(parser)
    options = parser.parse_args(argv)
    try:
        return int(options.run(options))
    except EvaluationError as error:
        print(f"parlour eval: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
